"""Kernels of sums of waves at variances that no quadrature reaches, and what quadrature says there."""

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import hermite_dual as hd
from hermite_dual.errors import AccuracyError
from hermite_dual.numeric.dual_table import dual_table
from hermite_dual.numeric.gaussian import coefficients, mean
from hermite_dual.numeric.wave_kernel import wave_kernel

x = sp.Symbol("x", real=True)
LARGE = 479323.5600614502


def wave(a, b, q1, q2, c):
    """`E[cos(a u + b v)]`."""
    return mp.exp(-(a * a * q1 + 2 * a * b * c + b * b * q2) / 2)


def sine(q1, q2, c):
    return (wave(1, -1, q1, q2, c) - wave(1, 1, q1, q2, c)) / 2


def two_frequencies(q1, q2, c):
    """`sin(x) + sin(sqrt(2) x)`."""
    rates = mp.mpf(1), mp.sqrt(2)
    return sum((wave(a, -b, q1, q2, c) - wave(a, b, q1, q2, c)) / 2 for a in rates for b in rates)


def snake(q1, q2, c):
    """`x + (1 - cos(2 x)) / 2`."""
    single = wave(2, 0, q1, q2, c) + wave(0, 2, q1, q2, c)
    return c + (1 - single + (wave(2, 2, q1, q2, c) + wave(2, -2, q1, q2, c)) / 2) / 4


def x_cosine(q1, q2, c):
    """`x cos(x)`; `E[u v exp(i w)] = (c - Cov(u, w) Cov(v, w)) exp(-Var(w) / 2)`."""
    less = (c - (q1 - c) * (c - q2)) * wave(1, -1, q1, q2, c)
    return (less + (c - (q1 + c) * (c + q2)) * wave(1, 1, q1, q2, c)) / 2


KNOWN = {
    "sin": (sp.sin(x), sine),
    "two frequencies": (sp.sin(x) + sp.sin(sp.sqrt(2) * x), two_frequencies),
    "snake": ("snake", snake),
    "x cos x": (x * sp.cos(x), x_cosine),
}


@pytest.mark.parametrize("name", KNOWN)
@settings(max_examples=40, deadline=None)
@given(
    q1=st.floats(100, 1e6),
    ratio=st.sampled_from([1.0, 4.0, 0.25, 0.5, 1.0001]),
    gap=st.one_of(st.just(0.0), st.floats(1, 16).map(lambda e: 10**-e), st.floats(0, 2)),
    sign=st.sampled_from([-1, 1]),
)
def test_waves_have_the_kernel_of_their_closed_form(name, q1, ratio, gap, sign):
    phi, form = KNOWN[name]
    q2 = q1 * ratio
    c = sign * (1 - gap) * np.sqrt(q1) * np.sqrt(q2)
    with mp.workdps(60):
        exact = [mp.mpf(float(v)) for v in (q1, q2, c)]
        while exact[2] ** 2 > exact[0] * exact[1]:
            c = float(np.nextafter(c, 0))
            exact[2] = mp.mpf(c)
        expected = form(*exact)
        scale = mp.sqrt(form(exact[0], exact[0], exact[0]) * form(exact[1], exact[1], exact[1]))
        value, error = hd.dual(phi).kernel(q1, q2, c, return_error=True)
        assert abs(value - expected) <= 2e-14 * scale
        assert abs(value - expected) <= error


def test_many_correlations_of_snake_at_a_large_variance_are_exact():
    c = LARGE * np.cos(np.linspace(0, np.pi, 60))
    value, error = hd.dual("snake").kernel(LARGE, LARGE, c, return_error=True)
    with mp.workdps(40):
        expected = np.array([float(snake(mp.mpf(LARGE), mp.mpf(LARGE), mp.mpf(v))) for v in c])
    assert np.abs(value - expected).max() < 1e-15 * LARGE
    assert (np.abs(value - expected) <= error).all()


@pytest.mark.parametrize("name", KNOWN)
def test_tables_of_waves_at_large_variances(name):
    phi, form = KNOWN[name]
    table = dual_table(hd.activation(phi), 1e4, 1e4)
    # correlations exactly representable in 1 - |rho| down to where the kernel varies, and a few in the middle
    rho = np.concatenate([sign * (1 - 2.0 ** -np.arange(1, 30)) for sign in (-1, 1)] + [[-1.0, -0.3, 0.0, 0.4, 1.0]])
    with mp.workdps(60):
        q = mp.mpf(10000)
        expected = np.array([float(form(q, q, q * mp.mpf(r))) for r in rho])
        scale = float(form(q, q, q))
    found = table(rho)
    assert np.abs(found - expected).max() <= 5e-14 * scale
    assert np.abs(found - expected).max() <= table.error


@pytest.mark.slow
def test_gram_matrices_of_waves_at_large_scales():
    X = hd.on_sphere(np.random.default_rng(3).standard_normal((6, 4)))
    X[5] = X[0] + 1e-3 * X[1]
    X = hd.on_sphere(X)[[0, 1, 5]]
    # at this sigma_w five layers reach the limit, each seconds of quadrature, and four do not
    model = hd.DEQ("snake", 0.03, sigma_u=100.0)
    G = model.gram(X, depth=1)
    inner = (1e4 / 4) * (X @ X.T)
    with mp.workdps(40):
        q = mp.mpf(10000)
        near = float(snake(q, q, mp.mpf(inner[0, 2])))
    assert abs(G.matrix[0, 2] - near) <= G.estimated_error
    limit = model.gram(X)
    again = model.gram(X, depth=5)
    assert np.abs(limit.matrix - again.matrix).max() <= 2 * (limit.estimated_error + again.estimated_error)


def test_coefficients_of_fast_oscillations_are_resolved():
    """`E[sin(X)^2] = 1/2` here; half a turn per panel once passed for noise and was left as it was."""
    a = coefficients(hd.activation("snake"), LARGE, 3)
    assert np.abs(a - [0.5, np.sqrt(LARGE), 0.0]).max() < 4e-14 * np.sqrt(LARGE)
    assert abs(mean(hd.activation("cos"), 5e5)[0]) < 1e-13


def test_a_function_of_nothing_but_noise_has_panels():
    value = hd.dual(sp.cos(x) - 1 + x**2 / 2).kernel(1e-6, 1e-6, 1e-6, return_error=True)
    exact = 105 / 24**2 * 1e-24  # E[(x^4 / 24)^2], what follows is 1e-6 of it
    assert abs(value[0] - exact) <= value[1] + 1e-6 * exact


@pytest.mark.parametrize("phi", [sp.tanh(x), sp.exp(x), sp.Abs(sp.sin(x)), sp.exp(-(x**2)) * sp.cos(x), "relu"])
def test_others_are_no_waves(phi):
    assert wave_kernel(hd.activation(phi)) is None


@pytest.mark.parametrize("phi", [x + sp.sin(x) ** 2 + sp.cos(x) ** 2, sp.sin(x) + x - sp.sin(x) * sp.cos(x - x)])
def test_waves_that_cancel_leave_a_polynomial(phi):
    value, error = hd.dual(phi).kernel(900.0, 400.0, 300.0, return_error=True)
    assert abs(value - (301.0 if phi.has(sp.cos) else 300.0)) <= error <= 1e-10


def test_what_nothing_resolves_is_refused():
    with pytest.raises(AccuracyError, match="oscillates too fast"):
        hd.dual(sp.tanh(sp.sin(100 * x))).kernel(1e6, 1e6, 5e5)


def test_a_small_value_that_cancels_beside_a_large_one_shows_in_the_estimate():
    """squareplus(x) squareplus(-x) = 1, and the factor at -x is a difference of two numbers near x."""
    q = 116229.52447905958
    value, error = hd.dual("squareplus").kernel(q, q, -q, return_error=True)
    assert abs(value - 1) <= error <= 1e-10

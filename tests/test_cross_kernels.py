"""Kernels of two activations: floats, balls and closed forms against integrals of mpmath, identities, errors."""

import random

import array_api_strict as xp
import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

import hermite_dual as hd
from hermite_dual import c, q1, q2, rho, x
from hermite_dual.errors import InvalidInputError, NotIntegrableError
from tests.gaussian_reference import AVERAGES, FUNCTIONS, cross_kernel
from tests.tolerances import FLOAT_KERNEL

DIGITS = 30


def cases():
    """Random pairs, variances and covariances, the same in every run."""
    draw = random.Random(20)
    for _ in range(30):
        phi, psi = draw.choice(sorted(set(FUNCTIONS) - {"tanh(3*x)"})), draw.choice(sorted(AVERAGES))
        a, b = (round(draw.uniform(0.2, 2.0), 3) for _ in range(2))
        yield phi, psi, a, b, round(draw.uniform(-0.95, 0.95) * (a * b) ** 0.5, 4)


CASES = list(cases())


@pytest.mark.parametrize(("phi", "psi", "a", "b", "covariance"), CASES)
def test_kernels_in_floats_are_those_of_another_quadrature(phi, psi, a, b, covariance):
    with mp.workdps(DIGITS):
        exact = cross_kernel(phi, psi, *map(mp.mpf, (a, b, covariance)))
    k = hd.dual(phi, psi)
    value, error = k.kernel(a, b, covariance, return_error=True)
    scale = np.sqrt(hd.dual(phi).kernel(a, a, a) * hd.dual(psi).kernel(b, b, b))
    assert abs(value - float(exact)) <= error + 1e-16 * scale
    assert error <= FLOAT_KERNEL * scale
    assert hd.dual(psi, phi).kernel(b, a, covariance) == pytest.approx(value, rel=0, abs=2 * error)


@pytest.mark.slow
@pytest.mark.parametrize(("phi", "psi", "a", "b", "covariance"), CASES[::5])
def test_balls_contain_the_kernel(phi, psi, a, b, covariance):
    ball = hd.dual(phi, psi).ball(a, b, covariance, digits=16)
    with mp.workdps(DIGITS):
        exact = cross_kernel(phi, psi, *map(mp.mpf, (a, b, covariance)))
        assert abs(mp.mpf(ball.mid().str(25, radius=False)) - exact) <= mp.mpf(float(ball.rad())) + mp.mpf("1e-20")
    assert float(ball.rad()) <= 1e-13


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phi", "psi", "method"),
    [("tanh", "gelu", "lattice"), ("hard_tanh", "relu", "cells"), ("step", "abs", "cells"), ("relu", "elu", "cells")],
)
def test_balls_next_to_perfect_correlation_contain_floats(phi, psi, method):
    """Series do not reach so far: two-dimensional sums for strips, cells between the kinks of both for others."""
    for a, b, r in ((1.0, 1.0, 0.96875), (1.0, 1.0, -0.96875), (1.75, 0.5, 0.9375)):
        covariance = r * float(np.sqrt(a * b))
        value, error = hd.dual(phi, psi).kernel(a, b, covariance, return_error=True)
        ball = hd.dual(phi, psi).ball(a, b, covariance, digits=13)
        assert abs(float(ball.mid()) - value) <= error + float(ball.rad()), method


def test_a_lattice_keeps_to_the_strip_of_either_activation():
    """The sine is entire, `tanh(3 x)` has poles at `i pi/6`: steps for one are too long for the other."""
    ball = hd.dual("sin", "tanh(3*x)").ball(1, 1, 0.75, digits=24)
    with mp.workdps(40):
        exact = cross_kernel("tanh(3*x)", "sin", mp.mpf(1), mp.mpf(1), mp.mpf(0.75))
        assert abs(mp.mpf(ball.mid().str(32, radius=False)) - exact) <= mp.mpf(float(ball.rad())) + mp.mpf("1e-30")


def test_balls_at_correlations_of_one_and_at_variance_zero():
    relu_abs = hd.dual("relu", "abs")
    assert relu_abs.ball(4, 1, 2).contains(1)  # E[|Z| max(2 Z, 0)]
    assert relu_abs.ball(4, 1, -2).contains(1)
    assert hd.dual("relu", "x").ball(4, 1, -2).contains(-1)
    assert hd.dual("exp", "cos").ball(0, 2, 0).overlaps(arb(-1).exp())
    assert hd.dual("exp", "cos").ball(2, 0, 0).overlaps(arb(1).exp())
    assert hd.dual("sin", "abs").ball(1, 1, 0.5) == 0


FORMS = [
    ("relu", "erf", c / sp.sqrt(sp.pi * (1 + 2 * q2))),
    ("sin", "cos", sp.S.Zero),
    ("exp", "x", c * sp.exp(q1 / 2)),
    ("step", "exp", sp.exp(q2 / 2) * (1 + sp.erf(c / sp.sqrt(2 * q1))) / 2),
    ("x**3", "relu", 3 * c * q1 / 2),
    ("sin", "exp", sp.exp((q2 - q1) / 2) * sp.sin(c)),
    ("step", "sign", sp.asin(c / sp.sqrt(q1 * q2)) / sp.pi),
    ("gelu", "x**2", sp.sqrt(2 / sp.pi) / 2 * (q1 * q2 * (1 + q1) + c**2 * (2 + q1)) / (1 + q1) ** sp.Rational(3, 2)),
]
"""By Stein's lemma, by completing the square, and by the orthant probability."""


@pytest.mark.parametrize(("phi", "psi", "known"), FORMS)
def test_closed_forms_are_the_known_ones(phi, psi, known):
    form = hd.dual(phi, psi).closed_form_general
    for values in ((1.3, 0.7, 0.4), (0.5, 1.9, -0.8), (1.0, 1.0, 0.9)):
        numbers = dict(zip((q1, q2, c), map(sp.Rational, values), strict=True))
        assert abs(sp.N(form.subs(numbers) - known.subs(numbers), 30)) < 1e-25


@pytest.mark.slow
@pytest.mark.parametrize(("phi", "psi"), [("gelu", "relu"), ("elu", "relu"), ("abs", "cos")])
def test_closed_forms_are_the_integrals(phi, psi):
    k, values = hd.dual(phi, psi), (1.3, 0.7, -0.4)
    numbers = dict(zip((q1, q2, c), map(sp.Rational, values), strict=True))
    ball = k.ball(*values, digits=20)
    assert abs(float(sp.N(k.closed_form_general.subs(numbers), 20)) - float(ball.mid())) < 1e-15
    assert abs(float(sp.N(k.closed_form.subs(rho, sp.Rational(2, 5)), 20)) - k(0.4)) < 1e-14


def test_no_closed_form_has_a_reason_and_an_expectation():
    k = hd.dual("tanh", "relu")
    assert k.closed_form is None
    assert k.closed_form_general is None
    assert "tanh" in k.no_closed_form_because
    assert isinstance(k.to_sympy(), sp.Integral)
    assert k.to_latex() == (
        r"k\left(\rho\right) = \mathbb{E}\left[\tanh{\left(u \right)} \cdot \max\left(0, v\right)\right]"
    )
    numeric = hd.dual(lambda z: np.tanh(np.sin(z)), "relu")
    assert "Python function" in numeric.no_closed_form_because
    assert r"\phi(u)\, \psi(v)" in numeric.to_latex()
    with pytest.raises(InvalidInputError, match="Python function"):
        numeric.to_sympy()


def test_derivatives_in_closed_form_agree_and_are_the_kernel_of_the_derivatives():
    k = hd.dual("gelu", "relu")
    direct, price = k.derivative_closed_form("direct").general, k.derivative_closed_form("price").general
    numbers = {q1: sp.Rational(13, 10), q2: sp.Rational(7, 10), c: sp.Rational(-2, 5)}
    slope = k.derivative().kernel(1.3, 0.7, -0.4)
    assert sp.N(direct.subs(numbers), 20) == pytest.approx(slope, rel=1e-13)
    assert sp.N(price.subs(numbers), 20) == pytest.approx(slope, rel=1e-13)


def test_the_object_shows_itself():
    k = hd.dual("relu", "erf")
    assert repr(k) == "dual(relu, erf)"
    assert (k.first.name, k.second.name) == ("relu", "erf")
    assert k._repr_latex_() == rf"$\displaystyle {k.to_latex()}$"
    assert k(rho) == k.closed_form
    assert isinstance(k.derivative(), hd.CrossDual)


def test_one_activation_twice_is_its_dual():
    k = hd.dual("gelu", "gelu")
    assert isinstance(k, hd.Dual)
    assert repr(k) == "dual(gelu)"
    assert type(hd.dual(hd.dual("relu"), "abs")) is hd.CrossDual


def test_parameters_belong_to_one_activation():
    assert hd.dual("leaky_relu", alpha=0.2).activation == hd.activation("leaky_relu", alpha=0.2)
    assert hd.dual("tanh(psi*x)", psi=2).activation.expr == sp.tanh(2 * x)
    pair = hd.dual("relu", hd.activation("leaky_relu", alpha=0.2))
    # leaky ReLU is .8 ReLU + .2 x
    assert pair.kernel(1, 1, 0.5) == pytest.approx(0.8 * hd.dual("relu").kernel(1, 1, 0.5) + 0.2 * 0.25, rel=1e-14)
    with pytest.raises(InvalidInputError, match=r"alpha = 0.2 with two activations.*activation\(phi, alpha=...\)"):
        hd.dual("relu", "leaky_relu", alpha=0.2)


def test_two_activations_are_no_activation():
    with pytest.raises(InvalidInputError, match=r"dual\(relu, erf\) is the kernel of two activations"):
        hd.activation(hd.dual("relu", "erf"))
    with pytest.raises(InvalidInputError, match="two activations"):
        hd.DEQ(hd.dual("relu", "erf"), sigma_w=0.2)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [((1, 1, 1.5), "covariance c = 1.5"), ((-1, 1, 0), "variance q1 = -1"), ((1, np.nan, 0), "q2")],
)
def test_what_is_no_covariance_matrix_is_refused(arguments, says):
    with pytest.raises(InvalidInputError, match=says):
        hd.dual("relu", "erf").kernel(*arguments)


def test_either_activation_must_be_square_integrable():
    gaussian = hd.dual("erf", "exp(x**2/8)")
    assert np.isfinite(gaussian.kernel(100.0, 1.0, 0.5))
    with pytest.raises(NotIntegrableError):
        gaussian.kernel(1.0, 3.0, 0.5)
    with pytest.raises(NotIntegrableError):
        gaussian.ball(1, 3, 0.5)


def test_products_are_the_power_series():
    k = hd.dual("tanh", "sin")
    terms = k.products(80, 1.5, 0.5)
    expected = hd.dual("tanh").coefficients(80, 1.5) * hd.dual("sin").coefficients(80, 0.5)
    assert (terms == expected).all()
    root = np.sqrt(1.5 * 0.5)
    assert np.polynomial.polynomial.polyval(0.7, terms) == pytest.approx(k.kernel(1.5, 0.5, 0.7 * root), rel=1e-12)
    for bad in ((0, 1, 1), (3, 0.0, 1), (3, 1, -1)):
        with pytest.raises(InvalidInputError):
            k.products(*bad)


@pytest.mark.parametrize(
    ("phi", "mean_slope"),
    [
        ("relu", lambda q: mp.mpf(1) / 2),
        ("exp", lambda q: mp.exp(q / 2)),
        ("hard_tanh", lambda q: mp.erf(1 / mp.sqrt(2 * q))),
        ("step", lambda q: 1 / mp.sqrt(2 * mp.pi * q)),
        ("tanh", lambda q: mp.quad(lambda z: mp.sech(mp.sqrt(q) * z) ** 2 * mp.npdf(z), [-12, 0, 12])),
    ],
)
def test_a_linear_factor_gives_steins_lemma(phi, mean_slope):
    """`E[phi(u) v] = c E[phi'(u)]`."""
    expected = float(-0.5 * mean_slope(mp.mpf("0.7")))
    assert hd.dual(phi, "x").kernel(0.7, 2.0, -0.5) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(("phi", "psi"), [("tanh(x)", "Max(x, 0)"), ("sin(x)", "Abs(x) - x**2"), ("erf(x)", "exp(x)")])
def test_kernels_are_bilinear(phi, psi):
    total, pair = hd.dual(f"{phi} + {psi}"), hd.dual(phi, psi)
    q, covariances = 0.8, np.array([-0.8, -0.3, 0.0, 0.5, 0.8])
    parts = hd.dual(phi).kernel(q, q, covariances) + hd.dual(psi).kernel(q, q, covariances)
    assert total.kernel(q, q, covariances) == pytest.approx(parts + 2 * pair.kernel(q, q, covariances), abs=1e-13)


def test_scales_are_variances():
    k, q = hd.dual("tanh", "gelu"), np.array([0.3, 1.4])
    scaled = hd.dual("tanh(2*x)", hd.activation("gelu").expr.subs(x, x / 2))
    assert scaled.kernel(q, 0.5, 0.2) == pytest.approx(k.kernel(4 * q, 0.125, 0.2), rel=1e-13)


def test_many_correlations_of_one_pair_share_an_interpolant():
    k, r = hd.dual("relu", "hard_tanh"), np.cos(np.linspace(0.0, np.pi, 301))
    value, error = k.kernel(1.0, 1.0, r, return_error=True)
    for i in (1, 77, 150, 299):
        single, slack = k.kernel(1.0, 1.0, float(r[i]), return_error=True)
        assert abs(single - value[i]) <= error[i] + slack


def test_waves_of_large_variance_have_their_closed_form():
    """`E[sin(u) cos(3 v) + ...]` by completing the square; quadrature would need 10^4 panels."""
    k = hd.dual("sin(x)", "x + sin(x)")
    q = 4e4
    assert k.kernel(q, q, q) == pytest.approx(0.5, rel=1e-12)  # E[sin^2], E[u sin(u)] = q exp(-q/2)


def test_arrays_of_other_libraries():
    k, values = hd.dual("tanh", "relu"), [-1.0, -0.3, 0.0, 0.8, 1.0]
    result = k(xp.asarray(values))
    assert isinstance(result, type(xp.asarray(values)))
    assert np.asarray(result.__array__()) == pytest.approx(k(values), abs=1e-13)


@settings(max_examples=15, deadline=None)
@given(
    phi=st.sampled_from(["tanh", "relu", "step", "gelu", "sin"]),
    psi=st.sampled_from(["abs", "erf", "exp", "hard_tanh"]),
    a=st.sampled_from([0.25, 1.0, 1.7]),
    b=st.sampled_from([0.25, 1.0, 1.7]),
    r=st.floats(-1.0, 1.0),
)
def test_cauchy_schwarz_and_exchange(phi, psi, a, b, r):
    k, covariance = hd.dual(phi, psi), r * float(np.sqrt(a) * np.sqrt(b))
    value, error = k.kernel(a, b, covariance, return_error=True)
    bound = np.sqrt(hd.dual(phi).variance_map(a) * hd.dual(psi).variance_map(b))
    assert abs(value) <= bound * (1 + 1e-14) + error
    other, slack = hd.dual(psi, phi).kernel(b, a, covariance, return_error=True)
    assert abs(other - value) <= error + slack

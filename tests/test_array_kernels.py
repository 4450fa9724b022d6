"""Kernels on arrays of many different variances: closed forms with their rounding, and surrogates."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from mpmath import mp, mpf

import hermite_dual as hd
from hermite_dual.numeric.kernel import kernel_with_error
from hermite_dual.numeric.running_error import NoProgramError, RoundedProgram
from tests.problems import SOLVED
from tests.tolerances import FLOAT_KERNEL

MANY = 100
"""Entries, more than have a series each."""


def triples(seed: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variances log-uniform between powers of 10, correlations uniform, close to +-1, and 1, 0, -1."""
    generator = np.random.default_rng(seed)
    q1, q2 = 10.0 ** generator.uniform(low, high, (2, MANY))
    q2[::5] = q1[::5]
    near = np.sign(generator.uniform(-1, 1, MANY)) * (1 - 10.0 ** generator.uniform(-16, -1, MANY))
    rho = np.where(generator.random(MANY) < 0.5, near, generator.uniform(-1, 1, MANY))
    limit = np.sqrt(q1) * np.sqrt(q2)
    c = np.clip(rho * limit, -limit, limit)
    c[:3], c[5], c[10] = np.array([0.0, limit[1], -limit[2]]), q1[5], -q1[10]
    return q1, q2, c


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (-8, -4), (-3, 3)])
@pytest.mark.parametrize("row", list(SOLVED.values()), ids=lambda row: row.name)
def test_errors_of_closed_forms_hold(row, low, high):
    q1, q2, c = triples(1, low, min(high, 0.5) if "exp" in row.name else high)
    values, errors = hd.dual(row.name).kernel(q1, q2, c, return_error=True)
    with mp.workdps(60):
        for i in range(MANY):
            truth, first, second = (row.dual(*map(mpf, of)) for of in ((q1[i], q2[i], c[i]), [q1[i]] * 3, [q2[i]] * 3))
            scale = float(mp.sqrt(first * second))
            # the references themselves cancel where correlations are +-1
            assert abs(float(mpf(values[i]) - truth)) <= errors[i] + 1e-25 * scale, (q1[i], q2[i], c[i])
            assert errors[i] <= FLOAT_KERNEL * scale


@pytest.mark.parametrize("name", ["hard_tanh", "elu", "tanh"])
def test_arrays_agree_with_entries_one_by_one(name):
    q1, q2, c = triples(2, -1, 1)
    values, errors = hd.dual(name).kernel(q1, q2, c, return_error=True)
    some = np.r_[0:6]
    expected, slack = kernel_with_error(hd.activation(name), q1[some], q2[some], c[some])
    assert (np.abs(values[some] - expected) <= errors[some] + slack).all()
    assert errors.max() < 1e-11


@pytest.mark.parametrize(("name", "low", "high"), [("silu", -4, 0), ("tanh", -0.5, 0.5)])
def test_tables_agree_with_series(name, low, high):
    q1, q2, c = triples(6, low, high)
    k = hd.dual(name)
    values, errors = k.kernel(q1, q2, c, return_error=True)
    expected, slack = kernel_with_error(k.activation, q1[:40], q2[:40], c[:40])
    assert (np.abs(values[:40] - expected) <= errors[:40] + slack).all()
    scale = np.sqrt(k.variance_map(q1)) * np.sqrt(k.variance_map(q2))
    assert (errors <= 1e-13 * scale).all()


def test_kinks_near_correlation_one_have_proven_values():
    q1, q2, c = triples(3, -1, 1)
    c *= 1 - 2.0**-52  # exactly within the bounds
    k = hd.dual("hard_tanh")
    values, errors = k.kernel(q1, q2, c, return_error=True)
    for i in (1, 5, 6, 20, 40):
        assert abs(values[i] - float(k.ball(q1[i], q2[i], c[i], digits=20).mid())) <= errors[i]


def test_zero_and_extreme_variances_stand_among_others():
    q1, q2, c = triples(4, -1, 1)
    q1[0], c[0] = 0.0, 0.0
    q1[1], q2[1], c[1] = 1e-200, 1e-200, 5e-201
    q1[2], q2[2], c[2] = 1e200, 1e200, 5e199
    for name, at_zero in (("gelu", 0.0), ("erf", 0.0)):
        k = hd.dual(name)
        values, errors = k.kernel(q1, q2, c, return_error=True)
        single = np.array([k.kernel(q1[i], q2[i], c[i]) for i in range(3)])
        assert (np.abs(values[:3] - single) <= 1e-14 * np.abs(single)).all()
        assert values[0] == at_zero
        assert np.isfinite(errors).all()


def test_forms_are_not_used_where_the_square_is_not_integrable():
    k = hd.dual("exp(x**2/8)")
    q = np.linspace(0.5, 1.5, MANY)
    assert k.kernel(q, q, 0.0 * q, return_error=True)[1].max() < 1e-12
    with pytest.raises(hd.NotIntegrableError, match="not square-integrable"):
        k.kernel(100.0 * q, 100.0 * q, 0.0 * q)


def test_variances_of_any_size_have_right_values():
    triple = triples(7, -120, 120)
    values, errors = hd.dual("erf").kernel(*triple, return_error=True)
    with mp.workdps(400):
        for value, error, *numbers in zip(values, errors, *triple, strict=True):
            q1, q2, c = map(mpf, numbers)
            truth = 2 / mp.pi * mp.asin(2 * c / mp.sqrt((1 + 2 * q1) * (1 + 2 * q2)))
            assert abs(mpf(value) - truth) <= error


X, Y = sp.symbols("x y", real=True)
PROGRAMS = {
    "difference of roots": sp.sqrt(1 + X) - sp.sqrt(1 + Y),
    "power": (1 + X) ** sp.Rational(-3, 2) * Y**3 - Y / (2 + X),
    "exponentials": sp.exp(-X) * sp.sinh(Y) - sp.cosh(X * Y) + sp.exp(-sp.exp(10 * X)),
    "waves": sp.sin(100 * X) - sp.cos(Y) * sp.sin(X),
    "arcs": sp.asin(X / (1 + Y)) + sp.acos(X * Y / 3) + sp.atan(X) + sp.atan2(X, Y),
    "errors": sp.erf(X) * sp.erfc(Y) - sp.tanh(X) + sp.asinh(Y) + sp.log(1 + X),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_running_errors_hold(name):
    expr = PROGRAMS[name]
    x, y = np.random.default_rng(5).uniform(0.0, 1.0, (2, 200))
    y[:100] = x[:100] * (1 + 10.0 ** -np.linspace(1, 16, 100))
    # arguments that are off themselves
    off = 1e-13 * x
    values, errors = RoundedProgram(expr, (X, Y))((x, off), (y, 0.0))
    exact = sp.lambdify((X, Y), expr, "mpmath")
    with mpmath.workdps(40):
        for i in range(200):
            for moved in (-1, 0, 1):
                truth = exact(mpf(x[i]) + moved * mpf(off[i]), mpf(y[i]))
                assert abs(mpf(values[i]) - truth) <= errors[i] * (1 + mpf("1e-3"))
    assert np.median(errors) < 1e-10


def test_what_is_lost_has_an_infinite_error():
    program = RoundedProgram(1 / (X - Y) + sp.sqrt(X - Y), (X, Y))
    x = np.array([1.0, 2.0, 1e308])
    value, error = program((x, 1e-16), (x, 0.0))
    assert not np.isfinite(value[:2]).any() or not np.isfinite(error[:2]).any()
    assert not (error <= 1.0).any()


def test_an_unknown_function_makes_no_program():
    with pytest.raises(NoProgramError, match="gamma"):
        RoundedProgram(sp.gamma(X), (X,))

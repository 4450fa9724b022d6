"""Exact Hermite coefficients and their formulas, against quadrature, the dual's power series and known values."""

import mpmath
import pytest
import sympy as sp

from hermite_dual.errors import InvalidInputError
from hermite_dual.shape.shape import shape_of
from hermite_dual.symbolic.closed_forms import derive_dual
from hermite_dual.symbolic.coefficient_formulas import DEGREE, coefficient_formula
from hermite_dual.symbolic.coefficients import exact_coefficient
from hermite_dual.symbolic.hermite import hermite_integers, normalized_hermite
from hermite_dual.symbols import rho, x
from tests.problems import NAMED, normal

R = sp.Rational
q = sp.Symbol("q", positive=True)
VARIANCE = R(17, 10)


ACTIVATIONS = {
    **{name: NAMED[name].expr for name in ("relu", "gelu", "sin", "elu", "tanh", "softplus")},
    "erf(2 x + 1)": sp.erf(2 * x + 1),
    "gaussian": sp.exp(-(x**2)),
    "growing wave": sp.exp(x / 2) * sp.sin(x),
    "relu6": sp.Min(sp.Max(x, 0), 6),
    "softsign": x / (1 + sp.Abs(x)),
}


def by_quadrature(expr, r, variance):
    """E[phi(sqrt(q) Z) h_r(Z)] at 30 digits, split at half-integers of x, where every kink of the table is."""
    with mpmath.workdps(40):
        root = mpmath.sqrt(mpmath.mpf(variance.p) / variance.q)
        phi = sp.lambdify(x, expr, "mpmath")
        polynomial = sp.lambdify(x, normalized_hermite(r, x), "mpmath")
        edges = [mpmath.mpf(half) / 2 / root for half in range(-42, 43)]
        return mpmath.quad(
            lambda z: phi(root * z) * polynomial(z) * mpmath.npdf(z), edges, method="gauss-legendre", maxdegree=5
        )


@pytest.mark.slow
@pytest.mark.parametrize("r", [0, 1, 2, 7])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_coefficients_against_quadrature(name, r):
    expr = ACTIVATIONS[name]
    expected = by_quadrature(expr, r, VARIANCE)
    value = exact_coefficient(shape_of(expr, x), r, VARIANCE).evalf(28)
    assert abs(value - sp.Float(expected, 40)) < sp.Float(10) ** -25
    symbolic = exact_coefficient(shape_of(expr, x), r, q).subs(q, VARIANCE).evalf(28)
    assert abs(symbolic - value) < sp.Float(10) ** -25


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "gelu", "erf(2 x + 1)", "elu", "gaussian", "relu6"])
def test_squares_are_the_power_series_of_the_dual(name):
    unit = derive_dual(shape_of(ACTIVATIONS[name], x)).unit
    for r in range(4):
        slope = sp.diff(unit, rho, r).subs(rho, 0).evalf(25) / sp.factorial(r)
        assert abs(slope - exact_coefficient(shape_of(ACTIVATIONS[name], x), r).evalf(25) ** 2) < sp.Float(10) ** -20


KNOWN = [  # Cho and Saul 2009; Daniely, Frostig and Singer 2016 for ReLU; O'Donnell 2014, section 11.2, for sign
    (sp.Max(x, 0), 0, 1 / sp.sqrt(2 * sp.pi)),
    (sp.Max(x, 0), 1, R(1, 2)),
    (sp.Max(x, 0), 3, 0),
    (sp.sign(x), 1, sp.sqrt(2 / sp.pi)),
    (sp.exp(x), 4, sp.exp(R(1, 2)) / sp.sqrt(24)),
    (x**3, 1, 3),
    (x**3, 3, sp.sqrt(6)),
]


@pytest.mark.parametrize(("expr", "r", "value"), KNOWN)
def test_known_coefficients(expr, r, value):
    assert sp.simplify(exact_coefficient(shape_of(expr, x), r) - value) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "expr",
    [
        sp.exp(x / 2),
        sp.sin(x),
        sp.cos(2 * x),
        sp.sinh(x),
        sp.exp(-(x**2)),
        x**2 * sp.exp(-(x**2)),
        sp.erf(x),
        x * normal(x),
        sp.Max(x, 0),
        sp.Max(x, 0) ** 2,
        sp.Abs(x),
        sp.sign(x),
        sp.Heaviside(x),
        normalized_hermite(9, x),
        sp.Max(x - R(1, 2), 0),
        sp.Min(sp.Max(x, 0), 6),
        sp.erf(2 * x + 1),
        x + sp.sin(x) ** 2,
        x**2 * sp.sin(3 * x),
    ],
)
def test_formulas_give_the_exact_coefficients_beyond_the_degrees_compared(expr):
    formula = coefficient_formula(shape_of(expr, x), VARIANCE)
    assert formula is not None
    for r in (0, 1, 2, 5, 9, 10, 30, 31):
        value = formula.subs(DEGREE, r).evalf(30)
        assert abs(value - exact_coefficient(shape_of(expr, x), r, VARIANCE).evalf(30)) < sp.Float(10) ** -24


@pytest.mark.parametrize("expr", [sp.tanh(x), ACTIVATIONS["elu"]])
def test_no_formula_is_none(expr):
    assert coefficient_formula(shape_of(expr, x)) is None


def test_odd_activations_without_closed_form_have_exact_zeros():
    assert exact_coefficient(shape_of(sp.tanh(x), x), 4) == 0
    assert exact_coefficient(shape_of(sp.tanh(x), x), 3).has(sp.Integral)


@pytest.mark.slow
def test_integral_evaluates_to_fifty_digits():
    # Stein: a_1 of tanh is E[sech^2], a different integrand.
    first = exact_coefficient(shape_of(sp.tanh(x), x), 1).evalf(50)
    with mpmath.workdps(60):
        edges = [mpmath.mpf(half) / 2 for half in range(-40, 41)]
        slope = mpmath.quad(lambda z: mpmath.sech(z) ** 2 * mpmath.npdf(z), edges, method="gauss-legendre")
        assert abs(mpmath.mpf(str(first)) - slope) < 1e-48


def test_high_degrees_stay_exact():
    # a_100 of ReLU: (98 - 1)!! / sqrt(2 pi 100!) up to sign, from He_98(0) = -(97!!).
    expected = sp.factorial2(97) / sp.sqrt(2 * sp.pi * sp.factorial(100))
    assert abs(exact_coefficient(shape_of(sp.Max(x, 0), x), 100).evalf(40) + expected.evalf(40)) < sp.Float(10) ** -40


@pytest.mark.parametrize(
    ("r", "variance", "message"),
    [
        (-1, 1, "r must be an integer from 0"),
        (0.5, 1, "r must be"),
        (2, -1, "variance must be"),
        (2, sp.Symbol("v"), "variance"),
    ],
)
def test_bad_arguments_name_themselves(r, variance, message):
    with pytest.raises(InvalidInputError, match=message):
        exact_coefficient(shape_of(sp.Max(x, 0), x), r, variance)


def test_hermite_polynomials_are_orthonormal():
    moments = [0 if p % 2 else sp.factorial2(p - 1) for p in range(40)]  # E[Z^p], Isserlis
    for r in range(12):
        for s in range(r + 1):
            product = sp.Poly(sp.expand(normalized_hermite(r, x) * normalized_hermite(s, x)), x)
            assert sum(value * moments[power] for (power,), value in product.terms()) == (1 if r == s else 0)


def test_hermite_integers_agree_with_sympy():
    for r in (0, 1, 2, 9, 40):
        other = sp.Poly(sp.expand(2 ** (-R(r, 2)) * sp.hermite(r, x / sp.sqrt(2))), x).all_coeffs()[::-1]
        assert list(hermite_integers(r)) == other


@pytest.mark.parametrize("degree", [-1, 1.0, True, "2"])
def test_hermite_degree_is_checked(degree):
    with pytest.raises(InvalidInputError, match="degree must be a nonnegative integer"):
        hermite_integers(degree)


def test_a_function_that_is_odd_about_a_point_has_the_coefficients_of_one():
    expr = sp.atan(sp.exp(sp.Symbol("x", real=True)))
    x = next(iter(expr.free_symbols))
    assert [exact_coefficient(shape_of(expr, x), r) for r in (0, 2, 4)] == [sp.pi / 4, 0, 0]

"""Derived closed forms: known kernels, quadrature, limits, reasons, derivatives."""

import random
import time

import mpmath
import pytest
import sympy as sp

from hermite_dual.errors import InvalidInputError
from hermite_dual.shape.shape import shape_of
from hermite_dual.symbolic.bivariate_normal import LAMBDIFY_MODULES
from hermite_dual.symbolic.closed_forms import derive_cross_dual, derive_derivative_dual, derive_dual
from hermite_dual.symbols import c, q1, q2, rho, x
from tests.problems import POINT, SOLVED, a, b, normal
from tests.symbolic_reference import dual_by_quadrature

R = sp.Rational
DIGITS = sp.Float(10) ** -30  # relative, of forms evaluated to 40 digits


def random_point(generator):
    """A nondegenerate covariance and positive parameters, rational."""
    first, second = (R(generator.randint(1, 300), 100) for _ in range(2))
    root = sp.sqrt(first * second).evalf(10)
    shared = R(int(1000 * generator.uniform(-0.98, 0.98) * float(root)), 1000)
    return {q1: first, q2: second, c: shared, a: R(generator.randint(1, 90), 100), b: R(generator.randint(1, 90), 50)}


@pytest.mark.slow
@pytest.mark.parametrize("name", SOLVED)
def test_derived_forms_equal_the_published_ones_at_twenty_points(name):
    expr, published = SOLVED[name].expr, SOLVED[name].published
    form = derive_dual(shape_of(expr, x))
    generator = random.Random(name)
    for _ in range(20):
        point = random_point(generator)
        value, expected = form.general.subs(point).evalf(40), published.subs(point).evalf(40)
        assert abs(value - expected) <= DIGITS * max(abs(expected), R(1, 1000))
        correlation = R(generator.randint(-99, 99), 100)
        at_one = {**point, q1: 1, q2: 1, c: correlation}
        unit = form.unit.subs({**point, rho: correlation}).evalf(40)
        assert abs(unit - published.subs(at_one).evalf(40)) <= DIGITS


@pytest.mark.slow
@pytest.mark.parametrize("name", SOLVED)
def test_forms_have_at_most_twice_the_operations_of_the_published_ones(name):
    expr, published = SOLVED[name].expr, SOLVED[name].published
    assert sp.count_ops(derive_dual(shape_of(expr, x)).general) <= 2 * sp.count_ops(published)


SCALE, ALPHA = R("1.0507009873554805"), R("1.6732632423543772")  # Klambauer et al. 2017, arXiv 1706.02515
BY_QUADRATURE = {  # expression, kinks
    "elu": (sp.Piecewise((x, x > 0), (R(13, 10) * (sp.exp(x) - 1), True)), [0]),
    "selu": (sp.Piecewise((SCALE * x, x > 0), (SCALE * ALPHA * (sp.exp(x) - 1), True)), [0]),
    "celu": (sp.Max(x, 0) + sp.Min(0, R(7, 5) * (sp.exp(R(5, 7) * x) - 1)), [0]),
    "relu6": (sp.Min(sp.Max(x, 0), 6), [0, 6]),
    "hard_tanh": (sp.Max(-1, sp.Min(1, x)), [-1, 1]),
    "hard_sigmoid": (sp.Max(0, sp.Min(1, x / 6 + R(1, 2))), [-3, 3]),
    "hard_swish": (x * sp.Min(sp.Max(x + 3, 0), 6) / 6, [-3, 3]),
    "shifted relu": (sp.Max(x - R(1, 2), 0), [R(1, 2)]),
    "erf(2 x + 1)": (sp.erf(2 * x + 1), []),
    "x^2 sin 3 x": (x**2 * sp.sin(3 * x), []),
    "x^3 gauss + erf": (x**3 * sp.exp(-(x**2) / 2) + sp.erf(x), []),
    "quadratic pieces": (sp.Piecewise((1 - x, x < -1), (x**2 + 1, x < 2), (3 * x - 1, True)), [-1, 2]),
    "x Phi(x) exp(-x)": (x * normal(x) * sp.exp(-x), []),
    "hard_shrink": (sp.Piecewise((x, sp.Abs(x) > R(1, 2)), (0, True)), [-R(1, 2), R(1, 2)]),
    "soft_shrink": (sp.sign(x) * sp.Max(sp.Abs(x) - R(1, 2), 0), [-R(1, 2), R(1, 2)]),
    "snake": (x + sp.sin(x) ** 2, []),
    "sinh": (sp.sinh(x), []),
    "shifted gabor": (sp.exp(-(x**2)) * sp.cos(3 * x + 1), []),
    "laplace": (sp.exp(-sp.Abs(x)), [0]),
    "triangular": (sp.Max(1 - sp.Abs(x), 0), [-1, 0, 1]),
    "wave and kink": (sp.erf(x) + sp.sin(x) + sp.Max(x, 0), [0]),
    "cut gaussian": (sp.exp(-(x**2) + x) * sp.Heaviside(x - 1), [1]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_QUADRATURE)
def test_forms_without_published_kernel_agree_with_quadrature_to_25_digits(name):
    expr, kinks = BY_QUADRATURE[name]
    form = derive_dual(shape_of(expr, x))
    value = form.general.subs(dict(zip((q1, q2, c), POINT, strict=True))).evalf(32)
    reference = dual_by_quadrature(expr, x, kinks, *POINT)
    assert abs(value - reference) <= sp.Float(10) ** -25 * abs(reference)
    unit = form.unit.subs(rho, R(-1, 3)).evalf(32)
    assert abs(unit - form.general.subs({q1: 1, q2: 1, c: R(-1, 3)}).evalf(32)) <= sp.Float(10) ** -28


@pytest.mark.slow
def test_quadrature_knows_relu():
    reference = dual_by_quadrature(sp.Max(x, 0), x, [0], *POINT)
    exact = SOLVED["relu"].published.subs(dict(zip((q1, q2, c), POINT, strict=True))).evalf(40)
    assert abs(reference - exact) < sp.Float(10) ** -32


PIECEWISE = ["relu6", "hard_tanh", "hard_swish", "quadratic pieces", "selu", "triangular", "hard_shrink", "laplace"]


@pytest.mark.slow
@pytest.mark.parametrize("name", PIECEWISE)
def test_degenerate_correlations_are_finite_and_are_the_limits(name):
    expr, kinks = BY_QUADRATURE[name]
    unit = derive_dual(shape_of(expr, x)).unit
    for sign in (1, -1):
        # E[phi(Z) phi(sign Z)], split at the kinks of both factors
        integrand = sp.lambdify(x, expr * expr.subs(x, sign * x) * sp.exp(-(x**2) / 2), "mpmath")
        with mpmath.workdps(20):
            cuts = [mpmath.mpf(sp.N(side * kink, 25)) for kink in kinks for side in (1, -1)]
            edges = sorted({*cuts, *(mpmath.mpf(half) / 2 for half in range(-40, 41))})
            exact = mpmath.quad(integrand, edges, method="gauss-legendre", maxdegree=4) / mpmath.sqrt(2 * mpmath.pi)
        assert abs(float(unit.subs(rho, sign).evalf(20)) - float(exact)) < 1e-13
    at_zero = unit.subs(rho, 0).evalf(25)
    mean = derive_cross_dual(shape_of(expr, x), shape_of(sp.S.One, x)).unit.evalf(25)
    assert abs(at_zero - mean**2) < sp.Float(10) ** -22


OUTSIDE = {  # expression, what the reason has to name
    "tanh": (sp.tanh(x), "tanh(x)", "poles"),
    "sigmoid": (1 / (1 + sp.exp(-x)), "1/(1 + exp(-x))", "pole"),
    "softplus": (sp.log(1 + sp.exp(x)), "log(exp(x) + 1)", "branch points"),
    "silu": (x / (1 + sp.exp(-x)), "1/(1 + exp(-x))", "pole"),
    "mish": (x * sp.tanh(sp.log(1 + sp.exp(x))), "tanh(", "poles"),
    "arctan": (sp.atan(x), "atan(x)", "branch points"),
    "softsign": (x / (1 + sp.Abs(x)), "1/(1 - x)", "pole"),
    "squareplus": ((x + sp.sqrt(x**2 + 1)) / 2, "sqrt(x**2 + 1)", "branch point"),
    "erf^2": (sp.erf(x) ** 2, "erf(x)**2", "four Gaussians"),
    "cut sine": (sp.sin(x) * sp.Heaviside(x), "oscillation", "complex arguments"),
    "cut erf": (sp.Abs(sp.erf(x)), "normal CDF", "four Gaussians"),
    "|sin|": (sp.Abs(sp.sin(x)), "sin(x)", "infinitely often"),
    "cubic exponent": (sp.exp(-(x**3)), "exp(-x**3)", "degree"),
    "complex": (sp.exp(sp.I * x), "exp(I*x)", "not real"),
    "open order": (sp.Piecewise((x, x > a), (1, x > b), (0, True)), "sign of -a + b is not known", ""),
    "partial": (sp.Piecewise((x, x > 0)), "whole real line", ""),
    "clash": (sp.Max(x - c, 0), "rename", ""),
    "unknown function": (sp.Function("f")(x), "singularities of f", ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OUTSIDE)
def test_activations_outside_the_class_say_why(name):
    expr, subexpression, why = OUTSIDE[name]
    form = derive_dual(shape_of(expr, x))
    assert form.general is None
    assert form.unit is None
    assert subexpression in form.reason
    assert why in form.reason


@pytest.mark.slow
def test_divergence_at_variance_one_leaves_the_general_form():
    form = derive_dual(shape_of(sp.exp(x**2 / 3), x))
    assert form.unit is None
    assert "second moment" in form.reason
    point = (R(1, 2), R(1, 3), R(1, 5))
    reference = dual_by_quadrature(sp.exp(x**2 / 3), x, [], *point)
    assert abs(form.general.subs(dict(zip((q1, q2, c), point, strict=True))).evalf(20) - reference) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(
    "expr",
    [
        sp.Max(x, 0),
        x * normal(x),
        sp.erf(2 * x + 1),
        sp.sin(x),
        BY_QUADRATURE["elu"][0],
        BY_QUADRATURE["relu6"][0],
        sp.Heaviside(x),
        sp.Max(x, 0) ** 2,
        x**2 * sp.exp(-(x**2)),
        BY_QUADRATURE["x Phi(x) exp(-x)"][0],
    ],
)
def test_derivative_dual_by_price_and_directly(expr):
    direct, price = (derive_derivative_dual(shape_of(expr, x), by=way) for way in ("direct", "price"))
    point = dict(zip((q1, q2, c, rho), (*POINT, R(1, 3)), strict=True))
    for first, second in ((direct.general, price.general), (direct.unit, price.unit)):
        left, right = first.subs(point).evalf(30), second.subs(point).evalf(30)
        assert abs(left - right) <= sp.Float(10) ** -25 * abs(left)


@pytest.mark.slow
def test_derivative_of_smooth_activation_is_the_dual_of_its_derivative():
    expr = x * normal(x)
    assert derive_derivative_dual(shape_of(expr, x)).unit == derive_dual(shape_of(sp.diff(expr, x), x)).unit


@pytest.mark.slow
def test_unknown_derivation_is_refused():
    with pytest.raises(InvalidInputError, match="by must be 'direct' or 'price', got 'magic'"):
        derive_derivative_dual(shape_of(x, x), by="magic")


@pytest.mark.slow
def test_cross_dual_is_bilinear():
    f, g = sp.Max(x - 1, 0), sp.erf(x)
    total = derive_dual(shape_of(2 * f - 3 * g, x)).unit
    parts = (
        4 * derive_dual(shape_of(f, x)).unit
        - 12 * derive_cross_dual(shape_of(f, x), shape_of(g, x)).unit
        + 9 * derive_dual(shape_of(g, x)).unit
    )
    assert abs((total - parts).subs(rho, R(2, 5)).evalf(30)) < sp.Float(10) ** -27


@pytest.mark.slow
def test_parameters_stay_symbols():
    form = derive_dual(shape_of(sp.Piecewise((x, x > 0), (a * (sp.exp(x) - 1), True)), x))
    number = derive_dual(shape_of(sp.Piecewise((x, x > 0), (sp.exp(x) * R(13, 10) - R(13, 10), True)), x))
    difference = (form.unit.subs(a, R(13, 10)) - number.unit).subs(rho, R(1, 7))
    assert abs(difference.evalf(30)) < sp.Float(10) ** -27


@pytest.mark.slow
def test_symbol_without_assumptions_is_taken_as_real():
    plain = sp.Symbol("x")
    assert derive_dual(shape_of(sp.Abs(plain), plain)) == derive_dual(shape_of(sp.Abs(x), x))


@pytest.mark.slow
def test_second_call_is_immediate():
    expr = BY_QUADRATURE["hard_swish"][0]
    derive_dual(shape_of(expr, x))
    start = time.perf_counter()
    derive_dual(shape_of(expr, x))
    assert time.perf_counter() - start < 0.02


@pytest.mark.slow
def test_lambdified_form_equals_the_exact_one():
    unit = derive_dual(shape_of(BY_QUADRATURE["relu6"][0], x)).unit
    function = sp.lambdify(rho, unit, modules=[LAMBDIFY_MODULES, "scipy"])
    for correlation in (-1, R(-1, 2), 0, R(9, 10), 1):
        exact = float(unit.subs(rho, correlation).evalf(20))
        assert float(function(float(correlation))) == pytest.approx(exact, abs=1e-13)


@pytest.mark.slow
def test_long_forms_are_refused_and_bounded_in_time():
    start = time.perf_counter()
    form = derive_dual(shape_of(x**6 * sp.exp(-a * x**2 - b * x) * sp.Heaviside(x - 1), x))
    assert form.general is None
    assert "give the parameters numbers" in form.reason
    assert time.perf_counter() - start < 30


@pytest.mark.slow
@pytest.mark.parametrize("value", [R(-7, 5), R(3, 4)])
@pytest.mark.parametrize(
    "expr",
    [
        lambda p: sp.erf(p * x),
        lambda p: sp.exp(-(x**2)) * sp.erf(p * x),
        lambda p: x + sp.erf(p * x + R(1, 3)),
        lambda p: x * sp.erfc(p * x),
        lambda p: sp.Max(x, p * x),
    ],
)
def test_one_form_holds_for_both_signs_of_a_real_parameter(expr, value):
    parameter = sp.Symbol("p", real=True)
    form = derive_dual(shape_of(expr(parameter), x)).general
    point = (R(4, 5), R(3, 10), R(6, 5))
    found = form.subs(dict(zip((q1, c, q2, parameter), (*point, value), strict=True))).evalf(20)
    expected = dual_by_quadrature(expr(value), x, [0], point[0], point[2], point[1])
    assert abs(found - expected) < 1e-12


@pytest.mark.slow
def test_a_parameter_whose_sign_decides_is_named():
    parameter = sp.Symbol("p", real=True)
    form = derive_dual(shape_of(sp.Piecewise((sp.erf(parameter * x), x > parameter), (0, True)), x))
    assert form.general is None
    assert form.reason

"""Every way to name an activation, and what the object knows of it."""

import math

import numpy as np
import pytest
import sympy as sp

import hermite_dual as hd

x = hd.x
NAMES = [entry.name for entry in hd.catalogue()]


@pytest.mark.parametrize(
    "spec",
    [
        sp.tanh,
        sp.tanh(sp.Symbol("t")),
        sp.Lambda(sp.Symbol("t"), sp.tanh(sp.Symbol("t"))),
        "tanh",
        "tanh(x)",
        "tanh(y)",
        " TANH ",
        "(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
        np.tanh,
    ],
    ids=repr,
)
def test_all_names_of_tanh_give_the_same_function(spec):
    phi = hd.activation(spec)
    points = np.linspace(-30.0, 30.0, 101)
    np.testing.assert_allclose(phi(points), np.tanh(points), rtol=4e-15, atol=0)
    assert phi.parity == "odd"


def test_equal_formulas_are_equal_and_hash_alike():
    assert hd.activation("tanh") == hd.activation(sp.tanh)
    assert hash(hd.activation("tanh")) == hash(hd.activation(sp.tanh))
    assert hd.activation("tanh") != hd.activation("erf")


@pytest.mark.parametrize("name", NAMES)
def test_catalogue_functions_agree_with_sixty_digits(name):
    phi = hd.activation(name)
    points = np.array([-700.0, -40.0, -6.5, -1.25, -0.3, -1e-8, 1e-8, 0.3, 1.25, 6.5, 40.0, 700.0])
    for point, value in zip(points, phi(points), strict=True):
        exact = phi.expr.subs(x, sp.Rational(float(point))).evalf(60, maxn=2000)
        if not abs(exact) < sp.Float("1e300"):
            continue
        # Each nested function may add a rounding of its argument, magnified by at most |point|; squareplus and
        # tanh_shrink are differences of two numbers of that size.
        cancelled = 1e-16 * abs(point) if name in {"squareplus", "tanh_shrink"} else 1e-300
        assert abs(sp.Float(value, 60) - exact) <= 1e-15 * (4 + abs(point)) * abs(exact) + cancelled, point


@pytest.mark.parametrize("name", NAMES)
def test_lipschitz_constants_hold_between_close_points(name):
    phi = hd.activation(name)
    grid = np.linspace(-12.0, 12.0, 24001)
    slopes = np.abs(np.diff(phi(grid)) / np.diff(grid))
    assert slopes.max() <= phi.lipschitz * (1 + 1e-9)
    if math.isfinite(phi.lipschitz):
        # The constant is approached, not merely respected: within 1 % on [-12, 12], squareplus only in the limit.
        assert slopes.max() >= 0.97 * phi.lipschitz


@pytest.mark.parametrize("name", NAMES)
def test_the_numeric_lipschitz_constant_agrees_with_the_catalogue(name):
    phi = hd.activation(name)
    assert hd.activation(phi.expr).lipschitz == pytest.approx(phi.lipschitz, rel=1e-8)


def test_the_catalogue_has_at_least_forty_names_each_with_a_source():
    entries = hd.catalogue()
    assert len({entry.name for entry in entries}) == len(entries) >= 40
    assert all(entry.source for entry in entries)


@pytest.mark.parametrize(
    ("spec", "kinks"),
    [
        ("relu", [0]),
        ("relu6", [0, 6]),
        ("hard_swish", [-3, 3]),
        ("triangular", [-1, 0, 1]),
        ("hard_shrink", [sp.Rational(-1, 2), sp.Rational(1, 2)]),
        ("max(x - 1/2, 0)", [sp.Rational(1, 2)]),
        ("abs(x**2 - 2)", [-sp.sqrt(2), sp.sqrt(2)]),
        ("Piecewise((0, x < -1), (x**2, x <= 2), (4, True))", [-1, 2]),
        ("abs(abs(x) - 1)", [-1, 0, 1]),
        ("tanh", []),
        ("sqrt(1 + x**2)", []),
        ("log(1 + exp(x))", []),
    ],
)
def test_kinks_are_found_exactly(spec, kinks):
    assert list(hd.activation(spec).kinks) == kinks


def test_kinks_of_transcendental_switches_are_found_to_rounding():
    (kink,) = hd.activation("max(exp(x) - 2, 0)").kinks
    assert float(kink) == pytest.approx(math.log(2.0), rel=1e-15)


@pytest.mark.parametrize(
    ("spec", "parity"),
    [
        ("hard_tanh", "odd"),
        ("soft_shrink", "odd"),
        ("softsign", "odd"),
        ("gelu", None),
        ("abs", "even"),
        ("cos", "even"),
    ],
)
def test_parity_is_known(spec, parity):
    assert hd.activation(spec).parity == parity


@pytest.mark.parametrize(("spec", "limit"), [("(1 - cos(x))/x**2", 0.5), ("(exp(x) - 1)/x", 1.0), ("sinc(x)", 1.0)])
def test_removable_singularities_lose_no_digits(spec, limit):
    phi = hd.activation(spec)
    for point in (-0.2, -1e-4, -1e-9, 1e-12, 1e-5, 0.1):
        exact = phi.expr.subs(x, sp.Rational(point)).evalf(40, maxn=2000)
        assert float(phi(point)) == pytest.approx(float(exact), rel=1e-14)
    assert float(phi(0.0)) == pytest.approx(limit, rel=1e-14)


def test_parameters_of_names_are_used_and_checked():
    assert float(hd.activation("leaky_relu", alpha=0.2)(-1.0)) == pytest.approx(-0.2)
    assert float(hd.activation("elu(x, 2)")(-1.0)) == pytest.approx(2 * math.expm1(-1))
    assert hd.activation("leaky_relu", alpha=0.2).name == "leaky_relu(alpha=1/5)"
    with pytest.raises(hd.InvalidInputError, match=r"relu has no parameter 'alpha'; its parameters: none"):
        hd.activation("relu", alpha=1)
    with pytest.raises(hd.InvalidInputError, match="give a finite number"):
        hd.activation("elu", alpha=float("nan"))


def test_a_lambda_keeps_parameters_and_refuses_numbers_without_them():
    b = sp.Symbol("b", positive=True)
    phi = hd.activation(sp.Lambda(x, sp.exp(-b * x**2)))
    assert phi.parameters == {b}
    with pytest.raises(hd.InvalidInputError, match=r"parameter\(s\) b without a value"):
        phi(1.0)


def test_a_python_function_gives_its_derivative_only_if_told():
    with pytest.raises(hd.InvalidInputError, match=r"pass activation\(f, derivative=df\)"):
        hd.activation(np.tanh).derivative()
    phi = hd.activation(np.tanh, derivative=lambda t: 1 - np.tanh(t) ** 2)
    assert float(phi.derivative()(0.0)) == 1.0
    assert phi.lipschitz == pytest.approx(1.0, rel=1e-12)


BAD = [
    ("rely", "unknown activation 'rely': did you mean 'relu'"),
    ("no_such_thing_at_all", "the names are in hermite_dual.catalogue"),
    (sp.Symbol("s") * sp.Symbol("t"), "2 free symbols, s, t: which is the variable"),
    ("x + y", "two variables, x and y"),
    (sp.sqrt(x), "complex values on the real line"),
    (sp.log(x), "complex values on the real line"),
    (sp.I * x, "complex values on the real line"),
    (sp.floor(x), "infinitely many jumps"),
    (sp.zoo * x, "is not finite"),
    (3, "of type int: give a name"),
    (lambda t: np.asarray(t, dtype=complex), "returns complex values"),
    (lambda t: float("nan") * t, "returns NaN"),
    (lambda t: 1.0, "must act elementwise"),
    ("__import__('os').system('true')", "only named functions are called"),
    ("9**9**9**9", "constant exponents are read up to 64"),
    ("(10**60)**60 * x", "leaves the magnitudes up to"),
    ("exp(exp(exp(9))) * x", "overflows"),
    ("x.__class__", "Attribute is not read"),
    ("[x for x in (1,)]", "ListComp is not read"),
    ("lambda x: x", "Lambda is not read"),
    ("open('f')", "unknown function 'open'|is no real number"),
    ("", "is not a formula"),
    ("x +", "is not a formula"),
    ("abs(" * 60 + "x" + ")" * 60, "nested deeper than"),
    ("-" * 100 + "x", "nested deeper than"),
    ("x" * 2000, "at most 1000 are read"),
    ("x**x", "variable exponent needs a positive constant base"),
    ("1/0", "division by zero"),
    ("relu(x, 3)", r"relu has 0 parameter\(s\), received 1"),
    ("hermite(x, n=10**9)", "allowed are the integers 0 to 64"),
    ("Piecewise((x, x > 0))", "Piecewise has a hole: no condition holds where x <= 0"),
    ("x > 0", "is not a finite real formula"),
]


@pytest.mark.parametrize(("spec", "message"), BAD, ids=[message[:30] for _, message in BAD])
def test_bad_activations_are_refused_with_the_reason(spec, message):
    with pytest.raises(hd.InvalidInputError, match=message):
        hd.activation(spec)


@pytest.mark.parametrize("name", ["sign", "step", "hard_shrink"])
def test_a_jump_has_no_float_derivative(name):
    phi = hd.activation(name)
    assert phi.jumps
    assert phi.lipschitz == math.inf
    with pytest.raises(hd.InvalidInputError, match="is a distribution"):
        phi.derivative()

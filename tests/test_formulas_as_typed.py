"""Formulas and names in the spellings of papers and libraries: read as meant, or refused with the right spelling."""

import math
import time

import pytest
import sympy as sp

import hermite_dual as hd
from hermite_dual.expressions.catalogue import FAMILIES, catalogue, lookup
from hermite_dual.expressions.coverage import uncovered

x = hd.x
POINTS = (-7.3, -2.0, -1.0, -0.4, 0.0, 0.3, 1.0, 1.9, 8.1)
ROUNDING = 1e-14
"""Relative: a few roundings of float64 in each nested function."""
LONGEST = 10.0
"""Seconds within which any string is answered."""


def logistic(t):
    return 1 / (1 + math.exp(-t))


def normal_cdf(t):
    return math.erfc(-t / math.sqrt(2)) / 2


def softplus(t):
    return math.log1p(math.exp(t))


def clip(t, low, high):
    return min(max(t, low), high)


TYPED = [
    ("ReLU(x)^2", lambda t: max(t, 0) ** 2),
    ("RELU(x) - Leaky_ReLU(x, 0.5)", lambda t: 0 if t > 0 else -0.5 * t),
    ("Swish(x, 1.5)", lambda t: t * logistic(1.5 * t)),
    ("silu(x, beta=3)", lambda t: t * logistic(3 * t)),
    ("softplus(x, beta=2)", lambda t: softplus(2 * t) / 2),
    ("softplus(x) - softplus(0)", lambda t: softplus(t) - math.log(2)),
    ("LeakyReLU(x, negative_slope=0.2)", lambda t: t if t > 0 else 0.2 * t),
    ("exp(x, b=-1/2)", lambda t: math.exp(-t / 2)),
    ("clip(x, -1, 2)", lambda t: clip(t, -1, 2)),
    ("Tanh(maximum(x, 0)) + Minimum(x, 1)", lambda t: math.tanh(max(t, 0)) + min(t, 1)),
    ("where(x > 0, x, x/4)", lambda t: t if t > 0 else t / 4),
    ("where(-1 < x and x <= 1, 1, 0)", lambda t: float(-1 < t <= 1)),
    ("pow(x, 3) + square(x)", lambda t: t**3 + t**2),
    ("pow(2, x)", lambda t: 2**t),
    ("|x|", abs),
    ("||x|-1|", lambda t: abs(abs(t) - 1)),
    ("|x|*|x-1| + 2*|x*|x||", lambda t: abs(t) * abs(t - 1) + 2 * t * t),
    ("exp(-|x|)/(1+|x|²)", lambda t: math.exp(-abs(t)) / (1 + t * t)),
    ("x² - x³/3", lambda t: t**2 - t**3 / 3),
    ("(1+x²)⁻¹", lambda t: 1 / (1 + t * t)),
    ("e^(-x²)", lambda t: math.exp(-t * t)),
    ("-x²", lambda t: -t * t),
    ("x·Φ(x)", lambda t: t * normal_cdf(t)),
    ("x × σ(x)", lambda t: t * logistic(t)),
    ("√(x²+1) − 1", lambda t: math.sqrt(t * t + 1) - 1),
    ("√|x|", lambda t: math.sqrt(abs(t))),
    ("√2*x", lambda t: math.sqrt(2) * t),
    ("sin(π*x/10)", lambda t: math.sin(math.pi * t / 10)),
    ("tanh(θ)", math.tanh),
    ("tanh(omega)", math.tanh),
    ("tanh(t_1)", math.tanh),
    ("Piecewise((x, x > 0), (-x/2, x <= 0))", lambda t: t if t > 0 else -t / 2),
    ("piecewise((1, |t| < 1), (t^2, |t| >= 1))", lambda t: 1 if abs(t) < 1 else t * t),
    ("Piecewise((7, x == 0), (|x|, True))", lambda t: 7 if t == 0 else abs(t)),
]


@pytest.mark.parametrize(("text", "reference"), TYPED, ids=[text for text, _ in TYPED])
def test_formulas_are_read_as_papers_and_libraries_write_them(text, reference):
    phi = hd.activation(text)
    for point in POINTS:
        assert float(phi(point)) == pytest.approx(reference(point), rel=ROUNDING, abs=1e-14), point


REFUSED = [
    ("tanh(ax)", r"ax is no variable: write a\*x"),
    ("exp(-xx)", r"xx is no variable: write x\*x"),
    ("sin(omegax)", r"omegax is no variable: write omega\*x"),
    ("relu(kx) + 1", r"kx is no variable: write k\*x"),
    ("1 + tanhx", r"tanhx is no variable: write tanh\(x\)"),
    ("tanh(foo)", "foo is no variable: a variable is one letter"),
    ("2x", r"write 2\*x"),
    (".5x", r"write .5\*x"),
    ("2(x+1)", r"write 2\*\(...\)"),
    ("(x+1)(x-1)", r"write \(...\)\*\(...\)"),
    ("x(x+1)", r"write x\*\(...\)"),
    ("x x", r"write x\*x"),
    ("2sin(x)", r"write 2\*sin"),
    ("|x||x|", r"write \|...\|\*\|...\|"),
    ("|x", "a bar | is opened and not closed"),
    ("(|x)|", "a bar | is opened and not closed"),
    ("√x²", "how far the root reaches is not clear"),
    ("√tanh(x)", "how far the root reaches is not clear"),
    ("1+√", "the root sign needs what stands under it"),
    ("²+x", "stands on nothing"),
    ("sin²(x)", "the exponent belongs behind the argument"),
    ("leaky_relu(0.2)", r"write leaky_relu\(x, 1/5\), or activation\('leaky_relu', alpha=1/5\)"),
    ("LeakyReLU(0.2) + 0.1*x", r"write LeakyReLU\(x, 1/5\)"),
    ("elu(2)", r"write elu\(x, 2\)"),
    ("hermite(3)", r"write 'hermite\(x, 3\)"),
    ("hermite", r"needs its degree n: write 'hermite\(x, 3\)' in a formula, or activation\('hermite', n=3\)"),
    ("monomial(x)", "monomial needs its degree n"),
    ("relu^", "needs its degree n"),
    ("x^", "needs its degree n"),
    ("rectified_monomial(x, 0)", "allowed are the integers 1 to 64"),
    ("softmax", "acts on a vector"),
    ("swiglu", "multiplies two halves"),
    ("rrelu", "leaky_relu with alpha = 11/48"),
    ("log", r"write 'log\(x\)'"),
    ("tahn(x)", "did you mean .*tanh"),
    ("tahn", "did you mean 'tanh'"),
    ("softplus(x, 0)", "parameter beta = 0"),
    ("softplus(x, 2, beta=3)", "the parameter beta is given twice"),
    ("leaky_relu(x, 0.1, negative_slope=0.2)", "the parameter alpha is given twice"),
    ("Piecewise((x, x > 1), (0, x <= -1))", "hole: no condition holds where -1 < x <= 1"),
    ("Piecewise((t, t > 1), (0, t < 1))", "hole: no condition holds where t = 1"),
    ("Piecewise((1, x^2 > 4))", "hole: no condition holds where -2 <= x <= 2"),
    ("Piecewise((1, sin(x) > 0), (2, sin(x) < -1/2))", "is not decided: let the last be True"),
    ("where(x, 1, 0)", "a condition is made of comparisons"),
    ("where(x > 0, 1)", "where takes a condition and two values"),
    ("tanh(alpha*x)", r"give one a value by keyword, as in activation\('tanh\(alpha\*x\)', alpha=2\)"),
    ("|__import__('os')|", "unknown function '__import__'|is no real number"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[text for text, _ in REFUSED])
def test_what_is_not_clear_is_refused_with_the_right_spelling(text, message):
    start = time.perf_counter()
    with pytest.raises(hd.InvalidInputError, match=message) as refusal:
        hd.activation(text)
    assert "_x" not in str(refusal.value)
    assert time.perf_counter() - start < LONGEST


def test_names_in_formulas_take_their_values_from_keywords():
    phi = hd.activation("a*tanh(alpha*x)", alpha=2, a=0.5)
    assert phi.expr == sp.tanh(2 * x) / 2
    assert phi.name == "a*tanh(alpha*x) with alpha=2, a=1/2"
    b = sp.Symbol("b", positive=True)
    assert hd.activation("exp(-b*t^2)", b=b).expr == sp.exp(-b * x**2)


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("tanh(x)", {"a": 2}, "the formula has no parameter a"),
        ("tanh(a)", {"a": 2}, "no variable is left"),
        ("tanh(a*x)", {"a": float("inf")}, "parameter a = inf: give a finite number"),
        ("tanh(a*x)", {"a": "2"}, "parameter a = '2': give a finite number"),
        ("tanh(a*x)", {"a": float("nan")}, "parameter a = nan: give a finite number"),
        ("tanh(a*x)", {"a": 10**400}, "give a finite number"),
        ("leaky_relu", {"alpha": 10**400}, "give a finite number"),
        ("tanh(a*x)", {"a": 1e300}, "constants must have a magnitude"),
        ("exp(a)*x", {"a": 10**9}, "overflows"),
        ("x^a", {"a": 10**9}, "constant exponents are read up to 64"),
        ("tanh(a*x)", {"a": sp.I}, "parameter a = I: give a finite number"),
        ("tanh(a*b*x)", {"a": 2}, "two variables, b and x"),
    ],
)
def test_values_that_no_name_takes_are_refused(text, values, message):
    with pytest.raises(hd.InvalidInputError, match=message):
        hd.activation(text, **values)


LIBRARY_NAMES = [
    ("hardtanh", lambda t: clip(t, -1, 1)),
    ("LogSigmoid", lambda t: -softplus(-t)),
    ("log_sigmoid", lambda t: -softplus(-t)),
    ("hardswish", lambda t: t * clip(t + 3, 0, 6) / 6),
    ("hard_silu", lambda t: t * clip(t + 3, 0, 6) / 6),
    ("hardsigmoid", lambda t: clip(t + 3, 0, 6) / 6),
    ("hard_sigmoid_keras2", lambda t: clip(0.2 * t + 0.5, 0, 1)),
    ("SiLU", lambda t: t * logistic(t)),
    ("swish", lambda t: t * logistic(t)),
    ("squared_relu", lambda t: max(t, 0) ** 2),
    ("relu_squared", lambda t: max(t, 0) ** 2),
    ("square", lambda t: t * t),
    ("tanhshrink", lambda t: t - math.tanh(t)),
    ("penalized_tanh", lambda t: math.tanh(t) if t > 0 else math.tanh(t) / 4),
    ("serf", lambda t: t * math.erf(softplus(t))),
    ("smelu", lambda t: 0 if t <= -1 else t if t >= 1 else (t + 1) ** 2 / 4),
    ("sparse_plus", lambda t: 0 if t <= -1 else t if t >= 1 else (t + 1) ** 2 / 4),
    ("sparse_sigmoid", lambda t: clip((t + 1) / 2, 0, 1)),
    ("star_relu", lambda t: 0.8944 * max(t, 0) ** 2 - 0.4472),
    ("gelu_exact", lambda t: t * normal_cdf(t)),
    ("gelu_new", lambda t: t * (1 + math.tanh(math.sqrt(2 / math.pi) * (t + 0.044715 * t**3))) / 2),
    ("hardshrink", lambda t: t if abs(t) > 0.5 else 0),
    ("softshrink", lambda t: math.copysign(max(abs(t) - 0.5, 0), t)),
    ("celu", lambda t: t if t > 0 else math.expm1(t)),
    ("soft_sign", lambda t: t / (1 + abs(t))),
    ("bipolar_sigmoid", lambda t: (1 - math.exp(-t)) / (1 + math.exp(-t))),
    ("Leaky ReLU", lambda t: t if t > 0 else 0.01 * t),
    ("exponential", math.exp),
    ("bentid", lambda t: t + (math.sqrt(t * t + 1) - 1) / 2),
    ("lecun_tanh", lambda t: 1.7159 * math.tanh(2 * t / 3)),
    ("squareplus", lambda t: (t + math.sqrt(t * t + 4)) / 2),
]


@pytest.mark.parametrize(("name", "reference"), LIBRARY_NAMES, ids=[name for name, _ in LIBRARY_NAMES])
def test_names_of_libraries_are_their_functions(name, reference):
    phi = hd.activation(name)
    for point in POINTS:
        # Differences such as x - tanh(x) lose digits in proportion to x.
        assert float(phi(point)) == pytest.approx(reference(point), rel=1e-12, abs=1e-15 * (1 + abs(point))), point


def test_no_name_hides_another_and_formulas_are_no_names():
    names = [name for entry in (*catalogue(), *FAMILIES) for name in (entry.name, *entry.aliases)]
    for entry in (*catalogue(), *FAMILIES):
        assert all(lookup(name) is entry for name in (entry.name, *entry.aliases))
    assert len(set(names)) == len(names)
    assert hd.activation("-x^2").expr == -(x**2)
    assert hd.activation("x - x^2").expr == x - x**2


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("rbf", "gaussian"),
        ("gaussian", "rbf"),
        ("hard_sigmoid", "hard_sigmoid_keras2"),
        ("hard_sigmoid_keras2", "hard_sigmoid"),
        ("gelu", "gelu_tanh"),
        ("gelu_tanh", "gelu"),
    ],
)
def test_where_libraries_differ_the_note_names_the_other_convention(name, other):
    entry = lookup(name)
    assert other in entry.note.replace(",", " ").replace(";", " ").replace(".", " ").split()
    assert lookup(other) is not entry


@pytest.mark.parametrize(
    ("conditions", "hole"),
    [
        ([x > 0, x <= 0], sp.S.EmptySet),
        ([x > 0, x < 0], sp.FiniteSet(0)),
        ([x**2 <= 2], sp.Union(sp.Interval.open(-sp.oo, -sp.sqrt(2)), sp.Interval.open(sp.sqrt(2), sp.oo))),
        ([sp.tanh(x) < sp.Rational(1, 3), sp.tanh(x) >= sp.Rational(1, 3)], sp.S.EmptySet),
        ([sp.sin(x) > 0], None),
    ],
)
def test_holes_of_piecewise_are_found_exactly(conditions, hole):
    piecewise = sp.Piecewise(*((sp.Symbol(f"v{i}"), condition) for i, condition in enumerate(conditions)))
    assert uncovered(piecewise, x) == hole

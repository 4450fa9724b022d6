"""What an activation is, decided once: one table by hand, held against what every layer reads."""

import math
from dataclasses import dataclass

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

import hermite_dual as hd
from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.shape.numbers import UndecidedError
from hermite_dual.shape.shape import Shape, shape_of
from tests.problems import NAMED

x = hd.x
R = sp.Rational
GOLDEN = (1 + sp.sqrt(5)) / 2
CLOSE = 1e-14
"""Distance of an isolated kink from its decimal value, which is given to 16 digits."""


@dataclass(frozen=True)
class Case:
    """A formula and its shape, derived by hand; decimals stand for kinks without a formula."""

    expr: sp.Expr
    kinks: tuple = ()
    jumps: tuple = ()
    parity: str | None = None
    degree: int | None = None
    homogeneous: bool = False
    continuous: bool = True
    poles: tuple = ()
    values: tuple | None = None


CASES = {
    "relu": Case(sp.Max(x, 0), (0,), homogeneous=True, values=(0,)),
    "relu by a sign": Case(x * sp.sign(sp.Max(x, 0)), (0,), homogeneous=True, values=(0,)),
    "step by a sign": Case(sp.sign(sp.Max(x, 0)), (0,), (0,), continuous=False, values=(0,)),
    "half step": Case(sp.Heaviside(sp.Max(x, 0)), (0,), (0,), continuous=False, values=(R(1, 2),)),
    "step that is 0 at 0": Case(sp.Heaviside(x, 0), (0,), (0,), continuous=False, values=(0,)),
    "sign": Case(sp.sign(x), (0,), (0,), "odd", continuous=False, values=(0,)),
    "abs": Case(sp.Abs(x), (0,), parity="even", homogeneous=True, values=(0,)),
    "a value at a point": Case(
        sp.Piecewise((7, sp.Eq(x, 0)), (sp.Abs(x), True)), (0,), (0,), "even", continuous=False, values=(7,)
    ),
    "two corners, none at 0": Case(sp.Max(sp.Abs(x) - 1, 0), (-1, 1), parity="even", values=(0, 0)),
    "abs of exp over exp": Case(sp.Abs(sp.exp(x) - 3) / (1 + sp.exp(x)), (sp.log(3),), values=(0,)),
    "hard tanh": Case(sp.Min(sp.Max(x, -1), 1), (-1, 1), parity="odd", values=(-1, 1)),
    "hard shrink": Case(
        sp.Piecewise((0, sp.Abs(x) <= R(1, 2)), (x, True)),
        (-R(1, 2), R(1, 2)),
        (-R(1, 2), R(1, 2)),
        "odd",
        continuous=False,
        values=(0, 0),
    ),
    "nest": Case(
        sp.Min(sp.Max(x, -2), sp.Max(x**2 - 1, sp.Min(x, 0))),
        (-2, 0, 1, GOLDEN),
        values=(-2, 0, 0, GOLDEN),
    ),
    "double zero": Case(sp.Abs(sp.exp(x) - 1 - x)),
    "max of a touch": Case(sp.Max(x**2 - 2 * x + 1, 0), degree=2),
    "tanh or line": Case(sp.Max(sp.tanh(x), x / 2), (-1.915008048154537, 0, 1.915008048154537)),
    "exp or line": Case(sp.Max(sp.exp(-x), x), (0.5671432904097838,)),
    "cubic": Case(sp.Abs(x**3 - x - 1), (1.324717957244746,)),
    "square root": Case(sp.sqrt(sp.Abs(x)), (0,), parity="even", values=(0,)),
    "square root of a parabola": Case(
        sp.sqrt(sp.Abs(x**2 - 2)), (-sp.sqrt(2), sp.sqrt(2)), parity="even", values=(0, 0)
    ),
    "cube root": Case(sp.sign(x) * sp.Abs(x) ** R(1, 3), (0,), parity="odd", values=(0,)),
    "cubed abs": Case(sp.Abs(x) ** 3, (0,), parity="even", values=(0,)),
    "x |x|": Case(x * sp.Abs(x), (0,), parity="odd", values=(0,)),
    "log |x|": Case(sp.log(sp.Abs(x)), (0,), (0,), "even", continuous=False, values=(None,)),
    "x log |x|": Case(x * sp.log(sp.Abs(x)), (0,), parity="odd", values=(0,)),
    "integrable pole": Case(sp.Abs(x) ** R(-1, 3), (0,), (0,), "even", continuous=False, values=(None,)),
    "pole": Case(
        1 / (x**2 - 2),
        (-sp.sqrt(2), sp.sqrt(2)),
        (-sp.sqrt(2), sp.sqrt(2)),
        "even",
        continuous=False,
        poles=(-sp.sqrt(2), sp.sqrt(2)),
        values=(None, None),
    ),
    "essential": Case(sp.exp(-1 / x**2), (0,), parity="even", values=(0,)),
    "jump through infinity": Case(sp.tanh(1 / x), (0,), (0,), "odd", continuous=False, values=(None,)),
    "acot": Case(sp.acot(x), (0,), (0,), continuous=False, values=(sp.pi / 2,)),
    "atan2": Case(sp.atan2(x, -1), (0,), (0,), continuous=False, values=(sp.pi,)),
    "sinc": Case(sp.sin(x) / x, parity="even"),
    "tanh over x": Case(sp.tanh(x) / x, parity="even"),
    "expm1 over x": Case((sp.exp(x) - 1) / x),
    "one minus cos": Case((1 - sp.cos(x)) / x**2, parity="even"),
    "Bernoulli": Case(x / (sp.exp(x) - 1)),
    "x coth x": Case(x * sp.coth(x), parity="even"),
    "log of a removable": Case(sp.log(sp.sinh(x) / x), parity="even"),
    "two removable": Case(sp.sin(sp.pi * x) / (x * (x - 1))),
    "quotient of polynomials": Case((x**2 - 1) / (x - 1), degree=1),
    "tanh": Case(sp.tanh(x), parity="odd"),
    "logistic": Case(1 / (1 + sp.exp(-x))),
    "x^3": Case(x**3, parity="odd", degree=3),
    "line": Case(3 * x, parity="odd", degree=1, homogeneous=True),
    "a step that is none": Case(sp.Max(x**2, 0) + sp.sign(x**2 + 1), parity="even", degree=2),
}


@pytest.mark.parametrize("name", CASES)
def test_the_shape_is_the_one_derived_by_hand(name):
    case, shape = CASES[name], Shape(CASES[name].expr, x)
    assert shape.complete
    assert len(shape.kinks) == len(case.kinks)
    for found, kink in zip(shape.kinks, case.kinks, strict=True):
        exact = not isinstance(kink, float)
        assert sp.simplify(found - kink) == 0 if exact else abs(float(found) - kink) < CLOSE
    assert shape.jumps == case.jumps
    assert {1: "even", -1: "odd", 0: None}[shape.parity] == case.parity
    assert (shape.degree, shape.homogeneous, shape.continuous) == (case.degree, case.homogeneous, case.continuous)
    assert shape.poles == case.poles
    if case.values is not None:
        assert shape.values == case.values


@pytest.mark.parametrize("name", CASES)
def test_every_piece_equals_the_formula_where_it_holds(name):
    pieces = shape_of(CASES[name].expr, x).pieces
    ends = [-4.0, *(float(kink) for kink in pieces.kinks), 4.0]
    function = sp.lambdify(x, CASES[name].expr, "mpmath")
    with working_precision(150), mp.workdps(40):
        for low, high, part in zip(ends, ends[1:], pieces.expressions, strict=False):
            for share in (0.13, 0.53, 0.89):
                point = sp.Rational(str(round(low + share * (high - low), 6)))
                ball = BallFunction(part, x)(constant_ball(point))
                # SymPy's own evaluation of the formula, case distinctions and all, shares no code with the pieces
                value = CASES[name].expr.subs(x, point)
                value = value.evalf(40) if value.is_number else function(mp.mpf(point.p) / point.q)
                assert ball.rad() < 1e-20
                assert abs(mp.mpf(ball.mid().str(35, radius=False)) - mp.mpf(str(value))) < 1e-25


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if not case.poles and n != "x^3"])
def test_all_layers_read_the_same_kinks(name):
    phi = hd.activation(CASES[name].expr)
    assert phi.kinks == phi.shape.kinks == phi.shape.pieces.kinks
    assert phi.parity == CASES[name].parity
    np.testing.assert_array_equal(phi.kinks_within(10.0), [float(k) for k in phi.kinks])


def test_isolated_kinks_are_refined_to_any_precision():
    (kink,) = Shape(sp.Max(sp.exp(-x), x), x).kinks
    with mp.workdps(120):
        assert abs(mp.mpf(str(sp.N(kink, 110))) - mp.lambertw(1).real) < mp.mpf(10) ** -105


def test_infinitely_many_kinks_are_listed_in_any_window():
    shape = hd.activation("abs(sin(x))").shape
    assert not shape.complete
    assert "infinitely many" in shape.doubt
    phi = hd.activation("abs(sin(x))")
    np.testing.assert_allclose(phi.kinks_within(1000.0), np.pi * np.arange(-318, 319), rtol=1e-15)
    with pytest.raises(UndecidedError, match="Piecewise"):
        _ = shape.pieces


def test_a_hole_is_said_to_be_one():
    with pytest.raises(hd.InvalidInputError, match="between 0 and 1"):
        hd.activation(sp.Piecewise((1, x < 0), (2, x > 1)))


@pytest.mark.parametrize(
    ("expr", "place"),
    [(sp.tan(x), "pi/2"), (sp.cot(x), "0"), (sp.sec(x), "pi/2"), (1 / x, "0"), (1 / (sp.exp(x) - 2), "log"),
     (sp.gamma(x), "0, -1")],
)  # fmt: skip
def test_poles_are_refused_by_name(expr, place):
    with pytest.raises((hd.NotIntegrableError, hd.InvalidInputError), match="pole") as raised:
        hd.activation(expr)
    assert place in str(raised.value)


@pytest.mark.parametrize(
    "expr",
    [sp.DiracDelta(x), sp.besselj(0, x), sp.zeta(x), sp.polylog(2, x), sp.LambertW(x), sp.expint(1, x), sp.Si(x)],
)
def test_functions_that_are_not_known_are_refused_in_a_sentence(expr):
    with pytest.raises(hd.InvalidInputError, match="kinks and poles are known"):
        hd.dual(expr)


KERNELS = {
    "x*sign(max(x, 0))": lambda r: NAMED["relu"].dual(mp.mpf(1), mp.mpf(1), r),
    "sign(max(x, 0))": lambda r: NAMED["step"].dual(mp.mpf(1), mp.mpf(1), r),
    # 1/2 and a step of height 1/2: (1 + 2 (1/2) + P(both)) / 4
    "Heaviside(max(x, 0))": lambda r: (2 + NAMED["step"].dual(mp.mpf(1), mp.mpf(1), r)) / 4,
}


@pytest.mark.parametrize("text", KERNELS)
@pytest.mark.parametrize("rho", [-0.7, 0.0, 0.5])
def test_a_switch_that_vanishes_on_an_interval_is_its_value_there(text, rho):
    k, expected = hd.dual(text), float(KERNELS[text](mp.mpf(rho)))
    assert k(rho) == pytest.approx(expected, rel=1e-14)
    assert float(k.closed_form.subs(hd.rho, sp.Rational(str(rho)))) == pytest.approx(expected, rel=1e-14)
    assert abs(float(k.ball(1, 1, sp.Rational(str(rho))).mid()) - expected) < 1e-15


@pytest.mark.parametrize(
    ("text", "at_zero", "mean"),
    [
        ("Piecewise((7, x == 0), (abs(x), True))", 7.0, np.sqrt(2 / np.pi)),
        ("Heaviside(x, 0)", 0.0, 0.5),
        ("Heaviside(x, 1)", 1.0, 0.5),
        ("Heaviside(x)", 0.5, 0.5),
        ("sin(x)/x", 1.0, 0.8556243918921488),
    ],
)
def test_values_at_single_points_count_at_variance_zero(text, at_zero, mean):
    k = hd.dual(text)
    assert k.kernel(0.0, 1.0, 0.0) == pytest.approx(at_zero * mean, rel=1e-14)
    assert k.kernel(0.0, 0.0, 0.0) == at_zero**2
    assert float(k.ball(0, 1, 0).mid()) == pytest.approx(at_zero * mean, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "at_zero"),
    [("exp(-1/x^2)", 0), ("x*log(abs(x))+1", 1), ("sqrt(abs(x))*log(abs(x))", 0), (sp.acot(x) + 1, 1 + sp.pi / 2)],
)
def test_a_formula_that_is_continuous_at_a_point_has_its_limit_there(text, at_zero):
    assert hd.activation(text).shape.value(sp.S.Zero) == at_zero
    assert hd.dual(text).kernel(0.0, 0.0, 0.0) == pytest.approx(float(at_zero) ** 2, rel=1e-14, abs=0)


@pytest.mark.parametrize("text", ["log(abs(x))", "abs(x)^(-1/8)", "tanh(1/x)", "sin(x)/abs(x)"])
def test_a_variance_of_zero_asks_for_a_value_at_zero(text):
    k = hd.dual(text)
    for ask in (k.kernel, k.ball):
        with pytest.raises(hd.InvalidInputError, match="no value at 0"):
            ask(0, 1, 0)


NARROW = {
    "exp(-1e6*(x-2.71)^2)": (lambda z: mp.exp(-(10**6) * (z - mp.mpf("2.71")) ** 2), "2.71", "1e-3"),
    "tanh(x)+0.01*tanh(1e4*(x-0.777))": (
        lambda z: mp.tanh(z) + mp.tanh(10**4 * (z - mp.mpf("0.777"))) / 100,
        "0.777",
        "1e-4",
    ),
    "exp(-1e6*(abs(x)-2.71)^2)": (lambda z: mp.exp(-(10**6) * (abs(z) - mp.mpf("2.71")) ** 2), "2.71", "1e-3"),
    "exp(-1e6*max(x-2.71, 2.70-x)^2)": (
        lambda z: mp.exp(-(10**6) * (abs(z - mp.mpf("2.705")) - mp.mpf("0.005")) ** 2),
        "2.705",
        "1e-3",
    ),
    "1/(1+1e8*(x-3.3)^2)": (lambda z: 1 / (1 + 10**8 * (z - mp.mpf("3.3")) ** 2), "3.3", "1e-4"),
}


@pytest.mark.parametrize("text", NARROW)
def test_narrow_features_are_seen(text):
    function, centre, width = NARROW[text]
    k = hd.dual(text)
    value, error = k.kernel(1.0, 1.0, 1.0, return_error=True)
    with mp.workdps(25):
        around = [mp.mpf(centre) + s * mp.mpf(width) * 2**j for s in (-1, 1) for j in range(-1, 14)]
        around += [mp.mpf(centre) + s * mp.mpf("5e-3") for s in (-1, 1)]
        edges = sorted({p for q in [0, 3, 9, mp.mpf(centre), *around] for p in (q, -q)})
        expected = mp.quad(lambda z: function(z) ** 2 * mp.npdf(z), edges)
    assert abs(value - expected) <= error
    assert error <= 1e-10 * value


@pytest.mark.parametrize(
    ("text", "waves"),
    [
        # sign(cos x) = 4/pi sum (-1)^k cos((2k+1) x)/(2k+1), and sec has its signs
        ("sign(sec(x))", {n: 4 * (-1) ** (n // 2) / (math.pi * n) for n in range(1, 41, 2)}),
        ("sign(cos(x))", {n: 4 * (-1) ** (n // 2) / (math.pi * n) for n in range(1, 41, 2)}),
        # |sin x| = 2/pi - 4/pi sum cos(2kx)/(4k^2-1)
        ("abs(sin(x))", {0: 2 / math.pi} | {2 * k: -4 / (math.pi * (4 * k * k - 1)) for k in range(1, 20)}),
    ],
)
def test_functions_with_infinitely_many_kinks_have_the_kernel_of_their_fourier_series(text, waves):
    expected = sum(
        a * b * 0.5 * (math.exp(-0.5 * (m - n) ** 2 - 0.5 * m * n) + math.exp(-0.5 * (m + n) ** 2 + 0.5 * m * n))
        for m, a in waves.items()
        for n, b in waves.items()
    )
    assert hd.dual(text).kernel(1.0, 1.0, 0.5) == pytest.approx(expected, rel=1e-13)


def test_signs_of_reciprocals_change_at_their_poles():
    assert hd.dual("sign(csch(x-1))")(0.3) == pytest.approx(hd.dual("sign(x-1)")(0.3), rel=1e-14)
    assert shape_of(sp.sign(sp.csc(x)), x).within(4).kinks == (-sp.pi, 0, sp.pi)


@pytest.mark.parametrize(
    ("float_number", "exact"),
    [
        (sp.Float("0.1", 5), R(1, 10)),
        (sp.Float("0.3333", 6), R(3333, 10000)),
        (sp.Float(0.3333), R(3333, 10000)),
        (sp.Float(1) / 3, R(3333333333333333, 10**16)),
        (sp.Float("0.12345678901234567890", 20), R(12345678901234567890, 10**20)),
    ],
)
def test_floats_are_the_decimals_that_they_print_as(float_number, exact):
    assert hd.activation(sp.erf(float_number * x)).expr == sp.erf(exact * x)
    k = hd.dual(sp.erf(float_number * x))
    assert k.closed_form.subs(hd.rho, R(1, 2)).evalf(15) == pytest.approx(k(0.5), rel=1e-14)


@pytest.mark.parametrize("text", ["1e300*tanh(x)", "1e-300*tanh(x)"])
def test_squares_beyond_float64_are_an_error(text):
    with pytest.raises((hd.AccuracyError, hd.InvalidInputError), match=r"scale the activation|magnitude"):
        hd.dual(sp.Float(text.split("*")[0]) * sp.tanh(x)).kernel(1.0, 1.0, 0.5)

"""Ball evaluation, tails and derivative bounds."""

import math

import flint
import numpy as np
import pytest
import sympy as sp
from flint import acb, arb

from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball, to_ball
from hermite_dual.certified.balls.precision import lower_float, upper_float, working_precision
from hermite_dual.certified.growth.tails import tail
from hermite_dual.certified.suprema.constants import derivative_bound
from hermite_dual.certified.suprema.envelope import short_above
from hermite_dual.errors import InvalidInputError
from hermite_dual.outcome import Outcome
from hermite_dual.shape.shape import shape_of

x = sp.Symbol("x", real=True)
GELU = x * (1 + sp.erf(x / sp.sqrt(2))) / 2

SMOOTH = {
    "tanh": sp.tanh(x),
    "gelu": GELU,
    "softplus": sp.log(1 + sp.exp(x)),
    "silu": x / (1 + sp.exp(-x)),
    "root": sp.sqrt(1 + x**2),
    "atan": sp.atan(x),
    "asinh": sp.asinh(x),
    "runge": 1 / (1 + 25 * x**2),
    "log": sp.log(1 + x**2),
    "mish": x * sp.tanh(sp.log(1 + sp.exp(x))),
    "gauss": sp.exp(-(x**2)),
    "sech": sp.sech(x),
    "sinc": sp.sinc(x),
    "power": 2**x,
}
KINKED = {
    "relu": sp.Max(x, 0),
    "hardtanh": sp.Max(-1, sp.Min(1, x)),
    "elu": sp.Piecewise((x, x > 0), (sp.exp(x) - 1, True)),
    "softsign": x / (1 + sp.Abs(x)),
    "power": sp.Abs(x) ** sp.Rational(3, 2),
    "step": sp.Heaviside(x),
    "nested": sp.Max(sp.Abs(x) - 1, 0),
}


@pytest.mark.parametrize("name", sorted(SMOOTH | KINKED))
@pytest.mark.parametrize("point", ["-7/3", "-1/10", "2/7", "31/10"])
def test_point_values_contain_sympys_and_are_narrow(name, point):
    expr, at = (KINKED | SMOOTH)[name], sp.Rational(point)
    with working_precision(200):
        ball = BallFunction(expr, x)(constant_ball(at))
        value = sp.N(expr.subs(x, at), 50)
        assert ball.overlaps(arb(str(value)) + arb(0, abs(arb(str(value))) * arb("1e-48") + arb("1e-60")))
        assert ball.rad() < 1e-50


@pytest.mark.parametrize("name", sorted(SMOOTH | KINKED))
def test_real_boxes_contain_their_points(name):
    function = BallFunction((SMOOTH | KINKED)[name], x)
    rng = np.random.default_rng(3)
    for centre in rng.uniform(-4, 4, 20):
        box = function(arb(centre, 0.25))
        for offset in rng.uniform(-0.25, 0.25, 5):
            assert box.contains(function(arb(centre + offset)).mid())


@pytest.mark.parametrize(
    ("expr", "centre", "radius", "analytic"),
    [
        (sp.Abs(x), 0, 0.1, False),
        (sp.Abs(x), 1, 0.1, True),
        (sp.sqrt(1 + x**2), 1.0j, 0.1, False),
        (sp.sqrt(1 + x**2), 0.5j, 0.1, True),
        (sp.atan(x), 1.5j, 0.1, False),
        (sp.atan(x), 0.5j, 0.1, True),
        (sp.log(1 + x**2), 1.5j, 0.1, False),
        (1 / (1 + 25 * x**2), 0.2j, 0.01, False),
        (1 / (1 + 25 * x**2), 0.1j, 0.01, True),
        (sp.asinh(x), 1.2j, 0.1, False),
        (sp.tanh(x), 0.5j * math.pi, 0.1, False),
        (sp.Piecewise((x, x > 0), (0, True)), 0, 0.5, False),
        (sp.Max(x, 0), -1, 0.5, True),
    ],
)
def test_analytic_flag(expr, centre, radius, analytic):
    z = acb(arb(complex(centre).real, radius), arb(complex(centre).imag, radius))
    assert BallFunction(expr, x)(z, analytic=True).is_finite() is analytic


def test_asinh_is_finite_on_wide_balls_of_both_sides():
    for side in (1, -1):
        value = BallFunction(sp.asinh(x), x)(acb(arb(side * 960, 30), arb(0, 30)), analytic=True)
        assert value.contains(acb(arb(side * 960).asinh().mid()))
        assert value.real.rad() < 0.3


def test_unknown_function_is_named():
    with pytest.raises(InvalidInputError, match="gamma"):
        BallFunction(sp.gamma(x), x)


def test_foreign_symbol_is_named():
    with pytest.raises(InvalidInputError, match="alpha"):
        BallFunction(sp.Symbol("alpha") * x, x)


def test_floats_are_the_dyadic_numbers_they_store():
    with working_precision(300):
        assert BallFunction(sp.Float(0.1), x)(arb(0)) == arb(0.1)
        assert not BallFunction(sp.Float(0.1), x)(arb(0)).overlaps(arb(1) / 10)


def test_precision_is_restored_after_an_error():
    before = flint.ctx.prec
    with pytest.raises(ZeroDivisionError), working_precision(999):
        raise ZeroDivisionError
    assert flint.ctx.prec == before


def test_directed_floats():
    with working_precision(200):
        third = arb(1) / 3
        assert arb(lower_float(third)) < third < arb(upper_float(third))
        assert math.nextafter(lower_float(third), 1) == upper_float(third)
    assert upper_float(arb.nan()) == math.inf


@pytest.mark.parametrize("bad", [True, "1", math.nan, math.inf, sp.I, None])
def test_no_real_number_is_refused(bad):
    with pytest.raises(InvalidInputError, match="q1"):
        to_ball(bad, "q1")


@pytest.mark.parametrize("name", sorted(set(SMOOTH) - {"power"}))
@pytest.mark.parametrize("side", [1, -1])
def test_tail_expansions_contain_the_function(name, side):
    with working_precision(300):
        expansion = tail(SMOOTH[name], x, side, 16)
        function = BallFunction(SMOOTH[name], x)
        for t in (16.0, 17.3, 40.0, 300.0):
            total = acb(0)
            for (a, b, p), coefficient in expansion.terms.items():
                exponent = arb(str(float(a))) * t * t + arb(str(float(b))) * t if a or b else arb(0)
                # the float of an exponent that is not dyadic may differ in the last place
                exponent += arb(0, 1e-12 * t * t) if float(a) != a or float(b) != b else arb(0)
                total += coefficient * exponent.exp() * (arb(t).log() * arb(p.numerator) / p.denominator).exp()
            assert total.real.overlaps(function(arb(side * t)))


def test_pieces_of_hardswish():
    pieces = shape_of(x * sp.Min(sp.Max(x + 3, 0), 6) / 6, x).pieces
    assert pieces.kinks == (-3, 3)
    assert [sp.expand(e) for e in pieces.expressions] == [0, sp.expand(x * (x + 3) / 6), x]


def test_undecided_break_points_are_refused():
    # a double zero at no short fraction: two curves that touch
    touch = sp.exp(x - sp.sqrt(2)) - 1 - (x - sp.sqrt(2))
    with pytest.raises(InvalidInputError, match="Piecewise"):
        _ = shape_of(sp.Max(touch, 0), x).pieces


@pytest.mark.parametrize(
    ("expr", "order", "value"),
    [
        (sp.tanh(x), 1, 1),
        (sp.tanh(x), 2, 4 / (3 * sp.sqrt(3))),
        (sp.erf(x), 1, 2 / sp.sqrt(sp.pi)),
        (sp.Max(x, 0), 1, 1),
        (GELU, 2, sp.sqrt(2 / sp.pi)),
        (sp.log(1 + sp.exp(x)), 1, 1),
        (x / (1 + sp.Abs(x)), 2, 2),
        (x * sp.Abs(x), 2, 2),
        (sp.atan(x), 2, 3 * sp.sqrt(3) / 8),
    ],
)
def test_derivative_bounds_enclose_known_suprema(expr, order, value):
    bound = derivative_bound(shape_of(expr, x), order)
    assert bound.outcome is Outcome.PROVEN
    with working_precision(200):
        truth = constant_ball(sp.sympify(value))
        assert not arb(bound.lower) > truth
        assert not arb(bound.upper) < truth
    assert bound.upper - bound.lower < 1e-10 * bound.upper


@pytest.mark.parametrize(
    ("expr", "order"),
    [
        (sp.Max(x, 0), 2),
        (sp.Heaviside(x), 1),
        (x**2, 1),
        (sp.exp(x), 1),
        (sp.Max(-1, sp.Min(1, x)), 2),
        (x**3 - x, 2),
        (sp.sqrt(sp.Abs(x)), 1),
    ],
)
def test_unbounded_derivatives_are_refuted(expr, order):
    assert derivative_bound(shape_of(expr, x), order).outcome is Outcome.REFUTED


@pytest.mark.parametrize("value", [arb(1) / 3, arb("1e-300"), arb("7.1e200"), arb(2) ** 40 + 1])
def test_short_numbers_are_above_and_close(value):
    short = short_above(value)
    assert value <= short <= value * (1 + 2.0**-19)
    assert math.ldexp(math.frexp(short)[0], 20).is_integer()
    assert short_above(arb.pos_inf()) == math.inf

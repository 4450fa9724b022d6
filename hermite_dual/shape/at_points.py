"""A formula without case distinctions at a point: its value, its limits, and whether another agrees with it there.

Derivation: docs/theory/activations_in_balls.md, "The shape of an activation".
"""

from collections.abc import Sequence
from typing import Any

import sympy as sp

from hermite_dual.certified.balls.deflated import Deflated, plain
from hermite_dual.shape.numbers import finite_value, is_zero
from hermite_dual.shape.pieces import HOLE
from hermite_dual.shape.singular import Limit, continued, limit_at, places, vanishes_at
from hermite_dual.shape.zeros import Interval

_MOST_OPERATIONS = 80


def without_removable(formula: sp.Expr, symbol: sp.Symbol, ends: Interval) -> tuple[sp.Expr, list[sp.Expr]]:
    """Return a formula continued over its removable singularities, and the singularities that stay."""
    if formula == HOLE or formula.free_symbols - {symbol}:
        return formula, []
    kept = []
    for place in places(formula, symbol, ends):
        value = continued(formula, symbol, place)
        if value is None:
            kept.append(place)
        else:
            formula = value
    return formula, kept


def formula_at(formula: sp.Basic, symbol: sp.Symbol, point: sp.Expr) -> sp.Expr | None:
    """Return a formula that has phi's value at a point, None where phi has none."""
    if formula == HOLE:
        return None
    if finite_value(formula, symbol, point) is not None:
        return formula
    if not formula.has(symbol) or formula.free_symbols - {symbol} or formula.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        return None
    return continued(formula, symbol, point)


def value_at(formula: sp.Expr, symbol: sp.Symbol, point: sp.Expr) -> sp.Expr | None:
    """Return a formula's value at a point, continued over a removable singularity."""
    value = finite_value(formula, symbol, point)
    if value is None or value.has(Deflated):
        limit = sp.limit(plain(formula), symbol, point)
        value = None if limit.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.AccumBounds) else limit
    return value


def common_limit(sides: Sequence[sp.Expr], symbol: sp.Symbol, point: sp.Expr) -> sp.Expr | None:
    """Return the limit from both sides of a point where the formula is 0/0 or the like; None if there is none."""
    if any(formula == HOLE or formula.free_symbols - {symbol} for formula in sides):
        return None
    balls = [one_sided_limit(formula, symbol, point, side).value for formula, side in zip(sides, (-1, 1), strict=True)]
    if None in balls or not balls[0].overlaps(balls[1]):
        return None
    limits = [sp.limit(plain(formula), symbol, point, side) for formula, side in zip(sides, "-+", strict=True)]
    return limits[0] if limits[0].is_finite and is_zero(limits[0] - limits[1]) else None


def one_sided_limit(formula: sp.Expr, symbol: sp.Symbol, kink: sp.Expr, side: int) -> Limit:
    """The one-sided limit: the value where the formula is analytic, else from its expansion."""
    if formula == HOLE or formula.free_symbols - {symbol}:
        return Limit(None, None)
    ball = ball_at(formula, symbol, kink)
    return Limit(ball, 0.0) if ball.is_finite() else limit_at(formula, symbol, kink, side)


def ball_at(formula: sp.Expr, symbol: sp.Symbol, point: sp.Expr) -> Any:
    """Return a ball of a formula's value, NaN where the formula has none."""
    from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
    from hermite_dual.certified.balls.precision import working_precision

    with working_precision(128):
        return BallFunction(formula, symbol)(constant_ball(point))


def agree_at(first: tuple[sp.Expr, Any], second: tuple[sp.Expr, Any], symbol: sp.Symbol, point: sp.Expr) -> bool | None:
    """Whether two formulas, with balls of their limits, have the same limit at a point; None if undecided."""
    if first[1] is None or second[1] is None:
        return None
    gap = first[1] - second[1]
    if gap > 0 or gap < 0:
        return False
    return True if gap.is_zero() or vanishes_at(first[0] - second[0], symbol, point) else None


def opposite(first: sp.Expr | None, second: sp.Expr | None, parity: int) -> bool:
    """Whether two values are equal, or opposite for parity -1."""
    if first is None or second is None:
        return first is second
    return is_zero(first - parity * second)


def mirrored(left: sp.Expr, right: sp.Expr, symbol: sp.Symbol, parity: int) -> bool:
    """Whether `left(x) = parity * right(-x)`: seen at points first, proven by algebra then."""
    gap = left - parity * right.xreplace({symbol: -symbol})
    if gap == 0:
        return True
    if gap.free_symbols == {symbol}:
        for probe in (sp.Rational(-17, 13), sp.Rational(7, 5)):
            value = gap.evalf(30, subs={symbol: probe})
            if value.is_Float and abs(value) > sp.Float("1e-20"):
                return False
    if sp.expand(gap) == 0:
        return True
    return bool(gap.count_ops() <= _MOST_OPERATIONS and sp.simplify(gap) == 0)

"""Isolating the zeros of a smooth function by ball arithmetic: which intervals hold one, which none.

Derivation: docs/theory/activations_in_balls.md, "The shape of an activation".
"""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import sympy as sp

from hermite_dual.shape.numbers import RealZero, UndecidedError, is_zero

_BITS = 128
_STARTS = (8, 16, 32, 64, 256, 2**12, 2**20)
_MAX_BOXES = 20_000
_NARROW = 2.0**-6
"""Width below which a box that is not settled is looked at for a zero of higher order at a short fraction."""
_NARROWEST = 2.0**-40
_MAX_ORDER = 6
_SHORT = 64
"""Denominators of the fractions at which exact zeros are looked for."""


def isolated_zeros(function: sp.Expr, symbol: sp.Symbol, interval: tuple[sp.Expr, sp.Expr]) -> list[sp.Expr]:
    """Return all zeros of a smooth function inside an interval.

    Boxes on which the function, or its derivative, keeps its sign hold none, or at most one zero; the others are cut.
    Beyond some point the function's growth at infinity excludes zeros.

    Raises:
        UndecidedError: a zero of higher order at no short fraction, or growth that is not understood.
    """
    from hermite_dual.certified.balls.precision import working_precision

    with working_precision(_BITS):
        search = _Search(function, symbol)
        low, high = search.bounded(interval)
        return search.between(low, high)


def range_on(function: sp.Expr, symbol: sp.Symbol, interval: tuple[sp.Expr, sp.Expr]) -> tuple[sp.Expr, sp.Expr] | None:
    """Return numbers that bound a function on an interval, or None."""
    from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
    from hermite_dual.certified.balls.precision import interval as hull
    from hermite_dual.certified.balls.precision import lower_float, upper_float, working_precision
    from hermite_dual.certified.growth.monomials import ONE, TailError
    from hermite_dual.certified.growth.tails import tail

    with working_precision(_BITS):
        ends, balls = [], []
        for end, side in zip(interval, (-1, 1), strict=True):
            ends.append(constant_ball(sp.Integer(side * _STARTS[0]) if end in (sp.oo, -sp.oo) else end))
            if end in (sp.oo, -sp.oo):
                try:
                    expansion = tail(function, symbol, side, _STARTS[0])
                except TailError:
                    return None
                if expansion.leading() > ONE:
                    return None
                balls.append(expansion.range().real)
        evaluate = BallFunction(function, symbol)
        width = (ends[1] - ends[0]) / 64
        balls += [evaluate(hull(ends[0] + k * width, ends[0] + (k + 1) * width)) for k in range(64)]
        if not all(ball.is_finite() for ball in balls):
            return None
        return (
            sp.Rational(Fraction(min(map(lower_float, balls)))),
            sp.Rational(Fraction(max(map(upper_float, balls)))),
        )


class _Search:
    """The boxes of one function."""

    def __init__(self, function: sp.Expr, symbol: sp.Symbol) -> None:
        from hermite_dual.certified.balls.ball_functions import BallFunction

        self.function, self.symbol = function, symbol
        self.value = BallFunction(function, symbol)
        self.derivatives = [self.value]

    def slope(self, order: int) -> Any:
        """The derivative of an order as a ball function."""
        from hermite_dual.certified.balls.ball_functions import BallFunction

        while len(self.derivatives) <= order:
            last = self.derivatives[-1].expr
            self.derivatives.append(BallFunction(sp.diff(last, self.symbol), self.symbol))
        return self.derivatives[order]

    def bounded(self, interval: tuple[sp.Expr, sp.Expr]) -> tuple[sp.Rational, sp.Rational]:
        """Return rationals around every zero in the interval."""
        from hermite_dual.certified.growth.monomials import TailError
        from hermite_dual.certified.growth.tails import tail

        ends = []
        for end, side in zip(interval, (-1, 1), strict=True):
            if end not in (sp.oo, -sp.oo):
                ends.append(_just_inside(end, side))
                continue
            for start in _STARTS:
                try:
                    expansion = tail(self.function, self.symbol, side, start)
                except TailError:
                    continue
                if expansion.terms and not expansion.factored()[1].contains(0):
                    ends.append(sp.Integer(side * start))
                    break
            else:
                raise UndecidedError(f"whether {self.function} vanishes far from 0 could not be decided")
        return ends[0], ends[1]

    def between(self, low: sp.Rational, high: sp.Rational) -> list[sp.Expr]:
        """Return the zeros between two rationals, the ends included where they are zeros."""
        stack = _cut(low, high)
        zeros: list[sp.Expr] = []
        for _ in range(_MAX_BOXES):
            if not stack:
                return zeros
            a, b = stack.pop()
            settled = self._settle(a, b)
            if settled is not None:
                zeros += settled
                continue
            if b - a < sp.Rational(_NARROWEST):
                stack.append((a, b))
                break
            middle = a + (b - a) * sp.Rational(127, 256)  # zeros at short fractions stay inside the boxes
            stack += [(a, middle), (middle, b)]
        place = sp.N(stack[-1][0], 8) if stack else low
        raise UndecidedError(f"the zeros of {self.function} near {self.symbol} = {place} could not be isolated")

    def _settle(self, a: sp.Rational, b: sp.Rational) -> list[sp.Expr] | None:
        """Return the zeros in a box, or None if it has to be cut."""
        from hermite_dual.certified.balls.ball_functions import number_ball
        from hermite_dual.certified.balls.precision import interval

        left, right = number_ball(a), number_ball(b)
        box = interval(left, right)
        middle = box.mid()
        steep = self.slope(1)(box)
        whole = self.value(box)
        if whole.is_finite() and not whole.contains(0):
            return []
        if steep.is_finite():
            linear = self.value(middle) + steep * (box - middle)
            if linear.is_finite() and not linear.contains(0):
                return []
            if not steep.contains(0):
                return self._simple(a, b, left, right)
        if float(b - a) < _NARROW:
            return self._multiple(a, b, box)
        return None

    def _simple(self, a: sp.Rational, b: sp.Rational, left: Any, right: Any) -> list[sp.Expr] | None:
        """The zero of a monotone function, if its ends have different signs."""
        short = self._short(a, b, left, right)
        if short is not None:
            return [short]
        low, high = self.value(left), self.value(right)
        if low.contains(0) or high.contains(0):
            return None
        return [RealZero.of(self.function, self.symbol, a, b)] if bool(low > 0) != bool(high > 0) else []

    def _short(self, a: sp.Rational, b: sp.Rational, left: Any, right: Any) -> sp.Expr | None:
        """A short fraction in the box at which the monotone function vanishes exactly."""
        from hermite_dual.certified.balls.ball_functions import number_ball

        middle = (left + right) / 2
        for _ in range(4):  # Newton's steps in balls without radius lead close to it
            middle = (middle - self.value(middle) / self.slope(1)(middle)).mid()
            if not middle.is_finite():
                return None
        candidate = sp.Rational(Fraction(float(middle)).limit_denominator(_SHORT))
        if a <= candidate <= b and self.value(number_ball(candidate)).contains(0):
            return candidate if is_zero(self.function.subs(self.symbol, candidate)) else None
        return None

    def _multiple(self, a: sp.Rational, b: sp.Rational, box: Any) -> list[sp.Expr] | None:
        """A zero of higher order at a short fraction, the only one where a derivative keeps its sign."""
        from hermite_dual.certified.balls.ball_functions import number_ball

        candidate = sp.Rational(Fraction(str((a + b) / 2)).limit_denominator(_SHORT))
        if not a <= candidate <= b:
            return None
        for order in range(1, _MAX_ORDER + 1):
            lower = self.slope(order - 1)
            if not lower(number_ball(candidate)).contains(0) or not is_zero(lower.expr.subs(self.symbol, candidate)):
                return None
            ball = self.slope(order)(box)
            if ball.is_finite() and not ball.contains(0):
                return [candidate]
        return None


def _just_inside(end: sp.Expr, side: int) -> sp.Rational:
    """A rational beyond an end by less than a rounding, so that no zero inside is left out."""
    if end.is_Rational:
        return end
    value = sp.Rational(str(sp.N(end, 40)))
    return value + side * sp.Rational(1, 10**30) * max(1, abs(value))


def _cut(low: sp.Rational, high: sp.Rational) -> list[tuple[sp.Rational, sp.Rational]]:
    """Boxes that get longer away from 0."""
    marks = [sp.Rational(s * 2**k) + sp.Rational(1, 97) for s in (-1, 1) for k in range(21)] + [sp.Rational(1, 97)]
    inner = sorted(mark for mark in marks if low < mark < high)
    edges = [low, *inner, high]
    return list(pairwise(edges))

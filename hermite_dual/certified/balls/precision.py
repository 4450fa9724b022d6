"""Working precision in a scope, and conversions between floats and balls that round the proven way.

`float(arb)` rounds to nearest and forgets the radius; whoever needs a bound takes `lower_float` or `upper_float`.

Derivation: docs/theory/activations_in_balls.md, "Functions on balls".
"""

import copyreg
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import sympy as sp
from flint import acb, arb

from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.precision_lock import PRECISION_LOCK

BITS_PER_DIGIT = math.log2(10)  # decimal digits are what users ask for


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Run a block with `bits` bits of ball arithmetic and restore the former precision afterwards.

    The precision is one for all threads: others wait.

    Args:
        bits: the precision of the block, at least 2.
    """
    with PRECISION_LOCK:
        former = flint.ctx.prec
        flint.ctx.prec = int(bits)
        try:
            yield
        finally:
            flint.ctx.prec = former


def bits_for(digits: float) -> int:
    """Bits that hold `digits` decimal digits, plus 40 guard bits."""
    return math.ceil(digits * BITS_PER_DIGIT) + 40


def exact_fraction(ball: arb) -> Fraction:
    """The exact value of a ball without radius as a fraction."""
    mantissa, exponent = ball.man_exp()
    mantissa, exponent = int(mantissa), int(exponent)
    return Fraction(mantissa << exponent) if exponent >= 0 else Fraction(mantissa, 1 << -exponent)


def _neighbour(ball: arb, upwards: bool) -> float:
    """The float nearest to an exact ball on the side asked for."""
    value = float(ball)
    if math.isinf(value):
        overflowed = (value > 0) != upwards
        return math.copysign(np.finfo(float).max, value) if overflowed and ball.is_finite() else value
    if upwards and arb(value) < ball:
        return math.nextafter(value, math.inf)
    if not upwards and arb(value) > ball:
        return math.nextafter(value, -math.inf)
    return value


def lower_float(ball: arb) -> float:
    """A float not above any number of the ball; `-inf` for a ball that is not finite."""
    if not ball.is_finite():
        return -math.inf
    with working_precision(max(flint.ctx.prec, 64)):
        return _neighbour(ball.lower(), upwards=False)


def upper_float(ball: arb) -> float:
    """A float not below any number of the ball; `inf` for a ball that is not finite."""
    if not ball.is_finite():
        return math.inf
    with working_precision(max(flint.ctx.prec, 64)):
        return _neighbour(ball.upper(), upwards=True)


def rounded(balls: Sequence[arb]) -> tuple[Array, Array]:
    """Floats close to balls, and bounds of their distance to every number in them, at the working precision."""
    middle = [float(ball.mid()) for ball in balls]
    radius = [upper_float(abs(ball - arb(value))) for ball, value in zip(balls, middle, strict=True)]
    return np.array(middle), np.array(radius)


def interval(lower: arb, upper: arb) -> arb:
    """The smallest ball around two balls."""
    return lower.union(upper)


def magnitude(value: acb | arb) -> arb:
    """An upper bound of `|value|`, an exact ball; not finite if the value is not."""
    if not value.is_finite():
        return arb.pos_inf()
    return value.abs_upper()


def exact_value(value: Any) -> Fraction | None:
    """The value as a fraction if it is rational and stored exactly."""
    if isinstance(value, (int, Fraction, np.integer)):
        return Fraction(int(value)) if not isinstance(value, Fraction) else value
    if isinstance(value, (float, np.floating)) and math.isfinite(value):
        return Fraction(float(value))
    if isinstance(value, sp.Expr) and value.is_number and (value.is_Rational or value.is_Float):
        rational = sp.Rational(value)
        return Fraction(int(rational.p), int(rational.q))
    if isinstance(value, arb) and value.is_finite() and value.is_exact():
        return exact_fraction(value)
    return None


def _exact_ball(middle: tuple[int, int], radius: tuple[int, int]) -> arb:
    return arb(middle, arb(radius))


def _reduce_ball(ball: arb) -> tuple[Callable[..., arb], tuple[Any, ...]]:
    """Pickle a ball with its middle as it is, whatever the precision on the other side, and no smaller a radius."""
    if not ball.is_finite():
        raise InvalidInputError(f"{ball} is not finite and cannot be pickled")
    parts = (ball.mid().man_exp(), ball.rad().man_exp())
    return _exact_ball, tuple((int(mantissa), int(exponent)) for mantissa, exponent in parts)


# python-flint has no pickling of its own; workers receive series of balls
copyreg.pickle(arb, _reduce_ball)

"""Numbers of the atlas: decimals of which every digit is proven, or the reason why there is none."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from flint import arb

from hermite_dual.certified.balls.precision import exact_fraction
from hermite_dual.errors import HermiteDualError
from hermite_dual.report.tables.decimals import outward_interval, proven_decimal

DIGITS = 15
"""Significant digits that are shown: those that float64 reads back."""
WORKING = 20
"""Digits that enclosures are asked for, so that rounding to `DIGITS` is almost always decided."""
ZERO = Fraction(1, 10**18)
"""Enclosures of 0 this narrow are printed as intervals of two digits."""

Number = str | list[str]
"""The decimal to which the exact number rounds, or where not one digit is decided the ends of a proven interval."""
Field = Any
"""What a record holds: numbers, formulas as text, lists and dictionaries of them; {"because": reason} for nothing."""


def number(ball: arb, digits: int = DIGITS) -> Number:
    """Return the proven digits of a ball."""
    return enclosed(exact_fraction(ball.lower()), exact_fraction(ball.upper()), digits)


def enclosed(lower: Fraction, upper: Fraction, digits: int = DIGITS) -> Number:
    """Return the proven digits of a number between two others."""
    shown = proven_decimal(lower, upper, digits)
    return list(outward_interval(lower, upper, 2)) if shown is None else shown


def between(lower: float, upper: float, digits: int = DIGITS) -> Number:
    """Return the proven digits of a number between two finite floats."""
    return enclosed(Fraction(lower), Fraction(upper), digits)


def because(reason: str) -> dict[str, str]:
    """Return what stands in the place of a number that does not exist or is not known."""
    return {"because": reason}


def is_missing(field: Field) -> bool:
    """Whether a field holds a reason in place of a value."""
    return isinstance(field, dict) and set(field) == {"because"}


def field(make: Callable[[], Field]) -> Field:
    """Return a field, or the reason that an error of this package gives."""
    try:
        return make()
    except HermiteDualError as error:
        return because(str(error))


def is_finite(*values: float) -> bool:
    """Whether all floats are finite."""
    return all(map(math.isfinite, values))

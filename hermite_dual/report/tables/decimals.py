"""Decimal strings of numbers that are known as enclosures; no digit is written that is not proven."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

_PLAIN = (-5, 7)
"""Decimal exponents between which numbers are written without a power of ten."""


def proven_decimal(lower: Fraction, upper: Fraction, digits: int) -> str | None:
    """Return the decimal to which every number of an interval rounds, with as many digits as that allows.

    Args:
        lower: lower end.
        upper: upper end.
        digits: most significant digits wanted.

    Returns:
        The string, or None where not even one digit is the same over the whole interval.

    >>> proven_decimal(Fraction(31415, 10000), Fraction(31417, 10000), 6)
    '3.142'
    """
    if lower == upper:
        return _written(_rounded(lower, digits, ROUND_HALF_EVEN), exact=_is_decimal(lower, digits))
    for count in range(digits, 0, -1):
        low, high = (_rounded(end, count, ROUND_HALF_EVEN) for end in (lower, upper))
        if low == high:
            return _written(low)
    return None


def outward_interval(lower: Fraction, upper: Fraction, digits: int) -> tuple[str, str]:
    """Return decimals around an interval: the lower end rounded down, the upper end up.

    Ends that agree in many digits get as many more as tell them apart.

    >>> outward_interval(Fraction(1, 3), Fraction(334, 1000), 2)
    ('0.3333', '0.334')
    """
    if lower * upper > 0 and lower < upper:
        ratio = max(abs(lower), abs(upper)) / (upper - lower)
        digits = max(digits, len(str(int(ratio))) + 1)
    low, high = _rounded(lower, digits, ROUND_FLOOR), _rounded(upper, digits, ROUND_CEILING)
    return _written(low), _written(high)


def rounded_down(value: Fraction, digits: int) -> str:
    """Return a decimal not above the value, for lower bounds."""
    return _written(_rounded(value, digits, ROUND_FLOOR))


def rounded_up(value: Fraction, digits: int) -> str:
    """Return a decimal not below the value, for upper bounds."""
    return _written(_rounded(value, digits, ROUND_CEILING))


def _rounded(value: Fraction, digits: int, rounding: str) -> Decimal:
    return Context(prec=digits, rounding=rounding).divide(Decimal(value.numerator), Decimal(value.denominator))


def _is_decimal(value: Fraction, digits: int) -> bool:
    rounded = _rounded(value, digits, ROUND_HALF_EVEN)
    return Fraction(rounded) == value


def _written(value: Decimal, exact: bool = False) -> str:
    if value == 0:
        return "0"
    if exact:
        value = value.normalize(Context(prec=max(1, len(value.as_tuple().digits))))
    exponent = value.adjusted()
    digits_reach_the_units = exact or int(value.as_tuple().exponent) <= 0
    if _PLAIN[0] < exponent < _PLAIN[1] and digits_reach_the_units:
        return format(value, "f")
    digits = "".join(map(str, value.as_tuple().digits))
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{'-' if value < 0 else ''}{digits[0]}{fraction}e{exponent}"

"""Hermite coefficients with their Parseval remainder, and the Mehler series they make.

Derivation: docs/theory/numerics.md, "Coefficients", "The kernel".
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.numeric.gaussian import coefficients, second_moment, value_factor

EPS = float(np.finfo(np.float64).eps)
_FIRST_DEGREES = 64
_ALWAYS = 1024
"""Number of coefficients up to which the remainder is always pursued."""
_MOST = 8192
"""Number of coefficients beyond which it never is."""
_WORTHWHILE = 30.0
"""Beyond `_ALWAYS` the number is doubled only while that divides the remainder by this: geometric decay, no kink."""
_ROUNDINGS = 4.0
"""Of a coefficient, in eps of the norm, where phi is evaluated to its last digits."""
FLOOR = 8.0 * EPS
"""Remainder, relative to the second moment, that float64 cannot tell from zero."""
_SIGNIFICANT = 1e-18
"""Square of a coefficient, relative to the second moment, that still counts in a float64 kernel."""


@dataclass(frozen=True)
class HermiteSeries:
    """Coefficients of phi at one variance.

    Attributes:
        coefficients: `a_r(q)`, r < N.
        second_moment: `E[phi(sqrt(q) Z)^2]`.
        tail: `T = E[phi^2] - sum_{r<N} a_r^2`, an estimate with a floor at the rounding of the second moment.
        converged: whether the tail has reached that floor.
        rounding: of a coefficient, in eps of the norm.
    """

    coefficients: Array
    second_moment: float
    tail: float
    converged: bool
    rounding: float


@lru_cache(maxsize=1024)
def hermite_series(activation: Activation, variance: float) -> HermiteSeries:
    """Return as many coefficients as the Parseval remainder asks for.

    The number is doubled until the remainder reaches the rounding of the second moment, or stops falling quickly.
    """
    total = second_moment(activation, variance)
    rounding = max(_ROUNDINGS, value_factor(activation, variance))
    floor = FLOOR * total
    count, previous = _FIRST_DEGREES, np.inf
    while True:
        values = coefficients(activation, variance, count)
        tails = total - np.cumsum(values**2)
        if tails[-1] <= floor:
            used = int(np.argmax(tails <= floor)) + 1
            # The floor hides coefficients up to its root; those whose squares reach rounding are kept.
            significant = np.flatnonzero(values**2 > _SIGNIFICANT * total)
            used = max(used, int(significant[-1]) + 1 if significant.size else 1)
            return HermiteSeries(values[:used], total, floor, True, rounding)
        if count >= _MOST or (count >= _ALWAYS and tails[-1] * _WORTHWHILE > previous):
            return HermiteSeries(values, total, float(tails[-1]), False, rounding)
        count, previous = 2 * count, float(tails[-1])


def mehler_sum(first: HermiteSeries, second: HermiteSeries, rho: Array) -> tuple[Array, Array, Array]:
    """Return `sum_r a_r(q1) a_r(q2) rho^r`, the bound of its remainder and an estimate of its rounding.

    The remainder is at most `|rho|^N sqrt(T(q1) T(q2))`. Each coefficient is taken to be off by its series' rounding.
    """
    count = min(first.coefficients.size, second.coefficients.size)
    a, b = first.coefficients[:count], second.coefficients[:count]
    tails = [max(series.tail, 0.0) + float(np.sum(series.coefficients[count:] ** 2)) for series in (first, second)]
    size = np.abs(rho)
    value = np.polynomial.polynomial.polyval(rho, a * b)
    remainder = size**count * np.sqrt(tails[0] * tails[1])
    off = [series.rounding * np.sqrt(series.second_moment) for series in (first, second)]
    # Where a coefficient vanishes, and its neighbours' roundings do not, the product of both is what is left.
    slack = np.abs(a) * off[1] + np.abs(b) * off[0] + EPS * off[0] * off[1]
    terms = np.abs(a * b)
    # Four roundings of a term, two of rho in each of its r factors, and the slack of the coefficients.
    rounding = EPS * np.polynomial.polynomial.polyval(size, (4.0 + 2.0 * np.arange(count)) * terms + slack)
    return np.asarray(value), np.asarray(remainder), np.asarray(rounding)

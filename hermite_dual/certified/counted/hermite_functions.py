"""Hermite functions `h_r(x) g(x)` in floating point, with a bound of the rounding that grows no faster than the degree.

The recurrence `p_{r+1} = (x p_r - sqrt(r) p_{r-1})/sqrt(r+1)` preserves a quadratic form: with
`E_r(a, b) = a^2 - (x/sqrt(r)) a b + b^2`,

    (r + 1) E_{r+1}(p_{r+1}, p_r) = r E_r(p_r, p_{r-1}) + p_r^2,

and for `r > x^2/4` the form is positive, `p_r^2 <= r E_r/(r - x^2/4)`. Errors obey the same recurrence with the new
rounding added, so `S_r = sqrt(r E_r)` of the error grows by `sqrt(1 + 1/(r - x^2/4))` a step, and adds what is new. The
degrees up to `x^2/4` are computed in balls.

Derivation: docs/theory/entries.md, "Many variances at once".
"""

import math
from dataclasses import dataclass

import numpy as np
from flint import arb
from numpy.typing import NDArray

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import upper_float, working_precision
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, norm_above
from hermite_dual.errors import AccuracyError

Wide = NDArray[np.longdouble]

_BITS = 256  # a recurrence in balls loses half a bit a degree, for 60 degrees
_MANTISSAS = (52, 63, 112)
"""Stored bits of the binary formats whose arithmetic rounds correctly; a pair of doubles is none of them."""


def wide_unit() -> float:
    """Unit roundoff of `numpy.longdouble`.

    Raises:
        AccuracyError: its arithmetic is not that of a binary format with correct rounding.
    """
    bits = int(np.finfo(np.longdouble).nmant)
    if bits not in _MANTISSAS:
        raise AccuracyError(f"numpy.longdouble has {bits} stored bits here, and its rounding is not understood")
    return 2.0 ** -(bits + 1)


@dataclass(frozen=True, eq=False)
class HermiteFunctions:
    """`h_r(x_k) g_k` for r < N.

    Attributes:
        values: floats, shape (N, K).
        size: an upper bound of the largest 2-norm of a row of `values`.
        error: an upper bound of the largest 2-norm of a row of errors.
    """

    values: Array
    size: float
    error: float


def split_exactly(value: arb) -> tuple[float, float]:
    """Two floats whose sum is close to a ball's midpoint to twice their precision."""
    high = float(value.mid())
    return high, float((value - arb(high)).mid())


def exact_ball(value: np.longdouble) -> arb:
    """The ball of a `longdouble` without radius; the working precision must hold it."""
    total, remaining = arb(0), value
    while remaining != 0:
        leading = float(remaining)
        total, remaining = total + arb(leading), remaining - np.longdouble(leading)
    return total


def hermite_functions(points: Wide, scales: list[arb], degrees: int) -> HermiteFunctions:
    """Evaluate `h_r(x_k) g_k` for all r below `degrees`.

    Args:
        points: exact x_k >= 0, shape (K,).
        scales: balls g_k.
        degrees: N.
    """
    unit, count = wide_unit(), len(points)
    square = float(np.max(points)) ** 2 / 4 * (1 + 8 * UNIT)
    first = min(degrees, math.ceil(square) + 3)
    values, norms, errors = np.empty((degrees, count)), np.empty(degrees), np.empty(degrees)
    wide, start = np.empty((2, count), dtype=np.longdouble), np.empty((2, count))
    exact = np.empty((first, count))
    with working_precision(_BITS):
        for k, (x, g) in enumerate(zip(map(exact_ball, points), scales, strict=True)):
            former, current = arb(0), arb(g)
            for r in range(first):
                # a radius has few bits, so it is a float
                values[r, k], exact[r, k] = float(current.mid()), float(current.rad())
                if r >= first - 2:
                    high, low = split_exactly(current)
                    wide[r - first, k] = np.longdouble(high) + np.longdouble(low)
                    start[r - first, k] = upper_float(abs(current - arb(high) - arb(low)))
                former, current = current, (x * current - arb(r).sqrt() * former) / arb(r + 1).sqrt()
    exact = (exact + 2 * UNIT * np.abs(values[:first])) * UP + TINY
    for r in range(first):
        norms[r], errors[r] = norm_above(values[r]), norm_above(exact[r])
    if degrees > first:
        start += 2 * unit * np.abs(wide).astype(np.float64) * UP
        _recur(points, wide, start, first, values, norms, errors, unit)
    return HermiteFunctions(values, float(norms.max()), float(errors.max()))


def _recur(
    points: Wide, wide: Wide, start: Array, first: int, values: Array, norms: Array, errors: Array, unit: float
) -> None:
    """Degrees `first` and above; `wide` holds the two before, `start` their errors."""
    kind = points.dtype.type  # the arithmetic whose unit is given
    x = points.astype(np.float64)
    gap = x * x / 4 * (1 + 8 * UNIT)
    former, current = wide[0].copy(), wide[1].copy()
    # E_r(a, b) <= (|a| + |b|)^2, since x <= 2 sqrt(r)
    energy = math.sqrt(first - 1) * (start[0] + start[1]) * UP
    for r in range(first - 1, len(values) - 1):
        middle, last = points * current, np.sqrt(kind(r)) * former
        following = (middle - last) / np.sqrt(kind(r + 1))
        # five roundings at most on the way of either term, and one more for this count itself
        fresh = 6 * unit * (np.abs(middle) + np.abs(last)).astype(np.float64) * UP + 8 * r * TINY
        energy = (energy * np.sqrt(1 + 1 / (r - gap)) + fresh) * UP
        former, current = current, following
        rounded = current.astype(np.float64)
        values[r + 1] = rounded
        norms[r + 1] = norm_above(rounded)
        errors[r + 1] = norm_above((energy / np.sqrt(r + 1 - gap) + UNIT * np.abs(rounded)) * UP + TINY)

"""The dual kernel at one variance, `k(q, q, q rho) = sum_r a_r(q)^2 rho^r`, on float64 arrays with a proven error.

Each correlation gets the number of terms that it needs, a power of two: the remainder after N terms is at most
`|rho|^N T_N`, with `T_N = E[phi(sqrt(q) Z)^2] - sum_{r<N} a_r(q)^2` by Parseval. Horner's rule carries a running bound
of its rounding.

Derivation: docs/theory/entries.md, "Entries of a Gram matrix".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import bits_for, upper_float, working_precision
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma
from hermite_dual.certified.counted.entry_error import SeriesValues, compressed
from hermite_dual.certified.counted.horner import horner_step, odd_step
from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.certified.enclosures.piecewise_polynomial import is_piecewise_polynomial, jump_coefficients
from hermite_dual.certified.enclosures.second_moment import second_moment_ball
from hermite_dual.errors import AccuracyError
from hermite_dual.numeric.jit import kernel, prange
from hermite_dual.shape.shape import Shape

_FEWEST = 16  # terms of the shortest series
_MOST = 1024
"""Coefficients computed by quadrature; beyond, their cost outgrows what they bring."""
_MOST_JUMPS = 16384
"""Coefficients of piecewise polynomials, which a recurrence gives."""
_DIGITS = 25  # of the coefficients' balls, beyond float64
_NEGLIGIBLE = 2.0**-60
"""Remainder, relative to the second moment, at which no further term is asked for."""
_BLOCK = 64  # entries that are evaluated together


@dataclass(frozen=True)
class VarianceSeries:
    """Coefficients at one variance.

    Attributes:
        variance: the float q.
        coefficients: balls `a_r(q)`, r < N, N a power of two.
        moment: ball of `E[phi(sqrt(q) Z)^2]`.
    """

    variance: float
    coefficients: list[arb]
    moment: arb

    def tail(self, count: int) -> float:
        """An upper bound of `T_count`."""
        with working_precision(bits_for(2 * _DIGITS)):
            remainder = self.moment - sum((a * a for a in self.coefficients[:count]), arb(0))
            return max(0.0, upper_float(arb(remainder.upper())))


def variance_series(shape: Shape, variance: float, largest: float) -> VarianceSeries:
    """As many coefficients as correlations up to `largest` in modulus ask for, or as many as there can be.

    Args:
        shape: that of the activation phi.
        variance: q > 0.
        largest: the largest `|rho|` that will be asked for; a hint, no promise rests on it.

    Raises:
        AccuracyError, InvalidInputError, NotIntegrableError: as `coefficient_balls`.
    """
    jumps = is_piecewise_polynomial(shape)
    source = jump_coefficients if jumps else coefficient_balls
    moment = second_moment_ball(shape, variance, _DIGITS)
    count = 2 * _FEWEST
    series = VarianceSeries(variance, _coefficients(source, shape, count, variance), moment)
    while count < (_MOST_JUMPS if jumps else _MOST):
        with np.errstate(under="ignore"):
            if largest**count * series.tail(count) <= _NEGLIGIBLE * upper_float(moment):
                break
        try:
            coefficients = _coefficients(source, shape, 2 * count, variance)
        except AccuracyError:
            break
        count *= 2
        series = VarianceSeries(variance, coefficients, moment)
    return series


def fixed_series(shape: Shape, variance: float, count: int) -> VarianceSeries:
    """A given number of coefficients."""
    source = jump_coefficients if is_piecewise_polynomial(shape) else coefficient_balls
    moment = second_moment_ball(shape, variance, _DIGITS)
    return VarianceSeries(variance, _coefficients(source, shape, count, variance), moment)


def _coefficients(source: Callable[..., list[arb]], shape: Shape, count: int, variance: float) -> list[arb]:
    return source(shape, count, variance, _DIGITS)


def evaluate_series(series: VarianceSeries, rho: Array) -> SeriesValues:
    """Evaluate `k(q, q, q rho)` elementwise, with bounds of the distance to the true kernel at the float rho.

    Args:
        series: the coefficients.
        rho: correlations in [-1, 1], any shape.

    Returns:
        Values and errors of the same shape.
    """
    flat = np.ascontiguousarray(rho, dtype=np.float64).ravel()
    values, errors = np.empty_like(flat), np.empty_like(flat)
    pending = np.arange(flat.size)
    count, most = _FEWEST, len(series.coefficients)
    goal = _NEGLIGIBLE * upper_float(series.moment)
    while pending.size:
        tail = series.tail(count)
        power = _power_of_two(np.abs(flat[pending]), count)
        done = (power * tail <= goal) | (count >= most)
        chosen = pending[done]
        if chosen.size:
            values[chosen], errors[chosen] = _horner(series.coefficients[:count], flat[chosen])
            errors[chosen] += power[done] * tail
        pending = pending[~done]
        count = min(2 * count, most)
    return SeriesValues(values.reshape(rho.shape), (errors * UP + TINY).reshape(rho.shape))


def _power_of_two(size: Array, count: int) -> Array:
    """An upper bound of `size^count`, at most 1, by repeated squaring; count is a power of two."""
    power = size.copy()
    with np.errstate(under="ignore"):
        for _ in range(count.bit_length() - 1):
            # one rounding per squaring, doubled by every later one: below count in all
            power = power * power
    return np.minimum(power * (1 + 2 * gamma(2 * count)) + TINY, 1.0)


def _horner(coefficients: list[arb], rho: Array) -> tuple[Array, Array]:
    """The partial sum and a bound of its rounding and of the coefficients' radii."""
    with working_precision(bits_for(2 * _DIGITS)):
        squares = [a * a for a in coefficients]
        middle = np.array([float(s.mid()) for s in squares])
        # correlations are at most 1 in modulus, so the errors of the products add up to at most their sum
        radius = upper_float(sum((abs(s - arb(m)) for s, m in zip(squares, middle.tolist(), strict=True)), arb(0)))
    (packed,), stride, odd = compressed(middle[None])
    values, errors = _evaluate(packed, rho, stride, odd, UNIT)
    slack = 1 + gamma(8 * len(coefficients) + 8)
    return values, errors * slack + (radius + 4 * len(coefficients) * TINY)


# the kernel options exclude fast-math, whose reordering the error count does not cover
@kernel
def _evaluate(p: Array, rho: Array, stride: int, odd: bool, unit: float) -> tuple[Array, Array]:
    """Horner's rule in `rho` (stride 1) or `rho^2` (stride 2), with a running bound of the rounding."""
    size = rho.size
    values, errors = np.empty(size), np.empty(size)
    for block in prange((size + _BLOCK - 1) // _BLOCK):
        start = block * _BLOCK
        width = min(_BLOCK, size - start)
        y, total, bound = np.empty(_BLOCK), np.zeros(_BLOCK), np.zeros(_BLOCK)
        for j in range(width):
            x = rho[start + j]
            y[j] = x * x if stride == 2 else x
        for r in range(p.size - 1, -1, -1):
            coefficient = p[r]
            for j in range(width):
                total[j], bound[j] = horner_step(total[j], bound[j], y[j], coefficient, 0.0, stride)
        for j in range(width):
            if odd:
                total[j], bound[j] = odd_step(total[j], bound[j], rho[start + j])
            values[start + j] = total[j]
            errors[start + j] = bound[j] * unit
    return values, errors

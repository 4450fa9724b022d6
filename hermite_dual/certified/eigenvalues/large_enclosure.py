"""Enclosures of the least eigenvalue of large matrices, for little more than the proving factorization.

Derivation: docs/theory/eigenvalues.md, "Least eigenvalue: lower bound".
"""

import math

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.balls.rounding import UNIT
from hermite_dual.certified.eigenvalues.bottom_vector import BottomVector, bottom_vector, refined
from hermite_dual.certified.eigenvalues.cholesky_bounds import down, is_graded, predicted_loss
from hermite_dual.certified.eigenvalues.entry_norm import EntryError, entry_norm, scaled_error
from hermite_dual.certified.eigenvalues.large_matrix import DenseMatrix, LargeMatrix
from hermite_dual.certified.eigenvalues.rayleigh import BITS, quotient_upper

_ATTEMPTS = 12  # the margin grows with each
_RANGE = 2.0**300  # largest entries between this and its inverse: squares and inverses of everything are then in range
_SHARE = 0.5  # of the width that is enough: distance of the shift from the Rayleigh quotient
_DOUBTS = 2.0  # how many times its doubt the Rayleigh quotient is trusted to be off at most
_SPARE_DOUBTS = 100.0  # and how many where the width allows it, lest a factorization fail


def dense_enclosure(matrix: Array, largest: float, error: EntryError, rtol: float) -> tuple[float, float, Array] | None:
    """Both bounds of a matrix in memory, scaled by a power of two where squares would leave the range of floats.

    Args:
        matrix: symmetric, shape (n, n).
        largest: its largest modulus.
        error: entry error.
        rtol: relative width at which no further factorization is spent.

    Returns:
        As `large_enclosure`.
    """
    if largest > 0 and not 1 / _RANGE < largest < _RANGE:
        return _rescaled(matrix, largest, error, rtol)
    return large_enclosure(DenseMatrix(matrix, largest), error, rtol)


def large_enclosure(matrix: LargeMatrix, error: EntryError, rtol: float) -> tuple[float, float, Array] | None:
    """Both bounds and a vector for the upper one.

    Args:
        matrix: symmetric; squares of its entries must be in the range of floats.
        error: entry error.
        rtol: relative width at which no further factorization is spent.

    Returns:
        None where rows differ in scale so much that this is coarse, or no factorization succeeded.
    """
    norm, diagonal = entry_norm(error, matrix.order), matrix.diagonal

    def enough(value: float) -> float:
        return max(rtol * abs(value), 4 * predicted_loss(diagonal, value), norm / 4)

    def small(value: float) -> float:
        return _SHARE / _DOUBTS * enough(value)

    bottom = bottom_vector(matrix, small)
    if bottom is None:
        return None
    lower = -math.inf
    for _ in range(_ATTEMPTS):
        loss = predicted_loss(diagonal, bottom.quotient)
        allowed = enough(bottom.quotient)
        spare = min(_SHARE * rtol * abs(bottom.quotient), _SPARE_DOUBTS * bottom.doubt)
        margin = max(_DOUBTS * bottom.doubt, spare) + 0.3 * loss + 16 * UNIT * abs(bottom.quotient)
        shift = bottom.quotient - margin
        factorization = matrix.factor(shift)
        if not factorization.success:
            bottom = BottomVector(bottom.vector, bottom.quotient, 8 * bottom.doubt + loss)
            continue
        lower = max(lower, down(down(shift - factorization.error) - norm))
        if bottom.quotient - (shift - factorization.error) <= allowed:
            break
        better = refined(matrix, factorization, shift, bottom, small)
        if better is None or better.doubt > bottom.doubt:
            break
        bottom = better
    if not math.isfinite(lower):
        return None
    x = np.ascontiguousarray(bottom.vector, dtype=np.float64)
    form = matrix.form(x)  # threads may compute it: they take the precision themselves
    with working_precision(BITS):
        upper = quotient_upper(form, x, error)
    if is_graded(diagonal) and upper - lower > max(rtol * abs(upper), 4 * norm):
        return None
    return lower, upper, bottom.vector


def _rescaled(matrix: Array, largest: float, error: EntryError, rtol: float) -> tuple[float, float, Array] | None:
    """The enclosure through a multiple of the matrix by a power of two, where that is exact."""
    exponent = -int(np.frexp(largest)[1])
    scaled = np.ldexp(matrix, exponent)
    if not np.array_equal(np.ldexp(scaled, -exponent), matrix):
        return None
    enclosure = dense_enclosure(scaled, math.ldexp(largest, exponent), scaled_error(error, exponent), rtol)
    if enclosure is None:
        return None
    lower, upper, vector = enclosure
    return down(float(np.ldexp(lower, -exponent))), float(np.nextafter(np.ldexp(upper, -exponent), np.inf)), vector

"""Lower bounds of the least eigenvalue from floating-point Cholesky factorizations.

Derivation: docs/theory/eigenvalues.md, "Least eigenvalue: lower bound".
"""

import math

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import UNIT, gamma
from hermite_dual.certified.eigenvalues.entry_norm import EntryError, entry_norm
from hermite_dual.certified.eigenvalues.float_cholesky import error_units, shifted_cholesky

_ATTEMPTS = 12  # the margin grows with each
_GRADED = 1e4  # ratio of diagonal entries from which a scaled proof is worth its cost


def down(value: float) -> float:
    """The next float below."""
    return math.nextafter(value, -math.inf)


def cholesky_lower(matrix: Array, shift: float, error: EntryError) -> float:
    """The lower bound that a factorization of `A - shift I` proves; `-inf` if it fails."""
    with np.errstate(all="ignore"):
        factorization = shifted_cholesky(matrix, shift)
    if not factorization.success or not math.isfinite(factorization.error):
        return -math.inf
    return down(down(shift - factorization.error) - entry_norm(error, matrix.shape[0]))


def predicted_loss(diagonal: Array, shift: float) -> float:
    """About how much a factorization at this shift loses to rounding, from the diagonal, shape (n,)."""
    size = np.abs(diagonal - shift)
    return error_units(len(diagonal)) * float(np.sum(size)) + 8 * UNIT * float(np.max(size))


def is_graded(diagonal: Array) -> bool:
    """Whether a definite matrix of this diagonal, shape (n,), could have rows of very different scale."""
    return bool(np.min(diagonal) > 0 and np.max(diagonal) > _GRADED * np.min(diagonal))


def scaled_lower(matrix: Array, upper: float, error: EntryError) -> float:
    """A lower bound for a definite matrix with rows of different scale, by factoring `D^-1 (A - s I) D^-1`.

    With `B = D^-1 A D^-1 - s D^-2 - d I` and `R^T R = B + E`, `||E||_2 <= d` proves `D^-1 (A - s I) D^-1 >= 0`, hence
    `A >= s I`. D holds powers of two, so scaling is exact unless it underflows, which is checked.
    """
    if not (math.isfinite(upper) and upper > 0):
        return -math.inf
    _, exponents = np.frexp(matrix.diagonal())
    half = exponents // 2
    scaled = np.ldexp(np.ldexp(matrix, -half[:, None]), -half[None, :])
    if not np.array_equal(np.ldexp(np.ldexp(scaled, half[:, None]), half[None, :]), matrix):
        return -math.inf
    inverse = np.ldexp(1.0, -2 * half)
    if not np.all(np.isfinite(inverse)) or np.min(inverse) == 0.0:
        return -math.inf
    norm = entry_norm(error, matrix.shape[0])
    margin = 2 * predicted_loss(scaled.diagonal(), 0.0)
    step = 4 * UNIT
    base = upper - 2 * norm if norm > 0 else upper
    while step < 1:
        shift = base * (1 - step)
        # one rounding each of the product, which is exact unless tiny, and of the sum: moved up, never down
        shifts = np.nextafter(np.nextafter(inverse * shift, np.inf) + margin, np.inf)
        factorization = shifted_cholesky(scaled, shifts)
        if factorization.success and factorization.error <= margin:
            return down(shift - norm) if norm > 0 else shift
        step *= 16
    return -math.inf


def search_lower(matrix: Array, upper: float, error: EntryError) -> float:
    """The largest lower bound that a few factorizations below the Rayleigh quotient prove."""
    if not math.isfinite(upper):
        return -math.inf
    n = matrix.shape[0]
    norm = entry_norm(error, n)
    start = upper - norm if norm > 0 else upper
    loss = predicted_loss(matrix.diagonal(), start) + 16 * UNIT * abs(start)
    step = 0.3 * loss
    for _ in range(_ATTEMPTS):
        lower = cholesky_lower(matrix, start - step, error)
        if math.isfinite(lower):
            return lower
        step *= 8
    # Gershgorin: never fails on finite sums
    radii = np.sum(np.abs(matrix), axis=1) * (1 + 4 * gamma(n + 2))
    lowest = float(np.min(matrix.diagonal() - (radii - np.abs(matrix.diagonal()) * (1 - 4 * UNIT))))
    return down(down(lowest - 4 * UNIT * abs(lowest)) - entry_norm(error, n)) if math.isfinite(lowest) else -math.inf

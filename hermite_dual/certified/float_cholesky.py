"""Floating-point Cholesky with an error bound that is small because of its blocks.

A block algorithm computes `R` with `R^T R = A - s I + E`. Products of at most c rows are summed in any order (BLAS) and
then subtracted from the tile, K times at most: entrywise

    |E| <= (g_m + K u) (1 + tiny) |R|^T |R| + (underflow),   m = max(c, b + 2),

b the rows of a diagonal block, `g_m = m u/(1 - m u)`, u = 2^-53. The usual bound has `g_{n+1}`. The 2-norm of
`|R|^T |R|` is at most the trace of `R^T R`, and at most the product of the largest column and row sum of |R|. Success
proves `lambda_min(A) >= s - ||E||_2`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

Matrix = NDArray[np.float64]

UNIT = 2.0**-53
"""Unit roundoff u of float64."""
TINY = 2.0**-1074
"""Smallest positive float64: no single operation loses more than this to underflow."""
_MEASURED = 1024  # orders up to which the second bound of the norm is worth its passes over R
_UP = 1.0 + 2.0**-40
"""Outward factor that covers the rounding of the few thousand operations in which a bound itself is computed."""


def gamma(m: int) -> float:
    """`m u/(1 - m u)`, rounded up."""
    return m * UNIT / (1 - m * UNIT) * (1 + 8 * UNIT)


def block_size(n: int) -> tuple[int, int]:
    """Rows of a diagonal block and of a product: few lower the bound, many raise the speed."""
    if n <= 512:
        return 64, 64
    if n <= 1024:
        return 64, 128
    return (128, 256) if n <= 2500 else (256, 512)


def error_units(n: int) -> float:
    """The factor of `|R|^T |R|` in the error bound."""
    rows, chunk = block_size(n)
    return (gamma(max(chunk, rows + 2)) + -(-n // chunk) * UNIT) * (1 + 2.0**-20)


@dataclass(frozen=True)
class Factorization:
    """Outcome of a floating-point Cholesky factorization of `A - s I`.

    Attributes:
        success: whether every pivot was positive.
        error: an upper bound of the 2-norm of `R^T R - (A - s I)`; infinite without success.
        factor: R, upper triangular, shape (n, n).
    """

    success: bool
    error: float
    factor: Matrix


def shifted_cholesky(A: Matrix, shift: float | Matrix) -> Factorization:
    """Factor `A - shift I` and bound the backward error in the 2-norm.

    Args:
        A: symmetric matrix, shape (n, n), finite entries; only the upper triangle is read.
        shift: s, or one number per row.

    Returns:
        Success and the bound of the error; success proves `lambda_min(A - shift I) >= -error`.
    """
    n = A.shape[0]
    diagonal = A.diagonal() - shift
    diagonal_error = float(np.max(np.abs(diagonal))) * UNIT + TINY
    R = np.zeros((n, n))
    rows, chunk = block_size(n)
    for start in range(0, n, rows):
        if not _block_row(A, R, diagonal, (start, min(start + rows, n)), chunk):
            return Factorization(False, math.inf, R)
    return Factorization(True, _error_norm(R, diagonal, diagonal_error), R)


def _block_row(A: Matrix, R: Matrix, diagonal: Matrix, block: tuple[int, int], chunk: int) -> bool:
    """Compute rows `start:stop` of R; False if a pivot is not positive."""
    start, stop = block
    size = stop - start
    tile = A[start:stop, start:].copy()
    tile[np.arange(size), np.arange(size)] = diagonal[start:stop]
    buffer = np.empty_like(tile)
    for top in range(0, start, chunk):
        panel = R[top : min(top + chunk, start)]
        np.matmul(panel[:, start:stop].T, panel[:, start:], out=buffer)
        np.subtract(tile, buffer, out=tile)
    head, info = lapack.dpotrf(tile[:, :size], lower=0, clean=1)
    # a number in R that is not finite makes a later pivot so, hence the small blocks on the diagonal tell
    if info != 0 or not np.all(np.isfinite(head)):
        return False
    R[start:stop, start:stop] = head
    if tile.shape[1] > size:
        # X = head^-T T as X^T = T^T head^-1: the transposes are views, nothing is copied across
        rest = np.ascontiguousarray(tile[:, size:]).T
        R[start:stop, stop:] = blas.dtrsm(1.0, head, rest, side=1, lower=0, overwrite_b=1).T
    return True


def _error_norm(R: Matrix, diagonal: Matrix, diagonal_error: float) -> float:
    """The 2-norm bound of the error matrix."""
    n = R.shape[0]
    units = error_units(n)
    # (R^T R)_ii is within `units` of itself from the computed a_ii - s, which is positive after success
    norm = float(np.sum(diagonal)) / (1 - units) + n * TINY
    if n <= _MEASURED:
        absolute = np.abs(R)
        norm = min(norm, float(np.max(absolute.sum(axis=0))) * float(np.max(absolute.sum(axis=1))))
    underflow = 4.0 * n * n * TINY
    return (units * norm + diagonal_error + underflow) * _UP

"""Passes over a large symmetric matrix that read it once and make no second one."""

import math

import numpy as np
from numpy.typing import NDArray

from hermite_dual.arrays import Array
from hermite_dual.numeric.jit import helper, kernel, prange

_TILE = 64


@helper
def _tile_row_maximum(A: Array, row: np.int64) -> float:
    n = A.shape[0]
    largest = 0.0
    for column in range(row + 1):
        for i in range(row * _TILE, min(n, (row + 1) * _TILE)):
            for j in range(column * _TILE, min(i + 1, (column + 1) * _TILE)):
                size = abs(A[i, j])
                if not (A[i, j] == A[j, i] and size < np.inf):
                    return np.nan
                largest = max(largest, size)
    return largest


@kernel
def _tile_row_maxima(A: Array) -> Array:
    """Largest modulus in each row of tiles left of the diagonal; NaN where a tile differs from its transpose."""
    count = (A.shape[0] + _TILE - 1) // _TILE
    maxima = np.zeros(count)
    for index in prange((count + 1) // 2):
        # a short and a long row of tiles together, so that all threads have as much to do
        row = np.int64(index)
        maxima[row] = _tile_row_maximum(A, row)
        maxima[count - 1 - row] = _tile_row_maximum(A, count - 1 - row)
    return maxima


@helper
def _cast_row(A: Array, scale: float, target: NDArray[np.float32], i: np.int64) -> None:
    for j in range(i, A.shape[0]):
        target[i, j] = np.float32(scale * A[i, j])


@kernel
def _cast_upper(A: Array, scale: float, target: NDArray[np.float32]) -> None:
    """Write `scale * A` on and right of the diagonal."""
    n = A.shape[0]
    for index in prange((n + 1) // 2):
        row = np.int64(index)
        _cast_row(A, scale, target, row)
        _cast_row(A, scale, target, n - 1 - row)


def largest_modulus(A: Array) -> float:
    """The largest `|a_ij|` of a square matrix, shape (n, n); NaN if it is not symmetric or not finite."""
    return float(np.max(_tile_row_maxima(A)))


def single_upper(A: Array, largest: float) -> tuple[NDArray[np.float32], float]:
    """The upper triangle in float32, times a power of two that brings the largest modulus into [1/2, 1).

    Args:
        A: symmetric matrix, shape (n, n).
        largest: its largest modulus.

    Returns:
        An array of shape (n, n), undefined left of the diagonal, and the power of two.
    """
    exponent = math.frexp(largest)[1] if largest > 0 else 0
    scale = math.ldexp(1.0, min(max(-exponent, -1000), 1000))
    target = np.empty(A.shape, dtype=np.float32)
    _cast_upper(A, scale, target)
    return target, scale

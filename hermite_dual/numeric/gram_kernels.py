"""Numba kernels that turn inner products into Gram entries, in place."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hermite_dual.numeric.graded_table import FIRST, PIECES, SHIFT
from hermite_dual.numeric.jit import fused_helper, helper, interleaved, kernel, prange

Array = NDArray[np.float64]

_BLOCK = 64
_FRACTION = (1 << SHIFT) - 1
_ONE = 0x3FF << 52
_TO_UNIT = 52 - SHIFT


@kernel
def apply_table(
    matrix: Array, rows: Array, columns: Array, left: Array, right: Array, table: Array, shift: float
) -> None:
    """Replace each entry t by `left_i right_j f((t + shift) rows_i columns_j)`, in place.

    Args:
        matrix: inner products, shape (n, m).
        rows: factors of the argument, shape (n,) or, where all are equal, (1,).
        columns: the same for columns, shape (m,).
        left: factors of the value, shape (n,) or (1,).
        right: the same for columns, shape (m,).
        table: f, coefficients of a `GradedTable`.
        shift: added to each inner product.
    """
    n = matrix.shape[0]
    for block in prange((n + _BLOCK - 1) // _BLOCK):
        for i in range(block * _BLOCK, min(n, (block + 1) * _BLOCK)):
            row, value = rows[min(i, rows.size - 1)], left[min(i, left.size - 1)]
            _apply_row(matrix[i], row, columns, value, right, table, shift)


@kernel
def apply_table_symmetric(matrix: Array, factors: Array, values: Array, table: Array, shift: float) -> None:
    """Do the same with a symmetric matrix, of which the upper triangle is read and both are written.

    Args:
        matrix: inner products, shape (n, n).
        factors: of the argument, shape (n,).
        values: factors of the value, shape (n,).
        table: f, coefficients of a `GradedTable`.
        shift: added to each inner product.
    """
    n = matrix.shape[0]
    blocks = (n + _BLOCK - 1) // _BLOCK
    for k in prange(blocks):
        block = interleaved(k, blocks)
        for i in range(block * _BLOCK, min(n, (block + 1) * _BLOCK)):
            _apply_row(matrix[i, i:], factors[i], factors[i:], values[i], values[i:], table, shift)
    mirror(matrix)


@kernel
def mirror(matrix: NDArray[Any]) -> None:
    """Copy the upper triangle of a square matrix to the lower one."""
    n = matrix.shape[0]
    blocks = (n + _BLOCK - 1) // _BLOCK
    for k in prange(blocks):
        block = interleaved(k, blocks)
        low, high = block * _BLOCK, min(n, (block + 1) * _BLOCK)
        for start in range(0, high, _BLOCK):
            for i in range(low, high):
                for j in range(start, min(start + _BLOCK, i)):
                    matrix[i, j] = matrix[j, i]


@fused_helper
def _apply_row(
    row: Array, factor: float, factors: Array, value: float, values: Array, table: Array, shift: float
) -> None:
    distance, piece = np.empty(_BLOCK), np.empty(_BLOCK, np.int64)
    bits = distance.view(np.int64)
    for start in range(0, row.size, _BLOCK):
        size = min(_BLOCK, row.size - start)
        for j in range(size):
            x = (row[start + j] + shift) * (factor * factors[start + j])
            distance[j] = 1.0 - min(1.0, abs(x))
            piece[j] = 0 if x >= 0.0 else PIECES
        for j in range(size):
            piece[j] += max((bits[j] >> SHIFT) - FIRST, 0)
            # The bits that are left, as a double in [1, 2).
            bits[j] = ((bits[j] & _FRACTION) << _TO_UNIT) | _ONE
        for j in range(size):
            t, k = 2.0 * distance[j] - 3.0, piece[j]
            f = table[k, 7] * t + table[k, 6]
            f = f * t + table[k, 5]
            f = f * t + table[k, 4]
            f = f * t + table[k, 3]
            f = f * t + table[k, 2]
            f = f * t + table[k, 1]
            f = f * t + table[k, 0]
            row[start + j] = (value * values[start + j]) * f


@kernel
def apply_map(matrix: Array, scale: float, shift: float, square_root: bool, edges: Array, coefficients: Array) -> None:
    """Replace each entry `t` of a symmetric matrix by a piecewise Chebyshev interpolant, in place.

    With `xi = (t - shift) / scale` the variable is xi itself, or `sign(xi) (1 - sqrt(1 - |xi|))` where the map has
    square-root end points. The upper triangle is computed block by block and mirrored.
    """
    n = matrix.shape[0]
    blocks = (n + _BLOCK - 1) // _BLOCK
    for block in prange(blocks):
        low, high = block * _BLOCK, min(n, (block + 1) * _BLOCK)
        for i in range(low, high):
            _interpolate_row(matrix[i, i:], scale, shift, square_root, edges, coefficients)
    mirror(matrix)


@helper
def _interpolate_row(
    row: Array, scale: float, shift: float, square_root: bool, edges: Array, coefficients: Array
) -> None:
    pieces, count = coefficients.shape
    variable = np.empty(_BLOCK)
    later = np.empty(_BLOCK)
    latest = np.empty(_BLOCK)
    for start in range(0, row.size, _BLOCK):
        size = min(_BLOCK, row.size - start)
        for j in range(size):
            xi = min(1.0, max(-1.0, (row[start + j] - shift) / scale))
            if square_root:
                xi = np.copysign(1.0 - np.sqrt(1.0 - abs(xi)), xi)
            variable[j] = xi
        if pieces == 1:
            low, high = edges[0], edges[1]
            for j in range(size):
                variable[j] = (2.0 * variable[j] - low - high) / (high - low)
                later[j] = 0.0
                latest[j] = 0.0
            for r in range(count - 1, 0, -1):
                c = coefficients[0, r]
                for j in range(size):
                    following = 2.0 * variable[j] * later[j] - latest[j] + c
                    latest[j] = later[j]
                    later[j] = following
            for j in range(size):
                row[start + j] = variable[j] * later[j] - latest[j] + coefficients[0, 0]
        else:
            for j in range(size):
                row[start + j] = _one_value(variable[j], edges, coefficients)


@helper
def _one_value(point: float, edges: Array, coefficients: Array) -> float:
    pieces, count = coefficients.shape
    piece = 0
    while piece < pieces - 1 and point >= edges[piece + 1]:
        piece += 1
    low, high = edges[piece], edges[piece + 1]
    t = (2.0 * point - low - high) / (high - low)
    later = 0.0
    latest = 0.0
    for r in range(count - 1, 0, -1):
        following = 2.0 * t * later - latest + coefficients[piece, r]
        latest = later
        later = following
    return t * later - latest + coefficients[piece, 0]


@kernel
def separable_slopes(rho: Array, table: Array, columns: Array, slope: Array, first: Array) -> None:
    """Sum `sum_r (r+1) a_{r+1,i} a_{r+1,j} rho^r` and `sum_r sqrt((r+1)(r+2)) a_{r+2,i} a_{r,j} rho^r`.

    Args:
        rho: (n, n) correlations.
        table: (n, N + 2) rows `a_r(q_i)`, the last two columns zero.
        columns: (N + 2, n) its transpose, contiguous.
        slope: (n, n) receives the first sum.
        first: (n, n) receives the second.
    """
    n = rho.shape[0]
    for i in prange(n):
        for start in range(0, n, _BLOCK):
            size = min(_BLOCK, n - start)
            at = rho[i, start : start + size]
            one = slope[i, start : start + size]
            two = first[i, start : start + size]
            one[:] = 0.0
            two[:] = 0.0
            for r in range(table.shape[1] - 3, -1, -1):
                a = (r + 1.0) * table[i, r + 1]
                b = np.sqrt((r + 1.0) * (r + 2.0)) * table[i, r + 2]
                next_column = columns[r + 1, start : start + size]
                column = columns[r, start : start + size]
                for j in range(size):
                    one[j] = one[j] * at[j] + a * next_column[j]
                    two[j] = two[j] * at[j] + b * column[j]

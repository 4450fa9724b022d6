"""Numba kernels that turn inner products into Gram entries, in place."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hermite_dual.arrays import Array
from hermite_dual.numeric.graded_pieces import CENTRE, CENTRE_DEGREE, FIRST, PIECES, SHIFT
from hermite_dual.numeric.jit import fused_helper, helper, interleaved, kernel, prange

Bits = NDArray[np.int64]

_BLOCK = 64
_FRACTION = (1 << SHIFT) - 1
_ONE = 0x3FF << 52
_TO_UNIT = 52 - SHIFT
_MODULUS = (1 << 63) - 1
"""All bits of a double but its sign; moduli are ordered as their bits are."""
_CENTRE_BITS = int(np.float64(CENTRE).view(np.int64))
_LAST = CENTRE_DEGREE


class EntryMap(NamedTuple):
    """What takes an inner product t to `left_i right_j f(x)`, `x = (t + shift) rows_i columns_j`.

    Attributes:
        rows: factors of the argument, shape (n,).
        columns: the same for columns, shape (m,).
        left: factors of the value, shape (n,).
        right: the same for columns, shape (m,).
        table: f, the pieces of a `GradedTable`.
        centre: its polynomial between them.
        shift: added to each inner product.
    """

    rows: Array
    columns: Array
    left: Array
    right: Array
    table: Array
    centre: Array
    shift: float


@kernel
def apply_table(matrix: Array, entry_map: EntryMap) -> Bits:
    """Replace each entry of `(n, m)` inner products, and return the bits of the largest `|x|` of each block of rows."""
    n = matrix.shape[0]
    blocks = (n + _BLOCK - 1) // _BLOCK
    largest = np.zeros(blocks, np.int64)
    for block in prange(blocks):
        span = slice(block * _BLOCK, min(n, (block + 1) * _BLOCK))
        largest[block] = apply_to_rows(matrix[span], span.start, entry_map)
    return largest


@helper
def apply_to_rows(matrix: Array, first: int, entry_map: EntryMap) -> int:
    """Do the same on one thread with rows from `first` on, and return the bits of the largest `|x|`.

    To wake threads takes milliseconds.
    """
    n, m = matrix.shape
    largest = 0
    work, piece = np.empty(2 * _BLOCK), np.empty(_BLOCK, np.int64)
    for i in range(n):
        for start in range(0, m, _BLOCK):
            span = slice(start, min(m, start + _BLOCK))
            largest = max(largest, _apply_row(matrix[i, span], first + i, start, entry_map, work, piece))
    return largest


@kernel
def apply_table_symmetric(matrix: Array, entry_map: EntryMap) -> Bits:
    """Do the same with the entries above the diagonal of a symmetric matrix; the factors' products are symmetric."""
    n = matrix.shape[0]
    blocks = (n + _BLOCK - 1) // _BLOCK
    largest = np.zeros(blocks, np.int64)
    for k in prange(blocks):
        block = interleaved(k, blocks)
        low, high = block * _BLOCK, min(n, (block + 1) * _BLOCK)
        work, piece = np.empty(2 * _BLOCK), np.empty(_BLOCK, np.int64)
        for i in range(low, high):
            for start in range(i + 1, n, _BLOCK):
                span = slice(start, min(n, start + _BLOCK))
                largest[block] = max(largest[block], _apply_row(matrix[i, span], i, start, entry_map, work, piece))
    return largest


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
def _apply_row(row: Array, i: int, start: int, entry_map: EntryMap, work: Array, piece: Bits) -> int:
    """Replace at most 64 entries and return the bits of the largest `|x|`; `work` and `piece` are overwritten."""
    rows, columns, left, right, table, centre, shift = entry_map
    span = slice(start, start + row.size)
    factor, factors, value, values = rows[i], columns[span], left[i], right[span]
    size = row.size
    bits = work.view(np.int64)
    largest = 0
    for j in range(size):
        work[j] = min(1.0, max(-1.0, (row[j] + shift) * (factor * factors[j])))
    for j in range(size):
        largest = max(largest, bits[j] & _MODULUS)
    for j in range(size):
        x = work[j]
        f = centre[_LAST]
        for k in range(_LAST - 1, -1, -1):
            f = f * x + centre[k]
        row[j] = (value * values[j]) * f
    if largest <= _CENTRE_BITS:
        return largest
    for j in range(size):
        x = work[j]
        work[_BLOCK + j] = 1.0 - abs(x)
        piece[j] = 0 if x >= 0.0 else PIECES
    for j in range(size):
        # What lies in the centre takes the last piece and is not kept.
        piece[j] += min(max((bits[_BLOCK + j] >> SHIFT) - FIRST, 0), PIECES - 1)
        # The bits that are left, as a double in [1, 2).
        bits[_BLOCK + j] = ((bits[_BLOCK + j] & _FRACTION) << _TO_UNIT) | _ONE
    for j in range(size):
        t, k = 2.0 * work[_BLOCK + j] - 3.0, piece[j]
        f = table[k, 7] * t + table[k, 6]
        f = f * t + table[k, 5]
        f = f * t + table[k, 4]
        f = f * t + table[k, 3]
        f = f * t + table[k, 2]
        f = f * t + table[k, 1]
        f = f * t + table[k, 0]
        row[j] = (value * values[j]) * f if abs(work[j]) > CENTRE else row[j]
    return largest


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

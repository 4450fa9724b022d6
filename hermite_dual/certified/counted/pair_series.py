"""The separable series `sum_r a_r(q_i) a_r(q_j) rho_ij^r` of many rows, each block of pairs with the degrees it needs.

Beside the rounding, a running bound as in Horner's rule for one variance, an entry carries the coefficients' errors,
`sum_r |a_ir a_jr - a'_ir a'_jr| |rho|^r <= d_j sum_r |a_ir| + d_i sum_r |a_jr| + N d_i d_j` for errors of at most d in
every coefficient of a row, and the Parseval remainder `|rho|^N sqrt(T_N(q_i) T_N(q_j))`.

Derivation: docs/theory/entries.md, "Many variances at once".
"""

import math

import numpy as np

from hermite_dual.arrays import Array, Indices
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma
from hermite_dual.certified.counted.entry_error import SeriesValues
from hermite_dual.certified.counted.horner import horner_step, odd_step
from hermite_dual.certified.counted.row_coefficients import RowCoefficients
from hermite_dual.numeric.jit import kernel, prange

_FEWEST = 32  # terms of the shortest series
_BLOCK = 64  # rows and columns that take the same number of terms
_NEGLIGIBLE = 2.0**-60  # of the second moment: 2^-7 roundings


def pair_series(rows: RowCoefficients, index: Indices, columns: Indices | None, rho: Array) -> SeriesValues:
    """Evaluate at a matrix of correlations.

    Args:
        rows: coefficients of m rows.
        index: which of them stand for the n rows of the matrix, shape (n,).
        columns: which of them stand for its p columns, shape (p,); or None where they are the rows: the matrix is
            symmetric, its diagonal is not used and returned as zero.
        rho: correlations in [-1, 1], shape (n, p).
    """
    degrees = rows.values.shape[1]
    counts = [min(_FEWEST * 2**k, degrees) for k in range(max(0, math.ceil(math.log2(degrees / _FEWEST))) + 1)]
    size = len(rows.moments)
    limits, roots, sums = np.empty(len(counts)), np.empty((len(counts), size)), np.empty((len(counts), size))
    scale = float(rows.moments.max())
    for k, count in enumerate(counts):
        tails = rows.tails(count)
        top = max(float(tails.max()), _NEGLIGIBLE * scale)
        # steers the number of degrees alone
        limits[k] = (_NEGLIGIBLE * scale / top) ** (1 / count)
        roots[k] = np.sqrt(tails) * UP
        sums[k] = np.sum(np.abs(rows.values[:, :count]), axis=1) * (1 + gamma(count + 8))
    limits[-1] = 2.0
    first, stride = {1: (0, 2), -1: (1, 2), 0: (0, 1)}[rows.parity]
    other = index if columns is None else columns
    table = rows.values[:, first::stride]
    lengths = np.array([len(range(first, count, stride)) for count in counts])
    squarings = np.array([count.bit_length() - 1 for count in counts])
    values, errors = _evaluate(
        (np.ascontiguousarray(table[index]), np.ascontiguousarray(table[other].T)),
        np.ascontiguousarray(rho),
        (rows.errors[index], rows.errors[other]),
        limits,
        lengths,
        squarings,
        (roots[:, index], roots[:, other]),
        (sums[:, index], sums[:, other]),
        columns is None,
        stride,
        bool(first),
        UNIT,
    )
    errors = (errors * (1 + gamma(8 * degrees + 64)) + 8 * degrees * TINY) * UP
    if columns is not None:
        return SeriesValues(values, errors)
    values, errors = np.triu(values, 1), np.triu(errors, 1)
    return SeriesValues(values + values.T, errors + errors.T)


# the kernel options exclude fast-math, whose reordering the error count does not cover
@kernel
def _evaluate(
    tables: tuple[Array, Array],
    rho: Array,
    spreads: tuple[Array, Array],
    limits: Array,
    lengths: Indices,
    squarings: Indices,
    roots: tuple[Array, Array],
    sums: tuple[Array, Array],
    upper: bool,
    stride: int,
    odd: bool,
    unit: float,
) -> tuple[Array, Array]:
    """Values and errors, or what is right of the diagonal; pairs are what belongs to rows and to columns."""
    n, p = rho.shape
    values, errors = np.zeros((n, p)), np.zeros((n, p))
    (left, right), (left_spread, right_spread) = tables, spreads
    (left_root, right_root), (left_sum, right_sum) = roots, sums
    for i in prange(n):
        y, power = np.empty(_BLOCK), np.empty(_BLOCK)
        for start in range(i + 1 if upper else 0, p, _BLOCK):
            width = min(_BLOCK, p - start)
            largest = 0.0
            for j in range(width):
                x = rho[i, start + j]
                y[j] = x * x if stride == 2 else x
                power[j] = abs(x)
                largest = max(largest, abs(x))
            level = 0
            while largest > limits[level]:
                level += 1
            total, bound = np.zeros(_BLOCK), np.zeros(_BLOCK)
            for r in range(lengths[level] - 1, -1, -1):
                a = left[i, r]
                for j in range(width):
                    term = a * right[r, start + j]
                    total[j], bound[j] = horner_step(total[j], bound[j], y[j], term, abs(term), stride)
            for _ in range(squarings[level]):
                for j in range(width):
                    power[j] = power[j] * power[j]
            for j in range(width):
                if odd:
                    total[j], bound[j] = odd_step(total[j], bound[j], rho[i, start + j])
                k = start + j
                # every squaring doubles the relative error of the one before: below 2 N roundings in all
                remainder = power[j] * (1.0 + 2.0 ** (squarings[level] + 3) * unit)
                remainder *= left_root[level, i] * right_root[level, k]
                coefficient_error = right_spread[k] * left_sum[level, i] + left_spread[i] * right_sum[level, k]
                coefficient_error += left_spread[i] * right_spread[k] * 2.0 ** squarings[level]
                values[i, k] = total[j]
                errors[i, k] = bound[j] * unit + coefficient_error + remainder
    return values, errors

"""Numba kernels for entries that are polynomials in the cosine with separable coefficients.

`f_ij(x) = sum_k (sum_l left_kl(i) right_kl(j)) p_k(x)`, with Chebyshev polynomials `p_k = T_k(x)`, or, where f has a
parity, `T_k(2 x^2 - 1)` and x times that.
"""

import numpy as np
from numpy.typing import NDArray

from hermite_dual.arrays import Array, Indices
from hermite_dual.numeric.jit import fused_helper, helper, interleaved, kernel, prange

Ranks = NDArray[np.int64]

_BLOCK = 64
_X, _Y, _LATER, _LATEST, _EXTRA = 0, _BLOCK, 2 * _BLOCK, 3 * _BLOCK, 4 * _BLOCK
_MAX_STEPS = 60


@kernel
def apply_separable(
    matrix: Array,
    shift: float,
    factors: tuple[Array, Array],
    left: Array,
    right: Array,
    ranks: Ranks,
    parity: int,
    symmetric: bool,
) -> None:
    """Replace each entry t by `f_ij((t + shift) rows_i columns_j)`, in place; arguments beyond +-1 count as +-1.

    Args:
        matrix: inner products, shape (n, m); of a symmetric one the upper triangle is read alone.
        shift: added to each inner product.
        factors: of the argument, by row, shape (n,), and by column, shape (m,).
        left: coefficients by row, shape (n, R).
        right: coefficients by column, shape (R, m).
        ranks: number of terms of each degree, even and positive, their sum R.
        parity: 0, 1 (even) or -1 (odd).
        symmetric: whether blocks below the diagonal are left out.
    """
    n, m = matrix.shape
    rows, columns = factors
    blocks = (n + _BLOCK - 1) // _BLOCK
    for k in prange(blocks):
        block = interleaved(k, blocks)
        low, high = block * _BLOCK, min(n, (block + 1) * _BLOCK)
        tile, scale, work = np.zeros((right.shape[0], _BLOCK)), np.zeros(_BLOCK), np.zeros(5 * _BLOCK)
        for start in range(low if symmetric else 0, m, _BLOCK):
            stop = min(m, start + _BLOCK)
            tile[:, : stop - start] = right[:, start:stop]
            scale[: stop - start] = columns[start:stop]
            for i in range(low, high):
                _apply_row(matrix[i, start:stop], shift, rows[i], scale, left[i], tile, ranks, parity, work)


@fused_helper
def _apply_row(
    row: Array,
    shift: float,
    factor: float,
    factors: Array,
    left: Array,
    tile: Array,
    ranks: Ranks,
    parity: int,
    work: Array,
) -> None:
    # One work array, at offsets known to the compiler: it vectorizes no loop over many arrays that might overlap.
    for j in range(row.size):
        work[_X + j] = min(1.0, max(-1.0, (row[j] + shift) * (factor * factors[j])))
    for j in range(_BLOCK):
        x = work[_X + j]
        work[_Y + j] = 2.0 * x if parity == 0 else 4.0 * x * x - 2.0
        work[_LATER + j] = 0.0
        work[_LATEST + j] = 0.0
    term = left.size
    for k in range(ranks.size - 1, -1, -1):
        rank = ranks[k]
        if rank > 4:
            for j in range(_BLOCK):
                work[_EXTRA + j] = 0.0
        # The last step of the recurrence is `y/2 later - latest + c_0`.
        half = 1.0 if k else 0.5
        while rank > 4:
            term -= 4
            rank -= 4
            a, b, c, d = left[term], left[term + 1], left[term + 2], left[term + 3]
            for j in range(_BLOCK):
                work[_EXTRA + j] += (a * tile[term, j] + b * tile[term + 1, j]) + (
                    c * tile[term + 2, j] + d * tile[term + 3, j]
                )
        term -= rank
        extra = 1.0 if ranks[k] > 4 else 0.0
        a, b = left[term], left[term + 1]
        if rank == 2:
            for j in range(_BLOCK):
                value = a * tile[term, j] + b * tile[term + 1, j] + extra * work[_EXTRA + j]
                value += (half * work[_Y + j]) * work[_LATER + j] - work[_LATEST + j]
                work[_LATEST + j] = work[_LATER + j]
                work[_LATER + j] = value
            continue
        c, d = left[term + 2], left[term + 3]
        for j in range(_BLOCK):
            value = (a * tile[term, j] + b * tile[term + 1, j]) + (c * tile[term + 2, j] + d * tile[term + 3, j])
            value += (half * work[_Y + j]) * work[_LATER + j] - work[_LATEST + j] + extra * work[_EXTRA + j]
            work[_LATEST + j] = work[_LATER + j]
            work[_LATER + j] = value
    for j in range(row.size):
        value = work[_LATER + j]
        row[j] = value * work[_X + j] if parity == -1 else value


@kernel
def separable_pairs(
    x: Array, rows: Indices, columns: Indices, coefficients: Array, signs: Array, ranks: Ranks, parity: int
) -> Array:
    """Return `f_ij(x)` of some rows i with some columns j, shape (m,), `right_kl = signs_kl left_kl`.

    Args:
        x: arguments, shape (m,), within [-1, 1].
        rows: i, shape (m,).
        columns: j, shape (m,).
        coefficients: `left_kl`, shape (n, R).
        signs: shape (R,).
        ranks: number of terms of each degree, their sum R.
        parity: 0, 1 (even) or -1 (odd).
    """
    values = np.empty_like(x)
    blocks = (x.size + _BLOCK - 1) // _BLOCK
    for block in prange(blocks):
        for i in range(block * _BLOCK, min(x.size, (block + 1) * _BLOCK)):
            y = 2.0 * x[i] if parity == 0 else 4.0 * x[i] * x[i] - 2.0
            later, latest, term = 0.0, 0.0, signs.size
            for k in range(ranks.size - 1, -1, -1):
                coefficient = 0.0
                for _ in range(ranks[k]):
                    term -= 1
                    coefficient += signs[term] * coefficients[rows[i], term] * coefficients[columns[i], term]
                half = 1.0 if k else 0.5
                later, latest = coefficient + half * y * later - latest, later
            values[i] = later * x[i] if parity == -1 else later
    return values


@kernel
def tabulated_pairs(
    variances: tuple[Array, Array],
    x: Array,
    pieces: tuple[Array, float, float],
    signs: Array,
    ranks: Ranks,
    parity: int,
) -> tuple[Array, Array]:
    """Return `f_ij(x)`, as `separable_pairs` does, and products of scales, for rows and columns of any variances.

    Args:
        variances: of the row and of the column of each entry, shape (m,) each.
        x: arguments, shape (m,), within [-1, 1].
        pieces: monomial coefficients on equal pieces in the variances' logarithm, lowest degree first, shape
            (pieces, 8, R + 1), the last column that of the scale; the left end of the first; pieces per unit.
        signs: shape (R,).
        ranks: number of terms of each degree, their sum R.
        parity: 0, 1 (even) or -1 (odd).
    """
    table, low, density = pieces
    values, scales = np.empty_like(x), np.empty_like(x)
    count = signs.size
    blocks = (x.size + _BLOCK - 1) // _BLOCK
    for block in prange(blocks):
        first, second = np.empty(count + 1), np.empty(count + 1)
        for i in range(block * _BLOCK, min(x.size, (block + 1) * _BLOCK)):
            _at_piece(table, (np.log(variances[0][i]) - low) * density, first)
            _at_piece(table, (np.log(variances[1][i]) - low) * density, second)
            scales[i] = first[count] * second[count]
            for term in range(count):
                first[term] *= signs[term] * second[term]
            y = 2.0 * x[i] if parity == 0 else 4.0 * x[i] * x[i] - 2.0
            later, latest, term = 0.0, 0.0, count
            for k in range(ranks.size - 1, -1, -1):
                coefficient = 0.0
                for _ in range(ranks[k]):
                    term -= 1
                    coefficient += first[term]
                half = 1.0 if k else 0.5
                later, latest = coefficient + half * y * later - latest, later
            values[i] = later * x[i] if parity == -1 else later
    return values, scales


@fused_helper
def _at_piece(table: Array, position: float, values: Array) -> None:
    """Evaluate all columns at a point, in units of a piece from the left end of the first."""
    piece = min(max(int(position), 0), table.shape[0] - 1)
    t = 2.0 * (position - piece) - 1.0
    rows = table[piece]
    for j in range(values.size):
        values[j] = rows[6, j] + t * rows[7, j]
    for degree in range(4, -2, -2):
        for j in range(values.size):
            values[j] = (values[j] * t + rows[degree + 1, j]) * t + rows[degree, j]


@kernel
def largest_cosines(matrix: Array, factors: Array, shift: float) -> Array:
    """Return the largest `|t_ij + shift| factors_i factors_j` of each row of the upper triangle off the diagonal."""
    n = matrix.shape[0]
    largest = np.zeros(n)
    for k in prange(n):
        i = interleaved(k, n)
        worst = 0.0
        for j in range(i + 1, n):
            worst = max(worst, abs(matrix[i, j] + shift) * factors[j])
        largest[i] = worst * factors[i]
    return largest


@kernel
def series_at(
    coefficients: Array,
    roots: Array,
    rows: Indices,
    columns: Indices,
    inputs: Array,
    weight: float,
    values: Array,
    layer: bool,
) -> None:
    """Evaluate Gram entries by Mehler's series.

    With `k_ij(c) = sum_r a_r(q_i) a_r(q_j) (c / sqrt(q_i q_j))^r`, the entry is `k_ij(weight below + t)` of one layer,
    or `k_ij(c)` at the solution of `c = weight k_ij(c) + t`.

    Args:
        coefficients: rows `a_r(q_i)`, shape (n, N).
        roots: square roots of the variances, shape (n,).
        rows: i, shape (m,).
        columns: j, shape (m,).
        inputs: t, shape (m,).
        weight: sigma_w^2.
        values: entries of the layer below where a layer is asked for, replaced by the result, shape (m,).
        layer: whether one layer is applied in place of the fixed point.
    """
    chunks = (inputs.size + _BLOCK - 1) // _BLOCK
    for chunk in prange(chunks):
        product = np.empty(coefficients.shape[1])
        for k in range(chunk * _BLOCK, min(inputs.size, (chunk + 1) * _BLOCK)):
            i, j, t = rows[k], columns[k], inputs[k]
            for r in range(product.size):
                product[r] = coefficients[i, r] * coefficients[j, r]
            root = roots[i] * roots[j]
            if layer:
                values[k] = _value(product, (weight * values[k] + t) / root)
            else:
                values[k] = _fixed_point(product, t, root, weight)


@helper
def _value(product: Array, rho: float) -> float:
    rho = min(1.0, max(-1.0, rho))
    value = 0.0
    for r in range(product.size - 1, -1, -1):
        value = value * rho + product[r]
    return value


@helper
def _fixed_point(product: Array, t: float, root: float, weight: float) -> float:
    """Return `k(c)` at the solution of `c = weight k(c) + t`, by Newton's method kept within the contraction."""
    c = min(root, max(-root, t))
    best, least = 0.0, np.inf
    for _ in range(_MAX_STEPS):
        rho = c / root
        value = 0.0
        slope = 0.0
        for r in range(product.size - 1, -1, -1):
            slope = slope * rho + value
            value = value * rho + product[r]
        excess = c - weight * value - t
        if abs(excess) >= least:
            break
        best, least = value, abs(excess)
        if least <= 1e-16 * root:
            break
        # The slope of the excess lies within weight L^2 < 1 of 1; a plain contraction step is always allowed.
        derivative = 1.0 - weight * slope / root
        c -= excess / derivative if derivative > 0.05 else excess
        c = min(root, max(-root, c))
    return best

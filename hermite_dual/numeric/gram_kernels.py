"""Numba kernels that turn a matrix of inner products into a Gram matrix, in place and symmetric to the last bit."""

import numpy as np
from numpy.typing import NDArray

from hermite_dual.numeric.jit import helper, kernel, prange

Array = NDArray[np.float64]

_BLOCK = 64
_MAX_STEPS = 60


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
            _apply_row(matrix[i, i:], scale, shift, square_root, edges, coefficients)
    for block in prange(blocks):
        low, high = block * _BLOCK, min(n, (block + 1) * _BLOCK)
        for start in range(0, low + _BLOCK, _BLOCK):
            for i in range(low, high):
                for j in range(start, min(start + _BLOCK, i)):
                    matrix[i, j] = matrix[j, i]


@helper
def _apply_row(row: Array, scale: float, shift: float, square_root: bool, edges: Array, coefficients: Array) -> None:
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
def solve_separable(
    inner: Array, coefficients: Array, roots: Array, weight: float, residual: Array, layers: bool, previous: Array
) -> None:
    """Replace each off-diagonal inner product `t` by `k_ij(c)`, in place, k given by separable coefficients.

    With `k_ij(c) = sum_r a_r(q_i) a_r(q_j) (c / sqrt(q_i q_j))^r`, the covariance c solves `c = weight k_ij(c) + t`
    (safeguarded Newton), or is `weight previous_ij + t` where `layers` asks for one layer.

    Args:
        inner: (n, n) inner products; the upper triangle is read, both are written. The diagonal is left alone.
        coefficients: (n, N) rows `a_r(q_i)`.
        roots: (n,) square roots of the variances.
        weight: sigma_w^2.
        residual: (n,) receives the largest |F| left in each row.
        layers: whether one layer is applied in place of the fixed point.
        previous: (n, n) Gram of the layer below, or a (1, 1) dummy.
    """
    n = inner.shape[0]
    for i in prange(n):
        worst = 0.0
        product = np.empty(coefficients.shape[1])
        for j in range(i + 1, n):
            for r in range(product.size):
                product[r] = coefficients[i, r] * coefficients[j, r]
            t = inner[i, j]
            root = roots[i] * roots[j]
            if layers:
                inner[i, j] = _value(product, (weight * previous[i, j] + t) / root)
            else:
                inner[i, j], left = _fixed_point(product, t, root, weight)
                worst = max(worst, left)
        residual[i] = worst
    for i in prange(n):
        for j in range(i):
            inner[i, j] = inner[j, i]


@helper
def _value(product: Array, rho: float) -> float:
    rho = min(1.0, max(-1.0, rho))
    value = 0.0
    for r in range(product.size - 1, -1, -1):
        value = value * rho + product[r]
    return value


@helper
def _fixed_point(product: Array, t: float, root: float, weight: float) -> tuple[float, float]:
    """Return `k(c)` and the residual at the solution of `c = weight k(c) + t`."""
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
    return best, least


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

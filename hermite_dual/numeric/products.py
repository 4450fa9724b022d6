"""Symmetric products of data, one triangle only."""

import numpy as np

from hermite_dual.arrays import Array

LARGEST_WHOLE = 12_288
"""OpenBLAS's symmetric product on several threads leaves its buffers from about n = 16,000 and d = 700 on, and ends the
process, alone or inside LAPACK's Cholesky factorization; what is larger is made in pieces."""
_PANEL = 2048


def upper_product(X: Array, factor: float) -> Array:
    """Return an (n, n) array whose upper triangle is that of `factor X X^T`; what is below is not set.

    NumPy's `X @ X.T` computes one triangle as well, and then copies it entry by entry.
    """
    return _update(np.empty((X.shape[0], X.shape[0])), X, factor, 0.0)


def add_upper_product(matrix: Array, X: Array, factor: float) -> None:
    """Add `factor X X^T` to the upper triangle of a C-contiguous (n, n) array, in place."""
    _update(matrix, X, factor, 1.0)


def _update(matrix: Array, X: Array, factor: float, keep: float) -> Array:
    rows = np.ascontiguousarray(X)
    n = len(rows)
    if n <= LARGEST_WHOLE:
        return _symmetric_update(matrix, rows, factor, keep)
    for start in range(0, n, _PANEL):
        stop = min(start + _PANEL, n)
        diagonal_block = matrix[start:stop, start:stop]
        diagonal_block[:] = _symmetric_update(np.ascontiguousarray(diagonal_block), rows[start:stop], factor, keep)
        beside = matrix[start:stop, stop:]
        if keep:
            beside += factor * (rows[start:stop] @ rows[stop:].T)
        elif stop < n:
            np.matmul(rows[start:stop], rows[stop:].T, out=beside)
            beside *= factor
    return matrix


def _symmetric_update(matrix: Array, rows: Array, factor: float, keep: float) -> Array:
    from scipy.linalg.blas import dsyrk

    # The transpose of a C array is a Fortran array, its lower triangle the upper one.
    return dsyrk(factor, rows.T, c=matrix.T, beta=keep, trans=1, lower=1, overwrite_c=1).T

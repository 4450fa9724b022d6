"""Symmetric products of data, one triangle only."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def upper_product(X: Array, factor: float) -> Array:
    """Return an (n, n) array whose upper triangle is that of `factor X X^T`; what is below is not set.

    NumPy's `X @ X.T` computes one triangle as well, and then copies it entry by entry.
    """
    return _update(np.empty((X.shape[0], X.shape[0])), X, factor, 0.0)


def add_upper_product(matrix: Array, X: Array, factor: float) -> None:
    """Add `factor X X^T` to the upper triangle of a C-contiguous (n, n) array, in place."""
    _update(matrix, X, factor, 1.0)


def _update(matrix: Array, X: Array, factor: float, keep: float) -> Array:
    from scipy.linalg.blas import dsyrk

    # The transpose of a C array is a Fortran array, its lower triangle the upper one.
    rows = np.ascontiguousarray(X)
    return dsyrk(factor, rows.T, c=matrix.T, beta=keep, trans=1, lower=1, overwrite_c=1).T

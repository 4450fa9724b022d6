"""Least eigenvalues of symmetric matrices in float64: estimates, without proof."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh

Array = NDArray[np.float64]


def least_eigenvalue_estimate(matrix: Array) -> float:
    """Return LAPACK's least eigenvalue of a symmetric matrix; its error is a small multiple of `n eps ||A||`."""
    return float(eigvalsh(matrix, subset_by_index=(0, 0), check_finite=False)[0])

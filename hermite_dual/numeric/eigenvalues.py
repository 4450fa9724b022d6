"""Least eigenvalues of symmetric matrices in float64: estimates, without proof."""

from scipy.linalg import eigvalsh

from hermite_dual.arrays import Array


def least_eigenvalue_estimate(matrix: Array) -> float:
    """Return LAPACK's least eigenvalue of a symmetric matrix; its error is a small multiple of `n eps ||A||`."""
    return float(eigvalsh(matrix, subset_by_index=(0, 0), check_finite=False)[0])

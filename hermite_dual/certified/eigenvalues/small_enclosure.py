"""Enclosures of the least eigenvalue from a dense eigenvector, and in ball arithmetic.

Derivation: docs/theory/eigenvalues.md, "Ball arithmetic up to n = 300".
"""

import math

import numpy as np
import scipy.linalg

from hermite_dual.arrays import Array
from hermite_dual.certified.eigenvalues.ball_eigenvalues import ball_bounds, bounds_as_floats
from hermite_dual.certified.eigenvalues.bottom_vector import inverse_iteration
from hermite_dual.certified.eigenvalues.cholesky_bounds import down, is_graded, scaled_lower, search_lower
from hermite_dual.certified.eigenvalues.entry_norm import EntryError, entry_norm
from hermite_dual.certified.eigenvalues.rayleigh import rayleigh_upper


def ball_enclosure(matrix: Array, error: EntryError, bits: int) -> tuple[float, float, Array]:
    """Bounds in ball arithmetic, less and plus the entry errors."""
    low, high, vector = ball_bounds(matrix, bits)
    lower, upper = bounds_as_floats(low, high)
    norm = entry_norm(error, matrix.shape[0])
    if norm > 0:
        lower, upper = down(lower - norm), math.nextafter(upper + norm, math.inf)
    return lower, upper, vector


def small_enclosure(matrix: Array, error: EntryError) -> tuple[float, float, Array]:
    """Bounds from a dense eigenvector, and from inverse iteration where the rows differ in scale."""
    scale = float(np.max(np.abs(matrix))) or 1.0
    _, vectors = scipy.linalg.eigh(matrix / scale, subset_by_index=[0, 0])
    vector = np.ascontiguousarray(vectors[:, 0])
    upper = rayleigh_upper(matrix, vector, error)
    graded = is_graded(matrix.diagonal())
    if graded:
        other = inverse_iteration(matrix)
        value = math.inf if other is None else rayleigh_upper(matrix, other, error)
        if other is not None and value < upper:
            upper, vector = value, other
    lower = search_lower(matrix, upper, error)
    if graded:
        lower = max(lower, scaled_lower(matrix, upper, error))
    return lower, upper, vector

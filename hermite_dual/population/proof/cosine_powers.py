"""Proven lower bounds of the least eigenvalues of entrywise powers of the samples' cosines.

Derivation: docs/theory/layers.md, "Series in the cosine".
"""

from collections.abc import Sequence

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import UNIT, gamma
from hermite_dual.certified.eigenvalues.eigenvalues import least_eigenvalue

_POWER_ROUNDINGS = 64
"""Units in the last place that cover NumPy's power of a number up to 1."""


def cosine_power_bounds(samples: Array, degrees: Sequence[int]) -> Array:
    """Return lower bounds of `lambda_min(C^(op))`, `C_ij = x_i.x_j/(|x_i| |x_j|)`, for each degree p, proven.

    None is negative, by Schur's theorem, and none is below one of a smaller degree: `C^(o(p-r))` has the diagonal 1,
    so that `lambda_min(C^(op)) >= lambda_min(C^(or))` for r < p.

    Args:
        samples: rows x_i, none of them zero, shape (m, d).
        degrees: increasing, at least 0.
    """
    m, d = samples.shape
    # Scaled by powers of two, exactly but for what is lost below 2^-1074, so that no square over- or underflows.
    _, exponents = np.frexp(np.abs(samples).max(axis=1))
    rows = np.ldexp(samples, -exponents[:, None])
    squares = np.einsum("ij,ij->i", rows, rows)
    inner = rows @ rows.T
    cosines = np.triu(inner / np.sqrt(np.multiply.outer(squares, squares)), 1)
    cosines += cosines.T
    np.fill_diagonal(cosines, 1.0)
    # The inner product is off by gamma_d |x| |y|, the root of the product of the squares relatively by gamma_d + 2 u.
    error = (2.0 * gamma(d) + 8.0 * UNIT) * 1.01
    np.clip(cosines, -1.0, 1.0, out=cosines)
    bounds = np.zeros(len(degrees))
    for position, degree in enumerate(degrees):
        # |x^p - y^p| <= p |x - y| on [-1, 1]
        power_error = degree * error + _POWER_ROUNDINGS * UNIT
        bounds[position] = least_eigenvalue(cosines**degree, power_error).lower if m > 1 else 1.0
    return np.asarray(np.maximum.accumulate(np.maximum(bounds, 0.0)))

"""Proven lower bounds of the least eigenvalues of entrywise powers of the samples' cosines, and of their sums.

Derivation: docs/theory/layers.md, "Series in the cosine", "Proven series".
"""

from collections.abc import Sequence

import numpy as np
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import lower_float, working_precision
from hermite_dual.certified.balls.rounding import UNIT, gamma
from hermite_dual.certified.counted.inner_products import squared_norms
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


@working_precision(128)
def cosine_lower_bound(coefficients: Sequence[arb], remainder: arb, samples: Array, factor: float = 1.0) -> float:
    """Return a lower bound of `factor lambda_min(sum_p kappa_p C^(op))`, rounded down.

    Args:
        coefficients: balls of the first `kappa_p`, none of them negative.
        remainder: a ball of the sum of all others.
        samples: rows x_i, none of them zero, shape (m, d).
        factor: at least 0.
    """
    kept = {p: ball.lower() for p, ball in enumerate(coefficients) if ball.lower() > 0}
    if not kept:
        return 0.0
    bounds = cosine_power_bounds(samples, list(kept))
    total = sum((kappa * arb(bound) for kappa, bound in zip(kept.values(), bounds.tolist(), strict=True)), arb(0))
    # the terms left out are of a degree at least as high as the last that is kept
    total += remainder.lower().max(arb(0)) * arb(float(bounds[-1]))
    return max(lower_float(total * arb(factor)), 0.0)


def least_mean_square(samples: Array) -> float:
    """Return a lower bound of `|x_i|^2/d` over the rows."""
    squares, errors = squared_norms(samples)
    return max(float((squares - errors).min()) / samples.shape[1] * (1.0 - 4.0 * UNIT), 0.0)

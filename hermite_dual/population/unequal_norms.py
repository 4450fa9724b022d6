"""At unequal norms: each Gram entry is a scalar fixed point of its own, from separable Hermite coefficients."""

import numpy as np
from numpy.typing import NDArray

from hermite_dual.activation import Activation
from hermite_dual.errors import ConvergenceError
from hermite_dual.numeric.kernel import kernel_with_error
from hermite_dual.numeric.mehler import EPS
from hermite_dual.population.variances import coefficient_table, fixed_point_variances, moments

Array = NDArray[np.float64]

_RESOLVED = 16.0 * EPS
"""Series remainder, relative to the entry's scale, at which the separable series stands for the kernel."""
_MAX_STEPS = 200


def unequal_norm_gram(
    activation: Activation, inner: Array, weight: float, depth: int | None
) -> tuple[Array, Array, float]:
    """Return the Gram matrix, the variances `S_ii` and an estimate of the largest error of an entry.

    Args:
        activation: phi.
        inner: `sigma_u^2 X X^T / d + sigma_b^2`, shape (n, n).
        weight: sigma_w^2.
        depth: number of layers, at least 1, or None for the limit.
    """
    diagonal = np.diagonal(inner).copy()
    if depth is None:
        variances = fixed_point_variances(activation, weight, diagonal)
        return _one_map(activation, inner, weight, variances, None)
    variances, matrix = diagonal, np.zeros_like(inner)
    error = 0.0
    slope = weight * activation.lipschitz**2 if np.isfinite(activation.lipschitz) else 0.0
    for layer in range(depth):
        if layer:
            variances = weight * np.diagonal(matrix) + diagonal
        matrix, variances, added = _one_map(activation, inner, weight, variances, matrix)
        error = added + slope * error
    return matrix, variances, error


def _one_map(
    activation: Activation, inner: Array, weight: float, variances: Array, previous: Array | None
) -> tuple[Array, Array, float]:
    """Return the fixed point, or one layer on `previous`, at given variances."""
    from hermite_dual.numeric.gram_kernels import solve_separable

    table, tails = coefficient_table(activation, variances)
    roots = np.sqrt(variances)
    matrix, residual = inner.copy(), np.zeros(len(inner))
    below = np.zeros((1, 1)) if previous is None else previous
    solve_separable(matrix, table, roots, weight, residual, previous is not None, below)
    np.fill_diagonal(matrix, moments(activation, variances))
    scale = float(np.diagonal(matrix).max())
    error = _refine(activation, matrix, inner, weight, variances, table.shape[1], tails, previous)
    contraction = weight * activation.lipschitz**2 if previous is None else 0.0
    # The residual counts K through sigma_w^2 K; so does the rounding of the series.
    rounding = (8.0 * EPS * scale + float(residual.max()) / max(weight, EPS)) / max(1.0 - contraction, EPS)
    return matrix, variances, error + min(rounding, 64.0 * EPS * scale / max(1.0 - contraction, EPS))


def _refine(
    activation: Activation,
    matrix: Array,
    inner: Array,
    weight: float,
    variances: Array,
    count: int,
    tails: Array,
    previous: Array | None,
) -> float:
    """Integrate the entries whose correlation is too close to one for the series; return the error left over."""
    covariance = weight * (matrix if previous is None else previous) + inner
    rho = np.abs(covariance) / np.sqrt(np.outer(variances, variances))
    with np.errstate(under="ignore"):
        remainder = np.minimum(rho, 1.0) ** count * np.sqrt(np.outer(tails, tails))
    scale = np.sqrt(np.outer(np.diagonal(matrix), np.diagonal(matrix)))
    rows, columns = np.nonzero(np.triu(remainder > _RESOLVED * scale, 1))
    if not rows.size:
        return float(np.triu(remainder, 1).max(initial=0.0))
    q1, q2, t = variances[rows], variances[columns], inner[rows, columns]
    limit = np.sqrt(q1) * np.sqrt(q2)
    if previous is None:
        values, error = _fixed_points(activation, weight, q1, q2, t, matrix[rows, columns])
    else:
        c = np.clip(covariance[rows, columns], -limit, limit)
        values, errors = kernel_with_error(activation, q1, q2, c)
        error = float(errors.max())
    matrix[rows, columns] = values
    matrix[columns, rows] = values
    remainder[rows, columns] = 0.0
    return float(max(error, np.triu(remainder, 1).max(initial=0.0)))


def _fixed_points(
    activation: Activation, weight: float, q1: Array, q2: Array, t: Array, start: Array
) -> tuple[Array, float]:
    """Solve `c = weight k(q1, q2, c) + t` by contraction from the series' values, entry by entry in parallel."""
    limit = np.sqrt(q1) * np.sqrt(q2)
    values, errors = start, np.zeros_like(start)
    contraction = weight * activation.lipschitz**2
    for _ in range(_MAX_STEPS):
        updated, errors = kernel_with_error(activation, q1, q2, np.clip(weight * values + t, -limit, limit))
        change = np.abs(updated - values)
        values = updated
        if (weight * change <= 4.0 * EPS * limit).all():
            return values, float((errors + change * contraction).max() / (1.0 - contraction))
    raise ConvergenceError(
        f"off-diagonal fixed points are not found to rounding in {_MAX_STEPS} steps (contraction "
        f"{contraction:.6f}): reduce sigma_w, or ask for a finite depth"
    )

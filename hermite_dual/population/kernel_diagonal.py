"""Diagonals of the population kernels, without the matrices."""

import numpy as np
from numpy.typing import NDArray

from hermite_dual.numeric.gaussian import second_moment
from hermite_dual.population.gram import Model
from hermite_dual.population.price_dual import slope_of
from hermite_dual.population.variances import fixed_point_variances, moments, on_distinct

Array = NDArray[np.float64]


def kernel_diagonal(model: Model, *, tangent: bool = False) -> Array:
    """Return `K_ii`, or `Theta_ii`, for each row, shape (n,); see `population_gram` and `population_ntk`.

    Args:
        model: with checked samples, none zero without bias; the limit needs `sigma_w L < 1`.
        tangent: whether to return the diagonal of the tangent kernel.
    """
    phi, weight = model.activation, model.sigma_w**2
    rows = model.samples
    inner = model.sigma_u**2 / rows.shape[1] * np.einsum("ij,ij->i", rows, rows) + model.sigma_b**2
    if model.depth is None:
        variances = fixed_point_variances(phi, weight, inner)
        values = moments(phi, variances)
        if not tangent:
            return values
        slope = _slopes(model, variances)
        return np.asarray(values + variances * slope / (1.0 - weight * slope))
    values, passed = np.zeros_like(inner), np.zeros_like(inner)
    for _ in range(model.depth):
        variances = weight * values + inner
        values = moments(phi, variances)
        if tangent:
            passed = _slopes(model, variances) * (variances + weight * passed)
    return np.asarray(values + passed)


def _slopes(model: Model, variances: Array) -> Array:
    derivative = slope_of(model.activation)
    return on_distinct(lambda q: second_moment(derivative, q), variances)

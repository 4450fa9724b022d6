"""Diagonals of the population kernels, without the matrices."""

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.numeric.gaussian import second_moment
from hermite_dual.population.entries.model import Model
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.population.entries.variances import fixed_point_variances, moments, on_distinct


def kernel_diagonal(model: Model, *, tangent: bool = False) -> Array:
    """Return `K_ii`, or `Theta_ii`, for each row, shape (n,); see `population_gram` and `population_ntk`.

    Args:
        model: with checked samples; the limit needs `sigma_w L < 1`.
        tangent: whether to return the diagonal of the tangent kernel.
    """
    inner = model.inputs_variances()
    zero = inner == 0.0
    diagonal = np.empty_like(inner)
    for rows in (zero, ~zero):
        if rows.any():
            diagonal[rows] = _diagonal(model, inner[rows], tangent)
    return diagonal


def _diagonal(model: Model, inner: Array, tangent: bool) -> Array:
    """Return the entries of rows whose inputs' parts of the variances are all zero, or all not."""
    phi, weight = model.activation, model.weight
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
    # without variance there is no S either: kdot does not count
    return on_distinct(lambda q: second_moment(derivative, q) if q else 0.0, variances, derivative.coarseness)

"""Diagonals of the population kernels, without the matrices."""

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.numeric.gaussian import second_moment
from hermite_dual.population.entries.model import Model
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.population.entries.variances import diagonal_above, moments, on_distinct, row_variances


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
    if model.depth == 0:
        return np.zeros_like(inner)
    recursion = model.recursion
    layers = row_variances(recursion, inner)
    if not tangent:
        return diagonal_above(recursion, layers, inner)[0]
    if recursion.limit:
        values, slope = moments(recursion.last, layers[0]), _slopes(recursion.last, layers[0])
        return np.asarray(values + layers[0] * slope / (1.0 - recursion.weight * slope))
    passed = inner
    for layer, variances in zip(recursion.layers, layers, strict=True):
        kernel = moments(layer.activation, variances)
        passed = layer.tangent_above(passed, _slopes(layer.activation, variances), kernel, inner)
    return passed


def _slopes(activation: Activation, variances: Array) -> Array:
    derivative = slope_of(activation)
    # without variance there is no S either: kdot does not count
    return on_distinct(lambda q: second_moment(derivative, q) if q else 0.0, variances, derivative.coarseness)

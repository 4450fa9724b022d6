"""Derivatives of the population kernels in the logarithms of the model's scales.

With `w = sigma_w^2`, `P = sigma_u^2 X X^T / d + sigma_b^2` and a dot for the derivative in a parameter, the limit has

    q_i = w m(q_i) + P_ii           =>  q_i. = (w. m(q_i) + P_ii.) / (1 - w m'(q_i)),
    K_ij = k(q_i, q_j, w K_ij + P_ij)
        =>  K_ij. = (k_1 q_i. + k_2 q_j. + kdot (w. K_ij + P_ij.)) / (1 - w kdot),

by the implicit function theorem: both denominators are positive where `sigma_w L < 1`. At finite depth the same
differential of a layer is applied layer by layer. The tangent kernel's derivatives need those of kdot besides.
"""

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.population.entries.identical_rows import identical_rows
from hermite_dual.population.entries.layer_slopes import (
    LayerSlopes,
    has_kinked_homogeneous_form,
    kinked_slope_slopes,
    layer_slopes,
)
from hermite_dual.population.entries.layered_gram import layer_gram
from hermite_dual.population.entries.model import Model
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.population.gram import population_gram

SCALES = ("sigma_w", "sigma_u", "sigma_b")


def gram_gradient(model: Model, scales: tuple[str, ...], *, tangent: bool = False) -> tuple[Array, Array]:
    """Return a population kernel and its derivatives in `log sigma` for some of the scales.

    Args:
        model: with checked samples; the limit needs `sigma_w L < 1`, which the caller has checked.
        scales: some of `"sigma_w"`, `"sigma_u"`, `"sigma_b"`.
        tangent: whether to return the derivatives of the tangent kernel.

    Returns:
        The Gram matrix K, shape (n, n), or where `tangent` the tangent kernel; and derivatives of shape
        (n, n, len(scales)).

    Raises:
        InvalidInputError: phi has no derivative that is a function; or `tangent`, and phi' jumps, unless phi is linear
            on either side of 0.
    """
    if unknown := set(scales) - set(SCALES):
        raise InvalidInputError(f"scales {sorted(unknown)}: allowed are {', '.join(SCALES)}")
    inner = model.inputs_covariance()
    changes = [_change(model, inner, scale) for scale in scales]
    if model.depth is None:
        kernel, gradients = _limit(model, changes, tangent)
    else:
        kernel, gradients = _layers(model, inner, changes, tangent)
    kernel = kernel.copy()
    identical = identical_rows(model.samples, model.samples)
    for matrix in (kernel, *gradients):
        matrix[identical] = matrix[identical[0], identical[0]]
    return kernel, np.stack(gradients, axis=2) if gradients else np.empty((*inner.shape, 0))


def _change(model: Model, inner: Array, scale: str) -> tuple[float, Array]:
    """Return the derivatives of `w` and `P` in the logarithm of a scale."""
    if scale == "sigma_w":
        return 2.0 * model.weight, np.zeros_like(inner)
    if scale == "sigma_u":
        return 0.0, 2.0 * (inner - model.sigma_b**2)
    return 0.0, np.full_like(inner, 2.0 * model.sigma_b**2)


def _limit(model: Model, changes: list[tuple[float, Array]], tangent: bool) -> tuple[Array, list[Array]]:
    weight, gram = model.weight, population_gram(model)
    matrix, covariance = gram.matrix, gram.preactivation
    slopes = layer_slopes(model.activation, covariance)
    second = _slope_slopes(model.activation, covariance) if tangent else None
    room = 1.0 - weight * slopes.slope
    gain = slopes.slope / room
    gradients = []
    for of_weight, of_inner in changes:
        variance_changes = (of_weight * np.diagonal(matrix) + np.diagonal(of_inner)) / (1.0 - weight * slopes.diagonal)
        direct = of_weight * matrix + of_inner
        off = (slopes.variance_part(variance_changes) + slopes.slope * direct) / room
        change = slopes.with_diagonal(off, variance_changes)
        if second is not None:
            of_covariance = direct + weight * change
            np.fill_diagonal(of_covariance, variance_changes)
            of_gain = (second.apply(of_covariance) + of_weight * slopes.slope**2) / room**2
            change = change + of_covariance * gain + covariance * of_gain
        gradients.append(change)
    return matrix + covariance * gain if tangent else matrix, gradients


def _layers(model: Model, inner: Array, changes: list[tuple[float, Array]], tangent: bool) -> tuple[Array, list[Array]]:
    weight, phi, depth = model.weight, model.activation, model.depth or 0
    # notation: matrix K(l), passed T(l) with Theta = K + T, and lists of their derivatives
    matrix, passed = np.zeros_like(inner), np.zeros_like(inner)
    gradients = [np.zeros_like(inner) for _ in changes]
    passed_gradients = [np.zeros_like(inner) for _ in changes]
    for layer in range(depth):
        covariance = weight * matrix + inner
        slopes = layer_slopes(phi, covariance)
        second = _slope_slopes(phi, covariance) if tangent else None
        for k, (of_weight, of_inner) in enumerate(changes):
            of_covariance = of_weight * matrix + weight * gradients[k] + of_inner
            if second is not None:
                of_passed = of_covariance + of_weight * passed + weight * passed_gradients[k]
                of_slope = second.apply(of_covariance)
                passed_gradients[k] = of_slope * (covariance + weight * passed) + slopes.slope * of_passed
            gradients[k] = slopes.apply(of_covariance)
        passed = slopes.slope * (covariance + weight * passed)
        last = layer == depth - 1
        matrix = population_gram(model).matrix if last else layer_gram(phi, covariance)[0]
    if not tangent:
        return matrix, gradients
    return matrix + passed, [a + b for a, b in zip(gradients, passed_gradients, strict=True)]


def _slope_slopes(phi: Activation, covariance: Array) -> LayerSlopes:
    """Return the differential of `S -> kdot(S)`, which is the layer of phi'."""
    if has_kinked_homogeneous_form(phi):
        return kinked_slope_slopes(phi, covariance)
    derivative = slope_of(phi)
    if derivative.expr is not None and derivative.jumps:
        raise InvalidInputError(
            f"the derivative of {phi.name} jumps at {', '.join(map(str, derivative.jumps))}: the gradient of its "
            'tangent kernel is not available; take kind="gram", or keep the scales fixed (optimizer=None)'
        )
    return layer_slopes(derivative, covariance)

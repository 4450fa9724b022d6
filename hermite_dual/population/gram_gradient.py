"""Derivatives of the population kernels in the logarithms of the model's scales.

With `w = sigma_w^2`, `P = sigma_u^2 X X^T / d + sigma_b^2` and a dot for the derivative in a parameter, the limit has

    q_i = w m(q_i) + P_ii           =>  q_i. = (w. m(q_i) + P_ii.) / (1 - w m'(q_i)),
    K_ij = k(q_i, q_j, w K_ij + P_ij)
        =>  K_ij. = (k_1 q_i. + k_2 q_j. + kdot (w. K_ij + P_ij.)) / (1 - w kdot),

by the implicit function theorem: both denominators are positive where `sigma_w L < 1`. Of finitely many layers
`S(l+1) = carry S + w k(S) + b + inputs P` (`recursion.LayerRule`) the differential

    S(l+1). = carry S. + w. k + w k. + b. + inputs P.,        k. = kdot S. + k_1 S_ii. + k_2 S_jj.,

is applied layer by layer. The tangent kernel's derivatives need those of kdot besides.
"""

from dataclasses import dataclass, replace

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


@dataclass(frozen=True, eq=False)
class _Change:
    """Derivatives in the logarithm of a scale.

    Attributes:
        inner: of P, shape (n, n).
        weights: of the factors `w` of the layers.
        biases: of their biases.
    """

    inner: Array
    weights: tuple[float, ...]
    biases: tuple[float, ...]


def gram_gradient(model: Model, scales: tuple[str, ...], *, tangent: bool = False) -> tuple[Array, Array]:
    """Return a population kernel and its derivatives in `log sigma` for some of the scales.

    Args:
        model: with checked samples; the limit needs `sigma_w L < 1`, which the caller has checked.
        scales: some of `"sigma_w"`, `"sigma_u"`, `"sigma_b"`; of a multilayer network sigma_w and sigma_b are those of
            all layers, the first and the readout among them, and there is no sigma_u.
        tangent: whether to return the derivatives of the tangent kernel.

    Returns:
        The Gram matrix K, shape (n, n), or where `tangent` the tangent kernel; and derivatives of shape
        (n, n, len(scales)).

    Raises:
        InvalidInputError: phi has no derivative that is a function; or `tangent`, and phi' jumps, unless phi is linear
            on either side of 0.
    """
    allowed = SCALES if model.layers is None else ("sigma_w", "sigma_b")
    if unknown := set(scales) - set(allowed):
        raise InvalidInputError(f"scales {sorted(unknown)}: allowed are {', '.join(allowed)}")
    inner = model.inputs_covariance()
    if model.depth == 0:
        kernel, gradients = np.zeros_like(inner), [np.zeros_like(inner) for _ in scales]
    else:
        changes = [_change(model, inner, scale) for scale in scales]
        kernel, gradients = _limit(model, changes, tangent) if model.depth is None else _layers(model, changes, tangent)
    kernel = kernel.copy()
    identical = identical_rows(model.samples, model.samples)
    for matrix in (kernel, *gradients):
        matrix[identical] = matrix[identical[0], identical[0]]
    return kernel, np.stack(gradients, axis=2) if gradients else np.empty((*inner.shape, 0))


def _change(model: Model, inner: Array, scale: str) -> _Change:
    layers, bias = model.recursion.layers, model.sigma_b**2
    zero, zeros = np.zeros_like(inner), (0.0,) * len(layers)
    if model.layers is not None:
        # what ends in `k(S)` itself has no weights of its own
        trained = [layer if layer.trained else replace(layer, weight=0.0, bias=0.0) for layer in layers]
        if scale == "sigma_w":
            return _Change(2.0 * (inner - bias), tuple(2.0 * layer.weight for layer in trained), zeros)
        return _Change(np.full_like(inner, 2.0 * bias), zeros, tuple(2.0 * layer.bias for layer in trained))
    if scale == "sigma_w":
        return _Change(zero, tuple(2.0 * layer.weight * layer.inputs for layer in layers), zeros)
    return _Change(2.0 * (inner - bias) if scale == "sigma_u" else np.full_like(inner, 2.0 * bias), zeros, zeros)


def _limit(model: Model, changes: list[_Change], tangent: bool) -> tuple[Array, list[Array]]:
    weight, gram = model.recursion.weight, population_gram(model)
    matrix, covariance = gram.matrix, gram.preactivation
    slopes = layer_slopes(model.activation, covariance)
    second = _slope_slopes(model.activation, covariance) if tangent else None
    room = 1.0 - weight * slopes.slope
    gain = slopes.slope / room
    gradients = []
    for scale in changes:
        of_weight, of_inner = scale.weights[0], scale.inner
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


def _layers(model: Model, changes: list[_Change], tangent: bool) -> tuple[Array, list[Array]]:
    inner, layers = model.inputs_covariance(), model.recursion.layers
    # notation: S and T above the layers so far, and lists of their derivatives
    S, T = inner, inner
    S_changes = [change.inner for change in changes]
    T_changes = list(S_changes)
    for number, layer in enumerate(layers):
        slopes = layer_slopes(layer.activation, S)
        second = _slope_slopes(layer.activation, S) if tangent else None
        kernel = layer_gram(layer.activation, S)[0]
        for k, change in enumerate(changes):
            weight, bias = change.weights[number], change.biases[number]
            added = weight * kernel + layer.weight * slopes.apply(S_changes[k]) + bias + layer.inputs * change.inner
            if second is not None:
                factor = weight * slopes.slope + layer.weight * second.apply(S_changes[k])
                passed = factor * T + (layer.carry + layer.weight * slopes.slope) * T_changes[k]
                T_changes[k] = passed + added if layer.trained else passed
            S_changes[k] = layer.carry * S_changes[k] + added
        if tangent:
            T = layer.tangent_above(T, slopes.slope, kernel, inner)
        S = layer.above(S, kernel, inner)
    return (T, T_changes) if tangent else (population_gram(model).matrix, S_changes)


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

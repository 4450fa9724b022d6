"""What a Python function that computes in float32 adds to the errors of population kernels; 0 for all others.

With `f_i = phi(u_i)` as vectors of L^2, `K_ij = <f_i, f_j>`: an error e of each f, absolute, makes one of at most
`2 sqrt(max K_ii) e` of an entry, and arrives in the next layer's f multiplied by `sigma_w L`.

Derivation: docs/theory/numerics.md, "Panels".
"""

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.numeric.gaussian import value_error
from hermite_dual.numeric.mehler import EPS
from hermite_dual.population.entries.kernel_slope import largest_slope
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.population.entries.variances import moment, row_variances


def narrow_error(activation: Activation, inputs: Array, weight: float, depth: int | None) -> float:
    """Return the error of an entry of the Gram matrix.

    Args:
        activation: phi.
        inputs: inputs' parts of the variances, not negative, shape (n,).
        weight: sigma_w^2.
        depth: number of layers, or None for the limit.
    """
    if activation.coarseness == 1.0 or depth == 0:
        return 0.0
    total = entry = 0.0
    for layer in _extreme_layers(activation, inputs, weight, depth):
        sizes = [float(np.sqrt(moment(activation, q))) for q in layer.tolist()]
        added = max(value_error(activation, q) * size for q, size in zip(layer.tolist(), sizes, strict=True))
        growth = float(np.sqrt(weight * _square_slope(activation, layer)))
        total = added / max(1.0 - growth, EPS) if depth is None else added + growth * total
        entry = 2.0 * max(sizes) * total
    return entry


def narrow_tangent_error(activation: Activation, inputs: Array, weight: float, depth: int | None) -> float:
    """Return the error of an entry of the tangent kernel, that of the covariances excepted."""
    slope = slope_of(activation)
    if (activation.coarseness == slope.coarseness == 1.0) or depth == 0:
        return 0.0
    gram, error, tangent = narrow_error(activation, inputs, weight, depth), 0.0, 0.0
    for layer in _extreme_layers(activation, inputs, weight, depth):
        largest = max(moment(slope, q) for q in layer.tolist())
        slope_error = 2.0 * max(value_error(slope, q) for q in layer.tolist()) * largest
        variance = float(layer.max())
        if depth is None:
            room = max(1.0 - weight * largest, EPS)
            error = slope_error * variance / room**2 + weight * gram * largest / room
        else:
            error = slope_error * (variance + weight * tangent) + largest * weight * (gram + error)
            tangent = largest * (variance + weight * tangent)
    return gram + error


def _square_slope(activation: Activation, layer: Array) -> float:
    constant = activation.lipschitz**2
    return constant if np.isfinite(constant) else largest_slope(activation, layer)


def _extreme_layers(activation: Activation, inputs: Array, weight: float, depth: int | None) -> list[Array]:
    """The variances, by layer, of the rows of least and largest norm."""
    return row_variances(activation, weight, np.unique([inputs.min(), inputs.max()]), depth)

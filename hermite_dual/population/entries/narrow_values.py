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
from hermite_dual.population.entries.recursion import Recursion
from hermite_dual.population.entries.variances import moment, row_variances


def narrow_error(recursion: Recursion, inputs: Array) -> float:
    """Return the error of an entry of the kernel.

    Args:
        recursion: the layers.
        inputs: inputs' parts of the variances, not negative, shape (n,).
    """
    if all(phi.coarseness == 1.0 for phi in recursion.activations):
        return 0.0
    # notation: total is the error of the features whose inner products S are, entry what it makes of an entry of S
    total = entry = 0.0
    for layer, variances in zip(recursion.layers, _extreme_variances(recursion, inputs), strict=True):
        phi = layer.activation
        sizes = [float(np.sqrt(moment(phi, q))) for q in variances.tolist()]
        added = max(value_error(phi, q) * size for q, size in zip(variances.tolist(), sizes, strict=True))
        slope = float(np.sqrt(_square_slope(phi, variances)))
        growth = float(np.sqrt(recursion.weight)) * slope
        of_phi = added / max(1.0 - growth, EPS) if recursion.limit else added + slope * total
        weight = 1.0 if recursion.limit else layer.weight
        entry = layer.carry * entry + weight * 2.0 * max(sizes) * of_phi
        total = float(np.hypot(np.sqrt(layer.carry) * total, np.sqrt(layer.weight) * of_phi))
    return entry


def narrow_tangent_error(recursion: Recursion, inputs: Array) -> float:
    """Return the error of an entry of the tangent kernel, that of the covariances excepted."""
    slopes = [slope_of(phi) for phi in recursion.activations]
    if all(phi.coarseness == 1.0 for phi in (*recursion.activations, *slopes)):
        return 0.0
    gram, error, tangent = narrow_error(recursion, inputs), 0.0, float(inputs.max())
    layers = zip(recursion.layers, slopes, _extreme_variances(recursion, inputs), strict=True)
    for layer, slope, variances in layers:
        largest = max(moment(slope, q) for q in variances.tolist())
        slope_error = 2.0 * max(value_error(slope, q) for q in variances.tolist()) * largest
        variance = float(variances.max())
        if recursion.limit:
            room = max(1.0 - layer.weight * largest, EPS)
            error = slope_error * variance / room**2 + layer.weight * gram * largest / room
        else:
            error = layer.weight * (slope_error * tangent + largest * error) + layer.carry * error + gram
            entry = max(moment(layer.activation, q) for q in variances.tolist())
            tangent = layer.tangent_above(tangent, largest, entry, float(inputs.max()))
    return gram + error


def _square_slope(activation: Activation, layer: Array) -> float:
    constant = activation.lipschitz**2
    return constant if np.isfinite(constant) else largest_slope(activation, layer)


def _extreme_variances(recursion: Recursion, inputs: Array) -> list[Array]:
    """The variances, by layer, of the rows of least and largest norm."""
    return row_variances(recursion, np.unique([inputs.min(), inputs.max()]))

"""The dual of phi' on a covariance matrix of preactivations.

Derivation: docs/theory/tangent_kernel.md, "Kinks".
"""

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.numeric.kernel import kernel_with_error
from hermite_dual.population.entries.layered_gram import layer_gram
from hermite_dual.population.entries.price_dual import slope_of


def slope_gram(activation: Activation, covariance: Array, covariance_error: float) -> tuple[Array, float]:
    """Return `kdot(S_ii, S_jj, S_ij) = E[phi'(u) phi'(v)]` and an estimate of its largest error.

    Args:
        activation: phi.
        covariance: S, shape (n, n), with the variances on the diagonal.
        covariance_error: error of an entry of S, which counts where correlations are close to 1 and phi has kinks.
    """
    derivative = slope_of(activation)
    if activation.shape.homogeneous:  # of which kdot is a function of the correlation alone
        roots = np.sqrt(np.diagonal(covariance))
        covariance, covariance_error = covariance / np.multiply.outer(roots, roots), covariance_error / roots.min() ** 2
        np.fill_diagonal(covariance, 1.0)
    slope, error = layer_gram(derivative, covariance, smooth=False)
    return slope, error + _sensitivity(derivative, covariance, covariance_error)


def _sensitivity(derivative: Activation, covariance: Array, covariance_error: float) -> float:
    """Return the change of kdot under the error, at the pair that is closest to perfect correlation."""
    if len(covariance) < 2:
        return 0.0
    roots = np.sqrt(np.diagonal(covariance))
    best, pair = -1.0, (0, 1)
    for i in range(len(covariance) - 1):
        row = np.abs(covariance[i, i + 1 :]) / roots[i + 1 :]
        j = int(np.argmax(row))
        if row[j] / roots[i] > best:
            best, pair = float(row[j] / roots[i]), (i, i + 1 + j)
    q1, q2, c = covariance[pair[0], pair[0]], covariance[pair[1], pair[1]], covariance[pair]
    limit = float(np.sqrt(q1) * np.sqrt(q2))
    near = np.clip([c, c - np.copysign(covariance_error, c)], -limit, limit)
    values, _ = kernel_with_error(derivative, q1, q2, near)
    return float(abs(values[0] - values[1]))

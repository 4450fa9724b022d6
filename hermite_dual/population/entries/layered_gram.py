"""From a covariance matrix of inputs to the matrix of a kernel: by one map of all layers, or layer by layer.

Derivation: docs/theory/layers.md, "In float64".
"""

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import float_array
from hermite_dual.population.entries.layered_entries import entries_of
from hermite_dual.population.entries.recursion import Recursion, one_layer

_EPS = float(np.finfo(np.float64).eps)


def kernel_gram(
    recursion: Recursion, inner: Array, rounding: float = 0.0, smooth: bool = True
) -> tuple[Array, Array, float]:
    """Return a kernel's matrix, the variances `S_ii` below its last layer and an estimate of the largest error.

    Args:
        recursion: the layers.
        inner: covariances P, shape (n, n).
        rounding: relative error of the entries of P.
        smooth: as for `kernel_entries`.
    """
    inputs = np.diagonal(inner).copy()
    entries = entries_of(recursion, inputs, inputs == 0.0, rounding, smooth and not recursion.jumps)
    matrix = inner.copy()
    entries.apply_symmetric(matrix, 0.0)
    np.fill_diagonal(matrix, entries.diagonal)
    return matrix, entries.variances, entries.error


def layer_gram(activation: Activation, covariance: Array, smooth: bool = True) -> tuple[Array, float]:
    """Return `k(S)` of one layer and an estimate of its largest error.

    Args:
        activation: phi.
        covariance: S, shape (n, n).
        smooth: as for `kernel_entries`.
    """
    matrix, _, error = kernel_gram(one_layer(activation), covariance, 0.0, smooth)
    return matrix, error


def checked_covariance(S: ArrayLike) -> Array:
    """Return a covariance matrix in float64, exactly symmetric.

    Raises:
        InvalidInputError: S is no finite symmetric matrix, a variance is negative, or some `|S_ij| > sqrt(S_ii S_jj)`.
    """
    covariance = np.array(float_array(S, "S")[0])
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1] or not covariance.size:
        raise InvalidInputError(
            f"S has the shape {covariance.shape}: give a square matrix of covariances, shape (n, n)"
        )
    variances = np.diagonal(covariance)
    if not np.isfinite(covariance).all() or (variances < 0.0).any():
        raise InvalidInputError("S holds a value that is not finite, or a negative variance on its diagonal")
    roots = np.sqrt(variances)
    limit = np.multiply.outer(roots, roots) * (1.0 + 8.0 * _EPS)
    if (np.abs(covariance) > limit).any():
        i, j = np.argwhere(np.abs(covariance) > limit)[0]
        raise InvalidInputError(
            f"S[{i}, {j}] = {covariance[i, j]} with variances {variances[i]} and {variances[j]}: |S_ij| is at most "
            "sqrt(S_ii S_jj) in a covariance matrix"
        )
    if (np.abs(covariance - covariance.T) > 8.0 * _EPS * limit).any():
        i, j = np.argwhere(np.abs(covariance - covariance.T) > 8.0 * _EPS * limit)[0]
        raise InvalidInputError(
            f"S[{i}, {j}] = {covariance[i, j]} and S[{j}, {i}] = {covariance[j, i]}: S is symmetric; give (S + S.T)/2"
        )
    return np.asarray(np.triu(covariance) + np.triu(covariance, 1).T)

"""The Gram matrix of an infinitely wide deep equilibrium model."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hermite_dual.activation import Activation
from hermite_dual.errors import InvalidInputError
from hermite_dual.numeric.eigenvalues import least_eigenvalue_estimate
from hermite_dual.outcome import Outcome
from hermite_dual.population.equilibrium_map import EquilibriumMap, equilibrium_map
from hermite_dual.population.inputs import EQUAL_NORMS, check_nonzero_rows
from hermite_dual.population.unequal_norms import unequal_norm_gram

Array = NDArray[np.float64]
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class EigenvalueBounds:
    """A least eigenvalue: an estimate, and what is proven on both sides of it.

    Attributes:
        lower: proven lower bound, `-inf` where nothing is proven.
        estimate: float64 estimate.
        upper: proven upper bound, `inf` where nothing is proven.
        outcome: PROVEN when both bounds hold in exact arithmetic; UNDECIDED for an estimate alone.
    """

    lower: float
    estimate: float
    upper: float
    outcome: Outcome


@dataclass(frozen=True, eq=False)
class Gram:
    """A population Gram matrix `K`, a symmetric (n, n) float64 array with what is known about it.

    `np.asarray(G)` is `G.matrix`.

    Attributes:
        matrix: `K`, shape (n, n), symmetric to the last bit.
        variances: diagonal `S_ii` of the preactivation covariance, shape (n,).
        entry_error: estimated largest error of an entry, an estimate and not a bound.
        depth: number of layers, or None for the limit.
    """

    matrix: Array
    variances: Array
    entry_error: float
    depth: int | None
    _inner: Array = field(repr=False)
    _weight: float = field(repr=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the matrix, for NumPy."""
        if dtype is not None and np.dtype(dtype) != self.matrix.dtype:
            if copy is False:
                raise ValueError(f"the Gram matrix is float64: conversion to {np.dtype(dtype)} needs a copy")
            return self.matrix.astype(dtype)
        return self.matrix.copy() if copy else self.matrix

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (n, n)."""
        return (self.matrix.shape[0], self.matrix.shape[1])

    @property
    def preactivation(self) -> Array:
        """Covariance `S` of the preactivations, shape (n, n).

        In the limit `S = sigma_w^2 K + sigma_u^2 X X^T / d + sigma_b^2`; at depth l the K in it is `K(l-1)`.
        """
        if self.depth is not None:
            raise InvalidInputError("the preactivation covariance is kept for the limit alone: use gram(X, depth=None)")
        covariance = self._weight * self.matrix + self._inner
        np.fill_diagonal(covariance, self.variances)
        return np.asarray(covariance)

    def least_eigenvalue(self) -> EigenvalueBounds:
        """Return LAPACK's least eigenvalue; nothing is proven yet, and the outcome says so."""
        estimate = least_eigenvalue_estimate(self.matrix)
        return EigenvalueBounds(-np.inf, estimate, np.inf, Outcome.UNDECIDED)


def population_gram(
    activation: Activation,
    samples: Array,
    *,
    sigma_w: float,
    sigma_u: float,
    sigma_b: float,
    depth: int | None,
) -> Gram:
    """Return `K(depth)`, or the limit K where depth is None.

    `K(0) = 0`, `S(l) = sigma_w^2 K(l-1) + sigma_u^2 X X^T / d + sigma_b^2`, `K(l)_ij = k(S_ii, S_jj, S_ij)`.

    Args:
        activation: phi.
        samples: checked X, shape (n, d).
        sigma_w: recurrent scale; for the limit `sigma_w L < 1`, checked by the caller.
        sigma_u: input scale.
        sigma_b: bias scale.
        depth: number of layers, not negative, or None.
    """
    check_nonzero_rows(samples, sigma_b)
    n, width = samples.shape
    inner = samples @ samples.T
    inner *= sigma_u**2 / width
    if sigma_b:
        inner += sigma_b**2
    weight = sigma_w**2
    if depth == 0:
        return Gram(np.zeros((n, n)), np.zeros(n), 0.0, 0, inner, weight)
    diagonal = np.diagonal(inner).copy()
    equal = np.ptp(diagonal) <= EQUAL_NORMS * diagonal.max()
    if equal and sigma_u > 0.0:
        top = float(diagonal.mean()) - sigma_b**2
        found = equilibrium_map(activation, weight, top, sigma_b**2, depth)
        matrix, variances, error = _apply(found, inner)
    else:
        matrix, variances, error = unequal_norm_gram(activation, inner, weight, depth)
    # Rounding of an inner product of d terms, passed on with the map's Lipschitz constant.
    slope = activation.lipschitz**2
    passed = slope / max(1.0 - weight * slope, _EPS) if np.isfinite(slope) else 1.0
    error += 0.5 * width * _EPS * float(diagonal.max()) * passed
    return Gram(matrix, variances, error, depth, inner, weight)


def _apply(found: EquilibriumMap, inner: Array) -> tuple[Array, Array, float]:
    from hermite_dual.numeric.gram_kernels import apply_map

    matrix = inner.copy()
    pieces = found.interpolant
    apply_map(matrix, found.scale, found.shift, found.square_root, pieces.edges, pieces.coefficients)
    np.fill_diagonal(matrix, found.diagonal)
    return matrix, np.full(len(inner), found.variance), found.error

"""The Gram matrix of an infinitely wide deep equilibrium model."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hermite_dual.activation import Activation
from hermite_dual.errors import InvalidInputError
from hermite_dual.notebook import facts, number
from hermite_dual.population.equilibrium_map import EquilibriumMap, equilibrium_map
from hermite_dual.population.inputs import EQUAL_NORMS, check_nonzero_rows
from hermite_dual.population.unequal_norms import unequal_norm_gram

if TYPE_CHECKING:
    from hermite_dual.certified.eigenvalues import EigenvalueBounds, LowerBoundCheck
    from hermite_dual.certified.spectrum import Spectrum
    from hermite_dual.certified.theory_bounds import TheoryBound
    from hermite_dual.population.entry_bounds import EntryBounds

Array = NDArray[np.float64]
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Model:
    """What a Gram matrix is computed from.

    Attributes:
        activation: phi.
        samples: X, shape (n, d).
        sigma_w: recurrent scale.
        sigma_u: input scale.
        sigma_b: bias scale.
        depth: number of layers, or None for the limit.
        row_error: the rows meant are within `row_error |x_i|` of the float rows, in the 2-norm.
    """

    activation: Activation
    samples: Array
    sigma_w: float
    sigma_u: float
    sigma_b: float
    depth: int | None
    row_error: float = 0.0


@dataclass(frozen=True, eq=False)
class Gram:
    """A population Gram matrix `K`, a symmetric (n, n) float64 array with what is known about it.

    `np.asarray(G)` is `G.matrix`.

    Attributes:
        matrix: `K`, shape (n, n), symmetric to the last bit.
        variances: diagonal `S_ii` of the preactivation covariance, shape (n,).
        estimated_error: estimated largest error of an entry, an estimate and not a bound.
        depth: number of layers, or None for the limit.
        model: what the matrix was computed from: activation, samples and scales.
    """

    matrix: Array
    variances: Array
    estimated_error: float
    depth: int | None
    _inner: Array = field(repr=False)
    model: Model = field(repr=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the matrix, for NumPy."""
        if dtype is not None and np.dtype(dtype) != self.matrix.dtype:
            if copy is False:
                raise ValueError(f"the Gram matrix is float64: conversion to {np.dtype(dtype)} needs a copy")
            return self.matrix.astype(dtype)
        return self.matrix.copy() if copy else self.matrix

    def _repr_html_(self) -> str:
        """Return a small table for notebooks; what is proven is shown where it is known already."""
        model = self.model
        rows: list[tuple[str, object]] = [
            ("shape", f"{self.shape[0]} x {self.shape[1]}"),
            ("activation", model.activation.name),
            ("sigma_w, sigma_u, sigma_b", ", ".join(map(number, (model.sigma_w, model.sigma_u, model.sigma_b)))),
            ("depth", "limit" if self.depth is None else self.depth),
            ("estimated error of an entry", f"{self.estimated_error:.1e}"),
        ]
        known = vars(self)
        if "entry_bounds" in known:
            rows.append(("proven error of an entry", f"{self.entry_error:.1e} ({self.entry_bounds.outcome.value})"))
        if "_least_eigenvalue" in known:
            found = self._least_eigenvalue
            interval = f"[{found.lower:.10g}, {found.upper:.10g}] ({found.outcome.value})"
            rows.append(("least eigenvalue", interval))
        return facts(type(self).__name__, rows)

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
        covariance = self.model.sigma_w**2 * self.matrix + self._inner
        np.fill_diagonal(covariance, self.variances)
        return np.asarray(covariance)

    @cached_property
    def entry_bounds(self) -> "EntryBounds":
        """The proof of every entry with its outcome and reason, made when it is first asked for."""
        from hermite_dual.population.entry_bounds import entry_bounds

        return entry_bounds(self.model, self.matrix, self.variances)

    @property
    def entry_error(self) -> float:
        """Proven bound of every entry's distance to K in exact arithmetic; infinite where nothing is proven.

        `entry_bounds` has a bound for each entry and says what is missing; `estimated_error` costs nothing and is an
        estimate.
        """
        return self.entry_bounds.largest

    def least_eigenvalue(self) -> "EigenvalueBounds":
        """Return the least eigenvalue of K with proven bounds on both sides, every error of the entries included.

        Where the entries have no proven error the bounds are infinite and the outcome is UNDECIDED, with the reason.
        """
        return self._least_eigenvalue

    @cached_property
    def _least_eigenvalue(self) -> "EigenvalueBounds":
        from hermite_dual.population.gram_eigenvalues import gram_least_eigenvalue

        return gram_least_eigenvalue(self.matrix, self.entry_bounds)

    def eigenvalues(self) -> "Spectrum":
        """Return all eigenvalues of K with a proven radius, every error of the entries included.

        Where the entries have no proven error the radius is infinite and the outcome is UNDECIDED, with the reason.
        """
        from hermite_dual.population.gram_spectrum import gram_eigenvalues

        return gram_eigenvalues(self.matrix, self.entry_bounds)

    def check_lower_bound(self, value: float) -> "LowerBoundCheck":
        """Decide whether `lambda_min(K) >= value`: PROVEN, REFUTED or UNDECIDED.

        Args:
            value: the lower bound that is claimed.

        Raises:
            InvalidInputError: value is no finite number.
        """
        from hermite_dual.population.gram_eigenvalues import gram_check_lower_bound

        return gram_check_lower_bound(self.matrix, self.entry_bounds, value)

    def lower_bounds(self, degrees: int = 128) -> "tuple[TheoryBound, ...]":
        """Return the theory's lower bounds of `lambda_min(K)`, certified: Ling, Khatri-Rao, Hermite-Gershgorin.

        Each has its `value`, the `degree` behind it and its `tightness`, the value over the proven upper bound of
        `lambda_min(K)`.

        Args:
            degrees: Hermite degrees to use, at most 1024.

        Raises:
            InvalidInputError: the Gram matrix is one of finite depth, or the number of degrees is out of range.
            AccuracyError: the entries have no proven error.
        """
        from hermite_dual.population.gram_eigenvalues import gram_lower_bounds

        return gram_lower_bounds(self, degrees)


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
    inner = inputs_covariance(samples, sigma_u, sigma_b)
    n, width = samples.shape
    weight = sigma_w**2
    model = Model(activation, samples, sigma_w, sigma_u, sigma_b, depth)
    if depth == 0:
        return Gram(np.zeros((n, n)), np.zeros(n), 0.0, 0, inner, model)
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
    return Gram(matrix, variances, error, depth, inner, model)


def inputs_covariance(samples: Array, sigma_u: float, sigma_b: float) -> Array:
    """Return `sigma_u^2 X X^T / d + sigma_b^2`, refusing zero rows where there is no bias."""
    check_nonzero_rows(samples, sigma_b)
    inner = samples @ samples.T
    inner *= sigma_u**2 / samples.shape[1]
    if sigma_b:
        inner += sigma_b**2
    return np.asarray(inner)


def _apply(found: EquilibriumMap, inner: Array) -> tuple[Array, Array, float]:
    """Return the matrix of the map's entries, the variances and the map's error."""
    from hermite_dual.numeric.gram_kernels import apply_map

    matrix = inner.copy()
    pieces = found.interpolant
    apply_map(matrix, found.scale, found.shift, found.square_root, pieces.edges, pieces.coefficients)
    np.fill_diagonal(matrix, found.diagonal)
    return matrix, np.full(len(inner), found.variance), found.error

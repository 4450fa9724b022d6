"""Derivatives of one layer `S -> k(S_ii, S_jj, S_ij)` in the variances and the covariance.

With `(u, v) ~ N(0, [[q1, c], [c, q2]])` Price's theorem gives `dk/dc = E[phi'(u) phi'(v)]`. Scaling u by `1 + e`
changes q1 by `2 e q1` and c by `e c`, so that

    2 q1 dk/dq1 + c dk/dc = E[u phi'(u) phi(v)],

kinks or not. In normalized Hermite coefficients both are again series of `rho = c / sqrt(q1 q2)`, by Stein's lemma
`E[phi'(sqrt(q) Z) h_r(Z)] = sqrt((r+1)/q) a_{r+1}(q)`:

    dk/dc  = (1/sqrt(q1 q2)) sum_r (r+1) a_{r+1}(q1) a_{r+1}(q2) rho^r,
    dk/dq1 = (1/(2 q1)) sum_r sqrt((r+1)(r+2)) a_{r+2}(q1) a_r(q2) rho^r.

Where phi has kinks these series stop short of correlations close to 1; the expectations are integrated there.
"""

from dataclasses import dataclass

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Mask
from hermite_dual.numeric.chebyshev import interpolate
from hermite_dual.numeric.gaussian import second_moment
from hermite_dual.numeric.iterated import iterated_kernel
from hermite_dual.numeric.kernel import kernel_with_error
from hermite_dual.numeric.mehler import EPS, hermite_series
from hermite_dual.numeric.point_masses import times_x
from hermite_dual.population.entries.homogeneous_layers import even_and_odd
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.population.entries.variance_map import moment_slope
from hermite_dual.population.entries.variances import coefficient_table, on_distinct

_RESOLVED = 1e-12
"""Remainder of a series, relative to the entry's scale, at which it stands for the derivative."""
_FEW = 40
"""Up to this many correlations of a pair of variances are integrated one by one; more go to an interpolant."""
_SMALLEST_GAP = 1e-18
"""In place of smaller `1 - rho^2`, of which rounding leaves no digit."""
_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class LayerSlopes:
    """The differential of a layer at S: `dk_ij = slope_ij dS_ij + first_ij dS_ii + first_ji dS_jj`.

    Attributes:
        slope: `dk/dc` at `(S_ii, S_jj, S_ij)`, shape (n, n).
        first: `dk/dq1` there, shape (n, n); not symmetric.
        diagonal: `d k(q, q, q) / dq` at `q = S_ii`, shape (n,): on the diagonal all three arguments move together.
    """

    slope: Array
    first: Array
    diagonal: Array

    def apply(self, change: Array) -> Array:
        """Return dk for a symmetric dS, shape (n, n)."""
        variance_changes = np.diagonal(change)
        return self.with_diagonal(self.slope * change + self.variance_part(variance_changes), variance_changes)

    def variance_part(self, variance_changes: Array) -> Array:
        """Return `first_ij dS_ii + first_ji dS_jj` for the changes `dS_ii`, shape (n,)."""
        of_rows = self.first * variance_changes[:, None]
        return np.asarray(of_rows + of_rows.T)

    def with_diagonal(self, off: Array, variance_changes: Array) -> Array:
        """Put the changes `d k(q, q, q)` onto the diagonal, in place."""
        np.fill_diagonal(off, self.diagonal * variance_changes)
        return off


def layer_slopes(phi: Activation, covariance: Array) -> LayerSlopes:
    """Return the differential of `S -> k(S)`.

    Args:
        phi: the activation, continuous.
        covariance: S, shape (n, n), with the variances, all positive, on the diagonal.

    Raises:
        InvalidInputError: phi has no derivative that is a function.
    """
    derivative = slope_of(phi)
    variances = np.diagonal(covariance).copy()
    roots = np.sqrt(variances)
    rho = np.clip(covariance / np.multiply.outer(roots, roots), -1.0, 1.0)
    np.fill_diagonal(rho, 1.0)
    if phi.shape.homogeneous:
        slope = _homogeneous_slope(phi, rho)
        # E[u phi'(u) phi(v)] = k, and k - c dk/dc is the even part's square root.
        first = 0.5 * even_and_odd(phi)[0] * np.sqrt((1.0 - rho) * (1.0 + rho)) * roots[None, :] / roots[:, None]
        return LayerSlopes(slope, first, np.full(len(rho), float(_homogeneous_slope(phi, np.ones(1))[0])))
    table, tails = coefficient_table(phi, variances)
    slope, first = _series(table, rho, roots)
    diagonal = on_distinct(lambda q: moment_slope(phi, derivative, q), variances, derivative.coarseness)
    if not hermite_series(phi, float(variances.max())).converged:
        _integrate(phi, derivative, covariance, rho, _unresolved(table, tails, rho), slope, first)
    np.fill_diagonal(slope, on_distinct(lambda q: second_moment(derivative, q), variances, derivative.coarseness))
    return LayerSlopes(slope, first, diagonal)


def kinked_slope_slopes(phi: Activation, covariance: Array) -> LayerSlopes:
    """Return the differential of `S -> E[phi'(u) phi'(v)] = (2 a^2/pi) asin(rho) + b^2`, `phi(x) = a |x| + b x`.

    Off the diagonal, and away from rows that are parallel, where it is infinite.
    """
    variances = np.diagonal(covariance)
    product = np.multiply.outer(variances, variances)
    gap = product - covariance**2
    np.fill_diagonal(gap, 1.0)
    slope = even_and_odd(phi)[0] / np.sqrt(np.maximum(gap, _SMALLEST_GAP * product))
    np.fill_diagonal(slope, 0.0)
    return LayerSlopes(slope, -0.5 * covariance * slope / variances[:, None], np.zeros(len(variances)))


def _homogeneous_slope(activation: Activation, rho: Array) -> Array:
    """Return kdot where `phi(s x) = s phi(x)`, s > 0."""
    even, odd = even_and_odd(activation)
    return np.asarray(even * np.arcsin(np.clip(rho, -1.0, 1.0)) + odd)


def has_kinked_homogeneous_form(phi: Activation) -> bool:
    """Whether `phi(x) = a |x| + b x` with a kink, as of ReLU."""
    return phi.shape.homogeneous and even_and_odd(phi)[0] > 0.0


def _series(table: Array, rho: Array, roots: Array) -> tuple[Array, Array]:
    """Return both derivatives as series."""
    from hermite_dual.numeric.gram_kernels import separable_slopes

    padded = np.pad(table, ((0, 0), (0, 2)))
    slope, first = np.empty_like(rho), np.empty_like(rho)
    separable_slopes(rho, padded, np.ascontiguousarray(padded.T), slope, first)
    slope /= np.multiply.outer(roots, roots)
    first /= 2.0 * (roots**2)[:, None]
    return slope, first


def _unresolved(table: Array, tails: Array, rho: Array) -> Mask:
    """Return the pairs i < j at which `max_{r >= N} r |rho|^r sqrt(T_i T_j)` counts."""
    count, size = table.shape[1], np.minimum(np.abs(rho), 1.0 - EPS)
    with np.errstate(divide="ignore", under="ignore"):
        peak = np.maximum(-1.0 / np.log(size), float(count))
        remainder = peak * size**peak * np.sqrt(np.multiply.outer(tails, tails))
    norms = np.sqrt(np.sum(table**2, axis=1))
    return np.asarray(np.triu(remainder > _RESOLVED * np.multiply.outer(norms, norms), 1))


def _integrate(
    phi: Activation,
    derivative: Activation,
    covariance: Array,
    rho: Array,
    pairs: Mask,
    slope: Array,
    first: Array,
) -> None:
    """Replace the derivatives at some pairs i < j, and at j, i, by integrals, in place."""
    rows, columns = np.nonzero(pairs)
    if not rows.size:
        return
    q1, q2, c = covariance[rows, rows], covariance[columns, columns], rho[rows, columns]
    c = c * np.sqrt(q1) * np.sqrt(q2)
    limit = np.sqrt(q1) * np.sqrt(q2)
    values, _ = kernel_with_error(derivative, q1, q2, np.clip(c, -limit, limit))
    slope[rows, columns] = values
    slope[columns, rows] = values
    scaled = times_x(derivative)
    for i, j, a, b in ((rows, columns, q1, q2), (columns, rows, q2, q1)):
        mixed = _mixed(scaled, phi, a, b, rho[i, j])
        first[i, j] = (mixed - c * values) / (2.0 * a)


def _mixed(scaled: Activation, phi: Activation, q1: Array, q2: Array, rho: Array) -> Array:
    """Return `E[u phi'(u) phi(v)]` for each triple."""
    pairs, index = np.unique(np.stack([q1, q2], axis=1), axis=0, return_inverse=True)
    result = np.empty_like(rho)
    for number, (a, b) in enumerate(pairs.tolist()):
        members = np.flatnonzero(index.ravel() == number)

        def at(angles: Array, a: float = a, b: float = b) -> Array:
            return np.array([_one(scaled, phi, a, b, np.cos(t), np.sin(t) ** 2) for t in angles.tolist()])

        angles = np.arccos(rho[members])
        if members.size > _FEW:
            scale = np.sqrt(second_moment(scaled, a) * second_moment(phi, b))
            result[members] = interpolate(at, 0.0, np.pi, _TOLERANCE * scale)(angles)
        else:
            result[members] = at(angles)
    return result


def _one(scaled: Activation, phi: Activation, q1: float, q2: float, rho: float, gap: float) -> float:
    return iterated_kernel(scaled, q1, q2, float(rho), max(float(gap), _SMALLEST_GAP), other=phi)[0]

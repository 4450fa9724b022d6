"""Gram entries of chosen pairs of rows, all from Mehler's series."""

from dataclasses import dataclass, replace

import numpy as np

from hermite_dual.arrays import Array, Indices, Mask
from hermite_dual.numeric.mehler import EPS, FLOOR
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.population.entries.recursion import Recursion
from hermite_dual.population.entries.variances import coefficient_table


@dataclass(frozen=True, eq=False)
class LayerSeries:
    """One application of the kernel to n rows.

    Attributes:
        roots: square roots of the variances, shape (n,).
        coefficients: shape (n, N).
        tails: Parseval remainders over the second moments, not below rounding, shape (n,).
    """

    roots: Array
    coefficients: Array
    tails: Array

    def resolved(self, rows: Indices, columns: Indices, rho: Array) -> Mask:
        """Return where the remainder of the series is lost in rounding."""
        with np.errstate(under="ignore"):
            remainder = rho ** self.coefficients.shape[1] * np.sqrt(self.tails[rows] * self.tails[columns])
        return np.asarray(remainder <= 2.0 * FLOOR)

    def up_to(self, rho: float) -> "LayerSeries":
        """Return the layer without the terms that rounding hides at correlations up to rho."""
        needed = self.coefficients.shape[1]
        if rho < 1.0:
            needed = min(needed, int(np.log(0.25 * EPS) / np.log(max(rho, 1e-16))) + 2)
        return replace(self, coefficients=np.ascontiguousarray(self.coefficients[:, :needed]))


@dataclass(frozen=True, eq=False)
class PairEntries:
    """Entries of a kernel between n rows of given norms.

    Attributes:
        layers: the series of each layer, or that at the fixed point.
        inputs: square roots of the inputs' parts t_ii of the variances, shape (n,).
        scales: square roots of the kernel's diagonal, shape (n,).
        recursion: the layers.
        slopes: the series of `kdot` in each layer where the kernel is the tangent kernel.
    """

    layers: tuple[LayerSeries, ...]
    inputs: Array
    scales: Array
    recursion: Recursion
    slopes: tuple[LayerSeries, ...] = ()

    def at(self, rows: Indices, columns: Indices, t: Array) -> tuple[Array, Mask, list[float]]:
        """Evaluate entries.

        Args:
            rows: i, shape (m,).
            columns: j, shape (m,).
            t: inputs' parts of the covariances, shape (m,).

        Returns:
            The entries, which of them the series resolve, and the largest correlation in each layer.
        """
        from hermite_dual.numeric.separable_kernels import series_at

        limit, weight = self.recursion.limit, self.recursion.weight
        covariance, resolved, largest = t, np.ones(t.shape, dtype=bool), []
        tangent = t
        for number, (layer, rule) in enumerate(zip(self.layers, self.recursion.layers, strict=True)):
            values = np.zeros_like(t)
            series_at(layer.coefficients, layer.roots, rows, columns, covariance, weight, values, not limit)
            if limit:
                covariance = weight * values + t
            rho = np.minimum(np.abs(covariance) / (layer.roots[rows] * layer.roots[columns]), 1.0)
            resolved &= layer.resolved(rows, columns, rho)
            largest.append(float(rho.max(initial=0.0)))
            if self.slopes:
                series, slope = self.slopes[number], np.zeros_like(t)
                series_at(series.coefficients, layer.roots, rows, columns, covariance, weight, slope, True)
                resolved &= series.resolved(rows, columns, rho)
                tangent = (
                    values + covariance * slope / (1.0 - weight * slope)
                    if limit
                    else rule.tangent_above(tangent, slope, values, t)
                )
            covariance = values if limit or rule.is_kernel else rule.above(covariance, values, t)
        return tangent if self.slopes else covariance, resolved, largest

    def up_to(self, cosine: float) -> "PairEntries | None":
        """Return the entries for cosines of modulus up to the one given; None where the series do not resolve them."""
        _, resolved, largest = self.at(*self._all_pairs(np.array([-cosine, cosine])))
        if not resolved.all():
            return None
        layers = tuple(layer.up_to(rho) for layer, rho in zip(self.layers, largest, strict=True))
        slopes = tuple(slope.up_to(rho) for slope, rho in zip(self.slopes, largest, strict=False))
        return replace(self, layers=layers, slopes=slopes)

    def __call__(self, cosines: Array) -> Array:
        """Return `K_ij / sqrt(K_ii K_jj)` of all pairs at `t_ij / sqrt(t_ii t_jj)`, shape (n, n, K)."""
        rows, columns, t = self._all_pairs(cosines)
        values = self.at(rows, columns, t)[0] / (self.scales[rows] * self.scales[columns])
        entries = np.empty((self.inputs.size, self.inputs.size, cosines.size))
        upper = np.triu_indices(self.inputs.size)
        entries[upper] = entries.transpose(1, 0, 2)[upper] = values.reshape(-1, cosines.size)
        return entries

    def row(self, i: int, cosine: float) -> Array:
        """Return `K_ij / sqrt(K_ii K_jj)` of one row i with all at `t_ij / sqrt(t_ii t_jj)`, shape (n,)."""
        columns = np.arange(self.inputs.size)
        rows = np.full_like(columns, i)
        values = self.at(rows, columns, self.inputs[i] * self.inputs * cosine)[0]
        return np.asarray(values / (self.scales[i] * self.scales))

    def _all_pairs(self, cosines: Array) -> tuple[Indices, Indices, Array]:
        rows, columns = (np.repeat(side, cosines.size) for side in np.triu_indices(self.inputs.size))
        return rows, columns, self.inputs[rows] * self.inputs[columns] * np.tile(cosines, rows.size // cosines.size)


def pair_entries(
    recursion: Recursion,
    inputs: Array,
    layers: list[Array],
    diagonal: Array,
    tangent: bool = False,
    most: tuple[int, ...] | None = None,
) -> PairEntries:
    """Return the entries between rows of given norms.

    Args:
        recursion: the layers.
        inputs: inputs' parts t_ii of the variances, positive, shape (n,).
        layers: variances in each layer, shape (n,) each; at the fixed point alone for the limit.
        diagonal: that of the kernel, shape (n,).
        tangent: whether the kernel is the tangent kernel.
        most: number of coefficients that is enough, in each layer and then of each slope; by default all there are.
    """
    tables, phis = [], list(recursion.activations)
    if tangent:
        phis, layers = phis + [slope_of(phi) for phi in phis], layers + layers
    for k, (activation, variances) in enumerate(zip(phis, layers, strict=True)):
        coefficients, tails = coefficient_table(activation, variances, None if most is None else most[k])
        moments = tails + np.sum(coefficients**2, axis=1)
        shares = tails / np.where(moments > 0.0, moments, 1.0)  # of a constant phi there is no phi'
        tails = np.maximum(np.where(shares <= 2.0 * FLOOR, 0.0, shares), FLOOR)
        tables.append(LayerSeries(np.sqrt(variances), coefficients, tails))
    count, scales = len(recursion.layers), np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    return PairEntries(tuple(tables[:count]), np.sqrt(inputs), scales, recursion, tuple(tables[count:]))

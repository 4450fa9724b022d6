"""From inner products to entries layer by layer, on any block of a matrix.

Derivation: docs/theory/layers.md, "In float64".
"""

from dataclasses import dataclass, field

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.population.entries.gram_entries import GramEntries
from hermite_dual.population.entries.kernel_entries import kernel_entries
from hermite_dual.population.entries.kernel_slope import largest_slope
from hermite_dual.population.entries.recursion import Recursion, one_layer
from hermite_dual.population.entries.variances import diagonal_above, row_variances

_EPS = float(np.finfo(np.float64).eps)


@dataclass(eq=False)
class LayeredEntries:
    """The map from inner products of given rows to their entries, each layer a map of its own; see `GramEntries`.

    Args:
        recursion: the layers, finitely many.
        inputs: inputs' parts of the variances, shape (n,).
        rounding: relative error of the inner products.
    """

    recursion: Recursion
    inputs: Array
    rounding: float
    variances: Array = field(init=False)
    diagonal: Array = field(init=False)

    def __post_init__(self) -> None:
        self._variances = row_variances(self.recursion, self.inputs)
        self.variances = self._variances[-1]
        self.diagonal = diagonal_above(self.recursion, self._variances, self.inputs)[0]
        self._maps: list[GramEntries] = [
            kernel_entries(one_layer(layer.activation), q, q == 0.0, 0.0)
            for layer, q in zip(self.recursion.layers, self._variances, strict=True)
        ]

    @property
    def error(self) -> float:
        """Estimated error of an entry, the rounding of the inner products included."""
        error = self.rounding * float(self.inputs.max())
        for layer, entries, q in zip(self.recursion.layers, self._maps, self._variances, strict=True):
            growth = layer.carry + layer.weight * largest_slope(layer.activation, q)
            error = layer.weight * entries.error + growth * error
        return error + len(self._maps) * _EPS * float(self.diagonal.max())

    def apply_symmetric(self, matrix: Array, shift: float) -> None:
        """Turn inner products into entries, in place."""
        self.apply_block(matrix, slice(None), slice(None), shift)

    def apply_block(self, block: Array, rows: slice, columns: slice, shift: float) -> None:
        """Turn inner products of some rows with others into entries, in place."""
        inner = block + shift
        covariance = inner
        for layer, entries in zip(self.recursion.layers, self._maps, strict=True):
            kernel = covariance.copy()
            entries.apply_block(kernel, rows, columns, 0.0)
            covariance = layer.above(covariance, kernel, inner)
        block[...] = covariance

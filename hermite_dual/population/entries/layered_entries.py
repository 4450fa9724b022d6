"""From inner products to entries layer by layer, on any block of a matrix.

Derivation: docs/theory/layers.md, "In float64".
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hermite_dual.arrays import Array, Mask
from hermite_dual.population.entries.gram_entries import GramEntries
from hermite_dual.population.entries.kernel_entries import kernel_entries
from hermite_dual.population.entries.kernel_slope import largest_slope
from hermite_dual.population.entries.one_norm import has_one_map
from hermite_dual.population.entries.recursion import Recursion, one_layer
from hermite_dual.population.entries.variances import diagonal_above, naming_layer, row_variances
from hermite_dual.population.entries.zero_rows import check_variances

_EPS = float(np.finfo(np.float64).eps)


@dataclass(eq=False)
class LayeredEntries:
    """The map from inner products of given rows to their entries, each layer a map of its own; see `GramEntries`.

    Args:
        recursion: the layers, finitely many.
        inputs: inputs' parts of the variances, shape (n,).
        rounding: relative error of the inner products.
        smooth: as for `kernel_entries`, of each layer.
    """

    recursion: Recursion
    inputs: Array
    rounding: float
    smooth: bool = True
    variances: Array = field(init=False)
    diagonal: Array = field(init=False)

    def __post_init__(self) -> None:
        self._variances = row_variances(self.recursion, self.inputs)
        self.variances = self._variances[-1]
        self.diagonal = diagonal_above(self.recursion, self._variances, self.inputs)[0]
        self._maps: list[GramEntries] = []
        for number, (layer, q) in enumerate(zip(self.recursion.layers, self._variances, strict=True), 1):
            one = one_layer(layer.activation)
            with naming_layer(number, len(self._variances)):
                self._maps.append(kernel_entries(one, q, q == 0.0, 0.0, self.smooth or not one.jumps))

    @property
    def error(self) -> float:
        """Estimated error of an entry, the rounding of the inner products included."""
        error = self.rounding * float(self.inputs.max())
        above = [*self._variances[1:], self.diagonal]
        for layer, entries, q, sizes in zip(self.recursion.layers, self._maps, self._variances, above, strict=True):
            growth = layer.carry + layer.weight * largest_slope(layer.activation, q) if error else 0.0
            error = layer.weight * entries.error + growth * error + _EPS * float(sizes.max())
        return error

    def apply_symmetric(self, matrix: Array, shift: float) -> None:
        """Turn the upper triangle of inner products into entries off the diagonal, of both triangles, in place."""
        from hermite_dual.numeric.gram_kernels import mirror

        self._apply(matrix, shift, lambda entries, kernel: entries.apply_symmetric(kernel, 0.0))
        mirror(matrix)  # what is carried past a layer need not be symmetric

    def apply_block(self, block: Array, rows: slice, columns: slice, shift: float) -> None:
        """Turn inner products of some rows with others into entries, in place."""
        self._apply(block, shift, lambda entries, kernel: entries.apply_block(kernel, rows, columns, 0.0))

    def _apply(self, block: Array, shift: float, apply: Callable[[GramEntries, Array], None]) -> None:
        covariance = inner = block + shift
        for layer, entries in zip(self.recursion.layers, self._maps, strict=True):
            kernel = covariance.copy()
            apply(entries, kernel)
            covariance = layer.above(covariance, kernel, inner)
        block[...] = covariance


def goes_by_layers(recursion: Recursion, inputs: Array) -> bool:
    """Whether the layers are to be computed one after the other.

    Homogeneous layers at different variances are maps of the correlation alone, and have no short series, so that where
    other layers keep the norms from factoring out the single layers are the quicker ones.
    """
    homogeneous = [phi.shape.homogeneous for phi in recursion.activations]
    return any(homogeneous) and not all(homogeneous) and not has_one_map(recursion, inputs)


def entries_of(recursion: Recursion, inputs: Array, zero: Mask, rounding: float, smooth: bool = True) -> GramEntries:
    """Return the map from inner products to entries, of all layers at once or layer by layer.

    Args:
        recursion: the layers.
        inputs: inputs' parts of the variances, shape (n,).
        zero: which of them are 0, shape (n,).
        rounding: relative error of the inner products.
        smooth: as for `kernel_entries`.
    """
    if goes_by_layers(recursion, inputs):
        check_variances(inputs, zero)
        return LayeredEntries(recursion, inputs, rounding, smooth)
    return kernel_entries(recursion, inputs, zero, rounding, smooth)

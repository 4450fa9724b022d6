"""Kernels of layers that are all homogeneous, `phi(x) = a |x| + b x`, at any norms and with biases, in closed form.

Derivation: docs/theory/layers.md, "In float64".
"""

from dataclasses import dataclass, field

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.numeric.mehler import EPS
from hermite_dual.population.entries.recursion import Recursion
from hermite_dual.population.entries.variances import row_variances

_ROUNDINGS = 8.0
"""Of an entry of a layer, in eps of the largest: correlation, root, arc sine, three products and two sums."""


def all_homogeneous(recursion: Recursion) -> bool:
    """Whether all layers are homogeneous, and finitely many."""
    return not recursion.limit and all(phi.shape.homogeneous for phi in recursion.activations)


def even_and_odd(activation: Activation) -> tuple[float, float]:
    """Return `2 a^2/pi` and `b^2` of `phi(x) = a |x| + b x`."""
    right, left = float(activation(np.array(1.0))), float(activation(np.array(-1.0)))
    return 2.0 * (0.5 * (right + left)) ** 2 / np.pi, (0.5 * (right - left)) ** 2


def _top(even: float, odd: float) -> float:
    """Return `E[phi'^2] = E[phi(sqrt(q) Z)^2]/q`."""
    return 0.5 * np.pi * even + odd


@dataclass(eq=False)
class HomogeneousLayers:
    """The map from inner products to entries.

    Attributes:
        recursion: layers that `all_homogeneous` accepts.
        inputs: inputs' parts of the variances, not negative, shape (n,).
        rounding: relative error of the inner products.
        tangent: whether the entries are those of the tangent kernel.
        variances: `S_ii`, shape (n,).
        diagonal: that of the kernel, shape (n,).
        error: estimated error of the entries computed so far.
    """

    recursion: Recursion
    inputs: Array
    rounding: float
    tangent: bool
    variances: Array = field(init=False)
    diagonal: Array = field(init=False)
    error: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._layers = row_variances(self.recursion, self.inputs)
        self.variances = self._layers[-1]
        self._forms = [even_and_odd(phi) for phi in self.recursion.activations]
        self.diagonal = self.inputs
        for layer, variances, form in zip(self.recursion.layers, self._layers, self._forms, strict=True):
            slope = np.full_like(variances, _top(*form))
            above = layer.above(variances, slope * variances, self.inputs)
            tangent = layer.tangent_above(self.diagonal, slope, slope * variances, self.inputs)
            self.diagonal = np.asarray(tangent if self.tangent else above)
        self._count(np.zeros(len(self._layers)))

    def apply_symmetric(self, matrix: Array, shift: float) -> None:
        """Turn the upper triangle of inner products into entries off the diagonal, of both triangles, in place."""
        from hermite_dual.numeric.gram_kernels import mirror
        from hermite_dual.numeric.jit import threads_for

        with threads_for(matrix.size):
            self._apply(matrix, 0, 0, shift, True)
            mirror(matrix)

    def apply_block(self, block: Array, rows: slice, columns: slice, shift: float) -> None:
        """Turn inner products of some rows with others into entries, in place."""
        self._apply(block, rows.start, columns.start, shift, False)

    def _apply(self, matrix: Array, first: int, start: int, shift: float, symmetric: bool) -> None:
        from hermite_dual.numeric.homogeneous_kernels import HomogeneousRules, apply_homogeneous

        rules = [
            (layer.weight, layer.carry, layer.inputs, layer.bias, float(layer.trained), *form)
            for layer, form in zip(self.recursion.layers, self._forms, strict=True)
        ]
        roots = np.sqrt(np.array(self._layers))
        inverses = np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 0.0)
        layers = HomogeneousRules(np.array(rules), roots, inverses, shift, self.tangent)
        largest = apply_homogeneous(matrix, first, start, layers, symmetric)
        self._count(largest.view(np.float64).max(axis=0))

    def _count(self, largest: Array) -> None:
        """Count the errors of entries whose correlations are at most `largest` in each layer.

        No power series with non-negative coefficients changes faster than at its largest argument; that of phi' has a
        root there, so that errors of correlations close to 1 count in full.
        """
        inputs = float(self.inputs.max())
        below = added = self.rounding * inputs
        tangent = inputs
        for layer, variances, (even, odd), rho in zip(
            self.recursion.layers, self._layers, self._forms, largest.tolist(), strict=True
        ):
            least, most = float(variances[variances > 0.0].min(initial=np.inf)), float(variances.max())
            top = _top(even, odd)
            change = min(below / least + 4.0 * EPS, 2.0)
            end = min(rho + change, 1.0)
            slope_error = even * (np.arcsin(end) - np.arcsin(max(end - change, -1.0))) + _ROUNDINGS * EPS * top
            growth = layer.weight * top + layer.carry
            below = (
                growth * below + layer.inputs * self.rounding * inputs + _ROUNDINGS * EPS * layer.weight * top * most
            )
            added = layer.weight * slope_error * tangent + growth * added + below
            tangent = layer.tangent_above(tangent, top, top * most, inputs)
        self.error = max(self.error, added if self.tangent else below)

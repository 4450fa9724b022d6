"""What a population kernel is computed from, and the map from inner products to entries that belongs to it."""

from dataclasses import dataclass

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Mask
from hermite_dual.exact_numbers import freeze
from hermite_dual.notebook import Shown
from hermite_dual.numeric.products import upper_product
from hermite_dual.population.entries.gram_entries import ConstantEntries, GramEntries
from hermite_dual.population.entries.layered_entries import entries_of
from hermite_dual.population.entries.recursion import LayerRule, Recursion, equilibrium_layers
from hermite_dual.population.entries.trained import PARAMETERS

_EPS = float(np.finfo(np.float64).eps)
NO_SAMPLES = np.zeros((0, 0))
"""Of a model whose rows stay where they are."""


@dataclass(frozen=True, eq=False, repr=False)
class Model(Shown):
    """What a Gram matrix is computed from.

    Attributes:
        activation: phi.
        samples: X, shape (n, d).
        sigma_w: recurrent scale.
        sigma_u: input scale.
        sigma_b: bias scale.
        depth: number of layers, or None for the limit.
        trained: names of the parameters that count in a tangent kernel.
        layers: those of a network that is no deep equilibrium model; `sigma_u` and `sigma_b` are its first scales.
        row_error: the rows meant are within `row_error |x_i|` of the float rows, in the 2-norm.
    """

    activation: Activation
    samples: Array
    sigma_w: float
    sigma_u: float
    sigma_b: float
    depth: int | None
    trained: tuple[str, ...] = PARAMETERS
    row_error: float = 0.0
    layers: tuple[LayerRule, ...] | None = None

    def __post_init__(self) -> None:
        """Make the samples read-only."""
        freeze(self.samples)

    @property
    def recursion(self) -> Recursion:
        """The layers; the depth is not 0."""
        if self.layers is not None:
            return Recursion(self.layers)
        return equilibrium_layers(self.activation, self.weight, self.depth)

    @property
    def name(self) -> str:
        """The names of the activations."""
        names = [self.activation.name, *(layer.activation.name for layer in self.layers or ())]
        return ", ".join(dict.fromkeys(names))

    @property
    def trains_all(self) -> bool:
        """Whether every parameter counts in a tangent kernel."""
        return len(self.trained) == len(PARAMETERS)

    @property
    def rounding(self) -> float:
        """Relative error of the inner products, an estimate."""
        return 0.5 * self.samples.shape[1] * _EPS

    @property
    def weight(self) -> float:
        """`sigma_w^2`."""
        return self.sigma_w**2

    def inputs_variances(self) -> Array:
        """Return the inputs' parts `sigma_u^2 |x_i|^2 / d + sigma_b^2` of the variances, shape (n,)."""
        squares = np.einsum("ij,ij->i", self.samples, self.samples)
        return np.asarray(self.sigma_u**2 / self.samples.shape[1] * squares + self.sigma_b**2)

    def inputs_covariance(self) -> Array:
        """Return `sigma_u^2 X X^T / d + sigma_b^2`, shape (n, n)."""
        from hermite_dual.numeric.gram_kernels import mirror

        inner = upper_product(self.samples, self.sigma_u**2 / self.samples.shape[1])
        mirror(inner)
        if self.sigma_b:
            inner += self.sigma_b**2
        np.fill_diagonal(inner, self.inputs_variances())
        return inner


def entries_for(model: Model, inputs: Array, zero: Mask, everywhere: bool = False) -> GramEntries:
    """Return the map from inner products to entries.

    Args:
        model: activation, scales and depth.
        inputs: inputs' parts of the variances, shape (n,).
        zero: which rows are zero without a bias, shape (n,).
        everywhere: whether errors up to cosine 1 are asked for also where phi jumps, which may be far larger than those
            of the entries; where blocks are kept from an earlier run, nobody counts theirs.
    """
    if model.depth == 0:
        return ConstantEntries(np.zeros_like(inputs), np.zeros_like(inputs), 0.0)
    if model.sigma_u == 0.0 and not inputs.any():
        zero = np.ones_like(zero)
    smooth = everywhere or not model.recursion.jumps
    return entries_of(model.recursion, inputs, zero, model.rounding, smooth)

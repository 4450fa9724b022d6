"""What a population kernel is computed from, and the map from inner products to entries that belongs to it."""

from dataclasses import dataclass

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Mask
from hermite_dual.exact_numbers import freeze
from hermite_dual.numeric.mehler import hermite_series
from hermite_dual.numeric.products import upper_product
from hermite_dual.population.entries.gram_entries import ConstantEntries, GramEntries
from hermite_dual.population.entries.one_norm import has_one_map, one_map
from hermite_dual.population.entries.trained import PARAMETERS
from hermite_dual.population.entries.unequal_norms import unequal_norms
from hermite_dual.population.entries.variances import layer_variances, moment
from hermite_dual.population.entries.zero_rows import check_variances, with_zero_rows

_EPS = float(np.finfo(np.float64).eps)
_FEW_ROWS = 8
"""Up to this many rows are integrated pair by pair where the kernel has no short series."""


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
        trained: names of the parameters that count in a tangent kernel.
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

    def __post_init__(self) -> None:
        """Make the samples read-only."""
        freeze(self.samples)

    @property
    def trains_all(self) -> bool:
        """Whether every parameter counts in a tangent kernel."""
        return len(self.trained) == len(PARAMETERS)

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

    def covariance(self, matrix: Array, inner: Array) -> Array:
        """Return `S = sigma_w^2 K + (inner products)` of the layer above one whose entries are K."""
        covariance: Array = self.weight * matrix
        covariance += inner
        return covariance


def entries_for(model: Model, inputs: Array, zero: Mask) -> GramEntries:
    """Return the map from inner products to entries.

    Args:
        model: activation, scales and depth.
        inputs: inputs' parts of the variances, shape (n,).
        zero: which rows are zero without a bias, shape (n,).
    """
    activation, weight, depth = model.activation, model.weight, model.depth
    if depth == 0:
        return ConstantEntries(np.zeros_like(inputs), np.zeros_like(inputs), 0.0)
    if zero.all() or (model.sigma_u == 0.0 and not inputs.any()):
        variance = layer_variances(activation, weight, 0.0, depth)[-1]
        entry = moment(activation, variance)
        return ConstantEntries(np.full_like(inputs, variance), np.full_like(inputs, entry), _EPS * entry)
    check_variances(inputs, zero)
    rounding = 0.5 * model.samples.shape[1] * _EPS

    def build(inputs: Array) -> GramEntries:
        chosen = one_map if has_one_map(activation, inputs) and not _few_costly(model, inputs) else unequal_norms
        return chosen(activation, inputs, weight, depth, rounding)

    return with_zero_rows(build, activation, weight, inputs, zero, depth) if zero.any() else build(inputs)


def _few_costly(model: Model, inputs: Array) -> bool:
    """Whether so few entries are asked for, of a kernel that has no short series, that a table would cost more."""
    few = len(inputs) <= _FEW_ROWS and model.depth is not None and not model.activation.shape.homogeneous
    return few and not hermite_series(model.activation, float(inputs[0])).converged

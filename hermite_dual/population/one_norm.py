"""Gram entries where a single map of the cosine gives them all: equal norms, and homogeneous activations."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hermite_dual.activation import Activation
from hermite_dual.certified.homogeneous import is_homogeneous
from hermite_dual.numeric.mehler import EPS
from hermite_dual.population.equilibrium_map import equilibrium_map
from hermite_dual.population.inputs import EQUAL_NORMS

Array = NDArray[np.float64]


@lru_cache(maxsize=256)
def homogeneous(activation: Activation) -> bool:
    """Whether `phi(s x) = s phi(x)` for s > 0 is proven; then `K_ij = sqrt(t_ii t_jj) f(t_ij / sqrt(t_ii t_jj))`."""
    return activation.expr is not None and is_homogeneous(activation.expr, activation.symbol)


def equal_norms(inputs: Array) -> bool:
    """Whether the inputs' parts of the variances are one number up to rounding."""
    return bool(np.ptp(inputs) <= EQUAL_NORMS * inputs.max())


@dataclass(frozen=True, eq=False)
class OneMap:
    """`K_ij = values_i values_j f((t_ij + shift) factors_i factors_j)`.

    Attributes:
        factors: of the argument, shape (n,).
        values: of the entry, shape (n,).
        coefficients: the table of f.
        variances: `S_ii`, shape (n,).
        diagonal: `K_ii`, shape (n,).
        error: estimated error of an entry, the rounding of the inner products included.
    """

    factors: Array
    values: Array
    coefficients: Array
    variances: Array
    diagonal: Array
    error: float

    def apply_symmetric(self, matrix: Array, shift: float) -> None:
        """Turn the upper triangle of inner products into the Gram matrix, in place."""
        from hermite_dual.numeric.gram_kernels import apply_table_symmetric

        apply_table_symmetric(matrix, self.factors, self.values, self.coefficients, shift)

    def apply_block(self, block: Array, rows: slice, columns: slice, shift: float) -> None:
        """Turn inner products of some rows with others into Gram entries, in place."""
        from hermite_dual.numeric.gram_kernels import apply_table

        factors, values = self.factors, self.values
        apply_table(block, factors[rows], factors[columns], values[rows], values[columns], self.coefficients, shift)


def one_map(activation: Activation, inputs: Array, weight: float, depth: int | None, rounding: float) -> OneMap:
    """Return the entries' map at equal norms, or of a homogeneous activation at any.

    Args:
        activation: phi.
        inputs: inputs' parts t_ii of the variances, positive, shape (n,).
        weight: sigma_w^2.
        depth: number of layers, at least 1, or None.
        rounding: relative error of the inner products.
    """
    scaled = homogeneous(activation)
    squares = inputs if scaled else np.full_like(inputs, inputs.mean())
    found = equilibrium_map(activation, weight, 1.0 if scaled else float(squares[0]), depth)
    roots = np.sqrt(squares)
    sizes = squares if scaled else np.ones_like(squares)
    # The map is a power series with non-negative coefficients: nowhere does it change faster than at 1.
    top, near = found(np.array([1.0, 1.0 - rounding - 4.0 * EPS]))
    return OneMap(
        1.0 / roots,
        roots if scaled else sizes,
        found.table.coefficients,
        found.variance * sizes,
        found.diagonal * sizes,
        float(sizes.max()) * (found.error + float(top - near)),
    )

"""Kernels of which one map of the cosine gives all entries: at equal norms, and of homogeneous activations at any.

A first layer that is homogeneous of degree 0, such as sign, sees correlations alone.

Derivation: docs/theory/numerics.md, "Gram matrices".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.numeric.graded_table import Factors, GradedTable
from hermite_dual.numeric.mehler import EPS
from hermite_dual.population.entries.equilibrium_map import equilibrium_map
from hermite_dual.population.entries.inputs import EQUAL_NORMS
from hermite_dual.population.entries.recursion import Recursion
from hermite_dual.population.entries.tangent_map import tangent_map


def equal_norms(inputs: Array) -> bool:
    """Whether the inputs' parts of the variances are one number up to rounding."""
    return bool(np.ptp(inputs) <= EQUAL_NORMS * inputs.max())


def has_one_map(recursion: Recursion, inputs: Array) -> bool:
    """Whether one map of the cosine gives all entries for rows with these parts of the variances."""
    return equal_norms(inputs) or recursion.homogeneous or recursion.forgets_norms


@dataclass(eq=False)
class OneMap:
    """`K_ij = v_i w_j f((t_ij + shift) r_i s_j)`, or the same of the tangent kernel.

    Attributes:
        table: f, a power series with non-negative coefficients.
        arguments: r and s, shape (n,).
        values: v and w, shape (n,).
        variances: `S_ii`, shape (n,).
        diagonal: `K_ii`, shape (n,).
        own_error: estimated error of f up to a modulus of its argument.
        rounding: error of its argument.
        error: estimated error of the entries computed so far, what the rounding of inner products adds included.
    """

    table: GradedTable
    arguments: Factors
    values: Factors
    variances: Array
    diagonal: Array
    own_error: Callable[[float], float]
    rounding: float
    error: float = 0.0

    def apply_symmetric(self, matrix: Array, shift: float) -> None:
        """Turn the upper triangle of inner products into entries off the diagonal, of both triangles, in place."""
        self.count(self.table.apply_symmetric(matrix, self.arguments, self.values, shift))

    def apply_block(self, block: Array, rows: slice, columns: slice, shift: float) -> None:
        """Turn inner products of some rows with others into entries, in place."""
        (r, s), (v, w) = self.arguments, self.values
        self.count(self.table.apply(block, (r[rows], s[columns]), (v[rows], w[columns]), shift))

    def count(self, largest: float) -> None:
        """Count the errors up to `|x| = largest` in `error`.

        Nowhere up to `|x| = largest` does a power series with non-negative coefficients change faster than there.
        """
        end = min(largest + self.rounding, 1.0)
        far, near = self.table(np.array([end, end - self.rounding]))
        size = float(self.values[0].max() * self.values[1].max())
        self.error = max(self.error, size * (self.own_error(end) + float(far - near)))


def one_map(recursion: Recursion, inputs: Array, rounding: float, tangent: bool = False) -> OneMap:
    """Return the entries' map at equal norms, or of homogeneous activations of degree 1 or 0 at any.

    Args:
        recursion: the layers.
        inputs: inputs' parts t_ii of the variances, positive, shape (n,).
        rounding: relative error of the inner products.
        tangent: whether the entries are those of the tangent kernel.
    """
    make = tangent_map if tangent else equilibrium_map
    ones, roots = np.ones_like(inputs), np.sqrt(inputs)
    if recursion.homogeneous:
        built = make(recursion, 1.0)
        sizes, arguments, values = inputs, (1.0 / roots, 1.0 / roots), (roots, roots)
        variances = built.variance * sizes
    elif recursion.forgets_norms and not equal_norms(inputs):
        built = make(recursion, 1.0)
        sizes, arguments, values = ones, (1.0 / roots, 1.0 / roots), (ones, ones)
        variances = inputs if recursion.depth == 1 else built.variance * ones
    else:
        built = make(recursion, float(inputs.mean()))
        sizes, arguments, values = ones, (ones / built.top, ones), (ones, ones)
        variances = built.variance * sizes
    diagonal = built.diagonal * sizes
    return OneMap(built.table, arguments, values, variances, diagonal, built.error_up_to, rounding + 4.0 * EPS)

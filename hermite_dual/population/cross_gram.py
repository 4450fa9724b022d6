"""Rectangular kernels: the entries between samples X and other samples Y, for prediction at new points.

At equal norms, or of a homogeneous activation at any, the entry is a function of the cosine, so that only X Y^T is
formed. At other norms, and for proofs, the entries are a block of the square kernel of X and Y together.

Derivation: docs/theory/tangent_kernel.md, "Rectangles".
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.cached_property import cached_property
from hermite_dual.exact_numbers import freeze
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Told
from hermite_dual.population.entries.identical_rows import identical_rows
from hermite_dual.population.entries.model import Model
from hermite_dual.population.entries.narrow_values import narrow_error, narrow_tangent_error
from hermite_dual.population.entries.one_norm import has_one_map, one_map
from hermite_dual.population.entries.trained import PARAMETERS
from hermite_dual.population.entries.zero_rows import check_variances, zero_rows
from hermite_dual.population.gram import Gram, population_gram
from hermite_dual.population.kernel_array import KernelArray
from hermite_dual.population.kernel_diagonal import kernel_diagonal
from hermite_dual.population.ntk import population_ntk

if TYPE_CHECKING:
    from hermite_dual.population.proof.entry_bounds import EntryBounds

_EPS = float(np.finfo(np.float64).eps)


@own_float_state
@dataclass(frozen=True, eq=False, repr=False)
class CrossGram(KernelArray):
    """A rectangular block of a population kernel, between n samples X and p samples Y.

    `np.asarray(C)` is `C.matrix`. Not made by users: see `DEQ.gram` and `DEQ.ntk`.

    Attributes:
        matrix: entries between `X[i]` and `Y[j]`, shape (n, p).
        variances: `S_ii` of the rows of X, shape (n,).
        other_variances: the same of the rows of Y, shape (p,).
        estimated_error: estimated largest error of an entry, an estimate and not a bound.
        depth: number of layers, or None for the limit.
        tangent: whether it is the tangent kernel.
        model: what the entries were computed from, its samples the rows of X and Y together.
    """

    matrix: Array
    variances: Array
    other_variances: Array
    estimated_error: float
    depth: int | None
    tangent: bool
    model: Model

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        freeze(self.matrix, self.variances, self.other_variances)

    def __repr__(self) -> str:
        """Return what it is of; the numbers are in `matrix`."""
        what = f"shape={self.shape}, activation={self.model.name!r}, tangent={self.tangent}"
        return f"CrossGram({what}, depth={self.depth}, estimated_error={self.estimated_error:.1e})"

    def _told(self) -> Told:
        depth = "limit" if self.depth is None else self.depth
        subject = [("shape", self.shape), ("activation", self.model.name), ("depth", depth)]
        return [*subject, ("tangent", self.tangent), ("estimated_error", f"{self.estimated_error:.1e}")]

    @property
    def T(self) -> "CrossGram":
        """The same between the samples Y and X, shape (p, n)."""
        n, rows = self.shape[0], self.model.samples
        turned = replace(self.model, samples=np.concatenate([rows[n:], rows[:n]]))
        matrix = np.ascontiguousarray(self.matrix.T)
        return replace(
            self, matrix=matrix, variances=self.other_variances, other_variances=self.variances, model=turned
        )

    @cached_property
    def gram(self) -> "CrossGram":
        """K between the same samples, itself; of a tangent kernel the block that belongs to it."""
        if not self.tangent:
            return self
        return population_cross_gram(replace(self.model, trained=PARAMETERS), self.shape[0], tangent=False)

    @cached_property
    def row_gram(self) -> Gram:
        """K of the samples X, shape (n, n), computed when it is first asked for."""
        return population_gram(self._rows)

    @property
    def row_diagonal(self) -> Array:
        """Its diagonal `K_ii`, shape (n,), without the others."""
        return kernel_diagonal(self._rows)

    @property
    def _rows(self) -> Model:
        return replace(self.model, samples=self.model.samples[: self.shape[0]], trained=PARAMETERS)

    @cached_property
    def entry_bounds(self) -> "EntryBounds":
        """The proof of every entry, errors of shape (n, p); it takes the square kernel of X and Y together."""
        square = population_ntk(self.model) if self.tangent else population_gram(self.model)
        n = self.shape[0]
        matrix = square.matrix.copy()
        matrix[:n, n:], matrix[n:, :n] = self.matrix, self.matrix.T
        square = replace(square, matrix=matrix)
        return square.entry_bounds.block(slice(0, n), slice(n, None))

    @property
    def entry_error(self) -> float:
        """Proven bound of every entry's distance to the kernel; infinite where nothing is proven."""
        return self.entry_bounds.largest


def population_cross_gram(model: Model, n: int, tangent: bool) -> CrossGram:
    """Return the kernel between the first n samples of the model and the others.

    Args:
        model: with the rows of X and Y, checked, as its samples.
        n: number of rows of X.
        tangent: whether to return the tangent kernel.
    """
    rows = model.samples
    width, shift = rows.shape[1], model.sigma_b**2
    inputs = model.inputs_variances()
    zero = zero_rows(rows, model.sigma_b)
    check_variances(inputs, zero | (model.sigma_u == 0.0))
    tabulated = model.depth != 0 and model.trains_all and has_one_map(model.recursion, inputs)
    if not tabulated or model.sigma_u == 0.0 or zero.any():
        square = population_ntk(model) if tangent else population_gram(model)
        matrix, variances, error = square.matrix[:n, n:].copy(), square.variances, square.estimated_error
    else:
        matrix = rows[:n] @ rows[n:].T
        matrix *= model.sigma_u**2 / width
        identical = identical_rows(rows[:n], rows[n:])
        matrix[identical] = -shift
        entries = one_map(model.recursion, inputs, 0.5 * width * _EPS, tangent)
        entries.apply_block(matrix, slice(0, n), slice(n, None), shift)
        matrix[identical] = entries.diagonal[identical[0]]
        variances = entries.variances
        error = entries.error + (narrow_tangent_error if tangent else narrow_error)(model.recursion, inputs)
    return CrossGram(matrix, variances[:n], variances[n:], error, model.depth, tangent, model)

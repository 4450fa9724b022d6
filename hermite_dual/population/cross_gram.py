"""Rectangular kernels: the entries between samples X and other samples Y, for prediction at new points.

At equal norms the entry is a function of the inner product alone, so that only X Y^T is formed. At unequal norms, and
for proofs, the entries are a block of the square kernel of X and Y together.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hermite_dual.population.equilibrium_map import equilibrium_map
from hermite_dual.population.gram import Gram, Model
from hermite_dual.population.identical_rows import identical_rows
from hermite_dual.population.inputs import EQUAL_NORMS, check_nonzero_rows
from hermite_dual.population.ntk import gram_of, population_ntk
from hermite_dual.population.tangent_map import tangent_map

if TYPE_CHECKING:
    from hermite_dual.population.entry_bounds import EntryBounds

Array = NDArray[np.float64]
_EPS = float(np.finfo(np.float64).eps)
_ROWS = 64
"""Rows evaluated at a time, so that what an interpolant needs stays in the processor's cache."""


@dataclass(frozen=True, eq=False)
class CrossGram:
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
    model: Model = field(repr=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the matrix, for NumPy."""
        if dtype is not None and np.dtype(dtype) != self.matrix.dtype:
            if copy is False:
                raise ValueError(f"the matrix is {self.matrix.dtype}: conversion to {np.dtype(dtype)} needs a copy")
            return self.matrix.astype(dtype)
        return self.matrix.copy() if copy else self.matrix

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (n, p)."""
        return (self.matrix.shape[0], self.matrix.shape[1])

    @cached_property
    def entry_bounds(self) -> "EntryBounds":
        """The proof of every entry, errors of shape (n, p); it takes the square kernel of X and Y together."""
        square = _square(self.model, self.tangent)
        n = self.shape[0]
        square.matrix[:n, n:] = self.matrix
        square.matrix[n:, :n] = self.matrix.T
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
    check_nonzero_rows(model.samples, model.sigma_b)
    width, rows = model.samples.shape[1], model.samples
    factor, shift = model.sigma_u**2 / width, model.sigma_b**2
    diagonal = factor * np.einsum("ij,ij->i", rows, rows) + shift
    equal = np.ptp(diagonal) <= EQUAL_NORMS * diagonal.max()
    if model.depth == 0 or not equal or model.sigma_u == 0.0:
        square = _square(model, tangent)
        matrix, variances, error = square.matrix[:n, n:].copy(), square.variances, square.estimated_error
    else:
        matrix = rows[:n] @ rows[n:].T
        matrix *= factor
        matrix += shift
        rounding = 0.5 * width * _EPS
        entries = _tangent_entries if tangent else _gram_entries
        identical = identical_rows(rows[:n], rows[n:])
        matrix[identical] = 0.0
        variance, on_diagonal, error = entries(model, matrix, float(diagonal.mean()), rounding)
        matrix[identical] = on_diagonal
        variances = np.full(len(rows), variance)
    return CrossGram(matrix, variances[:n], variances[n:], error, model.depth, tangent, model)


def _square(model: Model, tangent: bool) -> Gram:
    return population_ntk(model) if tangent else gram_of(model)


def _gram_entries(model: Model, matrix: Array, top: float, rounding: float) -> tuple[float, float, float]:
    """Turn inner products into entries of K, in place; return the variance, the diagonal entry and the error."""
    found = equilibrium_map(model.activation, model.sigma_w**2, top, model.depth)
    matrix /= top
    for start in range(0, len(matrix), _ROWS):
        matrix[start : start + _ROWS] = found(matrix[start : start + _ROWS])
    # The map changes fastest at 1: it is a power series with non-negative coefficients.
    end, near = found(np.array([1.0, 1.0 - rounding - 4.0 * _EPS]))
    return found.variance, found.diagonal, found.error + float(end - near)


def _tangent_entries(model: Model, matrix: Array, top: float, rounding: float) -> tuple[float, float, float]:
    """The same with the tangent kernel."""
    found = tangent_map(model.activation, model.sigma_w**2, top, model.depth)
    matrix /= found.top
    error = found.error + found.change(rounding, float(matrix.min()), float(matrix.max()))
    for start in range(0, len(matrix), _ROWS):
        matrix[start : start + _ROWS] = found(matrix[start : start + _ROWS])
    return found.variance, found.diagonal, error

"""Rows of zeros without a bias, whose inputs add nothing to any covariance.

Their preactivations have the variances `q(1) = 0`, `q(l+1) = sigma_w^2 K_00(l)`, so `K_0j(1) = phi(0) E[phi(v_j)]`, and
later layers and the limit follow from `S_0j = sigma_w^2 K_0j`. Where phi(0) = 0, the only solution is 0.

Derivation: docs/theory/numerics.md, "Gram matrices".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Mask
from hermite_dual.errors import ConvergenceError, InvalidInputError
from hermite_dual.numeric.kernel import kernel_with_error
from hermite_dual.population.entries.gram_entries import GramEntries
from hermite_dual.population.entries.recursion import Recursion
from hermite_dual.population.entries.variances import LARGEST_VARIANCE, diagonal_above, row_variances

_EPS = float(np.finfo(np.float64).eps)
_MAX_STEPS = 2000
_SMALLEST_VARIANCE = 1e-280
"""Below it squares of variances underflow."""


def zero_rows(samples: Array, sigma_b: float) -> Mask:
    """Return which rows are zero without a bias, shape (n,)."""
    return np.logical_not(samples.any(axis=1)) if sigma_b == 0.0 else np.zeros(len(samples), dtype=bool)


def vanishes_at_zero(activation: Activation) -> bool:
    """Whether `phi(0) = 0`, exactly; of a Python function as it returns it."""
    if activation.expr is None:
        return float(activation(0.0)) == 0.0
    return bool(activation.expr.subs(activation.symbol, 0).is_zero)


def check_variances(inputs: Array, zero: Mask) -> None:
    """Refuse rows so small or so large that their variances cannot be computed with.

    Args:
        inputs: `sigma_u^2 |x_i|^2 / d + sigma_b^2`, shape (n,).
        zero: which rows are zero.
    """
    bad = ~((inputs >= _SMALLEST_VARIANCE) & (inputs <= LARGEST_VARIANCE)) & ~zero
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InvalidInputError(
            f"row {row} of X has the variance sigma_u^2 |x|^2/d + sigma_b^2 = {inputs[row]:g}: scale X, or "
            f"sigma_u, so that it lies between {_SMALLEST_VARIANCE:g} and {LARGEST_VARIANCE:g}"
        )


@dataclass(eq=False)
class ZeroRows:
    """The map from inner products to entries where some rows are zero.

    Attributes:
        others: the map of the other rows; of rows of zeros it has taken another row's norm.
        zero: which rows are zero, shape (n,).
        variance: `S_00`.
        column: `K_0j`, shape (n,).
        own_error: estimated error of the column.
    """

    others: GramEntries
    zero: Mask
    variance: float
    column: Array
    own_error: float

    @property
    def variances(self) -> Array:
        """`S_ii`, shape (n,)."""
        return np.where(self.zero, self.variance, self.others.variances)

    @property
    def diagonal(self) -> Array:
        """`K_ii`, shape (n,)."""
        return np.where(self.zero, self.column, self.others.diagonal)

    @property
    def error(self) -> float:
        """Estimated error of an entry."""
        return max(self.others.error, self.own_error)

    def apply_symmetric(self, matrix: Array, shift: float) -> None:
        """Turn the upper triangle of inner products into the Gram matrix, in place."""
        self.others.apply_symmetric(matrix, shift)
        matrix[self.zero] = self.column
        matrix[:, self.zero] = self.column[:, None]

    def apply_block(self, block: Array, rows: slice, columns: slice, shift: float) -> None:
        """Turn inner products of some rows with others into entries, in place."""
        self.others.apply_block(block, rows, columns, shift)
        block[self.zero[rows]] = self.column[columns]
        block[:, self.zero[columns]] = self.column[rows, None]


def stays_zero(recursion: Recursion) -> bool:
    """Whether rows that are zero without a bias are zero in every layer."""
    return all(vanishes_at_zero(layer.activation) and not layer.bias for layer in recursion.layers)


def with_zero_rows(build: Callable[[Array], GramEntries], recursion: Recursion, inputs: Array, zero: Mask) -> ZeroRows:
    """Return the map for rows of which some, not all, are zero.

    Args:
        build: makes the map of rows from their inputs' parts of the variances.
        recursion: the layers.
        inputs: inputs' parts t_ii of the variances, shape (n,).
        zero: which rows are zero.
    """
    filled = np.where(zero, inputs[~zero][0], inputs)
    others = build(filled)
    if stays_zero(recursion):
        return ZeroRows(others, zero, 0.0, np.zeros_like(inputs), 0.0)
    zero_variances = row_variances(recursion, np.zeros(1))
    distinct, index = np.unique(filled, return_inverse=True)
    layers = row_variances(recursion, distinct)
    values, error = (_limit if recursion.limit else _layers)(recursion, zero_variances, layers)
    corner = float(diagonal_above(recursion, zero_variances, np.zeros(1))[0][0])
    return ZeroRows(others, zero, float(zero_variances[-1][0]), np.where(zero, corner, values[index]), error)


def _layers(recursion: Recursion, zero_variances: list[Array], layers: list[Array]) -> tuple[Array, float]:
    """Return the entries after all layers, and an estimate of their error."""
    nothing = np.zeros_like(layers[0])
    covariance, error = nothing, 0.0
    for layer, q, others in zip(recursion.layers, zero_variances, layers, strict=True):
        values, errors = kernel_with_error(layer.activation, np.full_like(others, float(q[0])), others, covariance)
        covariance = layer.above(covariance, values, nothing)
        error = layer.weight * float(errors.max()) + (layer.carry + layer.weight) * error
    return covariance, error


def _limit(recursion: Recursion, zero_variances: list[Array], layers: list[Array]) -> tuple[Array, float]:
    """Return the entries in the limit by iteration, a contraction, and an estimate of their error."""
    (others,), activation, weight = layers, recursion.last, recursion.weight
    q, growth = np.full_like(others, float(zero_variances[0][0])), weight * activation.lipschitz**2
    values = np.zeros_like(others)
    for _ in range(_MAX_STEPS):
        before = values
        values, errors = kernel_with_error(activation, q, others, weight * before)
        moved = float(np.abs(values - before).max()) * growth
        if moved <= 2.0 * activation.resolution * float(np.abs(values).max()):
            return values, (float(errors.max()) + moved) / max(1.0 - growth, _EPS)
    raise ConvergenceError(
        f"the entries of a row of zeros are not found to rounding in {_MAX_STEPS} steps (contraction {growth:.6f}): "
        "reduce sigma_w, or ask for a finite depth"
    )

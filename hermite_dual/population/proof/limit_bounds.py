"""Proven bounds of the entries of the limit, for one block of rows and columns at a time.

The residual of the fixed-point equation, evaluated with proven errors at the floats given, over the contraction
`1 - sigma_w^2 L^2`. Everything that belongs to single rows is found once; a block needs its samples and its floats.

Derivation: docs/theory/entries.md, "Entries of a Gram matrix".
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from flint import arb

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Mask
from hermite_dual.certified.balls.precision import bits_for, rounded, working_precision
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma
from hermite_dual.certified.counted.entry_error import (
    kernel_perturbation,
    off_diagonal_error,
    root_error,
    variance_error,
)
from hermite_dual.errors import AccuracyError
from hermite_dual.numeric.spans import spans
from hermite_dual.population.entries.zero_rows import vanishes_at_zero
from hermite_dual.population.proof.certified_kernel import CertifiedKernel
from hermite_dual.population.proof.input_rows import PARAMETER_UNITS, SCALES, InputRows

TILE = 512
"""Rows and columns of a block whose temporaries stay in the cache."""


@dataclass(frozen=True, eq=False)
class Block:
    """A block of the matrix.

    Attributes:
        rows: which rows.
        columns: which columns; equal to the rows, or none of them.
        left: samples of the rows, shape (rows, d).
        right: samples of the columns, shape (columns, d).
        entries: floats close to K, shape (rows, columns).
    """

    rows: slice
    columns: slice
    left: Array
    right: Array
    entries: Array

    @property
    def on_diagonal(self) -> bool:
        """Whether its rows are its columns."""
        return self.rows == self.columns

    def parts(self) -> Iterator["Block"]:
        """Pieces that stay in the cache; of a block on the diagonal, those on and above it."""
        height, width = self.entries.shape
        if self.on_diagonal:
            pairs: Iterable[tuple[slice, slice]] = tiles(height)
        else:
            pairs = product(spans(height, TILE), spans(width, TILE))
        for rows, columns in pairs:
            yield Block(
                slice(self.rows.start + rows.start, self.rows.start + rows.stop),
                slice(self.columns.start + columns.start, self.columns.start + columns.stop),
                self.left[rows],
                self.right[columns],
                self.entries[rows, columns],
            )


@dataclass(frozen=True, eq=False)
class BlockSums:
    """What is kept of the errors of a block.

    Attributes:
        rows: upper bounds of the sums over columns, shape (rows,).
        columns: upper bounds of the sums over rows, shape (columns,).
        largest: the largest error.
        budget: the largest contribution of each kind.
    """

    rows: Array
    columns: Array
    largest: float
    budget: dict[str, float]

    @classmethod
    def of(cls, errors: Array, budget: dict[str, float]) -> "BlockSums":
        """Sum up the bounds of all entries."""
        up = 1 + 2 * gamma(max(errors.shape) + 1)
        return cls(errors.sum(axis=1) * up, errors.sum(axis=0) * up, float(errors.max()), budget)


def larger_shares(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    """Return the larger of two contributions of each kind."""
    return {name: max(first.get(name, 0.0), second.get(name, 0.0)) for name in first | second}


def tiles(count: int, size: int = TILE) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the blocks on and above the diagonal."""
    parts = spans(count, size)
    for i, rows in enumerate(parts):
        for columns in parts[i:]:
            yield rows, columns


def block_of(samples: Array, matrix: Array, rows: slice, columns: slice) -> Block:
    """A block of arrays in memory."""
    return Block(rows, columns, samples[rows], samples[columns], np.asarray(matrix[rows, columns], dtype=np.float64))


def plain_covariance(block: Block, sigma_w: float, sigma_u: float, sigma_b: float) -> Array:
    """`sigma_w^2 K + (sigma_u^2 / d) X Y^T + sigma_b^2` of a block in plain floats, from one product."""
    covariance = block.left @ block.right.T
    covariance *= sigma_u**2 / block.left.shape[1]
    covariance += sigma_w**2 * block.entries
    covariance += sigma_b**2
    return np.asarray(covariance)


def largest_correlation(block: Block, scales: tuple[float, float, float], variances: Array) -> float:
    """The largest `|rho_ij|`, i != j, of a block in plain floats; scales are `sigma_w`, `sigma_u`, `sigma_b`."""
    roots = np.sqrt(np.where(variances > 0.0, variances, np.inf))  # correlations with no variance do not count
    rho = plain_covariance(block, *scales)
    rho /= np.multiply.outer(roots[block.rows], roots[block.columns])
    if block.on_diagonal:
        np.fill_diagonal(rho, 0.0)
    return min(1.0, float(max(rho.max(), -rho.min())))


@dataclass(frozen=True, eq=False)
class LimitBounds:
    """What the bounds of all blocks share.

    Args:
        activation: phi, with a formula.
        sigma_w: recurrent scale, `sigma_w L < 1` proven by the caller.
        lipschitz: the proven Lipschitz constant.
        inputs: the rows.
        diagonal: floats close to `K_ii`, shape (n,).
        variances: floats close to `S_ii`, shape (n,). Rows of zeros without a bias have 0 if `phi(0) = 0`, and entries
            that are 0.
        largest: the largest correlation that will be asked for; a hint.

    Raises:
        AccuracyError, InvalidInputError, NotIntegrableError: nothing can be proven.
    """

    activation: Activation
    sigma_w: float
    lipschitz: float
    inputs: InputRows
    diagonal: Array
    variances: Array
    largest: float
    roots: Array = field(init=False)
    root_errors: Array = field(init=False)
    norms: Array = field(init=False)
    diagonal_errors: Array = field(init=False)
    kernel: CertifiedKernel = field(init=False)
    empty: Mask = field(init=False)

    def __post_init__(self) -> None:
        empty = self.variances == 0.0
        if empty.any() and not vanishes_at_zero(self.activation):
            positive_roots(self.variances)  # says what is missing
        # rows that are 0 pass for rows of another norm, and their entries are set right at the end
        filled = np.where(empty, self.variances.max() or 1.0, self.variances)
        object.__setattr__(self, "variances", filled)
        kernel = CertifiedKernel(self.activation, filled, self.largest)
        roots = positive_roots(filled)
        residual = np.where(empty, 0.0, self._variance_residual(kernel))
        e = np.asarray(root_error(self.variances, residual, self.sigma_w * SCALES, self.lipschitz))
        if not (e < 0.5 * roots).all():
            raise AccuracyError("a variance is known too poorly to bound the entries of its row")
        norms = kernel.norms()
        diagonal_errors = kernel.moment_distance(self.diagonal) + moment_change(norms, e, self.lipschitz)
        diagonal_errors = np.where(empty, np.abs(self.diagonal), diagonal_errors)
        fields = {
            "kernel": kernel,
            "roots": roots,
            "root_errors": e,
            "norms": norms,
            "diagonal_errors": diagonal_errors,
            "empty": empty,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def _variance_residual(self, kernel: CertifiedKernel) -> Array:
        """Upper bounds of `|q_i - sigma_w^2 E[phi(sqrt(q_i) Z)^2] - t_i|`, shape (n,)."""
        distinct = np.unique(self.variances).tolist()
        with working_precision(bits_for(40)):
            weight = arb(self.sigma_w) * arb(self.sigma_w)
            weight += arb(0, weight * PARAMETER_UNITS * UNIT * 2)
            balls = [arb(q) - weight * moment for q, moment in zip(distinct, kernel.moments, strict=True)]
            gaps, radii = (floats[kernel.index] for floats in rounded(balls))
        inner = self.inputs.diagonal()
        return np.asarray((np.abs(gaps - inner.values) + radii + inner.errors) * UP)

    def errors_of(self, block: Block) -> tuple[Array, dict[str, float]]:
        """Bounds of `|K_float - K|` in a block, and the largest contribution of each kind off the diagonal."""
        rows, columns, K = block.rows, block.columns, block.entries
        inner = self.inputs.between(block.left, block.right, rows, columns)
        weight = self.sigma_w**2
        covariance = weight * K + inner.values
        slack = inner.errors + gamma(4 + PARAMETER_UNITS) * weight * np.abs(K)
        rho, slack = correlations(covariance, slack, self.roots[rows], self.roots[columns])
        if block.on_diagonal:
            np.fill_diagonal(rho, 0.0)
        series = self.kernel.evaluate(rho, (rows, columns), self.lipschitz)
        moved = perturbation(
            self.norms, self.roots, self.root_errors, self.lipschitz, covariance, slack, (rows, columns)
        )
        distance = np.abs(K - series.values) + series.errors
        errors = off_diagonal_error(distance, moved, self.sigma_w * SCALES, self.lipschitz)
        kinds = {
            "inner products and scaling": inner.errors,
            "kernel evaluation": series.errors,
            "fixed-point residual": distance,
        }
        if self.empty.any():
            true_zeros = np.logical_or.outer(self.empty[rows], self.empty[columns])
            errors[true_zeros] = np.abs(K[true_zeros])
            for array in kinds.values():
                array[true_zeros] = 0.0
        if block.on_diagonal:
            np.fill_diagonal(errors, self.diagonal_errors[rows])
            for array in kinds.values():
                np.fill_diagonal(array, 0.0)
        return errors, {name: float(array.max()) for name, array in kinds.items()}

    def block_sums(self, block: Block) -> "BlockSums":
        """Sum up the bounds of a block."""
        return BlockSums.of(*self.errors_of(block))

    @property
    def variance_errors(self) -> Array:
        """Bounds of `|q_i - S_ii|`, shape (n,)."""
        return variance_error(self.variances, self.root_errors)

    def budget(self) -> dict[str, float]:
        """The contributions that belong to no block."""
        return {"variances": float(self.variance_errors.max())}

    def correlation_moduli_of(self, block: Block, error: float) -> Array:
        """Upper bounds of `|R_ij|`, at most 1, R the correlations of S, given a bound of every entry's error.

        With `S_ii >= d_i > 0`, `|R_ij| <= (|S_ij| + e_ij)/sqrt(d_i d_j)`.
        """
        covariance = plain_covariance(block, self.sigma_w, self.inputs.sigma_u, self.inputs.sigma_b)
        errors = self.preactivation_errors_of(block, np.full(covariance.shape, error))
        floor = (self.variances - self.variance_errors) * (1 - 4 * UNIT)
        roots = np.sqrt(floor) * (1 - 4 * UNIT)
        size = np.abs(covariance) + errors
        return np.minimum(size / np.multiply.outer(roots[block.rows], roots[block.columns]) * (1 + 8 * UNIT), 1.0)

    def preactivation_errors_of(self, block: Block, errors: Array) -> Array:
        """Bounds of `|S_float - S|` in a block, given those of K.

        `S_float` is `(sigma_w**2) * K + (sigma_u**2 / d) * (X @ X.T) + sigma_b**2` with one product of floats, all
        summed in any order, and the float variances on the diagonal.
        """
        inputs, d = self.inputs, self.inputs.width
        products = np.multiply.outer(inputs.norms[block.rows], inputs.norms[block.columns])
        first, second = self.sigma_w**2 * np.abs(block.entries), inputs.sigma_u**2 / d * products
        # at most five roundings in each term, the parameters' units, and those of the sum of d products
        units = gamma(8 + PARAMETER_UNITS)
        rounding = units * (first + second + inputs.sigma_b**2) + (gamma(d) + inputs.meant_units) * second
        underflow = (8 + 4 * d + 4 * inputs.sigma_u**2) * TINY
        bounds = (self.sigma_w**2 * SCALES * errors + rounding * UP + underflow) * UP
        if block.on_diagonal:
            np.fill_diagonal(bounds, self.variance_errors[block.rows])
        return np.asarray(bounds)


def positive_roots(variances: Array) -> Array:
    """Square roots of the variances, refusing zeros."""
    if not (variances > 0.0).all():
        raise AccuracyError("a variance is zero: remove zero rows, or set sigma_b > 0")
    return np.sqrt(variances)


def correlations(covariance: Array, slack: Array, left: Array, right: Array) -> tuple[Array, Array]:
    """Correlations clipped to [-1, 1], and the slack between `rho sqrt(q_i q_j)` and the true covariance.

    Clipping brings the point no farther from the true correlation. Roots, their product and the quotient round four
    times, the sum behind the covariance once.

    Args:
        covariance: floats, shape (n, p).
        slack: bounds of their error.
        left: float roots of the variances of the rows, shape (n,).
        right: those of the columns, shape (p,).
    """
    rho = np.clip(covariance / np.multiply.outer(left, right), -1.0, 1.0)
    return rho, (slack + gamma(8) * np.abs(covariance)) * UP


def perturbation(
    norms: Array,
    roots: Array,
    root_errors: Array,
    lipschitz: float,
    covariance: Array,
    slack: Array,
    block: tuple[slice, slice],
) -> Array:
    """How far the kernel moves in a block between the floats' variances and covariances and the true ones."""
    rows, columns = (block[0], None), (None, block[1])
    return kernel_perturbation(
        norms[rows],
        norms[columns],
        roots[rows],
        roots[columns],
        covariance,
        (root_errors[rows], root_errors[columns]),
        slack,
        lipschitz,
    )


def moment_change(norms: Array, e: Array, lipschitz: float) -> Array:
    """`|E[phi(t Z)^2] - E[phi(t' Z)^2]| <= L e (2 N + L e)`."""
    return np.asarray(lipschitz * e * (2.0 * norms + lipschitz * e) * UP)

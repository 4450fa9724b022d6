"""Tasks on single blocks of a Gram matrix: its entries, the bounds of their errors, sums for the theory's bounds.

Block (i, j), i <= j, holds rows of block i against columns of block j; what is below the diagonal is its transpose and
is not kept. A task takes what it needs from files and writes what it finds there, so it may run twice, anywhere.

Derivation: docs/theory/eigenvalues.md, "Beyond memory".
"""

from dataclasses import dataclass, replace

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import gamma
from hermite_dual.certified.eigenvalues.theory_bounds import power_sums
from hermite_dual.errors import AccuracyError
from hermite_dual.outofcore.block_array import BlockArray, ChunkState
from hermite_dual.outofcore.compute_lock import compute_lock
from hermite_dual.outofcore.samples import Samples
from hermite_dual.population.entries.gram_entries import GramEntries
from hermite_dual.population.entries.model import Model
from hermite_dual.population.proof.entry_bounds import entry_bounds
from hermite_dual.population.proof.limit_bounds import (
    TILE,
    Block,
    BlockSums,
    LimitBounds,
    larger_shares,
    largest_correlation,
)

Tile = tuple[int, int]


@dataclass(frozen=True, eq=False)
class GramJob:
    """What all tasks on a Gram matrix share.

    Attributes:
        model: activation and scales; its samples are empty.
        samples: X.
        entries: the map from inner products to entries.
        gram: the matrix.
        facts: the largest correlation of each block, shape (blocks, blocks).
    """

    model: Model
    samples: Samples
    entries: GramEntries
    gram: BlockArray
    facts: BlockArray

    def span(self, index: int) -> slice:
        """The rows of a block."""
        size, n = self.gram.chunks[0], self.gram.shape[0]
        return slice(index * size, min((index + 1) * size, n))

    def read(self, tile: Tile) -> Array:
        """A finished block in float64."""
        return np.asarray(self.gram.whole(tile), dtype=np.float64)


def compute_tile(job: GramJob, tile: Tile) -> tuple[bool, float]:
    """Make sure that a block is there and whole.

    Returns:
        Whether it was computed, and its largest correlation.
    """
    _, state = job.gram.read_checked(tile)
    fact = job.facts.read(tile)
    if state is ChunkState.WHOLE and fact is not None:
        return False, float(fact[0, 0])
    rows, columns = job.span(tile[0]), job.span(tile[1])
    left = np.ascontiguousarray(job.samples.rows(rows))
    right = left if rows == columns else np.ascontiguousarray(job.samples.rows(columns))
    with compute_lock():
        entries = _entries(job, left, right, rows, columns)
        largest = _largest(job, Block(rows, columns, left, right, entries))
        stored = entries.astype(job.gram.dtype, copy=False)
    job.gram.write(tile, stored)
    # after the block: where this is missing the block is computed again
    job.facts.write(tile, np.array([[largest]]))
    return True, largest


def _entries(job: GramJob, left: Array, right: Array, rows: slice, columns: slice) -> Array:
    from hermite_dual.numeric.gram_kernels import mirror

    model = job.model
    block = left @ right.T
    block *= model.sigma_u**2 / left.shape[1]
    job.entries.apply_block(block, rows, columns, model.sigma_b**2)
    if rows == columns:
        mirror(block)
        np.fill_diagonal(block, job.entries.diagonal[rows])
    return block


def _largest(job: GramJob, block: Block) -> float:
    scales = (job.model.sigma_w, job.model.sigma_u, job.model.sigma_b)
    return max(largest_correlation(sub_block, scales, job.entries.variances) for sub_block in block.parts())


def bound_tile(job: GramJob, bounds: LimitBounds | None, tile: Tile) -> BlockSums:
    """Sum up the proven errors of a block: of the limit through `bounds`, of finite depth by computing all layers."""
    rows, columns = job.span(tile[0]), job.span(tile[1])
    left, right = job.samples.rows(rows), job.samples.rows(columns)
    entries = job.read(tile)
    if bounds is None:
        across = [job.read((tile[0], tile[0])), job.read((tile[1], tile[1]))]
        with compute_lock():
            return _layer_sums(job, Block(rows, columns, left, right, entries), across)
    height, width = entries.shape
    sums = BlockSums(np.zeros(height), np.zeros(width), 0.0, {})
    block = Block(rows, columns, left, right, entries)
    with compute_lock():
        for sub_block in block.parts():
            sums = _added(sums, block, sub_block, bounds.block_sums(sub_block))
    # at most one rounding for each part in a row
    up = 1 + gamma(2 * (height + width) // TILE + 4)
    return replace(sums, rows=sums.rows * up, columns=sums.columns * up)


def _added(sums: BlockSums, block: Block, sub_block: Block, sub_sums: BlockSums) -> BlockSums:
    rows = slice(sub_block.rows.start - block.rows.start, sub_block.rows.stop - block.rows.start)
    columns = slice(sub_block.columns.start - block.columns.start, sub_block.columns.stop - block.columns.start)
    sums.rows[rows] += sub_sums.rows
    sums.columns[columns] += sub_sums.columns
    if block.on_diagonal and not sub_block.on_diagonal:
        sums.rows[columns] += sub_sums.columns
        sums.columns[rows] += sub_sums.rows
    return replace(
        sums, largest=max(sums.largest, sub_sums.largest), budget=larger_shares(sums.budget, sub_sums.budget)
    )


def _layer_sums(job: GramJob, block: Block, across: list[Array]) -> BlockSums:
    """The errors at finite depth, from the Gram matrix of the rows of both blocks."""
    variances = job.entries.variances
    if block.on_diagonal:
        samples, matrix, row_variances = block.left, block.entries, variances[block.rows]
        block_index = (slice(None), slice(None))
    else:
        samples = np.concatenate([block.left, block.right])
        matrix = np.block([[across[0], block.entries], [block.entries.T, across[1]]])
        row_variances = np.concatenate([variances[block.rows], variances[block.columns]])
        block_index = (slice(0, len(block.left)), slice(len(block.left), None))
    bounds = entry_bounds(replace(job.model, samples=samples), matrix, row_variances)
    if bounds.errors is None:
        raise AccuracyError(bounds.reason)
    return BlockSums.of(bounds.errors[block_index], bounds.budget)


def power_tile(
    job: GramJob, bounds: LimitBounds, error: float, tile: Tile, weights: tuple[Array, Array]
) -> tuple[Array, Array, float]:
    """Sums of powers of correlations over a block, for Gershgorin's theorem.

    Args:
        job: the matrix.
        bounds: of its entries.
        error: a bound of the error of every entry.
        tile: which block.
        weights: bounds of `|a_r|` at the rows and at the columns, shapes (degrees, rows) and (degrees, columns).

    Returns:
        `sum_j |R_ij|^r w_rj` and `sum_i |R_ij|^r w_ri`, shapes (degrees, rows) and (degrees, columns), and the largest
        `|R_ij|`, i != j. Of a block on the diagonal both belong to the same rows and are to be added.
    """
    rows, columns = job.span(tile[0]), job.span(tile[1])
    block = Block(rows, columns, job.samples.rows(rows), job.samples.rows(columns), job.read(tile))
    left, right = np.zeros_like(weights[0]), np.zeros_like(weights[1])
    beta = 0.0
    with compute_lock():
        for sub_block in block.parts():
            moduli = bounds.correlation_moduli_of(sub_block, error)
            local_rows = slice(sub_block.rows.start - rows.start, sub_block.rows.stop - rows.start)
            local_columns = slice(sub_block.columns.start - columns.start, sub_block.columns.stop - columns.start)
            diagonal = sub_block.on_diagonal
            left[:, local_rows] += power_sums(moduli, weights[1][:, local_columns], diagonal=diagonal)
            if not diagonal:
                right[:, local_columns] += power_sums(
                    np.ascontiguousarray(moduli.T), weights[0][:, local_rows], diagonal=False
                )
            else:
                np.fill_diagonal(moduli, 0.0)
            beta = max(beta, float(moduli.max()))
    return left, right, beta

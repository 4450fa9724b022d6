"""Tasks of a Cholesky factorization `A - s I = L L^T` in blocks on disk, with the error bound of the one in memory.

Block (i, j), j <= i, of L needs the blocks left of it and those of row j: each task reads them two at a time, subtracts
their products and writes its block. Inside, everything is done in tiles of b rows as `float_cholesky.py`
does: a product of tiles is complete before it is subtracted, so that an entry is subtracted from less than
`K = blocks ceil(block/b)` times, and `|E| <= (g_{b+2} + K u)(1 + tiny)|L||L|^T`, whatever the blocks are.

Derivation: docs/theory/eigenvalues.md, "Beyond memory".
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hermite_dual.certified.eigenvalues.float_cholesky import routines, tile_edges, tile_size, tiled_error_units
from hermite_dual.outofcore.block_array import BlockArray, ChunkState
from hermite_dual.outofcore.compute_lock import compute_lock

Block = NDArray[Any]
Tile = tuple[int, int]


@dataclass(frozen=True, eq=False)
class FactorJob:
    """What all tasks of a factorization share.

    Attributes:
        gram: A, blocks on and above the diagonal.
        factor: L, blocks on and below the diagonal; its dtype is the working precision.
        shift: s.
        scale: of A and s, a power of two.
    """

    gram: BlockArray
    factor: BlockArray
    shift: float
    scale: float

    @property
    def rows(self) -> int:
        """Rows of a tile in a block."""
        return min(tile_size(self.gram.shape[0]), self.gram.chunks[0])

    @property
    def error_units(self) -> float:
        """The factor of `|L||L|^T` in the error bound, for float64."""
        return tiled_error_units(self.rows, self.gram.grid[0] * -(-self.gram.chunks[0] // self.rows))


def factor_tile(job: FactorJob, tile: Tile) -> bool:
    """Make sure that a block of L is there and whole; False if a pivot is not positive.

    Raises:
        DataFileError: a block that it needs is missing or damaged.
    """
    if job.factor.read_checked(tile)[1] is ChunkState.WHOLE:
        return True
    i, j = tile
    target = _target(job, i, j)
    for k in range(j):
        # a row of L is a column of R = L^T, and the transpose of a stored block lies in the order that BLAS wants
        left = job.factor.whole((j, k)).T
        right = left if i == j else job.factor.whole((i, k)).T
        with compute_lock():
            _subtract(target, left, right, job.rows, symmetric=i == j)
    diagonal_factor = None if i == j else job.factor.whole((j, j)).T
    with compute_lock():
        if diagonal_factor is None:
            done = _factor_in_place(target, job.rows)
        else:
            done = _solve_in_place(diagonal_factor, target, job.rows)
    if done:
        job.factor.write(tile, target.T)
    return done


def _target(job: FactorJob, i: int, j: int) -> Block:
    """Block (j, i) of `scale (A - s I)` in the working precision and in Fortran's order, for row j of R = L^T."""
    target = np.asfortranarray(job.gram.whole((j, i)), dtype=np.float64)
    if i == j:
        np.fill_diagonal(target, np.diagonal(target) - job.shift)
    if job.scale != 1.0:
        target *= job.scale
    return np.asfortranarray(target, dtype=job.factor.dtype)


def _subtract(target: Block, left: Block, right: Block, rows: int, *, symmetric: bool) -> None:
    """Subtract `left^T right`, some rows of both at a time; of a symmetric target the upper triangle alone."""
    gemm, syrk = routines(target.dtype, "gemm", "syrk")
    product = np.zeros(target.shape, dtype=target.dtype, order="F")
    edges = tile_edges(len(left), rows)
    for low, high in itertools.pairwise(edges):
        # copies lie in one piece, as BLAS wants them; they are as small as a tile
        first = np.asfortranarray(left[low:high])
        if symmetric:
            product = syrk(1.0, first, c=product, trans=1, overwrite_c=1)
        else:
            second = np.asfortranarray(right[low:high])
            product = gemm(1.0, first, second, c=product, trans_a=1, overwrite_c=1)
        # the product is complete before it is subtracted: one rounding per tile, none per row
        np.subtract(target, product, out=target)


def _factor_in_place(target: Block, rows: int) -> bool:
    """Replace the upper triangle of a symmetric block by its factor R, what is below by zeros."""
    potrf, gemm, syrk, trsm = routines(target.dtype, "potrf", "gemm", "syrk", "trsm")
    edges = tile_edges(len(target), rows)
    for low, high in itertools.pairwise(edges):
        for start in (s for s in edges[:-1] if s < low):
            above = slice(start, min(start + rows, low))
            first = np.asfortranarray(target[above, low:high])
            target[low:high, low:high] -= np.triu(syrk(1.0, first, trans=1))
            if high < len(target):
                target[low:high, high:] -= gemm(1.0, first, np.asfortranarray(target[above, high:]), trans_a=1)
        factor, info = potrf(np.asfortranarray(target[low:high, low:high]), lower=0, clean=1, overwrite_a=1)
        # a number in R that is not finite makes a later pivot so, hence the tiles on the diagonal tell
        if info != 0 or not np.all(np.isfinite(factor)):
            return False
        target[low:high, low:high] = factor
        if high < len(target):
            beside = np.asfortranarray(target[low:high, high:])
            target[low:high, high:] = trsm(1.0, factor, beside, lower=0, trans_a=1, overwrite_b=1)
        target[high:, low:high] = 0.0
    return True


def _solve_in_place(factor: Block, target: Block, rows: int) -> bool:
    """Replace T by the solution of `R^T X = T`, R upper triangular."""
    gemm, trsm = routines(target.dtype, "gemm", "trsm")
    edges = tile_edges(len(target), rows)
    for low, high in itertools.pairwise(edges):
        for start in (s for s in edges[:-1] if s < low):
            above = slice(start, min(start + rows, low))
            first = np.asfortranarray(factor[above, low:high])
            target[low:high] -= gemm(1.0, first, np.asfortranarray(target[above]), trans_a=1)
        corner = np.asfortranarray(factor[low:high, low:high])
        target[low:high] = trsm(1.0, corner, np.asfortranarray(target[low:high]), lower=0, trans_a=1, overwrite_b=1)
    return True

"""Gaussian weights that are drawn row by row from their seed, and need not be kept.

A stream of normal numbers fills the matrix by rows, so that any block of consecutive rows follows from the stream: the
same seed gives the same numbers whether the matrix is kept or drawn again, block by block, for every product.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.namespaces import AnyArray, moved, namespace_of
from hermite_dual.notebook import Shown

# Bytes of the block of rows that a product holds at a time.
BLOCK_BYTES = 2**26


@dataclass(frozen=True, eq=False, repr=False)
class DrawnMatrix(Shown):
    """A matrix with independent entries `N(0, scale^2)`, drawn again for every product.

    `matrix @ Z` and `matrix.T @ Z` take arrays of any array-API library.

    Attributes:
        seed: seed of its stream.
        shape: shape (rows, columns).
        scale: standard deviation.
        block_bytes: largest size of a block, at least one row.
        transposed: whether this is the transpose of what is drawn.
    """

    seed: np.random.SeedSequence
    shape: tuple[int, int]
    scale: float
    block_bytes: int = BLOCK_BYTES
    transposed: bool = False

    ndim = 2

    @property
    def T(self) -> "DrawnMatrix":
        """The transpose."""
        return DrawnMatrix(self.seed, self.shape[::-1], self.scale, self.block_bytes, not self.transposed)

    def blocks(self) -> Iterator[tuple[int, Array]]:
        """Draw the matrix (not its transpose) in blocks of rows: the first row's number and the block."""
        rows, columns = self.shape[::-1] if self.transposed else self.shape
        size = min(rows, max(1, self.block_bytes // (8 * columns)))
        generator = np.random.Generator(np.random.PCG64(self.seed))
        for start in range(0, rows, size):
            shape = (min(size, rows - start), columns)
            block = generator.standard_normal(shape) if self.scale else np.zeros(shape)
            block *= self.scale
            yield start, block

    def kept(self) -> Array:
        """Draw the whole matrix."""
        rows = self.shape[::-1] if self.transposed else self.shape
        dense = np.empty(rows)
        for start, block in self.blocks():
            dense[start : start + len(block)] = block
        return np.ascontiguousarray(dense.T) if self.transposed else dense

    def __matmul__(self, Z: AnyArray) -> AnyArray:
        """Return the product with a vector or a matrix."""
        xp = namespace_of(Z)
        if not self.transposed:
            return xp.concat([moved(block, Z, xp) @ Z for _, block in self.blocks()], axis=0)
        total: AnyArray = 0.0
        for start, block in self.blocks():
            total = total + moved(block, Z, xp).T @ Z[start : start + block.shape[0], ...]
        return total


def default_memory() -> float:
    """Bytes that weights may take by default: half of the machine's memory, unlimited where that is not known."""
    try:
        return 0.5 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return float("inf")

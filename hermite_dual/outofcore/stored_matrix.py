"""A symmetric matrix in blocks on disk, with what a proof of its least eigenvalue asks of it.

Derivation: docs/theory/eigenvalues.md, "Beyond memory".
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray
from scipy.linalg import blas

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.eigenvalues.float_cholesky import trace_error
from hermite_dual.certified.eigenvalues.large_matrix import Operator, Precision
from hermite_dual.certified.eigenvalues.rayleigh import BITS, quadratic_form
from hermite_dual.outofcore.block_array import BlockArray
from hermite_dual.outofcore.compute_lock import compute_lock
from hermite_dual.outofcore.factor_tiles import FactorJob, factor_tile
from hermite_dual.outofcore.tasks import Count, Runner, Task, run_tasks
from hermite_dual.progress import Progress

Tile = tuple[int, int]

_LEAST_SCALE, _MOST_SCALE = -1000, 1000


@dataclass(frozen=True, eq=False)
class StoredFactor:
    """A factorization `A - s I = L L^T + E` in blocks on disk.

    Attributes:
        success: whether every pivot was positive.
        error: an upper bound of `||E||_2` in float64; infinite without success, and where nothing is proven.
        factor: L, blocks on and below the diagonal.
        cache: blocks kept in memory.
    """

    success: bool
    error: float
    factor: BlockArray
    cache: "BlockCache"

    def solve(self, b: Array) -> Array:
        """The computed solution of `L L^T x = b`, shape (n,), in the factor's precision; each block is read twice."""
        single = self.factor.dtype == "float32"
        trsv, gemv = (blas.strsv, blas.sgemv) if single else (blas.dtrsv, blas.dgemv)
        x = np.array(b, dtype=self.factor.dtype)
        size, count = self.factor.chunks[0], self.factor.grid[0]
        parts = [x[i * size : (i + 1) * size] for i in range(count)]
        # blocks are read in C order: their transposes are what BLAS wants, upper triangular on the diagonal
        for i in range(count):
            for j in range(i):
                parts[i] -= gemv(1.0, self.cache.read(self.factor, (i, j)).T, parts[j], trans=1)
            parts[i][:] = trsv(self.cache.read(self.factor, (i, i)).T, parts[i], trans=1)
        for i in reversed(range(count)):
            parts[i][:] = trsv(self.cache.read(self.factor, (i, i)).T, parts[i])
            for j in range(i):
                parts[j] -= gemv(1.0, self.cache.read(self.factor, (i, j)).T, parts[i])
        return x


@dataclass(eq=False)
class BlockCache:
    """Blocks kept in memory up to a number of bytes, those that came first."""

    room: float
    _kept: dict[tuple[str, Tile], NDArray[Any]] = field(default_factory=dict)

    def read(self, array: BlockArray, tile: Tile) -> NDArray[Any]:
        """Read a block, or take it from memory."""
        key = (array.path, tile)
        if key in self._kept:
            return self._kept[key]
        block = array.whole(tile)
        if block.nbytes <= self.room:
            self._kept[key] = block
            self.room -= block.nbytes
        return block


@dataclass(frozen=True, eq=False)
class StoredMatrix:
    """A `LargeMatrix` whose blocks on and above the diagonal are on disk.

    Attributes:
        gram: the blocks, all of them whole.
        diagonal: shape (n,).
        runner: where tasks run.
        workspace: folder for factors, which are removed after use.
        cache: bytes of a factor's blocks kept in this process.
        progress: called with what is done, and how many of how many tasks.
    """

    gram: BlockArray
    diagonal: Array
    runner: Runner
    workspace: Path
    cache: float
    progress: Progress

    @property
    def order(self) -> int:
        """The number n of rows."""
        return self.gram.shape[0]

    @property
    def largest(self) -> float:
        """The largest modulus of an entry: that of a positive semidefinite matrix lies on its diagonal."""
        return float(self.diagonal.max())

    def rough(self) -> Operator:
        """Products in float64: reading takes longer than computing."""
        return Operator(lambda x: self.times(x[:, None])[:, 0], 1.0, np.float64)

    def times(self, vectors: Array) -> Array:
        """`A Q` in float64 for Q of shape (n, k), blocks added up in a fixed order."""
        result = np.zeros_like(vectors, dtype=np.float64)

        def add(tile: Tile, products: tuple[Array, Array]) -> None:
            result[self._span(tile[0])] += products[0]
            if tile[0] != tile[1]:
                result[self._span(tile[1])] += products[1]

        tasks = {
            tile: Task(_product, (self.gram, tile, vectors[self._span(tile[0])], vectors[self._span(tile[1])]))
            for tile in self.tiles()
        }
        run_in_order(tasks, self.runner, add)
        return result

    def inverse(self, shift: float, dtype: Precision) -> Operator | None:
        """The inverse of `scale (A - shift I)` through a factor on disk; None where the factorization fails."""
        exponent = 0
        if dtype is np.float32 and self.largest > 0:
            exponent = min(max(-int(np.frexp(self.largest)[1]), _LEAST_SCALE), _MOST_SCALE)
        scale = float(np.ldexp(1.0, exponent))
        factor = self._factorize(shift, dtype, scale)
        return Operator(factor.solve, scale, dtype) if factor.success else None

    def factor(self, shift: float) -> StoredFactor:
        """Factor `A - shift I` in float64 and bound the error."""
        return self._factorize(shift, np.float64, 1.0)

    def form(self, x: Array) -> arb:
        """A ball of `x^T A x`; not finite if the arithmetic overflowed."""
        parts: list[arb] = []
        tasks = {
            tile: Task(_form, (self.gram, tile, x[self._span(tile[0])], x[self._span(tile[1])]))
            for tile in self.tiles()
        }
        run_in_order(tasks, self.runner, lambda tile, value: parts.append(value if tile[0] == tile[1] else 2 * value))
        with working_precision(BITS):
            return sum(parts, arb(0))

    def tiles(self) -> list[Tile]:
        """All blocks on and above the diagonal."""
        count = self.gram.grid[0]
        return [(i, j) for i in range(count) for j in range(i, count)]

    def clean(self) -> None:
        """Remove all factors."""
        shutil.rmtree(self.workspace, ignore_errors=True)

    def _factorize(self, shift: float, dtype: Precision, scale: float) -> StoredFactor:
        kind = np.dtype(dtype).name
        name = f"{kind}-{float(shift).hex()}"
        self._keep_only(name)
        factor = BlockArray.create_or_open(
            self.workspace, name, self.gram.shape, self.gram.chunks, dtype, compress=False, key=self.gram.fingerprint()
        )
        job = FactorJob(self.gram, factor, float(shift), scale)
        shared = self.runner.share(job)
        tasks = {}
        for i in range(self.gram.grid[0]):
            for j in range(i + 1):
                before = {(i, k) for k in range(j)} | {(j, k) for k in range(j + 1)}
                # the diagonal first: everything waits for it
                tasks[i, j] = Task(factor_tile, (shared, (i, j)), tuple(before - {(i, j)}), priority=-float(i + j))
        count = Count(self.progress, f"factor in {kind}", len(tasks))

        def check(tile: Tile, whole: bool) -> None:
            if not whole:
                raise _NotDefinite
            count.one_more()

        cache = BlockCache(self.cache)
        try:
            run_tasks(tasks, self.runner, check)
        except _NotDefinite:
            return StoredFactor(False, float("inf"), factor, cache)
        error = trace_error(self.diagonal - shift, job.error_units) if dtype is np.float64 else float("inf")
        return StoredFactor(True, error, factor, cache)

    def _keep_only(self, name: str) -> None:
        """Remove other factors: only one is needed at a time, and each is half as large as the matrix."""
        if self.workspace.is_dir():
            for other in self.workspace.iterdir():
                if other.is_dir() and other.name != name:
                    shutil.rmtree(other, ignore_errors=True)

    def _span(self, index: int) -> slice:
        size = self.gram.chunks[0]
        return slice(index * size, min((index + 1) * size, self.order))


class _NotDefinite(Exception):  # noqa: N818 - ends a run, and is no error
    """A pivot is not positive."""


def run_in_order(tasks: dict[Tile, Task], runner: Runner, on_next: Callable[[Tile, Any], None]) -> None:
    """Run tasks and take their results in the order of the tasks, so that sums of them have the same bits each time."""
    waiting: dict[Tile, Any] = {}
    following: Iterator[Tile] = iter(tasks)
    following_tile = next(following, None)

    def take(tile: Tile, result: Any) -> None:
        nonlocal following_tile
        waiting[tile] = result
        while following_tile in waiting:
            on_next(following_tile, waiting.pop(following_tile))
            following_tile = next(following, None)

    run_tasks(tasks, runner, take)


def _product(gram: BlockArray, tile: Tile, left: Array, right: Array) -> tuple[Array, Array]:
    """A block times what its columns meet, and its transpose times what its rows meet."""
    block = np.asarray(gram.whole(tile), dtype=np.float64)
    with compute_lock():
        return block @ right, block.T @ left if tile[0] != tile[1] else np.zeros((0, left.shape[1]))


def _form(gram: BlockArray, tile: Tile, left: Array, right: Array) -> arb:
    """A ball of `x_i^T A_ij x_j`."""
    block = np.asarray(gram.whole(tile), dtype=np.float64)
    with compute_lock(), working_precision(BITS):
        return quadratic_form(block, right, left)

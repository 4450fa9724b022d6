"""What a Gram matrix on disk takes, known before the start: memory, disk, operations, and time at measured rates."""

import math
import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.notebook import Shown, facts
from hermite_dual.outofcore.memory import BASE, machine_memory, plan, task_bytes
from hermite_dual.outofcore.rates import DEGREES, Rates, measure_rates, shape_given
from hermite_dual.outofcore.samples import Samples, samples_of
from hermite_dual.population.entries.model import Model
from hermite_dual.population.proof.limit_bounds import TILE

FIRST_LOOK, SOLVES, CORRECTIONS = 32, 36, 3
"""Products with the matrix before a proof's shift is chosen, solutions with the float32 factor, and corrections: what
`least_eigenvalue` mostly takes. The first and the last are at most 32 and 5; hard spectra take more solutions, and a
shift that fails, or proves too little, one more float64 factorization: the time of a proof is the least certain."""
_UNWRITTEN = 0.2
"""Of the memory, that Linux lets wait for the disk by default before it holds writers back."""


@dataclass(frozen=True, repr=False)
class Workers(Shown):
    """Where tasks run.

    Attributes:
        count: processes.
        threads: tasks at a time in each.
        hosts: machines.
    """

    count: int
    threads: int
    hosts: int


@dataclass(frozen=True, repr=False)
class GramCost(Shown):
    r"""Memory, disk, operations and time of a Gram matrix on disk and of its proofs.

    With `N = ceil(n/b)` blocks in a row and heights `h_i` (b, the last one less), `T = N(N+1)/2` blocks are kept, with
    `A = (n^2 + sum h_i^2)/2` entries.

    - *Memory* of a process: `BASE + threads (6 b^2 + 4 b d) 8` bytes, the blocks and rows that a task holds at most.
    - *Disk*: at most `T b^2` entries of 8 or 4 bytes, less by what compression saves (5 to 14 %); a factor while a
      proof runs: `8 T b^2` bytes, not compressed. Samples that come from memory are kept too, `8 n d` bytes more.
    - *Gram matrix*: `2 A d` operations in products, as many again for correlations: in all `2 n^2 d`, about. Seconds
      `n d scan + W(C, I)`, with `C = 2 A d product + A entry + A' correlation`, `I = n N d rows + A s write`, s the
      bytes of an entry; A' is A with only half of each block on the diagonal.
    - *Bounds of entries*: `start + n norm + W(A' bound, n N d rows + A s read)`; *theory's bounds* of 128
      degrees: W of `128 A' power` and the same reads.
    - *Proof*: `n^3/3` float32 and as many float64 operations. A block (i, j) of a factor reads 2 j blocks beside it, in
      all `N^3/3`, about: `W(n^3/3 rate, reads)` twice. Then 32 products with the matrix, 36 solutions that read the
      float32 factor twice each, less what the memory keeps, up to 3 corrections, and a Rayleigh quotient in balls.

    `W(C, I)` is the time of T tasks that compute C seconds in all, one at a time in a process and on `busy` of its
    processors, and read and write I seconds beside that: with w processes of t threads on h machines of c processors
    each, `max(C/w, (C + I)/(t w), (busy C + I)/(c h))` for all tasks but the largest, and that one whole. What is
    written beyond a fifth of the memory waits for the disk. Edge blocks are padded: reading takes `T b^2` entries.

    Attributes:
        n: samples.
        d: their dimension.
        block: rows of a block.
        itemsize: bytes of an entry on disk.
        workers: where tasks run.
        rates: what the times are computed from, or None.
        room: bytes for blocks of a factor kept between solutions.
        existing: blocks that are there already, and only read.
    """

    n: int
    d: int
    block: int
    itemsize: int
    workers: Workers
    rates: Rates | None
    room: float = 0.0
    existing: int = 0

    @property
    def blocks(self) -> int:
        """Blocks in a row."""
        return -(-self.n // self.block)

    @property
    def tasks(self) -> int:
        """Blocks on and above the diagonal."""
        return self.blocks * (self.blocks + 1) // 2

    @property
    def task_memory(self) -> float:
        """Bytes that a task takes at most."""
        return task_bytes(self.block, self.d)

    @property
    def memory(self) -> float:
        """Bytes that a process takes at most, all its tasks included."""
        return BASE + self.workers.threads * self.task_memory

    @property
    def entries(self) -> float:
        """Entries that are computed and kept, A of the formulas."""
        return (self.n**2 + sum(height**2 for height in self._heights())) / 2

    @property
    def disk(self) -> float:
        """Bytes of the matrix on disk at most."""
        return float(self.tasks * self.block**2 * self.itemsize)

    @property
    def factor_disk(self) -> float:
        """Bytes of a factor beside the matrix while a proof runs."""
        return float(8 * self.tasks * self.block**2)

    @property
    def product_operations(self) -> float:
        """Floating-point operations in products of samples."""
        return 2.0 * self.d * (self.entries + self._looked_at())

    @property
    def proof_operations(self) -> float:
        """Floating-point operations in a float32 and a float64 factorization."""
        return 2 * float(self.n) ** 3 / 3

    @property
    def gram_seconds(self) -> float | None:
        """Of the matrix, what is there already left out."""
        if (r := self.rates) is None:
            return None
        missing = 1 - self.existing / self.tasks
        compute = 2 * self.entries * self.d * r.product + self.entries * r.entry + self._looked_at() * r.correlation
        size = self.entries * self.itemsize
        # what is padding compresses to nothing, and costs about what reading does
        io = self._rows_seconds() + size * r.write + (self.disk - size) * r.raw_read
        written = size * r.compression * missing
        seconds = self._wall(compute * missing, io * missing + self.disk * r.read * (1 - missing), written)
        return seconds + self.n * self.d * r.scan

    @property
    def bounds_seconds(self) -> float | None:
        """Of the proven errors of all entries; None as well where their rate was not measured."""
        seconds = None if self.rates is None else self._pass_seconds(self.rates.bound)
        return None if self.rates is None or seconds is None else seconds + self.rates.start + self.n * self.rates.norm

    @property
    def theory_seconds(self) -> float | None:
        """Of the theory's bounds without factorization, 128 degrees."""
        return None if self.rates is None else self._pass_seconds(DEGREES * self.rates.power)

    @property
    def proof_seconds(self) -> float | None:
        """Of the proven least eigenvalue, the entries' errors apart."""
        r = self.rates
        if r is None or math.isnan(r.double):
            return None
        once = self._wall(self.entries * r.vector, self.disk * r.read)
        single = max(0.0, 4 * self.entries - self.room) * r.raw_read + 4 * self.entries * r.vector / 8
        factors = self._factor_seconds(r.single, 4) + self._factor_seconds(r.double, 8)
        rayleigh = self._wall(self.entries * r.form, self.disk * r.read)
        return factors + (FIRST_LOOK + CORRECTIONS + 1) * once + 2 * (SOLVES + CORRECTIONS) * single + rayleigh

    def _heights(self) -> list[int]:
        last = self.n - (self.blocks - 1) * self.block
        return [self.block] * (self.blocks - 1) + [last]

    def _looked_at(self) -> float:
        """Entries in pieces on and above the diagonal."""
        squares = sum(height**2 for height in self._heights())
        return (self.n**2 - squares) / 2 + sum(height * (height + min(TILE, height)) / 2 for height in self._heights())

    def _rows_seconds(self) -> float:
        """Reading samples, by tasks: two blocks of rows each, one on the diagonal."""
        assert self.rates is not None
        return float(self.n * self.blocks * self.d) * self.rates.rows

    def _pass_seconds(self, rate: float) -> float | None:
        if math.isnan(rate):
            return None
        assert self.rates is not None
        io = self._rows_seconds() + self.disk * self.rates.read
        return self._wall(self._looked_at() * rate, io)

    def _factor_seconds(self, rate: float, itemsize: int) -> float:
        """One factorization."""
        assert self.rates is not None
        blocks, block_bytes = self.blocks, float(itemsize * self.block**2)
        # block (i, j), j <= i, reads blocks (i, k) and (j, k), k < j, and (j, j) where it is not on the diagonal
        reads = sum((blocks - 1 - j) * (2 * j + 1) + j for j in range(blocks))
        io = reads * block_bytes * self.rates.raw_read + self.tasks * block_bytes * self.rates.raw_write
        io += self.disk * self.rates.read
        return self._wall(float(self.n) ** 3 / 3 * rate, io, self.tasks * block_bytes)

    def _wall(self, compute: float, io: float, written: float = 0.0) -> float:
        """`W(C, I)`."""
        assert self.rates is not None
        w, busy = self.workers, self.rates.busy
        steady = max(
            compute / w.count,
            (compute + io) / (w.count * w.threads),
            (busy * compute + io) / (self.rates.cores * w.hosts),
        )
        alone = self.block**2 / self.entries
        overlapped = steady * (1 - alone) + (compute + io) * alone
        return max(overlapped, (written - _UNWRITTEN * machine_memory()) * self.rates.disk)

    def __str__(self) -> str:
        """Return a line each for memory, disk, and time."""
        return "\n".join(f"{name}: {value}" for name, value in self._rows()[1:])

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        return facts(type(self).__name__, [(name, value) for name, value in self._rows()])

    def _rows(self) -> list[tuple[str, str]]:
        w = self.workers
        where = "this process" if w.count == 1 else f"each of {w.count} workers"
        rows = [
            ("matrix", f"{self.n} x {self.n}, {self.tasks} blocks of {self.block} rows"),
            ("memory", f"at most {size_text(self.memory)} for {where}, {w.threads} tasks at a time"),
            ("disk", f"at most {size_text(self.disk)}, with a proof {size_text(self.factor_disk)} more meanwhile"),
        ]
        times = {
            "matrix": self.gram_seconds,
            "errors of entries": self.bounds_seconds,
            "theory's bounds": self.theory_seconds,
            "least eigenvalue": self.proof_seconds,
        }
        known = [f"{name} {time_text(seconds)}" for name, seconds in times.items() if seconds is not None]
        return [*rows, ("time", "about " + ", ".join(known))] if known else rows


def gram_cost(
    model: Model,
    X: ArrayLike | str | os.PathLike[str] | Samples | tuple[int, int],
    *,
    dtype: type[np.float64] | type[np.float32] = np.float64,
    block: int | None = None,
    client: Any = None,
    memory: str | float | None = None,
    folder: str | os.PathLike[str] | None = None,
    rates: "Rates | Literal['measure'] | None" = "measure",
    proof: bool = True,
) -> GramCost:
    """Say what `DEQ.store_gram` takes; see `DEQ.gram_cost`."""
    n, d = shape_given(X) or samples_of(X).shape
    chosen = plan(n, d, block, memory, client)
    size = min(chosen.block, n)
    if rates == "measure":
        rates = measure_rates(model, X, size, folder, dtype=dtype, proof=proof, client=client)
    if client is None:
        workers = Workers(1, chosen.threads, 1)
    else:
        known = client.scheduler_info(n_workers=-1)["workers"].values()
        threads = max((worker["nthreads"] for worker in known), default=1)
        workers = Workers(max(1, len(known)), threads, max(1, len({worker["host"] for worker in known})))
    return GramCost(n, d, size, np.dtype(dtype).itemsize, workers, rates)


def size_text(size: float) -> str:
    """Bytes as people read them, in powers of 1000."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.2g} {unit}"
        size /= 1000
    raise AssertionError


def time_text(seconds: float) -> str:
    """Seconds as people read them."""
    for unit, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.2g} {unit}" if seconds < 100 * length else f"{seconds / length:.0f} {unit}"
    return f"{seconds:.2g} s" if seconds < 100 else f"{seconds:.0f} s"

"""How large blocks are, and how many tasks run at a time, within a limit of memory."""

import math
import os
from dataclasses import dataclass
from typing import Any

from hermite_dual.errors import InvalidInputError
from hermite_dual.outofcore.libraries import library

BLOCKS = 6
"""Float64 arrays of a block's shape that a task holds at most: entries, their encoded copy, the two factors of a
product, the product itself, and one that is read."""
BASE = 400 * 2**20
"""Bytes that a worker takes before it has any block: the interpreter, compiled kernels, libraries."""
LARGEST, SMALLEST, STEP = 4096, 256, 256
EVEN = 64
"""Blocks that are chosen have a multiple of so many rows."""


@dataclass(frozen=True)
class Plan:
    """Block size, and how many tasks run at a time.

    Attributes:
        block: rows and columns of a block.
        threads: tasks at a time in this process; for a cluster its own threads count.
    """

    block: int
    threads: int


def parse_memory(value: str | float) -> float:
    """Bytes of `"4GB"`, `"512 MiB"` or a number.

    Raises:
        InvalidInputError: it is no positive size.
    """
    if isinstance(value, str):
        if value.strip().replace(".", "", 1).isdigit():
            raise InvalidInputError(f"memory = {value!r} has no unit: give a size such as '{value.strip()}GB'")
        try:
            value = float(library("dask.utils").parse_bytes(value))
        except ValueError:
            raise InvalidInputError(
                f"memory = {value!r}: give a size with its unit, such as '4GB' or '512MiB'"
            ) from None
    if not (isinstance(value, (int, float)) and 0 < value < math.inf):
        raise InvalidInputError(f"memory = {value!r}: give a positive number of bytes")
    return float(value)


def plan(n: int, d: int, block: int | None, memory: str | float | None, client: Any) -> Plan:
    """Choose the block, or check the one that is given.

    Args:
        n: rows of X.
        d: columns of X.
        block: rows and columns of a block, or None for the largest that fits.
        memory: bytes for all tasks of this process, or of a worker of the cluster; by default half of the machine's
            memory, or the workers' own limit.
        client: a dask client, or None.

    Raises:
        InvalidInputError: the block is no positive whole number, or nothing fits.
    """
    if block is not None and (isinstance(block, bool) or not isinstance(block, int) or block < 1):
        raise InvalidInputError(f"block = {block!r}: allowed are positive whole numbers of rows")
    room, threads = _room(memory, client)
    available = room - BASE
    if block is not None:
        needed = task_bytes(min(block, n), d)
        if memory is not None and needed > available:
            raise InvalidInputError(
                f"a task with block = {block} takes {needed / 1e9:.2f} GB, and {max(available, 0) / 1e9:.2f} GB of the "
                "memory are left: give more memory or a smaller block"
            )
        return Plan(block, max(1, min(threads, int(available // needed))))
    count = threads
    while True:
        size = LARGEST
        while size > SMALLEST and task_bytes(min(size, n), d) * count > available:
            size -= STEP
        if task_bytes(min(size, n), d) * count <= available:
            return Plan(_even(n, size), count)
        if count == 1 or client is not None:
            raise InvalidInputError(
                f"memory of {room / 1e9:.2f} GB is too little for blocks of {SMALLEST} rows: a process takes "
                f"{BASE / 1e9:.2f} GB and a task {task_bytes(min(SMALLEST, n), d) / 1e9:.3f} GB"
            )
        count -= 1


def _even(n: int, size: int) -> int:
    """About the same number of rows for all blocks, for those at the edges are padded to full size."""
    count = -(-n // size)
    return min(size, -(-n // (count * EVEN)) * EVEN)


def task_bytes(block: int, d: int) -> float:
    """Bytes that a task takes at most: `BLOCKS` blocks, and the samples of two blocks of rows, each twice."""
    return 8.0 * (BLOCKS * block * block + 4 * block * d)


def machine_memory() -> float:
    """Bytes of this machine's memory."""
    return float(os.sysconf("SC_PAGE_SIZE")) * float(os.sysconf("SC_PHYS_PAGES"))


def _room(memory: str | float | None, client: Any) -> tuple[float, int]:
    """Bytes of a process, and the tasks that share them."""
    if client is None:
        return (0.5 * machine_memory() if memory is None else parse_memory(memory)), 2
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    limits = [worker["memory_limit"] for worker in workers if worker["memory_limit"]]
    threads = max((worker["nthreads"] for worker in workers), default=1)
    # dask pauses a worker at 80 % of its limit
    default_room = 0.8 * min(limits) if limits else 0.5 * machine_memory()
    return (default_room if memory is None else parse_memory(memory)), threads

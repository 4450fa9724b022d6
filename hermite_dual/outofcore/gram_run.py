"""Computes a population Gram matrix block by block into a Zarr group, or opens the one that is there."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from hermite_dual._version import __version__
from hermite_dual.errors import DataFileError, InvalidInputError
from hermite_dual.identity import identity
from hermite_dual.outofcore.block_array import BlockArray
from hermite_dual.outofcore.cluster import Cluster
from hermite_dual.outofcore.gram_tiles import GramJob, Tile, compute_tile
from hermite_dual.outofcore.local_threads import LocalThreads
from hermite_dual.outofcore.manifest import known_key, open_folder, tell_samples
from hermite_dual.outofcore.memory import BASE, machine_memory, parse_memory, plan
from hermite_dual.outofcore.samples import (
    Samples,
    Scan,
    UnchangedSamples,
    file_of,
    keep,
    samples_of,
    scan,
)
from hermite_dual.outofcore.stored_gram import StoredGram
from hermite_dual.outofcore.tasks import Count, Runner, Task, run_tasks
from hermite_dual.population.entries.model import Model, entries_for
from hermite_dual.population.entries.narrow_values import narrow_error
from hermite_dual.population.entries.zero_rows import check_variances
from hermite_dual.population.gram import float_type, storage_error
from hermite_dual.population.kernel_file import layer_numbers
from hermite_dual.population.proof.input_rows import InputRows
from hermite_dual.progress import Progress, silent

_CACHE_SHARE = 0.25
"""Of the memory for blocks of a factor that are read again and again."""


def stored_gram(
    model: Model,
    X: ArrayLike | str | os.PathLike[str] | Samples,
    out: str | os.PathLike[str],
    *,
    dtype: DTypeLike = np.float64,
    block: int | None = None,
    client: Any = None,
    memory: str | float | None = None,
    progress: Progress | None = None,
    finished: bool = False,
) -> StoredGram:
    """Compute the Gram matrix of X into `out`, or what of it is missing there.

    Args:
        model: without samples; the limit needs `sigma_w L < 1`, which the caller has checked.
        X: samples: an array, the path of a `.npy` file or Zarr array, or a Zarr array.
        out: folder of a Zarr group; made where it is missing.
        dtype: of the entries on disk.
        block: rows of a block; by default the one that `out` has, or the largest that the memory holds.
        client: a `dask.distributed.Client`; by default threads of this process.
        memory: limit for this process, or for a worker of the cluster.
        progress: called with what is done, and how many of how many blocks.
        finished: whether every block is there already, so that none is read now.

    Returns:
        The matrix on disk, otherwise every block read once and its checksum compared.

    Raises:
        InvalidInputError: X is not allowed, nothing fits the memory, or `out` holds the matrix of other data or
            parameters.
        DataFileError: a file cannot be read or written, or `out` is something else.
        ClusterError: the cluster stopped answering; what is finished is kept.
        NotIntegrableError: phi is not square-integrable at the variances that arise.
    """
    check_folder(out)
    dtype = float_type(dtype)
    cluster = None if client is None else Cluster(client)
    samples = samples_of(X)
    n, d = samples.shape
    chosen = plan(n, d, known_block(out, n) if block is None else block, memory, client)
    runner: Runner = cluster or LocalThreads(chosen.threads)
    size = min(chosen.block, n)
    facts = scan(samples, model.sigma_b, size)
    model = replace(model, samples=np.zeros((0, d)))
    variances = model.sigma_u**2 / d * facts.plain + model.sigma_b**2
    if model.depth != 0 and variances.any():
        check_variances(variances, facts.zero)  # before anything is written
    folder = open_folder(out, _key(model, samples, facts, size, dtype))
    entries = entries_for(model, variances, facts.zero, everywhere=True)
    narrow = 0.0 if model.depth == 0 else narrow_error(model.recursion, variances)
    file, scaled = file_of(samples)
    if file is None and not (finished and client is None):
        kept = keep(samples, folder, size)
        samples = samples if client is None else kept
    if not finished:
        tell_samples(folder, file, scaled and file is not None)
    count = -(-n // size)
    gram = BlockArray.create_or_open(folder, "gram", (n, n), (size, size), dtype)
    largest = BlockArray.create_or_open(folder, "largest_correlation", (count, count), (1, 1), np.float64)
    job = GramJob(model, UnchangedSamples(samples, size, facts.sums), entries, gram, largest)
    tell = progress or silent
    computed, top = (0, _largest_known(job)) if finished else _run(job, runner, tell)
    room = 0.5 * machine_memory() if memory is None or client is not None else parse_memory(memory) - BASE
    inputs = InputRows(facts.squares, facts.errors, d, model.sigma_u, model.sigma_b)
    return StoredGram(
        folder,
        entries.variances,
        entries.error + narrow + storage_error(entries.diagonal, dtype),
        computed,
        job,
        runner,
        top,
        inputs,
        _CACHE_SHARE * room,
        tell,
    )


def known_block(out: str | os.PathLike[str], n: int) -> int | None:
    """The rows of a block in a folder of a matrix of order n; None where there is no such folder."""
    known = (known_key(out) or {}).get("block")
    return known if isinstance(known, int) and 1 <= known <= n else None


def check_folder(out: str | os.PathLike[str]) -> None:
    """Refuse what is no path, and the name of a file, which a folder of blocks must not have."""
    if not isinstance(out, (str, os.PathLike)):
        raise InvalidInputError(f"out = {out!r}: allowed is the path of a folder, such as 'K.zarr'")
    if Path(out).suffix.lower() in {".npy", ".npz", ".csv", ".h5"}:
        raise InvalidInputError(
            f"out = {os.fspath(out)!r}: blocks are written to a folder; name one such as 'K.zarr'. One file holds a "
            "matrix that fits in memory: numpy.save(path, model.gram(X).matrix), or model.gram(X).save('K.npz')"
        )


def _largest_known(job: GramJob) -> float:
    """The largest correlation, where all blocks are finished."""
    count = job.gram.grid[0]
    tiles = [(i, j) for i in range(count) for j in range(i, count)]
    values = [job.facts.read(tile) if job.gram.exists(tile) else None for tile in tiles]
    missing = sum(value is None for value in values)
    if missing:
        raise DataFileError(
            f"{missing} of {len(tiles)} blocks of {job.gram.path!r} are missing: store_gram(X, path) goes on there"
        )
    return max(float(value[0, 0]) for value in values if value is not None)


def _run(job: GramJob, runner: Runner, progress: Progress) -> tuple[int, float]:
    """Compute or check all blocks."""
    count = job.gram.grid[0]
    shared = runner.share(job)
    tasks = {(i, j): Task(compute_tile, (shared, (i, j))) for i in range(count) for j in range(i, count)}
    done: list[tuple[bool, float]] = []
    counted = Count(progress, "Gram matrix", len(tasks))

    def add(tile: Tile, result: tuple[bool, float]) -> None:
        done.append(result)
        counted.one_more()

    run_tasks(tasks, runner, add)
    return sum(new for new, _ in done), max(top for _, top in done)


def _key(model: Model, samples: Samples, facts: Scan, block: int, dtype: type[Any]) -> dict[str, Any]:
    layers = [identity(layer.activation) | {"numbers": layer_numbers(layer)} for layer in model.layers or ()]
    return {
        "contents": "population Gram matrix",
        "version": __version__,
        **identity(model.activation),
        **({"layers": layers} if layers else {}),
        "sigma_w": model.sigma_w,
        "sigma_u": model.sigma_u,
        "sigma_b": model.sigma_b,
        "depth": model.depth,
        "samples": list(samples.shape),
        "data_sha256": facts.digest,
        "dtype": np.dtype(dtype).name,
        "block": block,
    }

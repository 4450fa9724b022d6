"""How fast this machine does each part of a task, measured on real blocks."""

import itertools
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import blas

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.eigenvalues.float_cholesky import tile_edges, tile_size
from hermite_dual.certified.eigenvalues.rayleigh import BITS, quadratic_form
from hermite_dual.certified.eigenvalues.theory_bounds import power_sums
from hermite_dual.errors import InvalidInputError
from hermite_dual.notebook import Shown
from hermite_dual.outofcore.block_array import BlockArray
from hermite_dual.outofcore.gram_run import stored_gram
from hermite_dual.outofcore.gram_tiles import bound_tile
from hermite_dual.outofcore.manifest import known_key
from hermite_dual.outofcore.memory import LARGEST
from hermite_dual.outofcore.samples import ArraySamples, NpySamples, Samples, in_memory, samples_of, scan
from hermite_dual.outofcore.stored_gram import StoredGram
from hermite_dual.population.entries.inputs import on_sphere
from hermite_dual.population.entries.model import Model
from hermite_dual.population.proof.entry_bounds import contracting_lipschitz, unprovable
from hermite_dual.population.proof.limit_bounds import Block, LimitBounds, largest_correlation

_LARGEST = 2048
"""Rows of the blocks measured: larger ones run at the same rates."""
_SHARE = 4
"""The blocks measured are this many times narrower than the matrix at least."""
_LEAST = 64
_REPEATS = 3
_SYNCED = 2**25
"""Bytes written through to the disk."""
DEGREES = 128
"""Of `StoredGram.lower_bounds` by default."""
_POWERS = 16
"""Degrees measured: their cost is proportional to their number."""


@dataclass(frozen=True, repr=False)
class Rates(Shown):
    """Seconds of the parts of tasks; all but `disk` with the files in the system's cache.

    Attributes:
        block: rows of the blocks measured.
        cores: processors that a process may use.
        busy: how many of them a computation keeps busy.
        scan: seconds for a value of X in the pass before the run.
        rows: for a value of X read by a task.
        product: for a floating-point operation of `X_i X_j^T`.
        entry: for an entry made from its inner product.
        correlation: for an entry's correlation.
        write: for a byte of float64 entries compressed, checked and written.
        read: for such a byte read, checked and expanded.
        raw_write: for a byte of a factor written.
        raw_read: for a byte of a factor read.
        disk: for a byte to reach the disk itself.
        compression: bytes on disk over bytes of entries.
        start: before the first bound; NaN where that was not measured, as the rest.
        norm: for a row of its own norm before the first bound.
        bound: for an entry's proven error.
        power: for an entry and a degree of the theory's bounds, both directions.
        single: for a float32 operation of a factorization.
        double: for a float64 one.
        vector: for an entry times two entries of vectors.
        form: for an entry's part of a Rayleigh quotient in balls.
    """

    block: int
    cores: float
    busy: float
    scan: float
    rows: float
    product: float
    entry: float
    correlation: float
    write: float
    read: float
    raw_write: float
    raw_read: float
    disk: float
    compression: float
    start: float = math.nan
    norm: float = math.nan
    bound: float = math.nan
    power: float = math.nan
    single: float = math.nan
    double: float = math.nan
    vector: float = math.nan
    form: float = math.nan


@dataclass(frozen=True, eq=False)
class _First:
    """The first rows of samples."""

    source: Samples
    count: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.count, self.source.shape[1]

    def rows(self, span: slice) -> Array:
        return self.source.rows(span)


def measure_rates(
    model: Model,
    X: ArrayLike | str | os.PathLike[str] | Samples,
    block: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    *,
    dtype: type[np.float64] | type[np.float32] = np.float64,
    proof: bool = True,
    client: Any = None,
) -> Rates:
    """Time each part of the tasks on two blocks of rows, in a few seconds.

    Args:
        model: without samples.
        X: samples, of which the first rows are taken, or their shape (n, d) for random rows on the sphere.
        block: rows of a block in the run; measured are at most 2048, and at most a quarter of n.
        folder: where the run is to write; measured is beside it, or, where that is read-only and by default, in the
            system's folder for temporary files.
        dtype: of the entries on disk.
        proof: whether to time the parts of proofs as well, where there are any.
        client: a dask client, one of whose workers is then timed; it must see the folder.

    Raises:
        HermiteDualError: as `DEQ.gram` and `StoredGram.least_eigenvalue`.
    """
    shape = shape_given(X)
    samples = None if shape else samples_of(X)
    n, d = shape or samples.shape  # type: ignore[union-attr]
    whole = min(block or LARGEST, n)
    size = max(1, min(whole, _LARGEST, max(n // _SHARE, _LEAST), -(-n // 2)))
    count = min(n, 2 * size)
    if samples is None:
        samples = ArraySamples(on_sphere(np.random.default_rng(0).standard_normal((count, d))))
    with tempfile.TemporaryDirectory(dir=_existing(folder), prefix=".measured-") as place:
        if client is not None and in_memory(samples):
            np.save(Path(place, "rows.npy"), samples.rows(slice(0, count)))
            samples = NpySamples(str(Path(place, "rows.npy")))
        job = partial(_run, model, _First(samples, count), Path(place), dtype, size, whole, n, proof=proof)
        if client is not None:
            return client.submit(job, pure=False).result()
        # Blosc works otherwise in the main thread than in those that run tasks
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(job).result()


def shape_given(X: Any) -> tuple[int, int] | None:
    """Give (n, d) if that is what X is."""
    if isinstance(X, tuple) and len(X) == 2 and all(isinstance(side, int) for side in X):
        if min(X) < 1:
            raise InvalidInputError(f"X = {X} as a shape: allowed is (n, d) with n, d >= 1")
        return X
    return None


def _existing(folder: str | os.PathLike[str] | None) -> str | None:
    """The folder, or the first above it that there is, but no store of results; None where nothing can be written."""
    if folder is None:
        return None
    place = Path(os.path.abspath(folder))
    outside = (place, *place.parents) if known_key(place) is None else place.parents
    existing = next(one for one in outside if one.is_dir())
    return str(existing) if os.access(existing, os.W_OK | os.X_OK) else None


def _run(
    model: Model,
    samples: Samples,
    folder: Path,
    dtype: type[Any],
    block: int,
    whole: int,
    n: int,
    *,
    proof: bool,
) -> Rates:
    # also compiles what is to be timed, and makes the surrogates
    gram = stored_gram(model, samples, folder / "gram.zarr", dtype=dtype, block=block)
    rates = _measure(gram, whole)
    return _with_proof(rates, gram, n) if proof and not unprovable(gram.model) else rates


def _measure(gram: StoredGram, whole: int) -> Rates:
    job, model, samples = gram.job, gram.model, gram.job.samples
    count, d = samples.shape
    tile = _last(gram)
    rows, columns = job.span(tile[0]), job.span(tile[1])
    left, right = samples.rows(rows), samples.rows(columns)
    used, started = time.process_time(), time.perf_counter()
    product = _seconds(lambda: left @ right.T)
    inner = left @ right.T * (model.sigma_u**2 / d)
    entry = _seconds(lambda: job.entries.apply_block(inner.copy(), rows, columns, model.sigma_b**2))
    entry -= _seconds(inner.copy)
    parts = list(Block(rows, columns, left, right, job.read(tile)).parts())
    scales = (model.sigma_w, model.sigma_u, model.sigma_b)
    correlation = _seconds(lambda: [largest_correlation(block, scales, job.entries.variances) for block in parts])
    busy = (time.process_time() - used) / (time.perf_counter() - started)
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    files = _file_seconds(gram, whole)
    entries = left.shape[0] * right.shape[0]
    return Rates(
        block=gram.block,
        cores=cores,
        busy=min(max(busy, 1.0), cores),
        scan=_seconds(lambda: scan(samples, model.sigma_b, gram.block)) / (count * d),
        rows=_seconds(lambda: samples.rows(rows)) / (len(left) * d),
        product=product / (2 * entries * d),
        entry=max(entry, 0.0) / entries,
        correlation=correlation / entries,
        **files,
    )


def _file_seconds(gram: StoredGram, whole: int) -> dict[str, float]:
    """Writing and reading, for a byte of blocks as large as the run's: in larger ones fewer bytes stay in the cache."""
    values = gram.job.read(_last(gram)).astype(gram.dtype).ravel()
    sample = np.random.default_rng(0).integers(0, values.size, (whole, whole), dtype=np.int32)
    block = values[sample]
    del sample
    index, shape = (0, 0), (whole, whole)
    kept = BlockArray.create_or_open(gram.path, "kept", shape, shape, gram.dtype)
    raw = BlockArray.create_or_open(gram.path, "raw", shape, shape, gram.dtype, compress=False)
    return {
        "write": _seconds(lambda: kept.write(index, block)) / block.nbytes,
        "read": _seconds(lambda: kept.read(index)) / block.nbytes,
        "raw_write": _seconds(lambda: raw.write(index, block)) / block.nbytes,
        "raw_read": _seconds(lambda: raw.read(index)) / block.nbytes,
        "disk": _to_disk(gram.path, block[: max(1, min(whole, _SYNCED // (whole * block.itemsize)))]),
        "compression": kept.chunk_path(index).stat().st_size / block.nbytes,
    }


def _with_proof(rates: Rates, gram: StoredGram, n: int) -> Rates:
    """The rates of the parts of proofs besides, for a matrix of order n."""
    job, tile = gram.job, _last(gram)
    values = job.read(tile)
    bounds, start, norm = None, 0.0, 0.0
    if gram.depth is None:
        begun = time.perf_counter()
        bounds = _limit_bounds(gram)
        norms = np.unique(gram.variances).size
        if norms > 1:
            norm = (time.perf_counter() - begun) / norms
        else:
            start = _seconds(lambda: _limit_bounds(gram), 1)  # the first time it compiles
        bounds.block_sums(_first_sub_block(gram))  # compiles
    quadratic_form(np.eye(2), np.ones(2))
    bound = _seconds(lambda: bound_tile(job, bounds, tile), 1) - rates.read * values.size * gram.dtype.itemsize
    x, y = np.ones((values.shape[1], 1)), np.ones((values.shape[0], 1))
    size = min(values.shape)
    square = np.asfortranarray(values[:size, :size])
    return replace(
        rates,
        start=start,
        norm=norm,
        bound=max(bound, 0.0) / values.size,
        power=math.nan if bounds is None else _power_seconds(gram, bounds),
        single=_update_seconds(square.astype(np.float32), n) / (2 * size**3),
        double=_update_seconds(square, n) / (2 * size**3),
        vector=_seconds(lambda: (values @ x, values.T @ y)) / values.size,
        form=_form_seconds(values) / values.size,
    )


def _limit_bounds(gram: StoredGram) -> LimitBounds:
    return LimitBounds(
        gram.model.activation,
        gram.model.sigma_w,
        contracting_lipschitz(gram.model),
        gram.inputs,
        gram.diagonal,
        gram.variances,
        gram.largest_correlation,
    )


def _power_seconds(gram: StoredGram, bounds: LimitBounds) -> float:
    """For an entry and a degree of the theory's bounds."""
    sub_block = _first_sub_block(gram)
    height, width = sub_block.entries.shape
    moduli = bounds.correlation_moduli_of(sub_block, 0.0)
    weights = np.ones((_POWERS, max(height, width)))

    def both() -> None:
        power_sums(moduli, weights[:, :width], diagonal=False)
        power_sums(np.ascontiguousarray(moduli.T), weights[:, :height], diagonal=False)

    spent = _seconds(both) / _POWERS + _seconds(lambda: bounds.correlation_moduli_of(sub_block, 0.0)) / DEGREES
    return spent / (height * width)


def _first_sub_block(gram: StoredGram) -> Block:
    job, tile = gram.job, _last(gram)
    rows, columns = job.span(tile[0]), job.span(tile[1])
    return next(Block(rows, columns, job.samples.rows(rows), job.samples.rows(columns), job.read(tile)).parts())


def _last(gram: StoredGram) -> tuple[int, int]:
    """The block off the diagonal, where there is one."""
    return 0, gram.job.gram.grid[1] - 1


def _update_seconds(square: NDArray[Any], n: int) -> float:
    """One update of a block of a factor, in strips as a factorization of order n makes it."""
    gemm = blas.sgemm if square.dtype == np.float32 else blas.dgemm
    target = square.copy(order="F")

    def update() -> None:
        for low, high in itertools.pairwise(tile_edges(len(square), min(tile_size(n), len(square)))):
            strip = np.asfortranarray(square[low:high])
            np.subtract(target, gemm(1.0, strip, strip, trans_a=1), out=target)

    return _seconds(update)


def _form_seconds(values: Array) -> float:
    with working_precision(BITS):
        return _seconds(lambda: quadratic_form(values, np.ones(values.shape[1]), np.ones(values.shape[0])), 1)


def _to_disk(folder: Path, values: Array) -> float:
    """Seconds for a byte to be on the disk."""
    path = folder / "synced"
    start = time.perf_counter()
    with path.open("wb") as stream:
        stream.write(values.tobytes())
        os.fsync(stream.fileno())
    return (time.perf_counter() - start) / values.nbytes


def _seconds(job: Callable[[], object], repeats: int = _REPEATS) -> float:
    """The median of a few runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return statistics.median(times)

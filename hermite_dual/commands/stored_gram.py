"""`hermite-dual gram` into a folder: a matrix beyond memory, in blocks, on this machine or on a dask cluster."""

import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hermite_dual.commands.shared import (
    EXIT_ERROR,
    errors_to_exit_codes,
    model_text,
    print_json,
    read_data,
    say,
    what_was_read,
)

if TYPE_CHECKING:
    from hermite_dual.arrays import Array
    from hermite_dual.certified.eigenvalues.eigenvalues import EigenvalueBounds
    from hermite_dual.certified.eigenvalues.theory_bounds import TheoryBound
    from hermite_dual.deq import DEQ
    from hermite_dual.outofcore.cost import GramCost
    from hermite_dual.outofcore.samples import Samples
    from hermite_dual.outofcore.stored_gram import StoredGram
    from hermite_dual.progress import Progress

_EXTRA = ("zarr", "numcodecs.blosc", "google_crc32c")
_CONNECT_WITHIN = 15.0


@dataclass(frozen=True)
class StoredOptions:
    """The options of a matrix in blocks.

    Attributes:
        memory: limit of a process, as text.
        scheduler: address of a dask scheduler.
        block: rows of a block.
    """

    memory: str | None
    scheduler: str | None
    block: int | None

    @property
    def given(self) -> list[str]:
        """Those that are given, as they are typed."""
        named = {"--memory": self.memory, "--scheduler": self.scheduler, "--block": self.block}
        return [f"{name} {value}" for name, value in named.items() if value is not None]


def stored_gram(
    data: Path,
    out: Path,
    model_of_options: "Callable[[], Any]",
    options: StoredOptions,
    *,
    sphere: bool,
    depth: int | None,
    proof: bool,
    as_json: bool,
) -> None:
    """Run the command."""
    again = f"blocks that are finished are in {out}. Run the same command again: it goes on there"
    with errors_to_exit_codes(again):
        from hermite_dual.errors import InvalidInputError
        from hermite_dual.outofcore.gram_run import known_block

        if out.suffix in {".npy", ".npz", ".csv"}:
            raise InvalidInputError(
                f"--out {str(out)!r} with {', '.join(options.given)}: blocks are written to a folder; name one in .zarr"
            )
        _check_extra(options)
        model = model_of_options()
        X: Any = _samples(data, sphere=sphere)
        with _client(options.scheduler) as client:
            chosen = known_block(out, X.shape[0]) if options.block is None else options.block
            how: dict[str, Any] = {"block": chosen, "client": client, "memory": options.memory}
            if depth is not None:
                how["depth"] = depth
            cost = replace(model.gram_cost(X, **how, rates=None), existing=_existing(out))
            if proof or cost.existing < cost.tasks:
                rates = model.gram_cost(X, **how, folder=out.parent, proof=proof).rates
                cost = replace(cost, rates=rates)
            _announce(cost, out, proof=proof)
            with _bar(cost) as progress:
                stored = model.store_gram(X, out, progress=progress, **how)
                if not as_json:
                    progress.say(_written(out, stored, cost))
                    progress.say(model_text(model, depth))
                    progress.say(what_was_read(data, X, sphere=sphere))
                rows = "scaled to norm sqrt(d)" if sphere else "as given"
                facts = _facts(out, stored, cost, model) | {"samples": list(X.shape), "rows": rows}
                if proof:
                    facts |= _proof(stored, None if as_json else progress.say)
            if as_json:
                print_json(facts)


def interval_text(least: "EigenvalueBounds") -> str:
    """The interval of a least eigenvalue, or why there is none."""
    if not math.isfinite(least.lower):
        return f"least eigenvalue: {least.outcome.value}, {least.reason}"
    return f"least eigenvalue: {least.outcome.value} in [{least.lower!r}, {least.upper!r}]"


def read_zarr(folder: Path) -> "Array":
    """Read a Zarr array of samples into memory."""
    from hermite_dual.outofcore.samples import samples_of

    _check_extra(StoredOptions(None, None, None))
    samples = samples_of(folder)
    return samples.rows(slice(0, samples.shape[0]))


def _check_extra(options: StoredOptions) -> None:
    from hermite_dual.outofcore.libraries import library

    try:
        for name in _EXTRA + (() if options.scheduler is None else ("distributed",)):
            library(name)
    except ImportError as error:
        say(f"error: {error}", err=True)
        raise typer.Exit(EXIT_ERROR) from None


def _samples(data: Path, *, sphere: bool) -> "Samples":
    """Rows where they are on disk, or in memory where they have to be read whole."""
    from hermite_dual.outofcore.samples import SphereSamples, samples_of
    from hermite_dual.population.entries.inputs import on_sphere

    if data.is_dir() or data.suffix.lower() == ".npy":
        samples = samples_of(data)
        return SphereSamples(samples) if sphere else samples
    X = read_data(data)
    return samples_of(on_sphere(X) if sphere else X)


@contextmanager
def _client(address: str | None) -> Iterator[Any]:
    """A client of the scheduler, or None."""
    if address is None:
        yield None
        return
    from hermite_dual.errors import ClusterError
    from hermite_dual.outofcore.libraries import library

    try:
        client = library("distributed").Client(address, timeout=_CONNECT_WITHIN, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"--scheduler {address!r}: no dask scheduler answers there ({error}). Start one with `dask scheduler`, and "
            "workers with `dask worker`, and give the address that it prints, such as tcp://host:8786"
        ) from None
    with client:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            say("the scheduler has no worker yet: waiting", err=True)
            client.wait_for_workers(1)
        yield client


def _existing(out: Path) -> int:
    """Blocks that are in the folder."""
    return sum(path.name.isdigit() for path in (out / "gram" / "c").glob("*/*"))


def _announce(cost: "GramCost", out: Path, *, proof: bool) -> None:
    """Say what is expected, on stderr."""
    from hermite_dual.outofcore.cost import size_text

    say(f"expected, {cost.existing} of {cost.tasks} blocks are there:", err=True)
    say("\n".join(f"  {line}" for line in str(cost).splitlines()), err=True)
    place = next(one for one in out.absolute().parents if one.is_dir())
    free = shutil.disk_usage(place).free
    wanted = cost.disk * (1 - cost.existing / cost.tasks) + (cost.factor_disk if proof else 0.0)
    if wanted > free:
        say(
            f"  the disk has {size_text(free)} free, and up to {size_text(wanted)} are to be written. When it is full "
            "the run stops, and the same command goes on once there is space",
            err=True,
        )


@contextmanager
def _bar(cost: "GramCost") -> "Iterator[_Progress]":
    from hermite_dual.commands.throughput import throughput_bar

    with throughput_bar(cost.entries / cost.tasks, 8 * cost.entries / cost.tasks) as (report, say):
        yield _Progress(report, say)


@dataclass(frozen=True)
class _Progress:
    """A bar: call it with what is done; `say` prints above it."""

    report: "Progress"
    say: Callable[[str], None]

    def __call__(self, what: str, done: int, total: int) -> None:
        self.report(what, done, total)


def _disk(stored: "StoredGram") -> int:
    return sum(file.stat().st_size for file in stored.path.rglob("*") if file.is_file())


def _written(out: Path, stored: "StoredGram", cost: "GramCost") -> str:
    from hermite_dual.outofcore.cost import size_text

    return (
        f"wrote {out}: {stored.shape[0]} x {stored.shape[1]} in blocks of {stored.block}, "
        f"{stored.computed} computed, {cost.tasks - stored.computed} there before, {size_text(_disk(stored))} on disk, "
        f"estimated error {stored.estimated_error:.1e}"
    )


def _facts(out: Path, stored: "StoredGram", cost: "GramCost", model: "DEQ") -> dict[str, Any]:
    return {
        "folder": str(out),
        "shape": list(stored.shape),
        "block": stored.block,
        "blocks_computed": stored.computed,
        "blocks_there": cost.tasks - stored.computed,
        "bytes": _disk(stored),
        "model": model.parameters(),
        "depth": stored.depth,
        "estimated_error": stored.estimated_error,
        "expected": {
            "memory": cost.memory,
            "disk": cost.disk,
            "gram_seconds": cost.gram_seconds,
            "bounds_seconds": cost.bounds_seconds,
            "theory_seconds": cost.theory_seconds,
            "proof_seconds": cost.proof_seconds,
        },
    }


def _proof(stored: "StoredGram", say: Callable[[str], None] | None) -> dict[str, Any]:
    """Entries first, then what needs no factorization, then the interval."""
    tell = say or (lambda _: None)
    proven = math.isfinite(stored.entry_error)
    if proven:
        tell(f"every entry is within {stored.entry_error:.2e}")
    bounds: tuple[TheoryBound, ...] = stored.lower_bounds() if proven and stored.depth is None else ()
    for bound in bounds:
        tell(f"least eigenvalue >= {bound.value:.6g} ({bound.name}, degree {bound.degree}), without factorization")
    least = stored.least_eigenvalue()
    tell(interval_text(least))
    return {
        "entry_error": stored.entry_error,
        "lower_bounds": {bound.name: bound.value for bound in bounds},
        "least_eigenvalue": [least.lower, least.upper],
        "outcome": least.outcome.value,
    }

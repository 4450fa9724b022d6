"""Sweeps: many models validated and tabulated, each point kept when it is finished."""

import math
import os
from collections.abc import Iterable, Sequence
from typing import Any

from numpy.typing import ArrayLike

from hermite_dual._version import __version__
from hermite_dual.activation import ActivationLike
from hermite_dual.data.files import check_samples
from hermite_dual.data.store import digest_of_array
from hermite_dual.data.store_key import canonical
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import check_count, real_number
from hermite_dual.float_state import own_float_state
from hermite_dual.outofcore.cluster import Cluster
from hermite_dual.outofcore.local_threads import LocalThreads
from hermite_dual.outofcore.manifest import open_folder
from hermite_dual.outofcore.tasks import Runner, Task, run_tasks
from hermite_dual.progress import Progress, silent
from hermite_dual.sweeps.points import Point, Scales, compute_point, points_of
from hermite_dual.sweeps.records import Record, Records
from hermite_dual.sweeps.result import SweepResult
from hermite_dual.sweeps.samples import Samples
from hermite_dual.validation.inputs import check_probability, check_widths

_MOST_COEFFICIENTS = 64
_PAPERS_SIGMA_U = math.sqrt(2.0)


@own_float_state
def sweep(
    activations: Iterable[ActivationLike],
    sigmas: Iterable[float],
    widths: Sequence[int] = (256, 512, 1024),
    seeds: Iterable[int] = (0,),
    *,
    X: ArrayLike,
    out: str | os.PathLike[str],
    client: Any = None,
    sigma_u: float = 1.0,
    sigma_b: float = 0.0,
    paper: bool = False,
    replicas: int = 8,
    coefficients: int = 4,
    error_probability: float = 0.01,
    progress: Progress | None = None,
) -> SweepResult:
    """Validate and tabulate models over activations, scales and seeds; an interrupted sweep goes on where it stopped.

    For every activation and scale: `contraction` = `sigma_w L`, least and largest variance `S_ii` at the fixed point,
    the enclosure of the least eigenvalue `lambda_*` of the population Gram matrix with its outcome, and the Hermite
    coefficients `a_r(1)`. For every seed also `DEQ.validate(X, widths, replicas, seed)`: the verdict, the statistics of
    the direction and of the entry that stand out most (Student's t, and p-values corrected for their number), the
    smallest discrepancy that would have been seen in any one entry and in the median entry, the exponent of the error
    in the width with its standard error, and the relative errors at each width.

    A point whose formulas do not apply, for instance because `sigma_w L >= 1`, has the reason in the column `error`.

    Args:
        activations: what `hermite_dual.activation` reads.
        sigmas: recurrent scales `sigma_w`, or, with `paper=True`, the papers' `s^2`.
        widths: at least two widths of networks; empty for the numbers of infinite width alone, without seeds.
        seeds: whole numbers.
        X: samples, shape (n, d), a sample per row.
        out: folder that keeps the results, a Zarr group. It belongs to these samples, to the arguments below and to the
            version of the package; the four lists above may grow and change from call to call, and what was finished is
            not computed again. With a client, a folder that every worker sees under this name.
        client: A `dask.distributed.Client`; by default this process computes one point after the other.
        sigma_u: input scale.
        sigma_b: bias scale.
        paper: models as `DEQ.paper(phi, s^2)` makes them; sigma_u and sigma_b are then given by it.
        replicas: networks per width.
        coefficients: number of Hermite coefficients, at most 64.
        error_probability: largest probability of DISAGREE, at each point, for a correct population.
        progress: called with the numbers of points done and in all: at once, and after each point. Every activation and
            scale is a point, and each of its seeds another.

    Returns:
        The rows, in the order of activations, sigmas and seeds. Numbers are those of `DEQ.validate` and `DEQ.gram`.

    Raises:
        ImportError: zarr is not installed.
        InvalidInputError: An argument is not allowed, or the folder belongs to other samples or parameters.
        DataFileError: The folder cannot be read or written, for instance because the disk is full. What was finished
            stays.
        ClusterError: The cluster stopped answering. What was finished stays.

    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = sweep(["tanh", "relu"], [0.25, 2.0], widths=(), X=np.eye(3), out=folder + "/sweep.zarr")
    >>> [(row["activation"], row["sigma"], row["lambda_outcome"]) for row in found]
    [('tanh', 0.25, 'PROVEN'), ('tanh', 2.0, None), ('relu', 0.25, 'PROVEN'), ('relu', 2.0, None)]
    """
    samples = check_samples(X, "X")
    if not isinstance(out, (str, os.PathLike)):
        raise InvalidInputError(f"out={out!r}: allowed is the path of a folder, such as 'sweep.zarr'")
    listed = _listed("widths", widths)
    chosen = check_widths(listed) if listed else ()
    scales = _scales(paper, sigma_u, sigma_b, coefficients, replicas, error_probability)
    points = _points(activations, sigmas, chosen, seeds, scales)
    runner: Runner = LocalThreads(1) if client is None else Cluster(client)
    digest = digest_of_array(samples)
    key = _key(samples.shape, digest, scales)
    folder = open_folder(out, key)
    kept, records = Samples.keep(folder, samples, digest), Records.open(folder, key)
    # Lists may name a point twice; it is computed once.
    wanted = {_name(point): point for point in points}
    finished, notes = _finished(wanted, records)
    tasks = {
        name: Task(compute_point, (point, scales, kept, records))
        for name, point in wanted.items()
        if name not in finished
    }
    report = progress or silent
    report("points", len(finished), len(wanted))

    def on_done(name: bytes, record: Record) -> None:
        finished[name] = record
        report("points", len(finished), len(wanted))

    run_tasks(tasks, runner, on_done)
    rows = _rows(points, finished, scales)
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    complete = tuple({name: row.get(name) for name in columns} for row in rows)
    return SweepResult(columns, complete, key, len(tasks), notes)


def _scales(
    paper: bool, sigma_u: float, sigma_b: float, coefficients: int, replicas: int, error_probability: float
) -> Scales:
    if paper and (sigma_u, sigma_b) != (1.0, 0.0):
        raise InvalidInputError(
            f"sigma_u={sigma_u}, sigma_b={sigma_b} with paper=True, where sigma_u = sqrt(2) and sigma_b = 0. "
            "Leave them out, or pass sigma_w with paper=False."
        )
    count = check_count("coefficients", coefficients, 0, "the number of Hermite coefficients")
    if count > _MOST_COEFFICIENTS:
        raise InvalidInputError(f"coefficients={count}: allowed are at most {_MOST_COEFFICIENTS}")
    return Scales(
        bool(paper),
        _PAPERS_SIGMA_U if paper else real_number(sigma_u, "sigma_u", "give a scale"),
        real_number(sigma_b, "sigma_b", "give a scale"),
        count,
        check_count("replicas", replicas, 2, "the number of networks per width"),
        check_probability("error_probability", error_probability),
    )


def _key(shape: tuple[int, ...], digest: str, scales: Scales) -> Record:
    return {
        "contents": "sweep",
        "version": __version__,
        "samples": list(shape),
        "samples digest": digest,
        "paper": scales.paper,
        "sigma_u": scales.sigma_u,
        "sigma_b": scales.sigma_b,
        "coefficients": scales.coefficients,
        "replicas": scales.replicas,
        "error_probability": scales.error_probability,
    }


def _points(
    activations: Iterable[ActivationLike],
    sigmas: Iterable[float],
    widths: tuple[int, ...],
    seeds: Iterable[int],
    scales: Scales,
) -> tuple[Point, ...]:
    """Give the points in order: each activation and scale, then its seeds."""
    if isinstance(activations, str):
        raise InvalidInputError(f"activations={activations!r}: a list is needed. Pass [{activations!r}].")
    numbers = [check_count("seeds", seed, 0, "a seed", None) for seed in _listed("seeds", seeds)] if widths else []
    scale_list = [real_number(sigma, "sigmas", "give a list of scales") for sigma in _listed("sigmas", sigmas)]
    points: list[Point] = []
    for phi in _listed("activations", activations):
        for sigma in scale_list:
            scales.model(phi, sigma)  # refuses what is no scale before anything runs
        points += points_of(phi, scale_list, widths, numbers)
    if not points:
        raise InvalidInputError("there is no point: pass at least one of activations and one of sigmas")
    if widths and not numbers:
        raise InvalidInputError("seeds is empty: pass at least one, or widths=() for the numbers of infinite width")
    return tuple(points)


def _listed(name: str, values: Iterable[Any]) -> list[Any]:
    try:
        return list(values)
    except TypeError:
        raise InvalidInputError(f"{name}={values!r}: a list is needed. Pass [{values!r}].") from None


def _name(point: Point) -> bytes:
    return canonical(point.identity)


def _finished(wanted: dict[bytes, Point], records: Records) -> tuple[dict[bytes, Record], tuple[str, ...]]:
    finished, notes = {}, []
    for name, point in wanted.items():
        record = records.load(point.identity)
        if record is not None:
            finished[name] = record
        elif records.damaged(point.identity):
            notes.append(f"the record of {name.decode()} was damaged and has been computed again")
    return finished, tuple(notes)


def _rows(points: Sequence[Point], finished: dict[bytes, Record], scales: Scales) -> list[Record]:
    """Put what theory and networks say about a point into a row."""
    rows: list[Record] = []
    theory: Record = {}
    validated = any(point.seed is not None for point in points)
    for point in points:
        if point.seed is None:
            theory = finished[_name(point)]
        if validated and point.seed is None:
            continue
        row = {
            "activation": point.identity["name"],
            "sigma": point.sigma,
            "sigma_w": scales.model(point.phi, point.sigma).sigma_w,
        }
        seed = {"seed": point.seed} if validated else {}
        rows.append(row | seed | {"error": None} | theory | finished[_name(point)])
    return rows

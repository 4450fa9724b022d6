"""The whole atlas as one file, resumable: a record that is there already is not made again."""

import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from hermite_dual._version import __version__
from hermite_dual.atlases.digits import Field
from hermite_dual.atlases.families import FAMILIES, family
from hermite_dual.atlases.literature import Subject, subjects
from hermite_dual.atlases.phases import DEQ_S2, EDGE_BIAS, SAMPLES, SIGMA_B2, SIGMA_W2
from hermite_dual.atlases.record import FIELDS, record
from hermite_dual.data.atomic import atomic_path
from hermite_dual.exact_numbers import check_count
from hermite_dual.progress import Progress, silent

LAYOUT = 1
"""The version of the file's layout; it changes where a field changes its meaning."""
_LISTS = ("families", "records")
"""What the file has by the line."""
_NUMBERS = ("constants", "values", "suprema", "sigma_w", "fixed_points", "edge", "doubly_critical", "sphere", "lambda")
"""The fields of numbers, beside the coefficients."""


def build_atlas(
    path: str | os.PathLike[str],
    *,
    cache: str | os.PathLike[str] | None = None,
    jobs: int = 1,
    progress: Progress = silent,
) -> Path:
    """Write the atlas.

    Args:
        path: the file, complete or absent.
        cache: a folder for finished records, `<path>.cache` by default; a run that was ended goes on from there. Its
            records belong to a formula and a version of this package: after a change of code, give an empty folder.
        jobs: how many processes.
        progress: called with the name of the record that is finished, and how many of how many are.
    """
    target = Path(path)
    folder = Path(f"{target}.cache") if cache is None else Path(cache)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = subjects()
    records: dict[str, Field] = {}
    for subject, made in _records(wanted, folder, check_count("jobs", jobs, 1, "how many processes")):
        records[subject.name] = made
        progress(subject.name, len(records), len(wanted))
    content = {
        "layout": LAYOUT,
        "version": __version__,
        "scales": {
            "sigma_w2": str(SIGMA_W2),
            "sigma_b2": str(SIGMA_B2),
            "edge_sigma_b2": str(EDGE_BIAS),
            "samples": SAMPLES,
            "s2": str(DEQ_S2),
        },
        "families": [_family(name, folder) for name in FAMILIES],
        "records": [records[subject.name] for subject in wanted],
    }
    with atomic_path(target) as temporary:
        temporary.write_text(written(content), encoding="utf-8", newline="")
    return target


def written(content: dict[str, Any]) -> str:
    """Return the text of the file: a record per line, so that a change of one number is a change of one line."""
    head = {key: value for key, value in content.items() if key not in _LISTS}
    text = json.dumps(head, ensure_ascii=False)[:-1]
    for key in _LISTS:
        lines = [json.dumps(one, ensure_ascii=False, separators=(",", ":"), allow_nan=False) for one in content[key]]
        text += f', "{key}": [\n' + ",\n".join(lines) + "\n]"
    return text + "}\n"


def digest(content: dict[str, Any]) -> str:
    """Return the first 16 digits of the SHA-256 of all numbers, which no change of a formula's print moves."""
    numbers = [
        [one["name"], one["coefficients"].get("digits"), *(one[key] for key in _NUMBERS)] for one in content["records"]
    ]
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()[:16]


def _records(wanted: tuple[Subject, ...], folder: Path, jobs: int) -> Iterator[tuple[Subject, Field]]:
    """Yield the records as they are there, first those of earlier runs."""
    missing = []
    for subject in wanted:
        kept = _kept(subject, folder)
        if kept.keys() >= FIELDS.keys():
            yield subject, record(subject, kept)
        else:
            missing.append(subject)
    if jobs == 1 or len(missing) < 2:
        for subject in missing:
            yield subject, _made(subject, folder)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(_made, subject, folder): subject for subject in missing}
        for future in as_completed(running):
            yield running[future], future.result()


def _kept(subject: Subject, folder: Path) -> dict[str, Field]:
    """Return the fields of an earlier run."""
    file = _file(str(subject), folder)
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def _made(subject: Subject, folder: Path) -> Field:
    """Make what is missing of a record and keep all of it."""
    made = record(subject, _kept(subject, folder))
    _keep(made, _file(str(subject), folder))
    return made


def _family(name: str, folder: Path) -> Field:
    """Return a family as it is there, or make and keep it."""
    file = _file(f"{name} {FAMILIES[name]}", folder)
    if not file.exists():
        _keep(family(name), file)
    return json.loads(file.read_text(encoding="utf-8"))


def _keep(made: Field, file: Path) -> None:
    with atomic_path(file) as temporary:
        temporary.write_text(json.dumps(made, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _file(what: str, folder: Path) -> Path:
    key = f"{LAYOUT} {__version__} {what}"
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"

"""Run the benchmarks and print their tables, or write them as JSON with a description of the machine.

Usage: python benchmarks/run.py [--json [FILE]] [--quick] [--peer PYTHON] [--only NAME ...]

The documentation shows the file `docs/benchmarks.json`, which `--json` writes by default. `--quick` takes small sizes,
to see that everything runs. `--peer` names the interpreter of an environment with neural-tangents, see peer.py.
"""

import argparse
import dataclasses
import importlib
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

DEFAULT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.json"
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
VERSIONS = ("numpy", "scipy", "sympy", "numba", "python-flint")
Rows = Iterable[Any]


def machine() -> dict[str, Any]:
    """What the numbers depend on beside the code."""
    import hermite_dual as hd

    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in VERSIONS},
            "hermite_dual": hd.__version__,
        },
    }


def _processor() -> str:
    """The name of the processor; Python leaves it empty on Linux, where the kernel knows it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def benchmarks(quick: bool, peer: str | None) -> dict[str, Callable[[], Rows]]:
    """The benchmarks by name: each returns its rows, dictionaries or data classes."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    found: dict[str, Callable[[], Rows]] = {
        "startup": lambda: _module("startup").measure(3 if quick else 7),
        "gram": lambda: _module("gram").measure(*((300, 50, 2) if quick else ())),
        "ntk": lambda: _module("gram").measure(*((300, 50, 2) if quick else ()), unequal=(), kernel="ntk"),
        "growth": lambda: _module("gram").growth_rows(**({"sizes": (100, 200), "d": 50} if quick else {})),
        "memory": lambda: _module("gram").memory_rows(*((600, 50) if quick else ())),
        "least_eigenvalue": lambda: _module("least_eigenvalue").measure(*(((300,), 2, 50) if quick else ())),
    }
    if peer is not None:
        found["peer"] = lambda: _module("peer").measure(peer)
    return found


def _module(name: str) -> Any:
    return importlib.import_module(name)


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Run the benchmarks.")
    parser.add_argument("--json", nargs="?", const=DEFAULT, type=Path, help=f"write a file, by default {DEFAULT}")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    parser.add_argument("--peer", help="the Python of an environment with neural-tangents")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run these alone")
    given = parser.parse_args()
    available = benchmarks(given.quick, given.peer)
    if unknown := set(given.only or ()) - set(available):
        parser.error(f"--only {' '.join(sorted(unknown))}: there are {', '.join(available)}")
    content: dict[str, Any] = {"machine": machine(), "benchmarks": {}}
    for name in given.only or available:
        print(f"\n{name}", flush=True)
        rows = []
        for row in available[name]():
            rows.append(row if isinstance(row, dict) else dataclasses.asdict(row))
            print("  " + "  ".join(f"{key} {_cell(value)}" for key, value in rows[-1].items()), flush=True)
        content["benchmarks"][name] = rows
    if given.json is not None:
        given.json.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        print(f"\nwrote {given.json}")


if __name__ == "__main__":
    main()

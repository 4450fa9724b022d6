"""Hold the cost model of Gram matrices on disk against what they take.

Usage: python benchmarks/out_of_core.py [N ...] [--dim D] [--activation NAME] [--block B] [--memory 4GB]
       [--workers W --limit 1.5GB] [--proof] [--folder FOLDER]

For every N, each in a process of its own that finds its samples in a `.npy` file: a small matrix is computed, so that
everything is compiled, rates are measured and the time predicted, then the matrix is computed, by threads or by a
`LocalCluster` of W workers of one thread. Peak memory is the largest resident set of the process that holds blocks
(Linux: VmHWM), its libraries included; beside it stands what the model allows. `in memory` is `DEQ.gram` of the same
samples in another process, `of in-memory` the ratio of the times. With --proof the proven errors of entries, the
theory's bounds and the least eigenvalue follow, and the interval in memory. Files are removed at the end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

import hermite_dual as hd

SIZES = (4000, 8000, 16000, 32000)
SIGMA_W2 = 0.08
WARM = 200
PARTS = {
    "gram": "gram_seconds",
    "errors of entries": "bounds_seconds",
    "theory's bounds": "theory_seconds",
    "least eigenvalue": "proof_seconds",
}


def on_disk(n: int, given: argparse.Namespace) -> dict[str, Any]:
    """Predict and run in this process."""
    X = Path(given.folder, "X.npy")
    out = Path(given.folder, f"K-{n}.zarr")
    model = hd.DEQ.paper(given.activation, SIGMA_W2)
    with ExitStack() as stack:
        client = _client(stack, given)
        options: dict[str, Any] = {"block": given.block, "client": client, "memory": given.memory}
        warm = np.load(X, mmap_mode="r")[:WARM]
        model.store_gram(warm, out=Path(given.folder, "warm.zarr"), block=WARM // 10, client=client)
        cost = model.gram_cost(X, **options, folder=given.folder)
        seconds = {}
        start = time.perf_counter()
        gram = model.store_gram(X, out=out, **options)
        seconds["gram"] = time.perf_counter() - start
        found: dict[str, Any] = {}
        if given.proof:
            seconds["errors of entries"] = _seconds(lambda: gram.entry_error)
            seconds["theory's bounds"] = _seconds(gram.lower_bounds)
            seconds["least eigenvalue"] = _seconds(gram.least_eigenvalue)
            least = gram.least_eigenvalue()
            found["interval"] = [least.lower, least.upper]
        peaks = [_peak()] if client is None else list(client.run(_peak).values())
    return found | {
        "n": n,
        "block": gram.block,
        "tasks": cost.tasks,
        "threads": cost.workers.threads,
        "workers": cost.workers.count,
        "predicted": {name: getattr(cost, PARTS[name]) for name in seconds},
        "seconds": seconds,
        "memory": cost.memory,
        "peak": max(peaks),
        "disk_predicted": 8 * cost.entries * (cost.rates.compression if cost.rates else 1.0),
        "disk": sum(file.stat().st_size for file in (out / "gram").rglob("*") if file.is_file()),
    }


def in_memory(n: int, given: argparse.Namespace) -> dict[str, Any]:
    """Run in memory, in this process."""
    X = np.load(Path(given.folder, "X.npy"))
    model = hd.DEQ.paper(given.activation, SIGMA_W2)
    model.gram(X[:WARM])  # makes surrogates and compiles
    start = time.perf_counter()
    gram = model.gram(X)
    seconds = {"gram": time.perf_counter() - start}
    found: dict[str, Any] = {}
    if given.proof:
        seconds["errors of entries"] = _seconds(lambda: gram.entry_error)
        seconds["least eigenvalue"] = _seconds(gram.least_eigenvalue)
        least = gram.least_eigenvalue()
        found["interval"] = [least.lower, least.upper]
    return found | {"n": n, "seconds": seconds, "peak": _peak()}


def report(stored: dict[str, Any], memory: dict[str, Any] | None) -> None:
    """Print the rows of one size."""
    for name, seconds in stored["seconds"].items():
        predicted, theirs = stored["predicted"][name], (memory or {}).get("seconds", {}).get(name)
        ratio = f"{seconds / theirs:12.2f}" if theirs else " " * 12
        print(
            f"{stored['n']:>7} {stored['block']:>6} {name:<18} {predicted:10.2f} {seconds:10.2f} "
            f"{predicted / seconds:10.2f} {theirs or float('nan'):10.2f} {ratio}"
        )
    facts = [
        f"peak {stored['peak'] / 1e9:.2f} GB of {stored['memory'] / 1e9:.2f} GB",
        f"disk {stored['disk'] / 1e9:.3f} GB (predicted {stored['disk_predicted'] / 1e9:.3f})",
        f"{stored['workers']} x {stored['threads']} tasks at a time",
    ]
    facts += [f"in memory peak {memory['peak'] / 1e9:.2f} GB"] if memory else []
    print("        " + "; ".join(facts))
    if "interval" in stored:
        print(f"        least eigenvalue on disk {stored['interval']}, in memory {(memory or {}).get('interval')}")
    sys.stdout.flush()


def _client(stack: ExitStack, given: argparse.Namespace) -> Any:
    if not given.workers:
        return None
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=given.workers, threads_per_worker=1, memory_limit=given.limit, dashboard_address=":0"
    )
    return stack.enter_context(Client(stack.enter_context(cluster)))


def _seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def _peak() -> int:
    """The largest resident set of this process so far."""
    with open("/proc/self/status") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def _write_samples(path: Path, n: int, d: int) -> None:
    found = np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=(n, d))
    rng = np.random.default_rng(0)
    for start in range(0, n, 1000):
        stop = min(n, start + 1000)
        found[start:stop] = hd.on_sphere(rng.standard_normal((stop - start, d)))
    found.flush()


def _child(what: str, n: int, arguments: list[str]) -> dict[str, Any]:
    command = [sys.executable, __file__, str(n), "--only", what, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print a row per size and part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--dim", type=int, default=784)
    parser.add_argument("--activation", default="tanh")
    parser.add_argument("--block", type=int)
    parser.add_argument("--memory")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--limit", default="1.5GB")
    parser.add_argument("--proof", action="store_true")
    parser.add_argument("--no-memory", action="store_true", help="leave out the path in memory")
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--only", choices=("disk", "memory"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps((on_disk if given.only == "disk" else in_memory)(given.sizes[0], given)))
        return
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, d = {given.dim}, {given.activation}")
    print("      n  block part                predicted   measured      ratio  in memory of in-memory")
    for n in given.sizes:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            _write_samples(Path(folder, "X.npy"), n, given.dim)
            arguments = ["--activation", given.activation, "--folder", folder]
            arguments += ["--workers", str(given.workers), "--limit", given.limit]
            arguments += [] if given.block is None else ["--block", str(given.block)]
            arguments += [] if given.memory is None else ["--memory", given.memory]
            arguments += ["--proof"] if given.proof else []
            stored = _child("disk", n, arguments)
            report(stored, None if given.no_memory else _child("memory", n, arguments))


if __name__ == "__main__":
    main()

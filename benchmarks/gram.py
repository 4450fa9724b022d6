"""Time population Gram matrices and tangent kernels against `X @ X.T`.

Usage: python benchmarks/gram.py [N] [D] [REPEATS]

Every round times the product and each kernel once, one after the other; a ratio is the median over rounds, so that
other work on the machine falls on both. Surrogates and compiled code are made by a first call, which is timed apart.
Memory is the peak of a process of its own.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numba
import numpy as np
import scipy
from numpy.typing import NDArray

import hermite_dual as hd
from hermite_dual.numeric.products import LARGEST_WHOLE

EQUAL = ("tanh", "gelu", "erf", "relu", "softplus")
UNEQUAL = ("tanh", "gelu")
KERNELS = ("gram", "ntk")
GROWTH = (1000, 2000, 4000, 8000, 16000)
SIGMA_W = 0.3
MEMORY = """
import sys
import numpy as np
import hermite_dual as hd
n, d, sphere, name = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "equal", sys.argv[4]
X = np.random.default_rng(0).standard_normal((n, d))
X = hd.on_sphere(X) if sphere else X
model = hd.DEQ(name, sigma_w=0.3)
model.gram(X[:200])
def peak():
    # The peak of this program alone (Linux): what getrusage reports is inherited from the caller.
    with open("/proc/self/status") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
before = peak()
model.gram(X)
print((peak() - before) / (8 * n * n))
"""
Job = Callable[[], Any]


@dataclass(frozen=True)
class Row:
    """One kernel matrix.

    Attributes:
        kernel: "gram" or "ntk".
        activation: its name.
        norms: "equal" or "unequal".
        n: number of samples.
        d: their dimension.
        ratio: median over rounds of the time over that of `X @ X.T`.
        seconds: least time.
        product_seconds: least time of `X @ X.T`.
        first_seconds: time of the first call.
    """

    kernel: str
    activation: str
    norms: str
    n: int
    d: int
    ratio: float
    seconds: float
    product_seconds: float
    first_seconds: float


def measure(
    n: int = 5000,
    d: int = 784,
    repeats: int = 7,
    equal: Iterable[str] = EQUAL,
    unequal: Iterable[str] = UNEQUAL,
    kernel: str = "gram",
) -> list[Row]:
    """Time kernels of n standard normal samples, scaled to the sphere where norms are to be equal."""
    X = np.random.default_rng(0).standard_normal((n, d))
    data = {"equal": hd.on_sphere(X), "unequal": X}
    jobs: dict[tuple[str, str], Job] = {}
    for norms, names in (("equal", equal), ("unequal", unequal)):
        for name in names:
            jobs[name, norms] = _job(kernel, name, data[norms])
    first = {key: _seconds(job) for key, job in jobs.items()}
    product = ("X @ X.T", "")
    every: list[tuple[tuple[str, str], Job]] = [(product, lambda: X @ X.T), *jobs.items()]
    times: dict[tuple[str, str], list[float]] = {key: [] for key, _ in every}
    for turn in range(repeats):
        # there and back: what a job leaves behind falls to different ones
        for key, job in every if turn % 2 == 0 else reversed(every):
            times[key].append(_seconds(job))
    products = times.pop(product)
    return [
        Row(kernel, *key, n, d, float(np.median(np.divide(spent, products))), min(spent), min(products), first[key])
        for key, spent in times.items()
    ]


def growth_rows(
    names: Iterable[str] = ("tanh",), d: int = 784, sizes: Iterable[int] = GROWTH, repeats: int = 3
) -> list[dict[str, float | str | None]]:
    """Return a row per kernel, activation and number of samples: least times, and those of `X @ X.T`.

    Beyond `LARGEST_WHOLE` rows that product has no time: OpenBLAS, and NumPy with it, ends the process there.
    """
    sizes, names = tuple(sizes), tuple(names)
    X = hd.on_sphere(np.random.default_rng(0).standard_normal((max(sizes), d)))
    rows: list[dict[str, float | str | None]] = []
    for n in sizes:
        first_rows = X[:n]
        product = None
        if n <= LARGEST_WHOLE:
            product = min(_seconds(lambda first_rows=first_rows: first_rows @ first_rows.T) for _ in range(repeats))
        for kernel in KERNELS:
            for name in names:
                job = _job(kernel, name, first_rows)
                job()
                seconds = min(_seconds(job) for _ in range(repeats))
                rows.append(
                    {
                        "kernel": kernel,
                        "activation": name,
                        "n": n,
                        "d": d,
                        "seconds": seconds,
                        "product_seconds": product,
                    }
                )
    return rows


def growth(name: str = "tanh", d: int = 784, sizes: Iterable[int] = GROWTH, repeats: int = 3) -> float:
    """Return the exponent of n in the time of a Gram matrix, by least squares through the logarithms of least times."""
    found = [row for row in growth_rows((name,), d, sizes, repeats) if row["kernel"] == "gram"]
    return float(np.polyfit(*(np.log([row[key] for row in found]) for key in ("n", "seconds")), 1)[0])


def memory_rows(n: int = 5000, d: int = 784) -> list[dict[str, float | str]]:
    """Return the peak memory of Gram matrices at equal and unequal norms, as rows."""
    return [
        {"norms": norms, "n": n, "peak over 8 n^2 bytes": peak_memory(n, d, norms)} for norms in ("equal", "unequal")
    ]


def peak_memory(n: int = 5000, d: int = 784, norms: str = "equal", name: str = "tanh") -> float:
    """Return what one call adds to the peak of a process that holds X already, in units of `8 n^2` bytes."""
    command = [sys.executable, "-c", MEMORY, str(n), str(d), norms, name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def versions() -> dict[str, str]:
    """Return what the numbers were taken with."""
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, numba threads {numba.get_num_threads()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
        "hermite_dual": hd.__version__,
    }


def _job(kernel: str, name: str, X: NDArray[np.float64]) -> Job:
    call = getattr(hd.DEQ(name, sigma_w=SIGMA_W), kernel)
    return lambda: call(X)


def _seconds(job: Job) -> float:
    start = time.perf_counter()
    kept = job()
    stop = time.perf_counter()
    del kept
    return stop - start


def main() -> None:
    """Print the ratios, the growth exponent, the peak memory and the versions as lines of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int, nargs="?", default=5000)
    parser.add_argument("d", type=int, nargs="?", default=784)
    parser.add_argument("repeats", type=int, nargs="?", default=7)
    parser.add_argument("--growth", action="store_true", help="fit the exponent over n = 1000 to 16000 as well")
    given = parser.parse_args()
    print(json.dumps(versions()))
    for kernel in KERNELS:
        for row in measure(given.n, given.d, given.repeats, unequal=UNEQUAL if kernel == "gram" else (), kernel=kernel):
            print(json.dumps(asdict(row)))
    for found in memory_rows(given.n, given.d):
        print(json.dumps(found))
    if given.growth:
        print(json.dumps({"growth exponent": growth(d=given.d)}))


if __name__ == "__main__":
    main()

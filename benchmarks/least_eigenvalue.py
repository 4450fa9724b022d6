"""Time the proof of a least eigenvalue beside one Cholesky factorization and LAPACK's least eigenvalue.

Usage: python benchmarks/least_eigenvalue.py [ORDER ...] [--rounds R] [--dimension D] [--lapack-up-to N] [--memory]

The matrices are population Gram matrices of random rows, whose least eigenvalues lie close together, and matrices with
one eigenvalue far below the others. All contestants run in turn in one process, R rounds; medians and the medians of
the ratios within a round are printed, and the growth exponent over the orders. BLAS uses as many threads as it is
given. `--memory` prints instead the peak of resident memory during a proof in multiples of the matrix.
"""

import argparse
import math
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

import hermite_dual as hd
from hermite_dual.numeric.products import LARGEST_WHOLE

Matrix = NDArray[np.float64]


def crowded(n: int, dimension: int) -> Matrix:
    """A population Gram matrix: tanh, `s^2 = 0.08`, normal rows on the sphere."""
    X = hd.on_sphere(np.random.default_rng(n).standard_normal((n, dimension)))
    return hd.DEQ.paper("tanh", 0.08).gram(X).matrix


def separated(n: int) -> Matrix:
    """Eigenvalues 0.01 and, in [0.05, 1], all others, in a basis of three random reflections."""
    rng = np.random.default_rng(n)
    A = np.diag(np.concatenate([[0.01], rng.uniform(0.05, 1, n - 1)]))
    for _ in range(3):
        v = rng.standard_normal(n)
        v /= np.linalg.norm(v)
        A -= 2 * np.outer(v, v @ A)
        A -= 2 * np.outer(A @ v, v)
    return (A + A.T) / 2


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@dataclass(frozen=True)
class Row:
    """One matrix.

    Attributes:
        matrix: the family, "crowded" or "separated".
        n: its order.
        outcome: PROVEN or UNDECIDED.
        seconds: median time of the proof.
        cholesky_seconds: median time of one Cholesky factorization.
        ratio: median over rounds of the former over the latter.
        width: relative width of the proven interval.
        lapack_seconds: time of LAPACK's least eigenvalue, which proves nothing; None where it was not asked for.
    """

    matrix: str
    n: int
    outcome: str
    seconds: float
    cholesky_seconds: float
    ratio: float
    width: float
    lapack_seconds: float | None


def compare(name: str, A: Matrix, rounds: int, lapack: bool) -> Row:
    """Time the contestants in turn, as many rounds as asked for; LAPACK's factorization up to where it is safe."""
    calls: dict[str, Callable[[], object]] = {"proof": lambda: hd.least_eigenvalue(A)}
    if len(A) <= LARGEST_WHOLE:
        calls["cholesky"] = lambda: scipy.linalg.cholesky(A, lower=True, check_finite=False)
    times: dict[str, list[float]] = {key: [] for key in calls}
    for _ in range(rounds):
        for key, call in calls.items():
            times[key].append(seconds(call))
    proofs, factors = np.array(times["proof"]), np.array(times.get("cholesky", [math.nan] * rounds))
    bounds = hd.least_eigenvalue(A)
    call = lambda: scipy.linalg.eigvalsh(A, subset_by_index=[0, 0], check_finite=False)  # noqa: E731
    return Row(
        name,
        len(A),
        bounds.outcome.name,
        float(np.median(proofs)),
        float(np.median(factors)),
        float(np.median(proofs / factors)),
        (bounds.upper - bounds.lower) / abs(bounds.upper),
        seconds(call) if lapack else None,
    )


def measure(
    orders: Sequence[int] = (1000, 2000, 5000), rounds: int = 5, dimension: int = 784, lapack_up_to: int = 5000
) -> Iterator[Row]:
    """Yield a row per family and order."""
    hd.least_eigenvalue(np.eye(2000) * 2.0)  # compile
    families: dict[str, Callable[[int], Matrix]] = {
        "crowded": lambda n: crowded(n, dimension),
        "separated": separated,
    }
    for name, make in families.items():
        for n in orders:
            yield compare(name, make(n), rounds, n <= lapack_up_to)


def memory(n: int) -> None:
    """Print the peak of resident memory during a proof, less that before the matrix was made."""
    hd.least_eigenvalue(np.eye(2000) * 2.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    A = np.zeros((n, n))
    X = np.random.default_rng(0).standard_normal((n, 100))
    np.matmul(X, X.T, out=A)
    A.flat[:: n + 1] += 1.0
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    bounds = hd.least_eigenvalue(A)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"n={n} {bounds.outcome.name} matrix {(made - before) / A.nbytes:.2f} proof {(peak - before) / A.nbytes:.2f}")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description="Time proofs of least eigenvalues.")
    parser.add_argument("orders", type=int, nargs="*", default=[1000, 2000, 5000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dimension", type=int, default=784)
    parser.add_argument("--lapack-up-to", type=int, default=5000)
    parser.add_argument("--memory", action="store_true")
    given = parser.parse_args()
    if given.memory:
        hd.least_eigenvalue(np.eye(2000) * 2.0)  # compile
        for n in given.orders:
            memory(n)
        return
    medians: dict[str, list[float]] = {}
    for row in measure(given.orders, given.rounds, given.dimension, given.lapack_up_to):
        line = f"{row.matrix:9} n={row.n:6} {row.outcome} cholesky {row.cholesky_seconds:7.3f} s "
        line += f"proof {row.seconds:7.3f} s ratio {row.ratio:5.2f} width {row.width:.1e}"
        if row.lapack_seconds is not None:
            line += f" eigvalsh {row.lapack_seconds / row.seconds:.2f} proofs"
        print(line, f"load {os.getloadavg()[0]:.1f}", flush=True)
        medians.setdefault(row.matrix, []).append(row.seconds)
    for name, found in medians.items():
        if len(found) > 1:
            exponent = np.polyfit(np.log(given.orders), np.log(found), 1)[0]
            print(f"{name}: growth exponent {exponent:.2f}", flush=True)


if __name__ == "__main__":
    main()

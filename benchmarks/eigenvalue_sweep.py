"""Hold eigenvalue bounds against exact inertia.

Usage: python benchmarks/eigenvalue_sweep.py COUNT [SEED] [LARGEST_ORDER] [SECONDS]

Sylvester's law: `A - s I = L D L^T` has as many negative pivots as A has eigenvalues below s. The pivots are
computed in balls of 400 bits and more, which is independent of every method under test. A lower bound must have none
below it, an upper bound at least one at or below it, and the next float above the least eigenvalue must never be
PROVEN.
"""

import math
import sys
import time
from collections.abc import Callable

import numpy as np
import scipy.linalg
from flint import arb
from numpy.typing import NDArray

from hermite_dual.certified.ball_eigenvalues import ball_bounds
from hermite_dual.certified.eigenvalues import check_lower_bound, least_eigenvalue
from hermite_dual.certified.precision import upper_float, working_precision
from hermite_dual.outcome import Outcome

SLACK_BITS = 300  # bounds may touch an exactly singular matrix: the shift is moved by this much of the largest entry
PRECISIONS = (400, 1600, 6400)
Matrix = NDArray[np.float64]


def _orthogonal(rng: np.random.Generator, n: int) -> Matrix:
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


def _spectrum(rng: np.random.Generator, values: Matrix) -> Matrix:
    Q = _orthogonal(rng, values.size)
    return (Q * values) @ Q.T


def _product(B: Matrix) -> Matrix:
    return B @ B.T


def _scaled(rng: np.random.Generator, n: int) -> Matrix:
    d = 10.0 ** rng.uniform(-4, 4, n)
    return d[:, None] * _product(rng.standard_normal((n, n))) * d


def _graded(rng: np.random.Generator, n: int) -> Matrix:
    d = 10.0 ** rng.uniform(-8, 8, n)
    return d[:, None] * _spectrum(rng, rng.uniform(0.1, 1, n)) * d


FAMILIES: dict[str, Callable[[np.random.Generator, int], Matrix]] = {
    "conditioned": lambda rng, n: _spectrum(rng, np.logspace(-rng.uniform(0, 9), 0, n)),
    "clustered": lambda rng, n: _spectrum(rng, np.where(np.arange(n) < n // 2, 1e-6, 1.0)),
    "nearly singular": lambda rng, n: _spectrum(rng, np.concatenate([[1e-15], rng.uniform(0.5, 1, n - 1)])),
    "integer singular": lambda rng, n: _product(rng.integers(-3, 4, (n, max(1, n - 2))).astype(float)),
    "indefinite": lambda rng, n: rng.standard_normal((n, n)),
    "badly scaled": _scaled,
    "hilbert": lambda rng, n: scipy.linalg.hilbert(n) * 2.0 ** int(rng.integers(-5, 6)),
    "graded": _graded,
    "wishart": lambda rng, n: _product(rng.standard_normal((n, 2 * n))),
}


def eigenvalues_below(A: Matrix, shift: arb) -> int | None:
    """How many eigenvalues are below the shift, by the signs of the pivots of `A - shift I`; None if undecided."""
    n = A.shape[0]
    for bits in PRECISIONS:
        with working_precision(bits):
            rows = [[arb(v) for v in row[i:]] for i, row in enumerate(A.tolist())]
            for row in rows:
                row[0] -= shift
            negative = 0
            for k in range(n):
                pivot = rows[k][0]
                if not (pivot > 0 or pivot < 0):
                    break
                negative += bool(pivot < 0)
                for i in range(k + 1, n):
                    factor = rows[k][i - k] / pivot
                    rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k][i - k :], strict=True)]
            else:
                return negative
    return None


def problems_of(A: Matrix) -> tuple[list[str], float, str]:
    """What is wrong with the bounds of a matrix, their relative width, and the bounds."""
    bounds = least_eigenvalue(A)
    text = f"[{bounds.lower!r}, {bounds.upper!r}]"
    top = float(np.max(np.abs(A))) * A.shape[0]
    problems = []
    with working_precision(2 * SLACK_BITS):
        slack = arb(max(top, 1e-300)) * arb(2) ** -SLACK_BITS
        below = eigenvalues_below(A, arb(bounds.lower) - slack) if math.isfinite(bounds.lower) else 0
        above = eigenvalues_below(A, arb(bounds.upper) + slack)
        _, guess, _ = ball_bounds(A, PRECISIONS[0])
        following = np.nextafter(upper_float(guess + slack), np.inf)
        proven_above = eigenvalues_below(A, arb(float(following)))
    if below is None or above is None:
        problems.append("inertia undecided")
    if below or above == 0:
        problems.append("false bound")
    if proven_above and check_lower_bound(A, float(following)).outcome is Outcome.PROVEN:
        problems.append("false PROVEN")
    width = (bounds.upper - bounds.lower) / bounds.upper if bounds.upper > 0 else 0.0
    if bounds.upper > 0 and top / A.shape[0] / bounds.upper < 1e8:
        largest = float(np.linalg.eigvalsh(A)[-1])
        if largest / bounds.upper < 1e8:
            if width > 1e-6:
                problems.append(f"relative width {width:.1e}")
            return problems, width, text
    return problems, 0.0, text


def main() -> int:
    """Run the sweep and report; the exit status is the number of problems."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    largest = int(sys.argv[3]) if len(sys.argv) > 3 else 24
    deadline = time.monotonic() + float(sys.argv[4]) if len(sys.argv) > 4 else float("inf")
    failed, worst, done = 0, 0.0, 0
    names = sorted(FAMILIES)
    while done < count and time.monotonic() < deadline:
        name = names[done % len(names)]
        n = int(rng.integers(2, largest + 1))
        A = FAMILIES[name](rng, n)
        A = (A + A.T) / 2
        problems, width, text = problems_of(A)
        worst = max(worst, width)
        if problems:
            failed += 1
            print(f"{name} n={n}: {', '.join(problems)}; {text}", flush=True)
        done += 1
    print(f"{done} matrices, {failed} problems, worst relative width {worst:.2e} (condition number below 1e8)")
    return failed


if __name__ == "__main__":
    raise SystemExit(main())

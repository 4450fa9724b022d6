"""Hold eigenvalue bounds against least eigenvalues known to 100 digits.

Usage: python benchmarks/eigenvalue_sweep.py COUNT [SEED] [LARGEST_ORDER] [SECONDS] [FIRST]

Matrix number i of a seed is drawn by its own generator `[seed, i]`. The reference shares nothing with the package:
Rayleigh quotient iteration in high precision finds a value, and the inertia of `A - s I` on both sides of it proves
that it is the least eigenvalue. With `A = [[P, C], [C^T, D]]` and P nonsingular, the inertia of A is that of P plus
that of the Schur complement `D - C^T P^-1 C` (Haynsworth), applied block by block in balls; inside a block the signs
of the pivots of `L D L^T` count.

Checked for each matrix: `lower <= lambda <= upper`, the relative width below condition number 1e8, and that neither the
next float above lambda is PROVEN nor the one below it REFUTED.
"""

import collections
import math
import sys
import time
from collections.abc import Callable

import numpy as np
import scipy.linalg
from flint import arb, arb_mat
from numpy.typing import NDArray

from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.eigenvalues.eigenvalues import EigenvalueBounds, check_lower_bound, least_eigenvalue
from hermite_dual.outcome import Outcome

DIGITS = 100
PRECISIONS = (800, 2400)  # bits; an undecided inertia goes to the next
BLOCK = 12
INVERSE_STEPS, RAYLEIGH_STEPS, ROUNDS, SPARE_HALVINGS = 30, 8, 3, 4
UNRESOLVED = 1e-12  # of the largest row sum: a float64 eigenvalue below it says nothing
RELATIVE_WIDTH, CONDITION = 1e-6, 1e8
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


def draw(seed: int, index: int, largest: int) -> tuple[str, Matrix]:
    """Matrix number `index` of a seed; the families take turns."""
    rng = np.random.default_rng([seed, index])
    name = sorted(FAMILIES)[index % len(FAMILIES)]
    A = FAMILIES[name](rng, int(rng.integers(2, largest + 1)))
    return name, (A + A.T) / 2


def _negative_pivots(P: arb_mat) -> int | None:
    """How many pivots of a small symmetric matrix are negative; None if a sign is open."""
    n, negative = P.nrows(), 0
    rows = [[P[i, j] for j in range(n)] for i in range(n)]
    for k in range(n):
        pivot = rows[k][k]
        if not (pivot > 0 or pivot < 0):
            return None
        negative += bool(pivot < 0)
        for i in range(k + 1, n):
            factor = rows[i][k] / pivot
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return negative


def _corner(M: arb_mat, rows: range, columns: range) -> arb_mat:
    return arb_mat(len(rows), len(columns), [M[i, j] for i in rows for j in columns])


def eigenvalues_below(A: arb_mat, shift: arb) -> int | None:
    """How many eigenvalues of A are below the shift, at the precision in force; None if undecided."""
    n = A.nrows()
    M = arb_mat(A)
    for i in range(n):
        M[i, i] = M[i, i] - shift
    total = 0
    while M.nrows():
        size = M.nrows()
        leading, trailing = range(min(BLOCK, size)), range(min(BLOCK, size), size)
        P = _corner(M, leading, leading)
        negative = _negative_pivots(P)
        if negative is None:
            return None
        total += negative
        if not trailing:
            break
        C = _corner(M, leading, trailing)
        try:
            M = _corner(M, trailing, trailing) - C.transpose() * P.solve(C)
        except ZeroDivisionError:
            return None
    return total


def _quotient(A: arb_mat, vector: arb_mat) -> tuple[arb_mat, arb]:
    """The vector scaled to largest entry 1 and its Rayleigh quotient, both without radius."""
    n = A.nrows()
    top = max((abs(vector[i, 0]) for i in range(n)), key=lambda v: v.mid())
    vector = (vector * (1 / top)).mid()
    transposed = vector.transpose()
    return vector, ((transposed * (A * vector))[0, 0] / (transposed * vector)[0, 0]).mid()


def _iterated(A: arb_mat, shift: arb, tolerance: arb) -> arb:
    """An eigenvalue close to the shift by inverse, then Rayleigh quotient iteration; no bound."""
    n = A.nrows()
    rng = np.random.default_rng(0)
    vector = arb_mat(n, 1, [arb(v) for v in rng.standard_normal(n).tolist()])
    identity = arb_mat(n, n, [arb(int(i == j)) for i in range(n) for j in range(n)])
    try:
        inverse = (A - identity * shift).solve(identity, algorithm="approx")
        for _ in range(INVERSE_STEPS):
            vector, shift = _quotient(A, inverse * vector)
        for _ in range(RAYLEIGH_STEPS):
            vector, value = _quotient(A, (A - identity * shift).solve(vector, algorithm="approx"))
            if abs(value - shift) < tolerance:
                return value
            shift = value
    except ZeroDivisionError:
        pass  # the shift is an eigenvalue to working precision
    return shift


def least_reference(A: Matrix) -> tuple[arb, arb]:
    """Numbers below and above the least eigenvalue, `1e-100` of the largest row sum apart, proven by inertia."""
    top = float(np.max(np.sum(np.abs(A), axis=1)))
    if top == 0.0:
        return arb(0), arb(0)
    exact = arb_mat(*A.shape, [arb(v) for v in A.ravel().tolist()])
    delta = arb(top) * arb(10) ** -DIGITS / 4
    estimate = float(np.linalg.eigvalsh(A / top)[0]) * top
    # below, so that the iteration tends to the least one; graded matrices have it far below what float64 resolves
    shift = arb(estimate) - arb(top) * arb(2) ** -52 if abs(estimate) > UNRESOLVED * top else arb(0)
    for _ in range(ROUNDS):
        value = _iterated(exact, shift, delta / 1000)
        below, above = eigenvalues_below(exact, value - delta), eigenvalues_below(exact, value + delta)
        if below == 0 and above:
            return value - delta, value + delta
        if below is None:
            break
        # a neighbour in a cluster
        shift = _isolated(exact, value + delta, arb(top))
    raise ArithmeticError("no least eigenvalue found")


def _isolated(A: arb_mat, high: arb, top: arb) -> arb:
    """A point closer to the least eigenvalue than to any other, by halving; some eigenvalues are below `high`."""
    gap = top * arb(2) ** -52
    while (below := eigenvalues_below(A, high - gap)) != 0:
        if below is None:
            raise ArithmeticError("inertia undecided")
        gap *= 8
    low, count, spare = (high - gap).mid(), 2, SPARE_HALVINGS
    while (count > 1 or spare) and high - low > top * arb(10) ** -DIGITS:
        middle = ((low + high) / 2).mid()
        below = eigenvalues_below(A, middle)
        if below is None:
            raise ArithmeticError("inertia undecided")
        spare -= count == 1
        low, high, count = (middle, high, count) if below == 0 else (low, middle, below)
    return low


def reference(A: Matrix) -> tuple[arb, arb] | None:
    """The least eigenvalue between two balls; None if no precision decides."""
    for bits in PRECISIONS:
        with working_precision(bits):
            try:
                return least_reference(A)
            except ArithmeticError:
                continue
    return None


def problems_of(A: Matrix) -> tuple[list[str], float | None, EigenvalueBounds]:
    """What is wrong with the bounds of a matrix, their relative width where it is promised, and the bounds."""
    bounds = least_eigenvalue(A)
    known = reference(A)
    if known is None:
        return ["no reference"], None, bounds
    low, high = known
    problems = []
    with working_precision(PRECISIONS[-1]):
        if bounds.lower > high or bounds.upper < low:  # the last digits of the reference stay open
            problems.append("false bound")
        above, below = float(high.mid()), float(low.mid())
        while not above > high:
            above = math.nextafter(above, math.inf)
        while not below < low:
            below = math.nextafter(below, -math.inf)
    if check_lower_bound(A, above).outcome is Outcome.PROVEN:
        problems.append("false PROVEN")
    if check_lower_bound(A, below).outcome is Outcome.REFUTED:
        problems.append("false REFUTED")
    width = None
    largest = float(np.linalg.eigvalsh(A)[-1])
    if bounds.upper > 0 and float(low.mid()) > 0 and largest < CONDITION * float(low.mid()):
        width = (bounds.upper - bounds.lower) / float(low.mid())
        if width > RELATIVE_WIDTH:
            problems.append(f"relative width {width:.1e}")
    return problems, width, bounds


def main() -> int:
    """Run the sweep and report; the exit status is the number of problems."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 36
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    largest = int(sys.argv[3]) if len(sys.argv) > 3 else 24
    deadline = time.monotonic() + float(sys.argv[4]) if len(sys.argv) > 4 else float("inf")
    start = int(sys.argv[5]) if len(sys.argv) > 5 else 0
    failed, done, widths = 0, 0, [0.0]
    outcomes: collections.Counter[str] = collections.Counter()
    while done < count and time.monotonic() < deadline:
        name, A = draw(seed, start + done, largest)
        problems, width, bounds = problems_of(A)
        outcomes[bounds.outcome.name] += 1
        widths += [] if width is None else [width]
        if problems:
            failed += 1
            text = f"[{bounds.lower!r}, {bounds.upper!r}]"
            print(f"{name} seed={seed} index={start + done} n={A.shape[0]}: {', '.join(problems)}; {text}", flush=True)
        done += 1
        if done % 25 == 0:
            print(f"... {done} matrices, {failed} problems, {time.process_time():.0f} s", flush=True)
    print(
        f"seed {seed}, order up to {largest}, from {start} on: {done} matrices, {failed} problems, "
        f"bounds {dict(outcomes)}, worst relative width {max(widths):.2e} of {len(widths) - 1} with condition number "
        "below 1e8"
    )
    return failed


if __name__ == "__main__":
    raise SystemExit(main())

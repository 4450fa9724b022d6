"""Least eigenvalues of small matrices in ball arithmetic, at rising precision, and exactly.

With V close to the eigenvectors, `B = V^T A V` and `G = V^T V` are close to diagonal and are enclosed exactly enough in
balls. If `B - s G`, scaled to unit diagonal, is strictly diagonally dominant, it is positive definite; then V is
nonsingular on account of that and `A - s I` is positive definite too. V is refined until this decides: the step of
Ogita and Aishima (SIAM-type quadratic refinement, derived in the documentation) outside clusters, a rotation inside.

Derivation: docs/theory/eigenvalues.md, "Ball arithmetic up to n = 300".
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from flint import arb, arb_mat, fmpz, fmpz_mat

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import lower_float, upper_float, working_precision

LARGEST = 300
"""Largest order for ball arithmetic."""
LARGEST_EXACT = 60
"""Largest order for the exact decision by the characteristic polynomial."""
_CLUSTER = 1e-9  # relative gap below which eigenvectors are rotated together
_DOMINANCE = 1 - 1e-9  # leaves room for the rounding of the float64 row sums
_SWEEPS = 5  # each squares the error of the frame


@dataclass
class Frame:
    """`V^T A V` and `V^T V` in balls.

    Attributes:
        B: enclosure of `V^T A V`.
        G: enclosure of `V^T V`.
        V: exact midpoints.
    """

    B: arb_mat
    G: arb_mat
    V: arb_mat


def _ball_matrix(A: Array) -> arb_mat:
    """The matrix of floats as exact balls."""
    n = A.shape[0]
    return arb_mat(n, A.shape[1], [arb(v) for v in A.ravel().tolist()])


def _frame(A: arb_mat, V: arb_mat) -> Frame:
    """Both products in balls."""
    Vt = V.transpose()
    return Frame(Vt * (A * V), Vt * V, V)


def make_frame(A: Array, bits: int, sweeps: int = _SWEEPS) -> Frame:
    """Refine the float64 eigenvectors of A at a precision and return the products.

    Args:
        A: symmetric, shape (n, n).
        bits: working precision; must be in force when the result is used.
        sweeps: refinement steps.
    """
    exact = _ball_matrix(A)
    scale = float(np.max(np.abs(A))) or 1.0
    _, vectors = np.linalg.eigh(A / scale)
    frame = _frame(exact, _ball_matrix(vectors))
    for _ in range(sweeps):
        previous = _defect(frame)
        candidate = _frame(exact, _refined(frame))
        if not _defect(candidate) < previous / 2:
            break
        frame = candidate
        if _defect(frame) < 2.0 ** (-bits / 2):
            break
    return frame


def _defect(frame: Frame) -> float:
    """How far the scaled products are from diagonal, for steering only."""
    n = frame.B.nrows()
    top = 0.0
    diagonal = [abs(float(frame.B[i, i].mid())) for i in range(n)]
    for i in range(n):
        for j in range(i):
            size = math.sqrt(diagonal[i]) * math.sqrt(diagonal[j])
            top = max(top, abs(float(frame.B[i, j].mid())) / size if size else 0.0, abs(float(frame.G[i, j].mid())))
    return top


def _refined(frame: Frame) -> arb_mat:
    """Better eigenvectors: `V (I + E)`, `E_ij = (B_ij + l_j R_ij)/(l_j - l_i)`, `R = I - G`, and rotated clusters."""
    n = frame.B.nrows()
    B, G = frame.B.mid(), frame.G.mid()
    values = [B[i, i] / G[i, i] for i in range(n)]
    groups = _clusters([float(v.mid()) for v in values], B)
    step = arb_mat(n, n)
    for i in range(n):
        step[i, i] = (3 - G[i, i]) / 2
        for j in range(n):
            if i != j:
                gap = values[j] - values[i]
                if groups[i] == groups[j] or gap.contains(0):
                    step[i, j] = -G[i, j] / 2
                else:
                    step[i, j] = ((B[i, j] - values[j] * G[i, j]) / gap).mid()
    V = (frame.V * step.mid()).mid()
    for group in set(groups):
        members = [i for i in range(n) if groups[i] == group]
        if len(members) > 1:
            V = _rotate(V, B, members)
    return V


def _clusters(values: list[float], B: arb_mat) -> list[int]:
    """Group numbers: neighbours closer than the coupling between them can separate share one."""
    n = len(values)
    size = max(map(abs, values), default=1.0) or 1.0
    order = sorted(range(n), key=values.__getitem__)
    groups, current = [0] * n, 0
    for a, b in pairwise(order):
        coupling = abs(float(B[a, b]))
        gap = values[b] - values[a]
        if gap > _CLUSTER * size or (coupling < 1e-3 * gap and gap > 0):
            current += 1
        groups[b] = current
    return groups


def _rotate(V: arb_mat, B: arb_mat, members: list[int]) -> arb_mat:
    """Diagonalize a cluster's block of B in float64 relative to its own spread and rotate its columns."""
    k, n = len(members), V.nrows()
    centre = sum((B[i, i] for i in members), arb(0)) / k
    block = [[B[i, j] - (centre if i == j else 0) for j in members] for i in members]
    spread = max((abs(float(v.mid())) for row in block for v in row), default=0.0)
    if spread == 0.0 or not math.isfinite(spread):
        return V
    floats = np.array([[float((v / arb(spread)).mid()) for v in row] for row in block])
    _, Q = np.linalg.eigh((floats + floats.T) / 2)
    columns = arb_mat(n, k, [V[i, j] for i in range(n) for j in members])
    turned = (columns * _ball_matrix(Q)).mid()
    for i in range(n):
        for c, j in enumerate(members):
            V[i, j] = turned[i, c]
    return V


def dominates(frame: Frame, shift: arb) -> bool:
    """Whether `B - s G` scaled to unit diagonal is strictly diagonally dominant, which proves `A - s I` definite."""
    n = frame.B.nrows()
    diagonal = []
    for i in range(n):
        entry = frame.B[i, i] - shift * frame.G[i, i]
        if not entry > 0:
            return False
        diagonal.append(arb(entry.lower()).sqrt())
    for i in range(n):
        total = 0.0
        for j in range(n):
            if i != j:
                total += upper_float(abs(frame.B[i, j] - shift * frame.G[i, j]) / (diagonal[i] * diagonal[j]))
        if not total < _DOMINANCE:
            return False
    return True


def ball_bounds(A: Array, bits: int) -> tuple[arb, arb, Array]:
    """Lower and upper bound of the least eigenvalue at a precision, as exact balls, and a vector for the upper one.

    Args:
        A: symmetric, shape (n, n), n <= 300.
        bits: working precision.

    Returns:
        Lower bound (`-inf` if none was proven), upper bound, and the eigenvector estimate.
    """
    with working_precision(bits):
        frame = make_frame(A, bits)
        n = frame.B.nrows()
        quotients = [frame.B[i, i] / frame.G[i, i] for i in range(n)]
        index = min(range(n), key=lambda i: float(quotients[i].mid()))
        upper = arb(quotients[index].upper())
        spread = max(abs(float(q.mid())) for q in quotients) or 1.0
        lower = arb.neg_inf()
        gap = arb(2) ** (-bits // 2) * abs(upper) + arb(spread) * arb(2) ** (-bits + 20)
        while gap < 4 * arb(spread):
            if dominates(frame, upper - gap):
                lower = arb((upper - gap).lower())
                break
            gap *= 64
        vector = np.array([float(frame.V[i, index].mid()) for i in range(n)])
        return lower, upper, vector


def bounds_as_floats(lower: arb, upper: arb) -> tuple[float, float]:
    """Outward rounded floats of two exact balls."""
    return (lower_float(lower) if lower.is_finite() else -math.inf), upper_float(upper)


def exact_sign(A: Array, value: float) -> int:
    """Decide exactly whether `lambda_min(A) >= value`, by the signs of the characteristic polynomial.

    All eigenvalues of a symmetric matrix are real; `det(t I - M) = sum c_k t^k` has no negative root exactly if
    `(-1)^(n-k) c_k >= 0` for every k (Descartes).

    Args:
        A: symmetric matrix of floats, shape (n, n), n <= 60.
        value: the float to compare with.

    Returns:
        1 if `lambda_min >= value`, -1 if not.
    """
    n = A.shape[0]
    fractions = [[*map(_dyadic, row)] for row in A.tolist()]
    shift_mantissa, shift_exponent = _dyadic(value)
    least = min([shift_exponent] + [e for row in fractions for _, e in row])
    entries = [fmpz(m) * fmpz(2) ** (e - least) for row in fractions for m, e in row]
    M = fmpz_mat(n, n, entries)
    shift = fmpz(shift_mantissa) * fmpz(2) ** (shift_exponent - least)
    for i in range(n):
        M[i, i] = M[i, i] - shift
    coefficients = M.charpoly().coeffs()
    return 1 if all((-1) ** (n - k) * c >= 0 for k, c in enumerate(coefficients)) else -1


def _dyadic(value: float) -> tuple[int, int]:
    """Mantissa and exponent of a float, exactly; zero has exponent 0."""
    numerator, denominator = value.as_integer_ratio()
    if numerator == 0:
        return 0, 0
    return numerator, 1 - denominator.bit_length()

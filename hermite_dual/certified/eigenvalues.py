"""Proven two-sided bounds of the least eigenvalue of a symmetric matrix.

Lower bounds come from floating-point Cholesky with a measured error bound, upper bounds from Rayleigh quotients in
twice
the working precision. Up to n = 300 ball arithmetic at rising precision takes over where float64 cannot decide.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import lapack

from hermite_dual.certified.ball_eigenvalues import LARGEST, LARGEST_EXACT, ball_bounds, bounds_as_floats, exact_sign
from hermite_dual.certified.bottom_vector import BottomVector, descend, first_solver, inverse_iteration, start_block
from hermite_dual.certified.float_cholesky import UNIT, Factorization, error_units, gamma, shifted_cholesky
from hermite_dual.certified.rayleigh import rayleigh_upper
from hermite_dual.errors import InvalidInputError
from hermite_dual.outcome import Outcome

Matrix = NDArray[np.float64]

_DENSE_ESTIMATE = 400
_PRECISIONS = (128, 256, 512)
_GOOD_WIDTH = 1e-9
_ATTEMPTS = 12
_GRADED = 1e4  # ratio of diagonal entries from which a scaled proof is worth its cost
_FIRST_STEPS, _NEXT_STEPS = 12, 28
_FINE = 1e-8  # relative width at which no further factorization is spent


@dataclass(frozen=True)
class EigenvalueBounds:
    """An enclosure of the least eigenvalue.

    Attributes:
        lower: no eigenvalue is below it; `-inf` if nothing was proven.
        estimate: a number in between, not proven to any digit.
        upper: the least eigenvalue is not above it.
        outcome: PROVEN if both bounds are finite and hold in exact arithmetic, else UNDECIDED.
        reason: how the bounds were obtained, or what is missing.
        vector: a vector whose Rayleigh quotient is at most `upper`.
    """

    lower: float
    estimate: float
    upper: float
    outcome: Outcome
    reason: str
    vector: Matrix | None = None


@dataclass(frozen=True)
class LowerBoundCheck:
    """Whether `lambda_min(A) >= value`.

    Attributes:
        outcome: PROVEN, REFUTED or UNDECIDED.
        vector: for REFUTED by a Rayleigh quotient, a vector on which the quotient is below `value`.
        margin: proven distance: `lower - value` if PROVEN, `upper - value` (negative) if REFUTED, else their gap's
            reach.
        reason: how it was decided, or what would decide it.
    """

    outcome: Outcome
    vector: Matrix | None
    margin: float
    reason: str


def least_eigenvalue(A: ArrayLike, entry_error: ArrayLike = 0.0) -> EigenvalueBounds:
    """Enclose the least eigenvalue of every symmetric matrix within an entrywise error of A.

    Args:
        A: symmetric float64 matrix, shape (n, n); it may be indefinite or singular.
        entry_error: bound of `|A_true - A|`, a number or shape (n, n).

    Returns:
        Bounds that hold in exact arithmetic.

    Raises:
        InvalidInputError: A is not a finite symmetric square matrix, or the error is negative.

    Example:
        >>> bounds = least_eigenvalue([[2.0, 1.0], [1.0, 2.0]])
        >>> bounds.lower <= 1 <= bounds.upper
        True
    """
    matrix, error = _checked(A, entry_error)
    return _enclose(matrix, error)


def check_lower_bound(A: ArrayLike, value: float, entry_error: ArrayLike = 0.0) -> LowerBoundCheck:
    """Decide whether `lambda_min >= value` for every symmetric matrix within an entrywise error of A.

    REFUTED means that it fails for every such matrix.

    Args:
        A: symmetric float64 matrix, shape (n, n).
        value: the claimed lower bound.
        entry_error: bound of `|A_true - A|`, a number or shape (n, n).

    Returns:
        The outcome with its margin.

    Raises:
        InvalidInputError: as `least_eigenvalue`, or value is no finite number.
    """
    matrix, error = _checked(A, entry_error)
    value = float(value)
    if not math.isfinite(value):
        raise InvalidInputError(f"value = {value} is not a finite number; give the lower bound that is claimed")
    quick = _quick_proof(matrix, value, error)
    if quick is not None:
        return quick
    bounds = _enclose(matrix, error, float_only=True)
    decided = _compare(bounds.lower, bounds.upper, value, bounds.vector, "float64 arithmetic with its error bound")
    if decided is not None:
        return decided
    n = matrix.shape[0]
    if n <= LARGEST:
        for bits in _PRECISIONS:
            lower, upper, vector = _ball_enclosure(matrix, error, bits)
            decided = _compare(lower, upper, value, vector, f"ball arithmetic at {bits} bits")
            if decided is not None:
                return decided
    if n <= LARGEST_EXACT and _error_norm(error, n) == 0.0:
        if exact_sign(matrix, value) > 0:
            return LowerBoundCheck(Outcome.PROVEN, None, 0.0, "exact signs of the characteristic polynomial")
        return LowerBoundCheck(Outcome.REFUTED, None, 0.0, "exact signs of the characteristic polynomial")
    reason = f"the least eigenvalue lies in [{bounds.lower!r}, {bounds.upper!r}], which contains {value!r}"
    remedy = "entries with smaller errors would decide" if _error_norm(error, n) > 0 else "a value outside would decide"
    return LowerBoundCheck(Outcome.UNDECIDED, None, 0.0, f"{reason}; {remedy}")


def _checked(A: ArrayLike, entry_error: ArrayLike) -> tuple[Matrix, float | Matrix]:
    """Validate the matrix and its error."""
    matrix = np.ascontiguousarray(A, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise InvalidInputError(f"A has shape {matrix.shape}; a symmetric matrix needs shape (n, n) with n >= 1")
    if not np.all(np.isfinite(matrix)):
        i, j = np.argwhere(~np.isfinite(matrix))[0]
        raise InvalidInputError(f"A[{i}, {j}] = {matrix[i, j]} is not finite; remove or repair that row")
    if not np.array_equal(matrix, matrix.T):
        i, j = np.unravel_index(np.argmax(np.abs(matrix - matrix.T)), matrix.shape)
        raise InvalidInputError(
            f"A is not symmetric: A[{i}, {j}] = {matrix[i, j]!r} but A[{j}, {i}] = {matrix[j, i]!r}; pass (A + A.T) / 2"
        )
    error = np.asarray(entry_error, dtype=np.float64)
    if error.ndim not in (0, 2) or (error.ndim == 2 and error.shape != matrix.shape):
        raise InvalidInputError(
            f"entry_error has shape {error.shape}; give a number or an array of shape {matrix.shape}"
        )
    if not np.all(error >= 0) or not np.all(np.isfinite(error)):
        raise InvalidInputError("entry_error must be finite and >= 0 everywhere; it bounds |A_true - A|")
    return matrix, (float(error) if error.ndim == 0 else np.maximum(error, error.T))


def _down(value: float) -> float:
    """The next float below."""
    return math.nextafter(value, -math.inf)


def _error_norm(error: float | Matrix, n: int) -> float:
    """An upper bound of the 2-norm of any symmetric matrix within the error: its largest row sum."""
    if isinstance(error, np.ndarray):
        return float(np.max(error.sum(axis=1))) * (1 + 2 * gamma(n + 1))
    return math.nextafter(n * error, math.inf) if error > 0 else 0.0


def _lower_from_cholesky(matrix: Matrix, shift: float, error: float | Matrix) -> float:
    """The lower bound that a factorization of `A - shift I` proves; `-inf` if it fails."""
    with np.errstate(all="ignore"):
        factorization = shifted_cholesky(matrix, shift)
    if not factorization.success or not math.isfinite(factorization.error):
        return -math.inf
    return _down(_down(shift - factorization.error) - _error_norm(error, matrix.shape[0]))


def _predicted_loss(matrix: Matrix, shift: float) -> float:
    """About how much a factorization at this shift loses to rounding."""
    size = np.abs(matrix.diagonal() - shift)
    return error_units(matrix.shape[0]) * float(np.sum(size)) + 8 * UNIT * float(np.max(size))


def _quick_proof(matrix: Matrix, value: float, error: float | Matrix) -> LowerBoundCheck | None:
    """One factorization a little above the claimed value."""
    n = matrix.shape[0]
    shift = value + 1.5 * _predicted_loss(matrix, value) + 1.01 * _error_norm(error, n)
    if not math.isfinite(shift):
        return None
    lower = _lower_from_cholesky(matrix, shift, error)
    if lower >= value:
        return LowerBoundCheck(Outcome.PROVEN, None, _down(lower - value), "one float64 Cholesky factorization")
    return None


def _compare(lower: float, upper: float, value: float, vector: Matrix | None, how: str) -> LowerBoundCheck | None:
    """The outcome if the enclosure lies on one side of the value."""
    if lower >= value:
        return LowerBoundCheck(Outcome.PROVEN, None, max(0.0, _down(lower - value)), how)
    if upper < value:
        return LowerBoundCheck(Outcome.REFUTED, vector, min(0.0, math.nextafter(upper - value, math.inf)), how)
    return None


def _enclose(matrix: Matrix, error: float | Matrix, float_only: bool = False) -> EigenvalueBounds:
    """Both bounds, in float64 first and in balls where that pays."""
    n = matrix.shape[0]
    with np.errstate(all="ignore"):
        found = _large(matrix, error) if n > _DENSE_ESTIMATE else None
        lower, upper, vector = _small(matrix, error) if found is None else found
    reason = "float64 Cholesky and Rayleigh quotient with their error bounds"
    norm = _error_norm(error, n)
    width = upper - lower
    if not float_only and n <= LARGEST and not width <= max(_GOOD_WIDTH * abs(upper), 4 * norm):
        bits = _PRECISIONS[0]
        for bits in _PRECISIONS:
            low, high, better = _ball_enclosure(matrix, error, bits)
            lower = max(lower, low)
            if high < upper:
                upper, vector = high, better
            if upper - lower <= max(_GOOD_WIDTH * abs(upper), 4 * norm):
                break
        reason = f"ball arithmetic at {bits} bits"
    proven = math.isfinite(lower) and math.isfinite(upper)
    if not proven:
        reason = "float64 arithmetic overflowed or every factorization failed; rescale the matrix"
    estimate = min(max(upper - norm, lower), upper) if proven else upper
    return EigenvalueBounds(lower, estimate, upper, Outcome.PROVEN if proven else Outcome.UNDECIDED, reason, vector)


def _ball_enclosure(matrix: Matrix, error: float | Matrix, bits: int) -> tuple[float, float, Matrix]:
    """Bounds in ball arithmetic, less and plus the entry errors."""
    low, high, vector = ball_bounds(matrix, bits)
    lower, upper = bounds_as_floats(low, high)
    norm = _error_norm(error, matrix.shape[0])
    if norm > 0:
        lower, upper = _down(lower - norm), math.nextafter(upper + norm, math.inf)
    return lower, upper, vector


def _small(matrix: Matrix, error: float | Matrix) -> tuple[float, float, Matrix]:
    """Bounds from a dense eigenvector, and from inverse iteration where the rows differ in scale."""
    scale = float(np.max(np.abs(matrix))) or 1.0
    _, vectors = scipy.linalg.eigh(matrix / scale, subset_by_index=[0, 0])
    vector = np.ascontiguousarray(vectors[:, 0])
    upper = rayleigh_upper(matrix, vector, error)
    graded = _is_graded(matrix)
    if graded:
        other = inverse_iteration(matrix)
        value = math.inf if other is None else rayleigh_upper(matrix, other, error)
        if other is not None and value < upper:
            upper, vector = value, other
    lower = _search_lower(matrix, upper, error)
    if graded:
        lower = max(lower, _scaled_lower(matrix, upper, error))
    return lower, upper, vector


def _is_graded(matrix: Matrix) -> bool:
    """Whether a definite matrix could have rows of very different scale."""
    diagonal = matrix.diagonal()
    return bool(np.min(diagonal) > 0 and np.max(diagonal) > _GRADED * np.min(diagonal))


def _large(matrix: Matrix, error: float | Matrix) -> tuple[float, float, Matrix] | None:
    """Bounds that share their factorizations: one for a first vector, then proofs whose factors refine it.

    Returns:
        None where the matrix is not definite enough for that.
    """
    solve = first_solver(matrix)
    if solve is None or _is_graded(matrix):
        return None
    loss = _predicted_loss(matrix, 0.0)
    bottom = descend(matrix, solve, start_block(matrix.shape[0]), loss / 8, _FIRST_STEPS, False)
    if bottom is None:
        return None
    norm, lower = _error_norm(error, matrix.shape[0]), -math.inf
    for _ in range(_ATTEMPTS):
        loss = _predicted_loss(matrix, bottom.quotient)
        shift = bottom.quotient - 4 * bottom.doubt - 0.3 * loss - 16 * UNIT * abs(bottom.quotient)
        factorization = shifted_cholesky(matrix, shift)
        if not factorization.success:
            bottom = BottomVector(bottom.vector, bottom.quotient, 8 * bottom.doubt + loss, bottom.block)
            continue
        lower = max(lower, _down(_down(shift - factorization.error) - norm))
        wide = bottom.quotient - (shift - factorization.error) > max(4 * loss, _FINE * abs(bottom.quotient))
        if not wide:
            break
        better = _refined(matrix, factorization, bottom, loss)
        if better is None or better.doubt > bottom.doubt:
            break
        bottom = better
    if not math.isfinite(lower):
        return None
    return lower, rayleigh_upper(matrix, bottom.vector, error), bottom.vector


def _refined(matrix: Matrix, factorization: Factorization, bottom: BottomVector, loss: float) -> BottomVector | None:
    """A better vector through the factor of `A - s I`, s just below the least eigenvalue."""
    factor = factorization.factor
    return descend(
        matrix,
        lambda B: np.asarray(lapack.dpotrs(factor.T, B, lower=1)[0]),
        bottom.block,
        min(loss, _FINE * abs(bottom.quotient)) / 8,
        _NEXT_STEPS,
        True,
    )


def _scaled_lower(matrix: Matrix, upper: float, error: float | Matrix) -> float:
    """A lower bound for a definite matrix with rows of different scale, by factoring `D^-1 (A - s I) D^-1`.

    With `B = D^-1 A D^-1 - s D^-2 - d I` and `R^T R = B + E`, `||E||_2 <= d` proves `D^-1 (A - s I) D^-1 >= 0`, hence
    `A >= s I`. D holds powers of two, so scaling is exact unless it underflows, which is checked.
    """
    if not (math.isfinite(upper) and upper > 0):
        return -math.inf
    _, exponents = np.frexp(matrix.diagonal())
    half = exponents // 2
    scaled = np.ldexp(np.ldexp(matrix, -half[:, None]), -half[None, :])
    if not np.array_equal(np.ldexp(np.ldexp(scaled, half[:, None]), half[None, :]), matrix):
        return -math.inf
    inverse = np.ldexp(1.0, -2 * half)
    if not np.all(np.isfinite(inverse)) or np.min(inverse) == 0.0:
        return -math.inf
    norm = _error_norm(error, matrix.shape[0])
    margin = 2 * _predicted_loss(scaled, 0.0)
    step = 4 * UNIT
    base = upper - 2 * norm if norm > 0 else upper
    while step < 1:
        shift = base * (1 - step)
        # one rounding each of the product, which is exact unless tiny, and of the sum: moved up, never down
        shifts = np.nextafter(np.nextafter(inverse * shift, np.inf) + margin, np.inf)
        factorization = shifted_cholesky(scaled, shifts)
        if factorization.success and factorization.error <= margin:
            return _down(shift - norm) if norm > 0 else shift
        step *= 16
    return -math.inf


def _search_lower(matrix: Matrix, upper: float, error: float | Matrix) -> float:
    """The largest lower bound that a few factorizations below the Rayleigh quotient prove."""
    if not math.isfinite(upper):
        return -math.inf
    n = matrix.shape[0]
    start = upper - _error_norm(error, n) if isinstance(error, np.ndarray) or error > 0 else upper
    loss = _predicted_loss(matrix, start) + 16 * UNIT * abs(start)
    step = 0.3 * loss
    for _ in range(_ATTEMPTS):
        lower = _lower_from_cholesky(matrix, start - step, error)
        if math.isfinite(lower):
            return lower
        step *= 8
    # Gershgorin: never fails on finite sums
    radii = np.sum(np.abs(matrix), axis=1) * (1 + 4 * gamma(n + 2))
    lowest = float(np.min(matrix.diagonal() - (radii - np.abs(matrix.diagonal()) * (1 - 4 * UNIT))))
    return _down(_down(lowest - 4 * UNIT * abs(lowest)) - _error_norm(error, n)) if math.isfinite(lowest) else -math.inf

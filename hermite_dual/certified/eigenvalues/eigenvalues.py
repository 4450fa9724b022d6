"""Proven two-sided bounds of the least eigenvalue of a symmetric matrix.

Lower bounds come from floating-point Cholesky with a counted error bound, upper bounds from Rayleigh quotients in twice
the working precision. Up to n = 300 ball arithmetic at rising precision takes over where float64 cannot decide.

Derivation: docs/theory/eigenvalues.md, "Least eigenvalue: lower bound".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.cached_property import cached_property
from hermite_dual.certified.eigenvalues.ball_eigenvalues import LARGEST, LARGEST_EXACT, exact_sign
from hermite_dual.certified.eigenvalues.cholesky_bounds import down, predicted_loss
from hermite_dual.certified.eigenvalues.entry_norm import EntryError, RowSums, entry_norm
from hermite_dual.certified.eigenvalues.large_enclosure import dense_enclosure
from hermite_dual.certified.eigenvalues.large_matrix import DenseMatrix, LargeMatrix
from hermite_dual.certified.eigenvalues.small_enclosure import ball_enclosure, small_enclosure
from hermite_dual.certified.eigenvalues.symmetric_input import SymmetricInput, has_own_error, symmetric_input
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import float_bounds, freeze, real_number
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown, facts
from hermite_dual.outcome import Outcome

_DENSE_ESTIMATE = 400  # up to this order all eigenvalues cost no more than Lanczos
_PRECISIONS = (128, 256, 512)  # bits of the balls, tried in turn
_GOOD_WIDTH = 1e-9  # relative, where nothing better is tried
_CHECKED_WIDTH, _ESTIMATED_WIDTH = 1e-8, 1e-6
"""Relative width, of a check that no quick proof decided, and of the distance beside it."""
_COPIED = 4096
"""Rows up to which a matrix that may change is copied for an estimate."""
_CHEAP_ORDER, _CHEAP_WIDTH = 1024, 1e-11  # below it a narrower interval costs nothing that is noticed


@dataclass(frozen=True, repr=False)
class EigenvalueBounds(Shown):
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
    vector: Array | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Make the vector read-only."""
        freeze(self.vector)

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        rows = [(name, f"{getattr(self, name)!r}") for name in ("lower", "estimate", "upper")]
        return facts(f"Least eigenvalue: {self.outcome.value}", rows, self.reason)


@dataclass(frozen=True, repr=False)
class LowerBoundCheck(Shown):
    """Whether `lambda_min(A) >= value`.

    Attributes:
        outcome: PROVEN, REFUTED or UNDECIDED.
        vector: for REFUTED by a Rayleigh quotient, a vector on which the quotient is below `value`.
        margin: proven slack of the claim where the proof stopped: at most `lambda_min - value` if PROVEN, negative and
            at least that if REFUTED, 0 if UNDECIDED. How far the claim is from `lambda_min`, `estimate` says.
        reason: how it was decided, or what would decide it.
    """

    outcome: Outcome
    vector: Array | None = field(compare=False)
    margin: float
    reason: str
    bounds: Callable[[], EigenvalueBounds] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the vector read-only."""
        freeze(self.vector)

    @cached_property
    def estimate(self) -> float:
        """`lambda_min`, an estimate, computed when it is first asked for.

        NaN where entries have no proven error, and for an array that may change of more than 4,096 rows.
        """
        return math.nan if self.bounds is None else self.bounds().estimate

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the answer with its estimate, without the matrix."""
        return {**self.__dict__, "estimate": self.estimate, "bounds": None}

    def not_proven(self) -> "LowerBoundCheck":
        """Return what this says of a claim a little larger: PROVEN becomes UNDECIDED."""
        if self.outcome is not Outcome.PROVEN:
            return self
        reason = "the claim lies between two float64 numbers, of which the smaller is proven and the larger is not"
        return LowerBoundCheck(Outcome.UNDECIDED, None, self.margin, reason)


@own_float_state
def least_eigenvalue(A: ArrayLike, entry_error: ArrayLike | RowSums = 0.0, *, rtol: float = 1e-6) -> EigenvalueBounds:
    """Enclose the least eigenvalue of every symmetric matrix within an entrywise error of A.

    Large matrices cost a float32 factorization for an estimate and a float64 one for the proof, and half the memory of
    A besides A itself.

    Args:
        A: symmetric float64 matrix, shape (n, n); it may be indefinite or singular.
        entry_error: bound of `|A_true - A|`, a number or shape (n, n); or `RowSums` of such a bound.
        rtol: the width `upper - lower`, relative to the eigenvalue, that is enough: beyond n = 1024 no work
            is spent on a narrower one. Entry errors and the rounding of the proof, about `1e-13 tr(A)`, may make it
            wider, which is no error.

    Returns:
        Bounds that hold in exact arithmetic.

    Raises:
        InvalidInputError: A is not a finite symmetric square matrix, the error is negative, or rtol is not positive.

    Example:
        >>> bounds = least_eigenvalue([[2.0, 1.0], [1.0, 2.0]])
        >>> bounds.lower <= 1 <= bounds.upper
        True
    """
    rtol = check_rtol(rtol)
    if has_own_error(A, entry_error):
        bounds: EigenvalueBounds = A.least_eigenvalue(rtol=rtol)  # type: ignore[union-attr]
        return bounds
    given = symmetric_input(A, entry_error)
    return _enclose(given, rtol)


@own_float_state
def check_lower_bound(A: ArrayLike, value: float, entry_error: ArrayLike | RowSums = 0.0) -> LowerBoundCheck:
    """Decide whether `lambda_min >= value` for every symmetric matrix within an entrywise error of A.

    REFUTED means that it fails for every such matrix.

    Args:
        A: symmetric float64 matrix, shape (n, n).
        value: the claimed lower bound.
        entry_error: bound of `|A_true - A|`, a number or shape (n, n); or `RowSums` of such a bound.

    Returns:
        The outcome with its slack, and an estimate of `lambda_min`.

    Raises:
        InvalidInputError: as `least_eigenvalue`, or value is no finite number.
    """
    if has_own_error(A, entry_error):
        decided: LowerBoundCheck = A.check_lower_bound(value)  # type: ignore[union-attr]
        return decided
    given = symmetric_input(A, entry_error)
    check = decide_claim(value, lambda claim: _check_claim(given, claim))
    kept = _kept(given)
    return check if kept is None else replace(check, bounds=lambda: _enclose(kept, _ESTIMATED_WIDTH))


def check_rtol(rtol: Any) -> float:
    """Return a relative width as a float, or raise InvalidInputError."""
    width = real_number(rtol, "rtol", "give the relative width that is enough, a positive number")
    if width <= 0.0:
        raise InvalidInputError(f"rtol = {rtol!r} is no positive finite number; give the relative width that is enough")
    return width


def _kept(given: SymmetricInput) -> SymmetricInput | None:
    """The matrix as it is now, for an estimate that may be asked for later."""
    if not given.matrix.flags.writeable:
        return given
    return replace(given, matrix=given.matrix.copy()) if len(given.matrix) <= _COPIED else None


def decide_claim(value: Any, check: Callable[[float], LowerBoundCheck]) -> LowerBoundCheck:
    """Decide a claim of any exact type by the float64 numbers next to it.

    Raises:
        InvalidInputError: it is no finite real number.
    """
    below, above = float_bounds(value, "value", "give the lower bound that is claimed")
    upper = check(above)
    return upper if below == above or upper.outcome is Outcome.PROVEN else check(below).not_proven()


def _check_claim(given: SymmetricInput, value: float) -> LowerBoundCheck:
    matrix, error = given.matrix, given.error
    quick = quick_proof(DenseMatrix(matrix, given.largest), value, error)
    if quick is not None:
        return quick
    bounds = _enclose(given, _CHECKED_WIDTH, float_only=True)
    decided = compare_bounds(
        bounds.lower, bounds.upper, value, bounds.vector, "float64 arithmetic with its error bound"
    )
    if decided is not None:
        return decided
    n = matrix.shape[0]
    if n <= LARGEST:
        for bits in _PRECISIONS:
            lower, upper, vector = ball_enclosure(matrix, error, bits)
            decided = compare_bounds(lower, upper, value, vector, f"ball arithmetic at {bits} bits")
            if decided is not None:
                return decided
    if n <= LARGEST_EXACT and entry_norm(error, n) == 0.0:
        if exact_sign(matrix, value) > 0:
            return LowerBoundCheck(Outcome.PROVEN, None, 0.0, "exact signs of the characteristic polynomial")
        return LowerBoundCheck(Outcome.REFUTED, None, 0.0, "exact signs of the characteristic polynomial")
    return undecided_claim(bounds, value, entry_norm(error, n))


def quick_proof(matrix: LargeMatrix, value: float, error: EntryError) -> LowerBoundCheck | None:
    """PROVEN where one factorization a little above the claimed value shows it, or None."""
    norm = entry_norm(error, matrix.order)
    shift = value + 1.5 * predicted_loss(matrix.diagonal, value) + 1.01 * norm
    if not math.isfinite(shift):
        return None
    with np.errstate(all="ignore"):
        factor = matrix.factor(shift)
    lower = down(down(shift - factor.error) - norm) if factor.success else -math.inf
    if lower >= value:
        return LowerBoundCheck(Outcome.PROVEN, None, down(lower - value), "one float64 Cholesky factorization")
    return None


def undecided_claim(bounds: EigenvalueBounds, value: float, norm: float) -> LowerBoundCheck:
    """UNDECIDED, for bounds that contain the claimed value; norm is that of the entry errors."""
    reason = f"the least eigenvalue lies in [{bounds.lower!r}, {bounds.upper!r}], which contains {value!r}"
    remedy = "entries with smaller errors would decide" if norm > 0 else "a value outside would decide"
    return LowerBoundCheck(Outcome.UNDECIDED, None, 0.0, f"{reason}; {remedy}")


def compare_bounds(lower: float, upper: float, value: float, vector: Array | None, how: str) -> LowerBoundCheck | None:
    """The outcome if the enclosure lies on one side of the value."""
    if lower >= value:
        return LowerBoundCheck(Outcome.PROVEN, None, max(0.0, down(lower - value)), how)
    if upper < value:
        return LowerBoundCheck(Outcome.REFUTED, vector, min(0.0, math.nextafter(upper - value, math.inf)), how)
    return None


def _enclose(given: SymmetricInput, rtol: float, float_only: bool = False) -> EigenvalueBounds:
    """Both bounds, in float64 first and in balls where that pays."""
    matrix, error = given.matrix, given.error
    n = matrix.shape[0]
    if n <= _CHEAP_ORDER:
        rtol = min(rtol, _CHEAP_WIDTH)
    with np.errstate(all="ignore"):
        enclosure = dense_enclosure(matrix, given.largest, error, rtol) if n > _DENSE_ESTIMATE else None
        lower, upper, vector = small_enclosure(matrix, error) if enclosure is None else enclosure
    reason = "float64 Cholesky and Rayleigh quotient with their error bounds"
    norm = entry_norm(error, n)
    width = upper - lower
    if not float_only and n <= LARGEST and not width <= max(_GOOD_WIDTH * abs(upper), 4 * norm):
        bits = _PRECISIONS[0]
        for bits in _PRECISIONS:
            low, high, better = ball_enclosure(matrix, error, bits)
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

"""Certified least eigenvalues of population Gram matrices, and the theory's lower bounds beside them.

Derivation: docs/theory/eigenvalues.md, "Least eigenvalue: lower bound", "The theory's bounds".
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from hermite_dual.arrays import Array
from hermite_dual.certified.eigenvalues.eigenvalues import (
    EigenvalueBounds,
    LowerBoundCheck,
    check_lower_bound,
    decide_claim,
    least_eigenvalue,
)
from hermite_dual.certified.eigenvalues.theory_bounds import TheoryBound, check_degrees, theory_lower_bounds
from hermite_dual.numeric.eigenvalues import least_eigenvalue_estimate
from hermite_dual.outcome import Outcome
from hermite_dual.population.proof.entry_bounds import EntryBounds, EntrySums
from hermite_dual.population.proof.variance_coefficients import preactivation_error, variance_coefficients

if TYPE_CHECKING:
    from hermite_dual.population.gram import Gram


def gram_least_eigenvalue(matrix: Array, entries: EntryBounds | EntrySums, rtol: float = 1e-6) -> EigenvalueBounds:
    """Enclose `lambda_min(K)`; infinite bounds and UNDECIDED where the entries have no proven error."""
    if entries.error is None:
        estimate = least_eigenvalue_estimate(matrix)
        return EigenvalueBounds(-math.inf, estimate, math.inf, Outcome.UNDECIDED, entries.reason)
    return not_negative(least_eigenvalue(matrix, entries.error, rtol=rtol))


def not_negative(bounds: EigenvalueBounds) -> EigenvalueBounds:
    """Cut an enclosure of `lambda_min(K)` at 0: `K = E[phi phi^T]`, its limit and Theta are positive semidefinite."""
    if bounds.outcome is not Outcome.PROVEN or bounds.lower >= 0.0:
        return bounds
    return replace(bounds, lower=0.0, estimate=max(bounds.estimate, 0.0))


def not_negative_claim(check: LowerBoundCheck, value: float, entries: EntryBounds | EntrySums) -> LowerBoundCheck:
    """Decide claims of at most 0 likewise, where entries have a proven error and the usual proof ended too early."""
    if check.outcome is not Outcome.UNDECIDED or entries.error is None or not value <= 0:
        return check
    margin = math.nextafter(abs(float(value)), 0.0)  # of values that are no floats it is rounded down
    return replace(check, outcome=Outcome.PROVEN, margin=margin, reason="a Gram matrix is positive semidefinite")


def gram_check_lower_bound(matrix: Array, entries: EntryBounds | EntrySums, value: float) -> LowerBoundCheck:
    """Decide `lambda_min(K) >= value`."""
    if entries.error is None:
        undecided = LowerBoundCheck(Outcome.UNDECIDED, None, 0.0, entries.reason)
        return decide_claim(value, lambda _: undecided)
    return check_lower_bound(matrix, value, entries.error)


def gram_lower_bounds(gram: "Gram", degrees: int) -> tuple[TheoryBound, ...]:
    """The theory's bounds of the limit, each with its tightness."""
    check_degrees(degrees)
    source = variance_coefficients(gram, degrees)
    bounds = theory_lower_bounds(gram.preactivation, preactivation_error(gram), source, degrees)
    upper = gram.least_eigenvalue().upper
    return tuple(replace(b, tightness=b.value / upper if upper > 0.0 else math.nan) for b in bounds)

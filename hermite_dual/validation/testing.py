"""Student's t tests of the extrapolated networks against the population, and what follows from them."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hermite_dual.validation.directions import Direction
from hermite_dual.validation.findings import DirectionTest, EntryTest
from hermite_dual.validation.regression import Extrapolation, critical_value, detectable
from hermite_dual.validation.verdict import Verdict

Floats = NDArray[np.float64]

# Equilibria have the residual 1e-12 and population entries a comparable error: differences below this, relative to
# the mean of the diagonal, are rounding and no discrepancy. It matters only where the networks do not fluctuate.
_NUMERICAL_SLACK = 1e-9


def _slack(K: Floats) -> float:
    return _NUMERICAL_SLACK * float(np.abs(np.diag(K)).mean())


def _statistic(discrepancy: Floats, error: Floats, slack: Floats | float) -> Floats:
    """Student's t of what exceeds the numerical slack."""
    excess = np.maximum(np.abs(discrepancy) - slack, 0.0)
    t = np.zeros_like(excess)
    # A positive excess without any fluctuation is infinitely significant.
    np.divide(excess, error, out=t, where=error > 0.0)
    t[(error == 0.0) & (excess > 0.0)] = np.inf
    return np.copysign(t, discrepancy)


def _adjusted(t: float, tests: int, degrees: int) -> float:
    # The last factor 2: the other family has the other half of the error probability.
    return min(1.0, float(2.0 * special.stdtr(degrees, -abs(t))) * tests * 2)


def direction_tests(
    fit: Extrapolation, directions: list[Direction], K: Floats, alpha: float
) -> tuple[DirectionTest, ...]:
    """Test each functional `<D, G_inf - K>` against zero.

    Args:
        fit: The extrapolated differences.
        directions: The functionals, in the order of the fit.
        K: Population Gram matrix, shape (n, n); its diagonal sets the numerical slack.
        alpha: Error probability that the tests share.

    Returns:
        A record per direction.
    """
    slack = _slack(K)
    count, degrees = len(directions), fit.degrees
    critical = critical_value(alpha, count, degrees)
    reach = detectable(critical, degrees)
    # An entrywise slack moves <D, .> by at most slack times the sum of |D_ij|.
    slacks = np.array([slack * float(np.abs(direction.D).sum()) for direction in directions])
    t = _statistic(fit.intercept, fit.standard_error, slacks)
    return tuple(
        DirectionTest(
            name=direction.name,
            unit=direction.unit,
            discrepancy=float(fit.intercept[k]),
            standard_error=float(fit.standard_error[k]),
            statistic=float(t[k]),
            p_value=_adjusted(float(t[k]), count, degrees),
            detectable=float(reach * fit.standard_error[k] + slacks[k]),
            rejected=bool(abs(t[k]) > critical),
        )
        for k, direction in enumerate(directions)
    )


def entry_tests(fit: Extrapolation, K: Floats, alpha: float) -> EntryTest:
    """Test each entry of `G_inf - K` against zero, simultaneously.

    Args:
        fit: The extrapolated differences.
        K: Population Gram matrix, shape (n, n); its diagonal sets the numerical slack.
        alpha: Error probability that the tests share.

    Returns:
        The summary of all entries and the worst of them.
    """
    slack = _slack(K)
    rows, columns = np.triu_indices(len(K))
    count, degrees = len(rows), fit.degrees
    critical = critical_value(alpha, count, degrees)
    reach = detectable(critical, degrees)
    t = _statistic(fit.intercept, fit.standard_error, slack)
    worst = int(np.argmax(np.abs(t)))
    return EntryTest(
        tests=count,
        rejected=int(np.count_nonzero(np.abs(t) > critical)),
        worst=(int(rows[worst]), int(columns[worst])),
        discrepancy=float(fit.intercept[worst]),
        standard_error=float(fit.standard_error[worst]),
        statistic=float(t[worst]),
        p_value=_adjusted(float(t[worst]), count, degrees),
        detectable=float(reach * fit.standard_error.max() + slack),
        detectable_median=float(reach * np.median(fit.standard_error) + slack),
    )


def judge(
    tests: tuple[DirectionTest, ...], entries: EntryTest, K: Floats, scale_tolerance: float, entry_tolerance: float
) -> tuple[Verdict, str]:
    """Conclude: DISAGREE where a test rejected, AGREE where a discrepancy of the tolerances would have been seen.

    Args:
        tests: The tests of the directions.
        entries: The test of the entries.
        K: Population Gram matrix, shape (n, n).
        scale_tolerance: Relative error in the scale that must have been visible.
        entry_tolerance: The same in the median entry, relative to the mean of the diagonal.

    Returns:
        The verdict and its reason in one sentence.
    """
    rejected = [test.name for test in tests if test.rejected]
    if entries.rejected:
        rejected.append(f"{entries.rejected} of {entries.tests} entries")
    if rejected:
        return Verdict.DISAGREE, f"networks and population differ in: {', '.join(rejected)}"
    size = float(np.abs(np.diag(K)).mean())
    relative = entries.detectable_median / size if size else entries.detectable_median
    scale = next((test.detectable for test in tests if test.name == "overall scale"), 0.0)
    seen = f"an error of {scale:.2%} in the scale, or of {relative:.2%} of the mean of the diagonal in a typical entry"
    if scale <= scale_tolerance and relative <= entry_tolerance:
        return Verdict.AGREE, f"no test rejected, and {seen}, would have been seen"
    return Verdict.INCONCLUSIVE, (
        f"no test rejected, but only {seen}, would have been seen; the tolerances are {scale_tolerance:.2%} and "
        f"{entry_tolerance:.2%}. Raise replicas or widths"
    )

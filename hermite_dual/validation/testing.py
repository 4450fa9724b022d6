"""Student's t tests of estimated Gram matrices against what they are said to be, and what follows from them."""

import numpy as np
from scipy import special

from hermite_dual.arrays import Array
from hermite_dual.validation.directions import Direction
from hermite_dual.validation.findings import DirectionTest, EntryTest
from hermite_dual.validation.regression import Extrapolation, critical_value, detectable

# Equilibria have the residual 1e-12 and population entries a comparable error: differences below this, relative to
# the mean of the diagonal, are rounding and no discrepancy. It matters only where the networks do not fluctuate.
_NUMERICAL_SLACK = 1e-9

# Shares of the error probability: of the two families of tests of the networks, and of the same two for the mean of the
# depth-one control variate, of which there is less to doubt.
NETWORK_SHARE, CONTROL_SHARE = 0.45, 0.05


def numerical_slack(K: Array) -> float:
    """Give the difference from the population Gram matrix K, in one entry, that is rounding and no discrepancy.

    Args:
        K: population Gram matrix, shape (n, n).
    """
    return _NUMERICAL_SLACK * float(np.abs(np.diag(K)).mean())


def _statistic(discrepancy: Array, error: Array, slack: Array | float) -> Array:
    """Student's t of what exceeds the numerical slack."""
    excess = np.maximum(np.abs(discrepancy) - slack, 0.0)
    t = np.zeros_like(excess)
    # A positive excess without any fluctuation is infinitely significant.
    np.divide(excess, error, out=t, where=error > 0.0)
    t[(error == 0.0) & (excess > 0.0)] = np.inf
    return np.copysign(t, discrepancy)


def _adjusted(t: float, tests: int, degrees: int, share: float) -> float:
    return min(1.0, float(2.0 * special.stdtr(degrees, -abs(t))) * tests / share)


def direction_tests(
    fit: Extrapolation, directions: list[Direction], K: Array, error_probability: float, share: float
) -> tuple[DirectionTest, ...]:
    """Test each functional `<D, G_inf - K>` against zero.

    Args:
        fit: the extrapolated differences.
        directions: the functionals, in the order of the fit.
        K: population Gram matrix, shape (n, n); its diagonal sets the numerical slack.
        error_probability: of the whole validation.
        share: of that, what these tests have together.

    Returns:
        A record per direction.
    """
    slack = numerical_slack(K)
    count, degrees = len(directions), fit.degrees
    critical = critical_value(error_probability * share, count, degrees)
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
            p_value=_adjusted(float(t[k]), count, degrees, share),
            detectable=float(reach * fit.standard_error[k] + slacks[k]),
            rejected=bool(abs(t[k]) > critical),
        )
        for k, direction in enumerate(directions)
    )


def entry_tests(
    fit: Extrapolation, K: Array, error_probability: float, share: float, slope: Array | None = None
) -> EntryTest:
    """Test each entry of `G_inf - K` against zero, simultaneously.

    Args:
        fit: the extrapolated differences.
        K: population Gram matrix, shape (n, n); its diagonal sets the numerical slack.
        error_probability: of the whole validation.
        share: of that, what these tests have together.
        slope: `dK/d log sigma_w`, shape (n, n), where K depends on it.

    Returns:
        The summary of all entries and the worst of them.
    """
    slack = numerical_slack(K)
    rows, columns = np.triu_indices(len(K))
    count, degrees = len(rows), fit.degrees
    critical = critical_value(error_probability * share, count, degrees)
    reach = detectable(critical, degrees)
    t = _statistic(fit.intercept, fit.standard_error, slack)
    worst = int(np.argmax(np.abs(t)))
    seen = float(reach * fit.standard_error.max() + slack)
    return EntryTest(
        tests=count,
        rejected=int(np.count_nonzero(np.abs(t) > critical)),
        worst=(int(rows[worst]), int(columns[worst])),
        discrepancy=float(fit.intercept[worst]),
        standard_error=float(fit.standard_error[worst]),
        statistic=float(t[worst]),
        p_value=_adjusted(float(t[worst]), count, degrees, share),
        detectable=seen,
        detectable_median=float(reach * np.median(fit.standard_error) + slack),
        detectable_in_sigma_w=None if slope is None else seen / float(np.abs(slope).max()),
    )

"""Extrapolation in the width: `G(m) = G_inf + B / m + noise`, the variance of the noise proportional to `1/m`.

Weighted least squares with the weights m, for any number of quantities at once. Only the mean and the sum of squares
over the replicas of each width enter, so that the networks need not be kept.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy import optimize, special

from hermite_dual.arrays import Array

# A discrepancy of the reported size is found with this probability in the normal model; 0.95 is stated, the rest being
# for what that model neglects, above all that other pilot networks sharpen the directions a little differently.
POWER = 0.99
# Quantiles that stand for the law of a standard error; 200 give the probability to four digits.
_QUANTILES = 200
# Multiple of the critical value that no detectable size reaches: 14 at two degrees of freedom, the fewest there are.
_FARTHEST = 100.0
# Two-sided probability of the intervals of exponents and frequencies.
CONFIDENCE = 0.95


@dataclass
class Moments:
    """Running mean and sum of squared deviations over replicas (B. P. Welford, Technometrics 4 (1962) 419).

    Attributes:
        count: number of replicas seen.
        mean: their mean.
        squares: sum of squared deviations from the mean.
    """

    count: int = 0
    mean: Array = field(default_factory=lambda: np.zeros(()))
    squares: Array = field(default_factory=lambda: np.zeros(()))

    def add(self, values: Array) -> None:
        """Take in one replica.

        Args:
            values: array, of the same shape for every replica.
        """
        if self.count == 0:
            self.mean, self.squares = np.zeros_like(values), np.zeros_like(values)
        self.count += 1
        deviation = values - self.mean
        self.mean += deviation / self.count
        self.squares += deviation * (values - self.mean)


@dataclass(frozen=True, eq=False)
class Extrapolation:
    """The quantities at infinite width.

    Attributes:
        intercept: estimates of `G_inf`.
        standard_error: their standard errors.
        slope: estimates of B.
        degrees: residual degrees of freedom.
    """

    intercept: Array
    standard_error: Array
    slope: Array
    degrees: int


def extrapolate(by_width: dict[int, Moments]) -> Extrapolation:
    """Fit `G(m) = G_inf + B / m` by weighted least squares with the weights m.

    Args:
        by_width: the moments of each width; at least two widths, at least two replicas each.

    Returns:
        Intercept, its standard error and slope, of the shape of the moments.
    """
    # notation: S0, S1, S2 are the sums of m, m (1/m), m (1/m)^2 over all networks
    S0 = float(sum(s.count * m for m, s in by_width.items()))
    S1 = float(sum(s.count for s in by_width.values()))
    S2 = float(sum(s.count / m for m, s in by_width.items()))
    determinant = S0 * S2 - S1 * S1
    T0 = np.sum([s.count * m * s.mean for m, s in by_width.items()], axis=0)
    T1 = np.sum([s.count * s.mean for s in by_width.values()], axis=0)
    intercept = (S2 * T0 - S1 * T1) / determinant
    slope = (S0 * T1 - S1 * T0) / determinant
    residual = np.sum(
        [m * (s.squares + s.count * (s.mean - intercept - slope / m) ** 2) for m, s in by_width.items()], axis=0
    )
    degrees = int(S1) - 2
    error = np.sqrt(residual / degrees * (S2 / determinant))
    return Extrapolation(intercept, error, slope, degrees)


def interval(estimate: float, error: float, degrees: int) -> tuple[float, float]:
    """Give Student's confidence interval of an estimate, with probability `CONFIDENCE`.

    Args:
        estimate: the estimate.
        error: its standard error.
        degrees: degrees of freedom of the error.
    """
    reach = critical_value(1.0 - CONFIDENCE, 1, degrees) * error
    return estimate - reach, estimate + reach


def critical_value(error_probability: float, tests: int, degrees: int) -> float:
    """Give the two-sided critical value of Student's t, `tests` tests sharing the error probability (Bonferroni)."""
    return -float(special.stdtrit(degrees, error_probability / (2 * tests)))


@lru_cache(maxsize=64)
def detectable(critical: float, degrees: int) -> float:
    """Give the discrepancy, in estimated standard errors, that a two-sided t test finds with probability `POWER`.

    The standard error is itself an estimate, here and in the run that is to find the discrepancy: the size delta solves
    `P(N + delta s_1 > critical s_2) = POWER` with N standard normal and `s_1^2`, `s_2^2` independent `chi2_nu / nu`.

    Args:
        critical: the critical value.
        degrees: degrees of freedom nu.

    Returns:
        delta.
    """
    levels = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    deviations = np.sqrt(special.chdtri(degrees, 1.0 - levels) / degrees)
    threshold = critical * deviations[:, None]

    def shortfall(delta: float) -> float:
        return float(special.ndtr(delta * deviations - threshold).mean()) - POWER

    return float(optimize.brentq(shortfall, 0.0, _FARTHEST * critical))


def fit_exponent(widths: Array, errors: Array) -> tuple[float, float]:
    """Fit `log error = const + exponent log width` by least squares over all networks.

    Args:
        widths: width of each network, shape (N,).
        errors: its error, shape (N,), >= 0.

    Returns:
        The exponent and its standard error; NaN where an error is zero.
    """
    if not np.all(errors > 0.0):
        return float("nan"), float("nan")
    x = np.log(widths) - np.log(widths).mean()
    y = np.log(errors) - np.log(errors).mean()
    spread = float(x @ x)
    exponent = float(x @ y) / spread
    residual = y - exponent * x
    return exponent, float(np.sqrt(residual @ residual / (len(x) - 2) / spread))

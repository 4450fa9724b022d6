"""How many networks an answer takes, predicted from the standard errors of those that there are."""

import numpy as np
from scipy import special

from hermite_dual.arrays import Array
from hermite_dual.validation.findings import DirectionTest, EntryTest
from hermite_dual.validation.regression import critical_value, detectable
from hermite_dual.validation.simulation import Design
from hermite_dual.validation.testing import NETWORK_SHARE

_CONFIDENCE = 0.9
"""Probability with which the number that is named suffices."""
_MOST = 1_000_000
"""Replicas beyond which no number is named."""


def seen(tests: tuple[DirectionTest, ...], entries: EntryTest, K: Array) -> tuple[float, float]:
    """Return the least errors that would be seen: in the scale, and in the median entry relative to the mean diagonal.

    Args:
        tests: the tests of the directions.
        entries: the test of the entries.
        K: population Gram matrix, shape (n, n).
    """
    size = float(np.abs(np.diag(K)).mean())
    relative = entries.detectable_median / size if size else entries.detectable_median
    return next((test.detectable for test in tests if test.name == "overall scale"), 0.0), relative


def replicas_needed(
    tests: tuple[DirectionTest, ...],
    entries: EntryTest,
    K: Array,
    tolerances: tuple[float, float],
    error_probability: float,
    design: Design,
) -> int | None:
    """Predict the networks per width with which errors of the tolerances would be seen.

    With R' for R networks the standard error falls by `sqrt(R/R')`, and the critical value with more degrees of freedom
    as well. The new variance over the old one, both estimated, has the law F(nu', nu), of which a quantile is taken.

    Args:
        tests: the tests of the directions.
        entries: the test of the entries.
        K: population Gram matrix, shape (n, n).
        tolerances: in the scale, and in the median entry relative to the mean of the diagonal.
        error_probability: of the first stage.
        design: the networks that there are.

    Returns:
        The number, at least that of the design; None beyond a million.
    """
    counts = (len(tests), entries.tests)
    degrees = design.networks - 2

    def reach(count: int, freedom: int) -> float:
        return detectable(critical_value(error_probability * NETWORK_SHARE, count, freedom), freedom)

    units = [now / reach(count, degrees) for now, count in zip(seen(tests, entries, K), counts, strict=True)]

    def enough(replicas: int) -> bool:
        freedom = len(design.widths) * replicas - 2
        ratio = float(special.fdtri(freedom, degrees, _CONFIDENCE)) * design.replicas / replicas
        sizes = [unit * reach(count, freedom) * ratio**0.5 for unit, count in zip(units, counts, strict=True)]
        return all(size <= tolerance for size, tolerance in zip(sizes, tolerances, strict=True))

    if all(now <= tolerance for now, tolerance in zip(seen(tests, entries, K), tolerances, strict=True)):
        return design.replicas
    low, high = design.replicas, 2 * design.replicas
    while not enough(high):
        low, high = high, 2 * high
        if low > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high

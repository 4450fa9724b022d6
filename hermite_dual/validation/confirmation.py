"""The second stage of a validation: what the first networks rejected is tested once more, on fresh ones.

The first stage rejects a correct population with probability at most alpha. The second tests what was rejected, and
that alone, at the level alpha again, on networks that are independent of the first; so DISAGREE has, for a correct
population, at most the probability `alpha^2`.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

from hermite_dual.arrays import Array
from hermite_dual.validation.directions import Direction
from hermite_dual.validation.findings import ConfirmedTest, DirectionTest, EntryTest
from hermite_dual.validation.regression import Extrapolation, critical_value
from hermite_dual.validation.testing import direction_tests

Fresh = Callable[[list[Direction]], Extrapolation]
"""Estimates of functionals from networks, or neurons, that nothing has been chosen on."""

NETWORKS, NEURONS = "networks", "neurons of the first layer"
_QUANTILES = 400
"""Points that stand for the normal law of an estimate; they give a probability to three digits."""


class Family:
    """Tests of the first stage on one kind of numbers, and how fresh ones come about.

    Args:
        name: `NETWORKS` or `NEURONS`, whichever the tests are about.
        directions: the functionals.
        tests: their tests in the first stage.
        entries: the test of the entries there.
        share: of the error probability, what the directions have, and the entries.
        fresh: estimates of given functionals on fresh networks.
    """

    def __init__(
        self,
        name: str,
        directions: Sequence[Direction],
        tests: Sequence[DirectionTest],
        entries: EntryTest,
        share: float,
        fresh: Fresh,
    ) -> None:
        self.name, self.share, self.fresh = name, share, fresh
        pairs = zip(directions, tests, strict=True)
        self.suspects: list[tuple[Direction, DirectionTest | EntryTest, int]] = [
            (direction, test, len(tests)) for direction, test in pairs if test.rejected
        ]
        if entries.rejected:
            self.suspects.append((_entry(entries, len(directions[0].D)), entries, entries.tests))


def confirm(families: Sequence[Family], K: Array, error_probability: float) -> tuple[ConfirmedTest, ...]:
    """Test what the first stage rejected on fresh networks, one-sided in the direction that was found.

    Args:
        families: the tests of the networks and those of the control's mean.
        K: population Gram matrix, shape (n, n).
        error_probability: alpha, shared equally by all that was rejected; of the entries that is the worst one.

    Returns:
        The tests, none where nothing was rejected.
    """
    count = sum(len(family.suspects) for family in families)
    confirmed = []
    for family in families:
        if not family.suspects:
            continue
        fit = family.fresh([direction for direction, _, _ in family.suspects])
        again = direction_tests(fit, [direction for direction, _, _ in family.suspects], K, error_probability, 1.0)
        for (direction, first, tests), second in zip(family.suspects, again, strict=True):
            t = float(np.copysign(1.0, first.statistic)) * second.statistic
            p = min(1.0, count * float(special.stdtr(fit.degrees, -t)))
            bars = (
                critical_value(error_probability * family.share, tests, fit.degrees),
                critical_value(2.0 * error_probability, count, fit.degrees),
            )
            confirmed.append(
                ConfirmedTest(
                    family=family.name,
                    name=direction.name,
                    first_p_value=first.p_value,
                    discrepancy=second.discrepancy,
                    standard_error=second.standard_error,
                    statistic=second.statistic,
                    p_value=p,
                    rejected=p < error_probability,
                    another_seed=_another_seed(t, bars),
                )
            )
    return tuple(confirmed)


def _entry(entries: EntryTest, n: int) -> Direction:
    """The functional that reads the worst entry."""
    i, j = entries.worst
    D = np.zeros((n, n))
    D[i, j] += 0.5
    D[j, i] += 0.5
    return Direction(f"entry {entries.worst}", "1", D)


def _another_seed(t: float, bars: tuple[float, float]) -> float:
    """Probability that another seed rejects in both stages, for a discrepancy known as `N(t, 1)` standard errors."""
    sizes = t + special.ndtri((np.arange(_QUANTILES) + 0.5) / _QUANTILES)
    first, second = (special.ndtr(sizes - bar) for bar in bars)
    return float((first * second).mean())

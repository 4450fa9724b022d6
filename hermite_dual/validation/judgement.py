"""The verdict that follows from the tests."""

from hermite_dual.arrays import Array
from hermite_dual.validation.confirmation import NETWORKS, NEURONS
from hermite_dual.validation.findings import Comparison, ConfirmedTest, DirectionTest, EntryTest
from hermite_dual.validation.power import seen
from hermite_dual.validation.verdict import Verdict

_SHOWN = 4
"""Tests that the reason names; all of them are in the report."""
_DIFFER = {NETWORKS: "networks and population", NEURONS: "neurons of the first layer and their kernel"}


def judge(
    tests: tuple[DirectionTest, ...],
    entries: EntryTest,
    confirmed: tuple[ConfirmedTest, ...],
    comparisons: tuple[Comparison, ...],
    K: Array,
    tolerances: tuple[float, float],
    needed: int | None,
) -> tuple[Verdict, str]:
    """Conclude: DISAGREE where both stages rejected, AGREE where a discrepancy of the tolerances would have been seen.

    Args:
        tests: the tests of the directions.
        entries: the test of the entries.
        confirmed: what the first stage rejected, tested on fresh networks.
        comparisons: comparisons that must hold for AGREE.
        K: population Gram matrix, shape (n, n).
        tolerances: relative error in the scale that must have been visible; the same in the median entry, relative to
            the mean of the diagonal.
        needed: networks per width that would do for AGREE.

    Returns:
        The verdict and its reason in one sentence.
    """
    reasons = _confirmed(confirmed)
    reasons += [
        f"{pair.first} and {pair.second} differ by {pair.difference:.3g} at {pair.at}"
        for pair in comparisons
        if pair.agree is False
    ]
    if reasons:
        return Verdict.DISAGREE, "; ".join(reasons)
    scale, relative = seen(tests, entries, K)
    accident = _accident(confirmed)
    size = f"an error of {scale:.2%} in the scale, or of {relative:.2%} of the mean of the diagonal in a typical entry"
    if scale <= tolerances[0] and relative <= tolerances[1]:
        return Verdict.AGREE, f"no test rejected{accident}, and {size}, would have been seen"
    more = (
        "More than a million replicas would be needed: raise the widths"
        if needed is None
        else f"replicas = {needed} would do with probability 0.9, by the standard errors of these networks"
    )
    return Verdict.INCONCLUSIVE, (
        f"no test rejected{accident}, but only {size}, would have been seen; the tolerances are {tolerances[0]:.2%} "
        f"and {tolerances[1]:.2%}. {more}"
    )


def _confirmed(confirmed: tuple[ConfirmedTest, ...]) -> list[str]:
    """What both stages rejected, the clearest first, with p of both and what another seed would say."""
    reasons = []
    for family in dict.fromkeys(test.family for test in confirmed):
        again = [test for test in confirmed if test.family == family and test.rejected]
        again.sort(key=lambda test: -abs(test.statistic))
        if again:
            names = ", ".join(_with_p(test) for test in again[:_SHOWN])
            others = f" and {len(again) - _SHOWN} more" if len(again) > _SHOWN else ""
            same = max(test.another_seed for test in again)
            reasons.append(
                f"{_DIFFER[family]} differ in: {names}{others}; another seed would say so too with probability "
                f"{'over 0.99' if same > 0.99 else f'about {same:.2f}'}"
            )
    return reasons


def _accident(confirmed: tuple[ConfirmedTest, ...]) -> str:
    if not confirmed:
        return ""
    return f" twice (the first networks did {', '.join(_with_p(test) for test in confirmed[:_SHOWN])})"


def _with_p(test: ConfirmedTest) -> str:
    return f"{test.name} (p = {test.first_p_value:.2g}, on fresh networks {test.p_value:.2g})"

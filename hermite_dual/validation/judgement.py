"""The verdict that follows from the tests."""

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.validation.findings import Comparison, ControlFindings, DirectionTest, EntryTest
from hermite_dual.validation.verdict import Verdict


def judge(
    tests: tuple[DirectionTest, ...],
    entries: EntryTest,
    control: ControlFindings,
    comparisons: tuple[Comparison, ...],
    K: Array,
    tolerances: tuple[float, float],
) -> tuple[Verdict, str]:
    """Conclude: DISAGREE where a test rejected, AGREE where a discrepancy of the tolerances would have been seen.

    Args:
        tests: the tests of the directions.
        entries: the test of the entries.
        control: the test of the mean of the control variates.
        comparisons: comparisons that must hold for AGREE.
        K: population Gram matrix, shape (n, n).
        tolerances: relative error in the scale that must have been visible; the same in the median entry, relative to
            the mean of the diagonal.

    Returns:
        The verdict and its reason in one sentence.
    """
    reasons = _rejections(tests, entries, control, comparisons)
    if reasons:
        return Verdict.DISAGREE, "; ".join(reasons)
    size = float(np.abs(np.diag(K)).mean())
    relative = entries.detectable_median / size if size else entries.detectable_median
    scale = next((test.detectable for test in tests if test.name == "overall scale"), 0.0)
    seen = f"an error of {scale:.2%} in the scale, or of {relative:.2%} of the mean of the diagonal in a typical entry"
    if scale <= tolerances[0] and relative <= tolerances[1]:
        return Verdict.AGREE, f"no test rejected, and {seen}, would have been seen"
    return Verdict.INCONCLUSIVE, (
        f"no test rejected, but only {seen}, would have been seen; the tolerances are {tolerances[0]:.2%} and "
        f"{tolerances[1]:.2%}. Raise replicas or widths"
    )


def _rejections(
    tests: tuple[DirectionTest, ...],
    entries: EntryTest,
    control: ControlFindings,
    comparisons: tuple[Comparison, ...],
) -> list[str]:
    reasons = []
    if rejected := _rejected(tests, entries):
        reasons.append(f"networks and population differ in: {rejected}")
    if rejected := _rejected(control.directions, control.entries):
        reasons.append(f"neurons of the first layer and their kernel differ in: {rejected}")
    reasons += [
        f"{pair.first} and {pair.second} differ by {pair.difference:.3g} at {pair.at}"
        for pair in comparisons
        if pair.agree is False
    ]
    return reasons


def _rejected(tests: tuple[DirectionTest, ...], entries: EntryTest) -> str:
    names = [test.name for test in tests if test.rejected]
    if entries.rejected:
        names.append(f"{entries.rejected} of {entries.tests} entries")
    return ", ".join(names)

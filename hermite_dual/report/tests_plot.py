"""The figure of the tests of a validation: what was found, in units of what would have been seen."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hermite_dual.report.style import BLUE, GREY, ORANGE, finish
from hermite_dual.validation.findings import DirectionTest, EntryTest
from hermite_dual.validation.report import ValidationReport

# Inches: width, of one row, and of title and axis together.
_WIDTH, _ROW, _REST = 5.6, 0.22, 1.3


def plot_tests(report: ValidationReport, axes: Axes | None = None) -> Axes:
    """Draw the discrepancy of every functional, and of the worst entry, over the least that would have been seen.

    Bars are two standard errors. Beyond the lines at -1 and 1 a discrepancy is found with probability 0.95.

    Args:
        report: the report of a validation.
        axes: where to draw; by default on a new figure.

    Returns:
        The Axes.
    """
    tests: list[tuple[str, DirectionTest | EntryTest]] = [(test.name, test) for test in report.directions]
    tests.append(("worst entry", report.entries))
    # Without fluctuation there is no scale to draw on.
    tests = [(name, test) for name, test in tests if 0.0 < test.detectable < math.inf]
    axes = axes or Figure(figsize=(_WIDTH, _ROW * len(tests) + _REST), layout="constrained").add_subplot()
    for side in (-1.0, 1.0):
        label = "would be seen" if side > 0.0 else None
        axes.axvline(side, color=GREY, linestyle="--", linewidth=1.2, label=label)
    axes.axvline(0.0, color=GREY, linewidth=0.6)
    shown: set[bool] = set()
    for row, (_, test) in enumerate(tests):
        rejected = bool(test.rejected)
        label = None if rejected in shown else ("rejected" if rejected else "not rejected")
        shown.add(rejected)
        colour, marker = (ORANGE, "X") if rejected else (BLUE, "o")
        axes.errorbar(
            test.discrepancy / test.detectable,
            row,
            xerr=2.0 * test.standard_error / test.detectable,
            color=colour,
            marker=marker,
            markersize=6 if rejected else 4,
            linestyle="",
            capsize=2,
            label=label,
        )
    axes.set_yticks(range(len(tests)), [name for name, _ in tests], fontsize=9)
    axes.invert_yaxis()
    finish(axes, title="Networks at infinite width, minus population", x="in units of what would be seen", y="")
    axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    return axes

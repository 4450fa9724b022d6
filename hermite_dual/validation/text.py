"""A report of a validation as a few lines of text."""

from typing import TYPE_CHECKING

from hermite_dual.validation.findings import Comparison, ParameterRange
from hermite_dual.validation.regression import CONFIDENCE

if TYPE_CHECKING:
    from hermite_dual.validation.report import ValidationReport


def describe(report: "ValidationReport") -> str:
    """Say the verdict, what could have been seen, and how finite networks approach their limit.

    Args:
        report: the report.
    """
    networks = f"{report.replicas} networks at each of the widths {', '.join(map(str, report.widths))}"
    entries = report.entries
    lines = [
        f"{report.verdict.value}: {report.reason}",
        f"  error probability {report.error_probability:g} in each of two stages; {networks}, seed {report.seed}",
        f"  {report.samples} samples, {report.rows}",
        f"  would have been seen with probability 0.95: {entries.detectable:.3g} in any one entry, "
        f"{entries.detectable_median:.3g} in half of them{_entry_in_sigma(report)}",
        *(_range(one) for one in report.parameter_ranges),
        f"  control variates left {report.control.noise_left:.1%} of the standard error of an entry",
        f"  exponent of the error in the width {report.slope:.4f}, at {CONFIDENCE:.0%} in "
        f"[{report.slope_interval[0]:.4f}, {report.slope_interval[1]:.4f}]; expected -0.5",
        *_least(report),
        *_comparisons(report.comparisons),
        *(f"  note: {note}" for note in report.notes),
    ]
    return "\n".join(lines)


def _entry_in_sigma(report: "ValidationReport") -> str:
    change = report.entries.detectable_in_sigma_w
    return "" if change is None else f"; a change of sigma_w by {change:.2g} times its value moves an entry as much"


def _range(limits: ParameterRange) -> str:
    bounds = [("below", limits.below), ("above", limits.above)]
    seen = " or ".join(
        f"{side} {value:.6g} ({value / limits.value - 1.0:+.2%})" for side, value in bounds if value is not None
    )
    return f"  {limits.name} = {limits.value:.6g}: would have been told from values {seen or 'of no size'}"


def _least(report: "ValidationReport") -> list[str]:
    least = report.least_eigenvalues
    counts = ", ".join(f"{row.held} of {row.replicas} at m = {row.width}" for row in least.by_width)
    theorem = (
        "" if least.theorem_width is None else f"; the theorem's width, with the constant 1: {least.theorem_width:.2g}"
    )
    return [f"  lambda_min(Z^T Z) >= m lambda_*/2, lambda_* = {least.population:.6g}: {counts}{theorem}"]


def _comparisons(pairs: tuple[Comparison, ...]) -> list[str]:
    reasons = {f"  {pair.first}: not compared: {pair.note}": None for pair in pairs if pair.agree is None}
    return [*reasons, *(_comparison(pair) for pair in pairs if pair.agree is not None)]


def _comparison(pair: Comparison) -> str:
    answer = "agree" if pair.agree else "DIFFER"
    return (
        f"  {pair.first} and {pair.second} {answer} at {pair.entries} entries: {pair.difference:+.2e} at {pair.at}, "
        f"{pair.allowed:.2e} allowed"
    )

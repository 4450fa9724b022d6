"""The readable summary of the main job on a terminal or in a pipe."""

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from hermite_dual.outcome import Outcome
from hermite_dual.report.demo import DemoResult
from hermite_dual.validation import ValidationReport, Verdict

_COLOURS = {Verdict.AGREE: "green", Verdict.DISAGREE: "red", Verdict.INCONCLUSIVE: "yellow"}
# Hermite coefficients shown on one line.
_SHOWN = 8


def print_summary(result: DemoResult, files: list[Path], console: Console) -> None:
    """Print activation, model, Gram matrix, least eigenvalue, networks and verdict.

    Args:
        result: what was computed.
        files: the files written.
        console: where to print.
    """
    console.print(_facts(result))
    console.print(_errors(result.report))
    console.print(_tests(result.report))
    report = result.report
    level = f"error probability {report.error_probability:g} in each of two stages"
    text = f"[bold]{report.verdict.value}[/bold] ({level}): {report.reason}."
    console.print(Panel(text, title="Finite networks against theory", border_style=_COLOURS[report.verdict]))
    for file in files:
        console.print(f"wrote {file}", highlight=False, soft_wrap=True, markup=False)


def _facts(result: DemoResult) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    dual, least, matrix = result.dual, result.least, np.asarray(result.gram.matrix)
    coefficients = "  ".join(f"{value:.5f}" for value in dual.coefficients(_SHOWN))
    parameters = ", ".join(
        f"{name} = {value:.6g}" for name, value in result.model.parameters().items() if name.startswith("sigma")
    )
    closed_form = "not known: evaluated as a series" if dual.closed_form is None else str(dual.closed_form)
    table.add_row("activation", dual.activation.name)
    table.add_row("Hermite coefficients", f"{coefficients}  ...")
    table.add_row("dual kernel", closed_form)
    table.add_row("model", parameters)
    table.add_row("samples", f"{result.X.shape[0]} x {result.X.shape[1]}, {result.data}")
    table.add_row(
        "population Gram",
        f"diagonal {np.diag(matrix).min():.6g} to {np.diag(matrix).max():.6g}, mean {matrix.mean():.6g}",
    )
    table.add_row("largest entry error", f"{float(np.max(result.gram.entry_error)):.1e}")
    table.add_row("least eigenvalue", f"{least.estimate:.10g} ({_certified(least.outcome)})")
    return table


def _certified(outcome: Outcome) -> str:
    return "certified" if outcome is Outcome.PROVEN else "an estimate, not certified"


def _errors(report: ValidationReport) -> Table:
    table = Table(title="Relative error, mean ± standard error", title_justify="left")
    for name in ("width", "normalized", "Frobenius"):
        table.add_column(name, justify="right")
    for row in report.errors_by_width:
        table.add_row(
            str(row.width),
            f"{row.normalized_mean:.5f} ± {row.normalized_standard_error:.5f}",
            f"{row.mean:.5f} ± {row.standard_error:.5f}",
        )
    table.add_section()
    table.add_row(
        "exponent",
        f"{report.slope:.4f} ± {report.slope_error:.4f}",
        f"{report.frobenius_slope:.4f} ± {report.frobenius_slope_error:.4f}",
    )
    return table


def _tests(report: ValidationReport) -> Table:
    table = Table(title="Networks extrapolated to infinite width, minus population", title_justify="left")
    table.add_column("functional")
    for name in ("discrepancy", "std. error", "t", "p (adjusted)", "would be seen"):
        table.add_column(name, justify="right")
    for test in report.directions:
        numbers = (test.discrepancy, test.standard_error, test.statistic, test.p_value, test.detectable)
        _add(table, test.name, numbers)
    entries = report.entries
    numbers = (entries.discrepancy, entries.standard_error, entries.statistic, entries.p_value, entries.detectable)
    _add(table, f"worst of {entries.tests} entries", numbers)
    return table


def _add(table: Table, name: str, numbers: tuple[float, float, float, float, float]) -> None:
    discrepancy, error, t, p, seen = numbers
    table.add_row(name, f"{discrepancy:+.5f}", f"{error:.5f}", f"{t:+.2f}", f"{p:.2g}", f"{seen:.4f}")

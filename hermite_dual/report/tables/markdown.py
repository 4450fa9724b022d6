"""Tables in GitHub's Markdown."""

from tabulate import tabulate

from hermite_dual.report.tables.cells import Cell, Formula, Interval, LowerBound, Missing, Number, Text
from hermite_dual.report.tables.formulas import latex as formula_latex
from hermite_dual.report.tables.notes import Notes


def table(head: list[str], body: list[list[Cell]]) -> str:
    """Return the table and, below it, a numbered list of reasons."""
    notes = Notes(body)
    rows = [[_cell(cell, notes) for cell in row] for row in body]
    lines = [tabulate(rows, headers=[_escape(title) for title in head], tablefmt="pipe", disable_numparse=True)]
    if notes.reasons:
        lines += ["", *(f"{number}. {_escape(reason)}" for number, reason in enumerate(notes.reasons, start=1))]
    return "\n".join(lines) + "\n"


def _cell(cell: Cell, notes: Notes) -> str:
    match cell:
        case Text(value):
            return _escape(value)
        case Formula(value):
            return f"${formula_latex(value)}$".replace("|", r"\vert ")
        case Number() | Interval() | LowerBound():
            return str(cell)
        case Missing(_, shown):
            return f"{shown} ({notes.mark(cell)})"


def _escape(text: str) -> str:
    cleaned = " ".join(text.split()).replace("\\", "\\\\")
    for sign in "|*_`<>[]":
        cleaned = cleaned.replace(sign, f"\\{sign}")
    return cleaned

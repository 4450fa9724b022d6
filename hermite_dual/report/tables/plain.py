"""Tables as comma-separated values, plain text and what JSON holds."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from hermite_dual.data.csv_cells import inert
from hermite_dual.report.tables.cells import Cell, Formula, Heading, Interval, LowerBound, Missing, Number, Text
from hermite_dual.report.tables.notes import Notes
from hermite_dual.symbolic.printing import latex_with_values

_WIDEST = 60


def csv_text(head: list[str], body: list[list[Cell]]) -> str:
    """Return comma-separated values; missing cells are empty, text that spreadsheets run is behind an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([["" if isinstance(cell, Missing) else inert(_plain(cell)) for cell in row] for row in body])
    return buffer.getvalue()


def text(head: list[str], body: list[list[Cell]]) -> str:
    """Return a table for terminals, long cells folded, reasons below."""
    notes = Notes(body)
    rows = [
        [f"{cell.shown} ({notes.mark(cell)})" if isinstance(cell, Missing) else _plain(cell) for cell in row]
        for row in body
    ]
    widths = [_WIDEST] * len(head)
    lines = [tabulate(rows, headers=head, tablefmt="simple", disable_numparse=True, maxcolwidths=widths)]
    lines += [f"({k}) {''.join(map(str, note))}" for k, note in enumerate(notes.marked, start=1)]
    return "\n".join(lines)


def cells(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """Return cells as words."""
    return [[cell.shown if isinstance(cell, Missing) else _plain(cell) for cell in row] for row in rows]


def content(keys: list[str], rows: Sequence[Sequence[Cell]], parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters, and a mapping from column to cell for each activation, as JSON can hold them."""
    return {
        "parameters": parameters,
        "rows": [{key: _record(cell) for key, cell in zip(keys, row, strict=True)} for row in rows],
    }


def _plain(cell: Cell) -> str:
    match cell:
        case Text(value) | Heading(value):
            return value
        case Formula(value):
            return str(value)
        case Number() | Interval() | LowerBound():
            return str(cell)
        case Missing(_, shown):
            return shown


def _record(cell: Cell) -> dict[str, Any]:
    match cell:
        case Text(value) | Heading(value):
            return {"text": value}
        case Formula(value):
            return {"formula": str(value), "latex": latex_with_values(value)}
        case Number(digits, lower, upper):
            return {"digits": digits, "lower": lower, "upper": upper}
        case Interval(low, high, lower, upper):
            return {"interval": [low, high], "lower": lower, "upper": upper}
        case LowerBound(digits, value, tightness, _):
            return {"at_least": digits, "value": value, "tightness": tightness}
        case Missing(reason, shown):
            return {"missing": reason, "shown": shown}

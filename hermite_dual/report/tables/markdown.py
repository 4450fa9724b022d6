"""Tables in GitHub's Markdown."""

import re

import sympy as sp
from tabulate import tabulate

from hermite_dual.report.tables.cells import Cell, Formula, Heading, Interval, LowerBound, Missing, Number, Text
from hermite_dual.report.tables.notes import Note, Notes
from hermite_dual.symbolic.printing import decimal
from hermite_dual.symbolic.printing import latex as formula_latex


def table(head: list[str], body: list[list[Cell]]) -> str:
    """Return the table and, below it, a numbered list of reasons and what letters mean."""
    notes = Notes(body)
    rows = [[_cell(cell, notes) for cell in row] for row in body]
    lines = [tabulate(rows, headers=[_escape(title) for title in head], tablefmt="pipe", disable_numparse=True)]
    notes_below = [f"{number}. {_note(note, notes)}" for number, note in enumerate(notes.marked, start=1)]
    meanings = [f"- {_note(note, notes)}" for note in notes.definitions()]
    letters = sorted(notes.letters.items())
    values = [f"- ${formula_latex(sp.Symbol(name))} = {decimal(value)}$" for name, value in letters]
    for block in (notes_below, meanings + values):
        lines += ["", *block] if block else []
    return "\n".join(lines) + "\n"


def _note(note: Note, notes: Notes) -> str:
    return "".join(_escape(piece) if isinstance(piece, str) else _formula(piece, notes) for piece in note)


def _formula(value: sp.Expr, notes: Notes) -> str:
    return f"${formula_latex(value, notes.letters)}$".replace("|", r"\vert ")


def _cell(cell: Cell, notes: Notes) -> str:
    match cell:
        case Text(value) | Heading(value):
            return _escape(value)
        case Formula(value):
            return _formula(value, notes)
        case Number() | Interval() | LowerBound():
            return str(cell)
        case Missing(_, shown):
            return f"{shown} ({notes.mark(cell)})"


def _escape(text: str) -> str:
    cleaned = re.sub(r"\s+", " ", text).replace("\\", "\\\\")
    for sign in "|*_`<>[]":
        cleaned = cleaned.replace(sign, f"\\{sign}")
    return cleaned

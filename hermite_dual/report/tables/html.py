"""Tables in HTML, with formulas in MathML."""

from html import escape

import sympy as sp

from hermite_dual.report.tables.cells import Cell, Formula, Heading, Interval, LowerBound, Missing, Number, Text
from hermite_dual.report.tables.formulas import mathml
from hermite_dual.report.tables.notes import Note, Notes

_STYLE = "border-spacing: 1em 0.3em; text-align: left"


def table(head: list[str], body: list[list[Cell]], caption: str | None) -> str:
    """Return a `table` element in a box that scrolls where the page is narrow, and a list of reasons after it.

    Args:
        head: headings, plain text.
        body: cells, row by row.
        caption: plain text of the caption, or None.
    """
    notes = Notes(body)
    # inline, as the page around it may have no style of its own
    lines = ['<div style="overflow-x: auto">', f'<table class="hermite-dual" style="{_STYLE}">']
    if caption is not None:
        lines.append(f"<caption>{escape(caption)}</caption>")
    lines.append("<thead><tr>" + "".join(f'<th scope="col">{escape(title)}</th>' for title in head) + "</tr></thead>")
    lines.append("<tbody>")
    lines += ["<tr>" + "".join(f"<td>{_cell(cell, notes)}</td>" for cell in row) + "</tr>" for row in body]
    lines += ["</tbody></table>", "</div>"]
    if notes.marked:
        lines.append("<ol>" + "".join(f"<li>{_note(note, notes)}</li>" for note in notes.marked) + "</ol>")
    meanings = [_note(note, notes) for note in notes.definitions()]
    values = [f"{mathml(sp.Symbol(name), {})} = {float(notes.letters[name])!r}" for name in sorted(notes.letters)]
    lines += [f"<p>{line}</p>" for line in [*meanings, *([", ".join(values)] if values else [])]]
    return "\n".join(lines) + "\n"


def _note(note: Note, notes: Notes) -> str:
    return "".join(escape(piece) if isinstance(piece, str) else mathml(piece, notes.letters) for piece in note)


def _cell(cell: Cell, notes: Notes) -> str:
    match cell:
        case Text(value) | Heading(value):
            return escape(value)
        case Formula(value):
            return mathml(value, notes.letters)
        case Number() | Interval():
            return str(cell)
        case LowerBound(digits, _, _, percent):
            return f"{digits} ({percent}&#8239;%)"
        case Missing(reason, shown):
            return f'<span title="{escape(reason)}">{shown}<sup>{notes.mark(cell)}</sup></span>'

"""Tables in HTML, with formulas in MathML."""

from html import escape

from hermite_dual.report.tables.cells import Cell, Formula, Interval, LowerBound, Missing, Number, Text
from hermite_dual.report.tables.formulas import mathml
from hermite_dual.report.tables.notes import Notes

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
    if notes.reasons:
        lines.append("<ol>" + "".join(f"<li>{escape(reason)}</li>" for reason in notes.reasons) + "</ol>")
    return "\n".join(lines) + "\n"


def _cell(cell: Cell, notes: Notes) -> str:
    match cell:
        case Text(value):
            return escape(value)
        case Formula(value):
            return mathml(value)
        case Number() | Interval():
            return str(cell)
        case LowerBound(digits, _, _, percent):
            return f"{digits} ({percent}&#8239;%)"
        case Missing(reason, shown):
            return f'<span title="{escape(reason)}">{shown}<sup>{notes.mark(cell)}</sup></span>'

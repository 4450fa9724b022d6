"""HTML for notebooks, as strings; every text is escaped, so that no name of an activation becomes markup."""

from collections.abc import Iterable
from html import escape

Cell = object
"""A value of a cell: floats are shown to six digits, all else as its text."""


def facts(title: str, rows: Iterable[tuple[str, Cell]], note: str = "") -> str:
    """Return a small table of names and values.

    Args:
        title: what it is of, shown above.
        rows: pairs of a name and a value.
        note: a sentence below the table.
    """
    body = "".join(f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in rows)
    return _block(title, f"<table><tbody>{body}</tbody></table>", note)


def grid(title: str, head: Iterable[str], rows: Iterable[Iterable[Cell]], note: str = "") -> str:
    """Return a table with a head.

    Args:
        title: what it is of, shown above.
        head: the names of the columns.
        rows: the cells of each row.
        note: a sentence below the table.
    """
    titles = "".join(f"<th>{_text(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return _block(title, f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>", note)


def number(value: float) -> str:
    """Return six digits."""
    return f"{value:.6g}"


def _block(title: str, table: str, note: str) -> str:
    below = f"<p>{_text(note)}</p>" if note else ""
    return f"<div><p><b>{_text(title)}</b></p>{table}{below}</div>"


def _text(value: Cell) -> str:
    return escape(number(value) if isinstance(value, float) else str(value))

"""The parts of a page that stands alone: no script, no address that is loaded, readable on a phone and in the dark.

Every number in a table is a `data` element whose `value` is the float itself, to the last digit; shown are six.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from hermite_dual._version import __version__

# Significant digits shown, and characters of a cell that stay on one line.
_DIGITS, _LONG = 6, 32
_MARKS = {"good": "✓", "bad": "✗", "open": "?"}
LING = '<a href="https://arxiv.org/abs/2205.13814">Ling et al., arXiv 2205.13814</a>'

Content = str | float | int | bool | None


@dataclass(frozen=True)
class Markup:
    """Text that is HTML already."""

    html: str


def page(title: str, body: Iterable[str]) -> str:
    """Return a page from the parts of its body.

    Args:
        title: plain text.
        body: HTML of the parts, in order.
    """
    style = files("hermite_dual.report").joinpath("page.css").read_text(encoding="utf-8")
    parts = "\n".join(body)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'
        f'<meta name="color-scheme" content="light dark"/>\n'
        f'<meta name="generator" content="hermite-dual {__version__}"/>\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n{parts}\n</main>\n"
        "</body>\n</html>\n"
    )


def verdict(kind: str, word: str, *sentences: str) -> str:
    """Return the box with the verdict: its word, a sign and a colour.

    Args:
        kind: "good", "bad" or "open".
        word: the verdict in capitals.
        sentences: why, and what else to know, plain text, each in a line of its own.
    """
    lines = "\n".join(paragraph(sentence) for sentence in sentences)
    return (
        f'<section class="verdict {kind}" aria-label="Verdict">\n<p class="word"><span aria-hidden="true">'
        f"{_MARKS[kind]}</span> {escape(word)}</p>\n{lines}\n</section>"
    )


def section(title: str, *parts: str) -> str:
    """Return a section with a heading; empty parts are left out, and a section without any is empty."""
    kept = [text for text in parts if text]
    return "\n".join([f"<section>\n<h2>{escape(title)}</h2>", *kept, "</section>"]) if kept else ""


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def listed(lines: Sequence[str]) -> str:
    """Return a list of plain texts; nothing where there is none."""
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def table(name: str, head: Sequence[str], rows: Iterable[Sequence[Content | Markup]]) -> str:
    """Return a table in a box of its own, which scrolls where the page is narrow; nothing where there is no row.

    Args:
        name: what the table holds, for readers who do not see it.
        head: headings, plain text.
        rows: cells: text, numbers, whether something holds, or None for what is not known.
    """
    cells = list(rows)
    if not cells:
        return ""
    # A column of numbers stands to the right, its heading and its gaps as well.
    numeric = [any(_is_number(row[k]) for row in cells) for k in range(len(head))]
    titles = "".join(
        f'<th scope="col"{_class(title, number=right and k > 0)}>{escape(title)}</th>'
        for k, (title, right) in enumerate(zip(head, numeric, strict=True))
    )
    body = [
        "<tr>"
        + "".join(
            f'<th scope="row"{_class(cell)}>{_value(cell)}</th>'
            if k == 0
            else f"<td{_class(cell, number=numeric[k])}>{_value(cell)}</td>"
            for k, cell in enumerate(row)
        )
        + "</tr>"
        for row in cells
    ]
    return (
        f'<div class="box" role="region" tabindex="0" aria-label="{escape(name)}">\n<table>\n'
        f"<thead><tr>{titles}</tr></thead>\n<tbody>\n" + "\n".join(body) + "\n</tbody>\n</table>\n</div>"
    )


def facts(rows: Iterable[tuple[str, Content | Markup]]) -> str:
    """Return names and values, one below the other."""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{_value(value)}</dd>" for name, value in rows)
    return f"<dl>{items}</dl>"


def figure(svg: str, caption: str) -> str:
    """Return a figure in a box of its own.

    Args:
        svg: as `inline_svg` returns it.
        caption: plain text.
    """
    return (
        f'<figure>\n<div class="box" role="region" tabindex="0" aria-label="Figure">\n{svg}\n</div>\n'
        f"<figcaption>{escape(caption)}</figcaption>\n</figure>"
    )


def holds(answer: bool | None, *, yes: str = "holds", no: str = "fails", unknown: str = "not tested") -> Markup:
    """Return a word for an answer, with a sign and a colour."""
    kind, word = ("open", unknown) if answer is None else (("good", yes) if answer else ("bad", no))
    return Markup(f'<span class="{kind}"><span aria-hidden="true">{_MARKS[kind]}</span> {escape(word)}</span>')


def number(value: float) -> str:
    """Return a number with six digits shown and all of them in its `value`."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else ("∞" if value > 0.0 else "−∞")
    shown = f"{value:.{_DIGITS}g}".replace("-", "−")
    return f'<data value="{value!r}">{shown}</data>'


def _is_number(value: Content | Markup) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _class(value: Content | Markup, *, number: bool = False) -> str:
    """Tell a number, a text that stays on one line, and a long one apart."""
    if number:
        return ' class="number"'
    if isinstance(value, str) and len(value) > _LONG:
        return ' class="long"'
    return ' class="short"'


def _value(value: Content | Markup) -> str:
    match value:
        case Markup(html):
            return html
        case bool():
            return "yes" if value else "no"
        case None:
            return "–"
        case int():
            return f'<data value="{value}">{value}</data>'
        case float():
            return number(value)
    return escape(value)

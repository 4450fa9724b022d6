"""Tables in LaTeX, with amsmath, booktabs and siunitx."""

import re

import sympy as sp

from hermite_dual.report.tables.cells import Cell, Formula, Heading, Interval, LowerBound, Missing, Number, Text
from hermite_dual.report.tables.notes import Note, Notes
from hermite_dual.symbolic.printing import decimal
from hermite_dual.symbolic.printing import latex as formula_latex

_MANY = 6
"""Columns from which on a table is set smaller."""
_LONGEST = 90
"""Characters of a formula, as SymPy writes it, from which on it stands below a wide table."""
GREEK = {"sigma_w": r"\sigma_w", "sigma_u": r"\sigma_u", "sigma_b": r"\sigma_b"}
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}",
    '"': r"\textquotedbl{}",
    "—": "---",
    "∞": r"$\infty$",
    "φ": r"$\varphi$",
}


def table(head: list[str], body: list[list[Cell]], caption: str, label: str | None, siunitx: bool, fit: bool) -> str:
    r"""Return a complete `table` environment; long formulas stand below it.

    Args:
        head: headings, LaTeX.
        body: cells, row by row.
        caption: LaTeX of the caption.
        label: the label, or None.
        siunitx: write numbers as `\num{...}`.
        fit: scale to the width of the text.
    """
    notes = Notes(body, _LONGEST)
    size = r"\footnotesize\setlength{\tabcolsep}{3pt}" if len(head) > _MANY else r"\small\setlength{\tabcolsep}{4pt}"
    lines = [
        _packages(siunitx, "graphicx" if fit else None),
        r"\begin{table}",
        r"\centering" + size + r"\renewcommand{\arraystretch}{1.3}",
        rf"\caption{{{caption}}}",
    ]
    if label is not None:
        lines.append(rf"\label{{{label}}}")
    if fit:
        lines.append(r"\resizebox{\linewidth}{!}{%")
    lines += [rf"\begin{{tabular}}{{{'l' * len(head)}}}", r"\toprule", _row(head), r"\midrule"]
    lines += [_row([_cell(cell, notes, siunitx) for cell in row]) for row in body]
    lines += [r"\bottomrule", r"\end{tabular}" + ("}" if fit else ""), *_notes(notes), r"\end{table}", ""]
    return "\n".join(lines)


def long_table(head: list[str], body: list[list[Cell]], caption: str, label: str | None, siunitx: bool) -> str:
    r"""Return a `longtable`, which runs over pages; the last column is wide and folds.

    The first column is shown where it changes, with a gap before it.

    Args:
        head: three headings, LaTeX.
        body: rows of three cells.
        caption: LaTeX of the caption.
        label: the label, or None.
        siunitx: write numbers as `\num{...}`.
    """
    notes = Notes(body, tall=True)
    title = rf"\caption{{{caption}}}" + ("" if label is None else rf"\label{{{label}}}") + r" \\"
    top = [r"\toprule", _row(head), r"\midrule"]
    lines = [
        _packages(siunitx, "longtable"),
        r"{\small\renewcommand{\arraystretch}{1.5}",
        r"\begin{longtable}{llp{0.68\linewidth}}",
        title,
        *top,
        r"\endfirsthead",
    ]
    lines += [*top, r"\endhead", r"\bottomrule", r"\endlastfoot"]
    former: Cell | None = None
    for row in body:
        if former is not None and row[0] != former:
            lines.append(r"\addlinespace")
        cells = [_cell(cell, notes, siunitx) for cell in row]
        lines.append(_row(["" if row[0] == former else cells[0], *cells[1:]]))
        former = row[0]
    return "\n".join([*lines, r"\end{longtable}}", *_notes(notes), ""])


def _packages(siunitx: bool, more: str | None) -> str:
    packages = ["amsmath", "booktabs", *(["siunitx"] if siunitx else []), *([more] if more else [])]
    return f"% needs \\usepackage{{{', '.join(packages)}}}"


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _notes(notes: Notes) -> list[str]:
    marked = [rf"\textsuperscript{{{k}}} {_note(note, notes)}" for k, note in enumerate(notes.marked, start=1)]
    meanings = [_note(note, notes) for note in notes.definitions()]
    values = [f"${formula_latex(sp.Symbol(name))} = {decimal(notes.letters[name])}$" for name in sorted(notes.letters)]
    lines = [*marked, *meanings, *([", ".join(values) + "."] if values else [])]
    if not lines:
        return []
    return [r"\par\medskip", r"{\footnotesize\raggedright", *(rf"\noindent {line}\par" for line in lines), "}"]


def _note(note: Note, notes: Notes) -> str:
    parts = (escape(piece) if isinstance(piece, str) else f"${formula_latex(piece, notes.letters)}$" for piece in note)
    return "".join(parts)


def escape(text: str) -> str:
    """Return plain text as LaTeX; characters that fonts lack become `?`."""
    escaped = "".join(_SPECIAL.get(character, character) for character in re.sub(r"\s+", " ", text))
    return "".join(c if ord(c) < 128 else "?" for c in escaped)


def _cell(cell: Cell, notes: Notes, siunitx: bool) -> str:
    match cell:
        case Heading():
            return cell.latex
        case Text(value):
            return escape(value)
        case Formula(value):
            mark = notes.mark(cell)
            if mark is not None:
                return _marked("below", mark)
            formula = formula_latex(value, notes.letters)
            return rf"{{\raggedright$\displaystyle {formula}$\par}}" if notes.tall else f"${formula}$"
        case Number(digits):
            return _number(digits, siunitx)
        case Interval(low, high) if low == f"-{high}":
            return rf"$0\pm{{}}${_number(high, siunitx)}"
        case Interval(low, high):
            return f"[{_number(low, siunitx)}, {_number(high, siunitx)}]"
        case LowerBound(digits, _, _, percent):
            return rf"{_number(digits, siunitx)} ({percent}\%)"
        case Missing():
            return _marked(cell.shown, notes.mark(cell))


def _marked(shown: str, mark: int | None) -> str:
    return rf"{escape(shown)}\textsuperscript{{{mark}}}"


def _number(digits: str, siunitx: bool) -> str:
    if siunitx:
        return rf"\num{{{digits}}}"
    mantissa, _, exponent = digits.partition("e")
    return f"${mantissa}$" if not exponent else rf"${mantissa} \times 10^{{{exponent}}}$"

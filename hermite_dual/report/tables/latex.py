"""Tables in LaTeX, with amsmath, booktabs and siunitx."""

from hermite_dual.report.tables.cells import Cell, Formula, Interval, LowerBound, Missing, Number, Text
from hermite_dual.report.tables.formulas import latex as formula_latex
from hermite_dual.report.tables.notes import Notes

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
    r"""Return a complete `table` environment.

    Args:
        head: headings, LaTeX.
        body: cells, row by row.
        caption: LaTeX of the caption.
        label: the label, or None.
        siunitx: write numbers as `\num{...}`.
        fit: scale to the width of the text.
    """
    notes = Notes(body)
    lines = [
        _packages(siunitx, "graphicx" if fit else None),
        r"\begin{table}",
        r"\centering",
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
    notes = Notes(body)
    title = rf"\caption{{{caption}}}" + ("" if label is None else rf"\label{{{label}}}") + r" \\"
    top = [r"\toprule", _row(head), r"\midrule"]
    lines = [_packages(siunitx, "longtable"), r"\begin{longtable}{llp{0.58\linewidth}}", title, *top, r"\endfirsthead"]
    lines += [*top, r"\endhead", r"\bottomrule", r"\endlastfoot"]
    former: Cell | None = None
    for row in body:
        if former is not None and row[0] != former:
            lines.append(r"\addlinespace")
        cells = [_cell(cell, notes, siunitx) for cell in row]
        lines.append(_row(["" if row[0] == former else cells[0], *cells[1:]]))
        former = row[0]
    return "\n".join([*lines, r"\end{longtable}", *_notes(notes), ""])


def _packages(siunitx: bool, more: str | None) -> str:
    packages = ["amsmath", "booktabs", *(["siunitx"] if siunitx else []), *([more] if more else [])]
    return f"% needs \\usepackage{{{', '.join(packages)}}}"


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _notes(notes: Notes) -> list[str]:
    return [
        rf"\par\noindent{{\footnotesize \textsuperscript{{{number}}} {escape(reason)}}}"
        for number, reason in enumerate(notes.reasons, start=1)
    ]


def escape(text: str) -> str:
    """Return plain text as LaTeX; characters that fonts lack become `?`."""
    escaped = "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))
    return "".join(c if ord(c) < 128 else "?" for c in escaped)


def _cell(cell: Cell, notes: Notes, siunitx: bool) -> str:
    match cell:
        case Text(value):
            return escape(value)
        case Formula(value):
            return f"${formula_latex(value)}$"
        case Number(digits):
            return _number(digits, siunitx)
        case Interval(low, high):
            return f"[{_number(low, siunitx)}, {_number(high, siunitx)}]"
        case LowerBound(digits, _, _, percent):
            return rf"{_number(digits, siunitx)} ({percent}\%)"
        case Missing():
            return rf"{escape(cell.shown)}\textsuperscript{{{notes.mark(cell)}}}"


def _number(digits: str, siunitx: bool) -> str:
    if siunitx:
        return rf"\num{{{digits}}}"
    mantissa, _, exponent = digits.partition("e")
    return f"${mantissa}$" if not exponent else rf"${mantissa} \times 10^{{{exponent}}}$"

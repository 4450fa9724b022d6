"""What stands below a table: reasons and long formulas, each once, with a mark in the cells, and what letters mean."""

import re
from collections.abc import Iterator
from fractions import Fraction

import sympy as sp

from hermite_dual.report.tables.cells import Cell, Formula, Missing
from hermite_dual.symbolic.printing import DEFINITIONS, lettered
from hermite_dual.symbols import x

_OUTSIDE = re.compile(r"(?P<what>.+?) is not a finite sum of (?P<sum>.+?) with F = 1, (?P<why>.+)", re.DOTALL)
_SUM = sp.Function("F")(x) * x ** sp.Symbol("p") * sp.exp(sum(sp.Symbol(a) * x**k for k, a in enumerate("gba")))
Note = tuple[str | sp.Expr, ...]
"""Words and formulas in turn."""


class Notes:
    """The notes of a table.

    Attributes:
        marked: reasons and formulas in the order of their appearance, to which cells point.
        letters: the numbers that letters stand for, the same in the whole table.
    """

    def __init__(self, body: list[list[Cell]], longest: float = float("inf"), *, tall: bool = False) -> None:
        """Collect the notes; formulas of more characters than `longest` stand below the table.

        Args:
            body: the cells.
            longest: characters of a formula as SymPy writes it.
            tall: whether rows are as tall as displayed formulas.
        """
        self.tall = tall
        self.marked: list[Note] = []
        self.letters: dict[str, Fraction] = {}
        self._longest = longest
        self._functions: set[type] = set()
        for cell in (cell for row in body for cell in row):
            note = self._note(cell)
            if note is not None and note not in self.marked:
                self.marked.append(note)
            if isinstance(cell, Formula):
                lettered(cell.value, self.letters)
                self._functions |= {kind for kind in DEFINITIONS if cell.value.has(kind)}

    def mark(self, cell: Cell) -> int | None:
        """Return the number of a cell's note."""
        note = self._note(cell)
        return None if note is None else self.marked.index(note) + 1

    def definitions(self) -> Iterator[Note]:
        """Yield what the functions of the table are; letters have their values in `letters`."""
        for kind, (value, words) in DEFINITIONS.items():
            if kind in self._functions:
                yield value, f" {words}."

    def _note(self, cell: Cell) -> Note | None:
        if isinstance(cell, Missing):
            return as_note(cell.reason)
        if isinstance(cell, Formula) and len(str(lettered(cell.value, self.letters))) > self._longest:
            return (cell.value,)
        return None


def as_note(reason: str) -> Note:
    """Return a reason with its formulas as such, where it is of the one kind that has any."""
    match = _OUTSIDE.fullmatch(reason)
    if match is None:
        return (reason,)
    what = sp.sympify(match["what"], locals={"x": x})
    return what, " is not a finite sum of ", _SUM, " with ", sp.Symbol("F"), f" = 1, {match['why']}"

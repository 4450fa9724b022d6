"""Reasons below a table, each once, with a mark in the cells it belongs to."""

from hermite_dual.report.tables.cells import Cell, Missing


class Notes:
    """The reasons of a table's missing cells, numbered in the order of their appearance."""

    def __init__(self, body: list[list[Cell]]) -> None:
        self.reasons: list[str] = []
        for row in body:
            for cell in row:
                if isinstance(cell, Missing) and cell.reason not in self.reasons:
                    self.reasons.append(cell.reason)

    def mark(self, cell: Missing) -> int:
        """Return the number of a cell's reason."""
        return self.reasons.index(cell.reason) + 1

"""What a sweep found: a row per activation, scale and seed."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermite_dual.data.atomic import atomic_path
from hermite_dual.data.csv_cells import inert
from hermite_dual.data.dataframes import dataframe
from hermite_dual.data.json_files import write_json
from hermite_dual.errors import InvalidInputError
from hermite_dual.notebook import Shown, grid

_SHOWN = ("activation", "sigma", "seed", "lambda_lower", "lambda_upper", "verdict", "slope", "slope_error", "error")
_MOST_ROWS = 60


@dataclass(frozen=True, repr=False)
class SweepResult(Shown):
    """The numbers of a sweep; what a point does not have is None.

    Attributes:
        columns: names of the columns.
        rows: a dictionary per point, in the order of activations, sigmas and seeds.
        parameters: what all rows have in common.
        computed: number of points that this call computed; the others it found in the store.
        notes: what happened that the reader should know, such as damaged records that were computed again.
    """

    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    parameters: dict[str, Any]
    computed: int
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def column(self, name: str) -> list[Any]:
        """Give the values of a column, a row each.

        Args:
            name: one of `columns`.

        Raises:
            InvalidInputError: There is no such column.
        """
        if name not in self.columns:
            raise InvalidInputError(f"name={name!r}: the columns are {', '.join(self.columns)}")
        return [row[name] for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """Give columns, rows, parameters and notes as JSON has them."""
        return {
            "columns": list(self.columns),
            "rows": [dict(row) for row in self.rows],
            "parameters": self.parameters,
            "notes": list(self.notes),
        }

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """Give comma-separated values with a head; floats to the last bit, None as nothing.

        Text that spreadsheets would run has an apostrophe before it.

        Args:
            path: a file to write as well; complete or absent.

        Returns:
            The text.

        Raises:
            DataFileError: The file cannot be written.
        """
        stream = io.StringIO()
        writer = csv.DictWriter(stream, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows([{name: inert(cell) for name, cell in row.items()} for row in self.rows])
        if path is not None:
            with atomic_path(path) as temporary:
                temporary.write_text(stream.getvalue(), encoding="utf-8", newline="")
        return stream.getvalue()

    def to_dataframe(self) -> Any:
        """Return the rows as a `pandas.DataFrame`.

        Raises:
            ImportError: pandas is not installed.
        """
        return dataframe(self.rows, self.columns)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the rows as .csv, or rows and parameters as .json.

        Args:
            path: the file; complete or absent.

        Returns:
            The path.

        Raises:
            InvalidInputError: The ending names another format.
            DataFileError: The file cannot be written.
        """
        target = Path(path)
        if target.suffix == ".json":
            write_json(target, self.to_dict())
        elif target.suffix == ".csv":
            self.to_csv(target)
        else:
            raise InvalidInputError(f"file {str(path)!r}: the ending tells the format; allowed are .csv and .json")
        return target

    def __str__(self) -> str:
        from tabulate import tabulate

        head, rows = self._shown()
        table = tabulate(rows, head, disable_numparse=True)
        return "\n".join([self._title(), table, *filter(None, [self._left_out()]), *self.notes])

    def _repr_html_(self) -> str:
        return grid(self._title(), *self._shown(), note=self._left_out())

    def _title(self) -> str:
        verdicts = Counter(row.get("verdict") for row in self.rows if row.get("verdict"))
        failed = sum(row["error"] is not None for row in self.rows)
        said = [f"{len(self.rows)} points", *(f"{count} {name}" for name, count in sorted(verdicts.items()))]
        return ", ".join([*said, *([f"{failed} without numbers"] if failed else [])])

    def _left_out(self) -> str:
        return f"the first {_MOST_ROWS} of {len(self.rows)} rows" if len(self.rows) > _MOST_ROWS else ""

    def _shown(self) -> tuple[list[str], list[list[str]]]:
        head = [name for name in _SHOWN if name in self.columns and any(row[name] is not None for row in self.rows)]
        return head, [[_cell(row[name]) for name in head] for row in self.rows[:_MOST_ROWS]]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."

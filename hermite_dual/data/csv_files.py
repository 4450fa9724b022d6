"""Samples in `.csv` files: numbers separated by commas, a sample per line, perhaps below a header."""

import csv
from pathlib import Path

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.errors import DataFileError

_REMEDY = "Write it with numpy.savetxt(path, X, delimiter=',')."
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SHOWN = 40


def read_csv(file: Path) -> Array:
    """Read a table of numbers; a header is a first line without a number.

    Raises:
        DataFileError: A cell is no number, lines differ in length, or the file is of another form, which is named.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = [(number, row) for number, row in enumerate(csv.reader(stream), 1) if any(map(str.strip, row))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataFileError(f"data file {str(file)!r} is not a .csv file: {error}. {_REMEDY}") from error
    if rows:
        _refuse_other_separators(file, rows[-1][1])
    if len(rows) > 1 and len(rows[0][1]) > 1 and not rows[0][1][0].strip():
        raise DataFileError(
            f"data file {str(file)!r}: the first column has no name, which is how pandas writes its index, and that is "
            "no feature. Write the file with DataFrame.to_csv(path, index=False)."
        )
    header = rows[0][1] if rows and not any(_number(cell) is not None for cell in rows[0][1]) else None
    if header is not None:
        rows = rows[1:]
    if not rows:
        raise DataFileError(
            f"data file {str(file)!r} holds no row of numbers; it must hold at least one sample. Write it again."
        )
    width = len(rows[0][1] if header is None else header)
    return np.array([_numbers(file, number, row, width, header) for number, row in rows])


def _refuse_other_separators(file: Path, row: list[str]) -> None:
    """Name what separates fields in place of commas, seen at a line of numbers."""
    line = ",".join(row)
    for separator, name in _SEPARATORS.items():
        fields = line.split(separator)
        if len(fields) > 1 and all(_number(field.replace(",", ".")) is not None for field in fields):
            decimal = " and decimal commas" if any("," in field for field in fields) else ""
            raise DataFileError(
                f"data file {str(file)!r} has {name} between its fields{decimal}; a .csv file has commas and decimal "
                f"points here. Read it with pandas.read_csv(path, sep={separator!r}, decimal=...) and save it again."
            )


def _numbers(file: Path, number: int, row: list[str], width: int, header: list[str] | None) -> list[float]:
    """Return the numbers of a line, or name the cell that is none."""
    values = [_number(cell) for cell in row]
    if len(row) == width and None not in values:
        return [value for value in values if value is not None]
    where = f"data file {str(file)!r}, line {number}"
    if None in values:
        column = values.index(None)
        name = f" ({header[column].strip()})" if header is not None and column < len(header) else ""
        cell = row[column].strip()
        shown = repr(cell[:_SHOWN]) if cell else "an empty cell"
        raise DataFileError(
            f"{where}, column {column + 1}{name}: {shown} is no number. Correct the cell or remove the line."
        )
    raise DataFileError(
        f"{where}: expected {width} numbers separated by commas, got {len(row)}. Correct the line or remove it."
    )


def _number(cell: str) -> float | None:
    """Return a number as programs write it: Python's underscores are none."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None

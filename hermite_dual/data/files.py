"""Samples read from `.npy`, `.npz` and `.csv` files."""

import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hermite_dual.arrays import Array
from hermite_dual.data.csv_files import read_csv
from hermite_dual.errors import DataFileError, InvalidInputError
from hermite_dual.exact_numbers import real_array

FORMATS = (".npy", ".npz", ".csv")
_UNREADABLE = (ValueError, OSError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile)
"""What NumPy and zipfile raise at damaged, encrypted and lying files."""


def read_samples(path: str | os.PathLike[str]) -> Array:
    """Read a matrix of samples, one per row, from a `.npy`, `.npz` or `.csv` file.

    A `.npz` archive holds one array, or several of which one is named `X`. A `.csv` file is separated by commas; its
    first line may be a header. Pickled objects are never loaded.

    Args:
        path: the file.

    Returns:
        Float64 array of shape (n, d), n >= 1, d >= 1, finite.

    Raises:
        DataFileError: The file is missing, unreadable, empty or not of the format that its name promises.
        InvalidInputError: The array is not two-dimensional, not real, empty, or holds NaN or infinity.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix not in FORMATS:
        raise DataFileError(
            f"data file {str(file)!r} has the extension {suffix!r}; allowed are {', '.join(FORMATS)}. "
            "Save the samples with numpy.save, one sample per row."
        )
    _check_readable(file)
    table = read_csv(file) if suffix == ".csv" else _read_numpy(file, suffix)
    return check_samples(table, f"data file {str(file)!r}")


def check_samples(table: Any, name: str) -> Array:
    """Return the array as finite float64 of shape (n, d), or say what is wrong with it.

    Args:
        table: an array, or what NumPy makes one of.
        name: what the message calls it.

    Returns:
        Float64 array of shape (n, d).

    Raises:
        InvalidInputError: The array is not two-dimensional, not real, empty, or holds NaN or infinity.
    """
    table = real_array(table, name)
    if table.ndim != 2 or 0 in table.shape:
        raise InvalidInputError(
            f"{name} has the shape {table.shape}; allowed is (n, d) with n, d >= 1, one sample per row. "
            "Reshape a single sample with x.reshape(1, -1)."
        )
    # A value beyond float64, from a wider type, becomes an infinity and is reported as one.
    with np.errstate(over="ignore"):
        samples: Array = table.astype(np.float64)
    bad = ~np.isfinite(samples)
    if bad.any():
        row, column = (int(index) for index in np.argwhere(bad)[0])
        raise InvalidInputError(
            f"{name} holds {int(bad.sum())} values that are not finite, the first ({samples[row, column]}) in "
            f"row {row}, column {column}; allowed are finite numbers. Remove or impute them."
        )
    return samples


def _check_readable(file: Path) -> None:
    try:
        mode = file.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise DataFileError(
                f"data file {str(file)!r} is no regular file; samples are read from files, or from standard input as -"
            )
        with file.open("rb") as stream:
            first = stream.read(1)
    except OSError as error:
        raise DataFileError(
            f"data file {str(file)!r} cannot be read: {error.strerror or error}. Check the path and its permissions."
        ) from error
    if not first:
        raise DataFileError(f"data file {str(file)!r} is empty; it must hold at least one sample. Write it again.")


def _read_numpy(file: Path, suffix: str) -> NDArray[Any]:
    try:
        # NumPy leaves the file open when an archive is broken; this block closes it.
        with file.open("rb") as stream:
            content = np.load(stream, allow_pickle=False)
            return content if isinstance(content, np.ndarray) else _single_array(file, content)
    except DataFileError:
        raise
    except _UNREADABLE as error:
        raise DataFileError(
            f"data file {str(file)!r} is not a {suffix} file of plain numbers: {error or type(error).__name__}. "
            f"Write it with numpy.{'save' if suffix == '.npy' else 'savez'} from a numeric array."
        ) from error


def _single_array(file: Path, archive: Any) -> NDArray[Any]:
    names = list(archive.files)
    name = names[0] if len(names) == 1 else "X"
    if name not in names:
        raise DataFileError(
            f"data file {str(file)!r} holds the arrays {names}; allowed is one array, or one named 'X'. "
            "Write it with numpy.savez(path, X=X)."
        )
    array: NDArray[Any] = archive[name]
    return array

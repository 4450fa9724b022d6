"""Results written as a page or as JSON, chosen by the ending of the file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hermite_dual.data.atomic import atomic_path, check_writable
from hermite_dual.data.json_files import write_json
from hermite_dual.errors import DataFileError, InvalidInputError

_ENDINGS = (".html", ".json")


def check_target(path: str | os.PathLike[str]) -> None:
    """Make sure, before a long run, that a result can be written to a file.

    Args:
        path: the file.

    Raises:
        InvalidInputError: The ending names no format.
        DataFileError: The folder cannot be made or written.
    """
    check_writable(_checked(path))


def save_result(path: str | os.PathLike[str], page: Callable[[], str], content: Callable[[], dict[str, Any]]) -> Path:
    """Write a page or JSON; the file is complete or absent.

    Args:
        path: ends in .html or .json.
        page: makes the page.
        content: makes the content of the JSON file.

    Returns:
        The path.

    Raises:
        InvalidInputError: The ending names another format.
        DataFileError: The file cannot be written.
    """
    target = _checked(path)
    if target.suffix == ".json":
        write_json(target, content())
        return target
    text = page()
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    return target


def _checked(path: str | os.PathLike[str]) -> Path:
    target = Path(path)
    if target.suffix not in _ENDINGS:
        raise InvalidInputError(
            f"file {str(path)!r}: the ending tells the format; allowed are {' and '.join(_ENDINGS)}. "
            "Pass for instance report.html."
        )
    if target.is_dir():
        raise DataFileError(f"file {str(path)!r} cannot be written: it is a folder. Name a file in it.")
    return target

"""Results written as JSON, a file complete or absent."""

import json
import math
import os
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from hermite_dual.data.atomic import atomic_path
from hermite_dual.errors import DataFileError

_LONGEST = 2**20  # bytes of a file that is read: results that say something are shorter


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write a JSON file atomically; NaN and infinities, which JSON lacks, become null.

    Args:
        path: the file.
        content: dictionaries, lists, strings, numbers (of NumPy as well), booleans and None.

    Raises:
        DataFileError: The file cannot be written.
    """
    text = json.dumps(plain(content), indent=2, allow_nan=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def plain(value: Any) -> Any:
    """Return the value as JSON can hold it: arrays as lists, outcomes as words, what is not finite as None."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_json(path: str | os.PathLike[str], remedy: str) -> Any:
    """Read JSON as the standard has it: no key twice, no NaN.

    Args:
        path: the file, of a megabyte at most.
        remedy: what to give instead, as the end of an error's sentence.

    Raises:
        DataFileError: the file cannot be read, or is not JSON.
    """
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise ValueError(f"it is longer than {_LONGEST} bytes")
        return json.loads(content, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except OSError as error:
        raise DataFileError(f"the certificate {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataFileError(f"{path} is not JSON: {error}; {remedy}") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the key {twice!r} stands there twice")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")

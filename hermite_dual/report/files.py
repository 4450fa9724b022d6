"""Results written so that a file is complete or absent."""

import json
import math
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hermite_dual.errors import DataFileError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path in the same folder that becomes `path` when the block ends without an error.

    A reader sees the whole file or the file that was there before, also when the disk is full or the run is
    interrupted. Missing folders are made.

    Args:
        path: The file to be written.

    Yields:
        The path to write to, with the same extension.

    Raises:
        DataFileError: The folder cannot be made or the file cannot be written.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.stem}-{secrets.token_hex(6)}{target.suffix}")
        yield temporary
        temporary.replace(target)
    except DataFileError:
        raise
    except OSError as error:
        raise DataFileError(
            f"file {str(target)!r} cannot be written: {error.strerror or error}. "
            "Check free space and permissions, or name another folder."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write a JSON file atomically; NaN and infinities, which JSON lacks, become null.

    Args:
        path: The file.
        content: Dictionaries, lists, strings, numbers (of NumPy as well), booleans and None.

    Raises:
        DataFileError: The file cannot be written.
    """
    text = json.dumps(plain(content), indent=2, allow_nan=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def plain(value: Any) -> Any:
    """Return the value as JSON can hold it: NumPy as lists and numbers, NaN and infinities as None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

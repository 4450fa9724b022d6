"""Results written as JSON, a file complete or absent."""

import json
import math
import os
from enum import Enum
from typing import Any

import numpy as np

from hermite_dual.data.atomic import atomic_path


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

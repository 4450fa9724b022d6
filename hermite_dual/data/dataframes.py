"""Rows as a pandas table; pandas is loaded here alone, and only when it is asked for."""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def dataframe(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Any:
    """Return a `pandas.DataFrame`.

    Args:
        rows: values by the names of the columns.
        columns: the names, in order.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as error:
        raise ImportError("to_dataframe() needs pandas: pip install pandas; rows without it are list(table)") from error
    return pandas.DataFrame([dict(row) for row in rows], columns=list(columns))

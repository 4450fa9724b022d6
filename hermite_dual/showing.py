"""The one door from results to the report that shows them.

A result saves and draws itself, which is what people look for; how it looks is known to `hermite_dual.report` alone,
which stands above all results. This is the only import that points up, and it waits for the call.
"""

import os
from importlib import import_module
from pathlib import Path
from typing import Any


def save(result: Any, path: str | os.PathLike[str], **options: Any) -> Path:
    """Write a result as a page or as JSON; see `hermite_dual.report.shown.save`."""
    return Path(_shown().save(result, path, **options))


def plot(result: Any, **options: Any) -> Any:
    """Draw a result; see `hermite_dual.report.shown.figure`."""
    return _shown().figure(result, **options)


def _shown() -> Any:
    return import_module("hermite_dual.report.shown")

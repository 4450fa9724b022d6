"""The libraries of the extra `distributed`, loaded where they are used."""

import importlib
from typing import Any


def library(name: str) -> Any:
    """Import a module of the extra `distributed`.

    Args:
        name: name of the module.

    Raises:
        ImportError: It is not installed; the message names the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f'{name} is needed for work beyond one process\'s memory: pip install "hermite-dual[distributed]"'
        ) from error

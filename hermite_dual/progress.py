"""How long computations tell how far they are."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Takes what is being done, and how many of how many parts of it are finished."""


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""

"""A progress bar of blocks with their throughput and the time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from hermite_dual.commands.shared import say

_PERIOD = 120.0
"""Seconds over which speed is averaged: a block may take several."""


class Throughput(ProgressColumn):
    """Blocks, bytes and entries a second.

    Args:
        entries: of a block, on average.
        size: bytes of a block, on average.
    """

    def __init__(self, entries: float, size: float) -> None:
        super().__init__()
        self._entries, self._size = entries, size

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.2g} blocks/s, {speed * self._size / 1e6:.3g} MB/s, {speed * self._entries:.2g} entries/s")


@contextmanager
def throughput_bar(
    entries: float, size: float
) -> Iterator[tuple[Callable[[str, int, int], None], Callable[[str], None]]]:
    """Show a bar on a terminal, nothing in a pipe.

    Args:
        entries: of a block, on average.
        size: bytes of a block, on average.

    Returns:
        What is to be called with what is done, how many and of how many; and what prints a line above the bar.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        Throughput(entries, size),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal, speed_estimate_period=_PERIOD
    ) as bar:
        task = bar.add_task("reading samples", total=None)
        shown = "reading samples"

        def report(what: str, done: int, total: int) -> None:
            nonlocal shown
            if what != shown or done < bar.tasks[0].completed:
                shown = what
                bar.reset(task, description=what, total=total)
            bar.update(task, completed=done, total=total)

        def say_beside(text: str) -> None:
            # what is printed beside a bar goes above it only where both use the same terminal
            with bar_paused(bar):
                say(text)

        yield report, say_beside


@contextmanager
def bar_paused(bar: Progress) -> Iterator[None]:
    """Take the bar away for a moment."""
    bar.stop()
    try:
        yield
    finally:
        bar.start()

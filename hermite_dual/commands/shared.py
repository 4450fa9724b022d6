"""What all commands share: exit codes, errors as one line, progress."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

EXIT_DISAGREE, EXIT_ERROR, EXIT_UNDECIDED, EXIT_INTERRUPTED = 1, 2, 3, 130


@contextmanager
def errors_to_exit_codes() -> Iterator[None]:
    """Turn errors raised on purpose and Ctrl-C into one line on stderr and an exit code."""
    from hermite_dual.errors import HermiteDualError

    try:
        yield
    except HermiteDualError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_ERROR) from None
    except KeyboardInterrupt:
        typer.echo("interrupted; no file was left half written", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal, nothing in a pipe."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

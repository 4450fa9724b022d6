"""What all commands share: exit codes, errors as one line, progress, models and samples from options."""

import json
import math
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hermite_dual.arrays import Array
    from hermite_dual.deq import DEQ
    from hermite_dual.outofcore.samples import Samples
    from hermite_dual.progress import Progress

ActivationName = Annotated[str, typer.Option(help="A catalogue name, such as gelu, or a formula in x.")]
FirstRows = Annotated[
    int | None, typer.Option(help="Take the first rows only. Default: 300 digits, or all rows of --data.")
]
Widths = Annotated[str, typer.Option(help="Widths of the networks, separated by commas.")]
Replicas = Annotated[int, typer.Option(help="Networks per width.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same numbers.")]
Results = Annotated[
    list[Path] | None, typer.Option(help="File to write, a page (.html) or every number (.json); may be repeated.")
]
SigmaW = Annotated[float | None, typer.Option(help="Scale of the recurrent weights; excludes --sigma-w2.")]
SigmaW2 = Annotated[float | None, typer.Option(help="s^2 of the papers' convention W ~ N(0, 2 s^2/m). Default: 0.08.")]
Sphere = Annotated[bool, typer.Option(help="Scale the rows to norm sqrt(d), as the papers do.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]

# Rows of the embedded digits that are taken by default: a verdict within seconds.
_DIGITS = 300
# s^2 of the papers' figures.
_PAPERS_SIGMA_W2 = 0.08

EXIT_DISAGREE, EXIT_ERROR, EXIT_UNDECIDED, EXIT_FAILURE, EXIT_INTERRUPTED = 1, 2, 3, 4, 130
"""1 is an answer, REFUTED or DISAGREE, and never a failure."""
debugging = False
"""Whether failures show their traceback: `--debug`."""


@contextmanager
def errors_to_exit_codes(interrupted: str = "no file was left half written") -> Iterator[None]:
    """Turn errors raised on purpose, failures and Ctrl-C into one line on stderr and an exit code.

    Args:
        interrupted: what to say after Ctrl-C.
    """
    from hermite_dual.errors import HermiteDualError

    try:
        yield
        sys.stdout.flush()  # a closed pipe shows here, not when the interpreter ends
    except HermiteDualError as error:
        say(f"error: {error}", err=True)
        raise typer.Exit(EXIT_ERROR) from None
    except KeyboardInterrupt:
        say(f"interrupted; {interrupted}", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(EXIT_FAILURE) from None
    except Exception as error:
        if debugging:
            traceback.print_exc()
        reason = "memory ran out" if isinstance(error, MemoryError) else f"{type(error).__name__}: {error}"
        say(f"failed: {reason}; hermite-dual --debug shows where", err=True)
        raise typer.Exit(EXIT_FAILURE) from None


@contextmanager
def progress_bar() -> "Iterator[Progress]":
    """Show a bar on a terminal, nothing in a pipe."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def model_of(activation: str, sigma_w: float | None, sigma_w2: float | None) -> "DEQ":
    """Return the model of the options; inputs have the papers' scale `sigma_u = sqrt(2)`."""
    import hermite_dual as hd

    if sigma_w is None:
        return hd.DEQ.paper(activation, sigma_w2=_PAPERS_SIGMA_W2 if sigma_w2 is None else sigma_w2)
    if sigma_w2 is not None:
        raise hd.InvalidInputError(
            f"--sigma-w {sigma_w:g} and --sigma-w2 {sigma_w2:g} are both given; allowed is one of them. "
            "They say the same in two conventions: sigma_w = sqrt(2 sigma_w2)."
        )
    return hd.DEQ(activation, sigma_w=sigma_w, sigma_u=math.sqrt(2.0), sigma_b=0.0)


def read_data(path: Path) -> "Array":
    """Read samples from a file, or from standard input where the path is `-`: .npy, .npz or .csv by its content."""
    from hermite_dual.data import read_samples

    if str(path) != "-":
        return read_samples(path)
    content = sys.stdin.buffer.read()
    magic = {b"\x93NUMPY": ".npy", b"PK": ".npz"}
    suffix = next((ending for start, ending in magic.items() if content.startswith(start)), ".csv")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"standard-input{suffix}"
        file.write_bytes(content)
        return read_samples(file)


def what_was_read(source: object, X: "Array | Samples", *, sphere: bool) -> str:
    """Say what an answer is about: file, rows, columns, and whether rows were scaled."""
    rows, columns = X.shape
    scaled = "rows scaled to norm sqrt(d)" if sphere else "rows as they are"
    return f"data: {source}, {rows} rows of {columns} columns, {scaled}"


def samples_of(data: Path | None, samples: int | None) -> "tuple[Array, str]":
    """Return the first rows of the data, 300 digits by default, and where they come from."""
    from hermite_dual.data import load_digits
    from hermite_dual.errors import InvalidInputError

    X, source = (
        (load_digits()[0], "handwritten digits, on the sphere")
        if data is None
        else (read_data(data), f"{'standard input' if str(data) == '-' else data.name}, on the sphere")
    )
    rows = samples if samples is not None else (_DIGITS if data is None else len(X))
    if not 1 <= rows <= len(X):
        raise InvalidInputError(
            f"--samples {rows}: allowed are whole numbers from 1 to {len(X)}, the number of rows. Pass a smaller one."
        )
    return X[:rows], source


def names_of(text: str) -> list[str]:
    """Read names and formulas separated by commas; commas inside parentheses belong to a formula."""
    names, depth = [""], 0
    for sign in text:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            names.append("")
        else:
            names[-1] += sign
    return [name.strip() for name in names]


def widths_of(text: str) -> tuple[int, ...]:
    """Read widths separated by commas."""
    from hermite_dual.errors import InvalidInputError

    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError:
        raise InvalidInputError(
            f"--widths {text!r}: allowed are whole numbers separated by commas. Pass for instance 256,512,1024."
        ) from None


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path | None], *, force: bool) -> None:
    """Make sure, before anything is computed, that files can be written and that none is lost.

    Args:
        outputs: files to be written.
        inputs: files that are read, None for what is not given.
        force: whether files that exist may be replaced.

    Raises:
        InvalidInputError: A file is an input, or exists and is not to be replaced.
        DataFileError: A file cannot be written.
    """
    from hermite_dual.data.atomic import check_writable
    from hermite_dual.errors import InvalidInputError

    read = [path for path in inputs if path is not None and path.exists()]
    for output in outputs:
        if output.exists() and any(output.samefile(path) for path in read):
            raise InvalidInputError(f"file {str(output)!r} is read by this command and would be lost: name another one")
        check_writable(output)
        if output.exists() and not force:
            raise InvalidInputError(f"file {str(output)!r} exists: name another one, or replace it with --force")


def check_results(outputs: list[Path] | None, inputs: Iterable[Path | None], *, force: bool) -> list[Path]:
    """Return the files of `--output` after the same checks, and that their endings name a format."""
    from hermite_dual.report.save import check_target

    files = outputs or []
    check_outputs(files, inputs, force=force)
    for file in files:
        check_target(file)
    return files


def say(text: str, *, err: bool = False) -> None:
    """Print text, control characters of names and cells as their escapes: terminals obey them."""
    shown = "".join(sign if sign.isprintable() or sign == "\n" else _escaped(sign) for sign in text)
    typer.echo(shown, err=err)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")


def print_json(content: dict[str, Any]) -> None:
    """Print JSON; NaN and infinities, which JSON lacks, become null."""
    from hermite_dual.data.json_files import plain

    say(json.dumps(plain(content), indent=2, allow_nan=False))

"""What all commands share: exit codes, errors as one line, progress, models and samples from options."""

import json
import math
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hermite_dual.arrays import Array
    from hermite_dual.deq import DEQ
    from hermite_dual.mlp import MLP
    from hermite_dual.outofcore.samples import Samples
    from hermite_dual.population.gram import Gram
    from hermite_dual.progress import Progress

ActivationName = Annotated[
    str | None,
    typer.Argument(metavar="ACTIVATION", help="A catalogue name, such as gelu, or a formula in x. Default: tanh."),
]
FormerActivation = Annotated[str | None, typer.Option("--activation", hidden=True)]
FormerData = Annotated[str | None, typer.Option("--data", hidden=True)]
DataName = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        help="Samples, one per row: .npy, .npz or .csv; - reads standard input. Default: digits, the embedded ones.",
    ),
]
FirstRows = Annotated[
    int | None, typer.Option(help="Take the first rows only. Default: 300 digits, or all rows of --data.")
]
Widths = Annotated[str, typer.Option(help="Widths of the networks, separated by commas.")]
Replicas = Annotated[int, typer.Option(help="Networks per width.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same numbers.")]
Results = Annotated[
    list[Path] | None, typer.Option(help="File to write, a page (.html) or every number (.json); may be repeated.")
]
SigmaW = Annotated[
    float | None, typer.Option(help="Scale of the recurrent weights, W ~ N(0, sigma_w^2/m); excludes --sigma-w2.")
]
SigmaU = Annotated[
    float | None, typer.Option(help="Scale of the input weights, U ~ N(0, sigma_u^2/d). Default: sqrt(2).")
]
SigmaB = Annotated[float | None, typer.Option(help="Scale of the biases. Default: 0, none.")]
Depth = Annotated[int | None, typer.Option(help="Number of layers; by default the equilibrium.", min=0)]
Layers = Annotated[
    int | None,
    typer.Option(
        "--mlp",
        metavar="LAYERS",
        min=1,
        help="In place of the equilibrium model, a multilayer network with so many hidden layers, hermite_dual.MLP.",
    ),
]
SigmaW2 = Annotated[float | None, typer.Option(help="s^2 of the papers' convention W ~ N(0, 2 s^2/m). Default: 0.08.")]
Sphere = Annotated[bool, typer.Option(help="Scale the rows to norm sqrt(d), as the papers do.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]

DIGITS = "digits"
"""By which the embedded digits go where data are named, unless a file has that name."""
_ARGUMENTS = {"widths: width": "widths", "width": "widths"} | {
    name: name
    for name in (
        *("sigma_w2", "sigma_w", "sigma_u", "sigma_b", "depth", "widths", "replicas", "seed", "samples", "inputs"),
        *("epochs", "step", "error_probability", "memory", "block", "columns", "coefficients", "digits"),
    )
}
"""Arguments of the library that errors name, and the options that set them."""
_ASSIGNED = re.compile(
    rf"(?<![\w.-])(?P<name>{'|'.join(sorted(_ARGUMENTS, key=len, reverse=True))}) ?= ?"
    r"(?P<value>\([^()]*\)|'[^']*'|-?\d[\w.+-]*(?<!\.)|-?(?:inf|nan)\b)"
)
# Rows of the embedded digits that are taken by default: a verdict within seconds.
_DIGITS = 300
_DATA_ENDINGS = (".npy", ".npz", ".csv", ".zarr")
"""By which a single word is taken for data and not for an activation."""
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
        say(f"error: {as_options(str(error))}", err=True)
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


def as_options(message: str) -> str:
    """Name options where an error of the library names arguments: `--seed -1` for `seed=-1`."""

    def option(match: re.Match[str]) -> str:
        name, value = match["name"], match["value"]
        typed = value[1:-1].strip(", ").replace(" ", "") if value[0] == "(" else value
        return f"--{_ARGUMENTS.get(name, name).replace('_', '-')} {typed}"

    return _ASSIGNED.sub(option, message)


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


@dataclass(frozen=True)
class ModelOptions:
    """The options that name a model, None where they are not given.

    Attributes:
        sigma_w2: s^2 of the papers' convention.
        sigma_w: scale of the recurrent weights, or of all weights of a multilayer network.
        sigma_u: scale of the input weights.
        sigma_b: scale of the biases.
        depth: number of layers that share their weights; the equilibrium by default.
        layers: hidden layers of a multilayer network, in place of the equilibrium model.
    """

    sigma_w2: float | None = None
    sigma_w: float | None = None
    sigma_u: float | None = None
    sigma_b: float | None = None
    depth: int | None = None
    layers: int | None = None

    def model(self, activation: str) -> "DEQ | MLP":
        """Return the model; by default `s^2 = 0.08` and the papers' inputs, `sigma_u = sqrt(2)`, no bias."""
        return self.equilibrium(activation) if self.layers is None else self._mlp(activation)

    def equilibrium(self, activation: str) -> "DEQ":
        """Return the equilibrium model, whatever `layers` is."""
        import hermite_dual as hd

        if self.sigma_w2 is not None and self.sigma_w is not None:
            raise hd.InvalidInputError(
                f"--sigma-w {self.sigma_w:g} and --sigma-w2 {self.sigma_w2:g} are both given; allowed is one of them. "
                "They say the same in two conventions: sigma_w = sqrt(2 sigma_w2)."
            )
        if self.sigma_w is None:
            model = hd.DEQ.paper(activation, _PAPERS_SIGMA_W2 if self.sigma_w2 is None else self.sigma_w2)
        else:
            model = hd.DEQ(activation, self.sigma_w, math.sqrt(2.0))
        others = {"sigma_u": self.sigma_u, "sigma_b": self.sigma_b}
        model = model.replace(**{name: value for name, value in others.items() if value is not None})
        if self.depth is None:
            self._check_contraction(model)
        return model

    def gram(self, model: Any, X: "Array") -> "Gram":
        """Return the population Gram matrix of the model that the options name."""
        gram: Gram = model.gram(X) if self.layers is not None else model.gram(X, depth=self.depth)
        return gram

    def _mlp(self, activation: str) -> "MLP":
        import hermite_dual as hd

        strangers = {"--sigma-w2": self.sigma_w2, "--sigma-u": self.sigma_u, "--depth": self.depth}
        if given := [name for name, value in strangers.items() if value is not None]:
            raise hd.InvalidInputError(
                f"{', '.join(given)} with --mlp {self.layers}: a multilayer network has one scale for the weights of "
                "all layers, --sigma-w (default 1), and --sigma-b; its depth is the number behind --mlp."
            )
        scale = 1.0 if self.sigma_w is None else self.sigma_w
        return hd.MLP(activation, self.layers, scale, 0.0 if self.sigma_b is None else self.sigma_b)

    def _check_contraction(self, model: "DEQ") -> None:
        from hermite_dual.errors import InvalidInputError

        constant = model.activation.lipschitz
        if model.sigma_w == 0.0 or model.sigma_w * constant < 1.0:
            return
        layers = "or take finitely many layers with --depth, or --mlp, where the command has them"
        if math.isinf(constant):
            raise InvalidInputError(
                f"activation {model.activation.name} has no Lipschitz constant, so that no --sigma-w above 0 "
                f"guarantees an equilibrium: take another activation, {layers}."
            )
        typed = f"--sigma-w {self.sigma_w:g}" if self.sigma_w2 is None else f"--sigma-w2 {self.sigma_w2:g}"
        raise InvalidInputError(
            f"{typed} is too large for {model.activation.name}: the Lipschitz constant L = {constant:g} gives "
            f"sigma_w L = {model.sigma_w * constant:g}, and the equilibrium is guaranteed to exist and be unique only "
            f"for sigma_w L < 1. Take --sigma-w2 below {0.5 / constant**2:.6g} (--sigma-w below "
            f"{1.0 / constant:.6g}), {layers}."
        )


def model_text(model: "DEQ | MLP", depth: int | None = None) -> str:
    """Say which model an answer is about, by the arguments of the Python class."""
    parameters = model.parameters()
    names = [name for name in ("depth", "sigma_w", "sigma_u", "sigma_b") if name in parameters]
    numbers = [f"{name} = {parameters[name]:.6g}" for name in names] + ([] if depth is None else [f"depth = {depth}"])
    return f"model: {type(model).__name__}, {parameters['activation']}, {', '.join(numbers)}"


def activation_and_data(
    first: str | None, second: str | None, activation: str | None, data: str | None
) -> tuple[str, Path | None]:
    """Read ACTIVATION DATA, either of which may be left out; `--activation` and `--data` are their former spelling.

    Args:
        first: the first word.
        second: the second one.
        activation: what `--activation` says.
        data: what `--data` says.

    Returns:
        The activation, tanh by default, and the data, None by default.
    """
    from hermite_dual.errors import InvalidInputError

    if second is None and first is not None and (activation is not None or _names_data(first)):
        first, second = None, first
    for option, words in (("--activation", (first, activation)), ("--data", (second, data))):
        if None not in words:
            raise InvalidInputError(f"{words[0]!r} and {option} {words[1]!r} say the same twice: leave out {option}")
    source = data if second is None else second
    return first or activation or "tanh", None if source is None else Path(source)


def _names_data(word: str) -> bool:
    return word in ("-", DIGITS) or Path(word).suffix.lower() in _DATA_ENDINGS or Path(word).exists()


def read_data(path: Path) -> "Array":
    """Read samples from a file, from standard input where the path is `-`, or the embedded ones named `digits`."""
    from hermite_dual.data import load_digits, read_samples

    if str(path) == DIGITS and not path.exists():
        return load_digits()[0]
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
    from hermite_dual.errors import InvalidInputError

    path = Path(DIGITS) if data is None else data
    X = read_data(path)
    embedded = str(path) == DIGITS and not path.exists()
    source = "handwritten digits" if embedded else "standard input" if str(path) == "-" else path.name
    rows = samples if samples is not None else (_DIGITS if embedded else len(X))
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

"""The command line: `hermite-dual demo`, `check`, `verify`.

Heavy packages are imported inside the commands, so that `--help` answers at once.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hermite_dual.commands.check import check, verify
from hermite_dual.commands.shared import EXIT_DISAGREE, errors_to_exit_codes, progress_bar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Rows of the embedded digits that the demo takes: a verdict within seconds.
_DEMO_SAMPLES = 300
# s^2 of the papers' figures.
_DEMO_SIGMA_W2 = 0.08

app = typer.Typer(
    help="Dual kernels, Gram matrices of infinitely wide deep equilibrium models, and networks that check them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


app.command()(check)
app.command()(verify)


@app.command()
def demo(
    *,
    activation: Annotated[str, typer.Option(help="A catalogue name, such as gelu, or a formula in x.")] = "tanh",
    data: Annotated[
        Path | None, typer.Option(help="Samples, one per row: .npy, .npz or .csv. Default: digits.")
    ] = None,
    sigma_w: Annotated[float | None, typer.Option(help="Scale of the recurrent weights; excludes --sigma-w2.")] = None,
    sigma_w2: Annotated[
        float | None, typer.Option(help="s^2 of the papers' convention W ~ N(0, 2 s^2/m). Default: 0.08.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(help="Take the first rows only. Default: 300 digits, or all rows of --data.")
    ] = None,
    widths: Annotated[str, typer.Option(help="Widths of the networks, separated by commas.")] = "256,512,1024",
    replicas: Annotated[int, typer.Option(help="Networks per width.")] = 8,
    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.")] = 0,
    output: Annotated[Path, typer.Option(help="Folder for figures and demo.json.")] = Path("hermite-dual-demo"),
) -> None:
    """Go from an activation to a verdict: dual kernel, population Gram matrix, finite networks."""
    with errors_to_exit_codes():
        from rich.console import Console

        import hermite_dual as hd
        from hermite_dual.report.demo import run_demo, write_demo
        from hermite_dual.report.summary import print_summary

        model = _model(activation, sigma_w, sigma_w2)
        X, source = _samples(data, samples)
        with progress_bar("networks") as progress:
            result = run_demo(
                hd.dual(activation),
                model,
                hd.on_sphere(X),
                data=source,
                widths=_widths(widths),
                replicas=replicas,
                seed=seed,
                progress=progress,
            )
        files = write_demo(result, output)
        console = Console()
        # In a pipe there is no width to adapt to.
        print_summary(result, files, console if console.is_terminal else Console(width=110))
        if result.report.verdict is hd.Verdict.DISAGREE:
            raise typer.Exit(EXIT_DISAGREE)


def _model(activation: str, sigma_w: float | None, sigma_w2: float | None) -> Any:
    import hermite_dual as hd

    if sigma_w is None:
        return hd.DEQ.paper(activation, sigma_w2=_DEMO_SIGMA_W2 if sigma_w2 is None else sigma_w2)
    if sigma_w2 is not None:
        raise hd.InvalidInputError(
            f"--sigma-w {sigma_w:g} and --sigma-w2 {sigma_w2:g} are both given; allowed is one of them. "
            "They say the same in two conventions: sigma_w = sqrt(2 sigma_w2)."
        )
    return hd.DEQ(activation, sigma_w=sigma_w, sigma_u=math.sqrt(2.0), sigma_b=0.0)


def _samples(data: Path | None, samples: int | None) -> "tuple[NDArray[np.float64], str]":
    from hermite_dual.data import load_digits, read_samples
    from hermite_dual.errors import InvalidInputError

    X, source = (
        (load_digits()[0], "handwritten digits, on the sphere")
        if data is None
        else (read_samples(data), f"{data.name}, on the sphere")
    )
    rows = samples if samples is not None else (_DEMO_SAMPLES if data is None else len(X))
    if not 1 <= rows <= len(X):
        raise InvalidInputError(
            f"--samples {rows}: allowed are whole numbers from 1 to {len(X)}, the number of rows. Pass a smaller one."
        )
    return X[:rows], source


def _widths(text: str) -> tuple[int, ...]:
    from hermite_dual.errors import InvalidInputError

    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InvalidInputError(
            f"--widths {text!r}: allowed are whole numbers separated by commas. Pass for instance 256,512,1024."
        ) from None


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()

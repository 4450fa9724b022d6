"""`hermite-dual demo`: from an activation to a verdict, with figures and every number."""

from pathlib import Path
from typing import Annotated

import typer

from hermite_dual.commands.shared import (
    EXIT_DISAGREE,
    ActivationName,
    FirstRows,
    Replicas,
    Seed,
    SigmaW,
    SigmaW2,
    Widths,
    errors_to_exit_codes,
    model_of,
    progress_bar,
    samples_of,
    widths_of,
)


def demo(
    *,
    activation: ActivationName = "tanh",
    data: Annotated[
        Path | None, typer.Option(help="Samples, one per row: .npy, .npz or .csv. Default: digits.")
    ] = None,
    sigma_w: SigmaW = None,
    sigma_w2: SigmaW2 = None,
    samples: FirstRows = None,
    widths: Widths = "256,512,1024",
    replicas: Replicas = 8,
    seed: Seed = 0,
    output: Annotated[Path, typer.Option(help="Folder for figures and demo.json.")] = Path("hermite-dual-demo"),
) -> None:
    """Go from an activation to a verdict: dual kernel, population Gram matrix, finite networks."""
    with errors_to_exit_codes():
        from rich.console import Console

        import hermite_dual as hd
        from hermite_dual.report.demo import run_demo, write_demo
        from hermite_dual.report.summary import print_summary

        model = model_of(activation, sigma_w, sigma_w2)
        X, source = samples_of(data, samples)
        with progress_bar() as progress:
            result = run_demo(
                hd.dual(activation),
                model,
                hd.on_sphere(X),
                data=source,
                widths=widths_of(widths),
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

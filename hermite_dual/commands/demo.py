"""`hermite-dual demo`: from an activation to a verdict, with figures and every number."""

from pathlib import Path
from typing import Annotated

import typer

from hermite_dual.commands.shared import (
    EXIT_DISAGREE,
    ActivationName,
    DataName,
    FirstRows,
    FormerActivation,
    FormerData,
    ModelOptions,
    Replicas,
    Seed,
    SigmaB,
    SigmaU,
    SigmaW,
    SigmaW2,
    Widths,
    activation_and_data,
    errors_to_exit_codes,
    progress_bar,
    samples_of,
    widths_of,
)


def demo(
    activation: ActivationName = None,
    data: DataName = None,
    *,
    former_activation: FormerActivation = None,
    former_data: FormerData = None,
    sigma_w2: SigmaW2 = None,
    sigma_w: SigmaW = None,
    sigma_u: SigmaU = None,
    sigma_b: SigmaB = None,
    samples: FirstRows = None,
    widths: Widths = "256,512,1024",
    replicas: Replicas = 8,
    seed: Seed = 0,
    output: Annotated[Path, typer.Option(help="Folder for figures and demo.json.")] = Path("hermite-dual-demo"),
) -> None:
    """Go from an activation to a verdict: dual kernel, population Gram matrix, finite networks.

    Example: `hermite-dual demo gelu X.npy --output folder`
    """
    with errors_to_exit_codes():
        from rich.console import Console

        import hermite_dual as hd
        from hermite_dual.report.demo import run_demo, write_demo
        from hermite_dual.report.summary import print_summary

        phi, path = activation_and_data(activation, data, former_activation, former_data)
        model = ModelOptions(sigma_w2, sigma_w, sigma_u, sigma_b).equilibrium(phi)
        X, source = samples_of(path, samples)
        with progress_bar() as progress:
            result = run_demo(
                hd.dual(phi),
                model,
                hd.on_sphere(X),
                data=f"{source}, rows scaled to norm sqrt(d)",
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

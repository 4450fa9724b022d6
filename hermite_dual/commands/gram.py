"""`hermite-dual gram`: the population Gram matrix of a data file, written to a file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hermite_dual.commands.shared import (
    Json,
    SigmaW,
    SigmaW2,
    Sphere,
    errors_to_exit_codes,
    model_of,
    print_json,
    read_data,
)


def gram(
    data: Annotated[Path, typer.Argument(help="Samples, one per row: .npy, .npz or .csv; - reads standard input.")],
    *,
    out: Annotated[Path, typer.Option(help="Where the matrix goes, a .npy file.")] = Path("gram.npy"),
    activation: Annotated[str, typer.Option(help="A catalogue name, such as gelu, or a formula in x.")] = "tanh",
    sigma_w: SigmaW = None,
    sigma_w2: SigmaW2 = None,
    sphere: Sphere = True,
    depth: Annotated[int | None, typer.Option(help="Number of layers; by default the equilibrium.", min=0)] = None,
    proof: Annotated[bool, typer.Option(help="Prove the entries' error and enclose the least eigenvalue.")] = False,
    as_json: Json = False,
) -> None:
    """Compute the population Gram matrix of the samples and write it as float64.

    Example: `hermite-dual gram X.npy --activation gelu --sigma-w2 0.05 --out K.npy --proof`
    """
    with errors_to_exit_codes():
        import numpy as np

        import hermite_dual as hd
        from hermite_dual.data.atomic import atomic_path

        if out.suffix != ".npy":
            raise hd.InvalidInputError(f"--out {str(out)!r}: the matrix is written as .npy; name a file that ends so")
        samples = read_data(data)
        model = model_of(activation, sigma_w, sigma_w2)
        found = model.gram(hd.on_sphere(samples) if sphere else samples, depth=depth)
        with atomic_path(out) as temporary:
            np.save(temporary, found.matrix)
        facts: dict[str, Any] = {
            "file": str(out),
            "shape": list(found.shape),
            "model": model.parameters(),
            "depth": depth,
            "estimated_error": found.estimated_error,
        }
        if proof:
            least = found.least_eigenvalue()
            facts |= {
                "entry_error": found.entry_error,
                "least_eigenvalue": [least.lower, least.upper],
                "outcome": least.outcome.value,
            }
        if as_json:
            print_json(facts)
            return
        typer.echo(f"wrote {out}: {found.shape[0]} x {found.shape[1]}, estimated error {found.estimated_error:.1e}")
        if proof:
            typer.echo(f"every entry is within {found.entry_error:.2e}; least eigenvalue: {least}")

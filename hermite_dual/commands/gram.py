"""`hermite-dual gram`: the population Gram matrix of a data file, written to a file, or in blocks to a folder."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hermite_dual.commands.shared import (
    ActivationName,
    Force,
    Json,
    SigmaW,
    SigmaW2,
    Sphere,
    check_outputs,
    errors_to_exit_codes,
    model_of,
    print_json,
    read_data,
    say,
    what_was_read,
)
from hermite_dual.commands.stored_gram import StoredOptions, interval_text, read_zarr, stored_gram


def gram(
    data: Annotated[
        Path,
        typer.Argument(help="Samples, one per row: .npy, .npz, .csv or a Zarr array; - reads standard input."),
    ],
    *,
    out: Annotated[
        Path | None, typer.Option(help="Where the matrix goes: a .npy file, or a folder in .zarr. Default: gram.npy.")
    ] = None,
    activation: ActivationName = "tanh",
    sigma_w: SigmaW = None,
    sigma_w2: SigmaW2 = None,
    sphere: Sphere = True,
    depth: Annotated[int | None, typer.Option(help="Number of layers; by default the equilibrium.", min=0)] = None,
    proof: Annotated[bool, typer.Option(help="Prove the entries' error and enclose the least eigenvalue.")] = False,
    memory: Annotated[
        str | None, typer.Option(help="Limit for this process or for each worker, such as 4GB: blocks go to a folder.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a dask scheduler, such as tcp://host:8786, whose workers compute.")
    ] = None,
    block: Annotated[int | None, typer.Option(help="Rows of a block. Default: what the memory holds.", min=1)] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Compute the population Gram matrix of the samples and write it as float64.

    With `--out` in .zarr, or with `--memory`, `--scheduler` or `--block`, it is computed in blocks into a Zarr group,
    for matrices beyond memory; the same command goes on where an interrupted one stopped.

    Examples: `hermite-dual gram X.npy --activation gelu --sigma-w2 0.05 --out K.npy --proof`,
    `hermite-dual gram X.npy --out K.zarr --memory 4GB --proof`
    """
    options = StoredOptions(memory, scheduler, block)
    if options.given or (out is not None and out.suffix == ".zarr"):
        stored_gram(
            data,
            Path("gram.zarr") if out is None else out,
            lambda: model_of(activation, sigma_w, sigma_w2),
            options,
            sphere=sphere,
            depth=depth,
            proof=proof,
            as_json=as_json,
        )
        return
    with errors_to_exit_codes():
        import numpy as np

        import hermite_dual as hd
        from hermite_dual.data.atomic import atomic_path

        file = Path("gram.npy") if out is None else out
        if file.suffix != ".npy":
            raise hd.InvalidInputError(
                f"--out {str(file)!r}: the matrix is written as .npy, or in blocks as .zarr; name a file that ends so"
            )
        check_outputs([file], [data], force=force)
        samples = read_data(data) if not data.is_dir() else read_zarr(data)
        model = model_of(activation, sigma_w, sigma_w2)
        kernel = model.gram(hd.on_sphere(samples) if sphere else samples, depth=depth)
        with atomic_path(file) as temporary:
            np.save(temporary, kernel.matrix)
        facts: dict[str, Any] = {
            "file": str(file),
            "shape": list(kernel.shape),
            "samples": list(samples.shape),
            "rows": "scaled to norm sqrt(d)" if sphere else "as given",
            "model": model.parameters(),
            "depth": depth,
            "estimated_error": kernel.estimated_error,
        }
        if proof:
            least = kernel.least_eigenvalue()
            facts |= {
                "entry_error": kernel.entry_error,
                "least_eigenvalue": [least.lower, least.upper],
                "outcome": least.outcome.value,
            }
        if as_json:
            print_json(facts)
            return
        say(f"wrote {file}: {kernel.shape[0]} x {kernel.shape[1]}, estimated error {kernel.estimated_error:.1e}")
        say(what_was_read(data, samples, sphere=sphere))
        if proof:
            say(f"every entry is within {kernel.entry_error:.2e}; {interval_text(least)}")

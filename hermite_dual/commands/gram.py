"""`hermite-dual gram`: the population Gram matrix of a data file, written to a file, or in blocks to a folder."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hermite_dual.commands.shared import (
    ActivationName,
    Depth,
    Force,
    FormerActivation,
    Json,
    Layers,
    ModelOptions,
    SigmaB,
    SigmaU,
    SigmaW,
    SigmaW2,
    Sphere,
    activation_and_data,
    check_outputs,
    errors_to_exit_codes,
    model_text,
    print_json,
    read_data,
    say,
    what_was_read,
)
from hermite_dual.commands.stored_gram import StoredOptions, interval_text, read_zarr, stored_gram


def gram(
    activation: ActivationName = None,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Samples, one per row: .npy, .npz, .csv or a Zarr array; - reads standard input, digits are embedded.",
        ),
    ] = None,
    *,
    former_activation: FormerActivation = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the matrix goes: a .npy file, or a folder in .zarr. Default: gram.npy.")
    ] = None,
    sigma_w2: SigmaW2 = None,
    sigma_w: SigmaW = None,
    sigma_u: SigmaU = None,
    sigma_b: SigmaB = None,
    depth: Depth = None,
    mlp: Layers = None,
    sphere: Sphere = True,
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

    Examples: `hermite-dual gram gelu X.npy --sigma-w2 0.05 --out K.npy --proof`,
    `hermite-dual gram tanh X.npy --out K.zarr --memory 4GB --proof`,
    `hermite-dual gram relu X.npy --mlp 3 --sigma-w 1.4142 --sigma-b 0.1`
    """
    scales = ModelOptions(sigma_w2, sigma_w, sigma_u, sigma_b, depth, mlp)
    options = StoredOptions(memory, scheduler, block)
    with errors_to_exit_codes():
        phi, source = _words(activation, data, former_activation)
    if options.given or (out is not None and out.suffix == ".zarr"):
        stored_gram(
            source,
            Path("gram.zarr") if out is None else out,
            lambda: scales.model(phi),
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
        check_outputs([file], [source], force=force)
        samples = read_data(source) if not source.is_dir() else read_zarr(source)
        model = scales.model(phi)
        kernel = scales.gram(model, hd.on_sphere(samples) if sphere else samples)
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
        say(model_text(model, depth))
        say(what_was_read(source, samples, sphere=sphere))
        if proof:
            say(f"every entry is within {kernel.entry_error:.2e}; {interval_text(least)}")


def _words(activation: str | None, data: str | None, former: str | None) -> tuple[str, Path]:
    from hermite_dual.errors import InvalidInputError

    phi, source = activation_and_data(activation, data, former, None)
    if source is None:
        raise InvalidInputError(f"samples are missing: write gram {phi} X.npy, or gram {phi} digits for the embedded")
    return phi, source

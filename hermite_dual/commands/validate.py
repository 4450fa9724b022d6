"""`hermite-dual validate`: finite networks held against a population Gram matrix, the model's or a given one."""

from pathlib import Path
from typing import Annotated

import typer

from hermite_dual.commands.shared import (
    DIGITS,
    EXIT_DISAGREE,
    EXIT_UNDECIDED,
    ActivationName,
    DataName,
    FirstRows,
    Force,
    FormerActivation,
    FormerData,
    Json,
    Layers,
    ModelOptions,
    Replicas,
    Results,
    Seed,
    SigmaB,
    SigmaU,
    SigmaW,
    SigmaW2,
    Sphere,
    Widths,
    activation_and_data,
    check_results,
    errors_to_exit_codes,
    model_text,
    progress_bar,
    read_data,
    samples_of,
    say,
    what_was_read,
    widths_of,
)

_CODES = {"AGREE": 0, "DISAGREE": EXIT_DISAGREE, "INCONCLUSIVE": EXIT_UNDECIDED}


def validate(
    activation: ActivationName = None,
    data: DataName = None,
    *,
    former_activation: FormerActivation = None,
    former_data: FormerData = None,
    samples: FirstRows = None,
    sphere: Sphere = True,
    sigma_w2: SigmaW2 = None,
    sigma_w: SigmaW = None,
    sigma_u: SigmaU = None,
    sigma_b: SigmaB = None,
    mlp: Layers = None,
    population: Annotated[
        Path | None, typer.Option(help="A matrix to hold against the networks in place of the model's own.")
    ] = None,
    widths: Widths = "256,512,1024",
    replicas: Replicas = 8,
    seed: Seed = 0,
    error_probability: Annotated[
        float, typer.Option(help="Of each of two stages, which both must reject for DISAGREE.")
    ] = 0.01,
    store: Annotated[
        Path | None, typer.Option(help="Folder that keeps finished networks, so that an interrupted run goes on.")
    ] = None,
    output: Results = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Hold finite networks against theory: AGREE (exit code 0), DISAGREE (1) or INCONCLUSIVE (3).

    With `--store`, the same command goes on where an interrupted one stopped, with the same numbers.

    Example: `hermite-dual validate gelu --store networks --output report.html`
    """
    with errors_to_exit_codes(_after_interrupt(store)):
        import hermite_dual as hd

        phi, source = activation_and_data(activation, data, former_activation, former_data)
        files = check_results(output, [source, population], force=force)
        model = ModelOptions(sigma_w2, sigma_w, sigma_u, sigma_b, layers=mlp).model(phi)
        X, _ = samples_of(source, samples)
        matrix = None if population is None else read_data(population)
        with progress_bar() as progress:
            report = model.validate(
                hd.on_sphere(X) if sphere else X,
                widths=widths_of(widths),
                replicas=replicas,
                seed=seed,
                population=matrix,
                error_probability=error_probability,
                store=store,
                progress=progress,
            )
        for file in files:
            report.save(file)
        say(report.to_json() if as_json else str(report))
        say(model_text(model), err=as_json)
        say(what_was_read(source or DIGITS, X, sphere=sphere), err=as_json)
        for file in files:
            say(f"wrote {file}", err=as_json)
        if code := _CODES[report.verdict.value]:
            raise typer.Exit(code)


def _after_interrupt(store: Path | None) -> str:
    if store is None:
        return "nothing was written. With --store FOLDER finished networks are kept, and the same command goes on"
    return f"finished networks are in {store}. Run the same command again: it goes on there, with the same numbers"

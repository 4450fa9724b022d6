"""`hermite-dual train`: gradient descent on finite networks, and the theorem's claims held against every epoch."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hermite_dual.commands.shared import (
    EXIT_DISAGREE,
    EXIT_INTERRUPTED,
    EXIT_UNDECIDED,
    Force,
    Json,
    Results,
    Seed,
    SigmaW,
    SigmaW2,
    Sphere,
    Widths,
    check_outputs,
    check_results,
    errors_to_exit_codes,
    names_of,
    print_json,
    progress_bar,
    read_data,
    say,
    what_was_read,
    widths_of,
)

if TYPE_CHECKING:
    from hermite_dual.activation import Activation
    from hermite_dual.validation.training_study import TrainingStudy

_NAMED = ("sphere", "digits")
_DEFAULT, _PAPERS = "relu,tanh,gelu,softplus,sin", 0.08
"""Activations and `s^2` of the papers' figures, and those added here."""
_ENDS = (".json", ".npz")


def train(
    activations: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ACTIVATION...",
            help="Catalogue names or formulas in x. Default: relu tanh gelu softplus sin.",
        ),
    ] = None,
    *,
    former_activations: Annotated[str | None, typer.Option("--activations", "--activation", hidden=True)] = None,
    data: Annotated[
        str, typer.Option(help="sphere, digits, or a file of samples, .npy, .npz or .csv, with --targets.")
    ] = "sphere",
    targets: Annotated[Path | None, typer.Option(help="One number per sample of the file, in one column.")] = None,
    sphere: Sphere = True,
    samples: Annotated[int, typer.Option(help="How many points of the sphere, or digits.")] = 200,
    inputs: Annotated[int | None, typer.Option(help="Dimension of the sphere's space. Default: --samples.")] = None,
    widths: Widths = "256,512,1024",
    sigma_w2: SigmaW2 = None,
    sigma_w: SigmaW = None,
    epochs: Annotated[int, typer.Option(help="Steps of gradient descent.")] = 60,
    step: Annotated[float | None, typer.Option(help="Step size. Default: half of the largest stable one.")] = None,
    seed: Seed = 0,
    certify: Annotated[
        bool, typer.Option("--certify", help="Look for the epoch from which zero loss is proven; slower.")
    ] = False,
    certificates: Annotated[
        Path | None,
        typer.Option(help="As --certify, and a folder for what is proven: a .json and a .npz a run, for verify."),
    ] = None,
    output: Results = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Train networks in the setting of Ling et al., Figure 1, and hold the theorem's claims against every epoch.

    Exit code 0: every claim held in every run; 1: one failed; 3: nothing was put to the test. Ctrl-C ends the study
    after the runs done so far.

    Example: `hermite-dual train gelu --output training.html`
    """
    with errors_to_exit_codes():
        import hermite_dual as hd
        from hermite_dual.activation import activation
        from hermite_dual.report.training_page import study_content
        from hermite_dual.validation.training_study import study_data, training_study

        files = check_results(output, [Path(data), targets], force=force)
        functions = [activation(name) for name in _names(activations, former_activations)]
        square = _square(sigma_w2, sigma_w)
        proofs = [] if certificates is None else _proof_files(certificates, functions, widths_of(widths))
        check_outputs(proofs, [], force=force)
        chosen = _data(data, targets, sphere=sphere)
        dimension = samples if inputs is None else inputs
        listed = widths_of(widths)
        with progress_bar() as progress:
            study = training_study(
                functions,
                chosen,
                listed,
                samples=samples,
                inputs=dimension,
                sigma_w2=square,
                epochs=epochs,
                step=step,
                seed=seed,
                certify=certify or certificates is not None,
                progress=progress,
            )
        X = study_data(chosen, samples, dimension, seed)[1]
        trained = {item.activation for item in study.runs}
        checks = [hd.DEQ.paper(phi, square).check(X) for phi in functions if phi.name in trained]
        for file in files:
            study.save(file, checks)
        files += [] if certificates is None else _write_proofs(study, certificates)
        if as_json:
            print_json(study_content(study, checks))
        else:
            read = what_was_read(data, X, sphere=sphere or data in _NAMED)
            say("\n".join([read, str(study), *map(str, checks)]))
        for file in files:
            say(f"wrote {file}", err=as_json)
        _leave(study)


def _names(words: list[str] | None, former: str | None) -> list[str]:
    """Names and formulas, as words or separated by commas."""
    given = [*(words or []), *([] if former is None else [former])] or [_DEFAULT]
    return [name for word in given for name in names_of(word)]


def _square(sigma_w2: float | None, sigma_w: float | None) -> float:
    """The papers' `s^2`, from either scale."""
    from hermite_dual.errors import InvalidInputError

    if sigma_w is not None and sigma_w2 is not None:
        raise InvalidInputError(f"--sigma-w {sigma_w:g} and --sigma-w2 {sigma_w2:g} are both given; leave out one")
    if sigma_w is not None:
        return sigma_w**2 / 2.0
    return _PAPERS if sigma_w2 is None else sigma_w2


def _proof_file(folder: Path, activation: str, width: int) -> Path:
    return folder / f"{re.sub('[^A-Za-z0-9_.-]+', '-', activation)}-{width}.json"


def _proof_files(folder: Path, functions: "Sequence[Activation]", widths: tuple[int, ...]) -> list[Path]:
    """Every file that may be written; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [_proof_file(folder, phi.name, width) for phi in functions for width in widths]
    return [file.with_suffix(end) for file in files for end in _ENDS]


def _write_proofs(study: "TrainingStudy", folder: Path) -> list[Path]:
    """Write what is proven, a certificate a run."""
    proven = [
        (item, item.run.certificate)
        for item in study.runs
        if item.run is not None and item.run.certificate is not None and item.run.proven_from is not None
    ]
    return [certificate.save(_proof_file(folder, item.activation, item.width)) for item, certificate in proven]


def _data(name: str, targets: Path | None, *, sphere: bool) -> Any:
    import hermite_dual as hd

    if name in _NAMED:
        if targets is not None:
            raise hd.InvalidInputError(
                f"--targets {str(targets)!r}: the {name} has targets of its own; allowed are targets of a file. "
                "Name the file with --data."
            )
        return name
    if targets is None:
        raise hd.InvalidInputError(
            f"--data {name!r} comes without targets; allowed are {' and '.join(_NAMED)}, or a file with --targets, "
            "one number per sample in one column."
        )
    X = read_data(Path(name))
    column = read_data(targets)
    if 1 not in column.shape:
        raise hd.InvalidInputError(
            f"--targets {str(targets)!r} has the shape {column.shape}; allowed is one column, a number per sample."
        )
    return (hd.on_sphere(X) if sphere else X), column.ravel()


def _leave(study: "TrainingStudy") -> None:
    if study.interrupted:
        say("interrupted; these are the runs done before", err=True)
        raise typer.Exit(EXIT_INTERRUPTED)
    if study.failed:
        raise typer.Exit(EXIT_DISAGREE)
    if not study.holds:
        raise typer.Exit(EXIT_UNDECIDED)

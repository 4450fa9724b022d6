"""`hermite-dual check` and `hermite-dual verify`: a claimed lower bound of `lambda_*`, proven and proven again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hermite_dual.commands.shared import (
    EXIT_DISAGREE,
    EXIT_UNDECIDED,
    Depth,
    FormerData,
    Json,
    Layers,
    ModelOptions,
    SigmaB,
    SigmaU,
    SigmaW,
    Sphere,
    errors_to_exit_codes,
    model_text,
    print_json,
    read_data,
    say,
    what_was_read,
)

if TYPE_CHECKING:
    from hermite_dual.certified.second_proof.certificate import Verification
    from hermite_dual.outcome import Outcome

_CODES = {"PROVEN": 0, "REFUTED": EXIT_DISAGREE, "UNDECIDED": EXIT_UNDECIDED}


def check(
    activation: Annotated[str, typer.Argument(help="A catalogue name, such as tanh, or a formula in x.")],
    data: Annotated[Path, typer.Argument(help="Samples, one per row: .npy, .npz or .csv; - reads standard input.")],
    *,
    at_least: Annotated[float, typer.Option(help="The claimed lower bound of lambda_*.")],
    sigma_w2: Annotated[float | None, typer.Option(help="s^2 of the papers' convention W ~ N(0, 2 s^2/m).")] = None,
    sigma_w: SigmaW = None,
    sigma_u: SigmaU = None,
    sigma_b: SigmaB = None,
    depth: Depth = None,
    mlp: Layers = None,
    sphere: Sphere = True,
    output: Annotated[Path, typer.Option(help="Where the certificate goes.")] = Path("claim.json"),
    as_json: Json = False,
) -> None:
    """Decide whether lambda_* >= AT_LEAST: PROVEN (exit code 0), REFUTED (1) or UNDECIDED (3).

    PROVEN and REFUTED hold in exact arithmetic and come with a certificate for `hermite-dual verify`, which covers
    equilibrium models with the papers' inputs and no bias.

    Example: `hermite-dual check tanh data.npy --sigma-w2 0.08 --at-least 1e-4`
    """
    with errors_to_exit_codes():
        from hermite_dual.certified.second_proof.certificate import refuse_other_files, write
        from hermite_dual.certified.second_proof.rebuild import parameters_of
        from hermite_dual.claims import check_claim, check_claim_of
        from hermite_dual.errors import InvalidInputError

        options = ModelOptions(sigma_w2, sigma_w, sigma_u, sigma_b, depth, mlp)
        if sigma_w2 is None and sigma_w is None and mlp is None:
            raise InvalidInputError(
                "of --sigma-w2 and --sigma-w neither is given; give one, for the claim depends on it. They say the "
                "same: sigma_w = sqrt(2 sigma_w2)"
            )
        model = options.model(activation)
        samples = read_data(data)
        refuse_other_files(output)
        papers = (sigma_u, sigma_b, depth, mlp) == (None, None, None, None)
        if papers:
            result = check_claim(activation, samples, at_least, sigma_w2=sigma_w2, sigma_w=sigma_w, sphere=sphere)
            parameters = parameters_of(activation, sigma_w2, sigma_w, sphere)
        else:
            result = check_claim_of(model, samples, at_least, depth=depth, sphere=sphere)
            parameters = model.parameters() | {"rows": "scaled to norm sqrt(d)" if sphere else "as given"}
        if result.certificate is not None:
            write(output, result.certificate)
        if as_json:
            file = None if result.certificate is None else str(output)
            print_json(
                {
                    "outcome": result.outcome.value,
                    "answer": str(result),
                    "reason": result.reason,
                    "value": result.value,
                    "proven_slack": result.margin,
                    "estimate": result.estimate,
                    "entry_error": result.entries.largest,
                    "lipschitz": result.entries.lipschitz,
                    "n": samples.shape[0],
                    "d": samples.shape[1],
                    **parameters,
                    "certificate": file,
                }
            )
            _leave(result.outcome)
            return
        say(str(result))
        say(f"  {model_text(model, depth)}")
        say(f"  {what_was_read(data, samples, sphere=sphere)}")
        if result.certificate is not None:
            say(f"certificate: {output}; prove it again with: hermite-dual verify {output} {data}")
        elif not papers:
            say("no certificate: those are for equilibrium models with the papers' inputs and no bias")
        _leave(result.outcome)


def verify(
    certificate: Annotated[Path, typer.Argument(help="The file of a claim or of a training certificate.")],
    data: Annotated[
        Path | None,
        typer.Argument(help="The samples of a claim, - reads standard input; or the .npz of a trained network."),
    ] = None,
    *,
    former_data: FormerData = None,
    as_json: Json = False,
) -> None:
    """Prove a certificate's claim again from the data, by other means: PROVEN (0), REFUTED (1) or UNDECIDED (3).

    REFUTED means that the file was altered. With other data than the certificate's nothing is verified: UNDECIDED.

    Example: `hermite-dual verify claim.json data.npy`
    """
    with errors_to_exit_codes():
        from hermite_dual.errors import InvalidInputError

        given = [one for one in (data, former_data) if one is not None]
        if len(given) != 1:
            raise InvalidInputError(f"{len(given)} files of data are given: write verify {certificate} data.npy")
        verification = _verified(certificate, Path(given[0]))
        if as_json:
            print_json(
                {"outcome": verification.outcome.value, "reason": verification.reason, "subject": verification.subject}
            )
        else:
            say(f"{verification.outcome.value}: {verification.reason}")
            if verification.subject:
                say(f"  {verification.subject}")
        _leave(verification.outcome)


def _verified(certificate: Path, data: Path) -> "Verification":
    """Prove what a file states of a least eigenvalue, or of the training of a network."""
    from hermite_dual.certified.second_proof.certificate import verify as verify_certificate
    from hermite_dual.certified.second_proof.certificate import well_formed
    from hermite_dual.claims import rebuild_beside_floats
    from hermite_dual.data.json_files import read_json
    from hermite_dual.finite.training_verification import is_training_certificate, verify_training

    content = read_json(certificate, "give the file that `hermite-dual check` wrote")
    if is_training_certificate(content):
        return verify_training(content, data)
    return verify_certificate(well_formed(content, certificate), read_data(data), rebuild_beside_floats)


def _leave(outcome: "Outcome") -> None:
    if code := _CODES[outcome.value]:
        raise typer.Exit(code)

"""`hermite-dual show`: what is known of an activation and its dual kernel."""

from typing import Annotated, Any

import typer

from hermite_dual.commands.shared import Json, errors_to_exit_codes, print_json, say


def show(
    activation: Annotated[str, typer.Argument(help="A catalogue name, such as gelu, or a formula in x.")],
    *,
    coefficients: Annotated[int, typer.Option(help="Hermite coefficients to list.", min=1, max=2000)] = 8,
    digits: Annotated[int, typer.Option(help="Proven significant digits of each.", min=1, max=12)] = 8,
    as_json: Json = False,
) -> None:
    """Show formula, parity, kinks, Lipschitz constant, closed dual kernel and proven Hermite coefficients.

    Examples: `hermite-dual show gelu`, `hermite-dual show "x*tanh(x)" --json`
    """
    with errors_to_exit_codes():
        import hermite_dual as hd
        from hermite_dual.expressions.catalogue import lookup

        keys = ["expression", "dual", "derivative_dual", "coefficients", "lipschitz", "second_derivative"]
        keys += ["sigma_w", "sigma_w_finite"]
        dual = hd.dual(activation)
        entry = lookup(activation)
        note = entry.note if entry else ""
        row = hd.table([dual.activation], ["name", *keys], coefficients=coefficients, digits=digits)
        if as_json:
            print_json(_facts(dual) | {"note": note} | row.to_dict()["rows"][0])
            return
        say(f"{dual.activation.name}: parity {dual.activation.parity or 'none'}, kinks {_kinks(dual) or 'none'}")
        if note:
            say(f"note: {note}")
        say(row.to_text(layout="long"))


def _kinks(dual: Any) -> str:
    return ", ".join(str(kink) for kink in dual.activation.kinks)


def _facts(dual: Any) -> dict[str, Any]:
    general = dual.closed_form_general
    return {
        "activation": dual.activation.name,
        "parity": dual.activation.parity,
        "kinks": [str(kink) for kink in dual.activation.kinks],
        "closed_form_general": None if general is None else str(general),
    }

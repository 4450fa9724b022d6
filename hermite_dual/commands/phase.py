"""`hermite-dual phase`: the mean field of wide networks with an activation, and their phase diagram."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hermite_dual.commands.shared import Force, Json, check_outputs, errors_to_exit_codes, print_json, say

if TYPE_CHECKING:
    from hermite_dual.mean_fields.edge import EdgePoint
    from hermite_dual.mean_fields.mean_field import MeanField


def phase(
    activation: Annotated[str, typer.Argument(help="A catalogue name, such as gelu, or a formula in x.")],
    *,
    sigma_b: Annotated[float, typer.Option(help="Scale of the biases of the edge.", min=0.0)] = 0.3,
    sigma_w: Annotated[
        float | None, typer.Option(help="Scale of the weights of the fixed points. Default: that of the edge.", min=0.0)
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Figure to write, .png, .pdf or .svg; without it nothing is drawn.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Show the edge of chaos, the fixed points of the variance there, doubly critical points and gains of initializers.

    Conventions: weights `W_ij ~ N(0, sigma_w^2 / width)`, biases `N(0, sigma_b^2)`.

    Examples: `hermite-dual phase gelu`, `hermite-dual phase tanh --sigma-b 0.2 --output tanh.png`
    """
    with errors_to_exit_codes():
        import hermite_dual as hd

        check_outputs([] if output is None else [output], [], force=force)
        phi = hd.activation(activation)
        critical = hd.doubly_critical(phi)
        edges, missing = _edges(phi, sigma_b)
        widths = [edge.sigma_w for edge in edges] if sigma_w is None else [sigma_w]
        fields = [hd.mean_field(phi, width, sigma_b) for width in widths]
        if output is not None:
            hd.save_figure(hd.phase_diagram(phi).plot(), output)
        if as_json:
            print_json(
                {
                    "activation": phi.name,
                    "gain": hd.gain(phi),
                    "critical_gain": hd.gain(phi, critical=True),
                    "edge": [_point(point) for point in edges],
                    "doubly_critical": [_point(point) for point in critical],
                    "mean_fields": [_field(field) for field in fields],
                }
            )
            return
        gains = hd.gain(phi), hd.gain(phi, critical=True)
        say(f"{phi.name}: gain {gains[0]:.7g} keeps variance 1, gain {gains[1]:.7g} keeps gradients")
        say(missing or f"edge of chaos at sigma_b = {sigma_b:g}:")
        for point in edges:
            say(f"  {_scales(point)}, q = {point.q:.8g}, chi_par = {point.chi_par:.6f}{_approach(point)}")
        say("doubly critical points:" if critical else "no doubly critical points")
        for point in critical:
            say(f"  {_scales(point)}, q = {point.q:.8g}")
        for field in fields:
            say(f"fixed points at sigma_w = {field.sigma_w:.8g}, sigma_b = {field.sigma_b:g}:")
            for fixed in field.fixed_points:
                numbers = "" if math.isinf(fixed.q) else f", chi_par = {fixed.chi_par:.6f}, chi_1 = {fixed.chi_1:.6f}"
                say(f"  q = {fixed.q:.8g}, {fixed.stability}{numbers}, {fixed.phase}")
        if output is not None:
            say(f"wrote {output}")


def _edges(phi: Any, sigma_b: float) -> "tuple[tuple[EdgePoint, ...], str | None]":
    """Return the edge, or none and why; other errors than of this one sigma_b have been raised before."""
    import hermite_dual as hd

    try:
        return hd.edge_of_chaos(phi, sigma_b=sigma_b), None
    except hd.InvalidInputError as error:
        return (), str(error)


def _scales(point: "EdgePoint") -> str:
    return f"sigma_w = {point.sigma_w:.8g} (squared {point.sigma_w2:.8g}), sigma_b = {point.sigma_b:.8g}"


def _approach(point: "EdgePoint") -> str:
    law = point.approach
    return "" if law is None else f", 1 - c_l ~ {law.constant:.5g}/l{'' if law.power == 1 else f'^{law.power}'}"


def _point(point: "EdgePoint") -> dict[str, float]:
    return {name: getattr(point, name) for name in ("sigma_w", "sigma_b", "q", "chi_par")}


def _field(field: "MeanField") -> dict[str, Any]:
    names = ("q", "chi_par", "chi_1", "xi_q", "xi_1")
    points = [
        {name: getattr(fixed, name) for name in names} | {"stability": fixed.stability.value, "phase": fixed.phase}
        for fixed in field.fixed_points
    ]
    return {"sigma_w": field.sigma_w, "sigma_b": field.sigma_b, "fixed_points": points}

"""One record of the atlas: everything that is known of an activation."""

from collections.abc import Callable

import numpy as np

from hermite_dual.activation import Activation, activation
from hermite_dual.atlases.decay import smoothness
from hermite_dual.atlases.digits import Field, field, is_missing
from hermite_dual.atlases.extremes import admissible_scales, suprema
from hermite_dual.atlases.forms import cross_with_derivative, derivative_forms, dual_forms
from hermite_dual.atlases.literature import PUBLISHED, Subject
from hermite_dual.atlases.numbers import coefficients, constants, values
from hermite_dual.atlases.phases import doubly, edge, fixed_points, least_eigenvalue, sphere
from hermite_dual.cross_dual import CrossDual
from hermite_dual.dual import Dual
from hermite_dual.errors import HermiteDualError
from hermite_dual.symbolic.printing import latex_with_values

_REACH = 4.0
"""The drawing of phi shows [-4, 4]."""


def _drawing(phi: Activation) -> Field:
    """Return samples to draw, to four digits in float64: of phi on [-4, 4] and of its dual on [-1, 1]."""
    places, correlations = np.linspace(-_REACH, _REACH, 161), np.sin(np.linspace(-np.pi / 2, np.pi / 2, 61))
    try:
        kernel = [float(f"{value:.4g}") for value in Dual(phi)(correlations)]
    except HermiteDualError:
        kernel = []
    return {"phi": [float(f"{value:.4g}") for value in phi(places)], "dual": kernel}


FIELDS: dict[str, Callable[[Activation], Field]] = {
    "dual": lambda phi: dual_forms(Dual(phi)),
    "derivative_dual": lambda phi: derivative_forms(Dual(phi)),
    "cross_x": lambda phi: dual_forms(CrossDual(phi, activation("x"))),
    "cross_derivative": cross_with_derivative,
    "smoothness": smoothness,
    "coefficients": lambda phi: coefficients(Dual(phi)),
    "constants": lambda phi: constants(Dual(phi)),
    "values": lambda phi: values(Dual(phi)),
    "suprema": suprema,
    "sigma_w": admissible_scales,
    "fixed_points": fixed_points,
    "edge": edge,
    "doubly_critical": doubly,
    "sphere": lambda phi: sphere(Dual(phi)),
    "lambda": least_eigenvalue,
    "drawing": _drawing,
}
"""The fields of a record, in the order of a page."""


def record(subject: Subject, kept: dict[str, Field] | None = None) -> dict[str, Field]:
    """Return all that is known of an activation.

    Args:
        subject: the activation.
        kept: fields that were made before.
    """
    phi = activation(subject.formula)
    before = kept or {}
    made: dict[str, Field] = {
        "name": subject.name,
        "formula": subject.formula,
        "sympy": str(phi.expr),
        "latex": latex_with_values(phi.expr),
        "origin": subject.origin,
        "source": subject.source,
    }
    for name, make in FIELDS.items():
        made[name] = before[name] if name in before else field(lambda make=make: make(phi))  # type: ignore[misc]
    closed = not is_missing(made["dual"]) and not is_missing(made["dual"]["unit"])
    made["published"] = PUBLISHED.get(subject.name, "derived here; in no source that was read") if closed else None
    made["properties"] = _properties(phi, made, closed)
    return made


def _properties(phi: Activation, made: dict[str, Field], closed: bool) -> Field:
    return {
        "parity": phi.parity or "none",
        "smoothness": made["smoothness"]["class"],
        "closed_form": closed,
        "homogeneous": phi.shape.homogeneous,
        "bounded": "digits" in made["suprema"]["value"],
        "lipschitz": "digits" in made["suprema"]["slope"],
    }

"""Closed forms of a record, as SymPy reads them and as LaTeX."""

import sympy as sp

from hermite_dual.activation import Activation
from hermite_dual.atlases.digits import Field, because
from hermite_dual.cross_dual import CrossDual
from hermite_dual.dual import Dual
from hermite_dual.symbolic.closed_forms import DualForm
from hermite_dual.symbolic.printing import latex_with_values

_LONGEST = 4_000
"""Characters of a form that a page still shows; longer ones are left to `hermite_dual.dual`."""


def dual_forms(dual: CrossDual) -> Field:
    """Return the form in rho and the form in q1, q2, c of a kernel, verified against quadrature."""
    reason = dual.no_closed_form_because or "no closed form"
    return {
        "unit": _form(dual.closed_form, reason, dual.to_latex),
        "general": _form(dual.closed_form_general, reason, lambda: dual.to_latex(general=True)),
    }


def derivative_forms(dual: Dual) -> Field:
    """Return the forms of the dual of the derivative, in rho and in q1, q2, c."""
    form: DualForm = dual.derivative_closed_form()
    reason = form.reason or "no closed form"
    return {
        "unit": _form(form.unit, reason, lambda: rf"\dot k\left(\rho\right) = {latex_with_values(form.unit)}"),
        "general": _form(
            form.general, reason, lambda: rf"\dot k\left(q_1, q_2, c\right) = {latex_with_values(form.general)}"
        ),
    }


def cross_with_derivative(phi: Activation) -> Field:
    """Return the forms of `E[phi(u) phi'(v)]`."""
    return dual_forms(CrossDual(phi, phi.derivative()))


def _form(form: sp.Expr | None, reason: str, latex: object) -> Field:
    if form is None:
        return because(reason)
    text = str(form)
    if len(text) > _LONGEST:
        return because(f"it exists, in {len(text)} characters: ask hermite_dual.dual for it")
    return {"sympy": text, "latex": latex()}  # type: ignore[operator]

"""Families of activations with their parameters as symbols, and their dual kernels where the class has one."""

import sympy as sp

from hermite_dual.activation import activation
from hermite_dual.atlases.digits import Field
from hermite_dual.atlases.forms import dual_forms
from hermite_dual.dual import Dual
from hermite_dual.symbolic.printing import latex_with_values
from hermite_dual.symbols import x

ALPHA, BETA, OMEGA = (sp.Symbol(name, positive=True) for name in ("alpha", "beta", "omega"))
"""The parameters, all positive."""
FAMILIES: dict[str, sp.Expr] = {
    "leaky_relu": sp.Max(x, 0) + ALPHA * sp.Min(x, 0),
    "elu": sp.Piecewise((x, x > 0), (ALPHA * (sp.exp(x) - 1), True)),
    "erf": sp.erf(BETA * x),
    "gelu": x * (1 + sp.erf(BETA * x / sp.sqrt(2))) / 2,
    "exp": sp.exp(BETA * x),
    "sin": sp.sin(OMEGA * x),
    "snake": x + sp.sin(BETA * x) ** 2 / BETA,
    "rbf": sp.exp(-BETA * x**2),
    "gabor": sp.exp(-BETA * x**2) * sp.sin(OMEGA * x),
    "hard_tanh": sp.Min(sp.Max(x, -ALPHA), BETA),
    "soft_shrink": sp.Max(x - BETA, 0) + sp.Min(x + BETA, 0),
    "swish": x / (1 + sp.exp(-BETA * x)),
    "softplus": sp.log(1 + sp.exp(BETA * x)) / BETA,
    "squareplus": (x + sp.sqrt(x**2 + BETA)) / 2,
}


def family(name: str) -> dict[str, Field]:
    """Return a family's formula and the forms of its dual kernel."""
    expression = FAMILIES[name]
    return {
        "name": name,
        "sympy": str(expression),
        "latex": latex_with_values(expression),
        "dual": dual_forms(Dual(activation(sp.Lambda(x, expression)))),
    }

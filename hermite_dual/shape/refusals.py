"""What is refused as an activation: complex values, holes, poles, functions of whose singularities nothing is known."""

import numpy as np
import sympy as sp

from hermite_dual.errors import InvalidInputError, NotIntegrableError
from hermite_dual.expressions.float_function import FloatFunction
from hermite_dual.expressions.formula_functions import POLES
from hermite_dual.shape.pieces import HOLE
from hermite_dual.shape.shape import Shape, shape_of
from hermite_dual.shape.singular import unknown_functions
from hermite_dual.symbols import x

PROBES = np.array([-300.0, -30.0, -7.3, -2.1, -0.6, -1e-3, 1e-3, 0.6, 2.1, 7.3, 30.0, 300.0])
"""Where a new activation is looked at: complex values and NaN show here."""
_WINDOW = 64.0
"""Half-width of the window in which poles are looked for where there may be infinitely many."""
SINGULAR = (sp.Pow, sp.Piecewise, sp.tan, sp.cot, sp.sec, sp.csc, sp.coth, sp.csch, sp.atanh, sp.acoth)
"""What a pole or a hole comes from."""
_STEPPED = (sp.floor, sp.ceiling, sp.frac, sp.Mod)


def complex_values(name: str) -> InvalidInputError:
    """Return the error of a formula that is not real."""
    return InvalidInputError(
        f"activation {name} takes complex values on the real line: an activation is real; "
        "write sqrt(Abs(x)) for sqrt(x), log(1 + x**2) for log(x), or a Piecewise"
    )


def check_functions(expr: sp.Expr, name: str) -> None:
    """Refuse functions of whose singularities nothing is known."""
    if expr.has(*_STEPPED):
        raise InvalidInputError(
            f"activation {name}: floor, ceiling, frac and Mod have infinitely many jumps, for which no quadrature "
            "here is accurate; write the pieces that matter as a Piecewise"
        )
    unknown = sorted(unknown_functions(shape_of(expr, x).known))
    if unknown:
        poles = "".join(f"; {function} has poles at {POLES[function]}" for function in unknown if function in POLES)
        raise InvalidInputError(
            f"activation {name}: the function {unknown[0]} is not among those whose kinks and poles are known{poles}. "
            "Elementary functions, erf and its kin are; any other goes in as a Python function, such as one of "
            "scipy.special, for float64 results"
        )


def check_real(function: FloatFunction, name: str) -> None:
    """Refuse complex values, which a real function of floats gives as NaN."""
    if np.isnan(function(PROBES)).any():
        raise complex_values(name)


def check_values(shape: Shape, function: FloatFunction, name: str) -> None:
    """Refuse complex values, intervals without a value, and poles next to which phi^2 is not integrable."""
    pieces = shape.within(_WINDOW) if shape.formula.has(*SINGULAR) else None
    if pieces is not None and HOLE in pieces.expressions:
        ends = [-sp.oo, *pieces.kinks, sp.oo]
        i = pieces.expressions.index(HOLE)
        raise InvalidInputError(
            f"activation {name} has no value between {ends[i]} and {ends[i + 1]}: its conditions leave a hole; "
            "add a branch with the condition True"
        )
    check_real(function, name)
    if pieces is not None and shape.poles:
        pole = min(shape.poles, key=lambda place: abs(float(place)))
        raise NotIntegrableError(
            f"activation {name} has a pole at x = {pole} and is not square-integrable: no Gaussian integral of "
            "phi^2 exists; bound it there"
        )

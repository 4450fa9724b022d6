"""What to paste from a record: LaTeX, SymPy and Python."""

from typing import Any

import sympy as sp

from hermite_dual import symbols
from hermite_dual.symbolic.bivariate_normal import BivariateNormalCDF
from hermite_dual.symbolic.normal import GaussianWeight, NormalCDF

_OWN = {one.__name__: one for one in (BivariateNormalCDF, NormalCDF, GaussianWeight)}
_NAMES = {str(name): name for name in (symbols.rho, symbols.q1, symbols.q2, symbols.c, symbols.x)} | _OWN


def expression(text: str) -> sp.Expr:
    """Return a form of the atlas as a SymPy expression in `hermite_dual.rho`, `q1`, `q2`, `c`, `x`."""
    return sp.sympify(text, locals=_NAMES)


def latex(record: dict[str, Any]) -> str:
    """Return the dual activation in LaTeX, or where there is no closed form the activation itself."""
    form = record["dual"].get("unit", {})
    return str(form["latex"]) if "latex" in form else rf"\varphi(x) = {record['latex']}"


def sympy(record: dict[str, Any]) -> str:
    """Return Python code that makes the dual activation as a SymPy expression `k`, or the activation `phi`."""
    form = record["dual"].get("unit", {})
    if "sympy" not in form:
        return (
            f"import sympy as sp\n\nx = sp.Symbol('x', real=True)\nphi = sp.sympify({record['sympy']!r}, {{'x': x}})\n"
        )
    used = sorted(name for name in _OWN if name in form["sympy"])
    names = "".join(f", '{name}': hd.{name}" for name in used)
    first = "import hermite_dual as hd\nimport sympy as sp\n\nrho = hd.rho\n" if used else "import sympy as sp\n\n"
    symbol = "" if used else "rho = sp.Symbol('rho')\n"
    return f"{first}{symbol}k = sp.sympify({form['sympy']!r}, {{'rho': rho{names}}})\n"


def python(record: dict[str, Any]) -> str:
    """Return Python code that evaluates the dual kernel with this package, with a proven value beside it."""
    value = record["values"].get("dual", {}).get("1/2") if "dual" in record["values"] else None
    beside = f"  # {value}" if isinstance(value, str) else ""
    return f"import hermite_dual as hd\n\nk = hd.dual({record['formula']!r})\nk(0.5){beside}\n"

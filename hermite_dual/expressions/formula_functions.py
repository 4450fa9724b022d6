"""The functions and constants that a formula in a string may use, by the key of their name."""

from collections.abc import Callable, Mapping

import sympy as sp

from hermite_dual.expressions.spelling import name_key

CONSTANTS: dict[str, sp.Expr] = {"pi": sp.pi, "Pi": sp.pi, "E": sp.E, "e": sp.E}


def _normal_cdf(z: sp.Expr) -> sp.Expr:
    return (1 + sp.erf(z / sp.sqrt(2))) / 2


def _clip(z: sp.Expr, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    return sp.Min(sp.Max(z, low), high)


FUNCTIONS: dict[str, Callable[..., sp.Expr]] = {
    "exp": sp.exp,
    "log": sp.log,
    "ln": sp.log,
    "log2": lambda z: sp.log(z) / sp.log(2),
    "log10": lambda z: sp.log(z) / sp.log(10),
    "log1p": lambda z: sp.log(1 + z),
    "expm1": lambda z: sp.exp(z) - 1,
    "sqrt": sp.sqrt,
    "cbrt": lambda z: sp.sign(z) * sp.Abs(z) ** sp.Rational(1, 3),
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "cot": sp.cot,
    "sec": sp.sec,
    "csc": sp.csc,
    "asin": sp.asin,
    "arcsin": sp.asin,
    "acos": sp.acos,
    "arccos": sp.acos,
    "sinc": sp.sinc,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "sech": sp.sech,
    "coth": sp.coth,
    "csch": sp.csch,
    "acosh": sp.acosh,
    "arccosh": sp.acosh,
    "atanh": sp.atanh,
    "arctanh": sp.atanh,
    "atan": sp.atan,
    "arctan": sp.atan,
    "asinh": sp.asinh,
    "arcsinh": sp.asinh,
    "erf": sp.erf,
    "erfc": sp.erfc,
    "erfi": sp.erfi,
    "Phi": _normal_cdf,
    "Φ": _normal_cdf,
    "σ": lambda z: 1 / (1 + sp.exp(-z)),
    "normcdf": _normal_cdf,
    "abs": sp.Abs,
    "sign": sp.sign,
    "heaviside": sp.Heaviside,
    "max": sp.Max,
    "maximum": sp.Max,
    "min": sp.Min,
    "minimum": sp.Min,
    "clip": _clip,
    "clamp": _clip,
    "pow": sp.Pow,
    "square": lambda z: z**2,
}
"""By `name_key`, save for signs of one letter and `Phi`, which is not `phi`."""

POLES = {"gamma": "0, -1, -2, ...", "digamma": "0, -1, -2, ...", "polygamma": "0, -1, -2, ...", "zeta": "1"}
"""Poles of functions that are not known otherwise."""
_MANY = (2, 8)
ARITIES = {"heaviside": (1, 2), "pow": (2, 2)} | dict.fromkeys(("clip", "clamp"), (3, 3))
ARITIES |= dict.fromkeys(("max", "maximum", "min", "minimum"), _MANY)
"""Least and greatest number of arguments, where it is not one."""


def is_function(name: str, named: Mapping[str, Callable[..., sp.Expr]]) -> bool:
    """Return whether a formula calls `name`, of the table here or in `named`."""
    key = name_key(name)
    return name in FUNCTIONS or key in FUNCTIONS or key in named or key in ("piecewise", "where")

"""Which names are variables, and what to say of the others.

A variable is one letter or the name of a Greek letter, with digits or not: `x`, `t1`, `theta`. Any longer name is more
likely a product without its sign, or a function without its brackets, than a variable.
"""

import difflib
import re
from collections.abc import Callable, Mapping

import sympy as sp

from hermite_dual.expressions.formula_functions import FUNCTIONS, is_function

_GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa"),
    *("lamda", "lam", "mu", "nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "varphi", "chi"),
    *("psi", "omega"),
)
_LETTER = rf"(?:{'|'.join(sorted(_GREEK, key=len, reverse=True))}|[^\W\d_])"
_VARIABLE = re.compile(rf"{_LETTER}_?\d*")
_USUAL = frozenset("xyztu")
"""Letters that variables usually have: a longer name that ends with one is taken for a product."""


def is_variable(name: str) -> bool:
    """Return whether a name may be the variable of a formula."""
    return _VARIABLE.fullmatch(name) is not None


def not_a_variable(name: str, named: Mapping[str, Callable[..., sp.Expr]]) -> str:
    """Return what is wrong with a name that is no variable, and what was meant."""
    for length in range(len(name) - 1, 1, -1):
        head, tail = name[:length], name[length:]
        if is_function(head, named) and is_variable(tail):
            return f"{name} is no variable: write {head}({tail})"
    factors = _VARIABLE.findall(name)
    if "".join(factors) == name and len(factors) <= 3 and {factors[0], factors[-1]} & _USUAL:
        return f"{name} is no variable: write {'*'.join(factors)}"
    return f"{name} is no variable: a variable is one letter or the name of a Greek one, as in x, t or theta"


def close_functions(name: str, named: Mapping[str, Callable[..., sp.Expr]]) -> list[str]:
    """Return up to three functions of formulas that resemble a misspelled one."""
    known = sorted({*FUNCTIONS, *(key for key in named if key.isidentifier())})
    return difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.7)

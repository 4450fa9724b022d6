"""Activations on arrays of any library: the formula evaluated with that library's own functions."""

import functools
import importlib
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from hermite_dual.errors import InvalidInputError
from hermite_dual.expressions.float_function import stable_form
from hermite_dual.namespaces import AnyArray

# Functions of the standard with SymPy's name for them.
_STANDARD = {
    name: name
    for name in (
        "exp",
        "log",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "asin",
        "acos",
        "atan",
        "asinh",
        "acosh",
        "atanh",
        "sign",
    )
} | {"Abs": "abs", "_ExpMinusOne": "expm1", "floor": "floor", "ceiling": "ceil"}
_RECIPROCALS = {"sech": "cosh", "csch": "sinh", "coth": "tanh", "sec": "cos", "csc": "sin", "cot": "tan"}
_COMPARISONS: dict[str, Callable[[AnyArray, AnyArray], AnyArray]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
# Where libraries keep the error function, which the standard lacks.
_SPECIAL = {
    "numpy": "scipy.special",
    "jax": "jax.scipy.special",
    "jaxlib": "jax.scipy.special",
    "cupy": "cupyx.scipy.special",
    "torch": "torch.special",
}


def array_function(activation: Any, xp: Any) -> Callable[[AnyArray], AnyArray]:
    """Return the activation as a function of arrays of a library.

    Args:
        activation: for NumPy any vectorised function; for other libraries an activation with a formula.
        xp: the library's namespace.

    Returns:
        A function from arrays to arrays of the same shape.

    Raises:
        InvalidInputError: The activation has no formula, or one with a function that the library lacks.
    """
    if xp is np:
        return activation
    expr = getattr(activation, "expr", None)
    if expr is None:
        raise InvalidInputError(
            f"the activation {getattr(activation, 'name', activation)!r} is a Python function of NumPy arrays; on "
            "arrays of other libraries only formulas are evaluated. Give it as a formula, or pass X as a NumPy array."
        )
    formula = stable_form(expr)
    symbol = activation.symbol

    shape = activation.shape
    places = [(at, float(shape.value(sp.Rational(at)))) for at in shape.removable] if shape.complete else []

    def evaluate(x: AnyArray) -> AnyArray:
        elsewhere = x
        for at, _ in places:  # 0/0 there
            elsewhere = xp.where(x == at, x + 0.5, elsewhere)
        values = evaluate_formula(formula, symbol, elsewhere, xp)
        for at, limit in places:
            values = xp.where(x == at, xp.full_like(values, limit), values)
        return values

    evaluate(xp.ones((1, 1)))  # a function that the library lacks is found here, not in the iteration
    return evaluate


def evaluate_formula(formula: sp.Expr, symbol: sp.Symbol, x: AnyArray, xp: Any) -> AnyArray:
    """Return a formula in one symbol at an array of a library, by that library's own functions.

    Raises:
        InvalidInputError: the formula has a function that the library lacks.
    """
    value = _Walker(symbol, x, xp)(formula)
    return value if hasattr(value, "shape") else xp.full_like(x, value)


class _Walker:
    """Evaluates a formula at an array; numbers stay Python numbers until they meet the array."""

    def __init__(self, symbol: sp.Symbol, x: AnyArray, xp: Any) -> None:
        self._symbol, self._x, self._xp = symbol, x, xp
        self._seen: dict[sp.Basic, AnyArray] = {}

    def __call__(self, node: sp.Basic) -> AnyArray:
        if node == self._symbol:
            return self._x
        if node.is_number:
            return float(node)
        if node not in self._seen:
            self._seen[node] = self._evaluate(node)
        return self._seen[node]

    def _evaluate(self, node: sp.Basic) -> AnyArray:
        xp, name = self._xp, type(node).__name__
        if isinstance(node, sp.Piecewise):
            return self._piecewise(node)
        if isinstance(node, sp.core.relational.Relational):
            left, right = self._array(node.args[0]), self._array(node.args[1])
            return _COMPARISONS[node.rel_op](left, right)
        arguments = [self(argument) for argument in node.args]
        if isinstance(node, sp.Add | sp.Mul):
            total = arguments[0]
            for argument in arguments[1:]:
                total = total + argument if isinstance(node, sp.Add) else total * argument
            return total
        if isinstance(node, sp.Pow):
            return self._power(node, arguments[0], arguments[1])
        if isinstance(node, sp.Max | sp.Min):
            return self._extreme(node)
        z = arguments[0]
        if name in _STANDARD:
            return getattr(xp, _STANDARD[name])(z)
        if name in _RECIPROCALS:
            return 1.0 / getattr(xp, _RECIPROCALS[name])(z)
        if name in {"And", "Or"}:
            return functools.reduce(xp.logical_and if name == "And" else xp.logical_or, arguments)
        if name == "Heaviside":
            at_zero = xp.full_like(z, float(arguments[1]) if len(arguments) > 1 else 0.5)
            return xp.where(z > 0, xp.ones_like(z), xp.where(z == 0, at_zero, xp.zeros_like(z)))
        if name == "_Logistic":
            return 0.5 + 0.5 * xp.tanh(0.5 * z)
        if name == "_LogOnePlusExp":
            return 0.5 * (z + xp.abs(z)) + xp.log1p(xp.exp(-xp.abs(z)))
        if name == "_LogCosh":
            return xp.abs(z) + xp.log1p(xp.exp(-2.0 * xp.abs(z))) - float(np.log(2.0))
        if name in {"erf", "erfc", "_ErrorTail"}:
            return self._special("erf" if name == "erf" else "erfc")(z)
        raise InvalidInputError(
            f"the function {name} of the activation is not evaluated on arrays of {xp.__name__}; pass X as a NumPy "
            "array"
        )

    def _array(self, node: sp.Basic) -> AnyArray:
        value = self(node)
        return value if hasattr(value, "shape") else self._xp.full_like(self._x, value)

    def _power(self, node: sp.Pow, base: AnyArray, exponent: AnyArray) -> AnyArray:
        if node.base == sp.E:
            return self._xp.exp(exponent)
        if node.exp == sp.S.Half:
            return self._xp.sqrt(base)
        return base**exponent

    def _extreme(self, node: sp.Basic) -> AnyArray:
        first, *others = (self._array(argument) for argument in node.args)
        for other in others:
            larger = first > other
            first = self._xp.where(larger if isinstance(node, sp.Max) else ~larger, first, other)
        return first

    def _piecewise(self, node: sp.Piecewise) -> AnyArray:
        value = self._xp.full_like(self._x, float("nan"))
        for expression, condition in reversed(node.args):
            branch = self._array(expression)
            value = branch if condition is sp.true else self._xp.where(self(condition), branch, value)
        return value

    def _special(self, name: str) -> Callable[[AnyArray], AnyArray]:
        of_library = getattr(self._xp, name, None)
        if of_library is not None:
            return of_library
        library = type(self._x).__module__.partition(".")[0]
        if library in _SPECIAL:
            return getattr(importlib.import_module(_SPECIAL[library]), name)
        raise InvalidInputError(
            f"{name} of the activation is not part of the array API standard and {library} is not known to have it; "
            "pass X as a NumPy array"
        )

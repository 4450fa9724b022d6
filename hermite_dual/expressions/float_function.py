"""Vectorised float64 functions from expressions, without overflow where the value itself is representable."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from hermite_dual.arrays import Array
from hermite_dual.precision_lock import mp_digits

FloatFunction = Callable[[Array], Array]

_SAME_CONSTANT = sp.Float("1e-18")
_EXACT_INTEGERS = 2**53
_REPAIR_DIGITS = 160
_LARGEST_ARGUMENT = mpmath.mpf(10) ** 12
_REPAIR_STEP = mpmath.mpf(10) ** -25
"""Relative distance at which a removable singularity's value is taken: its square is below rounding."""
_DELICATE = 0.25
"""Half-width of the neighbourhood of a removable singularity in which the plain formula may lose digits."""


class _LogOnePlusExp(sp.Function):
    """`log(1 + exp(z))`, evaluated without overflow."""


class _LogCosh(sp.Function):
    """`log(cosh(z))`, evaluated without overflow."""


class _Logistic(sp.Function):
    """`1 / (1 + exp(-z))`, evaluated without cancellation."""


class _ExpMinusOne(sp.Function):
    """`exp(z) - 1`, evaluated without cancellation."""


class _ErrorTail(sp.Function):
    """`erfc(z)`, which SymPy would write as `2 - erfc(-z)` where the sign can be extracted."""


def _log_one_plus_exp(z: Array) -> Array:
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def _log_cosh(z: Array) -> Array:
    size = np.abs(z)
    # Where cosh is near 1 the logarithm is taken of 1 + 2 sinh(z/2)^2; elsewhere of the dominant exponential.
    with np.errstate(over="ignore"):
        small = np.log1p(2.0 * np.sinh(0.5 * np.minimum(size, 1.0)) ** 2)
    return np.where(size < 1.0, small, size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0))


def _logistic(z: Array) -> Array:
    from scipy.special import expit

    return np.asarray(expit(z))


def _error_tail(z: Array) -> Array:
    from scipy.special import erfc

    return np.asarray(erfc(z))


_MODULES: list[Any] = [
    {
        "_LogOnePlusExp": _log_one_plus_exp,
        "_LogCosh": _log_cosh,
        "_Logistic": _logistic,
        "_ExpMinusOne": np.expm1,
        "_ErrorTail": _error_tail,
    },
    "scipy",
    "numpy",
]


def float_function(
    expr: sp.Expr, symbol: sp.Symbol, removable: Sequence[float] = (), *, repaired: bool = True, moved: bool = False
) -> FloatFunction:
    """Return a function that evaluates `expr` on float64 arrays of any shape.

    Where the plain formula is not finite at a finite argument (overflow in an intermediate, 0/0 at a removable
    singularity) the point is evaluated again with 160 digits; what is then still not finite is returned as it is. So
    is every point within 0.25 of the places in `removable`, where the plain formula cancels. With `repaired=False` the
    plain formula is left alone. With `moved` its constants are off by half a unit of the last place, this way and that,
    as their rounding may put them.
    """
    in_floats = _float_constants(stable_form(_float_constants(expr, symbol, sp.oo)), symbol, _EXACT_INTEGERS)
    compiled = sp.lambdify(symbol, _moved(in_floats) if moved else in_floats, modules=_MODULES, cse=True)
    repair = _repairer(expr, symbol)

    def evaluate(values: Array) -> Array:
        argument = np.asarray(values, dtype=np.float64)
        with np.errstate(all="ignore"):
            raw = compiled(argument)
        if np.iscomplexobj(raw):
            raw = np.where(np.imag(raw) == 0, np.real(raw), np.nan)
        result = np.array(np.broadcast_to(np.asarray(raw, dtype=np.float64), argument.shape))
        if not repaired:
            return result
        bad = ~np.isfinite(result) & np.isfinite(argument)
        for place in removable:
            bad |= np.abs(argument - place) < _DELICATE
        if bad.any():
            result[bad] = [repair(float(point)) for point in argument[bad]]
        return result

    return evaluate


def _float_constants(expr: sp.Expr, symbol: sp.Symbol, longest: sp.Expr | int) -> sp.Expr:
    """Return the expression with its constants as 20-digit numbers, but for fractions of numbers below `longest`."""
    if symbol not in expr.free_symbols:
        if not isinstance(expr, sp.Expr) or (expr.is_Rational and bool(max(abs(expr.p), expr.q) < longest)):
            return expr
        value = sp.N(expr, 20)
        return value if value.is_Float else expr
    return expr.func(*(_float_constants(argument, symbol, longest) for argument in expr.args)) if expr.args else expr


def _moved(expr: sp.Expr) -> sp.Expr:
    """Return the expression with every constant that is rounded, exponents aside, multiplied by `1 +- 2^-53`."""
    signs = itertools.cycle([1, -1, -1, 1, 1, 1, -1])  # of no period that terms of a polynomial have

    def moved(node: sp.Basic) -> sp.Basic:
        if node.is_Float or (node.is_Rational and not node.is_Integer):
            return sp.Float(node, 40) * (1 + next(signs) * sp.Rational(1, 2**53))
        if isinstance(node, sp.Pow):
            return sp.Pow(moved(node.base), node.exp)
        return node.func(*map(moved, node.args)) if isinstance(node, sp.Expr) and node.args else node

    return moved(expr)


def stable_form(expr: sp.Expr) -> sp.Expr:
    """Return an equal expression whose cancelling and overflowing parts have functions of their own.

    These are `log(1+exp)`, `log(cosh)`, `1/(1+exp)^n`, and sums of a constant with a multiple of erf, tanh or exp that
    cancel in one tail.
    """
    z = sp.Wild("z")
    expr = expr.replace(sp.log(1 + sp.exp(z)), _LogOnePlusExp(z))
    expr = expr.replace(sp.log(sp.cosh(z)), _LogCosh(z))
    expr = expr.replace(_is_logistic_power, _as_logistic_power)
    return expr.replace(lambda node: _tail(node) is not None, _tail)


def _is_logistic_power(node: sp.Basic) -> bool:
    """Whether the node is `(1 + exp(g))^-n`."""
    return (
        isinstance(node, sp.Pow)
        and node.exp.is_Integer
        and bool(node.exp < 0)
        and isinstance(node.base, sp.Add)
        and len(node.base.args) == 2
        and 1 in node.base.args
        and any(isinstance(term, sp.exp) for term in node.base.args)
    )


def _as_logistic_power(node: sp.Pow) -> sp.Expr:
    exponential = next(term for term in node.base.args if isinstance(term, sp.exp))
    return _Logistic(-exponential.args[0]) ** (-node.exp)


def _tail(node: sp.Basic) -> sp.Expr | None:
    """Return `c +- c f(g)`, f one of erf, tanh, exp, or `2c - c erfc(g)` without cancellation; None for others."""
    if not (isinstance(node, sp.Add) and len(node.args) == 2 and node.args[0].is_number):
        return None
    constant, term = node.args
    ratio = term / constant
    factor, function = ratio.as_coeff_Mul()
    if isinstance(function, sp.erfc) and abs(factor + sp.S.Half) < _SAME_CONSTANT:
        return constant / 2 * _ErrorTail(-function.args[0])
    if not ratio.free_symbols or abs(abs(factor) - 1) > _SAME_CONSTANT:
        return None
    sign = 1 if factor > 0 else -1
    if isinstance(function, sp.erf):
        return constant * _ErrorTail(-sign * function.args[0])
    if isinstance(function, sp.tanh):
        return 2 * constant * _Logistic(2 * sign * function.args[0])
    if isinstance(function, sp.exp) and sign == -1:
        return -constant * _ExpMinusOne(function.args[0])
    return None


def _bounded(name: str, at_plus: float, at_minus: float) -> Callable[[Any], Any]:
    """Return mpmath's function, replaced by its limits where its exponent alone would fill the memory."""
    precise = getattr(mpmath, name)

    def bounded(z: Any) -> Any:
        if abs(z) < _LARGEST_ARGUMENT:
            return precise(z)
        return mpmath.mpf(at_plus if z > 0 else at_minus)

    return bounded


_INF, _NAN = float("inf"), float("nan")
_BOUNDED = {
    "exp": _bounded("exp", _INF, 0.0),
    "sinh": _bounded("sinh", _INF, -_INF),
    "cosh": _bounded("cosh", _INF, _INF),
    "tanh": _bounded("tanh", 1.0, -1.0),
    "erf": _bounded("erf", 1.0, -1.0),
    "erfc": _bounded("erfc", 0.0, 2.0),
    "sin": _bounded("sin", _NAN, _NAN),
    "cos": _bounded("cos", _NAN, _NAN),
    "tan": _bounded("tan", _NAN, _NAN),
}


def _repairer(expr: sp.Expr, symbol: sp.Symbol) -> Callable[[float], float]:
    precise: list[Callable[..., Any]] = []

    def at(point: Any) -> float:
        try:
            return float(precise[0](point))
        except (OverflowError, MemoryError):
            return float("inf")
        except (ZeroDivisionError, TypeError, ValueError):
            return float("nan")

    def repair(point: float) -> float:
        if not precise:
            precise.append(sp.lambdify(symbol, expr, modules=[_BOUNDED, "mpmath"]))
        with mp_digits(_REPAIR_DIGITS):
            value = at(mpmath.mpf(point))
            if not math.isnan(value):
                return value
            step = _REPAIR_STEP * max(1, abs(point))
            sides = at(point - step), at(point + step)
        return 0.5 * (sides[0] + sides[1])

    return repair

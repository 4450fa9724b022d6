"""Expressions on float64 arrays, with an estimate of what rounding makes of each value.

Every step of the evaluation carries a bound of its error along: what the errors of its arguments become, to first
order, and its own rounding. Where a difference cancels, the error that is left says so; what is not finite, or comes
from an argument off by more than a millionth, has an infinite error.

Derivation: docs/theory/numerics.md, "The kernel".
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import sympy as sp

from hermite_dual.arrays import Array
from hermite_dual.symbolic.normal import GaussianWeight, NormalCDF

Rounded = tuple[Any, Any]  # notation: a value and the bound of its error, arrays or numbers

_HALF_ULP = 2.0**-53
_FUNCTION = 2.0**-50
"""Relative error of a library's elementary function: four units of the last place are what NumPy grants itself."""
_TINY = 5e-324
"""What underflow costs at most."""
_FIRST_ORDER = 1e-6
"""Largest error of an argument for which a derivative says what becomes of it."""
_HOLDER = 2.3
"""`|acos x - acos y| <= pi / sqrt(2) sqrt|x - y|`, with equality at -1 and 1."""


class OwenT(sp.Function):
    """Owen's `T(h, a)`, as `symbolic.bivariate_normal` writes it."""


class Opposite(sp.Function):
    """1 where both arguments differ in sign, else 0; undecided where one may be 0."""


class InOrder(sp.Function):
    """The sum of two terms, each of which is a difference that a sum of all would cancel later."""


class NoProgramError(Exception):
    """The expression has a function that is not evaluated here."""


class RoundedProgram:
    """An expression as a list of steps.

    Args:
        expr: built from numbers, the symbols, sums, products, powers that are multiples of 1/2, and the functions of
            `_FUNCTIONS`.
        symbols: its variables.

    Raises:
        NoProgramError: it holds something else.
    """

    def __init__(self, expr: sp.Expr, symbols: Sequence[sp.Symbol]) -> None:
        self._slots: dict[sp.Basic, int] = {symbol: k for k, symbol in enumerate(symbols)}
        self._steps: list[tuple[Callable[..., Rounded], tuple[int, ...]]] = []
        self._count = len(symbols)
        self._result = self._slot(expr)
        last = {argument: k for k, (_, arguments) in enumerate(self._steps) for argument in arguments}
        self._finished = [
            [slot for slot in set(arguments) if last[slot] == k and slot != self._result]
            for k, (_, arguments) in enumerate(self._steps)
        ]

    def __call__(self, *variables: Rounded) -> tuple[Array, Array]:
        """Return values and bounds of their errors, to first order; NaN or infinity where there is none.

        Args:
            *variables: value and error of each symbol.
        """
        memory: list[Any] = [*variables, *[None] * len(self._steps)]
        with np.errstate(all="ignore"):
            for k, (operation, arguments) in enumerate(self._steps):
                memory[self._count + k] = operation(*(memory[slot] for slot in arguments))
                for slot in self._finished[k]:
                    memory[slot] = None
        value, error = memory[self._result]
        return np.asarray(value), np.asarray(error)

    def _slot(self, node: sp.Basic) -> int:
        if node not in self._slots:
            operation, arguments = _operation(node)
            slots = tuple(map(self._slot, arguments))
            self._steps.append((operation, slots))
            self._slots[node] = self._count + len(self._steps) - 1
        return self._slots[node]


def _operation(node: sp.Basic) -> tuple[Callable[..., Rounded], tuple[sp.Basic, ...]]:
    """Return what computes a node, and from which others."""
    if not node.free_symbols:
        number = float(sp.N(node, 20))
        exact = node.is_Rational and sp.Rational(number) == node
        constant = number, 0.0 if exact else _HALF_ULP * abs(number)
        return (lambda: constant), ()
    if isinstance(node, sp.Add):
        return (lambda *terms: reduce(_sum, terms)), node.args
    if isinstance(node, sp.Mul):
        divisors = [factor for factor in node.args if isinstance(factor, sp.Pow) and factor.exp.is_negative]
        if len(divisors) > 1:  # one division for all of them
            below = sp.Mul(*(1 / factor for factor in divisors), evaluate=False)
            above = [factor for factor in node.args if factor not in divisors]
            return (lambda *factors: reduce(_product, factors)), (*above, sp.Pow(below, -1, evaluate=False))
        if node.args[0] is sp.S.NegativeOne:
            return _negative, (sp.Mul(*node.args[1:]),)
        return (lambda *factors: reduce(_product, factors)), node.args
    if isinstance(node, sp.exp):
        return _exponential, node.args
    if isinstance(node, sp.Pow) and (2 * node.exp).is_Integer:
        if node.exp.is_negative:
            return _reciprocal, (node.base if node.exp == -1 else node.base**-node.exp,)
        if node.exp == sp.S.Half:
            return _root, (node.base,)
        whole = int(node.exp)
        if node.exp == whole:
            return (lambda base: reduce(_product, [base] * whole)), (node.base,)
        return (lambda base, root: reduce(_product, [base] * whole, root)), (node.base, sp.sqrt(node.base))
    if isinstance(node, NormalCDF):
        return _normal_cdf, (node.score,)
    if isinstance(node, GaussianWeight):
        return _exponential, (-node.args[0] / node.args[1],)
    operation = _FUNCTIONS.get(type(node).__name__)
    if operation is None:
        raise NoProgramError(type(node).__name__)
    return operation, node.args


def _sum(a: Rounded, b: Rounded) -> Rounded:
    value = a[0] + b[0]
    return value, a[1] + b[1] + _HALF_ULP * np.abs(value)


def _product(a: Rounded, b: Rounded) -> Rounded:
    value = a[0] * b[0]
    return value, np.abs(a[0]) * b[1] + (np.abs(b[0]) + b[1]) * a[1] + (_HALF_ULP * np.abs(value) + _TINY)


def _negative(a: Rounded) -> Rounded:
    return -a[0], a[1]


def _reciprocal(a: Rounded) -> Rounded:
    value, size = 1.0 / a[0], np.abs(a[0])
    return value, np.where(a[1] < size, a[1] / (size * (size - a[1])), np.inf) + (_HALF_ULP * np.abs(value) + _TINY)


def _root(a: Rounded) -> Rounded:
    value = np.sqrt(a[0])
    return value, np.where(a[1] < a[0], a[1] / value, np.sqrt(2.0 * a[1])) + _HALF_ULP * value


def _exponential(a: Rounded) -> Rounded:
    value = np.exp(a[0])
    moved = value * (a[1] * (1.0 + 2.0 * _FIRST_ORDER))
    if not (np.asarray(a[1]) <= _FIRST_ORDER).all():
        moved = np.where(a[1] <= _FIRST_ORDER, moved, np.exp(a[0] + a[1]))
    return value, moved + _FUNCTION * value + _TINY


def _first_order(error: Any) -> Any:
    return np.where(error <= _FIRST_ORDER, error * (1.0 + 2.0 * _FIRST_ORDER), np.inf)


def _lipschitz(function: Callable[..., Any], constant: float) -> Callable[[Rounded], Rounded]:
    """Return the step of a function whose derivative is bounded by a constant."""

    def step(a: Rounded) -> Rounded:
        value = function(a[0])
        return value, constant * a[1] + _FUNCTION * np.abs(value)

    return step


def _hyperbolic(a: Rounded, function: Callable[..., Any]) -> Rounded:
    value = function(a[0])
    # the derivative of either is at most sinh(a)^2 + 1 under the root
    return value, np.sqrt(value * value + 1.0) * _first_order(a[1]) + _FUNCTION * np.abs(value)


def _arc(a: Rounded, function: Callable[..., Any]) -> Rounded:
    value = function(np.clip(a[0], -1.0, 1.0))
    furthest = np.abs(a[0]) + a[1]
    inside = furthest < 1.0
    slope = a[1] / np.sqrt((1.0 - furthest) * (1.0 + furthest), where=inside, out=np.ones_like(furthest))
    moved = np.where(inside, slope, _HOLDER * np.sqrt(a[1]))
    return value, np.where(np.abs(a[0]) <= 1.0 + a[1], moved + _FUNCTION * np.abs(value), np.inf)


def _arctangent(a: Rounded) -> Rounded:
    value, nearest = np.arctan(a[0]), np.maximum(np.abs(a[0]) - a[1], 0.0)
    return value, a[1] / (1.0 + nearest * nearest) + _FUNCTION * np.abs(value)


def _angle(y: Rounded, x: Rounded) -> Rounded:
    value, square = np.arctan2(y[0], x[0]), x[0] * x[0] + y[0] * y[0]
    moved = (np.abs(x[0]) * y[1] + np.abs(y[0]) * x[1]) / square
    return value, _first_order(moved) + _FUNCTION * np.abs(value)


def _logarithm(a: Rounded) -> Rounded:
    value = np.log(a[0])
    return value, np.where(a[1] < a[0], a[1] / (a[0] - a[1]), np.inf) + _FUNCTION * np.abs(value)


def _normal_cdf(a: Rounded) -> Rounded:
    from scipy.special import ndtr

    value = ndtr(a[0])
    square = a[0] * a[0]
    # The density at a point as close as a[1]; libraries lose z^2 units in the tail.
    steepness = np.where(a[1] <= _FIRST_ORDER * (1.0 + np.abs(a[0])), 0.4 * np.exp(-0.49 * square), 0.4)
    return value, steepness * a[1] + _FUNCTION * value * np.where(a[0] < 0.0, 1.0 + square, 1.0) + _TINY


def _owen(h: Rounded, a: Rounded) -> Rounded:
    from scipy.special import owens_t

    value = owens_t(h[0], a[0])
    # |dT/dh| <= p(h) / 2 and |dT/da| <= exp(-h^2 (1 + a^2) / 2) / (2 pi (1 + a^2)), here and nearby, or at a = 0
    square, exponent = 1.0 + a[0] * a[0], -0.5 * h[0] * h[0]
    density = np.exp(exponent)
    along = density * a[1] / 6.0
    nearby = a[1] <= _FIRST_ORDER * np.abs(a[0])
    along = np.where(nearby, np.exp(exponent * square) / (6.0 * square) * a[1], along)
    return value, 0.2 * density * _first_order(h[1]) + along + _FUNCTION * np.abs(value) + _HALF_ULP * density


def _opposite(h: Rounded, k: Rounded) -> Rounded:
    decided = (np.abs(h[0]) > h[1]) & (np.abs(k[0]) > k[1])
    return np.where((h[0] < 0.0) == (k[0] < 0.0), 0.0, 1.0), np.where(decided, 0.0, np.inf)


def _erf(z: Any) -> Any:
    from scipy.special import erf

    return erf(z)


def _erfc(z: Any) -> Any:
    from scipy.special import erfc

    return erfc(z)


_FUNCTIONS: dict[str, Callable[..., Rounded]] = {
    "sin": _lipschitz(np.sin, 1.0),
    "cos": _lipschitz(np.cos, 1.0),
    "atan": _arctangent,
    "tanh": _lipschitz(np.tanh, 1.0),
    "asinh": _lipschitz(np.arcsinh, 1.0),
    "erf": _lipschitz(_erf, 1.2),
    "erfc": _lipschitz(_erfc, 1.2),
    "sinh": lambda a: _hyperbolic(a, np.sinh),
    "cosh": lambda a: _hyperbolic(a, np.cosh),
    "asin": lambda a: _arc(a, np.arcsin),
    "acos": lambda a: _arc(a, np.arccos),
    "atan2": _angle,
    "log": _logarithm,
    "OwenT": _owen,
    "Opposite": _opposite,
    "InOrder": _sum,
}

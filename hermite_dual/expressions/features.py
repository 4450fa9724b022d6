"""Places where a formula may vary fast: where quadrature has to look before it trusts its panels.

A narrow structure comes from an argument that passes 0 steeply, as in `tanh(1e4*(x - 0.777))`, turns near 0, as in
`exp(-1e6*(x - 2.71)**2)`, or from a denominator that nearly vanishes. So the real parts of the zeros of arguments, of
bases of powers and of their derivatives are looked at. They are places to look at, and none is proven to matter.
"""

from collections.abc import Iterator

import numpy as np
import sympy as sp

from hermite_dual.arrays import Array
from hermite_dual.expressions.float_function import float_function

_SEEN_SLOPE = 16.0
"""An affine argument that rises no faster, with its zero closer than `_SEEN_REACH`, is seen anyway."""
_SEEN_REACH = 30.0
_GRID = np.concatenate([-np.geomspace(1e-3, 1e3, 500)[::-1], [0.0], np.geomspace(1e-3, 1e3, 500)])
_MOST_DEGREE = 40
_SWITCHES = (sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise)
_MOST_BRANCHES = 64
_BISECTIONS = 60
_EVERYWHERE: Array = np.asarray((np.arange(-16_000, 16_000) + 0.381966) / 1000.0, dtype=np.float64)
_STEPS = 2.0 ** np.arange(-50, 8)
"""Distances from a feature at which phi is looked at."""


def feature_probes(expr: sp.Expr | None, symbol: sp.Symbol) -> Array:
    """Return points around every feature of a formula, increasing.

    Args:
        expr: the formula; None for a Python function, which is looked at everywhere in [-16, 16], in steps of 1e-3.
        symbol: its variable.
    """
    if expr is None:
        return _EVERYWHERE
    if expr.free_symbols != {symbol}:
        return np.zeros(0)
    centres = np.array(features(expr, symbol)).reshape(-1, 1)
    return np.unique(np.concatenate([centres - _STEPS, centres, centres + _STEPS], axis=1))


def features(expr: sp.Expr, symbol: sp.Symbol) -> list[float]:
    """Return where a formula may vary fast, increasing."""
    return sorted({place for inner in set(_arguments(expr, symbol)) for place in _places(inner, symbol)})


def _arguments(expr: sp.Expr, symbol: sp.Symbol) -> Iterator[sp.Expr]:
    """Yield arguments of functions and bases of powers that depend on the variable other than by being it."""
    for node in sp.preorder_traversal(expr):
        arguments = node.args if isinstance(node, sp.Function) else (node.base,) if isinstance(node, sp.Pow) else ()
        for argument in arguments:
            if isinstance(argument, sp.Expr) and argument.has(symbol):
                yield from (branch for branch in _branches(argument) if branch.has(symbol) and branch != symbol)


def _branches(argument: sp.Expr) -> list[sp.Expr]:
    """Return the formulas between the case distinctions of an argument, the first `_MOST_BRANCHES` of them."""
    done: list[sp.Expr] = []
    todo = [argument]
    while todo and len(done) + len(todo) <= _MOST_BRANCHES:
        branch = todo.pop()
        switch = next((node for node in sp.postorder_traversal(branch) if isinstance(node, _SWITCHES)), None)
        if switch is None:
            done.append(branch)
        else:
            todo += [branch.xreplace({switch: choice}) for choice in _choices(switch)]
    return done


def _choices(switch: sp.Basic) -> list[sp.Expr]:
    if isinstance(switch, sp.Abs):
        return [switch.args[0], -switch.args[0]]
    if isinstance(switch, sp.sign):
        return [sp.S.One, sp.S.NegativeOne]
    if isinstance(switch, sp.Heaviside):
        return [sp.S.One, sp.S.Zero]
    if isinstance(switch, sp.Piecewise):
        return [value for value, _ in switch.args]
    return list(switch.args)


def _places(inner: sp.Expr, symbol: sp.Symbol) -> Iterator[float]:
    """Yield the real parts of zeros of an argument and of its derivative."""
    if not inner.is_polynomial(symbol):
        yield from _sign_changes(inner, symbol)
        yield from _sign_changes(sp.diff(inner, symbol), symbol)
        return
    polynomial = sp.Poly(inner, symbol)
    if polynomial.degree() > _MOST_DEGREE:
        return
    coefficients = np.array([float(value) for value in polynomial.all_coeffs()])
    if coefficients.size == 2:
        zero = -coefficients[1] / coefficients[0]
        if abs(coefficients[0]) > _SEEN_SLOPE or abs(zero) > _SEEN_REACH:
            yield float(zero)
        return
    for values in (coefficients, np.polyder(coefficients)):
        yield from np.roots(values).real.tolist()


def _sign_changes(inner: sp.Expr, symbol: sp.Symbol) -> list[float]:
    """Return places in [-1000, 1000] where a function is seen to change its sign, by bisection of all at once."""
    function = float_function(inner, symbol, repaired=False)
    values = function(_GRID)
    with np.errstate(invalid="ignore"):
        changes = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)
    low, high = _GRID[changes], _GRID[changes + 1]
    rising = np.sign(values[changes + 1])
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        above = np.sign(function(middle)) == rising
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return [*low.tolist(), *_GRID[values == 0.0].tolist()]

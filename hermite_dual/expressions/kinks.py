"""Find where an expression is not analytic on the real line: the ends of quadrature panels."""

from collections.abc import Iterator

import numpy as np
import sympy as sp
from sympy.core.relational import Relational

from hermite_dual.errors import InvalidInputError
from hermite_dual.expressions.float_function import float_function

_SCAN = np.concatenate([-np.geomspace(1e-6, 1e3, 3000)[::-1], [0.0], np.geomspace(1e-6, 1e3, 3000)])
"""Where sign changes of a non-polynomial switch are looked for."""
_SIMPLE = 20
"""Operations up to which SymPy is asked for a sign; its reasoning takes long on longer expressions."""
_ZERO_TOLERANCE = 1e-12
"""A zero of one branch counts where the switch itself vanishes up to rounding."""
_STEPPED = (sp.floor, sp.ceiling, sp.frac, sp.Mod)


def find_kinks(expr: sp.Expr, symbol: sp.Symbol) -> tuple[sp.Expr, ...]:
    """Return the points where `expr` may fail to be analytic, sorted.

    They are the real zeros of what `Abs`, `sign`, `Heaviside`, `Max`, `Min` and `Piecewise` switch on, of bases of
    non-integer and of negative powers, and of arguments of logarithms. Zeros of polynomials are exact; other switches
    are scanned for sign changes on [-1000, 1000] and found to float64 accuracy.

    Raises:
        InvalidInputError: the expression has infinitely many kinks (`floor` and its kin).
    """
    if expr.has(*_STEPPED):
        raise InvalidInputError(
            f"activation {expr}: floor, ceiling, frac and Mod have infinitely many jumps, for which no quadrature "
            "here is accurate; write the pieces that matter as a Piecewise"
        )
    points: set[sp.Expr] = set()
    for switch in set(_switches(expr)):
        if symbol in switch.free_symbols and len(switch.free_symbols) == 1:
            points.update(_real_zeros(switch, symbol))
        elif symbol in switch.free_symbols:
            points.update(_linear_zero(switch, symbol))
    if all(point.is_number for point in points):
        return _distinct(points)
    return tuple(sorted(points, key=sp.default_sort_key))


def removable_points(expr: sp.Expr, symbol: sp.Symbol) -> list[float]:
    """Return the real zeros of denominators at which `expr` stays bounded, such as 0 for `sin(x)/x`."""
    if expr.free_symbols != {symbol}:
        return []
    bases = {node.base for node in expr.atoms(sp.Pow) if node.exp.is_number and node.exp.is_negative}
    function = float_function(expr, symbol)
    places = []
    for place in {float(zero) for base in bases for zero in _real_zeros(base, symbol)}:
        nearby = function(place + np.array([-1e-3, -1e-6, 1e-6, 1e-3]))
        exact = float(function(np.array(place)))
        if np.isfinite(exact) and np.abs(exact) <= 10.0 * (1.0 + np.abs(nearby[[0, 3]]).max()):
            places.append(place)
    return sorted(places)


def branch_at(expr: sp.Expr, symbol: sp.Symbol, point: sp.Expr) -> sp.Expr:
    """Return the analytic expression that `expr` equals around `point`, which must be no kink."""
    if not expr.has(sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise):
        return expr
    if isinstance(expr, sp.Piecewise):
        chosen = next(value for value, condition in expr.args if condition.subs(symbol, point) == sp.true)
        return branch_at(chosen, symbol, point)
    arguments = [branch_at(argument, symbol, point) for argument in expr.args]
    values = [sp.N(argument.subs(symbol, point), 30) for argument in arguments]
    if isinstance(expr, sp.Abs):
        return arguments[0] if values[0] >= 0 else -arguments[0]
    if isinstance(expr, sp.sign):
        return sp.Integer(1 if values[0] >= 0 else -1)
    if isinstance(expr, sp.Heaviside):
        return sp.Integer(1 if values[0] >= 0 else 0)
    if isinstance(expr, sp.Max):
        return arguments[values.index(max(values))]
    if isinstance(expr, sp.Min):
        return arguments[values.index(min(values))]
    return expr.func(*arguments)


def _switches(expr: sp.Expr) -> Iterator[sp.Expr]:
    nodes = sp.preorder_traversal(expr)
    for node in nodes:
        if isinstance(node, sp.Abs | sp.sign | sp.Heaviside):
            yield node.args[0]
        elif isinstance(node, sp.Max | sp.Min):
            for i, first in enumerate(node.args):
                yield from (first - second for second in node.args[i + 1 :])
        elif isinstance(node, Relational):
            yield node.lhs - node.rhs
            nodes.skip()  # a kink inside a condition is none of the expression's
        elif isinstance(node, sp.log):
            yield node.args[0]
        elif isinstance(node, sp.Pow) and not (node.exp.is_integer and node.exp.is_nonnegative):
            yield node.base


def _real_zeros(switch: sp.Expr, symbol: sp.Symbol) -> list[sp.Expr]:
    """Return the real zeros of a switch, through each branch of what it switches on itself."""
    for node in sp.preorder_traversal(switch):
        if isinstance(node, sp.Max | sp.Min):
            branches = list(node.args)
        elif isinstance(node, sp.Abs):
            branches = [node.args[0], -node.args[0]]
        elif isinstance(node, sp.Piecewise):
            branches = [value for value, _ in node.args]
        else:
            continue
        candidates = {zero for branch in branches for zero in _real_zeros(switch.subs(node, branch), symbol)}
        return [zero for zero in candidates if abs(sp.N(switch.subs(symbol, zero))) <= _ZERO_TOLERANCE]
    return _smooth_zeros(switch, symbol)


def _smooth_zeros(switch: sp.Expr, symbol: sp.Symbol) -> list[sp.Expr]:
    if symbol not in switch.free_symbols:
        return []
    if switch.count_ops() <= _SIMPLE and (switch.is_positive or switch.is_negative):
        return []
    if switch.has(sp.Function) or any(not power.exp.is_Integer for power in switch.atoms(sp.Pow)):
        return _scanned_zeros(switch, symbol)
    numerator = sp.together(switch).as_numer_denom()[0]
    try:
        polynomial = sp.Poly(numerator, symbol)
    except sp.PolynomialError:
        return _scanned_zeros(switch, symbol)
    if polynomial.is_zero or polynomial.degree() == 0:
        return []
    if polynomial.degree() <= 2 or polynomial.domain.is_QQ or polynomial.domain.is_ZZ:
        roots = sp.roots(polynomial) if polynomial.degree() <= 2 else dict.fromkeys(sp.real_roots(polynomial), 1)
        return [root for root in roots if root.is_real]
    return _scanned_zeros(switch, symbol)


def _linear_zero(switch: sp.Expr, symbol: sp.Symbol) -> list[sp.Expr]:
    """Return the zero of a switch that is linear in the variable and carries parameters."""
    slope = sp.diff(switch, symbol)
    if slope.has(symbol) or slope.is_zero:
        return []
    return [sp.cancel(-switch.subs(symbol, 0) / slope)]


def _scanned_zeros(switch: sp.Expr, symbol: sp.Symbol) -> list[sp.Expr]:
    function = float_function(switch, symbol, repaired=False)
    values = function(_SCAN)
    from scipy.optimize import brentq

    zeros = [sp.Float(float(point), 17) for point in _SCAN[values == 0]]
    for i in np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0):
        root = brentq(
            lambda t: float(function(np.array(t))), _SCAN[i], _SCAN[i + 1], xtol=1e-15, rtol=1e-15, disp=False
        )
        zeros.append(sp.Float(root, 17))
    return zeros


def _distinct(points: set[sp.Expr]) -> tuple[sp.Expr, ...]:
    ordered = sorted(points, key=float)
    kept: list[sp.Expr] = []
    for point in ordered:
        if not kept or float(point) - float(kept[-1]) > 4e-16 * max(1.0, abs(float(point))):
            kept.append(point)
    return tuple(kept)

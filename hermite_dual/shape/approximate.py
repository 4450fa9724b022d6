"""Places where a formula may have kinks, found by looking: for formulas whose kinks no proof is known of.

Derivation: docs/theory/activations_in_balls.md, "The shape of an activation".
"""

from collections.abc import Iterator

import numpy as np
import sympy as sp
from sympy.core.relational import Relational

from hermite_dual.expressions.float_function import float_function

_GRID = np.concatenate([-np.geomspace(1e-6, 1e3, 3000)[::-1], [0.0], np.geomspace(1e-6, 1e3, 3000)])
_MOST_BRANCHES = 64


def seen_kinks(expr: sp.Expr, symbol: sp.Symbol) -> tuple[sp.Float, ...]:
    """Return sign changes on [-1000, 1000] of everything that a formula switches on, through all branches.

    An estimate: zeros without a change of sign, and pairs closer than the grid, are not seen; some are no kinks.
    """
    from scipy.optimize import brentq

    kinks: set[float] = set()
    for switch in {branch for node in _switches(expr) for branch in _branches(node)}:
        if symbol not in switch.free_symbols:
            continue
        function = float_function(switch, symbol, repaired=False)
        values = function(_GRID)
        kinks.update(_GRID[values == 0].tolist())
        for i in np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0):
            ends = _GRID[i], _GRID[i + 1]
            kinks.add(float(brentq(lambda t, f=function: float(f(np.array(t))), *ends, xtol=1e-15, rtol=1e-15)))
    return tuple(sp.Float(point, 17) for point in sorted(kinks))


def _switches(expr: sp.Expr) -> Iterator[sp.Expr]:
    for node in sp.preorder_traversal(expr):
        if isinstance(node, sp.Abs | sp.sign | sp.Heaviside | sp.log):
            yield node.args[0]
        elif isinstance(node, sp.Max | sp.Min):
            for i, first in enumerate(node.args):
                yield from (first - second for second in node.args[i + 1 :])
        elif isinstance(node, Relational):
            yield node.lhs - node.rhs
        elif isinstance(node, sp.Pow) and not (node.exp.is_integer and node.exp.is_nonnegative):
            yield node.base


def _branches(switch: sp.Expr) -> set[sp.Expr]:
    """The formulas that a switch equals, whatever its own switches choose."""
    for node in sp.preorder_traversal(switch):
        if isinstance(node, sp.Max | sp.Min):
            choices = list(node.args)
        elif isinstance(node, sp.Abs):
            choices = [node.args[0], -node.args[0]]
        elif isinstance(node, sp.Piecewise):
            choices = [value for value, _ in node.args]
        else:
            continue
        branches: set[sp.Expr] = set()
        for choice in choices:
            if len(branches) < _MOST_BRANCHES:
                branches |= _branches(switch.xreplace({node: choice}))
        return branches
    return {switch}

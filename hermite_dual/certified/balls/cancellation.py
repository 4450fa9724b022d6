"""Sums whose terms cancel in one tail, or at a zero, as functions of their own.

`1 + erf(x)` is `erfc(-x)`: of the order `exp(-x^2)` far to the left, where the sum of the two terms is known only to
`2^-bits`, whatever multiplies it afterwards. The rewriting is exact; nothing is approximated.

Derivation: docs/theory/activations_in_balls.md, "Functions on balls".
"""

from collections.abc import Iterator

import sympy as sp


class ErrorTail(sp.Function):
    """`erfc(z)`, which SymPy would write as `2 - erfc(-z)` where the sign can be extracted."""


class Logistic(sp.Function):
    """`1/(1 + exp(-z))`."""


class ExpMinusOne(sp.Function):
    """`exp(z) - 1`."""


class LogOnePlus(sp.Function):
    """`log(1 + z)`."""


def uncancelled(expr: sp.Expr) -> sp.Expr | None:
    """Return an equal expression without the cancellation, or None where this file knows none.

    `B f(g) + c B + C` is `B (f(g) + c) + C`, and `f + c` has a function of its own for f among erf, erfc, tanh and
    `1/(1 + exp)`; so have `c exp(g) - c`, `c cos(g) -+ c`, `c cosh(g) - c`, and `log(1 + z)`.

    Args:
        expr: a sum or a logarithm.
    """
    if isinstance(expr, sp.log):
        inner = expr.args[0]
        return LogOnePlus(inner - 1) if inner.is_Add and sp.S.One in inner.args and uncancelled(inner) is None else None
    for node in sorted({factor for term in expr.args for factor in sp.Mul.make_args(term)}, key=sp.default_sort_key):
        for constant, together in _tails(node):
            factors = [term / node for term in expr.args if node in sp.Mul.make_args(term)]
            matched = [factor for factor in factors if constant * factor in expr.args]
            if matched:
                terms = {factor * node for factor in matched} | {constant * factor for factor in matched}
                others = [term for term in expr.args if term not in terms]
                return sp.Add(sp.Add(*matched) * together, *others)
    return None


def _tails(node: sp.Expr) -> Iterator[tuple[int, sp.Expr]]:
    """Constants c for which `node + c` vanishes somewhere, and what the sum is."""
    g = node.args[0] if node.args else node
    if isinstance(node, sp.erf):
        yield from ((1, ErrorTail(-g)), (-1, -ErrorTail(g)))
    elif isinstance(node, sp.erfc):
        yield -2, -ErrorTail(-g)
    elif isinstance(node, sp.tanh):
        yield from ((1, 2 * Logistic(2 * g)), (-1, -2 * Logistic(-2 * g)))
    elif isinstance(node, sp.exp):
        yield -1, ExpMinusOne(g)
    elif isinstance(node, sp.cos):
        yield from ((1, 2 * sp.cos(g / 2) ** 2), (-1, -2 * sp.sin(g / 2) ** 2))
    elif isinstance(node, sp.cosh):
        yield -1, 2 * sp.sinh(g / 2) ** 2
    elif (
        node.is_Pow and node.exp == -1 and node.base.is_Add and len(node.base.args) == 2 and sp.S.One in node.base.args
    ):
        exponential = node.base - 1
        if isinstance(exponential, sp.exp):
            yield -1, -Logistic(exponential.args[0])

"""Kinks of an activation and the smooth expressions between them.

A kink is a real zero of what stands inside `Abs`, `sign`, `Heaviside`, of the difference of two arguments of `Max` or
`Min`, or of the two sides of a `Piecewise` condition. Between neighbouring kinks each of these keeps its sign, so the
expression equals one without them.
"""

from dataclasses import dataclass
from functools import cmp_to_key
from itertools import combinations, pairwise
from typing import Any

import sympy as sp
from flint import arb

from hermite_dual.certified.ball_functions import BallFunction, constant_ball
from hermite_dual.certified.precision import exact_fraction, working_precision
from hermite_dual.errors import InvalidInputError

_SORTING_BITS = 256


@dataclass(frozen=True)
class Pieces:
    """A function cut at its kinks.

    Attributes:
        symbol: the argument.
        kinks: the cut points, increasing, exact real constants.
        expressions: `len(kinks) + 1` expressions, one per interval from left to right.
        source: the function as it was given.
    """

    symbol: sp.Symbol
    kinks: tuple[sp.Expr, ...]
    expressions: tuple[sp.Expr, ...]
    source: sp.Expr


def split(expr: sp.Expr, symbol: sp.Symbol) -> Pieces:
    """Cut an expression at its kinks.

    Args:
        expr: the activation.
        symbol: its argument.

    Returns:
        The kinks and the smooth expressions between them.

    Raises:
        InvalidInputError: the zeros that decide a case distinction cannot be listed exactly.

    Example:
        >>> x = sp.Symbol("x", real=True)
        >>> split(sp.Max(x, 0), x).expressions
        (0, x)
    """
    real = sp.Dummy("x", real=True)
    expr = exact_floats(sp.sympify(expr).xreplace({symbol: real}))
    found: set[sp.Expr] = set()
    for switch in _switches(expr):
        found |= _real_zeros(switch, real)
    kinks = _sorted(found)
    expressions = tuple(
        _resolve(expr, real, sample).xreplace({real: symbol}) for sample in _samples([constant_ball(k) for k in kinks])
    )
    keep = [i for i in range(len(kinks)) if expressions[i] != expressions[i + 1]]
    chosen = tuple(kinks[i] for i in keep)
    return Pieces(
        symbol, chosen, tuple([expressions[i] for i in keep] + [expressions[-1]]), expr.xreplace({real: symbol})
    )


def exact_floats(expr: sp.Expr) -> sp.Expr:
    """The expression with every Float replaced by the dyadic number that it stores."""
    return expr.xreplace({number: sp.Rational(number) for number in expr.atoms(sp.Float)})


def _switches(expr: sp.Expr) -> set[sp.Expr]:
    """The expressions whose sign decides a case distinction."""
    switches: set[sp.Expr] = set()
    for node in sp.preorder_traversal(expr):
        if isinstance(node, (sp.Abs, sp.sign, sp.Heaviside)):
            switches.add(node.args[0])
        elif isinstance(node, (sp.Max, sp.Min)):
            switches |= {a - b for a, b in combinations(node.args, 2)}
        elif isinstance(node, sp.core.relational.Relational):
            switches.add(node.lhs - node.rhs)
    return {s for s in switches if s.free_symbols}


def _real_zeros(switch: sp.Expr, symbol: sp.Symbol) -> set[sp.Expr]:
    """All real zeros of an expression that is continuous on the real line."""
    try:
        if not switch.is_polynomial(symbol):
            domain = sp.calculus.util.continuous_domain(switch, symbol, sp.S.Reals)
            if domain != sp.S.Reals:
                raise NotImplementedError
        zeros = sp.solveset(switch, symbol, sp.S.Reals)
    except (NotImplementedError, ValueError, TypeError) as error:
        raise _unsolved(switch) from error
    if zeros is sp.S.EmptySet:
        return set()
    if not isinstance(zeros, sp.FiniteSet) or any(z.has(sp.CRootOf, sp.Intersection) for z in zeros):
        raise _unsolved(switch)
    return set(zeros)


def _unsolved(switch: sp.Expr) -> InvalidInputError:
    """The error for a switch without a finite list of exact zeros."""
    return InvalidInputError(
        f"the real zeros of {switch}, where the activation changes its formula, are not a finite list in closed form; "
        "write the activation as a Piecewise with explicit break points"
    )


def _sorted(points: set[sp.Expr]) -> list[sp.Expr]:
    """Distinct real constants in increasing order, decided in balls."""

    def compare(left: sp.Expr, right: sp.Expr) -> int:
        gap = constant_ball(left) - constant_ball(right)
        if gap > 0 or gap < 0:
            return 1 if gap > 0 else -1
        return 0

    with working_precision(_SORTING_BITS):
        ordered = sorted(points, key=cmp_to_key(compare))
        distinct: list[sp.Expr] = []
        for point in ordered:
            if distinct and compare(distinct[-1], point) == 0:
                if sp.simplify(distinct[-1] - point) != 0:
                    raise InvalidInputError(f"the break points {distinct[-1]} and {point} cannot be told apart")
                continue
            distinct.append(point)
    return distinct


def _samples(kinks: list[arb]) -> list[sp.Rational]:
    """One rational point inside each interval between the kinks."""
    if not kinks:
        return [sp.Integer(0)]
    balls = [kinks[0] - 1, *((a + b) / 2 for a, b in pairwise(kinks)), kinks[-1] + 1]
    fractions = [exact_fraction(ball.mid()) for ball in balls]
    return [sp.Rational(f.numerator, f.denominator) for f in fractions]


def _sign_at(switch: sp.Expr, symbol: sp.Symbol, sample: sp.Rational) -> int:
    """The proven sign of a switch at a sample point."""
    if not switch.free_symbols:
        switch = sp.sympify(switch)
    with working_precision(_SORTING_BITS):
        value = BallFunction(switch, symbol)(constant_ball(sample))
    if value > 0 or value < 0:
        return 1 if value > 0 else -1
    if value.is_zero():
        return 0
    raise InvalidInputError(f"the sign of {switch} at {sample} cannot be decided")


def _resolve(expr: Any, symbol: sp.Symbol, sample: sp.Rational) -> Any:
    """The expression without case distinctions that holds around a sample point."""
    if not expr.has(sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise):
        return expr
    if isinstance(expr, sp.Piecewise):
        for value, condition in expr.args:
            if _holds(condition, symbol, sample):
                return _resolve(value, symbol, sample)
        raise InvalidInputError(f"{expr} is not defined at {symbol} = {sample}; add a branch with the condition True")
    arguments = [_resolve(argument, symbol, sample) for argument in expr.args]
    if isinstance(expr, (sp.Max, sp.Min)):
        wanted = 1 if isinstance(expr, sp.Max) else -1
        best = arguments[0]
        for other in arguments[1:]:
            best = other if _sign_at(other - best, symbol, sample) == wanted else best
        return best
    if isinstance(expr, (sp.Abs, sp.sign, sp.Heaviside)):
        sign = _sign_at(arguments[0], symbol, sample)
        if isinstance(expr, sp.Abs):
            return arguments[0] if sign >= 0 else -arguments[0]
        return sp.Integer(sign) if isinstance(expr, sp.sign) else sp.Rational(1 + sign, 2)
    return expr.func(*arguments)


def _holds(condition: Any, symbol: sp.Symbol, sample: sp.Rational) -> bool:
    """Whether a condition holds at a sample point, which is no kink."""
    if condition in (sp.true, sp.false):
        return bool(condition)
    if isinstance(condition, sp.And):
        return all(_holds(part, symbol, sample) for part in condition.args)
    if isinstance(condition, sp.Or):
        return any(_holds(part, symbol, sample) for part in condition.args)
    if isinstance(condition, sp.Not):
        return not _holds(condition.args[0], symbol, sample)
    if isinstance(condition, sp.core.relational.Relational):
        sign = _sign_at(_resolve(condition.lhs - condition.rhs, symbol, sample), symbol, sample)
        if isinstance(condition, (sp.Eq, sp.Ne)):
            return (sign == 0) == isinstance(condition, sp.Eq)
        return sign != 0 and (sign > 0) == isinstance(condition, (sp.StrictGreaterThan, sp.GreaterThan))
    raise InvalidInputError(f"the condition {condition} cannot be decided; write it with <, <=, >, >=, And or Or")


def piece_index(kinks: list[arb], point: arb) -> int:
    """The index of the piece in which a point lies that is provably no kink."""
    return sum(1 for kink in kinks if kink < point)

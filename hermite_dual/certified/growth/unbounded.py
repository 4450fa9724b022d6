"""Proofs that an oscillating function is unbounded: points that run to infinity, at which its oscillations stand still.

Let `sin` and `cos` occur in f with the arguments `A_i = omega_i P + c_i`, where P is continuous and runs to infinity.
By the intermediate value theorem P takes every large value, so for any theta there are points `x_q -> oo` with
`P(x_q) = 2 pi q + theta` for all large whole q. If the omega_i are rational with common denominator D, then at the
points with q a multiple of D the sines are constants, `sin(omega_i theta + c_i)`. If not, Dirichlet's theorem on
simultaneous approximation gives, for any epsilon, arbitrarily large q with every `omega_i q` within epsilon of a whole
number, and the sines are within `2 pi epsilon` of those constants. What is left of f is a function without these
oscillations; if its expansion grows with a leading coefficient that excludes zero, f is unbounded.

Derivation: docs/theory/activations_in_balls.md, "Suprema of derivatives".
"""

from collections.abc import Iterator
from itertools import product

import sympy as sp
from flint import arb

from hermite_dual.certified.balls.ball_functions import constant_ball
from hermite_dual.certified.growth.monomials import ONE, Expansion, TailError
from hermite_dual.certified.growth.tails import tail
from hermite_dual.errors import InvalidInputError

_STARTS = (4, 16, 64, 256, 2**12, 2**30)  # where expansions may begin, tried in turn
_EPSILON = 1e-6  # how close the phases come to those wanted
_PHASES = (*(sp.pi * k / 4 for k in range(8)), sp.Integer(1), sp.Integer(5))
"""Tried in turn; the last two are no multiples of pi."""


def grows_along_points(expr: sp.Expr, symbol: sp.Symbol, side: int) -> bool:
    """Whether a smooth function is proven unbounded towards `side * oo`; False says nothing.

    Args:
        expr: a function without kinks on the half line.
        symbol: its argument.
        side: 1 or -1.

    Example:
        >>> x = sp.Symbol("x", real=True)
        >>> grows_along_points(x * sp.sin(x), x, 1), grows_along_points(sp.sin(x), x, 1)
        (True, False)
    """
    real = sp.Dummy("x", real=True)
    expr = expr.xreplace({symbol: real})
    return any(
        _grows(function, frozen, real, direction)
        for form, direction in _forms(expr, real, side)
        for function, frozen in _frozen(form, real, direction)
    )


def _forms(expr: sp.Expr, symbol: sp.Symbol, side: int) -> Iterator[tuple[sp.Expr, int]]:
    """The function, and the function of `x = side e^s`, in which powers of logarithms become powers."""
    yield expr, side
    yield expr.xreplace({symbol: side * sp.exp(symbol)}), 1


def _frozen(expr: sp.Expr, symbol: sp.Symbol, side: int) -> Iterator[tuple[sp.Expr, dict[sp.Symbol, arb]]]:
    """The function with its oscillations replaced by symbols, and balls for these, in all the ways tried."""
    yield expr, {}
    nodes = [node for node in expr.atoms(sp.sin, sp.cos) if node.has(symbol)]
    tried: list[sp.Expr] = []
    for phase in sorted({node.args[0] for node in nodes}, key=sp.default_sort_key):
        if any(multiple(phase, former, symbol) for former in tried) or not runs_to_infinity(phase, symbol, side):
            continue
        tried.append(phase)
        multiples = [(node, multiple(node.args[0], phase, symbol)) for node in nodes]
        lines = [(node, line) for node, line in multiples if line is not None]
        names = {node: sp.Dummy(real=True) for node, _ in lines}
        exact = all(line[0].is_Rational for _, line in lines)
        period = sp.Integer(sp.ilcm(1, *(line[0].q for _, line in lines))) if exact else sp.Integer(1)
        reduced = expr.xreplace(names)
        for theta, turn in product(_PHASES, range(min(int(period), 3))):
            yield reduced, {names[n]: _value(n.func, line, theta + 2 * sp.pi * turn, exact) for n, line in lines}


def multiple(argument: sp.Expr, phase: sp.Expr, symbol: sp.Symbol) -> tuple[sp.Expr, sp.Expr] | None:
    """Real constants omega, c with `argument = omega phase + c`, proven by expansion; None if there are none."""
    omega = sp.simplify(argument.diff(symbol) / phase.diff(symbol))
    if omega.free_symbols or not omega.is_real:
        return None
    constant = sp.expand(argument - omega * phase)
    return None if constant.free_symbols or not constant.is_real else (omega, constant)


def runs_to_infinity(phase: sp.Expr, symbol: sp.Symbol, side: int) -> bool:
    """Whether a continuous function is proven to tend to infinity or minus infinity."""
    return any(_grows(form, {}, symbol, direction) for form, direction in _forms(phase, symbol, side))


def _value(function: type, line: tuple[sp.Expr, sp.Expr], theta: sp.Expr, exact: bool) -> arb:
    """The ball of an oscillation at the points chosen."""
    angle = line[0] * theta + line[1]
    if exact:
        return constant_ball(function(angle))
    ball = constant_ball(angle) + 2 * arb.pi() * arb(0, _EPSILON)
    return ball.sin() if function is sp.sin else ball.cos()


def _grows(expr: sp.Expr, frozen: dict[sp.Symbol, arb], symbol: sp.Symbol, side: int) -> bool:
    """Whether an expansion of the function tends to infinity in modulus, whatever numbers the balls stand for."""
    for start in _STARTS:
        try:
            if _leads_to_infinity(tail(expr, symbol, side, start, frozen=frozen)):
                return True
        except (TailError, InvalidInputError):
            continue
    return False


def _leads_to_infinity(expansion: Expansion) -> bool:
    lead, ball = expansion.factored()
    return lead > ONE and not ball.contains(0)

"""Where a formula without case distinctions is not analytic: poles, branch points, and singularities that are none.

Derivation: docs/theory/activations_in_balls.md, "The shape of an activation".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy as sp

from hermite_dual.certified.balls.deflated import Deflated, plain
from hermite_dual.notebook import Shown
from hermite_dual.shape.numbers import RealZero, UndecidedError, finite_value, increasing, sign_of
from hermite_dual.shape.zeros import QUOTIENTS, Interval, as_quotients, zeros

ENTIRE = (sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.erf, sp.erfc, sp.erfi, sp.sinc)
ON_THE_LINE = (*ENTIRE, sp.tanh, sp.sech, sp.atan, sp.asinh, Deflated)
"""Functions that are analytic wherever their argument is real."""
KNOWN = (
    *ON_THE_LINE,
    *(sp.log, sp.tan, sp.cot, sp.sec, sp.csc, sp.coth, sp.csch, sp.asin, sp.acos, sp.acosh, sp.atanh),
    *(sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise),
)
"""Functions whose singularities are known, and with them those of formulas made of them."""
_MOST_ORDER = 8
_STARTS = (16, 256, 2**12, 2**20, 2**40)
_REWRITTEN = {
    sp.acot: lambda z: sp.Piecewise((sp.pi / 2, sp.Eq(z, 0)), (sp.atan(1 / z), True)),
    sp.acoth: lambda z: sp.atanh(1 / z),
    sp.asec: lambda z: sp.acos(1 / z),
    sp.acsc: lambda z: sp.asin(1 / z),
    sp.asech: lambda z: sp.acosh(1 / z),
    sp.acsch: lambda z: sp.asinh(1 / z),
}
"""SymPy's definitions, which jump where the reciprocal does."""


def in_known_functions(expr: sp.Expr) -> sp.Expr:
    """Return an equal formula in functions whose singularities are known, as far as there is one."""
    for function, formula in _REWRITTEN.items():
        expr = expr.replace(function, formula)
    return expr.replace(sp.atan2, _angle)


def _angle(y: sp.Expr, x: sp.Expr) -> sp.Expr:
    """`atan2(y, x)`, the angle in (-pi, pi]."""
    left = sp.Piecewise((sp.atan(y / x) + sp.pi, y >= 0), (sp.atan(y / x) - sp.pi, True))
    return sp.Piecewise((sp.atan(y / x), x > 0), (left, x < 0), (sp.pi / 2 * sp.sign(y), True))


def unknown_functions(expr: sp.Expr) -> set[str]:
    """Return the names of functions of which nothing is known here."""
    return {node.func.__name__ for node in expr.atoms(sp.Function) if node.free_symbols and not isinstance(node, KNOWN)}


def places(expr: sp.Expr, symbol: sp.Symbol, interval: Interval) -> tuple[sp.Expr, ...]:
    """Return the points in an open interval at which a formula may fail to be analytic, increasing.

    Raises:
        UndecidedError: they are not known; `InfinitelyManyError` where there may be infinitely many.
    """
    return increasing([point for switch in set(_critical(expr, symbol)) for point in zeros(switch, symbol, interval)])


def _critical(expr: sp.Expr, symbol: sp.Symbol) -> Iterator[sp.Expr]:
    """Expressions whose zeros are the possible singularities."""
    for node in sp.preorder_traversal(expr):
        if not node.has(symbol):
            continue
        if node.is_Pow and not node.exp.has(symbol) and not (node.exp.is_integer and node.exp.is_nonnegative):
            yield node.base
        elif isinstance(node, sp.log | sp.coth | sp.csch):
            yield node.args[0]
        elif isinstance(node, sp.tan | sp.sec):
            yield sp.cos(node.args[0])
        elif isinstance(node, sp.cot | sp.csc):
            yield sp.sin(node.args[0])
        elif isinstance(node, sp.asin | sp.acos | sp.atanh):
            yield from (node.args[0] - 1, node.args[0] + 1)
        elif isinstance(node, sp.acosh):
            yield node.args[0] - 1


def analytic_at(expr: sp.Expr, symbol: sp.Symbol, point: sp.Expr) -> bool:
    """Whether a formula is proven analytic on a small ball around a point."""
    from flint import acb, arb

    from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
    from hermite_dual.certified.balls.precision import working_precision

    with working_precision(128):
        radius = arb(0, arb(2) ** -40)
        return bool(BallFunction(expr, symbol)(acb(constant_ball(point) + radius, radius), analytic=True).is_finite())


def continued(expr: sp.Expr, symbol: sp.Symbol, point: sp.Expr) -> sp.Expr | None:
    """Return the formula in a form that is analytic at a point, or None if it has none.

    Sums and products with denominators that vanish there become `Deflated` quotients.
    """
    if analytic_at(expr, symbol, point):
        return expr
    deflated = _deflate(expr, symbol, point)
    return deflated if deflated is not None and analytic_at(deflated, symbol, point) else None


def _deflate(expr: sp.Expr, symbol: sp.Symbol, point: sp.Expr) -> sp.Expr | None:
    if not expr.has(symbol) or analytic_at(expr, symbol, point):
        return expr
    if type(expr) in QUOTIENTS:
        expr = QUOTIENTS[type(expr)](expr.args[0])
    if not (expr.is_Add or expr.is_Mul or (expr.is_Pow and expr.exp.is_Integer)):
        parts = [_deflate(argument, symbol, point) for argument in expr.args]
        return None if None in parts else expr.func(*parts)
    inner = {}
    for node in expr.atoms(sp.Function, sp.Pow):
        outermost = node.has(symbol) and not (node.is_Pow and node.exp.is_Integer)
        if outermost and not isinstance(node, Deflated) and not analytic_at(node, symbol, point):
            deflated = _deflate(node, symbol, point)
            if deflated is None:
                deflated = QUOTIENTS[type(node)](node.args[0]) if type(node) in QUOTIENTS else None
            if deflated is None:
                return None
            inner[node] = deflated
    numerator, denominator = sp.fraction(sp.together(expr.xreplace(inner)))
    order = _order(denominator, symbol, point)
    if order is None or (order and (_order(numerator, symbol, point) or 0) < order):
        return None
    if not order:
        return numerator / denominator
    return _divided(numerator, symbol, point, order) / _divided(denominator, symbol, point, order)


def _order(function: sp.Expr, symbol: sp.Symbol, point: sp.Expr) -> int | None:
    """Return the order of a zero at a point at which the function is analytic, None where it is not decided."""
    for order in range(_MOST_ORDER + 1):
        value = finite_value(function, symbol, point)
        if value is None:
            return None
        if not vanishes_at(function, symbol, point):
            try:
                return order if sign_of(value) != 0 else None
            except UndecidedError:
                return None
        function = sp.diff(function, symbol)
    return None


def power_at(expr: sp.Expr, symbol: sp.Symbol, point: sp.Expr) -> sp.Rational | None:
    """Return p if the formula is `|x - point|^p` times a function that has a limit other than 0, else None."""
    if not expr.has(symbol):
        return sp.S.Zero if expr != 0 else None
    if type(expr) in QUOTIENTS:
        return power_at(QUOTIENTS[type(expr)](expr.args[0]), symbol, point)
    if expr.is_Mul:
        powers = [power_at(factor, symbol, point) for factor in expr.args]
        return None if None in powers else sp.Add(*powers)
    if expr.is_Pow and expr.exp.is_Rational:
        inner = power_at(expr.base, symbol, point)
        return None if inner is None else inner * expr.exp
    if analytic_at(expr, symbol, point):
        return _order(expr, symbol, point)
    if expr.is_Add:
        numerator, denominator = sp.fraction(sp.together(as_quotients(expr)))
        if denominator.has(symbol):
            return power_at(numerator / denominator, symbol, point)
    return None


def _divided(function: sp.Expr, symbol: sp.Symbol, point: sp.Expr, order: int) -> sp.Expr:
    """Return `function / (symbol - point)^order`, by polynomial division where that is possible."""
    if function.is_polynomial(symbol) and point.is_Rational:
        quotient, remainder = sp.div(sp.Poly(function, symbol), sp.Poly((symbol - point) ** order, symbol))
        if remainder.is_zero:
            return quotient.as_expr()
    return Deflated(function, symbol, point, sp.Integer(order), sp.Integer(0))


@dataclass(frozen=True, repr=False)
class Limit(Shown):
    """What a formula does towards a point from one side.

    Attributes:
        value: ball of its limit, None where it has none that is known.
        growth: p, where its modulus is proven to grow like `distance^-p` up to logarithms, infinite where it grows
            faster than any power; 0 where it has a limit, None where that is undecided.
    """

    value: Any
    growth: float | None

    @property
    def unbounded(self) -> bool:
        """Whether the modulus is proven to grow without bound."""
        return self.growth is not None and self.value is None


def vanishes_at(difference: sp.Expr, symbol: sp.Symbol, point: sp.Expr) -> bool:
    """Whether a formula is proven to vanish at a point, itself or as a multiple of the function isolated there."""
    difference = plain(difference)
    if difference == 0:
        return True
    if isinstance(point, RealZero):
        ratio = sp.cancel(sp.together(difference / point.function_of(symbol)))
        if not ratio.has(symbol) or analytic_at(ratio, symbol, point):
            return True
    value = finite_value(difference, symbol, point)
    if value is None:
        return bool(sp.limit(difference, symbol, point) == 0)
    try:
        return sign_of(value) == 0
    except UndecidedError:
        return False


def value_as_limit(expr: sp.Expr, symbol: sp.Symbol, point: sp.Expr) -> sp.Expr | None:
    """Return the value at a point, at which the formula is continuous from where it is defined; None if it may not be.

    Powers and inverse functions are continuous up to the ends of their domains; a logarithm or a denominator must not
    vanish.
    """
    for node in sp.preorder_traversal(expr):
        if not node.has(symbol):
            continue
        inner = node.base if node.is_Pow else node.args[0] if isinstance(node, sp.log | sp.coth | sp.csch) else None
        if isinstance(node, sp.tan | sp.sec | sp.cot | sp.csc | sp.atanh | Deflated):
            return None
        if inner is None or (node.is_Pow and (node.exp.has(symbol) or node.exp.is_positive)):
            continue
        value = finite_value(inner, symbol, point)
        try:
            if value is None or sign_of(value) == 0:
                return None
        except UndecidedError:
            return None
    return finite_value(expr, symbol, point)


@lru_cache(maxsize=4096)
def limit_at(expr: sp.Expr, symbol: sp.Symbol, point: sp.Expr, side: int) -> Limit:
    """Return the behaviour of a formula towards a point from one side, from its growth at infinity.

    With `x = point + side / s` powers of the distance are powers of s. Where logarithms leave that not understood,
    `x = point + side exp(-s)` makes them powers, and powers exponentials.
    """
    from flint import arb

    from hermite_dual.certified.balls.precision import working_precision
    from hermite_dual.certified.growth.monomials import ONE, TailError
    from hermite_dual.certified.growth.tails import tail

    value = value_as_limit(expr, symbol, point)
    if value is not None:
        from hermite_dual.certified.balls.ball_functions import constant_ball

        with working_precision(128):
            return Limit(constant_ball(value), 0.0)
    power = power_at(expr, symbol, point)
    if power:
        return Limit(arb(0), 0.0) if power > 0 else Limit(None, float(-power))
    far = sp.Dummy("s", positive=True)
    for distance, exponent in ((1 / far, 2), (sp.exp(-far), 1)):
        moved = as_quotients(plain(expr)).subs(symbol, point + side * distance)
        for start in _STARTS:
            try:
                with working_precision(128):
                    expansion = tail(moved, far, 1, start)
                    lead, ball = expansion.factored() if expansion.terms else (ONE, None)
            except (TailError, ValueError):
                continue
            if ball is None or lead < ONE:
                return Limit(arb(0), 0.0)
            if lead == ONE:
                return Limit(expansion.terms[ONE].real, 0.0)
            if not ball.contains(0):
                faster = any(power > 0 for power in lead[:exponent])
                return Limit(None, math.inf if faster else max(0.0, float(lead[exponent])))
    return Limit(None, None)

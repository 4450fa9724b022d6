"""Growth of smooth expressions towards infinity, derived from the expression itself.

`tail(expr, symbol, side, start, offset)` gives an `Expansion` that encloses `expr(z)`, `z = side t + i y`, for all
`t >= start` and all y of a range. From it come the bounds of truncated integrals, the strip bounds far from the
origin, and what an activation and its derivatives do at infinity.

Derivation: docs/theory/activations_in_balls.md, "Growth at infinity".
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType

import sympy as sp
from flint import acb, arb

from hermite_dual.certified.balls.ball_functions import constant_ball
from hermite_dual.certified.balls.deflated import plain
from hermite_dual.certified.growth.exact_rates import carried_back, common_rate, rescaled
from hermite_dual.certified.growth.expansion_functions import Functions
from hermite_dual.certified.growth.monomials import ONE, Expansion, TailError

Frozen = Mapping[sp.Symbol, arb]
"""Balls for symbols that stand for parts of an expression: at every t there are numbers in them."""


def tail(
    expr: sp.Expr,
    symbol: sp.Symbol,
    side: int,
    start: int,
    offset: arb | None = None,
    frozen: Frozen = MappingProxyType({}),
) -> Expansion:
    """Enclose a smooth expression on a half line or a half strip.

    Args:
        expr: an expression without kinks on the half line.
        symbol: its argument.
        side: 1 for `+oo`, -1 for `-oo`.
        start: X >= 1.
        offset: the range of the imaginary part y; None for the real half line.
        frozen: balls for other symbols in the expression.

    Returns:
        An expansion in `t >= start` of `expr(side t + i y)` for every y in `offset`.

    Raises:
        TailError: the expression's behaviour there is not understood, or the half strip starts too early.
    """
    expr = plain(expr)
    rate = common_rate(expr, symbol)
    if rate is None:
        return _walk(expr, symbol, side, arb(start), offset, frozen)
    factor = constant_ball(rate)
    scaled = _walk(
        rescaled(expr, symbol, rate),
        symbol,
        side,
        arb((start * factor).lower()),
        None if offset is None else offset * factor,
        frozen,
    )
    return carried_back(scaled, arb(start), rate)


def _walk(expr: sp.Expr, symbol: sp.Symbol, side: int, start: arb, offset: arb | None, frozen: Frozen) -> Expansion:
    leaf = Expansion(start, {(Fraction(0), Fraction(0), Fraction(1)): acb(side)})
    if offset is not None:
        leaf = leaf + Expansion.constant(start, acb(arb(0), offset))
    return _Walker(symbol, leaf, offset is None, frozen).visit(expr)


class _Walker(Functions):
    """Evaluates an expression tree in expansions."""

    def __init__(self, symbol: sp.Symbol, leaf: Expansion, real: bool, frozen: Frozen) -> None:
        super().__init__(leaf.start, real)
        self.symbol, self.leaf, self.frozen = symbol, leaf, frozen

    def visit(self, expr: sp.Expr) -> Expansion:
        """The expansion of an expression."""
        if expr == self.symbol:
            return self.leaf
        if not expr.free_symbols or expr in self.frozen:
            value = self.frozen[expr] if expr in self.frozen else constant_ball(expr)
            return Expansion(self.start, {}) if value.is_zero() else self.constant(value)
        if expr.is_Add or expr.is_Mul:
            result = self.visit(expr.args[0])
            for argument in expr.args[1:]:
                result = result + self.visit(argument) if expr.is_Add else result * self.visit(argument)
            return result
        if expr.is_Pow and expr.base != sp.E:
            return self.power(expr.base, expr.exp)
        name = "exp" if expr.is_Pow else type(expr).__name__
        if name == "exp":
            exact = self.exact_exponential(expr.exp if expr.is_Pow else expr.args[0])
            if exact is not None:
                return exact
        argument = self.visit(expr.exp if expr.is_Pow else expr.args[0])
        rule: Callable[[Expansion], Expansion] | None = getattr(self, f"rule_{name}", None)
        if rule is not None:
            return rule(argument)
        return self.by_range(expr.func, argument)

    def exact_exponential(self, exponent: sp.Expr) -> Expansion | None:
        """`exp(a z + b)` with rational a: its rate is exact, which the ball of a is not unless a is dyadic."""
        if not exponent.is_polynomial(self.symbol) or sp.degree(exponent, self.symbol) != 1:
            return None
        slope, shift = sp.Poly(exponent, self.symbol).all_coeffs()
        side = self.leaf.terms[Fraction(0), Fraction(0), Fraction(1)].real
        if not slope.is_Rational or side not in (1, -1):
            return None
        rate = Fraction(int(slope.p), int(slope.q)) * (1 if side == 1 else -1)
        factor = (constant_ball(shift) + constant_ball(slope) * self.leaf.terms.get(ONE, acb(0))).exp()
        return Expansion(self.start, {(Fraction(0), rate, Fraction(0)): factor})

    def power(self, base: sp.Expr, exponent: sp.Expr) -> Expansion:
        """`base**exponent`."""
        if exponent.free_symbols:
            if base.free_symbols or not base.is_positive:
                raise TailError
            return self.rule_exp(self.constant(constant_ball(base).log()) * self.visit(exponent))
        inner = self.visit(base)
        if exponent.is_Integer and 0 < int(exponent) <= 12:
            result = inner
            for _ in range(int(exponent) - 1):
                result = result * inner
            return result
        if exponent.is_Float:
            exponent = sp.Rational(exponent)
        if not exponent.is_Rational:
            raise TailError
        power = Fraction(int(exponent.p), int(exponent.q))
        return self.reciprocal(inner) if power == -1 else self.rational_power(inner, power, exponent)

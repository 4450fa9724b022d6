"""A change of scale `tau = rho t` that makes the rates of all exponentials in an expression dyadic.

The exponents of an `Expansion` are exact fractions, while `1/3` and `sqrt(2)` are no exact balls. If every slope inside
`exp`, `cosh` and their kin is a rational multiple of one of them, the expression in `tau` has dyadic slopes alone, is
expanded there, and the monomials are carried back.

Derivation: docs/theory/activations_in_balls.md, "Growth at infinity".
"""

from fractions import Fraction
from functools import lru_cache
from math import frexp, lcm

import sympy as sp
from flint import acb, arb

from hermite_dual.certified.balls.ball_functions import constant_ball
from hermite_dual.certified.balls.precision import exact_fraction, interval
from hermite_dual.certified.growth.monomials import Expansion

_EXPONENTIALS = (sp.exp, sp.sinh, sp.cosh, sp.tanh, sp.coth, sp.sech, sp.csch)
"""Functions that grow like exponentials of their argument."""
_ROUNDED = 2**40  # denominator of rates that are rounded up
_KEPT = 256  # expressions of which the rate is remembered: every slab of every strip asks again


def polynomial_arguments(expr: sp.Expr, symbol: sp.Symbol) -> dict[sp.Expr, sp.Poly]:
    """The arguments of exponentials that are of degree 1 or 2 in the symbol."""
    arguments = {}
    for node in expr.atoms(*_EXPONENTIALS):
        argument = node.exp if isinstance(node, sp.exp) else node.args[0]
        if argument.is_polynomial(symbol) and sp.degree(argument, symbol) in (1, 2):
            arguments[argument] = sp.Poly(sp.expand(argument), symbol)
    return arguments


@lru_cache(maxsize=_KEPT)
def common_rate(expr: sp.Expr, symbol: sp.Symbol) -> sp.Expr | None:
    """A number rho in [1, 2) of which every slope is a dyadic multiple; None if 1 will do or nothing does.

    Where the arguments have no linear terms, their coefficients of degree 2 are to be dyadic multiples of `rho^2`.
    """
    polynomials = polynomial_arguments(expr, symbol).values()
    linear = {p.coeff_monomial(symbol) for p in polynomials} - {sp.S.Zero}
    if linear:
        return _in_range(_common_divisor(linear))
    divisor = _common_divisor({p.coeff_monomial(symbol**2) for p in polynomials})
    return None if divisor is None else _in_range(sp.sqrt(divisor))


def _common_divisor(slopes: set[sp.Expr]) -> sp.Expr | None:
    """A number of which every slope is a dyadic multiple, if they are not all dyadic themselves."""
    if all(slope.is_Rational and _odd(int(slope.q)) == 1 for slope in slopes):
        return None
    first = min(slopes, key=sp.default_sort_key)
    ratios = [sp.simplify(slope / first) for slope in slopes]
    if not all(ratio.is_Rational for ratio in ratios):
        return None
    if first.is_Rational:
        # an odd denominator alone: dyadic numbers elsewhere in the expression stay dyadic
        return sp.Rational(1, lcm(*(_odd(int(slope.q)) for slope in slopes)))
    divisor = abs(first) / lcm(*(int(ratio.q) for ratio in ratios))
    return divisor if divisor.is_positive else None


def _in_range(divisor: sp.Expr | None) -> sp.Expr | None:
    """The number times a power of two, in [1, 2)."""
    return None if divisor is None else divisor * sp.Integer(2) ** (1 - frexp(float(divisor))[1])


def _odd(number: int) -> int:
    while number % 2 == 0:
        number //= 2
    return number


@lru_cache(maxsize=_KEPT)
def rescaled(expr: sp.Expr, symbol: sp.Symbol, rate: sp.Expr) -> sp.Expr:
    """The expression at `symbol = tau/rate`, the arguments of exponentials multiplied out."""
    arguments = {a: sp.expand(a.xreplace({symbol: symbol / rate})) for a in polynomial_arguments(expr, symbol)}
    hidden = {argument: sp.Dummy() for argument in arguments}
    outside = expr.xreplace(hidden).xreplace({symbol: symbol / rate})
    return outside.xreplace({hidden[argument]: scaled for argument, scaled in arguments.items()})


def carried_back(expansion: Expansion, start: arb, rate: sp.Expr) -> Expansion:
    """An expansion in `tau = rate t` as one in `t >= start`.

    `tau^p exp(b tau + a tau^2) = rate^p t^p exp(b rate t + a rate^2 t^2)`. Rates that are no fractions are rounded up,
    which costs the coefficient a factor between 0 and 1.
    """
    ball = constant_ball(rate)
    first, second = (_exact(power) for power in (rate, rate**2))
    terms: dict[tuple[Fraction, Fraction, Fraction], acb] = {}
    for (a, b, p), value in expansion.terms.items():
        factor = (arb(p.numerator) / p.denominator * ball.log()).exp() if p else arb(1)
        if (a and second is None) or (b and first is None):
            factor = factor * interval(arb(0), arb(1))
        square = _up(a, ball * ball) if second is None else a * second
        key = (square, _up(b, ball) if first is None else b * first, p)
        terms[key] = terms[key] + value * factor if key in terms else value * factor
    return Expansion(start, terms)


def _exact(value: sp.Expr) -> Fraction | None:
    return Fraction(int(value.p), int(value.q)) if value.is_Rational else None


def _up(value: Fraction, factor: arb) -> Fraction:
    """A fraction not below the product."""
    if not value:
        return value
    top = exact_fraction((arb(value.numerator) / value.denominator * factor).upper())
    return Fraction(-((-top * _ROUNDED) // 1), _ROUNDED)

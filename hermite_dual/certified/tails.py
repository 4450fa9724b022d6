"""Growth of smooth expressions towards infinity, derived from the expression itself.

`tail(expr, symbol, side, start, offset)` gives an `Expansion` that encloses `expr(z)`, `z = side t + i y`, for all
`t >= start` and all y of a range. From it come the bounds of truncated integrals, the strip bounds far from the
origin, and what an
activation and its derivatives do at infinity.
"""

from collections.abc import Callable
from fractions import Fraction

import sympy as sp
from flint import acb, arb

from hermite_dual.certified.ball_functions import BallFunction, constant_ball
from hermite_dual.certified.monomials import ONE, Expansion, Exponents, TailError, fraction_ball
from hermite_dual.certified.precision import exact_fraction, interval, magnitude

_LOG_POWER = Fraction(1, 8)
_DENOMINATOR = 2**40


def tail(expr: sp.Expr, symbol: sp.Symbol, side: int, start: int, offset: arb | None = None) -> Expansion:
    """Enclose a smooth expression on a half line or a half strip.

    Args:
        expr: an expression without kinks on the half line.
        symbol: its argument.
        side: 1 for `+oo`, -1 for `-oo`.
        start: X >= 1.
        offset: the range of the imaginary part y; None for the real half line.

    Returns:
        An expansion in `t >= start` of `expr(side t + i y)` for every y in `offset`.

    Raises:
        TailError: the expression's behaviour there is not understood, or the half strip starts too early.
    """
    left = arb(start)
    leaf = Expansion(left, {(Fraction(0), Fraction(0), Fraction(1)): acb(side)})
    if offset is not None:
        leaf = leaf + Expansion.constant(left, acb(arb(0), offset))
    return _Walker(symbol, leaf, offset is None).visit(expr)


def _ceiling(ball: arb) -> Fraction:
    """A fraction not below the ball."""
    return Fraction(-((-exact_fraction(ball.upper()) * _DENOMINATOR) // 1), _DENOMINATOR)


def _disc(radius: arb) -> acb:
    """A box around the disc of complex numbers up to a modulus."""
    side = interval(-radius, radius)
    return acb(side, side)


class _Walker:
    """Evaluates an expression tree in expansions."""

    def __init__(self, symbol: sp.Symbol, leaf: Expansion, real: bool) -> None:
        self.symbol, self.leaf, self.real = symbol, leaf, real
        self.start = leaf.start

    def constant(self, value: acb | arb | int) -> Expansion:
        """A constant as an expansion."""
        return Expansion.constant(self.start, acb(value))

    def visit(self, expr: sp.Expr) -> Expansion:
        """The expansion of an expression."""
        if expr == self.symbol:
            return self.leaf
        if not expr.free_symbols:
            value = constant_ball(expr)
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

    def by_range(self, function: type, argument: Expansion) -> Expansion:
        """A function of an argument that stays bounded: `f(c + s)` is in `f(c) + s f'(hull)`, c the constant term."""
        dummy = sp.Dummy("u")
        head, rest = argument.terms.get(ONE, acb(0)), argument.without(ONE)
        value = BallFunction(function(dummy), dummy)(head, analytic=True)
        if not value.is_finite():
            raise TailError
        result = self.constant(value)
        if rest.terms:
            slope = BallFunction(function(dummy).diff(dummy), dummy)(argument.range(), analytic=True)
            if not slope.is_finite():
                raise TailError
            result = result + rest * self.constant(slope)
        return result

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

    def rational_power(self, inner: Expansion, power: Fraction, exponent: sp.Expr) -> Expansion:
        """`(m B)^e = m^e B^e` with the leading monomial m > 0."""
        lead, ball = inner.factored()
        dummy = sp.Dummy("u")
        value = BallFunction(dummy**exponent, dummy)(ball, analytic=True)
        if self.real and not ball.imag.is_zero():
            raise TailError
        if not value.is_finite():
            raise TailError
        a, b, p = lead
        return Expansion(self.start, {(a * power, b * power, p * power): value})

    def reciprocal(self, inner: Expansion) -> Expansion:
        """`1/(m (c + s)) = (1/c - s/(c (c + s)))/m`: the leading coefficient stays sharp."""
        lead, ball = inner.factored()
        if ball.contains(0):
            raise TailError
        head = inner.terms[lead]
        a, b, p = lead
        if (head * ball).contains(0):
            return Expansion(self.start, {(-a, -b, -p): 1 / ball})
        rest = inner.without(lead).scaled(-1 / (head * ball))
        inverse = (-a, -b, -p)
        return (rest.shifted(inverse) + self.constant(1 / head)).shifted(inverse)

    def sign_of(self, argument: Expansion) -> int:
        """The side to which an unbounded argument goes; 0 if it stays bounded."""
        lead, ball = argument.factored()
        if lead <= ONE:
            return 0
        if ball.real > 0 or ball.real < 0:
            return 1 if ball.real > 0 else -1
        raise TailError

    def rule_exp(self, argument: Expansion) -> Expansion:
        """`exp`: the terms in `t^2`, `t` and 1 stay exact, faster decay is bounded, faster growth refused."""
        exponents, sharp = [Fraction(0), Fraction(0)], True
        bounded = Expansion(self.start, {})
        for key, value in argument.terms.items():
            a, b, p = key
            if key <= ONE:
                bounded = bounded + Expansion(self.start, {key: value})
                continue
            if value.real.is_zero():
                sharp = False
                continue
            if a == 0 and b == 0 and p in (1, 2):
                slot, ball = 2 - int(p), value.real
            else:
                slot, ball = self.absorbed(key, value.real)
            exact = ball.is_exact() and value.imag.is_zero() and a == 0 and b == 0 and p in (1, 2)
            sharp = sharp and exact
            exponents[slot] += exact_fraction(ball) if exact else _ceiling(ball)
        rate = (exponents[0], exponents[1], Fraction(0))
        if not sharp:
            top = arb(bounded.range().real.upper()).exp()
            return Expansion(self.start, {rate: acb(interval(arb(0), top)) if self.real else _disc(top)})
        # exp(c + s) = exp(c) (1 + s exp(hull of 0 and s))
        small = bounded.without(ONE)
        factor = self.constant(1) + small * self.constant(small.range().exp())
        return factor.scaled(bounded.terms.get(ONE, acb(0)).exp()).shifted(rate)

    def absorbed(self, key: Exponents, ball: arb) -> tuple[int, arb]:
        """A bound of a term of the exponent by one in `t^2` (slot 0) or `t` (slot 1), valid on `t >= start`."""
        a, b, p = key
        grows = not ball < 0
        if a == 0 and b == 0 and grows:
            if p > 2:
                raise TailError
            slot = 0 if p > 1 else 1
            return slot, ball.upper() * (fraction_ball(p - (2 - slot)) * self.start.log()).exp().union(arb(0)).upper()
        if grows:
            raise TailError
        # ball < 0: -|c| t^p e^{..} <= -|c| X^{p-s} t^s for the largest s below p, the exponential at least 1
        if a < 0 or b < 0 or (a == 0 and b == 0 and p < 1):
            return 1, arb(0)
        power = p if (a == 0 and b == 0) else Fraction(2)
        slot = 0 if power >= 2 else 1
        if a != 0 or b != 0:
            return 1, (-self.lower_growth(key)) * abs(ball).lower()
        return slot, -abs(ball).lower() * (fraction_ball(power - (2 - slot)) * self.start.log()).exp().lower()

    def lower_growth(self, key: Exponents) -> arb:
        """A number g >= 0 with `t^p exp(b t + a t^2) >= g t` on the half line, for exponents with b, a, p >= 0."""
        if min(key) < 0:
            return arb(0)
        return arb(1) if key[2] >= 1 else fraction_ball(max(key[1], key[0]))

    def rule_log(self, argument: Expansion) -> Expansion:
        """`log(m B) = log m + log B`, with `0 <= log t <= (8/e) t^(1/8)`."""
        lead, ball = argument.factored()
        value = ball.log(analytic=True)
        if not value.is_finite():
            raise TailError
        a, b, p = lead
        zero, one = Fraction(0), Fraction(1)
        terms = {ONE: value}
        if b:
            terms[zero, zero, one] = acb(fraction_ball(b))
        if a:
            terms[zero, zero, 2 * one] = acb(fraction_ball(a))
        if p:
            slope = 1 / (fraction_ball(_LOG_POWER) * arb.const_e())
            terms[zero, zero, _LOG_POWER] = acb(interval(arb(0), slope) * fraction_ball(p))
        if lead < ONE or not self.sharp_log(argument, lead):
            return Expansion(self.start, terms)
        # the constant stays sharp: log(c (1 + s/c)) = log c + s/c * [1, 1/(1+s/c)]-type factor
        head = argument.terms[lead]
        inverse = (-a, -b, -p)
        ratio = argument.without(lead).shifted(inverse).scaled(1 / head)
        size = magnitude(ratio.range())
        factor = acb(1) + _disc(size / (1 - size))
        terms[ONE] = head.log()
        return Expansion(self.start, {k: v for k, v in terms.items() if not v.is_zero()}) + ratio * self.constant(
            acb(factor.real) if self.real else factor
        )

    def sharp_log(self, argument: Expansion, lead: Exponents) -> bool:
        """Whether the leading term dominates the others enough for the series of the logarithm."""
        head = argument.terms.get(lead)
        if head is None or not head.real > 0 or not head.imag.is_zero():
            return False
        a, b, p = lead
        size = magnitude(argument.without(lead).shifted((-a, -b, -p)).scaled(1 / head).range())
        return bool(size < 0.5)

    def complementary(self, argument: Expansion) -> Expansion:
        """`erfc(w) = theta exp(-w^2)`, `|theta| <= 1` for `Re w >= 0` and `0 < theta <= 1` for real w >= 0."""
        gauss = self.rule_exp((argument * argument).scaled(-1))
        return gauss * self.constant(acb(interval(arb(0), arb(1))) if self.real else _disc(arb(1)))

    def rule_erf(self, argument: Expansion) -> Expansion:
        """`erf(w) = 1 - erfc(w)`, odd."""
        sign = self.sign_of(argument)
        if sign == 0:
            return self.by_range(sp.erf, argument)
        return self.constant(sign) + self.complementary(argument.scaled(sign)).scaled(-sign)

    def rule_erfc(self, argument: Expansion) -> Expansion:
        """`erfc(w) = 1 - erf(w)`."""
        return self.constant(1) + self.rule_erf(argument).scaled(-1)

    def rule_erfi(self, argument: Expansion) -> Expansion:
        """`erfi(w) = -i erf(i w)`, `|erf(i w)| <= 1 + |exp(w^2)|`."""
        if self.sign_of(argument) == 0:
            return self.by_range(sp.erfi, argument)
        return self.constant(_disc(arb(1))) + self.rule_exp(argument * argument) * self.constant(_disc(arb(1)))

    def rule_tanh(self, argument: Expansion) -> Expansion:
        """`tanh(w) = 1 - 2 e/(1 + e)`, `e = exp(-2 w)`, odd."""
        sign = self.sign_of(argument)
        if sign == 0:
            return self.by_range(sp.tanh, argument)
        small = self.rule_exp(argument.scaled(-2 * sign))
        return self.constant(sign) + (small * self.reciprocal(self.constant(1) + small)).scaled(-2 * sign)

    def rule_coth(self, argument: Expansion) -> Expansion:
        """`coth = 1/tanh`."""
        return self.reciprocal(self.rule_tanh(argument))

    def rule_sinh(self, argument: Expansion) -> Expansion:
        """`sinh(w) = (exp(w) - exp(-w))/2`."""
        return (self.rule_exp(argument) + self.rule_exp(argument.scaled(-1)).scaled(-1)).scaled(arb(1) / 2)

    def rule_cosh(self, argument: Expansion) -> Expansion:
        """`cosh(w) = (exp(w) + exp(-w))/2`."""
        return (self.rule_exp(argument) + self.rule_exp(argument.scaled(-1))).scaled(arb(1) / 2)

    def rule_sech(self, argument: Expansion) -> Expansion:
        """`sech = 1/cosh`."""
        return self.reciprocal(self.rule_cosh(argument))

    def rule_csch(self, argument: Expansion) -> Expansion:
        """`csch = 1/sinh`."""
        return self.reciprocal(self.rule_sinh(argument))

    def oscillation(self, argument: Expansion, function: type) -> Expansion:
        """`|sin w|, |cos w| <= cosh(Im w)`, the imaginary part being bounded."""
        if argument.leading() <= ONE:
            return self.by_range(function, argument)
        if self.real:
            return self.constant(arb(0, 1))
        imaginary = Expansion(self.start, {k: acb(v.imag) for k, v in argument.terms.items() if not v.imag.is_zero()})
        return self.constant(_disc(magnitude(imaginary.range()).cosh().upper()))

    def rule_sin(self, argument: Expansion) -> Expansion:
        """`sin`."""
        return self.oscillation(argument, sp.sin)

    def rule_cos(self, argument: Expansion) -> Expansion:
        """`cos`."""
        return self.oscillation(argument, sp.cos)

    def rule_sinc(self, argument: Expansion) -> Expansion:
        """`sin(w)/w`."""
        return self.rule_sin(argument) * self.reciprocal(argument)

    def rule_atan(self, argument: Expansion) -> Expansion:
        """`atan(w) = pi/2 - atan(1/w)` for `Re w > 0`, odd; `|atan(u)/u - 1| <= |u|^2/(3 (1 - |u|^2))`."""
        sign = self.sign_of(argument)
        if sign == 0:
            return self.by_range(sp.atan, argument)
        inverse = self.reciprocal(argument)
        size = magnitude(inverse.range())
        if not size < 1:
            raise TailError
        radius = size**2 / (3 * (1 - size**2))
        factor = interval(1 - radius, arb(1)) if self.real else acb(1) + _disc(radius)
        return self.constant(sign * arb.pi() / 2) + (inverse * self.constant(factor)).scaled(-1)

    def rule_asinh(self, argument: Expansion) -> Expansion:
        """`asinh(w) = log(w + sqrt(1 + w^2))` for `Re w > 0`, odd."""
        sign = self.sign_of(argument)
        if sign == 0:
            return self.by_range(sp.asinh, argument)
        positive = argument.scaled(sign)
        root = self.rational_power(positive * positive + self.constant(1), Fraction(1, 2), sp.Rational(1, 2))
        return self.rule_log(positive + root).scaled(sign)

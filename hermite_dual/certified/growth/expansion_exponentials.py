"""Exponentials and logarithms of expansions on a half line.

Derivation: docs/theory/activations_in_balls.md, "Growth at infinity".
"""

from fractions import Fraction

from flint import acb, arb

from hermite_dual.certified.balls.precision import exact_fraction, interval, magnitude
from hermite_dual.certified.growth.expansion_arithmetic import Arithmetic, disc
from hermite_dual.certified.growth.monomials import ONE, Expansion, Exponents, TailError, fraction_ball, monomial

_LOG_POWER = Fraction(1, 8)  # `log t <= (8/e) t^(1/8)`, a small power
_DENOMINATOR = 2**40  # of exponents that are rounded up
_STEEP = arb(2) ** 16
"""Rates are kept as exact fractions, which larger ones would fill the memory with; a smaller bound holds as well."""


def _ceiling(ball: arb) -> Fraction:
    """A fraction not below the ball."""
    return Fraction(-((-exact_fraction(ball.upper()) * _DENOMINATOR) // 1), _DENOMINATOR)


class Exponentials(Arithmetic):
    """The rules of `exp` and `log`."""

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
            return Expansion(self.start, {rate: acb(interval(arb(0), top)) if self.real else disc(top)})
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
        """A number g >= 0 with `t^p exp(b t + a t^2) >= g t` on the half line, for exponents with b, a >= 0.

        `t^(p-1) exp(b t + a t^2)` rises where `p - 1 + b t + 2 a t^2 >= 0`, and from the start on if it does there.
        """
        a, b, p = key
        if min(a, b) < 0:
            return arb(0)
        slope = fraction_ball(p - 1) + fraction_ball(b) * self.start + 2 * fraction_ball(a) * self.start**2
        growth = monomial((a, b, p - 1), self.start).min(_STEEP) if slope >= 0 else arb(0)
        return arb(growth.lower())

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
        factor = acb(1) + disc(size / (1 - size))
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

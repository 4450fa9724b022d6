"""Elementary and error functions of expansions on a half line, by sympy's class names.

Derivation: docs/theory/activations_in_balls.md, "Growth at infinity".
"""

from fractions import Fraction

import sympy as sp
from flint import acb, arb

from hermite_dual.certified.balls.precision import interval, magnitude
from hermite_dual.certified.growth.expansion_arithmetic import disc
from hermite_dual.certified.growth.expansion_exponentials import Exponentials
from hermite_dual.certified.growth.monomials import ONE, Expansion, TailError


class Functions(Exponentials):
    """One rule per function, named `rule_` and sympy's name; a function without a rule needs a bounded argument."""

    def complementary(self, argument: Expansion) -> Expansion:
        """`erfc(w) = theta exp(-w^2)`, `|theta| <= 1` for `Re w >= 0` and `0 < theta <= 1` for real w >= 0."""
        gauss = self.rule_exp((argument * argument).scaled(-1))
        return gauss * self.constant(acb(interval(arb(0), arb(1))) if self.real else disc(arb(1)))

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
        return self.constant(disc(arb(1))) + self.rule_exp(argument * argument) * self.constant(disc(arb(1)))

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
        return self.constant(disc(magnitude(imaginary.range()).cosh().upper()))

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
        radius = size * size / (3 * (1 - size * size))
        factor = interval(1 - radius, arb(1)) if self.real else acb(1) + disc(radius)
        return self.constant(sign * arb.pi() / 2) + (inverse * self.constant(factor)).scaled(-1)

    def rule_asinh(self, argument: Expansion) -> Expansion:
        """`asinh(w) = log(w + sqrt(1 + w^2))` for `Re w > 0`, odd."""
        sign = self.sign_of(argument)
        if sign == 0:
            return self.by_range(sp.asinh, argument)
        positive = argument.scaled(sign)
        root = self.rational_power(positive * positive + self.constant(1), Fraction(1, 2), sp.Rational(1, 2))
        return self.rule_log(positive + root).scaled(sign)

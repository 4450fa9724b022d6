"""What can be done with expansions on a half line besides adding and multiplying them.

Derivation: docs/theory/activations_in_balls.md, "Growth at infinity".
"""

from fractions import Fraction

import sympy as sp
from flint import acb, arb

from hermite_dual.certified.balls.ball_functions import BallFunction
from hermite_dual.certified.balls.precision import interval
from hermite_dual.certified.growth.monomials import ONE, Expansion, TailError


def disc(radius: arb) -> acb:
    """A box around the disc of complex numbers up to a modulus."""
    side = interval(-radius, radius)
    return acb(side, side)


class Arithmetic:
    """Powers, reciprocals and functions of bounded arguments.

    Args:
        start: X, from where on expansions hold.
        real: whether they are meant on the real half line alone.
    """

    def __init__(self, start: arb, real: bool) -> None:
        self.start, self.real = start, real

    def constant(self, value: acb | arb | int) -> Expansion:
        """A constant as an expansion."""
        return Expansion.constant(self.start, acb(value))

    def by_range(self, function: type, argument: Expansion) -> Expansion:
        """A function of an argument that stays bounded: `f(c + s)` is in `f(c) + s f'(hull)`, c the constant term."""
        dummy = sp.Dummy("u")
        constant_term, varying = argument.terms.get(ONE, acb(0)), argument.without(ONE)
        value = BallFunction(function(dummy), dummy)(constant_term, analytic=True)
        if not value.is_finite():
            raise TailError
        result = self.constant(value)
        if varying.terms:
            slope = BallFunction(function(dummy).diff(dummy), dummy)(argument.range(), analytic=True)
            if not slope.is_finite():
                raise TailError
            result = result + varying * self.constant(slope)
        return result

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
        correction = inner.without(lead).scaled(-1 / (head * ball))
        inverse = (-a, -b, -p)
        return (correction.shifted(inverse) + self.constant(1 / head)).shifted(inverse)

    def sign_of(self, argument: Expansion) -> int:
        """The side to which an unbounded argument goes; 0 if it stays bounded."""
        lead, ball = argument.factored()
        if lead <= ONE:
            return 0
        if ball.real > 0 or ball.real < 0:
            return 1 if ball.real > 0 else -1
        raise TailError

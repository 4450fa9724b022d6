"""Sums of monomials `c t^p exp(b t + a t^2)` on `t >= X` with balls for coefficients.

An `Expansion` encloses a function of `t >= X` (and of an imaginary offset `y`, `|y| <= H`): for each such point there
are
numbers in the coefficient balls with which the sum is exact. Sums and products are formed termwise, and a term may be
folded into a larger one, since the ratio of two monomials has a computable supremum on the half line.

Derivation: docs/theory/activations_in_balls.md, "Growth at infinity".
"""

from dataclasses import dataclass
from fractions import Fraction

from flint import acb, arb

from hermite_dual.certified.balls.precision import interval, magnitude

Exponents = tuple[Fraction, Fraction, Fraction]
"""Exponents `(a, b, p)` of `t^2`, of `t` and of the power: compared in this order they rank growth."""

ONE: Exponents = (Fraction(0), Fraction(0), Fraction(0))  # exponents of the constant 1
MAX_TERMS = 12  # smaller ones are taken into the coefficients of larger ones


class TailError(Exception):
    """The behaviour on a half line is not understood; internal, callers turn it into an outcome or an error."""


def fraction_ball(value: Fraction) -> arb:
    """The ball of a fraction at the current precision."""
    return arb(value.numerator) / value.denominator


def monomial(exponents: Exponents, t: arb) -> arb:
    """`t^p exp(b t + a t^2)` at a ball `t > 0`."""
    a, b, p = (fraction_ball(e) for e in exponents)
    return (p * t.log() + b * t + a * t * t).exp()


def monomial_sup(exponents: Exponents, start: arb) -> arb:
    """An upper bound of `t^p exp(b t + a t^2)` on `t >= start > 0`, for exponents that rank at most 0.

    The logarithm has its critical points at the roots of `2 a t^2 + b t + p`; the supremum is at `start`, at one of
    them, or, for `p = b = a = 0`, everywhere.
    """
    if exponents == ONE:
        return arb(1)
    if exponents > ONE:
        raise TailError
    a, b, p = exponents
    candidates = [start]
    if a != 0:
        discriminant = b * b - 8 * a * p
        if discriminant >= 0:
            root = fraction_ball(discriminant).sqrt()
            candidates += [(fraction_ball(-b) + sign * root) / fraction_ball(4 * a) for sign in (1, -1)]
    elif b != 0:
        candidates.append(fraction_ball(-p / b))
    values = [monomial(exponents, t.max(start)) for t in candidates if not t < start]
    top = values[0]
    for value in values[1:]:
        top = top.max(value)
    return top.upper()


@dataclass(frozen=True)
class Expansion:
    """A sum of monomials on `t >= start`.

    Attributes:
        start: the left end X, an exact ball >= 1.
        terms: coefficient balls by exponents.
    """

    start: arb
    terms: dict[Exponents, acb]

    @classmethod
    def constant(cls, start: arb, value: acb | arb) -> "Expansion":
        """A constant function."""
        return cls(start, {ONE: acb(value)})

    def __add__(self, other: "Expansion") -> "Expansion":
        terms = dict(self.terms)
        for key, value in other.terms.items():
            terms[key] = terms[key] + value if key in terms else value
        return Expansion(self.start, {k: v for k, v in terms.items() if not v.is_zero()}).shortened()

    def __mul__(self, other: "Expansion") -> "Expansion":
        result = Expansion(self.start, {})
        for (a, b, p), value in self.terms.items():
            shifted = {(a + c, b + d, p + q): value * w for (c, d, q), w in other.terms.items()}
            result = result + Expansion(self.start, shifted)
        return result

    def scaled(self, factor: acb | arb | int) -> "Expansion":
        """The function times a constant."""
        return Expansion(self.start, {k: v * factor for k, v in self.terms.items()})

    def shifted(self, exponents: Exponents) -> "Expansion":
        """The function times a monomial."""
        c, d, q = exponents
        return Expansion(self.start, {(a + c, b + d, p + q): v for (a, b, p), v in self.terms.items()})

    def leading(self) -> Exponents:
        """The exponents of the term that grows fastest; zero functions rank as constants."""
        return max(self.terms, default=ONE)

    def without(self, exponents: Exponents) -> "Expansion":
        """The function less one of its terms."""
        return Expansion(self.start, {k: v for k, v in self.terms.items() if k != exponents})

    def shortened(self) -> "Expansion":
        """The same enclosure with at most `MAX_TERMS` terms: small terms widen the coefficient of a larger one."""
        if len(self.terms) <= MAX_TERMS:
            return self
        keys = sorted(self.terms, reverse=True)
        host = keys[MAX_TERMS - 1]
        folded = (
            Expansion(self.start, {k: self.terms[k] for k in keys[MAX_TERMS - 1 :]}).shifted(_inverse(host)).range()
        )
        return Expansion(self.start, {**{k: self.terms[k] for k in keys[: MAX_TERMS - 1]}, host: folded})

    def factored(self) -> tuple[Exponents, acb]:
        """Exponents m and a ball B with `f(t) / m(t)` in B for every `t >= start`."""
        lead = self.leading()
        return lead, self.shifted(_inverse(lead)).range()

    def range(self) -> acb:
        """A ball with every value on the half line; needs terms that do not grow."""
        total = acb(0)
        for key, value in self.terms.items():
            total += value if key == ONE else value * interval(arb(0), monomial_sup(key, self.start))
        return total

    def bound(self, rate: Exponents) -> arb:
        """A number A with `|f(t)| <= A t^p exp(b t + a t^2)` for the given exponents, on the half line."""
        total = arb(0)
        for key, value in self.shifted(_inverse(rate)).terms.items():
            total += magnitude(value) * monomial_sup(key, self.start)
        return total.upper()


def _inverse(exponents: Exponents) -> Exponents:
    """Exponents of the reciprocal monomial."""
    a, b, p = exponents
    return (-a, -b, -p)

"""Gaussian expectations of products of two terms: tilt, condition, recur.

The exponential of a term tilts the Gaussian law (mean and covariance change, a factor comes out), a gate is the
indicator that a Gaussian is positive, and powers are removed by Stein's identity, which conditions on the boundary of
a gate. What is left is the probability that at most two Gaussians are positive. Nothing is
divided by `q1 q2 - c^2`, so degenerate covariances need no separate treatment.

Derivation: docs/theory/closed_forms.md, "The integral", "Exponentials tilt the law", "Gates are indicators", "Powers
go by Stein's identity", "Mixed products".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hermite_dual.symbolic.ground import Element, Ground, Polynomial
from hermite_dual.symbolic.terms import FormTooLongError, Gate, Term

PARAMETERS_REMEDY = ": give the parameters numbers, or lower the powers."
MAX_COEFFICIENT_TERMS = 200
"""A moment with longer numerators gives a form of pages; the derivation stops there instead of going on for minutes."""
Root = tuple[Element, Polynomial]  # notation: (A, P) stands for A sqrt(P)
NormalCdf = tuple[str, Root]
BivariateCdf = tuple[str, Root, Root, Root]
Core = None | NormalCdf | BivariateCdf


@dataclass(frozen=True)
class Summand:
    """The product `coefficient * sqrt(radicand) * exp(exponent) * core`.

    Attributes:
        coefficient: an element of the ground field.
        radicand: a square-free polynomial, positive for every nondegenerate covariance.
        exponent: an element of the ground field.
        core: None for 1, `("cdf", z)` for Phi(z), `("cdf2", h, k, r)` for the bivariate normal CDF, of roots.
    """

    coefficient: Element
    radicand: Polynomial
    exponent: Element
    core: Core


@dataclass(frozen=True)
class Law:
    """A Gaussian law of (u, v).

    Attributes:
        mean: the two means.
        covariance: Var u, Cov(u, v), Var v.
    """

    mean: tuple[Element, Element]
    covariance: tuple[Element, Element, Element]

    def cov(self, i: int, j: int) -> Element:
        """Return the covariance of coordinates i and j."""
        return self.covariance[i + j]


@dataclass(frozen=True)
class FieldGate:
    """A gate on coordinate `index`, its numbers in the ground field."""

    index: int
    threshold: Element
    noise: Element
    side: int
    point: bool


@dataclass
class TiltedPair:
    """The expectation `E[u^p v^r gates]` under a tilted law, by Stein's recursion.

    Attributes:
        ground: the field.
        law: law of (u, v) after the tilt.
        gates: at most one gate for each coordinate.
    """

    ground: Ground
    law: Law
    gates: tuple[FieldGate, ...]
    _laws: dict[frozenset[int], Law] = field(default_factory=dict)
    _moments: dict[tuple[frozenset[int], int, int], dict[frozenset[int], Element]] = field(default_factory=dict)

    def conditional_law(self, held: frozenset[int]) -> Law:
        """Return the law given that the Gaussians of the gates `held` are zero."""
        if held not in self._laws:
            if not held:
                return self.law
            last = max(held)
            self._laws[held] = condition(self.conditional_law(held - {last}), self.gates[last])
        return self._laws[held]

    def moment(self, held: frozenset[int], p: int, r: int) -> dict[frozenset[int], Element]:
        """Return `E[u^p v^r prod(open gates) | held]`, by densities of gates at 0 times probabilities of the rest."""
        key = (held, p, r)
        if key not in self._moments:
            self._moments[key] = self._recur(held, p, r)
        return self._moments[key]

    def _recur(self, held: frozenset[int], p: int, r: int) -> dict[frozenset[int], Element]:
        law = self.conditional_law(held)
        if p == 0 and r == 0:
            return {held: self.ground.field.one}
        i = 0 if p else 1
        powers = [p, r]
        powers[i] -= 1
        total: dict[frozenset[int], Element] = {}

        def add(factor: Element, held_then: frozenset[int], exponents: list[int]) -> None:
            if factor:
                for key, value in self.moment(held_then, *exponents).items():
                    total[key] = self.ground.reduce(total.get(key, self.ground.field.zero) + factor * value)
                    if len(total[key].numer) > MAX_COEFFICIENT_TERMS:
                        raise FormTooLongError(
                            "There is a closed form, but it would have coefficients of more than "
                            f"{MAX_COEFFICIENT_TERMS} terms{PARAMETERS_REMEDY}"
                        )

        add(law.mean[i], held, powers)
        for j in (0, 1):
            if powers[j]:
                fewer = list(powers)
                fewer[j] -= 1
                add(powers[j] * law.cov(i, j), held, fewer)
        for number, gate in enumerate(self.gates):
            if number not in held:
                add(gate.side * law.cov(i, gate.index), held | {number}, powers)
        return total


def condition(law: Law, gate: FieldGate) -> Law:
    """Return the law given that `x_i - threshold + sqrt(noise) N = 0`."""
    i = gate.index
    variance = law.cov(i, i) + gate.noise
    gain = [law.cov(j, i) / variance for j in (0, 1)]
    deviation = gate.threshold - law.mean[i]
    mean = (law.mean[0] + gain[0] * deviation, law.mean[1] + gain[1] * deviation)
    covariance = (
        law.cov(0, 0) - gain[0] * law.cov(i, 0),
        law.cov(0, 1) - gain[0] * law.cov(i, 1),
        law.cov(1, 1) - gain[1] * law.cov(i, 1),
    )
    return Law(mean, covariance)


def expect_product(
    ground: Ground,
    left: Sequence[Term],
    right: Sequence[Term],
    covariance: tuple[Element, Element, Element],
    multiplier: Mapping[int, Element] | None = None,
) -> Iterator[Summand]:
    """Expand `E[m(u) left(u) right(v)]` for a centred pair.

    Args:
        ground: the field.
        left: terms in u that differ in coefficient and power only.
        right: terms in v that differ in coefficient and power only.
        covariance: Var u, Cov(u, v), Var v in the field.
        multiplier: the polynomial m, coefficients by power; 1 by default.

    Yields:
        Summands; those of conjugate terms add up to a real number.
    """
    law, determinant, exponent = tilt(ground, left[0], right[0], covariance)
    exponent += ground(left[0].constant) + ground(right[0].constant)
    gates = tuple(
        _to_field(ground, terms[0].gate, index)
        for index, terms in enumerate((left, right))
        if terms[0].gate is not None
    )
    pair = TiltedPair(ground, law, gates)
    held = frozenset(number for number, gate in enumerate(gates) if gate.point)
    polynomials = (_polynomial(ground, left, multiplier), _polynomial(ground, right, None))
    totals: dict[frozenset[int], Element] = {}
    for p, first in polynomials[0].items():
        for r, second in polynomials[1].items():
            weight = ground.reduce(first * second)
            for key, value in pair.moment(held, p, r).items():
                totals[key] = ground.reduce(totals.get(key, ground.field.zero) + weight * value)
    for key, total in totals.items():
        if total:
            yield _summand(ground, pair, key, total, determinant, exponent)


def _polynomial(ground: Ground, terms: Sequence[Term], multiplier: Mapping[int, Element] | None) -> dict[int, Element]:
    """Return the polynomial factor of terms, times a multiplier, as coefficients by power."""
    result: dict[int, Element] = {}
    for term in terms:
        for power, weight in (multiplier or {0: ground.field.one}).items():
            value = result.get(term.power + power, ground.field.zero) + ground(term.coefficient) * weight
            result[term.power + power] = value
    return dict(sorted(result.items()))


def tilt(
    ground: Ground, left: Term, right: Term, covariance: tuple[Element, Element, Element]
) -> tuple[Law, Element, Element]:
    r"""Absorb the exponentials of two terms into the law.

    With $A = \mathrm{diag}(\alpha_1, \alpha_2)$, $\Sigma' = (I - 2 \Sigma A)^{-1} \Sigma$,
    $E[e^{\alpha_1 u^2 + \beta_1 u + \alpha_2 v^2 + \beta_2 v} f(u, v)]
    = \det(I - 2 \Sigma A)^{-1/2} e^{\beta^T \Sigma' \beta / 2} E[f(u', v')]$ with
    $(u', v') \sim N(\Sigma' \beta, \Sigma')$.

    Returns:
        The tilted law, the determinant, the exponent `beta^T Sigma' beta / 2`.
    """
    q1, c, q2 = covariance
    a1, a2 = ground(left.quadratic), ground(right.quadratic)
    b1, b2 = ground(left.linear), ground(right.linear)
    gap = q1 * q2 - c**2
    determinant = 1 - 2 * a1 * q1 - 2 * a2 * q2 + 4 * a1 * a2 * gap
    tilted = ((q1 - 2 * a2 * gap) / determinant, c / determinant, (q2 - 2 * a1 * gap) / determinant)
    mean = (tilted[0] * b1 + tilted[1] * b2, tilted[1] * b1 + tilted[2] * b2)
    ground.declare_positive(determinant)
    exponent = ground.reduce((b1 * mean[0] + b2 * mean[1]) / 2)
    return Law((ground.reduce(mean[0]), ground.reduce(mean[1])), tilted), determinant, exponent


def _to_field(ground: Ground, gate: Gate, index: int) -> FieldGate:
    return FieldGate(index, ground(gate.threshold), ground(gate.noise), gate.side, gate.point)


def _summand(
    ground: Ground, pair: TiltedPair, key: frozenset[int], value: Element, determinant: Element, exponent: Element
) -> Summand:
    """Multiply a coefficient by the densities of the gates held and the probability of the gates left open."""
    radicand = determinant
    held: frozenset[int] = frozenset()
    for number in sorted(key):
        law = pair.conditional_law(held)
        gate = pair.gates[number]
        variance = law.cov(gate.index, gate.index) + gate.noise
        ground.declare_positive(variance)
        radicand *= variance
        exponent -= ground.reduce((gate.threshold - law.mean[gate.index]) ** 2 / (2 * variance))
        value *= ground.kappa
        held |= {number}
    outer, inner = ground.root(1 / radicand)
    core = _core(ground, pair, held)
    return Summand(ground.reduce(value * outer), inner, ground.reduce(exponent), core)


def _core(ground: Ground, pair: TiltedPair, held: frozenset[int]) -> Core:
    """Return the probability that the gates left open are positive."""
    law = pair.conditional_law(held)
    open_gates = [gate for number, gate in enumerate(pair.gates) if number not in held]
    variances = [law.cov(gate.index, gate.index) + gate.noise for gate in open_gates]
    for variance in variances:
        ground.declare_positive(variance)
    scores = [
        _over_root(ground, gate.side * (law.mean[gate.index] - gate.threshold), variance)
        for gate, variance in zip(open_gates, variances, strict=True)
    ]
    if not open_gates:
        return None
    if len(open_gates) == 1:
        return ("cdf", scores[0])
    first, second = open_gates
    shared = first.side * second.side * law.cov(first.index, second.index)
    return ("cdf2", scores[0], scores[1], _over_root(ground, shared, variances[0] * variances[1]))


def _over_root(ground: Ground, value: Element, variance: Element) -> Root:
    """Return `value / sqrt(variance)` as a root."""
    if not value:
        return value, ground.ring.one
    outer, inner = ground.root(1 / variance)
    return ground.reduce(value * outer), inner

r"""The class of activations whose dual kernel is derived: finite sums of terms.

A term is `coefficient * x^power * exp(quadratic x^2 + linear x + constant) * F(x)`, where F is 1 or a gate.
A gate is the probability that a Gaussian is positive,

$$F(x) = P(\\sigma (x - t + \\sqrt{\\tau} N) > 0), \\quad N \\sim N(0, 1),$$

a step at t when tau = 0 and the normal CDF `Phi(sigma (x - t) / sqrt(tau))` otherwise. One rule covers both.
A *point* is the derivative of a step: Dirac's measure at t, which only derivatives of activations contain.

Derivation: docs/theory/closed_forms.md, "The class", "The derivative".
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import sympy as sp

from hermite_dual.errors import HermiteDualError


class OutsideClassError(HermiteDualError):
    """An activation has no representation in the class; the message is the reason, a full sentence."""


class FormTooLongError(OutsideClassError):
    """An activation is in the class, but its form would fill pages."""


@dataclass(frozen=True)
class Gate:
    """The factor `P(side (x - threshold + sqrt(noise) N) > 0)`, or Dirac's measure at the threshold.

    Attributes:
        threshold: where the gate opens, t.
        noise: variance of the smoothing, tau; 0 for a step.
        side: 1 if the gate opens to the right, -1 to the left.
        point: whether the factor is Dirac's measure at the threshold instead (noise 0, side 1).
    """

    threshold: sp.Expr
    noise: sp.Expr
    side: int
    point: bool = False


@dataclass(frozen=True)
class Term:
    """One member `coefficient * x^power * exp(quadratic x^2 + linear x + constant) * gate`."""

    coefficient: sp.Expr
    power: int = 0
    quadratic: sp.Expr = sp.S.Zero
    linear: sp.Expr = sp.S.Zero
    constant: sp.Expr = sp.S.Zero
    gate: Gate | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """Everything but the coefficient."""
        return (self.power, self.quadratic, self.linear, self.constant, self.gate)

    def smooth_part(self, symbol: sp.Symbol) -> sp.Expr:
        """Return the term without its gate, as an expression in `symbol`."""
        exponent = self.quadratic * symbol**2 + self.linear * symbol + self.constant
        return self.coefficient * symbol**self.power * sp.exp(exponent)

    def expression(self, symbol: sp.Symbol) -> sp.Expr:
        """Return the term as an expression in `symbol`."""
        smooth = self.smooth_part(symbol)
        if self.gate is None:
            return smooth
        distance = symbol - self.gate.threshold
        if self.gate.point:
            return smooth * sp.DiracDelta(distance)
        if self.gate.noise == 0:
            return smooth * sp.Heaviside(self.gate.side * distance)
        return smooth * sp.erfc(-self.gate.side * distance / sp.sqrt(2 * self.gate.noise)) / 2


def collect_terms(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Add up the coefficients of equal terms and drop those that cancel."""
    totals: dict[tuple[object, ...], Term] = {}
    for term in terms:
        known = totals.get(term.key)
        totals[term.key] = term if known is None else replace(term, coefficient=known.coefficient + term.coefficient)
    kept = []
    for term in totals.values():
        coefficient = sp.expand(term.coefficient)
        if coefficient != 0:
            kept.append(replace(term, coefficient=coefficient))
    return tuple(kept)


def group_terms(terms: Iterable[Term]) -> list[tuple[Term, ...]]:
    """Group the terms that differ in coefficient and power only, so that one tilt serves a whole polynomial."""
    groups: dict[tuple[object, ...], list[Term]] = {}
    for term in terms:
        groups.setdefault(term.key[1:], []).append(term)
    return [tuple(group) for group in groups.values()]


def differentiate(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Differentiate a sum of terms; a jump contributes a point, as in the sense of distributions."""
    smooth: list[Term] = []
    jumps: dict[sp.Expr, sp.Expr] = {}
    for term in terms:
        if term.gate is not None and term.gate.point:
            raise OutsideClassError("The activation has a jump in its derivative's derivative: differentiate once.")
        smooth.extend(_smooth_derivative(term))
        if term.gate is None:
            continue
        gate = term.gate
        if gate.noise == 0:
            value = gate.side * term.smooth_part(gate.threshold)
            jumps[gate.threshold] = jumps.get(gate.threshold, sp.S.Zero) + value
        else:
            smooth.append(_bell(term, gate))
    points = [
        Term(coefficient=height, gate=Gate(threshold, sp.S.Zero, 1, point=True))
        for threshold, total in jumps.items()
        if (height := sp.expand(total)) != 0 and not height.equals(0)
    ]
    return collect_terms([*smooth, *points])


def _smooth_derivative(term: Term) -> list[Term]:
    """Differentiate the power and the exponential, and keep the gate."""
    parts = []
    if term.power > 0:
        parts.append(replace(term, coefficient=term.coefficient * term.power, power=term.power - 1))
    if term.linear != 0:
        parts.append(replace(term, coefficient=term.coefficient * term.linear))
    if term.quadratic != 0:
        parts.append(replace(term, coefficient=2 * term.coefficient * term.quadratic, power=term.power + 1))
    return parts


def _bell(term: Term, gate: Gate) -> Term:
    """Return the term with its normal CDF replaced by the CDF's derivative, a Gaussian density."""
    return replace(
        term,
        coefficient=gate.side * term.coefficient / sp.sqrt(2 * sp.pi * gate.noise),
        quadratic=term.quadratic - 1 / (2 * gate.noise),
        linear=term.linear + gate.threshold / gate.noise,
        constant=term.constant - gate.threshold**2 / (2 * gate.noise),
        gate=None,
    )

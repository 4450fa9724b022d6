"""Hermite coefficients of activations that are analytic on a strip, by the trapezoidal rule with its strip bound.

For f analytic on `|Im z| <= h` the trapezoidal sum of step D differs from the integral by at most
`2 M / (exp(2 pi h / D) - 1)`, M a bound of `int |f(x +- i h)| dx`. For `f = phi(sqrt(q) z) h_r(z) w(z)`
Cauchy-Schwarz and
`int |h_r(x + i h)|^2 w dx <= exp(2 h sqrt(r))` give `M <= exp(h^2/2 + h sqrt(r)) (int |phi(sqrt(q)(x + i h))|^2 w
dx)^(1/2)`.
One set of nodes serves every degree.

Derivation: docs/theory/enclosures.md, "Coefficients, analytic case".
"""

import math
from dataclasses import dataclass

from flint import arb

from hermite_dual.certified.balls.ball_functions import BallFunction
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.enclosures.hermite_sums import (
    Node,
    density,
    hermite_sums,
    outer_t,
    recurrence_loss,
    weighted_prefactor,
)
from hermite_dual.certified.suprema.envelope import Envelope, strip_envelope
from hermite_dual.shape.shape import Pieces

_FIRST_RAW_HEIGHT = 0.2  # of the strip, in the activation's own argument
_GROWTH = 2.0  # factor by which strips are made wider
_FAILURES = 4  # after which wider strips are not tried
_LARGEST_STEP = 0.5  # steps below resolve the Gaussian
_GUARD_BITS = 40  # lost in sums over all nodes, with room
_STEP_BITS = 20  # steps are short binary fractions, so that nodes are exact
_POINTWISE = (1e-4, 1e-3, 1e-2, 0.1, 0.3, 0.6)  # values of 1 - t in the pointwise bound, tried in turn
_POINTWISE_DEGREES = 64  # up to which the pointwise bound is tried at all
MAX_NODES = 400_000  # at which the strip is given up for panels


@dataclass(frozen=True)
class Strip:
    """A strip with its envelope and the L2 norm of phi on its edges.

    Attributes:
        envelope: the bound on the strip.
        edge_norm: an upper bound of `(int |phi(sqrt(q)(x + i h))|^2 w dx)^(1/2)`.
    """

    envelope: Envelope
    edge_norm: arb

    def log_constant(self, degrees: int) -> float:
        """Logarithm of the constant for the highest degree, rounded; for planning only."""
        return float(self.constant(degrees).log())

    def constant(self, degrees: int) -> arb:
        """A bound of `2 int |phi(sqrt(q)(x + i h)) h_r(x + i h) w(x + i h)| dx` for every degree below `degrees`.

        The smaller of Cauchy-Schwarz and, for few degrees, the pointwise bound of `h_r w` against the envelope, which
        is the sharp one where phi grows so fast that its square weighs other points than phi does.
        """
        h, degree = self.envelope.height, max(degrees - 1, 0)
        best = 2 * (h * h / 2 + h * arb(degree).sqrt()).exp() * self.edge_norm
        if degree > _POINTWISE_DEGREES:
            return arb(best.upper())
        for t in map(arb, _POINTWISE):
            tail = self.envelope.tail_integral(arb(0), 1 / (2 * (1 + t)))
            factor = weighted_prefactor(degree, t) * (2 * arb.pi()).sqrt() * (h * h / (2 * (1 - t))).exp()
            if tail.is_finite():
                best = best.min(2 * factor * tail)
        return arb(best.upper())

    def error(self, step: arb, degrees: int) -> arb:
        """The strip bound of the trapezoidal sum for every degree below `degrees`."""
        return (self.constant(degrees) / ((2 * arb.pi() * self.envelope.height / step).exp() - 1)).upper()


def make_strip(pieces: Pieces, variance: arb, height: arb) -> Strip | None:
    """The strip of a given half width, or None where it is not proven."""
    envelope = strip_envelope(pieces, variance, height)
    if envelope is None:
        return None
    square = envelope.product(envelope).tail_integral(arb(0), arb(1) / 2)
    if not square.is_finite():
        return None
    return Strip(envelope, square.sqrt().upper())


def best_strip(pieces: Pieces, variance: arb, degrees: int, nats: float) -> tuple[Strip, float] | None:
    """The strip that allows the largest step for an accuracy of `exp(-nats)`, and that step.

    Returns:
        None if no strip can be proven.
    """
    top = 1.5 * math.sqrt(2 * max(nats, 1.0))
    height = min(top, _FIRST_RAW_HEIGHT / float(variance.sqrt()))
    best: tuple[Strip, float] | None = None
    factor, failures = _GROWTH, 0
    while failures < _FAILURES and height <= top * 1.01:
        trial = _trial(pieces, variance, degrees, nats, height)
        if trial is not None and (best is None or trial[1] > best[1]):
            best = trial
            top = max(top, 1.5 * math.sqrt(2 * max(nats + trial[0].log_constant(1), 1.0)))
            height *= factor
            continue
        failures += 1
        if best is None:
            height /= 4
        else:
            factor = math.sqrt(factor)
            height = float(best[0].envelope.height) * factor
    return best


def _trial(pieces: Pieces, variance: arb, degrees: int, nats: float, height: float) -> tuple[Strip, float] | None:
    """One strip and the step it allows."""
    strip = make_strip(pieces, variance, arb(height))
    if strip is None:
        return None
    need = strip.log_constant(degrees) + nats
    return strip, min(2 * math.pi * height / need if need > 0 else _LARGEST_STEP, _LARGEST_STEP)


def cut_off(envelope: Envelope, degrees: int, eps: arb) -> tuple[arb, arb]:
    """Where the sums may stop: X with `int_{|x|>X} |phi h_r w| <= eps`, the integrand's bound decreasing beyond.

    Returns:
        X and the bound reached; the bound is infinite if no X below 2^20 does.
    """
    degree = max(degrees - 1, 0)
    x = 2.0 * max(math.sqrt(degree), 1.0, float(envelope.start.upper()))
    for _ in range(400):
        t = arb(outer_t(degree, x))
        damping = 1 / (2 * (1 + t))
        spare = damping - envelope.square
        cut = arb(x)
        if spare > 0 and cut > envelope.rate / (2 * spare):
            bound = weighted_prefactor(degree, t) * (2 * arb.pi()).sqrt() * envelope.tail_integral(cut, damping)
            if bound < eps:
                return cut, arb(bound.upper())
        x = x * 1.04 + 0.05
    return arb(x), arb.pos_inf()


def dyadic_below(value: float) -> arb:
    """A dyadic number with few bits, not above a positive float and close to it."""
    exponent = math.frexp(value)[1]
    return arb(math.floor(math.ldexp(value, _STEP_BITS - exponent))) * arb(2) ** (exponent - _STEP_BITS)


def trapezoid_coefficients(pieces: Pieces, variance: arb, degrees: int, eps: arb, parity: int) -> list[arb] | None:
    """`a_r(q)` for r < degrees with absolute error at most about `eps`, or None if there is no usable strip.

    Args:
        pieces: the activation; without kinks.
        variance: q > 0.
        degrees: how many coefficients.
        eps: the error that is aimed at; the balls returned are right whatever it is.
        parity: 1 even, -1 odd, 0 neither; proven by the caller.

    Returns:
        Balls that contain the coefficients.
    """
    with working_precision(96):
        nats = -float(eps.log()) + 2
        best = best_strip(pieces, variance, degrees, nats)
        if best is None:
            return None
        strip, step_size = best
        step = dyadic_below(step_size)
        cut, truncation = cut_off(strip.envelope, degrees, eps / 4)
        error = (strip.error(step, degrees) + truncation).upper()
        count = int(float((cut / step).upper())) + 1
    if not error.is_finite() or count > MAX_NODES:
        return None
    # rounding is relative to the largest |phi w|, the error asked for is absolute
    span = max(nats + _largest_exponent(strip.envelope), 0.0)
    bits = int(span / math.log(2)) + recurrence_loss(degrees) + _GUARD_BITS
    with working_precision(max(bits, 64)):
        sums = hermite_sums(_nodes(pieces, variance, step, count, parity), degrees)
        return [total + arb(0, error) for total in sums]


def _largest_exponent(envelope: Envelope) -> float:
    """`max B x + (C - 1/2) x^2 = B^2/(2 - 4C)`: by which power of e `|phi w|` can exceed 1 on the real line."""
    return min(max(float(envelope.rate * envelope.rate / (2 - 4 * envelope.square)), 0.0), 1e6)


def _nodes(pieces: Pieces, variance: arb, step: arb, count: int, parity: int) -> list[Node]:
    """Nodes `k D >= 0` with the weights of the mirrored pair joined."""
    function = BallFunction(pieces.expressions[0], pieces.symbol)
    unit = variance.sqrt()
    nodes: list[Node] = []
    for k in range(count + 1):
        x = step * k
        weight = step * density(x)
        right = weight * function(unit * x)
        if k == 0:
            nodes.append((x, right, arb(0)))
            continue
        if parity:
            pair = (2 * right, arb(0)) if parity > 0 else (arb(0), 2 * right)
        else:
            left = weight * function(-(unit * x))
            pair = (right + left, right - left)
        nodes.append((x, *pair))
    return nodes

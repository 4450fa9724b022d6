"""Hermite coefficients of activations with kinks, by Gauss-Legendre panels with an ellipse bound.

The rule with m nodes is exact for polynomials of degree 2m - 1 and its weights are positive. A function f analytic on
the Bernstein ellipse of parameter s around a panel of half width c, `|f| <= M` there, is within
`2 M s^(1-2m)/(s - 1)` of such a polynomial (its truncated Chebyshev series), so the rule's error is at most
`8 c M s^(1-2m)/(s - 1)`. Panels end at the kinks, are halved where the bound fails, and are enclosed by their
magnitude once they are small enough.

Derivation: docs/theory/enclosures.md, "Coefficients, other cases".
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import flint
from flint import acb, arb

from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
from hermite_dual.certified.balls.precision import interval, magnitude, working_precision
from hermite_dual.certified.enclosures.hermite_sums import Node, density, hermite_sums, recurrence_loss, weighted_bound
from hermite_dual.certified.enclosures.trapezoid import cut_off
from hermite_dual.certified.suprema.envelope import Envelope, line_envelope
from hermite_dual.shape.shape import Pieces

_ELLIPSES = (12.0, 7.0, 4.0, 2.5, 1.8)  # tried in turn, the widest on which phi is analytic
_WIDTH = 1.5  # of the first panels, in standard deviations
_MAX_PANELS = 6000  # at which the accuracy is given up
_GUARD_BITS = 40  # lost in sums over all nodes, with room
_PANEL_BITS = 96  # of bounds, which need few digits


@dataclass(frozen=True)
class Panel:
    """A Gauss-Legendre panel: the piece it lies in, its ends as ratios of exact numbers, and its number of nodes."""

    piece: int
    low: arb
    high: arb
    order: int


@lru_cache(maxsize=64)
def _rule(order: int, bits: int) -> list[tuple[arb, arb]]:
    """Nodes and weights on [-1, 1] at a precision."""
    with working_precision(bits):
        return [arb.legendre_p_root(order, k, weight=True) for k in range(order)]


def gauss_legendre(order: int) -> list[tuple[arb, arb]]:
    """Balls of the nodes and weights of the m-point rule on [-1, 1] at the current precision."""
    return _rule(order, int(flint.ctx.prec))


def rule_error(half: arb, size: arb, parameter: arb, order: int) -> arb:
    """`8 c M s^(1-2m)/(s-1)`: what the m-point rule errs on a panel of half width c.

    Args:
        half: c.
        size: M, a bound of the modulus on the ellipse.
        parameter: s > 1.
        order: m.
    """
    return 8 * half * size * parameter ** (1 - 2 * order) / (parameter - 1)


def order_for(half: arb, size: arb, parameter: arb, eps: arb) -> int | None:
    """The least multiple of 4 nodes that errs by at most eps; None where no number does."""
    constant = rule_error(half, size, parameter, 0)
    if constant.is_zero():
        return 4
    need = float((constant / eps).log()) / (2 * math.log(float(parameter)))
    return max(4, math.ceil(need / 4) * 4) if math.isfinite(need) else None


def ellipse_box(low: arb, high: arb, parameter: float) -> tuple[acb, arb, arb]:
    """The bounding box of a Bernstein ellipse, a lower bound of `|Re z|` on it and its height."""
    centre, half = (low + high) / 2, (high - low) / 2
    s = arb(parameter)
    real, imaginary = half * (s + 1 / s) / 2, half * (s - 1 / s) / 2
    x = interval(centre - real, centre + real)
    nearest = arb(0) if x.contains(0) else arb(x.abs_lower())
    return acb(x, interval(-imaginary, imaginary)), nearest, imaginary.upper()


class PanelPlan:
    """Panels for `int phi(sqrt(q) x) h_r(x) w(x) dx`, all r below `degrees`, on a finite interval.

    Args:
        pieces: the activation.
        variance: q > 0.
        degrees: how many degrees.
        eps: the error allowed for one panel.

    Attributes:
        panels: the panels.
        error: the sum of all error bounds.
    """

    def __init__(self, pieces: Pieces, variance: arb, degrees: int, eps: arb) -> None:
        self.pieces, self.degrees, self.eps = pieces, degrees, eps
        self.unit = variance.sqrt()
        self.functions = [BallFunction(e, pieces.symbol) for e in pieces.expressions]
        self.whole = BallFunction(pieces.source, pieces.symbol)
        self.panels: list[Panel] = []
        self.error = arb(0)
        self.max_order = max(48, int(-float(eps.log()) * 0.9))

    def fill(self, piece: int, low: arb, high: arb) -> bool:
        """Cover an interval inside one piece; False if that takes too many panels."""
        if self.functions[piece].expr == 0:
            return True
        count = max(1, math.ceil(float((high - low).upper()) / _WIDTH))
        stack = [(low + (high - low) * i / count, low + (high - low) * (i + 1) / count) for i in range(count)]
        work = 0
        while stack:
            a, b = stack.pop()
            work += 1
            if work > _MAX_PANELS:
                return False
            if self._gauss(piece, a, b) or self._small(piece, a, b):
                continue
            middle = (a + b) / 2
            stack += [(a, middle), (middle, b)]
        return True

    def _gauss(self, piece: int, low: arb, high: arb) -> bool:
        """Add a Gauss-Legendre panel if an ellipse gives the accuracy with a reasonable number of nodes."""
        best: tuple[int, arb] | None = None
        for parameter in _ELLIPSES:
            box, nearest, height = ellipse_box(low, high, parameter)
            value = self.functions[piece](self.unit * box, analytic=True)
            if not value.is_finite():
                continue
            size = magnitude(value) * weighted_bound(self.degrees - 1, nearest, height)
            if size.is_zero():
                return True
            order = order_for((high - low) / 2, size, arb(parameter), self.eps)
            if order is not None and (best is None or order < best[0]):
                best = (order, rule_error((high - low) / 2, size, arb(parameter), order).upper())
        if best is None or best[0] > self.max_order:
            return False
        self.error += best[1]
        self.panels.append(Panel(piece, low, high, best[0]))
        return True

    def _small(self, piece: int, low: arb, high: arb) -> bool:
        """Bound a panel by its magnitude if that is within the error allowed."""
        x = interval(low, high)
        value = self.functions[piece](self.unit * x)
        if not value.is_finite():
            # at a branch point the function as given may know its sign where the piece does not
            value = self.whole(self.unit * x)
        if not value.is_finite():
            return False
        nearest = arb(0) if x.contains(0) else arb(x.abs_lower())
        bound = (high - low) * magnitude(value) * weighted_bound(self.degrees - 1, nearest, arb(0))
        if not bound < self.eps:
            return False
        self.error += arb(bound.upper())
        return True


def panel_coefficients(pieces: Pieces, variance: arb, degrees: int, eps: arb) -> list[arb] | None:
    """`a_r(q)` for r < degrees with absolute error about `eps`, or None if the panels do not get there.

    Args:
        pieces: the activation.
        variance: q > 0.
        degrees: how many coefficients.
        eps: the error that is aimed at; the balls returned are right whatever it is.

    Returns:
        Balls that contain the coefficients.
    """
    with working_precision(_PANEL_BITS):
        envelope = line_envelope(pieces, variance)
        if envelope is None:
            return None
        bits = int(-float(eps.log()) / math.log(2)) + recurrence_loss(degrees) + _GUARD_BITS + _rise(envelope)
    with working_precision(max(bits, 64)):
        cut, truncation = cut_off(envelope, degrees, eps / 8)
        plan = _plan(pieces, variance, degrees, eps, cut)
        if plan is None or not truncation.is_finite():
            return None
        error = (plan.error + truncation).upper()
        sums = hermite_sums(_nodes(plan), degrees)
        return [total + arb(0, error) for total in sums]


def _rise(envelope: Envelope) -> int:
    """Bits by which `|phi w|` can exceed 1."""
    return int(min(max(float(envelope.rate * envelope.rate / (2 - 4 * envelope.square)) * 1.45, 0.0), 1e6))


def _plan(pieces: Pieces, variance: arb, degrees: int, eps: arb, cut: arb) -> PanelPlan | None:
    """Panels between the kinks from -cut to cut."""
    unit = variance.sqrt()
    # a kink beyond the cut ends its pieces there: an interval that runs backwards would have a negative error bound
    inner = [(constant_ball(kink) / unit).max(-cut).min(cut) for kink in pieces.kinks]
    ends = [-cut, *inner, cut]
    plan = PanelPlan(pieces, variance, degrees, eps / max(64, 16 * int(float(cut))))
    for piece, (low, high) in enumerate(pairwise(ends)):
        if not plan.fill(piece, low, high):
            return None
    return plan


def _nodes(plan: PanelPlan) -> list[Node]:
    """The nodes of all panels, with the activation and the density in the weights."""
    unit = plan.unit
    nodes: list[Node] = []
    for panel in plan.panels:
        centre, half = (panel.low + panel.high) / 2, (panel.high - panel.low) / 2
        for node, weight in gauss_legendre(panel.order):
            x = centre + half * node
            value = half * weight * density(x) * plan.functions[panel.piece](unit * x)
            nodes.append((x, value, value))
    return nodes

"""One quadrature rule for the Hermite coefficients of a whole range of scales `s`, and its error.

    a_r(s^2) = sum_k W_k h_r(x_k) (phi(s x_k) + (-1)^r phi(-s x_k)),   x_k >= 0, W_k = (weight) w(x_k).

Functions without kinks take the trapezoidal rule: an envelope of `phi(S z)` at the largest scale S bounds every smaller
one on the same strip. A kink at 0 stays where it is for every s, so Gauss-Legendre panels on the half line serve both
pieces and all scales, the activation being bounded on ellipses for s in a ball.

Derivation: docs/theory/entries.md, "Many variances at once".
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from flint import arb
from numpy.typing import NDArray

from hermite_dual.certified.balls.ball_functions import BallFunction
from hermite_dual.certified.balls.precision import interval, magnitude, upper_float, working_precision
from hermite_dual.certified.counted.hermite_functions import exact_ball, split_exactly, wide_unit
from hermite_dual.certified.enclosures.hermite_sums import density, weighted_bound, weighted_prefactor
from hermite_dual.certified.enclosures.panels import ellipse_box, gauss_legendre, rule_error
from hermite_dual.certified.enclosures.trapezoid import best_strip, dyadic_below
from hermite_dual.certified.suprema.envelope import Envelope, line_envelope
from hermite_dual.errors import AccuracyError
from hermite_dual.shape.shape import Pieces

Wide = NDArray[np.longdouble]

_BITS = 128  # of nodes, weights and bounds
_ELLIPSES = (8.0, 5.0, 3.5, 2.5, 1.8, 1.4, 1.2, 1.1, 1.05)  # tried in turn, the one with the least error is taken
_PANELS = (8, 16, 32, 64, 128, 256)  # numbers of panels, tried in turn
_MOST_ORDER = 64  # nodes of a panel
_MOST_NODES = 60_000  # at which the group is given up
_CUTS = 400  # ends of the nodes that are tried, each farther out
_LARGEST_STEP = 0.5  # steps below resolve the Gaussian


@dataclass(frozen=True, eq=False)
class RowQuadrature:
    """Nodes and errors that hold for every scale of a range.

    Attributes:
        nodes: exact x_k >= 0, shape (K,).
        weights: balls of `W_k`.
        coefficient_error: bounds the error of `a_r` for every r < N.
        moment_error: bounds the error of `E[phi(s Z)^2]`.
    """

    nodes: Wide
    weights: list[arb]
    coefficient_error: float
    moment_error: float


def row_quadrature(
    pieces: Pieces, low: float, high: float, degrees: int, eps: float, moment_eps: float
) -> RowQuadrature:
    """Choose nodes for all scales in [low, high].

    Args:
        pieces: the activation; its kinks may lie at 0 alone.
        low: smallest scale s > 0.
        high: largest scale.
        degrees: N.
        eps: the error of coefficients that is aimed at; the bounds returned are right whatever it is.
        moment_eps: the same for the second moment.

    Raises:
        AccuracyError: no rule is proven for the activation, or it would have too many nodes.
    """
    rule = None
    with working_precision(_BITS):
        goals = (arb(eps), arb(moment_eps))
        if len(pieces.expressions) == 1:
            rule = _trapezoid(pieces, arb(high) ** 2, degrees, goals)
        if rule is None:
            rule = _gauss(pieces, interval(arb(low), arb(high)), degrees, goals)
    if rule is None:
        raise AccuracyError(
            f"no quadrature of {pieces.source} is proven for all norms with sqrt(S_ii) from {low:.3g} to {high:.3g}: "
            "scale the rows with hermite_dual.on_sphere(X), or drop the rows of extreme norm"
        )
    return rule


def _cut(envelope: Envelope, degrees: int, goals: tuple[arb, arb]) -> tuple[arb, arb, arb] | None:
    """X with bounds of `int_{|x|>X} |phi h_r w|`, all r < N, and of `int_{|x|>X} phi^2 w` that meet the goals.

    The integrands' bounds decrease beyond X. That of `h_r w` with t close to 1 decays like `exp(-x^2/4)`, whatever
    the degree.
    """
    degree = max(degrees - 1, 0)
    squared = envelope.product(envelope)
    dampings = []
    for t in (1 - arb(1) / (degree + 2), 1 - arb(8) / (degree + 16), arb(1) / 2):
        dampings.append((1 / (2 * (1 + t)), weighted_prefactor(degree, t) * (2 * arb.pi()).sqrt()))
    x = max(2.0, float(envelope.start.upper()) * (1 + 1e-9))
    for _ in range(_CUTS):
        cut, best = arb(x), arb.pos_inf()
        for damping, factor in dampings:
            if _decreases(envelope, cut, damping):
                best = best.min((factor * envelope.tail_integral(cut, damping)).upper())
        half = arb(1) / 2
        if best < goals[0] and _decreases(squared, cut, half):
            moment = squared.tail_integral(cut, half)
            if moment < goals[1]:
                return cut, best, moment
        x = x * 1.01 + 0.05
    return None


def _decreases(envelope: Envelope, cut: arb, damping: arb) -> bool:
    spare = damping - envelope.square
    return bool(spare > 0 and cut > envelope.rate / (2 * spare))


def _trapezoid(pieces: Pieces, variance: arb, degrees: int, goals: tuple[arb, arb]) -> RowQuadrature | None:
    """The trapezoidal rule with the strip of the largest variance."""
    best = best_strip(pieces, variance, degrees, -float(goals[0].log()))
    if best is None:
        return None
    strip = best[0]
    height = strip.envelope.height
    square = 2 * (height * height).exp().sqrt() * strip.edge_norm**2
    need = max(float((strip.constant(degrees) / goals[0]).log()), float((square / goals[1]).log())) + 1
    step = dyadic_below(min(2 * math.pi * float(height) / max(need, 1.0), _LARGEST_STEP))
    cut = _cut(strip.envelope, degrees, goals)
    if cut is None:
        return None
    count = int(float((cut[0] / step).upper())) + 1
    if count > _MOST_NODES:
        return None
    nodes = np.arange(count + 1) * np.longdouble(float(step))
    weights = [step * density(step * k) for k in range(count + 1)]
    weights[0] = weights[0] / 2
    moment = square / ((2 * arb.pi() * height / step).exp() - 1)
    return RowQuadrature(nodes, weights, upper_float(strip.error(step, degrees) + cut[1]), upper_float(moment + cut[2]))


def _gauss(pieces: Pieces, scale: arb, degrees: int, goals: tuple[arb, arb]) -> RowQuadrature | None:
    """Equal Gauss-Legendre panels on [0, X] for both pieces."""
    envelope = line_envelope(pieces, scale * scale)
    cut = None if envelope is None else _cut(envelope, degrees, goals)
    if cut is None:
        return None
    functions = [BallFunction(pieces.expressions[k], pieces.symbol) for k in (0, -1)]
    for count in _PANELS:
        ends = [(cut[0] * arb(k) / count).mid() for k in range(count + 1)]
        ends[-1] = cut[0]
        panels = []
        for low, high in pairwise(ends):
            panel = _panel(functions, scale, low, high, degrees, (goals[0] / count, goals[1] / count))
            if panel is None:
                break
            panels.append(panel)
        if len(panels) < count:
            continue
        nodes, weights = _nodes(ends, [order for order, _, _ in panels])
        error, moment = (sum((panel[k] for panel in panels), arb(0)) for k in (1, 2))
        return RowQuadrature(nodes, weights, upper_float(error + cut[1]), upper_float(moment + cut[2]))
    return None


def _slip(high: arb) -> arb:
    """By how much the nodes of a panel that ends at `high` move when they are rounded."""
    return arb(1.5 * wide_unit()) * high


def _nodes(ends: list[arb], orders: list[int]) -> tuple[Wide, list[arb]]:
    """The rules' nodes, rounded, with the density at the rounded node in the weights."""
    nodes, weights = [], []
    for (low, high), order in zip(pairwise(ends), orders, strict=True):
        centre, half = (low + high) / 2, (high - low) / 2
        for node, weight in gauss_legendre(order):
            x = centre + half * node
            first, second = split_exactly(x)
            rounded = np.longdouble(first) + np.longdouble(second)
            exact = exact_ball(rounded)
            if not abs(x - exact) < _slip(high):
                raise AccuracyError("a node of a Gauss-Legendre rule is known too poorly: this is a mistake")
            nodes.append(rounded)
            weights.append(half * weight * density(exact))
    return np.array(nodes, dtype=np.longdouble), weights


def _panel(
    functions: list[BallFunction],
    scale: arb,
    low: arb,
    high: arb,
    degrees: int,
    goals: tuple[arb, arb],
) -> tuple[int, arb, arb] | None:
    """Number of nodes on a panel, and the errors of coefficients and moments, both pieces together.

    On the ellipse `|f| <= M`; the rule of m nodes errs by `8 c M s^(1-2m)/(s-1)`, and moving every node by d by at
    most `2 d M/((s + 1/s)/2 - 1)`, for the ellipse is that many half widths away (Cauchy).
    """
    half = (high - low) / 2
    choices = []
    for parameter in _ELLIPSES:
        box, nearest, height = ellipse_box(low, high, parameter)
        sizes = [magnitude(functions[k](sign * (scale * box), analytic=True)) for k, sign in ((0, -1), (1, 1))]
        if not all(size.is_finite() for size in sizes):
            continue
        s = arb(parameter)
        first = (sizes[0] + sizes[1]) * weighted_bound(degrees - 1, nearest, height)
        second = (sizes[0] ** 2 + sizes[1] ** 2) * weighted_bound(0, nearest, height)
        choices.append((s, first, second))
    if not choices:
        return None

    def least_error(order: int, which: int) -> arb:
        bounds = [rule_error(half, c[which], c[0], order) for c in choices]
        return min(bounds, key=float).upper()

    moved = [
        min((2 * _slip(high) * c[k] / ((c[0] + 1 / c[0]) / 2 - 1) for c in choices), key=float).upper() for k in (1, 2)
    ]
    for order in range(8, _MOST_ORDER + 1, 4):
        errors = least_error(order, 1), least_error(order, 2)
        if errors[0] < goals[0] and errors[1] < goals[1]:
            return order, arb(errors[0]) + moved[0], arb(errors[1]) + moved[1]
    return None

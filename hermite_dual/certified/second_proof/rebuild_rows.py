"""Coefficients of many rows for the second proof of a claim: the activation in balls at every node of every row.

Gauss-Legendre panels whose error bound holds for all scales s of a range, as the activation is enclosed for s in a
ball; Hermite polynomials by their recurrence in balls; one product of floats, whose rounding is bounded with moduli.

Derivation: docs/theory/certificates.md, "Certificates of claims".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy as sp
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.ball_functions import BallFunction
from hermite_dual.certified.balls.precision import interval, upper_float, working_precision
from hermite_dual.certified.enclosures.hermite_sums import density, recurrence_loss, weighted_prefactor
from hermite_dual.certified.enclosures.panels import PanelPlan, gauss_legendre
from hermite_dual.certified.suprema.envelope import line_envelope
from hermite_dual.errors import AccuracyError
from hermite_dual.shape.shape import Pieces, Shape

_UNIT = 2.0**-53  # u, of its own: the second proof shares no constant with the first
_BITS = 96  # of the balls of phi at the nodes
_GOAL = 2.0**-60  # of the quadrature, below what floats resolve
_FARTHEST = 40.0  # end of the nodes, in standard deviations
_UP = 1 + 1e-9  # covers the roundings in which a bound itself is computed
_RATIO = 1.5
"""Scales within this factor share their panels."""


@dataclass(frozen=True, eq=False)
class Moments:
    """`E[f(s_i Z) h_r(Z)]` in floats.

    Attributes:
        values: shape (m, N).
        errors: bounds of their errors, shape (m, N).
    """

    values: Array
    errors: Array


def supported(shape: Shape) -> bool:
    """Whether rows of different norm can share panels: no kink but at 0."""
    return all(sp.sympify(kink) == 0 for kink in shape.pieces.kinks)


def row_moments(shape: Shape, scales: Array, count: int) -> Moments:
    """Coefficients of degree below `count` of f at every scale.

    Args:
        shape: that of f.
        scales: exact s_i > 0, shape (m,).
        count: N.

    Raises:
        AccuracyError: the panels do not get there.
    """
    pieces = shape.pieces
    values, errors = np.zeros((len(scales), count)), np.zeros((len(scales), count))
    order = np.argsort(scales)
    start = 0
    while start < len(order):
        stop = int(np.searchsorted(scales[order], _RATIO * scales[order[start]], side="right"))
        group = order[start:stop]
        values[group], errors[group] = _group(pieces, scales[group], count)
        start = stop
    parity = pieces.parity
    if parity:
        absent = slice(1, None, 2) if parity > 0 else slice(0, None, 2)
        values[:, absent], errors[:, absent] = 0.0, 0.0
    return Moments(values, errors)


def _group(pieces: Pieces, scales: Array, count: int) -> tuple[Array, Array]:
    """Values and errors of rows that share their panels."""
    with working_precision(_BITS):
        unit = interval(arb(float(scales.min())), arb(float(scales.max())))
        function = BallFunction(pieces.source, pieces.symbol)
        size = sum(float(abs(function(arb(s * float(scales.min()))).mid())) for s in (-1.0, -0.5, 0.5, 1.0))
        eps = arb(_GOAL * (size or 1.0))
        cut, truncation = _cut(pieces, unit, count, eps)
    # the panels' ends as well: their radii grow with the recurrence
    with working_precision(_BITS + recurrence_loss(count)):
        plan = _plan(pieces, unit, count, eps, cut)
        nodes, table, table_error = _hermite_table(plan, count)
    with working_precision(_BITS):
        functions = [BallFunction(pieces.expressions[panel], pieces.symbol) for panel, _ in nodes]
        phi, phi_error = np.empty((len(scales), len(nodes))), np.empty((len(scales), len(nodes)))
        for i, s in enumerate(scales.tolist()):
            phi[i], phi_error[i] = _floats([f(s * x) for f, (_, x) in zip(functions, nodes, strict=True)])
        quadrature_error = upper_float(plan.error + truncation)
    chunk = max(1, math.isqrt(len(nodes)))
    depth = (chunk + -(-len(nodes) // chunk) + 4) * _UNIT * _UP
    values = _chunked(phi, table, chunk)
    modulus = np.abs(table)
    errors = depth * (np.abs(phi) @ modulus.T) + phi_error @ (modulus + table_error).T + np.abs(phi) @ table_error.T
    return values, errors * _UP + quadrature_error + 1e-300


def _chunked(left: Array, right: Array, chunk: int) -> Array:
    """`left right^T`, columns in chunks: a sum passes the roundings of one chunk and one for each chunk."""
    total = np.zeros((len(left), len(right)))
    for start in range(0, left.shape[1], chunk):
        total += left[:, start : start + chunk] @ right[:, start : start + chunk].T
    return total


def _floats(balls: list[arb]) -> tuple[Array, Array]:
    """Midpoints as floats, and bounds of the balls' distance to them."""
    middle = [float(ball.mid()) for ball in balls]
    radius = [float(ball.rad()) for ball in balls]
    values = np.array(middle)
    if not np.all(np.isfinite(values)):
        raise AccuracyError("the activation is not finite at a node: its pieces are singular")
    # a midpoint rounds once to a float, a radius as well
    return values, (np.array(radius) * (1 + 4 * _UNIT) + _UNIT * np.abs(values)) * _UP + 1e-300


def _cut(pieces: Pieces, unit: arb, count: int, eps: arb) -> tuple[arb, arb]:
    """X and a bound of `int_{|x|>X} |f(s x) h_r(x)| w dx`, r < N, by `|h_r w| <= c exp(-x^2/(2(1+t)))`."""
    envelope = line_envelope(pieces, unit * unit)
    if envelope is None:
        raise AccuracyError(f"the growth of {pieces.source} is not understood")
    t = 1 - arb(1) / (count + 1)
    factor = weighted_prefactor(count - 1, t) * (2 * arb.pi()).sqrt()
    x = max(4.0, float(envelope.start.upper()) * (1 + 1e-9))
    while x < _FARTHEST:
        bound = factor * envelope.tail_integral(arb(x), 1 / (2 * (1 + t)))
        if bound < eps:
            return arb(x), bound.upper()
        x += 0.25
    raise AccuracyError(f"{pieces.source} grows too fast for the second proof at different norms")


def _plan(pieces: Pieces, unit: arb, count: int, eps: arb, cut: arb) -> PanelPlan:
    """Panels on both half lines."""
    plan = PanelPlan(pieces, unit * unit, count, eps / 256)
    plan.unit = unit
    last = len(pieces.expressions) - 1
    if not (plan.fill(0, -cut, arb(0)) and plan.fill(last, arb(0), cut)):
        raise AccuracyError(f"the coefficients of {pieces.source} at different norms are out of reach of panels")
    return plan


def _hermite_table(plan: PanelPlan, count: int) -> tuple[list[tuple[int, arb]], Array, Array]:
    """Nodes with their pieces, and `weight h_r(x_k) w(x_k)` in floats with errors, shape (N, K)."""
    nodes: list[tuple[int, arb]] = []
    columns, radii = [], []
    roots = [arb(r).sqrt() for r in range(count + 1)]
    for panel in plan.panels:
        centre, half = (panel.low + panel.high) / 2, (panel.high - panel.low) / 2
        for node, weight in gauss_legendre(panel.order):
            x = centre + half * node
            former, current = arb(0), half * weight * density(x)
            column = []
            for r in range(count):
                column.append(current)
                former, current = current, (x * current - roots[r] * former) / roots[r + 1]
            values, errors = _floats(column)
            nodes.append((panel.piece, x))
            columns.append(values)
            radii.append(errors)
    return nodes, np.array(columns).T, np.array(radii).T


def float_fixed_points(f: Callable[[Array], Array], inner: Array, weight: float, steps: int) -> Array:
    """About `sqrt(q_i)`, `q = sigma_w^2 E[f(sqrt(q) Z)^2] + t`, by iteration in floats; nothing rests on it."""
    top = 10.0
    nodes, weights = np.polynomial.legendre.leggauss(64)
    panels = np.linspace(-top, top, 81)
    half = (panels[1] - panels[0]) / 2
    x = ((panels[:-1] + panels[1:]) / 2)[:, None] + half * nodes
    w = np.broadcast_to(half * weights, x.shape) * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    roots = np.sqrt(inner)
    for _ in range(steps):
        moments = np.array([float(np.sum(w * f(s * x) ** 2)) for s in roots.tolist()])
        following = np.sqrt(weight * moments + inner)
        change = float(np.max(np.abs(following - roots) / following))
        roots = following
        if change < 4 * _UNIT:
            break
    return np.asarray(roots)

"""Products of two Gauss-Legendre rules on the cells of a strip, with an ellipse bound in either variable.

A cell is halved where no ellipse works, and enclosed by its magnitude where that is negligible.

Derivation: docs/theory/enclosures.md, "Kernels".
"""

import math
from dataclasses import dataclass
from typing import Any

from flint import arb

from hermite_dual.certified.balls.ball_functions import BallFunction
from hermite_dual.certified.balls.precision import interval, magnitude, working_precision
from hermite_dual.certified.enclosures.kink_lines import Strip
from hermite_dual.certified.enclosures.panels import ellipse_box, gauss_legendre, order_for, rule_error

_ELLIPSES = (30.0, 12.0, 7.0, 4.0, 2.5, 1.8, 1.4)  # tried in turn, the one with the least error is taken
_MAX_CELLS = 5000  # at which the accuracy is given up
_MAX_NODES = 600_000  # of all cells, likewise
_BOUND_BITS = 64  # of bounds, which need few digits


@dataclass(frozen=True)
class Cell:
    """A rectangle in (t, y) of a strip with the orders of its rules."""

    strip: Strip
    t: tuple[arb, arb]
    y: tuple[arb, arb]
    orders: tuple[int, int]


class Cells:
    """Cells that cover strips.

    Args:
        wholes: both activations as they were given.
        eps: the error that one cell may have.

    Attributes:
        cells: the cells found.
        error: the sum of their error bounds.
    """

    def __init__(self, wholes: tuple[BallFunction, BallFunction], eps: arb) -> None:
        self.wholes, self.eps = wholes, eps
        self.cells: list[Cell] = []
        self.error = arb(0)
        self.work = self.nodes = 0
        self.max_order = max(40, int(-float(eps.log()) * 0.8))

    def cover(self, strip: Strip) -> bool:
        """Find cells for a strip; False if that takes too many."""
        stack = [((arb(0), arb(1)), (strip.low, strip.high))]
        while stack:
            t, y = stack.pop()
            self.work += 1
            if self.work > _MAX_CELLS or self.nodes > _MAX_NODES:
                return False
            choices = [self._order(strip, t, y, along) for along in (True, False)]
            orders = [order for order, _ in choices]
            if max(orders) <= self.max_order:
                self.cells.append(Cell(strip, t, y, (int(orders[0]), int(orders[1]))))
                self.nodes += int(orders[0] * orders[1])
                self.error += choices[0][1] + choices[1][1]
                continue
            if self._small(strip, t, y):
                continue
            if self._cut_t(strip, t, y, orders):
                middle = (t[0] + t[1]) / 2
                stack += [((t[0], middle), y), ((middle, t[1]), y)]
            else:
                middle = (y[0] + y[1]) / 2
                stack += [(t, (y[0], middle)), (t, (middle, y[1]))]
        return True

    def _cut_t(self, strip: Strip, t: tuple[arb, arb], y: tuple[arb, arb], orders: list[float]) -> bool:
        """Whether to halve the range of t: by the orders, where both fail by how far u and v move."""
        if orders[0] != orders[1]:
            return orders[0] > orders[1]
        moves = []
        for a, b in ((interval(*t), (y[0] + y[1]) / 2), ((t[0] + t[1]) / 2, interval(*y))):
            moves.append(max(float(form(a, b).rad()) for form in (strip.x, strip.u, strip.v)))
        return moves[0] >= moves[1]

    def _order(self, strip: Strip, t: tuple[arb, arb], y: tuple[arb, arb], along: bool) -> tuple[float, arb]:
        """Nodes that one variable needs on a cell, infinite if no ellipse works, and the bound of its error."""
        span, other = (t, y) if along else (y, t)
        best, bound = math.inf, arb(0)
        with working_precision(_BOUND_BITS):
            beside = interval(*other)
            for parameter in _ELLIPSES:
                box, _, _ = ellipse_box(*span, parameter)
                size = _sup(strip, box, beside) if along else _sup(strip, beside, box)
                if not size.is_finite():
                    continue
                # half the width of this variable times the width of the other
                half = (span[1] - span[0]) / 2 * (other[1] - other[0])
                order = order_for(half, size, arb(parameter), self.eps)
                if order is not None and order < best:
                    best, bound = order, arb(rule_error(half, size, arb(parameter), order).upper())
        return best, bound

    def _small(self, strip: Strip, t: tuple[arb, arb], y: tuple[arb, arb]) -> bool:
        """Bound a cell by its magnitude if that is within the error allowed."""
        with working_precision(_BOUND_BITS):
            a, b = interval(*t), interval(*y)
            values = []
            factors = ((strip.u, strip.first), (strip.v, strip.second))
            for (form, function), whole in zip(factors, self.wholes, strict=True):
                # at a branch point the function as given may know its sign where the piece does not
                value = function(form(a, b))
                values.append(magnitude(value if value.is_finite() else whole(form(a, b))))
            size = values[0] * values[1] * _density_sup(strip, a, b) * magnitude(strip.x.m + strip.x.n * b)
            bound = arb(((t[1] - t[0]) * (y[1] - y[0]) * size).upper())
        if not bound < self.eps:
            return False
        self.error += bound
        return True

    def sum(self) -> arb:
        """The sum over the nodes of all cells."""
        total = arb(0)
        for cell in self.cells:
            strip = cell.strip
            half_t, half_y = ((pair[1] - pair[0]) / 2 for pair in (cell.t, cell.y))
            centre_t, centre_y = ((pair[1] + pair[0]) / 2 for pair in (cell.t, cell.y))
            nodes = [(centre_t + half_t * node, half_t * weight) for node, weight in gauss_legendre(cell.orders[0])]
            for node, weight in gauss_legendre(cell.orders[1]):
                y = centre_y + half_y * node
                (x0, x1), (u0, u1), (v0, v1) = strip.x.along(y), strip.u.along(y), strip.v.along(y)
                row = arb(0)
                for t, height in nodes:
                    x = x0 + t * x1
                    value = strip.first(u0 + t * u1) * strip.second(v0 + t * v1)
                    row += height * value * (-(x * x) / 2).exp()
                total += half_y * weight * x1 * (-(y * y) / 2).exp() * row
        return total / (2 * arb.pi())


def _sup(strip: Strip, t: Any, y: Any) -> arb:
    """An upper bound of the integrand on a product of complex boxes; not finite unless it is analytic there."""
    first = strip.first(strip.u(t, y), analytic=True)
    if not first.is_finite():
        return arb.pos_inf()
    second = strip.second(strip.v(t, y), analytic=True)
    if not second.is_finite():
        return arb.pos_inf()
    width = magnitude(strip.x.m + strip.x.n * y)
    return magnitude(first) * magnitude(second) * _density_sup(strip, t, y) * width


def _density_sup(strip: Strip, t: Any, y: Any) -> arb:
    """An upper bound of `|w(x) w(y)|`, from `|exp(-z^2/2)| = exp((Im z)^2/2 - (Re z)^2/2)`."""
    exponent = arb(0)
    for z in (strip.x(t, y), y):
        real = z if isinstance(z, arb) else z.real
        if not isinstance(z, arb):
            exponent += arb(z.imag.abs_upper()) * arb(z.imag.abs_upper())
        exponent -= arb(real.abs_lower()) * arb(real.abs_lower())
    return arb(((exponent / 2).exp() / (2 * arb.pi())).upper())

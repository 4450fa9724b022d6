"""Kernels of piecewise analytic activations at any correlation, by cells between the lines on which they change.

In rotated coordinates `u = sqrt(q1) (b x + a y)`, `v = +-sqrt(q2) (b x - a y)` with x, y independent standard normal,
`b = sqrt((1 + |rho|)/2)`, `a = sqrt((1 - |rho|)/2)`, neither the density nor the activation has a scale that shrinks as
|rho| goes to 1. A kink of phi(u) or phi(v) is a straight line; between the heights at which two lines cross, the strip
between neighbouring lines is the image of a rectangle under `x = l(y) + t (r(y) - l(y))`, and the integrand is
analytic in t and in y. Each rectangle takes a product of two Gauss-Legendre rules with an ellipse bound in either
variable, and is halved where no ellipse works.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from flint import arb

from hermite_dual.certified.ball_functions import BallFunction, constant_ball
from hermite_dual.certified.envelope import line_envelope
from hermite_dual.certified.lattice import Factor
from hermite_dual.certified.panels import ellipse_box, gauss_legendre
from hermite_dual.certified.pieces import Pieces
from hermite_dual.certified.precision import interval, magnitude, working_precision

_ELLIPSES = (30.0, 12.0, 7.0, 4.0, 2.5, 1.8, 1.4)
_MAX_CELLS = 5000
_MAX_NODES = 600_000
_SHARE = 128
_GUARD_BITS = 64
_BOUND_BITS = 64


@dataclass(frozen=True)
class Line:
    """The line `x = offset + slope y` on which one factor passes from a piece to the next.

    Attributes:
        offset: where it meets `y = 0`.
        slope: its slope.
        factor: 0 if phi(u) changes, 1 if phi(v) does, 2 for an edge of the domain.
        step: by how much the index of the piece changes from left to right.
    """

    offset: arb
    slope: arb
    factor: int
    step: int

    def at(self, y: arb) -> arb:
        """The abscissa at a height."""
        return self.offset + self.slope * y


@dataclass(frozen=True)
class Form:
    """The bilinear form `p + q y + t (m + n y)`."""

    p: arb
    q: arb
    m: arb
    n: arb

    def __call__(self, t: Any, y: Any) -> Any:
        """Its value."""
        return self.p + self.q * y + t * (self.m + self.n * y)

    def along(self, y: arb) -> tuple[arb, arb]:
        """Start and slope in t at a height."""
        return self.p + self.q * y, self.m + self.n * y


@dataclass(frozen=True)
class Strip:
    """The part of the plane between two neighbouring lines and two heights.

    Attributes:
        x: the abscissa.
        u: the argument of the first factor.
        v: the argument of the second factor.
        first: the first factor.
        second: the second factor.
        low: lower height.
        high: upper height.
    """

    x: Form
    u: Form
    v: Form
    first: BallFunction
    second: BallFunction
    low: arb
    high: arb


@dataclass(frozen=True)
class Cell:
    """A rectangle in (t, y) of a strip with the orders of its rules."""

    strip: Strip
    t: tuple[arb, arb]
    y: tuple[arb, arb]
    orders: tuple[int, int]


def wedge_kernel(pieces: Pieces, q1: arb, q2: arb, rho: arb, s: arb, eps: arb) -> arb | None:
    """`E[phi(u) phi(v)]` with absolute error about eps, or None if the cells do not get there.

    Args:
        pieces: the activation.
        q1: first variance > 0.
        q2: second variance > 0.
        rho: correlation, its sign decided.
        s: `sqrt(1 - rho^2)` > 0.
        eps: the error that is aimed at; the ball is right whatever it is.

    Returns:
        A ball that contains the kernel.
    """
    nats = max(2.0, -float(eps.log()) + 3)
    with working_precision(_BOUND_BITS):
        envelopes = [line_envelope(pieces, q) for q in (q1, q2)]
    if any(e is None or not e.start.is_zero() for e in envelopes):
        return None
    sign = -1 if rho < 0 else 1
    with working_precision(int(nats * 1.45) + _GUARD_BITS):
        size = abs(rho)
        broad, narrow = ((1 + size) / 2).sqrt(), s / (2 * (1 + size)).sqrt()
        # |b x + a y| + |b x - a y| <= 2 (b |x| + a |y|) and (b x + a y)^2 + (b x - a y)^2 = 2 b^2 x^2 + 2 a^2 y^2
        scale = envelopes[0].scale * envelopes[1].scale  # type: ignore[union-attr]
        rate = envelopes[0].rate + envelopes[1].rate  # type: ignore[union-attr]
        square = 2 * envelopes[0].square.max(envelopes[1].square)  # type: ignore[union-attr]
        factors = [Factor(arb((rate * k).upper()), arb((square * k * k).upper())) for k in (broad, narrow)]
        if not all(f.square < arb(1) / 2 for f in factors):
            return None
        rise = sum(float(f.rate**2 / (2 - 4 * f.square)) for f in factors)
    bits = int((nats + max(rise, 0.0)) * 1.45) + _GUARD_BITS
    with working_precision(bits):
        totals = [f.integral() for f in factors]
        cut_x, rest_x = factors[0].cut(eps / (4 * scale * totals[1]))
        cut_y, rest_y = factors[1].cut(eps / (4 * scale * totals[0]))
        error = scale * (rest_x * totals[1] + rest_y * totals[0])
        plan = _Plan(pieces, (q1.sqrt(), sign * q2.sqrt()), (broad, narrow), (cut_x.mid(), cut_y.mid()), eps / _SHARE)
        if not plan.fill():
            return None
        # between heights whose order is not known nothing is summed: their distance times the supremum over y
        peak = (factors[1].rate ** 2 / (2 - 4 * factors[1].square)).exp() / (2 * arb.pi()).sqrt()
        error += plan.error + scale * totals[0] * peak * plan.gaps
        if not error.is_finite():
            return None
        return plan.sum() + arb(0, arb(error).upper())


class _Plan:
    """Cells for the double integral over `|x| <= X`, `|y| <= Y`.

    Attributes:
        cells: the cells found.
        error: the sum of their error bounds.
        gaps: total height of the slabs left out between crossings that cannot be told apart.
    """

    def __init__(
        self, pieces: Pieces, units: tuple[arb, arb], axes: tuple[arb, arb], cuts: tuple[arb, arb], eps: arb
    ) -> None:
        self.units, self.axes, self.cuts, self.eps = units, axes, cuts, eps
        self.functions = [BallFunction(e, pieces.symbol) for e in pieces.expressions]
        self.kinks = [constant_ball(k) for k in pieces.kinks]
        self.whole = BallFunction(pieces.source, pieces.symbol)
        self.cells: list[Cell] = []
        self.error, self.gaps = arb(0), arb(0)
        self.work = self.nodes = 0
        self.max_order = max(40, int(-float(eps.log()) * 0.8))

    def fill(self) -> bool:
        """Find cells for the whole domain; False if that takes too many."""
        lines = self._lines()
        ends = self._heights(lines)
        if ends is None:
            return False
        self.gaps = arb(sum((high - low for low, high in ends), arb(0)).upper())
        for (_, low), (high, _) in pairwise(ends):
            strips = self._strips(lines, low, high)
            if strips is None or not all(self._cover(strip) for strip in strips):
                return False
        return True

    def _heights(self, lines: list[Line]) -> list[tuple[arb, arb]] | None:
        """Exact heights around every crossing inside the domain, its edges first and last; None if one is in doubt."""
        top = self.cuts[1]
        ends = [(-top, -top)]
        for height in self._crossings(lines):
            low, high = arb(height.lower()), arb(height.upper())
            if high < -top or low > top:
                continue
            if not (low > -top and high < top):
                return None
            if low <= ends[-1][1]:
                former = ends.pop()
                low, high = former[0].min(low), former[1].max(high)
            ends.append((low, high))
        return [*ends, (top, top)]

    def _lines(self) -> list[Line]:
        """The kink lines of both factors and the edges of the domain."""
        broad, narrow = self.axes
        lines = [Line(-self.cuts[0], arb(0), 2, 0), Line(self.cuts[0], arb(0), 2, 0)]
        slope = narrow / broad
        for kink in self.kinks:
            for factor, unit in enumerate(self.units):
                # unit is negative where v runs against x
                lines.append(Line(kink / (unit * broad), slope if factor else -slope, factor, 1 if unit > 0 else -1))
        return lines

    def _crossings(self, lines: list[Line]) -> list[arb]:
        """Heights at which two lines meet, in increasing order of their midpoints."""
        heights = []
        for i, first in enumerate(lines):
            for second in lines[:i]:
                if first.factor != second.factor:
                    heights.append((first.offset - second.offset) / (second.slope - first.slope))
        limit = 2 * self.cuts[1]
        return sorted((h for h in heights if not abs(h) > limit), key=lambda h: float(h.mid()))

    def _strips(self, lines: list[Line], low: arb, high: arb) -> list[Strip] | None:
        """The strips between the lines inside the domain, from left to right; None if the lines cannot be ordered."""
        middle = (low + high) / 2
        ordered = sorted(lines, key=lambda line: _SortKey(line.at(middle)))
        if any(not a.at(middle) < b.at(middle) for a, b in pairwise(ordered)):
            return None
        pieces = [0 if unit > 0 else len(self.kinks) for unit in self.units]
        inside, strips = False, []
        broad, narrow = self.axes
        for left, right in pairwise(ordered):
            if left.factor == 2:
                inside = not inside
            else:
                pieces[left.factor] += left.step
            first, second = (self.functions[k] for k in pieces)
            if not inside or first.expr == 0 or second.expr == 0:
                continue
            x = Form(left.offset, left.slope, right.offset - left.offset, right.slope - left.slope)
            u, v = (
                Form(unit * broad * x.p, unit * (broad * x.q + side * narrow), unit * broad * x.m, unit * broad * x.n)
                for unit, side in zip(self.units, (1, -1), strict=True)
            )
            strips.append(Strip(x, u, v, first, second, low, high))
        return strips

    def _cover(self, strip: Strip) -> bool:
        """Find cells for a strip; False if that takes too many."""
        stack = [((arb(0), arb(1)), (strip.low, strip.high))]
        while stack:
            t, y = stack.pop()
            self.work += 1
            if self.work > _MAX_CELLS or self.nodes > _MAX_NODES:
                return False
            found = [self._order(strip, t, y, along) for along in (True, False)]
            orders = [order for order, _ in found]
            if max(orders) <= self.max_order:
                self.cells.append(Cell(strip, t, y, (int(orders[0]), int(orders[1]))))
                self.nodes += int(orders[0] * orders[1])
                self.error += found[0][1] + found[1][1]
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
                constant = 4 * (span[1] - span[0]) * (other[1] - other[0]) * size / (arb(parameter) - 1)
                need = float((constant / self.eps).log()) / (2 * math.log(parameter)) + 0.5 if constant > 0 else 1.0
                if not math.isfinite(need):
                    continue
                order = max(4, math.ceil(need / 4) * 4)
                if order < best:
                    best, bound = order, arb((constant * arb(parameter) ** (1 - 2 * order)).upper())
        return best, bound

    def _small(self, strip: Strip, t: tuple[arb, arb], y: tuple[arb, arb]) -> bool:
        """Bound a cell by its magnitude if that is within the error allowed."""
        with working_precision(_BOUND_BITS):
            a, b = interval(*t), interval(*y)
            values = []
            for form, function in ((strip.u, strip.first), (strip.v, strip.second)):
                # at a branch point the function as given may know its sign where the piece does not
                value = function(form(a, b))
                values.append(magnitude(value if value.is_finite() else self.whole(form(a, b))))
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


class _SortKey:
    """Orders balls by their midpoints."""

    def __init__(self, ball: arb) -> None:
        self.middle = ball.mid()

    def __lt__(self, other: "_SortKey") -> bool:
        return bool(self.middle < other.middle)


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
            exponent += arb(z.imag.abs_upper()) ** 2
        exponent -= arb(real.abs_lower()) ** 2
    return arb(((exponent / 2).exp() / (2 * arb.pi())).upper())

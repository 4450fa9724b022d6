"""The plane cut along the lines on which one of two factors passes from a piece to the next.

In the rotated coordinates of `wedges` a kink of phi(u) or psi(v) is a straight line. Between heights at which two lines
cross, the lines keep their order, and neighbouring ones bound a strip on which both factors are smooth.

Derivation: docs/theory/enclosures.md, "Kernels".
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from flint import arb

from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
from hermite_dual.shape.shape import Pieces


@dataclass(frozen=True)
class Line:
    """The line `x = offset + slope y` on which one factor passes from a piece to the next.

    Attributes:
        offset: where it meets `y = 0`.
        slope: its slope.
        factor: 0 if phi(u) changes, 1 if psi(v) does, 2 for an edge of the domain.
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


class KinkLines:
    """The lines of both factors inside `X_0 <= x <= X`, `Y_0 <= y <= Y`.

    Args:
        both: the activations phi and psi.
        units: the factors' scales; the second is negative where v runs against x.
        axes: b and a.
        cuts: X and Y.
        halves: whether only `x >= 0` and only `y >= 0` are wanted, so that `X_0` or `Y_0` is 0 and not -X or -Y.
    """

    def __init__(
        self,
        both: tuple[Pieces, Pieces],
        units: tuple[arb, arb],
        axes: tuple[arb, arb],
        cuts: tuple[arb, arb],
        halves: tuple[bool, bool],
    ) -> None:
        self.units, self.axes, self.cuts = units, axes, cuts
        self.starts = [arb(0) if half else -cut for half, cut in zip(halves, cuts, strict=True)]
        self.functions = [[BallFunction(e, pieces.symbol) for e in pieces.expressions] for pieces in both]
        self.kinks = [[constant_ball(k) for k in pieces.kinks] for pieces in both]
        self.lines = self._lines()

    def heights(self) -> list[tuple[arb, arb]] | None:
        """Exact heights around every crossing inside the domain, its edges first and last; None if one is in doubt."""
        bottom, top = self.starts[1], self.cuts[1]
        ends = [(bottom, bottom)]
        for height in self._crossings():
            low, high = arb(height.lower()).max(bottom), arb(height.upper())
            if high < bottom or low > top:
                continue
            if not high < top:
                return None
            while ends and low <= ends[-1][1]:
                former = ends.pop()
                low, high = former[0].min(low), former[1].max(high)
            ends.append((low, high))
        return [*ends, (top, top)]

    def _lines(self) -> list[Line]:
        """The kink lines of both factors and the edges of the domain."""
        broad, narrow = self.axes
        lines = [Line(self.starts[0], arb(0), 2, 0), Line(self.cuts[0], arb(0), 2, 0)]
        slope = narrow / broad
        for factor, unit in enumerate(self.units):
            for kink in self.kinks[factor]:
                # unit is negative where v runs against x
                lines.append(Line(kink / (unit * broad), slope if factor else -slope, factor, 1 if unit > 0 else -1))
        return lines

    def _crossings(self) -> list[arb]:
        """Heights at which two lines meet, in increasing order of their midpoints."""
        heights = []
        for i, first in enumerate(self.lines):
            for second in self.lines[:i]:
                if first.factor != second.factor:
                    heights.append((first.offset - second.offset) / (second.slope - first.slope))
        limit = 2 * self.cuts[1]
        return sorted((h for h in heights if not abs(h) > limit), key=lambda h: float(h.mid()))

    def strips(self, low: arb, high: arb) -> list[Strip] | None:
        """The strips between the lines inside the domain, from left to right; None if the lines cannot be ordered."""
        middle = (low + high) / 2
        ordered = sorted(self.lines, key=lambda line: _SortKey(line.at(middle)))
        if any(not a.at(middle) < b.at(middle) for a, b in pairwise(ordered)):
            return None
        pieces = [0 if unit > 0 else len(kinks) for unit, kinks in zip(self.units, self.kinks, strict=True)]
        inside, strips = False, []
        broad, narrow = self.axes
        for left, right in pairwise(ordered):
            if left.factor == 2:
                inside = not inside
            else:
                pieces[left.factor] += left.step
            first, second = (functions[k] for functions, k in zip(self.functions, pieces, strict=True))
            if not inside or first.expr == 0 or second.expr == 0:
                continue
            x = Form(left.offset, left.slope, right.offset - left.offset, right.slope - left.slope)
            u, v = (
                Form(unit * broad * x.p, unit * (broad * x.q + side * narrow), unit * broad * x.m, unit * broad * x.n)
                for unit, side in zip(self.units, (1, -1), strict=True)
            )
            strips.append(Strip(x, u, v, first, second, low, high))
        return strips


class _SortKey:
    """Orders balls by their midpoints."""

    def __init__(self, ball: arb) -> None:
        self.middle = ball.mid()

    def __lt__(self, other: "_SortKey") -> bool:
        return bool(self.middle < other.middle)

"""Kernels of piecewise analytic activations at any correlation, by cells between the lines on which they change.

In rotated coordinates `u = sqrt(q1) (b x + a y)`, `v = +-sqrt(q2) (b x - a y)` with x, y independent standard normal,
`b = sqrt((1 + |rho|)/2)`, `a = sqrt((1 - |rho|)/2)`, neither the density nor the activation has a scale that shrinks as
|rho| goes to 1. A kink of phi(u) or phi(v) is a straight line; between the heights at which two lines cross, the strip
between neighbouring lines is the image of a rectangle under `x = l(y) + t (r(y) - l(y))`, and the integrand is
analytic in t and in y. Each rectangle takes a product of two Gauss-Legendre rules with an ellipse bound in either
variable, and is halved where no ellipse works.

Derivation: docs/theory/enclosures.md, "Kernels".
"""

from itertools import pairwise

from flint import arb

from hermite_dual.certified.balls.ball_functions import BallFunction
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.enclosures.kink_lines import KinkLines
from hermite_dual.certified.enclosures.lattice import Factor
from hermite_dual.certified.enclosures.wedge_cells import Cells
from hermite_dual.certified.suprema.envelope import line_envelope
from hermite_dual.shape.shape import Pieces

_SHARE = 128  # part of the error allowed for a cell that is negligible
_GUARD_BITS = 64  # lost in sums over all nodes, with room
_BOUND_BITS = 64  # of bounds, which need few digits


def wedge_kernel(
    pieces: Pieces, q1: arb, q2: arb, rho: arb, s: arb, eps: arb, other: Pieces | None = None
) -> arb | None:
    """`E[phi(u) psi(v)]` with absolute error about eps, or None if the cells do not get there.

    Args:
        pieces: the activation phi.
        q1: first variance > 0.
        q2: second variance > 0.
        rho: correlation, its sign decided.
        s: `sqrt(1 - rho^2)` > 0.
        eps: the error that is aimed at; the ball is right whatever it is.
        other: psi; phi itself by default.

    Returns:
        A ball that contains the kernel.
    """
    both = (pieces, pieces if other is None else other)
    nats = max(2.0, -float(eps.log()) + 3)
    with working_precision(_BOUND_BITS):
        envelopes = [line_envelope(factor, q) for factor, q in zip(both, (q1, q2), strict=True)]
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
        rise = sum(float(f.rate * f.rate / (2 - 4 * f.square)) for f in factors)
    bits = int((nats + max(rise, 0.0)) * 1.45) + _GUARD_BITS
    with working_precision(bits):
        totals = [f.integral() for f in factors]
        cut_x, rest_x = factors[0].cut(eps / (4 * scale * totals[1]))
        cut_y, rest_y = factors[1].cut(eps / (4 * scale * totals[0]))
        error = scale * (rest_x * totals[1] + rest_y * totals[0])
        units, cuts = (q1.sqrt(), sign * q2.sqrt()), (cut_x.mid(), cut_y.mid())
        halves = _symmetries(both, q1, q2, sign)
        copies = 2 ** sum(halves)
        lines = KinkLines(both, units, (broad, narrow), cuts, halves)
        wholes = [BallFunction(factor.source, factor.symbol) for factor in both]
        cells = Cells((wholes[0], wholes[1]), eps / (_SHARE * copies))
        gaps = _cover(lines, cells)
        if gaps is None:
            return None
        # between heights whose order is not known nothing is summed: their distance times the supremum over y
        peak = (factors[1].rate * factors[1].rate / (2 - 4 * factors[1].square)).exp() / (2 * arb.pi()).sqrt()
        error += copies * (cells.error + scale * totals[0] * peak * gaps)
        if not error.is_finite():
            return None
        return copies * cells.sum() + arb(0, arb(error).upper())


def _symmetries(both: tuple[Pieces, Pieces], q1: arb, q2: arb, sign: int) -> tuple[bool, bool]:
    """Whether one half of x and one half of y are enough.

    With one activation at equal variances `y -> -y` exchanges u and v if they run along x together, `x -> -x` does if
    they run against each other. Two even or two odd activations make the integrand the same at `(-x, -y)`.
    """
    swap = both[0] == both[1] and q1.is_exact() and q2.is_exact() and q1 == q2
    parity = both[0].parity * both[1].parity > 0
    if swap and parity:
        return True, True
    if swap:
        return sign < 0, sign > 0
    return False, parity


def _cover(lines: KinkLines, cells: Cells) -> arb | None:
    """Cover the whole domain; the total height of the slabs left out where lines cross, None if it takes too many."""
    ends = lines.heights()
    if ends is None:
        return None
    for (_, low), (high, _) in pairwise(ends):
        strips = lines.strips(low, high)
        if strips is None or not all(cells.cover(strip) for strip in strips):
            return None
    return arb(sum((high - low for low, high in ends), arb(0)).upper())

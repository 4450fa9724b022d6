"""Enclosures of `sup |phi^(k)|` over the real line.

Branch and bound in balls on the middle of the line, the derivative's own growth on both half lines. A jump of
`phi^(k-1)` at a kink is a Dirac mass in the k-th derivative and refutes its boundedness.

Derivation: docs/theory/activations_in_balls.md, "Suprema of derivatives".
"""

import heapq
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import sympy as sp
from flint import arb

from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
from hermite_dual.certified.balls.precision import interval, lower_float, magnitude, upper_float, working_precision
from hermite_dual.certified.growth.monomials import ONE, Expansion, TailError, monomial_sup
from hermite_dual.certified.growth.tails import tail
from hermite_dual.certified.growth.unbounded import grows_along_points
from hermite_dual.certified.suprema.oscillations import Oscillations, oscillations
from hermite_dual.errors import InvalidInputError
from hermite_dual.outcome import Outcome
from hermite_dual.shape.numbers import between
from hermite_dual.shape.periods import period_of
from hermite_dual.shape.pieces import HOLE
from hermite_dual.shape.shape import Pieces, Shape
from hermite_dual.shape.singular import limit_at, vanishes_at

_BITS = 128  # of balls; bounds are rounded to floats
_STARTS = (8, 16, 32, 64, 256, 2**12, 2**30, 2**60)  # where expansions may begin, tried in turn
_RELATIVE_WIDTH = 1e-13  # at which a supremum is narrow enough
_MAX_BOXES = 6000  # at which the bound stays as wide as it is
_LOWER_STEPS = 300  # boxes cut for a better lower bound once the half lines decide the upper one
_SMALLEST = 1e-25  # width of a box that is not cut further


_Box = tuple[float, int, int, arb, arb]
"""Minus the upper bound, a serial number, the piece, and the ends: boxes with large bounds come first on a heap."""


@dataclass(frozen=True)
class DerivativeBound:
    """What is known of `sup |phi^(k)|` over the real line.

    Attributes:
        lower: the supremum is at least this.
        upper: the supremum is at most this; `inf` if no bound was proven.
        outcome: PROVEN bounded (both numbers finite), REFUTED (proven unbounded) or UNDECIDED.
        reason: how it was decided.
    """

    lower: float
    upper: float
    outcome: Outcome
    reason: str


def derivative_bound(shape: Shape, order: int = 1, *, between_kinks: bool = False) -> DerivativeBound:
    """Enclose the supremum of the modulus of a derivative over the real line.

    Args:
        shape: that of the activation phi.
        order: k >= 0; the derivative is meant in the sense of distributions, so a kink of `phi^(k-1)` is allowed and a
            jump of it is not.
        between_kinks: whether the derivative is meant between the kinks alone, whatever jumps there.

    Returns:
        PROVEN with a finite enclosure, REFUTED if unbounded, UNDECIDED otherwise.

    Raises:
        InvalidInputError: the order is negative or the activation has no ball version.

    Example:
        >>> from hermite_dual.shape.shape import shape_of
        >>> x = sp.Symbol("x", real=True)
        >>> derivative_bound(shape_of(sp.Max(x, 0), x), 2).outcome
        <Outcome.REFUTED: 'REFUTED'>
    """
    if not isinstance(order, int) or order < 0:
        raise InvalidInputError(f"order = {order!r} is not an integer >= 0; 1 is the first derivative")
    return _bound(shape, order, between_kinks)


@lru_cache(maxsize=512)
def _bound(shape: Shape, order: int, between_kinks: bool) -> DerivativeBound:
    """The bound, remembered: hypotheses, entries and the float constant ask for the same one."""
    period = period_of(shape.known, shape.symbol)
    pieces = shape.pieces if shape.complete else None if period is None else shape.within(float(period) + 1)
    if pieces is None or HOLE in pieces.expressions:
        if order and shape.continuous is False:
            return _unbounded(f"phi is not continuous at {shape.symbol} = {shape.jumps[0]}")
        return _undecided(shape.doubt or f"{shape.expr} is not defined everywhere")
    with working_precision(_BITS):
        if not _real(pieces):
            return _undecided(f"{shape.expr} is not proven to take real values everywhere")
        derived = tuple(e.diff(shape.symbol, order) if order else e for e in pieces.expressions)
        obstacle = _pole(derived, pieces)
        if obstacle is None and not between_kinks:
            obstacle = _jump(pieces, order)
        if obstacle is not None:
            return obstacle
        if period is not None:
            return _middle(derived, pieces, (arb(0), constant_ball(period)), arb(0), arb(0))
        outer = _tails(derived, shape.symbol, pieces)
        if isinstance(outer, DerivativeBound):
            return outer
        start, tail_lower, tail_upper = outer
        return _middle(derived, pieces, (-start, start), tail_lower, tail_upper)


def _unbounded(reason: str) -> DerivativeBound:
    return DerivativeBound(float("inf"), float("inf"), Outcome.REFUTED, reason)


def _undecided(reason: str) -> DerivativeBound:
    return DerivativeBound(0.0, float("inf"), Outcome.UNDECIDED, reason)


def _real(pieces: Pieces) -> bool:
    """Whether phi is real everywhere: so at a point of each piece, since what it depends on vanishes at kinks alone."""
    edges = [-sp.oo, *pieces.kinks, sp.oo]
    samples = [constant_ball(between(*ends)) for ends in pairwise(edges)]
    functions = [BallFunction(expression, pieces.symbol) for expression in pieces.expressions]
    return all(function(sample).is_finite() for function, sample in zip(functions, samples, strict=True))


def _jump(pieces: Pieces, order: int) -> DerivativeBound | None:
    """REFUTED if a derivative below the order jumps at a kink, UNDECIDED if a jump cannot be excluded."""
    for index, kink in enumerate(pieces.kinks):
        for k in range(order):
            agree = pieces.continuous_at(index) if k == 0 else _smooth(pieces, index, k)
            if agree is False:
                return _unbounded(f"the derivative of order {k} jumps at {pieces.symbol} = {kink}")
            if agree is None:
                return _undecided(f"a jump of the derivative of order {k} at {kink} cannot be excluded")
    return None


def _smooth(pieces: Pieces, index: int, k: int) -> bool | None:
    """Whether the derivatives of order k from both sides of a kink agree; None if undecided."""
    left, right = (e.diff(pieces.symbol, k) for e in pieces.expressions[index : index + 2])
    place = constant_ball(pieces.kinks[index])
    gap = BallFunction(right, pieces.symbol)(place) - BallFunction(left, pieces.symbol)(place)
    if gap > 0 or gap < 0:
        return False
    return True if gap.is_zero() or vanishes_at(right - left, pieces.symbol, pieces.kinks[index]) else None


def _pole(derived: tuple[sp.Expr, ...], pieces: Pieces) -> DerivativeBound | None:
    """REFUTED if the derivative is proven unbounded at a kink."""
    for index, kink in enumerate(pieces.kinks):
        for side, expression in ((-1, derived[index]), (1, derived[index + 1])):
            if BallFunction(expression, pieces.symbol)(constant_ball(kink)).is_finite():
                continue
            if limit_at(expression, pieces.symbol, kink, side).unbounded:
                return _unbounded(f"the derivative's modulus grows without bound towards {pieces.symbol} = {kink}")
    return None


def _tails(derived: tuple[sp.Expr, ...], symbol: sp.Symbol, pieces: Pieces) -> DerivativeBound | tuple[arb, arb, arb]:
    """Start and bounds of the supremum over both half lines, or the verdict if it is infinite or unknown."""
    beyond = max([0.0] + [float(abs(constant_ball(k)).upper()) for k in pieces.kinks])
    best: tuple[arb, arb, arb] | None = None
    # common factors outside: `1/7 - tanh(x/7)^2/7` cancels in balls only where 1/7 does not enter
    right, left = (sp.factor_terms(expression) for expression in (derived[-1], derived[0]))
    if not pieces.kinks and (period := period_of(right, symbol)) is not None:
        return constant_ball(period).upper(), arb(0), arb(0)
    sides = [(expr, side, oscillations(expr, symbol, side)) for expr, side in ((right, 1), (left, -1))]
    for start in _STARTS:
        if start <= beyond:
            continue
        try:
            ranges = [_half_line(expr, symbol, side, start, waves) for expr, side, waves in sides]
        except TailError:
            continue
        if any(r is None for r in ranges):
            reason = "the derivative's modulus grows without bound towards infinity"
            return DerivativeBound(float("inf"), float("inf"), Outcome.REFUTED, reason)
        low = ranges[0][0].max(ranges[1][0])  # type: ignore[index]
        high = ranges[0][1].max(ranges[1][1])  # type: ignore[index]
        if best is None or high - low < best[2] - best[1]:
            best = (arb(start), low, high)
        if high - low <= arb(_RELATIVE_WIDTH) * high or (start >= 64 and high < 1e-3):
            break
    if best is not None:
        return best
    if grows_along_points(right, symbol, 1) or grows_along_points(left, symbol, -1):
        reason = "the derivative's modulus grows without bound along a sequence of points that runs to infinity"
        return DerivativeBound(float("inf"), float("inf"), Outcome.REFUTED, reason)
    return DerivativeBound(0.0, float("inf"), Outcome.UNDECIDED, "the derivative's growth is not understood")


def _half_line(
    expr: sp.Expr, symbol: sp.Symbol, side: int, start: int, waves: Oscillations | None
) -> tuple[arb, arb] | None:
    """A lower bound (its limit) and an upper bound of the supremum on the half line; None if it is proven infinite."""
    bounds = None if waves is None else waves.supremum(symbol, side, start)
    return _range(tail(expr, symbol, side, start)) if bounds is None else bounds


def _range(expansion: Expansion) -> tuple[arb, arb] | None:
    if not expansion.terms:
        return arb(0), arb(0)
    lead, ball = expansion.factored()
    if lead > ONE:
        if ball.contains(0):
            raise TailError
        return None
    if lead == ONE:
        limit = expansion.terms[ONE]
        return arb(limit.abs_lower()), magnitude(ball)
    return arb(0), (magnitude(ball) * monomial_sup(lead, expansion.start)).upper()


def _middle(
    derived: tuple[sp.Expr, ...], pieces: Pieces, outer: tuple[arb, arb], tail_lower: arb, tail_upper: arb
) -> DerivativeBound:
    """Branch and bound between two points."""
    symbol = pieces.symbol
    places = list(map(constant_ball, pieces.kinks))
    first = sum(1 for place in places if not place > outer[0])
    inner = [place for place in places[first:] if place < outer[1]]
    derived = derived[first : first + len(inner) + 1]
    ends = [outer[0], *inner, outer[1]]
    lower, count = arb(tail_lower.lower()), 0
    heap: list[_Box] = []
    searches = [_Search(expression, symbol) for expression in derived]
    for index, (a, b) in enumerate(pairwise(ends)):
        for low, high in _geometric(a, b):
            lower = searches[index].push(heap, count, index, low, high, lower)
            count += 1
    settled = arb(tail_upper)
    for step in range(_MAX_BOXES):
        if not heap:
            break
        bound, _, index, low, high = heapq.heappop(heap)
        top = arb(-bound)
        enough = lower * (1 + arb(_RELATIVE_WIDTH))
        # below the half lines' bound only the lower bound can still gain
        if top <= enough or (top <= settled and (settled <= enough or step > _LOWER_STEPS)):
            heapq.heappush(heap, (bound, count, index, low, high))
            break
        middle = ((low + high) / 2).mid()
        if float((high - low).upper()) < _SMALLEST:
            settled = settled.max(top)
            continue
        for x, y in ((low, middle), (middle, high)):
            lower = searches[index].push(heap, count, index, x, y, lower)
            count += 1
    upper = settled.max(arb(-heap[0][0])) if heap else settled
    upper = upper.max(lower)
    if not upper.is_finite():
        reason = "the derivative could not be bounded near a singular point"
        return DerivativeBound(lower_float(lower), float("inf"), Outcome.UNDECIDED, reason)
    reason = "branch and bound in balls, with the growth of the expression at infinity"
    return DerivativeBound(max(0.0, lower_float(lower)), upper_float(upper), Outcome.PROVEN, reason)


def _geometric(a: arb, b: arb) -> list[tuple[arb, arb]]:
    """Cut a long interval at the powers of two, so that boxes far out are long."""
    cuts = [a]
    marks = [arb(s) * arb(2) ** k for s in (-1, 1) for k in range(64)] + [arb(0)]
    cuts += sorted((m for m in marks if m > a and m < b), key=float)
    cuts.append(b)
    return list(pairwise(cuts))


def _collected(expr: sp.Expr) -> sp.Expr:
    """An algebraic function as one quotient, whose numerator does not cancel in balls as a sum of roots does."""
    if expr.has(sp.Function) or not expr.has(sp.Pow):
        return expr
    numerator, denominator = sp.fraction(sp.together(expr))
    collected = sp.expand(numerator) / denominator
    return collected if collected.count_ops() <= expr.count_ops() else expr


class _Search:
    """Bounds of `|f|` on boxes by the Taylor form of order two, and by its ends where f is monotone."""

    def __init__(self, expr: sp.Expr, symbol: sp.Symbol) -> None:
        self.value = BallFunction(expr, symbol)
        slope = _collected(expr.diff(symbol))
        self.slope = BallFunction(slope, symbol)
        self.curve = BallFunction(_collected(slope.diff(symbol)), symbol)

    def push(self, heap: list[_Box], count: int, index: int, low: arb, high: arb, best: arb) -> arb:
        """Put a box on the heap with its upper bound and return the best lower bound so far."""
        middle = ((low + high) / 2).mid()
        centre = self.value(middle)
        if centre.is_finite():
            best = best.max(arb(abs(centre).lower()))
        top = self.bound(low, high, middle, centre)
        if not top <= best:
            heapq.heappush(heap, (-upper_float(top), count, index, low, high))
        return best

    def bound(self, low: arb, high: arb, middle: arb, centre: arb) -> arb:
        """An upper bound of `|f|` on a box."""
        box = interval(low, high)
        top = magnitude(self.value(box))
        offset = box - middle
        curve = self.curve(box)
        if curve.is_finite() and centre.is_finite():
            taylor = centre + offset * self.slope(middle) + (offset * offset) * curve / 2
            top = top.min(magnitude(taylor)) if top.is_finite() else magnitude(taylor)
        steep = self.slope(box)
        if steep.is_finite() and not steep.contains(0):  # monotone: the largest modulus is at an end
            ends = magnitude(self.value(low)).max(magnitude(self.value(high)))
            top = top.min(ends) if top.is_finite() else ends
        return arb(top.upper()) if top.is_finite() else arb.pos_inf()

"""Variances below and above which the variance map `F(q) = sigma_w^2 V(q) + sigma_b^2` has no fixed point, proven.

Derivation: docs/theory/mean_field.md, "Completeness".
"""

from dataclasses import dataclass

from flint import arb

from hermite_dual.activation import Activation
from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
from hermite_dual.certified.balls.precision import magnitude
from hermite_dual.certified.enclosures.coefficients import value_ball
from hermite_dual.certified.growth.monomials import ONE, Expansion, TailError, monomial, monomial_sup
from hermite_dual.certified.growth.tails import tail
from hermite_dual.certified.suprema.constants import derivative_bound
from hermite_dual.mean_fields.proven import slope_at_zero_ball
from hermite_dual.outcome import Outcome
from hermite_dual.shape.shape import Shape

_STARTS = (8, 16, 64, 2**10, 2**20)
"""Where phi is compared with straight lines, tried in turn: near for small ends, far for slopes near their limits."""


class UndecidedError(Exception):
    """Nothing is proven; internal, with the reason."""


@dataclass(frozen=True)
class End:
    """An end of the variances beyond which there is no fixed point above 0 and below infinity.

    Attributes:
        q: the end, above 0.
        sign: of `F(q) - q` beyond it.
    """

    q: arb
    sign: int


def lower_end(phi: Activation, weight: arb, bias: arb) -> End:
    """Prove that there is no fixed point in (0, q).

    `F >= sigma_b^2`; or `sqrt(V) >= |phi(0)| - L sqrt(q)`; or `|sqrt(V) - sqrt(B q)| <= C sqrt(3) q`, where `B q` is
    the second moment of the lines that touch phi at 0 from both sides, and `C x^2` bounds the distance to them.

    Args:
        phi: the activation, given as a formula.
        weight: sigma_w^2 > 0.
        bias: sigma_b^2.

    Raises:
        UndecidedError: neither gives a sign.
    """
    if bias > 0:
        return End(arb(bias.lower()), 1)
    shape = phi.shape
    if shape.continuous is not True:
        raise UndecidedError("without biases, phi is not proven continuous")
    start = value_ball(shape)
    if not start.is_zero():
        steep = _bound(shape, 1)
        if not (abs(start) > 0 and steep.is_finite()):
            raise UndecidedError("without biases, phi(0) is not told from 0, or no Lipschitz constant is proven")
        small = (start / (2 * steep.max(arb(2) ** -400))) ** 2
        return End(arb(small.min(weight * start**2 / 4).lower()), 1)
    chi = weight * slope_at_zero_ball(phi, shape)
    if not (chi < 1 or chi > 1):
        raise UndecidedError("sigma_w^2 V(q)/q is not told from 1 towards q = 0")
    bend = _distance_to_lines(shape) * arb(3).sqrt()
    if not bend.is_finite():
        raise UndecidedError("no bound of the second derivative between kinks is proven, which is needed near q = 0")
    room = abs(1 - chi.sqrt()) / (weight.sqrt() * bend.max(arb(2) ** -400))
    return End(arb((room**2).lower()), -1 if chi < 1 else 1)


def upper_end(phi: Activation, weight: arb, bias: arb) -> End:
    """Prove that there is no fixed point in (q, infinity).

    `F <= sigma_w^2 M^2 + sigma_b^2`; or `sqrt(V) <= |phi(0)| + L sqrt(q)` with `sigma_w L < 1`; or from lines above and
    below `|phi|` on both half lines `|x| >= X`.

    Args:
        phi: the activation, given as a formula.
        weight: sigma_w^2 > 0.
        bias: sigma_b^2.

    Raises:
        UndecidedError: neither gives a sign.
    """
    shape = phi.shape
    size, steep = _bound(shape, 0), _bound(shape, 1)
    if size.is_finite():
        return End(arb((weight * size**2 + bias).upper()), -1)
    at_zero = abs(value_ball(shape)) if steep.is_finite() else arb.pos_inf()
    factor = weight.sqrt() * steep
    if factor < 1:
        return End(arb((((weight.sqrt() * at_zero + bias.sqrt()) / (1 - factor)) ** 2).upper()), -1)
    for start in _STARTS:
        try:
            low, high = _lines(shape, start)
        except TailError:
            continue
        middle = (at_zero + steep * start) ** 2
        if weight * high < 1 and middle.is_finite():  # V <= middle + high q
            return End(arb(((weight * middle + bias) / (1 - weight * high)).upper()), -1)
        if weight * low > 1:  # V >= low (q - X^2)
            return End(arb((weight * low * start**2 / (weight * low - 1)).upper()), 1)
    raise UndecidedError("phi is neither bounded nor understood at infinity, or sigma_w^2 V(q)/q tends to 1")


def _lines(shape: Shape, start: int) -> tuple[arb, arb]:
    """Return the means over both sides of a^2 and of b^2, where `a |x| <= |phi(x)| <= b |x|` for `|x| >= X`."""
    pieces = shape.pieces
    if any(not abs(constant_ball(kink)) < start for kink in pieces.kinks):
        raise TailError
    low, high = arb(0), arb(0)
    for expression, side in ((pieces.expressions[0], -1), (pieces.expressions[-1], 1)):
        least, most = _slopes(tail(expression, pieces.symbol, side, start))
        low, high = low + least**2 / 2, high + most**2 / 2
    return low, high


def _slopes(expansion: Expansion) -> tuple[arb, arb]:
    if not expansion.terms:
        return arb(0), arb(0)
    lead, ball = expansion.factored()
    a, b, p = lead
    quotient = (a, b, p - 1)
    most = magnitude(ball) * monomial_sup(quotient, expansion.start) if quotient <= ONE else arb.pos_inf()
    grows = a >= 0 and b >= 0 and p >= 1
    least = arb(ball.abs_lower()) * monomial(quotient, expansion.start).lower() if grows else arb(0)
    return least, most


def _distance_to_lines(shape: Shape) -> arb:
    """Bound `|phi(x) - s x|/x^2`, s the slope at 0 on the side of x, for phi with `phi(0) = 0`, continuous.

    A jump J of the slope at c adds `J (|x| - |c|)`, which is at most `J x^2/(4 |c|)`, on the side of c.
    """
    pieces = shape.pieces
    sides = {1: arb(0), -1: arb(0)}
    slopes = [BallFunction(piece.diff(pieces.symbol), pieces.symbol) for piece in pieces.expressions]
    for left, right, kink in zip(slopes, slopes[1:], pieces.kinks, strict=False):
        if kink != 0:
            place = constant_ball(kink)
            sides[1 if place > 0 else -1] += abs(right(place) - left(place)) / (4 * abs(place))
    return _bound(shape, 2, between_kinks=True) / 2 + sides[1].max(sides[-1])


def _bound(shape: Shape, order: int, between_kinks: bool = False) -> arb:
    """Return a bound of a derivative, infinite where none is proven."""
    known = derivative_bound(shape, order, between_kinks=between_kinks)
    return arb(known.upper) if known.outcome is Outcome.PROVEN else arb.pos_inf()

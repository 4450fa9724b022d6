"""Whether a list of fixed points of the variance map has all of them, proven.

Derivation: docs/theory/mean_field.md, "Completeness".
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from flint import arb

from hermite_dual.activation import Activation
from hermite_dual.certified.balls.precision import lower_float, upper_float, working_precision
from hermite_dual.certified.enclosures.coefficients import value_ball
from hermite_dual.errors import HermiteDualError
from hermite_dual.mean_fields.moment_taylor import MomentCell, moment_cell
from hermite_dual.mean_fields.proven import square_ball, unit_moment_ball
from hermite_dual.mean_fields.variance_ends import UndecidedError, lower_end, upper_end
from hermite_dual.outcome import Outcome

_BITS = 192
"""Of balls: twice the digits of the moments."""
_RATIO = 1.66
"""Of neighbouring ends of cells: both are then within 1/4 of their mean, relatively, as they are up to 5/3."""
_MOST_CELLS, _MOST_PIECES = 400, 4000
"""Cells from end to end, a factor of `10^88` in the variance, and pieces into which one is cut."""
_NARROWEST = 1e-9
"""Width of pieces, relative, at which neither `F(q) - q` nor its slope is told from 0: two roots meet."""

_CRITICAL = 1e-12
"""What the floats that are listed may be off, relatively."""


@dataclass(frozen=True)
class Completeness:
    """Whether the fixed points that are listed are all there are, 0 and infinity included.

    Attributes:
        outcome: PROVEN, REFUTED where one is missing or one too many is listed, or UNDECIDED.
        reason: how, or what is missing.
        isolating: intervals that hold exactly one fixed point each, and outside of which there is none above 0, where
            that is proven.
    """

    outcome: Outcome
    reason: str
    isolating: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class _Piece:
    """An interval on which `F(q) - q` has a sign, or else its slope has one."""

    low: arb
    high: arb
    sign: int
    slope: int


def completeness(phi: Activation, scales: tuple[Any, Any], listed: Sequence[float]) -> Completeness:
    """Decide whether a list has every fixed point of `F(q) = sigma_w^2 V(q) + sigma_b^2`.

    Args:
        phi: the activation.
        scales: sigma_w and sigma_b, exact.
        listed: the fixed points as floats, increasing.
    """
    if phi.expr is None:
        return _undecided(f"{phi.name} is a Python function, of which nothing can be proven: give it as a formula")
    with working_precision(_BITS):
        weight, bias = square_ball(scales[0], "sigma_w"), square_ball(scales[1], "sigma_b")
        try:
            if weight.is_zero():
                return _compared(listed, [(bias, bias)], _zero_is_fixed(phi, weight, bias), False)
            if phi.shape.homogeneous:
                return _homogeneous(weight * unit_moment_ball(phi.shape), bias, listed)
            below, above = lower_end(phi, weight, bias), upper_end(phi, weight, bias)
            roots = list(_isolated(_pieces(phi, weight, bias, below.q, above.q), below.sign, above.sign))
            return _compared(listed, roots, _zero_is_fixed(phi, weight, bias), above.sign > 0)
        except (UndecidedError, HermiteDualError) as doubt:
            return _undecided(str(doubt))


def _undecided(reason: str) -> Completeness:
    return Completeness(Outcome.UNDECIDED, reason)


def _zero_is_fixed(phi: Activation, weight: arb, bias: arb) -> bool:
    return not bias > 0 and (bool(weight.is_zero()) or bool(value_ball(phi.shape).is_zero()))


def _homogeneous(factor: arb, bias: arb, listed: Sequence[float]) -> Completeness:
    """Decide for `F(q) = factor q + bias`."""
    if factor != 1 and abs(factor - 1) < _CRITICAL:
        return _undecided("sigma_w^2 V(1) is 1 as far as float64 sees: give exact scales, and digits=")
    if factor < 1 and bias > 0:
        root = bias / (1 - factor)
        return _compared(listed, [(root, root)], False, False)
    if factor < 1 or factor > 1:
        return _compared(listed, [], bool(bias.is_zero()), bool(factor > 1))
    if bias > 0:
        return _compared(listed, [], False, True)
    return Completeness(Outcome.PROVEN, "phi is homogeneous and sigma_w^2 V(1) = 1: every variance is fixed")


def _compared(listed: Sequence[float], roots: Sequence[tuple[arb, arb]], zero: bool, infinity: bool) -> Completeness:
    """Compare a list with intervals, each of which has exactly one of all positive fixed points."""
    positive = [q for q in listed if 0.0 < q < math.inf]
    isolating = tuple((lower_float(low), upper_float(high)) for low, high in roots if high > 0)
    if (0.0 in listed) != zero or (math.inf in listed) != infinity:
        return Completeness(Outcome.REFUTED, "0 or infinity is missing, or is none", isolating)
    if len(positive) != len(isolating):
        reason = f"{len(isolating)} fixed points above 0 exist, in {isolating}, and {len(positive)} are listed"
        return Completeness(Outcome.REFUTED, reason, isolating)
    places = zip(positive, isolating, strict=True)
    if all(low * (1 - _CRITICAL) <= q <= high * (1 + _CRITICAL) for q, (low, high) in places):
        reason = "signs of F(q) - q and of its slope on intervals, and bounds of F near 0 and infinity, in balls"
        return Completeness(Outcome.PROVEN, reason, isolating)
    return Completeness(Outcome.REFUTED, f"the fixed points are in {isolating}", isolating)


def _pieces(phi: Activation, weight: arb, bias: arb, low: arb, high: arb) -> Iterator[_Piece]:
    """Yield pieces that cover `[low/2, 2 high]`, increasing."""
    start, end = (low / 2).mid(), (2 * high.max(low)).mid()
    if not end < start * arb(_RATIO) ** _MOST_CELLS:
        raise UndecidedError(f"the variances between {float(start):.3g} and {float(end):.3g} are too many to search")
    while start < end:
        following = (start * arb(_RATIO)).mid()
        cell = moment_cell(phi.shape, ((start + following) / 2).mid())
        yield from _cell_pieces(cell, weight, bias, start, following)
        start = following


def _cell_pieces(cell: MomentCell, weight: arb, bias: arb, low: arb, high: arb) -> Iterator[_Piece]:
    """Cut a cell until on each piece `(F(q) - q)/q_0` or its slope in u has a sign."""
    q = cell.centre
    values, slopes = cell.polynomial * (weight / q), cell.slope * (weight / q)
    error, slope_error = (arb(0, (weight * bound / q).upper()) for bound in (cell.error, cell.slope_error))
    waiting, count = [(low, high)], 0
    while waiting:
        count += 1
        a, b = waiting.pop()
        u = a.union(b) / q - 1
        slope = slopes(u) + slope_error - 1
        middle = arb(u.mid())
        value = values(middle) + error + bias / q - 1 - middle + slope * (u - middle)
        sign, direction = _sign(value), _sign(slope)
        if sign or direction:
            yield _Piece(a, b, sign, direction)
        elif count > _MOST_PIECES or (b - a) < _NARROWEST * q:
            raise UndecidedError(
                f"near q = {float(a):.10g} neither the sign of F(q) - q nor that of its slope is proven, as where two "
                "fixed points meet"
            )
        else:
            cut = ((a + b) / 2).mid()
            waiting += [(cut, b), (a, cut)]


def _sign(ball: arb) -> int:
    return 1 if ball > 0 else -1 if ball < 0 else 0


def _isolated(pieces: Iterator[_Piece], before: int, beyond: int) -> Iterator[tuple[arb, arb]]:
    """Yield the intervals that have a fixed point: neighbouring pieces without a sign, between two that differ.

    On such neighbours the slope has one sign, so that there is no other.

    Args:
        pieces: from below the lower end to above the upper one.
        before: the sign at the start.
        beyond: the sign at the end.
    """
    last = before
    interval: tuple[arb, arb] | None = None
    for sign, group in groupby(pieces, key=lambda piece: piece.sign):
        members = list(group)
        if sign:
            if interval is not None and sign != last:
                yield interval
            elif interval is None and sign != last:
                raise UndecidedError(f"signs of F(q) - q do not fit together near q = {float(members[0].low):.10g}")
            last, interval = sign, None
        else:
            if len({piece.slope for piece in members}) > 1:
                raise UndecidedError(
                    f"F(q) - q and its slope vanish near one another at q = {float(members[0].low):.10g}"
                )
            interval = (members[0].low, members[-1].high)
    if interval is not None or last != beyond:
        raise UndecidedError("F(q) - q has no proven sign at the end of the search")

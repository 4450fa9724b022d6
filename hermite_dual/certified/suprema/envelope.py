"""Bounds `|phi(sqrt(q) (x + i y))| <= A exp(B |x| + C x^2)` on a strip, and the Gaussian integrals of such bounds.

The bound joins two proofs: balls cover the middle of the strip (a finite result on every rectangle also proves phi
analytic there), and `tails` covers the two half strips.

Derivation: docs/theory/activations_in_balls.md, "Envelopes".
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import sympy as sp
from flint import acb, arb

from hermite_dual.certified.balls.ball_functions import BallFunction
from hermite_dual.certified.balls.precision import exact_fraction, interval, magnitude, upper_float, working_precision
from hermite_dual.certified.growth.monomials import Expansion, Exponents, TailError, fraction_ball
from hermite_dual.certified.growth.tails import tail
from hermite_dual.shape.shape import Pieces

_BITS = 64  # of bounds, which need few digits
_STARTS = (4, 8, 16, 32, 64, 128, 512, 2048, 16384)  # where expansions may begin, tried in turn
_COVER_DEPTH = 4  # halvings of a box on which phi is not finite
_COVER_LIMIT = 4000  # boxes at which a strip is given up
_MAX_SLABS = 24  # into which half the height of a strip is cut
_HEIGHT_BITS = 20  # of heights in the raw variable, rounded up: the same strips then serve at many variances
_KEPT = 128  # strips and half lines remembered: a proof at one variance asks for some ten of phi, phi^2 and phi'


@dataclass(frozen=True)
class Envelope:
    """`|f(x + i y)| <= A exp(B |x| + C x^2)` for `|y| <= height` and `|x| >= start`.

    Attributes:
        scale: A.
        rate: B >= 0.
        square: C >= 0.
        height: half width of the strip; 0 for the real line.
        start: from where the bound holds; 0 for everywhere.
    """

    scale: arb
    rate: arb
    square: arb
    height: arb
    start: arb

    def product(self, other: "Envelope") -> "Envelope":
        """The envelope of the product of two functions."""
        return Envelope(
            self.scale * other.scale,
            self.rate + other.rate,
            self.square + other.square,
            self.height.min(other.height),
            self.start.max(other.start),
        )

    def tail_integral(self, cut: arb, damping: arb) -> arb:
        """An upper bound of `int_{|x| > cut} A exp(B|x| + C x^2 - damping x^2) dx / sqrt(2 pi)`, cut >= start.

        With `a = damping - C > 0`, completing the square gives
        `2 A/sqrt(2 pi) exp(B^2/(4a)) sqrt(pi/(4a)) erfc(sqrt(a) cut - B/(2 sqrt(a)))`.
        """
        a = damping - self.square
        if not a > 0:
            return arb.pos_inf()
        root = a.sqrt()
        body = (self.rate * self.rate / (4 * a)).exp() * (root * cut - self.rate / (2 * root)).erfc()
        return arb((self.scale * body / (2 * a).sqrt()).upper())


def growth_exponents(tails: list[Expansion], unit: arb) -> tuple[Fraction, Fraction]:
    """Exponents (C, B) in the raw variable that dominate every term; powers are paid for by `exp(t/(2 unit))`."""
    square = max([Fraction(0)] + [k[0] for e in tails for k in e.terms])
    slope = exact_fraction((1 / (2 * unit)).mid()).limit_denominator(10**6)
    rates = [Fraction(0)]
    for expansion in tails:
        for a, b, p in expansion.terms:
            needed = b if a >= 0 else Fraction(0)
            if p > 0 and a >= 0 and b >= 0:
                needed += slope
            rates.append(needed)
    return square, max(rates)


def tails_of(pieces: Pieces, start: int, height: arb | None) -> list[Expansion]:
    """Expansions of the outer pieces on both half strips, in slabs of the imaginary part.

    Since the expressions are real on the real line, `f(conj z) = conj f(z)` and the upper half is enough.
    """
    outer = ((pieces.expressions[-1], 1), (pieces.expressions[0], -1))
    if height is None:
        return [tail(expr, pieces.symbol, side, start) for expr, side in outer]
    count = min(_MAX_SLABS, max(1, int(float(height.upper()) * 4) + 1))
    slabs = [interval(height * j / count, height * (j + 1) / count) for j in range(count)]
    return [tail(expr, pieces.symbol, side, start, slab) for expr, side in outer for slab in slabs]


def cover_bound(
    function: BallFunction, low: arb, high: arb, height: arb | None, step: float, growth: tuple[Fraction, Fraction]
) -> arb | None:
    """An upper bound of `|f(z)| exp(-B |x| - C x^2)` on a rectangle, x the real part.

    None where f cannot be proven analytic (real: finite) on it.

    Args:
        function: f.
        low: left end.
        high: right end.
        height: upper end of the imaginary part; None for a real interval.
        step: width of the first boxes; boxes that fail are halved.
        growth: C and B, both >= 0.
    """
    square, rate = (fraction_ball(g) for g in growth)
    count = max(1, int(float((high - low).upper()) / step) + 1)
    rows = 1 if height is None else max(1, int(float(height.upper()) / step) + 1)
    top, work = arb(0), 0
    for i in range(count):
        left, right = low + (high - low) * i / count, low + (high - low) * (i + 1) / count
        for j in range(rows):
            y = (None, None) if height is None else (height * j / rows, height * (j + 1) / rows)
            stack = [(left, right, *y, 0)]
            while stack:
                a, b, c, d, depth = stack.pop()
                work += 1
                x = interval(a, b)
                value = function(x) if c is None or d is None else function(acb(x, interval(c, d)), analytic=True)
                if value.is_finite():
                    nearest = arb(x.abs_lower())
                    top = top.max(magnitude(value) * (-(rate + square * nearest) * nearest).exp())
                    continue
                if depth >= _COVER_DEPTH or work > _COVER_LIMIT:
                    return None
                middle = (a + b) / 2
                if c is None or d is None:
                    stack += [(a, middle, c, d, depth + 1), (middle, b, c, d, depth + 1)]
                    continue
                half = (c + d) / 2
                stack += [
                    (u, v, s, t, depth + 1) for u, v in ((a, middle), (middle, b)) for s, t in ((c, half), (half, d))
                ]
    return top.upper()


def strip_envelope(pieces: Pieces, variance: arb, height: arb) -> Envelope | None:
    """The envelope of `phi(sqrt(q) z)` on `|Im z| <= height`, or None where it cannot be proven.

    Args:
        pieces: a function without kinks.
        variance: q.
        height: half width in the variable z, that is `sqrt(q) height` in the argument of phi.
    """
    if len(pieces.expressions) != 1:
        return None
    with working_precision(_BITS):
        unit = variance.sqrt()
        raw_height = short_above(unit * height)
        tried = _outer(pieces, raw_height, unit, minimum=raw_height)
        if tried is None:
            return None
        start, scale, square, rate = tried
        middle = _middle(pieces.expressions[0], pieces.symbol, start, raw_height, (square, rate))
        if middle is None:
            return None
        return Envelope(
            scale.max(middle).upper(), fraction_ball(rate) * unit, fraction_ball(square) * unit * unit, height, arb(0)
        )


def short_above(value: arb) -> float:
    """A number of few bits, not below a positive ball and close to it; infinite for a ball that is not finite."""
    mantissa, exponent = math.frexp(upper_float(value))
    return (
        math.ldexp(math.ceil(math.ldexp(mantissa, _HEIGHT_BITS)), exponent - _HEIGHT_BITS) if mantissa < 1 else math.inf
    )


@lru_cache(maxsize=_KEPT)
def _middle(
    expr: sp.Expr, symbol: sp.Symbol, start: int, height: float | None, growth: tuple[Fraction, Fraction]
) -> arb | None:
    """`cover_bound` between the tails, in the raw variable."""
    step = 0.5 if height is None else max(0.25, min(1.0, height / 4), height / 16)
    top = None if height is None else arb(height)
    return cover_bound(BallFunction(expr, symbol), arb(-start), arb(start), top, step, growth)


def line_envelope(pieces: Pieces, variance: arb) -> Envelope | None:
    """The envelope of `phi(sqrt(q) x)` for real x beyond the kinks, or None if the growth is not understood."""
    with working_precision(_BITS):
        unit = variance.sqrt()
        kinks = [abs(BallFunction(k, sp.Dummy())(arb(0))) for k in pieces.kinks]
        beyond = max([0.0] + [float(k.upper()) for k in kinks])
        tried = _outer(pieces, None, unit, minimum=beyond)
        if tried is None:
            return None
        start, scale, square, rate = tried
        middle = _middle(pieces.source, pieces.symbol, start, None, (square, rate))
        if middle is not None:
            scale, start = scale.max(middle).upper(), 0
        return Envelope(
            scale, fraction_ball(rate) * unit, fraction_ball(square) * unit * unit, arb(0), arb(start) / unit
        )


def _outer(
    pieces: Pieces, raw_height: float | None, unit: arb, minimum: float
) -> tuple[int, arb, Fraction, Fraction] | None:
    """The first start at which both tails are understood, with A, C, B there in the raw variable."""
    for start in _STARTS:
        if start <= minimum:
            continue
        expansions = _tails(pieces, start, raw_height)
        if expansions is None:
            continue
        square, rate = growth_exponents(expansions, unit)
        scale = _scale(pieces, start, raw_height, (square, rate))
        if scale is not None:
            return start, scale, square, rate
    return None


@lru_cache(maxsize=_KEPT)
def _tails(pieces: Pieces, start: int, height: float | None) -> list[Expansion] | None:
    """`tails_of`, the same at all variances; None where the growth is not understood."""
    try:
        return tails_of(pieces, start, None if height is None else arb(height))
    except TailError:
        return None


@lru_cache(maxsize=_KEPT)
def _scale(pieces: Pieces, start: int, height: float | None, growth: tuple[Fraction, Fraction]) -> arb | None:
    """A of both tails, which are understood; None where C and B do not dominate them."""
    exponents: Exponents = (*growth, Fraction(0))
    try:
        bounds = [expansion.bound(exponents) for expansion in _tails(pieces, start, height) or ()]
    except TailError:
        return None
    scale = bounds[0]
    for bound in bounds[1:]:
        scale = scale.max(bound)
    return arb(scale.upper()) if all(bound.is_finite() for bound in bounds) else None

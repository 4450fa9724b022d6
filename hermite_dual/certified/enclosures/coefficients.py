"""Enclosures of Hermite coefficients `a_r(q) = E[phi(sqrt(q) Z) h_r(Z)]`.

Polynomials are summed exactly, activations that are analytic on a strip go through the trapezoidal rule, all others
through Gauss-Legendre panels between their kinks.

Derivation: docs/theory/enclosures.md, "Coefficients, other cases".
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy as sp
from flint import arb

from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball, to_ball
from hermite_dual.certified.balls.deflated import plain
from hermite_dual.certified.balls.precision import bits_for, working_precision
from hermite_dual.certified.enclosures.hermite_sums import density
from hermite_dual.certified.enclosures.panels import panel_coefficients
from hermite_dual.certified.enclosures.trapezoid import trapezoid_coefficients
from hermite_dual.certified.growth.monomials import TailError
from hermite_dual.certified.growth.tails import tail
from hermite_dual.errors import AccuracyError, InvalidInputError, NotIntegrableError
from hermite_dual.expressions.features import features
from hermite_dual.shape.shape import Pieces, Shape

MAX_DIGITS = 1000  # precision and nodes grow with it; more has no use that is known
MAX_DEGREES = 4000  # precision grows by half a bit a degree
_REFERENCE_DEGREES = 8  # among which is a coefficient that is not 0, mostly
_ROUNDS = 8  # each asks for more accuracy inside; what they do not reach is an error
_SAMPLES = tuple(k / 4 for k in range(-24, 25)) + tuple(s * 6 * 1.15**k for k in range(1, 32) for s in (-1, 1))
"""Where an undefined value is looked for first, without proof."""
_SMALLEST_BITS = 8300
"""An activation with less than `2^-8300` of weight would take arithmetic of that length: the first guess ignores it."""


def coefficient_balls(shape: Shape, n: int, variance: Any = 1, digits: int = 30) -> list[arb]:
    """Enclose the first n Hermite coefficients at a variance.

    `a_r(q) = E[phi(sqrt(q) Z) h_r(Z)]`, `h_r = He_r / sqrt(r!)`, r = 0 .. n - 1.

    Args:
        shape: that of the activation phi.
        n: how many coefficients, at most 4000.
        variance: q >= 0; int, float (the dyadic number it is), Fraction, sympy constant or `flint.arb`.
        digits: every ball has radius at most `10^-digits * max_s |a_s(q)|`, s over the first max(n, 8) degrees.

    Returns:
        One `flint.arb` per degree. Coefficients that vanish by parity are exact zeros.

    Raises:
        InvalidInputError: an argument is out of range or the activation has no ball version.
        NotIntegrableError: phi is proven not to be square integrable under N(0, q).
        AccuracyError: the accuracy cannot be reached; no wide ball is returned instead.

    Example:
        >>> from hermite_dual.shape.shape import shape_of
        >>> x = sp.Symbol("x", real=True)
        >>> a = coefficient_balls(shape_of(sp.exp(x), x), 3)
        >>> all(b.overlaps(c) for b, c in zip(a, [arb(0.5).exp(), arb(0.5).exp(), arb(0.5).exp() / arb(2).sqrt()]))
        True
    """
    if not isinstance(n, int) or isinstance(n, bool) or not 0 <= n <= MAX_DEGREES:
        raise InvalidInputError(f"n = {n!r} is not an integer from 0 to {MAX_DEGREES}; ask for fewer degrees")
    check_digits(digits)
    with working_precision(bits_for(2 * digits) + n // 2 + 64):
        q = to_ball(variance, "variance")
    if not q >= 0:
        raise InvalidInputError(f"variance = {variance!r} is not proven to be >= 0; a variance cannot be negative")
    if n == 0:
        return []
    return list(_cached(shape, n, _Variance(q), digits))


def check_digits(digits: object) -> None:
    """Refuse accuracies that nothing here reaches."""
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= MAX_DIGITS:
        raise InvalidInputError(f"digits = {digits!r} is not an integer from 1 to {MAX_DIGITS}")


class _Variance:
    """A ball as a dictionary key: equal only if midpoint and radius are."""

    def __init__(self, ball: arb) -> None:
        self.ball = ball
        self.key = (*map(int, ball.mid().man_exp()), *map(int, ball.rad().man_exp()))

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Variance) and self.key == other.key


@lru_cache(maxsize=512)
def _cached(shape: Shape, n: int, variance: _Variance, digits: int) -> tuple[arb, ...]:
    """The coefficients, remembered."""
    pieces = shape.pieces
    q = variance.ball
    if q.is_zero():
        with working_precision(bits_for(digits)):
            return (value_ball(shape), *[arb(0)] * (n - 1))
    polynomial = _polynomial(pieces)
    if polynomial is not None:
        with working_precision(bits_for(digits) + 2 * n):
            return tuple(_polynomial_coefficients(polynomial, q, n))
    refuse_if_not_square_integrable(pieces, q)
    return tuple(_refined(pieces, q, n, digits, pieces.parity))


def value_ball(shape: Shape) -> arb:
    """`phi(0)`, what a variance of 0 leaves of phi."""
    value = shape.value(sp.S.Zero)
    if value is None:
        raise InvalidInputError(
            f"{shape.expr} has no value at 0, which a variance of 0 asks for; take a positive variance"
        )
    return constant_ball(value)


def _polynomial(pieces: Pieces) -> sp.Poly | None:
    """The activation as a polynomial, or None."""
    if len(pieces.expressions) != 1 or not pieces.expressions[0].is_polynomial(pieces.symbol):
        return None
    return sp.Poly(pieces.expressions[0], pieces.symbol)


def _polynomial_coefficients(polynomial: sp.Poly, q: arb, n: int) -> list[arb]:
    """`E[Z^k h_r(Z)] = k! / (2^j j! sqrt(r!))`, `k = r + 2 j`, summed over the monomials."""
    unit = q.sqrt()
    totals = [arb(0)] * n
    for (k,), coefficient in polynomial.terms():
        factor = constant_ball(coefficient) * unit**k
        for r in range(k % 2, min(k, n - 1) + 1, 2):
            j = (k - r) // 2
            totals[r] += factor * arb(k).fac() / (arb(2) ** j * arb(j).fac() * arb(r).fac().sqrt())
    return totals


def refuse_if_not_square_integrable(pieces: Pieces, q: arb) -> None:
    """Raise if a tail is proven to grow at least like `exp(x^2/(4q))` in modulus, or phi like a pole at a kink."""
    for pole in pieces.singular(1.0):
        raise NotIntegrableError(
            f"the function grows at least like 1/|x - c| towards c = {pole}: its Gaussian integrals are infinite"
        )
    for a, attained in gaussian_rates(pieces):
        if attained and arb(a.numerator) / a.denominator * q > arb(1) / 4:
            raise NotIntegrableError(
                f"the activation grows like exp({a} x^2), so E[phi(sqrt(q) Z)^2] is infinite "
                f"for q >= {1 / (4 * a)}; use a smaller variance"
            )


def gaussian_rates(pieces: Pieces) -> Iterator[tuple[Fraction, bool]]:
    """Yield a from the leading term `exp(a x^2 + ...)` of both tails where it is known, and whether it is proven."""
    for expr, side in ((pieces.expressions[-1], 1), (pieces.expressions[0], -1)):
        for start in (16, 256):
            try:
                (a, _, _), ball = tail(expr, pieces.symbol, side, start).factored()
            except TailError:
                continue
            yield a, not ball.contains(0)


def _first_eps(pieces: Pieces, q: arb, digits: int) -> arb:
    """A first absolute accuracy, from samples of `|phi w|`; a wrong guess costs a round, not the proof."""
    function = BallFunction(pieces.source, pieces.symbol)
    unit = q.sqrt()
    # an activation that vanishes up to a far kink has its mass right behind it
    kinks = [(constant_ball(kink) / unit).mid() for kink in pieces.kinks]
    behind = [(kink + kink.sgn() / (1 + abs(kink))).mid() for kink in kinks]
    narrow = [(arb(place) / unit).mid() for place in features(plain(pieces.source), pieces.symbol)]
    top = arb(0)
    for s in [*map(arb, _SAMPLES), *behind, *narrow]:
        value = function(unit * s) * density(s)
        if value.is_finite():
            top = top.max(abs(value).upper())
    if not top > arb(2) ** -_SMALLEST_BITS:
        top = arb(1)
    return (top * arb(10) ** -digits).mid()


def _engine(pieces: Pieces, q: arb, n: int, eps: arb, parity: int) -> list[arb] | None:
    """The coefficients by the first method that works."""
    if len(pieces.expressions) == 1:
        balls = trapezoid_coefficients(pieces, q, n, eps, parity)
        if balls is not None:
            return balls
    return panel_coefficients(pieces, q, n, eps)


def _refined(pieces: Pieces, q: arb, n: int, digits: int, parity: int) -> Sequence[arb]:
    """Compute at rising accuracy until every ball is as narrow as promised."""
    count = max(n, _REFERENCE_DEGREES)
    with working_precision(128):
        eps = _first_eps(pieces, q, digits + 2)
    largest, previous = arb(0), arb.pos_inf()
    for turn in range(_ROUNDS):
        balls = _engine(pieces, q, count, eps, parity)
        if balls is None:
            break
        with working_precision(128):
            widest = max((ball.rad() for ball in balls), key=float)
            largest = arb(0)
            for ball in balls:
                largest = largest.max(arb(ball.abs_lower()))
            if widest <= largest * arb(10) ** -digits:
                return [_by_parity(ball, r, parity) for r, ball in enumerate(balls[:n])]
            if previous.is_finite() and widest > previous / 2:
                break  # an inexact variance: more work does not help
            previous = widest
            shortfall = arb(10) ** -(digits + 1) * largest / widest if largest > 0 else arb(10) ** -(30 * 2**turn)
            eps = (eps * shortfall.min(arb(1) / 1024)).mid()
    raise AccuracyError(
        f"{digits} digits of the Hermite coefficients of {pieces.expressions} at variance {q.str(8)} were not reached; "
        "ask for fewer digits, fewer degrees or an exact variance"
    )


def _by_parity(ball: arb, degree: int, parity: int) -> arb:
    """An exact zero where parity makes the coefficient vanish."""
    vanishes = parity and (degree % 2 == 0) != (parity > 0)
    return arb(0) if vanishes else ball

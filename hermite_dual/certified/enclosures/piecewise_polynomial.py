"""Hermite coefficients of piecewise polynomials at any degree, from the jumps at their kinks.

Integration by parts with `(h_{r-1} w)' = -sqrt(r) h_r w` turns a coefficient into one of the derivative plus boundary
terms. A polynomial of degree p is used up after p + 1 steps, and what is left for r > p is

    a_r(q) = sum_{j<=p} t^j sum_k J_k^(j) h_{r-1-j}(z_k) w(z_k) / sqrt(r (r-1) ... (r-j)),

`t = sqrt(q)`, `z_k = c_k/t`, `J_k^(j)` the jump of the j-th derivative at the kink `c_k`. ReLU, hard tanh and their
kin, whose coefficients decay like a power of the degree, get thousands of them in milliseconds.

Derivation: docs/theory/entries.md, "Entries of a Gram matrix".
"""

from typing import Any

import sympy as sp
from flint import arb

from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball, to_ball
from hermite_dual.certified.balls.precision import bits_for, working_precision
from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.certified.enclosures.hermite_sums import density, recurrence_loss
from hermite_dual.shape.shape import Pieces, Shape

Jump = tuple[arb, list[arb]]
"""A kink and the jumps of the derivatives of order 0, 1, ... there."""


def is_piecewise_polynomial(shape: Shape) -> bool:
    """Whether every piece between kinks is a polynomial and there is at least one kink."""
    pieces = shape.pieces
    return bool(pieces.kinks) and all(e.is_polynomial(shape.symbol) for e in pieces.expressions)


def jump_coefficients(shape: Shape, n: int, variance: Any = 1, digits: int = 30) -> list[arb]:
    """Enclose the first n Hermite coefficients of a piecewise polynomial.

    Args:
        shape: that of the activation, polynomial between its kinks.
        n: how many coefficients.
        variance: q > 0.
        digits: digits carried beyond what the recurrence loses; the radii say what was reached.

    Returns:
        One ball per degree.

    Example:
        >>> from hermite_dual.shape.shape import shape_of
        >>> x = sp.Symbol("x", real=True)
        >>> a = jump_coefficients(shape_of(sp.Max(x, 0), x), 5)
        >>> all(b.overlaps(c) for b, c in zip(a, coefficient_balls(shape_of(sp.Max(x, 0), x), 5)))
        True
    """
    pieces = shape.pieces
    degree = max(sp.Poly(e, shape.symbol).degree() if e.has(shape.symbol) else 0 for e in pieces.expressions)
    first = coefficient_balls(shape, min(n, degree + 1), variance, digits)
    with working_precision(bits_for(digits) + recurrence_loss(n) + 32):
        unit = to_ball(variance, "variance").sqrt()
        totals = [arb(0)] * n
        for kink, jumps in _jumps(pieces, degree):
            _add_kink(totals, kink / unit, [jump * unit**j for j, jump in enumerate(jumps)], degree)
        return [*first, *totals[degree + 1 :]]


def _jumps(pieces: Pieces, degree: int) -> list[Jump]:
    """The jumps of every derivative at every kink."""
    steps = []
    for index, kink in enumerate(pieces.kinks):
        difference = sp.expand(pieces.expressions[index + 1] - pieces.expressions[index])
        at = constant_ball(kink)
        jumps = [BallFunction(difference.diff(pieces.symbol, j), pieces.symbol)(at) for j in range(degree + 1)]
        # what sympy proves zero is an exact zero
        exact = [sp.expand(difference.diff(pieces.symbol, j).subs(pieces.symbol, kink)) == 0 for j in range(degree + 1)]
        steps.append((at, [arb(0) if zero else jump for jump, zero in zip(jumps, exact, strict=True)]))
    return steps


def _add_kink(totals: list[arb], z: arb, jumps: list[arb], degree: int) -> None:
    """Add one kink's part to every coefficient above the degree of the polynomials."""
    values = _hermite_values(z, len(totals))
    weight = density(z)
    for j, jump in enumerate(jumps):
        if jump.is_zero():
            continue
        factor = jump * weight
        for r in range(degree + 1, len(totals)):
            falling = 1
            for k in range(j + 1):
                falling *= r - k
            totals[r] += factor * values[r - 1 - j] / arb(falling).sqrt()


def _hermite_values(z: arb, count: int) -> list[arb]:
    """`h_0(z), ..., h_{count-1}(z)` by the normalized recurrence."""
    values = [arb(1)]
    former, current = arb(0), arb(1)
    root = arb(0)
    for r in range(1, count):
        following = arb(r).sqrt()
        former, current = current, (z * current - root * former) / following
        values.append(current)
        root = following
    return values

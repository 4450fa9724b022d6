"""The second moment `V(q) = E[phi(sqrt(q) Z)^2]` over an interval of variances, enclosed by its Taylor polynomial.

Derivation: docs/theory/mean_field.md, "Completeness".
"""

from dataclasses import dataclass

from flint import arb, arb_poly

from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.certified.enclosures.second_moment import second_moment_ball
from hermite_dual.shape.shape import Shape, shape_of

_DEGREE = 24
"""Of the polynomial: with `_HALF` and `_DISC` it leaves `0.28^25 = 1e-14` of V."""
_HALF, _DISC = 0.25, 0.9
"""Largest `|q/q_0 - 1|` of a cell, and of the disc on which V is bounded; V is analytic on that of radius 1."""
_DIGITS = 20
"""Of the coefficients: more than the remainder of the polynomial."""


@dataclass(frozen=True, eq=False)
class MomentCell:
    """`V(q_0 (1 + u))` for `|u| <= 1/4`.

    Attributes:
        centre: q_0, exact.
        polynomial: in u.
        slope: its derivative.
        error: bound of `|V - polynomial|`.
        slope_error: bound of `|dV/du - slope|`.
    """

    centre: arb
    polynomial: arb_poly
    slope: arb_poly
    error: arb
    slope_error: arb


def moment_cell(shape: Shape, centre: arb) -> MomentCell:
    """Enclose V around a variance.

    `d^j V/dq^j = a_2j[phi^2] sqrt((2j)!)/(2q)^j`, and `|V| <= sqrt((1 + r)/(1 - r)) V(q_0 (1 + r))` where
    `|q/q_0 - 1| <= r`; Cauchy's estimate bounds what follows.

    Args:
        shape: that of phi.
        centre: q_0 > 0, exact.

    Raises:
        NotIntegrableError, AccuracyError: V is not finite, or not known, up to `1.9 q_0`.
    """
    square = shape_of(shape.formula**2, shape.symbol)
    moments = coefficient_balls(square, 2 * _DEGREE + 1, centre, _DIGITS)[::2]
    taylor = [a * arb(2 * j).fac().sqrt() / (arb(j).fac() * arb(2) ** j) for j, a in enumerate(moments)]
    r, n = arb(_DISC), _DEGREE + 1
    end = arb((centre * (1 + r)).upper())
    largest = (end / (centre * (1 - r))).sqrt() * second_moment_ball(shape, end)
    x = arb(_HALF) / r
    error = largest * x**n / (1 - x)
    slope_error = largest / r * x ** (n - 1) * (n - (n - 1) * x) / (1 - x) ** 2
    polynomial = arb_poly(taylor)
    return MomentCell(centre, polynomial, polynomial.derivative(), arb(error.upper()), arb(slope_error.upper()))

"""The power series of a dual activation, cut off with a proven remainder."""

from dataclasses import dataclass

import flint
import sympy as sp

from hermite_dual.certified.balls.precision import upper_float, working_precision
from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.certified.enclosures.series import series_remainder
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown
from hermite_dual.shape.shape import Shape
from hermite_dual.symbolic.coefficients import exact_coefficient
from hermite_dual.symbols import rho

_DIGITS = 30
_BITS = 160


@own_float_state
@dataclass(frozen=True, repr=False)
class KernelSeries(Shown):
    """A polynomial in rho and how far the dual activation may be from it.

    Attributes:
        polynomial: `sum_{r<n} a_r^2 rho^r`.
        remainder: proven bound of `|k(rho) - polynomial|` over rho in [-1, 1].
        exact: whether the polynomial's coefficients are exact; otherwise they are rounded to 30 digits, which the
            remainder counts.
    """

    polynomial: sp.Expr
    remainder: float
    exact: bool


def kernel_series(shape: Shape, n: int) -> KernelSeries:
    """Return the first n terms of `E[phi(u) phi(v)]` at unit variances, and a proven remainder.

    The terms left out are at most `sum_{r>=n} a_r^2 = E[phi^2] - sum_{r<n} a_r^2`, by Parseval.

    Args:
        shape: that of phi, a formula without parameters.
        n: number of terms.
    """
    remainder = series_remainder(shape, n)
    coefficients = [exact_coefficient(shape, r) for r in range(n)]
    if not any(value.has(sp.Integral) for value in coefficients):
        return KernelSeries(sp.Add(*(value**2 * rho**r for r, value in enumerate(coefficients))), remainder, True)
    terms, slack = [], flint.arb(0)
    with working_precision(_BITS):
        for r, ball in enumerate(coefficient_balls(shape, n, 1, _DIGITS)):
            square = ball * ball
            if ball.contains(0):
                slack += abs(square)
                continue
            rounded = sp.Float(square.mid().str(_DIGITS + 5, radius=False), _DIGITS)
            terms.append(rounded * rho**r)
            # The decimal that is printed, not the binary value behind it, is what the remainder is about.
            slack += abs(square - flint.arb(str(rounded)))
        total = upper_float(flint.arb(remainder) + slack)
    return KernelSeries(sp.Add(*terms), total, False)

"""Enclosure of `E[phi(sqrt(q) Z)^2]`, the diagonal of a dual kernel.

Derivation: docs/theory/enclosures.md, "Coefficients, other cases".
"""

from fractions import Fraction
from typing import Any

import sympy as sp
from flint import arb

from hermite_dual.certified.balls.ball_functions import to_ball
from hermite_dual.certified.balls.precision import bits_for, exact_value, working_precision
from hermite_dual.certified.enclosures.coefficients import (
    coefficient_balls,
    gaussian_rates,
    refuse_if_not_square_integrable,
)
from hermite_dual.certified.growth.monomials import fraction_ball
from hermite_dual.errors import NotIntegrableError
from hermite_dual.shape.shape import Shape, shape_of

_LEAST_DIGITS = 12
"""Fewer cost as much, and one accuracy lets norms and remainders share what is remembered."""


def second_moment_ball(shape: Shape, variance: Any = 1, digits: int = 30) -> arb:
    """Enclose `E[phi(sqrt(q) Z)^2]`, the coefficient of degree 0 of `phi^2`.

    Args:
        shape: that of the activation phi.
        variance: q >= 0.
        digits: relative accuracy, `radius <= 10^-digits * max_s |E[phi^2 h_s]|`, s < 8.

    Returns:
        A ball.

    Raises:
        InvalidInputError: as `coefficient_balls`.
        NotIntegrableError: the moment is infinite.
        AccuracyError: the accuracy cannot be reached.

    Example:
        >>> x = sp.Symbol("x", real=True)
        >>> second_moment_ball(shape_of(sp.Max(x, 0), x)).contains(0.5)
        True
    """
    q = to_ball(variance, "variance")
    if q > 0:
        refuse_if_not_square_integrable(shape.pieces, q)
    return mean_ball(shape_of(shape.formula**2, shape.symbol), variance, max(digits, _LEAST_DIGITS))


def mean_ball(shape: Shape, variance: Any, digits: int) -> arb:
    r"""Enclose `E[f(sqrt(q) Z)]` of a function f that need not be square-integrable.

    A factor $e^{a x^2}$ of f goes into the density, which then is that of the variance $q' = q/(1 - 2aq)$:
    $E_q[f] = (1 - 2aq)^{-1/2} E_{q'}[f e^{-a x^2}]$.
    """
    rate = max((a for a, _ in gaussian_rates(shape.pieces)), default=Fraction(0))
    exact = exact_value(variance)
    q = to_ball(variance, "variance") if exact is None else exact
    left = 1 - 2 * (fraction_ball(rate) if exact is None else rate) * q
    if rate <= 0:
        return coefficient_balls(shape, 1, variance, digits)[0]
    if not left > 0:
        raise NotIntegrableError(
            f"{shape.formula} grows like exp({rate} x^2): its Gaussian mean is infinite, or not proven finite, from "
            f"the variance {1 / (2 * rate)} on; use a smaller variance"
        )
    damped = shape.formula * sp.exp(-sp.Rational(rate.numerator, rate.denominator) * shape.symbol**2)
    with working_precision(bits_for(digits + 2)):
        factor = to_ball(left, "variance").rsqrt()
        wider = q / left
        return factor * coefficient_balls(shape_of(sp.powsimp(damped), shape.symbol), 1, wider, digits + 1)[0]

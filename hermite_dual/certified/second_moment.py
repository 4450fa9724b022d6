"""Enclosure of `E[phi(sqrt(q) Z)^2]`, the diagonal of a dual kernel."""

from typing import Any

import sympy as sp
from flint import arb

from hermite_dual.certified.coefficients import coefficient_balls

_LEAST_DIGITS = 12
"""Fewer cost as much, and one accuracy lets norms and remainders share what is remembered."""


def second_moment_ball(expr: sp.Expr, symbol: sp.Symbol, variance: Any = 1, digits: int = 30) -> arb:
    """Enclose `E[phi(sqrt(q) Z)^2]`, the coefficient of degree 0 of `phi^2`.

    Args:
        expr: the activation phi.
        symbol: its argument.
        variance: q >= 0.
        digits: relative accuracy, `radius <= 10^-digits * max_s |E[phi^2 h_s]|`, s < 8.

    Returns:
        A ball.

    Raises:
        InvalidInputError: as `coefficient_balls`.
        NotIntegrableError: the moment (or the fourth moment, which the method needs) is infinite.
        AccuracyError: the accuracy cannot be reached.

    Example:
        >>> x = sp.Symbol("x", real=True)
        >>> second_moment_ball(sp.Max(x, 0), x).contains(0.5)
        True
    """
    return coefficient_balls(sp.sympify(expr) ** 2, symbol, 1, variance, max(digits, _LEAST_DIGITS))[0]

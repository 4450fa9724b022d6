"""Proven remainder of the truncated Hermite series of a dual activation.

Derivation: docs/theory/enclosures.md, "Kernels".
"""

from typing import Any

from hermite_dual.certified.balls.precision import bits_for, upper_float, working_precision
from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.certified.enclosures.kernel import parseval_tail
from hermite_dual.shape.shape import Shape

_DIGITS = 40  # of the moments, whose difference is the remainder


def series_remainder(shape: Shape, n: int, variance: Any = 1) -> float:
    """Bound `sup |k(rho) - sum_{r<n} a_r^2 rho^r|` over `rho` in [-1, 1].

    The terms left out are `a_r^2 rho^r`, so the supremum is `T_n = E[phi^2] - sum_{r<n} a_r^2`, attained at rho = 1.

    Args:
        shape: that of the activation phi.
        n: number of terms kept, degrees 0 .. n - 1.
        variance: q, the same for both arguments.

    Returns:
        A float not below the supremum.

    Raises:
        AccuracyError, InvalidInputError, NotIntegrableError: as `coefficient_balls`.

    Example:
        >>> import sympy as sp
        >>> from hermite_dual.shape.shape import shape_of
        >>> x = sp.Symbol("x", real=True)
        >>> 0.0 <= series_remainder(shape_of(x**2, x), 3) < 1e-30
        True
    """
    with working_precision(2 * bits_for(_DIGITS)):
        coefficients = coefficient_balls(shape, n, variance, _DIGITS)
        return upper_float(parseval_tail(shape, variance, coefficients, _DIGITS))

"""Enclosure of a dual kernel `k(q1, q2, c) = E[phi(u) phi(v)]`, `(u, v) ~ N(0, [[q1, c], [c, q2]])`.

Mehler's series with the Parseval remainder where powers of the correlation are enough, a one-dimensional integral at
correlation 1 and -1, and elsewhere a two-dimensional trapezoidal sum for strip-analytic activations and cells between
the kinks for all others.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from hermite_dual.certified.coefficients import coefficient_balls, pieces_of, value_ball
from hermite_dual.certified.elementary import integer_power
from hermite_dual.certified.lattice import lattice_kernel
from hermite_dual.certified.precision import bits_for, exact_fraction, to_ball, working_precision
from hermite_dual.certified.second_moment import second_moment_ball
from hermite_dual.certified.wedges import wedge_kernel
from hermite_dual.errors import AccuracyError, InvalidInputError

_FEW_DEGREES = 160
_MANY_DEGREES = 3000
_NORM_DIGITS = 6


def kernel_ball(expr: sp.Expr, symbol: sp.Symbol, q1: Any = 1, q2: Any = 1, c: Any = 0, digits: int = 30) -> arb:
    """Enclose `E[phi(u) phi(v)]` for centred Gaussians with variances q1, q2 and covariance c.

    Args:
        expr: the activation phi.
        symbol: its argument.
        q1: first variance >= 0.
        q2: second variance >= 0.
        c: covariance, `c^2 <= q1 q2`; give exact numbers (int, float, Fraction, Rational) where equality is meant.
        digits: the radius is at most `10^-digits * sqrt(E[phi(u)^2] E[phi(v)^2])`.

    Returns:
        A ball.

    Raises:
        InvalidInputError: the three numbers are no covariance matrix.
        NotIntegrableError: the kernel is infinite.
        AccuracyError: the accuracy cannot be reached.

    Example:
        >>> x = sp.Symbol("x", real=True)
        >>> kernel_ball(sp.sin(x), x, 1, 1, 0.5).overlaps(arb(-1).exp() * arb(0.5).sinh())
        True
    """
    exact = [exact_value(v) for v in (q1, q2, c)]
    with working_precision(bits_for(digits) * 2 + 64):
        balls = [to_ball(v, name) for v, name in ((q1, "q1"), (q2, "q2"), (c, "c"))]
        gap = _determinant(exact, balls)
        if gap < 0 or balls[0] < 0 or balls[1] < 0:
            raise InvalidInputError(
                f"q1 = {q1}, q2 = {q2}, c = {c} is no covariance matrix; it needs q1, q2 >= 0 and c^2 <= q1 q2"
            )
        if balls[0].is_zero() or balls[1].is_zero():
            return _degenerate(expr, symbol, balls, digits)
        if gap.is_zero():
            return _parallel(expr, symbol, exact, digits)
        if not gap > 0:
            raise AccuracyError(
                f"c = {c} cannot be told apart from sqrt(q1 q2) at this precision; give exact numbers or fewer digits"
            )
        root = (balls[0] * balls[1]).sqrt()
        rho, s = balls[2] / root, gap.sqrt() / root
        norms = [second_moment_ball(expr, symbol, v, _NORM_DIGITS) for v in (q1, q2)]
        if norms[0].is_zero() or norms[1].is_zero():
            return arb(0)  # Cauchy-Schwarz
        target = ((norms[0] * norms[1]).sqrt() * arb(10) ** -digits).lower()
    for extra in (1, 6):
        with working_precision(bits_for(digits) * 2 + 64):
            result = _general(
                expr, symbol, (balls[0], balls[1]), rho, s, arb(target) * arb(10) ** -extra, digits + extra
            )
        if result is not None and result.rad() <= target:
            return result
    raise AccuracyError(
        f"{digits} digits of the kernel at q1 = {q1}, q2 = {q2}, c = {c} were not reached; "
        "ask for fewer digits or a correlation further from 1"
    )


def exact_value(value: Any) -> Fraction | None:
    """The value as a fraction if it is rational and stored exactly."""
    if isinstance(value, (int, Fraction, np.integer)):
        return Fraction(int(value)) if not isinstance(value, Fraction) else value
    if isinstance(value, (float, np.floating)) and math.isfinite(value):
        return Fraction(float(value))
    if isinstance(value, sp.Expr) and value.is_number and (value.is_Rational or value.is_Float):
        rational = sp.Rational(value)
        return Fraction(int(rational.p), int(rational.q))
    if isinstance(value, arb) and value.is_finite() and value.is_exact():
        return exact_fraction(value)
    return None


def _determinant(exact: list[Fraction | None], balls: list[arb]) -> arb:
    """`q1 q2 - c^2`, an exact zero where it is one."""
    q1, q2, c = exact
    if q1 is not None and q2 is not None and c is not None:
        value = q1 * q2 - c * c
        return arb(value.numerator) / value.denominator
    return balls[0] * balls[1] - balls[2] * balls[2]


def _degenerate(expr: sp.Expr, symbol: sp.Symbol, balls: list[arb], digits: int) -> arb:
    """A variance is zero: `phi(0) E[phi(v)]`."""
    other = balls[1] if balls[0].is_zero() else balls[0]
    origin = value_ball(expr, symbol)
    return origin * coefficient_balls(expr, symbol, 1, other, digits + 1)[0]


def _parallel(expr: sp.Expr, symbol: sp.Symbol, exact: list[Fraction | None], digits: int) -> arb:
    """Correlation 1 or -1: `E[phi(sqrt(q1) Z) phi(+-sqrt(q2) Z)]`."""
    q1, q2, c = exact
    if q1 is None or q2 is None or c is None:
        raise AccuracyError("a correlation of exactly 1 needs exact variances; give them as int, float or Fraction")
    ratio = sp.sqrt(sp.Rational((q2 / q1).numerator, (q2 / q1).denominator)) * (1 if c > 0 else -1)
    real = sp.Dummy("x", real=True)
    first = sp.sympify(expr).xreplace({symbol: real})
    product = first * first.xreplace({real: ratio * real})
    return coefficient_balls(product, real, 1, sp.Rational(q1.numerator, q1.denominator), digits + 1)[0]


def _general(
    expr: sp.Expr, symbol: sp.Symbol, variances: tuple[arb, arb], rho: arb, s: arb, eps: arb, digits: int
) -> arb | None:
    """Series or lattice, whichever is cheaper; None if neither is possible."""
    size = float(abs(rho).upper())
    if size == 0:
        return mehler_ball(expr, symbol, variances, rho, 1, digits)
    needed = math.ceil(digits * math.log(10) / -math.log(size)) + 2 if size < 1 else _MANY_DEGREES + 1
    if needed <= _FEW_DEGREES:
        return mehler_ball(expr, symbol, variances, rho, needed, digits)
    pieces = pieces_of(expr, symbol)
    if len(pieces.expressions) == 1:
        result = lattice_kernel(pieces, *variances, rho, s, eps)
        if result is not None:
            return result
    result = wedge_kernel(pieces, *variances, rho, s, eps)
    if result is not None:
        return result
    if needed <= _MANY_DEGREES:
        return mehler_ball(expr, symbol, variances, rho, needed, digits)
    return None


def mehler_ball(
    expr: sp.Expr, symbol: sp.Symbol, variances: tuple[arb, arb], rho: arb, degrees: int, digits: int
) -> arb:
    """`sum_{r<N} a_r(q1) a_r(q2) rho^r` with the remainder `|rho|^N sqrt(T_N(q1) T_N(q2))` added as a radius."""
    q1, q2 = variances
    same = q1.is_exact() and q2.is_exact() and q1 == q2
    first = coefficient_balls(expr, symbol, degrees, q1, digits + 2)
    second = first if same else coefficient_balls(expr, symbol, degrees, q2, digits + 2)
    total = arb(0)
    for a, b in zip(reversed(first), reversed(second), strict=True):
        total = total * rho + a * b
    tails = [parseval_tail(expr, symbol, q, a) for q, a in ((q1, first), (q2, second))]
    return total + arb(0, (integer_power(rho.abs_upper(), degrees) * (tails[0] * tails[1]).sqrt()).upper())


def parseval_tail(expr: sp.Expr, symbol: sp.Symbol, variance: Any, coefficients: list[arb], digits: int = 12) -> arb:
    """An upper bound of `T_N(q) = E[phi(sqrt(q) Z)^2] - sum_{r<N} a_r(q)^2`, exact and >= 0."""
    moment = second_moment_ball(expr, symbol, variance, digits)
    rest = moment - sum((a * a for a in coefficients), arb(0))
    top = arb(rest.upper())
    return top if top > 0 else arb(0)

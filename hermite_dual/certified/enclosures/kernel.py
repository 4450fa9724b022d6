"""Enclosure of a kernel `E[phi(u) phi(v)]` or `E[phi(u) psi(v)]`, `(u, v) ~ N(0, [[q1, c], [c, q2]])`.

Mehler's series with the Parseval remainder where powers of the correlation are enough, a one-dimensional integral at
correlation 1 and -1, and elsewhere a two-dimensional trapezoidal sum for strip-analytic activations and cells between
the kinks for all others.

Derivation: docs/theory/enclosures.md, "Kernels".
"""

import math
from fractions import Fraction
from typing import Any

import sympy as sp
from flint import arb

from hermite_dual.certified.balls.ball_functions import to_ball
from hermite_dual.certified.balls.elementary import integer_power
from hermite_dual.certified.balls.precision import bits_for, exact_value, working_precision
from hermite_dual.certified.enclosures.coefficients import check_digits, coefficient_balls, value_ball
from hermite_dual.certified.enclosures.lattice import lattice_kernel
from hermite_dual.certified.enclosures.second_moment import mean_ball, second_moment_ball
from hermite_dual.certified.enclosures.wedges import wedge_kernel
from hermite_dual.errors import AccuracyError, InvalidInputError
from hermite_dual.shape.shape import Shape, shape_of

_FEW_DEGREES = 160  # a series of so many costs less than nodes in two dimensions
_MANY_DEGREES = 3000  # tried last, as it costs most
_NORM_DIGITS = 6  # the norms are only a scale
Shapes = tuple[Shape, Shape]  # notation: of phi(u) and of psi(v)


def kernel_ball(
    shape: Shape, q1: Any = 1, q2: Any = 1, c: Any = 0, digits: int = 30, other: Shape | None = None
) -> arb:
    """Enclose `E[phi(u) psi(v)]` for centred Gaussians with variances q1, q2 and covariance c.

    Args:
        shape: that of the activation phi.
        q1: first variance >= 0.
        q2: second variance >= 0.
        c: covariance, `c^2 <= q1 q2`; give exact numbers (int, float, Fraction, Rational) where equality is meant.
        digits: the radius is at most `10^-digits * sqrt(E[phi(u)^2] E[psi(v)^2])`.
        other: that of psi; phi itself by default.

    Returns:
        A ball.

    Raises:
        InvalidInputError: the three numbers are no covariance matrix.
        NotIntegrableError: the kernel is infinite.
        AccuracyError: the accuracy cannot be reached.

    Example:
        >>> x = sp.Symbol("x", real=True)
        >>> kernel_ball(shape_of(sp.sin(x), x), 1, 1, 0.5).overlaps(arb(-1).exp() * arb(0.5).sinh())
        True
    """
    check_digits(digits)
    shapes = (shape, shape if other is None else other)
    exact = [exact_value(v) for v in (q1, q2, c)]
    with working_precision(bits_for(digits) * 2 + 64):
        balls = [to_ball(v, name) for v, name in ((q1, "q1"), (q2, "q2"), (c, "c"))]
        gap = _determinant(exact, balls)
        if gap < 0 or balls[0] < 0 or balls[1] < 0:
            raise InvalidInputError(
                f"q1 = {q1}, q2 = {q2}, c = {c} is no covariance matrix; it needs q1, q2 >= 0 and c^2 <= q1 q2"
            )
        if balls[0].is_zero() or balls[1].is_zero():
            return _degenerate(shapes, balls, digits)
        if gap.is_zero():
            return _parallel(shapes, exact, digits)
        if not gap > 0:
            raise AccuracyError(
                f"c = {c} cannot be told apart from sqrt(q1 q2) at this precision; give exact numbers or fewer digits"
            )
        root = (balls[0] * balls[1]).sqrt()
        rho, s = balls[2] / root, gap.sqrt() / root
        norms = [second_moment_ball(phi, v, _NORM_DIGITS) for phi, v in zip(shapes, (q1, q2), strict=True)]
        if norms[0].is_zero() or norms[1].is_zero():
            return arb(0)  # Cauchy-Schwarz
        if shapes[0].pieces.parity * shapes[1].pieces.parity < 0:
            return arb(0)  # (u, v) and (-u, -v) have one law
        target = ((norms[0] * norms[1]).sqrt() * arb(10) ** -digits).lower()
    for extra in (1, 6):
        with working_precision(bits_for(digits) * 2 + 64):
            result = _general(shapes, (balls[0], balls[1]), rho, s, arb(target) * arb(10) ** -extra, digits + extra)
        if result is not None and result.rad() <= target:
            return result
    raise AccuracyError(
        f"{digits} digits of the kernel at q1 = {q1}, q2 = {q2}, c = {c} were not reached; "
        "ask for fewer digits or a correlation further from 1"
    )


def _determinant(exact: list[Fraction | None], balls: list[arb]) -> arb:
    """`q1 q2 - c^2`, an exact zero where it is one."""
    q1, q2, c = exact
    if q1 is not None and q2 is not None and c is not None:
        value = q1 * q2 - c * c
        return arb(value.numerator) / value.denominator
    return balls[0] * balls[1] - balls[2] * balls[2]


def _degenerate(shapes: Shapes, balls: list[arb], digits: int) -> arb:
    """A variance is zero: `phi(0) E[psi(v)]`, or `E[phi(u)] psi(0)`."""
    fixed, moving = (0, 1) if balls[0].is_zero() else (1, 0)
    return value_ball(shapes[fixed]) * coefficient_balls(shapes[moving], 1, balls[moving], digits + 1)[0]


def _parallel(shapes: Shapes, exact: list[Fraction | None], digits: int) -> arb:
    """Correlation 1 or -1: `E[phi(sqrt(q1) Z) psi(+-sqrt(q2) Z)]`."""
    q1, q2, c = exact
    if q1 is None or q2 is None or c is None:
        raise AccuracyError("a correlation of exactly 1 needs exact variances; give them as int, float or Fraction")
    ratio = sp.sqrt(sp.Rational((q2 / q1).numerator, (q2 / q1).denominator)) * (1 if c > 0 else -1)
    real = sp.Dummy("x", real=True)
    first, second = (shape.formula.xreplace({shape.symbol: real}) for shape in shapes)
    product = first * second.xreplace({real: ratio * real})
    return mean_ball(shape_of(product, real), q1, digits + 1)


def _general(shapes: Shapes, variances: tuple[arb, arb], rho: arb, s: arb, eps: arb, digits: int) -> arb | None:
    """Series or lattice, whichever is cheaper; None if neither is possible."""
    shape, other = shapes
    size = float(abs(rho).upper())
    if size == 0:
        return mehler_ball(shape, variances, rho, 1, digits, other)
    needed = math.ceil(digits * math.log(10) / -math.log(size)) + 2 if size < 1 else _MANY_DEGREES + 1
    if needed <= _FEW_DEGREES:
        return mehler_ball(shape, variances, rho, needed, digits, other)
    if len(shape.pieces.expressions) == len(other.pieces.expressions) == 1:
        result = lattice_kernel(shape.pieces, *variances, rho, s, eps, other.pieces)
        if result is not None:
            return result
    result = wedge_kernel(shape.pieces, *variances, rho, s, eps, other.pieces)
    if result is not None:
        return result
    if needed <= _MANY_DEGREES:
        return mehler_ball(shape, variances, rho, needed, digits, other)
    return None


def mehler_ball(
    shape: Shape, variances: tuple[arb, arb], rho: arb, degrees: int, digits: int, other: Shape | None = None
) -> arb:
    """`sum_{r<N} a_r(q1) b_r(q2) rho^r` with the remainder `|rho|^N sqrt(T_N(q1) T'_N(q2))` added as a radius.

    The coefficients `b_r` and the tail `T'` are those of `other`, by default of the same activation.
    """
    q1, q2 = variances
    psi = shape if other is None else other
    same = psi == shape and q1.is_exact() and q2.is_exact() and q1 == q2
    first = coefficient_balls(shape, degrees, q1, digits + 2)
    second = first if same else coefficient_balls(psi, degrees, q2, digits + 2)
    total = arb(0)
    for a, b in zip(reversed(first), reversed(second), strict=True):
        total = total * rho + a * b
    tails = [parseval_tail(shape, q1, first), parseval_tail(psi, q2, second)]
    return total + arb(0, (integer_power(rho.abs_upper(), degrees) * (tails[0] * tails[1]).sqrt()).upper())


def parseval_tail(shape: Shape, variance: Any, coefficients: list[arb], digits: int = 12) -> arb:
    """An upper bound of `T_N(q) = E[phi(sqrt(q) Z)^2] - sum_{r<N} a_r(q)^2`, exact and >= 0."""
    moment = second_moment_ball(shape, variance, digits)
    tail = moment - sum((a * a for a in coefficients), arb(0))
    bound = arb(tail.upper())
    return bound if bound > 0 else arb(0)

"""Eigenvalues of a dual activation on the sphere, with proven errors.

Derivation: docs/theory/sphere.md, "Powers of the cosine", "What is left out", "The trace".
"""

from dataclasses import dataclass
from math import comb
from typing import Any

import sympy as sp
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.ball_functions import to_ball
from hermite_dual.certified.balls.precision import bits_for, rounded, upper_float, working_precision
from hermite_dual.certified.enclosures.coefficients import MAX_DEGREES, coefficient_balls
from hermite_dual.certified.enclosures.kernel import kernel_ball
from hermite_dual.certified.enclosures.second_moment import second_moment_ball
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import check_count, freeze
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown
from hermite_dual.shape.shape import Shape

_STAGES = (128, 512, MAX_DEGREES)
"""Terms, tried one after the other; those of smooth activations end with the first or second."""
_DIGITS = 40
"""Of coefficients and sums of squares, whose differences are what is left out."""
_ENOUGH = 17
"""Digits of an eigenvalue beyond which float64 shows no more."""
_NOTHING = 38
"""Digits of the largest possible eigenvalue beyond which one is as good as 0, and may be 0."""


@own_float_state
@dataclass(frozen=True, eq=False, repr=False)
class SphereSpectrum(Shown):
    """Eigenvalues of a dual kernel on the unit sphere of `R^d`, by the degree of the spherical harmonics.

    Attributes:
        dimension: d.
        variance: q, as given.
        multiplicities: `N(d, l)`, the number of independent harmonics of degree l, exact.
        eigenvalues: of degree l = 0, 1, ..., in float64.
        errors: proven bounds of their distance to the exact eigenvalues.
        balls: `flint.arb` that are proven to contain the exact eigenvalues.
        trace: `k(q, q, q)`, the sum of all eigenvalues with their multiplicities.
        remaining_trace: proven upper bound of the sum of those of higher degree, with their multiplicities.
        terms: number of terms of the power series that were summed.
    """

    dimension: int
    variance: Any
    multiplicities: tuple[int, ...]
    eigenvalues: Array
    errors: Array
    balls: tuple[arb, ...]
    trace: float
    remaining_trace: float
    terms: int

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        freeze(self.eigenvalues, self.errors)


def sphere_spectrum(shape: Shape, d: int, degrees: int, variance: Any = 1, terms: int = 1024) -> SphereSpectrum:
    """Enclose the eigenvalues of `g -> int k(q, q, q <x, y>) g(y) dy` on the sphere of `R^d` under its uniform law.

    `lambda_l = sum_r a_r(q)^2 tau_{r,l}` over the r from l on of its parity.

    Args:
        shape: that of the activation phi.
        d: the dimension of the space, at least 2.
        degrees: how many, l = 0 .. degrees - 1; fewer than `terms`.
        variance: q > 0, the variance that all rows have.
        terms: at most how many terms are summed, 1 to 4,000.

    Raises:
        InvalidInputError: an argument is out of range or the activation has no ball version.
        AccuracyError, NotIntegrableError: as `coefficient_balls`.
    """
    if d == 1:
        raise InvalidInputError(
            "d = 1: allowed are dimensions from 2 on; the sphere of dimension 1 is two points, with the eigenvalues "
            "(k(1) + k(-1))/2 and (k(1) - k(-1))/2"
        )
    d = check_count("d", d, 2, "the dimension of the space")
    terms = check_count("terms", terms, 1, "how many terms may be summed", MAX_DEGREES)
    degrees = check_count("degrees", degrees, 1, "how many degrees are wanted", terms)
    with working_precision(bits_for(2 * _DIGITS)):
        if not to_ball(variance, "variance") > 0:
            raise InvalidInputError(f"variance = {variance!r}: allowed are numbers above 0, the variance of the rows")
        trace = second_moment_ball(shape, variance, _DIGITS)
        traces = _parity_traces(shape, variance, trace)
        for stage in _STAGES:
            count = min(max(stage, 2 * degrees), terms)
            squares = [a * a for a in coefficient_balls(shape, count, variance, _DIGITS)]
            tails = [_left_out(shape, total, squares, parity) for parity, total in enumerate(traces)]
            balls = tuple(_eigenvalue(d, degree, squares, tails[degree % 2]) for degree in range(degrees))
            if count == terms or all(_is_narrow(ball, d, degree, trace) for degree, ball in enumerate(balls)):
                break
        multiplicities = tuple(multiplicity(d, degree) for degree in range(degrees))
        captured = sum((n * ball for n, ball in zip(multiplicities, balls, strict=True)), arb(0))
        remaining = max(0.0, upper_float(trace - captured))
        values, errors = rounded(balls)
    return SphereSpectrum(d, variance, multiplicities, values, errors, balls, float(trace.mid()), remaining, count)


def multiplicity(d: int, degree: int) -> int:
    """Return `N(d, l)`, the dimension of the space of spherical harmonics of degree l in `R^d`."""
    return comb(d + degree - 1, degree) - (comb(d + degree - 3, degree - 2) if degree >= 2 else 0)


def power_eigenvalue(d: int, r: int, degree: int) -> arb:
    """Enclose `tau_{r,l} = r!/((r-l)!! d (d+2) ... (d+r+l-2))`, the eigenvalue of `<x, y>^r` at degree l.

    `r - l` is even and not negative.
    """
    pairs = (r - degree) // 2
    return arb(r).fac() / (arb(2) ** r * arb(pairs).fac() * (arb(d) / 2).rising(pairs + degree))


def largest_power_eigenvalue(d: int, start: int, degree: int) -> arb:
    """Enclose the largest `tau_{r,l}` over the r from `start` on of the parity of l.

    `tau_{r+2,l} <= tau_{r,l}` exactly where `(d-1)(r+2) >= l(l+d-2)`.
    """
    turn = -(-degree * (degree + d - 2) // (d - 1)) - 2
    r = max(start, degree, turn)
    return power_eigenvalue(d, r + (r - degree) % 2, degree)


def _parity_traces(shape: Shape, variance: Any, trace: arb) -> tuple[arb, arb]:
    """The sums of the `a_r^2` of even and of odd degree, `(k(q, q, q) +- k(q, q, -q))/2`."""
    if shape.parity:
        return (trace, arb(0)) if shape.parity > 0 else (arb(0), trace)
    mirrored = kernel_ball(shape, variance, variance, -variance, _DIGITS)
    return (trace + mirrored) / 2, (trace - mirrored) / 2


def _left_out(shape: Shape, total: arb, squares: list[arb], parity: int) -> arb:
    """An upper bound of the `a_r^2` of one parity that are left out; a polynomial has none above its degree."""
    if shape.formula.is_polynomial(shape.symbol) and sp.degree(shape.formula, shape.symbol) < len(squares):
        return arb(0)
    return arb((total - sum(squares[parity::2], arb(0))).upper()).max(arb(0))


def _eigenvalue(d: int, degree: int, squares: list[arb], tail: arb) -> arb:
    """The sum of the terms that are there, and the interval of those that are not."""
    factor = power_eigenvalue(d, degree, degree)
    total = arb(0)
    for r in range(degree, len(squares), 2):
        total += squares[r] * factor
        factor *= arb((r + 1) * (r + 2)) / ((r - degree + 2) * (d + r + degree))
    remainder = arb((largest_power_eigenvalue(d, len(squares), degree) * tail).upper())
    return total + remainder.union(arb(0))


def _is_narrow(ball: arb, d: int, degree: int, trace: arb) -> bool:
    """Whether more terms show nothing more: of the eigenvalue, or of what is 0 or as good as that."""
    negligible = trace * largest_power_eigenvalue(d, degree, degree) * arb(10) ** -_NOTHING
    return bool(ball.rad() <= arb(ball.abs_lower()) * arb(10) ** -_ENOUGH or ball.rad() <= negligible)

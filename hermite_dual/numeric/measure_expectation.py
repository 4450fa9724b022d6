"""Expectations `E[mu(u) nu(v)]` of two measures, and of distributions with dipoles, under a bivariate normal law.

A point mass at s meets a function as its mean given `u = s`, and another mass as the joint density. A dipole `delta'_s`
is a derivative in s of these, with the sign reversed.

Derivation: docs/theory/cross_kernels.md, "Derivatives".
"""

import numpy as np
import sympy as sp

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.numeric.chebyshev import interpolate
from hermite_dual.numeric.cross_kernel import cross_kernel_with_error, over_pairs
from hermite_dual.numeric.gaussian import CHECK_ORDER, ORDER, at_nodes, normal_density, rounding_factor, second_moment
from hermite_dual.numeric.iterated import smoothed
from hermite_dual.numeric.kernel import correlation_gap
from hermite_dual.numeric.mehler import EPS
from hermite_dual.numeric.point_masses import Measure, PointMass, slope_measure
from hermite_dual.shape.numbers import is_zero

_FEW = 40
"""Up to this many covariances of a pair of variances are integrated one by one; more go to an interpolant."""
_TOLERANCE = 4e-15
"""Of the interpolant in the angle, relative to the size of its values."""
_SIDE = 1e-9
"""Distance, relative to a standard deviation, at which both sides of a jump are looked at."""
_NEAR = 16.0 * EPS
"""Distance of two standardized places below which exact arithmetic says whether they are one."""
_ROUNDING = 8.0
"""Of the density of two point masses, in eps, beside that of its exponent."""
Masses = tuple[PointMass, ...]
Sum = tuple[Array, Array]  # notation: values and their errors


def expectation(first: Measure, second: Measure, q1: Array, q2: Array, c: Array) -> Sum:
    """Return `E[mu(u) nu(v)]` and an error estimate.

    Args:
        first: mu.
        second: nu.
        q1: variances of u, positive.
        q2: variances of v, positive.
        c: covariances, of the same shape.

    Raises:
        InvalidInputError: dipoles at correlation 1 or -1, where none of the other side meets them.
    """
    value, error = cross_kernel_with_error(first.density, second.density, q1, q2, c)
    if not (first.masses or second.masses or first.dipoles or second.dipoles):
        return value, error

    def at_pair(a: float, b: float, values: Array) -> Sum:
        gap = correlation_gap(a, b, values)
        rho = np.clip(values / (np.sqrt(a) * np.sqrt(b)), -1.0, 1.0)
        terms = [
            _given(first.masses, second.density, a, b, rho, gap),
            _given(second.masses, first.density, b, a, rho, gap),
            _joint(first.masses, second.masses, a, b, rho, gap),
        ]
        if first.dipoles or second.dipoles:
            terms.append(_with_dipoles(first, second, a, b, rho, gap))
        return np.sum([term[0] for term in terms], axis=0), np.sum([term[1] for term in terms], axis=0)

    added, added_error = over_pairs(at_pair, q1, q2, c)
    return value + added, error + added_error


def _with_dipoles(first: Measure, second: Measure, q1: float, q2: float, rho: Array, gap: Array) -> Sum:
    """Return what the dipoles of either side add; infinite at `rho = +-1` where two of them meet."""
    value, error = _joint(first.dipoles, second.dipoles, q1, q2, rho, gap, (1, 1))
    inside = gap > 0.0
    if not (inside | np.isinf(value)).all():
        raise InvalidInputError(
            "at correlation 1 or -1 the second derivative of a kernel is not computed where an activation jumps: take "
            "|c| < sqrt(q1 q2)"
        )
    rho, gap = rho[inside], gap[inside]
    for near, far, a, b in ((first, second, q1, q2), (second, first, q2, q1)):
        if near.dipoles:
            # -d/ds n(s) E[f(v) | u = s], f a function with jumps
            slope = slope_measure(far.density, b)
            tilt = -rho * np.sqrt(b) / np.sqrt(a)
            scaled = tuple(PointMass(d.place, d.position, d.weight * d.position / a) for d in near.dipoles)
            for factor, (added, added_error) in (
                (1.0, _given(scaled, far.density, a, b, rho, gap)),
                (tilt, _given(near.dipoles, slope.density, a, b, rho, gap)),
                (tilt, _joint(near.dipoles, slope.masses, a, b, rho, gap)),
                (1.0, _joint(near.dipoles, far.masses, a, b, rho, gap, (1, 0))),
            ):
                value[inside] += factor * added
                error[inside] += np.abs(factor) * added_error
    return value, error


def _given(masses: Masses, density: Activation, q1: float, q2: float, rho: Array, gap: Array) -> Sum:
    """Return `sum_k J_k n(s_k) E[f(v) | u = s_k]`, masses of u, f a function of v."""
    if not masses or not rho.size:
        return np.zeros(rho.shape), np.zeros(rho.shape)
    root = float(np.sqrt(q1))
    places = np.array([mass.position for mass in masses]) / root
    weights = np.array([mass.weight for mass in masses]) * normal_density(places) / root

    def at(rho: Array, gap: Array, order: int) -> Sum:
        both = [_means(density, q2, r, g, places, order) for r, g in zip(rho.tolist(), gap.tolist(), strict=True)]
        return np.array([weights @ means for means, _ in both]), np.array([np.abs(weights) @ size for _, size in both])

    factor = rounding_factor(density, q2)
    if rho.size <= _FEW:
        (value, size), (check, _) = at(rho, gap, ORDER), at(rho, gap, CHECK_ORDER)
        return value, np.abs(value - check) + factor * EPS * size
    scale = float(sum(abs(mass.weight) for mass in masses) / root * np.sqrt(second_moment(density, q2)))
    if not scale > 0.0:
        return np.zeros(rho.shape), np.zeros(rho.shape)
    fitted = interpolate(lambda t: at(np.cos(t), np.sin(t) ** 2, ORDER)[0], 0.0, np.pi, _TOLERANCE * scale)
    slack = fitted.error + (factor + _ROUNDING) * EPS * scale
    return fitted(np.arctan2(np.sqrt(gap), rho)), np.full(rho.shape, slack)


def _means(
    density: Activation, variance: float, rho: float, gap: float, places: Array, order: int
) -> tuple[Array, Array]:
    """Return `E[f(v) | u = s]` and `E[|f(v)| | u = s]` at standardized places s."""
    if gap > 0.0:
        return smoothed(density, variance, rho, float(np.sqrt(gap)), places, order)
    # between the sides of a jump the limit from inside is their mean
    root = float(np.sqrt(variance))
    both = [at_nodes(density, root * (rho * places + side * _SIDE)) for side in (-1.0, 1.0)]
    middle = at_nodes(density, root * rho * places)
    jumps = np.abs(both[1] - both[0]) > 1e-6 * (np.abs(both[0]) + np.abs(both[1]))
    means = np.where(jumps, 0.5 * (both[0] + both[1]), middle)
    return means, np.abs(means)


def _joint(
    first: Masses,
    second: Masses,
    q1: float,
    q2: float,
    rho: Array,
    gap: Array,
    orders: tuple[int, int] = (0, 0),
) -> Sum:
    """Return the sum of `J_k J'_l p(s_k, t_l)` over pairs, of dipoles with the derivatives of p.

    At `rho = +-1` it is 0, or infinite where places meet; between a mass and a dipole nothing is said there.

    Args:
        first: masses, or the weights of dipoles, of u.
        second: those of v.
        q1: variance of u.
        q2: variance of v.
        rho: correlations.
        gap: `1 - rho^2`.
        orders: 1 for dipoles, 0 for masses.
    """
    value, error = np.zeros(rho.shape), np.zeros(rho.shape)
    sign = np.where(rho < 0.0, -1.0, 1.0)
    inside = gap > 0.0
    meeting = {1.0: 0.0, -1.0: 0.0}
    safe = np.where(inside, gap, 1.0)
    for mass in first:
        for other in second:
            x, y = mass.position / np.sqrt(q1), other.position / np.sqrt(q2)
            weight = mass.weight * other.weight / (2.0 * np.pi * np.sqrt(q1) * np.sqrt(q2))
            # (x^2 - 2 rho x y + y^2) / (2 (1 - rho^2)), free of cancellation next to rho = +-1
            exponent = (x - sign * y) ** 2 / (2.0 * safe) + sign * x * y / (1.0 + np.abs(rho))
            # -d/ds log p and -d/dt log p
            along = ((x - sign * y) / safe + sign * y / (1.0 + np.abs(rho))) / np.sqrt(q1)
            across = ((y - sign * x) / safe + sign * x / (1.0 + np.abs(rho))) / np.sqrt(q2)
            blur = _ROUNDING * EPS * (abs(x) + abs(y)) / safe  # what rounding makes of a place next to another
            factor, blurred = {
                (0, 0): (np.ones(rho.shape), np.zeros(rho.shape)),
                (1, 0): (along, blur / np.sqrt(q1)),
                (1, 1): (
                    along * across + rho / (np.sqrt(q1) * np.sqrt(q2) * safe),
                    blur * (np.abs(along) / np.sqrt(q2) + np.abs(across) / np.sqrt(q1)),
                ),
            }[orders]
            bell = np.where(inside, weight * np.exp(-exponent) / np.sqrt(safe), 0.0)
            value += bell * factor
            off = _NEAR * np.maximum(abs(x), abs(y)) * np.abs(x - sign * y) / safe
            error += np.abs(bell) * (np.abs(factor) * (_ROUNDING * EPS * (1.0 + np.abs(exponent)) + off) + blurred)
            for end in meeting:
                if (~inside & (sign == end)).any() and _meet(mass, other, q1, q2, end):
                    meeting[end] += weight * float(np.exp(-0.5 * x * x))
    for end, total in meeting.items():
        if total:
            # of two dipoles the term rho/(1 - rho^2) leads
            value[~inside & (sign == end)] = np.copysign(np.inf, total * (end if orders == (1, 1) else 1.0))
    return value, error


def _meet(mass: PointMass, other: PointMass, q1: float, q2: float, end: float) -> bool:
    """Whether `s / sqrt(q1) = +- t / sqrt(q2)`, decided exactly where floats leave it open."""
    x, y = mass.position / np.sqrt(q1), end * other.position / np.sqrt(q2)
    if abs(x - y) > _NEAR * max(abs(x), abs(y)):
        return False
    if x == y == 0.0:
        return True
    squares = mass.place**2 * sp.Rational(q2) - other.place**2 * sp.Rational(q1)
    return bool(is_zero(squares))

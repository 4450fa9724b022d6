"""Derivatives of `k(q1, q2, c) = E[phi(u) psi(v)]` in the covariance and in a variance, jumps and kinks counted.

Each is an expectation of two measures: functions, and point masses where an activation or its derivative jumps. A mass
at s meets a function as its mean given `u = s`, and another mass as the joint density:

    dk/dc     = E[phi'(u) psi'(v)],
    dk/dq1    = (E[u phi'(u) psi(v)] - c dk/dc) / (2 q1),
    d2k/dc2   = E[phi''(u) psi''(v)].

Derivation: docs/theory/cross_kernels.md, "Derivatives".
"""

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.numeric.chebyshev import interpolate
from hermite_dual.numeric.cross_kernel import cross_kernel_with_error, over_pairs
from hermite_dual.numeric.gaussian import CHECK_ORDER, ORDER, at_nodes, normal_density, rounding_factor, second_moment
from hermite_dual.numeric.iterated import smoothed
from hermite_dual.numeric.kernel import _gap, checked_arguments
from hermite_dual.numeric.mehler import EPS
from hermite_dual.numeric.point_masses import Measure, PointMass, derivative_measure, exponent_for, scaled_by_place
from hermite_dual.shape.numbers import is_zero

_REACH = 40.0
"""Standard deviations beyond which a point mass has a density below `exp(-800)`."""
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


def covariance_derivative(
    first: Activation, second: Activation, q1: ArrayLike, q2: ArrayLike, c: ArrayLike
) -> tuple[Array, Array]:
    """Return `dk/dc` and an error estimate, both of the broadcast shape.

    Raises:
        InvalidInputError: a variance is not positive, the three are no covariance matrix, or a derivative is no
            measure.
    """
    v1, v2, covariance = _positive_arrays(q1, q2, c)
    measures = _slope(first, v1), _slope(second, v2)
    return expectation(*measures, v1, v2, covariance)


def variance_derivative(
    first: Activation, second: Activation, q1: ArrayLike, q2: ArrayLike, c: ArrayLike
) -> tuple[Array, Array]:
    """Return `dk/dq1` and an error estimate, both of the broadcast shape; errors as `covariance_derivative`."""
    v1, v2, covariance = _positive_arrays(q1, q2, c)
    slopes = _slope(first, v1), _slope(second, v2)
    mixed, mixed_error = expectation(scaled_by_place(slopes[0]), Measure(second), v1, v2, covariance)
    slope, slope_error = expectation(*slopes, v1, v2, covariance)
    with np.errstate(invalid="ignore"):
        shift = np.where(covariance == 0.0, 0.0, covariance * slope)
        rounding = EPS * (np.abs(mixed) + np.abs(shift))
        return (mixed - shift) / (2.0 * v1), (mixed_error + np.abs(covariance) * slope_error + rounding) / (2.0 * v1)


def second_covariance_derivative(
    first: Activation, second: Activation, q1: ArrayLike, q2: ArrayLike, c: ArrayLike
) -> tuple[Array, Array]:
    """Return `d2k/dc2` and an error estimate, both of the broadcast shape; errors as `covariance_derivative`.

    Raises:
        InvalidInputError: also where an activation jumps.
    """
    v1, v2, covariance = _positive_arrays(q1, q2, c)
    return expectation(_curvature(first, v1), _curvature(second, v2), v1, v2, covariance)


def expectation(first: Measure, second: Measure, q1: Array, q2: Array, c: Array) -> tuple[Array, Array]:
    """Return `E[mu(u) nu(v)]` of two measures, and an error estimate.

    Args:
        first: mu.
        second: nu.
        q1: variances of u, positive.
        q2: variances of v, positive.
        c: covariances, of the same shape.
    """
    value, error = cross_kernel_with_error(first.density, second.density, q1, q2, c)
    if not first.masses and not second.masses:
        return value, error

    def at_pair(a: float, b: float, values: Array) -> tuple[Array, Array]:
        gap = _gap(a, b, values)
        rho = np.clip(values / (np.sqrt(a) * np.sqrt(b)), -1.0, 1.0)
        means, mean_error = _conditional(first, second, a, b, rho, gap)
        joint, joint_error = _joint(first.masses, second.masses, a, b, rho, gap)
        return means + joint, mean_error + joint_error

    added, added_error = over_pairs(at_pair, q1, q2, c)
    return value + added, error + added_error


def _positive_arrays(q1: ArrayLike, q2: ArrayLike, c: ArrayLike) -> tuple[Array, Array, Array]:
    arrays = checked_arguments(q1, q2, c)
    for name, variances in zip(("q1", "q2"), arrays, strict=False):
        if not (variances > 0.0).all():
            raise InvalidInputError(f"variance {name} = 0: a kernel is differentiated at positive variances")
    return arrays


def _slope(phi: Activation, variances: Array) -> Measure:
    return derivative_measure(phi, exponent_for(_REACH * float(np.sqrt(variances.max(initial=1.0)))))


def _curvature(phi: Activation, variances: Array) -> Measure:
    slope = _slope(phi, variances)
    if slope.masses:
        places = ", ".join(str(mass.place) for mass in slope.masses)
        raise InvalidInputError(
            f"{phi!r} jumps at {places}: its second derivative is no measure; derivative_closed_form(order=2) has the "
            "derivative of the kernel where a closed form is known"
        )
    return _slope(slope.density, variances)


def _conditional(first: Measure, second: Measure, q1: float, q2: float, rho: Array, gap: Array) -> tuple[Array, Array]:
    """Return what the masses of either measure make with the density of the other."""
    pairs = (
        (first.masses, second.density, np.sqrt(q1), q2),
        (second.masses, first.density, np.sqrt(q2), q1),
    )

    def at(rho: Array, gap: Array, order: int) -> tuple[Array, Array]:
        total, size = np.zeros(rho.shape), np.zeros(rho.shape)
        for masses, density, root, variance in pairs:
            if masses:
                places = np.array([mass.position for mass in masses]) / root
                weights = np.array([mass.weight for mass in masses]) * normal_density(places) / root
                for i in range(rho.size):
                    means, sizes = _means(density, variance, float(rho[i]), float(gap[i]), places, order)
                    total[i] += weights @ means
                    size[i] += np.abs(weights) @ sizes
        return total, size

    factor = max((rounding_factor(density, q) for masses, density, _, q in pairs if masses), default=0.0)
    if rho.size <= _FEW:
        (value, size), (check, _) = at(rho, gap, ORDER), at(rho, gap, CHECK_ORDER)
        return value, np.abs(value - check) + factor * EPS * size
    scale = sum(
        sum(abs(mass.weight) for mass in masses) / root * np.sqrt(second_moment(density, variance))
        for masses, density, root, variance in pairs
        if masses
    )
    if not scale > 0.0:
        return np.zeros(rho.shape), np.zeros(rho.shape)
    fitted = interpolate(
        lambda angles: at(np.cos(angles), np.sin(angles) ** 2, ORDER)[0], 0.0, np.pi, _TOLERANCE * float(scale)
    )
    slack = fitted.error + (factor + _ROUNDING) * EPS * float(scale)
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
    first: tuple[PointMass, ...], second: tuple[PointMass, ...], q1: float, q2: float, rho: Array, gap: Array
) -> tuple[Array, Array]:
    """Return the sum of `J_k J'_l p(s_k, t_l)` over pairs of masses; infinite at `rho = +-1` where places meet."""
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
            term = np.where(inside, weight * np.exp(-exponent) / np.sqrt(safe), 0.0)
            value += term
            off = _NEAR * np.maximum(abs(x), abs(y)) * np.abs(x - sign * y) / safe
            error += np.abs(term) * (_ROUNDING * EPS * (1.0 + np.abs(exponent)) + off)
            for end in meeting:
                if (~inside & (sign == end)).any() and _meet(mass, other, q1, q2, end):
                    meeting[end] += weight * float(np.exp(-0.5 * x * x))
    for end, total in meeting.items():
        if total:
            value[~inside & (sign == end)] = np.copysign(np.inf, total)
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

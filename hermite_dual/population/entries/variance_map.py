"""The variance map `V(q) = E[phi(sqrt(q) Z)^2]` of a layer and its derivative, at few or many variances.

At many variances both are interpolated in `log q`: `log V`, which makes small values as accurate as large ones, and V'
itself on short ranges.

Derivation: docs/theory/cross_kernels.md, "The variance map".
"""

from collections.abc import Callable

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import AccuracyError, InvalidInputError, NotIntegrableError
from hermite_dual.exact_numbers import float_array
from hermite_dual.numeric.chebyshev import interpolate
from hermite_dual.numeric.gaussian import (
    CHECK_ORDER,
    ORDER,
    at_nodes,
    nodes,
    normal_density,
    rounding_factor,
    second_moment,
    value_factor,
)
from hermite_dual.numeric.kernel import integrated_kernel, narrow_error, value_at_zero
from hermite_dual.numeric.mehler import EPS
from hermite_dual.numeric.point_masses import derivative_measure
from hermite_dual.numeric.wave_kernel import waves_at
from hermite_dual.population.entries.variances import on_distinct_with_error

_SUBNORMAL = 1e-290
"""Values below lose digits, which no interpolant follows."""
_UNEVEN = 64.0
"""Ratio of that sum at both ends beyond which one scale would spoil the smaller values."""
_BENT = 4.0
"""How far `log V` may be from a line in `log q`, halfway: where it is steeper its own rounding hides the tolerance."""
One = Callable[[float], tuple[float, float]]
"""From a variance to a value and its error."""
Interpolated = tuple[Array, Array, float]
"""Values, scales, and the error that interpolation adds, in these."""
Many = Callable[[Array], Interpolated | None]
"""From increasing variances to interpolated values, or None where an interpolant of either half is asked for."""
_FEW = 48
"""Up to this many distinct variances are integrated one by one."""
_SAMPLES = 8
"""Variances whose errors stand for those of all that are interpolated."""
_TOLERANCE = 4e-15
"""Of the interpolant of V', relative to the sum of magnitudes that its rounding is counted by."""
_WIDEST = float(np.log(16.0))
"""Range of `log q` over which that sum changes little enough to be one scale."""
_INTERPOLATED = 8.0
"""Roundings, in eps, of a power and an exponential."""


def variance_map(phi: Activation, q: ArrayLike) -> tuple[Array, Array]:
    """Return `V(q)` and estimated errors, of the shape of q.

    Raises:
        InvalidInputError: a variance is negative or not finite.
        NotIntegrableError: phi is not square-integrable at one of them.
        AccuracyError: phi oscillates too fast for quadrature.
    """
    variances = _variances(q)
    positive = variances > 0.0
    value, error = np.empty(variances.shape), np.empty(variances.shape)
    if not positive.all():
        square = value_at_zero(phi) ** 2
        value[~positive], error[~positive] = square, EPS * square + narrow_error(phi, 0.0, 0.0)
    if positive.any():
        value[positive], error[positive] = _over_distinct(
            lambda q: _moment(phi, q), lambda some: _interpolated_moments(phi, some), variances[positive]
        )
    return value, error


def variance_map_slope(phi: Activation, q: ArrayLike) -> tuple[Array, Array]:
    """Return `V'(q)` and estimated errors, of the shape of q; the limit at q = 0, where it is finite.

    Raises:
        InvalidInputError: a variance is negative or not finite, or 0 where V' has no finite limit that is known.
        NotIntegrableError, AccuracyError: as `variance_map`.
    """
    variances = _variances(q)
    positive = variances > 0.0
    value, error = np.empty(variances.shape), np.empty(variances.shape)
    if not positive.all():
        limit = _slope_at_zero(phi)
        value[~positive], error[~positive] = limit, _INTERPOLATED * EPS * abs(limit)
    if positive.any():
        derivative = derivative_of(phi)
        value[positive], error[positive] = _over_distinct(
            lambda q: moment_slope_with_error(phi, derivative, q),
            lambda some: _interpolated_slopes(phi, derivative, some),
            variances[positive],
        )
    return value, error


def derivative_of(phi: Activation) -> Activation | None:
    """Return phi' where it is square-integrable, None where it is not, phi jumps or its derivative is not known."""
    try:
        return phi.derivative()
    except (InvalidInputError, NotIntegrableError):
        return None


def moment_slope(phi: Activation, derivative: Activation | None, variance: float, order: int = ORDER) -> float:
    """Return `V'(q)`, `E[phi(u) u phi'(u)] / q`, or `E[phi(u)^2 (u^2/q - 1)] / (2 q)` without a derivative."""
    return _moment_slope(phi, derivative, variance, order)[0]


def moment_slope_with_error(phi: Activation, derivative: Activation | None, variance: float) -> tuple[float, float]:
    """Return `V'(q)` and an estimated error: the distance to a lower order, plus rounding."""
    value, size = _moment_slope(phi, derivative, variance, ORDER)
    check, _ = _moment_slope(phi, derivative, variance, CHECK_ORDER)
    factor = rounding_factor(phi, variance)
    if derivative is not None:
        factor = max(factor, rounding_factor(derivative, variance))
    return value, abs(value - check) + factor * EPS * size + narrow_error(phi, variance, variance) / variance


def _moment_slope(phi: Activation, derivative: Activation | None, variance: float, order: int) -> tuple[float, float]:
    """Return `V'(q)` and the sum of the magnitudes of its terms."""
    z, weights = nodes(phi, variance, 1.0, order, False)
    u = np.sqrt(variance) * z
    values = weights * normal_density(z) * at_nodes(phi, u)
    if derivative is not None:
        terms = values * at_nodes(derivative, u) * u / variance
    else:
        terms = values * at_nodes(phi, u) * (z * z - 1.0) / (2.0 * variance)
    return float(terms.sum()), float(np.abs(terms).sum())


def _variances(q: ArrayLike) -> Array:
    variances = float_array(q, "q")[0]
    bad = ~np.isfinite(variances) | (variances < 0.0)
    if bad.any():
        raise InvalidInputError(f"variance q = {variances[bad].flat[0]}: variances are finite and not negative")
    return variances


def _moment(phi: Activation, q: float) -> tuple[float, float]:
    waves = waves_at(phi, q, q)
    if waves is not None:
        value, error = waves(q, q, np.ones(1), np.zeros(1))
        return float(value[0]), float(error[0])
    second_moment(phi, q)  # refuses squares that over- or underflow
    moment, rounding = integrated_kernel(phi, q, q, q)
    return moment, rounding + narrow_error(phi, q, q)


def _over_distinct(one: One, many: Many, variances: Array) -> tuple[Array, Array]:
    """Return values and errors, one by one of few distinct variances, from interpolants of many."""
    distinct, index = np.unique(variances, return_inverse=True)
    value, error = _increasing(one, many, distinct)
    return value[index.ravel()], error[index.ravel()]


def _increasing(one: One, many: Many, distinct: Array) -> tuple[Array, Array]:
    if distinct.size <= _FEW:
        both = np.array([one(float(q)) for q in distinct]).reshape(-1, 2)
        return both[:, 0], both[:, 1]
    fitted = many(distinct)
    if fitted is None:
        cut = distinct.size // 2
        lower, upper = (_increasing(one, many, some) for some in (distinct[:cut], distinct[cut:]))
        return np.concatenate([lower[0], upper[0]]), np.concatenate([lower[1], upper[1]])
    values, scales, added = fitted
    relative = 0.0
    for i in np.linspace(0, distinct.size - 1, _SAMPLES).astype(int).tolist():
        value, error = one(float(distinct[i]))
        relative = max(relative, (error + abs(value - values[i])) / scales[i] if scales[i] else 0.0)
    return values, (relative + added + _INTERPOLATED * EPS) * scales


def _interpolated_moments(phi: Activation, variances: Array) -> Interpolated | None:
    least, largest = (_quick_moment(phi, float(q)) for q in variances[[0, -1]])
    if largest == 0.0:
        # what is left of phi lies so far out that smaller variances see less of it
        nothing = np.zeros(variances.shape)
        return nothing, nothing, 0.0
    middle = float(np.sqrt(variances[0]) * np.sqrt(variances[-1]))
    if (
        least < _SUBNORMAL
        or abs(np.log(_quick_moment(phi, middle)) - 0.5 * np.log(least) - 0.5 * np.log(largest)) > _BENT
    ):
        return None
    try:
        # far out the density's own rounding is larger than the tolerance of smooth functions
        rounding = max(1.0, value_factor(phi, float(variances[0])))
        values, added = on_distinct_with_error(lambda q: _quick_moment(phi, q), variances, phi.coarseness * rounding)
    except AccuracyError:
        return None
    return values, values, added


def _quick_moment(phi: Activation, q: float) -> float:
    waves = waves_at(phi, q, q)
    return second_moment(phi, q) if waves is None else float(waves(q, q, np.ones(1), np.zeros(1))[0][0])


def _interpolated_slopes(phi: Activation, derivative: Activation | None, variances: Array) -> Interpolated | None:
    low, high = np.log(variances[[0, -1]]).tolist()
    if high - low > _WIDEST:
        return None
    ends = [_moment_slope(phi, derivative, float(q), ORDER)[1] for q in variances[[0, -1]]]
    scale = max(ends)
    if not min(ends) > scale / _UNEVEN:
        return None

    def at(points: Array) -> Array:
        return np.array([moment_slope(phi, derivative, float(np.exp(point))) for point in points])

    try:
        fitted = interpolate(at, low, high, phi.coarseness * _TOLERANCE * scale)
    except AccuracyError:
        return None
    return fitted(np.log(variances)), np.full(variances.shape, scale), fitted.error / scale


def _slope_at_zero(phi: Activation) -> float:
    """Return `V'(0)`: `phi'(0)^2 + phi(0) phi''(0)`, and at a kink where phi vanishes the mean of the slopes' squares.

    Raises:
        InvalidInputError: neither is known to hold.
    """
    start = value_at_zero(phi)
    slope = derivative_measure(phi, 0)
    steep = 0.0 in [mass.position for mass in slope.masses]
    if not steep and 0 not in phi.shape.kinks and phi.expr is not None:
        bend = float(slope.density.derivative()(np.array(0.0))) if start else 0.0
        limit = float(slope.density(np.array(0.0))) ** 2 + start * bend
        if np.isfinite(limit):
            return limit
    pieces = slope.density.shape.within(1.0)
    if not steep and start == 0.0 and pieces is not None and 0 in pieces.kinks:
        both = pieces.sides[pieces.kinks.index(sp.S.Zero)]
        if both.left.value is not None and both.right.value is not None:
            return 0.5 * (float(both.left.value.mid()) ** 2 + float(both.right.value.mid()) ** 2)
    raise InvalidInputError(
        f"{phi!r} has no derivative of its variance map at q = 0 that is known; take a positive variance"
    )

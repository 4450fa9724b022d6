"""The dual kernel in float64 with its error, by whichever representation suits the correlation.

The closed form of a sum of waves where variances are too large for anything else; Mehler's series where its remainder
has reached rounding; one-dimensional quadrature at correlations -1, 0 and 1; iterated quadrature elsewhere, and an
interpolant of it in the angle where many correlations share two variances.

Derivation: docs/theory/numerics.md, "The kernel".
"""

from functools import lru_cache

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import float_array
from hermite_dual.numeric.chebyshev import PiecewiseChebyshev, interpolate, reflected
from hermite_dual.numeric.exact_sums import two_product
from hermite_dual.numeric.gaussian import (
    CHECK_ORDER,
    mean,
    product_moment,
    product_noise,
    rounding_factor,
    second_moment,
    value_error,
)
from hermite_dual.numeric.iterated import iterated_kernel, iterated_kernel_with_error
from hermite_dual.numeric.mehler import EPS, hermite_series, mehler_sum
from hermite_dual.numeric.wave_kernel import waves_at

_CANCELLATION = 1024.0
"""A series whose rounding exceeds this many eps of its value cancels; quadrature is then tried as well."""
_FEW = 40
"""Up to this many costly correlations per pair of variances are integrated one by one; more go to an interpolant."""
_ROUNDING = 4.0
_COVARIANCE_SLACK = 4.0 * EPS
_SURROGATE_TOLERANCE = 4e-15
"""Tolerance of the interpolant in the angle, relative to the kernel's scale."""


def kernel_with_error(activation: Activation, q1: ArrayLike, q2: ArrayLike, c: ArrayLike) -> tuple[Array, Array]:
    """Return `k(q1, q2, c)` and an error estimate, both of the broadcast shape.

    Raises:
        InvalidInputError: a variance is negative or not finite, or `|c| > sqrt(q1 q2)`.
        NotIntegrableError: phi is not square-integrable at one of the variances.
    """
    v1, v2, covariance = checked_arguments(q1, q2, c)
    shape = covariance.shape
    # Symmetry halves the number of distinct pairs.
    low, high = np.minimum(v1, v2).ravel(), np.maximum(v1, v2).ravel()
    pairs, index = np.unique(np.stack([low, high], axis=1), axis=0, return_inverse=True)
    index = index.ravel()
    flat = covariance.ravel()
    value, error = np.empty(flat.size), np.empty(flat.size)
    order = np.argsort(index, kind="stable")
    bounds = np.searchsorted(index[order], np.arange(len(pairs) + 1))
    for pair, start, stop in zip(pairs, bounds[:-1], bounds[1:], strict=True):
        members = order[start:stop]
        q1, q2 = float(pair[0]), float(pair[1])
        value[members], error[members] = kernel_of_pair(activation, q1, q2, flat[members])
        error[members] += narrow_error(activation, q1, q2)
    return value.reshape(shape), error.reshape(shape)


def checked_arguments(q1: ArrayLike, q2: ArrayLike, c: ArrayLike) -> tuple[Array, Array, Array]:
    """Return variances and covariance as float64 arrays of the broadcast shape.

    Raises:
        InvalidInputError: a variance is negative or not finite, or `|c| > sqrt(q1 q2)`.
    """
    given = (float_array(value, name)[0] for value, name in ((q1, "q1"), (q2, "q2"), (c, "c")))
    v1, v2, covariance = np.broadcast_arrays(*given)
    _check_arguments(v1, v2, covariance)
    return v1, v2, covariance


def narrow_error(activation: Activation, q1: float, q2: float, other: Activation | None = None) -> float:
    """Return what an evaluation of phi in less than float64 adds to the error of `k(q1, q2, .)`; 0 without.

    By Cauchy-Schwarz, with the relative errors of phi, or of phi and psi, at their variances.
    """
    both = ((activation, q1), (activation if other is None else other, q2))
    if all(phi.coarseness == 1.0 for phi, _ in both):
        return 0.0
    relative = sum(value_error(phi, q) for phi, q in both)
    sizes = [second_moment(phi, q) if q else float(phi(np.array(0.0))) ** 2 for phi, q in both]
    return relative * float(np.sqrt(sizes[0]) * np.sqrt(sizes[1]))


def _check_arguments(q1: Array, q2: Array, c: Array) -> None:
    for name, value in (("q1", q1), ("q2", q2)):
        if not np.isfinite(value).all() or (value < 0).any():
            bad = value[~np.isfinite(value) | (value < 0)].flat[0]
            raise InvalidInputError(f"variance {name} = {bad}: variances are finite and not negative")
    if not np.isfinite(c).all():
        raise InvalidInputError(f"covariance c = {c[~np.isfinite(c)].flat[0]}: covariances are finite")
    limit = np.sqrt(q1) * np.sqrt(q2) * (1.0 + _COVARIANCE_SLACK)
    if (np.abs(c) > limit).any():
        i = np.flatnonzero((np.abs(c) > limit).ravel())[0]
        raise InvalidInputError(
            f"covariance c = {c.flat[i]} at q1 = {q1.flat[i]}, q2 = {q2.flat[i]}: |c| is at most sqrt(q1 q2); "
            "scale the covariance, or the variances, so that [[q1, c], [c, q2]] is positive semidefinite"
        )


def kernel_of_pair(
    activation: Activation, q1: float, q2: float, c: Array, other: Activation | None = None
) -> tuple[Array, Array]:
    """Return `E[phi(u) psi(v)]` and error estimates at one pair of variances; psi is `other`, or phi."""
    psi = activation if other is None else other
    if q1 == 0.0:
        return _degenerate(activation, psi, q2, c)
    if q2 == 0.0:
        return _degenerate(psi, activation, q1, c)
    root = np.sqrt(q1) * np.sqrt(q2)
    rho = np.clip(c / root, -1.0, 1.0)
    gap = correlation_gap(q1, q2, c)
    waves = waves_at(activation, q1, q2, other)
    if waves is not None:
        return waves(q1, q2, rho, gap)
    first, second = hermite_series(activation, q1), hermite_series(psi, q2)
    value, remainder, rounding = mehler_sum(first, second, rho)
    error = remainder + rounding
    for end in (-1.0, 1.0):
        at_end = (gap == 0.0) & (rho * end > 0.0)
        if at_end.any():
            value[at_end], error[at_end] = _at_end(activation, q1, q2, end, other)
            rounding[at_end], remainder[at_end] = error[at_end], 0.0
    unresolved = remainder > rounding
    cancelling = (rounding > _CANCELLATION * EPS * np.abs(value)) & (rho != 0.0) & (gap > 0.0) & ~unresolved
    if other is not None or activation.parity is not None:
        # A series of one sign per parity loses no more than its value does; the kernel of two may vanish.
        cancelling &= rounding > _CANCELLATION * EPS * np.sqrt(first.second_moment * second.second_moment)
    if unresolved.sum() > _FEW:
        surrogate, slack = angle_surrogate(activation, q1, q2, other)
        angle = np.arctan2(np.sqrt(gap[unresolved]), rho[unresolved])
        value[unresolved], error[unresolved] = surrogate(angle), slack
        unresolved[:] = False
    # What is rounding of phi's own values, quadrature has as well.
    if cancelling.sum() > _FEW or max(first.rounding, second.rounding) > _CANCELLATION:
        cancelling[:] = False
    for i in np.flatnonzero(unresolved | cancelling):
        better, estimate = iterated_kernel_with_error(activation, q1, q2, float(rho[i]), float(gap[i]), other)
        if estimate < error[i]:
            value[i], error[i] = better, estimate
    return value, error


def integrated_kernel(activation: Activation, q1: float, q2: float, c: float) -> tuple[float, float]:
    """Return `k(q1, q2, c)` and an error estimate from quadrature alone, for correlations that no series resolves."""
    gap = float(correlation_gap(q1, q2, np.array([c]))[0])
    rho = float(np.clip(c / (np.sqrt(q1) * np.sqrt(q2)), -1.0, 1.0))
    if gap == 0.0:
        return _at_end(activation, q1, q2, float(np.sign(rho)))
    if rho == 0.0:
        value, error = kernel_with_error(activation, q1, q2, c)
        return float(value), float(error)
    return iterated_kernel_with_error(activation, q1, q2, rho, gap)


def correlation_gap(q1: float, q2: float, c: Array) -> Array:
    """Return `1 - rho^2 = (q1 q2 - c^2) / (q1 q2)` with both products exact: the difference loses all digits else.

    Variances are scaled to magnitude 1 first, by powers of two, so that the error-free products do not over- or
    underflow.
    """
    scale1, scale2 = 4.0 ** -(np.frexp(q1)[1] // 2), 4.0 ** -(np.frexp(q2)[1] // 2)
    product, product_error = two_product(np.float64(q1 * scale1), np.float64(q2 * scale2))
    scaled = c * np.sqrt(scale1) * np.sqrt(scale2)
    square, square_error = two_product(scaled, scaled)
    return np.clip(((product - square) + (product_error - square_error)) / product, 0.0, 1.0)


def _degenerate(activation: Activation, psi: Activation, q2: float, c: Array) -> tuple[Array, Array]:
    """Return `phi(0) E[psi(sqrt(q2) Z)]`, the kernel at one variance 0."""
    at_zero = value_at_zero(activation)
    if q2 > 0.0:
        expectation, magnitude = mean(psi, q2)
        check = mean(psi, q2, CHECK_ORDER)[0]
    else:
        expectation = check = value_at_zero(psi)
        magnitude = abs(expectation)
    error = abs(at_zero) * (abs(expectation - check) + _ROUNDING * EPS * magnitude)
    return np.full(c.shape, at_zero * expectation), np.full(c.shape, error)


def value_at_zero(activation: Activation) -> float:
    """Return `phi(0)`, which a variance of 0 leaves of phi.

    Raises:
        InvalidInputError: phi has no finite value there.
    """
    at_zero = float(activation(np.array(0.0)))
    shape = activation.shape
    if shape.complete and 0 in shape.kinks:
        exact = shape.value(sp.S.Zero)
        at_zero = float("nan") if exact is None else float(exact)
    if not np.isfinite(at_zero):
        raise InvalidInputError(
            f"{activation!r} has no value at 0, which a variance of 0 asks for; take a positive variance"
        )
    return at_zero


def _at_end(
    activation: Activation, q1: float, q2: float, sign: float, other: Activation | None = None
) -> tuple[float, float]:
    value, magnitude = product_moment(activation, q1, q2, sign, other=other)
    check, _ = product_moment(activation, q1, q2, sign, CHECK_ORDER, other)
    factor = max(rounding_factor(activation, q1), rounding_factor(other or activation, q2))
    value_noise = product_noise(activation, q1, q2, other) if sign < 0.0 or other is not None else 0.0
    return value, abs(value - check) + factor * EPS * magnitude + value_noise


@lru_cache(maxsize=64)
def angle_surrogate(
    activation: Activation, q1: float, q2: float, other: Activation | None = None
) -> tuple[PiecewiseChebyshev, float]:
    """Return an interpolant of `k(q1, q2, sqrt(q1 q2) cos(theta))` in theta on [0, pi], and its error.

    In the angle the kernel is smooth up to both ends, kinks of phi or not. Where phi has a parity, so has the kernel in
    its cosine, and the half beyond `pi/2` is a reflection. With `other` it is the kernel of phi and psi.
    """
    psi = activation if other is None else other
    scale = np.sqrt(second_moment(activation, q1) * second_moment(psi, q2))
    first, second = hermite_series(activation, q1), hermite_series(psi, q2)
    waves = waves_at(activation, q1, q2, other)
    parity = activation.parity or psi.parity

    def evaluate(angles: Array) -> Array:
        rho, gap = np.cos(angles), np.sin(angles) ** 2
        if waves is not None:
            return waves(q1, q2, rho, gap)[0]
        value, remainder, rounding = mehler_sum(first, second, rho)
        for i in np.flatnonzero(remainder > rounding):
            value[i] = iterated_kernel(activation, q1, q2, float(rho[i]), float(gap[i]), other=other)[0]
        return value

    factor = 8.0 + max(rounding_factor(activation, q1), rounding_factor(psi, q2))
    end = np.pi if parity is None else 0.5 * np.pi
    coarseness = max(activation.coarseness, psi.coarseness)
    fitted = interpolate(evaluate, 0.0, end, coarseness * _SURROGATE_TOLERANCE * scale)
    if parity is not None:
        fitted = reflected(fitted, 1.0 if parity == "even" else -1.0)
    return fitted, fitted.error + factor * EPS * scale

"""Derivatives of `k(q1, q2, c) = E[phi(u) psi(v)]` in the covariance and in a variance, jumps and kinks counted.

Each is an expectation of two distributions: functions, point masses where an activation or its derivative jumps, and in
second derivatives a dipole where an activation jumps:

    dk/dc     = E[phi'(u) psi'(v)],
    dk/dq1    = (E[u phi'(u) psi(v)] - c dk/dc) / (2 q1),
    d2k/dc2   = E[phi''(u) psi''(v)].

Derivation: docs/theory/cross_kernels.md, "Derivatives".
"""

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.numeric.kernel import checked_arguments
from hermite_dual.numeric.measure_expectation import expectation
from hermite_dual.numeric.mehler import EPS
from hermite_dual.numeric.point_masses import Measure, curvature_measure, scaled_by_place, slope_measure


def covariance_derivative(
    first: Activation, second: Activation, q1: ArrayLike, q2: ArrayLike, c: ArrayLike
) -> tuple[Array, Array]:
    """Return `dk/dc` and an error estimate, both of the broadcast shape.

    Raises:
        InvalidInputError: a variance is not positive, the three are no covariance matrix, or a derivative is no
            measure.
    """
    v1, v2, covariance = _positive_arrays(q1, q2, c)
    return expectation(*_slopes(first, second, v1, v2), v1, v2, covariance)


def variance_derivative(
    first: Activation, second: Activation, q1: ArrayLike, q2: ArrayLike, c: ArrayLike
) -> tuple[Array, Array]:
    """Return `dk/dq1` and an error estimate, both of the broadcast shape; errors as `covariance_derivative`."""
    v1, v2, covariance = _positive_arrays(q1, q2, c)
    slopes = _slopes(first, second, v1, v2)
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
        InvalidInputError: also where an activation jumps at correlation 1 or -1, unless jumps of both meet.
    """
    v1, v2, covariance = _positive_arrays(q1, q2, c)
    curvatures = curvature_measure(first, v1.max(initial=1.0)), curvature_measure(second, v2.max(initial=1.0))
    return expectation(*curvatures, v1, v2, covariance)


def _positive_arrays(q1: ArrayLike, q2: ArrayLike, c: ArrayLike) -> tuple[Array, Array, Array]:
    arrays = checked_arguments(q1, q2, c)
    for name, variances in zip(("q1", "q2"), arrays, strict=False):
        if not (variances > 0.0).all():
            raise InvalidInputError(f"variance {name} = 0: a kernel is differentiated at positive variances")
    return arrays


def _slopes(first: Activation, second: Activation, q1: Array, q2: Array) -> tuple[Measure, Measure]:
    return slope_measure(first, q1.max(initial=1.0)), slope_measure(second, q2.max(initial=1.0))

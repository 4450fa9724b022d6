"""The dual kernel of phi near correlation 1 and -1 at one variance, free of cancellation, and the dual of phi'.

With `c = q cos(theta)` Price's theorem gives `k(q) - k(c) = int_c^q kdot = 2 q sin^2(theta/2) D(theta)`, D the mean of
kdot over `[c, q]`. So the gap `q - c`, which decides kdot where phi has kinks (kdot has a square-root end point there),
can be carried through a layer with a small relative error, where the difference of two numbers close to q could not.
From the other end, `k(q) + k(c) = E[(phi(u) + phi(-u))^2]/2 + 2 q sin^2(psi/2) D'(psi)` with `c = -q cos(psi)`.

Derivation: docs/theory/tangent_kernel.md, "Kinks".
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Mask
from hermite_dual.numeric.chebyshev import PiecewiseChebyshev, interpolate
from hermite_dual.numeric.gaussian import product_moment, rounding_factor, second_moment
from hermite_dual.numeric.kernel import angle_surrogate
from hermite_dual.numeric.mehler import EPS, hermite_series, mehler_sum
from hermite_dual.numeric.mesh import gauss_legendre

_DYADIC = 16
"""Panels `[theta/2^(j+1), theta/2^j]` of the mean: kdot is analytic inside and may be steep next to either end."""
_NODES = 16
_TOLERANCE = 4e-15


@dataclass(frozen=True)
class At:
    """Values at covariances c.

    Attributes:
        covariance: c.
        kernel: `k(q, q, c)`.
        slope: `kdot(q, q, c)`.
        drop: `k(q, q, q) - k(q, q, c)`, relatively accurate where c is close to q.
        lift: `k(q, q, q) + k(q, q, c)`, relatively accurate where c is close to -q.
    """

    covariance: Array
    kernel: Array
    slope: Array
    drop: Array
    lift: Array


@dataclass(frozen=True, eq=False)
class PriceDual:
    """The dual kernel and its derivative in the covariance at one variance q.

    Attributes:
        variance: q.
        moment: `k(q, q, q)`.
        opposite: `k(q, q, q) + k(q, q, -q)`; exactly 0 where phi is odd.
        largest_slope: `kdot(q, q, q)`, the largest value of kdot.
        slope: kdot as a function of the angle in [0, pi].
        means: `D` and `D'` as functions of angles in [0, pi/2].
        error: estimated error of kdot.
    """

    variance: float
    moment: float
    opposite: float
    largest_slope: float
    slope: Callable[[Array], Array]
    means: tuple[PiecewiseChebyshev, PiecewiseChebyshev]
    error: float

    @property
    def at_zero(self) -> float:
        """`k(q, q, 0)`."""
        return self.moment - self.variance * float(self.means[0](np.array([0.5 * np.pi]))[0])

    def at(self, from_top: Mask, share: Array) -> At:
        """Evaluate at `c = q (1 - 2 share)`, or `-q (1 - 2 share)` where not `from_top`; `share` in [0, 1/2]."""
        q = self.variance
        angle = 2.0 * np.arcsin(np.sqrt(share))
        change = 2.0 * q * share * self.mean(from_top, angle)
        size = q * (1.0 - 2.0 * share)
        return At(
            np.where(from_top, size, -size),
            np.where(from_top, self.moment - change, (self.opposite - self.moment) + change),
            self.slope(np.where(from_top, angle, np.pi - angle)),
            np.where(from_top, change, 2.0 * self.moment - self.opposite - change),
            np.where(from_top, 2.0 * self.moment - change, self.opposite + change),
        )

    def mean(self, from_top: Mask, angle: Array) -> Array:
        """Return the mean of kdot between c and the end that it is measured from."""
        return np.where(from_top, self.means[0](angle), self.means[1](angle))


@lru_cache(maxsize=1024)
def slope_of(activation: Activation) -> Activation:
    """Return phi'.

    Raises:
        InvalidInputError: phi jumps, or is a Python function without a known derivative.
    """
    return activation.derivative()


@lru_cache(maxsize=256)
def price_dual(activation: Activation, variance: float) -> PriceDual:
    """Build the dual kernel of phi at a variance from the dual of phi'.

    Raises:
        InvalidInputError: phi has no derivative that is a function.
        NotIntegrableError: phi or phi' is not square-integrable at this variance.
    """
    derivative = slope_of(activation)
    top = second_moment(derivative, variance)
    value = second_moment(activation, variance)
    opposite = 0.0
    if activation.parity != "odd":
        opposite = max(value + product_moment(activation, variance, variance, -1.0)[0], 0.0)
    slope, error = _slope_in_angle(derivative, variance)
    size = derivative.coarseness * top
    means = (_mean(slope, size), _mean(lambda angle: slope(np.pi - angle), size))
    return PriceDual(variance, value, opposite, top, slope, means, error)


def _slope_in_angle(derivative: Activation, variance: float) -> tuple[Callable[[Array], Array], float]:
    series = hermite_series(derivative, variance)
    if series.converged:
        powers = series.coefficients**2
        _, remainder, rounding = mehler_sum(series, series, np.array(1.0))

        def of_angle(angle: Array) -> Array:
            return np.asarray(np.polynomial.polynomial.polyval(np.cos(angle), powers))

        return of_angle, float(remainder + rounding)
    surrogate, error = angle_surrogate(derivative, variance, variance)
    return surrogate, error + rounding_factor(derivative, variance) * EPS * series.second_moment


def _mean(slope: Callable[[Array], Array], size: float) -> PiecewiseChebyshev:
    """Interpolate `int_0^theta slope(s) sin(s) ds / (1 - cos(theta))` on [0, pi/2], to `_TOLERANCE size`."""
    unit, weights = gauss_legendre(_NODES)
    ends = np.concatenate([[0.0], 0.5 ** np.arange(_DYADIC, -1, -1)])
    widths = np.diff(ends)
    points = (ends[:-1, None] + widths[:, None] * unit).ravel()
    factors = (widths[:, None] * weights).ravel()

    def mean(angles: Array) -> Array:
        s = angles[:, None] * points
        integral = angles * ((slope(s) * np.sin(s)) @ factors)
        return np.asarray(integral / (2.0 * np.sin(0.5 * angles) ** 2))

    return interpolate(mean, 0.0, 0.5 * np.pi, _TOLERANCE * size)

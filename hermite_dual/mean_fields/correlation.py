"""The stable fixed point of the correlation map `C(c) = (sigma_w^2 k(q, q, c q) + sigma_b^2)/q` at a fixed point q.

Derivation: docs/theory/mean_field.md, "Correlations".
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from hermite_dual.activation import Activation
from hermite_dual.notebook import Shown
from hermite_dual.numeric.chebyshev import PiecewiseChebyshev
from hermite_dual.numeric.gaussian import mean
from hermite_dual.numeric.kernel import angle_surrogate
from hermite_dual.population.entries.price_dual import price_dual

_RIGHT_ANGLE = 0.5 * math.pi
_ANGLE_TOLERANCE = 1e-15
_SMALLEST_ANGLE = 1e-7
"""Where phi jumps: correlations nearer to 1 than half its square are not told apart from 1 in the kernel."""


@dataclass(frozen=True, repr=False)
class CorrelationLimit(Shown):
    """What correlations tend to.

    Attributes:
        gap: `1 - c*`, relatively accurate where it is small.
        slope: `C'(c*)`.
    """

    gap: float
    slope: float

    @property
    def correlation(self) -> float:
        """c*."""
        return 1.0 - self.gap


def correlation_limit(phi: Activation, q: float, weight: float, bias: float, chi_1: float) -> CorrelationLimit:
    """Return the stable fixed point of the correlation map in [0, 1].

    C is convex on [0, 1] with `C(1) = 1`, so that 1 is stable where `chi_1 <= 1`; otherwise there is exactly one other
    fixed point, stable, where the mean of `C'` over `[c, 1]` is 1. That mean is known free of cancellation.

    Args:
        phi: the activation.
        q: a fixed point of the variance map, above 0.
        weight: sigma_w^2.
        bias: sigma_b^2.
        chi_1: slope of C at 1, infinite where phi jumps or phi' is not square-integrable.
    """
    if chi_1 <= 1.0:
        return CorrelationLimit(0.0, chi_1)
    if bias == 0.0 and _is_centred(phi, q):
        return CorrelationLimit(1.0, _slope(phi, q, weight, chi_1, _RIGHT_ANGLE))
    angle = _angle_from_kernel(phi, q, weight) if math.isinf(chi_1) else _angle(phi, q, weight)
    return CorrelationLimit(2.0 * math.sin(0.5 * angle) ** 2, _slope(phi, q, weight, chi_1, angle))


def _is_centred(phi: Activation, q: float) -> bool:
    """Whether `E[phi(sqrt(q) Z)] = 0` by parity, or as far as quadrature sees."""
    if phi.parity == "odd":
        return True
    value, magnitude = mean(phi, q)
    return abs(value) <= 1e-15 * magnitude


def _angle(phi: Activation, q: float, weight: float) -> float:
    dual = price_dual(phi, q)

    def excess(angle: float) -> float:
        return weight * float(dual.means[0](np.array([angle]))[0]) - 1.0

    if excess(0.0) <= 0.0:
        return 0.0  # chi_1 exceeds 1 by no more than the interpolant's rounding
    if excess(_RIGHT_ANGLE) >= 0.0:
        return _RIGHT_ANGLE
    return float(brentq(excess, 0.0, _RIGHT_ANGLE, xtol=_ANGLE_TOLERANCE))


def _angle_from_kernel(phi: Activation, q: float, weight: float) -> float:
    """As `_angle`, from the kernel itself as a function of the angle, from whose top it drops like the angle."""
    kernel, _ = angle_surrogate(phi, q, q)
    top = float(kernel(np.array([0.0]))[0])

    def excess(angle: float) -> float:
        drop = top - float(kernel(np.array([angle]))[0])
        return weight * drop - 2.0 * q * math.sin(0.5 * angle) ** 2

    if excess(_RIGHT_ANGLE) >= 0.0:
        return _RIGHT_ANGLE
    return float(brentq(excess, _SMALLEST_ANGLE, _RIGHT_ANGLE, xtol=_ANGLE_TOLERANCE))


def _slope(phi: Activation, q: float, weight: float, chi_1: float, angle: float) -> float:
    if math.isinf(chi_1):
        kernel, _ = angle_surrogate(phi, q, q)
        return -weight * _derivative(kernel, angle) / (q * math.sin(angle))
    return weight * float(price_dual(phi, q).slope(np.array([angle]))[0])


def _derivative(fitted: PiecewiseChebyshev, point: float) -> float:
    """Return the derivative of an interpolant."""
    piece = int(np.clip(np.searchsorted(fitted.edges, point, side="right") - 1, 0, fitted.edges.size - 2))
    low, high = fitted.edges[piece], fitted.edges[piece + 1]
    slope = np.polynomial.chebyshev.chebder(fitted.coefficients[piece])
    return float(np.polynomial.chebyshev.chebval((2.0 * point - low - high) / (high - low), slope) * 2.0 / (high - low))

"""How correlations tend to 1 on the edge of chaos.

Derivation: docs/theory/mean_field.md, "Approach to 1 on the edge".
"""

import math
from dataclasses import dataclass

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.mean_fields.variance_map import gradient_moment
from hermite_dual.notebook import Shown
from hermite_dual.population.entries.price_dual import slope_of

_REACH = 12.0
"""Standard deviations beyond which kinks weigh less than `exp(-72)`."""
_SIDE = 1e-9
"""Distance from a kink, relative, at which the two slopes are taken."""


@dataclass(frozen=True, repr=False)
class Approach(Shown):
    """The law `1 - c_l ~ constant / l^power` of correlations after many layers."""

    constant: float
    power: int


def approach_to_one(phi: Activation, q: float, weight: float) -> Approach | None:
    """Return the law at a point of the edge; None at q = 0, for linear phi, and where `phi''^2` is not integrable.

    Args:
        phi: the activation, continuous.
        q: the variance of the point, above 0 unless phi is linear there.
        weight: sigma_w^2.
    """
    if q == 0.0:
        return None
    derivative = slope_of(phi)
    kinks = derivative.kinks_within(_REACH * math.sqrt(q))
    sides = _SIDE * np.maximum(np.abs(kinks), math.sqrt(q))
    jumps = derivative(kinks + sides) - derivative(kinks - sides) if derivative.jumps else np.zeros(0)
    strength = float(np.sum(jumps**2 * np.exp(-0.5 * kinks**2 / q))) if jumps.size else 0.0
    if strength > 0.0:
        s = weight * strength * math.sqrt(2.0) / (3.0 * math.pi)
        return Approach(4.0 / s**2, 2)
    curvature = gradient_moment(derivative, q)
    if not 0.0 < curvature < math.inf:
        return None
    return Approach(2.0 * gradient_moment(phi, q) / (q * curvature), 1)

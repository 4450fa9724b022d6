"""How far the float64 values of an activation scatter around a smooth function.

Derivation: docs/theory/numerics.md, "Panels".
"""

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array

_STEPS = (2.0**-44, 2.0**-36, 2.0**-28)
"""Distances, relative to the point. Noise that is alike at close points, such as that of `log(1 + exp(x))` far below 0,
shows at the wider ones only; an activation that turns by 1 radian there has no panels that could hold it."""
_WIDEST = 2.0**-14
"""Of these distances, where arithmetic narrower than float64 asks for wider ones."""
_DIFFERENCE = np.array([-1.0, 3.0, -3.0, 1.0])
_SPREAD = float(np.sqrt((_DIFFERENCE**2).sum()))


def noise(activation: Activation, points: Array) -> Array:
    """Return the size of phi's own rounding errors at points.

    Third differences over very short distances leave nothing of a smooth function; those of independent errors of
    standard deviation sigma have `sqrt(20) sigma`. One value is a sample of size 1: sums of squares over many count.
    """
    scatter = np.zeros(points.shape)
    for step in sorted({min(step * activation.coarseness, _WIDEST) for step in _STEPS}):
        near = points[..., None] * (1.0 + step * np.arange(4.0))
        with np.errstate(invalid="ignore"):
            left = np.abs(activation(near) @ _DIFFERENCE) / _SPREAD
        np.fmax(scatter, left, out=scatter, where=np.isfinite(left))
    return scatter

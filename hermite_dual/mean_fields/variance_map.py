"""The moments behind the mean field of a wide network, in float64: `V(q)`, `V'(q)` and `kdot(q, q, q)`, at 0 as well.

Derivation: docs/theory/mean_field.md, "Variances".
"""

import math
from functools import lru_cache

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.errors import InvalidInputError, NotIntegrableError
from hermite_dual.numeric.gaussian import second_moment
from hermite_dual.population.entries import variance_map, variances
from hermite_dual.population.entries.price_dual import slope_of

_TINY, _SMALL = 1e-32, 1e-24
"""Variances at which `V(q)/q` stands for its limit at 0, and at which it is seen whether there is one."""
_MOVES = 1.05
"""Ratio of both quotients from which `V(q)/q` is taken to diverge or vanish towards 0, like a power of q."""


@lru_cache(maxsize=16384)
def moment(phi: Activation, q: float) -> float:
    """Return `V(q) = E[phi(sqrt(q) Z)^2]`."""
    return variances.moment(phi, q)


@lru_cache(maxsize=16384)
def moment_slope(phi: Activation, q: float) -> float:
    """Return `V'(q)`, q > 0, which needs no second derivative of phi, and at jumps no first."""
    unit = unit_moment(phi)
    return variance_map.moment_slope(phi, variance_map.derivative_of(phi), q) if unit is None else unit


@lru_cache(maxsize=16384)
def gradient_moment(phi: Activation, q: float) -> float:
    """Return `kdot(q, q, q) = E[phi'(sqrt(q) Z)^2]`, q > 0, infinite where phi jumps or phi'^2 is not integrable.

    Raises:
        InvalidInputError: phi is a Python function without a known derivative.
    """
    if phi.jumps:
        return math.inf
    unit = unit_moment(phi)
    if unit is not None:
        return unit
    try:
        return second_moment(slope_of(phi), q)
    except NotIntegrableError:
        second_moment(phi, q)  # phi itself decides whether there is a kernel
        return math.inf


@lru_cache(maxsize=1024)
def slope_at_zero(phi: Activation) -> float:
    """Return the limit of `V(q)/q` at 0 where `phi(0) = 0`: `(phi'(0-)^2 + phi'(0+)^2)/2`, 0 and infinity included."""
    unit = unit_moment(phi)
    if unit is not None:
        return unit
    near, nearer = (moment(phi, q) / q for q in (_SMALL, _TINY))
    if nearer > _MOVES * near:
        return math.inf
    return 0.0 if nearer < near / _MOVES else nearer


@lru_cache(maxsize=1024)
def unit_moment(phi: Activation) -> float | None:
    """Return `V(1)` where `V(q) = q V(1)`, for phi homogeneous, and None for others."""
    if not phi.shape.homogeneous:
        return None
    return 0.5 * float(phi(np.array(1.0)) ** 2 + phi(np.array(-1.0)) ** 2)


def check_parameters(phi: Activation) -> None:
    """Refuse activations with parameters that have no value."""
    if phi.parameters:
        names = ", ".join(sorted(map(str, phi.parameters)))
        raise InvalidInputError(f"activation {phi.name} has the parameter(s) {names} without a value: give numbers")

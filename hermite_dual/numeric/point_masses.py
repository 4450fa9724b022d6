"""Derivatives of activations as measures: a function almost everywhere, and a point mass at each jump.

Derivation: docs/theory/cross_kernels.md, "Derivatives".
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp

from hermite_dual.activation import Activation, activation
from hermite_dual.errors import InvalidInputError

_REACH = 40.0
"""Standard deviations beyond which a point mass has a density below `exp(-800)`."""


@dataclass(frozen=True)
class PointMass:
    """A multiple of a Dirac measure.

    Attributes:
        place: where it is, exact.
        position: the same in float64.
        weight: the multiple.
    """

    place: sp.Expr
    position: float
    weight: float


@dataclass(frozen=True)
class Measure:
    """A function and point masses.

    Attributes:
        density: the function.
        masses: the point masses within the radius that was asked for, increasing.
        dipoles: multiples of `delta'_s`, which make it a distribution.
    """

    density: Activation
    masses: tuple[PointMass, ...] = ()
    dipoles: tuple[PointMass, ...] = ()


def slope_measure(phi: Activation, variance: float) -> Measure:
    """Return phi' with the point masses that a normal law sees; errors as `derivative_measure`."""
    # windows of a power of 2, so that few of them are looked at
    return derivative_measure(phi, int(np.ceil(np.log2(max(_REACH * np.sqrt(variance), 1.0)))))


def curvature_measure(phi: Activation, variance: float) -> Measure:
    """Return phi'' with masses where phi' jumps and dipoles where phi does; errors as `derivative_measure`."""
    slope = slope_measure(phi, variance)
    curvature = slope_measure(slope.density, variance)
    return Measure(curvature.density, curvature.masses, slope.masses)


@lru_cache(maxsize=512)
def derivative_measure(phi: Activation, exponent: int) -> Measure:
    """Return phi' with its point masses in `(-2^exponent, 2^exponent)`.

    A Python function has none: it is taken to be continuous.

    Raises:
        InvalidInputError: phi is unbounded at a kink, or a limit there or the kinks are not known; or it is a Python
            function without a known derivative.
    """
    if phi.expr is None:
        return Measure(phi.derivative())
    slope = sp.Lambda(phi.symbol, sp.diff(phi.expr, phi.symbol).replace(sp.DiracDelta, lambda *_: sp.Integer(0)))
    if phi.shape.continuous is True or phi.parameters:  # parameters are refused where they are evaluated
        return Measure(activation(slope))
    pieces = phi.shape.within(2.0**exponent)
    if pieces is None:
        raise InvalidInputError(f"the kinks of {phi.expr} are not known: {phi.shape.doubt}; write it as a Piecewise")
    masses = []
    for kink, both in zip(pieces.kinks, pieces.sides, strict=True):
        if both.left.value is None or both.right.value is None:
            raise InvalidInputError(
                f"{phi.expr} has no limit that is known at {kink}, so that its derivative is no measure; bound it there"
            )
        jump = both.right.value - both.left.value
        if not jump.contains(0):
            masses.append(PointMass(kink, float(kink), float(jump.mid())))
    return Measure(activation(slope), tuple(masses))


@lru_cache(maxsize=256)
def times_x(phi: Activation) -> Activation:
    """Return `x phi(x)`."""
    if phi.expr is not None:
        return activation(sp.Lambda(phi.symbol, phi.expr * phi.symbol))
    return activation(lambda x: x * phi(x), kinks=[float(kink) for kink in phi.kinks])


def scaled_by_place(measure: Measure) -> Measure:
    """Return x times a measure."""
    masses = (PointMass(mass.place, mass.position, mass.weight * mass.position) for mass in measure.masses)
    return Measure(times_x(measure.density), tuple(mass for mass in masses if mass.weight != 0.0))

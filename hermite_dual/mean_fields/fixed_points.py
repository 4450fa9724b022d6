"""Every fixed point of the variance map `F(q) = sigma_w^2 V(q) + sigma_b^2`, and on which side it attracts.

Derivation: docs/theory/mean_field.md, "Finding every fixed point".
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.certified.suprema.constants import derivative_bound
from hermite_dual.errors import AccuracyError, NotIntegrableError
from hermite_dual.mean_fields.moment_table import MomentTable, moment_table
from hermite_dual.mean_fields.roots import Root, Sampled, roots
from hermite_dual.mean_fields.variance_map import moment, moment_slope, slope_at_zero, unit_moment
from hermite_dual.outcome import Outcome

TOLERANCE = 1e-13
"""Relative to q: `|F(q) - q|` within it counts as 0, which is what float64 knows of it."""
_LOWEST, _HIGHEST = 1e-20, 1e12
"""Variances searched where nothing narrower is known."""
_SMALLEST = 1e-280
_MARGIN = 16.0
"""Fixed points are not below `F(0)/16`, F being nearly constant there."""


class Stability(StrEnum):
    """What a fixed point does to variances beside it.

    `HALF_STABLE` points attract from one side and repel on the other, `NEUTRAL` ones are surrounded by fixed points.
    """

    STABLE = "stable"
    UNSTABLE = "unstable"
    HALF_STABLE = "half-stable"
    NEUTRAL = "neutral"


@dataclass(frozen=True)
class VarianceRoot:
    """A fixed point of F: its variance, 0 and infinity included, its stability, and the sign of `F(q) - q` above it."""

    q: float
    stability: Stability
    beyond: int


@dataclass(frozen=True)
class Search:
    """The fixed points of F, increasing, and the interval of variances outside of which none are known of."""

    roots: tuple[VarianceRoot, ...]
    searched: tuple[float, float]


def fixed_points(phi: Activation, weight: float, bias: float) -> Search:
    """Return all fixed points of `F(q) = weight V(q) + bias`.

    Args:
        phi: the activation.
        weight: sigma_w^2.
        bias: sigma_b^2.

    Raises:
        AccuracyError: F still exceeds q where quadrature ends.
    """
    unit = unit_moment(phi)
    if weight == 0.0:
        return Search((VarianceRoot(bias, Stability.STABLE, -1),), (0.0, math.inf))
    if unit is not None:
        return Search(_homogeneous(weight * unit, bias), (0.0, math.inf))
    origin = weight * moment(phi, 0.0) + bias
    high = upper_bound(phi, weight, bias)
    low = _LOWEST if origin == 0.0 else max(bias, min(_LOWEST, origin / _MARGIN), _SMALLEST)
    if high is not None and high <= _LOWEST:  # phi vanishes
        return Search((VarianceRoot(bias, Stability.STABLE, -1),), (0.0, math.inf))
    table = moment_table(moment, phi, low, _HIGHEST if high is None else high)
    places, first, last = _positive(phi, weight, bias, table)
    points = np.exp(table.edges)
    searched = (float(points[0]) if origin == 0.0 else 0.0, float(points[-1]) if high is None else math.inf)
    if first == 0:
        return Search((VarianceRoot(1.0, Stability.NEUTRAL, 0),), searched)
    if origin == 0.0:
        places.insert(0, VarianceRoot(0.0, _at_zero(phi, weight, first), first))
    if high is None and _escapes(phi, table, last):
        places.append(VarianceRoot(math.inf, Stability.STABLE, 1))
    elif table.end is not None and last > 0:
        raise _unreachable(phi, table)
    return Search(tuple(places), searched)


def _positive(phi: Activation, weight: float, bias: float, table: MomentTable) -> tuple[list[VarianceRoot], int, int]:
    """Return the fixed points within a table of V, and the first and last sign of `F(q) - q`."""
    q = table.points
    scaled = weight * table.quotient(q)

    def excess(q: float) -> float:
        return weight * moment(phi, q) / q + bias / q - 1.0

    def slope(q: float) -> float:
        return weight * (moment_slope(phi, q) - moment(phi, q) / q) - bias / q

    sampled = Sampled(scaled + bias / q - 1.0, excess, weight * table.slope(q) - scaled - bias / q, slope)
    zeros, first, last = roots(sampled, q, TOLERANCE * phi.coarseness, phi.coarseness)
    return [VarianceRoot(root.place, _stability(phi, weight, root), root.after) for root in zeros], first, last


def _homogeneous(factor: float, bias: float) -> tuple[VarianceRoot, ...]:
    """Fixed points of `F(q) = factor q + bias`; one at q = 1 stands for all where every variance is fixed."""
    if abs(factor - 1.0) <= 4.0 * 2.0**-52:
        root = VarianceRoot(1.0, Stability.NEUTRAL, 0) if bias == 0.0 else VarianceRoot(math.inf, Stability.STABLE, 1)
        return (root,)
    if factor < 1.0:
        return (VarianceRoot(bias / (1.0 - factor), Stability.STABLE, -1),)
    zero = (VarianceRoot(0.0, Stability.UNSTABLE, 1),) if bias == 0.0 else ()
    return (*zero, VarianceRoot(math.inf, Stability.STABLE, 1))


def upper_bound(phi: Activation, weight: float, bias: float) -> float | None:
    """Return a variance above which `F(q) < q` by `|phi| <= M` or `|phi(x)| <= |phi(0)| + L |x|`, None without."""
    if phi.expr is None:
        return None
    bound = derivative_bound(phi.shape, 0)
    if bound.outcome is Outcome.PROVEN:
        return 2.0 * (weight * bound.upper**2 + bias)
    factor = math.sqrt(weight) * phi.lipschitz
    if factor < 1.0:
        offset = math.sqrt(weight * moment(phi, 0.0)) + math.sqrt(bias)
        return 2.0 * max((offset / (1.0 - factor)) ** 2, _LOWEST)
    return None


def _stability(phi: Activation, weight: float, root: Root) -> Stability:
    if root.before == root.after:
        return Stability.HALF_STABLE
    attracts = root.before > 0 and weight * moment_slope(phi, root.place) > -1.0
    return Stability.STABLE if attracts else Stability.UNSTABLE


def _at_zero(phi: Activation, weight: float, first: int) -> Stability:
    """At 0 the slope decides, and beyond it, where that is 1, the first sign of `F(q) - q`."""
    chi = weight * slope_at_zero(phi)
    if abs(chi - 1.0) <= TOLERANCE * phi.coarseness:
        return Stability.STABLE if first < 0 else Stability.UNSTABLE
    return Stability.STABLE if chi < 1.0 else Stability.UNSTABLE


def _escapes(phi: Activation, table: MomentTable, last: int) -> bool:
    """Whether F runs to infinity from the end of the table on."""
    if isinstance(table.end, NotIntegrableError):
        return True  # V is infinite from there on
    growing = table.slope(np.exp(table.edges[-1:])) > table.quotient(np.exp(table.edges[-1:]))
    if table.end is not None and last > 0 and not growing:
        raise _unreachable(phi, table)
    return last > 0


def _unreachable(phi: Activation, table: MomentTable) -> AccuracyError:
    return AccuracyError(
        f"{phi!r}: the variance map exceeds q up to q = {math.exp(table.edges[-1]):g}, and beyond {table.end}; "
        "reduce sigma_w or sigma_b"
    )

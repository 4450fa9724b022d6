"""All zeros of a function of the variance, double ones included, from a table of it and its exact values.

Between the points of the table and the extrema in between a function is monotone: a change of sign is a zero, and an
extremum that the tolerance hides is a double one.

Derivation: docs/theory/mean_field.md, "Finding every fixed point".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq

from hermite_dual.arrays import Array

Scalar = Callable[[float], float]

_ROOT_TOLERANCE = 4.0 * np.finfo(np.float64).eps
"""Relative, of a root: brentq takes no less."""
_TABLE_NOISE = 1e-11
"""What interpolation leaves of a value or a slope, relative."""


@dataclass(frozen=True)
class Root:
    """A zero.

    Attributes:
        place: q.
        before: sign of the function at smaller q.
        after: sign at larger q; equal to `before` at a double zero.
    """

    place: float
    before: int
    after: int


@dataclass(frozen=True)
class Sampled:
    """A function of q, relative, as its table and as it is.

    Attributes:
        values: from the table, shape (n,).
        exact: the function.
        slopes: its derivative in log(q) from the table, shape (n,).
        exact_slope: has the sign of the derivative.
    """

    values: Array
    exact: Scalar
    slopes: Array
    exact_slope: Scalar


def roots(function: Sampled, points: Array, tolerance: float, noise: float = 1.0) -> tuple[list[Root], int, int]:
    """Return the zeros between increasing points, and the signs at both ends.

    Args:
        function: what vanishes.
        points: a grid in q, shape (n,).
        tolerance: values within it count as 0: a double zero is one whose extremum they hide.
        noise: how much coarser than float64 phi is evaluated.

    Returns:
        The zeros by increasing q, and the first and last sign that is resolved, 0 where none is.
    """
    side = _signs(function.values, noise * _TABLE_NOISE).tolist()
    places = list(zip(points.tolist(), side, [False] * len(side), strict=True))
    for extremum in _extrema(function, points, noise):
        places.append((extremum, _sign(function.exact(extremum), tolerance), True))
    places.sort()
    resolved = [i for i, (_, sign, _) in enumerate(places) if sign]
    zeros = []
    for i, j in pairwise(resolved):
        (low, before, _), (high, after, _) = places[i], places[j]
        hidden = [q for q, _, turning in places[i + 1 : j] if turning]
        if before != after and function.exact(low) * function.exact(high) < 0.0:
            zeros.append(Root(bisected(function.exact, low, high), before, after))
        elif before == after and hidden:
            zeros.append(Root(min(hidden, key=lambda q: abs(function.exact(q))), before, after))
    if not resolved:
        return [], 0, 0
    return zeros, places[resolved[0]][1], places[resolved[-1]][1]


def bisected(function: Scalar, low: float, high: float) -> float:
    """Return the zero between two points, in units of the upper one: brentq's absolute tolerance is one for all."""
    share = brentq(
        lambda s: function(s * high), low / high, 1.0, xtol=_ROOT_TOLERANCE * low / high, rtol=_ROOT_TOLERANCE
    )
    return float(share * high)


def _extrema(function: Sampled, points: Array, noise: float) -> list[float]:
    side = _signs(function.slopes, noise * _TABLE_NOISE)
    resolved = np.flatnonzero(side)
    extrema = []
    for i, j in pairwise(resolved.tolist()):
        if side[i] != side[j]:
            low, high = float(points[i]), float(points[j])
            if function.exact_slope(low) * function.exact_slope(high) < 0.0:
                extrema.append(bisected(function.exact_slope, low, high))
    return extrema


def _signs(values: Array, tolerance: float) -> Array:
    return np.where(np.abs(values) <= tolerance, 0.0, np.sign(values)).astype(int)


def _sign(value: float, tolerance: float) -> int:
    return 0 if abs(value) <= tolerance else int(math.copysign(1.0, value))

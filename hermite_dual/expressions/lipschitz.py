"""Estimate the supremum of a function's magnitude over the real line."""

from collections.abc import Callable, Sequence

import numpy as np

from hermite_dual.arrays import Array

_REACH = 1e6
_CANDIDATES = 8
_GROWTH = 1.0 + 1e-3
"""A maximum that still grows by more than this from decade to decade is taken for unbounded."""


def supremum_of_magnitude(function: Callable[[Array], Array], breaks: Sequence[float]) -> float:
    """Return `sup |f|` over the real line as float64 sees it, or infinity.

    The magnitude is sampled on both sides of zero from 1e-6 to 1e6 and next to each break; the best samples are refined
    by bounded minimization. An estimate: features narrower than the samples can be missed.
    """
    from scipy.optimize import minimize_scalar

    grid = np.geomspace(1e-6, _REACH, 4001)
    near = [b + s * 1e-9 * max(1.0, abs(b)) for b in breaks for s in (-1.0, 1.0)]
    points = np.unique(np.concatenate([-grid, np.linspace(-40.0, 40.0, 8001), grid, near]))
    values = np.abs(function(points))
    if np.isnan(values).any() or np.isinf(values).any():
        return float("inf")
    decades = [values[(np.abs(points) > 10.0**k) & (np.abs(points) <= 10.0 ** (k + 1))].max() for k in (3, 4, 5)]
    if decades[1] > _GROWTH * decades[0] and decades[2] > _GROWTH * decades[1] and decades[2] >= values.max():
        return float("inf")
    best = float(values.max())
    inner = np.flatnonzero((values[1:-1] >= values[:-2]) & (values[1:-1] >= values[2:])) + 1
    for i in inner[np.argsort(values[inner])[::-1][:_CANDIDATES]]:
        if any(points[i - 1] < b < points[i + 1] for b in breaks):
            continue
        optimum = minimize_scalar(
            lambda t: -float(np.abs(function(np.array([t])))[0]),
            bounds=(points[i - 1], points[i + 1]),
            method="bounded",
            options={"xatol": 1e-12 * max(1.0, abs(points[i]))},
        )
        best = max(best, -float(optimum.fun))
    return best

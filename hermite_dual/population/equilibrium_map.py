"""At equal norms: the map from an inner product of two inputs to their Gram entry, as a polynomial."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hermite_dual.activation import Activation
from hermite_dual.errors import ConvergenceError
from hermite_dual.numeric.chebyshev import PiecewiseChebyshev, chebyshev_coefficients, chebyshev_nodes, interpolate
from hermite_dual.numeric.kernel import angle_surrogate
from hermite_dual.numeric.mehler import EPS, hermite_series, mehler_sum
from hermite_dual.population.variances import fixed_point_variances, moment

Array = NDArray[np.float64]

_TOLERANCE = 4e-15
_DEGREES = (15, 23, 35, 47, 71, 95)
"""Degrees tried for a single polynomial in the cosine; beyond, the end points are resolved by square roots."""
_CHECKS = np.cos(np.linspace(0.05, 3.1, 23))
_MAX_STEPS = 200


@dataclass(frozen=True)
class EquilibriumMap:
    """The Gram entry as a function of `xi = (t - shift) / scale`.

    Attributes:
        scale: `sigma_u^2 |x|^2 / d`.
        shift: `sigma_b^2`.
        square_root: whether the variable is `sign(xi) (1 - sqrt(1 - |xi|))` in place of xi.
        interpolant: piecewise Chebyshev in that variable.
        variance: diagonal `S_ii`.
        diagonal: diagonal `K_ii`.
        error: estimated error of an entry.
    """

    scale: float
    shift: float
    square_root: bool
    interpolant: PiecewiseChebyshev
    variance: float
    diagonal: float
    error: float


@lru_cache(maxsize=64)
def equilibrium_map(
    activation: Activation, weight: float, scale: float, shift: float, depth: int | None
) -> EquilibriumMap:
    """Build the map for `K(depth)`, or for the limit where depth is None.

    Args:
        activation: phi.
        weight: sigma_w^2.
        scale: `sigma_u^2 |x|^2 / d > 0`.
        shift: `sigma_b^2`.
        depth: number of layers, at least 1, or None.
    """
    top = scale + shift
    variances = _layer_variances(activation, weight, top, depth)
    entry = _limit if depth is None else _layers
    evaluate, slack = entry(activation, weight, variances)

    def of_cosine(xi: Array) -> Array:
        return evaluate(scale * xi + shift)

    diagonal = moment(activation, variances[-1])
    square_root, interpolant = _fit(of_cosine, _TOLERANCE * diagonal)
    return EquilibriumMap(scale, shift, square_root, interpolant, variances[-1], diagonal, interpolant.error + slack)


def _layer_variances(activation: Activation, weight: float, top: float, depth: int | None) -> list[float]:
    if depth is None:
        return [float(fixed_point_variances(activation, weight, np.array([top]))[0])]
    variances = [top]
    while len(variances) < depth:
        variances.append(weight * moment(activation, variances[-1]) + top)
    return variances


def _dual_at(activation: Activation, variance: float) -> tuple[Callable[[Array], Array], float]:
    """Return `c -> k(q, q, c)` and its error estimate."""
    series = hermite_series(activation, variance)
    if series.converged:
        _, remainder, rounding = mehler_sum(series, series, np.array(1.0))
        return lambda c: mehler_sum(series, series, np.clip(c / variance, -1.0, 1.0))[0], float(remainder + rounding)
    surrogate, error = angle_surrogate(activation, variance, variance)

    def evaluate(c: Array) -> Array:
        inside = np.clip(c, -variance, variance)
        return surrogate(np.arctan2(np.sqrt((variance - inside) * (variance + inside)), inside))

    return evaluate, error


def _limit(activation: Activation, weight: float, variances: list[float]) -> tuple[Callable[[Array], Array], float]:
    q = variances[-1]
    dual, error = _dual_at(activation, q)
    contraction = min(weight * activation.lipschitz**2, 1.0 - EPS)

    def evaluate(t: Array) -> Array:
        """Solve `c = weight k(q, q, c) + t` by bracketed secants; the excess increases in c on [-q, q]."""
        low, high = np.full(t.shape, -q), np.full(t.shape, q)
        c = np.clip(t + weight * dual(t), -q, q)
        before, excess_before = np.clip(t, -q, q), None
        excess_before = before - weight * dual(before) - t
        for _ in range(_MAX_STEPS):
            excess = c - weight * dual(c) - t
            low, high = np.where(excess <= 0.0, c, low), np.where(excess >= 0.0, c, high)
            with np.errstate(all="ignore"):
                slope = (excess - excess_before) / (c - before)
            slope = np.where(np.isfinite(slope) & (slope > 0.5 * (1.0 - contraction)), slope, 1.0)
            step = np.clip(c - excess / slope, low, high)
            before, excess_before = c, excess
            if (np.abs(step - c) <= 2.0 * EPS * q).all():
                return dual(step)
            c = step
        raise ConvergenceError(
            f"the off-diagonal fixed point is not found to rounding in {_MAX_STEPS} steps "
            f"(contraction {contraction:.6f}): reduce sigma_w, or ask for a finite depth"
        )

    return evaluate, error / (1.0 - contraction) + 2.0 * EPS * q


def _layers(activation: Activation, weight: float, variances: list[float]) -> tuple[Callable[[Array], Array], float]:
    duals = [_dual_at(activation, q) for q in variances]
    growth = weight * activation.lipschitz**2 if np.isfinite(activation.lipschitz) else 0.0

    def evaluate(t: Array) -> Array:
        value = np.zeros_like(t)
        for dual, _ in duals:
            value = dual(weight * value + t)
        return value

    total = 0.0
    for _, error in duals:
        total = error + growth * total
    return evaluate, total


def _fit(function: Callable[[Array], Array], tolerance: float) -> tuple[bool, PiecewiseChebyshev]:
    """Return a polynomial in the cosine where a moderate degree serves, else pieces in the square-root variable."""
    for degree in _DEGREES:
        coefficients = chebyshev_coefficients(function(chebyshev_nodes(degree)))
        if np.abs(coefficients[-3:]).max() > tolerance:
            continue
        error = float(np.abs(function(_CHECKS) - np.polynomial.chebyshev.chebval(_CHECKS, coefficients)).max())
        if error <= 4.0 * tolerance:
            last = int(np.flatnonzero(np.abs(coefficients) > 0.0).max(initial=0)) + 1
            return False, PiecewiseChebyshev(np.array([-1.0, 1.0]), coefficients[None, : max(last, 2)], error)

    def of_root(w: Array) -> Array:
        return function(np.copysign(1.0 - (1.0 - np.abs(w)) ** 2, w))

    halves = [interpolate(of_root, *ends, 2.0 * tolerance) for ends in ((-1.0, 0.0), (0.0, 1.0))]
    return True, _join(halves)


def _join(parts: list[PiecewiseChebyshev]) -> PiecewiseChebyshev:
    width = max(part.coefficients.shape[1] for part in parts)
    rows = [np.pad(part.coefficients, ((0, 0), (0, width - part.coefficients.shape[1]))) for part in parts]
    edges = np.concatenate([parts[0].edges, *(part.edges[1:] for part in parts[1:])])
    return PiecewiseChebyshev(edges, np.concatenate(rows), max(part.error for part in parts))

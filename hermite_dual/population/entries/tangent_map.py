"""At equal norms: the map from an inner product of two inputs to their entry of the tangent kernel.

`Theta = K + T`. In the limit `T = S kdot/(1 - sigma_w^2 kdot)`; at finite depth `T(0) = 0`,
`T(l) = kdot(l) (S(l) + sigma_w^2 T(l-1))`. All of K, S and kdot are power series in the cosine with non-negative
coefficients, and so is the map. Both its ends, the cosines 1 and -1, are approached with the distance to them as the
variable, since kdot has square-root end points where phi has kinks.

Derivation: docs/theory/tangent_kernel.md, "Equilibrium", "Finitely many layers with shared weights".
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Mask
from hermite_dual.errors import ConvergenceError
from hermite_dual.numeric.graded_table import graded_table
from hermite_dual.numeric.mehler import EPS
from hermite_dual.population.entries.cosine_map import CosineMap
from hermite_dual.population.entries.price_dual import PriceDual, price_dual
from hermite_dual.population.entries.variances import layer_variances

Evaluate = Callable[[Array, Array], Array]
"""From the gaps `T - t` and `T + t`, both relatively accurate, to the entry."""

_MAX_STEPS = 100


@lru_cache(maxsize=64)
def tangent_map(activation: Activation, weight: float, top: float, depth: int | None) -> CosineMap:
    """Build the map for the tangent kernel of `depth` layers, or of the limit where depth is None.

    Args:
        activation: phi.
        weight: sigma_w^2.
        top: `T = sigma_u^2 |x|^2 / d + sigma_b^2 > 0`.
        depth: number of layers, at least 1, or None.

    Raises:
        InvalidInputError: phi has no derivative that is a function.
        NotIntegrableError: phi or phi' is not square-integrable at the variances that arise.
    """
    duals = [price_dual(activation, q) for q in layer_variances(activation, weight, top, depth)]
    evaluate = _limit(duals[0], weight, top) if depth is None else _layers(duals, weight)
    diagonal = float(evaluate(np.zeros(1), np.full(1, 2.0 * top))[0])
    slack = _passed_error(duals, weight, depth) + 4.0 * EPS * diagonal

    def of_distance(sign: Array, u: Array) -> Array:
        near, far = top * u, top * (2.0 - u)
        return evaluate(np.where(sign > 0.0, near, far), np.where(sign > 0.0, far, near))

    table = graded_table(of_distance)
    return CosineMap(top, table, duals[-1].variance, diagonal, table.error + slack)


def _limit(dual: PriceDual, weight: float, top: float) -> Evaluate:
    q = dual.variance

    def evaluate(above: Array, below: Array) -> Array:
        # c >= 0 if and only if t >= -weight k(q, q, 0)
        from_top = top - above >= -weight * dual.at_zero
        distance = np.where(from_top, above, below + weight * dual.opposite)
        at = dual.at(from_top, _share(dual, weight, from_top, distance / (2.0 * q)))
        return at.kernel + at.covariance * at.slope / (1.0 - weight * at.slope)

    return evaluate


def _share(dual: PriceDual, weight: float, from_top: Mask, target: Array) -> Array:
    """Solve `y (1 - weight D(y)) = target` for `y = sin^2(angle/2)` in [0, 1/2], to a small relative error.

    The left side increases, with slope `1 - weight kdot`: Newton's method, kept within the bracket that it tightens.
    """
    low, high = np.zeros_like(target), np.full_like(target, 0.5)
    y = np.clip(target, low, high)
    for _ in range(_MAX_STEPS):
        angle = 2.0 * np.arcsin(np.sqrt(y))
        excess = y * (1.0 - weight * dual.mean(from_top, angle)) - target
        low, high = np.where(excess <= 0.0, y, low), np.where(excess >= 0.0, y, high)
        slope = 1.0 - weight * dual.slope(np.where(from_top, angle, np.pi - angle))
        step = np.clip(y - excess / slope, low, high)
        if (np.abs(step - y) <= 4.0 * EPS * y).all():
            return step
        y = step
    raise ConvergenceError(
        f"the off-diagonal fixed points are not found to rounding in {_MAX_STEPS} steps "
        f"(contraction {weight * dual.largest_slope:.6f}): reduce sigma_w, or ask for a finite depth"
    )


def _layers(duals: list[PriceDual], weight: float) -> Evaluate:
    def evaluate(above: Array, below: Array) -> Array:
        # S_ii - S_ij and S_ii + S_ij
        drop, lift, tangent = above, below, np.zeros_like(above)
        value = tangent
        for dual in duals:
            from_top = drop <= lift
            at = dual.at(from_top, np.minimum(np.minimum(drop, lift) / (2.0 * dual.variance), 0.5))
            tangent = at.slope * (at.covariance + weight * tangent)
            value = at.kernel + tangent
            drop, lift = weight * at.drop + above, weight * at.lift + below
        return value

    return evaluate


def _passed_error(duals: list[PriceDual], weight: float, depth: int | None) -> float:
    """Return what the errors of kdot make of an entry."""
    if depth is None:
        dual = duals[0]
        room = max(1.0 - weight * dual.largest_slope, EPS)
        return dual.variance * dual.error * (1.0 / room**2 + weight)
    total, tangent = 0.0, 0.0
    for dual in duals:
        size = dual.variance + weight * tangent
        total = dual.error * (size + dual.variance) + weight * dual.largest_slope * total
        tangent = dual.largest_slope * size
    return total

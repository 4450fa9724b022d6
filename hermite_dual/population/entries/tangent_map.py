"""At equal norms: the map from an inner product of two inputs to their entry of the tangent kernel.

In the limit `Theta = K + S kdot/(1 - sigma_w^2 kdot)`; of finitely many layers it is T above the last, see
`recursion`. All of K, S and kdot are power series in the cosine with non-negative coefficients, and so is the map. Both
its ends, the cosines 1 and -1, are approached with the distance to them as the variable, since kdot has square-root end
points where phi has kinks.

Derivation: docs/theory/tangent_kernel.md, "Equilibrium", "Finitely many layers with shared weights";
docs/theory/layers.md, "In float64".
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from hermite_dual.arrays import Array, Mask
from hermite_dual.errors import ConvergenceError
from hermite_dual.numeric.graded_table import graded_table
from hermite_dual.numeric.mehler import EPS
from hermite_dual.population.entries.cosine_map import CosineMap
from hermite_dual.population.entries.price_dual import PriceDual, price_dual
from hermite_dual.population.entries.recursion import LayerRule, Recursion
from hermite_dual.population.entries.variances import layer_variances

Evaluate = Callable[[Array, Array], Array]
"""From the gaps `T - t` and `T + t`, both relatively accurate, to the entry."""

_MAX_STEPS = 100


@lru_cache(maxsize=64)
def tangent_map(recursion: Recursion, top: float) -> CosineMap:
    """Build the map for the tangent kernel above the last layer, or for that of the limit.

    Args:
        recursion: the layers.
        top: `P_ii = sigma_u^2 |x|^2 / d + sigma_b^2 > 0`.

    Raises:
        InvalidInputError: phi has no derivative that is a function.
        NotIntegrableError: phi or phi' is not square-integrable at the variances that arise.
    """
    duals = [
        price_dual(activation, q)
        for activation, q in zip(recursion.activations, layer_variances(recursion, top), strict=True)
    ]
    weight = recursion.weight
    evaluate = _limit(duals[0], weight, top) if recursion.limit else _layers(recursion.layers, duals, top)
    diagonal = float(evaluate(np.zeros(1), np.full(1, 2.0 * top))[0])
    passed = _passed_limit(duals[0], weight) if recursion.limit else _passed_layers(recursion.layers, duals, top)
    slack = passed + 4.0 * EPS * diagonal

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


def _layers(layers: tuple[LayerRule, ...], duals: list[PriceDual], top: float) -> Evaluate:
    def evaluate(above: Array, below: Array) -> Array:
        # S_ii - S_ij and S_ii + S_ij of each layer
        drop, lift, inner = above, below, np.where(above <= below, top - above, below - top)
        tangent = inner
        for layer, dual in zip(layers, duals, strict=True):
            from_top = drop <= lift
            at = dual.at(from_top, np.minimum(np.minimum(drop, lift) / (2.0 * dual.variance), 0.5))
            tangent = layer.tangent_above(tangent, at.slope, at.kernel, inner)
            drop = layer.carry * drop + layer.weight * at.drop + layer.inputs * above
            lift = layer.carry * lift + layer.weight * at.lift + layer.inputs * below + 2.0 * layer.bias
        return tangent

    return evaluate


def _passed_limit(dual: PriceDual, weight: float) -> float:
    """Return what the error of kdot makes of an entry of the limit."""
    room = max(1.0 - weight * dual.largest_slope, EPS)
    return dual.variance * dual.error * (1.0 / room**2 + weight)


def _passed_layers(layers: tuple[LayerRule, ...], duals: list[PriceDual], top: float) -> float:
    """Return what the errors of kdot make of an entry."""
    total, tangent = 0.0, top
    for layer, dual in zip(layers, duals, strict=True):
        slope = layer.weight * dual.largest_slope + layer.carry
        # kdot's error counts in the tangent kernel and, integrated, in k
        total = layer.weight * dual.error * (tangent + dual.variance) + slope * total
        tangent = layer.tangent_above(tangent, dual.largest_slope, dual.moment, top)
    return total

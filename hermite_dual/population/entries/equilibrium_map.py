"""At one norm: the map from the cosine of two inputs to their Gram entry.

Derivation: docs/theory/numerics.md, "Gram matrices"; docs/theory/layers.md, "In float64".
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.errors import ConvergenceError
from hermite_dual.numeric.dual_table import DualTable, dual_table
from hermite_dual.numeric.graded_table import graded_table
from hermite_dual.numeric.mehler import EPS
from hermite_dual.population.entries.cosine_map import CosineMap
from hermite_dual.population.entries.recursion import Recursion
from hermite_dual.population.entries.variances import diagonal_above, layer_variances

_MAX_STEPS = 200


@lru_cache(maxsize=64)
def equilibrium_map(recursion: Recursion, top: float) -> CosineMap:
    """Build the map for the kernel above the last layer, or for the limit.

    Args:
        recursion: the layers.
        top: `P_ii = sigma_u^2 |x|^2 / d + sigma_b^2 > 0`.

    Raises:
        AccuracyError, NotIntegrableError: as `dual_table`.
        ConvergenceError: the off-diagonal fixed point is not found to rounding.
    """
    variances = layer_variances(recursion, top)
    duals = [dual_table(activation, q, q) for activation, q in zip(recursion.activations, variances, strict=True)]
    q, layers = variances[-1], recursion.layers
    diagonal = float(diagonal_above(recursion, [np.array([q])], np.array([top]))[0][0])
    if recursion.limit:
        weight = recursion.weight
        growth = weight * recursion.last.lipschitz**2
        solve = covariance_map(duals[0], weight, top, q, growth)
        table = graded_table(lambda sign, u: duals[0](solve(sign * (1.0 - u)) / q))
        # The solution is rounded, and so is the correlation it makes. A power series with non-negative coefficients,
        # which the dual is, nowhere changes faster than at 1.
        top_value, near = duals[0](np.array([1.0, 1.0 - 4.0 * EPS]))
        error = table.error + (duals[0].error + float(top_value - near)) / max(1.0 - growth, EPS)
    elif len(layers) == 1 and layers[0].is_kernel:
        table, error = duals[0].table, duals[0].error
    else:

        def composed(sign: Array, u: Array) -> Array:
            inner = top * (sign * (1.0 - u))
            covariance = inner
            for layer, dual, variance in zip(layers, duals, variances, strict=True):
                covariance = layer.above(covariance, dual(covariance / variance), inner)
            return covariance

        table = graded_table(composed)

        def inside(cosine: float) -> float:
            inner = covariance = top * cosine
            error = 0.0
            for layer, dual, variance in zip(layers, duals, variances, strict=True):
                # a power series with non-negative coefficients, which up to a correlation changes fastest there
                moved = min(1.0, error / variance + 4.0 * EPS)
                furthest = min(1.0, covariance / variance + moved)
                value, end, before = dual(np.array([covariance / variance, furthest, furthest - moved]))
                error = layer.carry * error + layer.weight * (dual.error + float(end - before))
                covariance = layer.above(covariance, float(value), inner)
            return error + table.error_up_to(cosine) + 4.0 * EPS * diagonal

        return CosineMap(top, table, q, diagonal, inside(1.0), inside)
    return CosineMap(top, table, q, diagonal, error)


def covariance_map(
    dual: DualTable, weight: float, top: float, q: float, contraction: float
) -> Callable[[Array], Array]:
    """Return `xi -> c`, the solution of `c = weight k(q, q, c) + top xi` on [-q, q].

    Args:
        dual: the kernel at the variance q.
        weight: sigma_w^2.
        top: the inputs' part of the variance.
        q: the variance at the fixed point.
        contraction: `sigma_w^2 L^2 < 1`.
    """
    least = 0.5 * (1.0 - min(contraction, 1.0 - EPS))

    def solve(xi: Array) -> Array:
        """Find the root by bracketed secants; the excess increases in c."""
        t = top * xi
        low, high = np.full(t.shape, -q), np.full(t.shape, q)
        before = np.clip(t, -q, q)
        c = np.clip(t + weight * dual(before / q), -q, q)
        excess_before = before - weight * dual(before / q) - t
        for _ in range(_MAX_STEPS):
            excess = c - weight * dual(c / q) - t
            low, high = np.where(excess <= 0.0, c, low), np.where(excess >= 0.0, c, high)
            with np.errstate(all="ignore"):
                slope = (excess - excess_before) / (c - before)
            slope = np.where(np.isfinite(slope) & (slope > least), slope, 1.0)
            step = np.clip(c - excess / slope, low, high)
            before, excess_before = c, excess
            if (np.abs(step - c) <= 2.0 * EPS * q).all():
                return step
            c = step
        raise ConvergenceError(
            f"the off-diagonal fixed point is not found to rounding in {_MAX_STEPS} steps "
            f"(contraction {contraction:.6f}): reduce sigma_w, or ask for a finite depth"
        )

    return solve

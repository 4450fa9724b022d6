"""At equal norms: the map from an inner product of two inputs to their entry of the tangent kernel.

`Theta = K + T`. In the limit `T = S kdot/(1 - sigma_w^2 kdot)`; at finite depth `T(0) = 0`,
`T(l) = kdot(l) (S(l) + sigma_w^2 T(l-1))`. Both ends of the map, the cosines 1 and -1, are approached with the distance
to them as the variable, since kdot has square-root end points where phi has kinks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hermite_dual.activation import Activation
from hermite_dual.errors import ConvergenceError
from hermite_dual.numeric.chebyshev import PiecewiseChebyshev, chebyshev_coefficients, chebyshev_nodes, interpolate
from hermite_dual.numeric.mehler import EPS
from hermite_dual.population.price_dual import Flags, PriceDual, price_dual
from hermite_dual.population.variances import fixed_point_variances, moment

Array = NDArray[np.float64]
Evaluate = Callable[[Array, Array], Array]
"""From the gaps `T - t` and `T + t`, both relatively accurate, to the entry."""

_TOLERANCE = 4e-15
_DEGREES = (15, 23, 35, 47, 71, 95)
"""Degrees tried for a single polynomial in the cosine; beyond, the end points are resolved by square roots."""
_CHECKS = np.cos(np.linspace(0.05, 3.1, 23))
_MAX_STEPS = 100
_POINTS = 4001


@dataclass(frozen=True, eq=False)
class TangentMap:
    """The entry of the tangent kernel as a function of `x = t / T`.

    Attributes:
        top: `T = sigma_u^2 |x|^2 / d + sigma_b^2`, the inner product of a row with itself.
        square_root: whether the variable is `sign(x) (1 - sqrt(1 - |x|))` in place of x.
        interpolant: piecewise Chebyshev in that variable.
        variance: diagonal `S_ii`.
        diagonal: diagonal `Theta_ii`.
        error: estimated error of an entry.
    """

    top: float
    square_root: bool
    interpolant: PiecewiseChebyshev
    variance: float
    diagonal: float
    error: float

    def __call__(self, x: Array) -> Array:
        """Return entries for `t / T`; what rounding has put outside [-1, 1] counts as +-1."""
        inside = np.clip(x, -1.0, 1.0)
        return self.interpolant(
            np.copysign(1.0 - np.sqrt(1.0 - np.abs(inside)), inside) if self.square_root else inside
        )

    def apply(self, matrix: Array) -> None:
        """Replace the entries t of a symmetric matrix, in place."""
        from hermite_dual.numeric.gram_kernels import apply_map

        apply_map(matrix, self.top, 0.0, self.square_root, self.interpolant.edges, self.interpolant.coefficients)
        np.fill_diagonal(matrix, self.diagonal)

    def change(self, error: float, least: float, largest: float) -> float:
        """Estimate what an error of x makes of an entry.

        Args:
            error: of x.
            least: the least x for which the map is used.
            largest: the largest.
        """
        worst = 0.0
        for sign, end in ((-1.0, least), (1.0, largest)):
            gap = np.geomspace(min(max(1.0 - sign * end, 1e-18), 1.0), 1.0, _POINTS)
            near, far = (self(sign * (1.0 - g)) for g in (gap, np.minimum(gap + error, 1.0)))
            worst = max(worst, float(np.abs(near - far).max()))
        return worst


@lru_cache(maxsize=64)
def tangent_map(activation: Activation, weight: float, top: float, depth: int | None) -> TangentMap:
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
    if depth is None:
        duals = [price_dual(activation, float(fixed_point_variances(activation, weight, np.array([top]))[0]))]
        evaluate = _limit(duals[0], weight, top)
    else:
        duals = [price_dual(activation, q) for q in _layer_variances(activation, weight, top, depth)]
        evaluate = _layers(duals, weight)
    diagonal = float(evaluate(np.zeros(1), np.full(1, 2.0 * top))[0])
    slack = _passed_error(duals, weight, depth) + 4.0 * EPS * diagonal
    square_root, interpolant = _fit(evaluate, top, _TOLERANCE * diagonal, all(dual.smooth for dual in duals))
    return TangentMap(top, square_root, interpolant, duals[-1].variance, diagonal, interpolant.error + slack)


def _layer_variances(activation: Activation, weight: float, top: float, depth: int) -> list[float]:
    variances = [top]
    while len(variances) < depth:
        variances.append(weight * moment(activation, variances[-1]) + top)
    return variances


def _limit(dual: PriceDual, weight: float, top: float) -> Evaluate:
    q = dual.variance

    def evaluate(above: Array, below: Array) -> Array:
        # c >= 0 if and only if t >= -weight k(q, q, 0)
        from_top = top - above >= -weight * dual.at_zero
        rest = np.where(from_top, above, below + weight * dual.opposite)
        at = dual.at(from_top, _share(dual, weight, from_top, rest / (2.0 * q)))
        return at.kernel + at.covariance * at.slope / (1.0 - weight * at.slope)

    return evaluate


def _share(dual: PriceDual, weight: float, from_top: Flags, target: Array) -> Array:
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


def _fit(evaluate: Evaluate, top: float, tolerance: float, smooth: bool) -> tuple[bool, PiecewiseChebyshev]:
    """Return a polynomial in the cosine where a moderate degree serves, else pieces in the square-root variable."""

    def of_cosine(x: Array) -> Array:
        return evaluate(top * (1.0 - x), top * (1.0 + x))

    for degree in _DEGREES if smooth else ():
        coefficients = chebyshev_coefficients(of_cosine(chebyshev_nodes(degree)))
        if np.abs(coefficients[-3:]).max() > tolerance:
            continue
        error = float(np.abs(of_cosine(_CHECKS) - np.polynomial.chebyshev.chebval(_CHECKS, coefficients)).max())
        if error <= 4.0 * tolerance:
            last = int(np.flatnonzero(np.abs(coefficients) > 0.0).max(initial=0)) + 1
            return False, PiecewiseChebyshev(np.array([-1.0, 1.0]), coefficients[None, : max(last, 2)], error)

    def upper(w: Array) -> Array:
        gap = (1.0 - w) ** 2
        return evaluate(top * gap, top * (2.0 - gap))

    def lower(w: Array) -> Array:
        gap = (1.0 + w) ** 2
        return evaluate(top * (2.0 - gap), top * gap)

    halves = [interpolate(lower, -1.0, 0.0, 2.0 * tolerance), interpolate(upper, 0.0, 1.0, 2.0 * tolerance)]
    return True, _join(halves)


def _join(parts: list[PiecewiseChebyshev]) -> PiecewiseChebyshev:
    width = max(part.coefficients.shape[1] for part in parts)
    rows = [np.pad(part.coefficients, ((0, 0), (0, width - part.coefficients.shape[1]))) for part in parts]
    edges = np.concatenate([parts[0].edges, *(part.edges[1:] for part in parts[1:])])
    return PiecewiseChebyshev(edges, np.concatenate(rows), max(part.error for part in parts))

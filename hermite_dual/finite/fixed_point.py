"""Fixed points `Z = g(Z)` of maps that act on columns, by plain steps and safeguarded Anderson acceleration.

Where the plain step contracts slowly, Anderson acceleration of type II (D. G. Anderson, J. ACM 12 (1965) 547,
doi:10.1145/321296.321305) combines the last steps so that the linearised residual is least, each column by itself. A
column whose residual does not decrease forgets its history and takes the plain step instead: the acceleration is never
trusted, only used.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hermite_dual.exact_numbers import freeze
from hermite_dual.finite.anderson import Anderson
from hermite_dual.finite.pointwise import Finish, finish_step
from hermite_dual.namespaces import AnyArray

# The residual asked for in float64, relative to the size of Z: some thousand roundings.
TOLERANCE = 1e-12
# Acceleration starts once six plain steps gained less than this ratio each. The spectrum of a random W fills a disk,
# where combining few steps gains little: measured at width 1024 with tanh, it saves a few steps of 50 below the ratio
# and half of 300 above it, while its passes over memory cost as much as the products.
_SLOW_RATIO, _RATIO_STEPS = 0.85, 6
# An iteration whose size passes this has left every range in which a bounded fixed point is plausible.
_BLOW_UP = 1e100


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """Where an iteration ended.

    Attributes:
        Z: the last point at which the map was evaluated, shape (m, n).
        residual: `max |Z - g(Z)|`.
        iterations: evaluations of the map.
        failure: None if the tolerance was reached, else what happened.
    """

    Z: AnyArray
    residual: float
    iterations: int
    failure: str | None

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        freeze(self.Z)


def fixed_point(
    multiply: Callable[[AnyArray], AnyArray],
    finish: Finish,
    start: AnyArray,
    *,
    xp: Any,
    floor: float,
    accelerate: bool,
    max_iterations: int,
) -> FixedPoint:
    """Iterate `Z <- g(Z)` until `max |Z - g(Z)| <= tolerance max(floor, max |Z|)`.

    The map is a matrix product followed by a pointwise function. The tolerance is 1e-12 in float64, 64 roundings in
    other precisions.

    Args:
        multiply: the product, a new array.
        finish: the pointwise function, by rows.
        start: first point, shape (m, n).
        xp: namespace of the arrays.
        floor: least size that the tolerance refers to.
        accelerate: whether slow convergence is accelerated.
        max_iterations: largest number of evaluations of g, >= 1.
    """
    tolerance = TOLERANCE if start.dtype == xp.float64 else 64.0 * float(xp.finfo(start.dtype).eps)
    Z, anderson = start, None
    residual, history = math.inf, [math.inf] * _RATIO_STEPS
    # A diverging iteration is reported as such, not as a floating-point warning.
    with np.errstate(all="ignore"):
        for iteration in range(1, max_iterations + 1):
            step, f, residual, size = finish_step(multiply(Z), Z, finish, xp)
            if not (math.isfinite(residual) and size < _BLOW_UP):
                return FixedPoint(Z, residual, iteration, f"left all bounds after {iteration} steps")
            if residual <= tolerance * max(floor, size):
                return FixedPoint(Z, residual, iteration, None)
            slow = residual > _SLOW_RATIO**_RATIO_STEPS * history[-_RATIO_STEPS]
            history.append(residual)
            if anderson is None and accelerate and slow:
                anderson = Anderson(xp)
            Z = step if anderson is None else anderson.next(step, f)
    reached = f"reached the residual {residual:.1e} in {max_iterations} steps, not {tolerance:.0e}"
    return FixedPoint(Z, residual, max_iterations, reached)

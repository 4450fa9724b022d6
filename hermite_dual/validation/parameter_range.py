"""What the test along a parameter means in the parameter: the values that it would have told from the right one."""

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.errors import HermiteDualError
from hermite_dual.validation.directions import Direction
from hermite_dual.validation.findings import DirectionTest, ParameterRange
from hermite_dual.validation.wide_model import WideModel


def parameter_ranges(
    model: WideModel, X: Array, K: Array, directions: list[Direction], tests: tuple[DirectionTest, ...]
) -> tuple[ParameterRange, ...]:
    """Find the values of sigma_w and sigma_u whose Gram matrix a test would have told from the model's own.

    Args:
        model: the model of infinite width.
        X: samples, shape (n, d).
        K: `model.gram(X).matrix`, shape (n, n).
        directions: the functionals tested.
        tests: their tests, in the same order.

    Returns:
        A record for each parameter that has a direction of its own.
    """
    return tuple(
        ParameterRange(
            name=test.name,
            value=float(getattr(model, test.name)),
            below=_edge(model, X, K, direction, test, -1.0),
            above=_edge(model, X, K, direction, test, 1.0),
        )
        for direction, test in zip(directions, tests, strict=True)
        if test.name in ("sigma_w", "sigma_u")
    )


def _edge(model: WideModel, X: Array, K: Array, direction: Direction, test: DirectionTest, sign: float) -> float | None:
    value, change = float(getattr(model, test.name)), test.detectable
    # Below zero there is no model, above the bound of contraction no equilibrium.
    if not 0.0 < change < 1.0:
        return None
    try:
        moved = model.replace(**{test.name: value * (1.0 + sign * change)}).gram(X).matrix
    except HermiteDualError:
        return None
    response = sign * direction(np.asarray(moved, dtype=np.float64) - K)
    if not response > 0.0:
        return None
    # The first-order change, corrected once for the curvature of K in the parameter.
    change *= test.detectable / response
    return value * (1.0 + sign * change) if change < 1.0 else None

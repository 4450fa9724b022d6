"""The width from which the convergence theorem would hold at random weights, were the network its limit.

The theorem's inequality with the limit's numbers in the place of the network's: `lambda_min(Z^T Z) = m lambda_*`,
`||Z||^2 = m lambda_max(K)`, `||W|| = 2 sigma_w`, outputs of the variances `K_ii`, targets +-1. An estimate: how far a
network of that width is from its limit is not part of it.

Derivation: docs/theory/convergence.md, "At random weights".
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.population.theorem.convergence import Start, balls_around, residual_threshold

if TYPE_CHECKING:
    from hermite_dual.population.gram import Gram

_WIDEST = 2.0**100  # beyond any network
_CLOSE = 1.01  # ratio at which the search for a width ends


def sufficient_width(gram: "Gram", X: Array, slopes: tuple[float, float]) -> float:
    """The least width m, up to a percent, at which the limit's numbers satisfy the theorem for small steps.

    Args:
        gram: the population Gram matrix K of the samples.
        X: samples, shape (n, d).
        slopes: bounds of `sup |phi'|` and `sup |phi''|`.

    Returns:
        An estimate, not a proof; infinite where `2 sigma_w L >= 1`.
    """
    values = np.linalg.eigvalsh(gram.matrix)
    if not (values[0] > 0.0 and 2.0 * gram.model.sigma_w * slopes[0] < 1.0):
        return math.inf
    size = float(np.linalg.norm(X, 2)) ** 2

    def enough(width: float) -> bool:
        start = _limit_start(width, values, gram.matrix.diagonal(), size, gram.model.sigma_w, slopes)
        return any(start.residual < residual_threshold(start, ball, 0.0) for ball in balls_around(start))

    low = high = 1.0
    while not enough(high):
        low, high = high, 4.0 * high
        if high > _WIDEST:
            return math.inf
    while high > _CLOSE * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _limit_start(
    width: float, values: Array, diagonal: Array, size: float, sigma_w: float, slopes: tuple[float, float]
) -> Start:
    """The numbers of a network of a width, as its limit has them; of readouts the largest expected entry."""
    lipschitz, curvature = slopes
    n = len(values)
    kappa = 1.0 - 2.0 * sigma_w * lipschitz
    inputs = math.sqrt(width * float(values[-1]) + size)
    return Start(
        residual=math.sqrt(n + float(diagonal.sum())),
        least=math.sqrt(width * float(values[0])),
        least_states=math.sqrt(width * float(values[0])),
        largest=inputs * math.hypot(1.0, lipschitz / kappa),
        norm=2.0 * sigma_w,
        column=sigma_w,
        inputs=inputs,
        input_column=math.sqrt(width * float(diagonal.max()) + size),
        peak=math.sqrt(2.0 * math.log(2.0 * width * n) / width) / kappa,
        sensitivity=lipschitz / kappa,
        resolvent=1.0 / kappa,
        slope_resolvent=lipschitz / kappa,
        lipschitz=lipschitz,
        curvature=curvature,
        parameters=("a", "W", "U"),
    )

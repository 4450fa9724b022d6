"""How often the least eigenvalue of finite networks is at least half of the population's."""

import math

import numpy as np
from scipy import special

from hermite_dual.arrays import Array
from hermite_dual.validation.findings import LeastEigenvalueFrequency, LeastEigenvalues
from hermite_dual.validation.regression import CONFIDENCE


def least_eigenvalues(K: Array, by_width: dict[int, list[float]], probability: float) -> LeastEigenvalues:
    """Count `lambda_min(Z^T Z) >= m lambda_* / 2`.

    Args:
        K: the matrix under test, shape (n, n).
        by_width: least eigenvalues of the networks' Gram matrices `Z^T Z / m`.
        probability: t in the theorem's width.

    Returns:
        The frequencies, in the order of the widths.
    """
    n, star = len(K), float(np.linalg.eigvalsh(K)[0])
    rows = []
    for width, values in by_width.items():
        held = sum(value >= star / 2.0 for value in values)
        interval = clopper_pearson(held, len(values))
        rows.append(LeastEigenvalueFrequency(width, float(np.mean(values)), held, len(values), interval))
    theorem = (n / star) ** 2 * math.log(n / (star * probability)) if star > 0.0 else None
    return LeastEigenvalues(star, theorem, tuple(rows))


def clopper_pearson(successes: int, trials: int) -> tuple[float, float]:
    """Give the confidence interval of a probability from counts, of at least `CONFIDENCE`.

    Source: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404.

    Args:
        successes: number of successes.
        trials: number of trials.
    """
    tail = (1.0 - CONFIDENCE) / 2.0
    low = float(special.betaincinv(successes, trials - successes + 1, tail)) if successes else 0.0
    high = float(special.betaincinv(successes + 1, trials - successes, 1.0 - tail)) if successes < trials else 1.0
    return low, high

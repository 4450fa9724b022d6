"""How large the spectral norm of a Gaussian matrix is, with a bound of the probability.

Derivation: docs/theory/certificates.md, "Hypotheses".
"""

import math

from hermite_dual.certified.balls.rounding import TINY, UNIT


def contraction_failure(sigma_w: float, lipschitz: float, width: int) -> tuple[float, float]:
    """Bound the probability that `L ||W||_2 >= 1` for `W_ij ~ N(0, sigma_w^2/m)`, shape (m, m).

    `P(||W||_2 >= sigma_w (2 + t)) <= exp(-m t^2/2)`, taken at `2 + t = 1/(sigma_w L)`: Gaussian concentration around
    `E ||W||_2 <= 2 sigma_w`. Source: K. R. Davidson and S. J. Szarek, *Local operator theory, random matrices and
    Banach spaces*, Handbook of the Geometry of Banach Spaces I (2001).

    Args:
        sigma_w: scale of the weights, >= 0.
        lipschitz: an upper bound of L.
        width: m.

    Returns:
        t rounded down, and the bound rounded up; 0 and 1 where `2 sigma_w L >= 1`, beyond which nothing is known.
    """
    if sigma_w == 0.0 and math.isfinite(lipschitz):
        return math.inf, 0.0
    scale = sigma_w * lipschitz
    room = 1.0 / scale * (1 - 16 * UNIT) - 2.0 if 0.0 < scale < math.inf else -1.0
    if room <= 0.0:
        return 0.0, 1.0
    exponent = 0.5 * width * room * room * (1 - 16 * UNIT)
    # exp is within a unit in the last place or two
    return room, min(1.0, math.exp(-exponent) * (1 + 16 * UNIT) + TINY)

"""How fast a dual kernel changes with the covariance, as errors of finite depth need it."""

from functools import lru_cache

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import HermiteDualError
from hermite_dual.numeric.gaussian import product_moment, second_moment
from hermite_dual.numeric.kernel import integrated_kernel
from hermite_dual.population.entries.price_dual import slope_of

_STEP = 2.0**-40
"""Change of the correlation at which the slope is taken where it is infinite at correlation 1."""


@lru_cache(maxsize=1024)
def steepest_slope(activation: Activation, variance: float) -> float:
    """Estimate `sup_c |dk/dc|` at equal variances q: `E[phi'(sqrt(q) Z)^2]`, taken at correlation 1.

    Where phi' is no square-integrable function the slope is infinite there; its average over a relative `2^-40` of the
    covariance stands for it, which bounds what errors of that size or more become: the dual, a power series with
    non-negative coefficients, is nowhere steeper.
    """
    try:
        return float(second_moment(slope_of(activation), variance))
    except HermiteDualError:
        top = product_moment(activation, variance, variance, 1.0)[0]
        step = _STEP * activation.coarseness
        near = integrated_kernel(activation, variance, variance, variance * (1.0 - step))[0]
        return max(0.0, top - near) / (variance * step)


def largest_slope(activation: Activation, variances: Array) -> float:
    """Return the larger of the slopes at the smallest and the largest of some variances."""
    ends = {float(variances.min()), float(variances.max())}
    return max((steepest_slope(activation, q) for q in ends if q > 0.0), default=0.0)

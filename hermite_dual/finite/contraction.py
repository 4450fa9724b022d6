"""Whether a network contracts: the proven Lipschitz constant times the proven norm of its weights."""

from typing import Any

from hermite_dual.certified.balls.rounding import UNIT
from hermite_dual.finite.spectral_norm import NormBounds
from hermite_dual.outcome import Outcome
from hermite_dual.population.theorem.hypothesis_tests import Hypothesis, slope_bound

_NAME = "L ||W||_2 < 1"


def contraction_of(activation: Any, norm: NormBounds) -> Hypothesis:
    """Decide `L ||W||_2 < 1`.

    Args:
        activation: the activation phi; of one without a formula no Lipschitz constant is proven.
        norm: bounds of `||W||_2`.

    Returns:
        PROVEN with an upper bound of `L ||W||_2`, REFUTED with a lower bound, or UNDECIDED: with the upper bound, if
        both factors have one.
    """
    if getattr(activation, "expr", None) is None:
        return Hypothesis(_NAME, Outcome.UNDECIDED, None, "no Lipschitz constant of a Python function is proven")
    if norm.outcome is not Outcome.PROVEN:
        return Hypothesis(_NAME, Outcome.UNDECIDED, None, f"no bound of ||W||_2: {norm.reason}")
    slope = slope_bound(activation, 1)
    if slope.outcome is not Outcome.PROVEN:
        if slope.outcome is Outcome.REFUTED and norm.lower > 0.0:
            return Hypothesis(_NAME, Outcome.REFUTED, float("inf"), "phi has no Lipschitz constant")
        return Hypothesis(_NAME, Outcome.UNDECIDED, None, f"no Lipschitz constant of phi is proven: {slope.reason}")
    high = slope.upper * norm.upper * (1 + 4 * UNIT)
    low = slope.lower * norm.lower * (1 - 4 * UNIT)
    factors = f"L in [{slope.lower!r}, {slope.upper!r}], ||W||_2 in [{norm.lower!r}, {norm.upper!r}]"
    if high < 1.0:
        return Hypothesis(_NAME, Outcome.PROVEN, high, f"{factors}: one equilibrium, found by plain iteration")
    if low >= 1.0:
        return Hypothesis(_NAME, Outcome.REFUTED, low, f"{factors}: equilibria need not exist or be unique")
    return Hypothesis(_NAME, Outcome.UNDECIDED, high, f"{factors}: the product may be 1")

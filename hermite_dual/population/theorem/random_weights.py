"""What is said of networks of a width before their weights are drawn: a distance from the limit, and a linear rate.

Derivation: docs/theory/random_weights.md, "The width".
"""

import math

import sympy as sp

from hermite_dual.activation import Activation
from hermite_dual.certified.balls.rounding import UNIT
from hermite_dual.certified.eigenvalues.eigenvalues import EigenvalueBounds
from hermite_dual.outcome import Outcome
from hermite_dual.population.theorem.gram_deviation import gram_distance
from hermite_dual.population.theorem.hypothesis_tests import Hypothesis
from hermite_dual.population.theorem.limit_numbers import LimitNumbers
from hermite_dual.population.theorem.width import (
    FAILURE,
    estimated_width,
    proven_rate,
    proven_width,
    random_start,
)

LING, TRUONG = "Ling et al., arXiv 2205.13814", "Truong, arXiv 2302.05797"  # the papers whose statements are decided
_ODDS = f"with probability at least {1 - FAILURE:g} over the weights"  # how a statement begins
_DRAWN = f"for targets in [-1, 1] chosen before the weights, {_ODDS}"  # how one about training begins
_SINGLE = "What holds for one network and its targets, its certify_training decides"  # how it ends
_COUNTED = 2.0**53
"""Widths up to it are whole numbers in floats, and printed to the last digit."""


def is_relu(phi: Activation) -> bool:
    """Whether phi is `max(x, 0)`."""
    return phi.expr is not None and bool(sp.simplify(phi.expr - sp.Max(phi.symbol, 0)) == 0)


def near_limit(limit: LimitNumbers | None, width: int) -> Hypothesis:
    """How far `Z^T Z/m` of a network of a width is from K in the 2-norm, but for the probability `FAILURE`."""
    name = f"Z^T Z/m at width {width} is near K"
    if limit is None:
        reason = "K, lambda_* > 0 and a bound of phi' have to be proven first"
        return Hypothesis(name, Outcome.UNDECIDED, None, reason)
    if not 2.0 * limit.sigma_w * limit.lipschitz < 1.0:
        return Hypothesis(name, Outcome.UNDECIDED, None, "2 sigma_w L < 1 is not proven, and no bound is known")
    distance = gram_distance(limit, width, FAILURE)
    if math.isinf(distance):
        return Hypothesis(name, Outcome.UNDECIDED, None, "the bounds do not reach down to this width")
    explanation = f"{_ODDS}, ||Z^T Z/m - K||_2 <= {distance!r}, and so is every entry's distance"
    return Hypothesis(name, Outcome.PROVEN, distance, explanation)


def linear_rate(
    limit: LimitNumbers | None, least: EigenvalueBounds, phi: Activation, width: int, step: float
) -> Hypothesis:
    """The factor of the loss at a width and a step where it is proven, else the width at which it would be.

    Where it is not, the number is the papers' factor `1 - eta lambda_0/2` with `lambda_0 = m lambda_*/2`.
    """
    name = f"linear rate at width {width} and step {step:g}"
    if limit is None:
        return Hypothesis(name, Outcome.UNDECIDED, None, "lambda_* > 0 is not proven")
    factor = 1.0 - 0.25 * step * width * least.lower * (1 - 16 * UNIT)
    papers = f"papers promise the factor 1 - eta m lambda_*/4 <= {factor:.12g} a step beyond a width"
    if is_relu(phi):
        return Hypothesis(name, Outcome.UNDECIDED, factor, f"{papers}; {LING}, leaves its constants open. {_SINGLE}")
    if not math.isfinite(limit.curvature):
        known = "without bounds of phi' and phi'' no width is known here"
        return Hypothesis(name, Outcome.UNDECIDED, factor, f"{papers}; {known}. {_SINGLE}")
    start = random_start(limit, width)
    # three digits are printed, of what must not round upwards
    rate, largest = (0.0, 0.0) if start is None else proven_rate(start, step)
    if rate:
        removed = f"every step takes away at least {0.99 * rate:.3g} of the loss"
        explanation = f"{_DRAWN}, {removed}. {_SINGLE}"
        return Hypothesis(name, Outcome.PROVEN, math.nextafter(1.0 - rate, math.inf), explanation)
    known = f"{_DRAWN}, steps below {0.99 * largest:.3g} are proven at this width" if largest else _missing(limit)
    if factor <= 0.0:
        papers = f"eta m lambda_*/4 >= 1 is too large for the papers; take the step below {step / (1.0 - factor):.3g}"
    return Hypothesis(name, Outcome.UNDECIDED, factor, f"{known}; {papers}. {_SINGLE}")


def _missing(limit: LimitNumbers) -> str:
    """From which width on small steps are proven, and the estimate beside it."""
    enough = proven_width(limit)
    if math.isinf(enough):
        if 2.0 * limit.sigma_w * limit.lipschitz < 1.0:
            return "no width up to 1e30 is proven to do"
        return "2 sigma_w L < 1 is not proven, so that no width is known here"
    size = f"{enough:.0f}" if enough < _COUNTED else f"{1.01 * enough:.3g}"
    return (
        f"{_DRAWN}, small steps are proven from width {size} on; the estimate with the "
        f"limit's numbers in the place of the network's is {estimated_width(limit):.3g}"
    )

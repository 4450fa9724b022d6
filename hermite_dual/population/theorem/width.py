"""The convergence theorem at random weights: what is proven at a width, the width from which on it is, an estimate.

Before anything is drawn the start of training is bounded with a probability, by how far a network is from its limit.
With small steps the theorem then asks for `(kappa/L) (s - Y log(1 + s/Y)) > |r|`, s the least singular value of the
states and Y the norm of states and inputs, whose both sides move the right way as the width grows.

Derivation: docs/theory/random_weights.md, "The start", "The width"; docs/theory/convergence.md, "At random weights".
"""

import math
from collections.abc import Callable

from flint import arb

from hermite_dual.certified.balls.precision import lower_float, upper_float, working_precision
from hermite_dual.population.theorem.convergence import Start, balls_around, largest_step, loss_rate
from hermite_dual.population.theorem.gram_deviation import deviation
from hermite_dual.population.theorem.limit_numbers import LimitNumbers

FAILURE = 0.01
"""Probability with which the weights may be others than a statement allows; it enters by its logarithm."""
_BITS = 80  # of scalars
_SHARES = 6  # norm, least singular value, trace, outputs, peak, readout
_WIDEST = 2.0**100  # beyond any network
_CLOSE = 1.005  # ratio at which the search for a width ends
_STRIDE = 8  # balls of which the largest step is computed: it changes little from one to the next


def random_start(limit: LimitNumbers, width: float, failure: float = FAILURE) -> Start | None:
    """Bound the start of training at random weights, for targets in [-1, 1] that are chosen before them.

    Args:
        limit: numbers of the limit.
        width: m >= 1.
        failure: with this probability at most the weights are others.

    Returns:
        The bounds, which hold together with the probability `1 - failure`, or None where nothing is proven.
    """
    known = deviation(limit, width)
    if known is None:
        return None
    with working_precision(_BITS):
        share = (arb(failure) - known.rare) / _SHARES
        if not share > 0:
            return None
        size = known.size(share)
        trace = None if size is None else known.root_trace(size, share)
        if size is None or trace is None:
            return None
        m, n, L = arb(width), len(limit.states), arb(limit.lipschitz)
        root, tail = m.sqrt(), (2 * (1 / share).log()).sqrt()
        states = lower_float(root * known.least(size, share))
        inputs = (m * size**2 + arb(limit.samples)).sqrt()
        readout = 1 + tail / root
        sensitivity = known.gain * readout
        highest = (2 * (2 * m * n / share).log() / m).sqrt()
        return Start(
            residual=upper_float((trace**2 + n).sqrt() + size * tail),
            least=max(states, 0.0),
            least_states=max(states, 0.0),
            largest=upper_float(inputs * (1 + sensitivity**2).sqrt()),
            norm=upper_float(known.norm),
            column=upper_float(known.column),
            inputs=upper_float(inputs),
            input_column=upper_float((m * size**2 + arb(limit.longest)).sqrt()),
            peak=upper_float((1 + known.column * known.gain) * highest),
            sensitivity=upper_float(sensitivity),
            resolvent=upper_float(1 / known.kappa),
            slope_resolvent=upper_float(L / known.kappa),
            lipschitz=limit.lipschitz,
            curvature=limit.curvature,
            parameters=limit.parameters,
            readout=upper_float(readout),
        )


def small_steps_threshold(start: Start) -> float:
    """A lower bound of the residuals from which small steps converge, `(kappa/L) (s - Y log(1 + s/Y))`.

    The limit of `residual_threshold` for small steps where resolvents are known by the contraction alone.
    """
    with working_precision(_BITS):
        L, s, Y = arb(start.lipschitz), arb(start.least_states), arb(start.inputs)
        kappa = 1 - L * arb(start.norm)
        if not (kappa > 0 and s > 0):
            return 0.0
        return max(0.0, lower_float(kappa / L * (s - Y * (1 + s / Y).log())))


def proven_width(limit: LimitNumbers, failure: float = FAILURE) -> float:
    """The width from which on, at every width, small steps provably converge but for a probability.

    Whatever the targets in [-1, 1], a network of at least this width has, with probability `1 - failure` over its
    weights, a step below which gradient descent converges at a linear rate. At most a percent above the least width
    at which the bounds show that; infinite where there is none, as for `2 sigma_w L >= 1`.
    """

    def enough(width: float) -> bool:
        start = random_start(limit, width, failure)
        return start is not None and start.residual < small_steps_threshold(start)

    return _least_width(enough)


def estimated_width(limit: LimitNumbers) -> float:
    """The least width, up to a percent, at which the limit's own numbers satisfy the theorem for small steps.

    `lambda_min(Z^T Z) = m lambda_*`, `||Z||^2 = m lambda_max(K)`, `||W|| = 2 sigma_w`, outputs of the variances `K_ii`,
    targets +-1. An estimate, not a proof; infinite where `2 sigma_w L >= 1`.
    """
    kappa = 1.0 - 2.0 * limit.sigma_w * limit.lipschitz
    residual = math.sqrt(len(limit.states) + float((limit.states**2).sum()))
    if not (kappa > 0.0 and limit.least > 0.0):
        return math.inf

    def enough(width: float) -> bool:
        s, Y = math.sqrt(width * limit.least), math.sqrt(width * limit.largest + limit.samples)
        return kappa / limit.lipschitz * (s - Y * math.log1p(s / Y)) > residual

    return _least_width(enough)


def proven_rate(start: Start, step: float) -> tuple[float, float]:
    """The part of the loss that every step removes, and the step up to which something is proven; 0 for neither.

    The second number is computed where the first is 0.
    """
    balls = balls_around(start)
    rate = max((loss_rate(start, ball, step) for ball in balls), default=0.0)
    if rate:
        return rate, step
    return 0.0, max((largest_step(start, ball) for ball in balls[::_STRIDE]), default=0.0)


def _least_width(enough: Callable[[float], bool]) -> float:
    """A whole number at which `enough` holds, where it holds from some width on; infinite if beyond `_WIDEST`."""
    low = high = 1.0
    while not enough(high):
        low, high = high, 16.0 * high
        if high > _WIDEST:
            return math.inf
    while high > _CLOSE * low and high - low > 1.0:
        middle = float(math.floor(math.sqrt(low * high)))
        middle = min(max(middle, low + 1.0), high - 1.0) if high - low < 2.0**52 else middle
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high

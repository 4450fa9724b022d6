"""Decides whether gradient descent provably converges from the weights of a network.

Derivation: docs/theory/convergence.md, "The theorem".
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.certified.balls.precision import lower_float, upper_float
from hermite_dual.finite.proven_start import NotProvenError, proven_start
from hermite_dual.finite.training_certificate import TrainingCertificate
from hermite_dual.finite.training_input import check_step, checked_data, default_parameters
from hermite_dual.float_state import own_float_state
from hermite_dual.outcome import Outcome
from hermite_dual.population.entries.trained import check_parameters
from hermite_dual.population.theorem.convergence import (
    Ball,
    Start,
    balls_around,
    largest_step,
    loss_rate,
    residual_threshold,
)

if TYPE_CHECKING:
    from hermite_dual.finite.network import FiniteDEQ

_STRIDE = 8  # balls of which the largest step is computed: it changes little from one to the next
_FRACTIONS = tuple(k / 16 for k in range(1, 16))
"""Fractions of the largest proven step among which the one with the best proven rate is taken."""


@own_float_state
def certify_training(
    network: "FiniteDEQ",
    X: ArrayLike,
    y: ArrayLike,
    step: float | None = None,
    *,
    parameters: tuple[str, ...] | None = None,
) -> TrainingCertificate:
    """Decide whether gradient descent provably converges; see `FiniteDEQ.certify_training`."""
    samples, targets = checked_data(network, X, y)
    names = default_parameters(network) if parameters is None else check_parameters(parameters)
    if step is not None:
        check_step(step)
    known: dict[str, Any] = {"parameters": names, "network": network, "data": (samples, targets)}
    nothing: dict[str, Any] = {"radius": math.inf, "rate": 0.0, "step": math.nan if step is None else float(step)}
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite proves nothing
            start = proven_start(network, samples, targets, names)
    except NotProvenError as obstacle:
        unknown: dict[str, Any] = {"largest_step": 0.0, "residual": math.inf, "threshold": 0.0, "start": None}
        return TrainingCertificate(outcome=Outcome.UNDECIDED, reason=str(obstacle), **unknown, **nothing, **known)
    balls = balls_around(start)
    known |= {"residual": start.residual, "start": start}
    threshold = max((residual_threshold(start, ball, step or 0.0) for ball in balls), default=0.0)
    largest = max((largest_step(start, ball) for ball in balls[::_STRIDE]), default=0.0)
    known |= {"threshold": threshold, "largest_step": largest}
    steps = [fraction * largest for fraction in _FRACTIONS] if step is None else [float(step)]
    proven = [ball for eta in steps if (ball := _smallest(start, balls, eta)) is not None]
    if not proven:
        return TrainingCertificate(
            outcome=Outcome.UNDECIDED, reason=_short(start, threshold, largest, step), **nothing, **known
        )
    smallest, eta, rate = max(proven, key=lambda item: item[2])
    low, high = lower_float(smallest.least), upper_float(smallest.largest)
    reason = f"sigma_min(J) >= {low:.6g} and ||J|| <= {high:.6g} on the way"
    return TrainingCertificate(
        outcome=Outcome.PROVEN, reason=reason, radius=smallest.radius, step=eta, rate=rate, **known
    )


def _smallest(start: Start, balls: list[Ball], step: float) -> tuple[Ball, float, float] | None:
    """The smallest ball in which descent stays, the step and the rate there."""
    for ball in balls:
        if rate := loss_rate(start, ball, step):
            return ball, step, rate
    return None


def _short(start: Start, threshold: float, largest: float, step: float | None) -> str:
    """What is missing and by what factor."""
    size = f"|a^T Z - y| <= {start.residual:.4g}"
    if threshold <= 0.0:
        return (
            f"{size} cannot be small enough at step {step!r}: ||J||^2 = {start.largest**2:.4g} wants steps below "
            f"{2 / start.largest**2:.4g}"
        )
    factor = start.residual / threshold
    if factor < 1.0:
        return f"{size} is small enough for zero loss, but no rate is proven: take a smaller step, or train on"
    text = f"{size} is {factor:.4g} times too large: below {threshold:.4g} the rest would be proven"
    if step is not None and largest > 0.0:
        return f"{text} at this step; steps below {largest:.4g} are proven already"
    return f"{text}; train on, scale the targets down, or draw a wider network"

"""The certificate that gradient descent takes a network to zero loss: its statement, its search, and its file.

Derivation: docs/theory/convergence.md, "The theorem".
"""

import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.data.json_files import plain
from hermite_dual.exact_numbers import real_number
from hermite_dual.finite.convergence import (
    Ball,
    Start,
    balls_around,
    largest_step,
    loss_rate,
    residual_threshold,
)
from hermite_dual.finite.gradients import check_parameters
from hermite_dual.finite.proven_start import NotProven, proven_start
from hermite_dual.finite.training import check_step, checked_data, default_parameters
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import facts
from hermite_dual.outcome import Outcome

if TYPE_CHECKING:
    from hermite_dual.finite.network import FiniteDEQ

_PARTS = tuple(k / 16 for k in range(1, 16))
"""Parts of the largest proven step among which the one with the best proven rate is taken."""


@dataclass(frozen=True, eq=False)
class TrainingCertificate:
    """What is proven of gradient descent on `1/2 |a^T Z - y|^2` from the weights of a network.

    PROVEN: exact gradient descent from exactly these weights with the step stays within `radius` of them in the
    Euclidean norm of all trained parameters, has one equilibrium at every epoch, `loss(tau) <= (1 - rate)^tau loss(0)`,
    and converges to a point within the radius where the loss is exactly zero.

    Attributes:
        outcome: PROVEN or UNDECIDED.
        reason: how it was proven, or what is short and by what factor.
        radius: R; infinite if UNDECIDED.
        step: step size eta; NaN if none was given and none is proven.
        rate: part of the loss that every step removes, at least; 0 if UNDECIDED.
        largest_step: the statement without the rate holds for all smaller steps; 0 if for none.
        residual: upper bound of `|a^T Z - y|` at the start; infinite if unknown.
        threshold: residuals below it are proven to go to zero at this step, and at small steps where none is given,
            as long as nothing else changes; 0 if unknown.
        start: the numbers that the proof rests on; None if one of them is not proven.
        parameters: names of the trained parameters.
        network: the network that it is about.
        data: samples and targets.
    """

    outcome: Outcome
    reason: str
    radius: float
    step: float
    rate: float
    largest_step: float
    residual: float
    threshold: float
    start: Start | None
    parameters: tuple[str, ...]
    network: "FiniteDEQ" = field(repr=False)
    data: tuple[Array, Array] = field(repr=False)

    @property
    def shortfall(self) -> float:
        """How many times too large the residual is: below 1 where the rest is proven."""
        return self.residual / self.threshold if self.threshold > 0 else math.inf

    def _facts(self) -> list[tuple[str, str]]:
        rows = [("|a^T Z - y| at most", f"{self.residual:.6g}"), ("proven below", f"{self.threshold:.6g}")]
        if self.outcome is Outcome.PROVEN:
            rows += [
                ("distance to zero loss at most", f"{self.radius:.6g}"),
                ("step", f"{self.step:.6g}, any below {self.largest_step:.6g}"),
                ("loss removed by every step", f"{self.rate:.6g} of it at least"),
            ]
        return rows

    def __str__(self) -> str:
        """Return the outcome, its reason and the numbers."""
        head = f"{self.outcome.value}: gradient descent on {', '.join(self.parameters)} converges to zero loss"
        lines = [f"  {name}: {value}" for name, value in self._facts()]
        return "\n".join([head, f"  {self.reason}", *lines])

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        return facts(f"{self.outcome.value}: gradient descent converges to zero loss", self._facts(), self.reason)

    def to_dict(self) -> dict[str, Any]:
        """Return every number, without weights and data, as strings and numbers; what is not finite becomes None."""
        names = ("outcome", "reason", "radius", "step", "rate", "largest_step", "residual", "threshold", "parameters")
        content = {name: plain(getattr(self, name)) for name in names}
        return content | {"start": None if self.start is None else plain(asdict(self.start))}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the statement as JSON, and beside it, in .npz, the weights and data that it is about.

        `hermite-dual verify PATH --data NPZ` proves it again from them.

        Args:
            path: ends in .json.

        Returns:
            The path.

        Raises:
            InvalidInputError: the path ends otherwise, nothing is proven, or the activation has no formula.
            DataFileError: a file cannot be written.
        """
        from hermite_dual.finite.training_file import save_certificate

        return save_certificate(self, Path(path))


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
    about: dict[str, Any] = {"parameters": names, "network": network, "data": (samples, targets)}
    nothing = {"radius": math.inf, "rate": 0.0, "step": math.nan if step is None else float(step)}
    try:
        start = proven_start(network, samples, targets, names)
    except NotProven as reason:
        unknown = {"largest_step": 0.0, "residual": math.inf, "threshold": 0.0, "start": None}
        return TrainingCertificate(outcome=Outcome.UNDECIDED, reason=str(reason), **unknown, **nothing, **about)
    balls = balls_around(start)
    about |= {"residual": start.residual, "start": start}
    threshold = max((residual_threshold(start, ball, step or 0.0) for ball in balls), default=0.0)
    largest = max((largest_step(start, ball) for ball in balls), default=0.0)
    about |= {"threshold": threshold, "largest_step": largest}
    steps = [part * largest for part in _PARTS] if step is None else [float(step)]
    proven = [ball for eta in steps if (ball := _smallest(start, balls, eta)) is not None]
    if not proven:
        return TrainingCertificate(
            outcome=Outcome.UNDECIDED, reason=_short(start, threshold, largest, step), **nothing, **about
        )
    smallest, eta, rate = max(proven, key=lambda item: item[2])
    reason = f"sigma_min(J) >= {float(smallest.least.lower()):.6g} and ||J|| <= {float(smallest.largest.upper()):.6g} on the way"
    return TrainingCertificate(
        outcome=Outcome.PROVEN, reason=reason, radius=smallest.radius, step=eta, rate=rate, **about
    )


def _smallest(start: Start, balls: list[Ball], step: float) -> tuple[Ball, float, float] | None:
    """The smallest ball in which descent stays, the step and the rate there."""
    for ball in balls:
        if start.residual < residual_threshold(start, ball, step):
            return ball, step, loss_rate(start, ball, step)
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
    text = f"{size} is {factor:.4g} times too large: below {threshold:.4g} the rest would be proven"
    if step is not None and largest > 0.0:
        return f"{text} at this step; steps below {largest:.4g} are proven already"
    return f"{text}; train on, scale the targets down, or draw a wider network"

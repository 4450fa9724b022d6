"""What is proven of training: a result that prints, and writes a file that can be proven again."""

import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hermite_dual.arrays import Array
from hermite_dual.data.json_files import plain
from hermite_dual.finite.training_file import save_certificate
from hermite_dual.notebook import Shown, facts
from hermite_dual.outcome import Outcome
from hermite_dual.population.theorem.convergence import Start

if TYPE_CHECKING:
    from hermite_dual.finite.network import FiniteDEQ


@dataclass(frozen=True, eq=False, repr=False)
class TrainingCertificate(Shown):
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
        """The residual over the threshold, below 1 where the rest is proven."""
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

        `hermite-dual verify PATH NPZ` proves it again from them.

        Args:
            path: ends in .json.

        Returns:
            The path.

        Raises:
            InvalidInputError: the path ends otherwise, nothing is proven, or the activation has no formula.
            DataFileError: a file cannot be written.
        """
        return save_certificate(self, Path(path))

"""What a training run leaves: its measurements by epoch, and the theory's claims held against them."""

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hermite_dual import showing
from hermite_dual.arrays import Array
from hermite_dual.data.json_files import plain
from hermite_dual.notebook import Shown, facts

if TYPE_CHECKING:
    from hermite_dual.finite.network import FiniteDEQ
    from hermite_dual.finite.training_certificate import TrainingCertificate


# What rounding may add to one side of a claim, relatively: claims that hold with equality, such as at epoch 0, pass.
_ROUNDING = 1e-9


@dataclass(frozen=True, repr=False)
class TrainingClaim(Shown):
    """A claim of the convergence theorem, held against one run; measured in floating point, not proven.

    Attributes:
        name: the claim.
        holds: whether it held at every epoch of the run.
        first_failure: the first epoch at which it failed; None if it held.
        worst: the largest ratio of the side that must be smaller to the other, over the epochs after the start, where
            two of the claims are equalities or trivial; of the start itself if there is no other.
    """

    name: str
    holds: bool
    first_failure: int | None
    worst: float

    def __str__(self) -> str:
        """Return one line."""
        when = "holds" if self.holds else f"fails first at epoch {self.first_failure}"
        return f"{self.name}: {when} (worst ratio {self.worst:.6g})"


@dataclass(frozen=True, eq=False, repr=False)
class TrainingRun(Shown):
    """Gradient descent on `1/2 |a^T Z - y|^2`: measurements before every step, and the theorem's claims.

    Epoch 0 is the network as drawn. `lambda_0 = lambda_min(Z^T Z)` there; `tau` counts epochs.

    Attributes:
        network: the trained network.
        loss: `1/2 |a^T Z - y|^2` by epoch, shape (epochs + 1,).
        norm: `||W||_2` by epoch, a measured number that is below the norm by at most a relative 1e-6 or so.
        least_eigenvalue: `lambda_min(Z^T Z)` by epoch.
        residual: largest residual of the equilibria by epoch.
        step: step size eta.
        parameters: names of the trained parameters.
        lipschitz: Lipschitz constant L of the activation.
        method: "gradient" or "gauss-newton"; the claim about the rate is one about the gradient.
        certificate: what the last attempt to prove convergence gave; None if there was none.
        proven_from: the epoch from which exact gradient descent is proven to reach zero loss; None if from none.
        stopped: why the run ended before the epochs asked for; None if it did not.
        interrupted: whether that was Ctrl-C.
    """

    network: "FiniteDEQ" = field(repr=False)
    loss: Array
    norm: Array
    least_eigenvalue: Array
    residual: Array
    step: float
    parameters: tuple[str, ...]
    lipschitz: float
    stopped: str | None
    method: str = "gradient"
    certificate: "TrainingCertificate | None" = None
    proven_from: int | None = None
    interrupted: bool = False

    @property
    def epochs(self) -> int:
        """Number of steps that were taken and measured."""
        return len(self.loss) - 1

    @property
    def rate_bound(self) -> Array:
        """`(1 - eta lambda_0 / 2)^tau loss(0)` by epoch; NaN where `eta lambda_0 >= 2`, which no bound covers."""
        factor = 1.0 - 0.5 * self.step * float(self.least_eigenvalue[0])
        if not 0.0 < factor <= 1.0 or self.method != "gradient":
            return np.where(np.arange(len(self.loss)) == 0, self.loss[0], np.nan)
        return np.asarray(factor ** np.arange(len(self.loss)) * self.loss[0])

    @property
    def proven_bound(self) -> Array:
        """`(1 - rate)^(tau - N) loss(N)` from the epoch N = `proven_from` on; NaN before it and where there is none.

        The loss at N is the certificate's upper bound. What follows is proven of exact arithmetic, not of the run.
        """
        bound = np.full(len(self.loss), np.nan)
        if self.proven_from is not None and self.certificate is not None and self.method == "gradient":
            later = np.arange(len(self.loss) - self.proven_from)
            bound[self.proven_from :] = 0.5 * self.certificate.residual**2 * (1.0 - self.certificate.rate) ** later
        return bound

    @property
    def claims(self) -> tuple[TrainingClaim, ...]:
        """Linear rate (of the gradient method alone), contraction and least eigenvalue, each held against the run."""
        lambda_0 = self.least_eigenvalue[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = _claim("loss(tau) <= (1 - eta lambda_0/2)^tau loss(0)", _ratio(self.loss, self.rate_bound))
            others = (
                _claim("||W(tau)||_2 < 1/L", self.norm * self.lipschitz, strict=True),
                _claim(
                    "lambda_tau >= lambda_0/2", _ratio(np.full_like(self.loss, 0.5 * lambda_0), self.least_eigenvalue)
                ),
            )
        return (rate, *others) if self.method == "gradient" else others

    @property
    def holds(self) -> bool:
        """Whether all claims held at every epoch of a run of one step at least, with `lambda_0 > 0`."""
        return self.epochs > 0 and all(claim.holds for claim in self.claims) and bool(self.least_eigenvalue[0] > 0.0)

    def __str__(self) -> str:
        """Return a line of numbers, the claims, and why the run ended."""
        lines = [
            f"{self.epochs} epochs at step {self.step:.4g}: loss {self.loss[0]:.6g} -> {self.loss[-1]:.6g}, "
            f"||W||_2 {self.norm[0]:.6g} -> {self.norm[-1]:.6g}, "
            f"lambda_min(Z^T Z) {self.least_eigenvalue[0]:.6g} -> {self.least_eigenvalue[-1]:.6g}",
            *(f"  {claim}" for claim in self.claims),
        ]
        if self.epochs == 0:
            lines.append("  no step was taken: rate and least eigenvalue were not put to the test")
        lines += [f"  {self.proof}"] if self.proof else []
        return "\n".join(lines if self.stopped is None else [*lines, f"  stopped: {self.stopped}"])

    @property
    def proof(self) -> str:
        """What is proven, in a sentence; empty if no proof was asked for."""
        if self.certificate is None:
            return ""
        if self.proven_from is None:
            return f"zero loss is not proven: {self.certificate.reason}"
        return (
            f"proven from epoch {self.proven_from} on: exact gradient descent at step {self.certificate.step:.4g} "
            f"converges to zero loss, {100 * self.certificate.rate:.3g} percent of it a step at least, and stays "
            f"within {self.certificate.radius:.4g} of the weights of that epoch"
        )

    def _repr_html_(self) -> str:
        """Return a table for notebooks: the claims, and the measurements at both ends."""
        rows = [
            (c.name, f"{'holds' if c.holds else f'fails first at epoch {c.first_failure}'} (worst ratio {c.worst:.6g})")
            for c in self.claims
        ]
        measured = (("loss", self.loss), ("||W||_2", self.norm), ("lambda_min(Z^T Z)", self.least_eigenvalue))
        rows += [(name, f"{values[0]:.6g} -> {values[-1]:.6g}") for name, values in measured]
        rows += [("proof", self.proof)] if self.proof else []
        title = f"{self.epochs} epochs at step {self.step:.4g}"
        return facts(title, rows, "" if self.stopped is None else f"stopped: {self.stopped}")

    def to_dict(self) -> dict[str, Any]:
        """Return every number, without the weights, as lists, strings and numbers; NaN becomes None."""
        return {
            "epochs": self.epochs,
            "step": self.step,
            "parameters": list(self.parameters),
            "lipschitz": plain(self.lipschitz),
            "stopped": self.stopped,
            "interrupted": self.interrupted,
            "method": self.method,
            "proven_from": self.proven_from,
            "certificate": None if self.certificate is None else self.certificate.to_dict(),
            "holds": self.holds,
            "claims": [
                {"name": c.name, "holds": c.holds, "first_failure": c.first_failure, "worst": plain(c.worst)}
                for c in self.claims
            ],
            "loss": plain(self.loss),
            "rate_bound": plain(self.rate_bound),
            "proven_bound": plain(self.proven_bound),
            "norm": plain(self.norm),
            "least_eigenvalue": plain(self.least_eigenvalue),
            "residual": plain(self.residual),
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the run as a page of its own, or every number as JSON; the same run gives the same bytes.

        Args:
            path: ends in .html, for a page that needs nothing else and no network, or in .json; complete or absent.

        Returns:
            The path.

        Raises:
            InvalidInputError: The ending names another format.
            DataFileError: The file cannot be written.
        """
        return showing.save(self, path)

    def plot(self) -> NDArray[Any]:
        """Draw loss, `||W||_2` and least eigenvalue by epoch; see `plot_run`.

        Returns:
            The Axes, shape (3,).
        """
        axes: NDArray[Any] = showing.plot(self)
        return axes


def _ratio(smaller: Array, larger: Array) -> Array:
    # 0 <= 0 holds: a loss of zero, or a least eigenvalue that is zero from the start.
    return np.where((smaller == 0.0) & (larger == 0.0), 0.0, smaller / larger)


def _claim(name: str, ratio: Array, *, strict: bool = False) -> TrainingClaim:
    limit = 1.0 if strict else 1.0 + _ROUNDING
    good = ratio < limit if strict else ratio <= limit  # NaN fails
    failures = np.flatnonzero(~good)
    later = ratio[1:] if len(ratio) > 1 else ratio
    known = later[~np.isnan(later)]
    worst = float(known.max()) if known.size else math.nan
    return TrainingClaim(name, failures.size == 0, int(failures[0]) if failures.size else None, worst)

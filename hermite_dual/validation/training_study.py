"""Gradient descent on networks of several widths and activations, with the theorem's claims held against every run.

The setting is that of Figure 1 of Ling et al. (arXiv 2205.13814): training loss and `||W||_2` by epoch for several
widths, on points of a sphere and on images, at `s^2 = 0.08`; `lambda_min(Z^T Z)` and other activations are added here.
"""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hermite_dual import showing
from hermite_dual.activation import ActivationLike, activation
from hermite_dual.arrays import Array
from hermite_dual.data.digits import load_digits
from hermite_dual.data.files import check_samples
from hermite_dual.data.store import digest_of_array
from hermite_dual.errors import ConvergenceError, InvalidInputError
from hermite_dual.exact_numbers import check_count
from hermite_dual.finite import FiniteDEQ, sample_network
from hermite_dual.finite.training_run import TrainingRun
from hermite_dual.notebook import Shown
from hermite_dual.population.entries.inputs import on_sphere, rows_text
from hermite_dual.progress import Progress
from hermite_dual.versions import versions

if TYPE_CHECKING:
    from hermite_dual.population.theorem.hypotheses import TheoremCheck


ACTIVATIONS = ("relu", "tanh", "gelu", "softplus", "sin")
# The papers train these; their networks have no bias.
_PARAMETERS = ("a", "W", "U")
# The step as a part of the largest that is stable for the linearised network at the start.
_STEP_PART = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class StudyRun(Shown):
    """One run of a study.

    Attributes:
        activation: name of the activation.
        width: width of the network.
        run: what was measured; None if the run ended with an error.
        error: the error's message, if there was one.
        lipschitz: Lipschitz constant L of the activation.
    """

    activation: str
    width: int
    run: TrainingRun | None
    error: str | None
    lipschitz: float

    @property
    def holds(self) -> bool:
        """Whether the run went through and every claim held at every epoch."""
        return self.run is not None and self.run.holds

    def __str__(self) -> str:
        """Return the activation and width, and what the run says."""
        return f"{self.activation}, width {self.width}: {self.error if self.run is None else self.run}"


@dataclass(frozen=True, eq=False, repr=False)
class TrainingStudy(Shown):
    """Runs over activations and widths on the same data.

    Attributes:
        runs: in the order of activations, then widths.
        data: what the samples are.
        samples: number n of samples.
        inputs: number d of inputs.
        rows: whether the samples have norm sqrt(d), or which norms they have.
        sigma_w2: the papers' `s^2`.
        epochs: steps asked for.
        seed: seed of data and networks.
        data_digest: SHA-256 of the samples, their shape and their type.
        targets_digest: the same of the targets.
        versions: of the package, Python, NumPy and SciPy.
        interrupted: whether Ctrl-C ended it; the runs are those done before.
    """

    runs: tuple[StudyRun, ...]
    data: str
    samples: int
    inputs: int
    rows: str
    sigma_w2: float
    epochs: int
    seed: int
    data_digest: str
    targets_digest: str
    versions: dict[str, str]
    interrupted: bool = False

    @property
    def holds(self) -> bool:
        """Whether every claim held at every epoch of every run."""
        return all(run.holds for run in self.runs)

    @property
    def failed(self) -> bool:
        """Whether a claim failed in a run, or a run ended with an error."""
        return any(item.run is None or not all(claim.holds for claim in item.run.claims) for item in self.runs)

    @property
    def lessons(self) -> tuple[str, ...]:
        """For each activation whose wide networks do not contract at this `s^2`: why, and what to do."""
        constants = {item.activation: item.lipschitz for item in self.runs}
        texts = (_lesson(name, constant, self.sigma_w2) for name, constant in constants.items())
        return tuple(lesson for lesson in texts if lesson)

    def __str__(self) -> str:
        """Return all runs, a paragraph each."""
        head = f"{self.data}, n = {self.samples}, d = {self.inputs}, {self.rows}, s^2 = {self.sigma_w2:g}"
        end = ["interrupted: these are the runs done before"] if self.interrupted else []
        return "\n".join([head, *map(str, self.runs), *self.lessons, *end])

    def to_dict(self) -> dict[str, Any]:
        """Return every number as lists, strings and numbers."""
        return {
            "data": self.data,
            "samples": self.samples,
            "inputs": self.inputs,
            "rows": self.rows,
            "sigma_w2": self.sigma_w2,
            "epochs": self.epochs,
            "seed": self.seed,
            "data_digest": self.data_digest,
            "targets_digest": self.targets_digest,
            "versions": self.versions,
            "interrupted": self.interrupted,
            "lessons": list(self.lessons),
            "holds": self.holds,
            "runs": [
                {
                    "activation": item.activation,
                    "width": item.width,
                    "error": item.error,
                    "run": None if item.run is None else item.run.to_dict(),
                }
                for item in self.runs
            ],
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def save(self, path: str | os.PathLike[str], checks: "Sequence[TheoremCheck]" = ()) -> Path:
        """Write the study as a page of its own, or every number as JSON; the same study gives the same bytes.

        Args:
            path: ends in .html, for a page that needs nothing else and no network, or in .json; complete or absent.
            checks: what `model.check(X)` says of each activation, to be listed as well.

        Returns:
            The path.

        Raises:
            InvalidInputError: The ending names another format.
            DataFileError: The file cannot be written.
        """
        return showing.save(self, path, checks=checks)

    def plot(self) -> NDArray[Any]:
        """Draw loss, `||W||_2` and least eigenvalue by epoch; see `plot_training`.

        Returns:
            The Axes, shape (activations, 3).
        """
        axes: NDArray[Any] = showing.plot(self)
        return axes


def training_study(
    activations: Sequence[ActivationLike] = ACTIVATIONS,
    data: str | tuple[ArrayLike, ArrayLike] = "sphere",
    widths: Sequence[int] = (256, 512, 1024),
    *,
    samples: int = 200,
    inputs: int = 200,
    sigma_w2: float = 0.08,
    epochs: int = 60,
    step: float | None = None,
    seed: int = 0,
    certify: bool = False,
    progress: Progress | None = None,
) -> TrainingStudy:
    """Train networks of every activation and width by gradient descent, and hold the theorem's claims against them.

    Networks follow the papers' laws, `W ~ N(0, 2 s^2/m)`, `U ~ N(0, 2/d)`, `a ~ N(0, 1/m)`, and W, U and a are trained.
    Network of width m: seed `SeedSequence(seed, spawn_key=(m,))`, the same for every activation.

    Args:
        activations: activations, each whatever `hermite_dual.activation` reads.
        data: "sphere": n points spread evenly over the sphere of radius sqrt(d), targets +1 or -1 by chance; "digits":
            the first n embedded images, scaled to the sphere, targets +1 for even digits and -1 for odd ones; or a
            pair `(X, y)` of shapes (n, d), (n,), taken as it is.
        widths: widths m.
        samples: n for "sphere" and "digits".
        inputs: d for "sphere".
        sigma_w2: the papers' `s^2 >= 0`; their condition is `s^2 < 1/(8 L^2)`.
        epochs: steps of gradient descent, >= 0.
        step: step size for all runs; by default half of each network's `stable_step`.
        seed: seed of data and networks, >= 0.
        certify: look for the epoch from which each run is proven; see `FiniteDEQ.certify_training`.
        progress: called after every epoch with the activation's name, the width and the loss as text, and how many of
            how many epochs of all runs are done; a run that ends early counts as whole.

    Returns:
        The runs. One that cannot start or go on, such as one with `sigma_w` too large, says why. Ctrl-C ends the
        study after the first run's first epoch; before, it is a KeyboardInterrupt.

    Raises:
        InvalidInputError: An argument lies outside what is stated above.
    """
    if not activations or not widths:
        raise InvalidInputError("activations and widths need one element each, at least: pass ('tanh',) and (256,)")
    seed = check_count("seed", seed, 0, "the seed", None)
    if not (math.isfinite(sigma_w2) and sigma_w2 >= 0.0):
        raise InvalidInputError(f"sigma_w2={sigma_w2!r}: allowed are finite numbers >= 0. Pass 0.08 for the papers'.")
    widths = [check_count("widths: width", width, 1, "each number of neurons") for width in widths]
    name, X, y = study_data(data, samples, inputs, seed)
    runs: list[StudyRun] = []
    interrupted = False
    planned = list(product(map(activation, activations), widths))
    for number, (phi, width) in enumerate(planned):
        report = None if progress is None else _within(progress, f"{phi.name}, width {width}", number, len(planned))
        try:
            net = sample_network(
                phi,
                sigma_w=math.sqrt(2.0 * sigma_w2),
                sigma_u=math.sqrt(2.0),
                width=width,
                inputs=X.shape[1],
                seed=np.random.SeedSequence(seed, spawn_key=(width,)),
                memory=math.inf,
            )
            runs.append(_run(net, phi.name, X, y, step, epochs, certify, report))
        except KeyboardInterrupt:
            if not runs:
                raise
            interrupted = True
        last = runs[-1].run
        if interrupted := interrupted or (last is not None and last.interrupted):
            break
    return TrainingStudy(
        runs=tuple(runs),
        data=name,
        samples=X.shape[0],
        inputs=X.shape[1],
        rows=rows_text(X),
        sigma_w2=float(sigma_w2),
        epochs=epochs,
        seed=seed,
        data_digest=digest_of_array(X),
        targets_digest=digest_of_array(y),
        versions=versions(),
        interrupted=interrupted,
    )


def _lesson(name: str, constant: float, sigma_w2: float) -> str:
    norm = 2.0 * math.sqrt(2.0 * sigma_w2)
    if norm == 0.0 or norm * constant < 1.0:
        return ""
    if math.isinf(constant):
        return f"{name} has no Lipschitz constant, so that no sigma_w > 0 guarantees an equilibrium. Take another."
    return (
        f"s^2 = {sigma_w2:g} is too large for {name}: ||W||_2 is near 2 sqrt(2 s^2) = {norm:.4g} in wide networks, and "
        f"the equilibrium is proven to exist and to be unique only where L ||W||_2 < 1, with L = {constant:.4g}. The "
        f"theorem asks s^2 < 1/(8 L^2) = {1.0 / (8.0 * constant**2):.4g}: take sigma_w2 (--sigma-w2) below that."
    )


def _run(
    net: FiniteDEQ,
    name: str,
    X: Array,
    y: Array,
    step: float | None,
    epochs: int,
    certify: bool,
    progress: Progress | None,
) -> StudyRun:
    try:
        chosen = _STEP_PART * net.stable_step(X, _PARAMETERS) if step is None else step
        run = net.train(X, y, chosen, epochs, parameters=_PARAMETERS, certify=certify, progress=progress)
    except ConvergenceError as error:
        return StudyRun(name, net.width, None, str(error), float(net.activation.lipschitz))
    return StudyRun(name, net.width, run, None, run.lipschitz)


def _within(progress: Progress, run: str, number: int, runs: int) -> Progress:
    """Tell of one run's epochs as of a part of those of all runs."""

    def report(what: str, epoch: int, epochs: int) -> None:
        progress(f"{run}: {what}", number * (epochs + 1) + epoch + 1, runs * (epochs + 1))

    return report


def study_data(data: str | tuple[ArrayLike, ArrayLike], n: int, d: int, seed: int) -> tuple[str, Array, Array]:
    """Give what the samples are, the samples and the targets of a study.

    Args:
        data: as in `training_study`.
        n: number of samples for "sphere" and "digits".
        d: number of inputs for "sphere".
        seed: seed of the study.

    Raises:
        InvalidInputError: There are no such data.
    """
    if isinstance(data, tuple) and len(data) == 2:
        return "given samples", check_samples(data[0], "X"), np.asarray(data[1])
    n = check_count("samples", n, 1, "the number of samples")
    if data == "sphere":
        d = check_count("inputs", d, 1, "the number of inputs")
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(0,))))
        return "sphere", on_sphere(generator.standard_normal((n, d))), generator.choice([-1.0, 1.0], n)
    if data == "digits":
        images, labels = load_digits()
        if n > len(images):
            raise InvalidInputError(f"samples={n}: there are {len(images)} digits. Pass at most that many.")
        return "digits", on_sphere(images[:n]), np.where(labels[:n] % 2 == 0, 1.0, -1.0)
    raise InvalidInputError(f"data={data!r}: allowed are 'sphere', 'digits' or a pair (X, y)")

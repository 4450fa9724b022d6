"""The report of a validation: the verdict, and every number that it rests on."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hermite_dual import showing
from hermite_dual.data.json_files import plain
from hermite_dual.notebook import Shown, Told, facts
from hermite_dual.validation.findings import (
    Comparison,
    ConfirmedTest,
    ControlFindings,
    DirectionTest,
    EntryTest,
    LeastEigenvalues,
    ParameterRange,
    WidthError,
)
from hermite_dual.validation.text import describe
from hermite_dual.validation.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class ValidationReport(Shown):
    """Finite networks against a population Gram matrix.

    Attributes:
        verdict: AGREE, DISAGREE or INCONCLUSIVE.
        reason: the verdict in one sentence.
        directions: the tests of the linear functionals.
        entries: the simultaneous test of every entry.
        parameter_ranges: what the tests along sigma_w and sigma_u mean in sigma_w and sigma_u.
        control: the control variates and the test of their mean.
        confirmation: what the first networks rejected, tested on fresh ones; empty where they rejected nothing.
        replicas_needed: networks per width with which AGREE is said of a correct population with probability 0.9, as
            far as these networks tell; None beyond a million.
        comparisons: closed form, numeric Gram matrix, given matrix and networks, pairwise.
        least_eigenvalues: how often `lambda_min(Z^T Z) >= m lambda_* / 2`.
        errors_by_width: relative errors of the networks of each width.
        slope: exponent of the normalized error in the width, expected to be -1/2; NaN where an error is zero. The error
            weighs all eigenvectors of K alike, which makes it steady from network to network.
        slope_error: its standard error.
        slope_interval: its confidence interval at 95 %.
        frobenius_slope: the same of the relative Frobenius error, which few eigenvectors dominate: far noisier.
        frobenius_slope_error: its standard error.
        frobenius_slope_interval: its confidence interval at 95 %.
        error_probability: of each stage; DISAGREE for a correct population has at most the square of it.
        scale_tolerance: relative error in the scale that had to be visible for AGREE.
        entry_tolerance: the same in the median entry, relative to the mean of the diagonal.
        widths: widths of the networks.
        replicas: networks per width.
        seed: seed of the networks.
        samples: number n of samples.
        inputs: number d of input coordinates.
        rows: whether the samples have norm sqrt(d), or which norms they have.
        population: "model.gram(X)" or "given".
        parameters: parameters of the model.
        data_digest: SHA-256 of the samples, their shape and their type.
        versions: of the package, Python, NumPy and SciPy.
        notes: what happened that the reader should know, such as damaged files that were computed again.
    """

    verdict: Verdict
    reason: str
    directions: tuple[DirectionTest, ...]
    entries: EntryTest
    parameter_ranges: tuple[ParameterRange, ...]
    control: ControlFindings
    confirmation: tuple[ConfirmedTest, ...]
    replicas_needed: int | None
    comparisons: tuple[Comparison, ...]
    least_eigenvalues: LeastEigenvalues
    errors_by_width: tuple[WidthError, ...]
    slope: float
    slope_error: float
    slope_interval: tuple[float, float]
    frobenius_slope: float
    frobenius_slope_error: float
    frobenius_slope_interval: tuple[float, float]
    error_probability: float
    scale_tolerance: float
    entry_tolerance: float
    widths: tuple[int, ...]
    replicas: int
    seed: int
    samples: int
    inputs: int
    rows: str
    population: str
    parameters: dict[str, Any]
    data_digest: str
    versions: dict[str, str]
    notes: tuple[str, ...]

    def _told(self) -> Told:
        names = ("population", "samples", "inputs", "widths", "replicas", "slope", "slope_error", "seed")
        subject = ("activation", self.parameters.get("activation", ""))
        return [("verdict", self.verdict), ("reason", self.reason), subject, *((n, getattr(self, n)) for n in names)]

    def to_dict(self) -> dict[str, Any]:
        """Give every field as dictionaries, lists, strings, numbers, booleans and None.

        Returns:
            The fields; NaN and infinities, which JSON lacks, as None.
        """
        content: dict[str, Any] = plain(asdict(self))
        return content

    def to_json(self) -> str:
        """Give the report as a JSON document."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def _repr_html_(self) -> str:
        """Give a table for notebooks, the verdict first."""
        rows = [
            ("activation", self.parameters.get("activation", "")),
            ("population", self.population),
            ("samples, inputs", f"{self.samples}, {self.inputs}; {self.rows}"),
            ("widths", ", ".join(map(str, self.widths))),
            ("networks per width", self.replicas),
            ("exponent of the error in the width", f"{self.slope:.3f} +- {self.slope_error:.3f}"),
            ("probability of a false DISAGREE", self.error_probability**2),
            ("seed", self.seed),
        ]
        return facts(f"{self.verdict.value}: {self.reason}", rows)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report as a page of its own, or every number as JSON; the same report gives the same bytes.

        Args:
            path: ends in .html, for a page that needs nothing else and no network, or in .json; complete or absent.

        Returns:
            The path.

        Raises:
            InvalidInputError: The ending names another format.
            DataFileError: The file cannot be written.
        """
        return showing.save(self, path)

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the errors by width; see `plot_error_by_width`.

        Args:
            axes: where to draw; by default on a new figure.

        Returns:
            The Axes.
        """
        drawn: Axes = showing.plot(self, axes=axes)
        return drawn

    def __str__(self) -> str:
        return describe(self)

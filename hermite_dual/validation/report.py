"""The report of a validation: the verdict, and every number that it rests on."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from hermite_dual.notebook import facts
from hermite_dual.validation.findings import DirectionTest, EntryTest, WidthError
from hermite_dual.validation.verdict import Verdict


@dataclass(frozen=True)
class ValidationReport:
    """Finite networks against a population Gram matrix.

    Attributes:
        verdict: AGREE, DISAGREE or INCONCLUSIVE.
        reason: The verdict in one sentence.
        directions: The tests of the linear functionals.
        entries: The simultaneous test of every entry.
        errors_by_width: Relative errors of the networks of each width.
        slope: Exponent of the normalized error in the width, expected to be -1/2; NaN where an error is zero. The error
            weighs all eigenvectors of K alike, which makes it steady from network to network.
        slope_error: Its standard error.
        frobenius_slope: The same of the relative Frobenius error, which few eigenvectors dominate: far noisier.
        frobenius_slope_error: Its standard error.
        error_probability: Largest probability of DISAGREE for a correct population.
        scale_tolerance: Relative error in the scale that had to be visible for AGREE.
        entry_tolerance: The same in the median entry, relative to the mean of the diagonal.
        widths: Widths of the networks.
        replicas: Networks per width.
        seed: Seed of the networks.
        samples: Number n of samples.
        inputs: Number d of input coordinates.
        population: "model.gram(X)" or "given".
        parameters: Parameters of the model.
    """

    verdict: Verdict
    reason: str
    directions: tuple[DirectionTest, ...]
    entries: EntryTest
    errors_by_width: tuple[WidthError, ...]
    slope: float
    slope_error: float
    frobenius_slope: float
    frobenius_slope_error: float
    error_probability: float
    scale_tolerance: float
    entry_tolerance: float
    widths: tuple[int, ...]
    replicas: int
    seed: int
    samples: int
    inputs: int
    population: str
    parameters: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Give every field as dictionaries, lists, strings, numbers, booleans and None.

        Returns:
            The fields; NaN and infinities, which JSON lacks, as None.
        """
        content: dict[str, Any] = _finite(asdict(self))
        return content

    def to_json(self) -> str:
        """Give the report as a JSON document."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def _repr_html_(self) -> str:
        """Give a table for notebooks, the verdict first."""
        rows = [
            ("activation", self.parameters.get("activation", "")),
            ("population", self.population),
            ("samples, inputs", f"{self.samples}, {self.inputs}"),
            ("widths", ", ".join(map(str, self.widths))),
            ("networks per width", self.replicas),
            ("exponent of the error in the width", f"{self.slope:.3f} +- {self.slope_error:.3f}"),
            ("probability of a false DISAGREE", self.error_probability),
            ("seed", self.seed),
        ]
        return facts(f"{self.verdict.value}: {self.reason}", rows)

    def __str__(self) -> str:
        return f"{self.verdict.value}: {self.reason}"


def _finite(value: Any) -> Any:
    if isinstance(value, Verdict):
        return value.value
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

"""The main job from an activation to a verdict, with its figures and every number in one JSON file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hermite_dual._version import __version__
from hermite_dual.arrays import Array
from hermite_dual.certified.eigenvalues.eigenvalues import EigenvalueBounds
from hermite_dual.data.json_files import write_json
from hermite_dual.deq import DEQ
from hermite_dual.dual import Dual
from hermite_dual.population.gram import Gram
from hermite_dual.progress import Progress
from hermite_dual.report.plot import plot_dual_kernel, plot_error_by_width, plot_spectrum
from hermite_dual.report.style import save_figure
from hermite_dual.validation import ValidationReport, validate

# Hermite coefficients and kernel values that are listed.
_COEFFICIENTS, _KERNEL_POINTS = 16, 41


@dataclass(frozen=True, eq=False)
class DemoResult:
    """Everything that the main job computed.

    Attributes:
        dual: the dual of the activation.
        model: the model of infinite width.
        data: where the samples come from.
        X: the samples, shape (n, d).
        gram: the population Gram matrix.
        least: its least eigenvalue.
        report: the validation.
    """

    dual: Dual
    model: DEQ
    data: str
    X: Array
    gram: Gram
    least: EigenvalueBounds
    report: ValidationReport

    def to_dict(self) -> dict[str, Any]:
        """Give every number, without times or dates: the same run gives the same content."""
        matrix = np.asarray(self.gram.matrix)
        rho = np.linspace(-1.0, 1.0, _KERNEL_POINTS)
        closed_form = self.dual.closed_form
        return {
            "version": __version__,
            "activation": self.dual.activation.name,
            "closed_form": None if closed_form is None else str(closed_form),
            "hermite_coefficients": self.dual.coefficients(_COEFFICIENTS),
            "dual_kernel": {"rho": rho, "value": self.dual(rho)},
            "model": self.model.parameters(),
            "data": {"source": self.data, "samples": self.X.shape[0], "inputs": self.X.shape[1]},
            "gram": {
                "diagonal": [float(np.diag(matrix).min()), float(np.diag(matrix).max())],
                "mean": float(matrix.mean()),
                "largest_entry_error": float(np.max(self.gram.entry_error)),
                "eigenvalues": np.linalg.eigvalsh(matrix)[::-1],
            },
            "least_eigenvalue": {
                "lower": self.least.lower,
                "estimate": self.least.estimate,
                "upper": self.least.upper,
                "outcome": self.least.outcome.value,
            },
            "validation": self.report.to_dict(),
        }


def run_demo(
    dual: Dual,
    model: DEQ,
    X: Array,
    *,
    data: str,
    widths: tuple[int, ...] = (256, 512, 1024),
    replicas: int = 8,
    seed: int = 0,
    progress: Progress | None = None,
) -> DemoResult:
    """Compute the population Gram matrix and its least eigenvalue, and hold finite networks against it.

    Args:
        dual: the dual of the activation.
        model: the model of infinite width.
        X: samples, shape (n, d), one per row.
        data: where the samples come from, in words.
        widths: widths of the networks.
        replicas: networks per width.
        seed: seed of the networks.
        progress: called after each network with "networks", and how many of how many are done.

    Returns:
        Everything computed.

    Raises:
        HermiteDualError: As the model, the Gram matrix and the validation raise.
    """
    gram = model.gram(X)
    report = validate(model, X, widths=widths, replicas=replicas, seed=seed, progress=progress)
    return DemoResult(dual, model, data, X, gram, gram.least_eigenvalue(), report)


def write_demo(result: DemoResult, folder: Path) -> list[Path]:
    """Write the figures and `demo.json`, each complete or not at all.

    Args:
        result: what to write.
        folder: where; made if missing.

    Returns:
        The files written.

    Raises:
        DataFileError: The folder or a file cannot be written.
    """
    figures = {
        "dual_kernel.png": plot_dual_kernel(result.dual),
        "spectrum.png": plot_spectrum(result.gram),
        "error_by_width.png": plot_error_by_width(result.report),
    }
    written = []
    for name, axes in figures.items():
        written.append(save_figure(axes, folder / name))
    write_json(folder / "demo.json", result.to_dict())
    return [*written, folder / "demo.json"]

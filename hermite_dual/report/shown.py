"""How each kind of result is shown: its page, what its JSON file holds, and its figure."""

import os
from functools import singledispatch
from pathlib import Path
from typing import Any

from hermite_dual.cross_dual import CrossDual
from hermite_dual.finite.training_run import TrainingRun
from hermite_dual.mean_fields.phase_diagram import PhaseDiagram
from hermite_dual.population.gram import Gram
from hermite_dual.report.save import save_result
from hermite_dual.validation.report import ValidationReport
from hermite_dual.validation.training_study import TrainingStudy


def save(result: Any, path: str | os.PathLike[str], **options: Any) -> Path:
    """Write a result as a page of its own, or every number as JSON; the file is complete or absent.

    Args:
        result: a `ValidationReport`, `TrainingRun` or `TrainingStudy`.
        path: ends in .html or .json.
        options: what else the page shows.
    """
    return save_result(path, lambda: page(result, **options), lambda: content(result, **options))


@singledispatch
def page(result: Any, **_: Any) -> str:
    """Return the page of a result."""
    raise TypeError(f"{type(result).__name__} has no page")


@singledispatch
def content(result: Any, **_: Any) -> dict[str, Any]:
    """Return what the JSON file of a result holds."""
    content: dict[str, Any] = result.to_dict()
    return content


@singledispatch
def figure(result: Any, **_: Any) -> Any:
    """Draw a result on Matplotlib's Axes, which are returned."""
    raise TypeError(f"{type(result).__name__} has no figure")


# Pages and figures are imported when they are made: JSON needs no Matplotlib.


@page.register
def _(result: ValidationReport) -> str:
    from hermite_dual.report.validation_page import validation_page

    return validation_page(result)


@figure.register
def _(result: ValidationReport, **options: Any) -> Any:
    from hermite_dual.report.plot import plot_error_by_width

    return plot_error_by_width(result, **options)


@page.register
def _(result: TrainingRun) -> str:
    from hermite_dual.report.training_page import run_page

    return run_page(result)


@figure.register
def _(result: TrainingRun) -> Any:
    from hermite_dual.report.training_plot import plot_run

    return plot_run(result)


@page.register
def _(result: TrainingStudy, **options: Any) -> str:
    from hermite_dual.report.training_page import study_page

    return study_page(result, **options)


@content.register
def _(result: TrainingStudy, **options: Any) -> dict[str, Any]:
    from hermite_dual.report.training_page import study_content

    return study_content(result, **options)


@figure.register
def _(result: TrainingStudy) -> Any:
    from hermite_dual.report.training_plot import plot_training

    return plot_training(result)


@figure.register
def _(result: CrossDual, **options: Any) -> Any:
    from hermite_dual.report.plot import plot_dual_kernel

    return plot_dual_kernel(result, **options)


@figure.register
def _(result: Gram, **options: Any) -> Any:
    from hermite_dual.report.plot import plot_spectrum

    return plot_spectrum(result, **options)


@figure.register
def _(result: PhaseDiagram) -> Any:
    from hermite_dual.report.phase_plot import plot_phase_diagram

    return plot_phase_diagram(result)

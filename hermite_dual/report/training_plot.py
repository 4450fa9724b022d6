"""The figure of a training study: loss, `||W||_2` and `lambda_min(Z^T Z)` by epoch, a row per activation."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from hermite_dual.finite.training_run import TrainingRun
from hermite_dual.report.style import BLACK, BLUE, GREEN, GREY, ORANGE, literal
from hermite_dual.validation.training_study import StudyRun, TrainingStudy

# Colour and line of each width, told apart in print without colours as well.
_STYLES = ((BLUE, "-"), (ORANGE, (0, (5, 1.5))), (GREEN, "-."), (BLACK, ":"))
# Inches of one panel.
_PANEL = (3.1, 2.1)
_CLAIMS = ("rate", "contraction", "eigenvalue")
_TITLES = ("training loss, and its bound (thin)", r"$\|W\|_2$", r"$\lambda_{\min}(Z^{\top}Z)\,/\,\lambda_0$")


def plot_training(study: TrainingStudy) -> NDArray[Any]:
    """Draw the runs of a study, a row of three panels per activation.

    Loss with the theorem's bound `(1 - eta lambda_0/2)^tau loss(0)`, dotted where a proof begins and what it says of
    the loss; `||W||_2` with the limit `1/L`; the least eigenvalue relative to its start with the limit 1/2.

    Args:
        study: the runs.

    Returns:
        The Axes, shape (activations, 3), of a new figure outside any global state.
    """
    names = list(dict.fromkeys(item.activation for item in study.runs))
    widths = sorted({item.width for item in study.runs})
    figure = Figure(figsize=(3 * _PANEL[0], len(names) * _PANEL[1] + 0.7), layout="constrained")
    grid: NDArray[Any] = figure.subplots(len(names), 3, squeeze=False, sharex=True)
    for row, name in zip(grid, names, strict=True):
        for item in study.runs:
            if item.activation == name and item.run is not None:
                _draw(row, item.run, f"m = {item.width}", _STYLES[widths.index(item.width) % len(_STYLES)])
        _finish(row, f"{literal(name)}: {_verdict([item for item in study.runs if item.activation == name])}")
    _label(grid, moved=any(item.run is not None and item.run.epochs > 0 for item in study.runs))
    sizes = f"n = {study.samples}, d = {study.inputs}, $s^2$ = {study.sigma_w2:g}"
    head = f"Gradient descent on {literal(study.data)}, {sizes}"
    figure.suptitle(head, fontsize=11, x=0.01, ha="left")
    return grid


def plot_run(run: TrainingRun) -> NDArray[Any]:
    """Draw one run, with the panels of `plot_training`.

    Args:
        run: the run.

    Returns:
        The Axes, shape (3,), of a new figure outside any global state.
    """
    figure = Figure(figsize=(3 * _PANEL[0], _PANEL[1] + 0.4), layout="constrained")
    grid: NDArray[Any] = figure.subplots(1, 3, squeeze=False)
    _draw(grid[0], run, f"m = {run.network.width}", _STYLES[0])
    _finish(grid[0], "")
    _label(grid, moved=run.epochs > 0)
    row: NDArray[Any] = grid[0]
    return row


def _label(grid: NDArray[Any], *, moved: bool) -> None:
    """Name columns, axes and lines; `moved` says whether there is any epoch beside the first."""
    for axes, title in zip(grid[0], _TITLES, strict=True):
        axes.set_title(title, fontsize=10, loc="left")
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if not moved:
            axes.set_xlim(-0.5, 0.5)
            axes.set_xticks([0])
    handles, labels = _legend(grid)
    grid[0, 0].figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)


def _verdict(items: list[StudyRun]) -> str:
    """Say whether every claim holds in every run, or which fail."""
    if all(item.holds for item in items):
        return "all claims hold"
    if any(item.run is None for item in items):
        return "a run ended with an error"
    failed = {
        name
        for item in items
        if item.run is not None
        for name, claim in zip(_CLAIMS, item.run.claims, strict=True)
        if not claim.holds
    }
    return f"{' and '.join(sorted(failed))} fails" if failed else "not tested"


def _draw(row: NDArray[Any], run: TrainingRun, label: str, style: tuple[str, Any]) -> None:
    colour, line = style
    epochs = np.arange(len(run.loss))
    looks: dict[str, Any] = {"color": colour, "linestyle": line, "linewidth": 1.6}
    if len(epochs) == 1:
        looks["marker"] = "o"  # a line of one point is invisible
    row[0].plot(epochs, run.loss, label=label, **looks)
    row[0].plot(epochs, run.rate_bound, color=colour, linestyle=line, linewidth=0.7, alpha=0.7)
    if run.proven_from is not None:
        row[0].axvline(run.proven_from, color=colour, linestyle=":", linewidth=1.2, label="proven from here on")
        row[0].plot(epochs, run.proven_bound, color=colour, linestyle=":", linewidth=1.0)
    row[1].plot(epochs, run.norm, **looks)
    if 0.0 < run.lipschitz < np.inf:
        row[1].axhline(1.0 / run.lipschitz, color=GREY, linestyle="--", linewidth=1.0)
    start = run.least_eigenvalue[0]
    if start > 0.0:
        row[2].plot(epochs, run.least_eigenvalue / start, **looks)


def _finish(row: NDArray[Any], label: str) -> None:
    for axes in row:
        axes.grid(visible=True, which="major", color="#DDDDDD", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    # A loss of zero, or no run at all, leaves nothing for a logarithm.
    if any(np.any(np.asarray(line.get_ydata()) > 0.0) for line in row[0].get_lines()):
        row[0].set_yscale("log")
    row[0].set_ylabel(label, fontsize=9)
    row[2].axhline(0.5, color=GREY, linestyle="--", linewidth=1.0)
    for axes in row[1:]:
        # The limit of a claim stays clear of the frame.
        axes.set_ylim(0.0, 1.05 * axes.get_ylim()[1])


def _legend(grid: NDArray[Any]) -> tuple[list[Any], list[str]]:
    handles: dict[str, Any] = {}
    for axes in grid[:, 0]:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    limit = grid[0, 2].get_lines()[-1]
    return [*handles.values(), limit], [*handles, "limit of the claim"]

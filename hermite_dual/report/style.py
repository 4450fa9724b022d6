"""The look of every figure: sizes, colours, grid; nothing global is changed."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hermite_dual.data.atomic import atomic_path
from hermite_dual.errors import InvalidInputError

# Okabe and Ito's palette, told apart with every common colour blindness (https://jfly.uni-koeln.de/color/).
BLUE, ORANGE, GREEN, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#000000", "#6E6E6E"
_COLOURS = (BLUE, ORANGE, GREEN, BLACK, "#CC79A7", "#E69F00", "#56B4E9", GREY)
_DASHES: tuple[str | tuple[int, tuple[int, ...]], ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (8, 2)))

MOST_LINES = len(_COLOURS)
"""Lines that a figure tells apart, by colour and by dashes."""

# One column of a journal, wide enough for a legend, in inches; and dots per inch for print.
_SIZE, RESOLUTION = (5.6, 3.8), 200

# Entries of a legend that find room beside the curves.
_INSIDE = 4

# Without a date, which would change the bytes.
_METADATA: dict[str, dict[str, Any]] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": {}}


def new_axes() -> Axes:
    """Make an Axes in a new Figure that no global state knows of."""
    axes: Axes = Figure(figsize=_SIZE, layout="constrained").add_subplot()
    return axes


def looks() -> Iterator[tuple[str, str | tuple[int, tuple[int, ...]]]]:
    """Colour and dashes of one line after another: each pair differs from the others in both."""
    return zip(_COLOURS, (*_DASHES, (0, (3, 1, 1, 1))), strict=True)


def save_figure(axes: Axes, path: str | os.PathLike[str]) -> Path:
    """Write the figure of the Axes as .pdf, .svg or .png; the same figure gives the same bytes.

    Args:
        axes: as the functions of `hermite_dual.report.plot` return them.
        path: the file; it is complete or absent.

    Returns:
        The path.

    Raises:
        InvalidInputError: The ending names another format.
        DataFileError: The file cannot be written.
    """
    target = Path(path)
    if target.suffix not in _METADATA:
        raise InvalidInputError(f"file {str(path)!r}: the ending tells the format; there are {', '.join(_METADATA)}")
    with atomic_path(target) as temporary, matplotlib.rc_context({"svg.hashsalt": "hermite-dual", "pdf.fonttype": 42}):
        cast(Figure, axes.figure).savefig(temporary, dpi=RESOLUTION, metadata=_METADATA[target.suffix])
    return target


def literal(text: str) -> str:
    """Return the text so that matplotlib shows it as it is, without reading dollar signs as mathematics."""
    return text.replace("$", r"\$")


def finish(axes: Axes, *, title: str, x: str, y: str) -> Axes:
    """Label the axes and draw the common grid and frame.

    Args:
        axes: where the data stand.
        title: what the figure shows.
        x: label of the horizontal axis.
        y: label of the vertical axis.

    Returns:
        The same Axes.
    """
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, which="major", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    entries = len(axes.get_legend_handles_labels()[0])
    if entries > _INSIDE:
        axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    elif entries:
        axes.legend(frameon=False, fontsize=9)
    return axes

"""The look of every figure: sizes, colours, grid; nothing global is changed."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart with every common colour blindness (https://jfly.uni-koeln.de/color/).
BLUE, ORANGE, GREEN, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#000000", "#6E6E6E"

# One column of a journal, wide enough for a legend, in inches; and dots per inch for print.
_SIZE, RESOLUTION = (5.6, 3.8), 200


def new_axes() -> Axes:
    """Make an Axes in a new Figure that no global state knows of."""
    axes: Axes = Figure(figsize=_SIZE, layout="constrained").add_subplot()
    return axes


def finish(axes: Axes, *, title: str, x: str, y: str) -> Axes:
    """Label the axes and draw the common grid and frame.

    Args:
        axes: Where the data stand.
        title: What the figure shows.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.

    Returns:
        The same Axes.
    """
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, which="major", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9)
    return axes

"""The figure of a phase diagram: depth scales of correlations over the scales, with the edge of chaos."""

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.patches import Patch

from hermite_dual.mean_fields.phase_diagram import PhaseDiagram
from hermite_dual.report.style import BLACK, GREY, finish, literal, new_axes

# Depth scales that the colours tell apart: a layer, and the depth of the deepest networks trained.
_LAYERS = (1.0, 1000.0)
# Dark at short scales, and read alike with every colour blindness.
_COLOURS = "cividis"
_DIVERGENT = "#E6E6E6"


def plot_phase_diagram(diagram: PhaseDiagram, axes: Axes | None = None) -> Axes:
    """Draw the depth scale `xi_c = -1/log C'(c*)` of correlations, the edge of chaos, and where variances diverge.

    Args:
        diagram: as `hermite_dual.phase_diagram` returns it.
        axes: where to draw; by default on a new figure.

    Returns:
        The Axes.
    """
    axes = axes or new_axes()
    at_zero = np.where(diagram.q == 0.0, diagram.xi_1, np.nan)
    scales = np.clip(np.where(np.isnan(diagram.chi_c), at_zero, diagram.xi_c), *_LAYERS)
    mesh = axes.pcolormesh(
        diagram.sigma_w,
        diagram.sigma_b,
        scales.T,
        norm=LogNorm(*_LAYERS),
        cmap=_COLOURS,
        shading="nearest",
        rasterized=True,
    )
    bar = axes.figure.colorbar(mesh, ax=axes, extend="both")
    bar.set_label(r"depth scale $\xi_c$ of correlations, layers")
    bar.outline.set_visible(False)
    handles: list[Artist] = []
    if np.isinf(diagram.q).any():
        axes.set_facecolor(_DIVERGENT)
        handles.append(Patch(facecolor=_DIVERGENT, edgecolor=GREY, label="variances diverge"))
    marker = "o" if len(diagram.edge) == 1 else ""
    axes.plot(*diagram.edge.T, color="white", linewidth=3.2, marker=marker, markersize=8)
    handles += axes.plot(
        *diagram.edge.T, color=BLACK, linewidth=1.4, marker=marker, markersize=5, label="edge of chaos"
    )
    axes.set_xlim(diagram.sigma_w.min(), diagram.sigma_w.max())
    axes.set_ylim(diagram.sigma_b.min(), diagram.sigma_b.max())
    name = literal(diagram.activation.name)
    finish(axes, title=f"Mean field of wide {name} networks", x=r"$\sigma_w$", y=r"$\sigma_b$")
    axes.grid(visible=False)
    axes.legend(handles=handles, fontsize=9, loc="upper left", framealpha=0.9, edgecolor=GREY)
    return axes

"""Figures as SVG elements inside a page."""

import io
import re
from html import escape
from typing import cast

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Without any of these no metadata are written, among them addresses and a date.
_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))

# On a narrow page a figure shrinks to this part of its width, where its letters can still be read; then it scrolls.
_SHRINK = 0.65


def inline_svg(axes: Axes, name: str, description: str) -> str:
    """Return the figure of the Axes as an `svg` element; the same figure gives the same text.

    Args:
        axes: any Axes of the figure.
        name: letters, a prefix of the identifiers inside, which differ from figure to figure of a page.
        description: what readers hear who do not see the figure.
    """
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "hermite-dual", "svg.fonttype": "path"}):
        cast(Figure, axes.figure).savefig(stream, format="svg", metadata=_METADATA)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    # In HTML the element needs no namespaces, and its style sheet would apply to the whole page.
    head, body = text.split(">", 1)
    body = re.sub(r"<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href=", "href=")
    body = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{name}-", body)
    size = re.search(r'width="([\d.]+)pt" height="[\d.]+pt" (viewBox="[^"]*")', head)
    if size is None:  # pragma: no cover, a change of matplotlib
        raise RuntimeError(f"matplotlib writes an SVG head that is not known: {head}")
    width, box = float(size[1]), size[2]
    style = f"width: {width:g}pt; min-width: {_SHRINK * width:g}pt"
    return f'<svg role="img" aria-label="{escape(description)}" style="{style}" {box}>{body.strip()}'

"""Sphinx configuration."""

from pathlib import Path
from typing import Any

from hermite_dual import __version__

project = "hermite_dual"
author = "The hermite_dual developers"
copyright = f"2026, {author}"  # noqa: A001
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx-mathjax-offline"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_generated"]

html_theme = "furo"
html_title = f"hermite_dual {release}"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False
napoleon_use_rtype = False

nitpicky = True
# Names that autodoc finds in signatures; the pages of other projects are not fetched when the documentation is built.
nitpick_ignore_regex = [
    ("py:.*", r"(os|numpy|np|sklearn|sp|sympy|mpmath|flint|matplotlib|collections|typing|pathlib|enum)(\..*)?"),
    ("py:.*", r"(.*\.)?(NDArray|ArrayLike|Floats|Array|Any|Expr|Axes|Method|Model|Norm|ActivationLike|optional)"),
    ("py:class", r"(float64|int64|Path|Callable|Sequence|Iterable)"),
]


def write_catalogue(_app: object) -> None:
    """Write the table of named activations, each with what the package itself derives."""
    import sympy as sp

    import hermite_dual as hd

    rows = ["| name | $\\phi(x)$ | $L$ | closed | source |", "|---|---|---|---|---|"]
    for entry in hd.catalogue():
        k = hd.dual(entry.name)
        parameters = "".join(f" {key} = {value}" for key, value in entry.defaults.items())
        constant = "none" if k.activation.lipschitz == float("inf") else f"{k.activation.lipschitz:.6g}"
        formula = sp.latex(sp.N(k.activation.expr, 6) if entry.name == "selu" else k.activation.expr)
        # A bar would end the cell of the table.
        formula = formula.replace(r"\left|", r"\left\vert ").replace(r"\right|", r"\right\vert ")
        closed = "no" if k.closed_form is None else "yes"
        rows.append(f"| `{entry.name}`{parameters} | ${formula}$ | {constant} | {closed} | {entry.source} |")
    folder = Path(__file__).parent / "_generated"
    folder.mkdir(exist_ok=True)
    (folder / "catalogue.md").write_text("\n".join(rows) + "\n", encoding="utf-8")


def setup(app: Any) -> None:
    """Generate pages before Sphinx reads them."""
    app.connect("builder-inited", write_catalogue)

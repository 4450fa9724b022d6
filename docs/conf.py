"""Sphinx configuration."""

from hermite_dual import __version__

project = "hermite_dual"
author = "The hermite_dual developers"
copyright = f"2026, {author}"  # noqa: A001
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

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
    ("py:.*", r"(os|numpy|np|sp|sympy|mpmath|flint|matplotlib|collections|typing|pathlib|enum)(\..*)?"),
    ("py:.*", r"(NDArray|ArrayLike|Floats|Array|Any|Expr|Axes|Method|Norm|ActivationLike|optional)"),
    ("py:class", r"(float64|int64|Path|Callable|Sequence|Iterable)"),
]

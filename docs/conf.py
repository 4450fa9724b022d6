"""Sphinx configuration."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from hermite_dual import __version__

sys.path.insert(0, str(Path(__file__).parent))
from atlas_pages import write_atlas
from benchmark_figures import write_figures
from gallery import write_gallery

project = "hermite_dual"
author = "The hermite_dual developers"
copyright = f"2026, {author}"  # noqa: A001
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx-mathjax-offline"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_generated/*.md"]

# Blocks without a language are commands of a shell.
highlight_language = "none"

html_theme = "furo"
html_title = f"hermite_dual {release}"
html_static_path = ["_static"]
html_css_files = ["atlas.css"]
html_js_files = [("atlas.js", {"defer": "defer"})]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False
napoleon_use_rtype = False

nitpicky = True
# Names that autodoc finds in signatures; the pages of other projects are not fetched when the documentation is built.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(os|fractions|numpy|np|sklearn|sp|sympy|mpmath|flint|matplotlib|collections|typing|pathlib|enum)(\..*)?",
    ),
    (
        "py:.*",
        r"(.*\.)?(NDArray|ArrayLike|DTypeLike|Array|Any|Expr|Axes|Method|Model|Norm|ActivationLike|optional)",
    ),
    ("py:class", r"(float64|int64|Path|Callable|Sequence|Iterable)"),
    ("py:class", r"hermite_dual\.report\.tables\.(columns|cells)\..*"),
]


def write_catalogue(_app: object) -> None:
    """Write the table of named activations, each with what the package itself derives."""
    import hermite_dual as hd
    from hermite_dual.symbolic.printing import latex_with_values

    rows = ["| name | $\\phi(x)$ | $L$ | closed | source |", "|---|---|---|---|---|"]
    for entry in hd.catalogue():
        k = hd.dual(entry.name)
        parameters = "".join(f" {key} = {value}" for key, value in entry.defaults.items())
        constant = "none" if k.activation.lipschitz == float("inf") else f"{k.activation.lipschitz:.6g}"
        formula = latex_with_values(k.activation.expr)
        # A bar would end the cell of the table.
        formula = formula.replace(r"\left|", r"\left\vert ").replace(r"\right|", r"\right\vert ")
        closed = "no" if k.closed_form is None else "yes"
        rows.append(f"| `{entry.name}`{parameters} | ${formula}$ | {constant} | {closed} | {entry.source} |")
    folder = Path(__file__).parent / "_generated"
    folder.mkdir(exist_ok=True)
    (folder / "catalogue.md").write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_benchmarks(_app: object) -> None:
    """Write figures and tables of `benchmarks.json`, which `benchmarks/run.py --json` leaves, or say there is none."""
    folder = Path(__file__).parent
    generated = folder / "_generated"
    generated.mkdir(exist_ok=True)
    source = folder / "benchmarks.json"
    if source.exists():
        content = json.loads(source.read_text(encoding="utf-8"))
        machine = content["machine"]
        versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
        threads = (
            ", ".join(f"{name}={value}" for name, value in machine["threads"].items()) or "as the libraries choose"
        )
        place = f"{machine['processor']}, {machine['cores']} cores, {machine['system']}"
        text = (
            f"Taken on {machine['date']}: {place}, load {machine['load']} at the start, threads {threads}. "
            f"Versions: {versions}.\n\n"
        )
        figures = write_figures(content["benchmarks"], generated, f"{place}, {machine['date']}")
        text += "".join(f"![{caption}](_generated/{name})\n\n" for name, caption in figures)
        text += "\n\n".join(f"`{name}`\n\n{_table(rows)}" for name, rows in content["benchmarks"].items() if rows)
    else:
        text = "```{note}\nNo measurements are kept with this version: run `python benchmarks/run.py --json`.\n```"
    (generated / "benchmarks.md").write_text(text + "\n", encoding="utf-8")


def _table(rows: list[dict[str, Any]]) -> str:
    def cell(value: Any) -> str:
        return f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)

    keys = list(rows[0])
    lines = [[key.replace("_", " ") for key in keys], ["---"] * len(keys)]
    lines += [[cell(row[key]) for key in keys] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def trim_sessions(_app: object, _page: str, source: list[str]) -> None:
    """Take away the blank line that ends a Python session, which doctest needs and readers do not."""
    source[0] = re.sub(r"(?ms)^(```pycon\n.*?\n)\n(```)$", r"\1\2", source[0])


def setup(app: Any) -> None:
    """Generate pages before Sphinx reads them."""
    app.connect("source-read", trim_sessions)
    app.connect("builder-inited", write_catalogue)
    app.connect("builder-inited", write_benchmarks)
    app.connect("builder-inited", lambda _app: write_gallery())
    app.connect("builder-inited", lambda _app: write_atlas())

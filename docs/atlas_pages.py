"""The pages of the atlas: one for each record of `hermite_dual/data/atlas.json`, the index, and what can be downloaded.

Nothing is computed: every number is taken from the file.
"""

import csv
import html
import io
import json
from pathlib import Path
from typing import Any

from hermite_dual.atlases import snippets

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "hermite_dual" / "data" / "atlas.json"
TARGET = ROOT / "docs" / "_generated" / "atlas"
KERNELS = (
    ("dual", "Dual kernel"),
    ("derivative_dual", "Dual of the derivative"),
    ("cross_x", "With the identity, $\\mathbb E[\\varphi(u)\\,v]$"),
    ("cross_derivative", "With its own derivative, $\\mathbb E[\\varphi(u)\\,\\varphi'(v)]$"),
)
CONSTANTS = (
    ("V", "$V(1)=\\mathbb E[\\varphi(Z)^2]$"),
    ("gain", "gain $V(1)^{-1/2}$"),
    ("critical_gain", "critical gain $\\mathbb E[\\varphi'(Z)^2]^{-1/2}$"),
    ("mu_0", "$\\mu_0$"),
    ("mu_1", "$\\mu_1$"),
    ("mu_star", "$\\mu_*$"),
    ("zeta", "$\\zeta=\\mu_1/\\mu_*$"),
    ("eta", "$\\eta=\\operatorname{Var}\\varphi(Z)$"),
)
POINT = (
    ("q", "$q^*$"),
    ("sigma_w2", "$\\sigma_w^2$"),
    ("sigma_b2", "$\\sigma_b^2$"),
    ("chi_par", "$\\chi_\\parallel$"),
    ("chi_1", "$\\chi_1$"),
    ("stability", "stability"),
)
CHOICES = ("closed_form", "homogeneous", "bounded", "lipschitz")
COLUMNS = ("V(1)", "gain", "L", "1/L", "doubly critical σ_w²", "λ_*")


def write_atlas() -> None:
    """Write the pages; those of records that are gone are removed."""
    TARGET.mkdir(parents=True, exist_ok=True)
    content = json.loads(SOURCE.read_text(encoding="utf-8"))
    records = content["records"]
    pages = {f"{slug(one['name'])}.md": _page(one, content["scales"]) for one in records}
    pages["table.html"] = _index(records)
    pages["atlas.csv"] = _csv(records)
    for file in TARGET.iterdir():
        if file.name not in pages:
            file.unlink()
    # Included in a page: a folder up, where Sphinx makes no pages of them.
    pages["../atlas_counts.md"] = _counts(records)
    pages["../atlas_families.md"] = "".join(map(_family, content["families"]))
    for name, text in pages.items():
        file = TARGET / name
        # What has not changed keeps its time, and Sphinx its page.
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8", newline="")


def _word(key: str) -> str:
    """Return a property in words."""
    return key.replace("_", " ").replace("lipschitz", "Lipschitz")


def slug(name: str) -> str:
    """Return the name of a page."""
    return name.replace("^", "_power_")


def _counts(records: list[dict[str, Any]]) -> str:
    forms = [one[key].get("unit", {}) for one in records for key, _ in KERNELS]
    closed = [one for one in records if one["properties"]["closed_form"]]
    here = sum(one["published"].startswith("derived here") for one in closed)
    return (
        f"{len(records)} activations; {len(closed)} have a closed dual, {here} of these in no source that was read; "
        f"{sum('sympy' in form for form in forms)} closed forms with those of derivatives and cross kernels; "
        f"{sum(map(_numbers, records)):,} proven numbers.\n"
    )


def _numbers(value: Any) -> int:
    """Count the numbers of a record: decimals and proven intervals."""
    if isinstance(value, dict):
        return sum(_numbers(item) for key, item in value.items() if key not in {"drawing", "formula", "exact"})
    if isinstance(value, list):
        return 1 if _is_interval(value) else sum(map(_numbers, value))
    return int(isinstance(value, str) and _is_decimal(value))


def _is_decimal(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_interval(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and all(isinstance(end, str) and _is_decimal(end) for end in value)
    )


def _shown(value: Any) -> str:
    """Return a cell of Markdown."""
    if value is None or value == {}:
        return "—"
    if isinstance(value, dict) and "because" in value:
        return f"— ({_plain(value['because'])})"
    if isinstance(value, dict) and "infinite" in value:
        return f"∞ ({_plain(value['infinite'])})"
    if _is_interval(value):
        return f"[{value[0]}, {value[1]}]"
    return str(value).replace("oo", "∞") if isinstance(value, str) else str(value)


def _plain(reason: str) -> str:
    """Return a reason as text that Markdown does not read."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>|$#~^" else sign for sign in reason)


def _math(latex: str) -> str:
    return f"\n$$\n{latex}\n$$\n"


def _button(label: str, text: str) -> str:
    return f'<button type="button" class="atlas-copy" data-copy="{html.escape(text, quote=True)}">{label}</button>'


def _buttons(**texts: str) -> str:
    buttons = "".join(_button(label, text) for label, text in texts.items()).replace("\n", "&#10;")
    return f"\n<div>{buttons}</div>\n"


def _form(form: dict[str, str], words: str) -> str:
    if "latex" not in form:
        return f"{words}: {_plain(form['because'])}\n" if words else f"{_plain(form['because'])}\n"
    start = f"{words}\n" if words else ""
    return start + _math(form["latex"]) + _buttons(LaTeX=form["latex"], SymPy=form["sympy"])


def _kernel(title: str, forms: dict[str, Any]) -> str:
    text = f"\n### {title}\n\n"
    if "because" in forms:
        return text + _plain(forms["because"]) + "\n"
    unit, general = forms["unit"], forms["general"]
    if unit == general:
        return text + _form(unit, "")
    return text + _form(unit, "At unit variances:") + "\n" + _form(general, "In general:")


def _family(one: dict[str, Any]) -> str:
    latex = rf"\varphi(x) = {one['latex']}"
    return f"\n### {one['name']}\n{_math(latex)}\n{_form(one['dual']['unit'], '')}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _page(one: dict[str, Any], scales: dict[str, Any]) -> str:
    named = "" if one["formula"] == one["name"] else f", `{one['formula']}`"
    properties = one["properties"]
    words = [word for word in (properties["parity"], properties["smoothness"]) if word != "none"]
    words += [_word(name) for name in CHOICES if properties[name]]
    published = "" if one["published"] is None else f" Closed dual: {one['published']}."
    text = [
        "---\norphan: true\n---\n",
        f"# {one['name']}\n",
        _math(rf"\varphi(x) = {one['latex']}"),
        f"\n{one['source']}{named}; {', '.join(words)}.{published} [All activations](../../atlas.md).\n",
        _drawings(one),
        "\n## Closed forms\n",
        *(_kernel(title, one[key]) for key, title in KERNELS),
        _coefficients(one),
        _constants(one),
        _mean_field(one, scales),
        _spectra(one, scales),
        "\n## Paste\n",
        *(
            f"\n{label}\n\n```{language}\n{make(one).rstrip()}\n```\n" + _buttons(**{f"Copy {label}": make(one)})
            for label, language, make in (
                ("LaTeX", "latex", snippets.latex),
                ("SymPy", "python", snippets.sympy),
                ("Python", "python", snippets.python),
            )
        ),
    ]
    return "".join(text)


def _coefficients(one: dict[str, Any]) -> str:
    smooth, made = one["smoothness"], one["coefficients"]
    decay = smooth["decay"]
    law = f"${decay.replace('^(', '^{').replace('))', '})')}$" if decay.startswith(("O(", "a_r")) else decay
    text = f"\n## Hermite coefficients\n\nDecay: {law} ({_plain(smooth['reason'])}).\n"
    if "because" in made:
        return text + f"\n{_plain(made['because'])}\n"
    rows = [
        [str(r), _shown(digits), f"`{exact}`" if exact and exact != digits else ""]
        for r, (digits, exact) in enumerate(zip(made["digits"], made["exact"], strict=True))
    ]
    if "latex" in made["formula"]:
        text += _math(made["formula"]["latex"]) + _buttons(
            LaTeX=made["formula"]["latex"], SymPy=made["formula"]["sympy"]
        )
    return text + _table(["r", "$a_r(1)$", "exact"], rows)


def _constants(one: dict[str, Any]) -> str:
    made = one["constants"]
    text = "\n## Constants\n"
    if "because" in made:
        text += f"\n{_plain(made['because'])}\n"
    else:
        text += _table(["constant", "value"], [[label, _shown(made[key])] for key, label in CONSTANTS])
    sizes = (("value", "$\\sup\\lvert\\varphi\\rvert$"), ("slope", "$L=\\sup\\lvert\\varphi'\\rvert$"))
    rows = []
    for key, label in (*sizes, ("curvature", "$\\sup\\lvert\\varphi''\\rvert$")):
        bound = one["suprema"] if "because" in one["suprema"] else one["suprema"][key]
        places = bound.get("at", "")
        where = "; ".join(places) if isinstance(places, list) else _shown(places) if places else ""
        rows.append([label, _shown(bound.get("digits", bound)), where.replace("->", "→").replace("oo", "∞")])
    text += _table(["supremum", "value", "reached"], rows)
    scales = one["sigma_w"]
    limits = (("the limit exists", "limit"), ("wide networks contract", "networks"))
    below = [[label, _shown(scales if "because" in scales else scales[key])] for label, key in limits]
    text += _table(["equilibrium models", "$\\sigma_w$ below"], below)
    return text + _values(one["values"])


def _values(made: dict[str, Any]) -> str:
    if "because" in made:
        return ""
    kernel, slope = made["dual"], made["derivative"]
    rows = [[rho, _shown(value), _shown(slope.get(rho, ""))] for rho, value in kernel.items()]
    head = ["$\\rho$", "$k(\\rho)$", "$\\dot k(\\rho)$"]
    return _table(head, rows) + (f"\n{_plain(slope['because'])}\n" if "because" in slope else "")


def _points(points: Any) -> str:
    if isinstance(points, dict):
        return f"\n{_plain(points['because'])}\n"
    names = [(key, label) for key, label in POINT if any(key in point for point in points)]
    return _table([label for _, label in names], [[_shown(point.get(key)) for key, _ in names] for point in points])


def _mean_field(one: dict[str, Any], scales: dict[str, Any]) -> str:
    text = "\n## Mean field\n\n### Fixed points of the variance\n\n"
    text += f"At $\\sigma_w^2={scales['sigma_w2']}$, $\\sigma_b^2={scales['sigma_b2']}$.\n" + _points(
        one["fixed_points"]
    )
    text += "\n### Edge of chaos\n"
    made = one["edge"]
    if "because" in made:
        text += f"\n{_plain(made['because'])}\n"
    else:
        reasons = {point["because"] for point in made["by_variance"].values() if "because" in point}
        points = [point for point in made["by_variance"].values() if "because" not in point]
        if points:
            text += _points(points)
        text += "".join(f"\n{_plain(reason)}\n" for reason in sorted(reasons))
        if points:
            text += f"\nAt $\\sigma_b^2={scales['edge_sigma_b2']}$:\n" + _points(made["at_bias"])
    return text + "\n### Doubly critical\n" + _points(one["doubly_critical"])


def _spectra(one: dict[str, Any], scales: dict[str, Any]) -> str:
    text = "\n## Eigenvalues\n\nOf the dual activation on the unit sphere of $\\mathbb R^d$, by degree.\n"
    made = one["sphere"]
    if "because" in made:
        text += f"\n{_plain(made['because'])}\n"
    else:
        for d in (d for d in made if "because" in made[d]):
            text += f"\n$d={d}$: {_plain(made[d]['because'])}\n"
        known = [d for d in made if "because" not in made[d]]
        if known:
            rows = [[str(i), *(_shown(made[d][i]) for d in known)] for i in range(len(made[known[0]]))]
            text += _table(["degree", *(f"$d={d}$" for d in known)], rows)
    return text + (
        f"\n$\\lambda_*$ of the papers' model ($s^2={scales['s2']}$) on the first {scales['samples']} of the embedded "
        f"digits: {_shown(one['lambda'])}\n"
    )


def _drawings(one: dict[str, Any]) -> str:
    drawing = one["drawing"]
    if "because" in drawing:
        return ""
    count = len(drawing["phi"])
    places = [-4 + 8 * i / (count - 1) for i in range(count)]
    pictures = _svg(places, drawing["phi"], (-4, 4), "φ(x)", "Graph of the activation on [-4, 4]", (-6.0, 6.0))
    if drawing["dual"]:
        size = len(drawing["dual"])
        correlations = [2 * i / (size - 1) - 1 for i in range(size)]
        pictures += _svg(correlations, drawing["dual"], (-1, 1), "k(ρ)", "Graph of the dual on [-1, 1]", None)
    return f'\n<div class="atlas-drawings">{pictures}</div>\n'


def _svg(
    xs: list[float], ys: list[float], ends: tuple[int, int], label: str, title: str, clip: tuple[float, float] | None
) -> str:
    """Return a graph as SVG, black or white as the text around it is."""
    low, high = min([*ys, 0.0]), max([*ys, 0.0])
    if clip is not None:
        low, high = max(low, clip[0]), min(high, clip[1])
    span, shown = (high - low) or 1.0, f"{low:.3g} … {high:.3g}"
    low, high = low - 0.06 * span, high + 0.06 * span

    def place(x: float, y: float) -> str:
        return f"{20 + 280 * (x - ends[0]) / (ends[1] - ends[0]):.1f},{180 - 160 * (y - low) / (high - low):.1f}"

    lines, line = [], []
    for x, y in zip(xs, ys, strict=True):
        if low <= y <= high:
            line.append(place(x, y))
        elif line:
            lines, line = [*lines, line], []
    path = " ".join("M" + " L".join(one) for one in [*lines, line] if len(one) > 1)
    x0, y0 = place(ends[0], 0.0), place(0.0, low)
    axes = f"M{x0} L{place(ends[1], 0.0)} M{y0} L{place(0.0, high)}"
    return (
        f'<svg viewBox="0 0 320 200" role="img" aria-label="{title}"><title>{title}</title>'
        f'<path class="axes" d="{axes}"/><path class="curve" d="{path}"/>'
        f'<text x="20" y="196">{ends[0]}</text><text x="292" y="196">{ends[1]}</text>'
        f'<text x="24" y="14">{label}, {shown}</text></svg>'
    )


def _cells(one: dict[str, Any]) -> list[str]:
    """Return the numbers of the index."""
    constants, slope = one["constants"], one["suprema"].get("slope", {})
    critical = one["doubly_critical"]
    scale = one["sigma_w"].get("limit", "")
    return [
        _cell(constants.get("V", "")),
        _cell(constants.get("gain", "")),
        "∞" if "infinite" in slope else _cell(slope.get("digits", "")),
        _cell(scale),
        _cell(critical[-1]["sigma_w2"]) if isinstance(critical, list) else "",
        _cell(one["lambda"]),
    ]


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else f"[{value[0]}, {value[1]}]" if _is_interval(value) else ""


def _index(records: list[dict[str, Any]]) -> str:
    head = ["activation", "φ(x)", "parity", "class", "closed", *COLUMNS]
    cells = "".join(f'<th scope="col"><button type="button">{html.escape(title)}</button></th>' for title in head)
    rows = []
    for one in records:
        properties = one["properties"]
        data = "".join(f' data-{key.replace("_", "-")}="{str(value).lower()}"' for key, value in properties.items())
        texts = [
            f'<a href="_generated/atlas/{slug(one["name"])}.html">{html.escape(one["name"])}</a>',
            f"<code>{html.escape(one['sympy'])}</code>",
            properties["parity"].replace("none", ""),
            properties["smoothness"],
            "yes" if properties["closed_form"] else "no",
            *(f'<span title="{text}">{_short(text)}</span>' for text in _cells(one)),
        ]
        rows.append(f"<tr{data}>{''.join(f'<td>{text}</td>' for text in texts)}</tr>")
    selects = "".join(
        f'<label>{label} <select data-filter="{key}"><option value="">any</option>'
        + "".join(f"<option>{value}</option>" for value in sorted({one["properties"][key] for one in records}))
        + "</select></label>"
        for key, label in (("parity", "parity"), ("smoothness", "class"))
    )
    boxes = "".join(
        f'<label><input type="checkbox" data-filter="{key.replace("_", "-")}"> {_word(key)}</label>' for key in CHOICES
    )
    return (
        '<form class="atlas-filters" onsubmit="return false"><label>search '
        f'<input type="search" id="atlas-search"></label>{selects}{boxes}<output id="atlas-count"></output></form>\n'
        f'<div class="atlas-scroll"><table id="atlas-table"><thead><tr>{cells}</tr></thead>\n'
        f"<tbody>\n{chr(10).join(rows)}\n</tbody></table></div>\n"
    )


def _short(text: str) -> str:
    """Return six significant digits cut, not rounded, of a long decimal: the whole is in its title and on its page."""
    return text[:8] + "…" if len(text) > 9 and not text.startswith("[") and "e" not in text else text


def _csv(records: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["activation", "formula", *records[0]["properties"], "V", "gain", "L", "sigma_w below",
                     "doubly critical sigma_w2", "lambda", "dual"])  # fmt: skip
    for one in records:
        form = one["dual"].get("unit", {}).get("sympy", "")
        writer.writerow([one["name"], one["sympy"], *one["properties"].values(), *_cells(one), form])
    return out.getvalue()

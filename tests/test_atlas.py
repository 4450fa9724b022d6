"""The atlas: its numbers by mpmath, its snippets, its reading, and that no number changes unnoticed."""

import importlib.util
import json
import random
import re
from decimal import Context, Decimal
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from mpmath import mp, mpf

import hermite_dual as hd
from hermite_dual.atlases import snippets
from hermite_dual.atlases.build import build_atlas, digest
from hermite_dual.atlases.digits import number
from hermite_dual.atlases.literature import Subject, subjects
from hermite_dual.atlases.record import FIELDS
from hermite_dual.report.tables.cells import Number
from tests.atlas_reference import DPS, Reference, ends

ROOT = Path(__file__).parent.parent
CONTENT = json.loads((ROOT / "hermite_dual" / "data" / "atlas.json").read_text(encoding="utf-8"))
RECORDS = CONTENT["records"]
DRAWN = {"coefficients": 100, "constants": 80, "values": 30, "edge": 46, "suprema": 30, "roots": 10, "sphere": 4}
"""How many numbers of each kind; 300 in all."""
DERIVED = {
    "V": lambda v, m, s: v,
    "gain": lambda v, m, s: 1 / mp.sqrt(v),
    "critical_gain": lambda v, m, s: 1 / mp.sqrt(s),
    "mu_0": lambda v, m, s: m[0],
    "mu_1": lambda v, m, s: m[1],
    "eta": lambda v, m, s: v - m[0] ** 2,
    "mu_star": lambda v, m, s: mp.sqrt(v - m[0] ** 2 - m[1] ** 2),
    "zeta": lambda v, m, s: m[1] / mp.sqrt(v - m[0] ** 2 - m[1] ** 2),
}


def is_there(value):
    return isinstance(value, str | list)


def numbers():
    """All numbers of a kind, each with what is needed to compute it."""
    for one in RECORDS:
        for r, value in enumerate(one["coefficients"].get("digits", [])):
            yield "coefficients", (one, r, value)
        for key in DERIVED:
            if is_there(value := one["constants"].get(key)):
                yield "constants", (one, key, value)
        for which in ("dual", "derivative"):
            for rho, value in one["values"].get(which, {}).items():
                if is_there(value) and rho != "because":
                    yield "values", (one, (which, rho), value)
        for q, point in one["edge"].get("by_variance", {}).items():
            for key in ("sigma_w2", "sigma_b2", "chi_par"):
                if key in point:
                    yield "edge", (one, (q, key), point[key])
        for order, key in enumerate(("value", "slope", "curvature")):
            bound = one["suprema"].get(key, {})
            if isinstance(bound.get("at"), list) and bound["at"][0].startswith("x = "):
                yield "suprema", (one, (order, bound["at"][0][4:]), bound["digits"])
        for d, values in one["sphere"].items():
            for degree, value in enumerate(values if isinstance(values, list) else []):
                # the reference's nodes do not resolve sin(30 r t)
                if one["name"] != "siren":
                    yield "sphere", (one, (int(d), degree), value)
        for condition, points in (("fixed", one["fixed_points"]), ("doubly", one["doubly_critical"])):
            for point in points if isinstance(points, list) else []:
                if point["q"] not in ("0", "oo", "1"):
                    yield "roots", (one, condition, point["q"])


def draw():
    kinds = {}
    for kind, what in numbers():
        kinds.setdefault(kind, []).append(what)
    generator = random.Random(2026)
    chosen = [(kind, what) for kind, count in DRAWN.items() for what in generator.sample(kinds[kind], count)]
    return sorted(chosen, key=lambda pair: pair[1][0]["name"])


def evaluate(kind, phi, key, value):
    """Compute a number anew."""
    if kind == "coefficients":
        return phi.coefficients(12)[key]
    if kind == "constants":
        size = phi.mean(mpf(1), lambda z, f, g: f * f)
        steep = phi.mean(mpf(1), lambda z, f, g: g * g) if key == "critical_gain" else None
        return DERIVED[key](size, phi.coefficients(12), steep)
    if kind == "edge":
        return phi.edge(mpf(sp.Rational(key[0]).p) / sp.Rational(key[0]).q)[key[1]]
    if kind == "suprema":
        return abs(phi.derivative(key[0])(mpf(key[1])))
    return phi.sphere(*key)


def correlated(one, which, rho):
    """A value of the dual by Mehler's series, or at 1 and -1 by one integral."""
    phi = Reference(one["sympy"])
    if which == "derivative":
        slope = Reference("0")
        slope.expr = sp.diff(phi.expr, sp.Symbol("x", real=True)).replace(sp.DiracDelta, lambda *_: sp.Integer(0))
        slope.__dict__["kinks"] = phi.kinks
        phi = slope
    if rho == "1":
        return phi.mean(mpf(1), lambda z, f, g: f * f)
    if rho == "-1":
        mirrored = phi.derivative(0)
        return phi.mean(mpf(1), lambda z, f, g: f * mirrored(-z))
    return mp.fsum(a * a * mpf(sp.Rational(rho).p) ** r / mpf(sp.Rational(rho).q) ** r
                   for r, a in enumerate(phi.coefficients(52 if rho != "0" else 1)))  # fmt: skip


def excess(phi, condition, q):
    """What vanishes at a fixed point of the variance, or at a doubly critical point."""
    if condition == "doubly":
        return phi.edge(q)["chi_par"] - 1
    return mpf(3) / 2 * phi.mean(q, lambda z, f, g: f * f) + mpf(1) / 10 - q


@pytest.mark.slow
def test_three_hundred_numbers_by_mpmath():
    references, wrong = {}, []
    with mp.workdps(DPS):
        for kind, (one, key, printed) in draw():
            phi = references.setdefault(one["name"], Reference(one["sympy"]))
            low, high = ends(printed, short_is_exact=kind != "sphere")
            if kind == "roots":
                right = excess(phi, key, low) * excess(phi, key, high) <= 0
            else:
                value = correlated(one, *key) if kind == "values" else evaluate(kind, phi, key, printed)
                slack = mpf(10) ** -17 * abs(value) + mpf(10) ** -19
                right = low - slack <= value <= high + slack
            if not right:
                wrong.append((one["name"], kind, key, printed))
    assert sum(DRAWN.values()) == 300
    assert wrong == []


def test_every_record_is_whole():
    assert [one["name"] for one in RECORDS] == [subject.name for subject in subjects()]
    for one in RECORDS:
        assert one.keys() >= FIELDS.keys() | {"published", "properties", "source"}, one["name"]
        assert (
            (one["published"] is not None)
            == one["properties"]["closed_form"]
            == ("sympy" in one["dual"].get("unit", {}))
        )
    assert set(hd.atlas()) >= {entry.name for entry in hd.catalogue()}
    assert sum(one["origin"] == "literature" for one in RECORDS) >= 30


def reasons(value):
    if isinstance(value, dict):
        yield from [value["because"]] if "because" in value else [r for item in value.values() for r in reasons(item)]
    elif isinstance(value, list):
        yield from (r for item in value for r in reasons(item))


def test_what_is_missing_has_a_reason():
    told = {reason for one in RECORDS for reason in reasons(one)}
    assert told
    assert all(len(reason) > 10 and " " in reason for reason in told)


def test_no_number_changes_unnoticed():
    page = (ROOT / "docs" / "atlas.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w{16})` \|", page, flags=re.MULTILINE)[-1] == digest(CONTENT)
    moved = json.loads(json.dumps(CONTENT))
    moved["records"][5]["constants"]["V"] = "1.0"
    assert digest(moved) != digest(CONTENT)


COLUMNS = {"mu_0": ("constants", "mu_0"), "mu_star": ("constants", "mu_star"), "eta": ("constants", "eta"),
           "lipschitz": ("suprema", "slope", "digits"), "sigma_w": ("sigma_w", "limit")}  # fmt: skip


def test_tables_and_the_atlas_agree():
    names = ["relu", "gelu", "tanh"]
    table = hd.table(names, list(COLUMNS), digits=10)
    for name, row in zip(names, table.rows, strict=True):
        for path, cell in zip(COLUMNS.values(), row, strict=True):
            value = hd.atlas(name).content
            for key in path:
                value = value[key]
            assert isinstance(cell, Number)
            assert Context(prec=10).create_decimal(value) == Decimal(cell.digits), (name, path)


@pytest.mark.parametrize("name", ["erf", "relu^2", "gabor", "hard_tanh", "sgelu"])
def test_snippets_give_the_proven_value(name):
    record = hd.atlas(name)
    proven = float(record["values"]["dual"]["1/2"])
    scope = {}
    exec(record.to_sympy(), scope)
    assert float(sp.N(scope["k"].subs(sp.Symbol("rho"), sp.Rational(1, 2)), 20)) == pytest.approx(proven, rel=1e-14)
    assert record.to_python().endswith(f"# {record['values']['dual']['1/2']}\n")
    exec(record.to_python().replace("k(0.5)", "value = k(0.5)"), scope)
    assert scope["value"] == pytest.approx(proven, rel=1e-13)
    assert record.to_latex().startswith(r"k\left(\rho\right) = ")
    assert record.closed_form == snippets.expression(record["dual"]["unit"]["sympy"])


def test_snippets_without_a_closed_form():
    record = hd.atlas("tanh")
    scope = {}
    exec(record.to_sympy(), scope)
    assert scope["phi"] == sp.tanh(scope["x"])
    assert record.closed_form is None
    assert record.to_latex() == r"\varphi(x) = \tanh{\left(x \right)}"


def test_published_values():
    tanh, erf = hd.atlas("tanh"), hd.atlas("erf")
    (q, sigma_w2) = (tanh["edge"]["at_bias"][0][key] for key in ("q", "sigma_w2"))
    assert float(sigma_w2) == pytest.approx(1.760954640, abs=5e-10)  # 1.76 in arXiv 1611.01232
    assert float(q) == pytest.approx(0.57, abs=0.01)
    assert float(erf["fixed_points"][0]["q"]) == pytest.approx(0.69110043383, abs=5e-12)
    assert float(erf["fixed_points"][0]["chi_1"]) == pytest.approx(0.98435872532, abs=5e-12)
    points = {name: hd.atlas(name)["doubly_critical"][-1] for name in ("gelu", "silu")}
    assert points["gelu"]["sigma_w2"].startswith("1.98305825")
    assert points["gelu"]["sigma_b2"].startswith("0.17292239")
    assert points["silu"]["sigma_w2"].startswith("1.98800467")
    assert points["silu"]["sigma_b2"].startswith("0.55514317")


def test_least_eigenvalue_of_relu_by_the_papers_equation():
    X = hd.load_digits()[0][: CONTENT["scales"]["samples"]]
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    cosines = target = np.clip(X @ X.T, -1.0, 1.0)
    for _ in range(60):
        q = (np.sqrt(1 - cosines**2) + (np.pi - np.arccos(cosines)) * cosines) / np.pi
        cosines = np.clip(0.08 * q + 0.92 * target, -1.0, 1.0)
    least, printed = np.linalg.eigvalsh(q / 0.92)[0], hd.atlas("relu")["lambda"]
    assert len(printed) > 10
    assert least == pytest.approx(float(printed), abs=0.5 * 10.0 ** -len(printed.partition(".")[2]) + 1e-13)


def test_the_index():
    index = hd.atlas()
    assert repr(index).startswith(f"Atlas({len(RECORDS)} activations, ")
    assert hd.atlas("swish") is hd.atlas("silu")
    assert repr(hd.atlas("relu")) == "AtlasRecord(relu: Max(0, x), V(1) = 0.500000000000000)"
    assert index.families["leaky_relu"]["dual"]["unit"]["sympy"]
    with pytest.raises(hd.InvalidInputError, match="no activation 'rleu'"):
        hd.atlas("rleu")
    with pytest.raises(hd.InvalidInputError, match="property 'even' is not known"):
        index.where(even=True)


def test_a_build_goes_on_where_it_was_ended(tmp_path, monkeypatch):
    module = build_atlas.__module__
    subject = Subject("line", "x", "elementary", "literature")
    made = []
    monkeypatch.setattr(f"{module}.subjects", lambda: (subject,))
    monkeypatch.setattr(f"{module}.FAMILIES", {})
    first = build_atlas(tmp_path / "a.json", cache=tmp_path / "c", progress=lambda *step: made.append(step))
    monkeypatch.setattr(f"{module}._made", None)  # nothing is made a second time
    second = build_atlas(tmp_path / "b.json", cache=tmp_path / "c")
    assert first.read_bytes() == second.read_bytes()
    assert made == [("line", 1, 1)]
    (one,) = json.loads(first.read_text(encoding="utf-8"))["records"]
    assert one["coefficients"]["digits"][:3] == ["0", "1", "0"]
    assert one["properties"]["homogeneous"]


def test_digits_are_those_of_every_number_in_a_ball():
    from flint import arb

    assert number(arb("1.25 +/- 1e-30")) == "1.25000000000000"
    assert number(arb("0 +/- 1e-30")) == ["-1e-30", "1e-30"] or number(arb("0 +/- 1e-30"))[0].startswith("-")


def test_pages_are_made_from_the_file(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("atlas_pages", ROOT / "docs" / "atlas_pages.py")
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    monkeypatch.setattr(pages, "TARGET", tmp_path / "atlas")
    pages.write_atlas()
    assert len(list((tmp_path / "atlas").glob("*.md"))) == len(RECORDS)
    table = (tmp_path / "atlas" / "table.html").read_text(encoding="utf-8")
    assert table.count("<tr ") == len(RECORDS)
    page = (tmp_path / "atlas" / "gelu.md").read_text(encoding="utf-8")
    for value in (hd.atlas("gelu")["constants"]["V"], hd.atlas("gelu")["doubly_critical"][1]["q"]):
        assert value in page


def test_errata_print_what_the_page_says():
    page = (ROOT / "docs" / "errata.md").read_text(encoding="utf-8")
    script = (ROOT / "examples" / "errata_of_the_field.py").read_text(encoding="utf-8")
    for seen in ("1.7015043", "1.7881293", "1.5939118", "4.8038354", "1.9203323", "1.722", "0.055514317"):
        assert seen in page
        assert seen in script
    for name, proven in (("gelu", "1.70092624"), ("silu", "1.78718722"), ("tanh", "1.59253742")):
        assert f"{float(hd.atlas(name)['constants']['eta']) ** -0.5:.8f}" == proven
        assert proven in page

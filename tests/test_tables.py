"""Tables: proven digits, and formats that other programs read."""

import csv
import decimal
import io
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import hermite_dual as hd
from hermite_dual.population.theorem.fixed_point_variance import fixed_point_variance
from hermite_dual.report.tables.cells import Formula, Interval, Missing, Number
from hermite_dual.report.tables.decimals import outward_interval, proven_decimal, rounded_down, rounded_up
from hermite_dual.report.tables.latex import escape

SAMPLES = hd.on_sphere(np.random.default_rng(5).standard_normal((12, 6)))
NAMES = ["relu", "tanh", "gelu", "softplus", "cos"]
COLUMNS = [
    *("name", "expression", "dual", "derivative_dual", "coefficients", "variance", "lipschitz", "second_derivative"),
    *("sigma_w", "sigma_w_finite", "lambda", "ling", "khatri_rao", "hermite_gershgorin"),
]


@pytest.fixture(scope="module")
def found() -> hd.Table:
    return hd.table(NAMES, COLUMNS, data=SAMPLES, coefficients=3)


@pytest.fixture(scope="module")
def cells(found) -> dict[str, dict]:
    keys = [column.key for column in found.columns]
    return {name: dict(zip(keys, row, strict=True)) for name, row in zip(NAMES, found.rows, strict=True)}


fractions = st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=10**12)


@pytest.mark.slow
@given(fractions, st.fractions(min_value=0, max_value=1, max_denominator=10**6), st.integers(1, 12))
def test_every_number_of_the_interval_rounds_to_the_digits_shown(lower, width, digits):
    upper = lower + width
    shown = proven_decimal(lower, upper, digits)
    if shown is None:
        return
    count = digits if width == 0 else len(shown.partition("e")[0].lstrip("-0.").replace(".", ""))
    context = decimal.Context(prec=count, rounding=decimal.ROUND_HALF_EVEN)
    for number in (lower, lower + width / 2, upper):
        rounded = context.divide(decimal.Decimal(number.numerator), decimal.Decimal(number.denominator))
        assert rounded == decimal.Decimal(shown)


@pytest.mark.parametrize(
    ("lower", "upper", "shown"),
    [
        (Fraction(1, 3), Fraction(1, 3), "0.333333"),
        (Fraction(1, 2), Fraction(1, 2), "0.5"),
        (Fraction(0), Fraction(0), "0"),
        (Fraction("0.12344"), Fraction("0.12346"), "0.123"),
        (Fraction("0.9999999"), Fraction("1.0000001"), "1.00000"),
        (Fraction(-1), Fraction(1), None),
        (Fraction("1.5e-9"), Fraction("1.5e-9"), "1.5e-9"),
        (Fraction(12_345_678), Fraction(12_345_678), "1.23457e7"),
    ],
)
def test_known_roundings(lower, upper, shown):
    assert proven_decimal(lower, upper, 6) == shown


@given(fractions, st.fractions(min_value=0, max_value=10, max_denominator=10**6), st.integers(1, 12))
def test_intervals_are_rounded_outwards(lower, width, digits):
    low, high = outward_interval(lower, lower + width, digits)
    assert Fraction(low) <= lower
    assert lower + width <= Fraction(high)
    assert Fraction(rounded_down(lower, digits)) <= lower <= Fraction(rounded_up(lower, digits))


@pytest.mark.slow
def test_coefficients_agree_with_an_independent_quadrature(cells):
    mpmath.mp.dps = 30
    value = mpmath.quad(lambda z: mpmath.tanh(z) * z * mpmath.npdf(z), [-12, -4, 0, 4, 12])
    shown = cells["tanh"]["a1"]
    assert isinstance(shown, Number)
    assert shown.lower <= value <= shown.upper
    assert abs(Fraction(shown.digits) - Fraction(str(value))) <= Fraction(1, 2 * 10**6)
    assert cells["relu"]["a1"] == Formula(sp.Rational(1, 2))


@pytest.mark.slow
def test_the_variance_is_the_fixed_point(cells):
    # relu: q = s^2 q + 2 with sigma_w^2 = 2 s^2 and E[relu^2] = q / 2
    shown = cells["relu"]["variance"]
    assert shown.lower <= 2 / 0.92 * (1 + 1e-15)
    assert shown.upper >= 2 / 0.92 * (1 - 1e-15)
    assert shown.digits == "2.17391"


def test_variances_are_enclosed_by_the_sign_of_the_excess():
    phi = hd.activation("tanh")
    lower, upper = fixed_point_variance(phi, 0.7, Fraction(1))
    assert 0 < upper - lower < Fraction(1, 10**12)
    mpmath.mp.dps = 30

    def excess(q: Fraction) -> mpmath.mpf:
        root = mpmath.sqrt(mpmath.mpf(q.numerator) / q.denominator)
        moment = mpmath.quad(lambda z: mpmath.tanh(root * z) ** 2 * mpmath.npdf(z), [-14, -5, 0, 5, 14])
        return root * root - mpmath.mpf(0.7) ** 2 * moment - 1

    assert excess(lower) < 0 < excess(upper)
    with pytest.raises(hd.InvalidInputError, match="sigma_w L < 1 is not proven"):
        fixed_point_variance(phi, 1.2, Fraction(1))


@pytest.mark.slow
def test_the_least_eigenvalue_and_the_theory_bounds_are_those_of_the_gram_matrix(cells):
    gram = hd.DEQ.paper("gelu", 0.08).gram(SAMPLES)
    least = float(np.linalg.eigvalsh(gram.matrix)[0])
    shown = cells["gelu"]["lambda"]
    assert isinstance(shown, Interval)
    assert Fraction(shown.low) <= Fraction(shown.lower) < shown.upper <= Fraction(shown.high)
    assert shown.lower <= least * (1 + 1e-9)
    assert least * (1 - 1e-9) <= shown.upper
    bounds = {bound.name: bound.value for bound in gram.lower_bounds()}
    assert cells["gelu"]["khatri_rao"].value == bounds["Khatri-Rao"]
    assert Fraction(cells["gelu"]["khatri_rao"].digits) <= Fraction(bounds["Khatri-Rao"])


def test_what_is_missing_says_why(cells):
    assert cells["relu"]["second_derivative"].shown == "∞"
    assert "poles" in cells["tanh"]["dual"].reason


def test_an_exact_zero_that_is_not_known_to_be_exact_is_an_interval_around_zero():
    # its even part is x^2 / 2
    cell = hd.table("x^2/(1 + exp(-x))", ["coefficients"], coefficients=5).rows[0][4]
    assert isinstance(cell, Interval)
    assert cell.lower < 0 < cell.upper < 1e-12


def _tex_rows(source: str) -> list[int]:
    lines = [line for line in source.splitlines() if line.endswith(r"\\") and "caption" not in line]
    return [len(re.findall(r"(?<!\\)&", re.sub(r"\\begin\{(cases|array)\}.*?\\end\{\1\}", "", line))) for line in lines]


def _parse(source: str) -> None:
    bare = re.sub(r"\\[{}\\%$&#_]", "", "\n".join(line for line in source.splitlines() if not line.startswith("%")))
    depth = 0
    for sign in bare:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    assert bare.count("$") % 2 == 0
    assert source.count(r"\left") == source.count(r"\right")
    opened = re.findall(r"\\begin\{(\w+)\}", source)
    assert sorted(opened) == sorted(re.findall(r"\\end\{(\w+)\}", source))
    for one_table in source.split("% needs"):
        assert len(set(_tex_rows(one_table))) <= 1


@pytest.mark.parametrize("options", [{}, {"layout": "wide"}, {"layout": "long"}, {"siunitx": False, "fit": True}])
def test_latex_is_well_formed_and_compiles_where_tex_is_installed(found, tmp_path, options):
    source = found.to_latex(caption="A caption", label="tab:a", **options)
    assert r"\toprule" in source
    assert r"\label{tab:a}" in source
    _parse(source)
    engine = shutil.which("pdflatex")
    if engine is None:
        return
    packages = re.search(r"usepackage\{(.*)\}", source).group(1)
    document = (
        f"\\documentclass{{article}}\n\\usepackage{{{packages}}}\n\\begin{{document}}\n{source}\\end{{document}}\n"
    )
    (tmp_path / "table.tex").write_text(document, encoding="utf-8")
    done = subprocess.run(
        [engine, "-interaction=nonstopmode", "-halt-on-error", "table.tex"],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_hostile_names_are_escaped():
    assert escape(r"50%_\input{x}&$#^~") == (
        r"50\%\_\textbackslash{}input\{x\}\&\$\#\textasciicircum{}\textasciitilde{}"
    )


def test_markdown_has_a_row_per_activation_and_a_note_per_reason(found):
    lines = found.to_markdown().splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(NAMES)
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert any(line.startswith("1. ") for line in lines)


def test_csv_is_read_back(found):
    rows = list(csv.reader(io.StringIO(found.to_csv())))
    assert [row[0] for row in rows[1:]] == NAMES
    assert sp.sympify(rows[1][2]).equals(hd.dual("relu").closed_form.xreplace({hd.rho: sp.Symbol("rho")}))
    assert {len(row) for row in rows} == {len(rows[0])}


def test_html_is_well_formed_and_needs_no_script(found):
    text = found.to_html(caption="Kernels & more")
    entities = {"&InvisibleTimes;": "", "&pi;": "", "&ApplyFunction;": "", "&ExponentialE;": ""}
    for name, value in entities.items():
        text = text.replace(name, value)
    root = ET.fromstring(f"<div>{text}</div>")
    assert len(root.findall(".//tbody/tr")) == len(NAMES)
    assert root.findall(".//math")
    assert "<script" not in text


def test_json_holds_enclosures_formulas_and_reasons(found):
    content = json.loads(found.to_json())
    assert content["parameters"]["samples"] == [12, 6]
    row = content["rows"][1]
    assert row["name"] == {"text": "tanh"}
    assert row["lambda"]["lower"] < row["lambda"]["upper"]
    assert "missing" in row["dual"]


def test_long_layout_has_a_row_per_quantity(found):
    rows = list(csv.reader(io.StringIO(found.to_csv(layout="long"))))
    assert rows[0] == ["activation", "quantity", "value"]
    assert len(rows) == 1 + len(NAMES) * (len(found.columns) - 1)


def test_text_and_notebook_show_every_activation(found):
    for text in (str(found), found._repr_html_()):
        assert all(name in text for name in NAMES)


@pytest.mark.parametrize("suffix", ["tex", "md", "html", "csv", "json", "txt"])
def test_saved_files_hold_the_format_of_their_ending(found, tmp_path, suffix):
    path = found.save(tmp_path / f"table.{suffix}")
    assert path.read_text(encoding="utf-8").strip()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activations": []}, "activations is empty"),
        ({"activations": "relu", "columns": ["colour"]}, "column 'colour' is not known; there are name"),
        ({"activations": "relu", "columns": ["lambda"]}, "about samples: pass data=X"),
        ({"activations": "relu", "digits": 40}, "allowed are whole numbers >= 1 and <= 12"),
        ({"activations": "relu", "coefficients": -1}, "allowed are whole numbers >= 0 and <= 64"),
        ({"activations": "relu", "sigma_w": 0.1, "sigma_w2": 0.1}, "exclude each other"),
        ({"activations": "relu", "sigma_b": 0.1}, "go with sigma_w"),
        ({"activations": "nonsense"}, "nonsense"),
    ],
)
def test_bad_arguments_name_the_remedy(arguments, message):
    with pytest.raises(hd.HermiteDualError, match=re.escape(message)):
        hd.table(**arguments)


def test_unknown_layouts_and_endings_are_refused(found, tmp_path):
    with pytest.raises(hd.InvalidInputError, match="'wide' and 'long'"):
        found.to_csv(layout="tall")
    with pytest.raises(hd.InvalidInputError, match=r"there are \.tex"):
        found.save(tmp_path / "table.docx")
    with pytest.raises(hd.InvalidInputError, match="wide layout"):
        found.to_latex(layout="long", fit=True)


def test_a_python_function_has_its_name_and_reasons():
    row = hd.table(np.tanh, ["name", "expression", "lipschitz", "variance"]).rows[0]
    assert all(isinstance(cell, Missing) for cell in row[1:])


def test_sigma_w_out_of_range_is_a_reason_and_not_an_error():
    cell = hd.table("relu", ["variance", "lambda"], sigma_w=1.5, data=SAMPLES).rows[0]
    assert all("sigma_w L" in entry.reason for entry in cell)

"""The figures of the benchmarks' page show the rows that there are, and need none of them."""

import importlib.util
import json
import pathlib

import numpy as np
import pytest

DOCS = pathlib.Path(__file__).parents[1] / "docs"

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="docs/ is not part of this copy")

GRAM = [
    {"activation": "tanh", "norms": "equal", "n": 5000, "d": 784, "ratio": 1.25},
    {"activation": "gelu", "norms": "unequal", "n": 5000, "d": 784, "ratio": 1.5},
]
PROOFS = [
    {"matrix": "crowded", "n": n, "outcome": "PROVEN", "seconds": 1e-9 * n**3, "ratio": 2.0} for n in (1000, 2000, 5000)
]
GROWTH = [
    {"kernel": "gram", "activation": "tanh", "n": n, "seconds": 2e-8 * n**2, "product_seconds": 1e-8 * n**1.5}
    for n in (1000, 4000)
]
PEER = [{"activation": "relu", "n": 5000, "ratio": 4.0, "error": 2e-16, "peer_error": 1e-8}]


@pytest.fixture(scope="module")
def figures():
    spec = importlib.util.spec_from_file_location("benchmark_figures", DOCS / "benchmark_figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_ratio_is_a_bar(figures):
    axes = figures.draw_ratios({"gram": GRAM, "ntk": GRAM[:1], "least_eigenvalue": PROOFS})
    assert [bar.get_width() for bar in axes.patches] == [1.25, 1.5, 1.25, 2.0, 2.0, 2.0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[1] == "gelu, unequal norms, n = 5000, d = 784"
    assert labels[-1] == "crowded, n = 5000"


def test_what_is_not_proven_has_no_ratio(figures):
    axes = figures.draw_ratios({"least_eigenvalue": [PROOFS[0], {**PROOFS[1], "outcome": "UNDECIDED"}]})
    assert len(axes.patches) == 1


def test_lines_carry_the_exponent_of_their_points(figures):
    axes = figures.draw_growth({"growth": GROWTH, "least_eigenvalue": PROOFS})
    lines = {line.get_label(): line.get_data() for line in axes.get_lines()}
    assert list(lines) == ["gram tanh, exponent 2.00", "X @ X.T, exponent 1.50", "proof, crowded, exponent 3.00"]
    np.testing.assert_array_equal(lines["gram tanh, exponent 2.00"][0], [1000, 4000])


def test_one_size_has_no_growth(figures):
    assert figures.draw_growth({"least_eigenvalue": PROOFS[:1]}) is None


def test_the_peer_has_its_errors_beside_the_bars(figures):
    axes = figures.draw_peer({"peer": PEER})
    assert [text.get_text() for text in axes.texts] == [" 4, error 2e-16, the peer's 1e-08"]


def test_figures_come_and_go_with_their_rows(figures, tmp_path):
    everything = {"gram": GRAM, "growth": GROWTH, "least_eigenvalue": PROOFS, "peer": PEER}
    names = [name for name, _ in figures.write_figures(everything, tmp_path, "a machine")]
    assert names == ["benchmarks-ratios.svg", "benchmarks-growth.svg", "benchmarks-peer.svg"]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names)
    assert figures.write_figures({}, tmp_path, "a machine") == []
    assert not list(tmp_path.iterdir())


def test_the_kept_measurements_are_drawn(figures, tmp_path):
    content = json.loads((DOCS / "benchmarks.json").read_text(encoding="utf-8"))
    assert figures.write_figures(content["benchmarks"], tmp_path, "a machine")

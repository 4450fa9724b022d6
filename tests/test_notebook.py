"""What notebooks show: well-formed, escaped, and no work beyond what is already done."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.notebook import facts, grid

HOSTILE = "<script>alert('x')</script> & \"<b>\""
X = hd.on_sphere(np.random.default_rng(0).standard_normal((6, 4)))


def texts(html):
    """Parse as XML, which refuses what is not well-formed, and return the elements' names and texts."""
    root = ET.fromstring(html)
    return {element.tag for element in root.iter()}, list(root.itertext())


@pytest.mark.parametrize(
    "html",
    [facts(HOSTILE, [(HOSTILE, HOSTILE)], HOSTILE), grid(HOSTILE, [HOSTILE], [[HOSTILE]], HOSTILE)],
)
def test_markup_in_a_text_stays_a_text(html):
    tags, found = texts(html)
    assert found == [HOSTILE] * 4
    assert "script" not in tags


def hostile_activation():
    def phi(x):
        return np.tanh(x)

    phi.__name__ = HOSTILE
    return hd.activation(phi, derivative=lambda x: 1.0 / np.cosh(x) ** 2)


def test_a_gram_matrix_shows_what_it_is_of_and_proves_nothing():
    G = hd.DEQ(hostile_activation(), 0.3).gram(X)
    tags, found = texts(G._repr_html_())
    assert "script" not in tags
    assert {"Gram", "6 x 6", HOSTILE, "limit", f"{G.estimated_error:.1e}"} <= set(found)
    assert "least eigenvalue" not in found
    assert "entry_bounds" not in vars(G)


def test_a_matrix_is_named_in_one_line():
    model = hd.DEQ("tanh", 0.3)
    for found, start in (
        (model.gram(X), "Gram("),
        (model.ntk(X), "TangentGram("),
        (model.gram(X, X[:2]), "CrossGram("),
    ):
        text = repr(found)
        assert text.startswith(start)
        assert f"shape={found.shape}" in text
        assert "'tanh'" in text
        assert "\n" not in text


def test_a_proof_is_shown_once_it_is_there():
    G = hd.DEQ("tanh", 0.3).gram(X)
    bounds = G.least_eigenvalue()
    found = texts(G._repr_html_())[1]
    assert "least eigenvalue" in found
    assert any(text.endswith(f"({bounds.outcome.value})") for text in found)
    shown = texts(bounds._repr_html_())[1]
    assert shown[0] == "Least eigenvalue: PROVEN"
    assert {repr(bounds.lower), repr(bounds.estimate), repr(bounds.upper), bounds.reason} <= set(shown)


def test_a_tangent_kernel_says_so():
    assert "TangentGram" in texts(hd.DEQ("tanh", 0.3).ntk(X, depth=2)._repr_html_())[1]


def test_a_check_shows_every_statement():
    check = hd.DEQ.paper("tanh", sigma_w2=0.08).check(X)
    found = texts(check._repr_html_())[1]
    for item in (*check.hypotheses, *check.consequences):
        assert {item.name, item.outcome.value, item.explanation} <= set(found)
    assert check.theorem in found


def test_a_validation_begins_with_its_verdict():
    report = hd.DEQ("tanh", 0.3).validate(X, widths=(32, 64), replicas=2)
    found = texts(report._repr_html_())[1]
    assert found[0] == f"{report.verdict.value}: {report.reason}"
    assert "32, 64" in found


def test_a_training_run_shows_its_claims():
    net = hd.DEQ.paper("tanh", sigma_w2=0.05).sample(40, 4, seed=0)
    run = net.train(X, np.ones(6), step=0.01, epochs=2)
    found = texts(run._repr_html_())[1]
    assert {claim.name for claim in run.claims} <= set(found)
    assert f"{run.loss[0]:.6g} -> {run.loss[-1]:.6g}" in found

"""Closed form, numeric Gram matrix, given matrix and networks, pairwise; a wrong kernel that misleads the control."""

import dataclasses

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.validation import closed_form
from hermite_dual.validation.least_eigenvalues import clopper_pearson, least_eigenvalues
from tests.reference_model import points
from tests.tolerances import OTHER_PATH, REORDERED

X = points(10)
SMALL = {"widths": (64, 128), "replicas": 4}


def pairs(report):
    return {(pair.first, pair.second): pair for pair in report.comparisons}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["erf", "relu", "gelu", "sin", "elu"])
def test_the_closed_form_is_a_path_of_its_own(name, monkeypatch):
    model = hd.DEQ(name, sigma_w=0.4, sigma_u=1.2, sigma_b=0.1)
    K = model.gram(X).matrix
    entries = [(0, 0), (2, 7), (3, 3), (9, 1)]

    def forbidden(*_):
        raise AssertionError("quadrature")

    monkeypatch.setattr("hermite_dual.numeric.kernel.kernel_with_error", forbidden)
    # Any start leads to the same fixed point.
    found, reason = closed_form.closed_form_entries(model, X, entries, 0.3 * K)
    assert reason == ""
    np.testing.assert_allclose(found, [K[i, j] for i, j in entries], rtol=0, atol=REORDERED)


@pytest.mark.slow
def test_all_three_agree():
    report = hd.DEQ("erf", sigma_w=0.4, sigma_b=0.3).validate(X, **SMALL)
    found = pairs(report)
    assert list(found) == [
        ("closed form", "model.gram(X)"),
        ("closed form", "networks"),
        ("model.gram(X)", "networks"),
    ]
    assert all(pair.agree for pair in found.values())
    assert abs(found["closed form", "model.gram(X)"].difference) < 1e-12
    assert found["model.gram(X)", "networks"].entries == 55
    assert "closed form and model.gram(X) agree at" in str(report)


@pytest.mark.slow
def test_a_given_matrix_is_compared_with_each():
    model = hd.DEQ("erf", sigma_w=0.4, sigma_b=0.3)
    wrong = model.gram(X).matrix.copy()
    wrong[4, 6] = wrong[6, 4] = wrong[4, 6] + 0.3
    report = model.validate(X, population=wrong, **SMALL)
    found = pairs(report)
    assert len(found) == 6
    assert report.verdict is hd.Verdict.DISAGREE
    disagreeing = {names for names, pair in found.items() if not pair.agree}
    # The closed form is evaluated at the entry farthest from the networks, so it meets the wrong one as well.
    assert disagreeing == {("closed form", "given"), ("model.gram(X)", "given"), ("given", "networks")}
    for names in disagreeing:
        assert found[names].at == (4, 6)
        assert abs(found[names].difference) == pytest.approx(0.3, rel=0.2)


@pytest.mark.slow
def test_a_numeric_gram_matrix_that_departs_from_the_closed_form_is_found(monkeypatch):
    model = hd.DEQ("erf", sigma_w=0.4)
    gram = hd.DEQ.gram

    def slightly_wrong(self, samples, depth=None):
        found = gram(self, samples, depth=depth)
        return dataclasses.replace(found, matrix=found.matrix * (1.0 + 1e-6))

    monkeypatch.setattr(hd.DEQ, "gram", slightly_wrong)
    report = model.validate(X, **SMALL)
    assert report.verdict is hd.Verdict.DISAGREE
    assert report.reason.startswith("closed form and model.gram(X) differ by")
    assert not report.entries.rejected


@pytest.mark.slow
def test_a_kernel_wrong_at_every_depth_is_found_through_the_mean_of_the_control(monkeypatch):
    # The same error in K(1) and in K cancels in part in what the controlled networks say.
    model = hd.DEQ("tanh", sigma_w=0.1, sigma_u=1.2)
    gram = hd.DEQ.gram

    def wrong(self, samples, depth=None):
        found = gram(self, samples, depth=depth)
        return dataclasses.replace(found, matrix=found.matrix * 1.05)

    monkeypatch.setattr(hd.DEQ, "gram", wrong)
    report = model.validate(X)
    assert report.verdict is hd.Verdict.DISAGREE
    assert report.control.rejected
    assert "neurons of the first layer and their kernel differ in" in report.reason


@pytest.mark.slow
def test_without_a_closed_form_the_reason_is_said():
    report = hd.DEQ("tanh", sigma_w=0.4).validate(X, **SMALL)
    pair = pairs(report)["closed form", "networks"]
    assert (pair.agree, pair.entries, pair.at) == (None, 0, None)
    assert "tanh" in pair.note
    assert str(report).count("closed form: not compared: tanh(x)") == 1


@pytest.mark.slow
def test_a_python_function_has_no_closed_form():
    report = hd.DEQ(hd.activation(np.arctan), sigma_w=0.4).validate(X, **SMALL)
    assert "Python function" in report.comparisons[0].note


def test_least_eigenvalues_are_counted_against_half_of_the_population():
    K = np.diag([4.0, 2.0])
    found = least_eigenvalues(K, {8: [0.9, 1.0, 1.1], 16: [2.0, 2.1, 3.0]}, 0.01)
    assert found.population == pytest.approx(2.0)
    assert [(row.width, row.held, row.replicas) for row in found.by_width] == [(8, 2, 3), (16, 3, 3)]
    assert found.theorem_width == pytest.approx(np.log(2 / (2 * 0.01)))
    assert least_eigenvalues(np.zeros((2, 2)), {8: [0.0]}, 0.01).theorem_width is None


@pytest.mark.slow
def test_frequencies_come_from_the_networks():
    model = hd.DEQ("tanh", sigma_w=0.4)
    report = model.validate(X, **SMALL)
    star = np.linalg.eigvalsh(model.gram(X).matrix)[0]
    row = report.least_eigenvalues.by_width[1]
    values = []
    for r in range(4):
        Z = model.sample(128, X.shape[1], hd.validation.replica_seed(0, 128, r)).equilibrium(X).Z
        values.append(np.linalg.svd(Z, compute_uv=False)[-1] ** 2)
    assert row.held == sum(value >= 128 * star / 2 for value in values)
    assert row.mean == pytest.approx(np.mean(values) / 128, rel=OTHER_PATH)


@pytest.mark.parametrize(("successes", "trials"), [(0, 8), (3, 8), (8, 8)])
def test_clopper_pearson_covers(successes, trials):
    from scipy.stats import binomtest

    expected = binomtest(successes, trials).proportion_ci(0.95, method="exact")
    assert clopper_pearson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.slow
def test_parameter_ranges_are_where_the_test_would_have_seen_it():
    model = hd.DEQ.paper("tanh", sigma_w2=0.08)
    report = model.validate(hd.on_sphere(X), **SMALL)
    names = [found.name for found in report.parameter_ranges]
    assert names == ["sigma_w", "sigma_u"]
    for found in report.parameter_ranges:
        test = next(test for test in report.directions if test.name == found.name)
        # To first order the relative change is the size in the direction's unit.
        for end in (found.below, found.above):
            assert end is None or abs(end / found.value - 1.0) == pytest.approx(test.detectable, rel=0.5)
    assert report.parameter_ranges[1].below < np.sqrt(2.0) < report.parameter_ranges[1].above

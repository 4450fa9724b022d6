"""The validator agrees where it must, disagrees where it must, and says when it cannot tell."""

import json

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.errors import InvalidInputError
from hermite_dual.finite import DrawnMatrix
from hermite_dual.validation import Verdict, replica_seed, validate
from tests.reference_model import ErfModel, points
from tests.tolerances import OTHER_PATH

X = points()
WIDTHS = (64, 128, 256)


def run(model=None, **changes):
    return validate(model or ErfModel(), X, **{"widths": WIDTHS, "seed": 1, **changes})


@pytest.fixture(scope="module")
def report():
    return run()


def test_the_right_population_agrees(report):
    assert report.verdict is Verdict.AGREE
    assert not report.entries.rejected
    assert not any(test.rejected for test in report.directions)
    assert str(report).startswith("AGREE: no test rejected")


@pytest.mark.parametrize(
    "population",
    [
        ErfModel(sigma_w=0.6).gram(X).matrix,
        ErfModel(sigma_u=1.3).gram(X).matrix,
        ErfModel().gram(X, factor=1.08).matrix,
        X @ X.T / X.shape[1],
    ],
    ids=["sigma_w half as large again", "sigma_u", "scale", "linear kernel"],
)
def test_a_wrong_population_is_found(population):
    report = run(population=population)
    assert report.verdict is Verdict.DISAGREE
    assert report.population == "given"
    assert "differ in" in report.reason


def test_one_wrong_entry_is_found():
    K = ErfModel().gram(X).matrix.copy()
    size = run().entries.detectable
    K[2, 7] += 1.2 * size
    K[7, 2] += 1.2 * size
    report = run(population=K)
    assert report.verdict is Verdict.DISAGREE
    assert report.entries.worst == (2, 7)


def test_too_few_networks_are_inconclusive():
    report = run(widths=(16, 32), replicas=2)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert f"replicas = {report.replicas_needed} would do" in report.reason


@pytest.mark.slow
def test_it_does_not_cry_wolf():
    # 30 correct models at the error probability 0.1: more than 8 disagreements have a probability below 0.003.
    verdicts = [run(seed=seed, replicas=4, error_probability=0.1).verdict for seed in range(30)]
    assert verdicts.count(Verdict.DISAGREE) <= 8


def test_errors_fall_with_the_exponent_one_half():
    report = run(replicas=24)
    assert abs(report.slope + 0.5) < max(0.1, 3 * report.slope_error)
    assert report.slope_error < 0.1
    assert abs(report.frobenius_slope + 0.5) < 4 * report.frobenius_slope_error
    means = [row.mean for row in report.errors_by_width]
    assert means == sorted(means, reverse=True)


def test_frobenius_errors_are_those_of_the_networks(report):
    model = ErfModel()
    K = model.gram(X).matrix
    G = model.sample(128, X.shape[1], replica_seed(1, 128, 3)).gram(X)
    row = report.errors_by_width[1]
    assert row.width == 128
    assert row.errors[3] == pytest.approx(np.linalg.norm(G - K) / np.linalg.norm(K), rel=1e-12)
    assert row.mean == pytest.approx(np.mean(row.errors))
    assert row.standard_error == pytest.approx(np.std(row.errors, ddof=1) / np.sqrt(8))


@pytest.mark.slow
def test_same_seed_same_report_and_widths_do_not_disturb_each_other(report):
    assert run().to_json() == report.to_json()
    other = run(widths=(128, 32))
    assert other.errors_by_width[0].errors == report.errors_by_width[1].errors
    assert run(seed=2).errors_by_width != report.errors_by_width


def test_json_holds_every_field(report):
    content = json.loads(report.to_json())
    assert content["verdict"] == "AGREE"
    assert content["slope"] == report.slope
    assert content["errors_by_width"][2]["errors"] == list(report.errors_by_width[2].errors)
    assert content["parameters"]["sigma_w"] == 0.4
    assert set(content) == set(report.__dataclass_fields__)


def test_progress_counts_every_network():
    seen = []
    run(widths=(16, 32), replicas=2, progress=lambda *news: seen.append(news))
    assert seen == [("networks", done, 4) for done in (1, 2, 3, 4)]


def test_networks_without_fluctuation_are_compared_to_rounding():
    class Silent(ErfModel):
        activation = staticmethod(np.zeros_like)

        def gram(self, X, depth=None):
            found = super().gram(X, depth)
            found.matrix = np.zeros_like(found.matrix)
            return found

        def sample(self, width, inputs, seed):
            net = super().sample(width, inputs, seed)
            object.__setattr__(net, "activation", np.zeros_like)
            return net

    assert run(Silent(), replicas=2).verdict is Verdict.AGREE
    wrong = run(Silent(), replicas=2, population=np.full((len(X), len(X)), 1e-3))
    assert wrong.verdict is Verdict.DISAGREE
    json.loads(wrong.to_json())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": (0, 64)}, "width=0: allowed are whole numbers >= 1"),
        ({"widths": (64.0, 128)}, "width=64.0: allowed are whole numbers"),
        ({"widths": (64,)}, "at least two different widths"),
        ({"widths": (64, 64)}, "at least two different widths"),
        ({"widths": 64}, "widths=64: allowed are at least two"),
        ({"replicas": 1}, "replicas=1: allowed are whole numbers >= 2"),
        ({"seed": -1}, "seed=-1: allowed are whole numbers >= 0"),
        ({"error_probability": 0.0}, "error_probability=0.0: allowed are numbers between 0 and 1"),
        ({"scale_tolerance": -1.0}, "scale_tolerance=-1.0: allowed are finite numbers > 0"),
        ({"entry_tolerance": np.inf}, "entry_tolerance=inf"),
        ({"population": np.eye(3)}, r"population has the shape \(3, 3\); allowed is \(12, 12\)"),
        ({"population": np.full((12, 12), np.nan)}, "population holds values that are not finite real numbers"),
        ({"population": 1j * np.eye(12)}, "population holds values that are not finite real numbers"),
        ({"population": np.triu(np.ones((12, 12)))}, "population differs from its transpose by 1"),
    ],
)
def test_bad_arguments(changes, message):
    with pytest.raises(InvalidInputError, match=message):
        run(**changes)


def test_bad_samples():
    with pytest.raises(InvalidInputError, match=r"X has the shape \(5,\)"):
        validate(ErfModel(), X[0])
    with pytest.raises(InvalidInputError, match="not finite"):
        validate(ErfModel(), np.full((3, 2), np.inf))


@pytest.mark.slow
def test_weights_that_are_drawn_again_for_every_product_give_the_same_report(monkeypatch):
    model, X = hd.DEQ.paper("tanh", 0.08), hd.on_sphere(np.random.default_rng(0).standard_normal((6, 4)))
    kept = model.validate(X, (16, 32), replicas=2)
    monkeypatch.setattr("hermite_dual.finite.sampling.default_memory", lambda: 1000)
    drawn = model.validate(X, (16, 32), replicas=2)
    assert isinstance(model.sample(32, 4, seed=0).W, DrawnMatrix)
    assert drawn.slope == pytest.approx(kept.slope, rel=OTHER_PATH)
    assert drawn.verdict is kept.verdict

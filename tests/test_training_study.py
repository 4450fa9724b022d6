"""The study over activations and widths, its data, and its figure."""

import json

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.errors import InvalidInputError
from hermite_dual.report.training_plot import plot_training
from hermite_dual.validation.training_study import training_study


@pytest.fixture(scope="module")
def study():
    return training_study(("relu", "tanh"), "sphere", (40, 80), samples=12, inputs=8, epochs=10)


def test_every_activation_and_width_is_run_and_holds(study):
    assert [(item.activation, item.width) for item in study.runs] == [
        ("relu", 40),
        ("relu", 80),
        ("tanh", 40),
        ("tanh", 80),
    ]
    assert study.holds
    assert all(item.run.epochs == 10 for item in study.runs)
    assert all(item.run.parameters == ("a", "W", "U") for item in study.runs)


def test_runs_are_those_of_train_on_the_same_network(study):
    again = training_study(("tanh",), "sphere", (80,), samples=12, inputs=8, epochs=10)
    np.testing.assert_array_equal(again.runs[0].run.loss, study.runs[3].run.loss)
    generator = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(0,)))
    X = hd.on_sphere(generator.standard_normal((12, 8)))
    y = generator.choice([-1.0, 1.0], 12)
    net = hd.DEQ.paper("tanh", 0.08).sample(80, 8, seed=np.random.SeedSequence(0, spawn_key=(80,)))
    run = net.train(X, y, 0.5 * net.stable_step(X, ("a", "W", "U")), 10)
    np.testing.assert_array_equal(run.loss, study.runs[3].run.loss)


def test_a_sigma_w_too_large_names_the_hypothesis_that_failed():
    study = training_study(("tanh",), "sphere", (80,), samples=6, inputs=4, epochs=5, sigma_w2=0.2)
    assert not study.holds
    claims = study.runs[0].run.claims
    assert [claim.holds for claim in claims] == [True, False, True]
    assert "contraction is lost at epoch 0" in str(study)
    far = training_study(("relu",), "sphere", (80,), samples=6, inputs=4, epochs=5, sigma_w2=8.0)
    assert not far.holds
    assert "smaller sigma_w" in str(far)


def test_digits_are_scaled_to_the_sphere_and_told_apart_by_parity():
    study = training_study(("tanh",), "digits", (60,), samples=10, epochs=3)
    images, labels = hd.load_digits()
    given = training_study(
        ("tanh",),
        (hd.on_sphere(images[:10]), 1.0 - 2.0 * (labels[:10] % 2)),
        (60,),
        epochs=3,
        step=study.runs[0].run.step,
    )
    np.testing.assert_allclose(given.runs[0].run.loss, study.runs[0].run.loss, rtol=1e-12)
    assert (study.data, study.inputs, given.data) == ("digits", 64, "given samples")


def test_json_holds_the_runs(study):
    read = json.loads(study.to_json())
    assert read["holds"] is True
    assert [item["run"]["loss"] for item in read["runs"]] == [item.run.loss.tolist() for item in study.runs]


def test_progress_is_told_what_runs():
    seen = []
    training_study(("tanh",), "sphere", (20,), samples=3, inputs=4, epochs=1, progress=lambda *news: seen.append(news))
    assert [news[1:] for news in seen] == [(1, 2), (2, 2)]
    assert all(news[0].startswith("tanh, width 20: epochs, loss ") for news in seen)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "moons"}, "data='moons': allowed are 'sphere', 'digits' or a pair"),
        ({"widths": ()}, "need one element each"),
        ({"samples": 0}, "samples=0"),
        ({"data": "digits", "samples": 2000}, "there are 1797 digits"),
        ({"sigma_w2": -1.0}, "sigma_w2=-1.0"),
        ({"epochs": -1}, "epochs=-1"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_bad_arguments(changes, message):
    arguments = {"activations": ("tanh",), "widths": (10,), "samples": 3, "inputs": 4, "epochs": 1, **changes}
    with pytest.raises(InvalidInputError, match=message):
        training_study(**arguments)


def test_figure_shows_the_numbers(study):
    axes = plot_training(study)
    assert axes.shape == (2, 3)
    loss, bound = axes[1, 0].get_lines()[:2]
    np.testing.assert_array_equal(loss.get_ydata(), study.runs[2].run.loss)
    np.testing.assert_array_equal(bound.get_ydata(), study.runs[2].run.rate_bound)
    np.testing.assert_array_equal(axes[0, 1].get_lines()[0].get_ydata(), study.runs[0].run.norm)
    least = study.runs[1].run.least_eigenvalue
    np.testing.assert_allclose(axes[0, 2].get_lines()[1].get_ydata(), least / least[0])
    assert "all claims hold" in axes[0, 0].get_ylabel()
    assert [text.get_text() for text in axes[0, 0].figure.legends[0].get_texts()] == [
        "m = 40",
        "m = 80",
        "limit of the claim",
    ]


@pytest.mark.parametrize(("sigma_w2", "label"), [(8.0, "a run ended with an error"), (0.2, "contraction fails")])
def test_figure_of_a_failed_study_says_what_failed(tmp_path, sigma_w2, label):
    study = training_study(("relu",), "sphere", (60,), samples=4, inputs=4, epochs=2, sigma_w2=sigma_w2)
    axes = plot_training(study)
    assert axes[0, 0].get_ylabel() == f"relu: {label}"
    axes[0, 0].figure.savefig(tmp_path / "figure.png")

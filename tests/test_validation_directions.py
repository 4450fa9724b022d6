"""The tested functionals: their units, their power, their reproducibility."""

import numpy as np
import pytest

from hermite_dual.validation.directions import make_plan
from hermite_dual.validation.variates import control_of
from tests.reference_model import ErfModel, points
from tests.tolerances import OTHER_PATH

X = points()


def plan(model=None, samples=X, seed=0, population=None):
    model = model or ErfModel()
    variates = control_of(model, samples, model.gram(samples, depth=1).matrix)
    return make_plan(model, samples, model.gram(samples), variates, seed, population)


def family(*arguments, **keywords):
    return plan(*arguments, **keywords).directions


def by_name(directions):
    return {direction.name: direction for direction in directions}


def test_names_are_unique_and_functionals_symmetric():
    directions = family()
    assert len(by_name(directions)) == len(directions) == 15
    for direction in directions:
        np.testing.assert_allclose(direction.D, direction.D.T, rtol=0, atol=1e-12 * np.abs(direction.D).max())


def test_averages_and_forms_measure_what_they_say():
    K = ErfModel().gram(X).matrix
    found = by_name(family())
    assert found["mean of the diagonal"](K) == pytest.approx(np.diag(K).mean())
    assert found["mean off the diagonal"](K) == pytest.approx(K[~np.eye(len(K), dtype=bool)].mean())
    assert found["eigenvector 1 from the top"](K) == pytest.approx(1.0)
    assert found["overall scale"](1.01 * K - K) == pytest.approx(0.01)


@pytest.mark.parametrize("name", ["sigma_w", "sigma_u"])
def test_sensitivities_read_a_relative_change(name):
    model = ErfModel()
    change = 0.02
    moved = model.replace(**{name: getattr(model, name) * (1 + change)})
    read = by_name(family())[name](moved.gram(X).matrix - model.gram(X).matrix)
    # The direction is a difference over ten percent of the variance: a few percent off the derivative.
    assert read == pytest.approx(change, rel=0.1)


@pytest.mark.parametrize("degree", range(4))
def test_degrees_read_the_weight_of_a_power_of_the_correlation(degree):
    gram = ErfModel().gram(X)
    deviations = np.sqrt(np.diag(gram.preactivation))
    power = (gram.preactivation / np.outer(deviations, deviations)) ** degree
    read = by_name(family())[f"degree {degree}"](0.01 * np.diag(gram.matrix).mean() * power)
    assert read == pytest.approx(0.01, rel=OTHER_PATH)


def test_a_given_population_has_a_direction_of_its_own():
    model = ErfModel()
    K, other = model.gram(X).matrix, model.replace(sigma_b=0.5).gram(X).matrix
    found = by_name(family(population=other))["given minus model.gram(X)"]
    # Networks that follow the model lie at minus one difference from the population given.
    assert found(K - other) == pytest.approx(-1.0)
    assert "given minus model.gram(X)" not in by_name(family(population=K))


def test_sharpened_direction_has_less_noise_than_the_plain_one():
    model = ErfModel()
    found = by_name(family())
    grams = np.array([model.sample(128, X.shape[1], np.random.SeedSequence(s)).gram(X) for s in range(60)])
    slope = model.replace(sigma_w=0.44).gram(X).matrix - model.replace(sigma_w=0.36).gram(X).matrix
    plain = [np.vdot(slope, G) / np.vdot(slope, slope) for G in grams]
    sharpened = [found["sigma_w"](G) / found["sigma_w"](slope) for G in grams]
    assert np.std(sharpened) < 0.7 * np.std(plain)


def test_same_seed_same_directions():
    for first, again in zip(family(seed=3), family(seed=3), strict=True):
        np.testing.assert_array_equal(first.D, again.D)


def test_a_single_sample_and_equal_samples_are_allowed():
    assert "mean off the diagonal" not in by_name(family(samples=X[:1]))
    for direction in family(samples=np.repeat(X[:2], 3, axis=0)):
        assert np.isfinite(direction.D).all()


def test_without_recurrence_there_is_no_direction_of_sigma_w():
    assert "sigma_w" not in by_name(family(ErfModel(sigma_w=0.0)))

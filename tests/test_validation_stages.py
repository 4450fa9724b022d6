"""Two stages: what the first networks reject is tested on fresh ones; and how many networks an answer takes."""

import dataclasses

import numpy as np
import pytest

from hermite_dual.report.validation_page import validation_page
from hermite_dual.validation import Verdict, replica_seed, validate
from hermite_dual.validation.confirmation import NETWORKS, Family, _another_seed, confirm
from hermite_dual.validation.directions import Direction
from hermite_dual.validation.regression import Extrapolation, critical_value
from hermite_dual.validation.testing import direction_tests, entry_tests
from tests.reference_model import ErfModel, points

X = points()
DEGREES, TESTS = 22, 5
K = np.eye(2)
DIRECTIONS = [Direction(f"test {k}", "1", np.full((2, 2), 0.25)) for k in range(TESTS)]


def run(model=None, **changes):
    return validate(model or ErfModel(), X, **{"widths": (64, 128, 256), "seed": 1, **changes})


def estimates(generator, count, size=0.0):
    """Independent estimates, the first of `size` standard deviations, others of 0, with estimated standard errors."""
    error = np.sqrt(generator.chisquare(DEGREES, count) / DEGREES)
    discrepancy = generator.standard_normal(count)
    discrepancy[0] += size
    return Extrapolation(discrepancy, error, np.zeros(count), DEGREES)


def stages(generator, alpha, size=0.0, share=0.5):
    """Two stages of a validation whose numbers follow the normal model exactly."""
    tests = direction_tests(estimates(generator, TESTS, size), DIRECTIONS, K, alpha, share)
    entries = entry_tests(estimates(generator, 3), K, alpha, share)
    fresh = lambda chosen: estimates(generator, len(chosen), size)  # noqa: E731
    confirmed = confirm([Family(NETWORKS, DIRECTIONS, tests, entries, share, fresh)], K, alpha)
    return confirmed, any(test.rejected for test in confirmed)


def test_a_right_population_is_rejected_by_both_stages_as_often_as_the_square_says():
    alpha, runs = 0.3, 2500
    generator = np.random.default_rng(7)
    found = [stages(generator, alpha) for _ in range(runs)]
    first = sum(bool(confirmed) for confirmed, _ in found) / runs
    both = sum(rejected for _, rejected in found) / runs
    # Bonferroni over independent tests: 1 - (1 - a/(2 T))^T (1 - a/6)^3 in the first stage
    exact = 1 - (1 - alpha / 2 / TESTS) ** TESTS * (1 - alpha / 2 / 3) ** 3
    assert first == pytest.approx(exact, abs=4 * np.sqrt(exact / runs))
    assert both <= alpha**2 + 3 * np.sqrt(alpha**2 / runs)
    assert both >= 0.6 * alpha**2  # the level is used, not wasted


def test_what_another_seed_would_say_is_foretold():
    generator = np.random.default_rng(3)
    for size in (4.0, 5.0, 7.0):
        first = [stages(generator, 0.05, size) for _ in range(250)]
        rejected = np.mean([rejected for _, rejected in first])
        told = [max(test.another_seed for test in confirmed) for confirmed, yes in first if yes]
        assert np.mean(told) == pytest.approx(rejected, abs=0.12)


def test_the_probability_of_another_seed_is_that_of_its_definition():
    bars = (3.0, 2.0)
    assert _another_seed(np.inf, bars) == 1.0
    assert _another_seed(-5.0, bars) < 1e-6
    z = np.random.default_rng(0).standard_normal((3, 200_000))
    for t in (1.0, 3.0, 5.0):
        simulated = np.mean((t + z[0] + z[1] > bars[0]) & (t + z[0] + z[2] > bars[1]))
        assert _another_seed(t, bars) == pytest.approx(simulated, abs=0.005)


def test_only_what_was_rejected_is_tested_again_and_one_sided():
    first = dataclasses.replace(estimates(np.random.default_rng(0), TESTS), intercept=np.array([9.0, 0, 0, 0, -9.0]))
    tests = direction_tests(first, DIRECTIONS, K, 0.01, 0.45)
    entries = entry_tests(estimates(np.random.default_rng(1), 3), K, 0.01, 0.45)
    opposite = lambda chosen: Extrapolation(np.array([-9.0, -9.0]), np.ones(2), np.zeros(2), DEGREES)  # noqa: E731
    one, other = confirm([Family(NETWORKS, DIRECTIONS, tests, entries, 0.45, opposite)], K, 0.01)
    assert (one.name, one.rejected, one.p_value) == ("test 0", False, 1.0)
    assert (other.name, other.rejected) == ("test 4", True)
    bar = critical_value(0.02, 2, DEGREES)  # one-sided, two tests
    at_bar = lambda chosen: Extrapolation(np.array([bar, -bar]), np.ones(2), np.zeros(2), DEGREES)  # noqa: E731
    both = confirm([Family(NETWORKS, DIRECTIONS, tests, entries, 0.45, at_bar)], K, 0.01)
    assert [test.p_value for test in both] == pytest.approx([0.01, 0.01])


def test_a_wrong_population_shows_p_and_what_another_seed_would_say():
    wrong = ErfModel().gram(X, factor=1.08).matrix
    report = run(population=wrong)
    assert report.verdict is Verdict.DISAGREE
    assert "on fresh networks" in report.reason
    assert "another seed would say so too with probability over 0.99" in report.reason
    page = validation_page(report)
    assert "rejected again" in page
    assert "at most 0.0001: 0.01 in each of two stages" in page
    assert run(population=wrong, seed=2).verdict is Verdict.DISAGREE


def test_fresh_networks_are_the_replicas_that_follow():
    drawn = []

    @dataclasses.dataclass(frozen=True)
    class Watched(ErfModel):
        def sample(self, width, inputs, seed):
            if len(seed.spawn_key) == 2:
                drawn.append((width, seed.spawn_key[1]))
            return super().sample(width, inputs, seed)

    seen = []
    wrong = ErfModel().gram(X, factor=2.0).matrix
    run(Watched(), widths=(16, 32), replicas=3, population=wrong, progress=lambda *news: seen.append(news))
    assert drawn == [(m, r) for start in (0, 3) for m in (16, 32) for r in range(start, start + 3)]
    assert seen[5:7] == [("networks", 6, 6), ("fresh networks", 1, 6)]
    assert replica_seed(1, 16, 5).spawn_key == (16, 5)


@pytest.mark.slow
def test_a_rejection_by_accident_is_no_disagreement():
    # at the error probability 0.3 one first stage in four rejects a right population
    reports = [run(seed=seed, replicas=2, error_probability=0.3) for seed in range(16)]
    accidents = [report for report in reports if report.confirmation and report.verdict is not Verdict.DISAGREE]
    assert accidents
    assert all("no test rejected twice (the first networks did " in report.reason for report in accidents)
    # more than 5 of 16 at 0.09 have a probability below 0.003
    assert sum(report.verdict is Verdict.DISAGREE for report in reports) <= 5


@pytest.mark.slow
def test_the_replicas_that_are_said_to_do_do_and_much_fewer_do_not():
    verdicts = []
    for seed in range(6):
        few = run(seed=seed, replicas=2, scale_tolerance=0.03)
        assert few.verdict is Verdict.INCONCLUSIVE
        needed = few.replicas_needed
        assert f"replicas = {needed} would do with probability 0.9" in few.reason
        sizes = (needed, max(2, round(needed / 3)))
        verdicts.append([run(seed=100 + seed, replicas=size, scale_tolerance=0.03).verdict for size in sizes])
    # at most 2 of 6 fail with probability 0.98 if one in ten does
    assert sum(enough is Verdict.AGREE for enough, _ in verdicts) >= 4
    assert sum(fewer is Verdict.INCONCLUSIVE for _, fewer in verdicts) >= 3


def test_replicas_that_are_there_are_enough_where_the_answer_is_agree():
    assert run().replicas_needed == 8

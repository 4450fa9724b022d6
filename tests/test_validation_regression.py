"""The extrapolation in the width against direct least squares, its errors against simulation."""

import numpy as np
import pytest
from scipy import stats

from hermite_dual.validation.regression import (
    POWER,
    Moments,
    critical_value,
    detectable,
    extrapolate,
    fit_exponent,
    interval,
)
from tests.tolerances import OTHER_PATH, REORDERED

WIDTHS = (16, 32, 64)


def simulate(rng, intercept, slope, replicas, quantities):
    data = {}
    for m in WIDTHS:
        data[m] = intercept + slope / m + rng.standard_normal((replicas, quantities)) / np.sqrt(m)
    return data


def moments(data):
    by_width = {}
    for m, values in data.items():
        for row in values:
            by_width.setdefault(m, Moments()).add(row)
    return by_width


def test_moments_are_mean_and_squares():
    values = np.random.default_rng(0).standard_normal((9, 4))
    found = moments({1: values})[1]
    np.testing.assert_allclose(found.mean, values.mean(axis=0), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(found.squares, values.var(axis=0) * 9, rtol=REORDERED)


def test_extrapolation_is_weighted_least_squares():
    data = simulate(np.random.default_rng(1), 2.0, -3.0, 5, 4)
    fit = extrapolate(moments(data))
    root = np.sqrt(np.repeat(WIDTHS, 5))
    A = root[:, None] * np.column_stack([np.ones(15), 1 / np.repeat(np.array(WIDTHS, float), 5)])
    y = root[:, None] * np.concatenate(list(data.values()))
    solution, squares, _, _ = np.linalg.lstsq(A, y, rcond=None)
    covariance = np.linalg.inv(A.T @ A)
    np.testing.assert_allclose(fit.intercept, solution[0], rtol=1e-11)
    np.testing.assert_allclose(fit.slope, solution[1], rtol=1e-10)
    np.testing.assert_allclose(fit.standard_error, np.sqrt(squares / 13 * covariance[0, 0]), rtol=1e-10)
    assert fit.degrees == 13


def test_intercept_follows_students_law():
    # 20,000 quantities at once: Kolmogorov's statistic is below 1.95 / sqrt(20000) with probability 0.999.
    fit = extrapolate(moments(simulate(np.random.default_rng(2), 1.0, 5.0, 4, 20_000)))
    t = (fit.intercept - 1.0) / fit.standard_error
    assert stats.kstest(t, stats.t(fit.degrees).cdf).statistic < 1.95 / np.sqrt(20_000)


@pytest.mark.parametrize(("tests", "degrees"), [(9, 22), (45150, 22), (5, 4), (3, 2)])
def test_detectable_size_has_the_stated_power(tests, degrees):
    # One run reports the size from its own standard error, another looks for it: 200,000 pairs of runs.
    critical = critical_value(0.01, tests, degrees)
    rng = np.random.default_rng(5)
    first, second = np.sqrt(rng.chisquare(degrees, (2, 200_000)) / degrees)
    found = rng.standard_normal(200_000) + detectable(critical, degrees) * first > critical * second
    # A standard error of the frequency is 0.0005; the rest is the 200 quantiles.
    assert found.mean() == pytest.approx(POWER, abs=0.003)


@pytest.mark.parametrize(("tests", "degrees"), [(9, 22), (45150, 22), (5, 4)])
def test_in_the_same_run_the_power_is_higher(tests, degrees):
    critical = critical_value(0.01, tests, degrees)
    assert stats.t.sf(critical - detectable(critical, degrees), degrees) > POWER


def test_critical_value_shares_the_error_probability():
    assert 2 * 7 * stats.t.sf(critical_value(0.02, 7, 10), 10) == pytest.approx(0.02, rel=1e-10)


def test_exponent_of_a_power_law():
    m = np.repeat([16.0, 32.0, 64.0], 6)
    assert fit_exponent(m, 3 * m**-0.5) == pytest.approx((-0.5, 0.0), abs=1e-12)
    noise = np.exp(0.1 * np.random.default_rng(3).standard_normal(len(m)))
    exponent, error = fit_exponent(m, 3 * m**-0.5 * noise)
    assert abs(exponent + 0.5) < 4 * error
    reference = stats.linregress(np.log(m), np.log(3 * m**-0.5 * noise))
    assert (exponent, error) == pytest.approx((reference.slope, reference.stderr), rel=1e-10)


def test_exponent_of_vanishing_errors_is_not_a_number():
    assert np.isnan(fit_exponent(np.array([1.0, 2.0, 4.0]), np.array([0.0, 1.0, 1.0]))).all()


def test_interval_is_students():
    low, high = interval(1.0, 0.5, 9)
    assert (low, high) == pytest.approx(stats.t.interval(0.95, 9, 1.0, 0.5), rel=OTHER_PATH)

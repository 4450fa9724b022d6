"""The float64 kernel against closed forms from the literature, at all variances and correlations that matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

import hermite_dual as hd
from tests.problems import PROBLEMS, SOLVED, Problem
from tests.tolerances import FLOAT_KERNEL, PRINTED

ABSOLUTE = 1e-100
"""Rounding of the references themselves, evaluated with 120 digits."""
VARIANCES = ((0.1, 0.1), (0.1, 10.0), (1.0, 1.0), (1.7, 0.6), (2.5, 10.0), (10.0, 10.0))
CORRELATIONS = (-1.0, -0.7, 0.0, 0.3, 0.9, 0.999, 1 - 1e-12, 1.0)
GROWING_OR_OSCILLATING = ("exp(0.7*x)", "sin", "cos", "gabor")
"""At large variances these cancel over many periods, which quadrature resolves but slowly."""
WITH_FORM = list(SOLVED.values())


def exact(row: Problem, q1: float, q2: float, c: float) -> mpf:
    with mp.workdps(120):
        return row.dual(mpf(q1), mpf(q2), mpf(c))


def covariance(q1: float, q2: float, rho: float) -> float:
    """A float within `|c| <= sqrt(q1 q2)`, and equal to it up to rounding at rho = +-1."""
    return float(np.clip(rho * np.sqrt(q1 * q2), -np.sqrt(q1 * q2), np.sqrt(q1 * q2)))


@pytest.mark.parametrize("row", PROBLEMS, ids=lambda row: row.name)
def test_printed_values_are_met(row):
    value, error = hd.dual(row.name).kernel(1.7, 0.6, 0.8, return_error=True)
    assert value == pytest.approx(row.value, rel=PRINTED)
    assert error < FLOAT_KERNEL * row.value


@pytest.mark.parametrize("row", [row for row in PROBLEMS if row.at_half is not None], ids=lambda row: row.name)
def test_unit_variance_values_are_met(row):
    assert hd.dual(row.name)(0.5) == pytest.approx(row.at_half, rel=PRINTED)


@pytest.mark.parametrize("rho", CORRELATIONS)
@pytest.mark.parametrize("row", WITH_FORM, ids=lambda row: row.name)
def test_closed_forms_are_met(row, rho):
    k = hd.dual(row.name)
    for q1, q2 in VARIANCES:
        c = covariance(q1, q2, rho)
        truth = exact(row, q1, q2, c)
        value, error = k.kernel(q1, q2, c, return_error=True)
        gap = abs(float(mpf(value) - truth))
        assert gap <= error + ABSOLUTE, (q1, q2, gap, error)
        if row.smooth:
            assert gap <= FLOAT_KERNEL * abs(float(truth)), (q1, q2, gap, float(truth))
        else:
            scale = float(mp.sqrt(exact(row, q1, q1, q1) * exact(row, q2, q2, q2)))
            assert error <= FLOAT_KERNEL * scale, (q1, q2, error, scale)


@pytest.mark.slow
@pytest.mark.parametrize("row", WITH_FORM, ids=lambda row: row.name)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    st.floats(1e-4, 100.0),
    st.floats(1e-4, 100.0),
    st.floats(-16.0, -0.1),
    st.booleans(),
)
def test_the_error_covers_the_truth_close_to_perfect_correlation(row, q1, q2, exponent, positive):
    if row.name in GROWING_OR_OSCILLATING:
        q1, q2 = min(q1, 20.0), min(q2, 20.0)
    c = (1.0 if positive else -1.0) * (1.0 - 10.0**exponent) * np.sqrt(q1 * q2)
    value, error = hd.dual(row.name).kernel(q1, q2, c, return_error=True)
    assert abs(float(mpf(value) - exact(row, q1, q2, c))) <= error + ABSOLUTE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "hard_tanh", "tanh(20*x)", "softsign"])
def test_the_interpolant_in_the_angle_agrees_with_quadrature(name):
    k = hd.dual(name)
    rho = np.cos(np.linspace(0.0, np.pi, 101))
    many, error = k.kernel(1.3, 0.7, rho * np.sqrt(1.3 * 0.7), return_error=True)
    for i in range(0, 101, 10):
        one, own = k.kernel(1.3, 0.7, rho[i] * np.sqrt(1.3 * 0.7), return_error=True)
        assert abs(many[i] - one) <= error[i] + own


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "relu", "elu", "sin", "gelu"])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.floats(0.01, 20.0), st.floats(0.01, 20.0), st.floats(-0.99, 0.99))
def test_the_kernel_is_symmetric_and_bounded_by_cauchy_and_schwarz(name, q1, q2, rho):
    k = hd.dual(name)
    c = rho * np.sqrt(q1 * q2)
    assert k.kernel(q1, q2, c) == k.kernel(q2, q1, c)
    assert k.kernel(q1, q2, c) ** 2 <= k.kernel(q1, q1, q1) * k.kernel(q2, q2, q2) * (1 + 1e-13)


@pytest.mark.parametrize("name", ["tanh", "gelu", "softplus", "sin", "relu", "hard_tanh"])
def test_price_theorem_links_the_kernel_and_the_dual_of_the_derivative(name):
    k = hd.dual(name)
    step = 1e-3
    for q1, q2, c in ((1.0, 1.0, 0.3), (0.4, 2.0, -0.5), (3.0, 3.0, 2.0)):
        values = [k.kernel(q1, q2, c + i * step) for i in (-2, -1, 1, 2)]
        slope = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
        # The five-point formula is off by step^4 f'''''/30 and by rounding / step.
        assert k.derivative().kernel(q1, q2, c) == pytest.approx(slope, abs=1e-10)


def test_arrays_broadcast_and_scalars_stay_floats():
    k = hd.dual("erf")
    assert isinstance(k.kernel(1.0, 1.0, 0.5), float)
    assert isinstance(k(0.5), float)
    grid = k.kernel(np.array([[0.5], [1.0]]), 1.0, np.array([0.1, 0.2, 0.3]))
    assert grid.shape == (2, 3)
    for i, q1 in enumerate((0.5, 1.0)):
        for j, c in enumerate((0.1, 0.2, 0.3)):
            assert grid[i, j] == pytest.approx(k.kernel(q1, 1.0, c), rel=1e-15)


def test_zero_variance_leaves_the_value_at_zero():
    k = hd.dual("softplus")
    mean = k.coefficients(1, variance=2.0)[0]
    assert k.kernel(0.0, 2.0, 0.0) == pytest.approx(np.log(2.0) * mean, rel=1e-14)
    assert k.kernel(0.0, 0.0, 0.0) == pytest.approx(np.log(2.0) ** 2, rel=1e-14)


def test_singular_but_integrable_activations_report_an_error_that_covers_the_truth():
    # E|Z|^(1/2) = 2^(1/4) Gamma(3/4) / sqrt(pi) is the kernel of |x|^(1/4) at correlation 1.
    value, error = hd.dual("abs(x)**(1/4)").kernel(1.0, 1.0, 1.0, return_error=True)
    truth = 2**0.25 * float(mp.gamma(0.75)) / np.sqrt(np.pi)
    assert abs(value - truth) <= error < 1e-12


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_python_functions_with_unknown_kinks_are_integrated(shift):
    def kinked(values):
        return np.maximum(values - shift, 0.0)

    value, error = hd.dual(kinked).kernel(1.2, 0.7, 0.4, return_error=True)
    truth, truth_error = hd.dual(f"max(x - {shift}, 0)").kernel(1.2, 0.7, 0.4, return_error=True)
    assert abs(value - truth) <= error + truth_error
    assert error < 1e-13


@pytest.mark.slow
def test_rounding_noise_of_an_activation_is_not_taken_for_structure():
    # 1 + erf cancels at the left; times a growing exponential the noise exceeds the largest value of phi itself.
    for spec in ("4*x*(2 - erfc(x/2 - 1))*exp(x**2/20 - x)/3", "(sin(x)**2 + cos(x)**2 - 1)*exp(-5*x) + exp(-x**2)"):
        value, error = hd.dual(spec).kernel(1.0, 1.0, 0.5, return_error=True)
        assert np.isfinite(value)
        assert np.isfinite(error)


@pytest.mark.parametrize("variance", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("steepness", [1.0, 20.0])
def test_steep_places_are_found_at_large_variances(steepness, variance):
    """`2/pi asin(2 a^2 c / (1 + 2 a^2 q))` for erf(a x), whose step is 1e-5 of the range of integration."""
    rho = np.array([0.3, 0.99, 1.0 - 1e-6, 1.0 - 1e-13, 1.0])
    value, error = hd.dual(f"erf({steepness}*x)").kernel(variance, variance, variance * rho, return_error=True)
    with mp.workdps(40):
        b = 2 * mpf(steepness) ** 2
        truth = [2 / mp.pi * mp.asin(b * mpf(float(variance * r)) / (1 + b * mpf(variance))) for r in rho]
        gaps = np.array([abs(float(mpf(float(v)) - t)) for v, t in zip(value, truth, strict=True)])
    assert (gaps <= error).all()
    assert (gaps <= 1e-14).all()

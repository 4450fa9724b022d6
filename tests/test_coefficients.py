"""Hermite coefficients in float64: exact values, Parseval, parity, the reported error."""

import numpy as np
import pytest
from mpmath import mp, mpf

import hermite_dual as hd


def factorial_root(r: int) -> mpf:
    return mp.sqrt(mp.factorial(r))


def exact_sin(r: int, q: float) -> mpf:
    """E[sin(sqrt(q) Z) h_r(Z)] = q^(r/2) exp(-q/2) sin(r pi/2) / sqrt(r!)."""
    return mpf(q) ** (mpf(r) / 2) * mp.exp(-mpf(q) / 2) * (0, 1, 0, -1)[r % 4] / factorial_root(r)


def exact_exp(r: int, q: float) -> mpf:
    """E[exp(sqrt(q) Z) h_r(Z)] = q^(r/2) exp(q/2) / sqrt(r!)."""
    return mpf(q) ** (mpf(r) / 2) * mp.exp(mpf(q) / 2) / factorial_root(r)


def exact_step(r: int, q: float) -> mpf:
    """E[1(Z > 0) h_r(Z)] = He_{r-1}(0) / sqrt(2 pi r!), r >= 1."""
    if r == 0:
        return mpf(1) / 2
    if r % 2 == 0:
        return mpf(0)
    k = (r - 1) // 2
    return (-1) ** k * mp.factorial(2 * k) / (mp.factorial(k) * 2**k) / mp.sqrt(2 * mp.pi) / factorial_root(r)


def exact_relu(r: int, q: float) -> mpf:
    """By parts: a_r(relu) = sqrt(q / r) a_{r-1}(step), r >= 1; E[relu] = sqrt(q / (2 pi))."""
    if r == 0:
        return mp.sqrt(mpf(q) / (2 * mp.pi))
    return mp.sqrt(mpf(q) / r) * exact_step(r - 1, q)


CASES = {"sin": exact_sin, "exp": exact_exp, "step": exact_step, "relu": exact_relu}


@pytest.mark.parametrize("variance", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("name", CASES)
def test_coefficients_agree_with_exact_values(name, variance):
    k = hd.dual(name)
    n = 300
    values, errors = k.coefficients(n, variance), k.coefficient_error(n, variance)
    with mp.workdps(40):
        exact = [CASES[name](r, variance) for r in range(n)]
        gaps = np.array([float(abs(mpf(value) - truth)) for value, truth in zip(values, exact, strict=True)])
    assert (gaps <= errors).all(), np.flatnonzero(gaps > errors)
    assert errors.max() <= 1e-13 * np.sqrt(k.kernel(variance, variance, variance))


@pytest.mark.parametrize("degree", [2000, 5000])
def test_high_degrees_of_a_kinked_activation_stay_accurate(degree):
    value = hd.dual("relu").coefficients(degree + 1)[degree]
    with mp.workdps(40):
        assert abs(float(mpf(value) - exact_relu(degree, 1.0))) < 1e-15


@pytest.mark.parametrize("name", ["tanh", "gelu", "softplus", "erf", "tanh(20*x)", "cos"])
def test_parseval_and_parity(name):
    k = hd.dual(name)
    values = k.coefficients(400, 1.5)
    second = k.kernel(1.5, 1.5, 1.5)
    assert (values**2).sum() <= second * (1 + 1e-14)
    if k.activation.parity == "odd":
        assert not values[0::2].any()
    if k.activation.parity == "even":
        assert not values[1::2].any()


def test_the_expansion_takes_the_terms_that_its_remainder_asks_for():
    k = hd.dual("tanh")
    for tolerance in (1e-4, 1e-8, 1e-14):
        expansion = k.expansion(tolerance)
        second = k.kernel(1.0, 1.0, 1.0)
        assert expansion.remainder <= 1.1 * tolerance * second + 1e-15
        shorter = (expansion.coefficients[:-1] ** 2).sum()
        assert second - shorter > tolerance * second
        # The remainder bounds the error of the cut series at every correlation.
        for rho in (-1.0, 0.3, 0.9, 1.0):
            series = np.polynomial.polynomial.polyval(rho, expansion.coefficients**2)
            assert abs(series - k(rho)) <= expansion.remainder + 1e-15


def test_an_expansion_that_float64_cannot_give_is_refused():
    with pytest.raises(hd.AccuracyError, match="leave a remainder of"):
        hd.dual("relu").expansion(1e-12)
    with pytest.raises(hd.InvalidInputError, match="tolerance = 0"):
        hd.dual("relu").expansion(0.0)


@pytest.mark.parametrize("name", ["exp(x**2)", "exp(x**2/4)", "exp(exp(x))", "1/x", "1/sqrt(abs(x))"])
def test_activations_that_are_not_square_integrable_are_refused(name):
    with pytest.raises(hd.NotIntegrableError, match="not square-integrable"):
        hd.dual(name)(0.5)


def test_square_integrability_depends_on_the_variance():
    k = hd.dual("exp(x**2/8)")
    # E[exp(Z^2/4)] = sqrt(2) at variance 1; at variance 2 the integral diverges.
    assert k(1.0) == pytest.approx(np.sqrt(2.0), rel=1e-13)
    with pytest.raises(hd.NotIntegrableError):
        k.kernel(2.0, 2.0, 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda k: k.kernel(-1.0, 1.0, 0.0), r"variance q1 = -1.0: variances are finite and not negative"),
        (lambda k: k.kernel(1.0, float("nan"), 0.0), "variance q2 = nan"),
        (lambda k: k.kernel(1.0, 1.0, float("inf")), "covariance c = inf"),
        (lambda k: k.kernel(1.0, 4.0, 2.1), r"\|c\| is at most sqrt\(q1 q2\)"),
        (lambda k: k(1.5), r"correlation rho = 1.5: allowed is \[-1, 1\]"),
        (lambda k: k(float("nan")), "correlation rho = nan"),
        (lambda k: k.coefficients(0), "n = 0: allowed are whole numbers from 1"),
        (lambda k: k.coefficients(4, variance=0.0), "variance = 0.0: allowed are finite numbers above 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(hd.InvalidInputError, match=message):
        call(hd.dual("tanh"))

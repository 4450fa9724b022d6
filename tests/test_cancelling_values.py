"""Errors of kernels whose activation cancels: rounded constants, and values below float64's normal range."""

import numpy as np
import pytest
import sympy as sp
from mpmath import mp, mpf

import hermite_dual as hd
from hermite_dual.numeric.gaussian import value_factor

X = sp.Symbol("x", real=True)


def normalized_hermite(n: int) -> sp.Expr:
    return sp.expand(sp.hermite_prob(n, X) / sp.sqrt(sp.factorial(n)))


@pytest.mark.parametrize("n", [10, 20, pytest.param(30, marks=pytest.mark.slow)])
@pytest.mark.parametrize("rho", [0.1, 0.9])
def test_errors_hold_where_hermite_polynomials_cancel(n, rho):
    value, error = hd.dual(normalized_hermite(n)).kernel(1.0, 1.0, rho, return_error=True)
    with mp.workdps(40):
        assert abs(mpf(value) - mpf(rho) ** n) <= error


def test_rounded_constants_count_where_they_cancel():
    assert value_factor(hd.activation(normalized_hermite(20)), 1.0) > 100.0
    for name in ("gelu", "tanh", "selu", "squareplus"):
        assert value_factor(hd.activation(name), 1.0) < 1.0


@pytest.mark.parametrize(("q", "rho"), [(1.0, 0.5), (0.3, -0.9), (4.0, 1.0)])
def test_high_powers_are_integrated(q, rho):
    # E[u^30 v^30] by Isserlis' theorem, the number of contractions between u and v summed over
    with mp.workdps(40):
        terms = [
            (
                mp.factorial(30)
                / mp.factorial(30 - k)
                / mp.factorial((30 - k) / 2)
                / 2 ** ((30 - k) // 2)
                * mp.factorial(30 - k)
            )
            ** 2
            / mp.factorial(k)
            * mpf(rho) ** k
            for k in range(0, 31, 2)
        ]
        truth = mpf(q) ** 30 * sum(terms)
        value, error = hd.dual("x**30").kernel(q, q, rho * q, return_error=True)
        assert abs(mpf(value) - truth) <= error <= 1e-12 * truth


def test_values_below_the_normal_range_need_no_panels():
    k = hd.dual("x**40*exp(-x**2)")
    value, error = k.kernel(1.0, 1.0, 0.0, return_error=True)
    with mp.workdps(30):
        # E[x^40 exp(-x^2)] = 39!! 3^(-41/2)
        truth = (mp.fac2(39) * mpf(3) ** (-mpf(41) / 2)) ** 2
        assert abs(mpf(value) - truth) <= error
    assert error <= 1e-12 * float(truth)
    assert np.isfinite(k.kernel(1.0, 1.0, 0.9))

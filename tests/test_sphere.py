"""Spectra on the sphere against the Funk-Hecke integral, Bessel functions and the trace."""

import math
import pickle
from functools import cache

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

import hermite_dual as hd
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.sphere_spectrum import largest_power_eigenvalue, multiplicity, power_eigenvalue

DIGITS = 30
DUALS = {
    "relu": lambda t, q: q * (mp.sqrt(1 - t * t) + (mp.pi - mp.acos(t)) * t) / (2 * mp.pi),
    "erf": lambda t, q: 2 / mp.pi * mp.asin(2 * q * t / (1 + 2 * q)),
    "sin": lambda t, q: mp.exp(-q) * mp.sinh(q * t),
    "exp": lambda t, q: mp.exp(q * (1 + t)),
    "x**2": lambda t, q: q * q * (1 + 2 * t * t),
}
"""Published dual activations at equal variances."""


def gegenbauer(d, degree, t):
    """Of dimension d, 1 at 1, by its recurrence."""
    before, value = mp.mpf(1), t
    for k in range(1, degree):
        before, value = value, ((2 * k + d - 2) * t * value - k * before) / (k + d - 2)
    return value if degree else before


def funk_hecke(dual, d, q, degrees):
    """The integrals over the angle, in which also the dual of ReLU is analytic."""
    with mp.workdps(DIGITS + 10):
        constant = mp.gamma(mp.mpf(d) / 2) / (mp.sqrt(mp.pi) * mp.gamma(mp.mpf(d - 1) / 2))

        @cache
        def weighted(angle):
            return constant * dual(mp.cos(angle), mp.mpf(q)) * mp.sin(angle) ** (d - 2)

        def integral(degree):
            return mp.quad(lambda angle: weighted(angle) * gegenbauer(d, degree, mp.cos(angle)), [0, mp.pi])

        return [mp.nstr(integral(degree), DIGITS + 5) for degree in degrees]


@pytest.mark.parametrize("name", sorted(DUALS))
@pytest.mark.parametrize(("d", "q"), [(2, 1), (3, 1), (5, 1), (10, 2.5), (100, 1)])
def test_eigenvalues_are_the_funk_hecke_integrals(name, d, q):
    spectrum = hd.dual(name).sphere_eigenvalues(d, 6, q, terms=256)
    degrees = (0, 1, 2, 5)
    for degree, text in zip(degrees, funk_hecke(DUALS[name], d, q, degrees), strict=True):
        with working_precision(200):
            truth = arb(text) + arb(0, 1e-28 * spectrum.trace)
            assert spectrum.balls[degree].overlaps(truth)
            assert abs(arb(text) - spectrum.eigenvalues[degree]) <= spectrum.errors[degree] + 1e-28
    if name != "relu":
        assert (spectrum.errors <= 1.2e-16 * spectrum.eigenvalues).all()


@pytest.mark.slow
def test_relu_is_as_narrow_as_a_kink_allows():
    errors = {d: hd.dual("relu").sphere_eigenvalues(d, 3).errors for d in (2, 3, 10)}
    assert errors[2][2] < 2e-8
    assert errors[3][2] < 1e-9
    assert errors[10][2] < 1e-17
    few = hd.dual("relu").sphere_eigenvalues(3, 3, terms=64)
    assert few.terms == 64
    assert few.errors[2] > 100 * errors[3][2]
    assert abs(few.eigenvalues[2] - 3 / 256) <= few.errors[2]


def test_exponentials_have_bessel_functions():
    # e^(1+t) on the sphere of R^1000: e Gamma(d/2) 2^(d/2-1) I_(l+d/2-1)(1)
    spectrum = hd.dual("exp").sphere_eigenvalues(1000, 21)
    with mp.workdps(50):
        half = mp.mpf(500)
        truth = [mp.e * mp.gamma(half) * 2 ** (half - 1) * mp.besseli(degree + half - 1, 1) for degree in range(21)]
        for value, error, exact in zip(spectrum.eigenvalues.tolist(), spectrum.errors.tolist(), truth, strict=True):
            assert abs(value - exact) <= error <= 1.2e-16 * value


def test_eigenvalues_that_are_zero():
    assert (hd.dual("tanh").sphere_eigenvalues(4, 9).eigenvalues[::2] == 0.0).all()
    assert (hd.dual("cos").sphere_eigenvalues(4, 9).errors[1::2] == 0.0).all()
    assert (hd.dual("x**3 + x").sphere_eigenvalues(4, 9).errors[4:] == 0.0).all()
    odd = hd.dual("relu").sphere_eigenvalues(3, 10, terms=64)
    assert (odd.eigenvalues[3::2] + odd.errors[3::2] < 1e-40).all()


@given(st.integers(2, 300), st.integers(0, 40))
@settings(deadline=None)
def test_powers_of_the_cosine_have_trace_one(d, r):
    with working_precision(200):
        terms = [multiplicity(d, degree) * power_eigenvalue(d, r, degree) for degree in range(r % 2, r + 1, 2)]
        assert abs(sum(terms, arb(0)) - 1) < 1e-40


@given(st.integers(2, 40), st.integers(0, 60), st.integers(0, 12))
@settings(deadline=None)
def test_the_largest_factor_is_the_largest(d, start, degree):
    first = max(start, degree)
    first += (first - degree) % 2
    with working_precision(100):
        factors = [power_eigenvalue(d, r, degree) for r in range(first, first + 200, 2)]
        largest = largest_power_eigenvalue(d, start, degree)
        assert all(factor <= largest * (1 + arb("1e-20")) for factor in factors)
        assert any(factor.overlaps(largest) for factor in factors)


def test_multiplicities_of_known_dimensions():
    assert [multiplicity(2, degree) for degree in range(4)] == [1, 2, 2, 2]
    assert [multiplicity(3, degree) for degree in range(6)] == [1, 3, 5, 7, 9, 11]
    assert [multiplicity(4, degree) for degree in range(6)] == [1, 4, 9, 16, 25, 36]
    assert hd.dual("erf").sphere_eigenvalues(784, 5).multiplicities[4] == math.comb(787, 4) - math.comb(785, 2)


def test_the_trace_is_the_diagonal_of_the_kernel():
    few, many = (hd.dual("erf").sphere_eigenvalues(5, degrees) for degrees in (4, 30))
    assert abs(few.trace - 2 / math.pi * math.asin(2 / 3)) < 1e-15
    later = sum(n * value for n, value in zip(many.multiplicities[4:], many.eigenvalues[4:].tolist(), strict=True))
    assert later <= few.remaining_trace * (1 + 1e-12) <= (later + many.remaining_trace) * (1 + 2e-12)
    assert many.remaining_trace < 1e-7


def test_results_are_read_only_and_travel():
    spectrum = hd.dual("sin").sphere_eigenvalues(3, 4)
    with pytest.raises(ValueError, match="read-only"):
        spectrum.eigenvalues[0] = 1.0
    copy = pickle.loads(pickle.dumps(spectrum))
    assert np.array_equal(copy.eigenvalues, spectrum.eigenvalues)
    assert all(ball.overlaps(other) for ball, other in zip(copy.balls, spectrum.balls, strict=True))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1, 3), r"d = 1: .* two points"),
        ((2.5, 3), "d=2.5"),
        ((3, 0), "degrees=0"),
        ((3, 5, -1), "variance = -1"),
        ((3, 5, 0), "variance = 0"),
        ((3, 65, 1, 64), "degrees=65"),
        ((3, 5, 1, 5000), "terms=5000"),
    ],
)
def test_bad_arguments_are_named(arguments, text):
    with pytest.raises(hd.InvalidInputError, match=text):
        hd.dual("tanh").sphere_eigenvalues(*arguments)


def test_what_has_no_spectrum_says_so():
    with pytest.raises(hd.InvalidInputError, match="Python function"):
        hd.dual(lambda z: np.clip(z, -1, 1)).sphere_eigenvalues(3, 2)
    with pytest.raises(hd.NotIntegrableError):
        hd.dual(sp.exp(hd.x**2 / 4)).sphere_eigenvalues(3, 2)

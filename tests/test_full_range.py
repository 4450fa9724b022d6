"""The float64 layer at variances from 1e-6 to 1e6, at norms that span a factor of 100, and a sample of its sweep."""

import contextlib
import importlib
import pathlib

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

import hermite_dual as hd
from hermite_dual.errors import NotIntegrableError
from hermite_dual.numeric.chebyshev import chebyshev_coefficients
from hermite_dual.numeric.iterated import iterated_kernel_with_error
from hermite_dual.numeric.mesh import gauss_legendre
from hermite_dual.population.entries.equilibrium_map import equilibrium_map
from hermite_dual.population.entries.recursion import equilibrium_layers
from hermite_dual.population.entries.variances import moment, on_distinct_with_error
from tests.problems import NAMED

x = sp.Symbol("x", real=True)
EPS = np.finfo(float).eps
BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"
SEED, INDICES = 1, (0, 1, 2, 9, 11, 12, 13, 14, 15, 17, 18, 24, 26)


def load_sweep(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    sweep = importlib.import_module("accuracy_sweep")
    monkeypatch.setattr(sweep, "limited", lambda seconds: contextlib.nullcontext())  # no clock decides a test
    return sweep


@pytest.mark.slow
@pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="benchmarks/ is not part of this copy")
def test_sample_of_the_accuracy_sweep(monkeypatch, capsys):
    sweep = load_sweep(monkeypatch)
    tally = sweep.Tally()
    for index in INDICES:
        sweep.one_instance(SEED, index, tally)
    assert (tally.above, tally.uncovered) == (0, 0), capsys.readouterr().out
    assert tally.points == sweep.POINTS * len(INDICES)
    assert {"closed form", "Mehler", "cells", "one integral"} <= tally.counts.keys()


@pytest.mark.slow
@pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="benchmarks/ is not part of this copy")
def test_the_sweep_sees_values_that_are_off(monkeypatch, capsys):
    sweep = load_sweep(monkeypatch)
    honest = sweep.float_values

    def shifted(instance):
        values, errors = honest(instance)
        scale = sweep.References(instance).scale
        values[3] += 2e-13 * scale
        values[5] += 2.0 * errors[5] + 1e-14 * scale
        return values, errors

    monkeypatch.setattr(sweep, "float_values", shifted)
    tally = sweep.Tally()
    sweep.one_instance(SEED, INDICES[0], tally)
    assert (tally.above, tally.uncovered) == (1, 2), capsys.readouterr().out


@pytest.mark.parametrize("order", [1, 16, 24])
def test_gauss_legendre_rules_are_right_to_the_last_digit(order):
    nodes, weights = gauss_legendre(order)
    with mp.workdps(40):
        # Stieltjes' closed form of the weights at the roots of the shifted polynomial, found from its coefficients.
        roots = sorted(
            mp.polyroots(mp.taylor(lambda t: mp.legendre(order, t), 0, order)[::-1], maxsteps=200, extraprec=200)
        )
        exact = [2 * (1 - t * t) / ((order + 1) * mp.legendre(order + 1, t)) ** 2 for t in roots]
        assert max(abs((1 + t) / 2 / node - 1) for t, node in zip(roots, nodes.tolist(), strict=True)) <= EPS
        assert max(abs(w / 2 / weight - 1) for w, weight in zip(exact, weights.tolist(), strict=True)) <= EPS


@pytest.mark.parametrize("degree", [7, 31, 96])
def test_chebyshev_coefficients_lose_no_digits_to_the_basis(degree):
    with mp.workdps(40):
        nodes = [-mp.cos((j + mp.mpf(1) / 2) * mp.pi / (degree + 1)) for j in range(degree + 1)]
        values = np.array([[float(mp.chebyt(k, node)) for k in range(degree + 1)] for node in nodes])
    assert np.abs(chebyshev_coefficients(values) - np.eye(degree + 1)).max() <= 4 * EPS


@pytest.mark.parametrize("name", ["tanh", "hard_tanh", "softsign"])
def test_moments_at_many_variances_keep_their_relative_accuracy(name):
    phi = hd.activation(name)
    variances = 10.0 ** np.random.default_rng(0).uniform(-6, 6, 80)
    found, error = on_distinct_with_error(lambda q: moment(phi, q), variances)
    direct = np.array([moment(phi, q) for q in variances.tolist()])
    relative = np.abs(found / direct - 1).max()
    assert relative <= 5e-15  # 14 log units times eps, and a few roundings
    assert relative <= error + 16 * EPS


@pytest.mark.parametrize("name", ["hard_shrink", "soft_shrink", "threshold"])
def test_activations_that_vanish_near_the_origin_have_kernels_at_any_variance(name):
    k = hd.dual(name)
    for q in (1e-6, 1e-4):
        # |phi(x)| <= x^2 for |x| > 1/2, else 0: what is left at 50 standard deviations is below the smallest float64.
        assert k.kernel(q, q, [0.0, q]).tolist() == [0.0, 0.0]
        assert abs(k.kernel(q, 1.0, 0.5 * q**0.5)) < 1e-300
    with mp.workdps(30):
        value, ball = k.kernel(4e-3, 4e-3, 4e-3), k.ball(4e-3, 4e-3, 4e-3, digits=18)
    assert ball > 0
    assert abs(value / float(ball) - 1) <= 1e-13


def test_what_grows_too_fast_is_still_refused():
    with pytest.raises(NotIntegrableError, match="not square-integrable"):
        hd.dual(sp.exp(x**2 / 4)).kernel(4.0, 4.0, 1.0)
    with pytest.raises(NotIntegrableError, match="not square-integrable"):
        # Nothing below 50 standard deviations, and growth beyond.
        hd.dual(sp.Piecewise((sp.exp(x**2), x > 52), (0, True))).kernel(1.0, 1.0, 0.5)


@pytest.mark.parametrize("rho", [0.5, -0.9, 1 - 1e-9])
def test_quadrature_of_what_turns_quickly(rho):
    q = 4096.0
    gap = (1 - rho) * (1 + rho)
    value, error = iterated_kernel_with_error(hd.activation("sin"), q, q, rho, gap)
    truth = float(mp.exp(-q) * mp.sinh(q * mp.mpf(rho)))
    assert abs(value - truth) <= min(error, 5e-14)


def rows(n, features, factor):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n, features))
    norms = factor ** rng.uniform(-0.5, 0.5, n) * features**0.5
    return X * (norms / np.linalg.norm(X, axis=1))[:, None]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "hard_tanh"])
def test_norms_that_span_a_factor_of_100(name):
    X = rows(200, 64, 100.0)
    gram = hd.DEQ(name, sigma_w=0.3, sigma_u=1.0).gram(X)
    S = gram.preactivation
    rng = np.random.default_rng(2)
    i, j = rng.integers(0, 200, (2, 40))
    direct = hd.dual(name).kernel(S[i, i], S[j, j], S[i, j])
    scale = np.sqrt(gram.matrix[i, i] * gram.matrix[j, j])
    assert (np.abs(gram.matrix[i, j] - direct) <= gram.estimated_error + 8 * EPS * scale).all()
    assert gram.estimated_error <= 1e-13 * gram.matrix.max()


def test_the_estimate_at_a_large_variance_is_near_the_deviation():
    weight, top = 0.25, 100.0
    found = equilibrium_map(equilibrium_layers(hd.activation("erf"), weight, None), top)

    def dual(q, c):
        return NAMED["erf"].dual(q, q, c)

    worst = 0.0
    with mp.workdps(30):
        q = mp.mpf(top)
        for _ in range(30):
            q = weight * dual(q, q) + top
        for u in (0.0, 1e-14, 1e-9, 1e-4, 0.1, 1.0, 1.7):
            t = mp.mpf(1 - u) * top
            c = t
            for _ in range(80):
                c = weight * dual(q, c) + t
            worst = max(worst, abs(float(found(np.array([1 - u]))[0] - dual(q, c))))
    assert worst <= found.error <= 4e-14


def test_a_function_that_vanishes_over_38_standard_deviations_has_a_kernel():
    """The size of phi is 1e-310 there, and eps times it no float: a division by zero once."""
    q = 0.00017290200558842098
    value, error = hd.dual("hard_shrink").kernel(2.8328264595606893, q, 0.01, return_error=True)
    exact = float(hd.dual("hard_shrink").ball(2.8328264595606893, q, 0.01, digits=5).mid())
    assert abs(value - exact) <= error

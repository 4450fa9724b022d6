"""Coefficients and entries of many rows of different norms at once."""

import math
from functools import partial

import mpmath as mp
import numpy as np
import pytest
from flint import arb

import hermite_dual as hd
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.counted import row_quadrature
from hermite_dual.certified.counted.float_panels import float_panels
from hermite_dual.certified.counted.hermite_functions import exact_ball, hermite_functions
from hermite_dual.certified.counted.pair_series import pair_series
from hermite_dual.certified.counted.row_coefficients import row_coefficients
from hermite_dual.certified.counted.variance_table import coefficients_at
from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.certified.enclosures.kernel import kernel_ball
from hermite_dual.certified.enclosures.trapezoid import Strip
from hermite_dual.certified.second_proof.rebuild import parameters_of, rebuild
from hermite_dual.certified.second_proof.rebuild_rows import row_moments
from hermite_dual.shape.shape import shape_of
from tests.problems import covered, gram_truth
from tests.tolerances import SHARP_EIGENVALUE, SHARP_ENTRY

NAMES = ["tanh", "gelu", "softplus", "erf", "elu"]
"""Odd, neither, neither, odd and entire, kinked at 0."""


@pytest.mark.parametrize("name", NAMES)
def test_floats_on_panels_are_within_their_bounds(name):
    phi = hd.activation(name)
    panels = float_panels(phi.shape.pieces, 0.3, 40.0)
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(-40, 40, 150), rng.normal(size=150) * 10.0 ** rng.uniform(-6, 0, 150)])
    points = np.concatenate([points, panels.edges[:-1], np.nextafter(panels.edges[1:], -1), [0.0]])
    values, errors = panels.evaluate(points)
    function = mp_function(name)
    with mp.workdps(40):
        gaps = [abs(function(mp.mpf(x)) - mp.mpf(v)) for x, v in zip(points.tolist(), values.tolist(), strict=True)]
        assert all(gap <= mp.mpf(e) for gap, e in zip(gaps, errors.tolist(), strict=True))
    assert (errors <= 4e-15 * np.maximum(np.abs(points), 0.1)).all()
    assert np.isnan(panels.evaluate(np.array([1e3, np.nan]))[0]).all()


def mp_function(name):
    return {
        "tanh": mp.tanh,
        "gelu": lambda x: x * mp.ncdf(x),
        "softplus": lambda x: mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x)),
        "erf": mp.erf,
        "elu": lambda x: x if x > 0 else mp.expm1(x),
    }[name]


def test_hermite_functions_are_within_their_bounds_at_high_degrees():
    points = np.array([0.0, 1e-3, 0.7, 3.0, 9.5, 13.25], dtype=np.longdouble)
    points[2] = np.longdouble(2) / 3
    degrees = 1500
    scales = [arb(math.exp(-(float(x) ** 2) / 4)) for x in points]
    found = hermite_functions(points, scales, degrees)
    with working_precision(4000):
        columns = []
        for x, scale in zip(map(exact_ball, points), scales, strict=True):
            former, current, column = arb(0), scale, []
            for r in range(degrees):
                column.append(current)
                former, current = current, (x * current - arb(r).sqrt() * former) / arb(r + 1).sqrt()
            columns.append(column)
        worst = 0.0
        for r in range(degrees):
            gap = sum((float(abs(columns[k][r] - arb(float(found.values[r, k])))) ** 2 for k in range(6)), 0.0)
            worst = max(worst, math.sqrt(gap))
    assert worst <= found.error
    assert found.error < 1e-15 * found.size


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_coefficients_of_rows_contain_those_of_one_variance(name):
    phi = hd.activation(name)
    # a small one, near-equal ones, and both ends of a group of scales
    variances = np.array([1e-4, 0.25, np.nextafter(0.25, 1), 0.6, 1.0])
    rows = row_coefficients(phi.shape, variances, largest=0.8)
    count = min(rows.values.shape[1], 32)
    for i, q in enumerate(variances.tolist()):
        exact = coefficient_balls(phi.shape, count, q, 25)
        gaps = [abs(a - arb(v)).lower() for a, v in zip(exact, rows.values[i].tolist(), strict=False)]
        assert all(gap <= arb(float(rows.errors[i])) for gap in gaps)
        moment = coefficient_balls(shape_of(phi.expr**2, phi.symbol), 1, q, 25)[0]
        assert abs(moment - arb(float(rows.moments[i]))) <= arb(float(rows.moment_errors[i]))
        rest = moment - sum((a * a for a in exact), arb(0))
        assert arb(float(rows.tails(count)[i])) >= rest.lower()
    scale = np.sqrt(rows.moments)
    assert (rows.errors < 1e-12 * np.maximum(scale, scale.max() * 0.02)).all()
    assert (rows.moment_errors < 2e-14 * rows.moments).all()


def tanh_integrand(s, r, x):
    h = mp.hermite(r, x / mp.sqrt(2)) / mp.sqrt(mp.mpf(2) ** r * mp.factorial(r))
    return mp.tanh(s * x) * h * mp.npdf(x)


@pytest.mark.slow
def test_coefficients_at_random_variances_are_those_of_mpmath():
    rng = np.random.default_rng(7)
    variances = rng.uniform(0.2, 3.0, 12)
    phi = hd.activation("tanh")
    rows = row_coefficients(phi.shape, variances, count=32)
    for i in (0, 11):
        for r in (7, 31):
            with mp.workdps(30):
                s = mp.sqrt(mp.mpf(float(variances[i])))
                exact = 2 * mp.quad(partial(tanh_integrand, s, r), np.arange(15).tolist())
                assert abs(exact - mp.mpf(float(rows.values[i, r]))) <= mp.mpf(float(rows.errors[i]))
    assert not rows.values[:, ::2].any()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_pairs_contain_the_kernel_in_balls(name):
    phi = hd.activation(name)
    variances = np.array([0.04, 0.5, 0.5000001, 2.0])
    rows = row_coefficients(phi.shape, variances, largest=0.99)
    rho = np.array([[0, 0.99, -0.3, 0.7], [0.99, 0, 1.0, 0.95], [-0.3, 1.0, 0, -0.99], [0.7, 0.95, -0.99, 0]])
    found = pair_series(rows, np.arange(4), None, rho)
    for i, j in ((0, 1), (0, 2), (1, 3), (2, 3)):
        with working_precision(128):
            c = arb(float(rho[i, j])) * (arb(float(variances[i])) * arb(float(variances[j]))).sqrt()
        exact = kernel_ball(phi.shape, float(variances[i]), float(variances[j]), c, 18)
        assert abs(exact - arb(float(found.values[i, j]))).lower() <= arb(float(found.errors[i, j]))
        assert found.errors[i, j] < 1e-13
    assert found.errors[1, 2] < SHARP_ENTRY


def different_norms(n=14, d=6, seed=2, low=0.5, high=2.0, close=0.02):
    X = np.random.default_rng(seed).normal(size=(n, d))
    X[1] = X[0] + close * X[1]
    return X * np.geomspace(low, high, n)[:, None]


@pytest.mark.slow
@pytest.mark.parametrize("spread", [(0.5, 2.0), (1e-3, 30.0), (1.0, 1.0 + 1e-9)], ids=["mild", "wide", "near"])
def test_entries_and_least_eigenvalue_contain_the_truth(spread):
    model, X = hd.DEQ.paper("erf", sigma_w2=0.06), different_norms(low=spread[0], high=spread[1])
    G = model.gram(X)
    bounds, exact = G.entry_bounds, gram_truth("erf", model, X, None)
    assert bounds.outcome is hd.Outcome.PROVEN
    assert covered(G.matrix, bounds.errors, exact)
    with mp.workdps(40):
        least = min(mp.eigsy(mp.matrix(exact), eigvals_only=True))
    e = G.least_eigenvalue()
    assert mp.mpf(e.lower) <= least <= mp.mpf(e.upper)
    if spread[0] > 0.1:
        assert G.entry_error < SHARP_ENTRY
        assert e.upper - e.lower < SHARP_EIGENVALUE


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 3])
def test_finite_depth_at_many_norms_contains_the_truth(depth):
    model, X = hd.DEQ("erf", sigma_w=0.7, sigma_u=1.1), different_norms(n=11)
    G = model.gram(X, depth=depth)
    assert covered(G.matrix, G.entry_bounds.errors, gram_truth("erf", model, X, depth))
    assert G.entry_error < SHARP_ENTRY


def test_what_cannot_be_had_together_says_why():
    phi = hd.activation("hard_tanh")
    with pytest.raises(hd.AccuracyError, match="kinks at -1, 1, and only a kink at 0"):
        row_coefficients(phi.shape, np.linspace(1, 2, 30), 0.9)
    with pytest.raises(hd.AccuracyError, match=r"on_sphere"):
        coefficients_at(phi.shape, np.linspace(1, 2, 300), 64)


@pytest.mark.slow
def test_theory_bounds_hold_at_many_norms():
    model, X = hd.DEQ.paper("tanh", sigma_w2=0.08), different_norms(n=80, d=40, low=0.9, high=1.1)
    G = model.gram(X)
    upper = G.least_eigenvalue().upper
    values = [bound.value for bound in G.lower_bounds(128)]
    assert max(values) > 0
    assert all(value <= upper for value in values)


@pytest.mark.parametrize("name", ["tanh", "elu"])
def test_the_second_path_contains_coefficients(name):
    phi = hd.activation(name)
    scales = np.array([0.1, 0.5, 0.7, 1.3])
    found = row_moments(phi.shape, scales, 40)
    for i, s in enumerate(scales.tolist()):
        with working_precision(128):
            q = arb(s) ** 2
        exact = coefficient_balls(phi.shape, 40, q, 22)
        triples = zip(exact, found.values[i].tolist(), found.errors[i].tolist(), strict=True)
        assert all(abs(a - arb(v)).lower() <= arb(e) for a, v, e in triples)
    assert found.errors.max() < 1e-13


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_the_second_computation_agrees_at_many_norms(name):
    X = different_norms(n=30, d=12, low=0.8, high=1.3, close=0.5)
    matrix, norm = rebuild(X, parameters_of(name, 0.05, None, False))
    G = hd.DEQ.paper(name, sigma_w2=0.05).gram(X)
    assert np.linalg.norm(matrix - G.matrix, 2) <= norm + 30 * G.entry_error
    assert norm < 1e-10


@pytest.mark.slow
def test_the_second_computation_contains_the_truth_at_many_norms():
    model, X = hd.DEQ.paper("erf", sigma_w2=0.06), different_norms(n=26, d=8, close=0.3)
    matrix, norm = rebuild(X, parameters_of("erf", 0.06, None, False))
    exact = gram_truth("erf", model, X, None)
    difference = np.array([[float(exact[i][j] - mp.mpf(float(matrix[i, j]))) for j in range(26)] for i in range(26)])
    # sigma_w^2 = 0.12 as a decimal against the square of the float differ by 1e-17
    assert np.linalg.norm(difference, 2) <= norm + 1e-14


@pytest.mark.parametrize("part", ["strip", "cut"])
def test_both_parts_of_the_quadrature_enter_its_error(monkeypatch, part):
    """The rule's error is far below the other roundings in every case that can be measured."""
    if part == "strip":
        monkeypatch.setattr(Strip, "error", lambda self, step, degrees: arb(1))
    else:
        monkeypatch.setattr(row_quadrature, "_cut", lambda envelope, degrees, goals: (arb(9), arb(1), arb(0)))
    pieces = hd.activation("tanh").shape.pieces
    assert row_quadrature.row_quadrature(pieces, 1.0, 1.0, 8, 1e-12, 1e-12).coefficient_error >= 1.0

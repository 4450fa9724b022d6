"""Proven entries of tangent kernels against fixed points in 40 digits."""

import math
from types import SimpleNamespace

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hermite_dual as hd
from hermite_dual.certified.suprema.slope_regularity import SlopeRegularity, slope_regularity
from hermite_dual.population.proof.tangent_bounds import tangent_entry_bounds
from tests.problems import DIGITS, covered, samples, tangent_truth
from tests.tolerances import OTHER_PATH, SHARP_EIGENVALUE, SHARP_ENTRY

CASES = [
    ("relu", True, None),
    ("relu", False, None),
    ("relu", True, 3),
    ("relu", False, 2),
    ("erf", True, None),
    ("erf", False, 1),
    ("sin", True, 1),
    ("sin", False, None),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "equal", "depth"), CASES)
def test_tangent_bounds_contain_the_truth_and_are_narrow(name, equal, depth):
    model = hd.DEQ(name, sigma_w=0.45, sigma_u=1.2, sigma_b=0.3)
    X = samples(equal)
    theta = model.ntk(X, depth=depth)
    bounds = theta.entry_bounds
    assert bounds.outcome is hd.Outcome.PROVEN
    exact = tangent_truth(name, model, X, depth)
    assert covered(theta.matrix, bounds.errors, exact)
    assert theta.entry_error == bounds.errors.max() < SHARP_ENTRY * theta.matrix.max()
    with mp.workdps(DIGITS):
        n = len(X)
        distance = max(abs(mp.mpf(theta.matrix[i, j]) - exact[i][j]) for i in range(n) for j in range(n))
    assert distance <= theta.estimated_error


@pytest.mark.slow
@pytest.mark.parametrize(("distance", "depth"), [(1e-3, None), (1e-7, None), (1e-11, None), (1e-16, None), (1e-9, 2)])
def test_rows_that_are_nearly_parallel_are_covered(distance, depth):
    """The dual of the step has a square-root end point there: the bound must grow with the error of the correlation."""
    model = hd.DEQ("relu", sigma_w=0.45, sigma_u=1.2)
    X = np.array([[0.6, -1.1, 0.7], [0.6, -1.1, 0.7 + distance], [-0.6, 1.1, -0.7 + distance]])
    theta = model.ntk(X, depth=depth)
    assert covered(theta.matrix, theta.entry_bounds.errors, tangent_truth("relu", model, X, depth))
    assert theta.entry_error < 4e-7


@pytest.mark.slow
@pytest.mark.parametrize("depth", [None, 2])
def test_a_wrong_entry_is_found(depth):
    model, X = hd.DEQ("sin", sigma_w=0.4, sigma_b=0.2), samples(True)
    theta = model.ntk(X, depth=depth)
    wrong = theta.matrix.copy()
    wrong[0, 3] = wrong[3, 0] = wrong[0, 3] + 1e-7
    wrong[2, 2] -= 1e-8
    bounds = tangent_entry_bounds(theta.model, wrong, theta.gram if depth is None else None)
    assert covered(wrong, bounds.errors, tangent_truth("sin", model, X, depth))
    assert 1e-7 <= bounds.errors[0, 3] < 1.01e-7
    assert bounds.errors[0, 1] < SHARP_ENTRY


@pytest.mark.slow
@pytest.mark.parametrize("depth", [None, 2])
def test_parameters_within_their_slack_are_covered(depth):
    """The bound also holds for squares of the scales within four units of those of the floats."""
    model, X = hd.DEQ("sin", sigma_w=0.9, sigma_u=1.2, sigma_b=0.3), samples(True)
    theta = model.ntk(X, depth=depth)
    with mp.workdps(DIGITS):
        factor = mp.sqrt(1 + mp.mpf(2) ** -51)
        scales = {name: mp.mpf(getattr(model, name)) * factor for name in ("sigma_w", "sigma_u", "sigma_b")}
        exact = tangent_truth("sin", SimpleNamespace(**scales), X, depth)
    assert covered(theta.matrix, theta.entry_bounds.errors, exact)


@pytest.mark.slow
def test_the_least_eigenvalue_and_its_lower_bounds():
    model, X = hd.DEQ.paper("relu", sigma_w2=0.08), samples(True, n=7, d=5, seed=1)
    theta = model.ntk(X)
    e = theta.least_eigenvalue()
    with mp.workdps(DIGITS):
        exact = min(mp.eigsy(mp.matrix(tangent_truth("relu", model, X, None)), eigvals_only=True))
        assert mp.mpf(e.lower) <= exact <= mp.mpf(e.upper)
    assert e.outcome is hd.Outcome.PROVEN
    assert e.upper - e.lower < SHARP_EIGENVALUE
    # kdot_ii = 1/2 for ReLU: the factor is 1/(1 - sigma_w^2/2)
    for bound, below in zip(theta.lower_bounds(), theta.gram.lower_bounds(), strict=True):
        assert bound.value <= exact
        assert bound.value == pytest.approx(below.value / (1 - model.sigma_w**2 / 2), rel=OTHER_PATH)
        assert bound.tightness == pytest.approx(bound.value / e.upper)
    assert max(bound.value for bound in theta.lower_bounds()) > 0.0
    assert theta.check_lower_bound(math.nextafter(e.lower, -1)).outcome is hd.Outcome.PROVEN
    assert theta.check_lower_bound(math.nextafter(e.upper, 1)).outcome is hd.Outcome.REFUTED


def test_nothing_is_claimed_without_a_proof():
    X = samples(True)
    for phi, reason in (("x^2", "no Lipschitz constant"), ("sin(x^2)", "no Lipschitz constant")):
        theta = hd.DEQ(phi, sigma_w=0.1).ntk(X, depth=2)
        assert theta.entry_error == math.inf
        assert theta.entry_bounds.outcome is hd.Outcome.UNDECIDED
        assert reason in theta.entry_bounds.reason
        assert theta.least_eigenvalue().outcome is hd.Outcome.UNDECIDED


REGULARITY = {"relu": (1.0, 0.0, 1.0), "hard_tanh": (1.0, 0.0, 2.0), "sin": (1.0, 1.0, 0.0), "elu": (1.0, 1.0, 0.0)}
"""L, M and J by hand."""


@pytest.mark.parametrize("name", REGULARITY)
def test_the_regularity_of_slopes(name):
    phi = hd.activation(name)
    found = slope_regularity(phi.shape)
    for value, exact in zip((found.lipschitz, found.curvature, found.jumps), REGULARITY[name], strict=True):
        assert exact <= value <= exact + 1e-8


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.floats(-1.0, 1.0), st.floats(0.0, 1.0), st.floats(-1.0, 1.0))
def test_the_arcsine_stays_within_its_bound(rho, size, where):
    """J = 1 and M = 0: twice pi times the bound is one of the change of asin, as kdot of the step asks for."""
    other = min(max(rho + where * size, -1.0), 1.0)
    one = np.ones(1)
    bound = SlopeRegularity(1.0, 0.0, 1.0).from_correlation(one, one, np.array([rho]), np.array([abs(other - rho)]))
    with mp.workdps(DIGITS):
        change = abs(mp.asin(mp.mpf(other)) - mp.asin(mp.mpf(rho))) / (2 * mp.pi)
        # the distance itself is rounded once
        assert change <= mp.mpf(float(bound[0])) + mp.mpf(2) ** -53

"""Proven bounds of predictions at finite times, against matrix functions of 60 digits and kernels within the errors."""

import math

import mpmath as mp
import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.outcome import Outcome
from hermite_dual.population.proof.flow_bounds import Duration, flow_bounds

RNG = np.random.default_rng(5)
X, Y = RNG.standard_normal((6, 3)), RNG.standard_normal((3, 3))
TARGETS = RNG.standard_normal((6, 2))
DURATIONS = [{"t": t} for t in (0.0, 1e-3, 3.0, 1e4)]
DURATIONS += [{"steps": steps, "step": step} for steps, step in ((0, 0.1), (7, 0.3), (1000, 1.0), (25, 1.5))]


def mp_matrix(array):
    return mp.matrix(np.asarray(array).tolist())


def sine(A, B):
    """E[sin(u) sin(v)] at covariances `x.y/d`, from the floats."""
    A, B = mp_matrix(A), mp_matrix(B)
    K = mp.matrix(A.rows, B.rows)
    for i in range(A.rows):
        for j in range(B.rows):
            c, p, q = (mp.fdot(a, b) / A.cols for a, b in ((A[i, :], B[j, :]), (A[i, :], A[i, :]), (B[j, :], B[j, :])))
            K[i, j] = mp.exp(-(p + q) / 2) * mp.sinh(c)
    return K


def learned(M, y, *, t=None, steps=None, step=None):
    """`(1 - exp(-t M)) M^-1 y`, or that of gradient descent, by an eigendecomposition of 60 digits."""
    values, basis = mp.eigsy(M)
    factors = [
        (1 - mp.exp(-mp.mpf(t) * v)) / v if steps is None else (1 - (1 - mp.mpf(step) * v) ** steps) / v for v in values
    ]
    return basis * mp.diag(factors) * (basis.T * y)


def wrong(found, exact):
    return np.abs(np.array((mp_matrix(found) - exact).tolist(), dtype=float))


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("how", DURATIONS)
def test_proven_means_cover_the_exact_ones(how, noise):
    model = hd.DEQ("sin", 0.0)
    kernel, cross = model.gram(X, depth=1), model.gram(Y, X, depth=1)
    found = kernel.predict(TARGETS, cross, noise=noise, **how)
    bounds = found.mean_bounds
    assert bounds.outcome is Outcome.PROVEN, bounds.reason
    with mp.workdps(60):
        exact = sine(Y, X) * learned(sine(X, X) + noise * mp.eye(6), mp_matrix(TARGETS), **how)
        assert (wrong(found.mean, exact) <= bounds.errors).all()
    assert bounds.largest < 1e-10


def test_bounds_hold_for_all_kernels_within_the_errors_and_are_near_them():
    model = hd.DEQ("sin", 0.0)
    K, C = model.gram(X, depth=1).matrix, model.gram(Y, X, depth=1).matrix
    values, basis = np.linalg.eigh(K)
    for size in (1e-12, 1e-7, 1e-4):
        E, F = size * RNG.uniform(0, 1, K.shape), size * RNG.uniform(0, 1, C.shape)
        E = E + E.T
        least, largest = values[0] - E.sum(axis=1).max(), values[-1] + E.sum(axis=1).max()
        for duration in (Duration(2.0, None, 0.0), Duration(math.inf, 5, 0.5)):

            def respond(v, duration=duration):
                if duration.steps is None:
                    return -np.expm1(-duration.t * v) / v
                return (1 - (1 - duration.step * v) ** duration.steps) / v

            a = basis @ (respond(values)[:, None] * (basis.T @ TARGETS))
            bounds = flow_bounds((K, E), (C, F), 0.0, (least, largest), duration, (values, basis), (TARGETS, a), C @ a)
            reached = np.zeros((3, 2))
            for _ in range(30):
                signs = np.triu(RNG.choice([-1.0, 1.0], K.shape))
                v, U = np.linalg.eigh(K + E * (signs + np.triu(signs, 1).T))
                moved = U @ (respond(v)[:, None] * (U.T @ TARGETS))
                reached = np.maximum(reached, np.abs((C + F * RNG.choice([-1.0, 1.0], C.shape)) @ moved - C @ a))
            assert (reached <= bounds.errors).all()
            assert (bounds.errors <= 40 * reached + 1e-12).all()


@pytest.mark.slow
def test_tangent_kernels_and_one_output():
    model = hd.DEQ("tanh", 0.3)
    theta, cross = model.ntk(X), model.ntk(Y, X)
    found = theta.predict(TARGETS[:, 0], cross, t=2.0)
    assert found.mean_bounds.errors.shape == (3,)
    assert 0.0 < found.mean_bounds.largest < 1e-10
    # towards the end of training the bounds are those of kernel regression, about
    late, end = theta.predict(TARGETS[:, 0], cross, t=1e5), theta.predict(TARGETS[:, 0], cross)
    assert (np.abs(late.mean - end.mean) <= late.mean_bounds.errors + end.mean_bounds.errors).all()


def test_weights_and_means_that_are_off_count():
    known, one = (np.eye(1), np.zeros((1, 1))), np.ones((1, 1))
    exact = 1.0 - math.exp(-1.0)
    for weight, mean in ((exact + 0.5, exact + 0.5), (exact, exact - 0.25)):
        bounds = flow_bounds(
            known, known, 0.0, (1.0, 1.0), Duration(1.0, None, 0.0), (np.ones(1), one), (one, weight * one), mean * one
        )
        off = abs(mean - exact)
        assert off * (1.0 - 1e-15) <= bounds.largest <= off * (1.0 + 1e-9)


def test_what_is_not_proven_says_why():
    known = (np.eye(2), np.zeros((2, 2)))
    decomposed, solved = (np.ones(2), np.eye(2)), (np.ones((2, 1)), np.ones((2, 1)))
    steep = flow_bounds(known, known, 0.0, (1.0, 1.0), Duration(math.inf, 3, 2.5), decomposed, solved, np.ones((2, 1)))
    assert (steep.outcome, steep.errors) == (Outcome.UNDECIDED, None)
    assert "not proven to be at most 2/lambda_max" in steep.reason
    large = (np.full((2, 1), 1e308),) * 2
    lost = flow_bounds(known, known, 0.0, (1.0, 1.0), Duration(1.0, None, 0.0), decomposed, large, np.ones((2, 1)))
    assert "overflowed" in lost.reason

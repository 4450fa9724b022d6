"""Proven series in the data's cosine, against closed forms composed and inverted in other arithmetic."""

import mpmath as mp
import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

import hermite_dual as hd
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.outcome import Outcome
from hermite_dual.population.proof.cosine_powers import cosine_lower_bound, least_mean_square

SAMPLES = hd.on_sphere(np.random.default_rng(7).standard_normal((6, 4)))
AXES = hd.on_sphere(np.eye(4))
"""Rows (2, 0, 0, 0), ... with `|x|^2/d = 1` exactly."""


def holds(series, expected, digits):
    """Whether balls of so many digits hold decimals that are known to more."""
    with working_precision(400):
        balls = [*series.enclosure.coefficients, series.enclosure.remainder]
        assert len(balls) == len(expected)
        for ball, value in zip(balls, expected, strict=True):
            assert (ball - arb(mp.nstr(value, 60))).contains(0) or abs(ball - arb(mp.nstr(value, 60))) < 1e-45
            assert float(ball.rad()) <= 10.0**-digits * float(sum(expected))


def with_remainder(kernel, n, dps=120):
    """Taylor coefficients and what they leave of the value at 1."""
    with mp.workdps(dps):
        coefficients = mp.taylor(kernel, 0, n - 1)
        return [*coefficients, kernel(mp.mpf(1)) - mp.fsum(coefficients)]


def test_the_tanh_model_of_the_papers_holds_the_values_computed_elsewhere():
    series = hd.DEQ.paper("tanh", 0.08).gram(AXES).series(8, digits=25)
    assert series.outcome is Outcome.PROVEN
    known = [0.0, 0.46352755, 0.0, 0.04397413, 0.0, 0.01175183, 0.0, 0.00428899]
    for p, (ball, value) in enumerate(zip(series.enclosure.coefficients, known, strict=True)):
        assert abs(ball - value) < 5.1e-9
        assert ball.is_zero() == (p % 2 == 0)


@pytest.mark.parametrize("bias", [0.0, 0.75])
@pytest.mark.parametrize("residual", [None, 0.5])
def test_layers_of_sine_compose_their_closed_forms(bias, residual):
    # S -> carry S + alpha^2 (w exp(-q) sinh(S) + bias^2) at the variances q of the layers; scales are dyadic
    with mp.workdps(120):
        w, b = mp.mpf("1.25") ** 2, mp.mpf(bias) ** 2
        branch, carry = (1, 0) if residual is None else (mp.mpf(residual) ** 2, 1)

        def above(S, q):
            return carry * S + branch * (w * mp.exp(-q) * mp.sinh(S) + b)

        first = w + b
        second = above(first, first)
        expected = with_remainder(lambda xi: above(above(w * xi + b, first), second), 12)
    network = hd.MLP("sin", 2, 1.25, bias, residual=residual)
    holds(network.gram(AXES).series(12, digits=20), expected, 20)


@pytest.mark.parametrize(("name", "bias"), [("sin", 0.0), ("sin", 0.5), ("cos", 0.5)])
def test_the_limit_solves_its_equation_degree_by_degree(name, bias):
    outer, inner = (mp.sinh, mp.cosh) if name == "sin" else (mp.cosh, mp.sinh)
    with mp.workdps(120):
        w, alpha, b = mp.mpf("0.25"), mp.mpf("1.5625"), mp.mpf(bias) ** 2
        q = mp.findroot(lambda q: w * mp.exp(-q) * outer(q) + alpha + b - q, 1.5)

        def state(xi):
            return mp.findroot(lambda s: w * mp.exp(-q) * outer(s) + alpha * xi + b - s, alpha * xi + b + 0.1)

        kernel = with_remainder(lambda xi: mp.exp(-q) * outer(state(xi)), 9)

        def tangent(xi):
            s = state(xi)
            slope = mp.exp(-q) * inner(s)
            return mp.exp(-q) * outer(s) + s * slope / (1 - w * slope)

        slopes = with_remainder(tangent, 9)
    model = hd.DEQ(name, 0.5, 1.25, bias)
    holds(model.gram(AXES).series(9, digits=20), kernel, 20)
    holds(model.ntk(AXES).series(9, digits=20), slopes, 20)


@pytest.mark.parametrize("tangent", [False, True], ids=["gram", "ntk"])
def test_layers_of_relu_with_biases_compose_arc_cosine_kernels(tangent):
    # the derivative is the arc-cosine kernel of order 0; a series with a constant term needs all degrees
    with mp.workdps(120):
        w, b = mp.mpf("1.25") ** 2, mp.mpf("0.25")

        def kernel(xi):
            S, q = w * xi + b, w + b
            theta = S
            for _ in range(2):
                r = S / q
                slope = w * (mp.pi - mp.acos(r)) / (2 * mp.pi)
                S, q = w * q * (mp.sqrt(1 - r**2) + r * (mp.pi - mp.acos(r))) / (2 * mp.pi) + b, w * q / 2 + b
                theta = S + slope * theta
            return theta if tangent else S

        with mp.workdps(60):
            expected = mp.taylor(kernel, 0, 7)
        expected.append(kernel(mp.mpf(1)) - mp.fsum(expected))
    network = hd.MLP("relu", 2, 1.25, 0.5)
    holds((network.ntk if tangent else network.gram)(AXES).series(8, digits=12), expected, 12)


NETWORKS = {
    "no readout": hd.MLP(["tanh", "relu"], sigma_w=1.4, sigma_b=0.3, readout=False),
    "depth": hd.DEQ("tanh", 0.5, 1.2, 0.3),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "tangent"), [("no readout", True), ("depth", True), ("depth", False)])
def test_floats_and_bounds_are_those_of_the_estimate(name, tangent):
    network, arguments = NETWORKS[name], {"depth": 2} if name == "depth" else {}
    kernel = (network.ntk if tangent else network.gram)(SAMPLES, **arguments)
    series, estimate = kernel.series(6, digits=17), kernel.series(6)
    assert estimate.outcome is Outcome.UNDECIDED
    np.testing.assert_allclose(series.coefficients, estimate.coefficients, rtol=0.0, atol=1e-14)
    assert abs(series.remainder - estimate.remainder) < 1e-14
    assert 0.0 < series.estimated_error < 1e-15
    bound = series.lower_bound(SAMPLES)
    assert bound == pytest.approx(estimate.lower_bound(SAMPLES), rel=1e-9)
    # these samples are on the sphere but for roundings
    assert 0.0 < bound <= kernel.least_eigenvalue().upper * (1.0 + 1e-12)


@pytest.mark.slow
@given(
    sigma_w=st.floats(0.0, 0.88),  # below 1/L of erf
    sigma_b=st.floats(0.0, 1.5),
    n=st.integers(1, 12),
    name=st.sampled_from(["tanh", "relu", "erf", "abs"]),
    tangent=st.booleans(),
)
@settings(max_examples=6, deadline=None)
def test_balls_hold_the_floats_within_their_estimates(sigma_w, sigma_b, n, name, tangent):
    model = hd.DEQ(name, sigma_w if sigma_w > 1e-100 else 0.0, 1.0, sigma_b if sigma_b > 1e-100 else 0.0)
    kernel = (model.ntk if tangent else model.gram)(AXES[:2])
    series, estimate = kernel.series(n, digits=15), kernel.series(n)
    slack = estimate.estimated_error + series.estimated_error + 1e-15 * kernel.matrix[0, 0]
    assert np.abs(series.coefficients - estimate.coefficients).sum() <= slack
    assert abs(series.remainder - estimate.remainder) <= slack


def test_homogeneous_layers_at_several_norms_keep_the_smallest():
    scales = np.array([0.5, 1.0, 3.0, 2.0])
    samples = AXES * scales[:, None]
    kernel = hd.DEQ("relu", 0.5).gram(samples)
    series = kernel.series(6, digits=20)
    assert series.mean_square is None
    bound = series.lower_bound(samples)
    first = float(series.enclosure.coefficients[0])
    # D (kappa_0 11^T + (K(1) - kappa_0) 1) D, bounded by the smallest D_ii^2 = 1/4
    exact = 0.25 * (kernel.matrix[1, 1] - first)
    assert exact * (1.0 - 1e-12) < bound <= exact * (1.0 + 1e-15)
    assert bound <= kernel.least_eigenvalue().upper


def test_lower_ends_count():
    with working_precision(100):
        balls, remainder = (arb(1, 0.25), arb(0.5, 0.5), arb(0, 1)), arb(2, 1)
    # orthogonal samples: powers from 1 on are the identity, and the power 0 is singular
    assert cosine_lower_bound(balls, remainder, np.eye(3)) == 0.0
    with working_precision(100):
        balls = (arb(1, 0.25), arb(0.5, 0.25), arb(0, 1))
    bound = cosine_lower_bound(balls, remainder, np.eye(3), 2.0)
    assert 2.5 * (1.0 - 1e-8) < bound <= 2.5  # radii have 30 bits
    assert cosine_lower_bound((arb(0),), arb(1), np.eye(3)) == 0.0
    assert least_mean_square(np.array([[3.0, 4.0], [0.1, 0.0]])) <= 0.1**2 / 2
    assert least_mean_square(np.array([[1.0, 2.0]])) == pytest.approx(2.5, rel=1e-14)


def test_no_layers_have_no_kernel():
    series = hd.DEQ("tanh", 0.3).gram(SAMPLES, depth=0).series(3, digits=10)
    assert series.outcome is Outcome.PROVEN
    assert all(ball.is_zero() for ball in (*series.enclosure.coefficients, series.enclosure.remainder))
    assert series.lower_bound(SAMPLES) == 0.0


def test_what_cannot_be_proven_is_refused():
    with pytest.raises(hd.InvalidInputError, match="is a Python function, of which nothing can be proven"):
        hd.DEQ(hd.activation(np.tanh, derivative=lambda x: 1 - np.tanh(x) ** 2), 0.3).gram(AXES).series(3, digits=9)
    kernel = hd.DEQ("tanh", 0.3).gram(AXES)
    for digits in (0, 2.5, 1001):
        with pytest.raises(hd.InvalidInputError, match="digits"):
            kernel.series(3, digits=digits)
    with pytest.raises(hd.AccuracyError, match="900 digits of the series of tanh with 1 layers are not reached"):
        kernel.series(3, digits=900)

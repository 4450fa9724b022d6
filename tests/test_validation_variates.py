"""Control variates have mean zero whatever the weights' width, the activation and the data, and leave little noise."""

import numpy as np
import pytest
from scipy.special import erf

import hermite_dual as hd
from hermite_dual.finite import sample_network
from hermite_dual.validation.regression import Moments
from hermite_dual.validation.variates import control_variates
from tests.reference_model import ErfModel, points

X = points(6)
SIGMAS = {"sigma_w": 0.45, "sigma_u": 1.1, "sigma_b": 0.3}


def relu(u):
    return np.maximum(u, 0.0)


def variates(phi, depth_one, width, seed):
    net = sample_network(phi, **SIGMAS, width=width, inputs=X.shape[1], seed=np.random.SeedSequence(9, spawn_key=seed))
    return control_variates(phi, net.W, net.U @ X.T + net.b[:, None], SIGMAS["sigma_w"], depth_one)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1, 3, 24])
@pytest.mark.parametrize("phi", [erf, relu, np.tanh], ids=["erf", "relu", "tanh"])
def test_the_mean_is_zero_at_every_width(phi, width):
    # K(1) from another path than the one that validations take: Gauss-Hermite points of the two Gaussians.
    S = SIGMAS["sigma_u"] ** 2 * X @ X.T / X.shape[1] + SIGMAS["sigma_b"] ** 2
    depth_one = _kernel(phi, S)
    moments = Moments()
    for index in range(3000):
        moments.add(variates(phi, depth_one, width, (width, index)))
    error = np.sqrt(moments.squares / (moments.count - 1) / moments.count)
    # Two times 21 entries; a wrong sign or factor of a term of the expectation shows with t of tens to hundreds.
    assert np.all(np.abs(moments.mean) <= 5.0 * error)


def test_given_the_inputs_the_recurrence_has_mean_zero():
    # One U and b, many W: the expectation that is subtracted is conditional on them.
    net = sample_network(np.tanh, **SIGMAS, width=5, inputs=X.shape[1], seed=3)
    drive = net.U @ X.T + net.b[:, None]
    rng = np.random.default_rng(0)
    moments = Moments()
    for _ in range(4000):
        W = rng.standard_normal((5, 5)) * SIGMAS["sigma_w"] / np.sqrt(5)
        moments.add(control_variates(np.tanh, W, drive, SIGMAS["sigma_w"], np.zeros((6, 6)))[1])
    error = np.sqrt(moments.squares / (moments.count - 1) / moments.count)
    assert np.all(np.abs(moments.mean) <= 5.0 * error)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "left"), [("tanh", 0.15), ("relu", 0.15), ("gelu", 0.15), ("sin", 0.2)])
def test_little_of_the_noise_is_left(name, left):
    few = hd.on_sphere(hd.load_digits()[0][:20])
    model = hd.DEQ.paper(name, sigma_w2=0.08)
    report = model.validate(few, widths=(128, 256), replicas=4, seed=1)
    assert 0.0 < report.control.noise_left < left
    assert report.control.coefficients == pytest.approx({"depth 1": 1.0, "recurrence": 1.0}, abs=0.15)


def test_without_recurrence_nothing_is_left():
    model = ErfModel(sigma_w=0.0)
    report = hd.validation.validate(model, points(), widths=(32, 64), replicas=3, seed=0)
    assert report.verdict is hd.Verdict.AGREE
    assert report.control.noise_left < 1e-10


def _kernel(phi, S):
    """`E[phi(u) phi(v)]`, by two-dimensional quadrature in polar coordinates, in which ReLU's kinks are lines."""
    angles = (np.arange(20_000) + 0.5) * (2.0 * np.pi / 20_000)
    nodes, weights = np.polynomial.legendre.leggauss(80)
    radius = 5.0 * (nodes + 1.0)
    mass = 5.0 * weights * radius * np.exp(-(radius**2) / 2.0) / len(angles)
    K = np.empty_like(S)
    for i, j in zip(*np.triu_indices(len(S)), strict=True):
        rho = S[i, j] / np.sqrt(S[i, i] * S[j, j])
        u = np.sqrt(S[i, i]) * np.cos(angles)
        v = np.sqrt(S[j, j]) * (rho * np.cos(angles) + np.sqrt(max(0.0, 1.0 - rho**2)) * np.sin(angles))
        K[i, j] = K[j, i] = sum(m * np.sum(phi(r * u) * phi(r * v)) for r, m in zip(radius, mass, strict=True))
    return K

"""The control of multilayer networks has mean zero at every width, and leaves little noise."""

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.validation.layer_control import LayerControl
from hermite_dual.validation.regression import Moments
from tests.reference_model import points

X = points(4, 3)
DIGITS = hd.on_sphere(hd.load_digits()[0][:12])
DEFAULT = {"widths": (256, 512, 1024), "replicas": 8}


def control_of(network, samples=X):
    return LayerControl(network.wide_model(), network.layers, samples)


@pytest.mark.parametrize("size", [0.3, 1.0, 1.7])
def test_means_of_products_are_those_of_quadrature(size):
    # 24 nodes integrate the products of two polynomials of degree 8 exactly.
    layer = control_of(hd.MLP("gelu", 1))._layers[0]
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    u, v = np.meshgrid(nodes, nodes, indexing="ij")
    mass = np.outer(weights, weights) / weights.sum() ** 2
    means = np.random.default_rng(1).standard_normal((3, 4))
    noise = size * layer.covariance
    answer = layer.mean_product(means, noise)
    for i, j in ((0, 0), (0, 3), (2, 1)):
        root = np.sqrt(noise[i, i])
        slant = noise[i, j] / root
        left = np.sqrt(max(noise[j, j] - slant**2, 0.0))
        total = 0.0
        for mu in means:
            arguments = (mu[i] + root * u, mu[j] + slant * u + left * v)
            values = [
                np.polynomial.hermite_e.hermeval(h / layer.roots[k], layer.weights[k])
                for k, h in zip((i, j), arguments, strict=True)
            ]
            total += (mass * values[0] * values[1]).sum() / len(means)
        assert answer[i, j] == pytest.approx(total, rel=1e-10, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "residual"), [(2, None), (12, None), (2, 0.8)])
def test_the_mean_is_zero_at_every_width(width, residual):
    network = hd.MLP(["relu", "tanh", "gelu"], None, [0.9, 0.8, 1.1, 1.0], 0.3, residual=residual)
    control, moments = control_of(network), Moments()
    for seed in range(400):
        moments.add(control.read(network.sample(width, 3, np.random.SeedSequence(5, spawn_key=(seed,))))[1])
    error = np.sqrt(moments.squares / (moments.count - 1) / moments.count)
    assert np.all(np.abs(moments.mean) <= 5.0 * error)


@pytest.mark.parametrize("name", ["relu", "gelu", "heaviside"])
@pytest.mark.parametrize("residual", [None, 0.7])
def test_little_of_the_noise_is_left(name, residual):
    network = hd.MLP(name, 3, 1.2, 0.1, residual=residual)
    control, K = control_of(network, DIGITS), network.gram(DIGITS).matrix
    pairs = [control.read(network.sample(256, 64, seed)) for seed in range(12)]
    left = np.array([G - K - variates[0] for G, variates in pairs]).std(axis=0)
    raw = np.array([G for G, _ in pairs]).std(axis=0)
    np.testing.assert_allclose(pairs[0][0], network.sample(256, 64, 0).gram(DIGITS), rtol=1e-12)
    assert np.median(left / raw) < (0.5 if name == "heaviside" else 0.1)


def test_rows_of_zeros_have_a_control():
    network = hd.MLP("gelu", 2, 1.2)
    samples = np.vstack([X, np.zeros(3)])
    G, variates = control_of(network, samples).read(network.sample(64, 3, 0))
    assert np.isfinite(variates).all()
    assert not G[4].any()
    assert not variates[0, 4].any()


def test_an_activation_that_is_integrable_at_its_own_variances_alone_has_a_control():
    control = control_of(hd.MLP("exp(x**2/6)", 1, 1.0), np.ones((1, 3)))
    G, variates = control.read(hd.MLP("exp(x**2/6)", 1, 1.0).sample(64, 3, 0))
    assert np.isfinite(variates).all()
    assert G.shape == (1, 1)


@pytest.mark.slow
def test_a_few_networks_tell_the_depth_the_scales_and_the_kind_of_the_model():
    network = hd.MLP("gelu", 2, 1.2, 0.1)
    assert network.validate(DIGITS, **DEFAULT).verdict is hd.Verdict.AGREE
    few = {"widths": (128, 256), "replicas": 8}
    for wrong in (
        hd.MLP("gelu", 3, 1.2, 0.1).gram(DIGITS),
        hd.MLP("gelu", 2, 1.23, 0.1).gram(DIGITS),
        hd.MLP("gelu", 2, 1.2, 0.2).gram(DIGITS),
        hd.DEQ("gelu", 0.3, 1.2, 0.1).gram(DIGITS, depth=2),
        hd.DEQ("gelu", 0.3, 1.2, 0.1).gram(DIGITS),
    ):
        assert network.validate(DIGITS, population=wrong, **few).verdict is hd.Verdict.DISAGREE

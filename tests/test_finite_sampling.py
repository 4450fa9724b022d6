"""Weights: their laws, their seeds, their shapes."""

import numpy as np
import pytest

from hermite_dual.errors import InvalidInputError
from hermite_dual.finite import FiniteDEQ, sample_network

SCALES = {"sigma_w": 0.7, "sigma_u": 1.3, "sigma_b": 0.4}


def draw(**changes):
    arguments = {**SCALES, "width": 400, "inputs": 30, "seed": 3, **changes}
    return sample_network(np.tanh, **arguments)


def test_variances_are_those_of_the_conventions():
    net = draw()
    for weights, variance in ((net.W, 0.7**2 / 400), (net.U, 1.3**2 / 30), (net.b, 0.4**2)):
        # A sample variance of N normal values has the relative standard error sqrt(2 / N); five of them.
        assert weights.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / weights.size))
        assert abs(weights.mean()) < 5 * np.sqrt(variance / weights.size)


def test_same_seed_same_numbers_and_another_seed_others():
    first, again, other = draw(), draw(), draw(seed=4)
    np.testing.assert_array_equal(first.W, again.W)
    np.testing.assert_array_equal(first.U, again.U)
    np.testing.assert_array_equal(first.b, again.b)
    assert not np.any(first.W == other.W)


def test_a_seed_sequence_is_not_used_up():
    seed = np.random.SeedSequence(7, spawn_key=(2,))
    seed.spawn(3)
    np.testing.assert_array_equal(draw(seed=seed).W, draw(seed=np.random.SeedSequence(7, spawn_key=(2,))).W)
    np.testing.assert_array_equal(draw(seed=9).U, draw(seed=np.random.SeedSequence(9)).U)


def test_streams_are_independent_of_the_other_shapes_and_scales():
    np.testing.assert_array_equal(draw().W, draw(inputs=5, sigma_b=0.0).W)
    np.testing.assert_array_equal(draw().b, draw(sigma_w=0.0, sigma_u=2.0).b)
    np.testing.assert_allclose(draw(sigma_u=2.6).U, 2 * draw().U, rtol=1e-15)
    W, U = draw().W.ravel(), draw().U.ravel()
    assert abs(np.corrcoef(W[: U.size], U)[0, 1]) < 5 / np.sqrt(U.size)


def test_zero_scale_gives_zeros():
    net = draw(sigma_b=0.0, sigma_w=0.0)
    assert not net.b.any()
    assert not net.W.any()


def test_parameters_are_read_only():
    net = draw()
    with pytest.raises(ValueError, match="read-only"):
        net.W[0, 0] = 1.0
    with pytest.raises(AttributeError):
        net.W = np.zeros((2, 2))


def test_gram_is_symmetric_to_the_last_bit_and_the_mean_over_neurons():
    net = draw()
    X = np.random.default_rng(0).standard_normal((6, 30))
    G, Z = net.gram(X), net.equilibrium(X).Z
    np.testing.assert_array_equal(G, G.T)
    np.testing.assert_allclose(G, np.mean(Z[:, :, None] * Z[:, None, :], axis=0), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width=0: allowed are whole numbers >= 1"),
        ({"width": 2.5}, "width=2.5: allowed are whole numbers"),
        ({"width": True}, "width=True"),
        ({"inputs": -1}, "inputs=-1"),
        ({"seed": -1}, "seed=-1: allowed are whole numbers >= 0"),
        ({"seed": "x"}, "seed='x'"),
        ({"sigma_w": -0.1}, "sigma_w=-0.1: allowed are finite numbers >= 0"),
        ({"sigma_u": np.nan}, "sigma_u=nan"),
        ({"sigma_b": np.inf}, "sigma_b=inf"),
    ],
)
def test_bad_arguments(changes, message):
    with pytest.raises(InvalidInputError, match=message):
        draw(**changes)


def test_shapes_that_do_not_belong_together():
    with pytest.raises(InvalidInputError, match=r"have the shapes \(2, 2\), \(3, 1\), \(2,\), \(2,\)"):
        FiniteDEQ(np.tanh, 0.1, 1.0, 0.0, np.eye(2), np.ones((3, 1)), np.ones(2), np.ones(2))
    for wrong in (np.ones(()), np.ones((2, 3))):
        with pytest.raises(InvalidInputError, match="have the shapes"):
            FiniteDEQ(np.tanh, 0.1, 1.0, 0.0, wrong, np.ones((2, 1)), np.ones(2), np.ones(2))
    with pytest.raises(InvalidInputError, match="have the shapes"):
        FiniteDEQ(np.tanh, 0.1, 1.0, 0.0, np.eye(2), np.ones((2, 1)), np.ones(2), np.ones(3))


def test_the_callers_array_stays_writeable():
    W = np.eye(2)
    net = FiniteDEQ(np.tanh, 0.1, 1.0, 0.0, W, np.ones((2, 1)), np.ones(2), np.ones(2))
    W[0, 0] = 2.0
    assert W.flags.writeable
    assert not net.W.flags.writeable

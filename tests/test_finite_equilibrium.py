"""Equilibria: closed form for linear activations, two methods agree, divergence is an error with its remedy."""

import numpy as np
import pytest

from hermite_dual.errors import ConvergenceError, InvalidInputError
from hermite_dual.finite import sample_network, solve_equilibrium
from hermite_dual.finite.spectral_norm import spectral_norm_estimate


class Named:
    """An activation with its Lipschitz constant, as the package's own objects have."""

    def __init__(self, function, lipschitz):
        self._function, self.lipschitz = function, lipschitz

    def __call__(self, x):
        return self._function(x)


def identity(x):
    return x.copy()


def relu(x):
    return np.maximum(x, 0.0)


X = np.random.default_rng(5).standard_normal((7, 4))


def network(activation, sigma_w, width=120, sigma_b=0.3, seed=0):
    return sample_network(
        activation, sigma_w=sigma_w, sigma_u=1.2, sigma_b=sigma_b, width=width, inputs=X.shape[1], seed=seed
    )


@pytest.mark.parametrize("method", ["anderson", "contraction"])
def test_linear_network_has_the_resolvent_as_equilibrium(method):
    net = network(identity, 0.5)
    found = net.equilibrium(X, method=method)
    exact = np.linalg.solve(np.eye(net.width) - net.W, net.U @ X.T + net.b[:, None])
    # The residual is 1e-12 relative; (I - W)^-1 has a norm below 5 at sigma_w = 0.5.
    assert np.abs(found.Z - exact).max() < 1e-11 * max(1.0, np.abs(exact).max())


@pytest.mark.parametrize("activation", [np.tanh, relu, np.sin], ids=["tanh", "relu", "sin"])
@pytest.mark.parametrize("sigma_w", [0.0, 0.3, 0.9])
def test_residual_is_what_it_says(activation, sigma_w):
    net = network(activation, sigma_w)
    found = net.equilibrium(X)
    step = activation(net.W @ found.Z + net.U @ X.T + net.b[:, None])
    assert found.residual <= 1e-12 * max(1.0, np.abs(found.Z).max())
    assert np.abs(step - found.Z).max() == pytest.approx(found.residual, rel=0.05, abs=1e-15)


def test_anderson_agrees_with_the_contraction_and_needs_fewer_steps_where_that_is_slow():
    net = network(np.tanh, 1.25, width=300)
    fast, plain = net.equilibrium(X), net.equilibrium(X, method="contraction", max_iterations=2000)
    assert fast.iterations < 0.8 * plain.iterations
    assert np.abs(fast.Z - plain.Z).max() < 1e-9


def test_columns_are_independent_problems():
    net = network(np.tanh, 0.9)
    together, alone = net.equilibrium(X).Z, net.equilibrium(X[2:3]).Z
    assert np.abs(together[:, 2:3] - alone).max() < 1e-11


def test_anderson_on_a_slow_linear_problem_beats_its_contraction_factor():
    # A symmetric W of spectral radius 0.99: the plain iteration needs log(1e-12) / log(0.99) = 2750 steps.
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((60, 60)))[0]
    W = (Q * np.linspace(-0.99, 0.99, 60)) @ Q.T
    V = rng.standard_normal((60, 3))
    found = solve_equilibrium(identity, W, V, sigma_w=0.5, max_iterations=800)
    # The error is at most ||(I - W)^-1||_2 = 100 times the residual of a column in the 2-norm.
    assert np.abs(found.Z - np.linalg.solve(np.eye(60) - W, V)).max() < 100 * np.sqrt(60) * found.residual + 1e-12


def test_divergence_names_the_norm_the_lipschitz_constant_and_the_remedy():
    net = network(Named(relu, 1.0), 3.0)
    with pytest.raises(
        ConvergenceError, match=r"sigma_w=3 .*\|\|W\|\|_2 is about .*L = 1.*smaller sigma_w: below 1/\(2 L\) = 0.5"
    ):
        net.equilibrium(X)


def test_unknown_lipschitz_constant_is_said():
    net = network(np.tanh, 6.0)
    with pytest.raises(ConvergenceError, match="no finite Lipschitz constant L of the activation is known"):
        net.equilibrium(X, max_iterations=30)


def test_overflow_and_nan_are_convergence_errors_without_warnings():
    with pytest.raises(ConvergenceError, match="left all bounds"):
        network(lambda x: x**3, 1.0).equilibrium(10 * X)
    with pytest.raises(ConvergenceError, match="left all bounds after 1 steps"):
        network(lambda x: np.full_like(x, np.nan), 0.1).equilibrium(X)


def test_iteration_limit_is_respected():
    with pytest.raises(ConvergenceError, match="in 3 steps, not 1e-12"):
        network(np.tanh, 0.5).equilibrium(X, max_iterations=3)


def test_unknown_method_and_no_iterations():
    net = network(np.tanh, 0.5)
    with pytest.raises(InvalidInputError, match="method='newton': allowed are 'anderson' and 'contraction'"):
        net.equilibrium(X, method="newton")
    with pytest.raises(InvalidInputError, match="max_iterations=0"):
        net.equilibrium(X, max_iterations=0)


def test_spectral_norm_estimate_is_a_close_lower_bound():
    W = np.random.default_rng(1).standard_normal((80, 80))
    exact = np.linalg.norm(W, 2)
    assert 0.95 * exact <= spectral_norm_estimate(W) <= exact * (1 + 1e-12)
    assert spectral_norm_estimate(np.zeros((3, 3))) == 0.0


def test_inputs_are_checked_against_the_network():
    net = network(np.tanh, 0.5)
    with pytest.raises(InvalidInputError, match=r"X has the shape \(7, 3\); allowed is \(n, 4\)"):
        net.equilibrium(X[:, :3])
    with pytest.raises(InvalidInputError, match="not finite"):
        net.gram(np.full((2, 4), np.nan))
    with pytest.raises(InvalidInputError, match=r"shape \(4,\)"):
        net.gram(X[0])


def test_activation_objects_need_only_be_called():
    assert network(Named(np.tanh, 1.0), 0.5).equilibrium(X).residual < 1e-12

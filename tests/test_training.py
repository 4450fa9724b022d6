"""Training: gradients against finite differences, measurements against recomputation, claims that can fail."""

import dataclasses
import json

import numpy as np
import pytest
import scipy.linalg

import hermite_dual as hd
from hermite_dual.errors import ConvergenceError, InvalidInputError
from hermite_dual.finite.training_run import TrainingRun
from tests.tolerances import OTHER_PATH

RNG = np.random.default_rng(0)
X = hd.on_sphere(RNG.standard_normal((6, 4)))
Y = RNG.choice([-1.0, 1.0], 6)
NAMES = ("a", "W", "U", "b")
# Central differences at this step are off by some 1e-9 of the third derivative, plus 1e-12 / step from the equilibria.
STEP, DIFFERENCE = 1e-4, 1e-6


def network(phi="tanh", sigma_w=0.35, width=12, sigma_b=0.0, seed=0):
    return hd.DEQ(phi, sigma_w, np.sqrt(2), sigma_b).sample(width, 4, seed=seed)


def loss(net):
    r = net.a @ net.equilibrium(X).Z - Y
    return 0.5 * r @ r


@pytest.mark.slow
@pytest.mark.parametrize("phi", ["tanh", "gelu", "softplus", "sin"])
def test_a_step_follows_the_gradient(phi):
    net, step = network(phi, sigma_b=0.3), 1e-3
    after = net.train(X, Y, step, 1).network
    for name in NAMES:
        values = getattr(net, name)
        gradient = np.empty_like(values)
        for index in np.ndindex(values.shape):
            sides = []
            for sign in (1, -1):
                moved = values.copy()
                moved[index] += sign * STEP
                sides.append(loss(dataclasses.replace(net, **{name: moved})))
            gradient[index] = (sides[0] - sides[1]) / (2 * STEP)
        np.testing.assert_allclose((values - getattr(after, name)) / step, gradient, rtol=DIFFERENCE, atol=DIFFERENCE)


@pytest.mark.parametrize("names", [("a",), ("W", "b"), ("U",)])
def test_only_the_parameters_named_move(names):
    net = network(sigma_b=0.3)
    run = net.train(X, Y, 1e-3, 2, parameters=names)
    assert run.parameters == names
    for name in NAMES:
        assert np.array_equal(getattr(net, name), getattr(run.network, name)) == (name not in names)


def test_biases_are_trained_where_there_are_any():
    assert network().train(X, Y, 1e-3, 0).parameters == ("a", "W", "U")
    assert network(sigma_b=0.3).train(X, Y, 1e-3, 0).parameters == NAMES


def test_the_readout_alone_is_linear_least_squares():
    net, step = network(width=30), 0.05
    run = net.train(X, Y, step, 40, parameters=("a",))
    Z = net.equilibrium(X).Z
    r = net.a @ Z - Y
    for measured in run.loss:
        assert measured == pytest.approx(0.5 * r @ r, rel=OTHER_PATH)
        r = r - step * (Z.T @ Z) @ r
    np.testing.assert_allclose(run.least_eigenvalue, np.linalg.eigvalsh(Z.T @ Z)[0], rtol=1e-9)
    np.testing.assert_allclose(run.norm, np.linalg.norm(net.W, 2), rtol=1e-6)


def test_measurements_are_those_of_the_network_of_the_epoch():
    net = network("relu", width=80)
    step = 0.5 * net.stable_step(X, ("a", "W", "U"))
    run = net.train(X, Y, step, 12)
    for epochs in (0, 5, 12):
        found = net.train(X, Y, step, epochs).network
        Z = found.equilibrium(X).Z
        assert run.loss[epochs] == pytest.approx(loss(found), rel=OTHER_PATH)
        assert run.norm[epochs] == pytest.approx(np.linalg.norm(found.W, 2), rel=1e-6)
        assert run.least_eigenvalue[epochs] == pytest.approx(np.linalg.svd(Z)[1][-1] ** 2, rel=OTHER_PATH)
    assert run.epochs == 12
    assert run.stopped is None


@pytest.mark.parametrize("phi", ["relu", "tanh", "gelu", "softplus", "sin"])
def test_the_proven_rate_holds_where_the_hypotheses_do(phi):
    net = hd.DEQ.paper(phi, 0.08).sample_contracting(100, 4, seed=0).network
    run = net.train(X, Y, 0.5 * net.stable_step(X, ("a", "W", "U")), 60)
    assert run.holds
    assert [claim.first_failure for claim in run.claims] == [None] * 3
    assert all(claim.worst < 1 for claim in run.claims)
    assert run.loss[-1] < run.rate_bound[-1] < run.loss[0]


def test_a_large_sigma_w_fails_the_contraction_and_says_so():
    run = network("relu", sigma_w=0.8, width=60).train(X, Y, 1e-3, 20)
    rate, contraction, least = run.claims
    assert not run.holds
    assert (contraction.holds, contraction.first_failure) == (False, 0)
    assert rate.holds
    assert least.holds
    assert run.epochs == 0
    assert "contraction is lost at epoch 0: L ||W||_2 = 1." in run.stopped
    assert "fails first at epoch 0" in str(run)
    assert "smaller sigma_w" in str(run)
    assert "not put to the test" in str(run)


def test_without_an_equilibrium_the_run_still_names_the_contraction():
    run = network("relu", sigma_w=3.0, width=60).train(X, Y, 1e-3, 20)
    assert np.isnan(run.loss).all()
    assert run.claims[1].first_failure == 0
    assert json.loads(run.to_json())["loss"] == [None]


def test_training_past_the_contraction_on_request():
    run = network("tanh", sigma_w=0.7, width=60).train(X, Y, 1e-3, 5, require_contraction=False)
    assert run.epochs == 5
    assert run.claims[1].first_failure == 0


def test_training_stops_where_the_contraction_is_lost_on_the_way():
    net = network("tanh", sigma_w=0.46, width=40)
    W = net.W * (0.9999 / np.linalg.norm(net.W, 2))
    run = dataclasses.replace(net, W=W).train(X, 30 * Y, 0.002, 50)
    assert 0 < run.claims[1].first_failure == run.epochs < 50
    assert f"lost at epoch {run.epochs}" in run.stopped


def fabricated(**changes):
    values = {
        "loss": np.array([1.0, 0.5, 0.2]),
        "norm": np.array([0.8, 0.8, 0.8]),
        "least_eigenvalue": np.array([2.0, 1.5, 1.2]),
        "residual": np.zeros(3),
    } | {key: np.array(value) for key, value in changes.items()}
    return TrainingRun(network(), **values, step=0.1, parameters=("a",), lipschitz=1.0, stopped=None)


def test_a_run_without_a_step_holds_nothing():
    assert not network(width=30).train(X, Y, 1e-3, 0).holds


def test_claims_find_the_first_failure():
    assert fabricated().holds
    np.testing.assert_allclose(fabricated().rate_bound, [1.0, 0.9, 0.81])
    assert [c.first_failure for c in fabricated(loss=[1.0, 0.5, 0.82]).claims] == [2, None, None]
    assert [c.first_failure for c in fabricated(norm=[0.8, 1.0, 0.8]).claims] == [None, 1, None]
    assert [c.first_failure for c in fabricated(least_eigenvalue=[2.0, 0.99, 1.2]).claims] == [None, None, 1]
    assert [c.first_failure for c in fabricated(least_eigenvalue=[2.0, 1.0, np.nan]).claims] == [None, None, 2]
    # eta lambda_0 = 2 gives the factor 0, which no theorem covers.
    assert fabricated(least_eigenvalue=[20.0, 20.0, 20.0]).claims[0].first_failure == 1
    # Nothing is claimed of a singular Gram matrix.
    assert not fabricated(least_eigenvalue=[0.0, 0.0, 0.0]).holds


def test_a_loss_at_rounding_ends_the_run():
    net = network("sin", width=200)
    run = net.train(X, Y, 0.5 * net.stable_step(X), 2000)
    assert run.stopped == f"the loss reached rounding at epoch {run.epochs}"
    assert run.epochs < 2000
    assert run.holds


def test_fewer_neurons_than_samples():
    run = network(width=4).train(X, Y, 1e-3, 1)
    assert run.least_eigenvalue.tolist() == [0.0, 0.0]
    assert not run.holds


def test_divergence_names_the_step_and_the_remedy():
    net = network("relu", width=60)
    stable = net.stable_step(X, ("a", "W", "U"))
    kernel = net.ntk(X, "standard", ("a", "W", "U")).matrix
    assert stable == pytest.approx(2 / scipy.linalg.eigvalsh(kernel)[-1])
    # At three times the limit the loss grows; at a thousand times the first step leaves no equilibrium.
    for step in (3 * stable, 1000 * stable):
        with pytest.raises(ConvergenceError, match=rf"step={step}: the loss diverges.*here {stable:.4g}: pass half"):
            net.train(X, Y, step, 1000, require_contraction=False, parameters=("a", "W", "U"))
    run = net.train(X, Y, 1000 * stable, 100)
    assert f"lost at epoch 1: L ||W||_2 = {run.norm[1]:.6g}" in run.stopped
    assert f"here {stable:.4g}: pass half of that, or less, or a larger width" in run.stopped


def test_progress_and_interruption():
    seen = []

    def progress(what, epoch, epochs):
        seen.append((epoch, what))
        assert epochs == 50
        if epoch == 3:
            raise KeyboardInterrupt

    net = network(width=30)
    run = net.train(X, Y, 1e-3, 50, progress=progress)
    assert [epoch for epoch, _ in seen] == [0, 1, 2, 3]
    assert [what for _, what in seen] == [f"epochs, loss {value:.3g}" for value in run.loss.tolist()]
    assert run.stopped == "interrupted after epoch 3"
    np.testing.assert_array_equal(run.network.W, net.train(X, Y, 1e-3, 3).network.W)


def test_the_network_given_stays_as_it_is():
    net = network()
    W = net.W.copy()
    net.train(X, Y, 1e-2, 3)
    np.testing.assert_array_equal(net.W, W)


def test_json_holds_every_number():
    run = network(width=30).train(X, Y, 1e-3, 2)
    read = json.loads(run.to_json())
    assert read["loss"] == run.loss.tolist()
    assert read["claims"][0] == {
        "name": "loss(tau) <= (1 - eta lambda_0/2)^tau loss(0)",
        "holds": True,
        "first_failure": None,
        "worst": run.claims[0].worst,
    }
    assert (read["parameters"], read["epochs"], read["stopped"]) == (["a", "W", "U"], 2, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.zeros(5)}, r"y has the shape \(5,\).*allowed are real numbers of shape \(6,\)"),
        ({"y": np.zeros((6, 2))}, "one column at a time"),
        ({"y": np.array(["a"] * 6)}, "y holds .*; allowed are real numbers"),
        ({"y": np.full(6, np.nan)}, "y holds 6 values that are not finite"),
        ({"X": np.full((6, 4), np.inf)}, "not finite"),
        ({"X": X[:, :3]}, r"allowed is \(n, 4\)"),
        ({"step": 0.0}, "step=0.0: allowed are finite numbers > 0"),
        ({"step": np.nan}, "step = nan"),
        ({"step": True}, "step = True"),
        ({"epochs": -1}, "epochs=-1: allowed are whole numbers >= 0"),
        ({"epochs": 1.5}, "epochs=1.5"),
        ({"parameters": ()}, "parameters="),
        ({"parameters": ("W", "W")}, "each once"),
    ],
)
def test_bad_arguments(changes, message):
    arguments = {"X": X, "y": Y, "step": 0.1, "epochs": 1, **changes}
    with pytest.raises(InvalidInputError, match=message):
        network().train(**arguments)


def test_an_activation_without_derivative():
    with pytest.raises(InvalidInputError, match="derivative of the Python function"):
        hd.DEQ(np.tanh, 0.3).sample(10, 4, seed=0).train(X, Y, 0.1, 1)
    net = hd.DEQ(hd.activation(np.tanh, derivative=lambda x: 1 - np.tanh(x) ** 2), 0.35, np.sqrt(2)).sample(
        12, 4, seed=0
    )
    np.testing.assert_allclose(net.train(X, Y, 0.01, 3).loss, network().train(X, Y, 0.01, 3).loss, rtol=1e-12)

"""Tangent kernels against the explicit Jacobian, against infinite width, and spectra against their definition."""

import dataclasses

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.errors import InvalidInputError
from hermite_dual.finite.untied import UntiedNetwork

X = hd.on_sphere(np.random.default_rng(0).standard_normal((5, 3)))
# Central differences at this step are off by some 1e-10 of the third derivative, plus 1e-12 / step from the equilibria.
STEP, DIFFERENCE = 1e-4, 1e-6


class Dense:
    """A matrix kept, in the place of one that is drawn."""

    def __init__(self, values):
        self.values = values

    @property
    def T(self):
        return Dense(self.values.T)

    def __matmul__(self, Z):
        return self.values @ Z


def jacobian(outputs, theta):
    """Derivatives of the outputs by every parameter, by name, shape (parameters, n)."""
    rows = {}
    for name, values in theta.items():
        found = []
        for index in np.ndindex(values.shape):
            sides = []
            for sign in (1, -1):
                moved = {key: value.copy() for key, value in theta.items()}
                moved[name][index] += sign * STEP
                sides.append(outputs(moved))
            found.append((sides[0] - sides[1]) / (2 * STEP))
        rows[name] = np.array(found)
    return rows


@pytest.mark.parametrize("phi", ["tanh", "gelu", "softplus"])
def test_kernel_is_the_product_of_jacobians(phi):
    net = hd.DEQ(phi, 0.4, 1.1, 0.3).sample(9, 3, seed=1)

    def outputs(theta):
        return theta["a"] @ dataclasses.replace(net, **theta).equilibrium(X).Z

    J = jacobian(outputs, {name: getattr(net, name) for name in ("a", "W", "U", "b")})
    standard = sum(rows.T @ rows for rows in J.values())
    np.testing.assert_allclose(net.ntk(X, "standard").matrix, standard, rtol=DIFFERENCE, atol=DIFFERENCE)
    scales = {"a": 1 / 9, "W": 0.4**2 / 9, "U": 1.1**2 / 3, "b": 0.3**2}
    kernel = sum(scale * J[name].T @ J[name] for name, scale in scales.items())
    found = net.ntk(X)
    np.testing.assert_allclose(found.matrix, kernel, rtol=DIFFERENCE, atol=DIFFERENCE)
    np.testing.assert_allclose(np.asarray(found), found.matrix)
    np.testing.assert_allclose(found.gram, net.gram(X), rtol=0, atol=1e-11)
    np.testing.assert_allclose(found.gamma, J["b"].T @ J["b"], rtol=DIFFERENCE, atol=DIFFERENCE)
    for names in (("a",), ("W", "a"), ("U", "b")):
        part = sum(J[name].T @ J[name] for name in names)
        np.testing.assert_allclose(net.ntk(X, "standard", names).matrix, part, rtol=DIFFERENCE, atol=DIFFERENCE)


def test_untied_kernel_is_the_product_of_jacobians():
    net = hd.DEQ("tanh", 0.9, 1.1, 0.3).sample_untied(6, 3, depth=3, seed=1)
    theta = {"a": net.a, "U": net.U, "b": net.b, "W2": net.recurrent[0].kept(), "W3": net.recurrent[1].kept()}

    def outputs(moved):
        layers = Dense(moved["W2"]), Dense(moved["W3"])
        parts = {name: moved[name] for name in ("a", "U", "b")}
        changed = UntiedNetwork(net.activation, 0.9, 1.1, 0.3, recurrent=layers, **parts)
        return moved["a"] @ changed.states(X)

    J = jacobian(outputs, theta)
    standard = sum(rows.T @ rows for rows in J.values())
    np.testing.assert_allclose(net.ntk(X, "standard").matrix, standard, rtol=DIFFERENCE, atol=DIFFERENCE)
    scales = {"a": 1 / 6, "W2": 0.9**2 / 6, "W3": 0.9**2 / 6, "U": 1.1**2 / 3, "b": 0.3**2}
    kernel = sum(scale * J[name].T @ J[name] for name, scale in scales.items())
    np.testing.assert_allclose(net.ntk(X).matrix, kernel, rtol=DIFFERENCE, atol=DIFFERENCE)


def extrapolated(draw, width, replicas):
    """Mean over replicas of `2 G(2 m) - G(m)`, free of the bias of order 1/m, and its standard error."""
    values = np.array([2 * draw(2 * width, 2 * r) - draw(width, 2 * r + 1) for r in range(replicas)])
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(replicas)


@pytest.mark.slow
def test_gram_and_gamma_tend_to_the_formulas_of_infinite_width():
    model = hd.DEQ("tanh", 0.4, 1.2)
    G = model.gram(X)
    S, q = G.preactivation, G.variances
    kdot = hd.dual("tanh").derivative().kernel(q[:, None], q[None, :], S)
    gamma = kdot / (1 - 0.4**2 * kdot)

    def draw(width, seed):
        kernel = model.sample(width, 3, seed=seed).ntk(X)
        return np.stack([kernel.gram, kernel.gamma])

    mean, error = extrapolated(draw, 100, 60)
    # 50 numbers, of which 30 differ: five standard errors leave 2e-5 of a false alarm, and 1/m^2 is below them.
    assert np.abs((mean - np.stack([G.matrix, gamma])) / error).max() < 5


def test_untied_networks_tend_to_the_gram_matrix_of_their_depth():
    model = hd.DEQ("relu", 0.8, 1.0, 0.2)
    mean, error = extrapolated(lambda m, seed: model.sample_untied(m, 3, depth=3, seed=seed).gram(X), 100, 60)
    assert np.abs((mean - model.gram(X, depth=3).matrix) / error).max() < 5


def test_untied_networks_share_all_but_the_recurrent_weights_with_tied_ones():
    model = hd.DEQ("tanh", 0.5, 1.0, 0.3)
    net, tied = model.sample_untied(30, 3, depth=4, seed=7), model.sample(30, 3, seed=7)
    for name in ("U", "b", "a"):
        np.testing.assert_array_equal(getattr(net, name), getattr(tied, name))
    assert net.depth == 4
    first, second, third = (W.kept() for W in net.recurrent)
    for W in (first, second, third):
        assert W.var() == pytest.approx(0.5**2 / 30, rel=5 * np.sqrt(2 / 900))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 5 / 30
    with pytest.raises(InvalidInputError, match="depth=0: allowed are whole numbers >= 1"):
        model.sample_untied(30, 3, depth=0, seed=7)


@pytest.mark.parametrize("width", [3, 40])
def test_spectrum_is_that_of_the_gram_matrix(width):
    model = hd.DEQ("tanh", 0.3)
    for net in (model.sample(width, 3, seed=0), model.sample_untied(width, 3, depth=2, seed=0)):
        values = net.spectrum(X)
        np.testing.assert_allclose(values, np.linalg.eigvalsh(net.gram(X)), rtol=0, atol=1e-14)
        assert np.count_nonzero(values == 0.0) == max(0, 5 - width)


def test_bad_arguments():
    net = hd.DEQ("tanh", 0.3).sample(10, 3, seed=0)
    with pytest.raises(InvalidInputError, match="parametrization='other'"):
        net.ntk(X, "other")
    with pytest.raises(InvalidInputError, match="parameters="):
        net.ntk(X, parameters=("a", "V"))
    with pytest.raises(InvalidInputError, match="derivative of the Python function"):
        hd.DEQ(np.tanh, 0.3).sample(10, 3, seed=0).ntk(X)

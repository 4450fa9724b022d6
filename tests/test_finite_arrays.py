"""Samples of another array library: the same numbers, by the array API standard alone."""

import array_api_strict as xp
import numpy as np
import pytest
import sympy as sp

import hermite_dual as hd
from hermite_dual.errors import ConvergenceError, InvalidInputError
from hermite_dual.expressions.array_function import array_function
from tests.tolerances import REORDERED

VALUES = hd.on_sphere(np.random.default_rng(0).standard_normal((6, 4)))
X = xp.asarray(VALUES)


@pytest.mark.parametrize("phi", ["tanh", "relu", "softplus", "sin", "elu", "silu", "leaky_relu"])
def test_states_gram_kernel_and_spectrum_are_numpys(phi):
    net = hd.DEQ(phi, 0.35, 1.1, 0.2).sample(40, 4, seed=0)
    found = net.equilibrium(X)
    assert isinstance(found.Z, type(X))
    np.testing.assert_allclose(np.asarray(found.Z), net.equilibrium(VALUES).Z, rtol=0, atol=1e-11)
    np.testing.assert_allclose(np.asarray(net.gram(X)), net.gram(VALUES), rtol=0, atol=1e-11)
    np.testing.assert_allclose(np.asarray(net.spectrum(X)), net.spectrum(VALUES), rtol=0, atol=1e-11)
    np.testing.assert_allclose(np.asarray(net.ntk(X).matrix), net.ntk(VALUES).matrix, rtol=1e-9)
    np.testing.assert_allclose(np.asarray(net.equilibrium(X, batch=4).Z), np.asarray(found.Z), rtol=0, atol=1e-11)


def test_acceleration_and_drawn_weights():
    model = hd.DEQ("tanh", 1.2)
    net, drawn = model.sample(150, 4, seed=0), model.sample(150, 4, seed=0, memory=0)
    reference = net.equilibrium(VALUES)
    for network in (net, drawn):
        found = network.equilibrium(X)
        assert found.iterations == pytest.approx(reference.iterations, abs=3)
        np.testing.assert_allclose(np.asarray(found.Z), reference.Z, rtol=0, atol=1e-9)


def test_untied_networks():
    net = hd.DEQ("tanh", 0.8, 1.0, 0.3).sample_untied(30, 4, depth=3, seed=0)
    np.testing.assert_allclose(np.asarray(net.gram(X)), net.gram(VALUES), rtol=0, atol=REORDERED)
    np.testing.assert_allclose(np.asarray(net.ntk(X).matrix), net.ntk(VALUES).matrix, rtol=1e-11)


def test_single_precision_stays_single():
    net = hd.DEQ("tanh", 0.35).sample(40, 4, seed=0)
    found = net.equilibrium(xp.asarray(VALUES, dtype=xp.float32))
    assert found.Z.dtype == xp.float32
    # 64 roundings of float32 in the residual, over 1 - L ||W||_2 = 0.3.
    assert np.abs(np.asarray(found.Z) - net.equilibrium(VALUES).Z).max() < 64 * 1.2e-7 / 0.3


@pytest.mark.parametrize("phi", [entry.name for entry in hd.catalogue()])
def test_formulas_on_arrays_are_the_activations(phi):
    activation = hd.activation(phi)
    functions = [activation] if activation.jumps else [activation, activation.derivative()]
    points = np.linspace(-6.0, 6.0, 41).reshape(-1, 1) + 1e-3
    for function in functions:
        if function.expr.has(sp.erf, sp.erfc):
            with pytest.raises(
                InvalidInputError, match=r"erfc? of the activation is not part of the array API standard"
            ):
                array_function(function, xp)
            continue
        values = array_function(function, xp)(xp.asarray(points))
        np.testing.assert_allclose(np.asarray(values), function(points), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "phi",
    [
        "Heaviside(x, 0)",
        "Heaviside(x, 1)",
        "Piecewise((7, x == 0), (abs(x), True))",
        "Piecewise((1, (x >= 0) & (x < 1)), (0, True))",
        "Piecewise((cos(x), x != 0), (-1, True))",
        "sin(x)/x",
        "x/tanh(x)",
        "acosh(1+x^2)",
        "sech(x)",
    ],
)
def test_values_at_single_points_are_the_activations(phi):
    activation = hd.activation(phi)
    points = np.array([[-1.0, 0.0, 0.5, 1.0]])
    np.testing.assert_allclose(np.asarray(array_function(activation, xp)(xp.asarray(points))), activation(points))


@pytest.mark.slow
def test_errors_say_what_to_pass():
    net = hd.DEQ("tanh", 0.35).sample(10, 4, seed=0)
    with pytest.raises(InvalidInputError, match=r"shape \(6, 3\); allowed is \(n, 4\)"):
        net.gram(X[:, :3])
    with pytest.raises(InvalidInputError, match="real floating type"):
        net.gram(xp.ones((6, 4), dtype=xp.int64))
    with pytest.raises(InvalidInputError, match="not finite"):
        net.gram(X * float("nan"))
    with pytest.raises(InvalidInputError, match=r"shape \(4,\)"):
        net.gram(X[0, :])
    with pytest.raises(InvalidInputError, match="Give it as a formula"):
        hd.DEQ(np.tanh, 0.3).sample(10, 4, seed=0).gram(X)
    with pytest.raises(InvalidInputError, match="training runs in NumPy"):
        net.train(X, np.zeros(6), 0.1, 1)
    with pytest.raises(ConvergenceError, match="was not found"):
        hd.DEQ("relu", 3.0).sample(50, 4, seed=0).gram(X)

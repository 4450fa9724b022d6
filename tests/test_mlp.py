"""Multilayer and residual networks against recursions that share no code with the package."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hermite_dual as hd

X = np.random.default_rng(0).standard_normal((7, 5))
SPHERE = X * np.sqrt(5) / np.linalg.norm(X, axis=1, keepdims=True)


def relu_layer(S):
    """`k` and `kdot` of ReLU, the arc-cosine kernels of Cho and Saul."""
    roots = np.sqrt(np.diag(S))
    angle = np.arccos(np.clip(S / np.outer(roots, roots), -1.0, 1.0))
    np.fill_diagonal(angle, 0.0)
    k = np.outer(roots, roots) * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    return k, (np.pi - angle) / (2 * np.pi)


def erf_layer(S):
    """`k` and `kdot` of the error function, after Williams."""
    d = 1 + 2 * np.diag(S)
    argument = 2 * S / np.sqrt(np.outer(d, d))
    return 2 / np.pi * np.arcsin(argument), 4 / np.pi / np.sqrt(np.outer(d, d) - 4 * S**2)


def sin_layer(S):
    q = np.diag(S)
    damping = np.exp(-0.5 * np.add.outer(q, q))
    return damping * np.sinh(S), damping * np.cosh(S)


LAYERS = {"relu": relu_layer, "erf": erf_layer, "sin": sin_layer}


def by_hand(samples, layers, sigma_w, sigma_b, residual=None, readout=True):
    """`S` and `Theta` as neural-tangents' layers define them."""
    S = sigma_w[0] ** 2 * samples @ samples.T / samples.shape[1] + sigma_b[0] ** 2
    T = S.copy()
    for number, layer in enumerate(layers, 1):
        k, kdot = layer(S)
        if number == len(layers) and not readout:
            return k, kdot * T
        branch = sigma_w[number] ** 2 * k + sigma_b[number] ** 2
        passed = sigma_w[number] ** 2 * kdot * T
        if residual is None:
            S, T = branch, branch + passed
        else:
            S, T = S + residual**2 * branch, T + residual**2 * (branch + passed)
    return S, T


@pytest.mark.parametrize("samples", [X, SPHERE], ids=["norms", "sphere"])
@pytest.mark.parametrize("residual", [None, 0.6])
@pytest.mark.parametrize("names", [("relu",) * 3, ("erf",) * 8, ("sin", "relu", "erf")], ids=str)
def test_kernels_are_those_of_the_recursion(names, residual, samples):
    count = len(names) + 1
    sigma_w, sigma_b = np.linspace(1.0, 1.4, count), np.linspace(0.3, 0.0, count)
    network = hd.MLP(list(names), sigma_w=sigma_w, sigma_b=sigma_b, residual=residual)
    S, T = by_hand(samples, [LAYERS[name] for name in names], sigma_w, sigma_b, residual)
    for kernel, truth in ((network.gram(samples), S), (network.ntk(samples), T)):
        scale = np.abs(truth).max()
        assert np.abs(kernel.matrix - truth).max() <= 2e-14 * scale
        if len(names) < 8:  # proofs take as long again for each layer
            assert kernel.entry_error <= 1e-11 * scale
    assert np.abs(network.gram(samples[:3], samples[3:]).matrix - S[:3, 3:]).max() <= 2e-14 * np.abs(S).max()
    assert np.abs(network.ntk(samples[:3], samples[3:]).matrix - T[:3, 3:]).max() <= 2e-14 * np.abs(T).max()


def test_a_network_without_readout_ends_with_its_activation():
    network = hd.MLP("relu", 2, 1.3, 0.2, readout=False)
    S, T = by_hand(X, [relu_layer] * 2, [1.3] * 2, [0.2] * 2, readout=False)
    assert np.abs(network.gram(X).matrix - S).max() < 1e-14
    assert np.abs(network.ntk(X).matrix - T).max() < 1e-13


def test_at_depth_one_an_equilibrium_model_is_a_network_without_readout():
    model = hd.DEQ("gelu", 0.4, 1.2, 0.3)
    network = hd.MLP("gelu", 1, 1.2, 0.3, readout=False)
    assert np.abs(model.gram(X, depth=1).matrix - network.gram(X).matrix).max() < 1e-15
    assert (
        np.abs(model.gram(X, depth=2).matrix - hd.MLP("gelu", 2, 1.2, 0.3, readout=False).gram(X).matrix).max() > 0.01
    )


def test_tanh_meets_a_quadrature():
    # by nested quadrature, over u and over v given u
    samples, w2, b2 = np.array([[0.8, -0.3], [0.5, 1.1]]), mpmath.mpf(1.5) ** 2, mpmath.mpf(0.2) ** 2

    def kernel(q1, q2, c):
        with mpmath.workdps(17):
            density = lambda z: mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)  # noqa: E731
            r = mpmath.sqrt(max(q2 - c * c / q1, 0))

            def inner(z):
                u = mpmath.sqrt(q1) * z
                mean = c / q1 * u
                over = mpmath.quad(lambda t: mpmath.tanh(mean + r * t) * density(t), [-9, -3, 0, 3, 9], maxdegree=4)
                return mpmath.tanh(u) * over * density(z)

            return mpmath.quad(inner, [-9, -3, 0, 3, 9], maxdegree=4)

    P = samples @ samples.T / 2
    S = [w2 * mpmath.mpf(P[i]) + b2 for i in ((0, 0), (1, 1), (0, 1))]
    S = [w2 * k + b2 for k in (kernel(S[0], S[0], S[0]), kernel(S[1], S[1], S[1]), kernel(*S))]
    G = hd.MLP("tanh", 1, 1.5, 0.2).gram(samples)
    for value, entry in zip(S, ((0, 0), (1, 1), (0, 1)), strict=True):
        assert abs(float(value) - G.matrix[entry]) < 1e-12


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(["relu", "erf", "sin"]),
    st.integers(1, 3),
    st.floats(0.2, 2.0),
    st.just(0.0) | st.floats(1e-100, 1.0),  # squares of smaller ones underflow: refused, see the next test
    st.sampled_from([None, 0.3, 1.0]),
    st.integers(0, 2**31),
)
def test_proven_errors_contain_the_truth(name, depth, sigma_w, sigma_b, residual, seed):
    samples = np.random.default_rng(seed).standard_normal((4, 3))
    network = hd.MLP(name, depth, sigma_w, sigma_b, residual=residual)
    scales = [sigma_w] * (depth + 1), [sigma_b] * (depth + 1)
    # in long double, whose 11 bits more than a float leave this slack
    truths = by_hand(
        samples.astype(np.longdouble), [LAYERS[name]] * depth, *np.asarray(scales, np.longdouble), residual
    )
    for kernel, truth in zip((network.gram(samples), network.ntk(samples)), truths, strict=True):
        bounds = kernel.entry_bounds.errors
        slack = 2.0**-58 * np.abs(truth).max() * 20
        assert (np.abs(kernel.matrix - truth) <= bounds + slack).all()


def test_scales_whose_squares_underflow_prove_nothing():
    bounds = hd.MLP("relu", 1, 1.0, 1e-300).gram(np.eye(3)).entry_bounds
    assert bounds.errors is None
    assert bounds.outcome is hd.Outcome.UNDECIDED
    assert "set it to 0" in bounds.reason


@pytest.mark.parametrize("tangent", [False, True], ids=["NNGP", "NTK"])
@pytest.mark.parametrize("kind", ["multilayer", "residual", "equilibrium"])
def test_errors_of_inputs_pass_the_layers_in_full(kind, tangent):
    # phi = x: kernels are linear in the inner products, so that longer rows reach the bound
    error = 1e-6
    if kind == "equilibrium":
        make = hd.DEQ("x", 0.7, 1.1, 0.0)
        kernel = (make.ntk if tangent else make.gram)(X, depth=3)
        longer = (make.ntk if tangent else make.gram)(X * (1 + error), depth=3)
    else:
        make = hd.MLP("x", 3, [1.1, 0.8, 0.9, 1.2], 0.0, residual=0.6 if kind == "residual" else None)
        kernel, longer = ((make.ntk if tangent else make.gram)(rows) for rows in (X, X * (1 + error)))
    meant = replace(kernel, model=replace(kernel.model, row_error=error)).entry_bounds.errors
    moved = np.diag(np.abs(longer.matrix - kernel.matrix))
    assert (np.diag(meant) >= moved * (1 - 1e-8)).all()
    assert (np.diag(meant) <= 1.01 * moved).all()


def test_a_residual_network_of_weight_zero_passes_its_inputs():
    network = hd.MLP("tanh", 3, [1.0, 0.0, 0.0, 0.0], residual=1.0)
    assert np.abs(network.gram(X).matrix - X @ X.T / 5).max() < 1e-15
    assert np.abs(network.ntk(X).matrix - X @ X.T / 5).max() < 1e-15


def test_rows_of_zeros():
    samples = np.vstack([X, np.zeros((1, 5))])
    assert (hd.MLP("relu", 2, 1.4).gram(samples).matrix[-1] == 0.0).all()
    with_bias = hd.MLP(["relu", "sin"], sigma_w=1.4, sigma_b=[0.0, 0.5, 0.0])
    S, T = by_hand(samples[:-1], [relu_layer, sin_layer], [1.4] * 3, [0.0, 0.5, 0.0])
    assert np.abs(with_bias.gram(samples).matrix[:-1, :-1] - S).max() < 1e-14
    assert np.abs(with_bias.ntk(samples).matrix[:-1, :-1] - T).max() < 1e-13
    # S(2) of the zero row is the bias alone, 0.25 with every row
    cosine = hd.MLP(["cos"], sigma_w=[1.0, 1.0]).gram(samples).matrix
    assert np.abs(cosine[-1, :-1] - np.exp(-0.5 * np.sum(X**2, axis=1) / 5)).max() < 1e-15
    assert np.isfinite(with_bias.gram(samples).entry_error)


def test_finite_networks_approach_their_limit():
    network = hd.MLP(["relu", "tanh"], sigma_w=[1.0, 1.3, 0.9], sigma_b=0.2, residual=0.7)
    kernels = [network.sample(300, 5, seed) for seed in range(60)]
    for name in ("gram", "ntk"):
        values = np.array([np.asarray(getattr(net, name)(X)) for net in kernels])
        t = (values.mean(axis=0) - getattr(network, name)(X).matrix) / (values.std(axis=0, ddof=1) / np.sqrt(60))
        assert np.abs(t).max() < 4.5  # 56 entries; the bias 1/m is below the standard error


def test_the_tangent_kernel_of_a_finite_network_is_that_of_its_gradient():
    # Derivatives of the output by the readout and the last bias alone are phi and 1; by differences in all weights of a
    # network this small they are what back-propagation says.
    network = hd.MLP("tanh", 2, [1.0, 1.2, 0.9], 0.3, residual=0.8)
    net = network.sample(3, 5, 1)
    weights = [W.kept() for W in net.weights]
    biases = [b.copy() for b in net.biases]

    def output(parameters):
        W0, W1, b0, b1, a, last = parameters
        alpha = 0.8
        h1 = W0 @ X.T / np.sqrt(5) + 0.3 * b0[:, None]
        h2 = h1 + alpha * (1.2 * W1 @ np.tanh(h1) / np.sqrt(3) + 0.3 * b1[:, None])
        return h2[0] + alpha * (0.9 * a @ np.tanh(h2) / np.sqrt(3) + 0.3 * last)

    standard = [
        weights[0] * np.sqrt(5),
        weights[1] * np.sqrt(3) / (0.8 * 1.2),
        biases[0] / 0.3,
        biases[1] / (0.8 * 0.3),
        net.a,
        np.zeros(()),
    ]
    total, step = np.zeros((len(X), len(X))), 1e-6
    for number, array in enumerate(standard):
        for index in np.ndindex(array.shape):
            moved = [[p.copy() for p in standard] for _ in range(2)]
            for side, sign in zip(moved, (1, -1), strict=True):
                side[number][index] += sign * step
            gradient = (output(moved[0]) - output(moved[1])) / (2 * step)
            total += np.outer(gradient, gradient)
    assert np.abs(np.asarray(net.ntk(X)) - total).max() < 1e-8


@pytest.mark.slow
def test_a_validation_tells_the_network_from_another():
    network = hd.MLP("erf", 2, 1.2, 0.3)
    arguments = {"widths": (512, 1024, 2048), "replicas": 16}
    report = network.validate(X[:5], **arguments)
    assert report.verdict is hd.Verdict.AGREE
    assert all(pair.agree for pair in report.comparisons)
    for wrong in (hd.MLP("erf", 3, 1.2, 0.3).gram(X[:5]), hd.DEQ("erf", 0.3, 1.2).gram(X[:5], depth=2)):
        assert network.validate(X[:5], population=wrong, **arguments).verdict is hd.Verdict.DISAGREE


def test_what_is_refused():
    for arguments, words in (
        ({"activations": "relu"}, "depth is missing"),
        ({"activations": ["relu", "erf"], "depth": 3}, "one activation for each"),
        ({"activations": [], "sigma_w": 1.0}, "0 entries"),
        ({"activations": "relu", "depth": 0}, "depth"),
        ({"activations": "relu", "depth": 2, "sigma_w": -1.0}, "sigma_w = -1.0"),
        ({"activations": "relu", "depth": 2, "sigma_w": [1.0, 1.0]}, "3 are needed"),
        ({"activations": "relu", "depth": 2, "residual": float("nan")}, "residual"),
    ):
        with pytest.raises(hd.InvalidInputError, match=words):
            hd.MLP(**arguments)
    with pytest.raises(hd.InvalidInputError, match="no parameters"):
        hd.MLP("relu", 2).replace(sigma_u=1.0)
    with pytest.raises(hd.InvalidInputError, match="columns"):
        hd.MLP("relu", 2).gram(X, X[:, :3])
    with pytest.raises(hd.AccuracyError, match="layer"):
        hd.MLP("relu", 900, 3.0).gram(X)
    assert hd.MLP("relu", 2).replace(depth=4).depth == 4


def test_one_layer_on_a_covariance_matrix():
    S = 1.3 * X @ X.T / 5 + 0.2
    for name, layer in LAYERS.items():
        k = hd.dual(name)
        values, error = k.of_covariance(S, return_error=True)
        assert np.abs(values - layer(S)[0]).max() <= error + 1e-15
        assert np.abs(k.derivative().of_covariance(S) - layer(S)[1]).max() < 1e-13
    with pytest.raises(hd.InvalidInputError, match="at most"):
        hd.dual("erf").of_covariance([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(hd.InvalidInputError, match="symmetric"):
        hd.dual("erf").of_covariance([[1.0, 0.5], [0.2, 1.0]])


@pytest.mark.parametrize("name", ["relu", "erf", "sin", "tanh"])
def test_kernels_on_arrays_of_many_variances(name):
    generator = np.random.default_rng(3)
    q1, q2 = np.exp(generator.uniform(-2, 2, (2, 700)))
    c = np.sqrt(q1 * q2) * generator.uniform(-1, 1, 700)
    c[:2] = np.sqrt(q1[:2] * q2[:2])
    q1[2], c[2] = 0.0, 0.0
    values, errors = hd.dual(name).kernel(q1, q2, c, return_error=True)
    single = [hd.dual(name).kernel(*triple, return_error=True) for triple in zip(q1[:40], q2[:40], c[:40], strict=True)]
    for k, (value, error) in enumerate(single):
        assert abs(value - values[k]) <= error + errors[k]
    assert errors.max() < 1e-13 * np.abs(values).max() * 10
    if name == "erf":
        truth = 2 / np.pi * np.arcsin(2 * c / np.sqrt((1 + 2 * q1) * (1 + 2 * q2)))
        assert (np.abs(values - truth) <= errors + 4e-16).all()


def test_facts_of_a_network():
    check = hd.MLP(["tanh", "erf"], sigma_w=1.2).check(X)
    assert check["no two parallel rows"].outcome is hd.Outcome.PROVEN
    assert check["lambda_min(NNGP) > 0"].outcome is hd.Outcome.PROVEN
    assert check["gradient descent on the NTK converges"].outcome is hd.Outcome.PROVEN
    theta = hd.MLP(["tanh", "erf"], sigma_w=1.2).ntk(X).matrix
    assert abs(check.least_eigenvalue.lower - np.linalg.eigvalsh(theta)[0]) < 1e-6
    parallel = hd.MLP("relu", 2, 1.4).check(np.vstack([X, 2.0 * X[:1]]))
    assert parallel["no two parallel rows"].outcome is hd.Outcome.REFUTED
    assert parallel["lambda_min(NTK) > 0"].outcome is not hd.Outcome.PROVEN
    assert (
        hd.MLP("erf", 1, 1.0).check(X, step=1e3)["gradient descent on the NTK converges"].outcome is hd.Outcome.REFUTED
    )
    assert "NNGP" in str(check)

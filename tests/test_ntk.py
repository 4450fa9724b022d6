"""Tangent kernels against layer-by-layer integration, closed forms, sampled networks, and their own structure."""

import math

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy.special import erf, expit, ndtr
from scipy.stats import multivariate_normal

import hermite_dual as hd
from hermite_dual.population.entries.recursion import equilibrium_layers
from hermite_dual.population.entries.tangent_map import tangent_map
from tests.problems import NAMED
from tests.tolerances import REORDERED

PHI = {
    "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "gelu": (lambda x: x * ndtr(x), lambda x: ndtr(x) + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)),
    "erf": (erf, lambda x: 2 / math.sqrt(math.pi) * np.exp(-(x**2))),
    "softplus": (lambda x: np.logaddexp(0, x), expit),
    "sin": (np.sin, np.cos),
}
"""Activations and derivatives by hand."""
STEP = 0.1
POINTS = STEP * np.arange(-95, 96)
WEIGHTS = STEP * np.exp(-(POINTS**2) / 2) / math.sqrt(2 * math.pi)


def trapezoid(f, q1, q2, c):
    """`E[f(u) f(v)]`; f is analytic for |Im x| < pi/2, so that the error is far below rounding at this step."""
    rho = max(-1.0, min(1.0, c / math.sqrt(q1 * q2)))
    v = math.sqrt(q2) * (rho * POINTS[:, None] + math.sqrt(1 - rho * rho) * POINTS)
    return float(WEIGHTS * f(math.sqrt(q1) * POINTS) @ (f(v) @ WEIGHTS))


def duals(name, q1, q2, c):
    if name == "relu":
        law = [mpf(float(value)) for value in (q1, q2, c)]
        with mp.workdps(30):
            return float(NAMED["relu"].dual(*law)), float(NAMED["relu"].dual_of_slope(*law))
    return tuple(trapezoid(f, q1, q2, c) for f in PHI[name])


def layer_by_layer(name, model, X, depth):
    """K and Theta of the definition, `Theta(l) = K(l) + kdot(l) o (sigma_w^2 Theta(l-1) + inputs)`."""
    inner = model.sigma_u**2 * (X @ X.T) / X.shape[1] + model.sigma_b**2
    n = len(X)
    K, theta = np.zeros((n, n)), np.zeros((n, n))
    for _ in range(depth):
        S = model.sigma_w**2 * K + inner
        K, slope = np.zeros((n, n)), np.zeros((n, n))
        for i in range(n):
            for j in range(i + 1):
                q2 = S[i, i] if i == j else S[j, j]
                K[i, j], slope[i, j] = duals(name, S[i, i], q2, S[i, j])
        K, slope = (M + np.tril(M, -1).T for M in (K, slope))
        theta = K + slope * (model.sigma_w**2 * theta + inner)
    return K, theta


def points(equal, n=4, d=5, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, d))
    X[1] = X[0] + 0.05 * X[1]
    X[2] = 0.03 * X[2] - X[0]
    return hd.on_sphere(X) if equal else X * np.linspace(0.6, 1.6, n)[:, None]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PHI, "relu"])
@pytest.mark.parametrize("equal", [True, False], ids=["equal norms", "unequal norms"])
def test_the_tangent_kernel_is_what_its_recursion_says(name, equal):
    model = hd.DEQ(name, sigma_w=0.3, sigma_u=1.1, sigma_b=0.2)
    X = points(equal)
    for depth, layers in ((1, 1), (3, 3), (None, 32)):  # 0.09^31 is below rounding
        theta = model.ntk(X, depth=depth)
        K, reference = layer_by_layer(name, model, X, layers)
        assert np.abs(theta.matrix - reference).max() <= 2e-14 * reference.max()
        assert np.abs(model.gram(X, depth=depth).matrix - K).max() <= 2e-14 * K.max()


@pytest.mark.parametrize("cosine", [1 - 1e-2, 1 - 1e-6, 1 - 1e-10, -1 + 1e-10, -1 + 1e-3, 0.2])
@pytest.mark.parametrize("depth", [None, 2])
def test_kinks_are_resolved_next_to_perfect_correlation(cosine, depth):
    """One row is the first coordinate alone, so that the inner product has no rounding to lose digits to."""
    X = np.array([[math.sqrt(2), 0.0], [cosine * math.sqrt(2), math.sqrt(2 * (1 - cosine) * (1 + cosine))]])
    model = hd.DEQ("relu", sigma_w=0.3, sigma_u=1.1)
    theta = model.ntk(X, depth=depth)
    _, reference = layer_by_layer("relu", model, X, depth or 32)
    # The reference loses eps/sqrt(1 - |rho|) in acos.
    allowed = 4e-15 + 4e-16 / math.sqrt(1 - abs(cosine))
    assert abs(theta.matrix[0, 1] - reference[0, 1]) <= allowed * theta.matrix[0, 0]


@pytest.mark.parametrize("depth", [None, 1])
def test_the_map_of_relu_meets_its_closed_form_next_to_perfect_correlation(depth):
    """In 40 digits, at floats x down to one unit from 1: `Theta = k + c kdot/(1 - w kdot)`, c by plain iteration."""
    found = tangent_map(equilibrium_layers(hd.activation("relu"), 0.36, depth), 1.0)
    distances = np.concatenate([10.0 ** np.arange(-15.9, -12.0, 0.3), 10.0 ** np.arange(-12.0, 0.0, 1.1), [0.0, 1.0]])
    x = np.concatenate([1.0 - distances, distances - 1.0])
    with mp.workdps(40):
        w = mpf(0) if depth == 1 else mpf(0.36)
        q = 1 / (1 - w / 2)
        for value, at in zip(found(x), x, strict=True):
            k, slope, c = mpf(0), mpf(0), q * mpf(float(at))
            for _ in range(1 if depth == 1 else 60):
                angle = mp.pi - mp.acos(c / q)
                k, slope = (mp.sqrt(q * q - c * c) + c * angle) / (2 * mp.pi), angle / (2 * mp.pi)
                c = w * k + mpf(float(at))
            gap = abs(mpf(float(value)) - (k + c * slope / (1 - w * slope)))
            assert gap <= min(found.error, 1e-14 * found.diagonal)


@pytest.mark.parametrize("name", ["softplus", "relu"])
@pytest.mark.parametrize("depth", [None, 3])
@pytest.mark.parametrize("bias", [0.0, 0.5])
def test_without_inputs_all_entries_are_those_of_one_input(name, depth, bias):
    """One input has the diagonal's recursion alone; without bias relu has no variance at all."""
    theta = hd.DEQ(name, sigma_w=0.5, sigma_u=0.0, sigma_b=bias).ntk(np.eye(3), depth=depth)
    K, entry = 0.0, 0.0
    for _ in range(depth or 60):
        q = 0.25 * K + bias**2
        K, slope = duals(name, q, q, q) if q else (float(hd.activation(name)(np.array(0.0))) ** 2, 0.0)
        entry = K + slope * (0.25 * entry + bias**2)
    assert np.abs(theta.matrix - entry).max() <= 1e-14
    assert np.ptp(theta.matrix) == 0.0


def test_hard_tanh_has_the_probability_of_a_rectangle():
    """At one layer `Theta - K = S P(|u| < 1, |v| < 1)`, from Genz's bivariate normal integral."""
    X = points(True)
    model = hd.DEQ("hard_tanh", sigma_w=0.0)
    S = X @ X.T / X.shape[1]
    difference = model.ntk(X, depth=1).matrix - model.gram(X, depth=1).matrix
    for i, j in ((0, 1), (0, 2), (0, 3), (2, 3)):
        law = multivariate_normal(cov=[[S[i, i], S[i, j]], [S[i, j], S[j, j]]])
        probability = law.cdf([1.0, 1.0], lower_limit=[-1.0, -1.0])
        assert difference[i, j] == pytest.approx(S[i, j] * probability, abs=1e-13)


def empirical(model, X, width, seed):
    """`sum_p df(x)/dp df(x')/dp` at the equilibrium, by implicit differentiation; p is scaled to standard normal."""
    net = model.sample(width=width, inputs=X.shape[1], seed=seed)
    phi, slope = PHI[model.activation.name]
    a = np.random.default_rng(seed + 10_000).normal(size=(width, 1)) / math.sqrt(width)
    Z = np.zeros((width, len(X)))
    for _ in range(60):
        H = net.W @ Z + (net.U @ X.T + net.b[:, None])
        Z = phi(H)
    D = slope(H)
    delta = np.zeros_like(Z)
    for _ in range(60):  # delta = D (a + W^T delta), the transposed implicit equation
        delta = D * (a + net.W.T @ delta)
    K = Z.T @ Z / width
    S = model.sigma_w**2 * K + model.sigma_u**2 * X @ X.T / X.shape[1] + model.sigma_b**2
    return K + (delta.T @ delta) * S


def empirical_of_layers(model, X, width, seed, depth):
    """The same for finitely many layers that share W, U and b, the products of different layers included."""
    net = model.sample(width=width, inputs=X.shape[1], seed=seed)
    phi, slope = PHI[model.activation.name]
    a = np.random.default_rng(seed + 10_000).normal(size=(width, 1)) / math.sqrt(width)
    states, slopes = [np.zeros((width, len(X)))], []
    for _ in range(depth):
        H = net.W @ states[-1] + (net.U @ X.T + net.b[:, None])
        states.append(phi(H))
        slopes.append(slope(H))
    deltas = [slopes[-1] * a]
    for D in slopes[-2::-1]:
        deltas.insert(0, D * (net.W.T @ deltas[0]))
    inputs = model.sigma_u**2 * X @ X.T / X.shape[1] + model.sigma_b**2
    theta = states[-1].T @ states[-1] / width
    for first, below in zip(deltas, states, strict=False):
        for second, other in zip(deltas, states, strict=False):
            theta += (first.T @ second) * (model.sigma_w**2 * below.T @ other / width + inputs)
    return theta


@pytest.mark.slow
@pytest.mark.parametrize(("name", "depth"), [("tanh", None), ("gelu", None), ("tanh", 3)])
def test_wide_networks_have_the_tangent_kernel(name, depth):
    """Sixteen networks of width 1024: the mean within 4.5 standard errors (0.04 % an entry at 15 degrees of freedom),
    which are below 3 %, so that a wrong constant is seen."""
    model = hd.DEQ(name, sigma_w=0.4, sigma_u=1.2, sigma_b=0.3)
    X = points(False, n=3)
    sample = empirical if depth is None else lambda *args: empirical_of_layers(*args, depth)
    draws = np.array([sample(model, X, 1024, seed) for seed in range(16)])
    mean, error = draws.mean(axis=0), draws.std(axis=0, ddof=1) / 4
    theta = model.ntk(X, depth=depth).matrix
    scale = np.sqrt(np.outer(np.diag(theta), np.diag(theta)))
    assert (error < 0.03 * scale).all()
    assert (np.abs(mean - theta) <= 4.5 * error).all()
    # without the parts of W, U and b, or with Gamma = kdot, it would not pass
    assert (np.abs(mean - model.gram(X, depth=depth).matrix) > 10 * error).any()


@pytest.mark.parametrize("name", ["tanh", "relu", "sin"])
@pytest.mark.parametrize("equal", [True, False], ids=["equal norms", "unequal norms"])
@pytest.mark.parametrize("depth", [None, 2])
def test_it_is_symmetric_and_exceeds_the_gram_matrix(name, equal, depth):
    X = np.random.default_rng(4).normal(size=(25, 8))
    X = hd.on_sphere(X) if equal else X
    model = hd.DEQ(name, sigma_w=0.4, sigma_b=0.1)
    theta, gram = model.ntk(X, depth=depth), model.gram(X, depth=depth)
    assert isinstance(theta, hd.Gram)
    assert np.array_equal(theta.matrix, theta.matrix.T)
    assert np.asarray(theta) is theta.matrix
    assert theta.shape == (25, 25)
    assert np.array_equal(theta.variances, gram.variances)
    assert np.linalg.eigvalsh(theta.matrix)[0] > 0.0
    assert np.linalg.eigvalsh(theta.matrix - gram.matrix)[0] > -REORDERED


@pytest.mark.slow
def test_layers_approach_the_limit():
    model, X = hd.DEQ("tanh", sigma_w=0.5), points(True)
    limit = model.ntk(X).matrix
    gaps = [np.abs(model.ntk(X, depth=depth).matrix - limit).max() for depth in (2, 6, 10, 20)]
    assert gaps[1] < 0.02 * gaps[0]
    assert gaps[2] < 0.02 * gaps[1]
    assert gaps[3] < 1e-11


def test_a_linear_network_has_its_tangent_kernel_in_closed_form():
    """phi(x) = x: K = S = inner/(1 - w), kdot = 1, so Theta = inner (1/(1 - w) + 1/(1 - w)^2)."""
    X = np.random.default_rng(7).normal(size=(5, 4))
    inner, w = X @ X.T / 4, 0.49
    np.testing.assert_allclose(
        hd.DEQ("identity", sigma_w=0.7).ntk(X).matrix, inner * (1 / (1 - w) + 1 / (1 - w) ** 2), rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("name", ["tanh", "relu"])
@pytest.mark.parametrize("equal", [True, False], ids=["equal norms", "unequal norms"])
@pytest.mark.parametrize("depth", [None, 0, 2])
def test_rectangles_are_blocks_of_the_square(name, equal, depth):
    X = np.random.default_rng(1).normal(size=(5, 4))
    X[4] = X[1]
    X = hd.on_sphere(X) if equal else X
    model = hd.DEQ(name, sigma_w=0.4, sigma_b=0.2)
    for kernel in (model.gram, model.ntk):
        square, block = kernel(X, depth=depth), kernel(X[:3], X[1:], depth=depth)
        assert block.shape == (3, 4)
        assert np.asarray(block) is block.matrix
        assert np.abs(block.matrix - square.matrix[:3, 1:]).max() <= 4e-15 * max(square.matrix.max(), 1.0)
        np.testing.assert_allclose(np.r_[block.variances, block.other_variances[-2:]], square.variances, rtol=1e-15)


def test_identical_rows_have_the_entry_of_the_diagonal():
    """Without care their inner product's last bit would move the entry by 1e-8."""
    X = hd.on_sphere(np.random.default_rng(3).normal(size=(60, 11)))
    X[7] = X[33] = X[50]
    model = hd.DEQ("relu", sigma_w=0.4)
    theta = model.ntk(X)
    same = theta.matrix[np.ix_([7, 33, 50], [7, 33, 50])]
    assert (same == same[0, 0]).all()
    assert (model.ntk(X, X).matrix.diagonal() == theta.matrix.diagonal()).all()
    assert theta.estimated_error < 1e-13


@pytest.mark.slow
def test_cross_kernels_have_proven_errors():
    X = points(False, n=3)
    block = hd.DEQ("erf", sigma_w=0.4).ntk(X[:1], X[1:])
    assert block.entry_bounds.outcome is hd.Outcome.PROVEN
    assert block.entry_bounds.errors.shape == (1, 2)
    assert 0.0 < block.entry_error < 1e-13
    assert hd.DEQ(np.sin, sigma_w=0.4).gram(X[:1], X[1:]).entry_error == math.inf


def test_a_python_function_needs_its_derivative():
    X = points(True)
    with pytest.raises(hd.InvalidInputError, match="pass activation\\(f, derivative=df\\)"):
        hd.DEQ(np.tanh, sigma_w=0.3).ntk(X)
    phi = hd.activation(np.tanh, derivative=lambda x: 1 / np.cosh(np.clip(x, -300, 300)) ** 2)
    theta = hd.DEQ(phi, sigma_w=0.3).ntk(X)
    assert np.abs(theta.matrix - hd.DEQ("tanh", sigma_w=0.3).ntk(X).matrix).max() <= 1e-14
    assert theta.entry_error == math.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X: hd.DEQ("step", sigma_w=0.1).ntk(X, depth=2), "jumps at 0: its derivative is a distribution"),
        (lambda X: hd.DEQ("tanh", sigma_w=1.2).ntk(X), "sigma_w L = 1.2"),
        (lambda X: hd.DEQ("tanh", sigma_w=0.2).ntk(X, depth=-1), "depth = -1"),
        (lambda X: hd.DEQ("tanh", sigma_w=0.2).ntk(X, X[:, 1:]), "Y has 4 columns and X has 5"),
        (lambda X: hd.DEQ("tanh", sigma_w=0.2).gram(X, 3), "write depth=3"),
        (lambda X: hd.DEQ("tanh", sigma_w=0.2).gram(X, X * math.nan), "Y holds 20 values that are not finite"),
        (lambda X: hd.DEQ("tanh", sigma_w=0.2).gram(X, 1e-200 * X), "has the variance"),
        (lambda X: hd.DEQ("tanh", sigma_w=0.2).ntk(X, depth=0).preactivation, "ask for a depth of at least 1"),
    ],
)
def test_bad_input_is_refused_with_the_reason(call, message):
    with pytest.raises(hd.InvalidInputError, match=message):
        call(points(True))


PARTS = [("a",), ("W",), ("U",), ("b",), ("a", "W"), ("a", "U"), ("W", "U", "b")]


@pytest.mark.slow
@pytest.mark.parametrize("phi", ["tanh", "relu"])
@pytest.mark.parametrize("depth", [None, 1, 3])
def test_parts_of_the_parameters_add_up_and_the_readout_is_the_gram_matrix(phi, depth):
    rows = np.random.default_rng(2).standard_normal((5, 3))
    rows[4] = rows[0]
    for X in (rows, hd.on_sphere(rows)):
        model = hd.DEQ(phi, 0.3, 1.2, 0.4)
        parts = {p: model.ntk(X, depth=depth, parameters=(p,)).matrix for p in ("a", "W", "U", "b")}
        whole = model.ntk(X, depth=depth)
        assert sum(parts.values()) == pytest.approx(whole.matrix, rel=1e-11, abs=1e-12)
        assert parts["a"] == pytest.approx(model.gram(X, depth=depth).matrix, rel=1e-12)
        two = model.ntk(X, depth=depth, parameters=("a", "W"))
        assert two.matrix == pytest.approx(parts["a"] + parts["W"], rel=1e-12, abs=1e-14)
        assert two.entry_bounds.outcome is hd.Outcome.UNDECIDED
        assert model.ntk(X[:2], X[2:], depth=depth, parameters=("a", "W")).matrix == pytest.approx(two.matrix[:2, 2:])


@pytest.mark.parametrize("parameters", PARTS)
def test_parts_are_those_of_wide_networks(parameters):
    X = np.random.default_rng(4).standard_normal((3, 4))
    model = hd.DEQ("tanh", 0.4, 1.0, 0.5)
    limit = model.ntk(X, parameters=parameters).matrix
    draws = np.array([model.sample(256, 4, seed).ntk(X, parameters=parameters).matrix for seed in range(24)])
    error = draws.std(axis=0) / np.sqrt(24)
    assert np.all(np.abs(draws.mean(axis=0) - limit) <= 5 * error + 0.02 * np.abs(limit).max())


def test_parameters_of_a_tangent_kernel_are_named():
    with pytest.raises(hd.InvalidInputError, match=r"parameters=\('a', 'c'\)"):
        hd.DEQ("tanh", 0.3).ntk(np.eye(2), parameters=("a", "c"))

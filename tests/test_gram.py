"""Population Gram matrices: fixed points against references, rates, symmetry, equal and unequal norms, bad input."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hermite_dual as hd
from tests.tolerances import REORDERED

RELU_DEQ = {0.0: 0.360532106118268, 0.5: 0.668646750679104, -0.5: 0.137121086337382, 0.9: 0.989391578220379}
"""K_ij of the ReLU model at s^2 = 0.08 for inner products x_i.x_j/d, from equation (14) of arXiv 2205.13814."""
KINKED = ["relu", "hard_tanh", "elu", "softsign"]
SMOOTH = ["tanh", "gelu", "erf", "softplus", "sin", "silu"]


def sphere(n: int, d: int, seed: int = 0) -> np.ndarray:
    return hd.on_sphere(np.random.default_rng(seed).normal(size=(n, d)))


def pair(cosine: float) -> np.ndarray:
    return np.array([[math.sqrt(2.0), 0.0], [cosine * math.sqrt(2.0), math.sqrt(2.0) * math.sqrt(1 - cosine**2)]])


def solve_by_iteration(model: hd.DEQ, X: np.ndarray, layers: int) -> np.ndarray:
    """K(layers) by the definition, one kernel call per layer."""
    k = hd.dual(model.activation)
    inner = model.sigma_u**2 * (X @ X.T) / X.shape[1] + model.sigma_b**2
    inner = np.triu(inner) + np.triu(inner, 1).T
    K = np.zeros_like(inner)
    for _ in range(layers):
        S = model.sigma_w**2 * K + inner
        q = np.diag(S)
        limit = np.sqrt(np.outer(q, q))
        K = k.kernel(q[:, None], q[None, :], np.clip(S, -limit, limit))
        K = 0.5 * (K + K.T)
    return K


@pytest.mark.parametrize(("cosine", "value"), RELU_DEQ.items())
def test_the_relu_model_meets_its_published_equation(cosine, value):
    G = hd.DEQ.paper("relu", sigma_w2=0.08).gram(pair(cosine))
    assert G.matrix[0, 1] == pytest.approx(value, abs=1e-12)
    np.testing.assert_allclose(np.diag(G.matrix), 1 / 0.92, rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMOOTH + KINKED)
@pytest.mark.parametrize("equal", [True, False], ids=["equal norms", "unequal norms"])
def test_finite_depth_is_what_its_definition_says(name, equal):
    model = hd.DEQ(name, sigma_w=0.5, sigma_u=1.2, sigma_b=0.3)
    X = sphere(7, 5)
    if not equal:
        X = X * np.linspace(0.3, 2.0, 7)[:, None]
    for depth in (1, 2, 3):
        G = model.gram(X, depth=depth)
        reference = solve_by_iteration(model, X, depth)
        gap = np.abs(G.matrix - reference).max()
        assert gap <= 3e-14 * np.abs(reference).max()


@pytest.mark.parametrize("name", SMOOTH + KINKED)
@pytest.mark.parametrize("equal", [True, False], ids=["equal norms", "unequal norms"])
def test_the_limit_solves_its_equation(name, equal):
    model = hd.DEQ(name, sigma_w=0.6, sigma_u=1.1, sigma_b=0.2)
    X = sphere(8, 6, seed=1)
    if not equal:
        X = X * np.linspace(0.4, 1.7, 8)[:, None]
    G = model.gram(X)
    S = G.preactivation
    q = np.diag(S)
    limit = np.sqrt(np.outer(q, q))
    again = hd.dual(name).kernel(q[:, None], q[None, :], np.clip(S, -limit, limit))
    assert np.abs(again - G.matrix).max() <= 3e-14 * G.matrix.max()
    assert G.estimated_error <= 1e-12 * G.matrix.max()


def test_depth_zero_is_zero():
    G = hd.DEQ("gelu", sigma_w=0.5).gram(sphere(3, 4), depth=0)
    assert not G.matrix.any()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "softplus"])
@pytest.mark.parametrize("sigma_w", [0.3, 0.6, 0.8])
@pytest.mark.parametrize("equal", [True, False], ids=["equal norms", "unequal norms"])
def test_layers_approach_the_limit_at_the_promised_rate(name, sigma_w, equal):
    model = hd.DEQ(name, sigma_w=sigma_w)
    L = model.activation.lipschitz
    X = sphere(6, 4, seed=2) * (1.0 if equal else np.linspace(0.5, 1.5, 6)[:, None])
    limit = model.gram(X)
    # The diagonal contracts in sqrt(q) by sigma_w L per layer, so that its error is the first layer's times the power.
    first = np.sqrt(model.gram(X, depth=1).variances)
    distance = np.abs(np.sqrt(limit.variances) - first)
    for depth in (2, 4, 8):
        gap = np.abs(np.sqrt(model.gram(X, depth=depth).variances) - np.sqrt(limit.variances))
        assert (gap <= (sigma_w * L) ** (depth - 1) * distance + 1e-14).all()
    worst = [np.abs(model.gram(X, depth=depth).matrix - limit.matrix).max() for depth in (2, 6, 10)]
    for earlier, later in pairwise(worst):
        assert later <= max((sigma_w * L) ** 4 * earlier * 1.5, 1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "relu", "softsign"])
def test_equal_norms_are_the_limit_of_unequal_ones(name):
    model = hd.DEQ(name, sigma_w=0.5, sigma_u=1.3, sigma_b=0.1)
    X = sphere(40, 12, seed=3)
    nearly = X.copy()
    nearly[0] *= 1.0 + 1e-9
    equal, unequal = model.gram(X).matrix, model.gram(nearly).matrix
    assert np.abs(equal - unequal)[1:, 1:].max() <= 3e-14 * equal.max()
    assert np.abs(equal - unequal)[0].max() <= 1e-8 * equal.max()


@pytest.mark.slow
@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_grams_are_symmetric_to_the_last_bit_and_positive_semidefinite(name, equal):
    X = np.random.default_rng(4).normal(size=(150, 20))
    X = hd.on_sphere(X) if equal else X
    G = hd.DEQ(name, sigma_w=0.4).gram(X)
    assert np.array_equal(G.matrix, G.matrix.T)
    assert np.array_equal(np.asarray(G), G.matrix)
    assert np.linalg.eigvalsh(G.matrix)[0] > -REORDERED


@pytest.mark.slow
def test_many_distinct_norms_agree_with_few():
    """More than 48 distinct norms go through interpolation in the variance; each pair alone does not."""
    model = hd.DEQ("tanh", sigma_w=0.5)
    X = np.random.default_rng(5).normal(size=(70, 9)) * np.geomspace(0.1, 4.0, 70)[:, None]
    all_rows = model.gram(X).matrix
    some = np.array([0, 13, 35, 69])
    few = model.gram(X[some]).matrix
    assert np.abs(all_rows[np.ix_(some, some)] - few).max() <= 2e-14


@pytest.mark.slow
def test_duplicate_and_opposite_rows_are_allowed():
    X = sphere(3, 5, seed=6)
    G = hd.DEQ("tanh", sigma_w=0.3).gram(np.vstack([X, X[0], -X[0]]))
    assert G.matrix[0, 3] == pytest.approx(G.matrix[0, 0], rel=1e-14)
    assert G.matrix[0, 4] == pytest.approx(-G.matrix[0, 0], rel=1e-14)
    e = G.least_eigenvalue()
    assert e.lower <= 0.0 <= e.upper
    assert e.upper - e.lower < 1e-12


def test_a_linear_activation_has_a_geometric_series():
    """phi(x) = x: K = S, so S = inner / (1 - sigma_w^2)."""
    X = np.random.default_rng(7).normal(size=(6, 4))
    G = hd.DEQ("identity", sigma_w=0.7).gram(X)
    np.testing.assert_allclose(G.matrix, X @ X.T / 4 / (1 - 0.49), rtol=1e-12, atol=1e-14)


def test_the_least_eigenvalue_of_a_python_function_is_not_proven():
    G = hd.DEQ(np.tanh, sigma_w=0.3).gram(sphere(20, 10))
    e = G.least_eigenvalue()
    assert e.outcome is hd.Outcome.UNDECIDED
    assert (e.lower, e.upper) == (-math.inf, math.inf)
    assert e.estimate == pytest.approx(np.linalg.eigvalsh(G.matrix)[0], abs=1e-14)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(2, 12), st.floats(0.0, 0.9), st.floats(0.1, 3.0), st.floats(0.0, 1.0), st.integers(0, 9))
def test_random_models_solve_their_equation(n, sigma_w, sigma_u, sigma_b, seed):
    X = np.random.default_rng(seed).normal(size=(n, 3))
    model = hd.DEQ("tanh", sigma_w=sigma_w, sigma_u=sigma_u, sigma_b=sigma_b)
    G = model.gram(X)
    S = G.preactivation
    q = np.diag(S)
    limit = np.sqrt(np.outer(q, q))
    again = hd.dual("tanh").kernel(q[:, None], q[None, :], np.clip(S, -limit, limit))
    assert np.abs(again - G.matrix).max() <= REORDERED


def test_the_paper_convention():
    model = hd.DEQ.paper("tanh", sigma_w2=0.08)
    assert model.sigma_w == pytest.approx(0.4, rel=1e-15)
    assert model.sigma_u == pytest.approx(math.sqrt(2.0), rel=1e-15)
    assert model.sigma_b == 0.0


def test_on_sphere_scales_rows_and_survives_extreme_magnitudes():
    X = np.array([[3e-200, 4e-200], [1e200, 1e200], [5.0, -12.0]])
    np.testing.assert_allclose((hd.on_sphere(X) ** 2).sum(axis=1), 2.0, rtol=1e-15)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1.0, math.nan]], "row 0, column 1"),
        ([[1.0, 2.0], [math.inf, 0.0]], "not finite"),
        ([1.0, 2.0], r"shape \(2,\)"),
        (np.zeros((0, 3)), r"shape \(0, 3\)"),
        (np.zeros((3, 0)), r"shape \(3, 0\)"),
        ([[1.0 + 2j, 0.0]], "complex"),
        ([["a", "b"]], "allowed are real numbers"),
    ],
    ids=str,
)
def test_bad_samples_are_refused_with_the_reason(X, message):
    with pytest.raises(hd.InvalidInputError, match=message):
        hd.DEQ("tanh", sigma_w=0.3).gram(np.asarray(X))
    with pytest.raises(hd.InvalidInputError, match=message):
        hd.on_sphere(np.asarray(X))


def test_a_row_of_zeros_has_no_direction():
    with pytest.raises(hd.InvalidInputError, match="row 1 of X is zero and has no direction"):
        hd.on_sphere([[1.0, 1.0], [0.0, 0.0]])


def test_a_zero_row_is_fine_with_a_bias():
    G = hd.DEQ("tanh", sigma_w=0.3, sigma_b=0.5).gram([[1.0, 1.0], [0.0, 0.0]])
    assert np.isfinite(G.matrix).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hd.DEQ("tanh", sigma_w=1.2).gram(np.eye(2)), "sigma_w L = 1.2: the equilibrium is guaranteed"),
        (lambda: hd.DEQ("gelu", sigma_w=0.95).gram(np.eye(2)), "take sigma_w below 0.885815"),
        (lambda: hd.DEQ("x^2", sigma_w=0.1).gram(np.eye(2)), "has no Lipschitz constant"),
        (lambda: hd.DEQ("tanh", sigma_w=-0.1), "sigma_w = -0.1: scales are finite and not negative"),
        (lambda: hd.DEQ("tanh", sigma_w=math.nan), "sigma_w = nan"),
        (lambda: hd.DEQ("tanh", sigma_w="much"), "sigma_w = 'much' is not a finite number; give a real number"),
        (lambda: hd.DEQ.paper("tanh", sigma_w2=-0.08), "sigma_w2 = -0.08"),
        (lambda: hd.DEQ("tanh", sigma_w=0.3).gram(np.eye(2), depth=-1), "depth = -1"),
        (lambda: hd.DEQ("tanh", sigma_w=0.3).gram(np.eye(2), depth=1.5), "depth = 1.5"),
        (lambda: hd.DEQ("tanh", sigma_w=0.3).replace(sigma=1.0), r"\['sigma'\] are no parameters"),
        (lambda: hd.DEQ("tanh", sigma_w=0.3).sample(width=0, inputs=2, seed=0), "width"),
    ],
)
def test_bad_models_are_refused_with_the_reason(make, message):
    with pytest.raises(hd.InvalidInputError, match=message):
        make()


def test_an_activation_without_a_lipschitz_constant_has_finite_depths():
    G = hd.DEQ("x^2", sigma_w=0.1).gram(np.eye(2), depth=2)
    reference = solve_by_iteration(hd.DEQ("x^2", sigma_w=0.1), np.eye(2), 2)
    np.testing.assert_allclose(G.matrix, reference, rtol=REORDERED)


def test_a_growing_activation_that_outgrows_the_normal_law_is_refused():
    with pytest.raises(hd.NotIntegrableError):
        hd.DEQ("exp(x**2)", sigma_w=0.1).gram(np.eye(2), depth=1)

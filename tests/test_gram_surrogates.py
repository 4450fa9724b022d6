"""What stands for kernels in large Gram matrices: tables, separable surrogates, blocks, types, memory, threads."""

import tracemalloc

import numba
import numpy as np
import pytest
from mpmath import mp, mpf

import hermite_dual as hd
from hermite_dual.numeric.graded_table import graded_table
from hermite_dual.population.entries.equilibrium_map import equilibrium_map
from hermite_dual.population.entries.one_norm import one_map
from hermite_dual.population.entries.recursion import equilibrium_layers
from hermite_dual.population.entries.unequal_norms import unequal_norms
from tests.problems import NAMED
from tests.tolerances import REORDERED

SCALE = 1e-14
"""Accuracy of an entry, relative to `sqrt(K_ii K_jj)`, that the surrogates promise."""
DISTANCES = np.concatenate([10.0 ** np.arange(-16, 0.0, 0.37), [0.0, 0.25, 0.5, 0.9, 1.0]])


def relu_mp(rho: mpf) -> mpf:
    """The dual of relu at unit variances."""
    return NAMED["relu"].dual(mpf(1), mpf(1), rho)


def erf_mp(a: float, q1: mpf, q2: mpf, c: mpf) -> mpf:
    """The dual of erf(a x)."""
    square = mpf(a) ** 2
    return NAMED["erf"].dual(square * q1, square * q2, square * c)


def erf_entry_mp(a: float, weight: float, t1: mpf, t2: mpf, t: mpf) -> tuple[mpf, mpf]:
    """K_12 and `sqrt(K_11 K_22)` of the erf(a x) model, by plain iteration in 40 digits."""
    q1, q2, c = t1, t2, t
    for _ in range(60):
        k1, k2, k = erf_mp(a, q1, q1, q1), erf_mp(a, q2, q2, q2), erf_mp(a, q1, q2, c)
        q1, q2, c = weight * k1 + t1, weight * k2 + t2, weight * k + t
    return k, mp.sqrt(k1 * k2)


def test_a_table_meets_its_function_to_the_last_digits():
    """arcsin has the steepest ends of all dual kernels; the dual of relu a milder pair."""
    cases = {
        "arcsin": (lambda s, u: s * (np.pi / 2 - 2.0 * np.arcsin(np.sqrt(0.5 * u))), mp.asin, np.pi / 2),
        "geometric": (lambda s, u: 1.0 / (2.0 - s * (1.0 - u)), lambda x: 1 / (2 - x), 1.0),
    }
    for function, truth, size in cases.values():
        table = graded_table(function)
        x = np.concatenate([1.0 - DISTANCES, DISTANCES - 1.0])
        with mp.workdps(40):
            gaps = [abs(mpf(float(value)) - truth(mpf(float(at)))) for value, at in zip(table(x), x, strict=True)]
        assert max(gaps) <= 1e-15 * size
        assert table.error <= 1e-15 * size


def test_arguments_beyond_one_count_as_one():
    table = graded_table(lambda s, u: s * (1.0 - u))
    np.testing.assert_array_equal(table(np.array([1.0 + 1e-12, -3.0])), [1.0, -1.0])


@pytest.mark.parametrize("weight", [0.0, 0.36])
def test_the_relu_map_meets_its_equation_at_all_cosines(weight):
    """`K = q f((w K + xi) / q)` in 40 digits, q = 1/(1 - w/2), by plain iteration."""
    found = equilibrium_map(equilibrium_layers(hd.activation("relu"), weight, None), 1.0)
    xi = np.concatenate([1.0 - DISTANCES, DISTANCES - 1.0])
    values = found(xi)
    with mp.workdps(40):
        q = 1 / (1 - mpf(weight) / 2)
        for value, at in zip(values, xi, strict=True):
            entry = q * relu_mp(mpf(float(at)))
            for _ in range(60):
                entry = q * relu_mp((mpf(weight) * entry + mpf(float(at))) / q)
            room = max(SCALE * found.diagonal, found.error)
            assert abs(mpf(float(value)) - entry) <= room


@pytest.mark.slow
@pytest.mark.parametrize(("steepness", "top"), [(1.0, 1e-6), (1.0, 1.0), (20.0, 1e-6), (20.0, 1.0)])
def test_maps_of_steep_activations_hold_at_all_variances(top, steepness):
    phi = hd.activation(f"erf({steepness}*x)")
    weight = 0.25 / phi.lipschitz**2
    found = equilibrium_map(equilibrium_layers(phi, weight, None), top)
    xi = np.concatenate([1.0 - DISTANCES[::4], DISTANCES[::4] - 1.0])
    with mp.workdps(40):
        for value, at in zip(found(xi), xi, strict=True):
            entry, scale = erf_entry_mp(steepness, weight, mpf(top), mpf(top), mpf(top) * mpf(float(at)))
            gap = abs(mpf(float(value)) - entry)
            assert gap <= found.error
            assert gap <= 2 * SCALE * scale


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.1, 1.5], ids=["narrow", "wide"])
def test_unequal_norms_meet_the_erf_model(spread):
    """150 distinct norms take the separable surrogate; parallel and nearly parallel rows are among them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 6)) * np.exp(spread * rng.uniform(-0.5, 0.5, 150))[:, None]
    X[1], X[2], X[3] = 1.5 * X[0], X[0] * (1.0 + 1e-9 * rng.standard_normal(6)), -0.7 * X[0]
    model = hd.DEQ("erf", sigma_w=0.5, sigma_u=1.1, sigma_b=0.2)
    G = model.gram(X)
    assert np.array_equal(G.matrix, G.matrix.T)
    pairs = [(0, 1), (0, 2), (0, 3), (2, 3)] + [tuple(sorted(rng.integers(0, 150, 2))) for _ in range(60)]
    exact = [[mpf(float(v)) for v in row] for row in X]

    def inner(i, j):
        return mpf(1.1) ** 2 * mp.fdot(exact[i], exact[j]) / 6 + mpf(0.2) ** 2

    with mp.workdps(40):
        for i, j in pairs:
            entry, scale = erf_entry_mp(1.0, 0.25, inner(i, i), inner(j, j), inner(i, j))
            gap = abs(mpf(float(G.matrix[i, j])) - entry)
            assert gap <= 2 * SCALE * scale, (i, j)
            assert gap <= G.estimated_error


@pytest.mark.slow
@pytest.mark.parametrize(("name", "depth"), [("relu", 2), ("relu", None), ("elu", 2), ("hard_tanh", None)])
def test_kinked_activations_at_unequal_norms_meet_the_kernel(name, depth):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((140, 30)) * rng.uniform(0.8, 1.2, 140)[:, None]
    X[1] = 1.1 * X[0] + 1e-3 * rng.standard_normal(30)
    model = hd.DEQ(name, sigma_w=0.4, sigma_u=1.2, sigma_b=0.1)
    G = model.gram(X, depth=depth)
    S = G.preactivation
    kernel = hd.dual(name).kernel
    for i, j in [(0, 1), (3, 9), (20, 131), (7, 8)]:
        again = kernel(S[i, i], S[j, j], S[i, j])
        assert abs(again - G.matrix[i, j]) <= 2 * SCALE * np.sqrt(G.matrix[i, i] * G.matrix[j, j])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "relu"])
@pytest.mark.parametrize("equal", [True, False], ids=["equal norms", "unequal norms"])
def test_float32_is_the_rounded_matrix_and_its_rounding_is_proven(name, equal):
    X = np.random.default_rng(2).standard_normal((60, 8))
    X = hd.on_sphere(X) if equal else X
    model = hd.DEQ(name, sigma_w=0.4)
    G, single = model.gram(X), model.gram(X, dtype=np.float32)
    assert single.matrix.dtype == np.float32
    assert np.array_equal(single.matrix, single.matrix.T)
    difference = np.abs(single.matrix.astype(np.float64) - G.matrix).max()
    assert 1e-10 < difference <= 6.1e-8 * G.matrix.max()
    assert difference <= single.estimated_error
    assert difference <= single.entry_error <= 3e-7 * G.matrix.max()
    e = single.least_eigenvalue()
    truth = G.least_eigenvalue()
    assert e.lower <= truth.upper
    assert truth.lower <= e.upper


@pytest.mark.slow
def test_panels_and_the_whole_agree():
    """1,100 rows are more than one panel of the float32 path."""
    X = np.random.default_rng(3).standard_normal((1100, 5))
    for rows in (X, hd.on_sphere(X)):
        model = hd.DEQ("softplus", sigma_w=0.4)
        G, single = model.gram(rows), model.gram(rows, dtype=np.float32)
        assert (np.abs(single.matrix - G.matrix) <= 6e-8 * np.abs(G.matrix) + 1e-14).all()


@pytest.mark.slow
def test_blocks_and_the_whole_agree():
    X = np.random.default_rng(4).standard_normal((200, 7))
    inputs = np.einsum("ij,ij->i", X, X) / 7 + 0.3
    whole = X @ X.T / 7
    block = whole[20:50, 100:190].copy()
    entries = unequal_norms(equilibrium_layers(hd.activation("gelu"), 0.2, None), inputs, 1e-15)
    entries.apply_symmetric(whole, 0.3)
    entries.apply_block(block, slice(20, 50), slice(100, 190), 0.3)
    assert np.abs(block - whole[20:50, 100:190]).max() <= 2 * SCALE * entries.diagonal.max()


@pytest.mark.slow
@pytest.mark.parametrize("equal", [True, False], ids=["equal norms", "unequal norms"])
def test_the_number_of_threads_changes_no_bit(equal):
    X = np.random.default_rng(5).standard_normal((333, 9))
    X = hd.on_sphere(X) if equal else X
    inputs = np.einsum("ij,ij->i", X, X) / 9
    whole = X @ X.T / 9
    phi, found = hd.activation("tanh"), []
    before = numba.get_num_threads()
    try:
        for threads in (1, before):
            numba.set_num_threads(threads)
            matrix = whole.copy()
            build = one_map if equal else unequal_norms
            build(equilibrium_layers(phi, 0.2, None), inputs, 1e-15).apply_symmetric(matrix, 0.0)
            found.append(matrix)
    finally:
        numba.set_num_threads(before)
    assert np.array_equal(*found)


@pytest.mark.slow
@pytest.mark.parametrize("equal", [True, False], ids=["equal norms", "unequal norms"])
def test_one_matrix_is_alive_at_a_time(equal):
    # Unequal norms have some hundred coefficients a row beside the matrix, twice: little where rows are many.
    n = 900 if equal else 2000
    X = np.random.default_rng(6).standard_normal((n, 12))
    X = hd.on_sphere(X) if equal else X
    model = hd.DEQ("tanh", sigma_w=0.3)
    model.gram(X)
    tracemalloc.start()
    try:
        model.gram(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (1.15 if equal else 1.5) * 8 * n**2


@pytest.mark.parametrize("depth", [1, 3])
def test_the_preactivation_of_a_finite_depth_is_that_of_its_last_layer(depth):
    X = np.random.default_rng(7).standard_normal((9, 4))
    model = hd.DEQ("gelu", sigma_w=0.5, sigma_u=1.3, sigma_b=0.4)
    S = model.gram(X, depth=depth).preactivation
    below = model.gram(X, depth=depth - 1).matrix
    np.testing.assert_allclose(S, 0.25 * below + 1.69 / 4 * (X @ X.T) + 0.16, rtol=REORDERED)
    assert np.array_equal(S, S.T)


def test_depth_zero_has_no_preactivation():
    with pytest.raises(hd.InvalidInputError, match="ask for a depth of at least 1"):
        _ = hd.DEQ("gelu", sigma_w=0.5).gram(np.eye(3), depth=0).preactivation


@pytest.mark.slow
def test_a_model_without_inputs_has_one_entry():
    """`K = E[phi(sqrt(q) Z)^2]`, `q = sigma_w^2 K`, for all pairs alike."""
    G = hd.DEQ("softplus", sigma_w=0.5, sigma_u=0.0).gram(np.eye(3))
    assert np.ptp(G.matrix) == 0.0
    assert G.variances == pytest.approx(0.25 * G.matrix[0, 0], rel=1e-14)
    q = G.variances[0]
    assert hd.dual("softplus").kernel(q, q, q) == pytest.approx(G.matrix[0, 0], rel=1e-14)


@pytest.mark.parametrize(
    ("X", "dtype", "message"),
    [
        (np.eye(2), np.float16, "kept in float64 or float32"),
        (1e-160 * np.eye(2), np.float64, "row 0 of X has the variance .* scale X"),
    ],
)
def test_what_no_gram_matrix_can_be_made_of_is_refused(X, dtype, message):
    with pytest.raises(hd.InvalidInputError, match=message):
        hd.DEQ("tanh", sigma_w=0.3).gram(X, dtype=dtype)


@pytest.mark.parametrize("n", [1, 16, 50, 77])
def test_products_in_panels_are_those_in_one_piece(monkeypatch, n):
    from hermite_dual.numeric import products

    X = np.random.default_rng(n).standard_normal((n, 7))
    whole = products.upper_product(X, 0.3)
    monkeypatch.setattr(products, "LARGEST_WHOLE", 15)
    monkeypatch.setattr(products, "_PANEL", 16)
    parts = products.upper_product(X, 0.3)
    assert np.allclose(np.triu(parts), np.triu(whole), rtol=1e-14, atol=1e-14)
    products.add_upper_product(parts, X, -0.3)
    assert np.allclose(np.triu(parts), 0.0, atol=1e-14)


def test_a_table_has_the_same_bits_on_one_thread_and_on_all():
    from hermite_dual.numeric.dual_table import dual_table

    table = dual_table(hd.activation("gelu"), 1.3, 1.3).table
    x = np.cos(np.linspace(0, np.pi, 1000)).reshape(200, 5)
    block, ones = x.copy(), (np.ones(200), np.ones(5))
    table.apply(block, ones, ones, 0.0)
    assert np.array_equal(table(x), block)

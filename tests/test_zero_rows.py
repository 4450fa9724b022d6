"""Rows of zeros without a bias, and rows of extreme norms, against closed forms of cos and identities."""

import mpmath as mp
import numpy as np
import pytest

import hermite_dual as hd

RNG = np.random.default_rng(4)
X = np.concatenate([RNG.standard_normal((4, 3)), np.zeros((2, 3)), hd.on_sphere(RNG.standard_normal((3, 3)))])
ZERO = ~X.any(axis=1)
WEIGHT, SIGMA_W = 0.16, 0.4


def cos_layers(depth):
    """K and Theta of cos by `E[cos u cos v] = exp(-(q+q')/2) cosh c` and the same of sin with sinh."""
    K = T = np.zeros((len(X), len(X)))
    for _ in range(depth):
        S = WEIGHT * K + X @ X.T / X.shape[1]
        q = np.diagonal(S)
        size = np.exp(-0.5 * (q[:, None] + q))
        T = size * np.sinh(S) * (S + WEIGHT * T)
        K = size * np.cosh(S)
    return K, K + T


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2, 3, None])
def test_entries_of_rows_of_zeros_are_those_of_the_closed_form(depth):
    K, theta = cos_layers(depth or 200)
    model = hd.DEQ("cos", SIGMA_W)
    G, N = model.gram(X, depth=depth), model.ntk(X, depth=depth)
    assert np.abs(G.matrix - K).max() < 3e-15
    assert np.abs(N.matrix - theta).max() < 5e-15
    assert np.abs(G.matrix - K).max() <= G.estimated_error + 1e-15
    C = model.gram(X[3:6], X, depth=depth)
    assert np.abs(C.matrix - K[3:6]).max() < 3e-15
    assert G.matrix[4, 5] == G.matrix[4, 4] > 0.0
    for kernel, truth in ((G, K), (N, theta)):
        assert kernel.entry_bounds.outcome is hd.Outcome.PROVEN
        assert (np.abs(kernel.matrix - truth) <= kernel.entry_bounds.errors + 3e-16).all()
        assert kernel.entry_error < 1e-13


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phi", "at_zero", "mean"),
    [
        # E max(v, 0) = sqrt(q/(2 pi)), E|v - 1| by the folded normal law, E cos(v) = exp(-q/2)
        ("max(x,0)+1", 1.0, lambda q: 1 + mp.sqrt(q / (2 * mp.pi))),
        ("abs(x-1)", 1.0, lambda q: mp.sqrt(2 * q / mp.pi) * mp.exp(-1 / (2 * q)) + mp.erf(1 / mp.sqrt(2 * q))),
        ("cos(x)-3", -2.0, lambda q: mp.exp(-q / 2) - 3),
    ],
)
@pytest.mark.parametrize("rows", [6, 40])
def test_the_first_layer_of_a_row_of_zeros_is_enclosed(phi, at_zero, mean, rows):
    """`K_0j = phi(0) E phi(v_j)`, few variances and many."""
    samples = np.random.default_rng(8).uniform(0.2, 1.0, (rows, 3))
    samples[2] = samples[rows - 1] = 0.0
    G = hd.DEQ(phi, 0.2).gram(samples, depth=1)
    squares = [sum(mp.mpf(v) ** 2 for v in row) / 3 for row in samples.tolist()]
    truth = np.array([float(at_zero * (mean(q) if q else at_zero)) for q in squares])
    assert G.entry_bounds.outcome is hd.Outcome.PROVEN
    for row in (2, rows - 1):
        assert (np.abs(G.matrix[row] - truth) <= G.entry_bounds.errors[row] + 4e-16 * np.abs(truth)).all()
        assert G.entry_bounds.errors[row].max() < 1e-13 * np.abs(truth).max()


def test_an_error_of_a_variance_moves_the_mean_by_its_slope():
    """Rows known to delta move `E phi(v_j)`, phi(x) = |x| + 1, by `delta sqrt(2 q/pi)`: a halved bound fails."""
    from dataclasses import replace

    from hermite_dual.population.proof.entry_bounds import entry_bounds

    G = hd.DEQ("abs(x)+1", 0.2).gram(np.array([[0.0, 0.0], [1.0, 1.0]]), depth=1)
    delta = 1e-3
    error = entry_bounds(replace(G.model, row_error=delta), G.matrix, G.variances).errors[0, 1]
    moved = delta * np.sqrt(2 / np.pi)
    assert moved <= error < 2 * moved


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "relu", "hardtanh"])
@pytest.mark.parametrize("depth", [None, 2])
def test_where_phi_vanishes_at_zero_the_row_is_zero_and_the_others_are_theirs(name, depth):
    model = hd.DEQ(name, SIGMA_W)
    for kernel in (model.gram, model.ntk):
        G, others = kernel(X, depth=depth), kernel(X[~ZERO], depth=depth)
        assert not G.matrix[ZERO].any()
        assert not G.matrix[:, ZERO].any()
        assert np.abs(G.matrix[np.ix_(~ZERO, ~ZERO)] - others.matrix).max() <= 1e-15
        assert G.entry_bounds.outcome is others.entry_bounds.outcome
        assert np.array_equal(G.variances[~ZERO], others.variances)
        assert not G.variances[ZERO].any()
        assert G.entry_error <= others.entry_error * (1 + 1e-9)
    least = model.gram(X, depth=depth).least_eigenvalue()
    assert least.lower <= 0.0 <= least.upper
    assert model.gram(X, depth=depth).check_lower_bound(1e-6).outcome is hd.Outcome.REFUTED


def test_all_rows_zero():
    for name, value in (("tanh", 0.0), ("cos", 1.0)):
        G = hd.DEQ(name, SIGMA_W).gram(np.zeros((3, 2)), depth=1)
        assert np.array_equal(G.matrix, np.full((3, 3), value))


def test_all_rows_zero_are_proven_only_where_the_limit_is_unique(monkeypatch):
    from hermite_dual.population.proof import entry_bounds

    def unproven(model):
        raise hd.AccuracyError("no Lipschitz constant of phi is proven")

    assert hd.DEQ("tanh", SIGMA_W).gram(np.zeros((3, 2))).entry_bounds.outcome is hd.Outcome.PROVEN
    monkeypatch.setattr(entry_bounds, "contracting_lipschitz", unproven)
    for kernel in (hd.DEQ("tanh", SIGMA_W).gram, hd.DEQ("tanh", SIGMA_W).ntk):
        assert kernel(np.zeros((3, 2))).entry_bounds.outcome is hd.Outcome.UNDECIDED


def test_what_a_point_of_zero_has_at_zero_counts():
    """phi(0) = 7, a value at one point, is what a row of zeros gives in the first layer."""
    model = hd.DEQ("Piecewise((7, Eq(x, 0)), (abs(x), True))", SIGMA_W)
    G = model.gram(np.array([[0.0, 0.0], [1.0, 1.0]]), depth=1)
    assert G.matrix[0, 0] == 49.0
    assert G.matrix[0, 1] == pytest.approx(7 * np.sqrt(2 / np.pi), rel=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "cos"])
def test_blocks_on_disk_have_the_rows_of_zeros_of_the_matrix_in_memory(tmp_path, name):
    pytest.importorskip("zarr")
    model = hd.DEQ(name, SIGMA_W)
    for depth in (None, 2):
        stored, G = model.store_gram(X, tmp_path / f"K{depth}", block=4, depth=depth), model.gram(X, depth=depth)
        assert np.abs(stored[:] - G.matrix).max() <= 1e-15
        assert stored.entry_sums.outcome is hd.Outcome.PROVEN
        assert stored.entry_error <= 1.5 * G.entry_error
        least = stored.least_eigenvalue()
        assert least.outcome is hd.Outcome.PROVEN
        assert least.lower == 0.0  # two rows of zeros are parallel
        assert least.upper < 1e-13


@pytest.mark.parametrize("scale", [1e-100, 1e-30, 1e30, 1e100])
@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_rows_of_extreme_norms_give_a_result(name, scale):
    rows = X[~ZERO]
    G = hd.DEQ(name, SIGMA_W).gram(scale * rows)
    assert np.isfinite(G.matrix).all()
    if name == "relu":
        plain = hd.DEQ(name, SIGMA_W).gram(rows).matrix
        assert np.abs(G.matrix / scale / scale - plain).max() < 1e-13
    elif scale < 1.0:  # linear there: S = sigma_w^2 S + t
        assert np.abs(G.matrix / scale / scale * (1 - WEIGHT) - rows @ rows.T / 3).max() < 1e-12
    else:  # a sign there
        assert np.abs(np.diagonal(G.matrix) - 1).max() < 1e-14


@pytest.mark.parametrize("scale", [1e-160, 1e-200, 1e160, 1e300])
@pytest.mark.parametrize("call", ["gram", "ntk", "cross", "depth"])
def test_rows_beyond_floats_are_named(scale, call):
    rows, model = scale * X[~ZERO], hd.DEQ("tanh", SIGMA_W)
    calls = {
        "gram": lambda: model.gram(rows),
        "ntk": lambda: model.ntk(rows),
        "cross": lambda: model.gram(rows, rows[:2]),
        "depth": lambda: model.gram(rows, depth=2),
    }
    with pytest.raises(hd.InvalidInputError, match=r"row \d of X has the variance .*scale X"):
        calls[call]()

"""Rows of zeros without a bias, and rows of extreme norms, against closed forms of cos and identities."""

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
    if depth is None:
        assert G.entry_bounds.outcome is hd.Outcome.PROVEN
        assert (np.abs(G.matrix - K) <= G.entry_bounds.errors + 1e-16).all()
        assert G.entry_error < 1e-13
    else:
        assert "phi(0)" in G.entry_bounds.reason or "variance is zero" in G.entry_bounds.reason


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


@pytest.mark.parametrize("name", ["tanh", "cos"])
def test_blocks_on_disk_have_the_rows_of_zeros_of_the_matrix_in_memory(tmp_path, name):
    pytest.importorskip("zarr")
    model = hd.DEQ(name, SIGMA_W)
    stored = model.store_gram(X, out=tmp_path / "K", block=4)
    assert np.abs(stored[:] - model.gram(X).matrix).max() <= 1e-15


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

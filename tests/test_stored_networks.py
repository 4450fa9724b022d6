"""Kernels of multilayer networks in blocks on disk."""

import numpy as np
import pytest

import hermite_dual as hd

pytest.importorskip("zarr")

X = np.random.default_rng(4).standard_normal((19, 5))
NETWORKS = [
    hd.MLP("erf", 2, 1.2, 0.1),
    hd.MLP("relu", 2, 1.4),
    hd.MLP(["relu", "erf"], None, [1.0, 1.2, 0.9], 0.2),  # no one map: layer by layer in every block
    hd.MLP("relu", 3, 1.0, 0.3, residual=0.7),
]


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_it_is_the_matrix_in_memory(network, tmp_path):
    stored, G = network.store_gram(X, tmp_path / "K.zarr", block=8), network.gram(X)
    error = np.abs(stored[:] - G.matrix).max()
    assert error <= stored.entry_error + G.entry_error
    assert error <= 4.0 * (stored.estimated_error + G.estimated_error)
    assert stored.entry_error < 1e-10
    least, enclosed = G.least_eigenvalue(), stored.least_eigenvalue()
    assert enclosed.outcome is hd.Outcome.PROVEN
    assert enclosed.lower <= least.upper
    assert enclosed.upper >= least.lower


def test_a_run_goes_on_and_refuses_another_network(tmp_path):
    network, folder = NETWORKS[2], tmp_path / "K.zarr"
    first = network.store_gram(X, folder, block=8)
    assert first.computed == 6
    assert network.store_gram(X, folder, block=8).computed == 0
    assert first.depth == 2
    assert "sigma_w of the layers" in first._repr_html_()
    for other in (
        hd.MLP(["relu", "erf"], None, [1.0, 1.2, 0.8], 0.2),
        hd.MLP(["relu", "tanh"], None, [1.0, 1.2, 0.9], 0.2),
        hd.MLP(["relu", "erf"], None, [1.0, 1.2, 0.9], 0.2, residual=1.0),
    ):
        with pytest.raises(hd.InvalidInputError, match="other"):
            other.store_gram(X, folder, block=8)
    with pytest.raises(hd.InvalidInputError, match="path of a folder"):
        network.store_gram(X, 3)
    with pytest.raises(hd.InvalidInputError, match="float64 or float32"):
        network.store_gram(X, folder, dtype=int)


def test_costs_are_known_beforehand(tmp_path):
    cost = NETWORKS[1].gram_cost((50_000, 3072), block=4096, rates=None)
    assert cost.tasks == hd.DEQ("relu", 0.3).gram_cost((50_000, 3072), block=4096, rates=None).tasks
    assert NETWORKS[1].gram_cost(X, folder=tmp_path, proof=False).gram_seconds > 0.0

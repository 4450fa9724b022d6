"""Weights that are not kept: the same numbers and products, whatever the blocks."""

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.errors import InvalidInputError
from hermite_dual.finite import DrawnMatrix
from hermite_dual.outcome import Outcome
from tests.tolerances import REORDERED

SEED = np.random.SeedSequence(5)
X = np.random.default_rng(1).standard_normal((6, 4))


@pytest.mark.parametrize("block_bytes", [1, 8 * 11 * 3, 8 * 11 * 7, 10**6], ids=["a row", "3 rows", "all", "more"])
def test_blocks_are_the_rows_of_the_matrix(block_bytes):
    drawn = DrawnMatrix(SEED, (7, 11), 0.3, block_bytes)
    dense = np.random.Generator(np.random.PCG64(SEED)).standard_normal((7, 11)) * 0.3
    np.testing.assert_array_equal(drawn.kept(), dense)
    np.testing.assert_array_equal(drawn.T.kept(), dense.T)
    assert all(block.nbytes <= max(block_bytes, 8 * 11) for _, block in drawn.blocks())
    Z, V = np.random.default_rng(2).standard_normal((11, 5)), np.random.default_rng(3).standard_normal((7, 5))
    np.testing.assert_allclose(drawn @ Z, dense @ Z, rtol=0, atol=REORDERED)
    np.testing.assert_allclose(drawn.T @ V, dense.T @ V, rtol=0, atol=REORDERED)
    np.testing.assert_allclose(drawn.T.T @ Z[:, 0], dense @ Z[:, 0], rtol=0, atol=REORDERED)
    assert drawn.T.shape == (11, 7)


def test_a_network_that_does_not_fit_has_the_same_equilibrium_and_kernel():
    model = hd.DEQ("tanh", 0.4, 1.0, 0.2)
    kept, drawn = (model.sample(60, 4, seed=3, memory=memory) for memory in (None, 0))
    assert isinstance(drawn.W, DrawnMatrix)
    np.testing.assert_array_equal(drawn.W.kept(), kept.W)
    np.testing.assert_allclose(drawn.gram(X), kept.gram(X), rtol=0, atol=1e-12)
    np.testing.assert_allclose(drawn.ntk(X).matrix, kept.ntk(X).matrix, rtol=1e-10)
    assert drawn.norm_bounds().outcome is Outcome.UNDECIDED
    assert 0.9 * kept.norm_bounds().lower <= drawn.norm_bounds().estimate <= kept.norm_bounds().upper
    assert drawn.contraction().outcome is Outcome.UNDECIDED
    with pytest.raises(InvalidInputError, match="not kept"):
        drawn.train(X, np.zeros(6), 0.1, 1)


def test_batches_of_samples_give_the_same_states():
    net = hd.DEQ("gelu", 0.35).sample(50, 4, seed=0)
    together, apart = net.equilibrium(X), net.equilibrium(X, batch=4)
    assert np.abs(together.Z - apart.Z).max() < 1e-11
    assert apart.residual <= 1e-12 * max(1.0, np.abs(together.Z).max())
    np.testing.assert_allclose(net.gram(X, batch=1), net.gram(X), rtol=0, atol=1e-11)
    with pytest.raises(InvalidInputError, match="batch=0: allowed are whole numbers >= 1"):
        net.equilibrium(X, batch=0)


def test_memory_must_be_a_number_of_bytes():
    with pytest.raises(InvalidInputError, match="memory=-1: allowed are numbers of bytes"):
        hd.DEQ("tanh", 0.4).sample(10, 4, seed=0, memory=-1)


def test_the_readout_has_variance_one_over_m_and_its_own_stream():
    net = hd.DEQ("tanh", 0.4).sample(4000, 4, seed=0)
    assert net.a.var() == pytest.approx(1 / 4000, rel=5 * np.sqrt(2 / 4000))
    assert abs(np.corrcoef(net.a, net.U[:, 0])[0, 1]) < 5 / np.sqrt(4000)

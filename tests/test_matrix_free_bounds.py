"""The theory's bounds from blocks of rows."""

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.certified.eigenvalues.theory_bounds import gershgorin_bound, hermite_gershgorin_bound, power_sums
from hermite_dual.errors import AccuracyError, InvalidInputError
from tests.tolerances import OTHER_PATH


def rows(n, d, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


@pytest.fixture(scope="module")
def in_memory():
    """Rows, a model, and their Gram matrix."""
    X, model = hd.on_sphere(rows(12, 200)), hd.DEQ.paper("gelu", 0.05)
    return X, model, model.gram(X)


@pytest.mark.slow
@pytest.mark.parametrize("block", [1, 4, 5, 12, 50])
def test_blocks_give_the_bounds_of_the_whole(block, in_memory):
    X, model, gram = in_memory
    whole = {b.name: b for b in gram.lower_bounds(40)}
    found = model.lower_bounds(X, 40, block)
    assert [b.name for b in found] == ["Ling", "Hermite-Gershgorin"]
    for bound in found:
        assert bound.value > 0
        assert abs(bound.value - whole[bound.name].value) < 1e-11 * bound.value
        assert bound.degree == whole[bound.name].degree
    assert max(b.value for b in found) <= gram.least_eigenvalue().upper


@pytest.mark.slow
def test_unequal_norms():
    X, model = rows(5, 60) * np.linspace(0.5, 2, 5)[:, None], hd.DEQ("tanh", 0.3)
    whole = {b.name: b.value for b in model.gram(X).lower_bounds(30)}
    for bound in model.lower_bounds(X, 30, 2):
        assert abs(bound.value - whole[bound.name]) < OTHER_PATH * whole[bound.name]


def test_orthogonal_rows_keep_the_constant_term():
    # R = I, but every pair shares a_0: K = D + a_0^2 (ones), and 0^0 = 1 in the sums
    lower = upper = np.array([[1.0] * 4, [0.5] * 4])
    moduli = np.eye(4)
    sums = power_sums(moduli, upper, diagonal=True)
    assert np.array_equal(sums, [[3.0] * 4, [0.0] * 4])
    assert np.array_equal(power_sums(np.zeros((2, 3)), upper[:, :3], diagonal=False), [[3.0] * 2, [0.0] * 2])
    assert abs(gershgorin_bound(sums, lower, upper).value - 0.25) < 1e-14
    assert hermite_gershgorin_bound(moduli, lower, upper).degree == 1


@pytest.mark.slow
def test_parallel_rows_prove_nothing():
    X = hd.on_sphere(np.vstack([rows(3, 20), rows(3, 20)[:1]]))
    assert [b.value for b in hd.DEQ("tanh", 0.3).lower_bounds(X, 20, 2)] == [0.0, 0.0]


def test_bad_arguments_are_named():
    X, model = hd.on_sphere(rows(4, 9)), hd.DEQ("tanh", 0.3)
    for arguments, name in (((0,), "degrees"), ((1025,), "degrees"), ((8, 0), "block"), ((8, 1.5), "block")):
        with pytest.raises(InvalidInputError, match=name):
            model.lower_bounds(X, *arguments)
    with pytest.raises(AccuracyError, match="proven entries"):
        hd.DEQ(np.tanh, 0.3).lower_bounds(X, 8, 2)

"""Enclosures of all eigenvalues."""

import math

import mpmath as mp
import numpy as np
import pytest
import scipy.linalg

import hermite_dual as hd
from hermite_dual.certified.eigenvalues.spectrum import spectrum_radius
from hermite_dual.errors import InvalidInputError
from hermite_dual.outcome import Outcome


def symmetric(rng, n):
    A = rng.standard_normal((n, n))
    return (A + A.T) / 2


MATRICES = {
    "random": symmetric(np.random.default_rng(0), 20),
    "hilbert": scipy.linalg.hilbert(12),
    "ones": np.ones((9, 9)),
    "zero": np.zeros((4, 4)),
    "one": np.array([[-3.5]]),
    "graded": np.diag(10.0 ** np.arange(-8, 8)) + 1e-9,
    "tiny": symmetric(np.random.default_rng(1), 8) * 1e-200,
    "huge": symmetric(np.random.default_rng(2), 8) * 1e200,
}


@pytest.mark.parametrize("name", sorted(MATRICES))
def test_every_eigenvalue_is_enclosed(name):
    A = MATRICES[name]
    found = hd.eigenvalues(A)
    assert found.outcome is Outcome.PROVEN
    with mp.workdps(100):
        true = sorted(mp.eigsy(mp.matrix(A.tolist()), eigvals_only=True))
        top = max(abs(v) for v in true)
        slack = top * mp.mpf(10) ** -80
        for value, low, high in zip(true, found.lower.tolist(), found.upper.tolist(), strict=True):
            assert mp.mpf(low) - slack <= value <= mp.mpf(high) + slack
        assert found.radius <= 1e-12 * float(top) + 1e-150


@pytest.mark.parametrize("name", sorted(MATRICES))
def test_residuals_of_the_vectors_are_within_what_is_said(name):
    A = MATRICES[name]
    spectrum = hd.eigenvalues(A)
    with mp.workdps(60):
        V = mp.matrix(spectrum.vectors.tolist())
        residual = mp.matrix(A.tolist()) * V - V * mp.diag(spectrum.values.tolist())
        for column in range(len(A)):
            assert mp.norm(residual[:, column]) <= 1.3 * spectrum.radius
    np.testing.assert_allclose(spectrum.vectors.T @ spectrum.vectors, np.eye(len(A)), atol=1e-14)


def test_integer_eigenvalues_of_a_large_matrix():
    # the adjacency matrix of the 9-cube: eigenvalue 9 - 2k with multiplicity binom(9, k)
    n = 512
    A = np.array([[float((i ^ j).bit_count() == 1) for j in range(n)] for i in range(n)])
    true = np.sort(np.repeat(9.0 - 2 * np.arange(10), [math.comb(9, k) for k in range(10)]))
    found = hd.eigenvalues(A)
    assert (found.lower <= true).all()
    assert (true <= found.upper).all()
    assert found.radius < 1e-10


@pytest.mark.parametrize("size", [1e-12, 1e-3, 0.01])
def test_the_radius_covers_wrong_values_and_vectors(size):
    rng = np.random.default_rng(5)
    A = symmetric(rng, 40)
    true, vectors = np.linalg.eigh(A)
    for _ in range(5):
        values = np.sort(true + size * rng.standard_normal(40))
        moved = vectors + size * rng.standard_normal((40, 40)) / 40
        radius = spectrum_radius(A, values, moved)
        assert np.abs(values - true).max() <= radius
        assert radius < 200 * size * np.abs(true).max()


def test_vectors_that_prove_nothing():
    A = np.eye(3)
    assert spectrum_radius(A, np.ones(3), np.zeros((3, 3))) == math.inf
    assert spectrum_radius(A, np.ones(3), np.ones((3, 3))) == math.inf
    assert spectrum_radius(A, np.array([1.0, 0.5, 1.0]), np.eye(3)) == math.inf


def test_entry_errors_widen_the_radius():
    A = np.diag([1.0, 2.0, 3.0])
    plain, loose = hd.eigenvalues(A), hd.eigenvalues(A, 1e-3)
    assert loose.radius >= plain.radius + 3e-3
    assert loose.radius < 3.001e-3
    moved = np.linalg.eigvalsh(A + 1e-3)
    assert (loose.lower <= moved).all()
    assert (moved <= loose.upper).all()


def test_a_gram_matrix_has_its_spectrum():
    X = hd.on_sphere(np.random.default_rng(0).standard_normal((12, 30)))
    G = hd.DEQ.paper("tanh", 0.08).gram(X)
    found, least = G.eigenvalues(), G.least_eigenvalue()
    assert found.outcome is Outcome.PROVEN
    assert found.lower[0] <= least.upper
    assert least.lower <= found.upper[0]
    assert found.radius < 1e-12
    unproven = hd.DEQ(np.tanh, 0.3).gram(X).eigenvalues()
    assert unproven.outcome is Outcome.UNDECIDED
    assert unproven.radius == math.inf
    assert unproven.reason
    assert unproven.vectors.shape == (12, 12)


def test_bad_matrices_are_named():
    with pytest.raises(InvalidInputError, match="not symmetric"):
        hd.eigenvalues([[1.0, 2.0], [3.0, 1.0]])
    with pytest.raises(InvalidInputError, match="entry_error"):
        hd.eigenvalues(np.eye(2), -1.0)

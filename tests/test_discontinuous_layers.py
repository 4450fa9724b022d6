"""Networks of activations that jump: their kernels are infinitely steep at cosine 1, and nowhere else."""

import numpy as np
import pytest
from mpmath import mp, mpf

import hermite_dual as hd


def data(equal: bool) -> np.ndarray:
    X = np.random.default_rng(3).normal(size=(12, 4))
    return hd.on_sphere(X) if equal else X


def truth(X: np.ndarray, depth: int, bias: float) -> list[list[mpf]]:
    """The recursion of the arcsine kernel at 40 digits, above the last layer."""
    n, d = X.shape
    rows = [[mpf(float(x)) for x in row] for row in X]
    S = [[sum(a * b for a, b in zip(x, y, strict=True)) / d + mpf(bias) ** 2 for y in rows] for x in rows]
    for _ in range(depth):
        rho = [[S[i][j] / mp.sqrt(S[i][i] * S[j][j]) if i != j else mpf(1) for j in range(n)] for i in range(n)]
        S = [[2 / mp.pi * mp.asin(rho[i][j]) + mpf(bias) ** 2 for j in range(n)] for i in range(n)]
    return S


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize(("depth", "bias"), [(1, 0.0), (2, 0.0), (3, 0.5)])
def test_errors_are_those_of_the_entries_there_are(equal, depth, bias):
    X = data(equal)
    gram = hd.MLP("sign", depth, sigma_w=1.0, sigma_b=bias).gram(X)
    with mp.workdps(40):
        expected = truth(X, depth, bias)
        worst = max(abs(mpf(gram.matrix[i, j]) - expected[i][j]) for i in range(12) for j in range(12) if i != j)
    assert worst <= gram.estimated_error < 1e-12


def test_close_rows_keep_their_large_errors():
    X = data(True)
    X[1] = X[0] + 1e-9 * X[1]
    gram = hd.MLP("sign", 2).gram(X)
    assert 1e-9 < gram.estimated_error < 1e-1


def test_norms_do_not_count():
    X = data(True)
    scales = np.linspace(0.1, 20.0, 12)[:, None]
    first, second = (hd.MLP("step", 2).gram(rows) for rows in (X, scales * X))
    assert np.abs(first.matrix - second.matrix).max() <= first.estimated_error + second.estimated_error < 1e-12

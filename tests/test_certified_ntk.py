"""Proven entries of tangent kernels against fixed points in 40 digits."""

import math

import mpmath as mp
import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.certified.slope_regularity import slope_regularity
from hermite_dual.population.tangent_bounds import tangent_entry_bounds
from tests.test_certified_gram import DIGITS, covered, samples


def relu(q1, q2, c):
    rho = max(min(c / mp.sqrt(q1 * q2), mp.mpf(1)), mp.mpf(-1))
    angle = mp.pi - mp.acos(rho)
    return mp.sqrt(q1 * q2) / (2 * mp.pi) * (mp.sqrt(1 - rho**2) + rho * angle), angle / (2 * mp.pi)


def erf(q1, q2, c):
    a, b = 1 + 2 * q1, 1 + 2 * q2
    return 2 / mp.pi * mp.asin(2 * c / mp.sqrt(a * b)), 4 / mp.pi / mp.sqrt(a * b - 4 * c**2)


def sin(q1, q2, c):
    return mp.exp(-(q1 + q2) / 2) * mp.sinh(c), mp.exp(-(q1 + q2) / 2) * mp.cosh(c)


DUALS = {"relu": relu, "erf": erf, "sin": sin}
"""Duals of phi and of phi': Cho and Saul (2009), Williams (1997) and its derivative, the moments of exp(i x)."""


def truth(dual, model, X, depth):
    """Theta by the recursion over layers, or its limit by iteration until nothing changes at 40 digits."""
    with mp.workdps(DIGITS):
        n, d = X.shape
        w, u, b = (mp.mpf(s) ** 2 for s in (model.sigma_w, model.sigma_u, model.sigma_b))
        rows = [[mp.mpf(v) for v in row] for row in X.tolist()]
        inner = [[u * mp.fdot(rows[i], rows[j]) / d + b for j in range(n)] for i in range(n)]
        K, theta = ([[mp.mpf(0)] * n for _ in range(n)] for _ in range(2))
        for _ in range(depth or 200):
            S = [[w * K[i][j] + inner[i][j] for j in range(n)] for i in range(n)]
            both = [[dual(S[i][i], S[j][j], S[i][j]) for j in range(n)] for i in range(n)]
            K = [[both[i][j][0] for j in range(n)] for i in range(n)]
            new = [[K[i][j] + both[i][j][1] * (w * theta[i][j] + inner[i][j]) for j in range(n)] for i in range(n)]
            change = max(abs(new[i][j] - theta[i][j]) for i in range(n) for j in range(n))
            theta = new
            if change < mp.mpf(10) ** (5 - DIGITS):
                break
        return theta


@pytest.mark.parametrize("name", DUALS)
@pytest.mark.parametrize("equal", [True, False], ids=["equal norms", "unequal norms"])
@pytest.mark.parametrize("depth", [None, 1, 3])
def test_tangent_bounds_contain_the_truth_and_are_narrow(name, equal, depth):
    model = hd.DEQ(name, sigma_w=0.45, sigma_u=1.2, sigma_b=0.3)
    X = samples(equal)
    theta = model.ntk(X, depth=depth)
    bounds = theta.entry_bounds
    assert bounds.outcome is hd.Outcome.PROVEN
    exact = truth(DUALS[name], model, X, depth)
    assert covered(theta.matrix, bounds.errors, exact)
    assert theta.entry_error == bounds.errors.max() < 1e-12 * theta.matrix.max()
    with mp.workdps(DIGITS):
        n = len(X)
        distance = max(abs(mp.mpf(theta.matrix[i, j]) - exact[i][j]) for i in range(n) for j in range(n))
    assert distance <= theta.estimated_error

"""Bounds of the spectral norm contain it, exactly; contraction and redraws follow from them."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.errors import ConvergenceError, InvalidInputError
from hermite_dual.finite.spectral_norm import norm_bounds
from hermite_dual.outcome import Outcome
from hermite_dual.population.theorem.gaussian_norm import contraction_failure
from tests.tolerances import OTHER_PATH

# Relative width of an enclosure: gamma_m ||W||_F^2 and the loss of a Cholesky factorization, far below this.
NARROW = 1e-9


def contains(bounds, square):
    """Whether an exact square lies between the squares of the bounds."""
    return Fraction(bounds.lower) ** 2 <= square <= Fraction(bounds.upper) ** 2


@pytest.mark.parametrize("m", [1, 2, 5, 63, 64, 65, 130, 300])
def test_rank_one_matrices_with_an_exact_norm(m):
    rng = np.random.default_rng(m)
    u, v = rng.integers(-9, 10, m), rng.integers(1, 10, m)
    u[0] = 3
    bounds = norm_bounds(np.outer(u, v).astype(float) * 2.0**-7)
    assert bounds.outcome is Outcome.PROVEN
    assert contains(bounds, Fraction(int(u @ u) * int(v @ v), 2**14))
    assert bounds.upper - bounds.lower <= NARROW * bounds.upper


@pytest.mark.parametrize("m", [2, 64, 128, 256])
def test_hadamard_matrices_whose_singular_values_are_all_equal(m):
    H = np.ones((1, 1))
    while len(H) < m:
        H = np.block([[H, H], [H, -H]])
    bounds = norm_bounds(H)
    assert contains(bounds, Fraction(m))
    assert bounds.upper - bounds.lower <= NARROW * bounds.upper


@pytest.mark.parametrize("m", [3, 90, 250])
def test_gaussian_matrices_against_a_singular_value_decomposition(m):
    W = np.random.default_rng(m).standard_normal((m, m)) / math.sqrt(m)
    bounds, value = norm_bounds(W), np.linalg.svd(W, compute_uv=False)[0]
    # The decomposition is backward stable: off by a small multiple of m u ||W||.
    slack = 10 * m * 2.0**-53 * value
    assert bounds.lower - slack <= value <= bounds.upper + slack
    assert bounds.lower <= bounds.estimate <= bounds.upper
    assert bounds.upper - bounds.lower <= NARROW * bounds.upper


@pytest.mark.parametrize("seed", range(12))
def test_small_matrices_against_forty_digits(seed):
    rng = np.random.default_rng(seed)
    m = 2 + seed % 5
    # Rows and columns of very different scale, as well as plain matrices.
    scales = 10.0 ** rng.uniform(-6 * (seed % 3), 0, (2, m))
    W = rng.standard_normal((m, m)) * scales[0][:, None] * scales[1]
    bounds = norm_bounds(W)
    with mpmath.workdps(40):
        value = mpmath.svd_r(mpmath.matrix(W.tolist()), compute_uv=False)[0]
        assert mpmath.mpf(bounds.lower) <= value <= mpmath.mpf(bounds.upper)
    assert bounds.upper - bounds.lower <= NARROW * bounds.upper


def test_two_nearly_equal_singular_values_do_not_fool_the_upper_bound():
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((100, 100)))[0]
    W = Q @ np.diag(np.r_[1.0, 1.0 - 1e-13, np.linspace(0.0, 0.9, 98)])
    bounds = norm_bounds(W)
    assert bounds.lower <= np.linalg.norm(W, 2) * (1 + 1e-13)
    assert bounds.upper >= np.linalg.norm(W, 2) * (1 - 1e-13)


@pytest.mark.parametrize("scale", [0.0, 1e-300, 1e-170, 1e-150, 1e100])
def test_extreme_scales(scale):
    W = np.diag(np.arange(1.0, 71.0)) * scale
    bounds = norm_bounds(W)
    assert bounds.outcome is Outcome.PROVEN
    assert Fraction(bounds.lower) <= Fraction(W[-1, -1]) <= Fraction(bounds.upper)


@pytest.mark.parametrize("value", [1e200, np.inf, np.nan])
def test_what_overflows_is_undecided(value):
    W = np.eye(70)
    W[3, 4] = value
    with np.errstate(all="ignore"):
        bounds = norm_bounds(W)
    assert bounds.outcome is Outcome.UNDECIDED
    assert bounds.upper == math.inf


def test_contraction_is_proven_refuted_or_undecided():
    net = hd.DEQ("tanh", 0.4).sample(80, 3, seed=0)
    found = net.contraction()
    assert found.outcome is Outcome.PROVEN
    assert found.value == pytest.approx(np.linalg.norm(net.W, 2), rel=OTHER_PATH)
    assert hd.DEQ("tanh", 0.7).sample(80, 3, seed=0).contraction().outcome is Outcome.REFUTED
    # L = 1.1289 for GELU: the same weights contract with tanh and not with GELU.
    assert hd.DEQ("tanh", 0.48).sample(80, 3, seed=0).contraction().outcome is Outcome.PROVEN
    assert hd.DEQ("gelu", 0.48).sample(80, 3, seed=0).contraction().outcome is Outcome.REFUTED
    assert hd.DEQ(np.tanh, 0.4).sample(80, 3, seed=0).contraction().outcome is Outcome.UNDECIDED


def test_draws_again_until_the_network_contracts():
    model = hd.DEQ("tanh", 0.5)
    several = [model.sample_contracting(24, 3, seed=seed) for seed in range(12)]
    assert all(found.contraction.outcome is Outcome.PROVEN for found in several)
    assert all(np.linalg.norm(found.network.W, 2) < 1 for found in several)
    assert max(found.draws for found in several) > 1
    for seed, found in enumerate(several):
        first = model.sample(24, 3, seed=seed)
        assert (np.linalg.norm(first.W, 2) < 1) == (found.draws == 1)
        assert np.array_equal(first.W, found.network.W) == (found.draws == 1)
    again = model.sample_contracting(24, 3, seed=several[0].draws and 0)
    np.testing.assert_array_equal(again.network.W, several[0].network.W)


def test_no_draw_contracts():
    with pytest.raises(ConvergenceError, match=r"none of max_draws=3 networks .*smaller sigma_w, below 0\.\d+"):
        hd.DEQ("tanh", 1.0).sample_contracting(40, 3, seed=0, max_draws=3)


def test_a_function_without_formula_cannot_be_decided():
    with pytest.raises(InvalidInputError, match="no Lipschitz constant of a Python function"):
        hd.DEQ(np.tanh, 0.3).sample_contracting(10, 3, seed=0)


def test_the_probability_bound_covers_the_frequency():
    width, draws, failures = 12, 2000, 0
    scale = 0.49
    rng = np.random.default_rng(0)
    for _ in range(draws):
        failures += np.linalg.norm(rng.standard_normal((width, width)) * scale / math.sqrt(width), 2) >= 1.0
    bound = contraction_failure(scale, 1.0, width)[1]
    assert failures > 0
    assert failures / draws <= bound + 4 * math.sqrt(bound / draws)


def test_the_probability_bound_is_the_formula_rounded_up():
    t, bound = contraction_failure(0.4, 1.0, 100)
    assert Fraction(t) < Fraction(1) / Fraction(0.4) - 2
    assert t == pytest.approx(0.5, rel=1e-14)
    assert bound == pytest.approx(math.exp(-12.5), rel=1e-12)
    assert contraction_failure(0.5, 1.0, 100) == (0.0, 1.0)
    assert contraction_failure(0.1, math.inf, 100) == (0.0, 1.0)
    assert contraction_failure(0.0, 5.0, 100) == (math.inf, 0.0)
    assert 0.0 < contraction_failure(0.01, 1.0, 10**6)[1] < 1e-300

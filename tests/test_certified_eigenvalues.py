"""Eigenvalue bounds, theory bounds and entry errors."""

import math
import pickle

import mpmath as mp
import numpy as np
import pytest
import scipy.linalg
import sympy as sp
from flint import arb, arb_mat

import hermite_dual as hd
from hermite_dual.certified.balls.precision import upper_float, working_precision
from hermite_dual.certified.counted.entry_error import (
    contraction_error,
    kernel_perturbation,
    off_diagonal_error,
    separable_series,
)
from hermite_dual.certified.eigenvalues.ball_eigenvalues import Frame, dominates, exact_sign
from hermite_dual.certified.eigenvalues.eigenvalues import check_lower_bound, least_eigenvalue
from hermite_dual.certified.eigenvalues.float_cholesky import shifted_cholesky
from hermite_dual.certified.eigenvalues.theory_bounds import theory_lower_bounds
from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.certified.enclosures.kernel import kernel_ball, parseval_tail
from hermite_dual.errors import InvalidInputError
from hermite_dual.outcome import Outcome
from hermite_dual.shape.shape import shape_of
from tests.tolerances import OTHER_PATH

x = sp.Symbol("x", real=True)


def spectrum(rng, values):
    Q = np.linalg.qr(rng.standard_normal((len(values), len(values))))[0]
    A = (Q * values) @ Q.T
    return (A + A.T) / 2


def integer_singular(rng, n):
    B = rng.integers(-3, 4, (n, n - 1)).astype(float)
    return B @ B.T


FAMILIES = {
    "conditioned": lambda rng, n: spectrum(rng, np.logspace(-7.5, 0, n)),
    "clustered": lambda rng, n: spectrum(rng, np.where(np.arange(n) < n // 2, 1e-6, 1.0)),
    "nearly singular": lambda rng, n: spectrum(rng, np.r_[1e-15, rng.uniform(0.5, 1, n - 1)]),
    "singular": integer_singular,
    "indefinite": lambda rng, n: spectrum(rng, rng.standard_normal(n)),
    "hilbert": lambda rng, n: scipy.linalg.hilbert(n),
    "ones": lambda rng, n: np.ones((n, n)),
    "zero": lambda rng, n: np.zeros((n, n)),
}


@pytest.mark.parametrize("name", sorted(FAMILIES))
@pytest.mark.parametrize("n", [1, 2, 5, 11])
def test_bounds_against_hundred_digits(name, n):
    if name == "nearly singular" and n == 1:
        n = 3
    A = FAMILIES[name](np.random.default_rng(n), max(n, 2) if name == "singular" else n)
    with mp.workdps(100):
        values = mp.eigsy(mp.matrix(A.tolist()), eigvals_only=True)
        true, top = min(values), max(abs(v) for v in values)
        slack = top * mp.mpf(10) ** -80
        bounds = least_eigenvalue(A)
        assert bounds.outcome is Outcome.PROVEN
        assert mp.mpf(bounds.lower) <= true + slack
        assert mp.mpf(bounds.upper) >= true - slack
        if true > 0 and top / true < 1e8:
            assert bounds.upper - bounds.lower < 1e-6 * float(true)
        above = float(true + 2 * slack)
        while mp.mpf(above) <= true + slack:
            above = math.nextafter(above, math.inf)
        assert check_lower_bound(A, above).outcome is not Outcome.PROVEN
        below = float(true - 2 * slack) - 1e-9 * float(top)
        assert check_lower_bound(A, below).outcome is Outcome.PROVEN


def test_exact_decisions_on_the_boundary():
    assert check_lower_bound(np.ones((5, 5)), 0.0).outcome is Outcome.PROVEN
    assert check_lower_bound(np.diag([1.0, 2.0]), 1.0).outcome is Outcome.PROVEN
    refuted = check_lower_bound(np.diag([1.0, 2.0]), np.nextafter(1.0, 2.0))
    assert refuted.outcome is Outcome.REFUTED


def test_refutation_carries_a_vector():
    A = spectrum(np.random.default_rng(0), np.linspace(1, 2, 40))
    check = check_lower_bound(A, 1.5)
    assert check.outcome is Outcome.REFUTED
    v = check.vector
    assert v @ A @ v < 1.5 * (v @ v)


def test_entry_errors_widen_both_sides():
    A = spectrum(np.random.default_rng(1), np.linspace(1, 2, 30))
    plain, loose = least_eigenvalue(A), least_eigenvalue(A, 1e-4)
    E = 1e-4 * np.ones((30, 30))
    assert loose.lower < plain.lower - 0.99 * 30e-4
    assert np.linalg.eigvalsh(A - E)[0] > loose.lower
    assert np.linalg.eigvalsh(A + np.diag(np.full(30, 1e-4)))[0] < loose.upper + 1e-4
    assert check_lower_bound(A, 0.9995, 1e-4).outcome is Outcome.UNDECIDED


def test_cholesky_error_covers_the_true_backward_error():
    rng = np.random.default_rng(5)
    A = spectrum(rng, np.logspace(-3, 0, 200))
    shift = 5e-4
    factorization = shifted_cholesky(A, shift)
    assert factorization.success
    true = np.linalg.eigvalsh(A)[0]
    assert true >= shift - factorization.error
    # far below what counting n roundings per entry would give
    assert factorization.error < 0.5 * 201 * 2.0**-53 * np.trace(A)
    assert not shifted_cholesky(A, 1.01e-3).success


def test_graded_matrices_beyond_ball_arithmetic():
    rng = np.random.default_rng(9)
    n = 320
    M = spectrum(rng, rng.uniform(0.2, 1, n))
    d = 2.0 ** np.round(rng.uniform(-26, 26, n))
    A = d[:, None] * M * d
    bounds = least_eigenvalue(A)
    # scaling by powers of two is exact: x^T A x >= lambda_min(M) |D x|^2, and a unit vector bounds from above
    assert bounds.lower > 0
    assert bounds.upper <= np.min(np.diag(A))
    assert bounds.upper >= np.linalg.eigvalsh(M)[0] * np.min(d) ** 2 * (1 - 1e-10)
    assert bounds.upper - bounds.lower < 0.05 * bounds.upper
    assert check_lower_bound(A, np.nextafter(bounds.upper, np.inf)).outcome is not Outcome.PROVEN


@pytest.mark.parametrize("values", ["separated", "crowded", "indefinite", "singular"])
def test_large_orders_share_their_factorizations(values):
    rng = np.random.default_rng(4)
    n = 450
    table = {
        "separated": np.r_[0.01, rng.uniform(0.05, 1, n - 1)],
        "crowded": np.r_[np.linspace(0.0100, 0.0101, 40), rng.uniform(0.05, 1, n - 40)],
        "indefinite": rng.standard_normal(n),
        "singular": np.r_[0.0, rng.uniform(0.05, 1, n - 1)],
    }
    A = spectrum(rng, table[values])
    bounds = least_eigenvalue(A)
    true = np.linalg.eigvalsh(A)[0]
    assert bounds.outcome is Outcome.PROVEN
    assert bounds.lower <= true + 1e-12
    assert bounds.upper >= true - 1e-12
    assert bounds.upper - bounds.lower < 1e-10


@pytest.mark.parametrize(
    ("matrix", "text"),
    [
        (np.zeros((0, 0)), "shape"),
        (np.zeros((2, 3)), "shape"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "not finite"),
        (np.array([[1.0, 2.0], [3.0, 1.0]]), "not symmetric"),
    ],
)
def test_bad_matrices_are_named(matrix, text):
    with pytest.raises(InvalidInputError, match=text):
        least_eigenvalue(matrix)


def unit_rows(n, d, seed=0):
    X = np.random.default_rng(seed).standard_normal((n, d))
    return X / np.linalg.norm(X, axis=1)[:, None]


@pytest.mark.slow
def test_series_values_and_errors_cover_the_kernel():
    X = unit_rows(12, 30)
    rho = X @ X.T
    rho = np.clip((rho + rho.T) / 2, -1, 1)
    np.fill_diagonal(rho, 1.0)
    variances = [0.5, 2.0]
    rows = [coefficient_balls(shape_of(sp.tanh(x), x), 120, q, 25) for q in variances]
    tails = [parseval_tail(shape_of(sp.tanh(x), x), q, a) for q, a in zip(variances, rows, strict=True)]
    result = separable_series([rows[i % 2] for i in range(12)], [tails[i % 2] for i in range(12)], rho)
    for i, j in [(0, 1), (0, 2), (3, 8), (5, 5), (7, 10)]:
        q1, q2 = variances[i % 2], variances[j % 2]
        with working_precision(200):
            c = arb(rho[i, j]) * (arb(q1) * arb(q2)).sqrt() if i != j else q1
            truth = kernel_ball(shape_of(sp.tanh(x), x), q1, q2, c, 25)
            distance = abs(truth - arb(result.values[i, j]))
            assert not distance > arb(result.errors[i, j])
    off = ~np.eye(12, dtype=bool)
    assert result.errors[off].max() < 1e-15


@pytest.mark.slow
def test_theory_bounds_hold_and_help():
    n = 40
    S = unit_rows(n, 200) @ unit_rows(n, 200).T
    S = (S + S.T) / 2
    np.fill_diagonal(S, 1.0)
    coefficients = coefficient_balls(shape_of(sp.tanh(x), x), 60, 1, 20)
    bounds = theory_lower_bounds(S, 1e-14, lambda _, count: coefficients[:count], 40)
    K = separable_series([coefficients] * n, [parseval_tail(shape_of(sp.tanh(x), x), 1, coefficients)] * n, S)
    least = least_eigenvalue(K.values, K.errors)
    assert [b.name for b in bounds] == ["Ling", "Khatri-Rao", "Hermite-Gershgorin"]
    for bound in bounds:
        assert 0 < bound.value <= least.upper
    ling, khatri_rao, gershgorin = (b.value for b in bounds)
    assert ling <= gershgorin
    assert khatri_rao > 0.5 * least.lower


def test_theory_bounds_of_parallel_rows_claim_nothing():
    S = np.ones((4, 4))
    coefficients = coefficient_balls(shape_of(sp.tanh(x), x), 20, 1, 20)
    assert all(b.value == 0.0 for b in theory_lower_bounds(S, 0.0, lambda _, count: coefficients[:count], 20))


@pytest.mark.slow
def test_fixed_point_error_covers_a_fixed_point_in_balls():
    sigma_w2, b, q = 0.5, 0.3, 1.0
    value = 0.0
    with working_precision(120):
        truth = arb(0)
        for _ in range(60):
            truth = kernel_ball(shape_of(sp.tanh(x), x), q, q, (sigma_w2 * truth + b).mid(), 25).mid()
        value = float(truth) + 1e-9
        image = kernel_ball(shape_of(sp.tanh(x), x), q, q, sigma_w2 * arb(value) + b, 25)
        residual = upper_float(abs(image - arb(value)))
        error = float(off_diagonal_error(residual, 0.0, math.sqrt(sigma_w2), 1.0))
        assert abs(arb(value) - truth) <= arb(error)
    assert error < 3e-9


def test_no_contraction_no_bound():
    with pytest.raises(InvalidInputError, match="factor"):
        contraction_error(1e-9, 1.0)


def test_kernel_perturbation_covers_moved_arguments():
    norm = math.sqrt(float(kernel_ball(shape_of(sp.tanh(x), x), 1, 1, 1, 15))) * (1 + 1e-12)
    base = kernel_ball(shape_of(sp.tanh(x), x), 1, 1, 0.5, 20)
    moved = kernel_ball(shape_of(sp.tanh(x), x), 1.0009765625, 1, 0.5009765625, 20)
    bound = float(kernel_perturbation(norm, norm, 1.0, 1.0, 0.5, (0.0005, 0.0), 0.0009765625, 1.0))
    assert abs(base - moved) <= arb(bound)


def test_a_check_says_how_far_the_claim_is_from_the_truth():
    """The slack is where the proof stopped; the estimate is the least eigenvalue, of the matrix as it was."""
    A = np.diag([2.0, 3.0, 5.0])
    found = check_lower_bound(A, 0.5)
    A[0, 0] = 1.0
    assert found.margin <= 1.5
    assert found.estimate == pytest.approx(2.0, abs=1e-12)
    assert pickle.loads(pickle.dumps(found)).estimate == found.estimate
    G = hd.DEQ("tanh", 0.2).gram(hd.on_sphere(np.random.default_rng(0).standard_normal((9, 5))))
    assert G.check_lower_bound(1e-9).estimate == pytest.approx(G.least_eigenvalue().estimate, rel=OTHER_PATH)


@pytest.mark.parametrize("off", [1.0, 1.2, 1.9])
def test_a_frame_that_is_not_dominant_proves_nothing(off):
    """[[1, a], [a, 1]] has the eigenvalue 1 - a."""
    B, unit = arb_mat([[1, off], [off, 1]]), arb_mat([[1, 0], [0, 1]])
    assert not dominates(Frame(B, unit, unit), arb(0))
    assert dominates(Frame(arb_mat([[1, 0.5], [0.5, 1]]), unit, unit), arb(0))


@pytest.mark.parametrize(
    ("A", "value", "sign"),
    [
        (np.diag([1.0, -1.0]), 0.0, -1),
        (np.diag([2.0, 3.0]), 2.0, 1),
        (np.diag([2.0, 3.0]), np.nextafter(2.0, 3.0), -1),
        (np.array([[1.0, 2.0], [2.0, 4.0]]), 0.0, 1),
        (np.array([[1.0, 2.0], [2.0, np.nextafter(4.0, 0.0)]]), 0.0, -1),
    ],
)
def test_signs_of_the_characteristic_polynomial_decide_to_the_last_bit(A, value, sign):
    assert exact_sign(A, float(value)) == sign

"""Proofs of least eigenvalues beyond the reach of ball arithmetic, on matrices whose answer is known exactly."""

import math

import numpy as np
import pytest
from flint import arb, arb_mat

import hermite_dual as hd
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.eigenvalues.float_cholesky import shifted_cholesky, tile_size
from hermite_dual.certified.eigenvalues.rayleigh import rayleigh_upper
from hermite_dual.errors import InvalidInputError
from hermite_dual.numeric.lanczos import lanczos, start_vector
from hermite_dual.numeric.symmetric import largest_modulus, single_upper
from hermite_dual.outcome import Outcome

DOUBLE, SINGLE = 450, 1100  # orders whose estimate comes from float64 and from float32


def exact(n, least, seed=0, missing=3):
    """`B B^T + least I` for integer B of deficient rank: whole numbers, and exactly this least eigenvalue."""
    B = np.random.default_rng(seed).integers(-2, 3, (n, n - missing)).astype(float)
    A = B @ B.T
    A[np.diag_indices(n)] += least
    return A


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "least", "power"),
    [
        *((DOUBLE, least, power) for least in (5.0, 0.0, -7.0) for power in (0, -200, 200, -900, 900)),
        *((SINGLE, least, 0) for least in (5.0, 0.0, -7.0)),
        *((SINGLE, 5.0, power) for power in (-200, 200)),
    ],
)
def test_exactly_known_least_eigenvalues(n, least, power):
    A = np.ldexp(exact(n, least), power)
    true = math.ldexp(least, power)
    bounds = hd.least_eigenvalue(A)
    assert bounds.outcome is Outcome.PROVEN
    assert bounds.lower <= true <= bounds.upper
    assert bounds.lower <= bounds.estimate <= bounds.upper
    assert bounds.upper - bounds.lower < 2e-6 * math.ldexp(7.0, power)


@pytest.mark.parametrize("n", [DOUBLE, SINGLE])
def test_one_ulp_above_is_never_proven(n):
    A = exact(n, 5.0, seed=1)
    assert hd.check_lower_bound(A, 5.0 - 1e-5).outcome is Outcome.PROVEN
    assert hd.check_lower_bound(A, np.nextafter(5.0, 6.0)).outcome is not Outcome.PROVEN
    assert hd.check_lower_bound(A, 5.0 + 1e-5).outcome is Outcome.REFUTED
    assert hd.least_eigenvalue(A, rtol=1e-12).lower <= 5.0


@pytest.mark.slow
def test_a_crowded_bottom_needs_no_wider_bounds():
    X = hd.on_sphere(np.random.default_rng(3).standard_normal((SINGLE, 120)))
    A = hd.DEQ.paper("tanh", 0.08).gram(X).matrix
    values = np.linalg.eigvalsh(A)
    assert values[1] - values[0] < 1e-2 * values[0]
    bounds = hd.least_eigenvalue(A)
    slack = 1e-13 * values[-1]
    assert bounds.lower <= values[0] + slack
    assert bounds.upper >= values[0] - slack
    assert bounds.upper - bounds.lower <= 1e-6 * values[0]
    v = bounds.vector
    assert v @ A @ v / (v @ v) <= bounds.upper * (1 + 1e-12)
    narrow = hd.least_eigenvalue(A, rtol=1e-9)
    assert narrow.upper - narrow.lower <= 2e-9 * values[0]


def test_graded_and_well_scaled_rows_are_both_narrow():
    A = exact(DOUBLE, 5.0, seed=2)
    A[0] *= 2.0**-30
    A[:, 0] *= 2.0**-30
    bounds = hd.least_eigenvalue(A)
    assert 0 < bounds.lower <= bounds.upper <= A[0, 0]
    assert bounds.upper - bounds.lower < 1e-3 * bounds.upper


@pytest.mark.parametrize("n", [40, 70, 200])
def test_the_factors_error_covers_the_true_one(n):
    rng = np.random.default_rng(n)
    B = rng.standard_normal((n, n))
    A = B @ B.T / n + 0.1 * np.eye(n)
    A = (A + A.T) / 2
    shift = 0.0625
    found = shifted_cholesky(A, shift)
    assert found.success
    R = np.zeros((n, n))
    for (i, j), tile in found.tiles.items():
        R[i * tile_size(n) :, j * tile_size(n) :][: tile.shape[0], : tile.shape[1]] = tile
    assert np.array_equal(R, np.triu(R))
    with working_precision(200):
        exact_R = arb_mat(n, n, [arb(v) for v in R.ravel().tolist()])
        difference = exact_R.transpose() * exact_R - arb_mat(n, n, [arb(v) for v in A.ravel().tolist()])
        E = np.array([[float(difference[i, j] + (shift if i == j else 0)) for j in range(n)] for i in range(n)])
    assert 0 < np.linalg.norm(E, 2) <= found.error
    b = rng.standard_normal(n)
    assert np.linalg.norm((A - shift * np.eye(n)) @ found.solve(b) - b) < 1e-10 * np.linalg.norm(b)


def test_overflow_in_the_factor_is_no_success():
    A = np.full((130, 130), 1e308)
    A[np.diag_indices(130)] = 1e-300
    with np.errstate(all="ignore"):
        assert not shifted_cholesky(A, 0.0).success


def test_an_exact_eigenvector_gives_an_upper_bound_next_to_the_eigenvalue():
    n = 200
    A = np.full((n, n), 0.1)
    A[np.diag_indices(n)] = 1.0
    x = np.zeros(n)
    x[0], x[-1] = 1.0, -1.0
    with working_precision(200):
        true = arb(1.0) - arb(0.1)
        upper = rayleigh_upper(A, x)
        assert true <= arb(upper)
        assert arb(upper) - true < arb(1e-15)


@pytest.mark.parametrize("place", [(3, 90), (90, 3), (129, 129), (64, 63)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_found_wherever_it_is(place, value):
    A = np.eye(130)
    A[place] = A[place[::-1]] = value
    assert math.isnan(largest_modulus(A))
    with pytest.raises(InvalidInputError, match="is not finite"):
        hd.least_eigenvalue(A)
    A = np.eye(130)
    A[place] = value
    with pytest.raises(InvalidInputError, match="is not finite"):
        hd.least_eigenvalue(A)


@pytest.mark.parametrize("place", [(3, 90), (90, 3), (64, 63), (129, 0)])
def test_asymmetry_in_the_last_bit_is_found(place):
    A = np.full((130, 130), 0.3)
    A[place] = np.nextafter(0.3, 1)
    with pytest.raises(InvalidInputError, match="not symmetric"):
        hd.least_eigenvalue(A)


def test_the_tolerance_is_checked():
    for rtol in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InvalidInputError, match="rtol"):
            hd.least_eigenvalue(np.eye(3), rtol=rtol)


def test_other_layouts_are_read_right():
    A = exact(30, 5.0)
    wide = np.zeros((60, 60))
    wide[::2, ::2] = A
    for given in (np.asfortranarray(A), wide[::2, ::2], A.astype(np.float32), A.tolist()):
        bounds = hd.least_eigenvalue(given)
        assert bounds.lower <= 5 <= bounds.upper


@pytest.mark.parametrize("scale", [1.0, 1e-60, 1e60, 5e-324, 1e308])
def test_the_float32_copy_is_a_multiple(scale):
    rng = np.random.default_rng(0)
    A = rng.uniform(-1, 1, (131, 131))
    A = (A + A.T) / 2 * scale
    largest = largest_modulus(A)
    assert largest == np.abs(A).max()
    copy, factor = single_upper(A, largest)
    upper = np.triu_indices(131)
    assert np.frexp(factor)[0] == 0.5
    assert np.array_equal(copy[upper], (A * factor).astype(np.float32)[upper])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lanczos_finds_the_largest_eigenvalue(dtype):
    d = np.linspace(1, 2, 300)
    d[100] = 2.5
    found = lanczos(lambda v: d.astype(dtype) * v, start_vector(300).astype(dtype), 40, lambda ritz: False)
    eps = float(np.finfo(dtype).eps)
    assert abs(found.ritz.value - 2.5) < 20 * eps
    assert np.abs(found.basis @ found.basis.T - np.eye(len(found.basis))).max() < 20 * eps
    assert abs(found.vector[100]) > 1 - 20 * eps


def test_lanczos_stops_in_an_invariant_space():
    found = lanczos(lambda v: 3.0 * v, start_vector(50), 20, lambda ritz: False)
    assert len(found.basis) == 1
    assert abs(found.ritz.value - 3.0) < 1e-14
    assert lanczos(lambda v: v * np.nan, start_vector(50), 20, lambda ritz: False) is None


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_a_factor_in_tiles_serves_like_that_of_lapack(monkeypatch, precision):
    from hermite_dual.certified.eigenvalues import large_matrix

    rng = np.random.default_rng(5)
    Q = np.linalg.qr(rng.standard_normal((700, 700)))[0]
    A = 1e5 * (Q * np.linspace(0.1, 1.0, 700)) @ Q.T
    A = (A + A.T) / 2
    matrix, b = large_matrix.DenseMatrix(A, float(np.abs(A).max())), rng.standard_normal(700)
    whole = matrix.inverse(1e3, precision)
    monkeypatch.setattr(large_matrix, "LARGEST_WHOLE", 100)
    parts = matrix.inverse(1e3, precision)
    assert (parts.dtype, parts.scale) == (whole.dtype, whole.scale)
    found, expected = parts.apply(b.astype(precision)), np.linalg.solve(parts.scale * (A - 1e3 * np.eye(700)), b)
    assert found.dtype == precision
    assert np.abs(found - expected).max() < 1e3 * np.finfo(precision).eps * np.abs(expected).max()
    assert np.abs(found - whole.apply(b.astype(precision))).max() < 1e3 * np.finfo(precision).eps * np.abs(found).max()
    assert matrix.inverse(3e4, precision) is None
    bounds = hd.least_eigenvalue(A)
    assert bounds.lower <= np.linalg.eigvalsh(A)[0] * (1 + 1e-12)
    assert bounds.outcome is hd.Outcome.PROVEN

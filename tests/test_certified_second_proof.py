"""The parts of the second proof: sliced products, measured residuals, entries of almost parallel rows."""

import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import flint
import numpy as np
import pytest
import sympy as sp

import hermite_dual as hd
from hermite_dual.certified.counted.homogeneous import homogeneous_kernel
from hermite_dual.certified.counted.nearly_parallel import homogeneous_kernel_of
from hermite_dual.certified.counted.sliced_product import sliced_product
from hermite_dual.certified.eigenvalues.eigenvalues import least_eigenvalue
from hermite_dual.certified.second_proof.certificate import make_certificate, verify
from hermite_dual.certified.second_proof.plain_bounds import plain_lower_bound, plain_upper_bound
from hermite_dual.certified.second_proof.rebuild import parameters_of, rebuild
from hermite_dual.shape.shape import shape_of
from tests.import_graph import imports

x = sp.Symbol("x", real=True)


def exact_product(A, B):
    return [
        [sum(Fraction(a) * Fraction(b) for a, b in zip(r, c, strict=True)) for c in B.T.tolist()] for r in A.tolist()
    ]


@pytest.mark.parametrize("spread", [0, 12, 60])
def test_the_parts_of_a_product_are_within_their_bound(spread):
    rng = np.random.default_rng(spread)
    A, B = (rng.normal(size=s) * 2.0 ** rng.integers(-spread, spread + 1, size=s) for s in ((4, 37), (37, 5)))
    found = sliced_product(A, B)
    exact = exact_product(A, B)
    for i in range(4):
        for j in range(5):
            error = abs(exact[i][j] - Fraction(found.high[i, j]) - Fraction(found.low[i, j]))
            bound = found.rows[i] * found.columns[j]
            assert error <= Fraction(bound)
            # 2^-22 of what one float product may lose
            assert bound <= 1e-5 * 40 * 2.0**-53 * np.linalg.norm(A[i]) * np.linalg.norm(B[:, j]) + 1e-290


def test_integers_multiply_exactly():
    A = np.random.default_rng(3).integers(-16, 17, size=(9, 64)).astype(float)
    found = sliced_product(A, A.T)
    np.testing.assert_array_equal(found.high, A @ A.T)
    assert not found.low.any()


def test_scales_out_of_range_bound_nothing():
    found = sliced_product(np.array([[1e-300, 0.0], [0.0, 0.0], [1.0, 2.0]]), np.eye(2))
    assert found.rows[0] == np.inf
    assert np.isfinite(found.rows[1:]).all()


def hilbert_like(n, seed):
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(n, n)))[0]
    A = (basis * np.geomspace(1e-6, 1.0, n)) @ basis.T
    return (A + A.T) / 2


@pytest.mark.parametrize(("n", "seed"), [(1, 0), (5, 1), (40, 2), (120, 3)])
def test_plain_bounds_are_right_and_narrow(n, seed):
    A = hilbert_like(n, seed)
    bounds = least_eigenvalue(A)
    width = bounds.upper - bounds.lower + 40 * n * 2.0**-53
    assert plain_lower_bound(A, bounds.lower - width, 0.0) >= bounds.lower - width
    assert plain_lower_bound(A, float(np.nextafter(bounds.upper, 9)), 0.0) <= bounds.upper
    assert bounds.lower <= plain_upper_bound(A, 0.0) <= bounds.upper + width
    # an error of the matrix moves both by as much
    assert plain_lower_bound(A, bounds.lower - 1e-9, 1e-8) < bounds.lower - 1e-9
    assert plain_upper_bound(A, 1e-8) >= bounds.lower + 1e-8


@pytest.mark.parametrize("phi", [sp.Max(x, 0), sp.Abs(x), sp.Piecewise((x, x > 0), (x / 7, True)), x / 5])
def test_two_closed_forms_of_the_homogeneous_kernel_agree(phi):
    kernel = homogeneous_kernel_of(shape_of(phi, x).pieces, x)
    rho = np.array([-1.0, -0.999, -0.3, 0.0, 0.5, 0.96, 1 - 1e-9, 1.0])
    other = homogeneous_kernel(shape_of(phi, x), rho)
    for value, error, r in zip(other.values, other.errors, rho.tolist(), strict=True):
        assert kernel.ball(r).overlaps(flint.arb(value, error))


@pytest.mark.parametrize("phi", [sp.Max(x - 1, 0), sp.tanh(x), sp.Max(x, 0) + 1, x**2, sp.Max(x, 0) ** 2])
def test_other_activations_have_no_homogeneous_kernel(phi):
    assert homogeneous_kernel_of(shape_of(phi, x).pieces, x) is None


def test_the_fixed_point_of_a_pair_is_found():
    kernel = homogeneous_kernel_of(shape_of(sp.Max(x, 0), x).pieces, x)
    t, lengths = np.array([1.6, 1.99, -1.2]), np.array([2.1, 2.1, 2.1])
    old, rho, new, error = kernel.solve(t, lengths, 0.1, np.zeros(3))
    np.testing.assert_allclose(new, old, atol=1e-15)
    np.testing.assert_allclose(rho, (0.1 * old + t) / lengths, rtol=1e-15)
    assert (error < 3e-15).all()


@pytest.fixture(scope="module")
def digits():
    return np.asarray(hd.load_digits()[0][:60], dtype=float)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "relu", "gelu"])
def test_claims_close_to_the_least_eigenvalue_are_decided_on_the_right_side(name, digits):
    e = hd.DEQ.paper(name, sigma_w2=0.08).gram(hd.on_sphere(digits)).least_eigenvalue()
    parameters = parameters_of(name, 0.08, None, True)
    found = rebuild(digits, parameters)

    def answer(value, outcome):
        statement = {"PROVEN": "lambda_min >= value", "REFUTED": "lambda_min < value"}[outcome]
        claim = {"statement": statement, "value": value, "outcome": outcome}
        return verify(make_certificate(claim, digits, parameters), digits, lambda *_: found).outcome

    assert answer(e.lower * (1 - 1e-8), "PROVEN") is hd.Outcome.PROVEN
    assert answer(e.upper * (1 + 1e-8), "REFUTED") is hd.Outcome.PROVEN
    # a forged digest comes with the claim: only the proof can tell
    assert answer(e.upper * (1 + 1e-8), "PROVEN") is hd.Outcome.UNDECIDED
    assert answer(e.lower * (1 - 1e-8), "REFUTED") is hd.Outcome.UNDECIDED


def test_a_factor_by_halves_proves_as_much(monkeypatch):
    from hermite_dual.certified.second_proof import plain_bounds

    rng = np.random.default_rng(2)
    B = rng.standard_normal((90, 200))
    A = B @ B.T / 200
    whole = plain_bounds._cholesky(A)
    monkeypatch.setattr(plain_bounds, "_WHOLE", 10)
    parts = plain_bounds._cholesky(A)
    assert np.array_equal(parts, np.tril(parts))
    assert np.allclose(parts, whole, atol=1e-13)
    with pytest.raises(np.linalg.LinAlgError):
        plain_bounds._cholesky(A - np.eye(90))


FAULT = """
import numpy as np
import hermite_dual as hd
from hermite_dual.certified.balls import elementary
from hermite_dual.certified.second_proof.certificate import make_certificate, verify
from hermite_dual.certified.second_proof.rebuild import parameters_of, rebuild
from hermite_dual.claims import rebuild_beside_floats

X, text = np.random.default_rng(3).standard_normal((8, 20)), "tanh(1.001*x)"
true = hd.DEQ.paper(text, 0.08).gram(hd.on_sphere(X)).least_eigenvalue()
for functions in (elementary.REAL_FUNCTIONS, elementary.COMPLEX_FUNCTIONS):
    original = functions["tanh"]
    functions["tanh"] = lambda *z, original=original: original(*z) * (1 + 1e-4)
for module in ("balls.ball_functions", "enclosures.coefficients", "suprema.constants"):
    for name, member in vars(__import__(f"hermite_dual.certified.{module}", fromlist=["x"])).items():
        if hasattr(member, "cache_clear"):
            member.cache_clear()
claim = {"statement": "lambda_min >= value", "value": 1.00005 * true.upper, "outcome": "PROVEN"}
file = make_certificate(claim, X, parameters_of(text, 0.08, None, True))
print(*(verify(file, X, way).outcome.value for way in (rebuild, rebuild_beside_floats)))
"""


@pytest.mark.slow
def test_a_fault_in_what_both_proofs_share_shows_beside_the_floats():
    """A ball of tanh that is 1e-4 too large makes the second proof alone prove a false claim."""
    done = subprocess.run([sys.executable, "-c", FAULT], check=True, capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["PROVEN", "UNDECIDED"]


def closure(*modules):
    seen, left = set(), list(modules)
    while left:
        module = left.pop()
        if module not in seen:
            seen.add(module)
            left += imports(module)
    return seen


def test_the_page_names_exactly_what_both_proofs_share():
    first = closure("population.proof.entry_bounds", "population.proof.gram_eigenvalues")
    second = closure("certified.second_proof.rebuild", "certified.second_proof.plain_bounds")
    page = (Path(__file__).parents[1] / "docs" / "theory" / "certificates.md").read_text(encoding="utf-8")
    table = page.split("What both proofs share", 1)[1].split("\n\n", 2)[1]
    named = {name for line in table.splitlines()[2:] for name in re.findall(r"`([a-z_.]+)`", line.split("|")[2])}
    assert named == first & second
    assert {
        "certified.second_proof.rebuild",
        "certified.second_proof.plain_bounds",
        "certified.counted.sliced_product",
    } <= second - first
    assert (
        not {"certified.eigenvalues.float_cholesky", "certified.eigenvalues.rayleigh", "certified.counted.entry_error"}
        & second
    )

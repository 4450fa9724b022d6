"""Proven entries and least eigenvalues of population Gram matrices against high-precision fixed points."""

import math
from dataclasses import replace
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from flint import arb, ctx

import hermite_dual as hd
from hermite_dual.certified.counted import entry_error
from hermite_dual.certified.counted.inner_products import inner_products
from hermite_dual.certified.enclosures.piecewise_polynomial import jump_coefficients
from hermite_dual.certified.second_proof.rebuild import parameters_of, rebuild
from hermite_dual.claims import check_claim, scaling_error
from hermite_dual.population.proof import certified_kernel
from hermite_dual.population.proof.entry_bounds import entry_bounds
from hermite_dual.population.proof.input_rows import InputRows
from tests.problems import DIGITS, NAMED, covered, gram_truth, samples
from tests.tolerances import SHARP_EIGENVALUE


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "erf", "sin"])
@pytest.mark.parametrize("equal", [True, False], ids=["equal norms", "unequal norms"])
@pytest.mark.parametrize("depth", [None, 1, 3])
def test_entry_bounds_contain_the_truth_and_are_narrow(name, equal, depth):
    model = hd.DEQ(name, sigma_w=0.45, sigma_u=1.2, sigma_b=0.3)
    X = samples(equal)
    G = model.gram(X, depth=depth)
    bounds = G.entry_bounds
    assert bounds.outcome is hd.Outcome.PROVEN
    assert covered(G.matrix, bounds.errors, gram_truth(name, model, X, depth))
    assert G.entry_error == bounds.errors.max() < 2e-13 * G.matrix.max()


@pytest.mark.parametrize("sigma_w", [0.0, 0.1, 0.8])
def test_entry_bounds_hold_close_to_the_end_of_contraction(sigma_w):
    model = hd.DEQ("relu", sigma_w=sigma_w, sigma_u=1.0)
    X = samples(False, seed=3)
    G = model.gram(X)
    assert covered(G.matrix, G.entry_bounds.errors, gram_truth("relu", model, X, None))


@pytest.mark.slow
@pytest.mark.parametrize("depth", [None, 2])
def test_a_wrong_entry_is_found_by_its_residual(depth):
    model, X = hd.DEQ("erf", sigma_w=0.4, sigma_b=0.2), samples(True)
    G = model.gram(X, depth=depth)
    wrong, variances = G.matrix.copy(), G.variances * (1 + 1e-9)
    wrong[0, 3] = wrong[3, 0] = wrong[0, 3] + 1e-7
    wrong[2, 2] -= 1e-8
    bounds = entry_bounds(G.model, wrong, variances)
    assert covered(wrong, bounds.errors, gram_truth("erf", model, X, depth))
    assert bounds.errors[0, 3] < 2e-7


def tanh_kernel(q, rho):
    """`E[tanh(u) tanh(v)]` by a two-dimensional trapezoidal sum of step 1/10 in 130 bits: error below 1e-20."""
    root, other = arb(q).sqrt(), (1 - arb(rho) ** 2).sqrt()
    points = [arb(k) / 10 for k in range(-105, 106)]
    weights = [(-(x * x) / 2).exp() / 10 / (2 * arb.pi()).sqrt() for x in points]
    total = arb(0)
    for x, w in zip(points, weights, strict=True):
        inner = sum((v * (root * (rho * x + other * y)).tanh() for y, v in zip(points, weights, strict=True)), arb(0))
        total += w * (root * x).tanh() * inner
    return total.mid()


@pytest.mark.slow
def test_a_tanh_pair_solves_its_equation_at_thirty_digits():
    model = hd.DEQ("tanh", sigma_w=0.4, sigma_u=1.0)
    X = np.array([[1.25, 0.5], [0.5, 1.25]])
    G = model.gram(X)
    former, ctx.prec = ctx.prec, 130
    try:
        q = arb(float(G.variances[0]))
        weight, top, t = arb(0.4) ** 2, arb((1.25**2 + 0.25) / 2), arb(0.625)
        for _ in range(3):
            q = (weight * tanh_kernel(q, 1) + top).mid()
        value = arb(float(G.matrix[0, 1]))
        for _ in range(3):
            value = tanh_kernel(q, ((weight * value + t) / q).mid())
        # three contractions by less than 0.16 of an error below 1e-13
        errors = G.entry_bounds.errors
        assert abs(value - arb(float(G.matrix[0, 1]))) <= arb(float(errors[0, 1])) + arb("1e-15")
        assert abs(tanh_kernel(q, 1) - arb(float(G.matrix[0, 0]))) <= arb(float(errors[0, 0])) + arb("1e-15")
    finally:
        ctx.prec = former


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "erf"])
def test_the_least_eigenvalue_lies_between_its_bounds(name):
    model, X = hd.DEQ.paper(name, sigma_w2=0.08), samples(True, n=8, d=5, seed=1)
    G = model.gram(X)
    e = G.least_eigenvalue()
    with mp.workdps(DIGITS):
        exact = min(mp.eigsy(mp.matrix(gram_truth(name, model, X, None)), eigvals_only=True))
        assert mp.mpf(e.lower) <= exact <= mp.mpf(e.upper)
    assert e.outcome is hd.Outcome.PROVEN
    assert e.upper - e.lower < SHARP_EIGENVALUE
    for bound in G.lower_bounds():
        assert bound.value <= exact
        assert bound.tightness == pytest.approx(bound.value / e.upper)
    assert G.check_lower_bound(math.nextafter(e.lower, -1)).outcome is hd.Outcome.PROVEN
    assert G.check_lower_bound(math.nextafter(e.upper, 1)).outcome is hd.Outcome.REFUTED


def test_rows_scaled_in_floats_stand_for_rows_scaled_exactly():
    raw = np.random.default_rng(5).normal(size=(5, 9)) * 10.0 ** np.arange(-2, 3)[:, None]
    model, rows = hd.DEQ.paper("erf", sigma_w2=0.08), hd.on_sphere(raw)
    assert scaling_error(rows) < 5e-15
    G = model.gram(rows)
    bounds = entry_bounds(replace(G.model, row_error=scaling_error(rows)), G.matrix, G.variances)
    with mp.workdps(DIGITS):
        exact = []
        for row in raw.tolist():
            values = [mp.mpf(v) for v in row]
            length = mp.sqrt(mp.fdot(values, values) / 9)
            exact.append([v / length for v in values])
        paper = hd.DEQ.paper("erf", sigma_w2=0.08).replace(sigma_u=1.0)
        ideal = type("Model", (), {"sigma_w": mp.sqrt(mp.mpf("0.16")), "sigma_u": mp.sqrt(2), "sigma_b": paper.sigma_b})
        K = gram_truth("erf", ideal, rows, None, exact)
    assert covered(G.matrix, bounds.errors, K)
    assert bounds.largest < 2e-13


def test_inner_products_are_within_their_bounds():
    X = np.random.default_rng(0).normal(size=(6, 50)) * 10.0 ** np.arange(-3, 3)[:, None]
    values, errors = inner_products(X)
    with mp.workdps(120):
        rows = [[mp.mpf(v) for v in row] for row in X.tolist()]
        exact = [[mp.fdot(a, b) for b in rows] for a in rows]
        assert all(abs(values[i, j] - exact[i][j]) <= errors[i, j] for i in range(6) for j in range(6))
    assert (np.diagonal(errors) <= 1.01 * 2.0**-53 * np.diagonal(values)).all()


@pytest.mark.parametrize("text", ["relu", "hard_tanh", "relu6", "max(x, 0)**2", "sign"])
def test_coefficients_from_jumps_are_those_from_quadrature(text):
    phi = hd.activation(text)
    from hermite_dual.certified.enclosures.coefficients import coefficient_balls

    pairs = zip(
        jump_coefficients(phi.shape, 40, 2.5, 25),
        coefficient_balls(phi.shape, 40, 2.5, 25),
        strict=True,
    )
    assert all(a.overlaps(b) and a.rad() < 1e-25 for a, b in pairs)


@pytest.mark.parametrize(
    ("phi", "depth", "reason"),
    [(np.tanh, None, "Python function"), ("sign(x)", 2, "not proven continuous")],
)
def test_nothing_is_claimed_without_a_proof(phi, depth, reason):
    G = hd.DEQ(phi, sigma_w=0.1).gram(np.eye(2), depth=depth)
    assert G.entry_error == math.inf
    assert G.entry_bounds.outcome is hd.Outcome.UNDECIDED
    assert reason in G.entry_bounds.reason
    assert G.least_eigenvalue().outcome is hd.Outcome.UNDECIDED
    assert G.check_lower_bound(-1e9).outcome is hd.Outcome.UNDECIDED


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "tanh", "elu"])
@pytest.mark.parametrize("sphere", [True, False])
def test_the_second_computation_agrees_within_both_bounds(name, sphere):
    raw = np.random.default_rng(8).normal(size=(8 if sphere else 3, 6))
    matrix, norm = rebuild(raw, parameters_of(name, 0.05, None, sphere))
    G = hd.DEQ.paper(name, sigma_w2=0.05).gram(hd.on_sphere(raw) if sphere else raw)
    assert np.abs(matrix - G.matrix).max() <= norm + 4 * G.entry_error
    # 512 coefficients: those of kinked activations that are not homogeneous leave a remainder
    assert norm < (1e-5 if name == "elu" else 1e-12)


def test_a_claim_between_the_bounds_is_undecided():
    raw = np.random.default_rng(9).normal(size=(6, 4))
    e = hd.DEQ.paper("tanh", sigma_w2=0.08).gram(hd.on_sphere(raw)).least_eigenvalue()
    found = check_claim("tanh", raw, e.estimate, sigma_w2=0.08, sigma_w=None, sphere=True)
    assert found.outcome is hd.Outcome.UNDECIDED
    assert found.certificate is None
    assert "would decide" in str(found)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("power", [2, 3])
def test_finite_depth_is_proven_without_a_lipschitz_constant(power, depth):
    X = np.random.default_rng(3).integers(-4, 5, size=(5, 6)) / 4.0
    X = X / np.sqrt(np.sum(X**2, axis=1))[:, None] if power == 3 else X
    G = hd.DEQ(f"x^{power}", sigma_w=0.5, sigma_u=0.5).gram(X, depth=depth)
    assert G.entry_bounds.outcome is hd.Outcome.PROVEN
    rows = [[Fraction(float(v)) for v in row] for row in X]
    exact = _exact_layers(rows, power, depth)
    errors = np.broadcast_to(G.entry_bounds.errors, (5, 5))
    for i in range(5):
        for j in range(5):
            assert abs(Fraction(float(G.matrix[i, j])) - exact[i][j]) <= Fraction(float(errors[i, j]))
    assert errors.max() <= 1e-10 * np.abs(G.matrix).max()


def _exact_layers(rows: list, power: int, depth: int) -> list:
    """The kernels `q1 q2 + 2 c^2` of the square and `9 q1 q2 c + 6 c^3` of the cube, in fractions."""
    inner = [[sum(a * b for a, b in zip(u, v, strict=True)) / len(u) / 4 for v in rows] for u in rows]
    K = [[Fraction(0)] * len(rows) for _ in rows]
    for _ in range(depth):
        S = [[k / 4 + t for k, t in zip(*pair, strict=True)] for pair in zip(K, inner, strict=True)]
        q = [S[i][i] for i in range(len(rows))]
        K = [
            [q[i] * q[j] + 2 * c**2 if power == 2 else 9 * q[i] * q[j] * c + 6 * c**3 for j, c in enumerate(row)]
            for i, row in enumerate(S)
        ]
    return K


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gram", "ntk"])
@pytest.mark.parametrize("rows", [np.ones((3, 4)), np.array([[1.0, 2.0], [-1.0, -2.0], [3.0, 1.0]])])
def test_no_lower_bound_is_negative(kind, rows):
    # equal rows, and opposite rows of an odd function: the least eigenvalue is 0, and entries have errors
    G = getattr(hd.DEQ("tanh", 0.3), kind)(rows)
    found = G.least_eigenvalue()
    assert (found.outcome, found.lower) == (hd.Outcome.PROVEN, 0.0)
    assert 0.0 <= found.estimate <= found.upper < 1e-12
    for value in (0.0, -1e-16, -3.0):
        check = G.check_lower_bound(value)
        assert check.outcome is hd.Outcome.PROVEN
        assert 0.0 <= check.margin <= found.upper - value
    assert G.check_lower_bound(1e-16).outcome is hd.Outcome.UNDECIDED
    unproven = hd.DEQ(np.tanh, 0.3).gram(rows)
    assert unproven.check_lower_bound(0.0).outcome is hd.Outcome.UNDECIDED
    # a matrix of which nothing else is known has no such bound
    assert hd.check_lower_bound(np.array(G), 0.0, 1e-15).outcome is not hd.Outcome.PROVEN


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_nearly_parallel_rows_at_large_variance_are_proven_from_the_diagonal(sign):
    """E(phi(u) - phi(v))^2 <= L^2 E(u - v)^2 = 8e-7 (2/pi) here: a series of 1,024 terms would leave 1e-3."""
    rows = np.array([[20.0, 0.0], [sign * 20.001, 0.0]])
    G = hd.DEQ("erf", 0.0).gram(rows)
    q1, q2, c = (mp.mpf(float(v)) / 2 for v in (rows[0, 0] ** 2, rows[1, 0] ** 2, rows[0, 0] * rows[1, 0]))
    exact = NAMED["erf"].dual(q1, q2, c)
    assert abs(mp.mpf(G.matrix[0, 1]) - exact) <= G.entry_bounds.errors[0, 1]
    assert G.entry_error < 4e-7


@pytest.mark.parametrize(("depth", "moved"), [(None, 1 / (1 - 0.25)), (1, 1.0), (2, 1 + 0.25), (3, 1 + 0.25 + 0.25**2)])
@pytest.mark.parametrize("part", ["between", "diagonal"])
def test_errors_of_inner_products_enter_every_entry(monkeypatch, part, depth, moved):
    """With phi = x and w = sigma_w^2 the entry is t (1 + w + w^2 + ...): so much does an error of t move it."""
    e, model = 1e-3, hd.DEQ("x", 0.5)
    G = model.gram(np.array([[1.0, 0.0], [0.6, 0.8]]), depth=depth)
    plain = entry_bounds(G.model, G.matrix, G.variances).errors
    original = getattr(InputRows, part)

    def wider(self, *arguments):
        exact = original(self, *arguments)
        return replace(exact, errors=exact.errors + e)

    monkeypatch.setattr(InputRows, part, wider)
    place = (0, 1) if part == "between" else (0, 0)
    error = entry_bounds(G.model, G.matrix, G.variances).errors[place]
    assert e * moved * (1 - 1e-9) <= error - plain[place] <= 5 * e


@pytest.mark.parametrize(("phi", "asked"), [("x^2", False), ("erf", True)])
def test_the_diagonal_is_used_only_where_phi_has_a_lipschitz_constant(monkeypatch, phi, asked):
    """A slope at the variances of two rows says nothing of those between, which E(phi(u) - phi(v))^2 passes."""
    called = []

    def noted(*arguments):
        called.append(arguments)
        return entry_error.nearly_parallel_kernel(*arguments)

    monkeypatch.setattr(certified_kernel, "nearly_parallel_kernel", noted)
    monkeypatch.setattr(certified_kernel, "_WIDE", 0.0)
    bounds = hd.DEQ(phi, 0.1).gram(np.array([[1.0, 0.0], [1.1, 0.1]]), depth=1).entry_bounds
    assert bounds.outcome is hd.Outcome.PROVEN
    assert bool(called) is asked

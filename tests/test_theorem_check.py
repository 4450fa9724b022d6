"""Hypotheses of the convergence theorems: what holds is proven, what fails is refuted, the rest says so."""

import math
import re

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.population.theorem import hypothesis_tests
from hermite_dual.population.theorem.hypothesis_tests import no_parallel_rows

P, R, U = hd.Outcome.PROVEN, hd.Outcome.REFUTED, hd.Outcome.UNDECIDED
X = hd.on_sphere(np.random.default_rng(0).normal(size=(10, 6)))


def outcomes(phi, s2=0.05, data=X):
    check = hd.DEQ.paper(phi, sigma_w2=s2).check(data)
    return check, {item.name: item.outcome for item in check.hypotheses}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "erf", "gelu", "softplus"])
def test_smooth_activations_meet_every_hypothesis(name):
    check, found = outcomes(name)
    assert set(found.values()) == {P}
    assert check["lambda_* > 0"].outcome is P
    assert "2302.05797" in check.theorem
    e = check.least_eigenvalue
    values = np.linalg.eigvalsh(hd.DEQ.paper(name, sigma_w2=0.05).gram(X).matrix)
    assert e.lower - 1e-13 <= values[0] <= e.upper + 1e-13


def test_relu_has_no_second_derivative_and_its_own_theorem():
    check, found = outcomes("relu")
    assert found["bounded second derivative"] is R
    assert found["bounded first derivative"] is P
    assert check["bounded first derivative"].value == 1.0
    assert "2205.13814" in check.theorem
    assert "covers ReLU" in check.theorem


def test_a_kinked_activation_that_is_not_relu_has_no_theorem():
    check, _ = outcomes("abs")
    assert check.theorem.startswith("No theorem")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("s2", "outcome"), [(0.1249999999, P), (0.125, U), (0.1250000001, R), (0.3, R)], ids=["below", "at", "above", "far"]
)
def test_the_condition_on_s(s2, outcome):
    check, found = outcomes("tanh", s2)
    assert found["s^2 < 1/(8 L^2)"] is outcome
    assert check["s^2 < 1/(8 L^2)"].value == pytest.approx(2 * math.sqrt(2 * s2), rel=1e-12)


@pytest.mark.slow
def test_rows_off_the_sphere_are_refuted():
    assert outcomes("tanh", data=X * (1 + 1e-12))[1]["rows of norm sqrt(d)"] is R
    assert outcomes("tanh")[1]["rows of norm sqrt(d)"] is P


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1.0, -1.0, 0.5])
def test_parallel_rows_are_found(factor):
    check, found = outcomes("tanh", data=np.vstack([X, factor * X[3]]))
    assert found["no two parallel rows"] is (R if abs(factor) == 1.0 else U)
    assert "rows 3 and 10" in check["no two parallel rows"].explanation
    # at equal norms two such rows have the same entries but for signs; at different ones tanh tells them apart
    assert check["lambda_* > 0"].outcome is (R if abs(factor) == 1.0 else P)


@pytest.mark.slow
def test_what_makes_the_gram_matrix_singular_is_said():
    for data, words in (
        (np.vstack([X, 0 * X[:1]]), "row 10 of X is zero"),
        (np.vstack([X, -X[3]]), "3 and 10 .* opposite"),
    ):
        check = hd.DEQ("tanh", 0.2).check(data)
        assert check["lambda_* > 0"].outcome is R
        assert re.search(words, check["lambda_* > 0"].explanation)
        assert check.least_eigenvalue.upper == 0.0
    # a bias, and an activation without parity, tell opposite rows apart
    for model in (hd.DEQ("tanh", 0.2, sigma_b=0.3), hd.DEQ("gelu", 0.2)):
        assert model.check(np.vstack([X, -X[3]]))["lambda_* > 0"].outcome is P


def test_rows_parallel_to_rounding_are_told_apart_exactly():
    near = X[3].copy()
    near[0] = np.nextafter(near[0], 9)
    assert outcomes("tanh", data=np.vstack([X, near]))[1]["no two parallel rows"] is P


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phi", "outcome"),
    [
        *[("tanh", P), ("relu", P), ("x", R), ("x^2", R), ("1 + x/2", R), ("max(x,0)**2", P), ("exp(x)", U)],
        *[("sign(x) + x", P), ("Piecewise((0, x < 0), (x*exp(x), True))", P), ("abs(sin(x))", P)],
        *[("Piecewise((7, x == 0), (x, True))", U), ("abs(x)**(-1/4)", P), (np.tanh, U)],
    ],
)
def test_polynomials_are_refuted_and_others_proven(phi, outcome):
    assert outcomes(phi)[1]["phi is no polynomial"] is outcome


@pytest.mark.parametrize(("phi", "value"), [("tanh", -1.0), ("abs", 1.0), ("gelu", 0.0)])
def test_parity(phi, value):
    item = outcomes(phi)[0]["parity"]
    assert item.outcome is P
    assert item.value == value


@pytest.mark.slow
def test_width_and_step_give_uniqueness_and_a_conditional_rate():
    model = hd.DEQ.paper("tanh", sigma_w2=0.05)
    check = model.check(X, width=1000, step=1e-4)
    unique = check["a network of width 1000 has one equilibrium"]
    room = 1 / model.sigma_w - 2
    assert unique.outcome is P
    assert unique.value == pytest.approx(1 - math.exp(-500 * room**2))
    assert unique.value < 1.0
    rate = check["linear rate at width 1000 and step 0.0001"]
    assert rate.outcome is U
    assert rate.value == pytest.approx(1 - 1e-4 * 1000 * check.least_eigenvalue.lower / 4)
    assert re.search(r"small steps are proven from width \d+ on", rate.explanation)
    near = check["Z^T Z/m at width 1000 is near K"]
    assert near.outcome in (P, U)
    assert (near.value is None) is (near.outcome is U)
    assert "certify_training decides" in rate.explanation
    relu = hd.DEQ.paper("relu", sigma_w2=0.05).check(X, width=1000, step=1e-4)
    known = relu["linear rate at width 1000 and step 0.0001"].explanation
    assert "arXiv 2205.13814, leaves its constants open" in known


@pytest.mark.slow
def test_the_width_that_would_do_is_where_the_theorem_begins():
    """Of the numbers of the limit; a network that is drawn at four times the width is proven itself."""
    rows = hd.on_sphere(np.random.default_rng(0).standard_normal((2, 20)))
    model = hd.DEQ.paper("tanh", 0.02)
    text = model.check(rows, width=10, step=1e-3)["linear rate at width 10 and step 0.001"].explanation
    width = float(re.search(r"place of the network's is ([\d.e+]+);", text).group(1))
    y = np.array([1.0, -1.0])
    assert model.sample(int(4 * width), 20, 0).certify_training(rows, y).outcome is P
    assert model.sample(max(2, int(width / 40)), 20, 0).certify_training(rows, y).outcome is U


def test_parted_rows_prove_nothing_of_pairs_that_were_not_looked_at(monkeypatch):
    """A bias parts multiples; the last two rows are equal, and come after the pairs that are decided exactly."""
    monkeypatch.setattr(hypothesis_tests, "_MOST_EXACT_PAIRS", 3)
    rows = np.array([[1.0, 2.0], [2.0, 4.0], [4.0, 8.0], [3.0, -1.0], [3.0, -1.0]])
    model = hd.DEQ("tanh", 0.3, 1.0, 0.5)
    assert no_parallel_rows(rows, model).outcome is U
    monkeypatch.undo()
    assert no_parallel_rows(rows, model).outcome is R


PARALLEL = {"twice": [2.0, 1.0], "opposite": [-1.0, -0.5], "minus twice": [-2.0, -1.0], "equal": [1.0, 0.5]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phi", "sigma_w", "sigma_b", "row", "parallel", "positive"),
    [
        ("tanh", 0.3, 0.0, "twice", U, P),
        ("relu", 0.3, 0.0, "twice", R, R),
        ("tanh", 0.3, 0.5, "twice", P, P),
        ("tanh", 0.0, 0.0, "twice", R, P),  # the correlation is 1, and the norms part the rows all the same
        ("tanh", 0.3, 0.0, "opposite", R, R),
        ("cos", 0.3, 0.0, "opposite", P, P),  # the states of x and -x are those of W and -W
        ("cos", 0.0, 0.0, "opposite", R, R),
        ("abs", 0.3, 0.0, "opposite", P, P),
        ("abs", 0.0, 0.0, "opposite", R, R),
        ("relu", 0.3, 0.0, "opposite", P, P),
        ("gelu", 0.3, 0.0, "opposite", P, P),
        ("relu", 0.3, 0.0, "minus twice", P, P),
        ("tanh", 0.3, 0.0, "minus twice", U, P),
        ("tanh", 0.3, 0.5, "opposite", P, P),
        ("tanh", 0.3, 0.5, "equal", R, R),
    ],
)
def test_parallel_rows_refute_only_where_a_correlation_is_one(phi, sigma_w, sigma_b, row, parallel, positive):
    model = hd.DEQ(phi, sigma_w, 1.0, sigma_b)
    rows = np.array([[1.0, 0.5], PARALLEL[row]])
    check = model.check(rows)
    assert check["no two parallel rows"].outcome is parallel
    assert check["lambda_* > 0"].outcome is positive
    # the float matrix knows nothing of these rules
    gram = model.gram(rows)
    assert bool(np.linalg.eigvalsh(gram.matrix)[0] > 1e-6) is (positive is P)
    S = gram.preactivation
    if parallel is not U:
        assert bool(abs(S[0, 1]) > (1 - 1e-12) * np.sqrt(S[0, 0] * S[1, 1])) is (parallel is R)


@pytest.mark.parametrize(
    ("phi", "sigma_w", "sigma_b", "rows", "outcome"),
    [
        ("x^2", 0.0, 0.5, 7, R),  # six monomials in two coordinates
        ("x^3-x", 0.0, 0.0, 11, R),
        ("2*x+1", 0.3, 0.5, 4, R),
        ("2*x+1", 0.3, 0.5, 3, P),
        ("tanh", 0.3, 0.5, 11, P),
    ],
)
def test_polynomials_with_more_rows_than_monomials_have_no_least_eigenvalue(phi, sigma_w, sigma_b, rows, outcome):
    data = np.random.default_rng(rows).standard_normal((rows, 2))
    check = hd.DEQ(phi, sigma_w, 1.0, sigma_b).check(data)
    assert check["lambda_* > 0"].outcome is outcome
    if outcome is R:
        assert check.least_eigenvalue.upper == 0.0


def test_models_without_a_limit_are_reported_and_not_raised():
    check = hd.DEQ("exp(x)", sigma_w=0.5).check(X, width=100)
    assert check["bounded first derivative"].outcome is R
    assert check["lambda_* > 0"].outcome is U
    assert check.least_eigenvalue.lower == -math.inf


def test_a_python_function_proves_nothing():
    check, found = outcomes(np.tanh)
    assert found["bounded first derivative"] is U
    assert found["no two parallel rows"] is P
    assert check.least_eigenvalue.outcome is U


def test_printing_shows_every_item():
    check = hd.DEQ.paper("relu", sigma_w2=0.05).check(X, width=100, step=0.1)
    text = str(check)
    for item in (*check.hypotheses, *check.consequences):
        assert item.name in text
        assert item.explanation in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "width=0"),
        ({"width": 2.5}, "width=2.5"),
        ({"step": 0.1}, "step is given without width"),
        ({"width": 5, "step": -1.0}, "step = -1.0"),
        ({"width": 5, "step": math.nan}, "step = nan"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(hd.InvalidInputError, match=message):
        hd.DEQ("tanh", 0.2).check(X, **arguments)
    with pytest.raises(hd.InvalidInputError, match="no hypothesis is named"):
        hd.DEQ("tanh", 0.2).check(X)["luck"]


@pytest.mark.slow
def test_rows_that_are_exactly_parallel_are_never_proven_otherwise():
    """Rows of 4,096 equal entries c and 3 c, both exact: sums round one way, and the cosine comes out 29 u below 1."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        row = np.full(4096, 1.0 + rng.integers(1, 2**25) * 2.0**-25)
        assert no_parallel_rows(np.array([row, 3.0 * row]), hd.DEQ("relu", 0.3)).outcome is hd.Outcome.REFUTED

"""What is proven stays what it is proven of: read-only results, exact numbers, refused conversions."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sympy as sp

import hermite_dual as hd

X = np.array([[1.0, 0.0], [0.6, 0.8], [-0.28, 0.96]])
PROVEN, REFUTED, UNDECIDED = hd.Outcome.PROVEN, hd.Outcome.REFUTED, hd.Outcome.UNDECIDED


@pytest.fixture(scope="module")
def G():
    return hd.DEQ("tanh", 0.5).gram(X)


def results():
    model = hd.DEQ("tanh", 0.3)
    gram, tangent, net = model.gram(X), model.ntk(X), model.sample(12, 2, seed=0)
    yield from (gram.matrix, np.asarray(gram), gram.variances, gram.model.samples, gram.least_eigenvalue().vector)
    yield from (gram.entry_bounds.errors, gram.entry_bounds.preactivation_errors, gram.eigenvalues().values)
    yield from (tangent.matrix, np.asarray(model.gram(X, X[:2])), model.gram(X, X[:2]).variances)
    yield from (
        net.W,
        net.U,
        net.b,
        net.a,
        net.equilibrium(X).Z,
        net.ntk(X).matrix,
        hd.dual("tanh").expansion().coefficients,
    )
    yield hd.check_lower_bound(gram, 0.5).vector


def test_arrays_that_results_hand_out_are_read_only():
    for array in results():
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0


def test_a_copy_is_one_call_away_and_the_samples_of_the_user_stay_theirs(G):
    mine = X.copy()
    gram = hd.DEQ("tanh", 0.5).gram(mine)
    before = gram.least_eigenvalue()
    np.array(gram)[0, 0] += 1.0
    mine[:] = 7.0
    assert hd.DEQ("tanh", 0.5).gram(X).check_lower_bound(before.lower).outcome is PROVEN
    assert gram.entry_error == G.entry_error


def test_functions_of_a_gram_matrix_count_its_own_errors(G):
    found, own = hd.least_eigenvalue(G), G.least_eigenvalue()
    assert (found.lower, found.upper) == (own.lower, own.upper)
    bare = hd.least_eigenvalue(np.array(G))
    assert found.lower < bare.lower  # the entries' errors, which a bare matrix does not have
    assert hd.eigenvalues(G).radius == G.eigenvalues().radius
    assert hd.check_lower_bound(np.array(G), bare.lower).outcome is PROVEN
    assert hd.check_lower_bound(G, bare.lower).outcome is not PROVEN
    for ask in (hd.least_eigenvalue, hd.eigenvalues, lambda A, e: hd.check_lower_bound(A, 0.01, e)):
        with pytest.raises(hd.InvalidInputError, match="leave entry_error out"):
            ask(G, 1e-20)


QUARTER = [[0.25, 0.0], [0.0, 1.0]]
TINY = Fraction(1, 10**30)


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        (Fraction(1, 4), {PROVEN}),
        (Decimal("0.25"), {PROVEN}),
        (sp.Rational(1, 4), {PROVEN}),
        (np.float32(0.25), {PROVEN}),
        (sp.sqrt(2) / 8, {PROVEN}),
        (Decimal("0.1"), {PROVEN}),
        (0, {PROVEN}),
        (-(10**300), {PROVEN}),
        (Fraction(1, 4) - TINY, {PROVEN, UNDECIDED}),
        (Fraction(1, 4) + TINY, {REFUTED, UNDECIDED}),
        (np.longdouble("0.25") + np.longdouble("1e-19"), {REFUTED, UNDECIDED}),
        (Decimal("0.25000000000000000000001"), {REFUTED, UNDECIDED}),
        (sp.pi, {REFUTED}),
        (2**53 + 1, {REFUTED}),
    ],
)
def test_claims_of_exact_types_are_never_rounded_into_a_proof(value, allowed):
    assert hd.check_lower_bound(QUARTER, value).outcome in allowed


@pytest.mark.parametrize(
    "value",
    ["0.1", 1j, float("nan"), float("inf"), True, None, np.array([0.1]), 10**400, sp.Symbol("t"), Decimal("NaN")],
)
def test_claims_that_are_no_numbers_are_refused_by_name(G, value):
    for ask in (lambda: hd.check_lower_bound(QUARTER, value), lambda: G.check_lower_bound(value)):
        with pytest.raises(hd.InvalidInputError, match=r"^value = "):
            ask()


@pytest.mark.parametrize(
    "entry", [Fraction(1, 3), Decimal("0.1"), 2**60 + 1, np.longdouble(1) / 3, sp.Rational(1, 7), np.uint64(2**63 + 1)]
)
def test_matrices_of_exact_types_are_enclosed(entry):
    dtype = object if isinstance(entry, (Fraction, Decimal, int, sp.Expr)) else type(entry)
    matrix = np.array([[entry, entry * 0], [entry * 0, entry]], dtype=dtype)
    whole = isinstance(entry, (sp.Expr, np.uint64))
    exact = Fraction(str(entry)) if whole else Fraction(*entry.as_integer_ratio())
    bounds = hd.least_eigenvalue(matrix)
    assert Fraction(bounds.lower) <= exact <= Fraction(bounds.upper)
    assert hd.eigenvalues(matrix).outcome is PROVEN


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(2) * 1j, "complex numbers"),
        (np.ma.masked_array(np.eye(2), mask=[[True, False], [False, False]]), "filled"),
        (scipy.sparse.eye(2), "toarray"),
        ([[1.0, 2.0], [3.0]], "rows of one length"),
        (np.array([["1", "0"], ["0", "1"]]), "strings"),
        (np.array([["2020", "2021"]] * 2, dtype="M8[Y]"), "dates"),
        (np.array([[1.0, None], [None, 1.0]], dtype=object), r"\[0, 1\] = None"),
        (np.array([[1.0, "0"], ["0", 1.0]], dtype=object), r"\[0, 1\] = '0'"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "not finite"),
    ],
)
def test_what_is_no_real_matrix_is_refused_with_the_remedy(matrix, message):
    asks = [hd.least_eigenvalue, hd.eigenvalues, lambda A: hd.check_lower_bound(A, 0.0), hd.DEQ("tanh", 0.3).gram]
    asks += [hd.DEQ("tanh", 0.3).ntk, hd.DEQ("tanh", 0.3).check, hd.on_sphere]
    for ask in asks:
        with pytest.raises(hd.InvalidInputError, match=message):
            ask(matrix)


def test_a_tensor_that_needs_its_gradient_says_so():
    class Tensor:
        requires_grad = True

        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    with pytest.raises(hd.InvalidInputError, match=r"detach\(\)"):
        hd.least_eigenvalue(Tensor())


PYTHON = "__import__('pathlib').Path('executed').touch()"


@pytest.mark.parametrize(
    "ask",
    [
        lambda k: k.coefficient(1, PYTHON),
        lambda k: k.coefficient_formula(PYTHON),
        lambda k: k.coefficient_balls(2, PYTHON),
        lambda k: k.ball(PYTHON, 1, 0),
        lambda k: k.kernel(PYTHON, 1, 0),
        lambda k: k.coefficients(3, PYTHON),
        lambda k: k.expansion(1e-3, PYTHON),
        lambda k: k(PYTHON),
        lambda _: hd.activation(PYTHON),
        lambda _: hd.activation("leaky_relu", alpha=PYTHON),
        lambda _: hd.activation(np.tanh, kinks=[PYTHON]),
        lambda _: hd.DEQ("relu", PYTHON),
        lambda _: hd.table([PYTHON]),
    ],
)
def test_strings_are_never_executed(ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(hd.HermiteDualError):
        ask(hd.dual("relu"))
    assert not list(tmp_path.iterdir())


def test_accuracies_out_of_reach_are_refused_at_once():
    with pytest.raises(hd.InvalidInputError, match="from 1 to 1000"):
        hd.dual("relu").ball(1, 1, 0, digits=10**9)


class Scalar:
    """An array without dimensions, as other libraries have them."""

    ndim = 0

    def __array__(self, dtype=None, copy=None):
        return np.array(0.25, dtype=dtype)


@pytest.mark.parametrize("value", [0.25, np.float32(0.25), np.array(0.25), Scalar(), Fraction(1, 4), sp.Rational(1, 4)])
def test_scales_are_numbers_of_any_exact_type(value):
    assert hd.DEQ("tanh", value).sigma_w == 0.25


@pytest.mark.parametrize("kind", ["Float64", "Int64", "object"])
def test_missing_values_of_pandas_are_named_and_its_numbers_taken(kind):
    frame = pd.DataFrame({"a": [1, 2, 5], "b": [2, 1, 1]}).astype(kind)
    model = hd.DEQ("tanh", 0.3)
    assert np.array_equal(model.gram(frame).matrix, model.gram(np.array([[1.0, 2], [2, 1], [5, 1]])).matrix)
    frame.iloc[1, 0] = pd.NA
    for call in (model.gram, model.ntk, model.check, hd.on_sphere, hd.least_eigenvalue):
        with pytest.raises(hd.InvalidInputError, match=r"\[1, 0\] = <NA> is no finite real number"):
            call(frame)
    with pytest.raises(hd.InvalidInputError, match="rho = <NA> is no finite"):
        hd.dual("tanh")(pd.NA)

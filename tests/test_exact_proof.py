"""Proofs in integers: a checker that shares no line with the package accepts true ones and no others."""

import copy
import json
import random
import runpy
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import hermite_dual as hd
from hermite_dual.certified.eigenvalues.entry_norm import RowSums
from hermite_dual.certified.eigenvalues.exact_proof import _shifted

check = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "check_an_exact_proof.py"))["check"]


def through_json(proof):
    return json.loads(json.dumps(proof))


KERNELS = (("tanh", 12), ("gelu", 12), ("relu", 20), ("erf", 8), ("hard_tanh", 10), ("softplus", 6))
SIZES = (1, 2, 3, 5, 8, 13)
NAMES = (*(name for name, _ in KERNELS), "unequal norms", "tangent", *(k for n in SIZES for k in (n, -n)))


@cache
def problem(name):
    """A matrix and a lower bound of its least eigenvalue; by a number, positive or less three times the identity."""
    digits = hd.load_digits()[0]
    if name == "unequal norms":
        A = hd.DEQ("gelu", 0.3).gram(digits[:9] / 16.0)
    elif name == "tangent":
        A = hd.DEQ.paper("tanh", 0.05).ntk(hd.on_sphere(digits[:7]))
    elif isinstance(name, str):
        A = hd.DEQ.paper(name, 0.05).gram(hd.on_sphere(digits[: dict(KERNELS)[name]]))
    else:
        A = positive_matrices()[abs(name)] - 3 * np.eye(abs(name)) * (name < 0)
        return A, hd.least_eigenvalue(A).lower
    return A, A.least_eigenvalue().lower


@cache
def positive_matrices():
    rng, matrices = np.random.default_rng(0), {}
    for n in SIZES:
        Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
        A = (Q * np.geomspace(1e-6, 1.0, n)) @ Q.T
        matrices[n] = (A + A.T) / 2
    return matrices


def test_there_are_twenty_problems():
    assert len(set(NAMES)) == 20


SLOW = {"gelu", "erf", "hard_tanh", "softplus", "unequal norms", "tangent"}


@pytest.mark.parametrize("name", [pytest.param(k, marks=[pytest.mark.slow] * (k in SLOW)) for k in NAMES])
def test_true_bounds_are_accepted_and_false_ones_have_no_proof(name):
    A, least = problem(name)
    slack = 1e-7 * abs(least)
    proof = through_json(hd.exact_proof(A, least - slack))
    assert check(proof)
    # what is stated is about the true matrix: its entries, with their own errors, are within those of the file
    unit = Fraction(1, 2 ** proof["exponent"])
    own = A.entry_bounds.errors if isinstance(A, hd.Gram) else np.zeros_like(A)
    distances = [
        sum(
            abs(Fraction(x) - proof["matrix"][max(i, j)][min(i, j)] * unit) + Fraction(e)
            for j, (x, e) in enumerate(row)
        )
        for i, row in enumerate(np.stack([np.asarray(A), own], axis=2).tolist())
    ]
    assert all(distance <= e * unit for distance, e in zip(distances, proof["row_errors"], strict=True))
    with pytest.raises(hd.AccuracyError, match="was not proven in integers"):
        hd.exact_proof(A, least + slack + 1e-12)


def altered(proof, draw):
    """A file that proves nothing, or states something false; None where the change happened to leave it true."""
    new = copy.deepcopy(proof)
    n, kind = len(new["matrix"]), draw.randrange(12)
    i, j = sorted((draw.randrange(n), draw.randrange(n)))
    num, den = new["value"]
    if kind == 0:  # a larger value than any diagonal entry
        new["value"] = [new["matrix"][i][i] + 1, 2 ** new["exponent"]]
    elif kind == 1:  # a diagonal entry below the value
        new["matrix"][i][i] = (num * 2 ** new["exponent"]) // den - draw.randrange(1, 100)
    elif kind == 2:  # errors that reach the value
        new["row_errors"][i] += new["matrix"][i][i] - (num * 2 ** new["exponent"]) // den + 1
    elif kind == 3:
        new["congruence"][i] = [0] * (i + 1)
    elif kind == 4:
        new["congruence"][j][i] = "1"
    elif kind == 5:
        new["matrix"][j][i] = float(new["matrix"][j][i])
    elif kind == 6:
        del new[draw.choice(["matrix", "value", "row_errors", "congruence", "exponent"])]
    elif kind == 7:
        new["row_errors"][i] = -1 - new["row_errors"][i]
    elif kind == 8:
        new["value"] = [num, -den]
    elif kind == 9:
        new["congruence"].pop()
    elif kind == 10:
        new["matrix"][i] = new["matrix"][i][:-1]
    else:
        new["value"] = [num, draw.choice([0, True, None, "2"])]
    return new


@pytest.mark.slow
def test_two_hundred_altered_proofs_are_refused():
    draw = random.Random(1)
    proofs = [through_json(hd.exact_proof(A, least - 1e-7 * abs(least))) for A, least in map(problem, NAMES)]
    for _ in range(200):
        assert not check(altered(draw.choice(proofs), draw))


def test_a_positive_diagonal_is_not_enough():
    # eigenvalues -1 and 3
    proof = {"exponent": 0, "value": [0, 1], "matrix": [[1], [2, 1]], "row_errors": [0, 0], "congruence": [[1], [0, 1]]}
    assert not check(proof)
    assert check(proof | {"matrix": [[3], [2, 3]]})
    assert not check(proof | {"matrix": [[2], [2, 2]]})  # eigenvalues 0 and 4: not above 0


def test_the_errors_of_entries_count_in_full():
    # B = [[0.7, -0.3], [-0.3, 0.7]] is within 0.3 of the identity: lambda_min is 0.4 there
    for error in (0.3, np.full((2, 2), 0.3), RowSums(np.array([0.6, 0.6]))):
        assert check(hd.exact_proof(np.eye(2), 0.39999, error))
        with pytest.raises(hd.AccuracyError):
            hd.exact_proof(np.eye(2), 0.40001, error)


def test_values_and_matrices_are_exact():
    A = np.array([[2.0, 1.0], [1.0, 2.0]])
    for value in (Fraction(9, 10), sp.Rational(9, 10), 0.9, 0):
        assert check(hd.exact_proof(A, value))
    assert check(hd.exact_proof([[5e-324]], 0))
    assert check(hd.exact_proof([[1e300, 1.0], [1.0, 1e-10]], 9e-11))
    with pytest.raises(hd.InvalidInputError, match="value = 'x'"):
        hd.exact_proof(A, "x")
    with pytest.raises(hd.InvalidInputError, match="501 rows"):
        hd.exact_proof(np.eye(501), 0.5)
    with pytest.raises(hd.AccuracyError, match="Python function"):
        hd.exact_proof(hd.DEQ(np.tanh, 0.2).gram(np.eye(2)), 0.0)
    with pytest.raises(hd.InvalidInputError, match="carries the proven errors"):
        hd.exact_proof(hd.DEQ("tanh", 0.2).gram(np.eye(2)), 0.0, 1e-3)


def test_what_is_checked_in_integers_is_the_matrix_less_errors_and_value():
    """2^-1 [[4, 2], [2, 4]] less row errors of 1/2 and a value of 1/3, times 2 and 3."""
    exact = _shifted([[4, 2], [2, 4]], [1, 1], 1, Fraction(1, 3))
    assert [[int(v) for v in row] for row in exact.tolist()] == [[7, 6], [6, 7]]

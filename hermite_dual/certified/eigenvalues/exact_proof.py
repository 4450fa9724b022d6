"""Proofs of lower bounds of least eigenvalues that integer arithmetic alone can check.

Derivation: docs/theory/eigenvalues.md, "Proofs in integers".
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpz_mat
from numpy.typing import ArrayLike
from scipy.linalg import cholesky, solve_triangular

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import exact_value
from hermite_dual.certified.eigenvalues.entry_norm import EntryError, RowSums
from hermite_dual.certified.eigenvalues.symmetric_input import has_own_error, symmetric_input
from hermite_dual.errors import AccuracyError, InvalidInputError
from hermite_dual.float_state import own_float_state

FORMAT = "hermite-dual exact bound 1"  # what a checker has to know
STATEMENT = (
    "lambda_min(B) > value for every symmetric B with sum_j |B_ij - matrix_ij| <= row_errors_i for all i; entries of "
    "matrix and row_errors are integers times 2^-exponent"
)  # the whole of it, for whoever reads the file
MOST_ROWS = 500  # a checker in plain Python takes some 10 s for them
_BITS = (20, 30, 40, 52)  # of the congruence, tried in turn: short ones make short files
_ROOM = 2**20  # part of the errors that the rounding of entries may add


@own_float_state
def exact_proof(A: ArrayLike, value: Any, entry_error: ArrayLike | RowSums = 0.0) -> dict[str, Any]:
    """Prove `lambda_min > value` in a form that a few lines of integer arithmetic can check without this package.

    With `M = A - diag(e) - value I`, e the row sums of the entry error, and an upper triangular matrix T of integers,
    `T^T M T` is strictly diagonally dominant: checked in integers, it proves that M is positive definite.
    `examples/check_an_exact_proof.py` is such a checker; it needs Python alone.

    Args:
        A: a Gram matrix with its own proven errors, or a symmetric float64 matrix, shape (n, n), n at most 500.
        value: the lower bound, an exact number: an int, a float (its binary value), a `Fraction` or a SymPy rational.
        entry_error: bound of `|A_true - A|`, a number or shape (n, n), or its `RowSums`; of a Gram matrix leave it out.

    Returns:
        Lists, integers and strings, which `json` writes: `matrix` (lower triangle) and `row_errors` in units of
        `2^-exponent`, `value` as numerator and denominator, the columns of T as `congruence`, and the `statement`.

    Raises:
        InvalidInputError: A is no symmetric matrix of at most 500 rows, or the value is not exact.
        AccuracyError: nothing is proven of the entries, or the value is not below `lambda_min` by enough.

    >>> proof = exact_proof([[2.0, 1.0], [1.0, 2.0]], 0.75)
    >>> proof["matrix"], proof["value"], proof["exponent"]
    ([[2], [1, 2]], [3, 4], 0)
    """
    matrix, error = _read(A, entry_error)
    claim = exact_value(value)
    if claim is None:
        raise InvalidInputError(
            f"value = {value!r}: give the lower bound as an exact number, such as a float or Fraction"
        )
    sums = _row_sums(error, len(matrix))
    entries, errors, exponent = _integers(matrix, sums)
    shifted = matrix - np.diag(np.array(sums) + float(claim))
    exact = _shifted(entries, errors, exponent, claim)
    for congruence in _congruences(shifted):
        if _is_dominant(exact, congruence):
            return {
                "format": FORMAT,
                "statement": STATEMENT,
                "exponent": exponent,
                "value": [claim.numerator, claim.denominator],
                "matrix": [row[: i + 1] for i, row in enumerate(entries)],
                "row_errors": errors,
                "congruence": [column[: j + 1] for j, column in enumerate(congruence)],
            }
    raise AccuracyError(
        f"lambda_min > {value} was not proven in integers: the matrix less the value and the entries' errors has no "
        "Cholesky factor in float64, or one that is too inaccurate; take a smaller value"
    )


def _read(A: Any, entry_error: ArrayLike | RowSums) -> tuple[Array, EntryError]:
    rows = getattr(A, "shape", None) or np.shape(A)
    if len(rows) == 2 and rows[0] > MOST_ROWS:
        raise InvalidInputError(f"A has {rows[0]} rows; proofs in integers are made for up to {MOST_ROWS}")
    if not has_own_error(A, entry_error):
        given = symmetric_input(A, entry_error)
        return given.matrix, given.error
    entries = A.entry_bounds
    if entries.error is None:
        raise AccuracyError(f"nothing is proven of the entries: {entries.reason}")
    return np.asarray(A, dtype=np.float64), entries.error


def _row_sums(error: EntryError, n: int) -> list[float]:
    """Upper bounds of the row sums; `math.fsum` rounds once."""
    if isinstance(error, RowSums):
        return list(error.sums.tolist())
    rows = [[error] * n] * n if isinstance(error, float | int) else error.tolist()
    return [math.nextafter(total, math.inf) if (total := math.fsum(row)) else 0.0 for row in rows]


def _integers(matrix: Array, sums: list[float]) -> tuple[list[list[int]], list[int], int]:
    """Entries and row errors in units of `2^-exponent`: exact ones, or rounded by a small part of the errors."""
    n, least = len(matrix), min(sums)
    if least > 0.0:
        exponent = max(0, math.ceil(math.log2(_ROOM * n / least)))
        entries = [[round(Fraction(x) * 2**exponent) for x in row] for row in matrix.tolist()]
        return entries, [math.ceil(Fraction(e) * 2**exponent) + n for e in sums], exponent
    numbers = [*matrix.ravel().tolist(), *sums]
    exponent = max(x.as_integer_ratio()[1].bit_length() - 1 for x in numbers)
    entries = [[int(Fraction(x) * 2**exponent) for x in row] for row in matrix.tolist()]
    return entries, [int(Fraction(e) * 2**exponent) for e in sums], exponent


def _shifted(entries: list[list[int]], errors: list[int], exponent: int, claim: Fraction) -> fmpz_mat:
    """`A - diag(e) - value I` times `2^exponent` and the value's denominator."""
    below = claim.numerator * 2**exponent
    rows = [[claim.denominator * x for x in row] for row in entries]
    for i, row in enumerate(rows):
        row[i] -= claim.denominator * errors[i] + below
    return fmpz_mat(rows)


def _congruences(shifted: Array) -> Iterator[list[list[int]]]:
    """Yield columns of the inverse of the Cholesky factor, rounded to more and more bits; none without a factor."""
    try:
        factor = cholesky(shifted, lower=False)
    except np.linalg.LinAlgError:
        return
    inverse = solve_triangular(factor, np.eye(len(shifted)), lower=False)
    _, exponents = np.frexp(np.abs(inverse).max(axis=0))
    shifts = (exponents - exponents.min()).tolist()  # their scales make the diagonal of the congruence even
    for bits in _BITS:
        columns = np.rint(np.ldexp(inverse, bits - exponents)).T.tolist()
        yield [[int(x) << shift for x in column] for column, shift in zip(columns, shifts, strict=True)]


def _is_dominant(exact: fmpz_mat, columns: list[list[int]]) -> bool:
    T = fmpz_mat(columns)  # its rows are the columns of the congruence
    rows = (T * exact * T.transpose()).tolist()
    return all(2 * row[i] > sum(map(abs, row)) for i, row in enumerate(rows))

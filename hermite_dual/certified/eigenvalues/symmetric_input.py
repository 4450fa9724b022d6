"""Symmetric matrices and their entry errors as users give them, checked.

Derivation: docs/theory/eigenvalues.md, "All eigenvalues".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.certified.eigenvalues.entry_norm import EntryError, RowSums
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import float_array
from hermite_dual.numeric.symmetric import largest_modulus


@dataclass(frozen=True)
class SymmetricInput:
    """A checked symmetric matrix.

    Attributes:
        matrix: finite and symmetric, shape (n, n), rows contiguous.
        error: bound of `|A_true - A|`, a number, symmetric of shape (n, n), or its row sums.
        largest: the largest modulus of an entry.
    """

    matrix: Array
    error: EntryError
    largest: float


def has_own_error(A: object, entry_error: object) -> bool:
    """Whether A is a Gram matrix, whose proofs count the proven errors of its entries.

    Raises:
        InvalidInputError: another error is given as well.
    """
    if not callable(getattr(A, "least_eigenvalue", None)):
        return False
    if not (isinstance(entry_error, (int, float)) and entry_error == 0):
        raise InvalidInputError(
            "A carries the proven errors of its own entries: leave entry_error out, or pass numpy.array(A) for a "
            "matrix of which nothing else is known"
        )
    return True


def symmetric_input(A: ArrayLike, entry_error: ArrayLike | RowSums) -> SymmetricInput:
    """Check the matrix and its error.

    Args:
        A: symmetric matrix, shape (n, n); it is copied only if it is not a float64 array with contiguous rows.
        entry_error: bound of `|A_true - A|`, a number or shape (n, n), or its row sums, shape (n,).

    Raises:
        InvalidInputError: A is not a finite symmetric square matrix, or the error is negative or not finite.
    """
    read, rounding = float_array(A, "A")
    matrix = np.ascontiguousarray(read)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise InvalidInputError(f"A has shape {matrix.shape}; a symmetric matrix needs shape (n, n) with n >= 1")
    largest = largest_modulus(matrix)
    if np.isnan(largest):
        _refuse(matrix)
    if isinstance(entry_error, RowSums):
        if not isinstance(rounding, float):
            raise InvalidInputError("A is no float64 matrix, and its rounding cannot be added to row sums: convert it")
        if entry_error.sums.shape != matrix.shape[:1]:
            raise InvalidInputError(
                f"{entry_error.sums.size} row sums for {matrix.shape[0]} rows; give one for each row"
            )
        return SymmetricInput(matrix, entry_error, largest)
    given, inexact = float_array(entry_error, "entry_error")
    error = given + inexact + rounding
    if not (isinstance(inexact, float) and isinstance(rounding, float)):
        error = np.nextafter(np.nextafter(error, np.inf), np.inf)  # two sums
    if error.ndim not in (0, 2) or (error.ndim == 2 and error.shape != matrix.shape):
        raise InvalidInputError(
            f"entry_error has shape {error.shape}; give a number or an array of shape {matrix.shape}"
        )
    if not float(error.min()) >= 0 or not float(error.max()) < np.inf:
        raise InvalidInputError("entry_error must be finite and >= 0 everywhere; it bounds |A_true - A|")
    if error.ndim == 0:
        return SymmetricInput(matrix, float(error), largest)
    error = np.ascontiguousarray(error)
    return SymmetricInput(matrix, np.maximum(error, error.T) if np.isnan(largest_modulus(error)) else error, largest)


def _refuse(matrix: Array) -> None:
    """Name the entry that is not finite, or else the pair that differs most."""
    for i, row in enumerate(matrix):
        if not np.all(np.isfinite(row)):
            j = int(np.argmin(np.isfinite(row)))
            raise InvalidInputError(f"A[{i}, {j}] = {row[j]} is not finite; remove or repair that row")
    i, j = divmod(int(np.argmax(np.abs(matrix - matrix.T))), len(matrix))
    raise InvalidInputError(
        f"A is not symmetric: A[{i}, {j}] = {matrix[i, j]!r} but A[{j}, {i}] = {matrix[j, i]!r}; pass (A + A.T) / 2"
    )

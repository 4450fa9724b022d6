"""Enclosures of all eigenvalues of a symmetric matrix from one numerical eigendecomposition.

For symmetric A, `D = diag(d)` with ascending entries and any nonsingular X

    |lambda_i(A) - d_i| <= ||A X - X D||_2 / sigma_min(X)      for every i,

proven in the documentation. X and d come from LAPACK and are exact floats here; the residual is computed in floats, its
rounding bounded, and `sigma_min(X)^2 >= 1 - ||X^T X - I||_2`.

Derivation: docs/theory/eigenvalues.md, "All eigenvalues".
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma, norm_above, sum_above
from hermite_dual.certified.eigenvalues.entry_norm import entry_norm
from hermite_dual.certified.eigenvalues.symmetric_input import SymmetricInput, has_own_error, symmetric_input
from hermite_dual.exact_numbers import freeze
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown, Told
from hermite_dual.outcome import Outcome

_CHUNK = 256  # rows of a product that are summed before they are added to the others
_RANGE = 2.0**300  # beyond it squares of entries could overflow
Decomposition = tuple[Array, Array]
"""Estimates of the eigenvalues, ascending, shape (n,), and of the eigenvectors, a column each, shape (n, n)."""


@dataclass(frozen=True, eq=False, repr=False)
class Spectrum(Shown):
    """Enclosures of all eigenvalues, in ascending order.

    Attributes:
        values: estimates, shape (n,).
        radius: the i-th eigenvalue is within this of `values[i]`; infinite if nothing was proven.
        outcome: PROVEN if the radius is finite, else UNDECIDED.
        reason: how, or what is missing.
        vectors: estimated eigenvectors, a column each, shape (n, n). Where PROVEN, `|A v_i - values[i] v_i|` is at most
            1.3 radius in the 2-norm, and the columns are orthonormal to about `1e-16 n`. The angle to an eigenvector is
            about that over the distance to the next eigenvalue: where eigenvalues are closer, only the space is known.
    """

    values: Array
    radius: float
    outcome: Outcome
    reason: str
    vectors: Array

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        freeze(self.values, self.vectors)

    def _told(self) -> Told:
        ends = [("order", len(self.values)), ("least", self.values[0]), ("largest", self.values[-1])]
        return [*ends, ("radius", self.radius), ("outcome", self.outcome), ("reason", self.reason)]

    @property
    def lower(self) -> Array:
        """Lower bounds, shape (n,)."""
        return np.nextafter(self.values - self.radius, -np.inf)

    @property
    def upper(self) -> Array:
        """Upper bounds, shape (n,)."""
        return np.nextafter(self.values + self.radius, np.inf)


@own_float_state
def eigenvalues(A: ArrayLike, entry_error: ArrayLike = 0.0) -> Spectrum:
    """Enclose every eigenvalue of every symmetric matrix within an entrywise error of A.

    One radius serves all: about `3e-14 sqrt(n)` times the largest row sum of moduli, plus the norm of the entry errors.
    `least_eigenvalue` is much sharper for the least one and cheaper.

    Args:
        A: symmetric float64 matrix, shape (n, n).
        entry_error: bound of `|A_true - A|`, a number or shape (n, n).

    Returns:
        Enclosures that hold in exact arithmetic.

    Raises:
        InvalidInputError: A is not a finite symmetric square matrix, or the error is negative.

    Example:
        >>> found = eigenvalues([[2.0, 1.0], [1.0, 2.0]])
        >>> bool((found.lower <= [1, 3]).all() and ([1, 3] <= found.upper).all())
        True
    """
    if has_own_error(A, entry_error):
        spectrum: Spectrum = A.eigenvalues()  # type: ignore[union-attr]
        return spectrum
    given = symmetric_input(A, entry_error)
    return enclosed(given, decompose(given.matrix))


def decompose(matrix: Array) -> Decomposition:
    """Return LAPACK's eigenvalues and eigenvectors of a symmetric matrix, shape (n, n)."""
    values, vectors = scipy.linalg.eigh(matrix, check_finite=False)
    return values, vectors


def enclosed(given: SymmetricInput, decomposition: Decomposition) -> Spectrum:
    """Bound the distance of estimated eigenvalues to those of every symmetric matrix within the error.

    Args:
        given: the matrix and its error.
        decomposition: estimates of its eigenvalues and eigenvectors.
    """
    matrix, n = given.matrix, len(given.matrix)
    values, vectors = decomposition
    exponent = 0
    if given.largest > 0 and not 1 / _RANGE < given.largest < _RANGE:
        exponent = -int(np.frexp(given.largest)[1])
        scaled = np.ldexp(matrix, exponent)
        if not np.array_equal(np.ldexp(scaled, -exponent), matrix):
            reason = "entries of very different size do not fit into float64 together; rescale the matrix"
            return Spectrum(values, math.inf, Outcome.UNDECIDED, reason, vectors)
        matrix = scaled
    radius = float(np.ldexp(spectrum_radius(matrix, np.ldexp(values, exponent), vectors), -exponent))
    if exponent:
        radius += TINY  # values and radius may have been rounded to subnormal numbers
    radius = math.nextafter((radius + entry_norm(given.error, n)) * (1 + 4 * UNIT), math.inf)
    if not math.isfinite(radius):
        reason = "the eigendecomposition is not accurate enough"
        return Spectrum(values, math.inf, Outcome.UNDECIDED, reason, vectors)
    reason = "residual of an eigendecomposition with its rounding"
    return Spectrum(values, radius, Outcome.PROVEN, reason, vectors)


def spectrum_radius(A: Array, values: Array, vectors: Array) -> float:
    """An upper bound of `|lambda_i(A) - values_i|` over all i; infinite if the vectors are too far from orthonormal.

    Args:
        A: symmetric, shape (n, n).
        values: ascending floats, shape (n,).
        vectors: any floats, shape (n, n), close to the eigenvectors.
    """
    if not np.all(np.diff(values) >= 0):
        return math.inf
    n = len(A)
    units = product_units(n)
    size = float(norm_above(vectors.ravel()))
    defect = chunked_product(vectors.T, vectors)
    defect[np.diag_indices(n)] -= 1.0
    # rounding: products `units |X|^T |X|`, and one subtraction on the diagonal
    gap = (float(norm_above(defect.ravel())) * (1 + UNIT) + units * size * size + 4.0 * n * n * TINY) * UP
    if not gap < 0.5:
        return math.inf
    residual = chunked_product(A, vectors)
    residual -= vectors * values
    rows = float(np.max(sum_above(np.abs(A))))
    top = float(np.max(np.abs(values)))
    # || |A| |X| ||_F <= || |A| ||_2 ||X||_F, and the 2-norm is at most the largest row sum
    norm = float(norm_above(residual.ravel())) * (1 + 2 * UNIT)
    norm += (units * rows + 2 * UNIT * top) * size + 8.0 * n * n * TINY
    return norm * UP / math.sqrt(1 - gap) * (1 + 8 * UNIT)


def product_units(n: int) -> float:
    """The factor `(gamma_c + gamma_K)(1 + tiny)` of `|A| |B|` in the error of their product over an index below n."""
    return (gamma(min(_CHUNK, n)) + gamma(-(-n // _CHUNK))) * UP


def chunked_product(A: Array, B: Array) -> Array:
    """`A B`, summed in chunks: an entry errs by at most `product_units(n) |A| |B|` and underflow."""
    total = np.zeros((A.shape[0], B.shape[1]))
    for start in range(0, A.shape[1], _CHUNK):
        total += A[:, start : start + _CHUNK] @ B[start : start + _CHUNK]
    return total

"""Bounds of a least eigenvalue for the second proof of a claim, from a measured residual.

Whatever float computation produced R, `R^T R` is positive semidefinite. So with `E = R^T R - (A - s I)`

    lambda_min(A) >= s - ||E||_2,

and E is computed, with an exact leading part, rather than bounded beforehand. The upper bound is a Rayleigh quotient
computed likewise. Neither shares code with the proof that wrote the claim, which bounds the rounding of its own
factorization.

Derivation: docs/theory/certificates.md, "Certificates of claims".
"""

import math

import numpy as np
from scipy.linalg import solve_triangular

from hermite_dual.arrays import Array
from hermite_dual.certified.counted.sliced_product import sliced_product
from hermite_dual.errors import InvalidInputError

_UNIT = 2.0**-53  # u, of its own: the second proof shares no constant with the first
_UP = 1.0 + 2.0**-40  # covers the roundings in which a bound itself is computed
_ATTEMPTS = 3  # the margin grows with each
_WHOLE = 12_288  # order above which the factor is made by halves


def plain_lower_bound(matrix: Array, value: float, error: float) -> float:
    """The lower bound that a factorization a little above `value` proves; `-inf` if it proves none.

    Args:
        matrix: symmetric, shape (n, n).
        value: the bound that is hoped for.
        error: bound of the 2-norm of the matrix's own error.

    Raises:
        InvalidInputError: the matrix is not symmetric.
    """
    n = matrix.shape[0]
    if matrix.ndim != 2 or matrix.shape != (n, n) or not np.array_equal(matrix, matrix.T):
        raise InvalidInputError(
            f"matrix has shape {matrix.shape} or is not symmetric; rebuild must return a symmetric one"
        )
    margin = 8 * n * _UNIT * float(np.abs(np.diagonal(matrix)).max(initial=0.0))
    best = -math.inf
    for _ in range(_ATTEMPTS):
        # the subtractions below round by a few units of the value itself
        shift = value + 1.01 * error + margin + 8 * _UNIT * abs(value)
        residual = _residual(matrix, shift)
        best = max(best, _below(shift, residual, error))
        if best >= value or not math.isfinite(residual):
            break
        margin = 2.0 * residual
    return best


def _cholesky(matrix: Array) -> Array:
    """Cholesky's factor; beyond `_WHOLE` rows by halves, where NumPy's own ends the process on several threads."""
    n = len(matrix)
    if n <= _WHOLE:
        return np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
    half = n // 2
    lower = np.zeros((n, n))
    lower[:half, :half] = _cholesky(matrix[:half, :half])
    lower[half:, :half] = solve_triangular(lower[:half, :half], matrix[:half, half:], lower=True).T
    left = lower[half:, :half]
    # a product with a copy is a general one: the symmetric one has the same fault
    lower[half:, half:] = _cholesky(matrix[half:, half:] - left @ left.copy().T)
    return lower


def _residual(matrix: Array, shift: float) -> float:
    """An upper bound of `||R^T R - (A - s I)||_2` for Cholesky's R; infinite if it does not run to the end."""
    n = matrix.shape[0]
    shifted = matrix.copy()
    shifted[np.diag_indices(n)] -= shift
    try:
        lower = _cholesky(shifted)
    except np.linalg.LinAlgError:
        return math.inf
    product = sliced_product(lower, lower.T)
    residual = product.high - matrix
    # three roundings, each at most a unit of what it leaves
    size = np.abs(residual)
    residual[np.diag_indices(n)] += shift
    size[np.diag_indices(n)] += np.abs(np.diagonal(residual))
    residual += product.low
    np.abs(residual, out=residual)
    size += residual
    sums = residual.sum(axis=1) + 2 * _UNIT * size.sum(axis=1)
    sums += product.rows * float(product.columns.sum())
    # E is symmetric, so its largest row sum bounds its 2-norm
    return float(sums.max()) * (1 + 4 * n * _UNIT) * _UP


def _below(shift: float, residual: float, error: float) -> float:
    return math.nextafter(math.nextafter(shift - residual, -math.inf) - error, -math.inf)


def plain_upper_bound(matrix: Array, error: float) -> float:
    """The Rayleigh quotient of LAPACK's eigenvector, its residual part exact.

    Args:
        matrix: symmetric, shape (n, n).
        error: bound of the 2-norm of the matrix's own error.
    """
    n = matrix.shape[0]
    _, vectors = np.linalg.eigh(matrix)
    x = np.ascontiguousarray(vectors[:, :1])
    product = sliced_product(matrix, x)
    image = product.high + product.low
    wrong = _UNIT * np.abs(image) + (product.rows * float(product.columns[0]))[:, None]
    size = np.abs(x)
    # a sum of n products rounds by g_n of its moduli; the products' own error is `wrong`
    g = (n + 2) * _UNIT / (1 - (n + 2) * _UNIT)
    high = float((x * image).sum()) + (g * float((size * np.abs(image)).sum()) + float((size * wrong).sum())) * (
        1 + 4 * g
    )
    high += 4.0 * n * 2.0**-1000
    length = float((x * x).sum())
    # x^T x rounds by g relatively, the quotient and the sums once each
    bound = high / length
    return math.nextafter(bound + abs(bound) * (2 * g + 8 * _UNIT) + error * (1 + 2 * _UNIT), math.inf)

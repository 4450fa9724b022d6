"""Matrix products in float64 whose leading part is exact.

Each row of the left factor and each column of the right one is cut at a power of two, so that the leading slices are
integers of b bits times that power, `2 b + log2 d <= 53`: their product has sums of at most 2^53, which float64 holds
exactly, in any order and fused or not (Ozaki, Ogita, Oishi, Rump 2012, "Error-free transformations of matrix
multiplication"). What is cut off is `2^-b` of the largest element of its row, and so is the rounding of its products.

Derivation: docs/theory/certificates.md, "Certificates of claims".
"""

import math
from dataclasses import dataclass

import numpy as np

from hermite_dual.arrays import Array, Mask

_UNIT = 2.0**-53  # u, of its own: the second proof shares no constant with the first
_UP = 1.0 + 2.0**-40
"""Covers the roundings in which a bound itself is computed, but for the sums of d terms, which are counted."""
_LEAST, _LARGEST = 2.0**-400, 2.0**400
"""Between these moduli of a row's largest element nothing overflows, and what underflows stays below the floor."""
_FLOOR = 2.0**-500  # added to bounds, for what underflows in sums of squares


@dataclass(frozen=True)
class SlicedProduct:
    """A product in two parts.

    Attributes:
        high: the exact product of the leading slices, shape (m, n).
        low: the rest in floats, shape (m, n).
        rows: `|A B - high - low|_ij <= rows_i columns_j`, shape (m,); infinite where a scale is out of range.
        columns: shape (n,).
    """

    high: Array
    low: Array
    rows: Array
    columns: Array


def sliced_product(A: Array, B: Array) -> SlicedProduct:
    """Multiply two matrices of finite floats.

    With leading slices S, T and rests a, b, `A B = S T + S b + a B`. The last two products round by `g_d` relative to
    their factors' moduli and their sum once more, so for any `w > 0` Cauchy-Schwarz gives

        |error|_ij <= g_{d+2} (|S_i||b_j| + |a_i||B_j|) <= g_{d+2} |(w S_i, a_i/w)| |(b_j/w, w B_j)|.

    Args:
        A: shape (m, d).
        B: shape (d, n).

    Example:
        >>> found = sliced_product(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
        >>> float(found.high[0, 0] + found.low[0, 0])
        11.0
    """
    d = A.shape[1]
    bits = (53 - math.ceil(math.log2(max(d, 1)))) // 2
    (S, a, first), (T, b, second) = _cut(A, bits), _cut(B.T, bits)
    low = S @ b.T
    low += a @ B
    weight = 2.0 ** -(bits // 2)
    # sqrt of a sum of d squares: (d + 2)/2 roundings, a few more for the rest
    up = (1.0 + (d + 8) * _UNIT / (1.0 - (d + 8) * _UNIT)) * _UP
    count = (d + 2) * _UNIT / (1.0 - (d + 2) * _UNIT) * up
    rows = np.hypot(weight * _norms(S), _norms(a) / weight) * count
    columns = np.hypot(_norms(b) / weight, weight * _norms(B.T)) * up
    return SlicedProduct(S @ T.T, low, _floored(rows, first), _floored(columns, second))


def _cut(rows: Array, bits: int) -> tuple[Array, Array, Mask]:
    """Leading slices, rests, and whether the scale of each row is in range."""
    largest = np.abs(rows).max(axis=1, initial=0.0)
    grid = np.ldexp(1.0, np.frexp(largest)[1] - bits)[:, None]
    with np.errstate(under="ignore"):
        lead = np.rint(rows / grid) * grid
    return lead, rows - lead, (largest == 0.0) | ((largest > _LEAST) & (largest < _LARGEST))


def _norms(rows: Array) -> Array:
    with np.errstate(under="ignore", over="ignore"):
        return np.sqrt(np.einsum("ij,ij->i", rows, rows))


def _floored(factors: Array, fits: Mask) -> Array:
    return np.where(fits, factors + _FLOOR, math.inf)

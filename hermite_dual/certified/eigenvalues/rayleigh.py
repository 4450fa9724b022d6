"""Upper bounds of the least eigenvalue: Rayleigh quotients with every rounding bounded.

`lambda_min(A) <= x^T A x / x^T x` for any x. Each row product is computed in twice the working precision: products and
sums are split into a float and its exact rounding error, and the sum of the errors, at most `g_n |a|^T |x|` in modulus,
is accumulated with a relative error below `g_n`. What is lost per row is thus at most `g_n^2 |a|^T |x|` plus underflow.

Derivation: docs/theory/eigenvalues.md, "Least eigenvalue: upper bound".
"""

import math

import numpy as np
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import upper_float, working_precision
from hermite_dual.certified.balls.rounding import TINY, gamma
from hermite_dual.certified.eigenvalues.entry_norm import EntryError, entry_form
from hermite_dual.numeric.jit import helper, kernel, prange

_SPLITTER = 134217729.0  # 2^27 + 1: cuts a 53-bit significand into two halves whose products are exact
BITS = 256
"""Precision in which the parts of a Rayleigh quotient are added up."""


@helper
def _row_product(row: Array, x: Array, upper: Array, lower: Array) -> tuple[float, float, float]:
    """High part, low part and sum of moduli of a row's product; `upper + lower` is x, cut into halves."""
    s, c, m = 0.0, 0.0, 0.0
    for j in range(x.size):
        a = row[j]
        p = a * x[j]
        t = _SPLITTER * a
        ah = t - (t - a)
        al = a - ah
        e = al * lower[j] - (((p - ah * upper[j]) - al * upper[j]) - ah * lower[j])
        r = s + p
        z = r - s
        c += e + ((s - (r - z)) + (p - z))
        s = r
        m += abs(p)
    return s, c, m


@kernel
def _row_products(A: Array, x: Array) -> tuple[Array, Array, Array]:
    """High part, low part and sum of moduli of every `A[i] @ x`."""
    m, n = A.shape
    high, low, size = np.empty(m), np.empty(m), np.empty(m)
    upper, lower = np.empty(n), np.empty(n)
    for j in range(n):
        t = _SPLITTER * x[j]
        upper[j] = t - (t - x[j])
        lower[j] = x[j] - upper[j]
    for i in prange(m):
        high[i], low[i], size[i] = _row_product(A[i], x, upper, lower)
    return high, low, size


def quadratic_form(A: Array, x: Array, y: Array | None = None) -> arb:
    """A ball of `y^T A x` at the working precision; not finite if the arithmetic overflowed.

    Args:
        A: shape (m, n).
        x: shape (n,).
        y: shape (m,); by default x.
    """
    x = np.ascontiguousarray(x, dtype=np.float64)
    left = x if y is None else y
    high, low, size = _row_products(np.ascontiguousarray(A), x)
    if not (np.all(np.isfinite(high)) and np.all(np.isfinite(low)) and np.all(np.isfinite(size))):
        return arb.nan()
    n = x.size
    # the moduli themselves are rounded sums: the factor 2 covers them
    lost = 2 * gamma(n + 2) * gamma(n + 2) * size + 16 * n * TINY
    total = arb(0)
    for yi, hi, lo, loss in zip(left.tolist(), high.tolist(), low.tolist(), lost.tolist(), strict=True):
        total += arb(yi) * (arb(hi) + arb(lo) + arb(0, loss))
    return total


def rayleigh_upper(A: Array, x: Array, entry_error: EntryError = 0.0) -> float:
    """A float not below `x^T A' x / x^T x` for every A' within the entry error of A.

    Args:
        A: symmetric matrix, shape (n, n).
        x: any vector but zero, shape (n,).
        entry_error: bound of `|A' - A|`, scalar or shape (n, n), or of its row sums.

    Returns:
        The bound, which is also an upper bound of the least eigenvalue of A'; infinite if the arithmetic overflowed.
    """
    x = np.ascontiguousarray(x, dtype=np.float64)
    with working_precision(BITS):
        return quotient_upper(quadratic_form(A, x), x, entry_error)


def quotient_upper(form: arb, x: Array, entry_error: EntryError) -> float:
    """A float not below `x^T A' x / x^T x`, given a ball of `x^T A x`, at the working precision."""
    square = sum((arb(v) * arb(v) for v in x.tolist()), arb(0))
    if not form.is_finite() or not square > 0:
        return math.inf
    return upper_float((form + entry_form(entry_error, x)) / square)

"""Inner products of the rows of a matrix in float64, with error bounds smaller than those of one long sum.

Off the diagonal columns are taken in chunks of about `c = 2 sqrt(d)`: an entry then passes through at most c roundings
in its chunk and `d/c` outside, in any order and fused or not, which is `gamma_{c + d/c}` in place of `gamma_d`; half of
that c would bring four fifths of the bound and twice the passes. Squared norms are summed in twice the precision.

Derivation: docs/theory/entries.md, "Entries of a Gram matrix".
"""

import math

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma
from hermite_dual.numeric.exact_sums import two_product, two_sum

_SAFE = 1e140
"""Beyond this modulus the splitting of a product could overflow."""


def inner_products(X: Array) -> tuple[Array, Array]:
    """`X X^T` and bounds of its error, both of shape (n, n) and symmetric.

    Args:
        X: finite samples, shape (n, d).
    """
    squares, errors = squared_norms(X)
    norms = upper_norms(squares, errors)
    values, bounds = products_between(X, X, norms, norms)
    values = np.triu(values) + np.triu(values, 1).T
    np.fill_diagonal(values, squares)
    np.fill_diagonal(bounds, errors)
    return values, bounds


def products_between(X: Array, Y: Array, row_norms: Array, column_norms: Array) -> tuple[Array, Array]:
    """`X Y^T` and bounds of its error, both of shape (n, p).

    Args:
        X: finite samples, shape (n, d).
        Y: other samples, shape (p, d).
        row_norms: upper bounds of `|x_i|`, shape (n,).
        column_norms: upper bounds of `|y_j|`, shape (p,).
    """
    d = X.shape[1]
    chunk = min(d, 2 * math.isqrt(d))
    values, chunk_product = np.zeros((len(X), len(Y))), np.empty((len(X), len(Y)))
    for start in range(0, d, chunk):
        np.matmul(X[:, start : start + chunk], Y[:, start : start + chunk].T, out=chunk_product)
        values += chunk_product
    bounds = np.multiply.outer(row_norms, column_norms)
    bounds *= gamma(chunk + -(-d // chunk)) * UP
    bounds += 4 * d * TINY
    return values, bounds


def upper_norms(squares: Array, errors: Array) -> Array:
    """Upper bounds of `|x_i|` from `squared_norms`, shape (n,)."""
    return np.asarray(np.sqrt((squares + errors) * (1 + 4 * UNIT)) * (1 + 4 * UNIT))


def squared_norms(X: Array) -> tuple[Array, Array]:
    """`|x_i|^2` and bounds of the error, shape (n,).

    Products and sums are split into their float and its exact error (Dekker; Knuth). What is split off adds up to at
    most `2 gamma_d |x|^2`, so adding it in floats errs by at most `2 gamma_{d+2}^2 |x|^2`; the last sum rounds once.
    """
    n, d = X.shape
    if not np.abs(X).max(initial=0.0) < _SAFE:
        squares = np.einsum("ij,ij->i", X, X)
        return squares, (gamma(d + 2) * squares * UP * (1 + gamma(d)) + d * TINY)
    total, low = np.zeros(n), np.zeros(n)
    for column in X.T:
        product, rounding = two_product(column, column)
        total, lost = two_sum(total, product)
        low += rounding + lost
    squares = total + low
    return squares, ((UNIT + 4 * gamma(d + 2) ** 2) * squares * UP + 16 * d * TINY)

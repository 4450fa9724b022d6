"""Power series with coefficients that are not negative, of which the first n are kept, with the value at 1.

Derivation: docs/theory/layers.md, "Series in the cosine".
"""

from dataclasses import dataclass

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.numeric.mehler import EPS


@dataclass(frozen=True, eq=False)
class TruncatedSeries:
    """`f(xi) = sum_p f_p xi^p` on [-1, 1], all `f_p >= 0`.

    Sums, products and multiples keep it so; a number stands for the constant series.

    Attributes:
        coefficients: `f_p`, p < n, shape (n,).
        at_one: `f(1)`, the sum of all coefficients.
        error: estimate of the sum of the coefficients' errors, and of the error of `at_one`.
    """

    coefficients: Array
    at_one: float
    error: float
    __array_ufunc__ = None  # NumPy's numbers leave sums and products to this class

    def __add__(self, other: "TruncatedSeries | float") -> "TruncatedSeries":
        """Return the sum."""
        if isinstance(other, TruncatedSeries):
            total = self.at_one + other.at_one
            error = self.error + other.error + EPS * total
            return TruncatedSeries(self.coefficients + other.coefficients, total, error)
        shifted = self.coefficients.copy()
        shifted[0] += other
        return TruncatedSeries(shifted, self.at_one + other, self.error + EPS * other)

    def __mul__(self, other: "TruncatedSeries | float") -> "TruncatedSeries":
        """Return the product."""
        if isinstance(other, TruncatedSeries):
            total = self.at_one * other.at_one
            error = self.error * other.at_one + other.error * self.at_one + 2.0 * EPS * total
            return TruncatedSeries(product(self.coefficients, other.coefficients), total, error)
        scaled = other * self.at_one
        return TruncatedSeries(other * self.coefficients, scaled, other * self.error + EPS * scaled)

    __rmul__ = __mul__

    def resolvent(self) -> "TruncatedSeries":
        """Return `1/(1 - f)`, for `f(1) < 1`."""
        total = 1.0 / max(1.0 - self.at_one, EPS)
        return TruncatedSeries(resolvent(self.coefficients), total, (self.error + 4.0 * EPS) * total**2)


def product(first: Array, second: Array) -> Array:
    """Return as many coefficients of the product of two series as either has."""
    return np.asarray(np.convolve(first, second)[: len(first)])


def resolvent(series: Array) -> Array:
    """Return the coefficients of `1/(1 - f)` for `f_0 < 1`, by the recurrence `(1 - f_0) g_p = sum_j f_j g_(p-j)`."""
    result = np.zeros_like(series)
    result[0] = 1.0 / (1.0 - series[0])
    for p in range(1, len(series)):
        result[p] = result[0] * (series[1 : p + 1] @ result[p - 1 :: -1])
    return result


def compose(outer: Array, inner: Array) -> Array:
    """Return the first coefficients of `sum_r outer_r inner(xi)^r`, as many as the inner series has.

    Blocks of `sqrt(R)` terms share the powers of the inner series, and Horner's rule adds up the blocks: `2 sqrt(R)`
    products for R terms.
    """
    size = int(np.ceil(np.sqrt(len(outer))))
    powers = np.zeros((size + 1, len(inner)))
    powers[0, 0] = 1.0
    for j in range(size):
        powers[j + 1] = product(powers[j], inner)
    padded = np.zeros(size * size)
    padded[: len(outer)] = outer
    total = np.zeros_like(inner)
    for block in (padded.reshape(size, size) @ powers[:-1])[::-1]:
        total = product(total, powers[-1]) + block
    return total

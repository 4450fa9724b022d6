"""Sums and products of floats together with their rounding errors, which are floats again."""

import numpy as np

from hermite_dual.arrays import Array

_SPLIT = 2.0**27 + 1.0


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return `a + b` rounded and the rounding error (Knuth)."""
    total = a + b
    b_virtual = total - a
    return total, (a - (total - b_virtual)) + (b - b_virtual)


def two_product(a: Array | np.float64, b: Array | np.float64) -> tuple[Array, Array]:
    """Return `a b` rounded and the rounding error (Dekker 1971), where neither overflows nor underflows."""
    product = np.asarray(a * b)
    a_high, b_high = a * _SPLIT - (a * _SPLIT - a), b * _SPLIT - (b * _SPLIT - b)
    a_low, b_low = a - a_high, b - b_high
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, np.asarray(error)

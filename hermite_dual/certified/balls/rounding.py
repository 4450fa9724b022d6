"""Units in which roundings of float64 are counted.

A bound written in Python is an expression in non-negative terms (plus, times, over, root; no minus), and ends with one
factor `UP`; sums longer than what that covers go through `sum_above` and `norm_above`. Compiled kernels count.

Derivation: docs/theory/entries.md, "Entries of a Gram matrix".
"""

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array

UNIT = 2.0**-53
"""Unit roundoff u of float64."""
TINY = 2.0**-1021
"""No single operation loses more than this to underflow, also where a library has let subnormal numbers become zero.

Results below 2^-1022 are then zero, and so are operands, each as if the operation that made it had lost as much.
"""
UP = 1.0 + 2.0**-40
"""Outward factor: covers the roundings of the up to 8,000 operations on non-negative terms that make a bound."""


def gamma(m: int) -> float:
    """`m u/(1 - m u)`, rounded up."""
    return m * UNIT / (1 - m * UNIT) * (1 + 8 * UNIT)


def sum_above(terms: ArrayLike) -> Array:
    """Upper bounds of the sums of non-negative terms over the last axis, in whatever order NumPy adds them."""
    terms = np.asarray(terms, dtype=np.float64)
    return np.asarray(terms.sum(axis=-1) * (1 + gamma(terms.shape[-1] + 2)))


def norm_above(vectors: ArrayLike) -> Array:
    """Upper bounds of the 2-norms over the last axis; what underflows in squares is covered."""
    vectors = np.asarray(vectors, dtype=np.float64)
    count = vectors.shape[-1]
    squares = np.einsum("...j,...j->...", vectors, vectors)
    return np.asarray(np.sqrt(squares * (1 + gamma(count + 4)) + count * TINY) * (1 + 4 * UNIT))

"""What an entrywise error of a symmetric matrix does to its eigenvalues.

With `|A_true - A| <= E` entrywise, E symmetric, `||A_true - A||_2` is at most the largest row sum of E, and
`|x^T (A_true - A) x| <= |x|^T E |x| <= sum_i x_i^2 sum_j E_ij`, for `2 |x_i| |x_j| <= x_i^2 + x_j^2`.

Derivation: docs/theory/eigenvalues.md, "Least eigenvalue: upper bound", "Beyond memory".
"""

import math
from dataclasses import dataclass

import numpy as np
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import TINY, gamma
from hermite_dual.errors import InvalidInputError
from hermite_dual.notebook import Shown


@dataclass(frozen=True, eq=False, repr=False)
class RowSums(Shown):
    """Bounds of the row sums of an error matrix E that itself is not kept.

    Attributes:
        sums: upper bounds of `sum_j E_ij`, shape (n,).
    """

    sums: Array

    def __post_init__(self) -> None:
        if self.sums.ndim != 1 or not np.all(self.sums >= 0.0) or not np.all(np.isfinite(self.sums)):
            raise InvalidInputError("row sums of an entry error must be a vector of finite numbers >= 0")


EntryError = float | Array | RowSums


def entry_norm(error: EntryError, n: int) -> float:
    """An upper bound of the 2-norm of any symmetric matrix within the error: its largest row sum."""
    if isinstance(error, RowSums):
        return float(error.sums.max())
    if isinstance(error, np.ndarray):
        return float(np.max(error.sum(axis=1))) * (1 + 2 * gamma(n + 1))
    return math.nextafter(n * error, math.inf) if error > 0 else 0.0


def entry_form(error: EntryError, x: Array) -> arb:
    """An upper bound of `|x^T (A_true - A) x|`, at the working precision."""
    absolute = np.abs(x)
    if isinstance(error, RowSums):
        return sum((arb(v) * arb(v) * arb(s) for v, s in zip(x.tolist(), error.sums.tolist(), strict=True)), arb(0))
    if isinstance(error, np.ndarray):
        # rounding to nearest loses at most g_{2n+2} of a sum of non-negative terms
        rough = float(absolute @ (error @ absolute))
        return arb(rough) * (1 + arb(gamma(2 * x.size + 4))) + arb(x.size * x.size) * arb(TINY)
    total = sum((arb(v) for v in absolute.tolist()), arb(0))
    return arb(error) * total * total


def scaled_error(error: EntryError, exponent: int) -> EntryError:
    """A bound of the error times `2^exponent`."""
    if isinstance(error, RowSums):
        return RowSums(np.nextafter(np.ldexp(error.sums, exponent), np.inf))
    if isinstance(error, np.ndarray):
        return np.asarray(np.nextafter(np.ldexp(error, exponent), np.inf))
    return math.nextafter(math.ldexp(error, exponent), math.inf) if error > 0 else 0.0

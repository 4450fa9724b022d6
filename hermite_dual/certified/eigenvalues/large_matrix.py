"""What a proof of the least eigenvalue asks of a large symmetric matrix, wherever it is kept; and one in memory.

Derivation: docs/theory/eigenvalues.md, "Least eigenvalue: lower bound".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from flint import arb
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.eigenvalues.float_cholesky import shifted_cholesky, single_cholesky
from hermite_dual.certified.eigenvalues.rayleigh import BITS, quadratic_form
from hermite_dual.numeric.products import LARGEST_WHOLE
from hermite_dual.numeric.symmetric import single_upper

Precision = type[np.float32] | type[np.float64]

SINGLE_ORDER = 1024
"""Below it a float32 factorization costs less than what is around it."""


@dataclass(frozen=True)
class Operator:
    """A product with a vector.

    Attributes:
        apply: `x -> scale A x`, or about that.
        scale: the factor.
        dtype: of the vectors.
    """

    apply: Callable[[Array], Array]
    scale: float
    dtype: Precision


class ProvenFactor(Protocol):
    """A floating-point Cholesky factorization `R^T R = A - s I + E`."""

    @property
    def success(self) -> bool:
        """Whether every pivot was positive."""

    @property
    def error(self) -> float:
        """An upper bound of `||E||_2`; infinite without success."""

    def solve(self, b: Array) -> Array:
        """The computed solution of `R^T R x = b`, shape (n,)."""


class LargeMatrix(Protocol):
    """A symmetric matrix of which only a few operations are asked."""

    @property
    def order(self) -> int:
        """The number n of rows."""

    @property
    def diagonal(self) -> Array:
        """The diagonal, shape (n,)."""

    @property
    def largest(self) -> float:
        """The largest modulus of an entry."""

    def rough(self) -> Operator:
        """Products in the precision that a first look needs."""

    def times(self, vectors: Array) -> Array:
        """`A Q` in float64 for Q of shape (n, k)."""

    def inverse(self, shift: float, dtype: Precision) -> Operator | None:
        """About the inverse of `scale (A - shift I)`; None where its factorization fails."""

    def factor(self, shift: float) -> ProvenFactor:
        """Factor `A - shift I` in float64 and bound the error."""

    def form(self, x: Array) -> arb:
        """A ball of `x^T A x`; not finite if the arithmetic overflowed."""


@dataclass(frozen=True, eq=False)
class DenseMatrix:
    """A matrix in memory.

    Attributes:
        matrix: symmetric, shape (n, n), rows contiguous.
        largest: the largest modulus of an entry.
    """

    matrix: Array
    largest: float

    @property
    def order(self) -> int:
        """The number n of rows."""
        return self.matrix.shape[0]

    @property
    def diagonal(self) -> Array:
        """The diagonal, shape (n,)."""
        return self.matrix.diagonal()

    def rough(self) -> Operator:
        """Products in float32 for large orders."""
        if self.order > SINGLE_ORDER:
            single, scale = single_upper(self.matrix, self.largest)
            return Operator(lambda x: np.asarray(blas.ssymv(1.0, single.T, x, lower=1)), scale, np.float32)
        A = self.matrix
        return Operator(lambda x: np.asarray(blas.dsymv(1.0, A.T, x, lower=1)), 1.0, np.float64)

    def times(self, vectors: Array) -> Array:
        """`A Q` in float64 for Q of shape (n, k)."""
        return np.asarray(blas.dgemm(1.0, self.matrix.T, np.asfortranarray(vectors)))

    def inverse(self, shift: float, dtype: Precision) -> Operator | None:
        """The inverse of `scale (A - shift I)` by LAPACK's Cholesky factorization; None where that fails."""
        single = dtype is np.float32
        if self.order > LARGEST_WHOLE:
            return self._tiled_inverse(shift, single)
        copy: NDArray[np.floating]
        copy, scale = single_upper(self.matrix, self.largest) if single else (self.matrix.copy(), 1.0)
        np.fill_diagonal(copy, (self.diagonal - shift) * scale)
        potrf, trsv = (lapack.spotrf, blas.strsv) if single else (lapack.dpotrf, blas.dtrsv)
        factor, info = potrf(copy.T, lower=1, clean=0, overwrite_a=1)
        if info != 0:
            return None

        def solve(x: Array) -> Array:
            return np.asarray(trsv(factor, trsv(factor, x, lower=1), lower=1, trans=1, overwrite_x=1))

        return Operator(solve, scale, dtype)

    def _tiled_inverse(self, shift: float, single: bool) -> Operator | None:
        exponent = math.frexp(self.largest)[1] if single and self.largest > 0 else 0
        scale = math.ldexp(1.0, min(max(-exponent, -1000), 1000))
        factor = single_cholesky(self.matrix, shift, scale) if single else shifted_cholesky(self.matrix, shift)
        return Operator(factor.solve, scale, np.float32 if single else np.float64) if factor.success else None

    def factor(self, shift: float) -> ProvenFactor:
        """Factor `A - shift I` in float64 and bound the error."""
        return shifted_cholesky(self.matrix, shift)

    def form(self, x: Array) -> arb:
        """A ball of `x^T A x`; not finite if the arithmetic overflowed."""
        with working_precision(BITS):
            return quadratic_form(self.matrix, x)

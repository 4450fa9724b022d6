"""Vectors close to the least eigenvector of a large symmetric matrix; nothing is proven of them.

A few Lanczos steps with A itself find the bottom of the spectrum to a fraction of its width, enough to choose a shift
just below it. A Cholesky factorization there, in float32 where that resolves it, gives the inverse, whose largest
eigenvalues are far apart although the least ones of A may be crowded: two or three dozen steps with it do. Rayleigh's
quotient is minimized over the whole Krylov space with A in float64, so that the error of a rounded inverse enters
squared.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from hermite_dual.certified.float_cholesky import Factorization
from hermite_dual.numeric.lanczos import Ritz, Vector, lanczos, start_vector
from hermite_dual.numeric.symmetric import single_upper

Matrix = NDArray[np.float64]
Tolerance = Callable[[float], float]
Precision = type[np.float32] | type[np.float64]

_SINGLE_ORDER = 1024  # below it a factorization costs less than what is around it
_SINGLE_REACH = 2e-6  # distance to the spectrum, in largest entries, from which on a float32 factor has digits
_CORRECTIONS = 5  # at most, each squares what the rounding of float32 leaves
_FIRST_STEPS, _INVERSE_STEPS = 32, 48
_SETTLED, _HOPELESS = 1e-6, 0.5
_FALLS, _LEAST_MARGIN = 2.0, 5e-3  # Ritz values of a crowded bottom fall slowly and in steps
_NEGATIVE_SHIFTS = (1e-6, 1e-4, 1e-2, 1.0)  # in largest entries
_DENSE_STEPS = 30


@dataclass(frozen=True)
class BottomVector:
    """An approximate least eigenvector.

    Attributes:
        vector: the vector, of norm 1.
        quotient: its Rayleigh quotient, rounded.
        doubt: about how far the quotient may still be above the least eigenvalue.
    """

    vector: Matrix
    quotient: float
    doubt: float


@dataclass(frozen=True)
class _Look:
    """A first look at the bottom: an estimate of the least eigenvalue, how far it may be off, its vector."""

    value: float
    doubt: float
    vector: Vector


@dataclass(frozen=True)
class _Inverse:
    """`solve` is about the inverse of `scale (A - shift I)`, on vectors of a dtype."""

    solve: Callable[[Vector], Vector]
    shift: float
    scale: float
    dtype: Precision


def bottom_vector(A: Matrix, largest: float, enough: Tolerance) -> BottomVector | None:
    """Approximate the least eigenvector.

    Args:
        A: symmetric matrix, shape (n, n).
        largest: its largest modulus.
        enough: the doubt that is small enough, given the Rayleigh quotient.

    Returns:
        The vector; None where no factorization succeeded or the arithmetic broke down.
    """
    look = _first_look(A, largest)
    if look is None:
        return None
    for inverse in _inverses(A, largest, look):
        return _minimize(A, inverse, look.vector, enough)
    return None


def refined(
    A: Matrix, factorization: Factorization, shift: float, bottom: BottomVector, enough: Tolerance
) -> BottomVector | None:
    """A better vector through the factor of `A - shift I`, the shift just below the least eigenvalue."""
    inverse = _Inverse(factorization.solve, shift, 1.0, np.float64)
    return _minimize(A, inverse, bottom.vector, enough)


def _first_look(A: Matrix, largest: float) -> _Look | None:
    """Lanczos with A itself, in float32 for large orders."""
    n = A.shape[0]
    if n > _SINGLE_ORDER:
        single, scale = single_upper(A, largest)
        found = lanczos(
            lambda x: np.asarray(blas.ssymv(-1.0, single.T, x, lower=1)),
            start_vector(n).astype(np.float32),
            _FIRST_STEPS,
            _settled,
        )
    else:
        scale = 1.0
        found = lanczos(
            lambda x: np.asarray(blas.dsymv(-1.0, A.T, x, lower=1)), start_vector(n), _FIRST_STEPS, _settled
        )
    if found is None:
        return None
    history = found.ritz.history
    half = [value for k, value in history.items() if 2 * k <= max(history)]
    value = found.ritz.value
    doubt = found.ritz.doubt
    if doubt > _SETTLED * abs(value):
        doubt = max(_FALLS * (value - half[-1]) if half else 0.0, _LEAST_MARGIN * abs(value))
    return _Look(-value / scale, doubt / scale, found.vector)


def _settled(ritz: Ritz) -> bool:
    """Whether more steps with A itself are not worth it: it has converged, or shows no sign of it."""
    steps = max(ritz.history)
    if steps < _FIRST_STEPS // 2:
        return False
    fall = ritz.value - ritz.history[steps // 4 * 2]
    return ritz.doubt < _SETTLED * abs(ritz.value) or (ritz.value < 0 and fall > -_HOPELESS * ritz.value)


def _inverses(A: Matrix, largest: float, look: _Look) -> Iterator[_Inverse]:
    """Inverses at shifts below the least eigenvalue, those first that would serve best."""
    shifts = []
    margin = max(look.doubt, 4 * _SINGLE_REACH * largest)
    for guess in (look.value - margin, look.value - 4 * margin):
        if look.value <= 0 or guess > _HOPELESS * look.value:
            shifts.append(guess)
    if look.value > 0:
        shifts.append(0.0)
    base = min([0.0, *shifts])
    shifts += [base - part * largest for part in _NEGATIVE_SHIFTS]
    for shift in shifts:
        single = A.shape[0] > _SINGLE_ORDER and look.value - shift > _SINGLE_REACH * largest
        inverse = _inverse(A, largest, shift, np.float32) if single else None
        if inverse is None and (shift == 0.0 or A.shape[0] <= _SINGLE_ORDER):
            inverse = _inverse(A, largest, shift, np.float64)
        if inverse is not None:
            yield inverse


def _inverse(A: Matrix, largest: float, shift: float, dtype: Precision) -> _Inverse | None:
    """The inverse of `A - shift I` by LAPACK's Cholesky factorization; None where that fails."""
    single = dtype is np.float32
    copy: NDArray[np.floating]
    copy, scale = single_upper(A, largest) if single else (A.copy(), 1.0)
    np.fill_diagonal(copy, (A.diagonal() - shift) * scale)
    potrf, trsv = (lapack.spotrf, blas.strsv) if single else (lapack.dpotrf, blas.dtrsv)
    factor, info = potrf(copy.T, lower=1, clean=0, overwrite_a=1)
    if info != 0:
        return None

    def solve(x: Vector) -> Vector:
        return np.asarray(trsv(factor, trsv(factor, x, lower=1), lower=1, trans=1, overwrite_x=1))

    return _Inverse(solve, shift, scale, dtype)


def _minimize(A: Matrix, inverse: _Inverse, start: Vector, enough: Tolerance) -> BottomVector | None:
    """Minimize the Rayleigh quotient over a Krylov space of the inverse."""
    shift, scale = inverse.shift, inverse.scale

    def finished(ritz: Ritz) -> bool:
        if not ritz.value > 0:
            return False
        distance = 1 / (ritz.value * scale)
        return distance * ritz.doubt / ritz.value <= enough(shift + distance)

    space = lanczos(inverse.solve, start.astype(inverse.dtype), _INVERSE_STEPS, finished)
    if space is None or not space.ritz.value > 0:
        return None
    Q = np.linalg.qr(space.basis.T.astype(np.float64))[0]
    AQ = _times(A, Q)
    found = _least_ritz(Q, AQ)
    if found is None:
        return None
    quotient, vector, residual = found
    doubt = abs(quotient - shift) * space.ritz.doubt / space.ritz.value
    gain = 0.0
    for _ in range(_CORRECTIONS if inverse.dtype is np.float32 else 0):
        # what the rounding of the inverse has left: its own solution for the residual, in one more direction
        size = float(np.linalg.norm(residual))
        if size == 0.0:
            break
        w = inverse.solve((residual / size).astype(np.float32)).astype(np.float64)
        for _ in range(2):
            w -= Q @ (Q.T @ w)
            size = float(np.linalg.norm(w))
            if size == 0.0:
                break
            w /= size
        if size == 0.0:
            break
        Q, AQ = np.column_stack([Q, w]), np.column_stack([AQ, _times(A, w[:, None])])
        found = _least_ritz(Q, AQ)
        if found is None:
            return None
        gain = quotient - found[0]
        quotient, vector, residual = found
        if gain <= enough(quotient):
            break
    return BottomVector(vector / np.linalg.norm(vector), quotient, max(doubt, gain))


def _times(A: Matrix, Q: Matrix) -> Matrix:
    return np.asarray(blas.dgemm(1.0, A.T, np.asfortranarray(Q)))


def _least_ritz(Q: Matrix, AQ: Matrix) -> tuple[float, Matrix, Matrix] | None:
    """Least Rayleigh quotient over the columns of Q, its vector and residual; None if the arithmetic broke down."""
    H = Q.T @ AQ
    if not np.all(np.isfinite(H)):
        return None
    values, vectors = np.linalg.eigh((H + H.T) / 2)
    x = Q @ vectors[:, 0]
    return float(values[0]), x, AQ @ vectors[:, 0] - values[0] * x


def inverse_iteration(A: Matrix) -> Matrix | None:
    """The least eigenvector of a small definite matrix by inverse iteration, accurate for graded matrices too.

    Cholesky commutes with scaling by powers of two, so its solutions have small errors relative to each row's own
    scale, which an orthogonal reduction has not.
    """
    factor, info = lapack.dpotrf(A.T, lower=0)
    if info != 0:
        return None
    vector = start_vector(A.shape[0])
    for _ in range(_DENSE_STEPS):
        vector = np.asarray(lapack.dpotrs(factor, vector, lower=0)[0]).ravel()
        size = np.max(np.abs(vector))
        if not np.isfinite(size) or size == 0:
            return None
        vector = vector / size
    return np.ascontiguousarray(vector)

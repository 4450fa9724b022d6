"""Vectors close to the least eigenvector of a large symmetric matrix; nothing is proven of them.

A few Lanczos steps with A itself find the bottom of the spectrum to a fraction of its width, enough to choose a shift
just below it. A Cholesky factorization there, in float32 where that resolves it, gives the inverse, whose largest
eigenvalues are far apart although the least ones of A may be crowded: two or three dozen steps with it do. Rayleigh's
quotient is minimized over the whole Krylov space with A in float64, so that the error of a rounded inverse enters
squared.

Derivation: docs/theory/eigenvalues.md, "Least eigenvalue: lower bound".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from hermite_dual.arrays import Array
from hermite_dual.certified.eigenvalues.large_matrix import SINGLE_ORDER, LargeMatrix, Operator, ProvenFactor
from hermite_dual.numeric.lanczos import Ritz, lanczos, start_vector

Tolerance = Callable[[float], float]

_SINGLE_REACH = 2e-6  # distance to the spectrum, in largest entries, from which on a float32 factor has digits
_CORRECTIONS = 5  # at most, each squares what the rounding of float32 leaves
_FIRST_STEPS, _INVERSE_STEPS = 32, 48  # of Lanczos with the matrix, and with an inverse
_SETTLED, _HOPELESS = 1e-6, 0.5  # relative: a Ritz value has converged; a fall, or a shift, is of no use
_FALLS, _LEAST_MARGIN = 2.0, 5e-3  # Ritz values of a crowded bottom fall slowly and in steps
_NEGATIVE_SHIFTS = (1e-6, 1e-4, 1e-2, 1.0)  # in largest entries
_DENSE_STEPS = 30  # of inverse iteration, each a triangular solve


@dataclass(frozen=True)
class BottomVector:
    """An approximate least eigenvector.

    Attributes:
        vector: the vector, of norm 1.
        quotient: its Rayleigh quotient, rounded.
        doubt: about how far the quotient may still be above the least eigenvalue.
    """

    vector: Array
    quotient: float
    doubt: float


@dataclass(frozen=True)
class _Look:
    """A first look at the bottom: an estimate of the least eigenvalue, how far it may be off, its vector."""

    value: float
    doubt: float
    vector: Array


@dataclass(frozen=True)
class _Inverse:
    """An operator that is about the inverse of `scale (A - shift I)`."""

    operator: Operator
    shift: float


def bottom_vector(A: LargeMatrix, enough: Tolerance) -> BottomVector | None:
    """Approximate the least eigenvector.

    Args:
        A: symmetric matrix of order n.
        enough: the doubt that is small enough, given the Rayleigh quotient.

    Returns:
        The vector; None where no factorization succeeded or the arithmetic broke down.
    """
    look = _first_look(A)
    if look is None:
        return None
    for inverse in _inverses(A, look):
        return _minimize(A, inverse, look.vector, enough)
    return None


def refined(
    A: LargeMatrix, factorization: ProvenFactor, shift: float, bottom: BottomVector, enough: Tolerance
) -> BottomVector | None:
    """A better vector through the factor of `A - shift I`, the shift just below the least eigenvalue."""
    inverse = _Inverse(Operator(factorization.solve, 1.0, np.float64), shift)
    return _minimize(A, inverse, bottom.vector, enough)


def _first_look(A: LargeMatrix) -> _Look | None:
    """Lanczos with -A itself."""
    rough = A.rough()
    start = start_vector(A.order).astype(rough.dtype)
    ritz = lanczos(lambda x: -rough.apply(x), start, _FIRST_STEPS, _settled)
    if ritz is None:
        return None
    history = ritz.ritz.history
    half = [value for k, value in history.items() if 2 * k <= max(history)]
    value = ritz.ritz.value
    doubt = ritz.ritz.doubt
    if doubt > _SETTLED * abs(value):
        doubt = max(_FALLS * (value - half[-1]) if half else 0.0, _LEAST_MARGIN * abs(value))
    return _Look(-value / rough.scale, doubt / rough.scale, ritz.vector)


def _settled(ritz: Ritz) -> bool:
    """Whether more steps with A itself are not worth it: it has converged, or shows no sign of it."""
    steps = max(ritz.history)
    if steps < _FIRST_STEPS // 2:
        return False
    fall = ritz.value - ritz.history[steps // 4 * 2]
    return ritz.doubt < _SETTLED * abs(ritz.value) or (ritz.value < 0 and fall > -_HOPELESS * ritz.value)


def _inverses(A: LargeMatrix, look: _Look) -> Iterator[_Inverse]:
    """Inverses at shifts below the least eigenvalue, those first that would serve best."""
    shifts = []
    margin = max(look.doubt, 4 * _SINGLE_REACH * A.largest)
    for guess in (look.value - margin, look.value - 4 * margin):
        if look.value <= 0 or guess > _HOPELESS * look.value:
            shifts.append(guess)
    if look.value > 0:
        shifts.append(0.0)
    base = min([0.0, *shifts])
    shifts += [base - fraction * A.largest for fraction in _NEGATIVE_SHIFTS]
    for shift in shifts:
        single = A.order > SINGLE_ORDER and look.value - shift > _SINGLE_REACH * A.largest
        inverse = A.inverse(shift, np.float32) if single else None
        if inverse is None and (shift == 0.0 or A.order <= SINGLE_ORDER):
            inverse = A.inverse(shift, np.float64)
        if inverse is not None:
            yield _Inverse(inverse, shift)


def _minimize(A: LargeMatrix, inverse: _Inverse, start: Array, enough: Tolerance) -> BottomVector | None:
    """Minimize the Rayleigh quotient over a Krylov space of the inverse."""
    shift, scale, solve = inverse.shift, inverse.operator.scale, inverse.operator.apply
    dtype = inverse.operator.dtype

    def finished(ritz: Ritz) -> bool:
        if not ritz.value > 0:
            return False
        distance = 1 / (ritz.value * scale)
        return distance * ritz.doubt / ritz.value <= enough(shift + distance)

    space = lanczos(solve, start.astype(dtype), _INVERSE_STEPS, finished)
    if space is None or not space.ritz.value > 0:
        return None
    Q = np.linalg.qr(space.basis.T.astype(np.float64))[0]
    AQ = A.times(Q)
    least = _least_ritz(Q, AQ)
    if least is None:
        return None
    quotient, vector, residual = least
    doubt = abs(quotient - shift) * space.ritz.doubt / space.ritz.value
    gain = 0.0
    for _ in range(_CORRECTIONS if dtype is np.float32 else 0):
        # what the rounding of the inverse has left: its own solution for the residual, in one more direction
        size = float(np.linalg.norm(residual))
        if size == 0.0:
            break
        w = solve((residual / size).astype(np.float32)).astype(np.float64)
        for _ in range(2):
            w -= Q @ (Q.T @ w)
            size = float(np.linalg.norm(w))
            if size == 0.0:
                break
            w /= size
        if size == 0.0:
            break
        Q, AQ = np.column_stack([Q, w]), np.column_stack([AQ, A.times(w[:, None])])
        least = _least_ritz(Q, AQ)
        if least is None:
            return None
        gain = quotient - least[0]
        quotient, vector, residual = least
        if gain <= enough(quotient):
            break
    return BottomVector(vector / np.linalg.norm(vector), quotient, max(doubt, gain))


def _least_ritz(Q: Array, AQ: Array) -> tuple[float, Array, Array] | None:
    """Least Rayleigh quotient over the columns of Q, its vector and residual; None if the arithmetic broke down."""
    H = Q.T @ AQ
    if not np.all(np.isfinite(H)):
        return None
    values, vectors = np.linalg.eigh((H + H.T) / 2)
    x = Q @ vectors[:, 0]
    return float(values[0]), x, AQ @ vectors[:, 0] - values[0] * x


def inverse_iteration(A: Array) -> Array | None:
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

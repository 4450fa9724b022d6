"""Vectors close to the least eigenvector of a large symmetric matrix; nothing is proven of them.

Block Krylov spaces of an approximate inverse: each step adds the preconditioned residuals of the lowest Ritz vectors
and minimizes the Rayleigh quotient over all directions so far. The inverse comes from a Cholesky factor, of A itself in
float32 for a first estimate, or of `A - s I` from a proof at s, which resolves a crowded bottom of the spectrum.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

Matrix = NDArray[np.float64]

_BLOCK = 6
_SLOW = 0.4
_SINGLE_ORDER = 2048
_INVERSE_STEPS = 30


@dataclass(frozen=True)
class BottomVector:
    """An approximate least eigenvector.

    Attributes:
        vector: the vector, of norm 1.
        quotient: its Rayleigh quotient, rounded.
        doubt: about how far the quotient may still be above the least eigenvalue.
        block: the lowest Ritz vectors, to start from again.
    """

    vector: Matrix
    quotient: float
    doubt: float
    block: Matrix


def start_block(n: int) -> Matrix:
    """A fixed start that is orthogonal to no vector anyone would think of."""
    angles = np.outer(np.arange(1.0, n + 1.0), np.sqrt([2.0, 3.0, 5.0, 7.0, 11.0, 13.0][:_BLOCK]))
    return np.cos(angles)


def first_solver(A: Matrix) -> Callable[[Matrix], Matrix] | None:
    """The inverse of A by Cholesky, in float32 for large orders where that succeeds; None if A is not definite."""
    n = A.shape[0]
    if n > _SINGLE_ORDER:
        scale = float(np.max(A.diagonal()))
        if scale > 0:
            single = np.multiply(A, 1 / scale, dtype=np.float32, casting="same_kind")
            factor, info = lapack.spotrf(single.T, lower=0, clean=0, overwrite_a=1)
            if info == 0:
                return lambda B: np.asarray(lapack.spotrs(factor, B.astype(np.float32), lower=0)[0], dtype=np.float64)
    factor64, info = lapack.dpotrf(A.T, lower=0, clean=0)
    if info != 0:
        return None
    return lambda B: np.asarray(lapack.dpotrs(factor64, B, lower=0)[0])


def descend(
    A: Matrix, solve: Callable[[Matrix], Matrix], start: Matrix, enough: float, steps: int, patient: bool
) -> BottomVector | None:
    """Minimize the Rayleigh quotient over growing block Krylov spaces.

    Args:
        A: symmetric matrix, shape (n, n).
        solve: an approximation of the inverse of A or of A less a shift.
        start: the first block, shape (n, k).
        enough: stop once later steps promise less than this.
        steps: how many steps at most.
        patient: whether to go on past half of them although the gains hardly fall.

    Returns:
        The best vector; None if the arithmetic broke down.
    """
    Q = np.linalg.qr(solve(start))[0]
    AQ = A @ Q
    gains: list[float] = []
    best, quotient = None, np.inf
    for step in range(steps):
        H = Q.T @ AQ
        if not np.all(np.isfinite(H)):
            return None
        values, vectors = np.linalg.eigh((H + H.T) / 2)
        low = vectors[:, : start.shape[1]]
        X = Q @ low
        gains.append(float(quotient - values[0]))
        best, quotient = X, float(values[0])
        slow = not patient and 2 * step > steps and gains[-1] > _SLOW * gains[-2]
        if len(gains) > 2 and (slow or _remaining(gains) < enough):
            break
        W = solve(AQ @ low - X * values[: low.shape[1]])
        for _ in range(2):
            W -= Q @ (Q.T @ W)
            W = np.linalg.qr(W)[0]
        Q, AQ = np.hstack([Q, W]), np.hstack([AQ, A @ W])
    if best is None:
        return None
    vector = best[:, 0] / np.linalg.norm(best[:, 0])
    return BottomVector(np.ascontiguousarray(vector), quotient, max(_remaining(gains), 0.0), best)


def _remaining(gains: list[float]) -> float:
    """What later steps would gain if the gains go on falling at the rate of the last ones."""
    if len(gains) < 3 or gains[-2] <= 0:
        return abs(gains[-1])
    ratio = min(max(gains[-1] / gains[-2], 0.1), 0.9)
    return 2 * max(gains[-1], 0.0) * ratio / (1 - ratio)


def inverse_iteration(A: Matrix) -> Matrix | None:
    """The least eigenvector of a small definite matrix by inverse iteration, accurate for graded matrices too.

    Cholesky commutes with scaling by powers of two, so its solutions have small errors relative to each row's own
    scale, which an orthogonal reduction has not.
    """
    factor, info = lapack.dpotrf(A.T, lower=0)
    if info != 0:
        return None
    vector = start_block(A.shape[0])[:, 0]
    for _ in range(_INVERSE_STEPS):
        vector = np.asarray(lapack.dpotrs(factor, vector, lower=0)[0]).ravel()
        size = np.max(np.abs(vector))
        if not np.isfinite(size) or size == 0:
            return None
        vector = vector / size
    return np.ascontiguousarray(vector)

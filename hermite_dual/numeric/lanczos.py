"""Lanczos' method for the largest eigenvalue of a symmetric operator, each vector made orthogonal to all before."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, eigh_tridiagonal

from hermite_dual.arrays import Array

Vector = NDArray[Any]

_EVERY = 2  # steps between two looks at the Ritz values


@dataclass(frozen=True)
class Ritz:
    """What a Krylov space knows of the largest eigenvalue.

    Attributes:
        value: the largest Ritz value.
        residual: norm of the residual of its Ritz vector.
        gap: distance to the next Ritz value.
        history: the largest Ritz value after each step looked at, by the number of steps.
    """

    value: float
    residual: float
    gap: float
    history: dict[int, float]

    @property
    def doubt(self) -> float:
        """About how far the eigenvalue may be from the Ritz value: the smaller of residual and residual^2 / gap."""
        return self.residual * min(1.0, self.residual / self.gap) if self.gap > 0 else self.residual


@dataclass(frozen=True)
class Krylov:
    """A Krylov space with its largest Ritz pair.

    Attributes:
        basis: orthonormal rows, shape (k, n).
        ritz: the largest Ritz value.
        vector: its Ritz vector, shape (n,).
    """

    basis: Vector
    ritz: Ritz
    vector: Vector


def start_vector(n: int) -> Array:
    """A fixed start that is orthogonal to no vector anyone would think of."""
    return np.asarray(np.cos(math.sqrt(2.0) * np.arange(1.0, n + 1.0)))


def lanczos(
    apply: Callable[[Vector], Vector], start: Vector, steps: int, enough: Callable[[Ritz], bool]
) -> Krylov | None:
    """Build a Krylov space step by step.

    Args:
        apply: the symmetric operator.
        start: first vector, shape (n,); its dtype is the working precision.
        steps: how many steps at most.
        enough: whether to stop.

    Returns:
        The space; None if the arithmetic broke down.
    """
    n = start.shape[0]
    steps = min(steps, n)
    basis = np.empty((steps, n), dtype=start.dtype)
    basis[0] = start / np.linalg.norm(start)
    diagonal: list[float] = []
    beside: list[float] = []
    history: dict[int, float] = {}
    # SciPy's BLAS like the operators: threads of two libraries would wait for each other
    gemv = blas.sgemv if start.dtype == np.float32 else blas.dgemv
    tiny = 8 * float(np.finfo(start.dtype).eps)
    for k in range(1, steps + 1):
        w = np.ascontiguousarray(apply(basis[k - 1]), dtype=start.dtype)
        known = basis[:k]
        along = gemv(1.0, known.T, w, trans=1)
        w = gemv(-1.0, known.T, along, beta=1.0, y=w, overwrite_y=1)
        # twice: in float32 a single pass loses the bottom of the spectrum
        w = gemv(-1.0, known.T, gemv(1.0, known.T, w, trans=1), beta=1.0, y=w, overwrite_y=1)
        diagonal.append(float(along[-1]))
        beside.append(float(np.linalg.norm(w)))
        if not math.isfinite(diagonal[-1]) or not math.isfinite(beside[-1]):
            return None
        last = k == steps or beside[-1] <= tiny * max(map(abs, diagonal))
        if last or k % _EVERY == 0:
            values, vectors = eigh_tridiagonal(np.array(diagonal), np.array(beside[:-1]))
            history[k] = float(values[-1])
            gap = float(values[-1] - values[-2]) if k > 1 else 0.0
            ritz = Ritz(float(values[-1]), abs(float(vectors[-1, -1])) * beside[-1], gap, history)
            if last or enough(ritz):
                vector = vectors[:, -1].astype(start.dtype) @ known
                return Krylov(known, ritz, vector)
        basis[k] = w / beside[-1]
    return None

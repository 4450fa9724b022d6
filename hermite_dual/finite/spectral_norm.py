"""The spectral norm of a square matrix: quick estimates, and bounds that are proven.

Upper bound: floating-point Cholesky of `t^2 I - fl(W^T W)` with its error bound (Rump 2006, *Verification of
positive definiteness*) proves `||W||_2 <= t` up to the errors, where the
rounding of `W^T W` costs at most `gamma_m || |W|^T |W| ||_2 <= gamma_m ||W||_F^2`. Lower bound: `|W v| / |v|` for one
vector, less the rounding of the product, at most `gamma_m ||W||_F |v|`.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import TINY, UNIT, gamma
from hermite_dual.certified.eigenvalues.float_cholesky import error_units, shifted_cholesky
from hermite_dual.finite.weights import DrawnMatrix
from hermite_dual.namespaces import AnyArray, moved, namespace_of
from hermite_dual.notebook import Shown
from hermite_dual.outcome import Outcome

# Orders up to which a singular value decomposition is cheaper than anything else.
_DENSE = 64
# Rise of the claimed square above its estimate: the first attempt succeeds unless the estimate is poor.
_FIRST_RISE, _LAST_RISE, _RISE_FACTOR = 1e-12, 1e-2, 32.0


@dataclass(frozen=True, repr=False)
class NormBounds(Shown):
    """An enclosure of `||W||_2`.

    Attributes:
        lower: the norm is at least this.
        estimate: a number in between, not proven to any digit.
        upper: the norm is at most this; infinite if nothing was proven.
        outcome: PROVEN if both bounds are finite and hold in exact arithmetic for the floats of W, else UNDECIDED.
        reason: how the bounds were obtained, or what is missing.
    """

    lower: float
    estimate: float
    upper: float
    outcome: Outcome
    reason: str


def norm_bounds(W: Array | DrawnMatrix) -> NormBounds:
    """Enclose the spectral norm of a square matrix.

    Args:
        W: matrix, shape (m, m).

    Returns:
        Bounds that hold in exact arithmetic, in general within a relative distance of 1e-9.
    """
    if isinstance(W, DrawnMatrix):
        reason = "the weights are not kept, and W^T W would not fit either; draw the network with a larger memory"
        return NormBounds(0.0, spectral_norm_estimate(W), math.inf, Outcome.UNDECIDED, reason)
    floats = np.asarray(W, dtype=np.float64)
    if not np.array_equal(floats, W):
        reason = f"the weights are {W.dtype} and no float64 numbers, in which roundings are counted; round them first"
        return NormBounds(0.0, float(norm_estimate(floats)[0]), math.inf, Outcome.UNDECIDED, reason)
    W = floats
    estimate, vector = norm_estimate(W)
    with np.errstate(all="ignore"):
        frobenius = _frobenius_upper(W)
        lower = _lower(W, vector, frobenius)
        upper = _upper(W, estimate, frobenius)
    if not (math.isfinite(upper) and math.isfinite(lower)):
        reason = "float64 arithmetic overflowed or every factorization failed; rescale the matrix"
        return NormBounds(0.0, estimate, math.inf, Outcome.UNDECIDED, reason)
    reason = "float64 Cholesky of t^2 I - W^T W and one product W v, with their error bounds"
    return NormBounds(lower, min(max(estimate, lower), upper), upper, Outcome.PROVEN, reason)


def _frobenius_upper(W: Array) -> float:
    """An upper bound of `||W||_F^2`."""
    flat = W.ravel()
    return float(flat @ flat) * (1 + 2 * gamma(flat.size + 2)) + flat.size * TINY


def _lower(W: Array, v: Array, frobenius: float) -> float:
    m = W.shape[0]
    # every norm of m terms is off by less than gamma_{m+2}, relatively, plus underflow far below the rest
    slack = 1 + 2 * gamma(m + 4)
    size = float(np.linalg.norm(v)) * slack
    image = float(np.linalg.norm(W @ v)) / slack
    lost = gamma(m) * math.sqrt(frobenius) * size * (1 + 8 * UNIT) + 4 * m * math.sqrt(TINY)
    return max(0.0, (image - lost) / size * (1 - 4 * UNIT))


def _upper(W: Array, estimate: float, frobenius: float) -> float:
    m = W.shape[0]
    if frobenius <= m * m * TINY:
        return math.sqrt(frobenius) * (1 + 4 * UNIT)
    A = W.T @ W
    trace = float(np.trace(A))
    np.negative(A, out=A)
    rounding = gamma(m) * frobenius * (1 + 8 * UNIT) + float(m) * m * TINY
    rise = _FIRST_RISE
    while rise <= _LAST_RISE:
        claim = estimate * estimate * (1 + rise)
        claim += 2 * error_units(m) * max(m * claim - trace, claim)
        factorization = shifted_cholesky(A, -claim)
        if factorization.success:
            # three additions and a square root, each off by less than a unit
            return math.sqrt((claim + factorization.error + rounding) * (1 + 8 * UNIT)) * (1 + 4 * UNIT)
        rise *= _RISE_FACTOR
    return math.inf


def norm_estimate(W: Array, start: Array | None = None, tolerance: float = 1e-6) -> tuple[float, Array]:
    """Estimate `||W||_2` by the Lanczos method on `W^T W`; reproducible.

    Args:
        W: matrix, shape (m, m).
        start: start vector, such as that of a matrix nearby.
        tolerance: relative residual of the square at which the method stops; the error is of its second order.

    Returns:
        `|W v|` and the unit vector v, which makes it a lower bound up to rounding.
    """
    from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

    m = W.shape[0]
    v: Any = _start_vector(m) if start is None else start
    if m <= _DENSE:
        v = np.linalg.svd(W)[2][0]
    elif W.any():
        square = LinearOperator((m, m), matvec=lambda x: W.T @ (W @ x), dtype=np.float64)
        try:
            v = eigsh(square, k=1, v0=v, tol=tolerance)[1][:, 0]
        except ArpackNoConvergence as error:
            v = error.eigenvectors[:, 0] if error.eigenvectors.size else v
        except ArpackError:
            pass  # the start vector still gives a lower bound
    v = v / np.linalg.norm(v)
    return float(np.linalg.norm(W @ v)), v


def spectral_norm_estimate(W: Any, steps: int = 30, like: AnyArray | None = None) -> float:
    """Estimate `||W||_2` from below by power iteration on `W^T W` from a fixed start.

    Args:
        W: square matrix of any library, or one that is drawn for every product, shape (m, m).
        steps: number of iterations.
        like: an array of the library to compute in; NumPy by default.

    Returns:
        A lower estimate, in general within a few percent for random matrices.
    """
    v: AnyArray = _start_vector(W.shape[0])
    v = v if like is None else moved(v, like, namespace_of(like))
    norm = 0.0
    for _ in range(steps):
        u = W @ v
        norm = _length(u)
        if norm == 0.0 or not math.isfinite(norm):
            return norm
        v = W.T @ (u / norm)
        v = v / _length(v)
    return norm


def _length(v: AnyArray) -> float:
    return math.sqrt(float(v @ v))


def _start_vector(m: int) -> Array:
    v = np.random.Generator(np.random.PCG64(0)).standard_normal(m)
    return np.asarray(v / np.linalg.norm(v))

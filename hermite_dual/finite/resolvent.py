"""Proven bounds of the resolvents that carry a change of the parameters to the states of a network.

For `A_i = I - W D_i`, `D_i = diag(d_i)`, a change P of what enters the neurons moves the preactivations by `A_i^-1 P`
and the states by `D_i A_i^-1 P`. With `B = fl(A^T A)` a Cholesky factorization of `B - diag(v/t)^2` that runs to its
end proves `|A x|^2 >= |v o x|^2/t^2 - e |x|^2`, e being all errors: with `v = 1` that bounds the first norm, with
`v = d`, and the first norm for the last term, the second. One claim t holds for all samples, raised at those that
refuse it.

Derivation: docs/theory/convergence.md, "The start".
"""

import math

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma, norm_above
from hermite_dual.certified.eigenvalues.float_cholesky import shifted_cholesky

_MARGINS = (1.01, 1.05, 1.5)  # of a claim above its estimate: the first leaves room for most of the other samples
_TOLERANCE = 1e-4  # of an estimate; a poor one costs a factorization, never the proof


def resolvent_norms(W: Array, slopes: Array) -> tuple[float, float]:
    """Bound `||(I - W D_i)^-1||_2` and `||D_i (I - W D_i)^-1||_2` for all samples i.

    Args:
        W: recurrent weights, shape (m, m).
        slopes: the diagonals `d_i`, a column per sample, shape (m, n).

    Returns:
        Upper bounds of the two largest norms, within some percent of them; infinite where a proof fails. The time is of
        the order `n m^3`.
    """
    claims, bounds = [0.0, 0.0], [0.0, 0.0]
    frobenius = float(norm_above(W.ravel()))
    for column in slopes.T:
        sample = _Sample(W, column, frobenius)
        first = second = math.inf
        claims[0], error = sample.prove(np.ones_like(column), claims[0])
        if error * claims[0] ** 2 < 0.5:
            first = claims[0] / math.sqrt(1 - error * claims[0] ** 2) * UP
            claims[1], error = sample.prove(np.abs(column), claims[1])
            second = claims[1] * math.sqrt(1 + error * first * first) * UP
        # from the floats of A to A itself
        if not sample.moved * first < 0.5:
            return math.inf, math.inf
        carried = UP / (1 - sample.moved * first)
        bounds = [max(bounds[0], first * carried), max(bounds[1], second * carried)]
    return bounds[0], bounds[1]


class _Sample:
    """The matrix A of one sample in floats.

    Attributes:
        moved: a bound of the distance of the floats from A in the 2-norm.
    """

    def __init__(self, W: Array, slopes: Array, frobenius: float) -> None:
        m = len(W)
        A = W * -slopes
        A[np.diag_indices(m)] += 1.0
        size = float(norm_above(A.ravel()))
        # a product and, on the diagonal, a sum round
        steepest = float(np.abs(slopes).max())
        self.moved = 2 * UNIT * (steepest * frobenius + math.sqrt(m) + size) * UP + m * TINY
        self._gram = A.T @ A
        self._rounding = gamma(m) * size * size * UP + float(m) * m * TINY

    def prove(self, weights: Array, claim: float) -> tuple[float, float]:
        """A claim that is proven, the given one where it serves, and the error e; infinite if there is none."""
        error = self._error(weights, claim) if claim > 0 else math.inf
        if not math.isfinite(error):
            estimate = self._estimate(weights)
            for margin in _MARGINS:
                claim = max(claim, estimate * margin)
                error = self._error(weights, claim) if 0 < claim < math.inf else math.inf
                if math.isfinite(error):
                    break
        return claim, error

    def _error(self, weights: Array, claim: float) -> float:
        """The error e where `B - diag(weights/claim)^2` is factored, else infinite."""
        shift = (weights / claim) ** 2
        factorization = shifted_cholesky(self._gram, shift)
        return (factorization.error + self._rounding + 4 * UNIT * float(shift.max())) * UP

    def _estimate(self, weights: Array) -> float:
        """An estimate of the norm: the root of the largest eigenvalue of `diag(v) B^-1 diag(v)`."""
        from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

        m = len(weights)
        if not weights.any():
            return TINY
        factorization = shifted_cholesky(self._gram, 0.0)
        if not factorization.success:
            return math.inf
        inverse = LinearOperator((m, m), matvec=lambda x: weights * factorization.solve(weights * x.ravel()))
        if m <= 3:  # below what Lanczos wants
            return math.sqrt(max(0.0, np.linalg.eigvalsh(inverse @ np.eye(m))[-1]))
        try:
            return math.sqrt(max(0.0, float(eigsh(inverse, k=1, tol=_TOLERANCE, v0=np.ones(m))[0][0])))
        except ArpackError:
            return math.inf

"""Anderson acceleration of many independent fixed-point problems at once, one per column, with a safeguard."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Differences kept. Five is where longer histories stop paying for their passes over memory.
DEPTH = 5
# Relative ridge of the normal equations: they square the condition number, and the residual falls by 1e-12 at most.
_RIDGE = 1e-13


class Anderson:
    """State of the acceleration for `Z = g(Z)`, `Z` of shape (m, n), each column by itself.

    With `f = g(Z) - Z` and differences `dF`, `dG` of the last residuals and steps, a column moves to
    `g(Z) - dG gamma`, `gamma` the least-squares solution of `dF gamma = f`. A column whose residual norm did not
    decrease returns to the last plain step `g(Z)` that it had, and starts a new history.

    Args:
        m: Rows of Z.
        n: Columns of Z.
        depth: Differences kept.
    """

    def __init__(self, m: int, n: int, depth: int = DEPTH) -> None:
        self._dF = np.zeros((depth, m, n))
        self._dG = np.zeros((depth, m, n))
        # notation: M[j] is dF^T dF of column j
        self._M = np.zeros((n, depth, depth))
        self._last_f = np.zeros((m, n))
        self._last_g = np.zeros((m, n))
        self._last_norm = np.full(n, np.inf)
        self._slot = 0
        self._started = False

    def advance(self, Z: Floats, g: Floats, f: Floats) -> None:
        """Overwrite `Z` by the next iterate.

        Args:
            Z: Current iterate, shape (m, n); overwritten.
            g: `g(Z)`, the plain step, shape (m, n).
            f: `g(Z) - Z`, shape (m, n).
        """
        norm = np.sqrt(np.einsum("ij,ij->j", f, f))
        failed = norm >= self._last_norm
        if self._started:
            self._remember(g, f)
        if failed.any():
            self._forget(failed)
        Z[...] = g
        self._correct(Z, f)
        if failed.any():
            # The accelerated point was worse: step plainly from the point before it, which a contraction improves.
            Z[:, failed] = self._last_g[:, failed]
            norm[failed] = np.inf
        np.copyto(self._last_f, f)
        np.copyto(self._last_g, g)
        self._last_norm = norm
        self._started = True

    def _remember(self, g: Floats, f: Floats) -> None:
        slot = self._slot
        np.subtract(f, self._last_f, out=self._dF[slot])
        np.subtract(g, self._last_g, out=self._dG[slot])
        row = np.einsum("kij,ij->jk", self._dF, self._dF[slot])
        self._M[:, slot, :] = row
        self._M[:, :, slot] = row
        self._slot = (slot + 1) % len(self._dF)

    def _forget(self, columns: NDArray[np.bool_]) -> None:
        self._dF[:, :, columns] = 0.0
        self._dG[:, :, columns] = 0.0
        self._M[columns] = 0.0

    def _correct(self, Z: Floats, f: Floats) -> None:
        depth = len(self._dF)
        trace = np.trace(self._M, axis1=1, axis2=2)
        # An empty history has the trace 0; the ridge 1 then gives gamma = 0, the plain step.
        ridge = np.where(trace > 0.0, _RIDGE * trace, 1.0)
        system = self._M + ridge[:, None, None] * np.eye(depth)
        right = np.einsum("kij,ij->jk", self._dF, f)
        gamma = np.linalg.solve(system, right[:, :, None])[:, :, 0]
        for k in range(depth):
            Z -= self._dG[k] * gamma[:, k]

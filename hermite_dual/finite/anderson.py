"""Anderson acceleration of many independent fixed-point problems at once, one per column, with a safeguard."""

from typing import Any

import numpy as np

from hermite_dual.namespaces import AnyArray

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
        xp: namespace of the arrays.
        depth: differences kept.
    """

    def __init__(self, xp: Any, depth: int = DEPTH) -> None:
        self._xp, self._depth = xp, depth
        self._dF: list[AnyArray] = []
        self._dG: list[AnyArray] = []
        # notation: M[i][j] holds dF[i] . dF[j] of every column
        self._M: list[list[AnyArray]] = []
        self._last: tuple[AnyArray, AnyArray, AnyArray] | None = None

    def next(self, g: AnyArray, f: AnyArray) -> AnyArray:
        """Return the next iterate.

        Args:
            g: `g(Z)`, the plain step, shape (m, n).
            f: `g(Z) - Z`, shape (m, n).
        """
        xp = self._xp
        norm = xp.sqrt(self._dot(f, f))
        if self._last is None:
            self._last = f, g, norm
            return g
        last_f, last_g, last_norm = self._last
        failed = norm >= last_norm
        self._remember(f - last_f, g - last_g)
        if not bool(xp.any(failed)):
            Z = self._corrected(g, f)
        else:
            self._forget(xp.astype(~failed, f.dtype))
            # The accelerated point was worse: step plainly from the point before it, which a contraction improves.
            Z = xp.where(failed, last_g, self._corrected(g, f))
            norm = xp.where(failed, xp.full_like(norm, xp.inf), norm)
        self._last = f, g, norm
        return Z

    def _dot(self, a: AnyArray, b: AnyArray) -> AnyArray:
        if self._xp is np:
            return np.einsum("ij,ij->j", a, b)  # no product array, and rows in their order in memory
        return self._xp.sum(a * b, axis=0)

    def _remember(self, df: AnyArray, dg: AnyArray) -> None:
        if len(self._dF) == self._depth:
            del self._dF[0], self._dG[0], self._M[0]
            for known in self._M:
                del known[0]
        self._dF.append(df)
        self._dG.append(dg)
        row = [self._dot(other, df) for other in self._dF]
        for known, value in zip(self._M, row, strict=False):
            known.append(value)
        self._M.append(row)

    def _forget(self, keep: AnyArray) -> None:
        self._dF = [d * keep for d in self._dF]
        self._dG = [d * keep for d in self._dG]
        self._M = [[value * keep for value in row] for row in self._M]

    def _corrected(self, g: AnyArray, f: AnyArray) -> AnyArray:
        xp, size = self._xp, len(self._dF)
        M = xp.stack([xp.stack(row, axis=-1) for row in self._M], axis=-2)
        trace = xp.sum(xp.stack([self._M[k][k] for k in range(size)], axis=-1), axis=-1)
        # An empty history has the trace 0; the ridge 1 then gives gamma = 0, the plain step.
        ridge = xp.where(trace > 0.0, _RIDGE * trace, xp.ones_like(trace))
        system = M + ridge[:, None, None] * xp.eye(size, dtype=f.dtype, device=f.device)
        right = xp.stack([self._dot(d, f) for d in self._dF], axis=-1)
        gamma = xp.linalg.solve(system, right[:, :, None])[:, :, 0]
        Z = g
        for k in range(size):
            Z = Z - self._dG[k] * gamma[:, k]
        return Z

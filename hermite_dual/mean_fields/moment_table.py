"""A moment as a function of log(q), by Chebyshev interpolation of `log(M(q)/q)`: many values at the cost of few.

Moments `M(q) = E[f(sqrt(q) Z)^2]` are analytic in log(q) on the strip of half-width pi/2.

Derivation: docs/theory/mean_field.md, "Finding every fixed point".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import AccuracyError, NotIntegrableError
from hermite_dual.numeric.chebyshev import chebyshev_coefficients, chebyshev_nodes

Moment = Callable[[Activation, float], float]

_WIDTH = 2.0
"""Of a cell in log(q): the strip holds an ellipse with the sum of half-axes 3.4 around it."""
_DEGREE = 27
"""`3.4^-27` is below rounding."""
_CELL_POINTS = 1025
"""Points of a cell at which functions of the table are looked at: 1/512 apart in log(q)."""
_UNDERFLOW = 1e-140
"""Size of phi whose square leaves nothing to integrate."""
_APPROACHES = 10
"""Halvings of the last cell before the variance at which a moment ends."""


@dataclass(frozen=True, eq=False)
class MomentTable:
    """A moment on consecutive cells in log(q).

    Attributes:
        edges: increasing ends in log(q), shape (cells + 1,).
        coefficients: of `log(M(q)/q)` and its derivative in log(q), shape (2, cells, degree + 1).
        end: the error of quadrature beyond the last cell, or None where the table reaches as far as asked.
    """

    edges: Array
    coefficients: Array
    end: AccuracyError | NotIntegrableError | None

    @property
    def points(self) -> Array:
        """A grid in q that resolves the table."""
        cells = [np.linspace(a, b, _CELL_POINTS) for a, b in zip(self.edges[:-1], self.edges[1:], strict=True)]
        return np.exp(np.unique(np.concatenate(cells)))

    def quotient(self, q: Array) -> Array:
        """Return `M(q)/q`."""
        return np.exp(self._evaluate(0, q))

    def slope(self, q: Array) -> Array:
        """Return `M'(q)`."""
        return self.quotient(q) * (1.0 + self._evaluate(1, q))

    def _evaluate(self, which: int, q: Array) -> Array:
        logs = np.log(q)
        cell = np.clip(np.searchsorted(self.edges, logs, side="right") - 1, 0, self.edges.size - 2)
        low, high = self.edges[cell], self.edges[cell + 1]
        t = (2.0 * logs - low - high) / (high - low)
        table = self.coefficients[which]
        later, latest = np.zeros_like(t), np.zeros_like(t)
        for r in range(table.shape[1] - 1, 0, -1):
            later, latest = 2.0 * t * later - latest + table[cell, r], later
        return np.asarray(t * later - latest + table[cell, 0])


def moment_table(moment: Moment, phi: Activation, low: float, high: float) -> MomentTable:
    """Return the table of a moment on an interval of q, rounded outwards to cells, as far as the moment can be had.

    Args:
        moment: M, positive.
        phi: the activation.
        low: lower end, above 0; cells below 1 where the square of phi underflows are left out.
        high: upper end.

    Raises:
        AccuracyError, NotIntegrableError: the moment can be had nowhere in the interval.
    """
    starts = np.arange(math.floor(math.log(low) / _WIDTH), math.ceil(math.log(high) / _WIDTH)) * _WIDTH
    edges: list[float] = []
    rows: list[Array] = []
    end: AccuracyError | NotIntegrableError | None = None
    for start in starts.tolist():
        if _underflows(phi, start):
            continue
        try:
            row = _cell(moment, phi, start, _WIDTH)
        except (AccuracyError, NotIntegrableError) as error:
            end = error
            width, here = 0.5 * _WIDTH, start
            for _ in range(_APPROACHES if isinstance(error, NotIntegrableError) else 0):
                try:
                    row = _cell(moment, phi, here, width)
                except (AccuracyError, NotIntegrableError):
                    pass
                else:
                    edges, rows, here = [*(edges or [here]), here + width], [*rows, row], here + width
                width *= 0.5
            break
        edges, rows = [*(edges or [start]), start + _WIDTH], [*rows, row]
    if not rows:
        raise (
            AccuracyError(f"{phi!r} has no moments between the variances {low:g} and {high:g}") if end is None else end
        )
    return MomentTable(np.array(edges), np.array(rows).transpose(1, 0, 2), end)


def _underflows(phi: Activation, start: float) -> bool:
    reach = math.exp(0.5 * (start + _WIDTH)) * np.array([-4.0, -1.0, 1.0, 4.0])
    return start < 0.0 and bool((np.abs(phi(reach)) < _UNDERFLOW).all())


@lru_cache(maxsize=8192)
def _cell(moment: Moment, phi: Activation, start: float, width: float) -> Array:
    nodes = start + 0.5 * width * (1.0 + chebyshev_nodes(_DEGREE))
    values = np.array([moment(phi, math.exp(s)) for s in nodes.tolist()])
    if not (values > 0.0).all() or not np.isfinite(values).all():
        raise AccuracyError(
            f"{phi!r}: E[phi^2] or E[phi'^2] at the variance {math.exp(start):g} is 0 or infinite "
            "in float64: take other scales, or scale the argument of phi"
        )
    fitted = chebyshev_coefficients(np.log(values) - nodes)
    slope = np.polynomial.chebyshev.chebder(fitted) * 2.0 / width
    return np.stack([fitted, np.append(slope, 0.0)])

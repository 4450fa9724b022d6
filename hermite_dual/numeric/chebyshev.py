"""Adaptive piecewise Chebyshev interpolation of a function that is costly to evaluate."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.errors import AccuracyError

_DEGREES = (15, 31)
"""Degrees tried on a piece before it is halved."""
_MAX_PIECES = 64
_NOISE = 32.0
"""Errors up to this many tolerances may be rounding of the function."""
_HOPELESS = 1e4
_CHECKS = np.array([-0.993, -0.61, 0.17, 0.77, 0.997])
"""Where each piece is checked, in [-1, 1], away from the nodes of both degrees."""


@dataclass(frozen=True)
class PiecewiseChebyshev:
    """An interpolant on consecutive intervals.

    Attributes:
        edges: increasing interval ends, shape (pieces + 1,).
        coefficients: Chebyshev coefficients, shape (pieces, degree + 1), zero-padded.
        error: largest deviation at the check points.
    """

    edges: Array
    coefficients: Array
    error: float

    def __call__(self, points: Array) -> Array:
        """Return the interpolant at points within the edges."""
        piece = np.clip(np.searchsorted(self.edges, points, side="right") - 1, 0, self.edges.size - 2)
        low, high = self.edges[piece], self.edges[piece + 1]
        t = (2.0 * points - low - high) / (high - low)
        rows = self.coefficients[piece]
        later, latest = np.zeros_like(points), np.zeros_like(points)
        for r in range(rows.shape[-1] - 1, 0, -1):
            later, latest = 2.0 * t * later - latest + rows[..., r], later
        return np.asarray(t * later - latest + rows[..., 0])


def chebyshev_nodes(degree: int) -> Array:
    """Return the `degree + 1` zeros of `T_{degree+1}`, increasing."""
    return -np.cos((np.arange(degree + 1) + 0.5) * np.pi / (degree + 1))


def chebyshev_coefficients(values: Array) -> Array:
    """Return the coefficients of the interpolant through `values` at `chebyshev_nodes` (along the first axis)."""
    count = values.shape[0]
    # cos(pi m / (2 count)), m reduced as an integer: a product of degree and angle would be rounded by many eps.
    m = np.outer(np.arange(count), 2 * np.arange(count)[::-1] + 1) % (4 * count)
    basis = np.sin(0.5 * np.pi * (count - np.minimum(m, 4 * count - m)) / count)
    result = 2.0 / count * np.tensordot(basis, values, 1)
    result[0] *= 0.5
    return np.asarray(result)


def interpolate(function: Callable[[Array], Array], low: float, high: float, tolerance: float) -> PiecewiseChebyshev:
    """Return an interpolant of `function` on [low, high] whose checked error is at most `tolerance`.

    Where halving a piece no longer halves an error that is close to the tolerance, what is left is the function's own
    rounding; it is accepted, and shows in the error that is returned.

    Raises:
        AccuracyError: 64 pieces do not suffice.
    """
    pending = [(low, high, np.inf)]
    done: list[tuple[float, Array, float]] = []
    while pending:
        a, b, before = pending.pop()
        coefficients, error = _fit(function, a, b, tolerance)
        if error > tolerance and not 0.5 * before <= error <= _NOISE * tolerance:
            middle = 0.5 * (a + b)
            pending += [(middle, b, error), (a, middle, error)]
            if len(pending) + len(done) > _MAX_PIECES:
                raise AccuracyError(
                    f"no piecewise polynomial of {_MAX_PIECES} pieces reaches {tolerance:.1e} on [{low:g}, {high:g}]"
                )
            continue
        done.append((a, coefficients, error))
    width = max(coefficients.size for _, coefficients, _ in done)
    padded = np.array([np.pad(coefficients, (0, width - coefficients.size)) for _, coefficients, _ in done])
    return PiecewiseChebyshev(np.array([a for a, _, _ in done] + [high]), padded, max(error for *_, error in done))


def reflected(fitted: PiecewiseChebyshev, sign: float) -> PiecewiseChebyshev:
    """Continue an interpolant f on [a, b] to [a, 2 b - a] by `f(2 b - x) = sign f(x)`."""
    turned = sign * fitted.coefficients[::-1] * (-1.0) ** np.arange(fitted.coefficients.shape[1])
    beyond = 2.0 * fitted.edges[-1] - fitted.edges[-2::-1]
    return PiecewiseChebyshev(
        np.concatenate([fitted.edges, beyond]), np.concatenate([fitted.coefficients, turned]), fitted.error
    )


def _fit(function: Callable[[Array], Array], a: float, b: float, tolerance: float) -> tuple[Array, float]:
    """Return the coefficients of the least degree that passes, or of the largest, and the error."""
    coefficients, error = np.zeros(1), np.inf
    for degree in _DEGREES:
        nodes = chebyshev_nodes(degree)
        coefficients = chebyshev_coefficients(function(0.5 * (a + b) + 0.5 * (b - a) * nodes))
        error = float(np.abs(coefficients[-3:]).max())
        if error > _NOISE * tolerance:
            # Twice the degree about squares the relative error: where that is hopeless, it is not tried.
            if error**2 > _HOPELESS * tolerance * np.abs(coefficients).max():
                break
            continue
        checked = function(0.5 * (a + b) + 0.5 * (b - a) * _CHECKS)
        deviation = np.abs(checked - np.polynomial.chebyshev.chebval(_CHECKS, coefficients)).max()
        error = max(error, float(deviation))
        if error <= tolerance:
            break
    return coefficients, error

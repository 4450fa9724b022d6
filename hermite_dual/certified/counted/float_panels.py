"""An activation in float64 with a proven error at every point, by interpolation on dyadic panels.

A function that is at most M in modulus on the Bernstein ellipse of parameter s around a panel has Chebyshev
coefficients `|c_k| <= 2 M s^-k`; interpolation in D + 1 Chebyshev points moves what is beyond degree D to lower
degrees with factor 1 or 0, so it errs by at most twice their sum, `4 M s^-D/(s - 1)`. The interpolant is evaluated by
Horner's rule; coefficient k passes at most 2 k + 1 roundings.

Derivation: docs/theory/entries.md, "Many variances at once".
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import sympy as sp
from flint import acb, arb, arb_mat, fmpz_poly

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.ball_functions import BallFunction
from hermite_dual.certified.balls.precision import magnitude, upper_float, working_precision
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP
from hermite_dual.certified.enclosures.panels import ellipse_box
from hermite_dual.errors import AccuracyError
from hermite_dual.numeric.jit import kernel, prange
from hermite_dual.shape.shape import Pieces

_DEGREE = 18  # with the ellipses below the interpolant errs by less than `_GOAL`
_ELLIPSES = (32.0, 22.0, 16.0, 12.0, 9.0)  # tried in turn, the widest on which phi is analytic
_BITS = 128  # balls in which panels are made, far beyond the floats that they give
_GOAL = 2.0**-55  # relative to phi: a quarter of a rounding
_MOST = 20_000  # panels at which the activation is given up


@dataclass(frozen=True, eq=False)
class FloatPanels:
    """A function on an interval.

    Attributes:
        edges: increasing ends of the P panels, shape (P + 1,).
        centres: their middles, exact, shape (P,).
        inverses: one over their half widths, powers of two, shape (P,).
        coefficients: monomial coefficients in `(x - centre)/half width`, shape (P, D + 1).
        errors: bounds of the distance between what `evaluate` returns and the function, shape (P,).
    """

    edges: Array
    centres: Array
    inverses: Array
    coefficients: Array
    errors: Array

    def evaluate(self, points: Array) -> tuple[Array, Array]:
        """Values and bounds of their errors; NaN outside the interval."""
        flat = np.ascontiguousarray(points, dtype=np.float64).ravel()
        values, errors = _evaluate(
            flat, self.edges, self.centres, self.inverses, np.ascontiguousarray(self.coefficients), self.errors
        )
        return values.reshape(points.shape), errors.reshape(points.shape)


def float_panels(pieces: Pieces, low: float, high: float) -> FloatPanels:
    """Cover `[-2 high, 2 high]` by panels, graded towards zero down to the scale `low`.

    Args:
        pieces: the activation; its kinks may lie at 0 alone.
        low: the smallest scale at which the function is wanted to its own size.
        high: the largest argument.

    Raises:
        AccuracyError: there is a singularity on the real line, or too many panels would be needed.
    """
    bottom, top = math.floor(math.log2(low)) - 4, math.ceil(math.log2(high)) + 1
    half_line = [0.0, *(2.0**k for k in range(bottom, top + 1))]
    with working_precision(_BITS):
        functions = [BallFunction(pieces.expressions[k], pieces.symbol) for k in (0, -1)]
        floor = max(abs(float(f(arb(s * low)).mid())) for f, s in zip(functions, (-1, 1), strict=True)) / 8
        right = _cover(functions[1], list(pairwise(half_line)), floor)
        mirrored = [-v for v in reversed(half_line)]
        left = _cover(functions[0], list(pairwise(mirrored)), floor)
    panels = sorted([*left, *right], key=lambda panel: panel[0])
    lows, highs, rows, errors = zip(*panels, strict=True)
    edges = np.array([*lows, highs[-1]])
    widths = np.diff(edges)
    return FloatPanels(edges, edges[:-1] + widths / 2, 2 / widths, np.array(rows), np.array(errors))


_Panel = tuple[float, float, list[float], float]


def _cover(function: BallFunction, stack: list[tuple[float, float]], floor: float) -> list[_Panel]:
    """Panels on which an ellipse gives the accuracy; others are halved."""
    panels: list[_Panel] = []
    while stack:
        low, high = stack.pop()
        panel = _panel(function, low, high, floor)
        if panel is not None:
            panels.append(panel)
            continue
        middle = (low + high) / 2
        if len(panels) + len(stack) > _MOST or not low < middle < high or high - low < 2.0**-40 * max(-low, high):
            raise AccuracyError(
                f"{function.expr} cannot be tabulated near {low:g}, as rows of different norms need it: "
                f"{_obstacle(function, low)}. Scale the rows with hermite_dual.on_sphere(X)"
            )
        stack += [(low, middle), (middle, high)]
    return panels


def _obstacle(function: BallFunction, point: float) -> str:
    """Why no panel next to a point is short enough."""
    if not function(acb(point), analytic=True).is_finite():
        return "it is not proven to be analytic there, and a kink is allowed at 0 alone"
    return f"it varies too fast there for {_MOST} panels, or terms of it cancel beyond {_BITS} bits"


def interpolation_error(size: arb, parameter: arb, degree: int) -> arb:
    """`4 M s^-D/(s - 1)`: what interpolation in D + 1 Chebyshev points errs on [-1, 1], M on the ellipse of s."""
    return 4 * size * parameter**-degree / (parameter - 1)


def _panel(function: BallFunction, low: float, high: float, floor: float) -> _Panel | None:
    centre, half = arb((low + high) / 2), arb((high - low) / 2)
    sizes = [abs(float(function(arb(v)).mid())) for v in (low, (low + high) / 2, high)]
    goal = _GOAL * max([floor, *(v for v in sizes if math.isfinite(v))])
    remainder = math.inf
    for parameter in _ELLIPSES:
        box, _, _ = ellipse_box(arb(low), arb(high), parameter)
        value = function(box, analytic=True)
        if value.is_finite():
            remainder = min(remainder, upper_float(interpolation_error(magnitude(value), arb(parameter), _DEGREE)))
    if not remainder <= goal:
        return None
    nodes, inverse = _interpolation()
    values = arb_mat(_DEGREE + 1, 1, [function(centre + half * node) for node in nodes])
    balls = (inverse * values).entries()
    row = [float(ball.mid()) for ball in balls]
    error = sum((abs(ball - arb(v)) for ball, v in zip(balls, row, strict=True)), arb(remainder))
    # 2 k + 1 roundings in Horner's rule, one of the argument, which the slope carries k times
    rounding = sum((3 * k + 1) * abs(v) for k, v in enumerate(row)) * UNIT
    total = (upper_float(error) + rounding * UP + 64 * TINY) * UP
    return (low, high, row, total) if math.isfinite(total) else None


@lru_cache(maxsize=1)
def _interpolation() -> tuple[list[arb], arb_mat]:
    """Chebyshev points on [-1, 1], and the matrix from values there to monomial coefficients."""
    count = _DEGREE + 1
    with working_precision(2 * _BITS):
        angles = [(arb(2 * j + 1) / (2 * count)) for j in range(count)]
        nodes = [angle.cos_pi() for angle in angles]
        # rows: T_k in monomials; columns: discrete Chebyshev transform
        transform = arb_mat(
            count,
            count,
            [(angles[j] * k).cos_pi() * (1 if k == 0 else 2) / count for k in range(count) for j in range(count)],
        )
        table = [[0] * count for _ in range(count)]
        for k in range(count):
            for power, coefficient in enumerate(fmpz_poly.chebyshev_t(k).coeffs()):
                table[power][k] = int(coefficient)
        monomials = arb_mat(count, count, [arb(v) for row in table for v in row])
        return nodes, monomials * transform


# the kernel options exclude fast-math, whose reordering the error count does not cover
@kernel
def _evaluate(
    points: Array, edges: Array, centres: Array, inverses: Array, coefficients: Array, errors: Array
) -> tuple[Array, Array]:
    """Horner's rule on the panel of each point."""
    size, last = points.size, edges.size - 1
    values, bounds = np.empty(size), np.empty(size)
    for k in prange(size):
        x = points[k]
        if not (x >= edges[0] and x <= edges[last]):
            values[k], bounds[k] = np.nan, np.nan
            continue
        low, high = 0, last
        while high - low > 1:
            middle = (low + high) // 2
            if x >= edges[middle]:
                low = middle
            else:
                high = middle
        t = (x - centres[low]) * inverses[low]
        total = 0.0
        for r in range(coefficients.shape[1] - 1, -1, -1):
            total = total * t + coefficients[low, r]
        values[k], bounds[k] = total, errors[low]
    return values, bounds


def is_tabulated(pieces: Pieces) -> bool:
    """Whether the kinks leave a function that `float_panels` may cover."""
    return all(sp.sympify(kink) == 0 for kink in pieces.kinks)

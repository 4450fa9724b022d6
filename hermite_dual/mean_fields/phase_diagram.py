"""Mean fields over a grid of scales, from tables of the moments: every point at the cost of a few polynomials.

Derivation: docs/theory/mean_field.md, "Phase diagrams".
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual import showing
from hermite_dual.activation import Activation, ActivationLike, activation
from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import float_array, freeze
from hermite_dual.float_state import own_float_state
from hermite_dual.mean_fields.angle_table import correlations
from hermite_dual.mean_fields.edge import gain
from hermite_dual.mean_fields.edge_equations import edge_curve
from hermite_dual.mean_fields.fixed_points import upper_bound
from hermite_dual.mean_fields.mean_field import CRITICAL
from hermite_dual.mean_fields.moment_table import MomentTable, moment_table
from hermite_dual.mean_fields.variance_map import check_parameters, gradient_moment, moment, slope_at_zero
from hermite_dual.notebook import Shown

_SIZE = (300, 250)
"""Points of a diagram whose scales are not given."""
_LOW, _HIGH = 1e-14, 400.0
"""Variances that are told apart; larger ones are, unless phi is bounded."""
_STRIDE = 32
"""Of the table's points on which signs are looked at: 1/16 apart in log(q)."""
_STEPS, _CLOSE = 60, 1e-13
"""Steps of Newton's iteration inside a bracket, and the change of log(q) at which it ends."""
_EVERY = 1e-12
"""`|F(1) - 1|` within it: the unit variance is fixed."""


@own_float_state
@dataclass(frozen=True, eq=False, repr=False)
class PhaseDiagram(Shown):
    """Mean fields on a grid of scales; made by `phase_diagram`.

    Entry `[i, j]` of the arrays is the fixed point that variance 1 moves towards at `sigma_w[i]`, `sigma_b[j]`.

    Attributes:
        activation: phi.
        sigma_w: scales of the weights, shape (n,).
        sigma_b: scales of the biases, shape (m,).
        q: the variance, shape (n, m); infinite where it exceeds 400, unless phi is bounded.
        chi_1: slope of the correlation map at 1, NaN where q is infinite.
        c_star: the stable fixed point of the correlation map, NaN where q is 0 or infinite.
        chi_c: its slope there.
        edge: points `(sigma_w, sigma_b)` of the edge of chaos by increasing q, shape (k, 2).
    """

    activation: Activation
    sigma_w: Array
    sigma_b: Array
    q: Array
    chi_1: Array
    c_star: Array
    chi_c: Array
    edge: Array

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        freeze(self.sigma_w, self.sigma_b, self.q, self.chi_1, self.c_star, self.chi_c, self.edge)

    @property
    def xi_1(self) -> Array:
        """Depth scales `-1/log chi_1` of gradients, shape (n, m); negative in the chaotic phase."""
        return _depth_scales(self.chi_1)

    @property
    def xi_c(self) -> Array:
        """Depth scales `-1/log C'(c*)` of correlations, shape (n, m)."""
        return _depth_scales(self.chi_c)

    def plot(self) -> Any:
        """Draw the depth scales of correlations, with the edge of chaos, on Matplotlib's Axes, which are returned."""
        return showing.plot(self)


@own_float_state
def phase_diagram(
    phi: ActivationLike, sigma_w: ArrayLike | None = None, sigma_b: ArrayLike | None = None
) -> PhaseDiagram:
    """Return the mean field at every pair of scales: `mean_field` for many points, to about six digits.

    Args:
        phi: the activation, as `hermite_dual.activation` reads it.
        sigma_w: scales of the weights, shape (n,), not negative; by default 300 from 0 to twice `gain(phi)`.
        sigma_b: scales of the biases, shape (m,), not negative; by default 250 from 0 to 1.

    Raises:
        InvalidInputError: scales are negative or not finite, or phi jumps, so that every network is chaotic.
        AccuracyError: a variance is beyond quadrature; take smaller scales.
    """
    act = activation(phi)
    check_parameters(act)
    widths = np.linspace(0.0, 2.0 * gain(act), _SIZE[0]) if sigma_w is None else _scales(sigma_w, "sigma_w")
    biases = np.linspace(0.0, 1.0, _SIZE[1]) if sigma_b is None else _scales(sigma_b, "sigma_b")
    if math.isinf(gradient_moment(act, 1.0)):
        raise InvalidInputError(
            f"{act.name} jumps, or its derivative is not square-integrable: chi_1 is infinite everywhere, and every "
            "network is chaotic; take a continuous activation with a square-integrable derivative"
        )
    weight, bias = (squares.ravel() for squares in np.meshgrid(widths**2, biases**2, indexing="ij"))
    high = upper_bound(act, float(weight.max()), float(bias.max()))
    q = _variances(act, weight, bias, _HIGH if high is None else max(high, 10.0))
    chi_1, finite = np.full_like(q, np.nan), np.isfinite(q) & (q > 0.0)
    vanishing = (q == 0.0) & (weight > 0.0)
    chi_1[q == 0.0] = 0.0
    if vanishing.any():
        chi_1[vanishing] = weight[vanishing] * slope_at_zero(act)
    if finite.any():
        table = moment_table(gradient_moment, act, float(q[finite].min()), float(q[finite].max()) * 1.01)
        if table.end is not None:
            raise table.end
        chi_1[finite] = weight[finite] * table.quotient(q[finite]) * q[finite]
    c_star, chi_c = np.where(finite, 1.0, np.nan), np.where(finite, chi_1, np.nan)
    chaotic = finite & (chi_1 > 1.0 + CRITICAL)
    if chaotic.any():
        c_star[chaotic], chi_c[chaotic] = correlations(act, q[chaotic], weight[chaotic])
    shape = (widths.size, biases.size)
    q, chi_1, c_star, chi_c = (array.reshape(shape) for array in (q, chi_1, c_star, chi_c))
    return PhaseDiagram(act, widths, biases, q, chi_1, c_star, chi_c, edge_curve(act))


def _variances(phi: Activation, weight: Array, bias: Array, most: float) -> Array:
    """Return the fixed points up to `most` that variance 1 moves towards."""
    table = moment_table(moment, phi, min(_LOW, float(bias[bias > 0.0].min(initial=_LOW))), most)
    grid = table.points[::_STRIDE]
    ratio = table.quotient(grid)
    start = int(np.argmin(np.abs(grid - 1.0)))
    origin = moment(phi, 0.0)
    q = np.empty_like(weight)
    low, high = np.full(weight.size, np.nan), np.full(weight.size, np.nan)
    for w in np.unique(weight):
        rows = np.flatnonzero(weight == w)
        excess = w * ratio[None, :] + bias[rows, None] / grid[None, :] - 1.0
        rises = excess[:, start] > 0.0
        up = (excess[:, start:] <= 0.0).argmax(axis=1) + start
        down = start - (excess[:, start::-1] > 0.0).argmax(axis=1)
        escapes, vanishes = rises & (up == start), ~rises & (down == start)
        q[rows] = np.where(escapes, np.inf, w * origin + bias[rows])
        q[rows[np.abs(excess[:, start]) <= _EVERY]] = 1.0
        bracket = ~(escapes | vanishes) & (np.abs(excess[:, start]) > _EVERY)
        below = np.where(rises, up - 1, down)[bracket]
        low[rows[bracket]], high[rows[bracket]] = np.log(grid[below]), np.log(grid[below + 1])
    if most > _HIGH and table.end is not None and np.isinf(q).any():
        raise table.end  # phi is bounded: these variances are finite, and beyond quadrature
    inside = np.flatnonzero(~np.isnan(low))
    q[inside] = _newton(table, low[inside], high[inside], weight[inside], bias[inside])
    return q


def _newton(table: MomentTable, low: Array, high: Array, weight: Array, bias: Array) -> Array:
    """Return the zeros of `weight V(q)/q + bias/q - 1`, positive at `low` and not at `high`, which are logarithms."""
    logs, moving = 0.5 * (low + high), np.arange(low.size)
    for _ in range(_STEPS):
        s = logs[moving]
        q = np.exp(s)
        ratio, offset = weight[moving] * table.quotient(q), bias[moving] / q
        value, slope = ratio + offset - 1.0, weight[moving] * table.slope(q) - ratio - offset
        low[moving] = np.where(value > 0.0, s, low[moving])
        high[moving] = np.where(value > 0.0, high[moving], s)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = s - value / slope
        inside = (step > low[moving]) & (step < high[moving])
        logs[moving] = np.where(inside, step, 0.5 * (low[moving] + high[moving]))
        moving = moving[np.abs(logs[moving] - s) > _CLOSE]
        if not moving.size:
            break
    return np.exp(logs)


def _scales(values: ArrayLike, name: str) -> Array:
    array = float_array(values, name)[0]
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all() or (array < 0.0).any() or array.max() > 1e20:
        raise InvalidInputError(f"{name}: allowed is a one-dimensional array of numbers from 0 to 1e20")
    return array.copy()


def _depth_scales(factor: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.where(np.abs(factor - 1.0) <= CRITICAL, np.inf, -1.0 / np.log(factor))

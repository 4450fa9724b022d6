"""The equations of the edge of chaos: which variances lie on it, and at which scales.

Derivation: docs/theory/mean_field.md, "The edge of chaos", "Doubly critical points".
"""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.mean_fields.fixed_points import TOLERANCE
from hermite_dual.mean_fields.moment_table import moment_table
from hermite_dual.mean_fields.roots import Sampled, Scalar, bisected, roots
from hermite_dual.mean_fields.variance_map import gradient_moment, moment, moment_slope, slope_at_zero, unit_moment
from hermite_dual.numeric.chebyshev import chebyshev_coefficients, chebyshev_nodes
from hermite_dual.population.entries.price_dual import slope_of

SEARCHED = (1e-12, 400.0)
"""Variances at which edges are looked for."""
_STRIDE = 32
"""Of the table's points that a curve is drawn through: 1/16 apart in log(q)."""
_EVERYWHERE = np.concatenate([-np.geomspace(1e-9, 1e9, 200), np.geomspace(1e-9, 1e9, 200)])
"""Points on which a constant activation shows that it is one."""
_DEGREE = 27
"""Of interpolants on cells of a moment table."""
_BESIDE = 0.01
"""Relative distance from a zero at which its change of sign is looked at."""
_CONDITION_NOISE = 1e-11
"""Relative: `V'(q) - kdot(q, q, q)` within it counts as 0."""


class Scales(NamedTuple):
    """`q`, `sigma_w^2`, `sigma_b^2` and `chi_par` where `chi_1 = 1`, admissible or not."""

    q: float
    sigma_w2: float
    sigma_b2: float
    chi_par: float


def scales_at(phi: Activation, q: float) -> Scales:
    """Return the scales at which q is fixed and `chi_1 = 1`."""
    slope = gradient_moment(phi, q)
    if slope == 0.0:
        raise InvalidInputError(f"the slope of {phi.name} vanishes at q = {q:g} in float64: take another variance")
    bias = q - moment(phi, q) / slope
    return Scales(q, 1.0 / slope, 0.0 if abs(bias) <= TOLERANCE * q else bias, moment_slope(phi, q) / slope)


def edge_variances(phi: Activation, bias: float) -> list[float]:
    """Return the variances with `q - V(q)/kdot(q, q, q) = bias`."""
    if unit_moment(phi) is not None:
        return [1.0] if bias == 0.0 else []
    derivative = slope_of(phi)
    q, ratio, slopes = _table(phi)

    def excess(q: float) -> float:
        return 1.0 - moment(phi, q) / (q * gradient_moment(phi, q)) - bias / q

    def slope(q: float) -> float:
        size, steep = moment(phi, q), gradient_moment(phi, q)
        return size / steep * (moment_slope(derivative, q) / steep + 1.0 / q) - moment_slope(phi, q) / steep + bias / q

    sampled = Sampled(1.0 - ratio - bias / q, excess, bias / q - slopes, slope)
    places = [root.place for root in roots(sampled, q, TOLERANCE * phi.coarseness, phi.coarseness)[0]]
    return [0.0, *places] if bias == 0.0 and critical_at_zero(phi) else places


def _table(phi: Activation) -> tuple[Array, Array, Array]:
    """Return a grid of variances, `V(q)/(q kdot(q, q, q))` there, and its derivative in log(q)."""
    size, steep = (moment_table(kind, phi, *SEARCHED) for kind in (moment, gradient_moment))
    ends = np.exp(max(size.edges[0], steep.edges[0])), np.exp(min(size.edges[-1], steep.edges[-1]))
    q = np.union1d(size.points, steep.points)
    q = q[(q >= ends[0]) & (q <= ends[1])]
    ratio = size.quotient(q) / (q * steep.quotient(q))
    return q, ratio, ratio * (size.slope(q) / size.quotient(q) - 1.0 - steep.slope(q) / steep.quotient(q))


def doubly_critical_variances(phi: Activation) -> list[float]:
    """Return the simple zeros of `V'(q)/kdot(q, q, q) - 1`, those of its interpolants made exact."""

    def condition(q: float) -> float:
        return moment_slope(phi, q) / gradient_moment(phi, q) - 1.0

    table = moment_table(gradient_moment, phi, *SEARCHED)
    places = []
    for low, high in pairwise(table.edges.tolist()):
        nodes = 0.5 * (low + high + (high - low) * chebyshev_nodes(_DEGREE))
        fitted = chebyshev_coefficients(np.array([condition(math.exp(s)) for s in nodes.tolist()]))
        for zero in np.polynomial.chebyshev.chebroots(fitted):
            q = math.exp(0.5 * (low + high + (high - low) * float(zero.real)))
            ends = q * (1.0 - _BESIDE), q * (1.0 + _BESIDE)
            if abs(zero.imag) < _BESIDE and abs(zero.real) <= 1.0 + _BESIDE and _changes(condition, *ends):
                places.append(bisected(condition, *ends))
    return [q for i, q in enumerate(sorted(places)) if i == 0 or q > sorted(places)[i - 1] * (1.0 + _BESIDE)]


def _changes(function: Scalar, low: float, high: float) -> bool:
    below, above = function(low), function(high)
    return below * above < 0.0 and min(abs(below), abs(above)) > _CONDITION_NOISE


def edge_curve(phi: Activation) -> Array:
    """Return points `(sigma_w, sigma_b)` of the edge by increasing q, between 1e-12 and 400, shape (k, 2)."""
    unit = unit_moment(phi)
    if unit is not None:
        return np.array([[1.0 / math.sqrt(unit), 0.0]])
    q, ratio, _ = _table(phi)
    steep = moment_table(gradient_moment, phi, *SEARCHED).quotient(q) * q
    bias = q * (1.0 - ratio)
    bias[np.abs(1.0 - ratio) <= _CONDITION_NOISE] = 0.0
    return np.stack([1.0 / np.sqrt(steep), np.sqrt(np.where(bias >= 0.0, bias, np.nan))], axis=1)[::_STRIDE]


def critical_at_zero(phi: Activation) -> bool:
    """Whether `q = 0` is on the edge: `phi(0) = 0`, and phi has slopes there that do not both vanish."""
    return moment(phi, 0.0) == 0.0 and 0.0 < slope_at_zero(phi) < math.inf


def check_slope(phi: Activation) -> None:
    """Refuse activations without an edge at any variance."""
    slope = gradient_moment(phi, 1.0)
    if math.isinf(slope):
        places = f" jumps at {', '.join(map(str, phi.jumps))}" if phi.jumps else "' is not square-integrable"
        raise InvalidInputError(
            f"{phi.name}{places}: kdot(q, q, q) is infinite at every variance, so that every network is chaotic and "
            "has no edge of chaos; take a continuous activation with a square-integrable derivative"
        )
    if slope == 0.0 and float(np.ptp(phi(_EVERYWHERE))) == 0.0:
        raise InvalidInputError(f"{phi.name} is constant: chi_1 is 0 at all scales, and there is no edge of chaos")

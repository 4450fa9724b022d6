"""The dual kernel at one pair of variances and one correlation, by iterated Gauss-Legendre quadrature.

With `u = sqrt(q1) x` and `v = sqrt(q2) (rho x + s y)`, `s = sqrt(1 - rho^2)`, x and y independent standard normal. The
inner integral over y is cut where v crosses a panel end of phi, for each x anew. The outer integrand is phi times a
smoothed phi; it is cut at the panel ends of both, and around each kink and steep place of the smoothed one, which the
smoothing has rounded over the width `s / |rho|`.

Derivation: docs/theory/numerics.md, "The kernel".
"""

from collections.abc import Callable, Iterator

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Indices
from hermite_dual.errors import AccuracyError
from hermite_dual.numeric.gaussian import (
    CHECK_ORDER,
    ORDER,
    at_nodes,
    normal_density,
    panel_nodes,
    radii,
    rounding_factor,
)
from hermite_dual.numeric.merged_panels import Cells, merged
from hermite_dual.numeric.mesh import gauss_legendre, panels

_INNER_WIDTH = 2.0
_ROUNDED = np.array([0.0, 0.75, 1.5, 2.5, 4.0, 6.0, 9.0])
"""Panel ends around a rounded kink, in units of its rounding; beyond 9 the normal tail is below 1e-18."""
_NORMAL_REACH = 9.25
"""Reach of y at the least: a phi that decays quickly bounds u and v, not y, whose density is below 1e-19 only here."""
_CHUNK = 1 << 21
_MAX_EVALUATIONS = 400_000_000
_EPS = float(np.finfo(np.float64).eps)


def iterated_kernel(
    activation: Activation,
    q1: float,
    q2: float,
    rho: float,
    gap: float,
    order: int = ORDER,
    other: Activation | None = None,
) -> tuple[float, float]:
    """Return `E[phi(u) phi(v)]`, or `E[phi(u) psi(v)]`, and the sum of the magnitudes of its terms.

    Args:
        activation: phi.
        q1: variance of u, positive.
        q2: variance of v, positive.
        rho: correlation, strictly between -1 and 1 and not 0.
        gap: `1 - rho^2`, given apart since the difference would lose digits near 1.
        order: nodes per panel.
        other: psi; phi itself by default.

    Raises:
        AccuracyError: the panels would need more than 4e8 evaluations.
    """
    s = float(np.sqrt(gap))
    second = activation if other is None else other
    x, terms, sizes = _outer_rule(activation, second, q1, q2, rho, s, order)
    inner, magnitude = smoothed(second, q2, rho, s, x, order)
    density = normal_density(x)
    return float((terms * density) @ inner), float((sizes * density) @ magnitude)


def iterated_kernel_with_error(
    activation: Activation, q1: float, q2: float, rho: float, gap: float, other: Activation | None = None
) -> tuple[float, float]:
    """Return the kernel and an estimate of its error: the distance to a lower order, plus rounding."""
    value, magnitude = iterated_kernel(activation, q1, q2, rho, gap, other=other)
    check, _ = iterated_kernel(activation, q1, q2, rho, gap, CHECK_ORDER, other)
    factor = max(rounding_factor(activation, q1), rounding_factor(other or activation, q2))
    return value, abs(value - check) + factor * _EPS * magnitude


def _outer_rule(
    activation: Activation, second: Activation, q1: float, q2: float, rho: float, s: float, order: int
) -> tuple[Array, Array, Array]:
    """Return nodes x, weights that include `phi(sqrt(q1) x)`, and the weights' magnitudes."""
    reach = max(radii(activation, q1)[1], radii(second, q2)[1])
    base = np.linspace(-reach, reach, 2 * int(np.ceil(reach)) + 1)
    unsmoothed = panels(activation, np.sqrt(q1) * reach) / np.sqrt(q1)
    scale = np.sqrt(q2) * rho
    smoothed = panels(second, np.sqrt(q2) * reach) / scale
    width = s / abs(rho)
    kinks = second.kinks_within(np.sqrt(q2) * reach) / scale
    rounded = kinks
    if width < 1.0:
        # Where panels are narrower than the smoothing, phi has structure that it widens, as it does kinks.
        narrow = np.diff(np.sort(smoothed)) < width
        sharp = _thinned(np.sort(smoothed)[:-1][narrow], 0.5 * width)
        around = width * np.concatenate([-_ROUNDED, _ROUNDED])
        steep = _thinned((sharp[:, None] + around).ravel(), 0.25 * width)
        rounded = np.concatenate([(kinks[:, None] + around).ravel(), steep])
    # What is narrower than the smoothing has been smoothed away: one end per quarter of its width is enough.
    smoothed = _thinned(smoothed, 0.25 * width)
    root = float(np.sqrt(q1))
    cells = merged(activation, root, unsmoothed[np.abs(unsmoothed) <= reach], min(1.0, width), order)
    edges = np.unique(np.concatenate([base, unsmoothed, smoothed, rounded]))
    edges = edges[(np.abs(edges) <= reach) & ~cells.holds(edges)]
    x, weights = panel_nodes(edges, order)
    outside = ~np.repeat(cells.holds(0.5 * (edges[1:] + edges[:-1])), order)
    x = x[outside]
    terms = weights[outside] * at_nodes(activation, root * x)
    sizes = np.concatenate([np.abs(terms), cells.sizes])
    return np.concatenate([x, cells.nodes]), np.concatenate([terms, cells.weights]), sizes


def _thinned(points: Array, cell: float) -> Array:
    """Return one of the points in each cell of a grid."""
    return np.asarray(points[np.unique(np.floor(points / cell), return_index=True)[1]])


def smoothed(activation: Activation, q2: float, rho: float, s: float, x: Array, order: int) -> tuple[Array, Array]:
    """Return `E_y phi(sqrt(q2) (rho x + s y))`, phi(v) averaged given u, and the same with magnitudes, for each x."""
    reach = max(radii(activation, q2)[1], _NORMAL_REACH)
    root = float(np.sqrt(q2))
    base = np.linspace(-reach, reach, 2 * int(np.ceil(reach / _INNER_WIDTH)) + 1)
    edges = panels(activation, root * reach * (abs(rho) + s)) / root
    # Only ends that some window of y reaches are carried along.
    edges = edges[np.abs(edges) <= np.abs(x).max() * abs(rho) + s * reach]
    cells = merged(activation, root, edges, s, order)
    edges = edges[~cells.holds(edges)]
    unit, weights = gauss_legendre(order)
    if x.size * (base.size + 1) * order > _MAX_EVALUATIONS:
        raise AccuracyError(
            f"{activation!r} at variances near {q2:g} oscillates too fast for two-dimensional quadrature; reduce the "
            "variance, or use a closed form where there is one"
        )
    sums, magnitudes = np.zeros(x.size), np.zeros(x.size)
    ends = np.append(edges, np.inf)
    first, counts = _windows(edges, edges, rho * x, s * reach)
    for batch in _batches(counts, lambda most: (base.size + most) * order):
        # A window with fewer ends than the widest of its part takes some beyond, which are clipped to empty panels.
        ahead = np.minimum(first[batch, None] + np.arange(counts[batch].max()), edges.size)
        mapped = np.clip((ends[ahead] - rho * x[batch, None]) / s, -reach, reach)
        cuts = np.sort(np.concatenate([np.broadcast_to(base, (batch.size, base.size)), mapped], axis=1), axis=1)
        widths = np.diff(cuts, axis=1)
        middle = rho * x[batch, None] + s * (cuts[:, 1:] + cuts[:, :-1]) * 0.5
        row, column = np.nonzero((widths > 0.0) & ~cells.holds(middle))
        low, width = cuts[row, column], widths[row, column]
        y = low[:, None] + width[:, None] * unit
        values = at_nodes(activation, root * (rho * x[batch[row], None] + s * y)) * normal_density(y)
        sums[batch] = np.bincount(row, width * (values @ weights), batch.size)
        magnitudes[batch] = np.bincount(row, width * (np.abs(values) @ weights), batch.size)
    if cells.low.size:
        _add_cells(cells, rho * x, s, s * reach, sums, magnitudes)
    return sums, magnitudes


def _add_cells(cells: Cells, centres: Array, s: float, reach: float, sums: Array, magnitudes: Array) -> None:
    """Add what merged cells contribute, from those that the window of each centre meets."""
    order = cells.nodes.size // cells.low.size
    nodes, weights, sizes = (values.reshape(-1, order) for values in (cells.nodes, cells.weights, cells.sizes))
    first, counts = _windows(cells.low, cells.high, centres, reach)
    for batch in _batches(counts, lambda most: most * order):
        ahead = first[batch, None] + np.arange(counts[batch].max())
        inside = ahead < cells.low.size
        ahead = np.minimum(ahead, cells.low.size - 1)
        density = normal_density((nodes[ahead] - centres[batch, None, None]) / s) * (inside / s)[..., None]
        sums[batch] += np.einsum("ijk,ijk->i", density, weights[ahead])
        magnitudes[batch] += np.einsum("ijk,ijk->i", density, sizes[ahead])


def _windows(low: Array, high: Array, centres: Array, reach: float) -> tuple[Indices, Indices]:
    """Return the first of the intervals that come within `reach` of each centre, and how many do."""
    first = np.searchsorted(high, centres - reach, side="left")
    return first, np.searchsorted(low, centres + reach, side="right") - first


def _batches(counts: Indices, cost: Callable[[int], int]) -> Iterator[Indices]:
    """Yield the numbers of rows in parts of bounded size; rows with as many columns go together."""
    order = np.argsort(counts, kind="stable")[::-1]
    start = 0
    while start < order.size:
        stop = start + max(1, _CHUNK // max(cost(int(counts[order[start]])), 1))
        yield order[start:stop]
        start = stop

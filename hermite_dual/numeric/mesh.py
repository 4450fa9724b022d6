"""Panels on which an activation is a polynomial up to rounding.

The real line is cut at the kinks and then bisected until a Legendre expansion of degree 15 has a negligible tail, so
that steep and singular places, known or not, end up inside graded panels. Panels much wider than a steep place may
have no node in it: what they make of phi is compared with phi on a fixed set of points as well, 1/64 apart on
[-32, 32] and at all powers of 2. A structure that is narrower than that, elsewhere, is seen where it is declared as a
kink. The panels depend on the activation alone and
are kept for windows `[-2^k, 2^k]`.

Derivation: docs/theory/numerics.md, "Panels".
"""

from functools import lru_cache
from typing import Any

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import AccuracyError
from hermite_dual.numeric.noise import noise
from hermite_dual.precision_lock import mp_digits

TEST_ORDER = 16
"""Nodes of the test expansion on each panel."""
_TAIL = 2e-15
"""Size of the last three coefficients, relative to the activation's largest value so far out, that passes."""
_MANY = 512
_NOISE = 1000.0
"""Tail, in units of phi's own noise at the nodes, that may be noise; a larger one is structure not resolved yet."""
_MAX_PANELS = 40_000
_EPS = float(np.finfo(np.float64).eps)
_MIN_RELATIVE_WIDTH = 4.0 * _EPS
_NARROWEST_SCALE = 1e-3
"""Standard deviation (of a variance 1e-6) below which a panel counts only in proportion to its width."""
_MIN_WIDTH = 1e-40
_DYADIC = 2.0 ** np.arange(-60, 54)
_PROBES = np.unique(np.concatenate([-_DYADIC, np.arange(-2048, 2049) / 64.0 + 1e-4, _DYADIC]))
_SUBNORMAL = 64 * 5e-324
"""Below it values are a staircase of a few steps, which is no structure of the activation."""
_MISSED = 1e-12
"""Deviation at a probe, relative to the envelope, that shows a structure between the nodes."""


@lru_cache(maxsize=64)
def gauss_legendre(order: int) -> tuple[Array, Array]:
    """Return nodes and weights on [0, 1], each correct to its last digit.

    NumPy's weights are off by up to 1e-13 of themselves next to the ends, and by 10 eps in what they integrate. The
    nodes take one more Newton step at 30 digits, and the weights `2 / ((1 - t^2) P'(t)^2)` on [-1, 1] follow.
    """
    import mpmath

    nodes, weights = np.empty(order), np.empty(order)
    with mp_digits(30):
        for k, start in enumerate(np.polynomial.legendre.leggauss(order)[0].tolist()[: (order + 1) // 2]):
            value, slope = _legendre(order, mpmath.mpf(start))
            root = mpmath.mpf(start) - value / slope
            slope = _legendre(order, root)[1]
            nodes[k], nodes[-1 - k] = (1 + root) / 2, (1 - root) / 2
            weights[k] = weights[-1 - k] = 1 / ((1 - root * root) * slope * slope)
    return nodes, weights


def _legendre(degree: int, t: Any) -> tuple[Any, Any]:
    """Return `P_n(t)` and its derivative."""
    before, value = 1, t
    for k in range(2, degree + 1):
        before, value = value, ((2 * k - 1) * t * value - (k - 1) * before) / k
    return value, degree * (t * value - before) / (t * t - 1)


@lru_cache(maxsize=1)
def _expansion() -> Array:
    """Return the matrix from values at the test nodes to all Legendre coefficients."""
    nodes, weights = np.polynomial.legendre.leggauss(TEST_ORDER)
    degrees = np.arange(TEST_ORDER)
    basis = np.polynomial.legendre.legvander(nodes, TEST_ORDER - 1)
    return np.asarray((basis * weights[:, None]).T * ((2 * degrees + 1) / 2.0)[:, None])


def _deviations(activation: Activation, probes: Array, low: Array, width: Array, values: Array) -> Array:
    """Return the largest distance of the expansion to phi at the probes of each panel; 0 where it has none."""
    order = np.argsort(low)
    panel = np.searchsorted(low[order], probes, side="right") - 1
    owner = order[np.maximum(panel, 0)]
    inside = (panel >= 0) & (low[owner] < probes) & (low[owner] + width[owner] > probes)
    points, owner = probes[inside], owner[inside]
    position = 2.0 * (points - low[owner]) / width[owner] - 1.0
    basis = np.polynomial.legendre.legvander(position, TEST_ORDER - 1)
    with np.errstate(invalid="ignore"):
        gap = np.abs(np.einsum("ij,ij->i", basis, (values @ _expansion().T)[owner]) - activation(points))
    largest = np.zeros(low.size)
    np.maximum.at(largest, owner, np.nan_to_num(gap, nan=0.0, posinf=0.0))
    return largest


def panels(activation: Activation, reach: float) -> Array:
    """Return increasing panel ends from `-2^k` to `2^k`, the smallest such window that holds `[-reach, reach]`.

    Raises:
        AccuracyError: more than 40,000 panels would be needed; the activation oscillates too fast over this range.
    """
    return _window(activation, int(np.ceil(np.log2(max(reach, 1e-300)))))


@lru_cache(maxsize=256)
def _window(activation: Activation, exponent: int) -> Array:
    size = 2.0**exponent
    edges = np.unique(np.concatenate([[-size, 0.0, size], activation.kinks_within(size)]))
    grid, envelope = _envelope(activation, size)
    probes = np.union1d(_PROBES, activation.probes)
    finished = [edges]
    low, high = edges[:-1], edges[1:]
    nodes = gauss_legendre(TEST_ORDER)[0]
    count = low.size
    before = np.full(low.size, np.inf)
    while low.size:  # each round bisects what the last one left unresolved
        width = high - low
        values = activation(low[:, None] + width[:, None] * nodes)
        with np.errstate(invalid="ignore"):
            tails = np.abs(values @ _expansion()[-3:].T).max(axis=1)
            slopes = np.abs(np.diff(values, axis=1) / np.diff(nodes)).max(axis=1) / width
        outer = np.maximum(np.abs(low), np.abs(high))
        size_here = envelope[np.minimum(np.searchsorted(grid, outer), grid.size - 1)]
        size_here /= np.minimum(1.0, width / _NARROWEST_SCALE)
        allowed = activation.coarseness * _TAIL * size_here
        # Nodes are rounded; what phi makes of that is no structure of its own.
        allowed += activation.coarseness * _EPS * outer * slopes + _SUBNORMAL
        floor = np.maximum(
            activation.coarseness * _MIN_RELATIVE_WIDTH * np.minimum(np.abs(low), np.abs(high)), _MIN_WIDTH
        )
        # A tail that is not finite is no reason to refine: integrability is decided elsewhere.
        split = (tails > allowed) & (width > 2.0 * floor)
        if np.count_nonzero(split) > _MANY:
            # Kinks and poles are in few panels; a small tail that stays as it is in many of them is noise of phi.
            stuck = np.flatnonzero(split & (tails >= 0.5 * before))
            scatter = noise(activation, low[stuck, None] + width[stuck, None] * nodes).max(axis=1, initial=0.0)
            split[stuck] = tails[stuck] > _NOISE * scatter
        deviations = _deviations(activation, probes, low, width, values)
        # Noise deviates hardly more than the tails do.
        missed = deviations > np.maximum(
            activation.coarseness * (_MISSED * size_here + _EPS * outer * slopes) + _SUBNORMAL, 100.0 * tails
        )
        split |= missed & (width > 2.0 * floor)
        low, high = low[split], high[split]
        before = np.tile(tails[split], 2)
        middle = 0.5 * (low + high)
        finished.append(middle)
        count += middle.size
        if count > _MAX_PANELS:
            raise AccuracyError(
                f"{activation!r} needs more than {_MAX_PANELS} panels on [-{size:g}, {size:g}]: it oscillates too fast "
                "for quadrature at this variance; reduce the variance, or use a closed form where there is one"
            )
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
    return np.unique(np.concatenate(finished))


def _envelope(activation: Activation, size: float) -> tuple[Array, Array]:
    """Return radii and the largest magnitude of the activation within each."""
    probes = np.abs(activation.probes)
    grid = np.unique(np.concatenate([[0.0], np.geomspace(size * 1e-12, size, 400), probes[probes < size]]))
    magnitude = np.maximum(np.abs(activation(grid)), np.abs(activation(-grid)))
    magnitude[~np.isfinite(magnitude)] = 0.0
    envelope = np.maximum.accumulate(magnitude)
    positive = envelope[envelope > 0.0]
    # Where the activation vanishes identically any positive tolerance does.
    return grid, np.maximum(envelope, positive[0] if positive.size else 1.0)

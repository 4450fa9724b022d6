"""Panels on which an activation is a polynomial up to rounding.

The real line is cut at the kinks and then bisected until a Legendre expansion of degree 15 has a negligible tail, so
that steep and singular places, known or not, end up inside graded panels. The panels depend on the activation alone and
are kept for windows `[-2^k, 2^k]`.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hermite_dual.activation import Activation
from hermite_dual.errors import AccuracyError

Array = NDArray[np.float64]

TEST_ORDER = 16
"""Nodes of the test expansion on each panel."""
_TAIL = 2e-15
"""Size of the last three coefficients, relative to the activation's largest value so far out, that passes."""
_MANY = 512
_MAX_PANELS = 20_000
_EPS = float(np.finfo(np.float64).eps)
_MIN_RELATIVE_WIDTH = 4.0 * _EPS
_NARROWEST_SCALE = 1e-3
"""Standard deviation (of a variance 1e-6) below which a panel counts only in proportion to its width."""
_MIN_WIDTH = 1e-40


@lru_cache(maxsize=64)
def gauss_legendre(order: int) -> tuple[Array, Array]:
    """Return nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return 0.5 * (nodes + 1.0), 0.5 * weights


@lru_cache(maxsize=1)
def _tail_operator() -> Array:
    """Return the matrix from values at the test nodes to the last three Legendre coefficients."""
    nodes, weights = np.polynomial.legendre.leggauss(TEST_ORDER)
    degrees = np.arange(TEST_ORDER - 3, TEST_ORDER)
    basis = np.polynomial.legendre.legvander(nodes, TEST_ORDER - 1)[:, degrees]
    return np.asarray((basis * weights[:, None]).T * ((2 * degrees + 1) / 2.0)[:, None])


def panels(activation: Activation, reach: float) -> Array:
    """Return increasing panel ends from `-2^k` to `2^k`, the smallest such window that holds `[-reach, reach]`.

    Raises:
        AccuracyError: more than 20,000 panels would be needed; the activation oscillates too fast over this range.
    """
    return _window(activation, int(np.ceil(np.log2(max(reach, 1e-300)))))


@lru_cache(maxsize=256)
def _window(activation: Activation, exponent: int) -> Array:
    size = 2.0**exponent
    kinks = np.array([float(kink) for kink in activation.kinks])
    kinks = kinks[np.abs(kinks) < size]
    edges = np.unique(np.concatenate([[-size, 0.0, size], kinks]))
    grid, envelope = _envelope(activation, size)
    finished = [edges]
    low, high = edges[:-1], edges[1:]
    nodes = gauss_legendre(TEST_ORDER)[0]
    count = low.size
    before = np.full(low.size, np.inf)
    while low.size:  # each round bisects what the last one left unresolved
        width = high - low
        values = activation(low[:, None] + width[:, None] * nodes)
        with np.errstate(invalid="ignore"):
            tails = np.abs(values @ _tail_operator().T).max(axis=1)
            slopes = np.abs(np.diff(values, axis=1) / np.diff(nodes)).max(axis=1) / width
        outer = np.maximum(np.abs(low), np.abs(high))
        allowed = _TAIL * envelope[np.minimum(np.searchsorted(grid, outer), grid.size - 1)]
        allowed /= np.minimum(1.0, width / _NARROWEST_SCALE)
        # Nodes are rounded; what phi makes of that is no structure of its own.
        allowed += _EPS * outer * slopes
        floor = np.maximum(_MIN_RELATIVE_WIDTH * np.minimum(np.abs(low), np.abs(high)), _MIN_WIDTH)
        # A tail that is not finite is no reason to refine: integrability is decided elsewhere.
        split = (tails > allowed) & (width > 2.0 * floor)
        if np.count_nonzero(split) > _MANY:
            # Kinks and poles are in few panels; a tail that stays as it is in many of them is rounding noise of phi.
            split &= tails < 0.5 * before
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
    grid = np.concatenate([[0.0], np.geomspace(size * 1e-12, size, 400)])
    magnitude = np.maximum(np.abs(activation(grid)), np.abs(activation(-grid)))
    magnitude[~np.isfinite(magnitude)] = 0.0
    envelope = np.maximum.accumulate(magnitude)
    positive = envelope[envelope > 0.0]
    # Where the activation vanishes identically any positive tolerance does.
    return grid, np.maximum(envelope, positive[0] if positive.size else 1.0)

"""Fixed points of the correlation map for many variances, from a table of kdot in the variance and the angle.

Derivation: docs/theory/mean_field.md, "Phase diagrams".
"""

import math
from functools import lru_cache

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.numeric.chebyshev import chebyshev_coefficients, chebyshev_nodes
from hermite_dual.numeric.gaussian import coefficients, second_moment
from hermite_dual.numeric.kernel import kernel_with_error
from hermite_dual.numeric.mesh import gauss_legendre
from hermite_dual.population.entries.price_dual import slope_of

_WIDTH, _VARIANCES = 1.0, 9
"""Cells in log(q), and nodes in each: kdot is analytic on a strip of half-width pi/2, and `6.4^-9` is 6e-8."""
_DEGREES, _TAIL = 512, 1e-9
"""A Hermite series of so many terms that leaves so little, relatively, stands for kdot."""
_ANGLES = 28
"""Nodes in `u = sqrt(2 theta/pi)`: dense at small angles, over which kdot falls off where variances are large."""
_QUADRATURE = 40
"""Nodes of the mean of kdot between 1 and a correlation."""
_HALVINGS = 48
"""Of u, after which it is known to rounding."""


def correlations(phi: Activation, q: Array, weight: Array) -> tuple[Array, Array]:
    """Return c* and the slope of the correlation map there, of networks that are chaotic.

    Args:
        phi: the activation, with a square-integrable derivative.
        q: fixed variances, shape (n,).
        weight: sigma_w^2, shape (n,).
    """
    cells = np.floor(np.log(q) / _WIDTH).astype(int)
    correlation, slope = np.empty_like(q), np.empty_like(q)
    for cell in np.unique(cells).tolist():
        rows = np.flatnonzero(cells == cell)
        t = 2.0 * (np.log(q[rows]) / _WIDTH - cell) - 1.0
        basis = np.polynomial.chebyshev.chebvander(t, _VARIANCES - 1)
        slopes, means = (basis @ table for table in _cell(phi, cell))
        low, high = np.zeros(rows.size), np.ones(rows.size)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            above = weight[rows] * _values(means, middle) > 1.0
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        correlation[rows] = np.where(high == 1.0, 0.0, np.cos(0.5 * np.pi * low**2))
        slope[rows] = weight[rows] * _values(slopes, low)
    return correlation, slope


def _values(coefficients: Array, u: Array) -> Array:
    """Return each row's Chebyshev series on [0, 1] at its own point."""
    t = 2.0 * u - 1.0
    later, latest = np.zeros_like(t), np.zeros_like(t)
    for r in range(coefficients.shape[1] - 1, 0, -1):
        later, latest = 2.0 * t * later - latest + coefficients[:, r], later
    return np.asarray(t * later - latest + coefficients[:, 0])


@lru_cache(maxsize=256)
def _cell(phi: Activation, cell: int) -> tuple[Array, Array]:
    """Return coefficients in log(q) and u, shape (variances, angles), of kdot and of its mean over `[c, q]`."""
    derivative = slope_of(phi)
    angles = 0.5 * np.pi * (0.5 * (1.0 + chebyshev_nodes(_ANGLES - 1))) ** 2
    rows = []
    for t in chebyshev_nodes(_VARIANCES - 1).tolist():
        q = math.exp(_WIDTH * (cell + 0.5 * (1.0 + t)))
        rows.append(_slopes(derivative, q, np.cos(angles)))
    in_angle = chebyshev_coefficients(np.array(rows).T).T
    means = in_angle @ _mean_matrix()
    return chebyshev_coefficients(in_angle), chebyshev_coefficients(means)


def _slopes(derivative: Activation, q: float, rho: Array) -> Array:
    """Return `E[phi'(u) phi'(v)]` at correlations."""
    powers = coefficients(derivative, q, _DEGREES) ** 2
    moment = second_moment(derivative, q)
    if moment - float(powers.sum()) <= _TAIL * moment:
        return np.asarray(np.polynomial.polynomial.polyval(rho, powers))
    return kernel_with_error(derivative, q, q, q * rho)[0]


@lru_cache(maxsize=1)
def _mean_matrix() -> Array:
    """Return the matrix from coefficients of kdot to those of `int_0^theta kdot sin / (1 - cos(theta))`."""
    u = 0.5 * (1.0 + chebyshev_nodes(_ANGLES - 1))
    theta = 0.5 * np.pi * u**2
    nodes, weights = gauss_legendre(_QUADRATURE)
    inner = u[:, None] * nodes  # in u, theta = pi u^2/2 has the differential pi u du
    angle = 0.5 * np.pi * inner**2
    factor = u[:, None] * weights * np.pi * inner * np.sin(angle) / (2.0 * np.sin(0.5 * theta) ** 2)[:, None]
    basis = np.polynomial.chebyshev.chebvander(2.0 * inner - 1.0, _ANGLES - 1)
    values = np.einsum("ij,ijr->ri", factor, basis)
    return np.asarray(chebyshev_coefficients(values.T).T)

"""Panels of an activation merged where what multiplies it varies slowly.

Against a function that is smooth over a length h, such as a normal density of that width, the panels of phi inside a
cell no wider than h count only by their moments: the cell becomes one Gauss-Legendre rule whose weights are the
integrals of phi times the Lagrange polynomials of its nodes. Steep and singular places of phi, panels of which get
narrower without end, then cost no more than smooth ones.
"""

from dataclasses import dataclass

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Mask
from hermite_dual.numeric.gaussian import at_nodes, panel_nodes
from hermite_dual.numeric.mesh import TEST_ORDER, gauss_legendre


@dataclass(frozen=True, eq=False)
class Cells:
    """Disjoint cells and their rules; `int_cells phi(scale x) f(x) dx = sum_k weights_k f(nodes_k)`.

    Attributes:
        low: left ends, increasing, shape (m,).
        high: right ends, shape (m,).
        nodes: shape (m K,).
        weights: shape (m K,).
        sizes: the same weights for `|phi|`, spread evenly, shape (m K,).
    """

    low: Array
    high: Array
    nodes: Array
    weights: Array
    sizes: Array

    def holds(self, points: Array) -> Mask:
        """Return which points lie strictly inside a cell."""
        if not self.low.size:
            return np.zeros(points.shape, dtype=bool)
        cell = np.maximum(np.searchsorted(self.low, points, side="left") - 1, 0)
        return np.asarray((points > self.low[cell]) & (points < self.high[cell]))


def merged(activation: Activation, scale: float, edges: Array, width: float, order: int) -> Cells:
    """Merge consecutive panels into cells.

    Args:
        activation: phi.
        scale: factor of the argument of phi.
        edges: panel ends of `phi(scale x)`, increasing.
        width: largest width of a cell.
        order: nodes per cell.
    """
    starts, stops, i = [], [], 0
    narrow = np.diff(edges) < 0.5 * width
    while i < narrow.size:
        j = int(np.searchsorted(edges, edges[i] + width, side="right")) - 1
        if narrow[i] and j >= i + 2:
            starts.append(i)
            stops.append(j)
            i = j
        else:
            i += 1
    low, high = edges[starts], edges[stops]
    unit, unit_weights = gauss_legendre(order)
    degrees = np.arange(order)
    # Lagrange polynomials in Legendre polynomials: l_k(t) = w_k sum_r (2 r + 1) P_r(t_k) P_r(t).
    basis = np.polynomial.legendre.legvander(2.0 * unit - 1.0, order - 1)
    lagrange = (2.0 * degrees + 1.0)[:, None] * basis.T * unit_weights
    # phi is of degree 15 on its panels and Lagrange polynomials of degree order - 1.
    inner_order = (TEST_ORDER + order) // 2 + 1
    weights, sizes = np.empty((low.size, order)), np.empty((low.size, order))
    for k, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        x, w = panel_nodes(edges[start : stop + 1], inner_order)
        terms = w * at_nodes(activation, scale * x)
        t = 2.0 * (x - low[k]) / (high[k] - low[k]) - 1.0
        weights[k] = (terms @ np.polynomial.legendre.legvander(t, order - 1)) @ lagrange
        sizes[k] = np.abs(terms).sum() * unit_weights
    nodes = low[:, None] + (high - low)[:, None] * unit
    return Cells(low, high, nodes.ravel(), weights.ravel(), sizes.ravel())

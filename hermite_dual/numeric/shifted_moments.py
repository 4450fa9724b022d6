"""Gaussian integrals of `phi(alpha Z + beta)` and its derivatives, at many scales and shifts of one formula.

Derivation: docs/theory/design.md, "Shaped activations".
"""

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.numeric.gaussian import ORDER, at_nodes, normal_density, panel_nodes
from hermite_dual.numeric.mesh import panels

_REACH = 12.0
"""Standard deviations that are integrated over: the normal law has a mass of 4e-33 beyond."""


class ShiftedMoments:
    """Means of functions of `phi(alpha Z + beta)`, on panels that serve phi and its derivatives.

    Args:
        functions: phi, and those of its derivatives that are wanted.
    """

    def __init__(self, *functions: Activation) -> None:
        self._functions = functions

    def nodes(self, alpha: float, beta: float) -> tuple[Array, Array, list[Array]]:
        """Return nodes z, weights with the normal density, and the values of each function at `alpha z + beta`."""
        reach = abs(beta) + abs(alpha) * _REACH
        cuts = [(panels(function, reach) - beta) / alpha for function in self._functions]
        base = np.linspace(-_REACH, _REACH, 2 * int(_REACH) + 1)
        edges = np.unique(np.concatenate([base, *cuts]))
        z, weights = panel_nodes(edges[np.abs(edges) <= _REACH], ORDER)
        u = alpha * z + beta
        return z, weights * normal_density(z), [at_nodes(function, u) for function in self._functions]

"""A function on [-1, 1] that is analytic inside, as a table of short polynomials that grow finer towards both ends.

With `u = 1 - |x|` the pieces halve with every octave of u and divide each octave into 32, so that a piece is found from
the bits of u alone, and evaluation costs the same for every function. A power series with non-negative coefficients,
which dual kernels and equilibrium maps are, is analytic in the unit disc and bounded there by its value at 1. A piece
of half-width h, centred at the distance delta from the nearest end, has `h < delta / 64`; its Bernstein ellipse of
parameter 127 lies in the disc, and interpolation of degree 7 is off by at most `4 f(1) 127^-7 / 126 < 6e-17 f(1)`
(Trefethen, Approximation Theory and Approximation Practice, theorem 8.2). Kinks and steep places of the activation,
which put singularities onto the ends or close to them, make no difference.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hermite_dual.numeric.chebyshev import chebyshev_coefficients, chebyshev_nodes

Array = NDArray[np.float64]

DEGREE = 7
"""Eight coefficients are one cache line."""
SHIFT = 47
"""Bits of a double below the five that number the pieces of an octave."""
OCTAVES = 53
"""Below `2^-53` the argument is +-1."""
PIECES = OCTAVES * (1 << (52 - SHIFT)) + 2
"""Pieces on each side: the point x = +-1 itself, the octaves, and u = 1."""
FIRST = ((1023 - OCTAVES) << (52 - SHIFT)) - 1
"""Number of the first piece among the leading bits of u."""
_OFF_NODES = np.array([-0.97, -0.31, 0.52])
"""Where each piece is checked, in [-1, 1]."""


@dataclass(frozen=True, eq=False)
class GradedTable:
    """Polynomials in `t`, from -1 to 1 along the piece, lowest degree first.

    Attributes:
        coefficients: shape (2 PIECES, 8); pieces of x >= 0 by increasing u first, then those of x < 0.
        error: largest deviation between the nodes.
    """

    coefficients: Array
    error: float

    def __call__(self, x: Array) -> Array:
        """Return the function at points of [-1, 1]; those outside count as +-1."""
        from hermite_dual.numeric.gram_kernels import apply_table

        values = np.array(x, dtype=np.float64).reshape(1, -1)
        ones = np.ones(values.shape[1])
        apply_table(values, ones[:1], ones, ones[:1], ones, self.coefficients, 0.0)
        return values.reshape(np.shape(x))


def graded_table(function: Callable[[Array, Array], Array]) -> GradedTable:
    """Tabulate a function on [-1, 1], analytic inside.

    Args:
        function: takes flat arrays of signs and of distances `u = 1 - |x|`, which x itself would round.
    """
    pieces = np.arange(1, PIECES)
    low = ((pieces + FIRST) << SHIFT).view(np.float64)
    width = ((pieces + 1 + FIRST) << SHIFT).view(np.float64) - low
    width[-1] = 0.0  # u = 1 is a point
    position = np.concatenate([chebyshev_nodes(DEGREE), _OFF_NODES])
    u = low[:, None] + 0.5 * width[:, None] * (1.0 + position)
    flat = np.concatenate([[0.0], u.ravel()])
    values = function(np.repeat([1.0, -1.0], flat.size), np.tile(flat, 2)).reshape(2, -1)
    at_ends, inside = values[:, 0], values[:, 1:].reshape(2, PIECES - 1, position.size)
    nodes, checks = inside[..., : DEGREE + 1], inside[..., DEGREE + 1 :]
    local = np.moveaxis(nodes, -1, 0).reshape(DEGREE + 1, -1)
    # Differences on a piece are small: so are the roundings of all but the first coefficient.
    constant = local[DEGREE // 2].copy()
    powers = _monomials() @ chebyshev_coefficients(local - constant)
    powers[0] += constant
    error = np.abs(_OFF_NODES[:, None] ** np.arange(DEGREE + 1) @ powers - checks.reshape(-1, _OFF_NODES.size).T).max()
    table = np.zeros((2, PIECES, DEGREE + 1))
    table[:, 0, 0] = at_ends
    table[:, 1:] = np.moveaxis(powers, 0, -1).reshape(2, PIECES - 1, DEGREE + 1)
    return GradedTable(table.reshape(2 * PIECES, DEGREE + 1), float(error))


def _monomials() -> Array:
    """Return the matrix from Chebyshev to monomial coefficients."""
    matrix = np.zeros((DEGREE + 1, DEGREE + 1))
    for r in range(DEGREE + 1):
        matrix[: r + 1, r] = np.polynomial.chebyshev.cheb2poly(np.eye(DEGREE + 1)[r])[: r + 1]
    return matrix

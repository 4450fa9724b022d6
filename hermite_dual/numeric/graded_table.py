"""A function on [-1, 1] that is analytic inside, as short polynomials that grow finer towards both ends.

With `u = 1 - |x|` the pieces halve with every octave of u and divide each octave into 32, so that a piece is found from
the bits of u alone, and evaluation costs the same for every function. A power series with non-negative coefficients,
which dual kernels and equilibrium maps are, is analytic in the unit disc and bounded there by its value at 1. A piece
of half-width h, centred at the distance delta from the nearest end, has `h < delta / 64`; its Bernstein ellipse of
parameter 127 lies in the disc, and interpolation of degree 7 is off by at most `4 f(1) 127^-7 / 126 < 6e-17 f(1)`
(Trefethen, Approximation Theory and Approximation Practice, theorem 8.2). Kinks and steep places of the activation,
which put singularities onto the ends or close to them, make no difference.

On [-1/2, 1/2], where most pairs of samples in many dimensions lie, a single polynomial of degree 29 saves the lookup.
Its ellipse of parameter `2 + sqrt(3)` lies in the disc, and the bound is `2 f(1) 3.732^-29 / 2.732 < 2e-17 f(1)` for
the truncated Chebyshev series, which 64 nodes give to rounding.

Derivation: docs/theory/numerics.md, "Gram matrices".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hermite_dual.arrays import Array
from hermite_dual.numeric.chebyshev import chebyshev_coefficients, chebyshev_nodes
from hermite_dual.numeric.graded_pieces import CENTRE, CENTRE_DEGREE, DEGREE, FIRST, PIECES, SHIFT

Factors = tuple[Array, Array]
"""By row and by column."""

_CENTRE_NODES = 64
"""More than the degree needs, so that roundings of the function average out."""
_OFF_NODES = np.array([-0.97, -0.31, 0.52])
"""Where each piece is checked, in [-1, 1]."""
_OFF_CENTRE_NODES = np.linspace(-1.0, 1.0, 31)
"""The same for the centre."""


@dataclass(frozen=True, eq=False)
class GradedTable:
    """Polynomials, lowest degree first.

    Attributes:
        coefficients: of pieces, in t that runs from -1 to 1 along the piece, shape (2 PIECES, 8); pieces of x > 0 by
            increasing u first, then those of x < 0.
        centre: of the polynomial in x on [-1/2, 1/2], shape (30,).
        error: largest deviation between the nodes.
        errors: the same up to each piece, by increasing u, and in the centre, shape (PIECES,).
    """

    coefficients: Array
    centre: Array
    error: float
    errors: Array

    def error_up_to(self, x: float) -> float:
        """Return the largest deviation at points of modulus up to x."""
        if x <= CENTRE:
            return float(self.errors[-1])
        bits = np.array([1.0 - min(x, 1.0)]).view(np.int64)[0]
        return float(self.errors[max(0, min(int(bits >> SHIFT) - FIRST - 1, PIECES - 1))])

    def __call__(self, x: Array) -> Array:
        """Return the function at points of [-1, 1]; those outside count as +-1."""
        from hermite_dual.numeric.gram_kernels import EntryMap, apply_to_rows

        values = np.array(x, dtype=np.float64).reshape(1, -1)
        one, ones = np.ones(1), np.ones(values.shape[1])
        apply_to_rows(values, 0, EntryMap(one, ones, one, ones, self.coefficients, self.centre, 0.0))
        return values.reshape(np.shape(x))

    def apply(self, matrix: Array, arguments: Factors, values: Factors, shift: float) -> float:
        """Replace each entry t by `v_i w_j f(x)`, `x = (t + shift) r_i s_j`, in place, and return the largest `|x|`.

        Args:
            matrix: inner products, shape (n, m).
            arguments: r, shape (n,), and s, shape (m,).
            values: v, shape (n,), and w, shape (m,).
            shift: added to each inner product.
        """
        from hermite_dual.numeric.gram_kernels import EntryMap, apply_table

        entry_map = EntryMap(*arguments, *values, self.coefficients, self.centre, shift)
        return _largest(apply_table(matrix, entry_map))

    def apply_symmetric(self, matrix: Array, arguments: Factors, values: Factors, shift: float) -> float:
        """Do the same off the diagonal of a symmetric matrix, of which the upper triangle is read and both are written.

        The products of the factors are symmetric.
        """
        from hermite_dual.numeric.gram_kernels import EntryMap, apply_table_symmetric, mirror
        from hermite_dual.numeric.jit import threads_for

        entry_map = EntryMap(*arguments, *values, self.coefficients, self.centre, shift)
        with threads_for(matrix.size):
            largest = _largest(apply_table_symmetric(matrix, entry_map))
            mirror(matrix)
        return largest


def _largest(bits: NDArray[np.int64]) -> float:
    return float(bits.view(np.float64).max(initial=0.0))


def graded_table(function: Callable[[Array, Array], Array]) -> GradedTable:
    """Tabulate a function on [-1, 1], analytic inside.

    Args:
        function: takes flat arrays of signs and of distances `u = 1 - |x|`, which x itself would round.
    """
    pieces = np.arange(1, PIECES)
    low = ((pieces + FIRST) << SHIFT).view(np.float64)
    width = ((pieces + 1 + FIRST) << SHIFT).view(np.float64) - low
    position = np.concatenate([chebyshev_nodes(DEGREE), _OFF_NODES])
    u = low[:, None] + 0.5 * width[:, None] * (1.0 + position)
    middle = CENTRE * np.concatenate([[0.0], chebyshev_nodes(_CENTRE_NODES - 1), _OFF_CENTRE_NODES])
    flat = np.concatenate([[0.0], u.ravel()])
    sign = np.concatenate([np.repeat([1.0, -1.0], flat.size), np.where(middle < 0.0, -1.0, 1.0)])
    values = function(sign, np.concatenate([flat, flat, 1.0 - np.abs(middle)]))
    centre, centre_error = _centre(values[2 * flat.size :])
    ends = values[: 2 * flat.size].reshape(2, -1)
    at_ends, inside = ends[:, 0], ends[:, 1:].reshape(2, PIECES - 1, position.size)
    nodes, checks = inside[..., : DEGREE + 1], inside[..., DEGREE + 1 :]
    local = np.moveaxis(nodes, -1, 0).reshape(DEGREE + 1, -1)
    # Differences on a piece are small: so are the roundings of all but the first coefficient.
    constant = local[DEGREE // 2].copy()
    powers = monomials(DEGREE) @ chebyshev_coefficients(local - constant)
    powers[0] += constant
    deviations = np.abs(_OFF_NODES[:, None] ** np.arange(DEGREE + 1) @ powers - checks.reshape(-1, _OFF_NODES.size).T)
    by_piece = np.append(deviations.max(axis=0).reshape(2, -1).max(axis=0), centre_error)
    errors = np.maximum.accumulate(by_piece[::-1])[::-1]
    table = np.zeros((2, PIECES, DEGREE + 1))
    table[:, 0, 0] = at_ends
    table[:, 1:] = np.moveaxis(powers, 0, -1).reshape(2, PIECES - 1, DEGREE + 1)
    return GradedTable(table.reshape(2 * PIECES, DEGREE + 1), centre, float(errors[0]), errors)


def _centre(values: Array) -> tuple[Array, float]:
    """Return the polynomial in x in the centre from values at 0, at its nodes and between them, and its error there."""
    nodes, checks = values[1 : _CENTRE_NODES + 1], values[_CENTRE_NODES + 1 :]
    scaled = monomials(CENTRE_DEGREE) @ chebyshev_coefficients(nodes - values[0])[: CENTRE_DEGREE + 1]
    # Uncorrelated samples get the value at 0 to the last bit, an odd function's zero above all.
    scaled[0] = values[0]
    error = np.abs(np.polynomial.polynomial.polyval(_OFF_CENTRE_NODES, scaled) - checks).max()
    return scaled / CENTRE ** np.arange(CENTRE_DEGREE + 1), float(error)


def monomials(degree: int) -> Array:
    """Return the matrix from Chebyshev to monomial coefficients."""
    matrix = np.zeros((degree + 1, degree + 1))
    for r in range(degree + 1):
        matrix[: r + 1, r] = np.polynomial.chebyshev.cheb2poly(np.eye(degree + 1)[r])[: r + 1]
    return matrix

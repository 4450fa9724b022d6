"""The inputs' part `sigma_u^2 x_i.x_j/d + sigma_b^2` of a covariance in floats, with every rounding counted.

Derivation: docs/theory/entries.md, "Entries of a Gram matrix".
"""

from dataclasses import dataclass

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma
from hermite_dual.certified.counted.inner_products import products_between, squared_norms, upper_norms

PARAMETER_UNITS = 4
"""Units roundoff within which the squares of the scales may lie from the squares of the floats."""
SCALES = 1 + 16 * UNIT  # sigma^2 is meant within 4 u of the square of the float, twice that and its roundings


@dataclass(frozen=True, eq=False)
class Inputs:
    """Values and bounds of their error, the rows' own error and the parameters' slack included."""

    values: Array
    errors: Array


@dataclass(frozen=True, eq=False)
class InputRows:
    """What is known of rows without their inner products.

    Attributes:
        squares: floats close to `|x_i|^2`, shape (n,).
        errors: bounds of their error.
        width: number d of columns.
        sigma_u: input scale.
        sigma_b: bias scale.
        row_error: the rows meant are within `row_error |x_i|` of the float rows.
    """

    squares: Array
    errors: Array
    width: int
    sigma_u: float
    sigma_b: float
    row_error: float = 0.0

    @classmethod
    def of(cls, samples: Array, sigma_u: float, sigma_b: float, row_error: float = 0.0) -> "InputRows":
        """Sum up the squares of rows, shape (n, d)."""
        return cls(*squared_norms(samples), samples.shape[1], sigma_u, sigma_b, row_error)

    @property
    def norms(self) -> Array:
        """Upper bounds of `|x_i|`, shape (n,)."""
        return upper_norms(self.squares, self.errors)

    def diagonal(self) -> Inputs:
        """`t_ii`, shape (n,)."""
        return self._scaled(self.squares, self.errors, self.meant_units * self.norms**2)

    def between(self, X: Array, Y: Array, rows: slice, columns: slice) -> Inputs:
        """`t_ij` between rows and others of them, from samples X and Y; the diagonal, if any, as the rest."""
        norms = self.norms
        products, errors = products_between(X, Y, norms[rows], norms[columns])
        meant = self.meant_units * np.multiply.outer(norms[rows], norms[columns]) if self.row_error else np.zeros(())
        return self._scaled(products, errors, meant)

    @property
    def meant_units(self) -> float:
        """Bound of the distance between inner products of the float rows and of the rows meant, in `|x_i||x_j|`."""
        return self.row_error * (2.0 + self.row_error) * UP

    def _scaled(self, products: Array, errors: Array, meant: Array) -> Inputs:
        scale, bias = self.sigma_u**2 / self.width, self.sigma_b**2
        values = products * scale + bias
        # scale: two roundings, its product one, bias one, the sum one; the parameters' units besides
        units = gamma(6 + PARAMETER_UNITS)
        bounds = scale * ((errors + meant) * UP) * SCALES + units * (scale * np.abs(products) + bias) + 4 * TINY
        return Inputs(values, np.asarray(bounds * UP))

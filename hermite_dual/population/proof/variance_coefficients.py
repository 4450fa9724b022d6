"""Hermite coefficients at the true variances of a Gram matrix, of which floats and their error are known.

Derivation: docs/theory/eigenvalues.md, "The theory's bounds".
"""

from typing import TYPE_CHECKING

import numpy as np
from flint import arb

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import upper_float
from hermite_dual.certified.counted.variance_table import coefficients_at
from hermite_dual.certified.eigenvalues.theory_bounds import CoefficientSource
from hermite_dual.errors import AccuracyError

if TYPE_CHECKING:
    from hermite_dual.population.gram import Gram


def preactivation_error(gram: "Gram") -> float:
    """The proven error of the entries of S.

    Raises:
        AccuracyError: nothing is proven.
    """
    errors = gram.entry_bounds.preactivation_errors
    if errors is None:
        raise AccuracyError(f"the theory's bounds need proven entries: {gram.entry_bounds.reason}")
    return float(errors.max())


def variance_coefficients(gram: "Gram", degrees: int) -> CoefficientSource:
    """Balls of `a_r` over all variances within the error of S of the float ones."""
    error, lipschitz = preactivation_error(gram), gram.entry_bounds.lipschitz
    return coefficients_within(gram.model.activation, gram.variances, error, lipschitz, degrees)


def coefficients_within(
    activation: Activation, variances: Array, error: float, lipschitz: float, degrees: int
) -> CoefficientSource:
    """Balls of `a_r` over all variances within an error e of given ones.

    `|a_r(t^2) - a_r(t'^2)| <= L |t - t'|`, `|t - t'| <= e/t`.
    """
    distinct = np.unique(variances)
    series = coefficients_at(activation.shape, distinct, degrees)
    table = dict(zip(distinct.tolist(), series, strict=True))

    def source(variance: float, count: int) -> list[arb]:
        radius = arb(0, upper_float(arb(lipschitz) * arb(error) / arb(variance).sqrt()))
        return [ball + radius for ball in table[variance].coefficients[:count]]

    return source

"""Hermite coefficients at the true variances of a Gram matrix, of which floats and their error are known."""

import numpy as np
from flint import arb

from hermite_dual.certified.precision import upper_float
from hermite_dual.certified.theory_bounds import CoefficientSource
from hermite_dual.certified.variance_table import coefficients_at
from hermite_dual.errors import AccuracyError
from hermite_dual.population.gram import Gram


def preactivation_error(gram: Gram) -> float:
    """The proven error of the entries of S.

    Raises:
        AccuracyError: nothing is proven.
    """
    errors = gram.entry_bounds.preactivation_errors
    if errors is None:
        raise AccuracyError(f"the theory's bounds need proven entries: {gram.entry_bounds.reason}")
    return float(errors.max())


def variance_coefficients(gram: Gram, degrees: int) -> CoefficientSource:
    """Balls of `a_r` over all variances within the error e of the float ones.

    `|a_r(t^2) - a_r(t'^2)| <= L |t - t'|`, `|t - t'| <= e/t`.
    """
    error, phi = preactivation_error(gram), gram.model.activation
    distinct = np.unique(gram.variances)
    series = coefficients_at(phi.expr, phi.symbol, distinct, degrees)
    table = dict(zip(distinct.tolist(), series, strict=True))

    def source(variance: float, count: int) -> list[arb]:
        radius = arb(0, upper_float(arb(gram.entry_bounds.lipschitz) * arb(error) / arb(variance).sqrt()))
        return [ball + radius for ball in table[variance].coefficients[:count]]

    return source

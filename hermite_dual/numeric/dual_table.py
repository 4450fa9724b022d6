"""The dual kernel between two given variances, as a table over all correlations."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.numeric.graded_table import GradedTable, graded_table
from hermite_dual.numeric.kernel import angle_surrogate
from hermite_dual.numeric.mehler import EPS, hermite_series, mehler_sum
from hermite_dual.numeric.wave_kernel import waves_at


@dataclass(frozen=True, eq=False)
class DualTable:
    """`rho -> k(q1, q2, sqrt(q1 q2) rho)`.

    Attributes:
        table: the function on [-1, 1].
        error: estimated error of a value.
    """

    table: GradedTable
    error: float

    def __call__(self, rho: Array) -> Array:
        """Return the kernel at correlations; those outside [-1, 1] count as +-1."""
        return self.table(rho)


@lru_cache(maxsize=64)
def dual_table(activation: Activation, q1: float, q2: float) -> DualTable:
    """Tabulate the kernel, from Mehler's series where it converges, from a closed form or quadrature elsewhere.

    Raises:
        AccuracyError: quadrature finds no interpolant in the angle.
        NotIntegrableError: phi is not square-integrable at one of the variances.
    """
    waves = waves_at(activation, q1, q2)
    if waves is not None:
        table = graded_table(lambda sign, u: waves(q1, q2, sign * (1.0 - u), u * (2.0 - u))[0])
        values, errors = waves(q1, q2, np.array([-1.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0]))
        return DualTable(table, float(errors.max()) + table.error + 4.0 * EPS * float(np.abs(values).max()))
    first, second = hermite_series(activation, q1), hermite_series(activation, q2)
    if first.converged and second.converged:
        count = min(first.coefficients.size, second.coefficients.size)
        terms = first.coefficients[:count] * second.coefficients[:count]
        table = graded_table(lambda sign, u: np.asarray(np.polynomial.polynomial.polyval(sign * (1.0 - u), terms)))
        _, remainder, rounding = mehler_sum(first, second, np.array(1.0))
        error = float(remainder + rounding)
    else:
        surrogate, error = angle_surrogate(activation, q1, q2)
        table = graded_table(lambda sign, u: surrogate(np.arctan2(np.sqrt(u * (2.0 - u)), sign * (1.0 - u))))
    scale = np.sqrt(first.second_moment * second.second_moment)
    return DualTable(table, error + table.error + 4.0 * EPS * float(scale))

"""The dual of phi' on a matrix of correlations, with proven errors at the float variances and at the true ones.

Derivation: docs/theory/tangent_kernel.md, "Proven entries".
"""

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP
from hermite_dual.certified.counted.homogeneous import homogeneous_slope
from hermite_dual.certified.eigenvalues.theory_bounds import largest_off_diagonal
from hermite_dual.certified.suprema.slope_regularity import SlopeRegularity
from hermite_dual.errors import AccuracyError
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.population.proof.certified_kernel import CertifiedKernel

_WIDE = 2.0**-50
"""Error from which a closed form in balls replaces the series."""
_MOST_BALLS = 200_000  # entries in balls, the widest first


def certified_slope(
    activation: Activation,
    regularity: SlopeRegularity,
    variances: Array,
    root_errors: Array,
    rho: Array,
    slack: Array,
) -> tuple[Array, Array]:
    """Return `kdot` at the floats given and bounds of its distance to kdot at the true variances and covariances.

    Args:
        activation: phi, with a formula.
        regularity: bounds of phi' and phi''.
        variances: floats q_i > 0, shape (n,).
        root_errors: bounds of `|sqrt(q_i) - sqrt(S_ii)|`, shape (n,).
        rho: float correlations, symmetric, shape (n, n); the diagonal is taken to be 1.
        slack: bounds between `rho_ij sqrt(q_i q_j)` and S_ij, off the diagonal.

    Raises:
        AccuracyError, InvalidInputError, NotIntegrableError: as `coefficient_balls`.
    """
    roots = np.sqrt(variances)
    if not (root_errors < 0.5 * roots).all():
        raise AccuracyError("a variance is known too poorly to bound the entries of its row")
    values, errors = _at_floats(activation, variances, rho)
    rows, columns = (slice(None), None), (None, slice(None))
    t1, t2 = roots[rows], roots[columns]
    relative = root_errors / roots * (1 + 4 * UNIT)
    grown = np.multiply.outer(1 + relative, 1 + relative) - 1 + 8 * UNIT
    shrunk = np.multiply.outer(1 - relative, 1 - relative) - 8 * UNIT
    moved = slack / (t1 * t2) * (1 + 8 * UNIT)
    # rho' sqrt(q q') differs from the true covariance rho* t1* t2* by the slack, and |rho*| is at most 1
    size = np.minimum((np.abs(rho) + moved) / shrunk * (1 + 8 * UNIT), 1.0)
    moved = (moved + size * grown) * UP
    shift = regularity.from_root(roots, root_errors)
    shifts = shift[rows] + shift[columns]
    np.fill_diagonal(moved, 0.0)
    errors = (errors + regularity.from_correlation(t1, t2, rho, moved) * ~np.eye(len(rho), dtype=bool) + shifts) * UP
    # |kdot| <= L^2: moving a float there brings it no farther from the truth
    return np.clip(values, -(regularity.lipschitz**2), regularity.lipschitz**2), errors + TINY


def _at_floats(activation: Activation, variances: Array, rho: Array) -> tuple[Array, Array]:
    """Return kdot at the float variances and correlations, with bounds of the evaluation's error."""
    largest = largest_off_diagonal(np.abs(rho))
    homogeneous = activation.shape.homogeneous
    kernel = CertifiedKernel(slope_of(activation), np.ones_like(variances) if homogeneous else variances, largest)
    series = kernel.evaluate(rho)
    values, errors = series.values, series.errors
    if homogeneous:
        upper = np.triu_indices(len(rho), 1)
        wide = np.flatnonzero(errors[upper] > _WIDE)
        wide = wide[np.argsort(-errors[upper][wide])[:_MOST_BALLS]]
        rows, columns = upper[0][wide], upper[1][wide]
        exact = homogeneous_slope(activation.shape, rho[rows, columns])
        for target, source in ((values, exact.values), (errors, exact.errors)):
            target[rows, columns] = source
            target[columns, rows] = source
    middle, radius = kernel.rounded_moments()
    np.fill_diagonal(values, middle)
    np.fill_diagonal(errors, radius)
    return values, errors

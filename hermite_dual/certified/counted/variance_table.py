"""Hermite coefficients at several variances: few one by one, many together.

Derivation: docs/theory/entries.md, "Many variances at once".
"""

from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.counted.power_series import VarianceSeries, fixed_series
from hermite_dual.certified.counted.row_coefficients import RowCoefficients, row_coefficients, unsupported
from hermite_dual.errors import AccuracyError
from hermite_dual.shape.shape import Shape

_MOST_COEFFICIENTS = 64 * 128
"""Coefficients in all, beyond which they would take minutes one by one."""


def _together(shape: Shape, distinct: int, count: int) -> bool:
    """Whether coefficients at many variances are better computed as rows of one product.

    Raises:
        AccuracyError: there are too many variances, and the activation does not allow that.
    """
    if distinct * count <= _MOST_COEFFICIENTS:
        return False
    problem = unsupported(shape)
    if problem:
        raise AccuracyError(
            f"rows have {distinct} different norms, and {count} proven coefficients for each would take minutes one by "
            f"one; together they cannot be had: {problem}. Scale the rows with hermite_dual.on_sphere(X), or take fewer"
        )
    return True


def coefficients_at(shape: Shape, variances: Array, count: int) -> list[VarianceSeries]:
    """Coefficients at each of several variances; one set for all where `phi(s x) = s phi(x)`, s > 0.

    Args:
        shape: that of the activation phi.
        variances: distinct q > 0.
        count: how many coefficients.

    Raises:
        AccuracyError: there are too many variances; otherwise as `coefficient_balls`.
    """
    if len(variances) > 1 and shape.homogeneous:
        unit = fixed_series(shape, 1.0, count)
        roots = [arb(q).sqrt() for q in variances.tolist()]
        return [
            VarianceSeries(q, [a * root for a in unit.coefficients], unit.moment * arb(q))
            for q, root in zip(variances.tolist(), roots, strict=True)
        ]
    if len(variances) > 1 and _together(shape, len(variances), count):
        return _from_rows(row_coefficients(shape, variances, count=count), variances)
    return [fixed_series(shape, q, count) for q in variances.tolist()]


def _from_rows(rows: RowCoefficients, variances: Array) -> list[VarianceSeries]:
    """Balls around the floats of every row; coefficients that vanish by parity are exact zeros."""
    series = []
    for i, q in enumerate(variances.tolist()):
        radius = float(rows.errors[i])
        balls = [
            arb(0) if rows.parity and (r % 2 == 0) != (rows.parity > 0) else arb(v, radius)
            for r, v in enumerate(rows.values[i].tolist())
        ]
        series.append(VarianceSeries(q, balls, arb(float(rows.moments[i]), float(rows.moment_errors[i]))))
    return series

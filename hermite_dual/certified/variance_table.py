"""Hermite coefficients at several variances, as far as they can be had one by one."""

import numpy as np
import sympy as sp
from flint import arb
from numpy.typing import NDArray

from hermite_dual.certified.homogeneous import is_homogeneous
from hermite_dual.certified.power_series import VarianceSeries, fixed_series
from hermite_dual.errors import AccuracyError

_MOST_COEFFICIENTS = 64 * 128
"""Coefficients in all, beyond which they would take minutes."""


def coefficients_at(
    expr: sp.Expr, symbol: sp.Symbol, variances: NDArray[np.float64], count: int
) -> list[VarianceSeries]:
    """Coefficients at each of several variances; one set for all where `phi(s x) = s phi(x)`, s > 0.

    Args:
        expr: the activation phi.
        symbol: its argument.
        variances: distinct q > 0.
        count: how many coefficients.

    Raises:
        AccuracyError: there are too many variances; otherwise as `coefficient_balls`.
    """
    if len(variances) > 1 and is_homogeneous(expr, symbol):
        unit = fixed_series(expr, symbol, 1.0, count)
        roots = [arb(q).sqrt() for q in variances.tolist()]
        return [
            VarianceSeries(q, [a * root for a in unit.coefficients], unit.moment * arb(q))
            for q, root in zip(variances.tolist(), roots, strict=True)
        ]
    if len(variances) > 1 and len(variances) * count > _MOST_COEFFICIENTS:
        raise AccuracyError(
            f"rows have {len(variances)} different norms, and {count} proven coefficients for each would take minutes: "
            "scale the rows with hermite_dual.on_sphere(X), or take fewer of them"
        )
    return [fixed_series(expr, symbol, q, count) for q in variances.tolist()]

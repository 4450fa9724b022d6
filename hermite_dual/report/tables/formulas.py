"""Formulas as MathML."""

from fractions import Fraction

import sympy as sp

from hermite_dual.symbolic.bivariate_normal import BivariateNormalCDF
from hermite_dual.symbolic.normal import GaussianWeight, NormalCDF
from hermite_dual.symbolic.printing import lettered

_NORMAL, _BIVARIATE = sp.Function("Φ"), sp.Function("Φ_2")


def mathml(value: sp.Expr, letters: dict[str, Fraction]) -> str:
    """Return a formula as a MathML element, which browsers set without a script."""
    shown = lettered(value, letters).replace(NormalCDF, lambda z, v=1: _NORMAL(z / sp.sqrt(v)))
    shown = shown.replace(BivariateNormalCDF, _BIVARIATE).replace(GaussianWeight, lambda a, v: sp.exp(-a / v))
    return f"<math>{sp.mathml(shown, printer='presentation')}</math>"

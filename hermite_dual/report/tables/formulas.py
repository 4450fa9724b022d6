"""Formulas as LaTeX and as MathML."""

import sympy as sp

from hermite_dual.symbolic.bivariate_normal import BivariateNormalCDF
from hermite_dual.symbolic.normal import GaussianWeight, NormalCDF

_NORMAL, _BIVARIATE = sp.Function("Φ"), sp.Function("Φ_2")


def latex(value: sp.Expr) -> str:
    """Return a formula as LaTeX for math mode, with the package amsmath."""
    return str(sp.latex(value, inv_trig_style="full"))


def mathml(value: sp.Expr) -> str:
    """Return a formula as a MathML element, which browsers set without a script."""
    shown = value.replace(NormalCDF, lambda z, v=1: _NORMAL(z / sp.sqrt(v)))
    shown = shown.replace(BivariateNormalCDF, _BIVARIATE).replace(GaussianWeight, lambda a, v: sp.exp(-a / v))
    return f"<math>{sp.mathml(shown, printer='presentation')}</math>"

"""The symbols in which closed forms are written."""

import sympy as sp

x = sp.Symbol("x", real=True)
"""The argument of every activation."""
rho = sp.Symbol("rho")
"""Correlation `c / sqrt(q1 q2)`, in [-1, 1]; without assumptions, so that SymPy reads "rho" as this symbol."""
q1 = sp.Symbol("q1", positive=True)
"""Variance of the first Gaussian argument."""
q2 = sp.Symbol("q2", positive=True)
"""Variance of the second Gaussian argument."""
c = sp.Symbol("c", real=True)
"""Covariance of the two Gaussian arguments."""

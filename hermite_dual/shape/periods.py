"""The period of a formula in which the variable stands inside sines and cosines alone.

Derivation: docs/theory/activations_in_balls.md, "The shape of an activation".
"""

import sympy as sp


def period_of(expr: sp.Expr, symbol: sp.Symbol) -> sp.Expr | None:
    """Return a period, or None where none is seen.

    Every occurrence of the variable lies in `sin(a_i x + b_i)` and the like, the `a_i` rational multiples of one
    number.
    """
    nodes = [node for node in expr.atoms(sp.sin, sp.cos, sp.tan, sp.cot, sp.sec, sp.csc) if node.has(symbol)]
    inner = [node.args[0] for node in nodes]
    if not nodes or not all(a.is_polynomial(symbol) and sp.degree(a, symbol) == 1 for a in inner):
        return None
    if expr.xreplace({node: sp.Dummy() for node in nodes}).has(symbol):
        return None
    slopes = [sp.Poly(a, symbol).all_coeffs()[0] for a in inner]
    ratios = [sp.cancel(slope / slopes[0]) for slope in slopes]
    if not all(ratio.is_Rational for ratio in ratios) or slopes[0].free_symbols:
        return None
    common = sp.Rational(sp.igcd(*(r.p for r in ratios), 0), sp.ilcm(*(r.q for r in ratios), 1))
    return 2 * sp.pi / (common * sp.Abs(slopes[0]))

"""How fast Hermite coefficients decay, from what breaks the smoothness of phi.

Where the derivative of order k is the first that jumps, `a_r = O(r^(-k/2 - 3/4))`. Where all derivatives are
square-integrable, `|a_r| <= E[phi^(k)(Z)^2]^(1/2) ((r - k)!/r!)^(1/2)` for every k, faster than every power of r.
"""

from fractions import Fraction

import sympy as sp

from hermite_dual.activation import Activation
from hermite_dual.atlases.digits import Field
from hermite_dual.shape.singular import vanishes_at

_ORDERS = 6
"""Derivatives that are looked at; catalogue functions that are smoother at a kink are not known."""
_ENTIRE = (sp.sin, sp.cos, sp.sinh, sp.cosh, sp.exp, sp.erf)


def smoothness(phi: Activation) -> Field:
    """Return the class of phi, the first derivative that jumps, and the decay of its coefficients."""
    if phi.shape.degree is not None:
        return _told("polynomial", None, "a_r = 0", f"for r > {phi.shape.degree}")
    if not phi.kinks:
        kind = "entire" if _is_entire(phi.expr) else "analytic"
        return _told(kind, None, "faster than every power of r", "phi is analytic on the whole line")
    order = _first_jump(phi)
    if order is None:
        return _told("kinked", None, "not classified", "the order of the kinks is not known")
    power = Fraction(order, 2) + Fraction(3, 4)
    words = ("phi jumps", "phi' jumps", "phi'' jumps")
    reason = words[order] if order < len(words) else f"the derivative of order {order} jumps"
    return _told("discontinuous" if order == 0 else f"C^{order - 1}", order, f"O(r^(-{power}))", reason)


def _told(kind: str, order: int | None, decay: str, reason: str) -> Field:
    return {"class": kind, "first_jump": order, "decay": decay, "reason": reason}


def _is_entire(expr: sp.Expr) -> bool:
    functions = expr.atoms(sp.Function)
    powers = [power for power in expr.atoms(sp.Pow) if power.base.free_symbols]
    return all(isinstance(one, _ENTIRE) for one in functions) and all(
        power.exp.is_Integer and power.exp.is_nonnegative for power in powers
    )


def _first_jump(phi: Activation) -> int | None:
    """Return the least order of a derivative that jumps at one of the kinks; None where a limit is not finite."""
    if not phi.shape.complete:
        return 0 if phi.jumps else None
    pieces = phi.shape.pieces
    for order in range(_ORDERS):
        for index, kink in enumerate(pieces.kinks):
            left, right = (e.diff(pieces.symbol, order) for e in pieces.expressions[index : index + 2])
            if order == 0 and pieces.continuous_at(index) is False:
                return 0
            gap = sp.N((right - left).subs(pieces.symbol, kink), 30)
            if not gap.is_finite:
                return None
            if abs(gap) > sp.Float("1e-25") and not vanishes_at(right - left, pieces.symbol, kink):
                return order
    return None

"""Hermite coefficients, constants and values of the dual of one activation, in proven digits."""

import sympy as sp
from flint import arb

from hermite_dual.atlases.digits import DIGITS, WORKING, Field, because, field, number
from hermite_dual.certified.balls.precision import bits_for, working_precision
from hermite_dual.dual import Dual
from hermite_dual.symbolic.coefficient_integral import CoefficientIntegral
from hermite_dual.symbolic.printing import latex_with_values

DEGREES = 12
"""Coefficients in the atlas, degrees 0 to 11."""
CORRELATIONS = ("-1", "-1/2", "0", "1/2", "1")
SLOPE_CORRELATIONS = ("0", "1/2", "1")
_SHORT = 12
"""Operations up to which an exact coefficient stands beside its digits, as in tables."""


def coefficients(dual: Dual) -> Field:
    """Return the first `a_r(1)`: digits, exact values where they are short, and the formula in r."""
    balls = dual.coefficient_balls(DEGREES, 1, WORKING)
    exact = [_short(dual.coefficient(r)) for r in range(DEGREES)]
    formula = dual.coefficient_formula()
    return {
        "digits": [number(ball) if value != "0" else "0" for ball, value in zip(balls, exact, strict=True)],
        "exact": exact,
        "formula": because("no short formula in the degree is derived for this class")
        if formula is None
        else {"sympy": str(formula), "latex": f"a_r = {latex_with_values(formula)}"},
    }


def _short(value: sp.Expr) -> str | None:
    known = value.is_number and not value.has(CoefficientIntegral) and value.count_ops() <= _SHORT
    return str(value) if known else None


def values(dual: Dual) -> Field:
    """Return the dual activation and the dual of the derivative at some correlations."""
    return {"dual": _at(dual, CORRELATIONS), "derivative": field(lambda: _at(dual.derivative(), SLOPE_CORRELATIONS))}


def _at(dual: Dual, correlations: tuple[str, ...]) -> Field:
    return {rho: field(lambda rho=rho: _value(dual, rho)) for rho in correlations}  # type: ignore[misc]


def _value(dual: Dual, rho: str) -> Field:
    if rho == "0":
        mean = dual.coefficient_balls(1, 1, WORKING)[0]
        return "0" if dual.activation.parity == "odd" else number(mean * mean)
    return number(dual.ball(1, 1, sp.Rational(rho), DIGITS + 3))


def constants(dual: Dual) -> Field:
    """Return `V(1)`, the gains, `mu_0`, `mu_1`, `mu_*`, `zeta` and `eta` at variance 1."""
    with working_precision(bits_for(2 * WORKING)):
        size = dual.ball(1, 1, 1, WORKING)
        gain = 1 / size.sqrt()
    balls = dual.constants(1, DIGITS + 2).balls
    shown: dict[str, Field] = {name: number(ball) for name, ball in balls.items()}
    if "zeta" not in shown:
        shown["zeta"] = because("mu_* = 0: the activation is affine")
    return {"V": number(size), "gain": number(gain), "critical_gain": field(lambda: _critical_gain(dual)), **shown}


def _critical_gain(dual: Dual) -> Field:
    slope = dual.derivative()
    with working_precision(bits_for(2 * WORKING)):
        size: arb = slope.ball(1, 1, 1, WORKING)
        return because("phi' vanishes") if size.is_zero() else number(1 / size.sqrt())

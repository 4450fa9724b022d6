"""Suprema of |phi|, |phi'| and |phi''|, and the points where they are reached."""

import math

import numpy as np
import sympy as sp
from flint import arb
from mpmath import mp

from hermite_dual.activation import Activation
from hermite_dual.atlases.digits import DIGITS, Field, because, between, number
from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
from hermite_dual.certified.balls.precision import bits_for, working_precision
from hermite_dual.certified.suprema.constants import DerivativeBound, derivative_bound
from hermite_dual.outcome import Outcome

_NEAR = 1e-9
"""Relative distance to the supremum within which a candidate, in float64, is one."""
_FAR = (1e4, 1e8)
"""Where float64 looks for suprema that are approached at infinity."""
_RADIUS = 10.0**-20
"""Half width of the interval on which a change of sign proves a stationary point."""
_GRID = np.linspace(-30.0, 30.0, 60_001)
"""Where stationary points are looked for; one that is missed is said to be not known, nothing rests on it."""


def suprema(phi: Activation) -> Field:
    """Return the suprema of the moduli of phi, phi' and phi''."""
    return {name: _supremum(phi, order) for order, name in enumerate(("value", "slope", "curvature"))}


def admissible_scales(phi: Activation) -> Field:
    """Return the scales below which the limit exists, `1/L`, and wide networks contract, `1/(2L)`."""
    bound = derivative_bound(phi.shape, 1)
    if bound.outcome is not Outcome.PROVEN or bound.lower == 0.0:
        return because("every sigma_w is admissible" if bound.upper == 0.0 else f"L is infinite: {bound.reason}")
    with working_precision(bits_for(2 * DIGITS)):
        reach = 1 / arb(bound.lower).union(arb(bound.upper))
        return {"limit": number(reach), "networks": number(reach / 2)}


def _supremum(phi: Activation, order: int) -> Field:
    bound = derivative_bound(phi.shape, order)
    if bound.outcome is Outcome.REFUTED:
        return {"infinite": bound.reason}
    if bound.outcome is Outcome.UNDECIDED:
        return because(bound.reason)
    return {"digits": between(bound.lower, bound.upper), "at": _places(phi, order, bound)}


def _places(phi: Activation, order: int, bound: DerivativeBound) -> Field:
    """Return where the supremum is reached: a proven stationary point, a whole piece, a kink, or infinity."""
    shape = phi.shape
    if bound.upper == 0.0:
        return ["everywhere"]
    if not shape.complete:
        return because("phi has infinitely many pieces")
    pieces = shape.pieces
    derived = [e.diff(pieces.symbol, order) for e in pieces.expressions]
    ends = [-sp.oo, *pieces.kinks, sp.oo]
    places = []
    for index, expression in enumerate(derived):
        low, high = ends[index], ends[index + 1]
        if not expression.free_symbols:
            if _reaches(abs(float(expression)), bound):
                places.append(f"constant on ({low}, {high})")
            continue
        function = sp.lambdify(pieces.symbol, expression, ["numpy", "scipy"])
        with np.errstate(all="ignore"):
            for end in (low, high):
                if end.is_infinite:
                    far = [abs(float(function(math.copysign(size, float(end))))) for size in _FAR]
                    if all(_reaches(value, bound) for value in far):
                        places.append(f"as x -> {'-' if end < 0 else ''}oo")
                elif _reaches(abs(float(sp.N(expression.subs(pieces.symbol, end), 20))), bound):
                    places.append(f"at the kink {end}")
            places += _stationary(expression, pieces.symbol, (float(low), float(high)), bound, function)
    return places or because("the point was not located")


def _reaches(value: float, bound: DerivativeBound) -> bool:
    return math.isfinite(value) and abs(value - bound.upper) <= _NEAR * bound.upper


def _stationary(
    expression: sp.Expr, symbol: sp.Symbol, ends: tuple[float, float], bound: DerivativeBound, function: object
) -> list[str]:
    """Return the proven stationary points of a piece at which the modulus is the supremum, to 15 digits."""
    grid = _GRID[(ends[0] < _GRID) & (ends[1] > _GRID)]
    if not grid.size:
        return []
    sizes = np.abs(np.broadcast_to(function(grid), grid.shape))  # type: ignore[operator]
    peaks = np.flatnonzero((sizes[1:-1] >= sizes[:-2]) & (sizes[1:-1] >= sizes[2:]) & (sizes[1:-1] > 0)) + 1
    highest = [
        p for p in peaks if sizes[p] >= bound.upper * (1 - 1e-4) and not sizes[p - 1] == sizes[p] == sizes[p + 1]
    ]
    slope = expression.diff(symbol)
    places: list[str] = []
    for peak in highest[:4]:
        place = _proven_root(slope, symbol, float(grid[peak]))
        if place is not None:
            with working_precision(bits_for(2 * DIGITS)):
                value = abs(BallFunction(expression, symbol)(place))
                if value.overlaps(arb(bound.lower).union(arb(bound.upper))):
                    shown = "0" if place.contains(0) else number(place)
                    places.append(f"x = {shown}")
    return places


def _proven_root(slope: sp.Expr, symbol: sp.Symbol, start: float) -> arb | None:
    """Return a ball that is proven to hold a root of a derivative near a point, by a change of sign."""
    with mp.workdps(40):
        try:
            root = mp.findroot(sp.lambdify(symbol, slope, "mpmath"), (start - 1e-4, start + 1.1e-4), solver="anderson")
        except (ValueError, ZeroDivisionError, TypeError):
            return None
        text = mp.nstr(mp.re(root), 35)
    with working_precision(bits_for(60)):
        ball, middle = BallFunction(slope, symbol), constant_ball(sp.Rational(text))
        low, high = ball(middle - arb(_RADIUS)), ball(middle + arb(_RADIUS))
        opposite = (low < 0 and high > 0) or (low > 0 and high < 0)
        return (middle - arb(_RADIUS)).union(middle + arb(_RADIUS)) if opposite else None

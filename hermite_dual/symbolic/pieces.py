"""Splitting an expression at its kinks and jumps into smooth expressions on intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import sympy as sp
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction

from hermite_dual.symbolic.terms import OutsideClassError

MAX_PIECES = 24
"""More pieces than this would give a form of thousands of terms, which nobody reads."""
_ODD_INCREASING = (sp.erf, sp.sinh, sp.tanh, sp.atan, sp.asinh)
_SWITCHES = (sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise, Relational, BooleanFunction)


@dataclass(frozen=True)
class Pieces:
    """Expressions on the intervals between increasing breakpoints.

    Attributes:
        breaks: The n breakpoints, increasing.
        parts: The n + 1 expressions, left to right.
    """

    breaks: tuple[sp.Expr, ...]
    parts: tuple[sp.Basic, ...]

    def merged(self) -> "Pieces":
        """Drop the breakpoints with the same expression on both sides."""
        breaks: list[sp.Expr] = []
        parts: list[sp.Basic] = [self.parts[0]]
        for point, part in zip(self.breaks, self.parts[1:], strict=True):
            if part != parts[-1]:
                breaks.append(point)
                parts.append(part)
        return Pieces(tuple(breaks), tuple(parts))


def split(expr: sp.Basic, symbol: sp.Symbol) -> Pieces:
    """Split an expression into smooth pieces.

    Args:
        expr: An expression in `symbol`; other symbols are parameters.
        symbol: The real variable.

    Returns:
        The pieces; values at the breakpoints themselves are left open, they have measure zero.

    Raises:
        OutsideClassError: A sign change, or the order of two breakpoints, cannot be decided.
    """
    if not expr.has(symbol) or not expr.has(*_SWITCHES):
        return Pieces((), (expr,))
    if isinstance(expr, sp.Piecewise):
        return _split_piecewise(expr, symbol)
    arguments = [split(argument, symbol) for argument in expr.args]
    rule = _rule_of(expr, symbol)
    common = _refine(arguments)
    pieces = [rule(interval, parts) for interval, parts in common]
    return _concatenate(common, pieces)


Interval = tuple[sp.Expr, sp.Expr]
Rule = Callable[[Interval, Sequence[sp.Basic]], Pieces]


def _rule_of(expr: sp.Basic, symbol: sp.Symbol) -> Rule:
    """Return the function that rebuilds `expr` on one interval from smooth arguments."""
    kind = expr.func

    def by_sign(below: sp.Expr | None, above: sp.Expr | None) -> Rule:
        def rule(interval: Interval, parts: Sequence[sp.Basic]) -> Pieces:
            switch = parts[0]
            low = -switch if below is None else below
            high = switch if above is None else above
            return _by_sign(switch, low, high, interval, symbol)

        return rule

    if isinstance(expr, sp.Abs):
        return by_sign(None, None)
    if isinstance(expr, sp.sign):
        return by_sign(-sp.S.One, sp.S.One)
    if isinstance(expr, sp.Heaviside):
        return by_sign(sp.S.Zero, sp.S.One)
    if isinstance(expr, (sp.Max, sp.Min)):
        return lambda interval, parts: _extremum(parts, interval, symbol, largest=isinstance(expr, sp.Max))
    if isinstance(expr, Relational):
        return lambda interval, parts: _relation(kind, parts, interval, symbol)
    return lambda interval, parts: Pieces((), (kind(*parts),))


def _split_piecewise(expr: sp.Piecewise, symbol: sp.Symbol) -> Pieces:
    """Resolve a Piecewise: on each interval the first condition that holds decides."""
    flat = [split(part, symbol) for pair in expr.args for part in pair.args]
    common = _refine(flat)
    chosen = []
    for _, parts in common:
        for value, condition in zip(parts[::2], parts[1::2], strict=True):
            if condition == sp.true:
                chosen.append(Pieces((), (value,)))
                break
            if condition != sp.false:
                raise OutsideClassError(f"Whether {condition} holds depends on the parameters, so the pieces are open.")
        else:
            raise OutsideClassError(f"{expr} is not defined on the whole real line.")
    return _concatenate(common, chosen)


def _refine(columns: Sequence[Pieces]) -> list[tuple[Interval, tuple[sp.Basic, ...]]]:
    """Return the common refinement: each interval with the part of every column on it."""
    points: list[sp.Expr] = []
    for column in columns:
        for point in column.breaks:
            _insert(points, point)
    if len(points) >= MAX_PIECES:
        raise OutsideClassError(f"The activation has more than {MAX_PIECES} pieces.")
    edges = [-sp.oo, *points, sp.oo]
    rows = []
    position = [0] * len(columns)
    for low, high in pairwise(edges):
        for index, column in enumerate(columns):
            while position[index] < len(column.breaks) and is_less(low, column.breaks[position[index]]) is False:
                position[index] += 1
        rows.append(((low, high), tuple(column.parts[i] for column, i in zip(columns, position, strict=True))))
    return rows


def _concatenate(rows: Sequence[tuple[Interval, object]], pieces: Sequence[Pieces]) -> Pieces:
    """Join the pieces of consecutive intervals."""
    breaks: list[sp.Expr] = []
    parts: list[sp.Basic] = []
    for ((low, _), _), piece in zip(rows, pieces, strict=True):
        if low != -sp.oo:
            breaks.append(low)
        breaks.extend(piece.breaks)
        parts.extend(piece.parts)
    return Pieces(tuple(breaks), tuple(parts)).merged()


def _insert(points: list[sp.Expr], point: sp.Expr) -> None:
    """Insert a breakpoint into an increasing list, once."""
    for index, other in enumerate(points):
        if is_less(point, other):
            points.insert(index, point)
            return
        if not is_less(other, point):
            return
    points.append(point)


def is_less(left: sp.Expr, right: sp.Expr) -> bool:
    """Decide `left < right`, or raise `OutsideClassError`."""
    if left == right:
        return False
    if left == -sp.oo or right == sp.oo:
        return True
    if right == -sp.oo or left == sp.oo:
        return False
    return sign_of(right - left, f"The order of the breakpoints {left} and {right} is not known.") > 0


def sign_of(value: sp.Expr, unknown: str) -> int:
    """Return the sign of a constant, or raise `OutsideClassError` with the sentence given."""
    for candidate in (value, sp.factor(value), _exponent_comparison(value)):
        if candidate.is_positive:
            return 1
        if candidate.is_negative:
            return -1
        if candidate.is_zero:
            return 0
    if not value.free_symbols and value.is_real is not False:
        number = value.evalf(30)
        if number.is_Float and abs(number) > sp.Float(10) ** -20:
            return 1 if number > 0 else -1
    raise OutsideClassError(unknown)


def _exponent_comparison(value: sp.Expr) -> sp.Expr:
    """Return `k y` for `k (exp(y) - 1)`, which has the same sign, and any other value unchanged."""
    factor, rest = sp.factor_terms(value).as_independent(sp.exp, as_Add=False)
    constant, exponential = rest.as_independent(sp.exp, as_Add=True)
    scale, power = exponential.as_independent(sp.exp, as_Add=False)
    if isinstance(power, sp.exp) and scale + constant == 0:
        return factor * scale * power.args[0]
    return value


def _sample(interval: Interval) -> sp.Expr:
    """Return a point inside the interval."""
    low, high = interval
    if low == -sp.oo:
        return sp.S.Zero if high == sp.oo else high - 1
    return low + 1 if high == sp.oo else (low + high) / 2


def _cut(switch: sp.Expr, interval: Interval, symbol: sp.Symbol) -> list[tuple[Interval, int]]:
    """Return the subintervals on which `switch` keeps its sign, with the signs."""
    inner: list[sp.Expr] = []
    for root in _roots(switch, symbol):
        if is_less(interval[0], root) and is_less(root, interval[1]):
            _insert(inner, root)
    edges = [interval[0], *inner, interval[1]]
    unknown = f"The sign of {switch} on an interval between breakpoints is not known."
    return [(cell, sign_of(switch.subs(symbol, _sample(cell)), unknown)) for cell in pairwise(edges)]


def _by_sign(switch: sp.Expr, low: sp.Expr, high: sp.Expr, interval: Interval, symbol: sp.Symbol) -> Pieces:
    """Return `high` where the switch is positive and `low` where it is negative."""
    cells = _cut(switch, interval, symbol)
    parts = tuple(high if sign > 0 else low if sign < 0 else sp.S.Zero for _, sign in cells)
    return Pieces(tuple(cell[0] for cell, _ in cells[1:]), parts)


def _extremum(parts: Sequence[sp.Basic], interval: Interval, symbol: sp.Symbol, *, largest: bool) -> Pieces:
    """Return the largest, or the smallest, of smooth expressions on an interval."""
    result = Pieces((), (parts[0],))
    for challenger in parts[1:]:
        edges = [interval[0], *result.breaks, interval[1]]
        rows = []
        pieces = []
        for cell, holder in zip(pairwise(edges), result.parts, strict=True):
            switch = challenger - holder if largest else holder - challenger
            rows.append((cell, None))
            pieces.append(_by_sign(switch, holder, challenger, cell, symbol))
        result = _concatenate([((cell if i else (-sp.oo, cell[1])), None) for i, (cell, _) in enumerate(rows)], pieces)
    return result


def _relation(kind: type, parts: Sequence[sp.Basic], interval: Interval, symbol: sp.Symbol) -> Pieces:
    """Resolve an inequality; equality holds at single points only, which have measure zero."""
    switch = parts[0] - parts[1]
    if kind in (sp.StrictGreaterThan, sp.GreaterThan):
        return _by_sign_of_truth(switch, interval, symbol)
    if kind in (sp.StrictLessThan, sp.LessThan):
        return _by_sign_of_truth(-switch, interval, symbol)
    return Pieces((), (sp.true if kind is sp.Unequality else sp.false,))


def _by_sign_of_truth(switch: sp.Expr, interval: Interval, symbol: sp.Symbol) -> Pieces:
    """Return true where the switch is positive."""
    cells = _cut(switch, interval, symbol)
    parts = tuple(sp.true if sign > 0 else sp.false for _, sign in cells)
    return Pieces(tuple(cell[0] for cell, _ in cells[1:]), parts)


def _roots(switch: sp.Expr, symbol: sp.Symbol) -> list[sp.Expr]:
    """Return points that contain every sign change of a smooth expression on the real line."""
    if not switch.has(symbol) or switch.is_positive or switch.is_negative:
        return []
    switch = sp.factor_terms(switch)
    if switch.is_Mul:
        return [root for factor in switch.args for root in _roots(factor, symbol)]
    if switch.is_Pow and switch.exp.is_Integer:
        return _roots(switch.base, symbol)
    if isinstance(switch, _ODD_INCREASING):
        return _roots(switch.args[0], symbol)
    if switch.is_polynomial(symbol):
        return _polynomial_roots(sp.Poly(switch, symbol))
    return _exponential_roots(switch, symbol)


def _polynomial_roots(polynomial: sp.Poly) -> list[sp.Expr]:
    """Return the real roots of a polynomial, exactly."""
    if polynomial.degree() == 1:
        leading, constant = polynomial.all_coeffs()
        return [sp.cancel(-constant / leading)]
    if polynomial.get_domain().is_QQ or polynomial.get_domain().is_ZZ:
        return list(dict.fromkeys(sp.real_roots(polynomial)))
    unknown = f"The sign changes of {polynomial.as_expr()} are not known."
    if polynomial.degree() == 2:
        leading, linear, constant = polynomial.all_coeffs()
        discriminant = sp.factor(linear**2 - 4 * leading * constant)
        if sign_of(discriminant, unknown) <= 0:
            return []
        width = sp.sqrt(discriminant)
        return [(-linear - width) / (2 * leading), (-linear + width) / (2 * leading)]
    raise OutsideClassError(unknown)


def _exponential_roots(switch: sp.Expr, symbol: sp.Symbol) -> list[sp.Expr]:
    """Return the root of `a exp(k x + b) + d`, the one exponential equation solved here."""
    if switch.has(sp.sin, sp.cos):
        raise OutsideClassError(
            f"{switch} may change its sign infinitely often, which would give infinitely many pieces."
        )
    unknown = f"The sign changes of {switch} are not known."
    constant, dependent = switch.as_independent(symbol, as_Add=True)
    factor, exponential = dependent.as_independent(symbol, as_Add=False)
    if not isinstance(exponential, sp.exp) or not exponential.args[0].is_polynomial(symbol):
        raise OutsideClassError(unknown)
    exponent = sp.Poly(exponential.args[0], symbol)
    ratio = -constant / factor
    if exponent.degree() != 1:
        raise OutsideClassError(unknown)
    if sign_of(ratio, unknown) <= 0:
        return []
    slope, offset = exponent.all_coeffs()
    return [(sp.log(ratio) - offset) / slope]

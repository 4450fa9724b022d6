"""Cutting a formula at the points where its case distinctions change, into formulas without them.

A cut line is a row of cells and points: cell, point, cell, ..., cell. Each argument of a node is cut, the rows are
refined to a common one, and the node is rebuilt on every cell and at every point. On a cell a switch may change its
sign further; at a point its sign is decided exactly. A switch may vanish on a whole cell.

Derivation: docs/theory/activations_in_balls.md, "The shape of an activation".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import sympy as sp
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction

from hermite_dual.shape.numbers import (
    UndecidedError,
    ball_sign,
    between,
    compare,
    finite_value,
    increasing,
    is_zero,
    sign_of,
)
from hermite_dual.shape.zeros import Interval, zeros

SWITCHES = (sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise, Relational, BooleanFunction)
_COARSE = (64,)
"""Bits of the balls that mostly show a sign."""
MAX_PIECES = 20_000
"""More pieces than this are not cut, in a window either."""


class Hole(sp.Symbol):
    """What a Piecewise is where none of its conditions holds."""


HOLE = Hole("undefined", real=True)


@dataclass(frozen=True)
class Row:
    """A line that is cut: `len(breaks) + 1` cells with a point between neighbours.

    Attributes:
        breaks: the points, increasing.
        cells: formulas on the open cells, left to right.
        points: formulas at the breaks.
    """

    breaks: tuple[sp.Expr, ...]
    cells: tuple[sp.Basic, ...]
    points: tuple[sp.Basic, ...]

    def merged(self) -> "Row":
        """Drop the breaks with the same formula on both sides and in between."""
        breaks: list[sp.Expr] = []
        points: list[sp.Basic] = []
        cells = [self.cells[0]]
        for point, value, cell in zip(self.breaks, self.points, self.cells[1:], strict=True):
            if cell == cells[-1] and value == cell:
                continue
            breaks.append(point)
            points.append(value)
            cells.append(cell)
        return Row(tuple(breaks), tuple(cells), tuple(points))


def cut(expr: sp.Basic, symbol: sp.Symbol, interval: Interval) -> Row:
    """Cut a formula on an open interval.

    Args:
        expr: a formula in `symbol`; other symbols are parameters.
        symbol: the real variable.
        interval: its ends, numbers or infinities.

    Raises:
        UndecidedError: a sign, or the order of two points, is not known.
    """
    if not expr.has(symbol) or not expr.has(*SWITCHES):
        return Row((), (expr,), ())
    if isinstance(expr, sp.Piecewise):
        arguments = [argument for pair in expr.args for argument in pair.args]
        rule: Rule = _choose
    else:
        arguments = list(expr.args)
        rule = _rule_of(expr)
    rows = [cut(argument, symbol, interval) for argument in arguments]
    return _rebuilt(_refined(rows), rule, symbol, interval)


Rule = Callable[["Place", Sequence[sp.Basic]], Row]


@dataclass(frozen=True)
class Place:
    """A cell or a point at which a node is rebuilt from its arguments.

    Attributes:
        symbol: the variable.
        interval: the ends of the cell; None at a point.
        point: the point; None on a cell.
    """

    symbol: sp.Symbol
    interval: Interval | None
    point: sp.Expr | None

    def signs(self, switch: sp.Expr) -> tuple[tuple[sp.Expr, ...], list[int], list[int]]:
        """Return where a smooth switch may change its sign here, its signs on the cells and at the points between."""
        if self.point is not None:
            return (), [sign_of(_put(switch, self.symbol, self.point))], []
        assert self.interval is not None
        if not switch.has(self.symbol):
            return (), [sign_of(switch)], []
        try:
            breaks = increasing(zeros(switch, self.symbol, self.interval))
            edges = [self.interval[0], *breaks, self.interval[1]]
            signs = [_sign_between(switch, self.symbol, cell) for cell in pairwise(edges)]
        except UndecidedError:
            if not is_zero(switch):
                raise
            return (), [0], []
        return breaks, signs, [_sign_at_zero(switch, self.symbol, point) for point in breaks]

    def row(self, switch: sp.Expr, choose: Callable[[int], sp.Basic]) -> Row:
        """Return `choose(sign)` by the sign of a switch; nothing at a point where the switch has no value."""
        if self.point is not None and finite_value(switch, self.symbol, self.point) is None:
            return Row((), (HOLE,), ())
        breaks, signs, between_them = self.signs(switch)
        return Row(breaks, tuple(map(choose, signs)), tuple(map(choose, between_them))).merged()


def _put(switch: sp.Expr, symbol: sp.Symbol, point: sp.Expr) -> sp.Expr:
    value = finite_value(switch, symbol, point)
    if value is None:
        raise UndecidedError(f"{switch} has no value at {point}")
    return value


def _has_parameters(switch: sp.Expr, symbol: sp.Symbol, point: sp.Expr) -> bool:
    return bool((switch.free_symbols | point.free_symbols) - {symbol})


def _sign_between(switch: sp.Expr, symbol: sp.Symbol, cell: Interval) -> int:
    """Return the sign on a cell in which the switch has no zero."""
    point = between(*cell)
    sign = None if _has_parameters(switch, symbol, point) else ball_sign(switch, symbol, point, _COARSE)
    return sign_of(_put(switch, symbol, point)) if sign is None else sign


def _sign_at_zero(switch: sp.Expr, symbol: sp.Symbol, point: sp.Expr) -> int:
    """Return the sign at a point found as a zero, or a pole, of a factor of the switch."""
    if not _has_parameters(switch, symbol, point):
        return ball_sign(switch, symbol, point) or 0  # 0 to 1,024 bits: the zero that the search found
    try:
        return sign_of(_put(switch, symbol, point))
    except UndecidedError:
        return 0  # a zero that only the search for it knows, or a pole, where no value is right


def _rule_of(expr: sp.Basic) -> Rule:
    """Return the function that rebuilds a node at a place from arguments without switches."""
    kind = expr.func
    if isinstance(expr, sp.Abs):
        return lambda place, parts: _absolute(place, parts[0])
    if isinstance(expr, sp.sign):
        return lambda place, parts: place.row(parts[0], sp.Integer)
    if isinstance(expr, sp.Heaviside):
        return lambda place, parts: place.row(parts[0], lambda sign: _step(sign, parts[1:]))
    if isinstance(expr, (sp.Max, sp.Min)):
        return lambda place, parts: _extremum(place, parts, 1 if isinstance(expr, sp.Max) else -1)
    if isinstance(expr, Relational):
        return lambda place, parts: place.row(parts[0] - parts[1], lambda sign: _holds(kind, sign))
    return lambda _, parts: Row((), (kind(*parts),), ())


def _absolute(place: Place, argument: sp.Expr) -> Row:
    """`|u|`; constant factors of unknown sign stay inside."""
    constant, dependent = argument.as_independent(place.symbol, as_Add=False)
    if constant.free_symbols and dependent != 1:
        return _mapped(_absolute(place, dependent), lambda formula: sp.Abs(constant) * formula)
    if constant.free_symbols:
        return Row((), (sp.Abs(argument),), ())
    return place.row(argument, lambda sign: sign * argument if sign else sp.S.Zero)


def _mapped(row: Row, function: Callable[[sp.Basic], sp.Basic]) -> Row:
    return Row(row.breaks, tuple(map(function, row.cells)), tuple(map(function, row.points)))


def _step(sign: int, at_zero: Sequence[sp.Basic]) -> sp.Basic:
    if sign:
        return sp.Integer(sign > 0)
    return sp.Rational(1, 2) if not at_zero or at_zero[0] is sp.nan else at_zero[0]


def _extremum(place: Place, parts: Sequence[sp.Basic], largest: int) -> Row:
    """The largest (1) or smallest (-1) of several formulas; by halves of sum and distance where a sign is unknown."""
    result = Row((), (parts[0],), ())
    for challenger in parts[1:]:
        rows = [result, Row((), (challenger,), ())]
        interval = place.interval or (place.point, place.point)

        def better(inner: Place, pair: Sequence[sp.Basic]) -> Row:
            holder, other = pair
            gap = sp.expand(other - holder) if (other - holder).is_polynomial() else other - holder
            try:
                return inner.row(gap, lambda sign: other if sign * largest > 0 else holder)
            except UndecidedError:
                if not gap.free_symbols - {inner.symbol}:
                    raise
                distance = _absolute(inner, sp.factor(gap))
                return _mapped(distance, lambda formula: sp.expand((holder + other + largest * formula) / 2))

        if place.point is not None:
            result = better(place, (result.cells[0], challenger))
        else:
            result = _rebuilt(_refined(rows), better, place.symbol, interval)
    return result


def _holds(kind: type, sign: int) -> sp.Basic:
    """Whether a relation holds whose left side less its right side has a sign."""
    kept = {
        sp.StrictGreaterThan: (1,),
        sp.GreaterThan: (0, 1),
        sp.StrictLessThan: (-1,),
        sp.LessThan: (-1, 0),
        sp.Equality: (0,),
        sp.Unequality: (-1, 1),
    }
    return sp.true if sign in kept[kind] else sp.false


def _choose(_: Place, parts: Sequence[sp.Basic]) -> Row:
    """The first value whose condition holds."""
    for value, condition in zip(parts[::2], parts[1::2], strict=True):
        if condition == sp.true:
            return Row((), (value,), ())
        if condition != sp.false:
            raise UndecidedError(f"whether {condition} holds depends on the parameters")
    return Row((), (HOLE,), ())


def _refined(rows: Sequence[Row]) -> tuple[tuple[sp.Expr, ...], list[tuple[sp.Basic, ...]], list[tuple[sp.Basic, ...]]]:
    """Return the union of all breaks, and what every row is on the cells and at the points."""
    breaks = increasing([point for row in rows for point in row.breaks])
    if len(breaks) >= MAX_PIECES:
        raise UndecidedError(f"the formula has more than {MAX_PIECES} pieces")
    columns = [_spread(row, breaks) for row in rows]
    cells = [tuple(column[0][i] for column in columns) for i in range(len(breaks) + 1)]
    points = [tuple(column[1][i] for column in columns) for i in range(len(breaks))]
    return breaks, cells, points


def _spread(row: Row, breaks: tuple[sp.Expr, ...]) -> tuple[list[sp.Basic], list[sp.Basic]]:
    """Return a row's formulas on the cells and at the points of a finer cut."""
    cells, points, position = [row.cells[0]], [], 0
    for point in breaks:
        at_break = position < len(row.breaks) and compare(row.breaks[position], point) == 0
        points.append(row.points[position] if at_break else row.cells[position])
        position += at_break
        cells.append(row.cells[position])
    return cells, points


def _rebuilt(
    refined: tuple[tuple[sp.Expr, ...], list[tuple[sp.Basic, ...]], list[tuple[sp.Basic, ...]]],
    rule: Rule,
    symbol: sp.Symbol,
    interval: Interval,
) -> Row:
    """Apply a rule on every cell and at every point, and join the results."""
    breaks, cells, points = refined
    edges = [interval[0], *breaks, interval[1]]
    all_breaks: list[sp.Expr] = []
    all_cells: list[sp.Basic] = []
    all_points: list[sp.Basic] = []
    for index, (ends, parts) in enumerate(zip(pairwise(edges), cells, strict=True)):
        if index:
            all_breaks.append(breaks[index - 1])
            at = rule(Place(symbol, None, breaks[index - 1]), points[index - 1])
            all_points.append(at.cells[0])
        row = rule(Place(symbol, ends, None), parts)
        all_breaks += row.breaks
        all_points += row.points
        all_cells += row.cells
    return Row(tuple(all_breaks), tuple(all_cells), tuple(all_points)).merged()

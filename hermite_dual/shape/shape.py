"""The shape of a formula: what every layer asks about an activation, decided once.

A *kink* is a real point where phi is not analytic, removable singularities being removed: a corner, a jump, a value of
its own at one point, a branch point, a pole. Between neighbouring kinks phi equals one formula without case
distinctions, analytic there.

Derivation: docs/theory/activations_in_balls.md, "The shape of an activation".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import sympy as sp

from hermite_dual.arrays import Array
from hermite_dual.cached_property import cached_property
from hermite_dual.certified.balls.deflated import Deflated, plain
from hermite_dual.errors import InvalidInputError
from hermite_dual.notebook import Shown, Told
from hermite_dual.shape.approximate import seen_kinks
from hermite_dual.shape.at_points import (
    agree_at,
    ball_at,
    common_limit,
    formula_at,
    mirrored,
    one_sided_limit,
    opposite,
    value_at,
    without_removable,
)
from hermite_dual.shape.numbers import UndecidedError, as_printed, compare, is_zero
from hermite_dual.shape.pieces import HOLE, cut
from hermite_dual.shape.singular import (
    Limit,
    continued,
    in_known_functions,
    unknown_functions,
)
from hermite_dual.shape.zeros import InfinitelyManyError, Interval

_LINE: Interval = (-sp.oo, sp.oo)
_WINDOW = 64
"""Half-width of the window in which the kinks of a function with infinitely many are listed."""


@dataclass(frozen=True, repr=False)
class Singularity(Shown):
    """A kink at which a piece is not analytic.

    Attributes:
        left: behaviour from the left.
        right: behaviour from the right.
    """

    left: Limit
    right: Limit


@dataclass(frozen=True, repr=False)
class Pieces(Shown):
    """A formula cut at its kinks.

    Attributes:
        symbol: the argument.
        kinks: increasing, exact or isolated real constants.
        expressions: `len(kinks) + 1` formulas, left to right, analytic on their open intervals and continued over
            removable singularities.
        points: formulas that hold at the kinks; None where phi has no value.
        source: the function as one formula.
    """

    symbol: sp.Symbol
    kinks: tuple[sp.Expr, ...]
    expressions: tuple[sp.Expr, ...]
    points: tuple[sp.Expr | None, ...]
    source: sp.Expr

    @property
    def plain(self) -> tuple[sp.Expr, ...]:
        """The pieces as formulas that people read."""
        return tuple(map(plain, self.expressions))

    @cached_property
    def values(self) -> tuple[sp.Expr | None, ...]:
        """Exact values at the kinks; None where phi is undefined there."""
        pairs = zip(self.kinks, self.points, strict=True)
        return tuple(None if at is None else value_at(at, self.symbol, kink) for kink, at in pairs)

    @cached_property
    def places(self) -> Array:
        """The kinks in float64."""
        return np.array([float(kink) for kink in self.kinks])

    @cached_property
    def sides(self) -> tuple[Singularity, ...]:
        """Behaviour on both sides of every kink."""
        return _sides(self)

    def singular(self, power: float) -> tuple[sp.Expr, ...]:
        """Return the kinks towards which the modulus is proven to grow at least like `distance^-power`."""
        growth = [[side.growth or 0.0 for side in (both.left, both.right)] for both in self.sides]
        return tuple(kink for kink, powers in zip(self.kinks, growth, strict=True) if max(powers) >= power)

    @property
    def slope(self) -> sp.Expr:
        """The derivative between the kinks as one formula."""
        return _joined([expression.diff(self.symbol) for expression in self.expressions], self.symbol, self.kinks)

    def continuous_at(self, index: int) -> bool | None:
        """Whether phi is continuous at a kink, its own value included; None if that is not decided."""
        return _continuous(self, index, self.sides[index])

    @cached_property
    def parity(self) -> int:
        """1 if the function is proven even, -1 if proven odd, else 0."""
        try:
            if any(compare(a, -b) != 0 for a, b in zip(self.kinks, reversed(self.kinks), strict=True)):
                return 0
            parts, values = self.plain, self.values
            for parity in (1, -1):
                pairs = zip(parts[: (len(parts) + 1) // 2], reversed(parts), strict=False)
                symmetric = all(mirrored(left, right, self.symbol, parity) for left, right in pairs)
                if symmetric and all(opposite(a, b, parity) for a, b in zip(values, reversed(values), strict=True)):
                    return parity
        except (UndecidedError, ArithmeticError, TypeError, ValueError):
            return 0  # no proof, no claim
        return 0


class Shape(Shown):
    """What is decided about `phi`, a formula in one variable.

    Attributes:
        expr: phi; None for a Python function, of which nothing but the kinks given is known.
        symbol: its variable.

    >>> x = sp.Symbol("x", real=True)
    >>> Shape(x * sp.sign(sp.Max(x, 0)), x).pieces.expressions
    (0, x)
    """

    def __init__(self, expr: sp.Expr | None, symbol: sp.Symbol, given: tuple[sp.Expr, ...] = ()) -> None:
        self.expr, self.symbol, self._given = expr, symbol, given

    def _told(self) -> Told:
        return [("expr", self.expr), ("symbol", self.symbol)]

    def __eq__(self, other: object) -> bool:
        """Return whether both are the shape of the same formula in the same variable."""
        return isinstance(other, Shape) and self._key == other._key

    def __hash__(self) -> int:
        """Return a hash that agrees with equality."""
        return hash(self._key)

    @property
    def _key(self) -> tuple[sp.Expr | None, sp.Symbol, tuple[sp.Expr, ...]]:
        return self.expr, self.symbol, self._given

    @property
    def formula(self) -> sp.Expr:
        """The formula of phi.

        Raises:
            InvalidInputError: phi is a Python function.
        """
        if self.expr is None:
            raise InvalidInputError("nothing is known of a Python function: give it as a formula")
        return self.expr

    @cached_property
    def known(self) -> sp.Expr:
        """The formula in functions whose singularities are known, Floats as exact fractions."""
        return in_known_functions(as_printed(self.formula))

    @cached_property
    def _found(self) -> tuple[Pieces | None, str | None, bool]:
        """The pieces, or the reason why there are none, and whether the kinks are infinitely many."""
        if self.expr is None:
            return None, "nothing is known of a Python function: give it as a formula", False
        unknown = unknown_functions(self.known)
        if unknown:
            return None, f"nothing is known of the singularities of {', '.join(sorted(unknown))}", False
        try:
            return _pieces(self.known, self.symbol, _LINE), None, False
        except InfinitelyManyError as error:
            return None, f"{self.expr} has, or may have, infinitely many kinks ({error})", True
        except UndecidedError as error:
            return None, str(error), False

    @property
    def complete(self) -> bool:
        """Whether every kink is known, and with it every piece."""
        return self._found[0] is not None

    @property
    def doubt(self) -> str | None:
        """Why the shape is not complete."""
        return self._found[1]

    @property
    def pieces(self) -> Pieces:
        """The pieces between all kinks.

        Raises:
            InvalidInputError: the shape is not complete.
        """
        pieces, doubt, _ = self._found
        if pieces is None:
            raise UndecidedError(f"{doubt}; write the activation as a Piecewise with explicit break points")
        return pieces

    @cached_property
    def _near(self) -> Pieces | None:
        """The pieces, of an incomplete shape in a window around 0; None where not even they are known."""
        if self.complete or not self._found[2]:
            return self._found[0]
        return self.within(_WINDOW)

    @cached_property
    def kinks(self) -> tuple[sp.Expr, ...]:
        """The kinks, increasing; of a shape that is not complete those in [-64, 64] as far as they are known."""
        if self._near is not None:
            return self._near.kinks
        if self.expr is None or self.expr.free_symbols != {self.symbol}:
            return self._given
        return seen_kinks(self.expr, self.symbol)

    def within(self, radius: float) -> Pieces | None:
        """Return the pieces inside `(-radius, radius)`, or None where they are not known."""
        if self.complete or not self._found[2]:
            return self._found[0]
        return _window(self, sp.Integer(2) ** max(0, sp.ceiling(sp.log(sp.Rational(radius), 2))))

    def value(self, point: sp.Expr) -> sp.Expr | None:
        """Return phi at a real number as an exact constant, None where phi is undefined there."""
        pieces = self.pieces
        index = 0
        for kink, at in zip(pieces.kinks, pieces.points, strict=True):
            order = compare(kink, point)
            if order == 0:
                return None if at is None else value_at(at, self.symbol, kink)
            index += order < 0
        return value_at(pieces.expressions[index], self.symbol, point)

    @cached_property
    def values(self) -> tuple[sp.Expr | None, ...]:
        """Values at the kinks; None where phi is undefined there."""
        return () if self._near is None else self._near.values

    @cached_property
    def sides(self) -> tuple[Singularity, ...]:
        """Behaviour on both sides of every kink."""
        return () if self._near is None else self._near.sides

    @cached_property
    def jumps(self) -> tuple[sp.Expr, ...]:
        """The kinks at which phi is proven not continuous, one-sided limits and its value there compared."""
        if self._near is None:
            return ()
        return tuple(kink for i, kink in enumerate(self._near.kinks) if self._near.continuous_at(i) is False)

    @cached_property
    def doubtful(self) -> tuple[sp.Expr, ...]:
        """The kinks at which it is not decided whether phi is continuous."""
        if self._near is None:
            return self.kinks
        return tuple(kink for i, kink in enumerate(self._near.kinks) if self._near.continuous_at(i) is None)

    @cached_property
    def continuous(self) -> bool | None:
        """Whether phi is proven continuous on the line (True), or proven not to be (False); None if undecided."""
        if self._near is None:
            return None
        answers = [self._near.continuous_at(i) for i in range(len(self._near.kinks))]
        return False if False in answers else True if self.complete and None not in answers else None

    @cached_property
    def poles(self) -> tuple[sp.Expr, ...]:
        """The kinks next to which phi^2 is proven not integrable."""
        return () if self._near is None else self._near.singular(0.5)

    @cached_property
    def removable(self) -> tuple[float, ...]:
        """The points to which phi is continued, such as 0 for `sin(x)/x`; of infinitely many those in [-64, 64]."""
        if self._near is None:
            return ()
        nodes = {node for expression in self._near.expressions for node in expression.atoms(Deflated)}
        return tuple(sorted({float(node.args[2]) for node in nodes}))

    @cached_property
    def parity(self) -> int:
        """1 if phi is proven even, -1 if proven odd, else 0."""
        if self.complete:
            return self.pieces.parity
        if self.expr is None:
            return 0
        reflected = self.expr.subs(self.symbol, -self.symbol)
        return next((sign for sign in (1, -1) if sp.expand(reflected - sign * self.expr) == 0), 0)

    @cached_property
    def homogeneous(self) -> bool:
        """Whether phi is proven homogeneous, `phi(t x) = t phi(x)` for `t > 0`."""
        if not self.complete or any(kink != 0 for kink in self.kinks) or self.continuous is not True:
            return False
        parts = self.pieces.plain
        return all(
            piece.is_polynomial(self.symbol) and sp.expand(piece - piece.coeff(self.symbol, 1) * self.symbol) == 0
            for piece in map(sp.expand, parts)
        )

    @cached_property
    def scaling_degree(self) -> int | None:
        """The degree p with `phi(t x) = t^p phi(x)` for `t > 0`, x not 0, or None where none is proven."""
        if self.homogeneous:
            return 1
        if not self.complete or any(kink != 0 for kink in self.kinks):
            return None
        pieces = [sp.expand(piece) for piece in self.pieces.plain]
        if not all(piece.is_polynomial(self.symbol) for piece in pieces):
            return None
        terms = [sp.Poly(piece, self.symbol).terms() for piece in pieces if piece != 0]
        degrees = {powers[0] for piece in terms for powers, _ in piece}
        return int(degrees.pop()) if len(degrees) == 1 else None

    @cached_property
    def degree(self) -> int | None:
        """The degree, if phi is a polynomial; 0 for constants."""
        if not self.complete or self.pieces.kinks:
            return None
        polynomial = self.pieces.plain[0]
        if not polynomial.is_polynomial(self.symbol):
            return None
        return max(0, int(sp.Poly(polynomial, self.symbol).degree())) if polynomial != 0 else 0


@lru_cache(maxsize=1024)
def shape_of(expr: sp.Expr, symbol: sp.Symbol) -> Shape:
    """Return the shape of a formula, remembered."""
    return Shape(expr, symbol)


@lru_cache(maxsize=64)
def _window(shape: Shape, radius: sp.Integer) -> Pieces | None:
    try:
        return _pieces(shape.known, shape.symbol, (-radius, radius))
    except UndecidedError:
        return None


def _pieces(known: sp.Expr, symbol: sp.Symbol, interval: Interval) -> Pieces:
    """Cut a formula in known functions at case distinctions, then at singularities that stay."""
    row = cut(known, symbol, interval)
    edges = [interval[0], *row.breaks, interval[1]]
    kinks: list[sp.Expr] = []
    expressions: list[sp.Expr] = []
    at_kinks: list[sp.Basic] = []
    points: list[sp.Expr | None] = []
    for index, (ends, cell) in enumerate(zip(pairwise(edges), row.cells, strict=True)):
        if index:
            kinks.append(row.breaks[index - 1])
            at_kinks.append(row.points[index - 1])
            points.append(formula_at(at_kinks[-1], symbol, row.breaks[index - 1]))
        continuation, staying = without_removable(cell, symbol, ends)
        expressions += [continuation] * (len(staying) + 1)
        kinks += staying
        at_kinks += [cell] * len(staying)
        points += [formula_at(cell, symbol, place) for place in staying]
    for i, kink in enumerate(kinks):
        if points[i] is None and at_kinks[i] != HOLE:
            points[i] = common_limit(expressions[i : i + 2], symbol, kink)
    return _merged(
        Pieces(symbol, tuple(kinks), tuple(expressions), tuple(points), _source(known, symbol, kinks, expressions))
    )


def _source(expr: sp.Expr, symbol: sp.Symbol, kinks: list[sp.Expr], expressions: list[sp.Expr]) -> sp.Expr:
    """Return the formula as given, or put together from its pieces where one is continued over a singularity."""
    continued_somewhere = any(expression.has(Deflated) for expression in expressions)
    return _joined(expressions, symbol, kinks) if continued_somewhere else expr


def _joined(expressions: Sequence[sp.Expr], symbol: sp.Symbol, kinks: Sequence[sp.Expr]) -> sp.Expr:
    """Return the formulas between kinks as one formula."""
    branches = [(expression, symbol < kink) for expression, kink in zip(expressions, kinks, strict=False)]
    return sp.Piecewise(*branches, (expressions[-1], True)) if branches else expressions[0]


def _merged(pieces: Pieces) -> Pieces:
    """Drop kinks at which phi is analytic: the same formula on both sides and its value in between."""
    keep = []
    for i, kink in enumerate(pieces.kinks):
        left, right = pieces.expressions[i : i + 2]
        if left == right and left != HOLE and not left.free_symbols - {pieces.symbol}:
            at_kink = pieces.points[i]
            if continued(left, pieces.symbol, kink) is not None and at_kink is not None:
                there, value = (value_at(formula, pieces.symbol, kink) for formula in (left, at_kink))
                if there is not None and value is not None and is_zero(value - there):
                    continue
        keep.append(i)
    expressions = [pieces.expressions[0], *(pieces.expressions[i + 1] for i in keep)]
    kinks = tuple(pieces.kinks[i] for i in keep)
    return Pieces(pieces.symbol, kinks, tuple(expressions), tuple(pieces.points[i] for i in keep), pieces.source)


def _sides(pieces: Pieces) -> tuple[Singularity, ...]:
    both_sides = []
    for i, kink in enumerate(pieces.kinks):
        sides = [one_sided_limit(pieces.expressions[i + k], pieces.symbol, kink, (-1, 1)[k]) for k in (0, 1)]
        both_sides.append(Singularity(*sides))
    return tuple(both_sides)


def _continuous(pieces: Pieces, index: int, sides: Singularity) -> bool | None:
    """Whether both limits and the value at a kink agree."""
    if sides.left.unbounded or sides.right.unbounded:
        return False
    symbol, kink = pieces.symbol, pieces.kinks[index]
    left, right = ((pieces.expressions[index + k], (sides.left, sides.right)[k].value) for k in (0, 1))
    at_kink = pieces.points[index]
    answers = [agree_at(left, right, symbol, kink)]
    if at_kink is not None:
        answers.append(agree_at(right, (at_kink, ball_at(at_kink, symbol, kink)), symbol, kink))
    return False if False in answers else None if None in answers else True

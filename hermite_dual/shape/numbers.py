"""Real numbers that kinks are: exact expressions, or the one zero of a monotone function between two rationals.

Derivation: docs/theory/activations_in_balls.md, "The shape of an activation".
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cmp_to_key, lru_cache
from typing import Any

import sympy as sp

from hermite_dual.errors import InvalidInputError

_VARIABLE = sp.Symbol("_zero_variable", real=True)
"""The argument of the functions whose zeros are numbers; a name that no formula has."""
_FLOAT64_BITS = 53
_SIGN_BITS = (64, 256, 1024)
_MOST_OPERATIONS = 60
"""Operations up to which SymPy is asked whether a constant that is 0 to 1,024 bits is 0."""


class UndecidedError(InvalidInputError):
    """A property of a formula could not be decided; floats carry the doubt, proofs are not to be had."""


class RealZero(sp.Expr):
    """The only zero of a function in an interval on which its derivative is proven not to vanish.

    Args:
        function: an expression in `_VARIABLE`.
        low: rational, the left end.
        high: rational, the right end.
    """

    is_number = True
    is_commutative = True
    is_real = True
    is_finite = True

    def __new__(cls, function: sp.Expr, low: sp.Rational, high: sp.Rational) -> "RealZero":
        """Make the number from its function and bracket."""
        return super().__new__(cls, sp.sympify(function), sp.Rational(low), sp.Rational(high))

    @classmethod
    def of(cls, function: sp.Expr, symbol: sp.Symbol, low: sp.Rational, high: sp.Rational) -> "RealZero":
        """Return the zero of a function in any symbol."""
        primitive = sp.factor_terms(function.xreplace({symbol: _VARIABLE})).as_content_primitive()[1]
        return cls(-primitive if primitive.could_extract_minus_sign() else primitive, low, high)

    def equals_number(self, other: sp.Expr) -> bool:
        """Whether another number is proven to be this one: a zero of the same function, in the same bracket."""
        if isinstance(other, RealZero):
            if other.args[0] != self.args[0]:
                return False
        elif not is_zero(self.args[0].xreplace({_VARIABLE: other})):
            return False
        return compare(self.args[1], other) < 0 and compare(other, self.args[2]) < 0

    def __neg__(self) -> "RealZero":
        """Return the zero of the mirrored function."""
        function, low, high = self.args
        return RealZero.of(function.xreplace({_VARIABLE: -_VARIABLE}), _VARIABLE, -high, -low)

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """No symbols: a number."""
        return set()

    def function_of(self, symbol: sp.Symbol) -> sp.Expr:
        """Return the function that vanishes here, in a symbol."""
        return self.args[0].xreplace({_VARIABLE: symbol})

    def enclosure(self) -> Any:
        """Return a `flint.arb` that contains the number, narrow at the current precision."""
        from hermite_dual.certified.balls.ball_functions import zero_enclosure

        return zero_enclosure(self.args[0], _VARIABLE, self.args[1], self.args[2])

    def _eval_evalf(self, prec: int) -> sp.Float:
        from hermite_dual.certified.balls.precision import exact_fraction, working_precision

        with working_precision(prec + 20):
            middle = exact_fraction(self.enclosure().mid())
        return sp.Float(sp.Rational(middle.numerator, middle.denominator), precision=prec)

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[1] >= 0 else False if self.args[2] <= 0 else None

    def _eval_is_negative(self) -> bool | None:
        return True if self.args[2] <= 0 else False if self.args[1] >= 0 else None

    def _eval_is_zero(self) -> bool | None:
        return False if self.args[1] >= 0 or self.args[2] <= 0 else None

    def _sympystr(self, printer: Any) -> str:
        variable = sp.Symbol("x", real=True)
        return f"zero({printer._print(self.function_of(variable))}, near {float(self):.6g})"

    _sympyrepr = _sympystr

    def _latex(self, printer: Any) -> str:
        return f"{float(self):.15g}"

    _pythoncode = _numpycode = _latex
    _lambdacode = _mpmathcode = _latex


def as_printed(expr: Any) -> sp.Basic:
    """Return an expression with every Float replaced by the decimal fraction that it prints as.

    A Float of float64 precision prints its shortest decimal that reads back as the same number. Strings are refused:
    SymPy would execute them.

    Raises:
        InvalidInputError: it is neither a number nor a SymPy expression.

    >>> as_printed(sp.Float("0.1", 5) + sp.Symbol("x") ** 2.0)
    x**2 + 1/10
    """
    try:
        read = sp.sympify(expr, strict=True)
    except (sp.SympifyError, TypeError, ValueError, AttributeError):  # of classes and objects of others
        read = None
    if not isinstance(read, sp.Basic):
        raise InvalidInputError(f"{expr!r} is neither a number nor a SymPy expression: give one of them")
    return read.xreplace({number: _decimal(number) for number in read.atoms(sp.Float)})


def _decimal(number: sp.Float) -> sp.Rational:
    return sp.Rational(repr(float(number)) if number._prec == _FLOAT64_BITS else str(number))


def sign_of(value: sp.Expr) -> int:
    """Return the sign of a constant, or of an expression whose parameters' assumptions tell it.

    Raises:
        UndecidedError: the sign is not known.
    """
    if value.is_Rational:
        return int(sp.sign(value))
    if not value.free_symbols:
        return _numeric_sign(value)
    for candidate in (value, sp.factor(value), _exponent_comparison(value)):
        if candidate.is_positive:
            return 1
        if candidate.is_negative:
            return -1
        if candidate.is_zero:
            return 0
    raise UndecidedError(f"the sign of {value} is not known; declare or substitute its parameters")


@lru_cache(maxsize=4096)
def _numeric_sign(value: sp.Expr) -> int:
    number = (value, _VARIABLE, sp.S.Zero)
    sign = ball_sign(*number, _SIGN_BITS[:1])
    if sign is None:
        sign = 0 if is_zero(value) else ball_sign(*number, _SIGN_BITS[1:])
    if sign is None:
        raise UndecidedError(f"whether {sp.N(value, 8)} = {value} is 0 could not be decided")
    return sign


def ball_sign(expr: sp.Expr, symbol: sp.Symbol, point: sp.Expr, precisions: Sequence[int] = _SIGN_BITS) -> int | None:
    """Return the sign of a formula at a point as balls prove it; None if it is 0 to all precisions, or not finite."""
    from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
    from hermite_dual.certified.balls.precision import working_precision

    for bits in precisions:
        with working_precision(bits):
            ball = BallFunction(expr, symbol)(constant_ball(point))
        if ball.is_zero():
            return 0
        if ball > 0 or ball < 0:
            return 1 if ball > 0 else -1
    return None


def is_zero(value: sp.Expr) -> bool:
    """Whether SymPy proves a constant, or an expression for all its symbols, to be 0."""
    if value.atoms(RealZero):  # SymPy's assumptions would evaluate it numerically, to no proof
        return bool(sp.expand(value) == 0)
    if value.is_zero or sp.expand(value) == 0:
        return True
    if value.count_ops() > _MOST_OPERATIONS:
        return False
    return bool(sp.simplify(value) == 0)


def _exponent_comparison(value: sp.Expr) -> sp.Expr:
    """Return `k y` for `k (exp(y) - 1)`, which has the same sign, and any other value unchanged."""
    factor, dependent = sp.factor_terms(value).as_independent(sp.exp, as_Add=False)
    constant, exponential = dependent.as_independent(sp.exp, as_Add=True)
    scale, power = exponential.as_independent(sp.exp, as_Add=False)
    if isinstance(power, sp.exp) and scale + constant == 0:
        return factor * scale * power.args[0]
    return value


def compare(left: sp.Expr, right: sp.Expr) -> int:
    """Return -1, 0 or 1 as `left` is less than, equal to or greater than `right`; infinities are ordered.

    Raises:
        UndecidedError: the order is not known.
    """
    if left == right:
        return 0
    if left == -sp.oo or right == sp.oo:
        return -1
    if right == -sp.oo or left == sp.oo:
        return 1
    if left.is_Rational and right.is_Rational:
        return -1 if left < right else 1
    for number, other in ((left, right), (right, left)):
        if isinstance(number, RealZero) and not other.is_Rational and number.equals_number(other):
            return 0
    if not (left.free_symbols or right.free_symbols):
        gap = _coarse(left) - _coarse(right)
        if gap > 0 or gap < 0:
            return 1 if gap > 0 else -1
    return sign_of(left - right)


@lru_cache(maxsize=65536)
def _coarse(number: sp.Expr) -> Any:
    from hermite_dual.certified.balls.ball_functions import constant_ball
    from hermite_dual.certified.balls.precision import working_precision

    with working_precision(80):
        return constant_ball(number)


def finite_value(expr: sp.Basic, symbol: sp.Symbol, point: sp.Expr) -> sp.Expr | None:
    """Return a formula's value at a point, or None where substitution gives none."""
    from hermite_dual.certified.balls.deflated import plain

    value = plain(expr).subs(symbol, point)
    return None if value.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.AccumBounds) else value


def increasing(points: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
    """Return distinct points in increasing order; of equal ones the shorter expression stays."""
    kept: list[sp.Expr] = []
    for point in sorted(dict.fromkeys(points), key=cmp_to_key(compare)):
        if kept and compare(kept[-1], point) == 0:
            kept[-1] = min(kept[-1], point, key=lambda number: (isinstance(number, RealZero), number.count_ops()))
        else:
            kept.append(point)
    return tuple(kept)


def between(low: sp.Expr, high: sp.Expr) -> sp.Expr:
    """Return a point strictly between two numbers or infinities, a short fraction where they are numbers."""
    if low == -sp.oo and high == sp.oo:
        return sp.S.Zero
    if low.free_symbols or high.free_symbols:
        return high - 1 if low == -sp.oo else low + 1 if high == sp.oo else (low + high) / 2
    if low == -sp.oo or high == sp.oo:
        end, side = (high, -1) if low == -sp.oo else (low, 1)
        return sp.Integer(math.floor(float(_coarse(end).mid()))) + (2 if side > 0 else -1)
    left, right = (Fraction(float(_coarse(end).mid())) for end in (low, high))
    if right - left < Fraction(1, 10**9) * max(Fraction(1), abs(left)):
        left, right = (Fraction(str(sp.N(end, 60))) for end in (low, high))
    step = Fraction(2) ** (math.frexp(float(right - left))[1] - 4)
    middle = step * round((left + right) / 2 / step)
    return sp.Rational(middle.numerator, middle.denominator)

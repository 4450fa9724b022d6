"""Activation expressions as functions on balls, real and complex.

A `BallFunction` maps a real ball to a ball that contains every value of the expression on it, and a complex ball
likewise. With `analytic=True` a complex result is finite only if the expression is analytic on the whole ball:
the contract of `acb.integral`, and what the strip and ellipse bounds rest on. Branch cuts are those of sympy
(principal branches); expressions with kinks are continued from each side (`|z|` is `z` where `Re z > 0`).

Derivation: docs/theory/activations_in_balls.md, "Functions on balls".
"""

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import flint
import numpy as np
import sympy as sp
from flint import acb, arb

from hermite_dual.certified.balls.cancellation import uncancelled
from hermite_dual.certified.balls.elementary import COMPLEX_FUNCTIONS, REAL_FUNCTIONS, complex_power, real_power
from hermite_dual.certified.balls.nonsmooth import complex_choice, complex_extremum, real_choice, real_extremum
from hermite_dual.certified.balls.precision import interval, working_precision
from hermite_dual.errors import InvalidInputError

RealMap = Callable[[arb], arb]
ComplexMap = Callable[[acb, bool], acb]

_ARGUMENT = sp.Dummy("x", real=True)
"""The one argument that expressions are compiled in, so that equal ones are compiled once."""
_MOST_STEPS = 200  # Newton's steps double the digits: reached only where something is wrong
_CONSTANTS: dict[Any, Callable[[], arb]] = {
    sp.pi: arb.pi,
    sp.E: arb.const_e,
    sp.EulerGamma: arb.const_euler,
    sp.Catalan: arb.const_catalan,
    sp.GoldenRatio: lambda: (1 + arb(5).sqrt()) / 2,
}
"""SymPy's constants that have a ball version."""


def number_ball(value: sp.Expr) -> arb:
    """The ball of a sympy number: a Float is the dyadic number it stores, a Rational is rounded once."""
    if value.is_Integer:
        return arb(int(value))
    if value.is_Rational:
        return arb(flint.fmpq(int(value.p), int(value.q)))
    if value.is_Float and value.is_finite:
        sign, mantissa, exponent, _ = value._mpf_
        return arb(-int(mantissa) if sign else int(mantissa)) * arb(2) ** int(exponent)
    if value in _CONSTANTS:
        return _CONSTANTS[value]()
    raise InvalidInputError(f"the constant {value} is not a finite real number; give a real expression")


def constant_ball(value: sp.Expr) -> arb:
    """A ball at the current precision that contains a real constant expression such as `sqrt(2/pi)`."""
    return BallFunction(value, sp.Dummy("unused", real=True))(arb(0))


def to_ball(value: object, name: str) -> arb:
    """The ball of a real number: floats as the dyadic number they are, exact numbers at the current precision.

    Args:
        value: int, Fraction, float, NumPy scalar, sympy real constant or ball.
        name: the argument's name, for the message.

    Returns:
        A ball that contains the number.

    Raises:
        InvalidInputError: the value is no finite real number.
    """
    ball: arb | None = None
    if isinstance(value, arb):
        ball = value
    elif isinstance(value, (bool, np.bool_)):
        ball = None
    elif isinstance(value, (int, np.integer)):
        ball = arb(int(value))
    elif isinstance(value, (float, np.floating)):
        ball = arb(float(value))
    elif isinstance(value, Fraction):
        ball = arb(flint.fmpq(value.numerator, value.denominator))
    elif isinstance(value, sp.Expr) and not value.free_symbols and value.is_real and value.is_finite:
        ball = constant_ball(value)
    if ball is None or not ball.is_finite():
        raise InvalidInputError(
            f"{name} = {value!r} is not a finite real number; give an int, a float, a Fraction, "
            "a sympy constant or a flint.arb"
        )
    return ball


class BallFunction:
    """An expression in one symbol as a function on `flint.arb` and `flint.acb`.

    Args:
        expr: the expression; its only free symbol is `symbol`.
        symbol: the argument.

    Raises:
        InvalidInputError: the expression has another free symbol or a function that has no ball version.

    Example:
        >>> x = sp.Symbol("x", real=True)
        >>> BallFunction(sp.sqrt(1 + x**2), x)(arb(0)) == 1
        True
    """

    def __init__(self, expr: sp.Expr, symbol: sp.Symbol) -> None:
        self.expr = sp.sympify(expr)
        self.symbol = symbol
        strangers = self.expr.free_symbols - {symbol}
        if strangers:
            raise InvalidInputError(
                f"expr = {expr} contains {', '.join(sorted(map(str, strangers)))} besides {symbol}; "
                "substitute numbers for every other symbol"
            )
        self._real, self._complex = _compiled(self.expr.xreplace({symbol: _ARGUMENT}))

    def __call__(self, z: Any, analytic: bool = False) -> Any:
        """Enclose the values on a ball; with `analytic`, NaN unless the expression is analytic there."""
        if isinstance(z, arb):
            return self._real(z)
        return self._complex(acb(z), bool(analytic))


@lru_cache(maxsize=2048)
def _compiled(expr: sp.Expr) -> tuple[RealMap, ComplexMap]:
    """The maps of an expression in the one argument, remembered."""
    return _compile(expr, _ARGUMENT)


def _compile(expr: sp.Expr, symbol: sp.Symbol) -> tuple[RealMap, ComplexMap]:
    """Translate an expression into its real and its complex ball map."""
    if expr == symbol:
        return (lambda x: x), (lambda z, _: z)
    if not expr.args:
        return _constant(lambda: number_ball(expr))
    if not expr.free_symbols:
        if hasattr(expr, "enclosure"):  # the isolated zero of a function
            return _constant(expr.enclosure)
        if isinstance(expr, sp.CRootOf):
            return _constant(lambda: _root_enclosure(expr))
        real, _ = _compile_node(expr, symbol)
        return _constant(lambda: real(arb(0)))
    return _compile_node(expr, symbol)


def _constant(make: Callable[[], arb]) -> tuple[RealMap, ComplexMap]:
    """A constant, evaluated once per precision."""
    cache: dict[int, arb] = {}

    def value() -> arb:
        bits = flint.ctx.prec
        if bits not in cache:
            cache[bits] = make()
        return cache[bits]

    return (lambda _: value()), (lambda _z, _a: acb(value()))


def _compile_node(expr: sp.Expr, symbol: sp.Symbol) -> tuple[RealMap, ComplexMap]:
    """Translate a node with arguments."""
    if isinstance(expr, sp.Piecewise):
        return _compile_piecewise(expr, symbol)
    if hasattr(expr, "ball_maps"):  # a node that knows its own
        real, complex_ = expr.ball_maps(symbol)
        return real, complex_
    if expr.is_Pow:
        return _compile_power(expr.base, expr.exp, symbol)
    if (expr.is_Add or isinstance(expr, sp.log)) and (sharper := uncancelled(expr)) is not None:
        return _compile(sharper, symbol)
    children = [_compile(argument, symbol) for argument in expr.args]
    reals, complexes = [c[0] for c in children], [c[1] for c in children]
    if expr.is_Add or expr.is_Mul:
        return _fold(reals, complexes, product=bool(expr.is_Mul))
    if isinstance(expr, (sp.Max, sp.Min)):
        largest = isinstance(expr, sp.Max)
        return (
            lambda x: real_extremum([f(x) for f in reals], largest),
            lambda z, a: complex_extremum([f(z, a) for f in complexes], largest, a),
        )
    name = type(expr).__name__
    if name not in REAL_FUNCTIONS or (len(children) != 1 and name != "Heaviside"):
        raise InvalidInputError(
            f"the function {name} in {expr} has no ball version; known are {', '.join(sorted(REAL_FUNCTIONS))}"
        )
    real, complex_ = REAL_FUNCTIONS[name], COMPLEX_FUNCTIONS[name]
    inner, inner_complex = reals[0], complexes[0]
    return (lambda x: real(inner(x))), (lambda z, a: complex_(inner_complex(z, a), a))


def _fold(reals: list[RealMap], complexes: list[ComplexMap], product: bool) -> tuple[RealMap, ComplexMap]:
    """Sum or product of the children."""

    def real(x: arb) -> arb:
        value = reals[0](x)
        for f in reals[1:]:
            value = value * f(x) if product else value + f(x)
        return value

    def complex_(z: acb, analytic: bool) -> acb:
        value = complexes[0](z, analytic)
        for f in complexes[1:]:
            value = value * f(z, analytic) if product else value + f(z, analytic)
        return value

    return real, complex_


def _compile_power(base: sp.Expr, exponent: sp.Expr, symbol: sp.Symbol) -> tuple[RealMap, ComplexMap]:
    """Translate `base**exponent` with a constant exponent or a constant positive base."""
    if base == sp.E:
        return _compile_node(_ExpNode(exponent), symbol)
    real_base, complex_base = _compile(base, symbol)
    if exponent.free_symbols:
        real_exp, complex_exp = _compile(exponent, symbol)
        if not base.is_positive or base.free_symbols:
            raise InvalidInputError(
                f"the power {base}**({exponent}) has no ball version; the base must be a constant > 0"
            )
        return (
            lambda x: (real_base(x).log() * real_exp(x)).exp(),
            lambda z, a: (complex_base(z, a).log() * complex_exp(z, a)).exp(),
        )
    clip = bool(base.is_nonnegative)
    power = sp.Rational(exponent) if exponent.is_Rational else exponent
    if exponent.is_Float and (2 * exponent).is_integer is not False and float(2 * exponent).is_integer():
        power = sp.Rational(int(2 * exponent), 2)
    exact = (lambda: number_ball(power)) if power.is_number and not power.args else (lambda: constant_ball(power))
    return (
        lambda x: real_power(real_base(x), power, exact, clip),
        lambda z, a: complex_power(complex_base(z, a), power, exact, a),
    )


def _ExpNode(exponent: sp.Expr) -> sp.Expr:
    """`exp(exponent)` as an unevaluated function node, whatever sympy would make of it."""
    return sp.Function("exp")(exponent)


def _compile_piecewise(expr: sp.Piecewise, symbol: sp.Symbol) -> tuple[RealMap, ComplexMap]:
    """Translate branches and conditions; a condition is the sign of the difference of its sides."""
    branches = [_compile(value, symbol) for value, _ in expr.args]
    conditions = [_compile_condition(condition, symbol) for _, condition in expr.args]
    return (
        lambda x: real_choice(x, [b[0] for b in branches], conditions),
        lambda z, a: complex_choice(z, a, [b[1] for b in branches], conditions),
    )


def _compile_condition(condition: Any, symbol: sp.Symbol) -> Callable[[Any], bool | None]:
    """Translate a condition into True, False or None (undecided on the ball)."""
    if condition in (sp.true, sp.false):
        return lambda _: bool(condition)
    if isinstance(condition, (sp.And, sp.Or)):
        operands = [_compile_condition(operand, symbol) for operand in condition.args]
        settled = isinstance(condition, sp.Or)

        def combined(x: Any) -> bool | None:
            values = [operand(x) for operand in operands]
            if settled in values:
                return settled
            return None if None in values else not settled

        return combined
    if isinstance(condition, (sp.StrictLessThan, sp.LessThan, sp.StrictGreaterThan, sp.GreaterThan)):
        # lts < gts, or <=: the boundary is a null set and belongs to both neighbours here.
        real, complex_ = _compile(condition.gts - condition.lts, symbol)

        def compared(x: Any) -> bool | None:
            gap = real(x) if isinstance(x, arb) else complex_(x, False).real
            return True if gap > 0 else False if gap < 0 else None

        return compared
    if isinstance(condition, (sp.Eq, sp.Ne)):
        # a point value changes no integral; the hull of the other branches stands in for it
        return lambda _: isinstance(condition, sp.Ne)
    raise InvalidInputError(f"the condition {condition} has no ball version; write it with <, <=, >, >=, And or Or")


def zero_enclosure(function: sp.Expr, symbol: sp.Symbol, low: sp.Rational, high: sp.Rational) -> arb:
    """Enclose, narrowly at the current precision, the only zero in a bracket, on which the derivative has none."""
    return _zero_enclosure(function, symbol, low, high, int(flint.ctx.prec))


@lru_cache(maxsize=4096)
def _zero_enclosure(function: sp.Expr, symbol: sp.Symbol, low: sp.Rational, high: sp.Rational, bits: int) -> arb:
    """Newton's interval steps from the bracket."""
    value, slope = BallFunction(function, symbol), BallFunction(sp.diff(function, symbol), symbol)
    with working_precision(2 * bits + 64):
        box = interval(number_ball(low), number_ball(high))
        width = box.rad()
        for _ in range(_MOST_STEPS):
            middle = arb(box.mid())
            steep = slope(box)
            if steep.is_finite() and not steep.contains(0):
                step = middle - value(middle) / steep
                box = box.intersection(step) if box.overlaps(step) else box
            if not box.rad() < width * arb(0.9):
                halves = [interval(box.lower(), middle), interval(middle, box.upper())]
                signs = value(box.lower()), value(middle)
                if all(not sign.contains(0) for sign in signs):
                    box = halves[0] if bool(signs[0] > 0) != bool(signs[1] > 0) else halves[1]
                else:
                    break
            width = box.rad()
            if width < arb(2) ** -(bits + 8) * (abs(middle).max(arb(2) ** -bits)):
                break
    return box


def _root_enclosure(root: sp.CRootOf) -> arb:
    """Enclose a real root of a polynomial, from SymPy's isolating interval."""
    bracket = root._get_interval()
    ends = (sp.Rational(str(end)) for end in (bracket.a, bracket.b))
    return zero_enclosure(root.poly.as_expr(), root.poly.gen, *ends)

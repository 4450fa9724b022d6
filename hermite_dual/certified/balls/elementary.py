"""Elementary functions on balls: for real balls their range, for complex balls with a check of analyticity.

A function with branch cuts is analytic on a complex ball when the ball avoids the cuts; the checks here are sufficient
conditions on the ball's bounding rectangle. Meromorphic functions need no check: at a pole the ball is not finite.

Derivation: docs/theory/activations_in_balls.md, "Functions on balls".
"""

from collections.abc import Callable
from typing import Any

import sympy as sp
from flint import acb, arb

from hermite_dual.certified.balls.nonsmooth import not_analytic

_HALF = sp.Rational(1, 2)  # the power that is a square root


def absolute_ball(x: arb) -> arb:
    """`|x|` on a real ball, from 0 upwards if the ball contains 0."""
    return arb(0).union(x.abs_upper()) if x.contains(0) else abs(x)


def integer_power(x: arb, n: int) -> arb:
    """`x**n` for an integer n, by the ends of the ball where it contains 0 (`arb.__pow__` answers NaN there)."""
    if n < 0:
        return 1 / integer_power(x, -n)
    if n == 0:
        return arb(1)
    if not x.is_finite() or not x.contains(0):
        return x**n
    if n % 2 == 0:
        return arb(0).union(arb(x.abs_upper()) ** n)
    low, high = -x.lower(), x.upper()
    return (-(low**n) if low > 0 else arb(0)).union(high**n if high > 0 else arb(0))


def real_power(x: arb, exponent: sp.Expr, value: Callable[[], arb], clip: bool) -> arb:
    """`x**exponent`; `clip` says that the base is known to be >= 0 whatever the rounding of its ball says."""
    if exponent.is_Integer:
        return integer_power(x, int(exponent))
    if x > 0:
        return x.sqrt() if exponent == _HALF else (value() * x.log()).exp()
    top = x.upper()
    if not (clip or x.lower() >= 0) or not value() > 0 or top < 0:
        return arb.nan()
    # a ball that touches zero: the power is monotone there
    return arb(0).union((value() * top.log()).exp()) if top > 0 else arb(0)


def complex_power(z: acb, exponent: sp.Expr, value: Callable[[], arb], analytic: bool) -> acb:
    """`z**exponent` on the principal branch."""
    if exponent.is_Integer:
        n = int(exponent)
        return z**n if n >= 0 else 1 / z ** (-n)
    if exponent.is_Rational and exponent.q == 2:
        root = z.sqrt(analytic=analytic)
        p = int(exponent.p)
        return root**p if p >= 0 else 1 / root ** (-p)
    if analytic and not _off_negative_axis(z):
        return not_analytic()
    if not analytic and z.contains(0) and value() > 0:
        size = arb(0).union((value() * arb(z.abs_upper()).log()).exp())
        return acb(size.union(-size), size.union(-size))
    return (value() * z.log()).exp()


def _off_negative_axis(z: acb) -> bool:
    """Whether the ball avoids `(-oo, 0]`."""
    return bool(z.real > 0 or z.imag > 0 or z.imag < 0)


def _off_outer_real(z: acb) -> bool:
    """Whether the ball avoids the real numbers with `|x| >= 1` (asin, acos, atanh)."""
    return bool(z.imag > 0 or z.imag < 0 or abs(z.real) < 1)


def _off_outer_imaginary(z: acb) -> bool:
    """Whether the ball avoids the imaginary numbers with `|y| >= 1` (atan, asinh)."""
    return bool(z.real > 0 or z.real < 0 or abs(z.imag) < 1)


def _off_left_of_one(z: acb) -> bool:
    """Whether the ball avoids `(-oo, 1]` (acosh)."""
    return bool(z.real > 1 or z.imag > 0 or z.imag < 0)


def _guarded(name: str, allowed: Callable[[acb], bool]) -> Callable[[acb, bool], acb]:
    """A method of `acb` that must avoid its cuts when analyticity is asked for."""

    def evaluate(z: acb, analytic: bool) -> acb:
        if analytic and not allowed(z):
            return not_analytic()
        return getattr(z, name)()

    return evaluate


def _plain(name: str) -> Callable[[acb, bool], acb]:
    """A meromorphic method of `acb`."""
    return lambda z, _: getattr(z, name)()


def _complex_asinh(z: acb, analytic: bool) -> acb:
    """`asinh`, odd: python-flint answers NaN on wide balls to the right where it is finite on their mirror images."""
    if analytic and not _off_outer_imaginary(z):
        return not_analytic()
    return -((-z).asinh()) if z.real > 0 else z.asinh()


def _method(name: str) -> Callable[[arb], arb]:
    """A method of `arb`."""
    return lambda x: getattr(x, name)()


def _real_heaviside(x: arb) -> arb:
    """Hull of the step function on a ball."""
    return (1 + x.sgn()) / 2


def _absolute(z: acb, analytic: bool) -> acb:
    """`|x|` continued from each half line."""
    if z.real > 0:
        return z
    if z.real < 0:
        return -z
    return not_analytic() if analytic else z.union(-z)


def _sign(z: acb, analytic: bool) -> acb:
    """`sign(x)` continued from each half line."""
    if z.real > 0:
        return acb(1)
    if z.real < 0:
        return acb(-1)
    return not_analytic() if analytic else acb(arb(-1).union(arb(1)))


def _complex_tanh(z: acb, _: bool) -> acb:
    """`tanh(z) = 1 - 2/(exp(2z) + 1)`, on each side with the exponential that is small there."""
    if z.real > 0:
        e = (-2 * z).exp()
        return 1 - 2 * e / (1 + e)
    if z.real < 0:
        e = (2 * z).exp()
        return 2 * e / (1 + e) - 1
    return z.tanh()


def _complex_logistic(z: acb, _: bool) -> acb:
    """`1/(1 + exp(-z))`, on each side with the exponential that is small there."""
    if z.real > 0:
        return 1 / (1 + (-z).exp())
    if z.real < 0:
        e = z.exp()
        return e / (1 + e)
    return (1 + (z / 2).tanh()) / 2


def _complex_log1p(z: acb, analytic: bool) -> acb:
    """`log(1 + z)` on the principal branch, its digits kept where z is small."""
    return not_analytic() if analytic and not _off_negative_axis(1 + z) else z.log1p()


_MEROMORPHIC = ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "sech", "csch", "coth", "exp")
"""Analytic wherever they are finite."""
_ENTIRE = ("erf", "erfc", "erfi", "sinc")  # analytic everywhere

REAL_FUNCTIONS: dict[str, Callable[[arb], arb]] = {
    **{name: _method(name) for name in (*_MEROMORPHIC, *_ENTIRE)},
    "tanh": lambda x: x.tanh(),
    "log": lambda x: x.log(),
    "asin": lambda x: x.asin(),
    "acos": lambda x: x.acos(),
    "atan": lambda x: x.atan(),
    "asinh": lambda x: x.asinh(),
    "acosh": lambda x: x.acosh(),
    "atanh": lambda x: x.atanh(),
    "Abs": absolute_ball,
    "sign": lambda x: x.sgn(),
    "Heaviside": _real_heaviside,
    "ErrorTail": lambda x: x.erfc(),
    "Logistic": lambda x: 1 / (1 + (-x).exp()),
    "ExpMinusOne": lambda x: x.expm1(),
    "LogOnePlus": lambda x: x.log1p(),
}
"""sympy class name -> function on real balls."""

COMPLEX_FUNCTIONS: dict[str, Callable[[Any, bool], Any]] = {
    **{name: _plain(name) for name in (*_MEROMORPHIC, *_ENTIRE)},
    "tanh": _complex_tanh,
    "log": lambda z, analytic: z.log(analytic=analytic),
    "asin": _guarded("asin", _off_outer_real),
    "acos": _guarded("acos", _off_outer_real),
    "atanh": _guarded("atanh", _off_outer_real),
    "atan": _guarded("atan", _off_outer_imaginary),
    "asinh": _complex_asinh,
    "acosh": _guarded("acosh", _off_left_of_one),
    "Abs": _absolute,
    "sign": _sign,
    "Heaviside": lambda z, analytic: (1 + _sign(z, analytic)) / 2,
    "ErrorTail": _plain("erfc"),
    "Logistic": _complex_logistic,
    "ExpMinusOne": _plain("expm1"),
    "LogOnePlus": _complex_log1p,
}
"""sympy class name -> function on complex balls and the analytic flag."""

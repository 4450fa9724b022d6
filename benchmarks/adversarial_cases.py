"""Activations written to break things, each with the same function by hand in NumPy: for adversarial_activations.py."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from hermite_dual.symbols import x

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Case:
    """An activation.

    Attributes:
        spec: what is given to the package.
        function: the same by hand, vectorized.
        breaks: where it is not smooth, or varies fast.
        top: largest variance at which its square has a moment.
        refused: what the refusal has to say; None if it is an activation.
        polynomial: whether it is a polynomial almost everywhere.
    """

    spec: Any
    function: Callable[[Array], Array] | None = None
    breaks: tuple[float, ...] = ()
    top: float = math.inf
    refused: str | None = None
    polynomial: bool = False


def _erf(z: Array) -> Array:
    from scipy.special import erf

    return np.asarray(erf(z))


def _ratio(
    above: Callable[[Array], Array], below: Callable[[Array], Array], at_zero: float
) -> Callable[[Array], Array]:
    """A quotient with its value at 0."""

    def function(z: Array) -> Array:
        safe = np.where(z == 0, 1.0, z)
        return np.where(z == 0, at_zero, above(safe) / below(safe))

    return function


def _versine_ratio(z: Array) -> Array:
    """`(1 - cos z)/z^2` without cancellation."""
    return np.asarray(0.5 * np.sinc(z / (2 * np.pi)) ** 2)


def _log_ratio(z: Array) -> Array:
    safe = np.where(z == 0, 1.0, z)
    return np.where(z == 0, 0.0, _log_cosh(safe) / safe)


def _log_cosh(z: Array) -> Array:
    size = np.abs(z)
    return np.where(size < 0.5, np.log1p(2 * np.sinh(z / 2) ** 2), size + np.log1p(np.exp(-2 * size)) - math.log(2))


def _sawtooth(z: Array) -> Array:
    return z - np.pi * np.round(z / np.pi)


def _triangle(z: Array) -> Array:
    return np.arcsin(np.clip(np.sin(z), -1, 1))


def _softplus(z: Array) -> Array:
    return np.logaddexp(0, z)


def _second_remainder(z: Array) -> Array:
    """`(exp(z) - 1 - z)/z^2`, by its series near 0."""
    near = np.clip(z, -1, 1)
    series = sum(near**k / math.factorial(k + 2) for k in range(20))
    safe = np.where(np.abs(z) < 1, 1.0, z)
    return np.asarray(np.where(np.abs(z) < 1, series, (np.expm1(safe) - safe) / safe**2))


def _multiples(step: float, offset: float = 0.0, reach: float = 28.0) -> tuple[float, ...]:
    return tuple(k * step + offset for k in range(-math.ceil(reach / step), math.ceil(reach / step) + 1))


_R2 = math.sqrt(2)
_PI = math.pi
_RELU: Callable[[Array], Array] = lambda z: np.maximum(z, 0)  # noqa: E731
_POLE = r"pole|not square-integrable"
LISTED = [
    # switches whose argument vanishes on an interval
    Case("x*sign(max(x, 0))", _RELU, (0,)),
    Case("sign(max(x, 0))", lambda z: (z > 0) * 1.0, (0,)),
    Case("Heaviside(max(x, 0))", lambda z: np.where(z > 0, 1, 0.5), (0,)),
    Case("Heaviside(min(x, 0))", lambda z: np.where(z < 0, 0, 0.5), (0,)),
    Case("sign(min(x-1, 0))*x", lambda z: np.where(z < 1, -z, 0), (1,)),
    Case("x*Heaviside(max(x-1, 0))", lambda z: np.where(z > 1, z, z / 2), (1,)),
    Case("abs(max(x,0)-max(x-1,0))", lambda z: np.clip(z, 0, 1), (0, 1)),
    Case("max(x,0)*sign(x)", _RELU, (0,)),
    Case("sign(x)^2", lambda z: (z != 0) * 1.0, (0,), polynomial=True),
    Case("abs(sign(x))*exp(-x^2)", lambda z: (z != 0) * np.exp(-z * z), (0,)),
    Case("Piecewise((1, max(x,0) > 0), (0, True))", lambda z: (z > 0) * 1.0, (0,)),
    Case("x*sign(x^2)", lambda z: z, (0,), polynomial=True),
    Case("sign(x^2+1)*tanh(x)", np.tanh),
    Case("sign(x+abs(x))", lambda z: (z > 0) * 1.0, (0,)),
    Case("max(x-abs(x), -2)", lambda z: np.maximum(2 * np.minimum(z, 0), -2), (0, -1)),
    Case("sign(max(abs(x)-1, 0))*(abs(x)-1)", lambda z: np.maximum(np.abs(z) - 1, 0), (-1, 1)),
    # nests
    Case("max(abs(x)-1, 0)", lambda z: np.maximum(np.abs(z) - 1, 0), (-1, 1)),
    Case("max(min(x,1),-1)", lambda z: np.clip(z, -1, 1), (-1, 1)),
    Case("max(tanh(x), x/2)", lambda z: np.maximum(np.tanh(z), z / 2), (-1.9150080481545375, 0, 1.9150080481545375)),
    Case("x*min(max(x+3,0),6)/6", lambda z: z * np.clip(z + 3, 0, 6) / 6, (-3, 3)),
    Case("abs(abs(abs(x)-2)-1)", lambda z: np.abs(np.abs(np.abs(z) - 2) - 1), (-3, -2, -1, 0, 1, 2, 3)),
    Case("max(x, x^2)", lambda z: np.maximum(z, z * z), (0, 1)),
    Case("min(exp(x), 1)", lambda z: np.exp(np.minimum(z, 0)), (0,)),
    Case("max(x^3-x, 0)", lambda z: np.maximum(z**3 - z, 0), (-1, 0, 1)),
    Case("abs(exp(x)-3)/(1+exp(x))", lambda z: np.abs(np.exp(z) - 3) / (1 + np.exp(z)), (math.log(3),)),
    Case("max(max(x,0)-1, 0)", lambda z: np.maximum(z - 1, 0), (1,)),
    Case("abs(x^2-2)", lambda z: np.abs(z * z - 2), (-_R2, _R2)),
    Case("sqrt((x-1)^2)", lambda z: np.abs(z - 1), (1,)),
    Case("Piecewise((x, abs(x) < 1), (sign(x), True))", lambda z: np.clip(z, -1, 1), (-1, 1)),
    Case("max(abs(x), abs(x-1))", lambda z: np.maximum(np.abs(z), np.abs(z - 1)), (0.5,)),
    Case("min(x^2, abs(x))", lambda z: np.minimum(z * z, np.abs(z)), (-1, 0, 1)),
    Case("max(x, 1-x, 3*x-4)", lambda z: np.maximum(np.maximum(z, 1 - z), 3 * z - 4), (0.5, 2)),
    Case("max(min(x+1, -x), x-1)", lambda z: np.maximum(np.minimum(z + 1, -z), z - 1), (-0.5, 0.5)),
    Case("min(max(tanh(x), 0), 1/2)", lambda z: np.clip(np.tanh(z), 0, 0.5), (0, math.atanh(0.5))),
    Case("max(x^5-x-1, 0)", lambda z: np.maximum(z**5 - z - 1, 0), (1.1673039782614187,)),
    Case("abs(x+exp(x))", lambda z: np.abs(z + np.exp(z)), (-0.5671432904097838,)),
    Case("max(sin(x), cos(x))", lambda z: np.maximum(np.sin(z), np.cos(z)), _multiples(_PI, _PI / 4)),
    Case("abs(sin(x))", lambda z: np.abs(np.sin(z)), _multiples(_PI)),
    Case("sign(sin(x))", lambda z: np.sign(np.sin(z)), _multiples(_PI)),
    Case("sign(sec(x))", lambda z: np.sign(np.cos(z)), _multiples(_PI, _PI / 2)),
    Case("sign(csch(x-1))", lambda z: np.where(z == 1, np.nan, np.sign(z - 1)), (1,)),
    Case("Piecewise((-1-x/10, x < -1), (x^3+x/5, x < 1/2), (sin(x), True))",
         lambda z: np.where(z < -1, -1 - z / 10, np.where(z < 0.5, z**3 + z / 5, np.sin(z))), (-1, 0.5)),
    # poles
    *[Case(text, refused=_POLE) for text in (
        "tan(x)", "cot(x)", "sec(x)", "csc(x)", "gamma(x)", "1/x", "1/(exp(x)-2)", "1/(x^2-2)", "tanh(x)/x^2",
        "coth(x)", "sinh(x)/x^2", "exp(1/x)", "abs(x)^(-1/2)", "1/(1-x)^2", "abs(csc(x)+3)", "1/log(1+x^2)",
    )],
    # removable singularities
    Case("sin(x)/x", lambda z: np.sinc(z / _PI)),
    Case("tanh(x)/x", _ratio(np.tanh, lambda z: z, 1.0)),
    Case("(exp(x)-1)/x", _ratio(np.expm1, lambda z: z, 1.0)),
    Case("(1-cos(x))/x^2", _versine_ratio),
    Case("x/(exp(x)-1)", _ratio(lambda z: z, np.expm1, 1.0)),
    Case("log(1+x^2)/x^2", _ratio(lambda z: np.log1p(z * z), lambda z: z * z, 1.0)),
    Case("sinh(x)/x", _ratio(np.sinh, lambda z: z, 1.0)),
    Case("(x^2-1)/(x-1)", lambda z: z + 1, polynomial=True),
    Case("erf(x)/x", _ratio(_erf, lambda z: z, 2 / math.sqrt(_PI))),
    Case("atan(x)/x", _ratio(np.arctan, lambda z: z, 1.0)),
    Case("sin(x)^2/x", lambda z: np.sin(z) * np.sinc(z / _PI)),
    Case("x/tanh(x)", _ratio(lambda z: z, np.tanh, 1.0)),
    Case("(exp(x)-1-x)/x^2", _second_remainder),
    Case("log(cosh(x))/x", _log_ratio),
    # values at single points
    Case("Piecewise((7, x == 0), (abs(x), True))", lambda z: np.where(z == 0, 7, np.abs(z)), (0,)),
    Case("Heaviside(x, 0)", lambda z: (z > 0) * 1.0, (0,)),
    Case("Heaviside(x, 1)", lambda z: (z >= 0) * 1.0, (0,)),
    Case("Piecewise((3, x == 1), (x^2, True))", lambda z: np.where(z == 1, 3, z * z), (1,), polynomial=True),
    Case("Piecewise((0, x < 0), (5, x <= 0), (x, True))", lambda z: np.where(z == 0, 5, np.maximum(z, 0)), (0,)),
    Case("Piecewise((cos(x), x != 0), (-1, True))", lambda z: np.where(z == 0, -1, np.cos(z)), (0,)),
    # branch points and essential singularities
    Case("sqrt(abs(x))", lambda z: np.sqrt(np.abs(z)), (0,)),
    Case("sign(x)*abs(x)^(1/3)", np.cbrt, (0,)),
    Case("log(abs(x))", lambda z: np.log(np.abs(np.where(z == 0, np.nan, z))), (0,)),
    Case("abs(x)^(-1/8)", lambda z: np.abs(np.where(z == 0, np.nan, z)) ** -0.125, (0,)),
    Case("x*log(abs(x))", lambda z: z * np.log(np.abs(np.where(z == 0, 1, z))), (0,)),
    Case("sqrt(1+x^2)", lambda z: np.hypot(1, z)),
    Case("(x+sqrt(x^2+4))/2", lambda z: np.where(z > 0, (z + np.hypot(z, 2)) / 2, 2 / (np.hypot(z, 2) + np.abs(z)))),
    Case("sqrt(abs(x^2-1))", lambda z: np.sqrt(np.abs(z - 1) * np.abs(z + 1)), (-1, 1)),
    Case("sqrt(max(1-x^2, 0))", lambda z: np.sqrt(np.maximum((1 - z) * (1 + z), 0)), (-1, 1)),
    Case("abs(x)^1.5", lambda z: np.abs(z) ** 1.5, (0,)),
    Case("log(1+abs(x))", lambda z: np.log1p(np.abs(z)), (0,)),
    Case("tanh(1/x)", lambda z: np.tanh(1 / np.where(z == 0, np.nan, z)), (0,)),
    Case("exp(-1/x^2)", lambda z: np.where(z == 0, 0, np.exp(-1 / np.where(z == 0, 1, z) ** 2)), (0,)),
    Case(sp.acot(x), lambda z: np.where(z == 0, _PI / 2, np.arctan(1 / np.where(z == 0, 1, z))), (0,)),
    # narrow features
    Case("exp(-1e6*(x-2.71)^2)", lambda z: np.exp(-1e6 * (z - 2.71) ** 2), (2.71,)),
    Case("1/(1+1e8*(x-3.3)^2)", lambda z: 1 / (1 + 1e8 * (z - 3.3) ** 2), (3.3,)),
    Case("tanh(1e4*(x-0.777))", lambda z: np.tanh(1e4 * (z - 0.777)), (0.777,)),
    Case("tanh(x)+0.01*tanh(1e4*(x-0.777))", lambda z: np.tanh(z) + 0.01 * np.tanh(1e4 * (z - 0.777)), (0.777,)),
    Case("exp(-1e6*(abs(x)-2.71)^2)", lambda z: np.exp(-1e6 * (np.abs(z) - 2.71) ** 2), (-2.71, 0, 2.71)),
    Case("exp(-1e6*max(x-2.71, 2.70-x)^2)",
         lambda z: np.exp(-1e6 * np.maximum(z - 2.71, 2.70 - z) ** 2), (2.7, 2.705, 2.71)),
    Case("erf(1e5*(x-1.1))", lambda z: _erf(1e5 * (z - 1.1)), (1.1,)),
    Case("sqrt((x-0.3)^2+1e-10)", lambda z: np.hypot(z - 0.3, 1e-5), (0.3,)),
    Case("1e-3/(1e-6+(x-1)^2)", lambda z: 1e-3 / (1e-6 + (z - 1) ** 2), (1,)),
    Case("tanh(1e6*x)", lambda z: np.tanh(1e6 * z), (0,)),
    # scales
    Case("1e-8*tanh(x)", lambda z: 1e-8 * np.tanh(z)),
    Case("1e8*tanh(x)", lambda z: 1e8 * np.tanh(z)),
    Case("tanh(1e-8*x)", lambda z: np.tanh(1e-8 * z)),
    Case("exp(-exp(x))", lambda z: np.exp(-np.exp(z))),
    Case("exp(sin(x))", lambda z: np.exp(np.sin(z))),
    Case("exp(x^2/5)", lambda z: np.exp(z * z / 5), top=1.2),
    Case("sin(40*x)", lambda z: np.sin(40 * z), _multiples(0.05)),
    Case("x^15", lambda z: z**15, polynomial=True),
    Case("x+1e9", lambda z: z + 1e9, polynomial=True),
    Case("sinh(3*x)", lambda z: np.sinh(3 * z)),
    Case("x*sin(log(1+x^2))", lambda z: z * np.sin(np.log1p(z * z))),
    Case("1/(3+3*exp(2*x))", lambda z: 1 / (3 + 3 * np.exp(2 * z))),
    # parameters as they come
    Case("erf(0.3*x+0.1)", lambda z: _erf(0.3 * z + 0.1)),
    Case("x*(1+erf(0.7071067811865476*x))/2", lambda z: z * (1 + _erf(z / _R2)) / 2),
    Case("tanh(0.7978845608028654*(x+0.044715*x^3))", lambda z: np.tanh(0.7978845608028654 * (z + 0.044715 * z**3))),
    Case("log(1+exp(2.5*x))/2.5", lambda z: _softplus(2.5 * z) / 2.5),
    Case("exp(-0.37*x^2)*sin(1.3*x+0.2)", lambda z: np.exp(-0.37 * z * z) * np.sin(1.3 * z + 0.2)),
    Case("max(x-0.1, 0)^2", lambda z: np.maximum(z - 0.1, 0) ** 2, (0.1,)),
    # angles that come back
    Case("atan(tan(x))", _sawtooth, _multiples(_PI, _PI / 2)),
    Case("asin(sin(x))", _triangle, _multiples(_PI, _PI / 2)),
    Case(sp.atan2(x, -1), lambda z: np.where(z >= 0, _PI, -_PI) - np.arctan(z), (0,)),
    Case("tanh(x)+atan(tan(x))/10", lambda z: np.tanh(z) + _sawtooth(z) / 10, _multiples(_PI, _PI / 2)),
]  # fmt: skip

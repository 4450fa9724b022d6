"""Activations whose dual, or whose one-layer tangent kernel, is a power series that one asks for.

Derivation: docs/theory/design.md, "Activations from kernels".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from numpy.typing import ArrayLike

from hermite_dual.activation import Activation, activation
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import check_count
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown
from hermite_dual.shape.numbers import as_printed, sign_of
from hermite_dual.symbolic.hermite import normalized_hermite
from hermite_dual.symbols import rho, x

_MOST = 20
"""The degree up to which float64 evaluates the monomials of one `h_r` to 12 digits of its norm; at 30 it has 10."""
_ROUNDING = sp.Rational(1, 10**15)
"""Of a kernel and its series at one correlation, of size 1 and computed to 30 digits."""


@own_float_state
@dataclass(frozen=True, repr=False)
class DesignedActivation(Shown):
    """A polynomial activation made from a kernel; functions of this package take it wherever they take an activation.

    Attributes:
        activation: `phi = sum_r a_r h_r`, exact.
        coefficients: `a_r`, one per degree, exact.
        tail: what the kernel has beyond the last degree at correlation 1, exact; 0 where all of it is there. It bounds
            the difference of the kernels on [-1, 1] if the coefficients left out are not negative.
    """

    activation: Activation
    coefficients: tuple[sp.Expr, ...]
    tail: sp.Expr


@own_float_state
def activation_from_dual(
    kernel: sp.Expr | ArrayLike, *, signs: Sequence[int] | None = None, degree: int | None = None
) -> DesignedActivation:
    """Return an activation whose dual activation is given.

    `phi = sum_r +-sqrt(b_r) h_r` has `E[phi(u) phi(v)] = sum_r b_r rho^r` at unit variances and correlation rho, since
    the `h_r = He_r / sqrt(r!)` are orthonormal under the standard normal law.

    Args:
        kernel: the coefficients `b_r >= 0`, r = 0, 1, ..., or an expression in one symbol, the correlation,
            whose Taylor series has them. Floats are read as the decimal fractions that they print as.
        signs: 1 or -1 for each degree; all 1 by default.
        degree: the last degree that is kept, at most 20; by default all of a sequence or a polynomial.

    Raises:
        InvalidInputError: a coefficient is negative or no finite real number, there is none, an expression has no
            power series at 0 or no finite value at 1, or signs do not fit.

    >>> design = activation_from_dual([0, 0, 0, 1])
    >>> design.activation.expr.expand()
    sqrt(6)*x**3/6 - sqrt(6)*x/2
    >>> activation_from_dual(sp.sinh(rho), degree=3).tail
    -7/6 + sinh(1)
    """
    return _designed(*_power_series(kernel, degree), signs, weight=0)


@own_float_state
def activation_from_ntk(
    kernel: sp.Expr | ArrayLike, *, signs: Sequence[int] | None = None, degree: int | None = None
) -> DesignedActivation:
    """Return an activation whose neural tangent kernel with one hidden layer is given.

    At unit variances that kernel is `k(rho) + rho k'(rho) = sum_r (r + 1) a_r^2 rho^r`, all weights trained, so that
    `a_r = +-sqrt(kappa_r / (r + 1))`.

    Args:
        kernel: the coefficients `kappa_r >= 0`, or an expression, as `activation_from_dual`.
        signs: as `activation_from_dual`.
        degree: as `activation_from_dual`.

    Raises:
        InvalidInputError: as `activation_from_dual`.

    >>> activation_from_ntk(rho**4 + rho).coefficients
    (0, sqrt(2)/2, 0, 0, sqrt(5)/5)
    """
    return _designed(*_power_series(kernel, degree), signs, weight=1)


def _designed(series: list[sp.Expr], tail: sp.Expr, signs: Sequence[int] | None, *, weight: int) -> DesignedActivation:
    """The activation with `a_r^2 = series[r]/(r + 1)^weight`."""
    factors = _signs(signs, len(series))
    coefficients = tuple(
        sign * sp.sqrt(value / (r + 1) ** weight) for r, (sign, value) in enumerate(zip(factors, series, strict=True))
    )
    phi = sp.Add(*(value * normalized_hermite(r, x) for r, value in enumerate(coefficients)))
    return DesignedActivation(activation(phi), coefficients, tail)


def _signs(signs: Sequence[int] | None, count: int) -> list[int]:
    if signs is None:
        return [1] * count
    given = list(signs)
    if len(given) != count:
        raise InvalidInputError(f"signs has {len(given)} entries for {count} coefficients: give one for each degree")
    for r, sign in enumerate(given):
        if sign not in (1, -1):
            raise InvalidInputError(f"signs[{r}] = {sign!r}: allowed are 1 and -1")
    return [int(sign) for sign in given]


def _power_series(kernel: sp.Expr | ArrayLike, degree: int | None) -> tuple[list[sp.Expr], sp.Expr]:
    """The coefficients up to the degree, and the sum of those beyond."""
    last = None if degree is None else check_count("degree", degree, 0, "the last degree that is kept", _MOST)
    if isinstance(kernel, sp.Expr):
        return _taylor(as_printed(kernel), last)
    if not isinstance(kernel, Iterable) or isinstance(kernel, str):
        raise InvalidInputError(
            f"kernel = {kernel!r}: give the coefficients b_0, b_1, ... as a sequence, or an expression in "
            "hermite_dual.rho"
        )
    values = [_number(value, r) for r, value in enumerate(kernel)]
    if not values:
        raise InvalidInputError("kernel is empty: give at least the coefficient of degree 0")
    kept = values if last is None else values[: last + 1]
    if len(kept) > _MOST + 1:
        raise InvalidInputError(
            f"kernel has {len(kept)} coefficients: allowed are up to {_MOST + 1}, as the monomials of higher "
            f"degrees cancel in float64; pass degree={_MOST} for the first of them"
        )
    return kept, sp.Add(*values[len(kept) :])


def _number(value: Any, r: int) -> sp.Expr:
    number = as_printed(value)
    if not (number.is_number and number.is_real and number.is_finite):
        raise InvalidInputError(f"coefficient {r} of the kernel is {value!r}: allowed are finite numbers from 0 on")
    if sign_of(number) < 0:
        raise InvalidInputError(
            f"coefficient {r} of the kernel is {number}: kernels of activations have none below 0; nothing else is "
            "positive semidefinite in every dimension"
        )
    return number


def _taylor(kernel: sp.Expr, last: int | None) -> tuple[list[sp.Expr], sp.Expr]:
    if len(kernel.free_symbols) > 1:
        symbols = ", ".join(sorted(map(str, kernel.free_symbols)))
        raise InvalidInputError(f"kernel = {kernel} has the symbols {symbols}: substitute numbers for all but rho")
    kernel = kernel.xreplace(dict.fromkeys(kernel.free_symbols, rho))
    if last is None:
        if not kernel.is_polynomial(rho) or sp.degree(kernel, rho) > _MOST:
            raise InvalidInputError(f"kernel = {kernel} is no polynomial of degree {_MOST} or less: pass degree=")
        last = max(int(sp.degree(kernel, rho)), 0) if kernel.has(rho) else 0
    polynomial = sp.series(kernel, rho, 0, last + 1).removeO() if kernel.has(rho) else kernel
    if not polynomial.is_polynomial(rho):
        raise InvalidInputError(f"kernel = {kernel} has no power series at rho = 0: there is no such kernel")
    total = kernel.subs(rho, 1)
    if total.has(sp.nan, sp.zoo, sp.oo):
        total = sp.limit(kernel, rho, 1, "-")
    if not sp.N(total, 20).is_Number or total.is_infinite:
        raise InvalidInputError(
            f"kernel = {kernel} is {total} at rho = 1: its coefficients have no finite sum, and no activation has it"
        )
    # of the normal distribution function only the error function has balls, which decide signs
    polynomial = sp.expand(polynomial.rewrite(sp.erf))
    series = [_number(polynomial.coeff(rho, r), r) for r in range(last + 1)]
    tail = sp.simplify(total - sp.Add(*series))
    for place in (sp.S.Half, -sp.S.Half):
        gap = sp.N((kernel - polynomial).subs(rho, place), 30)
        if not abs(gap) <= sp.N(tail, 30) * sp.Rational(1, 2 ** (last + 1)) + _ROUNDING:
            raise InvalidInputError(
                f"kernel = {kernel} is further from its series at rho = {place} than coefficients from 0 on with the "
                f"sum {sp.N(total, 8)} allow: some beyond degree {last} are negative, or it is no power series"
            )
    return series, tail

"""A derived closed form is compared with quadrature before anyone sees it."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import sympy as sp

from hermite_dual.activation import Activation, activation
from hermite_dual.errors import AccuracyError, DerivationError, NotIntegrableError
from hermite_dual.numeric.cross_kernel import cross_kernel_with_error
from hermite_dual.numeric.mehler import hermite_series
from hermite_dual.symbolic.bivariate_normal import LAMBDIFY_MODULES
from hermite_dual.symbolic.closed_forms import DualForm, derive_cross_dual
from hermite_dual.symbols import c, q1, q2, rho

_POINTS = 5
_ATTEMPTS = 12
"""Random points looked at until `_POINTS` of them are within what float64 quadrature integrates."""
_DIGITS = 30
_TOLERANCE = 1e-11
"""Deviation, relative to the kernel's scale, that counts as a mismatch; quadrature is a thousand times closer."""
_SEED = 20260
Pair = tuple[Activation, Activation]  # notation: phi of u and psi of v


@lru_cache(maxsize=512)
def verified_dual(phi: Activation, other: Activation | None = None) -> DualForm:
    """Return the derived forms of `E[phi(u) psi(v)]`, checked against quadrature at random points.

    psi is `other`, phi itself by default. Parameters receive random values within their assumptions. The points are
    the same in every run.

    Raises:
        DerivationError: a form disagrees with quadrature, or no point could be compared; it is withheld.
    """
    pair = (phi, phi if other is None else other)
    for function in pair:
        if function.expr is None:
            return DualForm(
                None,
                None,
                f"{function.name} is a Python function: only an expression can be integrated in closed form.",
            )
    form = derive_cross_dual(pair[0].shape, pair[1].shape)
    if form.general is not None:
        _check(pair, form.general, unit=False)
    if form.unit is not None:
        _check(pair, form.unit, unit=True)
    return form


def _check(pair: Pair, form: sp.Expr, unit: bool) -> None:
    """Compare one form with quadrature; parameters receive values first."""
    compared = 0
    for values, numbers in _points(pair[0].parameters | pair[1].parameters, unit):
        first, second = (activation(sp.sympify(phi.expr).subs(numbers)) if numbers else phi for phi in pair)
        v1, v2, covariance = values
        try:
            expected, error = cross_kernel_with_error(first, second, v1, v2, covariance)
            scale = np.sqrt(hermite_series(first, v1).second_moment * hermite_series(second, v2).second_moment)
        except (NotIntegrableError, AccuracyError):
            continue
        allowed = float(error) + _TOLERANCE * float(scale)
        if not np.isfinite(allowed):
            continue
        given = form.subs(numbers)
        if not abs(_in_float64(given, values) - float(expected)) <= allowed:
            # Float64 evaluation of a right form may cancel; 30 digits decide.
            derived = _precisely(given, values)
            if not (derived.is_number and bool(abs(derived - sp.Float(float(expected), _DIGITS)) <= allowed)):
                raise _mismatch(pair, values, numbers, derived, float(expected))
        compared += 1
        if compared == _POINTS:
            return
    if not compared:
        raise DerivationError(
            f"the closed form derived for {_named(pair)} could not be compared with quadrature at any of {_ATTEMPTS} "
            "points and is withheld; evaluate the kernel numerically, or rescale the activation"
        )


def _in_float64(form: sp.Expr, values: tuple[float, float, float]) -> float:
    v1, v2, covariance = values
    evaluate = sp.lambdify((q1, q2, c, rho), form, modules=[LAMBDIFY_MODULES, "scipy"])
    with np.errstate(all="ignore"):
        result = complex(evaluate(v1, v2, covariance, covariance))
    # hypot, as the modulus of a complex number raises where it overflows
    return result.real if abs(result.imag) <= _TOLERANCE * np.hypot(result.real, result.imag) else float("nan")


def _precisely(form: sp.Expr, values: tuple[float, float, float]) -> sp.Expr:
    v1, v2, covariance = map(sp.Rational, values)
    return form.subs({q1: v1, q2: v2, c: covariance, rho: covariance}).evalf(_DIGITS)


def _points(
    parameters: frozenset[sp.Symbol], unit: bool
) -> Iterator[tuple[tuple[float, float, float], dict[sp.Symbol, sp.Rational]]]:
    """Yield variances and covariance, and values of the parameters, of random points of shrinking size."""
    generator = np.random.default_rng(_SEED)
    for attempt in range(_ATTEMPTS):
        numbers = {name: _value(name, generator) for name in sorted(parameters, key=str)}
        correlation = float(np.round(generator.uniform(-0.95, 0.95), 6))
        if unit:
            yield (1.0, 1.0, correlation), numbers
            continue
        size = 2.0 / (1.0 + attempt // 3) ** 3
        v1, v2 = (float(np.round(size * generator.uniform(0.2, 1.0), 6)) for _ in range(2))
        yield (v1, v2, correlation * float(np.sqrt(v1 * v2))), numbers


def _value(name: sp.Symbol, generator: np.random.Generator) -> sp.Rational:
    """Return a random rational number that the assumptions of a parameter allow."""
    size = sp.Rational(int(generator.integers(3, 40)), 20)
    either = name.is_nonnegative is None and name.is_nonpositive is None
    if name.is_nonpositive or (either and generator.random() < 0.5):
        size = -size
    return sp.ceiling(size) if name.is_integer else size


def _named(pair: Pair) -> str:
    return " and ".join(dict.fromkeys(str(phi.expr) for phi in pair))


def _mismatch(
    pair: Pair,
    values: tuple[float, float, float],
    numbers: dict[sp.Symbol, sp.Rational],
    derived: sp.Expr,
    expected: float,
) -> DerivationError:
    given = f" with {numbers}" if numbers else ""
    return DerivationError(
        f"the closed form derived for {_named(pair)} gives {sp.N(derived, 17)} at (q1, q2, c) = {values}{given}, where "
        f"quadrature gives {expected!r}: it is withheld. Evaluate the kernel numerically, and please report this"
    )

"""The dual activation on arrays of any library of the array API standard, by that library's own operations.

Autodiff, batching and compilation of the library see elementary operations alone: the closed form where it is
elementary, else the Hermite power series `sum_r a_r b_r rho^r`, else, where phi has kinks and the coefficients decay
slowly, the piecewise Chebyshev interpolant in `theta = arccos(rho)`, in which the dual activation is smooth.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from hermite_dual.activation import Activation
from hermite_dual.errors import InvalidInputError
from hermite_dual.expressions.array_function import evaluate_formula
from hermite_dual.namespaces import AnyArray
from hermite_dual.numeric.chebyshev import PiecewiseChebyshev
from hermite_dual.numeric.cross_kernel import cross_kernel_with_error
from hermite_dual.numeric.kernel import angle_surrogate
from hermite_dual.numeric.mehler import hermite_series
from hermite_dual.symbols import rho as symbol
from hermite_dual.verified_form import verified_dual

Representation = Callable[[AnyArray, Any], AnyArray]
"""From correlations in [-1, 1] and their namespace to values."""

_ELEMENTARY = (sp.exp, sp.log, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.asin, sp.acos, sp.atan, sp.erf, sp.erfc)
_MOST_TERMS = 512
"""Longer series cost more than an interpolant does."""
_ACCURATE = 1e-13
"""Largest relative error at the probes of a closed form that is used: forms may cancel in float64."""
_PROBES = np.concatenate([np.linspace(-1.0, 1.0, 41), [-0.999999, -1e-3, -1e-8, 1e-8, 1e-3, 0.999999]])
_INSIDE = np.abs(_PROBES) < 1.0


def dual_on_array(phi: Activation, psi: Activation, rho: AnyArray, xp: Any) -> AnyArray:
    """Return `E[phi(u) psi(v)]` at correlations, an array of the same library; NaN outside [-1, 1].

    Args:
        phi: the activation of u.
        psi: the activation of v.
        rho: correlations, real floating.
        xp: their namespace.

    Raises:
        InvalidInputError: the array is not real floating.
    """
    if not xp.isdtype(rho.dtype, "real floating"):
        raise InvalidInputError(f"rho holds values of type {rho.dtype}; allowed is a real floating type. Convert it.")
    form = _closed_form(phi, psi)
    # What rounding has put outside counts as +-1; nothing else is looked at, so that the function can be traced.
    valid = xp.abs(rho) <= 1.0 + 4.0 * float(xp.finfo(rho.dtype).eps)
    value = None
    if form is not None:
        try:
            value = evaluate_formula(form, symbol, xp.clip(rho, -1.0, 1.0), xp)
        except InvalidInputError:
            value = None  # a library without an error function; the series has none
    if value is None:
        value = _without_form(phi, psi)(rho, xp)
    return xp.where(valid, value, xp.full_like(rho, float("nan")))


@lru_cache(maxsize=64)
def _closed_form(phi: Activation, psi: Activation) -> sp.Expr | None:
    """Return the closed form where it is elementary, and accurate and smooth in float64."""
    form = verified_dual(phi, psi).unit
    if form is None or form.has(sp.Piecewise):
        return None
    if not all(isinstance(function, _ELEMENTARY) for function in form.atoms(sp.Function)):
        return None
    reference = cross_kernel_with_error(phi, psi, 1.0, 1.0, _PROBES)[0]
    with np.errstate(all="ignore"):
        values = evaluate_formula(form, symbol, _PROBES, np)
        slopes = evaluate_formula(sp.diff(form, symbol), symbol, _PROBES[_INSIDE], np)
    accurate = np.abs(values - reference).max() <= _ACCURATE * np.abs(reference).max()
    return form if accurate and np.isfinite(slopes).all() else None


@lru_cache(maxsize=64)
def _without_form(phi: Activation, psi: Activation) -> Representation:
    both = [hermite_series(function, 1.0) for function in (phi, psi)]
    terms = min(series.coefficients.size for series in both)
    if all(series.converged for series in both) and terms <= _MOST_TERMS:
        products = both[0].coefficients[:terms] * both[1].coefficients[:terms]
        return lambda rho, xp: _power_series(products, phi.parity or psi.parity, rho)
    surrogate, _ = angle_surrogate(phi, 1.0, 1.0, None if phi == psi else psi)
    return lambda rho, xp: _in_angle(surrogate, xp.acos(xp.clip(rho, -1.0, 1.0)), xp)


def _power_series(powers: np.ndarray[Any, Any], parity: str | None, rho: AnyArray) -> AnyArray:
    """Sum by Horner's rule; in `rho^2` where every other coefficient vanishes."""
    variable, terms = (rho, powers) if parity is None else (rho * rho, powers[int(parity == "odd") :: 2])
    value = 0.0 * rho + float(terms[-1])
    for term in terms[-2::-1].tolist():
        value = value * variable + term
    return rho * value if parity == "odd" else value


def _in_angle(surrogate: PiecewiseChebyshev, angle: AnyArray, xp: Any) -> AnyArray:
    """Evaluate by Clenshaw's recursion; each entry takes the coefficients of its own piece."""
    flat = xp.reshape(angle, (-1,))
    pieces = surrogate.edges.size - 1
    index = xp.zeros_like(flat, dtype=xp.int64)
    for edge in surrogate.edges[1:-1].tolist():
        index = index + xp.astype(flat >= edge, index.dtype)

    def chosen(values: np.ndarray[Any, Any]) -> AnyArray:
        if pieces == 1:
            return float(values[0])
        like = xp.asarray(values.tolist(), dtype=flat.dtype, device=flat.device)
        return xp.take(like, index, axis=0)

    low, high = chosen(surrogate.edges[:-1]), chosen(surrogate.edges[1:])
    t = (2.0 * flat - low - high) / (high - low)
    later, latest = 0.0 * t, 0.0 * t
    for r in range(surrogate.coefficients.shape[1] - 1, 0, -1):
        later, latest = 2.0 * t * later - latest + chosen(surrogate.coefficients[:, r]), later
    return xp.reshape(t * later - latest + chosen(surrogate.coefficients[:, 0]), angle.shape)

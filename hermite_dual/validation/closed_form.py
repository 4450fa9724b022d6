"""Entries of the population Gram matrix from the closed form of the dual kernel, by a path of its own.

For a pair of samples the closed form `k(q1, q2, c)` is iterated with 30 digits to its fixed point: first the two
variances, `q = sigma_w^2 k(q, q, q) + sigma_u^2 |x|^2 / d + sigma_b^2`, then the covariance, and `k` of them is the
entry. Neither quadrature nor interpolation enters.
"""

from collections.abc import Sequence

import numpy as np
import sympy as sp

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import HermiteDualError
from hermite_dual.population.entries.recursion import LayerRule
from hermite_dual.symbols import c, q1, q2
from hermite_dual.validation.wide_model import WideModel, layers_of
from hermite_dual.verified_form import verified_dual

_DIGITS = 30
# The iteration ends when a step moves less than this, relative to the size; it contracts geometrically.
_CONVERGED = 1e-17
_STEPS = 500


def closed_form_entries(model: WideModel, X: Array, pairs: Sequence[tuple[int, int]], K: Array) -> tuple[Array, str]:
    """Evaluate entries of the population Gram matrix from the closed form of the kernel.

    Args:
        model: the model of infinite width.
        X: samples, shape (n, d).
        pairs: rows and columns of the entries.
        K: where the iteration starts, shape (n, n); the fixed point is unique.

    Returns:
        The entries, and an empty string; or no entries, and the reason.
    """
    if (layers := layers_of(model)) is not None:
        return _layered_entries(model, layers, X, pairs)
    form, reason = _form(model.activation)
    if form is None:
        return np.zeros(0), reason
    recurrence, inputs = sp.Float(model.sigma_w, _DIGITS) ** 2, sp.Float(model.sigma_u, _DIGITS) ** 2 / X.shape[1]
    bias = sp.Float(model.sigma_b, _DIGITS) ** 2
    on_diagonal = form.subs({q2: q1, c: q1})
    variances: dict[int, sp.Float] = {}
    entries = []
    try:
        for i, j in pairs:
            for k in (i, j):
                if k not in variances:
                    drive = inputs * _inner(X[k], X[k]) + bias
                    variances[k] = _fixed_point(on_diagonal, {}, q1, recurrence, drive, float(K[k, k]))
            if i == j:
                entries.append(float(_value(on_diagonal, {q1: variances[i]})))
                continue
            known = {q1: variances[i], q2: variances[j]}
            drive = inputs * _inner(X[i], X[j]) + bias
            covariance = _fixed_point(form, known, c, recurrence, drive, float(K[i, j]))
            entries.append(float(_value(form, known | {c: covariance})))
    except ArithmeticError as error:
        return np.zeros(0), f"the closed form could not be evaluated: {error}"
    return np.array(entries), ""


def _layered_entries(
    model: WideModel, layers: tuple[LayerRule, ...], X: Array, pairs: Sequence[tuple[int, int]]
) -> tuple[Array, str]:
    """Evaluate entries layer by layer, with 30 digits."""
    forms = []
    for layer in layers:
        form, reason = _form(layer.activation)
        if form is None:
            return np.zeros(0), reason
        forms.append(form)
    inputs, bias = sp.Float(model.sigma_u, _DIGITS) ** 2 / X.shape[1], sp.Float(model.sigma_b, _DIGITS) ** 2
    entries = []
    try:
        for i, j in pairs:
            # notation: both variances and the covariance
            s = [inputs * _inner(X[a], X[b]) + bias for a, b in ((i, i), (j, j), (i, j))]
            for layer, form in zip(layers, forms, strict=True):
                weight, added, carry = (sp.Float(f, _DIGITS) for f in (layer.weight, layer.bias, layer.carry))
                on_diagonal = form.subs({q2: q1, c: q1})
                kernels = [_value(on_diagonal, {q1: s[0]}), _value(on_diagonal, {q1: s[1]})]
                kernels.append(kernels[0] if i == j else _value(form, {q1: s[0], q2: s[1], c: s[2]}))
                s = [carry * below + weight * kernel + added for below, kernel in zip(s, kernels, strict=True)]
            entries.append(float(s[2]))
    except ArithmeticError as error:
        return np.zeros(0), f"the closed form could not be evaluated: {error}"
    return np.array(entries), ""


def _form(phi: Activation) -> tuple[sp.Expr | None, str]:
    if not isinstance(phi, Activation):
        return None, "the activation is no expression"
    if phi.parameters:
        return None, "the activation has parameters without values"
    try:
        form = verified_dual(phi)
    except HermiteDualError as error:
        return None, str(error)
    return form.general, form.reason or ""


def _inner(x: Array, y: Array) -> sp.Float:
    return sum((sp.Float(a, _DIGITS) * sp.Float(b, _DIGITS) for a, b in zip(x, y, strict=True)), sp.Float(0, _DIGITS))


def _fixed_point(
    form: sp.Expr, known: dict[sp.Symbol, sp.Float], unknown: sp.Symbol, weight: sp.Float, drive: sp.Float, start: float
) -> sp.Float:
    """Solve `s = weight k(s) + drive` from `s = weight start + drive`."""
    s = weight * sp.Float(start, _DIGITS) + drive
    for _ in range(_STEPS):
        step = weight * _value(form, known | {unknown: s}) + drive
        if abs(step - s) <= _CONVERGED * max(1.0, abs(float(step))):
            return step
        s = step
    raise ArithmeticError(f"its fixed point was not reached in {_STEPS} steps")


def _value(form: sp.Expr, values: dict[sp.Symbol, sp.Float]) -> sp.Float:
    # At the ends of the range rounding may leave a square root of -1e-30: its imaginary part is rounding as well.
    value = sp.re(form.subs(values).evalf(_DIGITS))
    if not value.is_Float:
        raise ArithmeticError(f"it gives {value} at {values}")
    return value

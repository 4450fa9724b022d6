"""The dual kernel on arrays of variances and covariances that are all different.

Where `phi(t x) = t^p phi(x)` the kernel is `(q1 q2)^(p/2)` times a table in the correlation. Elsewhere the closed form
serves, where there is one and it does not cancel. What is left comes from what gives the entries of a Gram matrix at
unequal norms: a surrogate in both variances and the correlation, Mehler's series where it does not reach, quadrature,
pair by pair, where that is not resolved.

Derivation: docs/theory/numerics.md, "The kernel".
"""

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Indices
from hermite_dual.numeric.dual_table import dual_table
from hermite_dual.numeric.gaussian import radii
from hermite_dual.numeric.kernel import checked_arguments, kernel_with_error, narrow_error
from hermite_dual.numeric.mehler import EPS
from hermite_dual.population.entries.form_kernel import LARGEST, SMALLEST, form_kernel
from hermite_dual.population.entries.pair_table import pair_table
from hermite_dual.population.entries.recursion import one_layer
from hermite_dual.population.entries.unequal_norms import unequal_norms
from hermite_dual.population.entries.variances import LARGEST_VARIANCE

_FEW_PAIRS = 64
"""Up to this many pairs of variances each has a series of its own."""
_PIECE = 2**16
"""Entries that are computed at a time, which bounds the memory."""
_SMALLEST_VARIANCE = 1e-280
"""Below it squares of variances underflow."""


def array_kernel(activation: Activation, q1: ArrayLike, q2: ArrayLike, c: ArrayLike) -> tuple[Array, Array]:
    """Return `k(q1, q2, c)` and an error estimate, both of the broadcast shape, as `kernel_with_error` does.

    Raises:
        InvalidInputError: a variance is negative or not finite, or `|c| > sqrt(q1 q2)`.
        NotIntegrableError: phi is not square-integrable at one of the variances.
    """
    v1, v2, covariance = checked_arguments(q1, q2, c)
    flat = np.stack([v1.ravel(), v2.ravel(), covariance.ravel()])
    if not _many_pairs(flat):
        return kernel_with_error(activation, v1, v2, covariance)
    value, error = np.full(flat.shape[1], np.nan), np.full(flat.shape[1], np.inf)
    degree = activation.shape.scaling_degree
    # A table in the correlation is faster than a form, but where phi jumps its argument's rounding counts.
    form = form_kernel(activation) if degree is None or activation.jumps else None
    if form is not None:
        inside = _left(error, flat, SMALLEST, LARGEST)
        if inside.size:
            radii(activation, float(flat[:2, inside].max()))  # a form may have values where phi is not integrable
        value[inside], error[inside] = form(*flat[:, inside])
    inside = _left(error, flat, _SMALLEST_VARIANCE, LARGEST_VARIANCE)
    if degree is not None:
        value[inside], error[inside] = _scaled(activation, degree, flat[:, inside])
    elif inside.size > _FEW_PAIRS:
        value[inside], error[inside] = _from_table(activation, flat[:, inside])
        inside = _left(error, flat, _SMALLEST_VARIANCE, LARGEST_VARIANCE)
        if inside.size > _FEW_PAIRS:
            value[inside], error[inside] = _in_pieces(activation, flat[:, inside])
    left = np.flatnonzero(~np.isfinite(error))
    if left.size:
        value[left], error[left] = kernel_with_error(activation, *flat[:, left])
    return value.reshape(v1.shape), error.reshape(v1.shape)


def _left(error: Array, flat: Array, least: float, largest: float) -> Indices:
    """Return the entries without a value whose variances lie in a range."""
    inside = (flat[:2].min(axis=0) > least) & (flat[:2].max(axis=0) <= largest)
    return np.flatnonzero(inside & ~np.isfinite(error))


def _many_pairs(flat: Array) -> bool:
    if flat.shape[1] <= _FEW_PAIRS:
        return False
    first = flat[:2, : 64 * _FEW_PAIRS]  # a look at the first ones is enough where pairs hardly repeat
    return np.unique(first, axis=1).shape[1] > _FEW_PAIRS or np.unique(flat[:2], axis=1).shape[1] > _FEW_PAIRS


def _scaled(activation: Activation, degree: int, flat: Array) -> tuple[Array, Array]:
    """Return values and errors where `phi(t x) = t^p phi(x)`, t > 0, of degree p."""
    root = np.sqrt(flat[0]) * np.sqrt(flat[1])
    dual, rho = dual_table(activation, 1.0, 1.0), flat[2] / root
    values = dual(rho)
    # correlation and product of roots are rounded
    moved = np.abs(values - dual(rho - np.copysign(4.0 * EPS, rho)))
    scale = root**degree
    return scale * values, scale * (dual.error + moved + (2.0 + degree) * EPS * np.abs(values))


def _from_table(activation: Activation, flat: Array) -> tuple[Array, Array]:
    """Return values and errors from the surrogate, infinite beyond its correlations."""
    cosines = flat[2] / (np.sqrt(flat[0]) * np.sqrt(flat[1]))
    table = pair_table(activation, float(flat[:2].min()), float(flat[:2].max()), float(np.abs(cosines).max()))
    if table is None:
        return np.full(cosines.size, np.nan), np.full(cosines.size, np.inf)
    value, error = table(flat[0], flat[1], cosines)
    error[np.abs(cosines) > table.surrogate.bound] = np.inf
    if activation.coarseness != 1.0:
        error += narrow_error(activation, float(flat[0].max()), float(flat[1].max()))
    return value, error


def _in_pieces(activation: Activation, flat: Array) -> tuple[Array, Array]:
    """Return values and errors from the entries' map of a Gram matrix, a piece of the array at a time."""
    value, error = np.empty(flat.shape[1]), np.empty(flat.shape[1])
    recursion, ends = one_layer(activation), [flat[:2].min(), flat[:2].max()]
    for start in range(0, flat.shape[1], _PIECE):
        chosen = slice(start, start + _PIECE)
        # with both ends of the range in it, all pieces have the same surrogate
        variances, index = np.unique(np.concatenate([flat[:2, chosen].ravel(), ends]), return_inverse=True)
        rows, columns = index[:-2].reshape(2, -1)
        entries = unequal_norms(recursion, variances, 0.0)
        value[chosen] = entries.at_pairs(rows, columns, flat[2, chosen])
        roots = np.sqrt(entries.diagonal / entries.diagonal.max())
        error[chosen] = entries.error * roots[rows] * roots[columns]
    if activation.coarseness != 1.0:
        error += narrow_error(activation, float(flat[0].max()), float(flat[1].max()))
    return value, error

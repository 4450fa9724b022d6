"""The kernel `E[phi(u) psi(v)]` of two activations in float64 with its error.

Pair by pair of variances it is what one activation has, with coefficients `a_r(q1) b_r(q2)`; only the symmetry in the
variances is missing.

Derivation: docs/theory/cross_kernels.md, "Two activations".
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Indices
from hermite_dual.numeric.kernel import checked_arguments, kernel_of_pair, kernel_with_error, narrow_error


def cross_kernel_with_error(
    first: Activation, second: Activation, q1: ArrayLike, q2: ArrayLike, c: ArrayLike
) -> tuple[Array, Array]:
    """Return `E[phi(u) psi(v)]` and an error estimate, both of the broadcast shape.

    Args:
        first: phi.
        second: psi.
        q1: variances of u, not negative.
        q2: variances of v, not negative.
        c: covariances, `|c| <= sqrt(q1 q2)`.

    Raises:
        InvalidInputError: a variance is negative or not finite, or `|c| > sqrt(q1 q2)`.
        NotIntegrableError: phi or psi is not square-integrable at one of its variances.
    """
    if first == second:
        return kernel_with_error(first, q1, q2, c)
    v1, v2, covariance = checked_arguments(q1, q2, c)

    def at_pair(a: float, b: float, values: Array) -> tuple[Array, Array]:
        value, error = kernel_of_pair(first, a, b, values, second)
        return value, error + narrow_error(first, a, b, second)

    return over_pairs(at_pair, v1, v2, covariance)


def over_pairs(
    at_pair: Callable[[float, float, Array], tuple[Array, Array]], q1: Array, q2: Array, c: Array
) -> tuple[Array, Array]:
    """Return values and errors at triples of one shape, from a function of one pair of variances and its c's."""
    value, error = np.empty(c.size), np.empty(c.size)
    for a, b, members in _pairs(q1.ravel(), q2.ravel()):
        value[members], error[members] = at_pair(a, b, c.ravel()[members])
    return value.reshape(c.shape), error.reshape(c.shape)


def _pairs(q1: Array, q2: Array) -> Iterator[tuple[float, float, Indices]]:
    """Yield each distinct pair of variances and where it stands."""
    pairs, index = np.unique(np.stack([q1, q2], axis=1), axis=0, return_inverse=True)
    index = index.ravel()
    order = np.argsort(index, kind="stable")
    bounds = np.searchsorted(index[order], np.arange(len(pairs) + 1))
    for (a, b), start, stop in zip(pairs.tolist(), bounds[:-1], bounds[1:], strict=True):
        yield a, b, order[start:stop]

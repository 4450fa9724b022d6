"""Gram entries as polynomials in the cosine of two rows, whose coefficients are separable functions of their norms.

With `s = log t`, t the inputs' part of a variance, `K_ij / sqrt(K_ii K_jj)` is an analytic function of `s_i`, `s_j` and
the cosine. It is interpolated at Chebyshev points of all three. For each degree in the cosine the coefficients in
`(s_i, s_j)` form a symmetric matrix, of which the eigenvectors that count, few, are kept.

Derivation: docs/theory/numerics.md, "Gram matrices".
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hermite_dual.arrays import Array
from hermite_dual.numeric.chebyshev import chebyshev_coefficients, chebyshev_nodes
from hermite_dual.numeric.mehler import EPS
from hermite_dual.population.entries.pair_entries import PairEntries, pair_entries
from hermite_dual.population.entries.recursion import Recursion
from hermite_dual.population.entries.variances import diagonal_of, row_variances

_NORM_DEGREES = (5, 8, 12, 17, 24, 34, 48, 68, 96, 136)
_COSINE_DEGREES = (5, 8, 11, 15, 19, 24, 30, 38, 48, 60, 76, 96, 128)
_TAIL = 24.0 * EPS
"""Size of the last coefficients, relative to the entry's scale, that passes."""
_DROPPED = 4.0 * EPS
_SHORT = 12.0
"""Number of Chebyshev coefficients from which on more is kept."""
_GOOD = 32.0 * EPS
"""Error at which no more nodes are tried."""
_USABLE = 100.0 * EPS
"""Error beyond which the series is summed for each entry instead."""
_PARITIES = {None: 0, "even": 1, "odd": -1}
_SPARE = 8
"""Coefficients beyond those that matter at the ends of the range of norms and in its middle."""
_OFF_NODES = np.array([-0.93, -0.41, 0.23, 0.71])


@dataclass(frozen=True, eq=False)
class NormSurrogate:
    """`K_ij / sqrt(K_ii K_jj) = sum_k p_k(x) sum_l signs_kl u_kl(s_i) u_kl(s_j)`, x the cosine over its bound.

    Attributes:
        low: least s.
        high: largest s.
        bound: largest modulus of the cosine.
        parity: 0, 1 (even) or -1 (odd): which polynomials the `p_k` are, see `separable_kernels`.
        ranks: number of terms of each degree k.
        signs: shape (R,).
        functions: Chebyshev coefficients of `u_kl` on [low, high], shape (P, R).
        error: largest deviation seen between the nodes.
        slope: bound of the derivative by the cosine, estimated.
    """

    low: float
    high: float
    bound: float
    parity: int
    ranks: NDArray[np.int64]
    signs: Array
    functions: Array
    error: float
    slope: float

    def at(self, s: Array) -> Array:
        """Return `u_kl(s_i)`, shape (n, R)."""
        return _basis(s, self.low, self.high, len(self.functions)) @ self.functions


@lru_cache(maxsize=32)
def norm_surrogate(
    recursion: Recursion, low: float, high: float, bound: float, tangent: bool = False
) -> NormSurrogate | None:
    """Build the surrogate, or return None where series or degrees do not reach so far.

    Args:
        recursion: the layers.
        low: least log of an inputs' part of a variance.
        high: the largest.
        bound: largest modulus of a cosine.
        tangent: whether the entries are those of the tangent kernel.
    """
    parity = _PARITIES[recursion.parity]
    ends = _entries(recursion, tangent, np.array([low, 0.5 * (low + high), high]), None).up_to(bound)
    if ends is None:
        return None
    degree = next((k for k in _COSINE_DEGREES if _tail(_in_cosine(ends, bound, k, parity)) <= _TAIL), None)
    if degree is None:
        return None
    # The ends tell how many coefficients matter; at large variances there are many more.
    most = tuple(layer.coefficients.shape[1] + _SPARE for layer in (*ends.layers, *ends.slopes))
    between = _entries(recursion, tangent, _between(low, high), most).up_to(bound)
    best = None
    for count in _NORM_DEGREES:
        s = 0.5 * (low + high) + 0.5 * (high - low) * chebyshev_nodes(count)
        entries = _entries(recursion, tangent, s, most).up_to(bound)
        if entries is None or between is None:
            break
        # One row of pairs shows most degrees that are too low.
        if _tail(chebyshev_coefficients(entries.row(count // 2, bound))) > _TAIL:
            continue
        values = _in_cosine(entries, bound, degree, parity)
        table = chebyshev_coefficients(np.moveaxis(chebyshev_coefficients(values), 1, 0))
        if np.abs(table[-2:]).sum(axis=-1).max() > _TAIL:
            continue
        surrogate = _with_error(_compressed(table, low, high, bound, parity), between, _slope(ends, bound))
        if best is not None and surrogate.error > 0.5 * best.error:
            break  # what is left is rounding
        best = surrogate
        if best.error <= _GOOD:
            break
    return best if best is not None and best.error <= _USABLE else None


def _entries(recursion: Recursion, tangent: bool, s: Array, most: tuple[int, ...] | None) -> PairEntries:
    """Return the entries between rows of given log norms; bounds that are tried share them."""
    return _entries_at(recursion, tangent, tuple(s.tolist()), most)


@lru_cache(maxsize=32)
def _entries_at(recursion: Recursion, tangent: bool, s: tuple[float, ...], most: tuple[int, ...] | None) -> PairEntries:
    inputs = np.exp(np.array(s))
    layers = row_variances(recursion, inputs)
    diagonal = diagonal_of(recursion, layers, inputs, tangent)[0]
    return pair_entries(recursion, inputs, layers, diagonal, tangent, most)


def _in_cosine(entries: PairEntries, bound: float, degree: int, parity: int) -> Array:
    """Return coefficients in the cosine, of degree up to the one given, shape (P, P, degree + 1)."""
    nodes = chebyshev_nodes(degree)
    x = nodes if parity == 0 else np.sqrt(0.5 + 0.5 * nodes)
    values = entries(bound * x)
    if parity == -1:
        values = values / x
    return np.moveaxis(chebyshev_coefficients(np.moveaxis(values, -1, 0)), 0, -1)


def _tail(coefficients: Array) -> float:
    return float(np.abs(coefficients[..., -2:]).max())


def _slope(entries: PairEntries, bound: float) -> float:
    """Estimate the largest derivative by the cosine: that at the end, coefficients being non-negative."""
    step = 1e-5 * bound
    near, end = np.moveaxis(entries(np.array([bound - step, bound])), -1, 0)
    return float(np.abs(np.diagonal(end - near)).max()) / step


def _compressed(table: Array, low: float, high: float, bound: float, parity: int) -> NormSurrogate:
    ranks, signs, functions = [], [], []
    for k in range(table.shape[-1]):
        # The transform has left rounding in the antisymmetric part alone.
        eigenvalues, vectors = np.linalg.eigh(0.5 * (table[..., k] + table[..., k].T))
        order = np.argsort(-np.abs(eigenvalues))
        # Eigenvectors hold Chebyshev coefficients: as functions they are up to the root of their length in size.
        kept = order[np.abs(eigenvalues[order]) * max(1.0, len(table) / _SHORT) > _DROPPED]
        rank = max(2, kept.size + kept.size % 2)
        block = np.zeros((len(table), rank))
        block[:, : kept.size] = vectors[:, kept] * np.sqrt(np.abs(eigenvalues[kept]))
        ranks.append(rank)
        signs.append(np.pad(np.sign(eigenvalues[kept]), (0, rank - kept.size)))
        functions.append(block)
    together, columns = np.concatenate(signs), np.concatenate(functions, axis=1)
    return NormSurrogate(low, high, bound, parity, np.array(ranks), together, columns, np.inf, np.inf)


def _between(low: float, high: float) -> Array:
    return np.asarray(0.5 * (low + high) + 0.5 * (high - low) * _OFF_NODES)


def _with_error(surrogate: NormSurrogate, entries: PairEntries, slope: float) -> NormSurrogate:
    """Add the largest deviation from the series between the nodes, and the rounding of the series."""
    from hermite_dual.numeric.separable_kernels import apply_separable

    cosines = np.linspace(-1.0, 1.0, 41)
    truth = entries(surrogate.bound * cosines)
    left, ones = surrogate.at(_between(surrogate.low, surrogate.high)), np.ones(cosines.size)
    worst = 0.0
    for i, row in enumerate(left):
        for j, other in enumerate(left):
            values, right = cosines[None, :].copy(), np.multiply.outer(surrogate.signs * other, ones)
            factors = (ones[:1], ones)
            apply_separable(values, 0.0, factors, row[None, :], right, surrogate.ranks, surrogate.parity, False)
            worst = max(worst, float(np.abs(values[0] - truth[i, j]).max()))
    return replace(surrogate, error=worst + 8.0 * EPS, slope=slope)


def _basis(s: Array, low: float, high: float, count: int) -> Array:
    """Return Chebyshev polynomials on [low, high], shape (n, count)."""
    return np.asarray(np.polynomial.chebyshev.chebvander((2.0 * s - low - high) / (high - low), count - 1))

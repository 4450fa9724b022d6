"""Numba kernels for layers of homogeneous activations: all layers of an entry at once, from its inner product.

With `phi(x) = a |x| + b x`, `e = 2 a^2/pi` and `s = asin(rho)` the dual kernel is
`sqrt(q1 q2) (e (sqrt(1 - rho^2) + rho s) + b^2 rho)`, and that of phi' is `e s + b^2`. The arc sine is a polynomial, so
that loops over entries are vectorized.

Derivation: docs/theory/layers.md, "In float64".
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hermite_dual.arrays import Array
from hermite_dual.numeric.chebyshev import chebyshev_coefficients, chebyshev_nodes
from hermite_dual.numeric.jit import fused_helper, interleaved, kernel, prange

Bits = NDArray[np.int64]

WEIGHT, CARRY, INPUTS, BIAS, TRAINED, EVEN, ODD = range(7)
"""Columns of `rules`: those of a `LayerRule`, e and b^2."""
_BLOCK = 64
_P, _S, _T, _RHO = 0, _BLOCK, 2 * _BLOCK, 3 * _BLOCK
_MODULUS = (1 << 63) - 1
"""All bits of a double but its sign; moduli are ordered as their bits are."""
_HALF_PI = 0.5 * np.pi
_DEGREE = 14
"""Of `asin(sqrt(z))/sqrt(z)` on [0, 1/4]: its singularity at 1 leaves `13.9^-14 < 1e-16` of the next coefficient."""


def _arc_sine() -> Array:
    """Return the polynomial's coefficients in z."""
    roots = np.sqrt(0.125 * (1.0 + chebyshev_nodes(2 * _DEGREE)))
    series = chebyshev_coefficients(np.arcsin(roots) / roots)[: _DEGREE + 1]
    in_z = np.polynomial.Chebyshev(series, [0.0, 0.25]).convert(kind=np.polynomial.Polynomial)
    return np.asarray(in_z.coef, dtype=np.float64)


_ARC_SINE = _arc_sine()
_LAST = _ARC_SINE.size - 1


class HomogeneousRules(NamedTuple):
    """What the layers do.

    Attributes:
        rules: a row for each layer, shape (L, 7).
        roots: `sqrt(S_ii)` in each layer, shape (L, n).
        inverses: 1 over them, 0 where they are 0, shape (L, n).
        shift: added to each inner product.
        tangent: whether the entries are those of the tangent kernel.
    """

    rules: Array
    roots: Array
    inverses: Array
    shift: float
    tangent: bool


@kernel
def apply_homogeneous(matrix: Array, first: int, start: int, layers: HomogeneousRules, symmetric: bool) -> Bits:
    """Replace inner products of rows from `first` on with those from `start` on by entries, in place.

    Args:
        matrix: inner products, shape (n, m).
        first: number of the first row.
        start: number of the first column.
        layers: what the layers do.
        symmetric: whether only what is above the diagonal is meant.

    Returns:
        The bits of the largest `|rho|` in each layer, by blocks of rows.
    """
    n, m = matrix.shape
    blocks = (n + _BLOCK - 1) // _BLOCK
    largest = np.zeros((blocks, layers.rules.shape[0]), np.int64)
    for k in prange(blocks):
        block = interleaved(k, blocks)
        work = np.zeros(4 * _BLOCK)
        for i in range(block * _BLOCK, min(n, (block + 1) * _BLOCK)):
            for low in range(i + 1 if symmetric else 0, m, _BLOCK):
                row = matrix[i, low : min(m, low + _BLOCK)]
                _apply_row(row, first + i, start + low, layers, work, largest[block])
    return largest


@fused_helper
def _apply_row(row: Array, i: int, start: int, layers: HomogeneousRules, work: Array, largest: Bits) -> None:
    """Replace at most 64 entries; `work` is overwritten."""
    rules, roots, inverses, shift, tangent = layers
    size, bits = row.size, work.view(np.int64)
    for j in range(size):
        work[_P + j] = work[_S + j] = work[_T + j] = row[j] + shift
    for layer in range(rules.shape[0]):
        rule = rules[layer]
        weight, carry, inputs, bias, trained = rule[WEIGHT], rule[CARRY], rule[INPUTS], rule[BIAS], rule[TRAINED]
        even, odd = rule[EVEN], rule[ODD]
        root, inverse = roots[layer, i], inverses[layer, i]
        others, other_inverses = roots[layer, start : start + size], inverses[layer, start : start + size]
        most = largest[layer]
        for j in range(size):
            work[_RHO + j] = min(1.0, max(-1.0, work[_S + j] * (inverse * other_inverses[j])))
        for j in range(size):
            most = max(most, bits[_RHO + j] & _MODULUS)
        for j in range(size):
            rho = work[_RHO + j]
            modulus = abs(rho)
            gap = 1.0 - modulus
            outer = modulus > 0.5
            z = 0.5 * gap if outer else modulus * modulus
            value = _ARC_SINE[_LAST]
            for k in range(_LAST - 1, -1, -1):
                value = value * z + _ARC_SINE[k]
            value *= np.sqrt(z)
            angle = np.copysign(_HALF_PI - 2.0 * value if outer else value, rho)
            size_of_root = root * others[j]
            dual = size_of_root * (even * (np.sqrt(gap * (1.0 + modulus)) + rho * angle) + odd * rho)
            added = weight * dual + inputs * work[_P + j] + bias
            work[_T + j] = (weight * (even * angle + odd) + carry) * work[_T + j] + trained * added
            work[_S + j] = added + carry * work[_S + j]
        largest[layer] = most
    result = _T if tangent else _S
    for j in range(size):
        row[j] = work[result + j]

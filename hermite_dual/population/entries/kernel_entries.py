"""The map from inner products to entries that belongs to some layers and the norms of rows.

Derivation: docs/theory/numerics.md, "Gram matrices".
"""

import numpy as np

from hermite_dual.arrays import Array, Mask
from hermite_dual.numeric.mehler import hermite_series
from hermite_dual.population.entries.gram_entries import ConstantEntries, GramEntries
from hermite_dual.population.entries.homogeneous_layers import HomogeneousLayers, all_homogeneous
from hermite_dual.population.entries.one_norm import has_one_map, one_map
from hermite_dual.population.entries.recursion import Recursion
from hermite_dual.population.entries.unequal_norms import unequal_norms
from hermite_dual.population.entries.variances import diagonal_above, row_variances
from hermite_dual.population.entries.zero_rows import check_variances, with_zero_rows

_EPS = float(np.finfo(np.float64).eps)
_FEW_ROWS = 8
"""Up to this many rows are integrated pair by pair where the kernel has no short series."""


def kernel_entries(
    recursion: Recursion, inputs: Array, zero: Mask, rounding: float, smooth: bool = True
) -> GramEntries:
    """Return the map from inner products to entries.

    Args:
        recursion: the layers.
        inputs: inputs' parts of the variances, shape (n,).
        zero: which of them are 0, shape (n,).
        rounding: relative error of the inner products.
        smooth: whether the kernel changes little even at cosine 1, so that its error up to there is known before any
            entry is; it is asked for where all blocks are kept from an earlier run.
    """
    if zero.all():
        layers = row_variances(recursion, np.zeros(1))
        entry = float(diagonal_above(recursion, layers, np.zeros(1))[0][0])
        return ConstantEntries(np.full_like(inputs, layers[-1][0]), np.full_like(inputs, entry), _EPS * entry)
    check_variances(inputs, zero)

    def build(inputs: Array) -> GramEntries:
        if has_one_map(recursion, inputs) and not _few_costly(recursion, inputs):
            entries = one_map(recursion, inputs, rounding)
            if smooth:
                entries.count(1.0)
            return entries
        return _other_entries(recursion, inputs, rounding, False)

    return with_zero_rows(build, recursion, inputs, zero) if zero.any() else build(inputs)


def tangent_entries(recursion: Recursion, inputs: Array, rounding: float) -> GramEntries:
    """Return the map from inner products to entries of the tangent kernel.

    Args:
        recursion: the layers.
        inputs: inputs' parts of the variances, positive; of homogeneous layers with a bias above P not negative.
        rounding: relative error of the inner products.
    """
    if has_one_map(recursion, inputs):
        return one_map(recursion, inputs, rounding, tangent=True)
    return _other_entries(recursion, inputs, rounding, True)


def _other_entries(recursion: Recursion, inputs: Array, rounding: float, tangent: bool) -> GramEntries:
    """Return the map where no single function of the cosine is enough."""
    if all_homogeneous(recursion):
        return HomogeneousLayers(recursion, inputs, rounding, tangent)
    return unequal_norms(recursion, inputs, rounding, tangent)


def _few_costly(recursion: Recursion, inputs: Array) -> bool:
    """Whether so few entries are asked for, of a kernel that has no short series, that a table would cost more."""
    few = len(inputs) <= _FEW_ROWS and not recursion.limit and not recursion.homogeneous
    return few and not hermite_series(recursion.layers[0].activation, float(inputs[0])).converged

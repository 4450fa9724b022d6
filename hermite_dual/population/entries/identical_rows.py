"""Pairs of identical rows: their entries are diagonal ones, exactly, whatever their inner product is rounded to."""

import numpy as np

from hermite_dual.arrays import Array, Indices


def identical_rows(X: Array, Y: Array) -> tuple[Indices, Indices]:
    """Return all pairs (i, j) with `X[i]` and `Y[j]` the same bits.

    Sums of the rows' bit patterns modulo 2^64 do not depend on their order; only rows that agree in them are compared.
    """
    first, second = (np.ascontiguousarray(rows).view(np.uint64).sum(axis=1) for rows in (X, Y))
    order = np.argsort(second, kind="stable")
    low = np.searchsorted(second[order], first, side="left")
    high = np.searchsorted(second[order], first, side="right")
    rows = np.repeat(np.arange(len(X)), high - low)
    offsets = np.arange(rows.size) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
    columns = order[np.repeat(low, high - low) + offsets]
    if X is Y:
        different = rows != columns
        rows, columns = rows[different], columns[different]
    if rows.size:
        same = np.array([np.array_equal(X[i], Y[j]) for i, j in zip(rows, columns, strict=True)])
        rows, columns = rows[same], columns[same]
    return rows, columns

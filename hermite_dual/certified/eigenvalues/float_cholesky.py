"""Floating-point Cholesky in tiles, with an error bound that is small because of them.

A tile algorithm computes `R` with `R^T R = A - s I + E`. Products of tiles of b rows are summed in any order (BLAS) and
then subtracted one after the other, less than `K = ceil(n/b)` times: entrywise

    |E| <= (g_m + K u) (1 + tiny) |R|^T |R| + (underflow),   m = b + 2,

`g_m = m u/(1 - m u)`, u = 2^-53. The usual bound has `g_{n+1}`. The 2-norm of `|R|^T |R|` is at most the trace of
`R^T R`, and at most the product of the largest column and row sum of |R|. Success proves
`lambda_min(A) >= s - ||E||_2`. Only tiles on and above the diagonal are kept: half the memory of A.

Derivation: docs/theory/eigenvalues.md, "Least eigenvalue: lower bound".
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma

Tile = NDArray[Any]
Tiles = dict[tuple[int, int], Tile]

_MEASURED = 1024  # orders up to which the second bound of the norm is worth its passes over R


def tile_size(n: int) -> int:
    """Rows of a tile: few lower the bound, many raise the speed."""
    for largest, rows in ((512, 64), (1024, 128), (2500, 256), (12000, 512)):
        if n <= largest:
            return rows
    return 1024


def error_units(n: int) -> float:
    """The factor of `|R|^T |R|` in the error bound."""
    rows = tile_size(n)
    return tiled_error_units(rows, -(-n // rows))


def tiled_error_units(rows: int, count: int) -> float:
    """The same for tiles of at most so many rows, and so many of them from top to bottom."""
    return (gamma(rows + 2) + count * UNIT) * (1 + 2.0**-20)


@dataclass(frozen=True)
class Factorization:
    """Outcome of a floating-point Cholesky factorization of `A - s I`.

    Attributes:
        success: whether every pivot was positive.
        error: an upper bound of the 2-norm of `R^T R - (A - s I)`; infinite without success.
        edges: where tiles begin, and n.
        tiles: the tiles `R_ij`, i <= j, of R, upper triangular, each in Fortran's order.
    """

    success: bool
    error: float
    edges: tuple[int, ...]
    tiles: Tiles

    def solve(self, b: Tile) -> Tile:
        """The computed solution of `R^T R x = b`, shape (n,) or (n, k), in the precision of the tiles."""
        x = np.array(b, dtype=self.tiles[0, 0].dtype)
        trsv, gemv, trsm, gemm = routines(x.dtype, "trsv", "gemv", "trsm", "gemm")

        def divided(tile: Tile, part_of_x: Tile, trans: int) -> Tile:
            return trsv(tile, part_of_x, trans=trans) if x.ndim == 1 else trsm(1.0, tile, part_of_x, trans_a=trans)

        def times(tile: Tile, part_of_x: Tile, trans: int) -> Tile:
            return gemv(1.0, tile, part_of_x, trans=trans) if x.ndim == 1 else gemm(1.0, tile, part_of_x, trans_a=trans)

        count = len(self.edges) - 1
        parts = [x[self.edges[i] : self.edges[i + 1]] for i in range(count)]
        for i in range(count):
            parts[i][:] = divided(self.tiles[i, i], parts[i], 1)
            for j in range(i + 1, count):
                parts[j] -= times(self.tiles[i, j], parts[i], 1)
        for i in reversed(range(count)):
            for j in range(i + 1, count):
                parts[i] -= times(self.tiles[i, j], parts[j], 0)
            parts[i][:] = divided(self.tiles[i, i], parts[i], 0)
        return x


def shifted_cholesky(A: Array, shift: float | Array) -> Factorization:
    """Factor `A - shift I` and bound the backward error in the 2-norm.

    Args:
        A: symmetric matrix, shape (n, n), finite entries.
        shift: s, or one number per row.

    Returns:
        Success and the bound of the error; success proves `lambda_min(A - shift I) >= -error`.
    """
    n = A.shape[0]
    diagonal = A.diagonal() - shift
    diagonal_error = float(np.max(np.abs(diagonal))) * UNIT + TINY
    edges = tile_edges(n, tile_size(n))
    tiles = _factor(A, diagonal, edges, 1.0)
    if tiles is None:
        return Factorization(False, math.inf, edges, {})
    units = error_units(n)
    norm = _trace_norm(diagonal, units)
    if n <= _MEASURED:
        norm = min(norm, _sums_product(n, tiles))
    return Factorization(True, _error_norm(norm, n, units, diagonal_error), edges, tiles)


def single_cholesky(A: Array, shift: float, scale: float) -> Factorization:
    """Factor `scale (A - shift I)` in float32; nothing is proven of it, and its error is infinite.

    Args:
        A: symmetric matrix, shape (n, n), finite entries.
        shift: s.
        scale: a power of two that brings the entries into the range of float32.
    """
    edges = tile_edges(A.shape[0], tile_size(A.shape[0]))
    diagonal = ((A.diagonal() - shift) * scale).astype(np.float32)
    tiles = _factor(A, diagonal, edges, scale)
    return Factorization(tiles is not None, math.inf, edges, tiles or {})


def _factor(A: Array, diagonal: Tile, edges: tuple[int, ...], scale: float) -> Tiles | None:
    """All tiles in the precision of the diagonal; None if a pivot is not positive."""
    tiles: Tiles = {}
    for i in range(len(edges) - 1):
        if not _tile_row(A, tiles, diagonal, edges, i, scale):
            return None
    return tiles


def routines(dtype: np.dtype[Any], *names: str) -> list[Any]:
    """BLAS and LAPACK routines of a precision by their names without the first letter."""
    letter = "s" if dtype == np.float32 else "d"
    return [getattr(lapack if name == "potrf" else blas, letter + name) for name in names]


def tile_edges(n: int, rows: int) -> tuple[int, ...]:
    """Where tiles of so many rows begin, and n."""
    return (*range(0, n, rows), n)


def trace_error(diagonal: Array, units: float) -> float:
    """The 2-norm bound of the error from the computed diagonal of `A - s I` alone, after success."""
    diagonal_error = float(np.max(np.abs(diagonal))) * UNIT + TINY
    return _error_norm(_trace_norm(diagonal, units), len(diagonal), units, diagonal_error)


def _tile_row(A: Array, tiles: Tiles, diagonal: Tile, edges: tuple[int, ...], i: int, scale: float) -> bool:
    """Compute row i of tiles; False if a pivot is not positive."""
    potrf, gemm, syrk, trsm = routines(diagonal.dtype, "potrf", "gemm", "syrk", "trsm")
    rows = slice(edges[i], edges[i + 1])
    size = edges[i + 1] - edges[i]
    buffer = np.zeros((size, size), dtype=diagonal.dtype, order="F")
    for j in range(i, len(edges) - 1):
        # the transposed tile of a symmetric matrix lies in the order that BLAS wants
        tile = A[edges[j] : edges[j + 1], rows].T.copy(order="F")
        if scale != 1.0:
            tile *= scale
        tile = tile.astype(diagonal.dtype, copy=False)
        product = buffer[:, : tile.shape[1]]
        if i == j:
            np.fill_diagonal(tile, diagonal[rows])
        for k in range(i):
            left, right = tiles[k, i], tiles[k, j]
            if i == j:
                product = syrk(1.0, left, c=product, trans=1, overwrite_c=1)
            else:
                product = gemm(1.0, left, right, c=product, trans_a=1, overwrite_c=1)
            # the product is complete before it is subtracted: one rounding per tile, none per row
            np.subtract(tile, product, out=tile)
        if i == j:
            tile, info = potrf(tile, lower=0, clean=1, overwrite_a=1)
            # a number in R that is not finite makes a later pivot so, hence the tiles on the diagonal tell
            if info != 0 or not np.all(np.isfinite(tile)):
                return False
        else:
            tile = trsm(1.0, tiles[i, i], tile, lower=0, trans_a=1, overwrite_b=1)
        tiles[i, j] = tile
    return True


def _trace_norm(diagonal: Array, units: float) -> float:
    """An upper bound of the trace of `R^T R`."""
    # (R^T R)_ii is within `units` of itself from the computed a_ii - s, which is positive after success
    return float(np.sum(diagonal)) / (1 - units) + len(diagonal) * TINY


def _error_norm(norm: float, n: int, units: float, diagonal_error: float) -> float:
    """The 2-norm bound of the error matrix, given one of `|R|^T |R|`."""
    underflow = 4.0 * n * n * TINY
    return (units * norm + diagonal_error + underflow) * UP


def _sums_product(n: int, tiles: Tiles) -> float:
    """The largest column sum of |R| times its largest row sum."""
    rows, columns, step = np.zeros(n), np.zeros(n), tile_size(n)
    for (i, j), tile in tiles.items():
        absolute = np.abs(tile)
        rows[i * step : i * step + tile.shape[0]] += absolute.sum(axis=1)
        columns[j * step : j * step + tile.shape[1]] += absolute.sum(axis=0)
    return float(np.max(rows)) * float(np.max(columns))

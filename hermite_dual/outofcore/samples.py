"""Samples that are read some rows at a time: arrays in memory, `.npy` files, Zarr arrays."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hermite_dual.arrays import Array, Mask
from hermite_dual.certified.counted.inner_products import squared_norms
from hermite_dual.data.files import check_samples
from hermite_dual.errors import DataFileError, InvalidInputError
from hermite_dual.exact_numbers import real_array
from hermite_dual.numeric.spans import spans
from hermite_dual.outofcore.block_array import BlockArray
from hermite_dual.outofcore.libraries import library
from hermite_dual.population.entries.inputs import check_nonzero_rows, on_sphere
from hermite_dual.population.entries.zero_rows import zero_rows

_SCANNED_BYTES = 2**26
"""Of the rows looked at together."""


@runtime_checkable
class Samples(Protocol):
    """Rows of X wherever they are kept; it can be sent to other processes."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""

    def rows(self, span: slice) -> Array:
        """Some rows as a float64 array of shape (rows, d), checked to be finite."""


@dataclass(frozen=True, eq=False)
class ArraySamples:
    """Rows in memory."""

    array: NDArray[Any]

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return self.array.shape[0], self.array.shape[1]

    def rows(self, span: slice) -> Array:
        """Some rows."""
        return check_samples(self.array[span], "X")


@dataclass(frozen=True)
class _OpenedSamples:
    """Rows of an array on a local or shared file system, opened when they are read."""

    kind: ClassVar[str]
    path: str

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        array = self._opened()
        return int(array.shape[0]), int(array.shape[1])

    def rows(self, span: slice) -> Array:
        """Some rows."""
        return check_samples(self._opened()[span], f"{self.kind} {self.path!r}")

    def _opened(self) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class NpySamples(_OpenedSamples):
    """Rows of a `.npy` file, mapped."""

    kind = "data file"

    def _opened(self) -> Any:
        try:
            mapped = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataFileError(
                f"data file {self.path!r} is not a .npy file of plain numbers: {error}. Write it with numpy.save, "
                "where every worker can read it"
            ) from error
        return _two_dimensional(mapped, self.path)


@dataclass(frozen=True)
class ZarrSamples(_OpenedSamples):
    """Rows of a Zarr array."""

    kind = "Zarr array"

    def _opened(self) -> Any:
        try:
            opened = library("zarr").open_array(self.path, mode="r")
        except (OSError, ValueError, KeyError) as error:
            raise DataFileError(
                f"{self.path!r} is no Zarr array: {error}. Name the array itself, where every worker can read it"
            ) from error
        return _two_dimensional(opened, self.path)


@dataclass(frozen=True)
class BlockSamples:
    """Rows kept in blocks beside the results, for workers that do not see the caller's memory."""

    array: BlockArray

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return self.array.shape[0], self.array.shape[1]

    def rows(self, span: slice) -> Array:
        """Some rows."""
        size = self.array.chunks[0]
        parts = [self._rows_in_chunk(i, span) for i in range(span.start // size, -(-span.stop // size))]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _rows_in_chunk(self, index: int, span: slice) -> Array:
        block = self.array.read((index, 0))
        if block is None:
            raise DataFileError(f"the samples kept in {self.array.path!r} are damaged: repeat the call with X")
        first = index * self.array.chunks[0]
        rows_here: Array = block[max(0, span.start - first) : span.stop - first]
        return rows_here


def keep(samples: "Samples", folder: str | os.PathLike[str], size: int) -> BlockSamples:
    """Write rows into a folder of results, as far as they are not there, where workers read them.

    Args:
        samples: the rows.
        folder: of the results, whose key has the digest of the rows.
        size: rows of a chunk.
    """
    n, d = samples.shape
    array = BlockArray.create_or_open(folder, "samples", (n, d), (size, d), np.float64)
    for index, span in enumerate(spans(n, size)):
        rows = np.ascontiguousarray(samples.rows(span))
        there = array.read((index, 0))
        if there is None or there.tobytes() != rows.tobytes():
            array.write((index, 0), rows)
    return BlockSamples(array)


@dataclass(frozen=True, eq=False)
class SphereSamples:
    """Rows of others scaled to norm sqrt(d), as `on_sphere` scales them."""

    samples: Samples

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return self.samples.shape

    def rows(self, span: slice) -> Array:
        """Some rows."""
        rows = self.samples.rows(span)
        check_nonzero_rows(rows, 0.0, span.start)
        return on_sphere(rows)


@dataclass(frozen=True, eq=False)
class UnchangedSamples:
    """Rows of others, refused where they are not what they were at the scan.

    Attributes:
        samples: the rows.
        size: rows of a block.
        sums: CRC-32C of each block as the scan found it.
    """

    samples: Samples
    size: int
    sums: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return self.samples.shape

    def rows(self, span: slice) -> Array:
        """The rows of a block.

        Raises:
            DataFileError: they changed since the scan.
        """
        rows = np.ascontiguousarray(self.samples.rows(span))
        if _extended(0, rows) != self.sums[span.start // self.size]:
            raise DataFileError(
                f"rows {span.start} to {span.stop - 1} of X have changed since the Gram matrix was computed, and with "
                "others nothing is proven of it. Restore them, or repeat `store_gram` with another folder."
            )
        return rows


def _extended(checksum: int, rows: Array) -> int:
    """The CRC-32C of what a checksum is of, and rows below it."""
    extended: int = library("google_crc32c").extend(checksum, rows.astype("<f8", copy=False).tobytes())
    return extended


@dataclass(frozen=True, eq=False)
class Scan:
    """What one pass over all rows finds.

    Attributes:
        digest: SHA-256 of the shape and the values as float64, row by row.
        sums: CRC-32C of each block of rows.
        squares: floats close to `|x_i|^2`, shape (n,).
        errors: bounds of their error, shape (n,).
        plain: `|x_i|^2` in plain floats, as the Gram matrix in memory sums them, shape (n,).
        zero: which rows are zero without a bias, shape (n,).
    """

    digest: str
    sums: tuple[int, ...]
    squares: Array
    errors: Array
    plain: Array
    zero: Mask


def samples_of(X: ArrayLike | str | os.PathLike[str] | Samples) -> Samples:
    """Say where the rows of X are read from.

    Args:
        X: an array; the path of a `.npy` file or of a Zarr array; a Zarr array on a local file system; or `Samples`.

    Raises:
        InvalidInputError: X is not two-dimensional or has no rows or columns.
        DataFileError: the path names neither.
    """
    if isinstance(X, Samples):
        return X
    if isinstance(X, (str, os.PathLike)):
        path = Path(os.path.abspath(os.fspath(X)))
        if path.is_dir():
            return _nonempty(ZarrSamples(str(path)))
        if path.suffix.lower() != ".npy":
            raise DataFileError(
                f"data file {str(path)!r}: out of core X is read from a .npy file or a Zarr array. Write it with "
                "numpy.save, one sample per row"
            )
        return _nonempty(NpySamples(str(path)))
    root, inside = getattr(getattr(X, "store", None), "root", None), getattr(X, "path", None)
    if root is not None and inside is not None:
        return _nonempty(ZarrSamples(str(Path(root, inside))))
    return _nonempty(ArraySamples(_two_dimensional(real_array(X, "X"), "X")))


def in_memory(samples: Samples) -> bool:
    """Whether the rows are in the memory of this process, where workers do not see them."""
    return in_memory(samples.samples) if isinstance(samples, SphereSamples) else isinstance(samples, ArraySamples)


def file_of(samples: Samples) -> tuple[str | None, bool]:
    """The file that rows come from, None of rows in memory, and whether they are scaled to the sphere."""
    if isinstance(samples, SphereSamples):
        return file_of(samples.samples)[0], True
    return (samples.path if isinstance(samples, _OpenedSamples) else None), False


def scan(samples: Samples, sigma_b: float, block: int) -> Scan:
    """Read all rows once, refusing what is not finite."""
    n, d = samples.shape
    digest = hashlib.sha256(json.dumps([n, d]).encode())
    squares, errors, plain, zero = np.empty(n), np.empty(n), np.empty(n), np.empty(n, dtype=bool)
    sums = []
    for whole in spans(n, block):
        checksum = 0
        for scanned in spans(whole.stop - whole.start, max(1, _SCANNED_BYTES // (8 * d))):
            span = slice(whole.start + scanned.start, whole.start + scanned.stop)
            rows = np.ascontiguousarray(samples.rows(span))
            zero[span] = zero_rows(rows, sigma_b)
            digest.update(rows.astype("<f8", copy=False).tobytes())
            checksum = _extended(checksum, rows)
            squares[span], errors[span] = squared_norms(rows)
            plain[span] = np.einsum("ij,ij->i", rows, rows)
        sums.append(checksum)
    return Scan(digest.hexdigest(), tuple(sums), squares, errors, plain, zero)


def _two_dimensional(array: Any, name: str) -> Any:
    if len(array.shape) != 2:
        raise InvalidInputError(f"{name} has the shape {tuple(array.shape)}; allowed is (n, d), one sample per row")
    return array


def _nonempty(samples: Samples) -> Samples:
    if 0 in samples.shape:
        raise InvalidInputError(f"X has the shape {samples.shape}; allowed is (n, d) with n, d >= 1")
    return samples

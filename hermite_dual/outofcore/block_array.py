r"""Arrays on disk in whole chunks, compressed and checksummed, in the Zarr format (version 3).

Every chunk is a file `c/<i>/<j>` below the array's folder: the values, little-endian, in C order, an edge chunk padded
to full size; compressed by Blosc (LZ4, level 1, bits shuffled); then the CRC-32C of all that, 4 bytes. So `zarr.open`
reads the array, and checks it as well. A chunk is written under another name and then renamed: it is whole or absent,
also when the disk is full or the process is killed, and what happens to it later the checksum finds. Nothing is synced
to the disk chunk by chunk: what a power cut tears is found at the next reading, like any other damage.

Zarr's own reader and writer hold two blocks more than needed while they append and remove checksums, and give the fill
value for a chunk that is absent; here a block is in memory once, with its compressed copy, and absence is an answer.

A CRC of 32 bits finds every damage within 32 consecutive bits (so every byte), every two and three flipped bits, and
all but one in 2^32 of others. Two chunks exchanged, or one of another array put in the place, it does not find: beside
each chunk a file `bound/<i>.<j>` holds the SHA-256 of what the array belongs to, its name, the position and the CRC. A
chunk without it, or with that of another, counts as damaged.
"""

import enum
import hashlib
import json
import math
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hermite_dual.data.atomic import atomic_path
from hermite_dual.data.store_key import canonical, content_of, sha256, unreadable
from hermite_dual.errors import DataFileError, InvalidInputError
from hermite_dual.outofcore.libraries import library
from hermite_dual.outofcore.manifest import known_key

Block = NDArray[Any]
Index = tuple[int, ...]

_CHECKSUM_BYTES = 4
_BLOSC_HEADER = 16
_LARGEST_BLOSC = 2**31 - 1 - _BLOSC_HEADER  # Blosc counts bytes in signed 32-bit integers.
# On (2048, 2048) tiles of tanh Gram matrices, whose low bits are noise, LZ4 at level 1 with shuffled bits compresses by
# 1.12 to 1.21, at 1.0 GB/s and back at 2.2 GB/s on one core; with shuffled bytes by 1.05 to 1.14, back at 3.1 GB/s;
# Zstandard at level 1 is half as fast and its ratio no better.
_COMPRESSOR, _LEVEL = "lz4", 1
_METADATA = "zarr.json"
_UNFINISHED = re.compile(r"\.\d+-[0-9a-f]{12}(\.\d+)?")
# Nobody writes one chunk for so long: what is older was left by a process that died.
_UNFINISHED_AGE = 3600.0


class ChunkState(enum.Enum):
    """What was found in the place of a chunk."""

    WHOLE = "whole"
    ABSENT = "absent"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class BlockArray:
    """An array on a local or shared file system, read and written in whole chunks; it can be sent to other processes.

    Attributes:
        path: the array's folder, absolute.
        shape: of the array.
        chunks: shape of a chunk; at the far edges chunks are cut to the array's shape.
        dtype: name of the type of the values.
        key: what the chunks belong to; chunks of another key count as damaged.
        compress: whether chunks are compressed.
    """

    path: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    key: str
    compress: bool = True

    @classmethod
    def create_or_open(
        cls,
        folder: str | os.PathLike[str],
        name: str,
        shape: tuple[int, ...],
        chunks: tuple[int, ...],
        dtype: DTypeLike = np.float64,
        fill_value: float = math.nan,
        compress: bool = True,
        key: str | None = None,
    ) -> "BlockArray":
        """Open an array of a Zarr group, which is made where it is missing.

        Args:
            folder: the group, as `open_folder` makes it.
            name: name of the array.
            shape: of the array, all positive.
            chunks: shape of a chunk, all positive; at most 2 GiB of values each.
            dtype: a type of numbers or booleans.
            fill_value: what readers of the Zarr format see where a chunk is absent.
            compress: whether to compress chunks.
            key: what the chunks belong to; by default the key of the group.

        Returns:
            The array.

        Raises:
            InvalidInputError: A shape is not allowed.
            DataFileError: The array's description is damaged or differs, or cannot be read or written.
        """
        kind = np.dtype(dtype)
        array = cls(
            os.path.abspath(os.path.join(folder, name)),
            tuple(map(int, shape)),
            tuple(map(int, chunks)),
            kind.name,
            sha256(canonical(known_key(folder))) if key is None else key,
            bool(compress),
        )
        array._check()
        array._describe(fill_value)
        array._remove_unfinished()
        return array

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of chunks along each axis."""
        return tuple(-(-length // chunk) for length, chunk in zip(self.shape, self.chunks, strict=True))

    def chunk_shape(self, index: Index) -> tuple[int, ...]:
        """Give the shape of a chunk, cut to the array.

        Args:
            index: position of the chunk in the grid.

        Raises:
            InvalidInputError: There is no such chunk.
        """
        self._check_index(index)
        return tuple(
            min(chunk, length - i * chunk) for i, length, chunk in zip(index, self.shape, self.chunks, strict=True)
        )

    def chunk_path(self, index: Index) -> Path:
        """Give the file of a chunk, which need not exist."""
        return Path(self.path, "c", *map(str, index))

    def exists(self, index: Index) -> bool:
        """Say whether there is a file in the place of a chunk, whole or not."""
        return self.chunk_path(index).exists()

    def read(self, index: Index) -> Block | None:
        """Read a chunk; None where it is absent or damaged.

        Args:
            index: position of the chunk in the grid.

        Returns:
            Its values, of the shape `chunk_shape(index)`; peak memory two chunks.

        Raises:
            DataFileError: The file exists and cannot be read.
        """
        return self.read_checked(index)[0]

    def whole(self, index: Index) -> Block:
        """Read a chunk that must be there.

        Args:
            index: position of the chunk in the grid.

        Raises:
            DataFileError: It is absent or damaged, or cannot be read.
        """
        values = self.read(index)
        if values is None:
            raise DataFileError(
                f"chunk {index} of {self.path!r} is missing or damaged: repeat `store_gram`, and then this call; "
                "they compute again what is not whole"
            )
        return values

    def read_checked(self, index: Index) -> tuple[Block | None, ChunkState]:
        """Read a chunk and say what was found in its place.

        Args:
            index: position of the chunk in the grid.

        Returns:
            The values, None unless whole, and the state.

        Raises:
            DataFileError: The file exists and cannot be read.
        """
        shape = self.chunk_shape(index)
        path = self.chunk_path(index)
        try:
            content = np.fromfile(path, dtype=np.uint8)
        except FileNotFoundError:
            return None, ChunkState.ABSENT
        except OSError as error:
            raise unreadable(path, error) from error
        values = self._decode(content) if self._is_bound(index, content) else None
        del content  # before an edge chunk is copied: two blocks are the most
        if values is None:
            return None, ChunkState.DAMAGED
        inside = values.reshape(self.chunks)[tuple(map(slice, shape))]
        return np.ascontiguousarray(inside, dtype=np.dtype(self.dtype)), ChunkState.WHOLE

    def write(self, index: Index, values: Block) -> None:
        """Write a chunk, whole or not at all; one that is there is replaced.

        Args:
            index: position of the chunk in the grid.
            values: of the shape `chunk_shape(index)` and the array's type. Besides them and their compressed copy, an
                edge chunk or values that are not contiguous are copied once.

        Raises:
            InvalidInputError: The values have another shape or type.
            DataFileError: The file cannot be written, for instance because the disk is full. What was finished before
                stays.
        """
        content = self._encode(self._padded(index, values))
        checksum = library("google_crc32c").value(content)
        path = self.chunk_path(index)
        try:
            with atomic_path(path) as temporary, temporary.open("wb", buffering=0) as stream:
                _write_all(stream, memoryview(content).cast("B"))
                _write_all(stream, memoryview(checksum.to_bytes(_CHECKSUM_BYTES, "little")))
            # after the chunk, which counts as damaged without
            with atomic_path(self._bound_path(index)) as temporary:
                temporary.write_bytes(self._binding(index, checksum.to_bytes(_CHECKSUM_BYTES, "little")))
        except OSError as error:
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            raise DataFileError(
                f"chunk {str(path)!r} cannot be written: {cause.strerror or cause}. What was finished before stays: "
                "check free space and permissions, then repeat the same call, and it goes on from there."
            ) from error

    def fingerprint(self) -> str:
        """Give the SHA-256 of the checksums of all chunks that are there: another one means other values."""
        digest = hashlib.sha256()
        for index in np.ndindex(*self.grid):
            bound = content_of(self._bound_path(index))
            digest.update(b"-" if bound is None else bound)
        return digest.hexdigest()

    def _bound_path(self, index: Index) -> Path:
        return Path(self.path, "bound", ".".join(map(str, index)))

    def _binding(self, index: Index, checksum: bytes) -> bytes:
        name = os.path.basename(self.path)
        return sha256(canonical([self.key, name, [int(i) for i in index], checksum.hex()])).encode()

    def _is_bound(self, index: Index, content: Block) -> bool:
        bound = content_of(self._bound_path(index))
        return bound is not None and bound == self._binding(index, content[-_CHECKSUM_BYTES:].tobytes())

    def _check(self) -> None:
        if len(self.shape) != len(self.chunks) or not self.shape or min(self.shape + self.chunks) < 1:
            raise InvalidInputError(
                f"shape={self.shape}, chunks={self.chunks}: allowed are positive lengths, as many of each"
            )
        kind = np.dtype(self.dtype)
        if kind.kind not in "biuf":
            raise InvalidInputError(f"dtype={self.dtype!r}: allowed are booleans, integers and floats")
        size = math.prod(self.chunks) * kind.itemsize
        if size > _LARGEST_BLOSC:
            raise InvalidInputError(f"chunks={self.chunks} make {size} bytes: allowed are {_LARGEST_BLOSC} at most")

    def _check_index(self, index: Index) -> None:
        if len(index) != len(self.shape) or not all(0 <= i < n for i, n in zip(index, self.grid, strict=True)):
            raise InvalidInputError(f"index={index}: allowed are positions in a grid of {self.grid} chunks")

    def _padded(self, index: Index, values: Block) -> Block:
        shape = self.chunk_shape(index)
        if values.shape != shape or values.dtype != np.dtype(self.dtype):
            raise InvalidInputError(
                f"values have the shape {values.shape} and the type {values.dtype}: chunk {index} takes "
                f"{shape} and {self.dtype}"
            )
        if shape == self.chunks:
            return np.ascontiguousarray(values, dtype=self._stored)
        block = np.zeros(self.chunks, dtype=self._stored)
        block[tuple(map(slice, shape))] = values
        return block

    def _encode(self, block: Block) -> Any:
        flat = block.reshape(-1)
        if self.compress:
            return self._compressor.encode(flat)
        return flat.view(np.uint8)

    def _decode(self, content: Block) -> Block | None:
        body = content[:-_CHECKSUM_BYTES]
        stored = content[-_CHECKSUM_BYTES:].tobytes()
        if library("google_crc32c").value(body).to_bytes(_CHECKSUM_BYTES, "little") != stored:
            return None
        size = math.prod(self.chunks) * self._stored.itemsize
        if not self.compress:
            return body.view(self._stored) if body.size == size else None
        # The checksum holds; what is left to find is a file of another array. Blosc's header has the size at byte 4.
        if body.size < _BLOSC_HEADER or int.from_bytes(body[4:8].tobytes(), "little") != size:
            return None
        block = np.empty(math.prod(self.chunks), dtype=self._stored)
        try:
            self._compressor.decode(body, block)
        except (RuntimeError, ValueError):
            return None
        return block

    @property
    def _stored(self) -> np.dtype[Any]:
        return np.dtype(self.dtype).newbyteorder("<")

    @property
    def _compressor(self) -> Any:
        blosc = library("numcodecs.blosc")
        return blosc.Blosc(cname=_COMPRESSOR, clevel=_LEVEL, shuffle=blosc.BITSHUFFLE)

    def _metadata(self, fill_value: float) -> dict[str, Any]:
        item = np.dtype(self.dtype).itemsize
        blosc = {"typesize": item, "cname": _COMPRESSOR, "clevel": _LEVEL, "shuffle": "bitshuffle", "blocksize": 0}
        codecs: list[dict[str, Any]] = [{"name": "bytes", "configuration": {"endian": "little"}}]
        if self.compress:
            codecs.append({"name": "blosc", "configuration": blosc})
        codecs.append({"name": "crc32c"})
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.chunks)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": _fill(self.dtype, fill_value),
            "codecs": codecs,
            "attributes": {},
        }

    def _describe(self, fill_value: float) -> None:
        """Write the array's description, or compare it with the one that is there."""
        path, wanted = Path(self.path, _METADATA), self._metadata(fill_value)
        content = content_of(path)
        if content is None:
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(wanted, indent=2) + "\n")
            return
        try:
            stored = json.loads(content)
        except ValueError:
            stored = None
        if stored != wanted:
            raise DataFileError(
                f"file {str(path)!r} is damaged or describes another array than one of the shape {self.shape} in "
                f"chunks {self.chunks} of {self.dtype}. Delete this file alone, and the same call writes it again and "
                "keeps the chunks that are whole; or name another folder."
            )

    def _remove_unfinished(self) -> None:
        """Remove the temporary files of processes that were killed while they wrote."""
        oldest = time.time() - _UNFINISHED_AGE
        for folder, _, names in os.walk(self.path):
            for name in filter(_UNFINISHED.fullmatch, names):
                file = Path(folder, name)
                try:
                    if file.stat().st_mtime < oldest:
                        file.unlink()
                except OSError:  # gone already, or not ours to remove: it is only in the way of free space
                    continue


def _fill(dtype: str, value: float) -> Any:
    kind = np.dtype(dtype).kind
    if kind == "f":
        if math.isfinite(value):
            return float(value)
        return "NaN" if math.isnan(value) else "Infinity" if value > 0.0 else "-Infinity"
    return bool(value) if kind == "b" else int(value)


def _write_all(stream: Any, view: memoryview) -> None:
    # A raw file may take less than it is given, on a disk that is nearly full.
    while view:
        view = view[stream.write(view) :]

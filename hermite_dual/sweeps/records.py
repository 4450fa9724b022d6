"""Records of a sweep: a JSON text each, whole in one checksummed chunk, found by what it is about.

The array has a row for every number below 2^53; a record stands in the row that the digest of its identity names, so
that its place depends on nothing else that was computed. Rows that hold nothing take no space.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hermite_dual.data.store_key import canonical
from hermite_dual.errors import InvalidInputError
from hermite_dual.outofcore.block_array import BlockArray, ChunkState

Record = dict[str, Any]

# Every row's number is exact as a float64, which readers of JSON metadata may turn numbers into.
_ROW_BITS = 53
_SIZE = 32768
_LONGEST_TEXT = 1000


@dataclass(frozen=True)
class Records:
    """The records of a folder; it can be sent to other processes.

    Attributes:
        array: Their bytes, a row each, filled up with zeros.
    """

    array: BlockArray

    @classmethod
    def open(cls, folder: Path) -> "Records":
        """Open the records of a folder that `open_folder` has opened."""
        return cls(BlockArray.create_or_open(folder, "records", (2**_ROW_BITS, _SIZE), (1, _SIZE), np.uint8, 0))

    def load(self, identity: Record) -> tuple[Record | None, ChunkState]:
        """Read what was found at a point.

        Args:
            identity: What the point is.

        Returns:
            The record, None unless whole, and what was found in its place.
        """
        block, state = self.array.read_checked(_place(identity))
        if block is None:
            return None, state
        content = json.loads(block.tobytes().rstrip(b"\0"))
        # The place holds 53 bits of the digest only.
        return (content["found"], state) if content["identity"] == identity else (None, ChunkState.ABSENT)

    def save(self, identity: Record, record: Record) -> Record:
        """Write what was found at a point, whole or not at all.

        Args:
            identity: What the point is.
            record: Names with strings, numbers, booleans and None; NaN and infinities, which JSON lacks, become None,
                and long texts are cut.

        Returns:
            The record as it will be read.
        """
        kept = {name: _kept(value) for name, value in record.items()}
        # not sorted: a sweep that is resumed has its columns in the order of one that was not
        text = json.dumps({"identity": identity, "found": kept}, allow_nan=False, separators=(",", ":")).encode()
        if len(text) > _SIZE:
            raise InvalidInputError(f"a record of {len(text)} bytes: {_SIZE} are the most. Take fewer widths.")
        self.array.write(_place(identity), np.frombuffer(text.ljust(_SIZE, b"\0"), dtype=np.uint8).reshape(1, _SIZE))
        return kept


def _place(identity: Record) -> tuple[int, int]:
    digest = hashlib.sha256(canonical(identity)).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _ROW_BITS), 0


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_LONGEST_TEXT]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

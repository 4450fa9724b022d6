"""Records of a sweep: a JSON text each, in the file that the digest of what it is about names."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hermite_dual.data.store import RecordStore
from hermite_dual.data.store_key import canonical, sha256

Record = dict[str, Any]

_FOLDER = "records"
_LONGEST_TEXT = 1000


@dataclass(frozen=True)
class Records:
    """The records of a folder; it can be sent to other processes.

    Attributes:
        store: their texts, as bytes.
    """

    store: RecordStore

    @classmethod
    def open(cls, folder: Path, key: Record) -> "Records":
        """Open the records of a folder that `open_folder` has opened.

        Args:
            folder: the folder.
            key: what it belongs to.
        """
        return cls(RecordStore(folder / _FOLDER, key))

    def load(self, identity: Record) -> Record | None:
        """Read what was found at a point; None where nothing was, or where `damaged` says so."""
        stored = self.store.load(_name(identity))
        return None if stored is None else json.loads(stored["text"].tobytes())

    def damaged(self, identity: Record) -> bool:
        """Whether the record of a point was read and found damaged."""
        return _name(identity) in self.store.damaged

    def save(self, identity: Record, record: Record) -> Record:
        """Write what was found at a point, whole or not at all.

        Args:
            identity: what the point is.
            record: names with strings, numbers, booleans and None; NaN and infinities, which JSON lacks, become None,
                and long texts are cut.

        Returns:
            The record as it will be read.
        """
        kept = {name: _kept(value) for name, value in record.items()}
        # not sorted: a sweep that is resumed has its columns in the order of one that was not
        text = json.dumps(kept, allow_nan=False, separators=(",", ":")).encode()
        self.store.save(_name(identity), {"text": np.frombuffer(text, dtype=np.uint8)})
        return kept


def _name(identity: Record) -> str:
    return sha256(canonical(identity))


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_LONGEST_TEXT]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

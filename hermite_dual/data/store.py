r"""Results of a long run kept on disk, a file per finished piece, so that an interrupted run goes on where it stopped.

A store is a folder. `store.json` says what the results belong to (its *key*); each result is a file `<name>.record`:

    sha256 of everything below, 64 hexadecimal digits
    {"key": sha256 of the key, "name": ..., "arrays": [[name, dtype, shape], ...]}
    the bytes of the arrays, in order, little-endian

Files are written under another name, flushed to the disk and then renamed, so that a file is whole or absent; the
digest finds whatever happens to it later.
"""

import hashlib
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hermite_dual.data.atomic import atomic_path
from hermite_dual.data.store_key import canonical, check_empty, check_manifest, content_of, manifest_of, sha256
from hermite_dual.errors import InvalidInputError

Arrays = dict[str, NDArray[Any]]

_MANIFEST, _SUFFIX = "store.json", ".record"
# Of the layout described above; a reader refuses any other.
_LAYOUT = 1
_DIGEST_LENGTH = hashlib.sha256().digest_size * 2
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class RecordStore:
    """Named records of arrays in a folder, all of one key.

    Args:
        folder: the folder; made if missing.
        key: what the records belong to: names with strings, numbers, booleans, None and lists of them. A folder that
            holds results of another key is refused.

    Attributes:
        damaged: names of records that were found damaged; they count as absent.

    Raises:
        InvalidInputError: The folder holds results of another key.
        DataFileError: The folder cannot be made, read or written, or holds files but no readable `store.json`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     RecordStore(folder, {"seed": 0}).save("first", {"values": np.arange(3.0)})
    ...     RecordStore(folder, {"seed": 0}).load("first")["values"].tolist()
    [0.0, 1.0, 2.0]
    """

    def __init__(self, folder: str | os.PathLike[str], key: dict[str, Any]) -> None:
        self._folder = Path(folder)
        self._digest = sha256(canonical(key))
        self.damaged: list[str] = []
        self._open(key)

    def load(self, name: str) -> Arrays | None:
        """Read a record; None where there is none, or a damaged one, which is noted in `damaged`.

        Args:
            name: letters, digits, dots, hyphens and underscores.

        Raises:
            DataFileError: The file exists and cannot be read.
        """
        content = content_of(self._path(name))
        if content is None:
            return None
        arrays = _unpack(content, self._digest, name)
        if arrays is None:
            self.damaged.append(name)
        return arrays

    def save(self, name: str, arrays: Arrays) -> None:
        """Write a record, whole or not at all; one of the same name is replaced.

        Args:
            name: as in `load`.
            arrays: arrays of numbers.

        Raises:
            DataFileError: The file cannot be written, for instance because the disk is full. What was saved before
                stays.
        """
        _write(self._path(name), _pack(self._digest, name, arrays))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise InvalidInputError(f"name={name!r}: allowed are letters, digits, dots, hyphens and underscores")
        return self._folder / (name + _SUFFIX)

    def _open(self, key: dict[str, Any]) -> None:
        path = self._folder / _MANIFEST
        content = content_of(path)
        if content is None:
            check_empty(self._folder, _MANIFEST)
            _write(path, json.dumps(manifest_of(key, _LAYOUT), indent=2).encode() + b"\n")
            return
        try:
            manifest = json.loads(content)
        except ValueError:
            manifest = None
        check_manifest(manifest, key, _LAYOUT, str(self._folder), path.name)


def digest_of_array(array: NDArray[Any]) -> str:
    """Give the SHA-256 of the values, shape and type of an array, for the key of a store.

    Args:
        array: any array of numbers.
    """
    header, payload = _describe({"array": array})
    return sha256(canonical(header) + payload)


def _describe(arrays: Arrays) -> tuple[list[list[Any]], bytes]:
    little = {name: np.asarray(a, dtype=np.asarray(a).dtype.newbyteorder("<"), order="C") for name, a in arrays.items()}
    header = [[name, a.dtype.str, list(a.shape)] for name, a in little.items()]
    return header, b"".join(a.tobytes() for a in little.values())


def _pack(digest: str, name: str, arrays: Arrays) -> bytes:
    described, payload = _describe(arrays)
    header = canonical({"key": digest, "name": name, "arrays": described})
    body = header + b"\n" + payload
    return sha256(body).encode() + b"\n" + body


def _unpack(content: bytes, digest: str, name: str) -> Arrays | None:
    body = content[_DIGEST_LENGTH + 1 :]
    if content[: _DIGEST_LENGTH + 1] != sha256(body).encode() + b"\n":
        return None
    # The digest holds, so the rest is as it was written; only a file put under another name is left to find.
    line, _, payload = body.partition(b"\n")
    header = json.loads(line)
    if header["key"] != digest or header["name"] != name:
        return None
    arrays, start = {}, 0
    for array, kind, shape in header["arrays"]:
        count = math.prod(shape)
        values = np.frombuffer(payload, dtype=kind, count=count, offset=start).reshape(shape)
        arrays[array] = values.astype(values.dtype.newbyteorder("="))
        start += values.nbytes
    return arrays


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        # Without this, a power cut after the renaming may leave an empty file under the final name.
        os.fsync(stream.fileno())

"""What the results in a folder belong to: a key with its digest, compared before anything in the folder is believed."""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from hermite_dual.errors import DataFileError, InvalidInputError


def sha256(content: bytes) -> str:
    """Give the SHA-256 of bytes, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def canonical(value: Any) -> bytes:
    """Give the one JSON text of a value: names sorted, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":")).encode()


def manifest_of(key: dict[str, Any], layout: int) -> dict[str, Any]:
    """Give what a folder says about its results.

    Args:
        key: names with strings, numbers, booleans, None and lists of them.
        layout: number of the layout of the files.
    """
    return {"layout": layout, "digest": sha256(canonical(key)), "key": key}


def check_manifest(manifest: Any, key: dict[str, Any], layout: int, folder: str, file: str) -> None:
    """Compare what a folder says about its results with what is wanted.

    Args:
        manifest: as `manifest_of` gives it, or whatever was found in its place.
        key: the key wanted.
        layout: the layout wanted.
        folder: name of the folder, for messages.
        file: name of the file that holds the manifest, for messages.

    Raises:
        InvalidInputError: The folder holds results of another key; the message lists what differs.
        DataFileError: The manifest is damaged or of another layout.
    """
    try:
        stored = manifest["key"]
        whole = manifest["layout"] == layout and manifest["digest"] == sha256(canonical(stored))
    except (ValueError, KeyError, TypeError):
        whole, stored = False, {}
    if not whole or not isinstance(stored, dict):
        raise DataFileError(
            f"store {folder!r}: {file} is damaged or of another layout, so that nobody knows what "
            "the results belong to. Name another folder, or delete this one to compute again."
        )
    wanted = json.loads(canonical(key))
    if stored != wanted:
        differing = sorted(name for name in stored | wanted if stored.get(name) != wanted.get(name))
        values = "; ".join(f"{name}: {stored.get(name)!r} there, {wanted.get(name)!r} here" for name in differing)
        raise InvalidInputError(
            f"store={folder!r} holds results of something else ({values}). Name another folder, or "
            "delete this one to compute again."
        )


def check_empty(folder: Path, file: str) -> None:
    """Refuse a folder that holds something but does not say what.

    Args:
        folder: the folder, which may be missing.
        file: name of the file that would say it; what a killed process left of it does not count.

    Raises:
        DataFileError: There is something in the folder, or it cannot be read.
    """
    unfinished = re.compile(rf"\.{Path(file).stem}-[0-9a-f]{{12}}\.json")
    try:
        foreign = sorted(name for name in os.listdir(folder) if not unfinished.fullmatch(name))
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(folder, error) from error
    if foreign:
        raise DataFileError(
            f"folder {str(folder)!r} holds {foreign[0]!r} but no {file} of this package, so that nobody knows what it "
            "belongs to; it is left as it is. Name another folder, or one that is empty or does not exist."
        )


def content_of(path: Path) -> bytes | None:
    """Read a file of a store; None where there is none.

    Args:
        path: the file.

    Raises:
        DataFileError: The file exists and cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> DataFileError:
    """Give the error of a file of a store that exists and cannot be read."""
    return DataFileError(
        f"file {str(path)!r} cannot be read: {error.strerror or error}. Check its permissions, or name another folder."
    )

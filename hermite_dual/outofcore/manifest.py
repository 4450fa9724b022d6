"""The folder of a run: a Zarr group whose attributes say what everything in it belongs to."""

import json
import os
from pathlib import Path
from typing import Any

from hermite_dual.data.atomic import atomic_path
from hermite_dual.data.store_key import check_empty, check_manifest, content_of, manifest_of

_METADATA = "zarr.json"
_ATTRIBUTE = "hermite_dual"
_SAMPLES = "hermite_dual_samples"
"""Where the rows of X are; no part of the key, as files move."""
# Of the attributes and of what the arrays below them mean; a reader refuses any other.
_LAYOUT = 2


def open_folder(folder: str | os.PathLike[str], key: dict[str, Any]) -> Path:
    """Open the Zarr group of a run, which is made where it is missing. Nothing in it is ever deleted.

    Args:
        folder: the folder; made if missing, with the folders above it.
        key: what the arrays belong to, such as parameters and the digest of the data: names with strings, numbers,
            booleans, None and lists of them.

    Returns:
        The folder, absolute.

    Raises:
        InvalidInputError: The folder holds results of another key; the message lists the values that differ.
        DataFileError: The folder holds something else, its description is damaged or of another layout, or it cannot
            be read or written.
    """
    place = Path(os.path.abspath(folder))
    content = content_of(place / _METADATA)
    if content is None:
        _create(place, key)
        return place
    try:
        metadata = json.loads(content)
        manifest = metadata["attributes"][_ATTRIBUTE] if metadata["node_type"] == "group" else None
    except (ValueError, KeyError, TypeError):
        manifest = None
    check_manifest(manifest, key, _LAYOUT, str(place), _METADATA)
    return place


def known_key(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Give the key of a folder as it stands, unchecked; None where there is none to be read."""
    try:
        metadata = json.loads(Path(folder, _METADATA).read_bytes())
        key = metadata["attributes"][_ATTRIBUTE]["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return key if isinstance(key, dict) else None


def known_samples(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Give where the samples of a folder are, as `tell_samples` was told; None where it was not."""
    try:
        where = json.loads(Path(folder, _METADATA).read_bytes())["attributes"][_SAMPLES]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return where if isinstance(where, dict) and where.keys() == {"file", "on_sphere"} else None


def tell_samples(folder: Path, file: str | None, on_sphere: bool) -> None:
    """Write into the metadata of a folder where its samples are.

    Args:
        folder: as `open_folder` gives it.
        file: path of a `.npy` file or Zarr array, None where the folder keeps them itself.
        on_sphere: whether the rows of the file are scaled to norm sqrt(d).
    """
    where = {"file": file, "on_sphere": on_sphere}
    if known_samples(folder) == where:
        return
    metadata = json.loads((folder / _METADATA).read_bytes())
    metadata["attributes"][_SAMPLES] = where
    with atomic_path(folder / _METADATA) as temporary:
        temporary.write_text(json.dumps(metadata, indent=2) + "\n")


def _create(place: Path, key: dict[str, Any]) -> None:
    check_empty(place, _METADATA)
    metadata = {"zarr_format": 3, "node_type": "group", "attributes": {_ATTRIBUTE: manifest_of(key, _LAYOUT)}}
    with atomic_path(place / _METADATA) as temporary:
        temporary.write_text(json.dumps(metadata, indent=2) + "\n")

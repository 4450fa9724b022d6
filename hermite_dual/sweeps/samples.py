"""The samples of a sweep, kept beside its results, where every worker reads them."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hermite_dual.errors import DataFileError
from hermite_dual.outofcore.block_array import BlockArray

Array = NDArray[np.float64]

_CHUNK_BYTES = 2**25


@dataclass(frozen=True)
class Samples:
    """The samples in a folder; it can be sent to other processes.

    Attributes:
        array: The rows, some to a chunk.
        digest: Of the samples, which tells folders apart whose samples were read before.
    """

    array: BlockArray
    digest: str

    @classmethod
    def keep(cls, folder: Path, X: Array, digest: str) -> "Samples":
        """Write the samples into a folder, as far as they are not there.

        Args:
            folder: The folder, whose key has the digest.
            X: The samples, shape (n, d).
            digest: Their digest.
        """
        rows = min(len(X), max(1, _CHUNK_BYTES // (8 * X.shape[1])))
        array = BlockArray.create_or_open(folder, "samples", X.shape, (rows, X.shape[1]))
        for index in range(array.grid[0]):
            part = X[index * rows : (index + 1) * rows]
            kept = array.read((index, 0))
            if kept is None or kept.tobytes() != part.tobytes():
                array.write((index, 0), part)
        return cls(array, digest)

    def read(self) -> Array:
        """Give the samples; those read last stay in memory.

        Raises:
            DataFileError: They are damaged.
        """
        return _read(self)


@lru_cache(maxsize=1)
def _read(samples: Samples) -> Array:
    parts = [samples.array.read((index, 0)) for index in range(samples.array.grid[0])]
    whole = [part for part in parts if part is not None]
    if len(whole) < len(parts):
        raise DataFileError(
            f"the samples in {samples.array.path!r} are damaged or gone. Repeat the same call: it writes them again."
        )
    X: Array = np.concatenate(whole)
    X.flags.writeable = False
    return X

"""The samples of a sweep, kept beside its results, where every worker reads them."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hermite_dual.arrays import Array
from hermite_dual.outofcore.samples import ArraySamples, BlockSamples, keep

_CHUNK_BYTES = 2**25


@dataclass(frozen=True)
class Samples:
    """The samples in a folder; it can be sent to other processes.

    Attributes:
        rows: the rows, some to a chunk.
        digest: of the samples, which tells folders apart whose samples were read before.
    """

    rows: BlockSamples
    digest: str

    @classmethod
    def keep(cls, folder: Path, X: Array, digest: str) -> "Samples":
        """Write the samples into a folder, as far as they are not there.

        Args:
            folder: the folder, whose key has the digest.
            X: the samples, shape (n, d).
            digest: their digest.
        """
        rows = min(len(X), max(1, _CHUNK_BYTES // (8 * X.shape[1])))
        return cls(keep(ArraySamples(X), folder, rows), digest)

    def read(self) -> Array:
        """Give the samples; those read last stay in memory.

        Raises:
            DataFileError: They are damaged.
        """
        return _read(self)


@lru_cache(maxsize=1)
def _read(samples: Samples) -> Array:
    X = samples.rows.rows(slice(0, samples.rows.shape[0]))
    X.flags.writeable = False
    return X

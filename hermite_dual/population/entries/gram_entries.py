"""What turns inner products into Gram entries, whatever represents it."""

from dataclasses import dataclass
from typing import Protocol

from hermite_dual.arrays import Array


class GramEntries(Protocol):
    """The map from inner products of given rows to their Gram entries."""

    @property
    def variances(self) -> Array:
        """`S_ii`, shape (n,)."""

    @property
    def diagonal(self) -> Array:
        """`K_ii`, shape (n,)."""

    @property
    def error(self) -> float:
        """Estimated error of an entry, the rounding of the inner products included."""

    def apply_symmetric(self, matrix: Array, shift: float) -> None:
        """Turn the upper triangle of inner products, less the shift, into the Gram matrix, in place."""

    def apply_block(self, block: Array, rows: slice, columns: slice, shift: float) -> None:
        """Turn inner products of some rows with others into Gram entries, in place."""


@dataclass(frozen=True, eq=False)
class ConstantEntries:
    """Entries that do not depend on the inputs: without any layer, or with `sigma_u = sigma_b = 0`.

    Attributes:
        variances: `S_ii`, all equal, shape (n,).
        diagonal: `K_ii`, all equal, shape (n,).
        error: estimated error of an entry.
    """

    variances: Array
    diagonal: Array
    error: float

    def apply_symmetric(self, matrix: Array, shift: float) -> None:
        """Set all entries."""
        matrix[:] = self.diagonal[0]

    def apply_block(self, block: Array, rows: slice, columns: slice, shift: float) -> None:
        """Set all entries."""
        block[:] = self.diagonal[0]

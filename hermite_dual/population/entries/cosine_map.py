"""At one norm: an entry as a function of the cosine of two inputs."""

from dataclasses import dataclass

from hermite_dual.arrays import Array
from hermite_dual.numeric.graded_table import GradedTable


@dataclass(frozen=True, eq=False)
class CosineMap:
    """The entry as a function of `xi = (sigma_u^2 x.x'/d + sigma_b^2) / top`.

    Attributes:
        top: the inputs' part `sigma_u^2 |x|^2 / d + sigma_b^2` of the variance.
        table: the entry on [-1, 1]; calling the map evaluates it.
        variance: diagonal `S_ii`.
        diagonal: diagonal of the kernel.
        error: estimated error of an entry.
    """

    top: float
    table: GradedTable
    variance: float
    diagonal: float
    error: float

    def __call__(self, xi: Array) -> Array:
        """Return entries at cosines; what rounding has put outside [-1, 1] counts as +-1."""
        return self.table(xi)

"""At one norm: an entry as a function of the cosine of two inputs."""

from collections.abc import Callable
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
        inside: estimated error of entries up to a cosine, where it may be far less than at 1; else None.
    """

    top: float
    table: GradedTable
    variance: float
    diagonal: float
    error: float
    inside: Callable[[float], float] | None = None

    def error_up_to(self, cosine: float) -> float:
        """Return the estimated error of entries at cosines of modulus up to the one given."""
        return self.error if self.inside is None else self.inside(cosine)

    def __call__(self, xi: Array) -> Array:
        """Return entries at cosines; what rounding has put outside [-1, 1] counts as +-1."""
        return self.table(xi)

"""One activation of a table, with what several of its columns need computed once."""

from dataclasses import dataclass
from fractions import Fraction

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.cached_property import cached_property
from hermite_dual.certified.eigenvalues.eigenvalues import EigenvalueBounds
from hermite_dual.certified.eigenvalues.theory_bounds import TheoryBound
from hermite_dual.certified.suprema.constants import DerivativeBound
from hermite_dual.deq import DEQ
from hermite_dual.dual import Dual
from hermite_dual.errors import InvalidInputError
from hermite_dual.population.gram import Gram
from hermite_dual.population.theorem.hypothesis_tests import slope_bound


@dataclass(frozen=True)
class Subject:
    """An activation with the model and the data of its table.

    Attributes:
        activation: phi.
        model: the infinitely wide model with this activation.
        samples: X, shape (n, d), or None.
        digits: significant digits wanted.
    """

    activation: Activation
    model: DEQ
    samples: Array | None
    digits: int

    @cached_property
    def dual(self) -> Dual:
        """The dual kernel."""
        return Dual(self.activation)

    @cached_property
    def slopes(self) -> tuple[DerivativeBound, DerivativeBound]:
        """Enclosures of `sup |phi'|` and `sup |phi''|`."""
        return slope_bound(self.activation, 1), slope_bound(self.activation, 2)

    @cached_property
    def inner(self) -> Fraction:
        """`sigma_u^2 |x|^2 / d + sigma_b^2` for a row of norm sqrt(d), exact for the floats given."""
        return Fraction(self.model.sigma_u) ** 2 + Fraction(self.model.sigma_b) ** 2

    @cached_property
    def gram(self) -> Gram:
        """The population Gram matrix of the samples."""
        if self.samples is None:
            raise InvalidInputError("a Gram matrix needs samples: pass data=X, shape (n, d)")
        return self.model.gram(self.samples)

    @cached_property
    def least_eigenvalue(self) -> EigenvalueBounds:
        """Proven bounds of its least eigenvalue."""
        return self.gram.least_eigenvalue()

    @cached_property
    def theory(self) -> dict[str, TheoryBound]:
        """The theory's lower bounds by name."""
        return {bound.name: bound for bound in self.gram.lower_bounds()}

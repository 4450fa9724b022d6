"""One named activation: formula, parameters, source, Lipschitz constant."""

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, field

import sympy as sp

from hermite_dual.errors import InvalidInputError
from hermite_dual.notebook import Shown
from hermite_dual.symbols import x

HALF = sp.Rational(1, 2)
_MAX_DEGREE = 64


@dataclass(frozen=True, repr=False)
class CatalogueEntry(Shown):
    """One named activation.

    Attributes:
        name: the catalogue name.
        formula: `formula(z, **parameters)`, an expression.
        defaults: parameter names with their usual values, in order.
        source: where the function comes from.
        lipschitz: `lipschitz(**parameters)`, the exact supremum of `|phi'|`; infinite where phi is not Lipschitz, None
            where no elementary expression is known (then it is found numerically).
        aliases: other names in use.
        note: which convention this is where libraries differ, and what the other one is called.
        synonyms: other names of parameters, each with the name here.
        required: parameters without a usual value, each with one that serves as example in messages.
    """

    name: str
    formula: Callable[..., sp.Expr]
    defaults: dict[str, sp.Expr] = field(default_factory=dict)
    source: str = "elementary"
    lipschitz: Callable[..., sp.Expr] | None = None
    aliases: tuple[str, ...] = ()
    note: str = ""
    synonyms: dict[str, str] = field(default_factory=dict)
    required: dict[str, int] = field(default_factory=dict)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The parameters in the order in which a formula gives them."""
        return (*self.required, *self.defaults)

    def expression(self, **parameters: object) -> sp.Expr:
        """Return the formula in `x` with the given parameters, defaults elsewhere."""
        return self.formula(x, **self.parameters(parameters))

    def parameters(self, given: dict[str, object]) -> dict[str, sp.Expr]:
        """Return all parameters as SymPy values, the given ones checked for their names."""
        named = {self.synonyms.get(name, name): value for name, value in given.items()}
        unknown = sorted(set(named) - set(self.parameter_names))
        if unknown:
            allowed = ", ".join(self.parameter_names) or "none"
            raise InvalidInputError(f"{self.name} has no parameter {unknown[0]!r}; its parameters: {allowed}")
        for name, example in self.required.items():
            if name not in named:
                raise InvalidInputError(
                    f"{self.name} needs its degree {name}: write '{self.name}(x, {example})' in a formula, "
                    f"or activation({self.name!r}, {name}={example})"
                )
        return {name: parameter(name, named.get(name, self.defaults.get(name))) for name in self.parameter_names}


def parameter(name: str, value: object) -> sp.Expr:
    """Return the value of a parameter as SymPy reads it, decimals exactly.

    Raises:
        InvalidInputError: it is neither a finite real number nor a SymPy expression.
    """
    if isinstance(value, sp.Expr) and (value.free_symbols or (value.is_real and value.is_finite)):
        return value
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not _is_finite_float(value):
        raise InvalidInputError(f"parameter {name} = {value!r}: give a finite number or a SymPy expression")
    return sp.Rational(str(value))


def _is_finite_float(value: numbers.Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False


def nonzero(name: str, value: sp.Expr | int) -> sp.Expr:
    """Return a parameter by which a formula divides, refused where it is 0."""
    if value == 0:
        raise InvalidInputError(f"parameter {name} = 0: the formula divides by it, give another number")
    return sp.sympify(value)


def degree(n: sp.Expr, least: int = 0) -> int:
    """Return a degree as an integer, checked for its range."""
    if not (n.is_Integer and least <= int(n) <= _MAX_DEGREE):
        raise InvalidInputError(f"degree n = {n}: allowed are the integers {least} to {_MAX_DEGREE}")
    return int(n)


def constant(value: object) -> Callable[..., sp.Expr]:
    """Return a Lipschitz constant that does not depend on the parameters."""
    return lambda **_: sp.sympify(value)


ONE = constant(1)
UNBOUNDED = constant(sp.oo)

"""The atlas as users hold it: a record of one activation, or the index of all.

The records are those of `hermite_dual/data/atlas.json`, which `hermite-dual atlas` makes; reading them computes
nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, overload

import sympy as sp

from hermite_dual.atlases import snippets
from hermite_dual.atlases.digits import is_missing
from hermite_dual.dual import Dual, dual
from hermite_dual.errors import InvalidInputError
from hermite_dual.expressions.catalogue import lookup
from hermite_dual.notebook import Shown, Told


@dataclass(frozen=True, repr=False)
class AtlasRecord(Shown, Mapping[str, Any]):
    """What the atlas has of one activation: a mapping from fields to proven decimals, formulas and reasons.

    A number is a string, the decimal to which the exact number rounds, all of its digits proven; where not one digit is
    decided, the two ends of a proven interval. `{"because": reason}` stands for what does not exist or is not known.

    Attributes:
        content: the record as the file has it.
    """

    content: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        """Return a field."""
        return self.content[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the fields."""
        return iter(self.content)

    def __len__(self) -> int:
        """Return the number of fields."""
        return len(self.content)

    def __repr__(self) -> str:
        """Return the name, the formula, and `V(1)`."""
        constants = self.content["constants"]
        size = "" if is_missing(constants) else f", V(1) = {constants['V']}"
        return f"AtlasRecord({self.name}: {self.content['sympy']}{size})"

    def __hash__(self) -> int:
        """Return a hash of the name."""
        return hash(self.name)

    def _told(self) -> Told:
        constants = self.content["constants"]
        size = None if is_missing(constants) else constants["V"]
        return [("name", self.name), ("phi", self.content["sympy"]), ("closed_form", self.closed_form), ("V(1)", size)]

    @property
    def name(self) -> str:
        """The name in the atlas."""
        return str(self.content["name"])

    @property
    def closed_form(self) -> sp.Expr | None:
        """The dual activation in `hermite_dual.rho`, or None; it was verified against quadrature when it was derived.

        >>> atlas("erf").closed_form
        2*asin(2*rho/3)/pi
        """
        return self._form("unit")

    @property
    def closed_form_general(self) -> sp.Expr | None:
        """The kernel in `hermite_dual.q1`, `q2` and `c`, or None."""
        return self._form("general")

    def _form(self, which: str) -> sp.Expr | None:
        form = self.content["dual"].get(which, {})
        return snippets.expression(form["sympy"]) if "sympy" in form else None

    @property
    def dual(self) -> Dual:
        """The dual kernel itself, to compute what the atlas does not hold."""
        return dual(self.content["formula"])

    def to_latex(self) -> str:
        r"""Return `k(\rho) = ...` in LaTeX without dollar signs, or the activation where no closed form is known."""
        return snippets.latex(self.content)

    def to_sympy(self) -> str:
        """Return Python code that makes the closed form, or the activation, as a SymPy expression."""
        return snippets.sympy(self.content)

    def to_python(self) -> str:
        """Return Python code that evaluates the kernel, with a proven value beside it."""
        return snippets.python(self.content)


@dataclass(frozen=True, repr=False)
class Atlas(Shown, Mapping[str, AtlasRecord]):
    """The index: records by name, in the order of the file.

    Attributes:
        version: the version of the package that proved the numbers.
        scales: the scales at which fixed points, the edge and least eigenvalues are given.
        records: the records by name.
        families: families with symbolic parameters by name, each with `sympy`, `latex` and the forms of its `dual`.
    """

    version: str
    scales: dict[str, Any]
    records: dict[str, AtlasRecord]
    families: dict[str, dict[str, Any]]

    def __getitem__(self, name: str) -> AtlasRecord:
        """Return the record of a name."""
        return self.records[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.records)

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.records)

    def __repr__(self) -> str:
        """Return how many there are."""
        return f"Atlas({len(self)} activations, {len(self.where(closed_form=True))} with a closed dual)"

    def __hash__(self) -> int:
        """Return a hash of the names."""
        return hash(tuple(self.records))

    def where(self, **properties: Any) -> tuple[str, ...]:
        """Return the names of the records with the given properties.

        Args:
            **properties: `parity` ("even", "odd", "none"), `smoothness` ("polynomial", "entire", "analytic", "C^k",
                "discontinuous"), `closed_form`, `homogeneous`, `bounded`, `lipschitz` (booleans).

        Raises:
            InvalidInputError: a property is not known.

        >>> atlas().where(parity="even", homogeneous=True)
        ('abs',)
        """
        known = next(iter(self.records.values()))["properties"]
        for name in properties.keys() - known.keys():
            raise InvalidInputError(f"property {name!r} is not known; there are {', '.join(known)}")
        return tuple(
            name
            for name, record in self.records.items()
            if all(record["properties"][key] == value for key, value in properties.items())
        )


@cache
def _atlas() -> Atlas:
    text = resources.files("hermite_dual.data").joinpath("atlas.json").read_text(encoding="utf-8")
    content = json.loads(text)
    records = {record["name"]: AtlasRecord(record) for record in content["records"]}
    families = {one["name"]: one for one in content["families"]}
    return Atlas(content["version"], content["scales"], records, families)


@overload
def atlas(name: None = None) -> Atlas: ...


@overload
def atlas(name: str) -> AtlasRecord: ...


def atlas(name: str | None = None) -> Atlas | AtlasRecord:
    """Return what the atlas has of an activation, or the index of all of them.

    Args:
        name: the name of an activation in the atlas, or an alias from the catalogue.

    Raises:
        InvalidInputError: the atlas has no activation of this name.

    >>> atlas("relu")["constants"]["mu_1"]
    '0.500000000000000'
    """
    everything = _atlas()
    if name is None:
        return everything
    entry = lookup(name) if isinstance(name, str) else None
    for key in (name, entry.name if entry else None):
        if key in everything.records:
            return everything.records[key]
    raise InvalidInputError(
        f"the atlas has no activation {name!r}: hermite_dual.atlas() lists the names; of any other, hermite_dual.dual "
        "derives what the atlas would have"
    )

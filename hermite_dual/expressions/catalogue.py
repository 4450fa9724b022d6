"""The named activations, by name and by alias.

Nothing here knows a dual kernel: those are derived from the formula.
"""

import copyreg
import difflib
from collections.abc import Callable
from typing import Any

import sympy as sp

from hermite_dual.errors import InvalidInputError
from hermite_dual.expressions.catalogue_entry import CatalogueEntry
from hermite_dual.expressions.catalogue_rectifiers import FAMILIES, RECTIFIERS
from hermite_dual.expressions.catalogue_sigmoids import SIGMOIDS
from hermite_dual.expressions.spelling import name_key
from hermite_dual.notebook import MOST, Shown, formula, grid, shortened

_ENTRIES = [*RECTIFIERS, *SIGMOIDS]
_SPELLINGS = [(name, entry) for entry in (*_ENTRIES, *FAMILIES) for name in (entry.name, *entry.aliases)]
_BY_KEY = {name_key(name): entry for name, entry in reversed(_SPELLINGS)}
_VECTOR = "acts on a vector, not on each number by itself: it is no activation of one variable"
_GATE = "multiplies two halves of a vector: it is no activation of one variable"
_REFUSED = {
    **dict.fromkeys(("softmax", "logsoftmax", "softmin", "sparsemax", "maxout"), _VECTOR),
    **dict.fromkeys(("glu", "geglu", "swiglu", "reglu"), _GATE),
    "rrelu": "is random: its mean function is leaky_relu with alpha = 11/48",
    "dropout": "is random: an activation is a function of its argument alone",
}
"""Names that libraries list among their activations and that are none, each with the reason."""


def lookup(name: str) -> CatalogueEntry | None:
    """Return the entry of a name or alias (case, spaces, hyphens and underscores do not matter), or None."""
    return _BY_KEY.get(name_key(name))


def reason_against(name: str) -> str | None:
    """Return why a name that libraries know is no activation, or None."""
    return _REFUSED.get(name_key(name))


def close_names(name: str) -> list[str]:
    """Return up to three catalogue names that resemble a misspelled one, each entry once."""
    entries = [_BY_KEY[key].name for key in difflib.get_close_matches(name_key(name), list(_BY_KEY), n=6, cutoff=0.7)]
    return list(dict.fromkeys(entries))[:3]


class Catalogue(tuple[CatalogueEntry, ...], Shown):
    """The named activations, a tuple of entries; `"relu" in catalogue()` and `catalogue()["relu"]` know every name.

    >>> names = catalogue()
    >>> "Leaky ReLU" in names, names["relu"].name, len(names) == len(names.names)
    (True, 'relu', True)
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of the table."""
        return tuple(entry.name for entry in self)

    def __contains__(self, entry: object) -> bool:
        """Whether a name or alias, also one that needs a degree, or an entry, is known."""
        return lookup(entry) is not None if isinstance(entry, str) else super().__contains__(entry)

    def __getitem__(self, key: Any) -> Any:
        """Return the entry of a name or alias, or as a tuple does.

        Raises:
            InvalidInputError: no entry has this name; similar ones are named.
        """
        if not isinstance(key, str):
            return super().__getitem__(key)
        entry = lookup(key)
        if entry is None:
            close = ", ".join(close_names(key)) or ", ".join(self.names)
            raise InvalidInputError(f"no activation is named {key!r}; there are {close}")
        return entry

    def __repr__(self) -> str:
        """Return the names."""
        return shortened(f"{len(self)} activations: {', '.join(self.names)}", MOST)

    def _repr_html_(self) -> str:
        """Return a table for notebooks, a row per entry."""
        rows = [(entry.name, ", ".join(entry.aliases), entry.source, formula(entry.expression())) for entry in self]
        return grid(f"{len(self)} activations", ("name", "also called", "source", "formula"), rows)

    def __reduce__(self) -> tuple[Callable[[], "Catalogue"], tuple[()]]:
        """Pickle that it is the catalogue."""
        return catalogue, ()


def catalogue() -> Catalogue:
    """Return every entry that is an activation as it stands, in the order of the table."""
    return Catalogue(_ENTRIES)


# their formulas are functions without a name: an entry is pickled as what its name stands for
copyreg.pickle(CatalogueEntry, lambda entry: (lookup, (entry.name,)))  # type: ignore[arg-type, return-value]


def string_functions() -> dict[str, Callable[..., sp.Expr]]:
    """Return the entries as functions for the parser: `gelu(2*x)`, `elu(x, 2)`, `elu(x, alpha=2)`."""
    return {key: _string_function(entry) for key, entry in _BY_KEY.items()}


def _string_function(entry: CatalogueEntry) -> Callable[..., sp.Expr]:
    names = entry.parameter_names

    def build(argument: sp.Expr, *values: sp.Expr, **named: sp.Expr) -> sp.Expr:
        if len(values) > len(names):
            raise InvalidInputError(f"{entry.name} has {len(names)} parameter(s), received {len(values)}")
        given = dict(zip(names, values, strict=False))
        twice = sorted(set(given) & {entry.synonyms.get(name, name) for name in named})
        if twice:
            raise InvalidInputError(f"the parameter {twice[0]} is given twice")
        return entry.formula(argument, **entry.parameters(given | named))

    build.parameter_names = names  # type: ignore[attr-defined]
    return build

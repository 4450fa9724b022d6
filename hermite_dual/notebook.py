"""How results show themselves: a call at the prompt, a small table in notebooks.

Every text is escaped, so that no name of an activation becomes markup.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from enum import Enum
from html import escape
from typing import Any

import numpy as np
import sympy as sp

Told = list[tuple[str, Any]]
"""Names and values of what a result shows of itself."""
Cell = object
"""A value of a cell: floats are shown to six digits, all else as its text."""

MOST = 800
"""Characters of a result at the prompt, ten lines of a narrow terminal."""
_LONGEST = 200
"""Characters of one value of it."""
_NESTED = 80
"""Characters of a result inside another one, and the most values of a list that are told."""
_LONGEST_LATEX = 1500
"""Characters of a formula that a page still shows as one."""

_BOX = "overflow: auto hidden; padding-bottom: 0.3em"
"""Wide formulas scroll inside their box."""


class Shown:
    """A result that says what it is, at the prompt and in notebooks, without its vectors and functions."""

    def _told(self) -> Told:
        """Names and values that are shown: of a dataclass its public fields."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return [(one.name, getattr(self, one.name)) for one in fields if one.repr]

    def _in_short(self) -> str:
        """How it stands inside another result."""
        return shortened(repr(self), _NESTED)

    def __repr__(self) -> str:
        """Return a call with the values that a line holds, at most ten lines."""
        values = [(name, told(value)) for name, value in self._told()]
        inside = ", ".join(f"{name}={text}" for name, text in values if text is not None)
        return shortened(f"{type(self).__name__}({inside})", MOST)

    def _repr_html_(self) -> str:
        """Return a small table for notebooks; a reason stands below it."""
        values = dict(self._told())
        note = values.pop("reason", None)
        outcome = values.pop("outcome", None)
        title = type(self).__name__ + ("" if outcome is None else f": {told(outcome)}")
        rows = [(name, text) for name, value in values.items() if (text := _in_html(value)) is not None]
        return facts(title, rows, note or "")

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the values of a pickle, and make arrays read-only again."""
        vars(self).update(state)
        if hasattr(self, "__post_init__"):
            self.__post_init__()


def told(value: Any) -> str | None:
    """Say a value in a line: of an array its shape, None of functions and of objects without a text.

    Args:
        value: whatever a result has.
    """
    if isinstance(value, Shown):
        return value._in_short()
    if isinstance(value, sp.Basic):
        return shortened(str(value))
    if isinstance(value, str):
        return shortened(repr(str(value)))
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, (tuple, list, Mapping)) and len(value) > _NESTED:
        return f"<{len(value)} values>"  # without a look at each
    if isinstance(value, (tuple, list)):
        return _several([told(item) for item in value], "()", value)
    if isinstance(value, Mapping):
        items = [(key, told(item)) for key, item in value.items()]
        return _several([None if text is None else f"{key}: {text}" for key, text in items], "{}", value)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"<{' x '.join(map(str, value.shape))} numbers>"
    if callable(value) or getattr(type(value), "__repr__", None) is object.__repr__:
        return None
    return shortened(repr(value))


def shortened(text: str, most: int = _LONGEST) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def formula(expression: sp.Basic) -> str:
    """Return an expression as notebooks set it, as its text where it would fill a page."""
    latex = sp.latex(expression, inv_trig_style="full")
    return f"$\\displaystyle {latex}$" if len(latex) <= _LONGEST_LATEX else shortened(str(expression))


def _several(texts: list[str | None], ends: str, values: Any) -> str | None:
    """Say several values, or how many there are."""
    if texts and all(text is None for text in texts):
        return None
    whole = ends[0] + ", ".join(map(str, texts)) + ends[1]
    return whole if None not in texts and len(whole) <= _LONGEST else f"<{len(values)} values>"


def _in_html(value: Any) -> str | None:
    if isinstance(value, sp.Basic):
        return formula(value)
    return value if isinstance(value, str) else told(value)


def facts(title: str, rows: Iterable[tuple[str, Cell]], note: str = "") -> str:
    """Return a small table of names and values.

    Args:
        title: what it is of, shown above.
        rows: pairs of a name and a value.
        note: a sentence below the table.
    """
    body = "".join(f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in rows)
    return _block(title, f"<table><tbody>{body}</tbody></table>", note)


def grid(title: str, head: Iterable[str], rows: Iterable[Iterable[Cell]], note: str = "") -> str:
    """Return a table with a head.

    Args:
        title: what it is of, shown above.
        head: the names of the columns.
        rows: the cells of each row.
        note: a sentence below the table.
    """
    titles = "".join(f"<th>{_text(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return _block(title, f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>", note)


def number(value: float) -> str:
    """Return six digits."""
    return f"{value:.6g}"


def _block(title: str, table: str, note: str) -> str:
    below = f"<p>{_text(note)}</p>" if note else ""
    return f'<div><p><b>{_text(title)}</b></p><div style="{_BOX}">{table}</div>{below}</div>'


def _text(value: Cell) -> str:
    return escape(number(value) if isinstance(value, float) else str(value))

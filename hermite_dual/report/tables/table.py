"""Tables of activations: exact formulas and proven digits, in the formats that papers and pages take."""

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import ArrayLike

from hermite_dual.activation import ActivationLike, activation
from hermite_dual.arrays import Array
from hermite_dual.data.atomic import atomic_path
from hermite_dual.data.dataframes import dataframe
from hermite_dual.data.files import check_samples
from hermite_dual.deq import DEQ
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import check_count
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown, Told
from hermite_dual.population.entries.inputs import rows_text
from hermite_dual.progress import Progress
from hermite_dual.report.tables import cells, html, latex, markdown, plain
from hermite_dual.report.tables.cells import Cell, Heading, Text
from hermite_dual.report.tables.columns import Column, read_columns
from hermite_dual.report.tables.subject import Subject

Layout = Literal["wide", "long"]
PaperLayout = Literal["wide", "long", "split"]

DEFAULT_COLUMNS = ("name", "expression", "dual", "coefficients", "lipschitz", "second_derivative", "sigma_w_finite")
_MOST_DIGITS = 12
_NARROW = 130
"""Characters of a row that a page holds: formulas are set in about half of what SymPy writes."""
_MOST_COEFFICIENTS = 64
_PAPERS_SIGMA_W2 = 0.08


@dataclass(frozen=True, repr=False)
class Table(Shown):
    """A table of activations.

    Every number is proven: the digits of a number are those to which the exact number rounds, intervals are rounded
    outwards and lower bounds down. What an activation does not have is a dash with its reason below the table.

    Attributes:
        columns: the columns.
        rows: the cells, a row per activation.
        parameters: the model's scales and the size of the data, as far as columns depend on them.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    parameters: dict[str, Any]

    def _told(self) -> Told:
        keys = tuple(column.key for column in self.columns)
        return [("columns", keys), ("rows", len(self.rows)), ("parameters", self.parameters)]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give a row after the other, values by the keys of the columns; see `to_dataframe`."""
        keys = [column.key for column in self.columns]
        return (dict(zip(keys, map(cells.value, row), strict=True)) for row in self.rows)

    def to_dataframe(self) -> Any:
        """Return a `pandas.DataFrame`, a row per activation, its columns named by their keys.

        Formulas are SymPy expressions, numbers and lower bounds floats, intervals pairs of floats, and None stands
        where there is nothing to show.

        Raises:
            ImportError: pandas is not installed.
        """
        return dataframe(self, [column.key for column in self.columns])

    def to_latex(
        self,
        *,
        caption: str | None = None,
        label: str | None = None,
        layout: PaperLayout | None = None,
        siunitx: bool = True,
        fit: bool = False,
    ) -> str:
        r"""Return LaTeX tables; a comment names the packages that they need.

        Args:
            caption: LaTeX of the caption; by default the parameters.
            label: the label, for `\ref`.
            layout: `"wide"`, a `table` with a row per activation, below which long formulas stand; `"long"`, a
                `longtable` with a row per activation and quantity; `"split"`, a long one of the formulas and a wide one
                of the numbers, whose label ends in `-numbers`. By default wide where that is narrow, else split.
            siunitx: write numbers as `\num{...}`; otherwise in plain math.
            fit: scale a wide table to the width of the text.
        """
        chosen: PaperLayout = layout or ("wide" if fit or self._is_narrow() else "split")
        if chosen == "split" and (parts := self._split()):
            formulas = parts[0].to_latex(caption=caption, label=label, layout="long", siunitx=siunitx)
            behind = None if label is None else f"{label}-numbers"
            numbers = parts[1].to_latex(caption=caption, label=behind, layout="wide", siunitx=siunitx, fit=fit)
            return f"{formulas}\n{numbers}"
        layout = "wide" if chosen == "split" else chosen
        head, body, title = self._head(layout, latex=True), self._body(layout), self._caption(caption)
        if layout == "wide":
            return latex.table(head, body, title, label, siunitx, fit)
        if fit:
            raise InvalidInputError("fit=True is for the wide layout: the long one folds its last column")
        return latex.long_table(head, body, title, label, siunitx)

    def to_markdown(self, *, layout: Layout = "wide") -> str:
        """Return a table in GitHub's Markdown, formulas between dollar signs, reasons as a list below."""
        return markdown.table(self._head(layout), self._body(layout))

    def to_html(self, *, layout: Layout = "wide", caption: str | None = None) -> str:
        """Return an HTML `table` with formulas in MathML, which needs no script."""
        return html.table(self._head(layout), self._body(layout), caption)

    def to_csv(self, *, layout: Layout = "wide") -> str:
        """Return comma-separated values; formulas as SymPy reads them."""
        return plain.csv_text(self._head(layout), self._body(layout))

    def to_dict(self) -> dict[str, Any]:
        """Return every cell's enclosure, formula or reason by the columns' keys, and the parameters."""
        return plain.content([column.key for column in self.columns], self.rows, self.parameters)

    def to_json(self) -> str:
        """Return `to_dict()` as JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    def to_text(self, *, layout: Layout = "wide") -> str:
        """Return a plain table for terminals."""
        return plain.text(self._head(layout), self._body(layout))

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write the table in the format of the file's ending: .tex, .md, .html, .csv, .json or .txt.

        Args:
            path: the file; it is complete or absent.
            options: what the format's method takes.
        """
        target = Path(path)
        writers: dict[str, Callable[..., str]] = {
            ".tex": self.to_latex,
            ".md": self.to_markdown,
            ".html": self.to_html,
            ".csv": self.to_csv,
            ".json": self.to_json,
            ".txt": self.to_text,
        }
        if target.suffix not in writers:
            raise InvalidInputError(f"file {str(path)!r}: the ending tells the format; there are {', '.join(writers)}")
        content = writers[target.suffix](**options)
        with atomic_path(target) as temporary:
            temporary.write_text(content, encoding="utf-8", newline="")
        return target

    def __str__(self) -> str:
        """Return the table for terminals, the long layout where it would be very wide."""
        return self.to_text(layout="long" if len(self.columns) > 6 else "wide")

    def _repr_html_(self) -> str:
        return self.to_html()

    def _is_narrow(self) -> bool:
        cells = [self._head("wide"), *plain.cells(self.rows)]
        return sum(max(map(len, column)) for column in zip(*cells, strict=True)) <= _NARROW

    def _split(self) -> "tuple[Table, Table] | None":
        """A table of the formulas and one of the numbers, both with the names; None where one would be empty."""
        tables = []
        for formulas in (True, False):
            chosen = [k for k, column in enumerate(self.columns) if column.key == "name" or column.formulas is formulas]
            if all(self.columns[k].key == "name" for k in chosen):
                return None
            rows = tuple(tuple(row[k] for k in chosen) for row in self.rows)
            tables.append(Table(tuple(self.columns[k] for k in chosen), rows, self.parameters))
        return tables[0], tables[1]

    def _head(self, layout: Layout, latex: bool = False) -> list[str]:
        if layout == "long":
            return ["activation", "quantity", "value"]
        if layout != "wide":
            raise InvalidInputError(f"layout = {layout!r}: allowed are 'wide' and 'long'")
        return [column.latex if latex else column.heading for column in self.columns]

    def _body(self, layout: Layout) -> list[list[Cell]]:
        if layout == "wide":
            return [list(row) for row in self.rows]
        keys = [column.key for column in self.columns]
        names = [row[keys.index("name")] for row in self.rows] if "name" in keys else None
        body: list[list[Cell]] = []
        for index, row in enumerate(self.rows):
            name = names[index] if names else Text(f"row {index + 1}")
            body += [
                [name, Heading(column.heading, column.latex), cell]
                for column, cell in zip(self.columns, row, strict=True)
                if column.key != "name"
            ]
        return body

    def _caption(self, caption: str | None) -> str:
        if caption is not None:
            return caption
        numbers = [
            f"${latex.GREEK[key]} = {value:.6g}$" for key, value in self.parameters.items() if key in latex.GREEK
        ]
        data = self.parameters.get("samples")
        rows = str(self.parameters.get("rows")).replace("sqrt(d)", r"$\sqrt{d}$")
        ending = f"; data of {data[0]} rows and {data[1]} columns, {rows}" if data else ""
        return f"Activations and their dual kernels; {', '.join(numbers)}{ending}."


@own_float_state
def table(
    activations: ActivationLike | Iterable[ActivationLike],
    columns: Sequence[str] | None = None,
    *,
    data: ArrayLike | None = None,
    sigma_w2: float | None = None,
    sigma_w: float | None = None,
    sigma_u: float | None = None,
    sigma_b: float = 0.0,
    coefficients: int = 4,
    digits: int = 6,
    progress: Progress | None = None,
) -> Table:
    """Return a table of activations with exact formulas and proven digits.

    Args:
        activations: names, expressions, or whatever `hermite_dual.activation` reads.
        columns: which columns, in order. `"name"`, `"expression"`, `"dual"` (the dual activation in closed form),
            `"derivative_dual"`, `"coefficients"` (the first Hermite coefficients at variance 1), `"variance"` (the
            fixed point `q = sigma_w^2 E[phi(sqrt(q) Z)^2] + sigma_u^2 + sigma_b^2` of rows of norm sqrt(d)),
            `"lipschitz"` (`L = sup |phi'|`), `"second_derivative"` (`sup |phi''|`), `"sigma_w"` (`1/L`, below which
            the population Gram matrix exists), `"sigma_w_finite"` (`1/(2L)`, below which wide networks contract, the
            papers' `s^2 < 1/(8 L^2)`), `"mu_0"`, `"mu_1"`, `"mu_star"`, `"zeta"` and `"eta"` (those of
            `Dual.constants`, at variance 1), and with data `"lambda"` (a proven interval of the least eigenvalue of the
            population Gram matrix) and the theory's lower bounds `"ling"`, `"khatri_rao"`, `"hermite_gershgorin"`
            with the percentage of it that they reach.
        data: samples, shape (n, d); taken as they are, see `hermite_dual.on_sphere`.
        sigma_w2: `s^2` of the papers' convention (`hermite_dual.DEQ.paper`); 0.08 if no scale is given.
        sigma_w: recurrent scale; excludes sigma_w2.
        sigma_u: input scale, with sigma_w; 1 by default.
        sigma_b: bias scale, with sigma_w.
        coefficients: how many Hermite coefficients `"coefficients"` stands for.
        digits: significant digits, 1 to 12; fewer are shown where fewer are proven.
        progress: called with "activations", and how many of how many are done.

    Raises:
        InvalidInputError: an activation, a column or an option is not known or out of range, or a column needs data.

    >>> found = table(["relu", "erf"], ["name", "dual", "lipschitz"])
    >>> print(found.to_csv(), end="")
    activation,dual,L
    relu,(rho*(pi - acos(rho)) + sqrt(1 - rho**2))/(2*pi),1
    erf,2*asin(2*rho/3)/pi,1.12838
    """
    digits = check_count("digits", digits, 1, "the number of significant digits", _MOST_DIGITS)
    coefficients = check_count("coefficients", coefficients, 0, "how many are wanted", _MOST_COEFFICIENTS)
    if columns is not None and not (isinstance(columns, Sequence) and all(isinstance(key, str) for key in columns)):
        raise InvalidInputError(f"columns = {columns!r}: allowed are lists of names, such as ['name', 'dual']")
    chosen = read_columns(list(columns or DEFAULT_COLUMNS), coefficients)
    if data is None and (about := [column.key for column in chosen if column.needs_data]):
        raise InvalidInputError(f"columns {', '.join(about)} are about samples: pass data=X, shape (n, d)")
    named = [activation(one) for one in ([activations] if _is_one(activations) else activations)]
    if not named:
        raise InvalidInputError("activations is empty: name at least one, such as ['relu', 'tanh']")
    samples = None if data is None else check_samples(data, "data")
    rows = []
    for index, phi in enumerate(named):
        subject = Subject(phi, _model(phi, sigma_w2, sigma_w, sigma_u, sigma_b), samples, digits)
        rows.append(tuple(column.of(subject) for column in chosen))
        if progress is not None:
            progress("activations", index + 1, len(named))
    return Table(tuple(chosen), tuple(rows), _parameters(subject.model, samples, digits))


def _is_one(activations: object) -> bool:
    return not isinstance(activations, Iterable) or isinstance(activations, str)


def _model(
    phi: ActivationLike, sigma_w2: float | None, sigma_w: float | None, sigma_u: float | None, sigma_b: float
) -> DEQ:
    if sigma_w is None:
        if sigma_u is not None or sigma_b:
            raise InvalidInputError("sigma_u and sigma_b go with sigma_w: give it as well, or sigma_w2 alone")
        return DEQ.paper(phi, _PAPERS_SIGMA_W2 if sigma_w2 is None else sigma_w2)
    if sigma_w2 is not None:
        raise InvalidInputError("sigma_w and sigma_w2 exclude each other: give one")
    return DEQ(phi, sigma_w, 1.0 if sigma_u is None else sigma_u, sigma_b)


def _parameters(model: DEQ, samples: Array | None, digits: int) -> dict[str, Any]:
    return {
        "sigma_w": model.sigma_w,
        "sigma_u": model.sigma_u,
        "sigma_b": model.sigma_b,
        "s2": model.sigma_w**2 / 2 if math.isclose(model.sigma_u**2, 2.0) and not model.sigma_b else None,
        "samples": None if samples is None else list(samples.shape),
        "rows": None if samples is None else rows_text(samples),
        "digits": digits,
    }

"""What a cell of a table holds, before any format."""

from dataclasses import dataclass
from typing import Any

import sympy as sp


@dataclass(frozen=True)
class Text:
    """Plain words."""

    value: str


@dataclass(frozen=True)
class Formula:
    """An exact expression.

    Attributes:
        value: the expression.
    """

    value: sp.Expr


@dataclass(frozen=True)
class Number:
    """A number in proven digits.

    Attributes:
        digits: the decimal to which the exact number rounds.
        lower: lower end of the enclosure.
        upper: upper end of the enclosure.
    """

    digits: str
    lower: float
    upper: float

    def __str__(self) -> str:
        """Return the digits."""
        return self.digits


@dataclass(frozen=True)
class Interval:
    """A proven interval, rounded outwards.

    Attributes:
        low: decimal not above the lower end.
        high: decimal not below the upper end.
        lower: lower end.
        upper: upper end.
    """

    low: str
    high: str
    lower: float
    upper: float

    def __str__(self) -> str:
        """Return the interval between brackets."""
        return f"[{self.low}, {self.high}]"


@dataclass(frozen=True)
class LowerBound:
    """A proven lower bound with the fraction of the least eigenvalue that it reaches.

    Attributes:
        digits: decimal not above the bound.
        value: the bound.
        tightness: the bound over a proven upper bound of the least eigenvalue.
        percent: the tightness in percent, rounded down.
    """

    digits: str
    value: float
    tightness: float
    percent: str

    def __str__(self) -> str:
        """Return the bound and the percentage."""
        return f"{self.digits} ({self.percent} %)"


@dataclass(frozen=True)
class Missing:
    """Nothing to show, and why.

    Attributes:
        reason: a sentence.
        shown: what stands in the cell.
    """

    reason: str
    shown: str = "—"


@dataclass(frozen=True)
class Heading:
    """The heading of a column, where it stands in a row.

    Attributes:
        value: plain text.
        latex: the same in LaTeX.
    """

    value: str
    latex: str


Cell = Heading | Text | Formula | Number | Interval | LowerBound | Missing


def value(cell: Cell) -> Any:
    """Return what a cell holds as Python has it: text, an expression, a float, a pair of floats, or None."""
    match cell:
        case Heading(value) | Text(value) | Formula(value):
            return value
        case Number(digits):
            return float(digits)
        case Interval(_, _, lower, upper):
            return lower, upper
        case LowerBound(_, bound):
            return bound
    return None

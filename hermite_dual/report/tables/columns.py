"""The columns that a table can have: a heading, and the cell of an activation."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from flint import arb

from hermite_dual.certified.balls.precision import exact_fraction
from hermite_dual.certified.suprema.constants import DerivativeBound
from hermite_dual.errors import HermiteDualError, InvalidInputError
from hermite_dual.outcome import Outcome
from hermite_dual.population.theorem.fixed_point_variance import fixed_point_variance
from hermite_dual.report.tables.cells import Cell, Formula, Interval, LowerBound, Missing, Number, Text
from hermite_dual.report.tables.decimals import outward_interval, proven_decimal, rounded_down
from hermite_dual.report.tables.subject import Subject
from hermite_dual.symbolic.coefficient_integral import CoefficientIntegral

_SHORT = 12
"""Operations up to which an exact coefficient is shown in place of its digits."""
_NARROW = 24
"""Characters up to which it is."""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        key: how users name it.
        heading: plain heading.
        latex: the heading in LaTeX.
        cell: what stands in it for an activation.
        needs_data: whether it is about samples.
        formulas: whether its cells are formulas, too long for a column among others.
    """

    key: str
    heading: str
    latex: str
    cell: Callable[[Subject], Cell] = field(compare=False)
    needs_data: bool = False
    formulas: bool = False

    def __reduce__(self) -> "tuple[Callable[[str], Column], tuple[str]]":
        """Pickle the key, of which the column is made again."""
        return column_of, (self.key,)

    def of(self, subject: Subject) -> Cell:
        """Return the cell; where an activation has none, the reason."""
        try:
            return self.cell(subject)
        except HermiteDualError as error:
            return Missing(str(error))


def read_columns(keys: list[str], coefficients: int) -> list[Column]:
    """Return the columns of the given keys; `"coefficients"` stands for the first few `a_r`."""
    chosen: list[Column] = []
    for key in keys:
        if key == "coefficients":
            chosen += [_coefficient_column(r) for r in range(coefficients)]
        elif key in COLUMNS:
            chosen.append(COLUMNS[key])
        else:
            known = ", ".join([*COLUMNS, "coefficients"])
            raise InvalidInputError(f"column {key!r} is not known; there are {known}")
    return chosen


def column_of(key: str) -> Column:
    """Return a column that a table has, of its key."""
    return COLUMNS[key] if key in COLUMNS else _coefficient_column(int(key.removeprefix("a")))


def _expression(subject: Subject) -> Cell:
    if subject.activation.expr is None:
        return Missing(f"{subject.activation.name} is a Python function: only a formula has exact results")
    return Formula(subject.activation.expr)


def _dual(subject: Subject) -> Cell:
    form = subject.dual.closed_form
    return Missing(subject.dual.no_closed_form_because or "no closed form") if form is None else Formula(form)


def _derivative_dual(subject: Subject) -> Cell:
    form = subject.dual.derivative_closed_form()
    return Missing(form.reason or "no closed form") if form.unit is None else Formula(form.unit)


def _coefficient_column(r: int) -> Column:
    def cell(subject: Subject) -> Cell:
        exact = subject.dual.coefficient(r)
        short = exact.count_ops() <= _SHORT and len(str(exact)) <= _NARROW
        if exact.is_number and not exact.has(CoefficientIntegral) and short:
            return Formula(exact)
        return _number(subject.dual.coefficient_balls(r + 1, digits=subject.digits + 6)[r], subject.digits)

    return Column(f"a{r}", f"a_{r}", rf"$a_{{{r}}}$", cell)


def _constant_column(key: str, latex: str) -> Column:
    def cell(subject: Subject) -> Cell:
        balls = subject.dual.constants(digits=subject.digits + 6).balls
        if key not in balls:
            return Missing("mu_* = 0: the activation is affine", shown="∞")
        return _number(balls[key], subject.digits)

    return Column(key, key.replace("star", "*"), latex, cell)


def _number(ball: arb, digits: int) -> Cell:
    return _enclosed(exact_fraction(ball.lower()), exact_fraction(ball.upper()), digits)


def _enclosed(lower: Fraction, upper: Fraction, digits: int) -> Cell:
    shown = proven_decimal(lower, upper, digits)
    if shown is None:
        few = 1 if lower <= 0 <= upper else digits
        return Interval(*outward_interval(lower, upper, few), *_floats_around(lower, upper))
    return Number(shown, *_floats_around(lower, upper))


def _floats_around(lower: Fraction, upper: Fraction) -> tuple[float, float]:
    low, high = float(lower), float(upper)
    low = math.nextafter(low, -math.inf) if Fraction(low) > lower else low
    high = math.nextafter(high, math.inf) if Fraction(high) < upper else high
    return low, high


def _supremum(bound: DerivativeBound, digits: int) -> Cell:
    if bound.outcome is Outcome.REFUTED:
        return Missing(bound.reason, shown="∞")
    if bound.outcome is Outcome.UNDECIDED:
        return Missing(bound.reason)
    return _enclosed(Fraction(bound.lower), Fraction(bound.upper), digits)


def _largest_sigma_w(subject: Subject, factor: int) -> Cell:
    bound = subject.slopes[0]
    if bound.outcome is not Outcome.PROVEN or bound.lower == 0.0:
        return Missing("every sigma_w is admissible" if bound.upper == 0.0 else bound.reason)
    return _enclosed(1 / (factor * Fraction(bound.upper)), 1 / (factor * Fraction(bound.lower)), subject.digits)


def _variance(subject: Subject) -> Cell:
    lower, upper = fixed_point_variance(subject.activation, subject.model.sigma_w, subject.inner)
    return _enclosed(lower, upper, subject.digits)


def _least_eigenvalue(subject: Subject) -> Cell:
    bounds = subject.least_eigenvalue
    if bounds.outcome is not Outcome.PROVEN or not (math.isfinite(bounds.lower) and math.isfinite(bounds.upper)):
        return Missing(bounds.reason or "no proven bound")
    lower, upper = Fraction(bounds.lower), Fraction(bounds.upper)
    return Interval(*outward_interval(lower, upper, 2), bounds.lower, bounds.upper)


def _theory_column(key: str, name: str) -> Column:
    def cell(subject: Subject) -> Cell:
        bound = subject.theory[name]
        above = subject.least_eigenvalue.upper
        share = Fraction(bound.value) / Fraction(above) if 0.0 < above < math.inf else Fraction(0)
        shown = rounded_down(Fraction(bound.value), subject.digits)
        return LowerBound(shown, bound.value, float(share), rounded_down(100 * share, 2))

    return Column(key, f"{name} bound", f"{name} bound", cell, needs_data=True)


COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        Column("name", "activation", "activation", lambda subject: Text(subject.activation.name)),
        Column("expression", "phi(x)", r"$\varphi(x)$", _expression, formulas=True),
        Column("dual", "dual", r"$\hat\varphi(\rho)$", _dual, formulas=True),
        Column("derivative_dual", "dual of derivative", r"$\hat{\varphi'}(\rho)$", _derivative_dual, formulas=True),
        Column("variance", "variance q*", r"$q^*$", _variance),
        Column("lipschitz", "L", r"$L$", lambda subject: _supremum(subject.slopes[0], subject.digits)),
        Column(
            "second_derivative",
            "sup |phi''|",
            r"$\sup|\varphi''|$",
            lambda subject: _supremum(subject.slopes[1], subject.digits),
        ),
        Column("sigma_w", "sigma_w below", r"$1/L$", lambda subject: _largest_sigma_w(subject, 1)),
        Column("sigma_w_finite", "sigma_w below (networks)", r"$1/(2L)$", lambda subject: _largest_sigma_w(subject, 2)),
        _constant_column("mu_0", r"$\mu_0$"),
        _constant_column("mu_1", r"$\mu_1$"),
        _constant_column("mu_star", r"$\mu_*$"),
        _constant_column("zeta", r"$\zeta$"),
        _constant_column("eta", r"$\eta$"),
        Column("lambda", "lambda_*", r"$\lambda_*$", _least_eigenvalue, needs_data=True),
        _theory_column("ling", "Ling"),
        _theory_column("khatri_rao", "Khatri-Rao"),
        _theory_column("hermite_gershgorin", "Hermite-Gershgorin"),
    )
}

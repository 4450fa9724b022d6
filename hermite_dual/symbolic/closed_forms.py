"""Dual kernels and their derivatives, derived as closed forms in q1, q2, c and in rho.

No table of known duals is consulted: an activation is rewritten into the class of `hermite_dual.symbolic.terms`, the
expectation of every pair of terms is computed by the algebra of `hermite_dual.symbolic.gaussian_integrals`, and the
sum is written as shortly as it can be.

Derivation: docs/theory/closed_forms.md, "The derivative".
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import sympy as sp

from hermite_dual import symbols
from hermite_dual.errors import InvalidInputError
from hermite_dual.notebook import Shown
from hermite_dual.shape.numbers import RealZero, UndecidedError, as_printed, sign_of
from hermite_dual.shape.shape import Shape
from hermite_dual.symbolic.assembly import assemble
from hermite_dual.symbolic.gaussian_integrals import PARAMETERS_REMEDY, Summand, expect_product
from hermite_dual.symbolic.ground import Ground
from hermite_dual.symbolic.polynomials import shortest
from hermite_dual.symbolic.rewriting import to_terms
from hermite_dual.symbolic.terms import FormTooLongError, OutsideClassError, Term, differentiate, group_terms

_LARGEST_INTEGER, _DIGITS = 2**53, 30
LONG_NUMBER = 10**6
"""Rational numbers with a larger numerator or denominator are carried as symbols, so that forms keep their shape."""
_RESERVED = {"q1", "q2", "c", "rho"}
MAX_PAIRS = 1600
"""Most pairs of terms that are integrated."""
_MOST_SIGNS = 2
"""Parameters of unknown sign for which both signs are tried."""
_SAMPLES = 4
Covariance = tuple[sp.Expr, sp.Expr, sp.Expr]  # notation: Var u, Cov(u, v), Var v


@dataclass(frozen=True, repr=False)
class DualForm(Shown):
    """A derived dual kernel.

    Attributes:
        general: `E[phi(u) psi(v)]` in q1, q2, c, or None.
        unit: the same in rho at variances 1, or None.
        reason: why a form is None, a full sentence; None when both are there. The general form alone is None where it
            would fill pages, the unit form alone where the integrals diverge at variance 1.
    """

    general: sp.Expr | None
    unit: sp.Expr | None
    reason: str | None = None


def derive_dual(phi: Shape) -> DualForm:
    r"""Derive the dual kernel of an activation.

    $$k(q_1, q_2, c) = E[\phi(u) \phi(v)], \quad (u, v) \sim N(0, [[q_1, c], [c, q_2]]).$$

    Valid for $c^2 \le q_1 q_2$, and where $4 a q < 1$ for every factor $\exp(a x^2)$ of the activation. Parameters
    are taken to be real.

    Args:
        phi: the activation, a formula; symbols other than its variable are parameters.

    Returns:
        The forms, or the reason why there is none in the class. Results are cached.

    >>> x = sp.Symbol("x", real=True)
    >>> derive_dual(Shape(sp.Max(x, 0), x)).unit
    (rho*(pi - acos(rho)) + sqrt(1 - rho**2))/(2*pi)
    >>> derive_dual(Shape(sp.erf(x) ** 2, x)).general is None
    True
    """
    return derive_cross_dual(phi, phi)


def derive_cross_dual(left: Shape, right: Shape) -> DualForm:
    """Derive `E[left(u) right(v)]` for two activations.

    Args:
        left: the activation of u, a formula.
        right: the activation of v, a formula.

    Returns:
        The forms, or the reason why there is none in the class. Results are cached.

    >>> x = sp.Symbol("x", real=True)
    >>> derive_cross_dual(Shape(sp.sign(x), x), Shape(x, x)).general
    sqrt(2)*c/(sqrt(pi)*sqrt(q1))
    """
    second = right.formula.xreplace({right.symbol: left.symbol})
    return _for_all_signs(as_printed(left.formula), as_printed(second), left.symbol, False)


def derive_derivative_dual(
    phi: Shape, by: Literal["direct", "price"] = "direct", other: Shape | None = None
) -> DualForm:
    r"""Derive the dual of the derivative, `E[phi'(u) phi'(v)]`, or `E[phi'(u) psi'(v)]`.

    `by="direct"` differentiates the activation and integrates; `by="price"` differentiates the dual,
    $\partial k / \partial c$ (Price's theorem). The two are equal. Where the activation jumps, phi' contains Dirac
    measures; both ways then give the derivative in the sense of distributions, which is infinite at |rho| = 1 and is
    the derivative of k, not the dual of an ordinary function.

    Args:
        phi: the activation, a formula.
        by: which derivation.
        other: psi; phi itself by default.

    Returns:
        The forms, or the reason why there is none in the class. Results are cached.

    Raises:
        InvalidInputError: `by` is neither of the two.

    >>> x = sp.Symbol("x", real=True)
    >>> derive_derivative_dual(Shape(sp.Max(x, 0), x)).unit
    (pi - acos(rho))/(2*pi)
    """
    psi = phi if other is None else other
    if by == "direct":
        second = psi.formula.xreplace({psi.symbol: phi.symbol})
        return _for_all_signs(as_printed(phi.formula), as_printed(second), phi.symbol, True)
    if by != "price":
        raise InvalidInputError(f"by must be 'direct' or 'price', got {by!r}")
    return differentiated(derive_cross_dual(phi, psi))


@lru_cache(maxsize=512)
def differentiated(dual: DualForm) -> DualForm:
    """Differentiate both forms of a kernel in the covariance, the unit form in rho."""
    forms = []
    for form, variable in ((dual.general, symbols.c), (dual.unit, symbols.rho)):
        slope = None if form is None else sp.diff(form, variable)
        forms.append(None if slope is None else shortest([slope, sp.factor_terms(slope)]))
    return DualForm(forms[0], forms[1], dual.reason)


@lru_cache(maxsize=512)
def _for_all_signs(left: sp.Expr, right: sp.Expr, symbol: sp.Symbol, derivative: bool) -> DualForm:
    """Derive for either sign of a parameter on which the direction of a normal CDF depends; both forms must be one."""
    unknown = sorted(_unknown_signs(left, symbol) | _unknown_signs(right, symbol), key=str)[:_MOST_SIGNS]
    forms = []
    for signs in itertools.product((1, -1), repeat=len(unknown)):
        positive = [sp.Symbol(name.name, positive=True) for name in unknown]
        there = {name: sign * stand_in for name, sign, stand_in in zip(unknown, signs, positive, strict=True)}
        back = {stand_in: sign * name for name, sign, stand_in in zip(unknown, signs, positive, strict=True)}
        derived = _cached(left.xreplace(there), right.xreplace(there), symbol, derivative)
        both = [None if form is None else form.xreplace(back) for form in (derived.general, derived.unit)]
        forms.append(DualForm(both[0], both[1], derived.reason))
    first = forms[0]
    if all(_same(a, b) for form in forms[1:] for a, b in ((first.general, form.general), (first.unit, form.unit))):
        return first
    names = ", ".join(map(str, unknown))
    return DualForm(None, None, f"The form depends on the sign of {names}: declare it positive or negative.")


def _unknown_signs(expr: sp.Expr, symbol: sp.Symbol) -> set[sp.Symbol]:
    """Return the parameters that decide the direction of a normal CDF, their signs not being known."""
    unknown: set[sp.Symbol] = set()
    for node in expr.atoms(sp.erf, sp.erfc):
        slope = sp.diff(node.args[0], symbol)
        try:
            if slope.free_symbols and symbol not in slope.free_symbols:
                sign_of(slope)
        except UndecidedError:
            unknown |= {name for name in slope.free_symbols if name.is_positive is None and name.is_negative is None}
    return unknown


def _same(first: sp.Expr | None, second: sp.Expr | None) -> bool:
    """Whether two forms agree, at random values of all symbols to 30 digits where not literally."""
    if first is None or second is None or first == second:
        return first is second or first == second
    names = sorted(first.free_symbols | second.free_symbols, key=str)
    for k in range(_SAMPLES):
        # variances above the covariance; parameters of both signs
        values = {name: (-1) ** (i + k) * sp.Rational(7 * i + 3 * k + 2, 11) for i, name in enumerate(names)}
        values |= {symbols.q1: sp.Rational(5 + k, 4), symbols.q2: sp.Rational(9 + k, 7), symbols.c: sp.Rational(k, 5)}
        values |= {symbols.rho: sp.Rational(2 * k - 3, 5)}
        gap = (first - second).subs(values).evalf(_DIGITS, maxn=200)
        if not (gap.is_number and abs(gap) < sp.Float(10) ** (8 - _DIGITS)):
            return False
    return True


@lru_cache(maxsize=512)
def _cached(left: sp.Expr, right: sp.Expr, symbol: sp.Symbol, derivative: bool) -> DualForm:
    """Derive once; first with long numbers as symbols, then, if that leaves something open, with the numbers."""
    clash = {name for name in (left.free_symbols | right.free_symbols) - {symbol} if name.name in _RESERVED}
    if clash:
        taken = ", ".join(sorted(str(name) for name in clash))
        return DualForm(None, None, f"The parameter {taken} has the name of an argument of the kernel: rename it.")
    names = _long_numbers(left) | _long_numbers(right)
    try:
        actual = [_terms(expr, symbol, derivative) for expr in (left, right)]
        unit_reason = _why_no_unit_form(*actual)
        if names:
            try:
                shapes = [_terms(_abbreviate(expr, names), symbol, derivative) for expr in (left, right)]
                return _derive(shapes[0], shapes[1], unit_reason, {name: number for number, name in names.items()})
            except OutsideClassError:
                pass
        return _derive(actual[0], actual[1], unit_reason, {})
    except OutsideClassError as error:
        return DualForm(None, None, str(error))


def _terms(expr: sp.Expr, symbol: sp.Symbol, derivative: bool) -> tuple[Term, ...]:
    terms = to_terms(expr, symbol)
    return differentiate(terms) if derivative else terms


def _long_numbers(expr: sp.Expr) -> dict[sp.Rational, sp.Symbol]:
    """Return positive symbols for the rational numbers that would fill a line."""
    numbers = sorted(n for n in expr.atoms(sp.Rational) if max(abs(n.p), n.q) > LONG_NUMBER)
    return {abs(number): sp.Symbol(f"number_{abs(number).p}_{number.q}", positive=True) for number in numbers}


def _abbreviate(expr: sp.Expr, names: dict[sp.Rational, sp.Symbol]) -> sp.Expr:
    return expr.xreplace(names | {-number: -name for number, name in names.items()})


def _why_no_unit_form(left: tuple[Term, ...], right: tuple[Term, ...]) -> str | None:
    """Return why the integrals diverge at variance 1, or None."""
    for term in (*left, *right):
        if (term.quadratic - sp.Rational(1, 4)).is_nonnegative:
            return (
                f"The factor exp({term.quadratic}*x**2) has no second moment at variance 1; the general form holds "
                f"while 4*q*({term.quadratic}) < 1."
            )
    return None


def _derive(
    left: tuple[Term, ...], right: tuple[Term, ...], unit_reason: str | None, numbers: dict[sp.Symbol, sp.Rational]
) -> DualForm:
    if len(left) * len(right) > MAX_PAIRS:
        raise OutsideClassError(
            f"The dual has {len(left) * len(right)} pairs of terms; at most {MAX_PAIRS} are summed."
        )
    q1, q2, c, rho = symbols.q1, symbols.q2, symbols.c, symbols.rho
    general = unit = None
    reason = unit_reason
    try:
        general = _form(left, right, (q1, c, q2), c).xreplace(numbers)
    except FormTooLongError as error:
        if numbers:  # symbols for long numbers make forms longer: try with the numbers themselves
            raise
        reason = f"In q1, q2, c: {error}"
        if not any(number.free_symbols for number in (*numbers_of(left), *numbers_of(right))):
            reason = reason.replace(PARAMETERS_REMEDY, ": the form at unit variances has numbers in their place.")
    if unit_reason is None:
        unit = _form(left, right, (sp.S.One, rho, sp.S.One), rho).xreplace(numbers)
    return DualForm(_evaluable(general), _evaluable(unit), reason)


def _evaluable(form: sp.Expr | None) -> sp.Expr | None:
    """Return a form whose integers fit float64 libraries, which have no square root of longer ones.

    Numbers beyond 2^53, and roots that have no formula, become Floats of 30 digits.
    """
    if form is None:
        return None
    numbers = {n for n in form.atoms(sp.Rational) if max(abs(n.p), n.q) >= _LARGEST_INTEGER}
    return form.xreplace({number: sp.N(number, _DIGITS) for number in numbers | form.atoms(sp.CRootOf, RealZero)})


def _form(left: tuple[Term, ...], right: tuple[Term, ...], covariance: Covariance, mirror: sp.Symbol) -> sp.Expr:
    """Derive one form for a given covariance."""
    first, shared, second = covariance
    ground = Ground([*numbers_of(left), *numbers_of(right), *covariance], first * second - shared**2)
    images = (ground(first), ground(shared), ground(second))

    def summands() -> Iterator[Summand]:
        for a in group_terms(left):
            for b in group_terms(right):
                yield from expect_product(ground, a, b, images)

    return assemble(ground, summands(), mirror)


def numbers_of(terms: Iterable[Term]) -> Iterator[sp.Expr]:
    """Yield every number and parameter in a sum of terms."""
    for term in terms:
        yield from (term.coefficient, term.quadratic, term.linear, term.constant)
        if term.gate is not None:
            yield from (term.gate.threshold, term.gate.noise)

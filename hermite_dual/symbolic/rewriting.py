"""Rewriting a SymPy expression into the class of `hermite_dual.symbolic.terms`, or saying why it is not in it.

Derivation: docs/theory/closed_forms.md, "The class".
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache

import sympy as sp

from hermite_dual.shape.numbers import UndecidedError, as_printed, sign_of
from hermite_dual.shape.pieces import HOLE
from hermite_dual.shape.shape import Pieces, shape_of
from hermite_dual.symbolic.terms import Gate, OutsideClassError, Term, collect_terms

MAX_POWER = 64
"""Largest integer power that is expanded."""
MAX_PIECES = 24
"""More pieces than this would give a form of thousands of terms, which nobody reads."""
MAX_TERMS = 400
"""Most terms of one smooth piece; a form from more is of no use to a reader."""
_CLASS = "x**p*exp(a*x**2 + b*x + g)*F(x) with F = 1, a step or one normal CDF"
_SINGULAR = {
    sp.tanh: "has poles",
    sp.coth: "has poles",
    sp.sech: "has poles",
    sp.csch: "has poles",
    sp.tan: "has poles",
    sp.cot: "has poles",
    sp.sec: "has poles",
    sp.csc: "has poles",
    sp.atan: "has branch points",
    sp.asinh: "has branch points",
    sp.asin: "has branch points",
    sp.acos: "has branch points",
    sp.acosh: "has branch points",
    sp.atanh: "has branch points",
    sp.log: "has branch points",
}
Sum = dict[tuple[object, ...], Term]


@lru_cache(maxsize=256)
def to_terms(expr: sp.Expr, symbol: sp.Symbol) -> tuple[Term, ...]:
    """Rewrite an activation as a sum of terms.

    Args:
        expr: the activation, an expression in `symbol`; other symbols are real parameters.
        symbol: the variable.

    Returns:
        Terms whose sum is the activation, except at its breakpoints.

    Raises:
        OutsideClassError: The activation is not in the class; the message names the subexpression and the reason.

    >>> x = sp.Symbol("x", real=True)
    >>> [term.expression(x) for term in to_terms(sp.Max(x, 0), x)]
    [x*Heaviside(x)]
    """
    real = sp.Symbol(symbol.name, real=True)
    expr = as_printed(expr).xreplace({symbol: real})
    if expr.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise OutsideClassError(f"{expr} is not a finite function of {symbol}.")
    pieces = split(_flatten(expr), real)
    terms = collect_terms(_join(pieces, [_smooth(piece, real) for piece in pieces.plain]))
    if not _is_real(terms):
        raise OutsideClassError(f"{expr} is not real, as an activation has to be.")
    return terms


def split(expr: sp.Expr, symbol: sp.Symbol) -> Pieces:
    """Return the pieces between kinks of an expression that may have parameters.

    Raises:
        OutsideClassError: they are not known, too many, or leave a hole.
    """
    try:
        pieces = shape_of(expr, symbol).pieces
    except UndecidedError as error:
        message = str(error)
        raise OutsideClassError(f"{message[0].upper()}{message[1:]}.") from None
    if HOLE in pieces.expressions:
        raise OutsideClassError(f"{expr} is not defined on the whole real line.")
    if len(pieces.expressions) > MAX_PIECES:
        raise OutsideClassError(f"The activation has more than {MAX_PIECES} pieces.")
    return pieces


def _is_real(terms: tuple[Term, ...]) -> bool:
    """Say whether a sum of terms equals its complex conjugate, all parameters being real."""
    if not any(number.has(sp.I) for term in terms for number in (term.coefficient, term.linear, term.constant)):
        return True
    free = {symbol for term in terms for number in (term.coefficient, term.linear) for symbol in number.free_symbols}
    real = {symbol: sp.Dummy(symbol.name, real=True) for symbol in free}

    def conjugate(number: sp.Expr) -> sp.Expr:
        return sp.expand(sp.conjugate(number.xreplace(real)))

    difference = [
        replace(
            term,
            coefficient=sign * sp.expand(change(term.coefficient)),
            linear=sp.expand(change(term.linear)),
            constant=sp.expand(change(term.constant)),
        )
        for term in terms
        for sign, change in ((1, lambda number: number.xreplace(real)), (-1, conjugate))
    ]
    return all(sp.expand(term.coefficient, complex=True).equals(0) for term in collect_terms(difference))


def _flatten(expr: sp.Expr) -> sp.Expr:
    """Replace square roots of squares by absolute values, which SymPy leaves open for some parameters."""
    return expr.replace(
        lambda node: node.is_Pow and node.exp == sp.S.Half and node.base.is_Pow and node.base.exp == 2,
        lambda node: sp.Abs(node.base.base),
    )


def outside(node: sp.Basic, why: str) -> OutsideClassError:
    """Return the error that says which subexpression is not in the class, and why."""
    return OutsideClassError(f"{node} is not a finite sum of {_CLASS}: {why}.")


# Arithmetic of sums of terms.


def _add(left: Sum, right: Sum) -> Sum:
    return {term.key: term for term in collect_terms([*left.values(), *right.values()])}


def _single(term: Term) -> Sum:
    return {term.key: term}


def _multiply(left: Sum, right: Sum, node: sp.Expr) -> Sum:
    """Multiply two sums; a product of two gates leaves the class."""
    if len(left) * len(right) > MAX_TERMS:
        raise OutsideClassError(f"{node} expands into more than {MAX_TERMS} terms.")
    products = []
    for a in left.values():
        for b in right.values():
            if a.gate is not None and b.gate is not None:
                why = "a product of two normal CDFs makes the dual a probability of four Gaussians"
                raise outside(node, why)
            products.append(
                Term(
                    coefficient=a.coefficient * b.coefficient,
                    power=a.power + b.power,
                    quadratic=sp.expand(a.quadratic + b.quadratic),
                    linear=sp.expand(a.linear + b.linear),
                    constant=sp.expand(a.constant + b.constant),
                    gate=a.gate or b.gate,
                )
            )
    return {term.key: term for term in collect_terms(products)}


def _smooth(node: sp.Expr, symbol: sp.Symbol) -> Sum:
    """Rewrite a smooth expression as a sum of terms."""
    if not node.has(symbol):
        return _single(Term(coefficient=node)) if node != 0 else {}
    if node == symbol:
        return _single(Term(coefficient=sp.S.One, power=1))
    if node.is_Add:
        total: Sum = {}
        for argument in node.args:
            total = _add(total, _smooth(argument, symbol))
        return total
    if node.is_Mul:
        product = _single(Term(coefficient=sp.S.One))
        for argument in node.args:
            product = _multiply(product, _smooth(argument, symbol), node)
        return product
    if isinstance(node, sp.exp):
        return _exponential(node.args[0], symbol, node)
    if node.is_Pow:
        return _power(node, symbol)
    rule = _RULES.get(node.func)
    if rule is None:
        raise outside(node, f"{node.func.__name__} {_SINGULAR.get(node.func, 'is none of the functions of the class')}")
    return rule(node, symbol)


def _power(node: sp.Pow, symbol: sp.Symbol) -> Sum:
    """Rewrite an integer power, or a constant to a polynomial power."""
    base, exponent = node.args
    if not base.has(symbol):
        if not base.is_positive:
            raise outside(node, "the base is not known to be positive")
        return _exponential(exponent * sp.log(base), symbol, node)
    if not exponent.is_Integer:
        raise outside(node, "the exponent is not an integer, so there is a branch point")
    if abs(exponent) > MAX_POWER:
        raise OutsideClassError(f"{node} has a power above {MAX_POWER}, which is not expanded.")
    factor = _smooth(base, symbol)
    if exponent < 0:
        factor = _reciprocal(factor, node)
    result = _single(Term(coefficient=sp.S.One))
    for _ in range(abs(int(exponent))):
        result = _multiply(result, factor, node)
    return result


def _reciprocal(factor: Sum, node: sp.Expr) -> Sum:
    """Invert a single exponential; any other denominator leaves the class."""
    terms = list(factor.values())
    if len(terms) != 1 or terms[0].power != 0 or terms[0].gate is not None:
        why = "its denominator vanishes at some complex point, so it has a pole"
        raise outside(node, why)
    (term,) = terms
    return _single(Term(1 / term.coefficient, quadratic=-term.quadratic, linear=-term.linear, constant=-term.constant))


def _polynomial(argument: sp.Expr, symbol: sp.Symbol, degree: int, node: sp.Expr) -> list[sp.Expr]:
    """Return the coefficients of a polynomial argument, constant first, padded to `degree + 1`."""
    expanded = sp.expand(argument)
    if not expanded.is_polynomial(symbol):
        raise outside(node, f"its argument {argument} is not a polynomial")
    coefficients = sp.Poly(expanded, symbol).all_coeffs()[::-1]
    if len(coefficients) > degree + 1:
        raise outside(node, f"the degree of its argument {argument} is above {degree}")
    return coefficients + [sp.S.Zero] * (degree + 1 - len(coefficients))


def _exponential(argument: sp.Expr, symbol: sp.Symbol, node: sp.Expr) -> Sum:
    """Rewrite `exp` of a polynomial of degree at most two."""
    constant, linear, quadratic = _polynomial(argument, symbol, 2, node)
    if quadratic.has(sp.I):
        raise outside(node, "it oscillates with the square of its argument")
    return _single(Term(sp.S.One, quadratic=quadratic, linear=linear, constant=constant))


def _wave(factor: sp.Expr, first: sp.Expr, second: sp.Expr) -> Callable[[sp.Expr, sp.Symbol], Sum]:
    """Return the rule `first exp(factor y) + second exp(-factor y)`, which gives sin, cos, sinh and cosh."""

    def rule(node: sp.Expr, symbol: sp.Symbol) -> Sum:
        argument = node.args[0]
        result: Sum = {}
        for coefficient, direction in ((first, factor), (second, -factor)):
            (term,) = _exponential(sp.expand(direction * argument), symbol, node).values()
            result = _add(result, _single(replace(term, coefficient=coefficient)))
        return result

    return rule


def _error_function(node: sp.Expr, symbol: sp.Symbol) -> Sum:
    """Rewrite `erf(a x + b)` as `2 Phi(sqrt(2) (a x + b)) - 1`, and erfc as its complement."""
    offset, slope = _polynomial(node.args[0], symbol, 1, node)
    try:
        direction = sign_of(slope)
    except UndecidedError:
        raise OutsideClassError(f"The sign of {slope} in {node} is not known.") from None
    gate = Gate(sp.cancel(-offset / slope), 1 / (2 * slope**2), 1)
    value = 1 if node.func is sp.erf else -1
    one = sp.Integer(direction) * value
    shift = -one if node.func is sp.erf else 1 - one
    result = _single(Term(2 * one, gate=gate))
    return _add(result, _single(Term(sp.sympify(shift)))) if shift != 0 else result


_RULES: Mapping[type, Callable[[sp.Expr, sp.Symbol], Sum]] = {
    sp.sin: _wave(sp.I, -sp.I / 2, sp.I / 2),
    sp.cos: _wave(sp.I, sp.S.Half, sp.S.Half),
    sp.sinh: _wave(sp.S.One, sp.S.Half, -sp.S.Half),
    sp.cosh: _wave(sp.S.One, sp.S.Half, sp.S.Half),
    sp.erf: _error_function,
    sp.erfc: _error_function,
}


# From smooth pieces on intervals to terms on the line.


def _join(pieces: Pieces, sums: list[Sum]) -> list[Term]:
    """Write a function given on intervals as terms on the whole line and on half-lines.

    Each exponential is cut on the side on which it stays bounded, so that the form does not subtract large numbers.
    """
    keys = dict.fromkeys(key for piece_sum in sums for key in piece_sum)
    result = []
    for key in keys:
        sample = next(piece_sum[key] for piece_sum in sums if key in piece_sum)
        heights = [piece_sum[key].coefficient if key in piece_sum else sp.S.Zero for piece_sum in sums]
        jumps = [sp.expand(high - low) for low, high in itertools.pairwise(heights)]
        if any(jump != 0 for jump in jumps):
            _refuse_cut(sample, pieces)
        side = _open_side(sample, heights)
        base = heights[0] if side > 0 else heights[-1]
        result.append(_with(sample, base, None))
        for point, jump in zip(pieces.kinks, jumps, strict=True):
            if jump != 0:
                result.append(_with(sample, side * jump, Gate(point, sp.S.Zero, side)))
    return result


def _with(term: Term, coefficient: sp.Expr, gate: Gate | None) -> Term:
    return Term(coefficient, term.power, term.quadratic, term.linear, term.constant, term.gate or gate)


def _open_side(term: Term, heights: list[sp.Expr]) -> int:
    """Choose the direction of the steps: fewest terms first, then the bounded side of the exponential."""
    if heights[0] == 0 and heights[-1] != 0:
        return 1
    if heights[-1] == 0 and heights[0] != 0:
        return -1
    return -1 if term.linear.is_positive else 1


def _refuse_cut(term: Term, pieces: Pieces) -> None:
    """Raise if a term that is not a real exponential is multiplied by a step."""
    where = ", ".join(str(point) for point in pieces.kinks)
    if term.linear.has(sp.I):
        frequency = sp.im(term.linear)
        raise OutsideClassError(
            f"An oscillation of frequency {abs(frequency)} is cut at {where}: the dual of sin or cos times a step "
            "needs the bivariate normal CDF at complex arguments, which the class leaves out."
        )
    if term.gate is not None:
        raise OutsideClassError(
            f"A normal CDF centred at {term.gate.threshold} is cut at {where}: the product of a normal CDF and a step "
            "makes the dual a probability of four Gaussians."
        )

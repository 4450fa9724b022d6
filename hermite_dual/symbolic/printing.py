r"""Formulas as papers print them: `\arccos`, `\frac{1}{\sqrt{2\pi}}`, letters for long constants.

A constant of more than six digits is written as a letter, or as a product of powers of letters that a formula has
already, with a simple fraction before it; the letters' values go below the formula. `alpha` and `lambda` are those of
SELU, others are `c_1`, `c_2`, ... Decimals of up to six digits stay decimals.
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import sympy as sp
from sympy.printing.latex import LatexPrinter

from hermite_dual.expressions.catalogue_rectifiers import SELU_ALPHA, SELU_SCALE
from hermite_dual.symbolic.bivariate_normal import BivariateNormalCDF
from hermite_dual.symbolic.normal import NormalCDF

_LONGEST = 10**6
"""Integers from here on are long: six digits are read at a glance."""
_DENOMINATOR = 1000
"""Denominators up to which a factor before letters is a simple one, and a fraction is not written as a decimal."""
_POWERS = 3
"""Largest power of a letter: kernels are quadratic in an activation, and fourth moments do not occur."""
_SAME = Fraction(1, 10**26)
"""Relative difference of two numbers that are one: closed forms carry long constants to 30 digits."""
_BRACKET = 80
"""Characters of a formula that one bracket may hold: a line of a page."""
_SHOWN = 16
"""Digits of a letter's value, which float64 cannot tell from the number itself."""
_NAMED = {"lambda": Fraction(SELU_SCALE.p, SELU_SCALE.q), "alpha": Fraction(SELU_ALPHA.p, SELU_ALPHA.q)}

_H, _K, _R = sp.symbols("h k r", real=True)
DEFINITIONS: dict[type, tuple[sp.Expr, str]] = {
    NormalCDF: (NormalCDF(_H), "is the normal distribution function"),
    BivariateNormalCDF: (
        BivariateNormalCDF(_H, _K, _R),
        "is the probability that standard normal numbers of correlation r are at most h and k",
    ),
}
"""What the functions of closed forms are."""


class _Printer(LatexPrinter):
    def _print_Heaviside(self, expr: Any, exp: str | None = None) -> str:
        body = rf"\mathbf{{1}}_{{{self._print(expr.args[0])} > 0}}"
        return body if exp is None else rf"{body}^{{{exp}}}"


def latex(expr: sp.Expr, letters: dict[str, Fraction] | None = None) -> str:
    r"""Return a formula as LaTeX for math mode, with the package amsmath.

    Args:
        expr: the formula.
        letters: letters in use with their numbers, as `lettered` takes and extends them.

    >>> latex(sp.sqrt(2) * sp.acos(sp.Symbol("x")) / (2 * sp.sqrt(sp.pi)))
    '\\frac{\\arccos{\\left(x \\right)}}{\\sqrt{2 \\pi}}'
    """
    shown = lettered(expr, {} if letters is None else letters)
    decimals = {number: _symbol(text) for number in shown.atoms(sp.Rational) if (text := _short_decimal(number))}
    rooted = shown.xreplace(decimals).replace(_has_roots, _in_one_root).replace(_is_root_of_e, _in_one_root)
    return str(_Printer({"inv_trig_style": "full"}).doprint(rooted))


def latex_with_values(expr: sp.Expr) -> str:
    r"""Return a formula as LaTeX, followed by the values of its letters: `..., \quad \alpha = 1.67\dots`."""
    letters: dict[str, Fraction] = {}
    formula = latex(expr, letters)
    return formula + "".join(rf", \quad {latex(_symbol(name))} = {decimal(letters[name])}" for name in sorted(letters))


def lettered(expr: sp.Expr, letters: dict[str, Fraction]) -> sp.Expr:
    """Return the formula with letters in place of its long constants.

    Args:
        expr: the formula.
        letters: the numbers of letters in use; those that the formula needs more are added.
    """
    replaced: dict[sp.Basic, sp.Expr] = {}
    if any(abs(number) >= _LONGEST for number in expr.atoms(sp.Integer)):
        expr = sp.expand_mul(expr)  # a common denominator hides what the numbers are
    numbers = filter(_is_long, expr.atoms(sp.Rational, sp.Float))
    for number in sorted(numbers, key=lambda one: (len(str(one)), str(one))):
        exact = sp.Rational(number)
        value = Fraction(exact.p, exact.q)
        written = _in_letters(value, letters) or _in_letters(value, _NAMED | letters)
        if written is None:
            name = f"c_{1 + len(letters.keys() - _NAMED.keys())}"
            letters[name] = abs(value)
            written = sp.Integer(1 if value > 0 else -1) * _symbol(name)
        letters.update({name: _NAMED[name] for symbol in written.free_symbols if (name := symbol.name) in _NAMED})
        replaced[number] = written
    shown = expr.xreplace(replaced)
    factored = sp.factor_terms(shown) if replaced else shown
    # lines break at the sums that no bracket holds
    return factored if len(str(factored)) <= _BRACKET else shown


def decimal(value: Fraction) -> str:
    """Return a letter's value as LaTeX, with dots where digits are left out."""
    text = format(float(value), f".{_SHOWN}g")
    mantissa, _, exponent = text.partition("e")
    dots = "" if Fraction(text) == value else r"\dots"
    return f"{mantissa}{dots}" + (rf" \cdot 10^{{{int(exponent)}}}" if exponent else "")


def _is_long(number: sp.Expr) -> bool:
    if isinstance(number, sp.Float):
        return True
    return max(abs(number.p), number.q) >= _LONGEST and not _short_decimal(number) and number.q > 1


def _in_letters(value: Fraction, letters: dict[str, Fraction]) -> sp.Expr | None:
    """The number as a simple fraction times powers of letters, the lowest powers first."""
    powers = sorted(product(range(_POWERS + 1), repeat=len(letters)), key=lambda one: (sum(one), one))
    for exponents in powers[1:]:
        size = math.prod(base**power for base, power in zip(letters.values(), exponents, strict=True))
        factor = (value / size).limit_denominator(_DENOMINATOR)
        if factor and abs(value / (factor * size) - 1) <= _SAME:
            symbols = (_symbol(name) ** power for name, power in zip(letters, exponents, strict=True))
            return sp.Rational(factor.numerator, factor.denominator) * sp.Mul(*symbols)
    return None


def _symbol(name: str) -> sp.Symbol:
    return sp.Symbol(name, positive=True)


def _short_decimal(number: sp.Rational) -> str | None:
    """A fraction as a decimal of at most six digits, where it is one and its denominator is not simple."""
    if abs(number.q) <= _DENOMINATOR or number.p < 0:
        return None
    digits = format(float(number), ".6g")
    return digits if "e" not in digits and sp.Rational(digits) == number else None


def _has_roots(node: sp.Basic) -> bool:
    return bool(node.is_Mul and any(_root(factor) for factor in node.args))


def _is_root_of_e(node: sp.Basic) -> bool:
    return isinstance(node, sp.exp) and abs(node.args[0]) == sp.S.Half


def _root(factor: sp.Basic) -> tuple[sp.Expr, int] | None:
    """Base and sign of the exponent, where a factor is the root of an integer, of pi or of e, or one over it."""
    base, exponent = (sp.E, factor.args[0]) if isinstance(factor, sp.exp) else factor.as_base_exp()
    if abs(exponent) != sp.S.Half or not (base in (sp.pi, sp.E) or (base.is_Integer and base > 1)):
        return None
    return base, 1 if exponent > 0 else -1


def _in_one_root(node: sp.Expr) -> sp.Expr:
    r"""The same product with one root above and one below its fraction: `\sqrt{2}/(2\sqrt\pi)` is `1/\sqrt{2\pi}`."""
    square, others, bases = sp.S.One, [], {sp.pi: 0, sp.E: 0}
    sign = sp.S.One
    for factor in sp.Mul.make_args(node):
        root = _root(factor)
        if root is not None and root[0] in bases:
            bases[root[0]] += root[1]
        elif root is not None:
            square *= root[0] ** root[1]
        elif factor.is_Rational:
            sign, square = sign * sp.sign(factor), square * factor**2
        else:
            others.append(factor)
    outside, above, below = sp.S.One, sp.S.One, sp.S.One
    for prime, power in sp.factorrat(square).items():
        outside *= sp.Integer(prime) ** (power // 2 if power % 2 == 0 else int(power / 2))
        if power % 2:
            above, below = (above * prime, below) if power > 0 else (above, below * prime)
    top = _under_a_root(above, [base for base, power in bases.items() if power > 0])
    bottom = _under_a_root(below, [base for base, power in bases.items() if power < 0])
    return sp.Mul(sign * outside, *top, *(1 / one for one in bottom), *others)


def _under_a_root(number: sp.Integer, symbols: list[sp.Expr]) -> Iterator[sp.Expr]:
    if number != 1 or symbols:
        words = [*([str(number)] if number != 1 else []), *({sp.pi: r"\pi", sp.E: "e"}[one] for one in symbols)]
        yield _symbol(rf"\sqrt{{{' '.join(words)}}}")

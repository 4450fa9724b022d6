"""The field of rational functions in which the Gaussian integrals are computed.

Variances, parameters and irrational constants are generators, so that equal coefficients cancel exactly and at once,
which trees of SymPy expressions do not do. `1/sqrt(2 pi)` has its own generator; `I` and square roots of integers are
reduced by the polynomials that define them.

Derivation: docs/theory/closed_forms.md, "Arithmetic and form".
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import sympy as sp

from hermite_dual import symbols
from hermite_dual.symbolic.terms import OutsideClassError

Element = Any  # a sympy.polys.fields.FracElement
Polynomial = Any  # a sympy.polys.rings.PolyElement

_SCALES = tuple(
    (sp.Rational(parameter), sp.Rational(1, variance))
    for variance in (97, 10**8)
    for parameter in ("1/97", "1", "97", "1/10000", "10000")
)
_INVERSE_ROOT_TWO_PI = sp.Symbol("inverse_root_two_pi", positive=True)


class Ground:
    """A field of rational functions over the rationals.

    Args:
        expressions: what must have an image in the field.
        radical: an expression that is positive for every nondegenerate pair, and zero when `|rho| = 1`.
    """

    def __init__(self, expressions: Iterable[sp.Expr], radical: sp.Expr):
        generators: dict[sp.Expr, None] = {}
        for expression in (*expressions, radical):
            _generators_of(_hide_pi(expression), generators)
        generators.pop(_INVERSE_ROOT_TWO_PI, None)
        ordered = sorted(generators, key=sp.default_sort_key)
        names = [*ordered, _INVERSE_ROOT_TWO_PI]
        self.field = sp.polys.fields.FracField(names, sp.QQ, sp.lex)
        self.ring = self.field.ring
        self._positions = {symbol: index for index, symbol in enumerate(names)}
        self.kappa = self.field.gens[-1]  # 1/sqrt(2 pi)
        self.imaginary_index = ordered.index(sp.I) if sp.I in ordered else None
        self._relations = [
            (index, self(sp.sympify(generator**2)).numer)
            for index, generator in enumerate(ordered)
            if generator == sp.I or (generator.is_Pow and generator.exp == sp.S.Half and generator.base.is_Integer)
        ]
        self.radical = self(radical).numer
        self._signs: dict[Polynomial, int] = {}
        self.radical_factors = []
        for factor, _ in self.radical.factor_list()[1]:
            self._signs[factor] = -1 if self.is_negative(factor) else 1
            self.radical_factors.append(self._signs[factor] * factor)

    def __call__(self, expression: sp.Expr) -> Element:
        """Return the image of an expression."""
        return self.field.from_expr(sp.expand_mul(_hide_pi(sp.sympify(expression))))

    def index_of(self, symbol: sp.Symbol) -> int | None:
        """Return the position of a generator, or None."""
        return self._positions.get(symbol)

    def reduce(self, element: Element) -> Element:
        """Reduce powers of `I` and of square roots of integers in the numerator."""
        for index, square in self._relations:
            if element.numer.degree(index) > 1:
                element = self.field.new(_reduce_square(element.numer, index, square), element.denom)
        return element

    def real_and_imaginary(self, element: Element) -> tuple[Element, Element]:
        """Split an element whose denominator is real."""
        element = self.reduce(element)
        zero = self.field.zero
        if self.imaginary_index is None:
            return element, zero
        real, imaginary = self.ring.zero, self.ring.zero
        for monomial, coefficient in element.numer.terms():
            exponents = list(monomial)
            exponents[self.imaginary_index] = 0
            term = self.ring({tuple(exponents): coefficient})
            if monomial[self.imaginary_index]:
                imaginary += term
            else:
                real += term
        return self.field(real) / element.denom, self.field(imaginary) / element.denom

    def by_power_of_pi(self, element: Element) -> list[tuple[int, Element]]:
        """Split an element by powers of `1/sqrt(2 pi)`, if its denominator is free of it."""
        last = self.ring.ngens - 1
        if element.denom.degree(last) > 0:
            return [(0, element)]
        numerators: dict[int, Polynomial] = {}
        for monomial, coefficient in element.numer.terms():
            power = monomial[last]
            numerators[power] = numerators.get(power, self.ring.zero) + self.ring({monomial: coefficient})
        return [(power, self.field(numerator) / element.denom) for power, numerator in numerators.items()]

    def expression(self, element: Element | Polynomial) -> sp.Expr:
        """Return the SymPy expression of an element."""
        expression = element.as_expr()
        if not expression.has(_INVERSE_ROOT_TWO_PI):
            return expression
        return expression.subs(_INVERSE_ROOT_TWO_PI, 1 / sp.sqrt(2 * sp.pi))

    def sign_of_factor(self, factor: Polynomial) -> int | None:
        """Return the sign that an irreducible polynomial has for every admissible covariance, or None if unknown."""
        if factor not in self._signs:
            expression = self.expression(factor)
            if expression.is_nonnegative or expression.is_nonpositive:
                self._signs[factor] = 1 if expression.is_nonnegative else -1
            elif expression.free_symbols == {symbols.rho}:
                in_rho = sp.Poly(expression, symbols.rho)
                if not (in_rho.domain.is_ZZ or in_rho.domain.is_QQ) or in_rho.count_roots(-1, 1):
                    return None
                self._signs[factor] = 1 if in_rho.eval(0) > 0 else -1
            else:
                return None
        return self._signs[factor]

    def declare_positive(self, element: Element) -> None:
        """Record that an element is positive wherever the integrals exist; a single open factor takes its sign."""
        _, factors = (element.numer * element.denom).factor_list()
        unknown = [factor for factor, power in factors if power % 2 and self.sign_of_factor(factor) is None]
        if len(unknown) == 1:
            self._signs[unknown[0]] = -1 if self.is_negative(unknown[0], element) else 1

    def is_negative(self, polynomial: Polynomial, positive: Element | None = None) -> bool:
        """Say whether a polynomial without zeros is negative, by its value at an admissible point.

        Args:
            polynomial: it does not vanish for an admissible covariance, so that one point decides.
            positive: an element that is positive wherever the integrals exist; it tells admissible points.
        """
        for parameter, variance in _SCALES:
            point = self._point(parameter, variance)
            if positive is None or _value(positive.numer, point) * _value(positive.denom, point) > 0:
                return bool(_value(polynomial, point) < 0)
        raise OutsideClassError("No values of the parameters were found for which the Gaussian integrals exist.")

    @lru_cache(maxsize=16)  # noqa: B019
    def _point(self, parameter: sp.Rational, variance: sp.Rational) -> tuple[Any, ...]:
        """Return values of the generators: small covariance, the variances and parameters given."""
        scale = {symbols.q1: variance, symbols.q2: variance * sp.Rational(103, 101)}
        scale |= {symbols.c: variance / 1009, symbols.rho: sp.Rational(1, 1009)}
        values = []
        for generator in self._positions:
            free = sorted(generator.free_symbols - set(scale), key=sp.default_sort_key)
            free_values = {
                symbol: (-parameter if symbol.is_negative else parameter) * sp.Rational(1000 + index, 1000)
                for index, symbol in enumerate(free)
            }
            value = generator.subs({**scale, **free_values}).subs(_INVERSE_ROOT_TWO_PI, 1 / sp.sqrt(2 * sp.pi))
            values.append(value if value.is_Rational else value.evalf(60))
        return tuple(values)

    def root(self, element: Element) -> tuple[Element, Polynomial]:
        """Return g > 0 and a square-free P with `sqrt(element) = g sqrt(P)`, for a positive element."""
        numerator, denominator = element.numer, element.denom
        constant, factors = (numerator * denominator).factor_list()
        outer, inner = self.ring.one, self.ring.one
        whole, square_free = _integer_root(constant)
        for factor, multiplicity in factors:
            half, odd = divmod(multiplicity, 2)
            sign = self.sign_of_factor(factor)
            if sign is None:
                half, odd, sign = 0, multiplicity, 1
            outer *= (sign * factor) ** half
            inner *= factor**odd
        if self.is_negative(denominator, element):
            denominator = -denominator
        return self.field(outer) * whole / denominator, inner * square_free


def _value(polynomial: Polynomial, point: tuple[Any, ...]) -> sp.Expr:
    """Evaluate a polynomial at a point."""
    total = sp.S.Zero
    for monomial, coefficient in polynomial.terms():
        factors = (value**power for value, power in zip(point, monomial, strict=True) if power)
        total += sp.Rational(coefficient.numerator, coefficient.denominator) * sp.Mul(*factors)
    return total


def _hide_pi(expression: sp.Expr) -> sp.Expr:
    """Write pi by the generator `1/sqrt(2 pi)`."""
    if not expression.has(sp.pi):
        return expression
    hidden = expression.subs(sp.pi, 1 / (2 * _INVERSE_ROOT_TWO_PI**2))
    return sp.powdenest(sp.expand_power_base(hidden))


def _generators_of(expression: sp.Expr, generators: dict[sp.Expr, None]) -> None:
    """Collect the subexpressions that are not sums, products and integer powers of others."""
    if expression.is_Rational:
        return
    if expression.is_Add or expression.is_Mul:
        for argument in expression.args:
            _generators_of(argument, generators)
        return
    if expression.is_Pow and expression.exp.is_Integer:
        _generators_of(expression.base, generators)
        return
    if expression.is_Pow and expression.exp.is_Rational and expression.exp.q == 2:
        generators[sp.sqrt(expression.base)] = None
        return
    generators[expression] = None


def _reduce_square(polynomial: Polynomial, index: int, square: Polynomial) -> Polynomial:
    """Replace even powers of a generator by powers of its square."""
    ring = polynomial.ring
    total = ring.zero
    for monomial, coefficient in polynomial.terms():
        half, odd = divmod(monomial[index], 2)
        exponents = list(monomial)
        exponents[index] = odd
        total += ring({tuple(exponents): coefficient}) * square**half
    return total


def _integer_root(value: Any) -> tuple[Any, Any]:
    """Return rational g and integer k with `sqrt(value) = g sqrt(k)`."""
    rational = sp.Rational(value.numerator, value.denominator)
    outside, inside = sp.sqrt(rational).as_coeff_Mul()
    squared = inside**2
    if not (outside.is_Rational and squared.is_Integer):
        return sp.QQ(1), sp.QQ(rational.p, rational.q)
    return sp.QQ(outside.p, outside.q), sp.QQ(int(squared))

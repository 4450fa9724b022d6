"""Short ways to write polynomials and rational functions.

Derivation: docs/theory/closed_forms.md, "Arithmetic and form".
"""

from collections.abc import Iterable

import sympy as sp

from hermite_dual.symbolic.ground import Element, Ground, Polynomial

_LONG = 14
"""Polynomials of more terms are not searched for a shorter way to write them."""
_HUGE = 120
"""Polynomials of more terms are not factored."""


def shortest(candidates: Iterable[sp.Expr]) -> sp.Expr:
    """Return the candidate with the fewest operations, of equals the one that prints shorter."""
    counted = [(sp.count_ops(candidate), candidate) for candidate in candidates]
    least = min(count for count, _ in counted)
    best = list(dict.fromkeys(candidate for count, candidate in counted if count == least))
    return best[0] if len(best) == 1 else min(best, key=lambda candidate: len(str(candidate)))


class ElementWriter:
    """Writes polynomials and rational functions of one ground field, each once.

    Args:
        ground: the field.
        thorough: whether to search for short forms; a form of pages is written expanded.
    """

    def __init__(self, ground: Ground, *, thorough: bool = True):
        self.ground = ground
        self.thorough = thorough
        self._polynomials: dict[Polynomial, sp.Expr] = {}
        self._elements: dict[Element, sp.Expr] = {}

    def polynomial(self, polynomial: Polynomial) -> sp.Expr:
        """Write a polynomial expanded, factored, or as a factored part plus a remainder, whichever is shortest."""
        if polynomial not in self._polynomials:
            self._polynomials[polynomial] = self._write(polynomial)
        return self._polynomials[polynomial]

    def element(self, element: Element) -> sp.Expr:
        """Write a rational function as a quotient of short polynomials, the denominator positive."""
        if element not in self._elements:
            turn = -1 if element.denom != 1 and self.ground.is_negative(element.denom) else 1
            numerator, denominator = self.polynomial(turn * element.numer), self.polynomial(turn * element.denom)
            candidates = [numerator / denominator]
            if self.thorough and denominator != 1 and numerator.is_Add:
                candidates.append(sp.Add(*(term / denominator for term in numerator.args)))
            self._elements[element] = shortest(candidates) if len(candidates) > 1 else candidates[0]
        return self._elements[element]

    def _write(self, polynomial: Polynomial) -> sp.Expr:
        expanded = self.ground.expression(polynomial)
        if not self.thorough or len(polynomial.terms()) > _HUGE:
            return expanded
        if len(polynomial.terms()) <= 2 and polynomial.LC > 0:
            content, primitive = expanded.as_content_primitive()
            return shortest([expanded, content * primitive])
        constant, factors = polynomial.factor_list()
        pieces = []
        for factor, multiplicity in factors:
            sign = self.ground.sign_of_factor(factor) or 1
            constant *= sign**multiplicity
            pieces.append(self._factor(sign * factor) ** multiplicity)
        factored = sp.Mul(sp.Rational(constant.numerator, constant.denominator), *pieces)
        return shortest([factored, expanded])

    def _factor(self, polynomial: Polynomial) -> sp.Expr:
        """Write an irreducible polynomial; try the split at each generator into the part without it and the rest."""
        ring = polynomial.ring
        candidates = [self.ground.expression(polynomial)]
        terms = polynomial.terms()
        if 3 < len(terms) <= _LONG:
            for index in range(ring.ngens):
                without = ring({monomial: value for monomial, value in terms if monomial[index] == 0})
                dependent = polynomial - without
                if without and dependent:
                    candidates.append(self._product(without) + self._product(dependent))
        return shortest(candidates)

    def _product(self, polynomial: Polynomial) -> sp.Expr:
        """Write a polynomial as the product of its expanded factors, or expanded if that is shorter."""
        constant, factors = polynomial.factor_list()
        product = sp.Mul(
            sp.Rational(constant.numerator, constant.denominator),
            *(self.ground.expression(factor) ** multiplicity for factor, multiplicity in factors),
        )
        return shortest([product, self.ground.expression(polynomial)])

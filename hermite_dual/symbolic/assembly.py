"""From summands in the ground field to a short SymPy expression.

Equal summands are added exactly, conjugate ones leave their real part, and the choice among equivalent ways to write
the rest goes to the one with the fewest operations. The general-purpose `sympy.simplify` is not called.

Derivation: docs/theory/closed_forms.md, "Arithmetic and form".
"""

from collections.abc import Callable, Iterable

import sympy as sp

from hermite_dual.symbolic.bivariate_normal import BivariateNormalCDF
from hermite_dual.symbolic.collecting import Atom, Exponent, group_summands, unify_signs
from hermite_dual.symbolic.gaussian_integrals import Root, Summand
from hermite_dual.symbolic.ground import Element, Ground, Polynomial
from hermite_dual.symbolic.normal import GaussianWeight, NormalCDF
from hermite_dual.symbolic.polynomials import ElementWriter, shortest

_LONG = 800
"""Sums whose coefficients have more terms than this are written without a search for the shortest way."""


def assemble(ground: Ground, summands: Iterable[Summand], mirror: sp.Symbol | None) -> sp.Expr:
    """Add up summands and write the sum.

    Args:
        ground: their field.
        summands: what to add; the sum is real.
        mirror: the covariance or correlation; exponentials that differ by its sign are written by sinh and cosh.

    Returns:
        A SymPy expression.

    Raises:
        OutsideClassError: A normal CDF would get a complex argument.
    """
    groups = group_summands(ground, summands)
    for atoms in groups.values():
        unify_signs(ground, atoms)
    size = sum(len(value.numer) + len(value.denom) for atoms in groups.values() for value in atoms.values())
    return _Writer(ground, mirror, thorough=size <= _LONG).total(groups)


class _Writer:
    """Writes groups of atoms as SymPy expressions."""

    def __init__(self, ground: Ground, mirror: sp.Symbol | None, *, thorough: bool):
        self.ground = ground
        self.mirror = mirror
        self.thorough = thorough
        self.write = ElementWriter(ground, thorough=thorough)

    def total(self, groups: dict[Exponent, dict[Atom, Element]]) -> sp.Expr:
        """Write the whole sum."""
        remaining = dict(groups)
        parts = []
        while remaining:
            exponent = next(iter(remaining))
            atoms = remaining.pop(exponent)
            partner = self._partner(exponent, remaining)
            if partner is None:
                parts.append(self._group(exponent, atoms))
            else:
                parts.append(self._pair(exponent, atoms, partner, remaining.pop(partner)))
        plain = sp.Add(*parts)
        if not self.thorough:
            return plain
        return shortest([plain, sp.factor_terms(plain)])

    def _group(self, exponent: Exponent, atoms: dict[Atom, Element]) -> sp.Expr:
        """Write one group, `exp(...) (sum of atoms)`."""
        return self._weight(exponent) * self._sum(atoms)

    def _sum(self, atoms: dict[Atom, Element], wrap: Callable[[Atom], sp.Expr] | None = None) -> sp.Expr:
        """Write the sum of coefficient times atom, with common factors taken out in the shortest way."""
        core = wrap or self._atom
        graded: dict[int, dict[Atom, Element]] = {}
        for atom, value in atoms.items():
            for degree, coefficient in self.ground.by_power_of_pi(value):
                graded.setdefault(degree, {})[atom] = coefficient
        self._angles(graded)
        everything = [item for group in graded.values() for item in group.items()]
        direct = sp.Add(*(self._product(value, atom, core) for atom, value in everything))
        if not self.thorough:
            return direct
        by_pi = sp.Add(*(self._with_common_factor(list(group.items()), core) for group in graded.values()))
        return shortest([self._with_common_factor(everything, core), by_pi, direct])

    def _with_common_factor(self, items: list[tuple[Atom, Element]], write: Callable[[Atom], sp.Expr]) -> sp.Expr:
        """Write a sum as its common factor times the rest."""
        common = self._common(value for _, value in items)
        inner = sp.Add(*(self._product(value / common, atom, write) for atom, value in items))
        return self.write.element(common) * inner

    def _product(self, value: Element, atom: Atom, write: Callable[[Atom], sp.Expr]) -> sp.Expr:
        """Write a coefficient times an atom."""
        content, value, powers = self._merge_powers(value, atom[0])
        roots = (self.write.polynomial(radicand) ** power for power, radicand in powers.items())
        core = write((self.ground.ring.one, atom[1]))
        return sp.Mul(content, self.write.element(value), *roots, core)

    def _merge_powers(
        self, value: Element, radicand: Polynomial
    ) -> tuple[sp.Expr, Element, dict[sp.Rational, Polynomial]]:
        """Write `value sqrt(radicand)` as a number, an element and half-integer powers of coprime polynomials."""
        ground = self.ground
        constant, factors = radicand.factor_list()
        signs = [ground.sign_of_factor(factor) for factor, _ in factors]
        if None in signs or any(multiplicity > 1 for _, multiplicity in factors):
            factors, constant = ([] if radicand.is_ground else [(radicand, 1)]), (constant if radicand.is_ground else 1)
            signs = [1] * len(factors)
        powers: dict[sp.Rational, Polynomial] = {}
        for (factor, _), sign in zip(factors, signs, strict=True):
            positive = sign * factor
            constant *= sign
            power = sp.S.Half
            while not value.denom.rem(positive):
                value *= ground.field(positive)
                power -= 1
            while not value.numer.rem(positive):
                value /= ground.field(positive)
                power += 1
            powers[power] = powers.get(power, ground.ring.one) * positive
        content = sp.Rational(1)
        if value:
            ratio = value.numer.content() * (-1 if ground.is_negative(value.numer) else 1)
            content = sp.Rational(ratio.numerator, ratio.denominator)
            value /= ground.field(ratio)
        return content * sp.sqrt(sp.Rational(int(constant))), value, powers

    def _atom(self, atom: Atom) -> sp.Expr:
        """Write a core."""
        core = atom[1]
        if core is None:
            return sp.S.One
        kind, *roots = core
        if kind == "cdf":
            return self._normal_cdf(roots[0])
        arguments = [self._root(root) for root in roots]
        if kind == "cdf2":
            return BivariateNormalCDF(*arguments)
        if kind == "erfi":
            return sp.erfi(arguments[0] / sp.sqrt(2))
        if kind == "asin":
            return sp.asin(arguments[0])
        return sp.pi - sp.acos(arguments[0]) if kind == "angle" else sp.acos(arguments[0])

    def _angles(self, graded: dict[int, dict[Atom, Element]]) -> None:
        """Write `pi/2 + asin` as `pi - acos`, and `pi/2 - asin` as `acos`, where a constant allows it.

        The arc sine comes with 1/pi, that is with two more powers of `1/sqrt(2 pi)` than its constant.
        """
        for degree, atoms in graded.items():
            for atom in [atom for atom in atoms if atom[1] is not None and atom[1][0] == "asin"]:
                constants = graded.get(degree - 2, {})
                plain = (atom[0], None)
                if plain not in constants:
                    continue
                ratio = constants[plain] * 4 * self.ground.kappa**2 / atoms[atom]
                if ratio in (1, -1):
                    kind = "angle" if ratio == 1 else "acos"
                    atoms[(atom[0], (kind, atom[1][1]))] = ratio * atoms.pop(atom)
                    del constants[plain]

    def _common(self, values: Iterable[Element]) -> Element:
        """Return the greatest common factor of field elements."""
        numerator, denominator = None, None
        for value in values:
            numerator = value.numer if numerator is None else numerator.gcd(value.numer)
            denominator = value.denom if denominator is None else denominator.lcm(value.denom)
        if numerator is None:
            return self.ground.field.one
        return self.ground.field(numerator) / self.ground.field(denominator)

    def _root(self, root: Root) -> sp.Expr:
        """Write `A sqrt(P)`."""
        return self._product(root[0], (root[1], None), self._atom)

    def _normal_cdf(self, root: Root) -> sp.Expr:
        """Write a normal CDF, with a variance of its own where the argument is singular at |rho| = 1."""
        value, radicand = root
        singular = self._singular_factor(value.denom)
        if singular == 1:
            return NormalCDF(self._root(root))
        other_radicand = radicand.quo(singular) if not radicand.rem(singular) else radicand * singular
        return NormalCDF(self._root((value * singular, other_radicand)), self.write.polynomial(singular))

    def _singular_factor(self, polynomial: Polynomial) -> Polynomial:
        """Return the factor of a denominator that vanishes at |rho| = 1."""
        product = self.ground.ring.one
        for factor in self.ground.radical_factors:
            if not polynomial.rem(factor):
                product *= factor
        return product

    def _weight(self, exponent: Exponent) -> sp.Expr:
        """Write the exponential and the wave."""
        wave = getattr(sp, exponent.wave)(self.write.element(exponent.phase))
        return self._exponential(exponent.real) * wave

    def _exponential(self, exponent: Element) -> sp.Expr:
        """Write an exponential whose exponent may tend to minus infinity at |rho| = 1."""
        singular = self._singular_factor(exponent.denom)
        if singular == 1:
            return sp.exp(self.write.element(exponent))
        numerator = self.write.element(-exponent * singular)
        return GaussianWeight(numerator, self.write.polynomial(singular))

    # Pairs of groups that differ by the sign of the covariance.

    def _mirrored(self, element: Element) -> Element:
        """Return the element at the opposite covariance."""
        index = self.ground.index_of(self.mirror)
        ring = self.ground.ring

        def flip(polynomial: Polynomial) -> Polynomial:
            return ring({m: (-c if m[index] % 2 else c) for m, c in polynomial.terms()})

        return self.ground.field(flip(element.numer)) / self.ground.field(flip(element.denom))

    def _partner(self, exponent: Exponent, others: dict[Exponent, dict[Atom, Element]]) -> Exponent | None:
        """Return the group with the opposite covariance in its exponent, if both are plain."""
        if (
            self.mirror is None
            or exponent.phase
            or self._singular_factor(exponent.real.denom) != 1
            or self.ground.index_of(self.mirror) is None
        ):
            return None
        mirrored = Exponent(self._mirrored(exponent.real), exponent.phase, exponent.wave)
        return mirrored if mirrored != exponent and mirrored in others else None

    def _pair(
        self, exponent: Exponent, atoms: dict[Atom, Element], partner: Exponent, others: dict[Atom, Element]
    ) -> sp.Expr:
        """Write two groups by cosh and sinh of the odd part of the exponent, if that is shorter."""
        separate = self._group(exponent, atoms) + self._group(partner, others)
        even, odd = (exponent.real + partner.real) / 2, (exponent.real - partner.real) / 2
        argument = self.write.element(odd)
        if argument.could_extract_minus_sign():
            argument, atoms, others = -argument, others, atoms
        zero = self.ground.field.zero
        mixed: dict[Atom, Element] = {}
        for radicand, core in dict.fromkeys([*atoms, *others]):
            first, second = atoms.get((radicand, core), zero), others.get((radicand, core), zero)
            for name, value in (("cosh", first + second), ("sinh", first - second)):
                if value:
                    mixed[(radicand, (name, core))] = value

        def write(atom: Atom) -> sp.Expr:
            name, core = atom[1]
            return getattr(sp, name)(argument) * self._atom((atom[0], core))

        joined = self._exponential(even) * self._sum(mixed, write)
        return shortest([separate, joined])

"""Adding up summands: equal ones exactly, conjugate ones by their real part, reflected normal CDFs by each other.

Derivation: docs/theory/closed_forms.md, "Arithmetic and form".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from hermite_dual.symbolic.gaussian_integrals import Root, Summand
from hermite_dual.symbolic.ground import Element, Ground, Polynomial
from hermite_dual.symbolic.terms import OutsideClassError

Core = Any  # None, or a tagged tuple of roots as in `gaussian_integrals`
Atom = tuple[Polynomial, Core]  # notation: (P, core) stands for sqrt(P) core


@dataclass(frozen=True)
class Exponent:
    """The factor `exp(real) cos(phase)` or `exp(real) sin(phase)`."""

    real: Element
    phase: Element
    wave: str


def group_summands(ground: Ground, summands: Iterable[Summand]) -> dict[Exponent, dict[Atom, Element]]:
    """Take real parts and collect the coefficients of equal factors."""
    groups: dict[Exponent, dict[Atom, Element]] = {}

    def add(exponent: Exponent, atom: Atom, coefficient: Element) -> None:
        atoms = groups.setdefault(exponent, {})
        total = ground.reduce(atoms.get(atom, ground.field.zero) + coefficient)
        if total:
            atoms[atom] = total
        else:
            atoms.pop(atom, None)

    for summand in summands:
        exponent, phase = ground.real_and_imaginary(summand.exponent)
        flip = phase and ground.expression(phase.numer).could_extract_minus_sign()
        turn = -1 if flip else 1
        for factor, core in _split_core(ground, summand.core):
            real, imaginary = ground.real_and_imaginary(ground.reduce(summand.coefficient * factor))
            radicand = summand.radicand
            if real:
                add(Exponent(exponent, turn * phase, "cos"), (radicand, core), real)
            if imaginary and phase:
                add(Exponent(exponent, turn * phase, "sin"), (radicand, core), -turn * imaginary)
    return {exponent: atoms for exponent, atoms in groups.items() if atoms}


def _split_core(ground: Ground, core: Core) -> list[tuple[Element, Core]]:
    """Resolve normal CDFs at 0 and at imaginary arguments."""
    one = ground.field.one
    if core is None:
        return [(one, None)]
    roots = core[1:]
    if core[0] == "cdf":
        (value, radicand) = roots[0]
        real, imaginary = ground.real_and_imaginary(value)
        if real and imaginary:
            raise OutsideClassError(
                "The product of an oscillation and a normal CDF or step that is not centred at 0 needs the normal CDF "
                "at complex arguments, which the class leaves out."
            )
        if imaginary:
            return [(one / 2, None), (ground(sp.I) / 2, ("erfi", (imaginary, radicand)))]
        return [(one, core)] if real else [(one / 2, None)]
    if not roots[0][0] and not roots[1][0]:
        return [(one / 4, None), (ground.kappa**2, ("asin", roots[2]))]
    return [(one, core)]


def unify_signs(ground: Ground, atoms: dict[Atom, Element]) -> None:
    """Rewrite normal CDFs whose arguments differ in sign by each other, where both signs occur."""
    for atom in list(atoms):
        radicand, core = atom
        if core is None or core[0] not in ("cdf", "cdf2") or atom not in atoms:
            continue
        for replacement in _reflections(core):
            target = (radicand, replacement[0][1])
            if target != atom and target in atoms:
                coefficient = atoms.pop(atom)
                for factor, other in replacement:
                    key = (radicand, other)
                    total = atoms.get(key, ground.field.zero) + factor * coefficient
                    atoms.pop(key, None)
                    if total:
                        atoms[key] = total
                break


def _reflections(core: Core) -> list[list[tuple[int, Core]]]:
    """Return the ways to write a CDF by the CDF at arguments of other sign."""

    def minus(root: Root) -> Root:
        return -root[0], root[1]

    if core[0] == "cdf":
        z = core[1]
        return [[(-1, ("cdf", minus(z))), (1, None)]]
    _, h, k, r = core
    swapped = [(1, ("cdf2", k, h, r))]
    first = [(-1, ("cdf2", minus(h), k, minus(r))), (1, ("cdf", k))]
    second = [(-1, ("cdf2", h, minus(k), minus(r))), (1, ("cdf", h))]
    both = [(1, ("cdf2", minus(h), minus(k), r)), (-1, ("cdf", minus(h))), (-1, ("cdf", minus(k))), (1, None)]
    return [swapped, first, second, both]

"""Suprema at infinity of functions that oscillate: sine and cosine of one phase reach one amplitude together.

Where `f = A + sum_i (B_i sin w_i + C_i cos w_i)` with phases `w_i` that run to infinity,
`|f| <= |A| + sum_i sqrt(B_i^2 + C_i^2)`. If A, B and C have limits and the phases are one, or two with an irrational
ratio, f comes as close as wanted to the limit of the right side (continuity of the phase; Kronecker's theorem).

Derivation: docs/theory/activations_in_balls.md, "Suprema of derivatives".
"""

from dataclasses import dataclass

import sympy as sp
from flint import arb
from sympy.simplify.fu import TR8

from hermite_dual.certified.balls.precision import magnitude
from hermite_dual.certified.growth.monomials import ONE, Expansion
from hermite_dual.certified.growth.tails import tail
from hermite_dual.certified.growth.unbounded import multiple, runs_to_infinity

_PAIR = 2  # phases of which a ratio is asked
_OSCILLATING = (sp.sin, sp.cos, sp.sinc)  # what has no limit
_LONGEST = 300  # operations of a formula in which products of sines are worth writing as sums


@dataclass(frozen=True)
class Oscillations:
    """A function of the real line near one of its ends.

    Attributes:
        steady: A.
        squares: `B_i^2 + C_i^2` for each phase.
        independent: whether the phases take all values together.
    """

    steady: sp.Expr
    squares: tuple[sp.Expr, ...]
    independent: bool

    def supremum(self, symbol: sp.Symbol, side: int, start: int) -> tuple[arb, arb] | None:
        """A lower and an upper bound of the supremum of `|f|` on the half line; None where a term grows.

        Raises:
            TailError: the growth of a term is not understood.
        """
        steady = _limit_and_largest(tail(self.steady, symbol, side, start))
        squares = [_limit_and_largest(tail(square, symbol, side, start)) for square in self.squares]
        if steady is None or None in squares:
            return None
        lower, upper = steady
        for square in squares:
            assert square is not None
            lower += square[0].sqrt()
            upper += square[1].sqrt()
        return arb(lower.lower()) if self.independent else arb(0), arb(upper.upper())


def oscillations(expr: sp.Expr, symbol: sp.Symbol, side: int) -> Oscillations | None:
    """Split a function into its sines and cosines, or return None where it is no such sum.

    Example:
        >>> x = sp.Symbol("x", real=True)
        >>> oscillations(2 * sp.sin(x**2) + x * sp.cos(x**2) / (x + 1) + 3, x, 1).steady
        3
    """
    phases = sorted({node.args[0] for node in expr.atoms(sp.sin, sp.cos)}, key=sp.default_sort_key)
    phases = [phase for phase in phases if runs_to_infinity(phase, symbol, side)]
    if not phases:
        return None
    parts = _linear(expr, phases)
    if parts is None and sp.count_ops(expr) <= _LONGEST:
        summed = TR8(sp.expand(expr))
        phases = sorted({node.args[0] for node in summed.atoms(sp.sin, sp.cos)}, key=sp.default_sort_key)
        parts = _linear(summed, [phase for phase in phases if runs_to_infinity(phase, symbol, side)])
    return parts if parts is None else _with_independence(*parts, symbol)


def _linear(expr: sp.Expr, phases: list[sp.Expr]) -> tuple[sp.Expr, tuple[sp.Expr, ...], list[sp.Expr]] | None:
    names = {function(phase): sp.Dummy(real=True) for phase in phases for function in (sp.sin, sp.cos)}
    reduced = expr.xreplace(names)
    symbols = list(names.values())
    try:
        form = sp.Poly(reduced, *symbols)
    except sp.PolynomialError:
        return None
    if form.total_degree() > 1 or form.as_expr().has(sp.zoo, sp.nan):
        return None
    squares = tuple(
        sum((form.coeff_monomial(names[function(phase)]) ** 2 for function in (sp.sin, sp.cos)), sp.S.Zero)
        for phase in phases
    )
    return form.coeff_monomial(1), squares, phases


def _with_independence(
    steady: sp.Expr, squares: tuple[sp.Expr, ...], phases: list[sp.Expr], symbol: sp.Symbol
) -> Oscillations:
    independent = len(phases) == 1
    if len(phases) == _PAIR:
        line = multiple(phases[0], phases[1], symbol)
        independent = line is not None and line[0].is_irrational is True
    # what has no other oscillation is monotone far out, and its limit exists
    independent &= not any(summand.has(*_OSCILLATING) for summand in (steady, *squares))
    return Oscillations(steady, squares, independent)


def _limit_and_largest(expansion: Expansion) -> tuple[arb, arb] | None:
    """The limit's modulus and the largest modulus on the half line; None for a function that grows."""
    if expansion.leading() > ONE:
        return None
    limit = expansion.terms.get(ONE)
    return arb(0) if limit is None else arb(limit.abs_lower()), magnitude(expansion.range())

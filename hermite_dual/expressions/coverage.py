"""Where a Piecewise says nothing: the part of the real line that none of its conditions covers."""

import sympy as sp

_SYMPY_ERRORS = (TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError, RuntimeError)
"""What SymPy raises at a condition that it cannot solve."""


def uncovered(piecewise: sp.Piecewise, symbol: sp.Symbol) -> sp.Set | None:
    """Return the real numbers at which no condition of `piecewise` holds.

    Args:
        piecewise: the expression.
        symbol: the only variable of its conditions.

    Returns:
        The set, empty where the conditions cover the line, or None where SymPy cannot tell.
    """
    conditions = [condition for _, condition in piecewise.args]
    if sp.Or(*conditions) == sp.true:
        return sp.S.EmptySet
    covered: sp.Set = sp.S.EmptySet
    for condition in conditions:
        if not _solvable(condition, symbol):
            return None
        try:
            covered = sp.Union(covered, condition.as_set())
        except _SYMPY_ERRORS:
            return None
        if not covered.is_subset(sp.S.Reals):
            return None
    missing = sp.S.Reals - covered
    return missing if isinstance(missing, sp.Interval | sp.FiniteSet | sp.Union) or missing is sp.S.EmptySet else None


def _solvable(condition: sp.Basic, symbol: sp.Symbol) -> bool:
    """Return whether a condition compares polynomials up to degree 4, whose roots are exact, with `symbol` alone."""
    if condition.free_symbols - {symbol}:
        return False
    gaps = [
        sp.expand((r.lhs - r.rhs).replace(sp.Abs, lambda a: a)) for r in condition.atoms(sp.core.relational.Relational)
    ]
    return all(gap.is_polynomial(symbol) and sp.degree(gap, symbol) <= 4 for gap in gaps)


def uncovered_text(missing: sp.Set, name: str) -> str:
    """Return a set of `uncovered` in words, such as `-1 <= x < 1 and x = 2`."""
    components = missing.args if isinstance(missing, sp.Union) else (missing,)
    return " and ".join(_component_text(component, name) for component in components)


def _component_text(component: sp.Set, name: str) -> str:
    if isinstance(component, sp.FiniteSet):
        return " and ".join(f"{name} = {point}" for point in component)
    left = "" if component.start == -sp.oo else f"{component.start} {'<' if component.left_open else '<='} "
    right = "" if component.end == sp.oo else f" {'<' if component.right_open else '<='} {component.end}"
    if left and not right:
        return f"{name} {'>' if component.left_open else '>='} {component.start}"
    return f"{left}{name}{right}"

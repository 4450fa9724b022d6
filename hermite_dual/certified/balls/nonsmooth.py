"""Maxima, minima and case distinctions on balls.

Real balls get the hull of every branch that some point of the ball may take. Complex balls continue each branch from
the real line to where the real part of the deciding difference keeps its sign; elsewhere there is no analytic value.

Derivation: docs/theory/activations_in_balls.md, "Functions on balls".
"""

from collections.abc import Callable
from typing import Any

from flint import acb, arb


def not_analytic() -> acb:
    """The complex NaN that says: not proven analytic on this ball."""
    return acb(arb.nan(), arb.nan())


def hull(values: list[Any]) -> Any:
    """The smallest ball around several balls."""
    result = values[0]
    for value in values[1:]:
        result = result.union(value)
    return result


def real_extremum(values: list[arb], largest: bool) -> arb:
    """Maximum or minimum of real balls."""
    result = values[0]
    for value in values[1:]:
        result = result.max(value) if largest else result.min(value)
    return result


def complex_extremum(values: list[acb], largest: bool, analytic: bool) -> acb:
    """The branch with the extreme real part if the ball decides which, else the hull (NaN if it must be analytic)."""
    result = values[0]
    for value in values[1:]:
        gap = (value - result).real
        if gap > 0 or gap < 0:
            result = value if (gap > 0) == largest else result
        elif analytic:
            return not_analytic()
        else:
            result = result.union(value)
    return result


def _possible(x: Any, conditions: list[Callable[[Any], bool | None]]) -> list[int]:
    """Indices of the branches that some point of the ball may take."""
    indices = []
    for index, condition in enumerate(conditions):
        answer = condition(x)
        if answer is not False:
            indices.append(index)
        if answer is True:
            break
    return indices


def real_choice(x: arb, branches: list[Callable[[arb], arb]], conditions: list[Callable[[Any], bool | None]]) -> arb:
    """The hull of the branches that the ball may take; NaN if no condition holds."""
    indices = _possible(x, conditions)
    return hull([branches[index](x) for index in indices]) if indices else arb.nan()


def complex_choice(
    z: acb,
    analytic: bool,
    branches: list[Callable[[acb, bool], acb]],
    conditions: list[Callable[[Any], bool | None]],
) -> acb:
    """The one branch that the ball takes, else the hull (NaN if it must be analytic)."""
    indices = _possible(z, conditions)
    if not indices or (analytic and len(indices) > 1):
        return not_analytic()
    return hull([branches[index](z, analytic) for index in indices])

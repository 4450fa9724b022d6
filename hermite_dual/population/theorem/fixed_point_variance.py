"""Proven enclosure of the variance at which an infinitely wide equilibrium rests.

Derivation: docs/theory/entries.md, "Entries at a fixed point".
"""

from fractions import Fraction

import numpy as np
from flint import arb, fmpq

from hermite_dual.activation import Activation
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.enclosures.second_moment import second_moment_ball
from hermite_dual.errors import AccuracyError, InvalidInputError
from hermite_dual.outcome import Outcome
from hermite_dual.population.entries.variances import fixed_point_variances
from hermite_dual.population.theorem.hypothesis_tests import slope_bound

_BITS = 160  # of balls, beyond `_DIGITS`
_DIGITS = 24  # of the second moment, beyond the width of the interval
_FIRST_WIDTH, _LAST_WIDTH = 2.0**-50, 2.0**-20  # relative, of the intervals tried


def fixed_point_variance(phi: Activation, sigma_w: float, inner: Fraction) -> tuple[Fraction, Fraction]:
    """Enclose the q > 0 with `q = sigma_w^2 E[phi(sqrt(q) Z)^2] + inner`.

    With L-Lipschitz phi and `sigma_w L < 1` the map contracts in `sqrt(q)`, so that there is exactly one such q; a
    change of sign of `q - sigma_w^2 E[phi(sqrt(q) Z)^2] - inner` between two floats, in balls, shows that it lies
    between them.

    Args:
        phi: the activation, given as a formula.
        sigma_w: recurrent scale.
        inner: what the input contributes, `sigma_u^2 |x|^2 / d + sigma_b^2`, above 0.

    Returns:
        Lower and upper end, about 15 digits apart.

    Raises:
        InvalidInputError: phi is a Python function, or `sigma_w L < 1` is not proven.
        AccuracyError: no change of sign was found.
    """
    if phi.expr is None:
        raise InvalidInputError(
            f"{phi.name} is a Python function, of which nothing can be proven: give it as a formula"
        )
    slope = slope_bound(phi, 1)
    if sigma_w > 0.0 and not (slope.outcome is Outcome.PROVEN and sigma_w * slope.upper * (1 + 2.0**-50) < 1.0):
        raise InvalidInputError(f"sigma_w L < 1 is not proven (L at most {slope.upper:.6g}): take sigma_w below 1/L")
    if sigma_w == 0.0:
        return inner, inner
    q = float(fixed_point_variances(phi, sigma_w**2, np.array([float(inner)]))[0])
    width = _FIRST_WIDTH
    while width <= _LAST_WIDTH:
        low, high = q * (1.0 - width), q * (1.0 + width)
        if _excess(phi, sigma_w, inner, low) < 0 and _excess(phi, sigma_w, inner, high) > 0:
            return Fraction(low), Fraction(high)
        width *= 4.0
    raise AccuracyError(f"the variance fixed point near {q:.6g} of {phi.name} could not be enclosed in balls")


def _excess(phi: Activation, sigma_w: float, inner: Fraction, q: float) -> arb:
    with working_precision(_BITS):
        weight = arb(sigma_w) * arb(sigma_w)
        return (
            arb(q) - weight * second_moment_ball(phi.shape, q, _DIGITS) - arb(fmpq(inner.numerator, inner.denominator))
        )

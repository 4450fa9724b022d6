"""Proven enclosures of the correlation c* that many layers lead to, and of the slope there.

Derivation: docs/theory/mean_field.md, "Proofs".
"""

from flint import arb

from hermite_dual.activation import Activation
from hermite_dual.certified.balls.precision import bits_for, working_precision
from hermite_dual.certified.enclosures.kernel import kernel_ball
from hermite_dual.certified.enclosures.proven_root import proven_root
from hermite_dual.errors import AccuracyError
from hermite_dual.mean_fields.correlation import correlation_limit
from hermite_dual.population.entries.price_dual import slope_of


def enclose_correlation(phi: Activation, scales: tuple[arb, arb], q: arb, chi_1: arb, digits: int) -> arb:
    """Enclose the stable fixed point in [0, 1] of `C(c) = (sigma_w^2 k(q, q, c q) + sigma_b^2)/q`.

    C is convex with `C(1) = 1`: it is 1 where `chi_1 <= 1`, and otherwise the only fixed point in [0, 1), where
    `C(c) - c` changes its sign.

    Args:
        phi: the activation, given as a formula.
        scales: sigma_w^2 and sigma_b^2.
        q: a ball with the fixed point of the variance map, above 0.
        chi_1: a ball with the slope at 1.
        digits: those of c*.

    Raises:
        AccuracyError: `chi_1` is not told from 1, or no change of sign is proven.
    """
    weight, bias = scales
    if chi_1 <= 1:
        return arb(1)
    if not chi_1 > 1:
        raise AccuracyError(
            f"chi_1 = {chi_1.str(12)} is not told from 1, which decides whether c* is 1: ask for more digits"
        )
    shape = phi.shape
    if bias.is_zero() and shape.pieces.parity < 0:
        return arb(0)

    def excess(c: arb, accuracy: int) -> arb:
        return (weight * kernel_ball(shape, q, q, c * q, min(accuracy, digits + 3)) + bias) / q - c

    with working_precision(bits_for(2 * digits + 40) + 64):
        start = correlation_limit(phi, float(q), float(weight), float(bias), float(chi_1)).correlation
        if start <= 0.0:
            raise AccuracyError("c* is 0 as far as float64 sees, where no sign changes: nothing is proven")
        root = proven_root(excess, start, digits)
        if not root < 1:
            raise AccuracyError(f"c* is not told from 1 to {digits} digits: ask for more")
        return root


def enclose_correlation_slope(phi: Activation, weight: arb, q: arb, c: arb, chi_1: arb, digits: int) -> arb:
    """Enclose `C'(c*) = sigma_w^2 kdot(q, q, c* q)` on a ball around c*.

    Args:
        phi: the activation, given as a formula.
        weight: sigma_w^2.
        q: a ball with the fixed point of the variance map.
        c: a ball with c*, or NaN.
        chi_1: a ball with the slope at 1.
        digits: those of c*.

    Raises:
        AccuracyError: phi jumps, or the accuracy is not reached.
    """
    if c == 1:
        return chi_1
    if not c.is_finite():
        return c
    if phi.jumps:
        raise AccuracyError(f"{phi.name} jumps: its derivative has no dual of functions; chi_c is an estimate there")
    with working_precision(bits_for(2 * digits + 40) + 64):
        return weight * kernel_ball(slope_of(phi).shape, q, q, c * q, max(1, digits - 3))

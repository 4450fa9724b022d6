"""What stands for a Lipschitz constant at known variances, where the activation has none on the whole line.

Derivation: docs/theory/activations_in_balls.md, "Suprema of derivatives".
"""

import sympy as sp
from flint import arb

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import upper_float, working_precision
from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.errors import AccuracyError
from hermite_dual.shape.shape import shape_of

_MOST = 64
"""Different variances up to which moments of phi' are enclosed one by one."""
_BITS = 128  # of balls; the bound is rounded to a float
_DIGITS = 3  # a Lipschitz constant needs few


def local_lipschitz(phi: Activation, roots: Array, errors: Array) -> float:
    """Bound what takes the place of L at standard deviations `t` within `errors` of `roots`.

    With t between two such values, `||phi(t Z) - phi(t' Z)|| <= |t - t'| sup ||Z phi'(t Z)||` in L2, and by Price's
    theorem and Cauchy-Schwarz `|dk/dc| <= sup E[phi'(t Z)^2]`, phi being continuous and its derivative a function. So
    the larger of the two norms does what L does in bounds of kernels at these variances.

    Args:
        phi: a formula.
        roots: floats, shape (n,).
        errors: how far the true standard deviations may be off, shape (n,).

    Raises:
        AccuracyError: phi is not proven continuous, a moment is not enclosed, or there are too many variances.
    """
    if phi.shape.continuous is not True:
        raise AccuracyError(f"{phi.name} is not proven continuous, so that no bound of its kernel's changes is known")
    pairs = sorted(set(zip(roots.tolist(), errors.tolist(), strict=True)))
    if len(pairs) > _MOST:
        raise AccuracyError(
            f"without a Lipschitz constant moments of phi' are enclosed at up to {_MOST} different variances, not "
            f"{len(pairs)}: scale the rows to one norm with hermite_dual.on_sphere(X)"
        )
    slope, x = phi.shape.pieces.slope, phi.symbol
    largest = arb(0)
    with working_precision(_BITS):
        for root, error in pairs:
            q = (arb(root) + arb(0, error)) ** 2
            for squared, unit in ((slope**2, arb(1)), (sp.expand(x**2 * slope**2), q)):
                largest = largest.max(coefficient_balls(shape_of(squared, x), 1, q, _DIGITS)[0] / unit)
        return upper_float(largest.sqrt())

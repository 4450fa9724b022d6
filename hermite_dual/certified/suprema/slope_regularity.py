"""How far the dual of phi' moves with its arguments, where phi' may jump at kinks of phi.

phi' is bounded by L, has the slope `|phi''| <= M` between kinks and jumps by `J_k` at the kinks `c_k`; J is the sum of
`|J_k|`. Its derivative is the measure `g' = phi'' + sum_k J_k delta(c_k)`. With `t_i = sqrt(q_i)`, by Price's theorem

    |d kdot/d rho| = t1 t2 |E[g'(u) g'(v)]| <= t1 t2 M^2 + M J (t1 + t2)/sqrt(2 pi) + J^2/(2 pi sqrt(1 - rho^2)),

since a normal density is at most `1/(t sqrt(2 pi))` and the joint one at most `1/(2 pi t1 t2 sqrt(1 - rho^2))`; the
last term integrates to the arcsine. At fixed rho, with `max |z| w(z) = exp(-1/2)/sqrt(2 pi)`,

    |d kdot/d t1| = |E[Z1 g'(t1 Z1) phi'(t2 Z2)]| <= L (M sqrt(2/pi) + J exp(-1/2)/(sqrt(2 pi) t1)).

For a measure g' both follow from those for smoothed functions, in the limit.

Derivation: docs/theory/activations_in_balls.md, "Suprema of derivatives"; docs/theory/tangent_kernel.md, "Proven
entries".
"""

from dataclasses import dataclass

import numpy as np
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
from hermite_dual.certified.balls.precision import upper_float, working_precision
from hermite_dual.certified.balls.rounding import UP
from hermite_dual.certified.suprema.constants import derivative_bound
from hermite_dual.errors import AccuracyError
from hermite_dual.outcome import Outcome
from hermite_dual.shape.shape import Shape

_BITS = 128  # of balls; bounds are rounded to floats
_ROOT_2_OVER_PI = 0.7978845608028655  # sqrt(2/pi), rounded up
_DENSITY = 0.3989422804014328
"""`1/sqrt(2 pi)`, rounded up."""
_STEEPEST = 0.24197072451914337
"""`exp(-1/2)/sqrt(2 pi)`, rounded up."""
_ONE_OVER_2_PI = 0.15915494309189537  # 1/(2 pi), rounded up


@dataclass(frozen=True)
class SlopeRegularity:
    """Upper bounds of what the dual of phi' depends on.

    Attributes:
        lipschitz: L.
        curvature: M, the supremum of `|phi''|` between kinks.
        jumps: J, the sum of the jumps of phi' in modulus.
    """

    lipschitz: float
    curvature: float
    jumps: float

    def from_correlation(self, root1: Array, root2: Array, rho: Array, error: Array) -> Array:
        """Bound `|kdot(rho) - kdot(rho')|` at fixed variances, `|rho - rho'| <= error`, both in [-1, 1]."""
        M, J = self.curvature, self.jumps
        smooth = root1 * root2 * M * M + M * J * _DENSITY * (root1 + root2)
        # asin' grows towards both ends, so the worst interval is the one towards the nearer end, or ends there; with
        # 1 - x^2 >= 1 - |x| its integral is at most 2 (sqrt(g) - sqrt(g - e)), and 2 sqrt(e) if it reaches the end
        gap = (1.0 - np.abs(rho)) * (1.0 - 2.0**-50)
        left = np.maximum(gap - error * UP, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = 2.0 * error / (np.sqrt(gap) + np.sqrt(left))
        end = np.where(error <= 1.0, 2.0 * np.sqrt(error), 3.15)
        ends = J * J * _ONE_OVER_2_PI * np.where(error < gap, inside, end) * UP
        return np.asarray((smooth * error + ends) * UP)

    def from_root(self, root: Array, error: Array) -> Array:
        """Bound the change of kdot where one `sqrt(q)` changes by at most `error`, below half of it."""
        steep = self.curvature * _ROOT_2_OVER_PI + self.jumps * _STEEPEST / (root - error) * (1 + 2.0**-50)
        return np.asarray(self.lipschitz * steep * error * UP)


def slope_regularity(shape: Shape) -> SlopeRegularity:
    """Return proven bounds of L, M and J.

    Args:
        shape: that of the activation phi.

    Raises:
        AccuracyError: one of them is infinite, or not proven finite.
    """
    slope = derivative_bound(shape, 1)
    if slope.outcome is not Outcome.PROVEN:
        raise AccuracyError(f"no Lipschitz constant of phi is proven: {slope.reason}")
    curvature = derivative_bound(shape, 2, between_kinks=True)
    if curvature.outcome is not Outcome.PROVEN:
        raise AccuracyError(f"no bound of phi'' between the kinks of phi is proven: {curvature.reason}")
    pieces = shape.pieces
    total = arb(0)
    with working_precision(_BITS):
        for index, kink in enumerate(pieces.kinks):
            sides = (
                BallFunction(e.diff(shape.symbol), shape.symbol)(constant_ball(kink))
                for e in pieces.expressions[index:][:2]
            )
            left, right = sides
            total += abs(right - left)
        jumps = upper_float(total)
    if not np.isfinite(jumps):
        raise AccuracyError("a jump of phi' at a kink of phi is not bounded")
    return SlopeRegularity(slope.upper, curvature.upper, jumps)

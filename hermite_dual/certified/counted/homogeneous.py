"""The dual kernel of activations with `phi(s x) = s phi(x)`, s > 0, such as ReLU, in closed form.

`phi(x) = p x` for x > 0 and `m x` for x < 0 is `a |x| + b x` with `a = (p - m)/2`, `b = (p + m)/2`. Even and odd part
do not correlate. For standard normal u, v of correlation rho `E|u v| = (2/pi) (sqrt(1 - rho^2) + rho asin(rho))`: its
second derivative is `E[sgn'(u) sgn'(v)] = 4/(2 pi sqrt(1 - rho^2))` by Price's theorem, its value at 0 is `2/pi`, its
slope there 0. So

    k(q1, q2, rho sqrt(q1 q2)) = sqrt(q1 q2) ((2 a^2/pi) (sqrt(1 - rho^2) + rho asin(rho)) + b^2 rho).

Derivation: docs/theory/entries.md, "Entries of a Gram matrix".
"""

from collections.abc import Callable

from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.ball_functions import constant_ball
from hermite_dual.certified.balls.precision import rounded, working_precision
from hermite_dual.certified.counted.entry_error import SeriesValues
from hermite_dual.shape.shape import Shape

_BITS = 128  # balls, far beyond the floats that are bounded


def homogeneous_kernel(shape: Shape, rho: Array) -> SeriesValues:
    """Evaluate `k(1, 1, rho)` at the floats rho, with bounds of the rounding.

    Args:
        shape: that of a homogeneous activation.
        rho: correlations in [-1, 1], shape (m,).
    """
    return _evaluate(shape, rho, lambda x, even, odd: even * ((1 - x * x).sqrt() + x * x.asin()) + odd * x)


def homogeneous_slope(shape: Shape, rho: Array) -> SeriesValues:
    """Evaluate `kdot = (2 a^2/pi) asin(rho) + b^2`, which no variance changes; arguments as `homogeneous_kernel`."""
    return _evaluate(shape, rho, lambda x, even, odd: even * x.asin() + odd)


def _evaluate(shape: Shape, rho: Array, form: Callable[[arb, arb, arb], arb]) -> SeriesValues:
    pieces = shape.pieces
    with working_precision(_BITS):
        left, right = (constant_ball(pieces.expressions[k].subs(shape.symbol, 1)) for k in (0, -1))
        a, b = (right - left) / 2, (right + left) / 2
        even, odd = 2 * a * a / arb.pi(), b * b
        return SeriesValues(*rounded([form(arb(value), even, odd) for value in rho.tolist()]))

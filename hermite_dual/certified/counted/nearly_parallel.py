"""Entries of almost parallel rows for positively homogeneous activations: a power series would need too many terms.

`phi(x) = p x` for x > 0 and `m x` for x < 0. For standard normal u, v of correlation rho the positive parts have

    J(rho) = E[max(u, 0) max(v, 0)] = (sqrt(1 - rho^2) + rho (pi - arccos rho))/(2 pi),  J' = (pi - arccos rho)/(2 pi)

(the angle between the half planes `u > 0`, `v > 0` is `pi - arccos rho`), and `max(-v, 0)` turns rho into `-rho`, so
that `E[phi(u) phi(v)] = (p^2 + m^2) J(rho) - 2 p m J(-rho)`.

Derivation: docs/theory/entries.md, "Entries of a Gram matrix".
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.ball_functions import constant_ball
from hermite_dual.certified.balls.precision import upper_float, working_precision
from hermite_dual.shape.shape import Pieces

_BITS = 96  # balls, of entries that are rounded to floats
_STEPS = 8  # of Newton's iteration for the fixed points; the residual is measured afterwards


@dataclass(frozen=True, eq=False)
class HomogeneousKernel:
    """`E[phi(u) phi(v)]` at unit variances.

    Attributes:
        left: the slope m for x < 0.
        right: the slope p for x > 0.
    """

    left: arb
    right: arb

    def ball(self, rho: float) -> arb:
        """The kernel at a float correlation, enclosed."""
        x = arb(rho)
        root, angle, pi = (1 - x * x).sqrt(), x.acos(), arb.pi()
        same, other = root + x * (pi - angle), root - x * angle
        squares = self.left * self.left + self.right * self.right
        return (squares * same - 2 * self.left * self.right * other) / (2 * pi)

    def solve(self, t: Array, lengths: Array, weight: float, start: Array) -> tuple[Array, Array, Array, Array]:
        """Newton's method for `K = lengths k((weight K + t)/lengths)`, then one evaluation in balls.

        Args:
            t: the inputs' part of the covariances, shape (m,).
            lengths: products of two roots of variances.
            weight: `sigma_w^2`.
            start: where to begin.

        Returns:
            The last iterate, the correlation it stands for, the kernel there, and a bound of the kernel's own error.
        """
        p, m = float(self.right), float(self.left)
        old = start.copy()
        for _ in range(_STEPS):
            rho = np.clip((weight * old + t) / lengths, -1.0, 1.0)
            angle = np.arccos(rho)
            root = np.sqrt((1.0 - rho) * (1.0 + rho))
            value = (p * p + m * m) * (root + rho * (np.pi - angle)) - 2.0 * p * m * (root - rho * angle)
            slope = (p * p + m * m) * (np.pi - angle) + 2.0 * p * m * angle
            change = lengths * value / (2.0 * np.pi) - old
            old = old + change / (1.0 - np.clip(weight * slope / (2.0 * np.pi), -1.0, 0.95))
        rho = np.clip((weight * old + t) / lengths, -1.0, 1.0)
        with working_precision(_BITS):
            balls = [self.ball(r) for r in rho.tolist()]
            values = np.array([float(b.mid()) for b in balls])
            errors = np.array([upper_float(abs(b - arb(v))) for b, v in zip(balls, values.tolist(), strict=True)])
        new = lengths * values
        # the product of two roots of two roundings each, and the last product
        return old, rho, new, lengths * errors * (1 + 1e-9) + 6.1 * 2.0**-53 * np.abs(new)


def homogeneous_kernel_of(pieces: Pieces, symbol: Any) -> HomogeneousKernel | None:
    """The kernel of an activation that is linear through the origin on either side of it, else None."""
    if any(kink != 0 for kink in pieces.kinks):
        return None
    ends = (pieces.expressions[0], pieces.expressions[-1])
    if any((e - e.subs(symbol, 1) * symbol).expand() != 0 for e in ends):
        return None
    with working_precision(_BITS):
        return HomogeneousKernel(*(constant_ball(e.subs(symbol, 1)) for e in ends))

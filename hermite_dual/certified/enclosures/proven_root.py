"""A root of a function in balls, proven by a change of sign between two exact numbers.

Derivation: docs/theory/mean_field.md, "Proofs".
"""

import math
from collections.abc import Callable

from flint import arb

from hermite_dual.errors import AccuracyError

_STEP, _STEP_DIGITS = 1e-9, 30
"""Relative distance, and digits, of slopes taken as differences: they steer the iteration and prove nothing."""
_STEPS = 40
"""Each gains more than `_GAIN` unless two roots are close."""
_GAIN = 1e-6
"""Share of a step within which its end is a root, far more than a secant of relative width `_STEP` misses."""


def proven_root(function: Callable[[arb, int], arb], start: float, digits: int) -> arb:
    """Enclose a root of a function of q to `10^-digits q`: a secant that only steers, then a proven change of sign.

    Args:
        function: of an exact q and the digits to which its terms, of the size of q, are wanted.
        start: the root to about float64's accuracy.
        digits: significant digits.
    """
    q = arb(start)
    ends = [function(q * (1 + sign * arb(_STEP)), _STEP_DIGITS).mid() for sign in (-1, 1)]
    slope = (ends[1] - ends[0]) / (2 * arb(_STEP) * q)
    lost = max(0, math.ceil(-math.log10(max(abs(float(slope)), 1e-300))))
    accuracy = digits + lost + 3
    radius = q * arb(10) ** -digits / 2
    for _ in range(_STEPS):
        step = (function(q, accuracy) / slope).mid()
        if not step.is_finite() or abs(step) > abs(q) / 2:
            break
        q = (q - step).mid()
        if abs(step) * _GAIN < radius / 8:
            low, high = (q - radius).mid(), (q + radius).mid()
            signs = function(low, accuracy), function(high, accuracy)
            if (signs[0] < 0 and signs[1] > 0) or (signs[0] > 0 and signs[1] < 0):
                return low.union(high)
            if abs(step) < radius / 8:
                break
    raise AccuracyError(
        f"no change of sign is proven near q = {start:.10g} to {digits} digits; ask for fewer digits, or move "
        "the scales away from where two fixed points meet"
    )

"""Proven bounds of predictions before the end of training.

Derivation: docs/theory/predictions.md, "Errors before the end".
"""

import math
from dataclasses import dataclass

import numpy as np
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import upper_float, working_precision
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma, norm_above
from hermite_dual.certified.eigenvalues.spectrum import Decomposition, chunked_product, product_units
from hermite_dual.outcome import Outcome
from hermite_dual.population.proof.prediction_bounds import Enclosed, MeanBounds, residual_bounds, undecided_mean

_BITS = 192
"""Of balls of `1 - exp(-t v)`, which go through functions that do not cancel."""


@dataclass(frozen=True)
class Duration:
    """How far training goes: the time of gradient flow, or steps of gradient descent of some size.

    Attributes:
        t: time, finite; of gradient descent `steps * step`.
        steps: None for gradient flow.
        step: size of a step.
    """

    t: float
    steps: int | None
    step: float

    def response(self, v: arb) -> tuple[arb, arb]:
        """Return `g(v) = int_0^t exp(-s v) ds` and a bound of `int_0^t |exp(-s v)| ds`; or those of the steps' sums."""
        if self.steps is None:
            g = -(-v * self.t).expm1() / v if v > 0 else arb(self.t)
            return g, g
        z, h = v * self.step, arb(self.step)
        if not v > 0 or self.steps == 0:
            return h * self.steps, h * self.steps
        if z < 1:
            g = -(self.steps * (-z).log1p()).expm1() / v
            return g, g
        # sum_j h |1 - z|^j
        most = h * self.steps
        return (1 - (1 - z) ** self.steps) / v, most.min(h / (2 - z)) if z < 2 else most

    def gain(self, least: arb, largest: arb) -> arb:
        """Bound the integral of the norm of `exp(-s M)`, or h times the sum of those of the powers of `1 - h M`."""
        if self.steps is None:
            return arb(self.t).min(1 / least) if least > 0 else arb(self.t)
        whole, h = arb(self.step) * self.steps, arb(self.step)
        rate = (1 - h * least).max(h * largest - 1)
        return whole.min(h / (1 - rate)) if rate < 1 else whole


def flow_bounds(
    kernel: Enclosed,
    cross: Enclosed,
    noise: float,
    extremes: tuple[float, float],
    duration: Duration,
    decomposition: Decomposition,
    solved: tuple[Array, Array],
    mean: Array,
) -> MeanBounds:
    """Bound `|mean - C g(M) y|` for all positive semidefinite kernels within the errors, `M = K + noise`.

    Args:
        kernel: K with its errors, shape (n, n).
        cross: C with its errors, shape (p, n).
        noise: what is added to the diagonal.
        extremes: a lower bound of `lambda_min(K)` and an upper one of `lambda_max(K)`; the second counts for steps.
        duration: how far training goes.
        decomposition: eigenvalues and eigenvectors of K, as floats know them.
        solved: targets y and weights a, shape (n, outputs).
        mean: shape (p, outputs).
    """
    (targets, weights), n = solved, len(kernel[0])
    values, basis = np.maximum(decomposition[0], 0.0) + noise, decomposition[1]
    with working_precision(_BITS):
        largest = arb(extremes[1]) + noise
        steep = arb(duration.step) * largest.max(arb(float(values.max())))
        if duration.steps is not None and not steep <= 2:
            return undecided_mean("the step is not proven to be at most 2/lambda_max: take a smaller one")
        pairs = [duration.response(arb(value)) for value in values.tolist()]
        gain = upper_float(duration.gain(arb(max(extremes[0], 0.0)) + noise, largest))
        response = np.array([float(g.mid()) for g, _ in pairs])
        radius = np.array([upper_float(abs(g - arb(value))) for (g, _), value in zip(pairs, response, strict=True)])
        bound = np.array([upper_float(most) for _, most in pairs])
    if not math.isfinite(gain) or not np.all(np.isfinite(bound)):
        return undecided_mean("float64 overflowed: take a smaller time")
    units, size = product_units(n), np.abs(basis)
    up, lost = (1 + gamma(n + 8)) * UP, 8 * n * TINY
    # the path U g_s(v) z solves the equation of training but for U z - y + (M U - U v) g_s(v) z
    spread = basis * values
    defect = residual_bounds(kernel, noise, basis, spread) + UNIT * np.abs(spread) + TINY
    z, x = basis.T @ targets, basis.T @ cross[0].T
    path, reach = response[:, None] * z, bound[:, None] * np.abs(x)
    missed = _distance(basis, z, targets, units) + defect @ (bound[:, None] * np.abs(z)) * up
    unanswered = norm_above((_distance(basis, x, cross[0].T, units) + cross[1].T).T) + norm_above(defect.T) @ reach
    off = _distance(basis, path, weights, units) + size @ ((radius[:, None] + 2 * UNIT * bound[:, None]) * np.abs(z))
    moved = np.abs(chunked_product(cross[0], weights) - mean) * (1 + 2 * UNIT)
    moved += (cross[1] + units * np.abs(cross[0]) + TINY) @ np.abs(weights)
    moved += (np.abs(cross[0]) + cross[1]) @ (off * up) + (size @ reach * up).T @ (missed * up)
    products = np.outer(unanswered * gain, norm_above(missed.T))
    errors = (moved + products) * up**2 + lost
    if not np.all(np.isfinite(errors)):
        return undecided_mean("float64 overflowed: rescale the targets")
    return MeanBounds(errors, Outcome.PROVEN, "defects of the path of training in eigenvectors, every rounding counted")


def _distance(basis: Array, columns: Array, right: Array, units: float) -> Array:
    """Upper bounds of `|basis columns - right|`."""
    rounding = units * np.abs(basis) @ np.abs(columns) + UNIT * np.abs(right)
    near = np.abs(chunked_product(basis, columns) - right) * (1 + 2 * UNIT)
    return np.asarray((near + rounding) * (1 + gamma(len(basis) + 8)) * UP + 8 * len(basis) * TINY)

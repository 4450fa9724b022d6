"""Proven bounds of kernel regression: of its mean, and of the rate at which training comes there.

Derivation: docs/theory/predictions.md, "Errors", "Gradient descent".
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import lower_float, upper_float, working_precision
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma, norm_above
from hermite_dual.certified.eigenvalues.spectrum import Spectrum, chunked_product, product_units
from hermite_dual.exact_numbers import freeze
from hermite_dual.notebook import Shown, Told
from hermite_dual.outcome import Outcome

Enclosed = tuple[Array, Array]
"""Floats and bounds of their distances to the exact numbers."""


@dataclass(frozen=True, eq=False, repr=False)
class MeanBounds(Shown):
    """What is proven of the means of a prediction.

    Attributes:
        errors: bounds of `|mean - exact|`, in the shape of the mean, or None where nothing is proven.
        outcome: PROVEN or UNDECIDED.
        reason: how, or what is missing.
    """

    errors: Array | None
    outcome: Outcome
    reason: str

    def __post_init__(self) -> None:
        """Make the array read-only."""
        freeze(self.errors)

    def _told(self) -> Told:
        return [("largest", self.largest), *super()._told()]

    @property
    def largest(self) -> float:
        """The largest bound; infinite where nothing is proven."""
        return math.inf if self.errors is None else float(self.errors.max())

    def shaped(self, shape: tuple[int, ...]) -> "MeanBounds":
        """The same with the errors in another shape."""
        return self if self.errors is None else replace(self, errors=self.errors.reshape(shape))


@dataclass(frozen=True, repr=False)
class TrainingRate(Shown):
    """How fast gradient flow and gradient descent on `1/2 sum (f - y)^2` train an infinitely wide model.

    M is the kernel plus the noise. In the 2-norm over training samples the distance of the outputs to what training
    ends with (y, without noise) shrinks at least by the factor `rate` in each step, and by `exp(-least t)` in time t.

    Attributes:
        least: proven lower bound of `lambda_min(M)`.
        largest: proven upper bound of `lambda_max(M)`; infinite where nothing is proven.
        largest_step: proven lower bound of `2/lambda_max(M)`: gradient descent with a smaller step never diverges.
        step: the step size that `rate` and `outcome` are about.
        rate: proven upper bound of `max |1 - step lambda|` over the eigenvalues of M.
        outcome: whether gradient descent with this step converges at a linear rate: PROVEN where `rate < 1`, REFUTED
            where `step lambda_max > 2`, else UNDECIDED.
        reason: how, or what is missing.
    """

    least: float
    largest: float
    largest_step: float
    step: float
    rate: float
    outcome: Outcome
    reason: str


def undecided_mean(reason: str) -> MeanBounds:
    """What is known where nothing is proven."""
    return MeanBounds(None, Outcome.UNDECIDED, reason)


@working_precision(64)
def training_rate(least: float, spectrum: Spectrum, step: float | None, noise: float) -> TrainingRate:
    """Bound the rate of gradient descent, from bounds of the eigenvalues of a positive semidefinite kernel.

    Args:
        least: lower bound of the least eigenvalue, possibly `-inf`.
        spectrum: all eigenvalues, of which the largest counts.
        step: its size, or None for that with the smallest proven rate.
        noise: what is added to the eigenvalues, at least 0.
    """
    low = arb(max(least, 0.0)) + arb(noise)
    bounds = float(spectrum.lower[-1]), float(spectrum.upper[-1])
    if not math.isfinite(bounds[1]):
        size = math.nan if step is None else step
        return TrainingRate(lower_float(low), math.inf, 0.0, size, math.inf, Outcome.UNDECIDED, spectrum.reason)
    below, above = arb(max(bounds[0], 0.0)) + arb(noise), arb(bounds[1]) + arb(noise)
    size = step if step is not None else lower_float(2 / (low + above))
    rate = upper_float((1 - arb(size) * low).max(arb(size) * above - 1))
    outcome, reason = Outcome.UNDECIDED, "the bounds of the eigenvalues do not tell: another step, or noise, may"
    if rate < 1.0:
        outcome, reason = Outcome.PROVEN, "eigenvalues with their proven bounds"
    elif arb(size) * below > 2:
        outcome, reason = Outcome.REFUTED, "the step is beyond 2/lambda_max: gradient descent diverges"
    return TrainingRate(lower_float(low), upper_float(above), lower_float(2 / above), size, rate, outcome, reason)


def regression_bounds(
    kernel: Enclosed, cross: Enclosed, noise: float, least: float, solved: tuple[Array, Array, Array], mean: Array
) -> MeanBounds:
    """Bound `|mean - C M^-1 y|` for all kernels within the errors, `M = K + noise`.

    With any weights a and responses B, `R >= |y - M a|` and `S >= |C^T - M B|`, the bound is
    `|mean - C a| + |B|^T R + |S_i|_2 |R_j|_2 / lambda_min(M)`.

    Args:
        kernel: K with its errors, shape (n, n).
        cross: C with its errors, shape (p, n).
        noise: what is added to the diagonal.
        least: lower bound of `lambda_min(K)`.
        solved: targets y, shape (n, outputs), weights a of the same shape, responses B, shape (n, p).
        mean: shape (p, outputs).
    """
    targets, weights, responses = solved
    floor = math.nextafter(max(least, 0.0) + noise, 0.0)
    if not floor > 0.0:
        return undecided_mean(f"lambda_min > 0 is not proven: its lower bound is {least:.3g}; pass noise > 0")
    missed = residual_bounds(kernel, noise, weights, targets)
    unanswered = residual_bounds(kernel, noise, responses, cross[0].T) + cross[1].T
    n = len(targets)
    units = product_units(n)
    moved = np.abs(chunked_product(cross[0], weights) - mean) * (1 + 2 * UNIT)
    moved += (cross[1] + units * np.abs(cross[0]) + TINY) @ np.abs(weights)
    moved += np.abs(responses).T @ missed
    products = np.outer(norm_above(unanswered.T) / floor, norm_above(missed.T))
    errors = (moved + products) * (1 + gamma(n + 8)) * UP + 8 * n * TINY
    if not np.all(np.isfinite(errors)):
        return undecided_mean("float64 overflowed: rescale the targets")
    return MeanBounds(errors, Outcome.PROVEN, "residuals over the least eigenvalue, every rounding counted")


def residual_bounds(kernel: Enclosed, noise: float, solutions: Array, right: Array) -> Array:
    """Upper bounds of `|right - (K + noise) solutions|` for all K within the errors, shape (n, k)."""
    matrix, errors = kernel
    n = len(matrix)
    sizes = np.abs(solutions)
    residual = right - chunked_product(matrix, solutions) - noise * solutions
    # a product by noise and two differences, each rounded once, of terms no larger than these
    rounding = (product_units(n) + 4 * UNIT) * np.abs(matrix) + TINY
    bound = np.abs(residual) + (errors + rounding) @ sizes + 4 * UNIT * (np.abs(right) + noise * sizes)
    return (bound + 8 * n * TINY) * (1 + gamma(n + 8)) * UP

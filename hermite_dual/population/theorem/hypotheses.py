"""The hypotheses of the convergence theorems for a model and its data, and what follows from them.

Derivation: docs/theory/certificates.md, "Hypotheses"; docs/theory/eigenvalues.md, "Where K is positive definite".
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import UNIT
from hermite_dual.certified.eigenvalues.eigenvalues import EigenvalueBounds
from hermite_dual.certified.suprema.constants import DerivativeBound
from hermite_dual.errors import HermiteDualError, InvalidInputError
from hermite_dual.exact_numbers import check_count
from hermite_dual.notebook import Shown, grid
from hermite_dual.outcome import Outcome
from hermite_dual.population.entries.identical_rows import identical_rows
from hermite_dual.population.entries.zero_rows import vanishes_at_zero, zero_rows
from hermite_dual.population.theorem.gaussian_norm import contraction_failure
from hermite_dual.population.theorem.hypothesis_tests import (
    Hypothesis,
    bounded_derivative,
    contraction_condition,
    no_parallel_rows,
    no_polynomial,
    paper_scales,
    parity,
    row_norms,
    slope_bound,
)
from hermite_dual.population.theorem.limit_numbers import LimitNumbers, limit_numbers
from hermite_dual.population.theorem.random_weights import LING, TRUONG, is_relu, linear_rate, near_limit

if TYPE_CHECKING:
    from hermite_dual.deq import DEQ
    from hermite_dual.population.gram import Gram


_WIDEST = 10**15
"""Neurons, which need no network here."""


@dataclass(frozen=True, repr=False)
class TheoremCheck(Shown):
    """Which hypotheses hold for a model and its data, and what follows.

    `print(check)` shows all of it.

    Attributes:
        activation: the name of phi.
        hypotheses: bounded first and second derivative, `s^2 < 1/(8 L^2)`, the papers' scales, row norms, no parallel
            rows, phi no polynomial, parity.
        consequences: existence and uniqueness of the equilibrium, `lambda_* > 0`, for a given width the distance of
            `Z^T Z/m` from K, and with a step the linear rate: what they say of random weights holds with a probability.
        least_eigenvalue: proven enclosure of `lambda_*`.
        theorem: which paper's theorem covers the case, or why none does.
    """

    activation: str
    hypotheses: tuple[Hypothesis, ...]
    consequences: tuple[Hypothesis, ...]
    least_eigenvalue: EigenvalueBounds
    theorem: str

    def __getitem__(self, name: str) -> Hypothesis:
        """Return the hypothesis or consequence of a name."""
        for item in (*self.hypotheses, *self.consequences):
            if item.name == name:
                return item
        names = ", ".join(repr(item.name) for item in (*self.hypotheses, *self.consequences))
        raise InvalidInputError(f"no hypothesis is named {name!r}; there are {names}")

    def _repr_html_(self) -> str:
        """Return a table for notebooks, a row per hypothesis and consequence."""
        kinds = (("hypothesis", self.hypotheses), ("consequence", self.consequences))
        rows = [(kind, item.name, item.outcome.value, item.explanation) for kind, items in kinds for item in items]
        head = ("", "statement", "outcome", "explanation")
        return grid(f"Hypotheses for {self.activation}", head, rows, self.theorem)

    def __str__(self) -> str:
        """Return a line per hypothesis and consequence."""
        lines = [f"Hypotheses for {self.activation}", *(f"  {item}" for item in self.hypotheses)]
        lines += ["What follows", *(f"  {item}" for item in self.consequences), f"  {self.theorem}"]
        return "\n".join(lines)


def check_theorem(model: "DEQ", X: Array, width: int | None, step: float | None) -> TheoremCheck:
    """Decide each hypothesis for a model and samples of shape (n, d).

    Args:
        model: the model of infinite width.
        X: checked samples.
        width: number m of neurons, for the statements about finite networks.
        step: step size of gradient descent.
    """
    _check_width_and_step(width, step)
    phi = model.activation
    slopes = (slope_bound(phi, 1), slope_bound(phi, 2))
    hypotheses = (
        bounded_derivative(slopes[0], 1),
        bounded_derivative(slopes[1], 2),
        contraction_condition(model.sigma_w, slopes[0], 2),
        paper_scales(model.sigma_u, model.sigma_b),
        row_norms(X),
        no_parallel_rows(X, model),
        no_polynomial(phi, slopes),
        parity(phi),
    )
    limit = contraction_condition(model.sigma_w, slopes[0], 1)
    gram, least = _least_eigenvalue(model, X, limit)
    consequences = [_population_limit(limit), positive(least)]
    if width is not None:
        consequences.append(_finite_uniqueness(model.sigma_w, slopes[0].upper, width))
        numbers = _limit_numbers(gram, X, least, slopes)
        consequences.append(near_limit(numbers, width))
        if step is not None:
            consequences.append(linear_rate(numbers, least, phi, width, step))
    return TheoremCheck(phi.name, hypotheses, tuple(consequences), least, _theorem(phi, hypotheses))


def _check_width_and_step(width: int | None, step: float | None) -> None:
    if width is not None:
        check_count("width", width, 1, "the number of neurons", _WIDEST)
    if step is None:
        return
    if not (isinstance(step, int | float) and math.isfinite(step) and step > 0.0):
        raise InvalidInputError(f"step = {step!r}: allowed are finite numbers above 0, or None")
    if width is None:
        raise InvalidInputError("step is given without width: the rate depends on both, pass width=m as well")


def _least_eigenvalue(model: "DEQ", X: Array, limit: Hypothesis) -> "tuple[Gram | None, EigenvalueBounds]":
    """The Gram matrix, where one was computed, and its least eigenvalue."""
    if limit.outcome is not Outcome.PROVEN:
        reason = f"the limit needs sigma_w L < 1: {limit.explanation}"
        return None, undecided_eigenvalue(reason)
    if singular := _singular(model, X):
        reason = f"{singular}, and K is positive semidefinite"
        return None, EigenvalueBounds(0.0, 0.0, 0.0, Outcome.PROVEN, reason)
    try:
        gram = model.gram(X)
        return gram, gram.least_eigenvalue()
    except HermiteDualError as error:
        return None, undecided_eigenvalue(str(error))


def undecided_eigenvalue(reason: str) -> EigenvalueBounds:
    """Return what is known where no eigenvalue could be enclosed."""
    return EigenvalueBounds(-math.inf, math.nan, math.inf, Outcome.UNDECIDED, reason)


def _limit_numbers(
    gram: "Gram | None", X: Array, least: EigenvalueBounds, slopes: tuple[DerivativeBound, DerivativeBound]
) -> LimitNumbers | None:
    """What statements about random weights are made from, where all of it is proven; phi'' may be unbounded."""
    if gram is None or not least.lower > 0.0 or slopes[0].outcome is not Outcome.PROVEN:
        return None
    return limit_numbers(gram, X, least.lower, (slopes[0].upper, slopes[1].upper))


def _singular(model: "DEQ", X: Array) -> str | None:
    """Why K is singular, as the rows show without any computation, or None."""
    degree = None if model.activation.expr is None else model.activation.shape.degree
    if degree is not None and (model.sigma_w == 0.0 or degree <= 1):
        rank = math.comb(X.shape[1] + degree, degree)
        if len(X) > rank:
            return (
                f"K is the Gram matrix of polynomials of degree {degree} in {X.shape[1]} coordinates, which span "
                f"{rank} dimensions, and there are {len(X)} rows"
            )
    zero = np.flatnonzero(zero_rows(X, model.sigma_b))
    if zero.size and vanishes_at_zero(model.activation):
        return f"row {zero[0]} of X is zero, sigma_b = 0 and phi(0) = 0, so that row {zero[0]} of K is zero"
    # -x has the state -z where phi is odd, and the state z where it is even and nothing recurs
    parity = 0 if model.activation.expr is None or model.sigma_b else model.activation.shape.parity
    symmetric = parity < 0 or (parity > 0 and model.sigma_w == 0.0)
    for sign, what in ((1.0, "equal"), (-1.0, "opposite")) if symmetric else ((1.0, "equal"),):
        # adding 0 makes -0 a 0, whose bits are compared
        first, second = identical_rows(X + 0.0, sign * X + 0.0)
        pairs = first < second
        if pairs.any():
            i, j = int(first[pairs][0]), int(second[pairs][0])
            return f"rows {i} and {j} of X are {what}, so that those of K are equal or opposite"
    if model.activation.expr is not None and model.activation.shape.homogeneous and model.sigma_b == 0.0:
        parallel = no_parallel_rows(X, model)
        if parallel.outcome is Outcome.REFUTED:
            return f"{parallel.explanation}: phi is homogeneous, so that those of K are proportional"
    return None


def _population_limit(limit: Hypothesis) -> Hypothesis:
    name = "the population limit exists and is unique"
    if limit.outcome is Outcome.PROVEN:
        return Hypothesis(name, Outcome.PROVEN, limit.value, f"sigma_w L < 1: {limit.explanation}")
    return Hypothesis(name, Outcome.UNDECIDED, limit.value, f"sigma_w L < 1 is not proven: {limit.explanation}")


def positive(least: EigenvalueBounds, name: str = "lambda_* > 0") -> Hypothesis:
    """Decide whether an enclosed least eigenvalue is positive."""
    if least.outcome is Outcome.UNDECIDED:
        return Hypothesis(name, Outcome.UNDECIDED, None, least.reason)
    interval = f"it lies in [{least.lower!r}, {least.upper!r}]"
    if least.lower > 0.0:
        return Hypothesis(name, Outcome.PROVEN, least.lower, interval)
    if least.upper <= 0.0:
        return Hypothesis(name, Outcome.REFUTED, least.upper, least.reason if least.lower == least.upper else interval)
    return Hypothesis(name, Outcome.UNDECIDED, least.lower, f"{interval}, which contains 0")


def _finite_uniqueness(sigma_w: float, lipschitz: float, width: int) -> Hypothesis:
    """`P(||W||_2 >= sigma_w (2 + t)) <= exp(-m t^2/2)` for `W_ij ~ N(0, sigma_w^2/m)`, at `2 + t = 1/(sigma_w L)`."""
    name = f"a network of width {width} has one equilibrium"
    if sigma_w == 0.0:
        return Hypothesis(name, Outcome.PROVEN, 1.0, "sigma_w = 0: nothing recurs")
    room, failure = contraction_failure(sigma_w, lipschitz, width)
    if room <= 0.0:
        return Hypothesis(name, Outcome.UNDECIDED, None, "2 sigma_w L < 1 is not proven")
    probability = max(0.0, 1.0 - failure - 2 * UNIT)  # the subtraction rounds once
    # three digits are printed, which must not round downwards
    explanation = (
        f"except with probability {1.01 * failure:.3g} at most, since ||W||_2 >= sigma_w (2 + t) has probability at "
        f"most exp(-m t^2/2) and L ||W||_2 < 1 is a contraction; t = {room:.6g}"
    )
    outcome = Outcome.PROVEN if probability > 0.0 else Outcome.UNDECIDED
    return Hypothesis(name, outcome, probability, explanation)


def _theorem(phi: Activation, hypotheses: tuple[Hypothesis, ...]) -> str:
    first, second, condition, *data = (item.outcome is Outcome.PROVEN for item in hypotheses[:7])
    scales, norms, parallel, polynomial = data
    relu = is_relu(phi)
    common = condition and scales and norms and parallel
    if relu:
        proven = "are proven here" if common else "are not all proven here"
        return f"{LING}, covers ReLU: its assumptions on model and samples {proven}; |y_i| = O(1) is not looked at."
    if common and first and second and polynomial:
        return (
            "Proven are bounded phi' and phi'', s^2 < 1/(8 L^2) and distinct directions on the sphere, under which "
            f"{TRUONG}, claims a linear rate; whether it asks for more, as one version does a bounded phi, is not "
            "known here. For one network the rate is decided by its certify_training."
        )
    missing = [item.name for item in hypotheses[:7] if item.outcome is not Outcome.PROVEN]
    return f"No theorem is known to cover this case; not proven: {', '.join(missing)}."

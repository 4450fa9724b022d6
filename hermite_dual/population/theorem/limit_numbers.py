"""What the theorems at random weights ask of the limit, of the samples and of phi: proven numbers, rounded outwards.

Derivation: docs/theory/random_weights.md, "What is asked of the limit".
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from flint import arb

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.certified.balls.ball_functions import BallFunction
from hermite_dual.certified.balls.precision import upper_float, working_precision
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma, norm_above, sum_above
from hermite_dual.certified.counted.inner_products import inner_products
from hermite_dual.certified.eigenvalues.cholesky_bounds import cholesky_lower
from hermite_dual.certified.eigenvalues.entry_norm import entry_norm
from hermite_dual.numeric.lanczos import lanczos, start_vector
from hermite_dual.outcome import Outcome
from hermite_dual.population.theorem.hypothesis_tests import slope_bound

if TYPE_CHECKING:
    from hermite_dual.population.gram import Gram

_BITS = 80  # of `phi(0)`
_STEPS, _ABOVE = 200, 1e-6
"""Steps of Lanczos' method for a largest eigenvalue, and how far above its estimate, relatively, the proof is tried."""


@dataclass(frozen=True, eq=False)
class LimitNumbers:
    """Numbers of the limit K, of `S = sigma_w^2 K + B` and of `B = sigma_u^2 X X^T/d + sigma_b^2`; all are bounds.

    Attributes:
        states: `sqrt(K_ii)` is at most this, shape (n,).
        variances: `S_ii` is at most this, shape (n,).
        least_variances: `S_ii` is at least this, shape (n,).
        covariances: no row of S is longer in the 2-norm, shape (n,).
        inputs: `B_ii` is at most this, shape (n,).
        least: `lambda_min(K) >= least`.
        largest: `lambda_max(K) <= largest`.
        input_norm: `||B||_2 <= input_norm`.
        samples: `||[X, 1]||_2^2 <= samples`, without the column of ones where there is no bias.
        longest: no row of the same matrix has a larger squared norm.
        sigma_w: recurrent scale.
        lipschitz: `sup |phi'| <= lipschitz`.
        curvature: `sup |phi''| <= curvature`.
        at_zero: `|phi(0)| <= at_zero`.
        span: `sqrt((sup phi - phi(0))^2 + (phi(0) - inf phi)^2) <= span`; infinite for an unbounded phi.
        parameters: names of what is trained: all, without b where there is no bias.
    """

    states: Array
    variances: Array
    least_variances: Array
    covariances: Array
    inputs: Array
    least: float
    largest: float
    input_norm: float
    samples: float
    longest: float
    sigma_w: float
    lipschitz: float
    curvature: float
    at_zero: float
    span: float
    parameters: tuple[str, ...]


def limit_numbers(gram: "Gram", X: Array, least: float, slopes: tuple[float, float]) -> LimitNumbers:
    """Bound what the deviation of a random network from its limit is made of.

    Args:
        gram: the population Gram matrix K of the samples, with proven entries.
        X: samples, shape (n, d).
        least: a lower bound of `lambda_min(K)`.
        slopes: bounds of `sup |phi'|` and `sup |phi''|`.
    """
    model, error = gram.model, gram.entry_error
    recurrent, driven, bias = model.sigma_w**2, model.sigma_u**2 / X.shape[1], model.sigma_b**2
    products, product_errors = inner_products(X)
    ones = 1.0 if bias else 0.0
    B = driven * products + bias
    B_error = (driven * product_errors + gamma(8) * (driven * np.abs(products) + bias) + 4 * TINY) * UP
    S = recurrent * gram.matrix + B
    S_error = (recurrent * error + B_error + gamma(8) * (recurrent * np.abs(gram.matrix) + np.abs(B))) * UP
    squares = products + ones
    square_errors = (product_errors + UNIT * np.abs(squares)) * UP
    diagonal = S.diagonal()
    samples = largest_eigenvalue(squares, square_errors)
    at_zero, span = _values(gram.model.activation)
    return LimitNumbers(
        states=np.sqrt(np.maximum(gram.matrix.diagonal(), 0.0) + error) * UP,
        variances=(diagonal + S_error.diagonal()) * UP,
        least_variances=np.maximum(diagonal - S_error.diagonal() * UP, 0.0) * (1 - 4 * UNIT),
        covariances=norm_above((np.abs(S) + S_error) * UP),
        inputs=(B.diagonal() + B_error.diagonal()) * UP,
        least=least,
        largest=largest_eigenvalue(gram.matrix, error),
        input_norm=largest_eigenvalue(B, B_error) if bias else driven * (1 + gamma(8)) * samples * UP,
        samples=samples,
        longest=float((squares + square_errors).diagonal().max()) * UP,
        sigma_w=model.sigma_w,
        lipschitz=slopes[0],
        curvature=slopes[1],
        at_zero=at_zero,
        span=span,
        parameters=("a", "W", "U", "b") if bias else ("a", "W", "U"),
    )


def largest_eigenvalue(matrix: Array, error: float | Array) -> float:
    """An upper bound of the largest eigenvalue of every symmetric matrix within an entrywise error.

    `c I - A` is factored at a c just above the largest Ritz value; where that fails the longest row bounds it.
    """
    n = len(matrix)
    plain = float(sum_above(np.abs(matrix) + error).max()) * UP
    space = lanczos(lambda x: matrix @ x, start_vector(n), _STEPS, lambda ritz: ritz.residual <= _ABOVE * ritz.value)
    if space is None or not space.ritz.value > 0.0:
        return plain
    c = (space.ritz.value + space.ritz.residual) * (1 + _ABOVE)
    turned = -matrix
    turned[np.diag_indices(n)] += c
    # the differences on the diagonal round once
    lost = entry_norm(error, n) + UNIT * float(np.abs(turned.diagonal()).max()) + TINY
    bound = (c + lost * UP - cholesky_lower(turned, 0.0, 0.0)) * UP
    return min(plain, bound)


def _values(phi: Activation) -> tuple[float, float]:
    """Bounds of `|phi(0)|` and of the span."""
    with working_precision(_BITS):
        middle = BallFunction(phi.shape.known, phi.symbol)(arb(0))
        bound = slope_bound(phi, 0)
        if bound.outcome is not Outcome.PROVEN:
            return upper_float(abs(middle)), math.inf
        top = arb(bound.upper)
        return upper_float(abs(middle)), upper_float(((top - middle) ** 2 + (top + middle) ** 2).sqrt())

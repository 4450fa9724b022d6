"""Equilibria `Z = phi(W Z + V)` by fixed-point iteration with safeguarded Anderson acceleration.

The plain step `Z <- phi(W Z + V)` contracts if `L ||W||_2 < 1` with L the Lipschitz constant of phi. Where it contracts
slowly, Anderson acceleration of type II (D. G. Anderson, J. ACM 12 (1965) 547, doi:10.1145/321296.321305) combines the
last steps so that the linearised residual is least, each column (each sample) by itself. A column whose residual
does not decrease forgets its history and takes the plain step instead: the acceleration is never trusted, only used.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hermite_dual.errors import ConvergenceError, InvalidInputError
from hermite_dual.finite.anderson import Anderson

Method = Literal["anderson", "contraction"]
Floats = NDArray[np.float64]

# The residual asked for, relative to max(1, max |Z|): some thousand roundings of float64.
TOLERANCE = 1e-12
# Acceleration starts once six plain steps gained less than this ratio each. The spectrum of a random W fills a disk,
# where combining few steps gains little: measured at width 1024 with tanh, it saves a few steps of 50 below the ratio
# and half of 300 above it, while its passes over memory cost as much as the products.
_SLOW_RATIO, _RATIO_STEPS = 0.85, 6
# An iteration whose size passes this has left every range in which a bounded equilibrium is plausible.
_BLOW_UP = 1e100


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """A solution of `Z = phi(W Z + V)`.

    Attributes:
        Z: The states, shape (m, n), a column per sample.
        residual: `max |Z - phi(W Z + V)|`, evaluated at the `Z` returned.
        iterations: Evaluations of phi that were made.
    """

    Z: Floats
    residual: float
    iterations: int


def solve_equilibrium(
    activation: Any,
    W: Floats,
    drive: Floats,
    *,
    sigma_w: float,
    max_iterations: int = 500,
    method: Method = "anderson",
) -> Equilibrium:
    """Iterate `Z <- phi(W Z + drive)` from zero until `max |Z - phi(W Z + drive)| <= 1e-12 max(1, max |Z|)`.

    Args:
        activation: The activation phi, a vectorised float64 function; errors quote its `lipschitz`, if it has one.
        W: Recurrent weights, shape (m, m).
        drive: `U X^T + b`, shape (m, n).
        sigma_w: Scale with which `W` was drawn, quoted in errors.
        max_iterations: Largest number of evaluations of phi, >= 1.
        method: "anderson" or "contraction".

    Returns:
        The equilibrium.

    Raises:
        InvalidInputError: An unknown method or fewer than one iteration.
        ConvergenceError: The tolerance was not reached, or the iteration left all bounds.
    """
    if method not in ("anderson", "contraction"):
        raise InvalidInputError(f"method={method!r}: allowed are 'anderson' and 'contraction'. Choose one of them.")
    if max_iterations < 1:
        raise InvalidInputError(f"max_iterations={max_iterations!r}: allowed are whole numbers >= 1. Pass 500.")
    Z = np.zeros_like(drive)
    step, f = np.empty_like(drive), np.empty_like(drive)
    anderson: Anderson | None = None
    residual, history = math.inf, [math.inf] * _RATIO_STEPS
    for iteration in range(1, max_iterations + 1):
        _evaluate(activation, W, Z, drive, step)
        np.subtract(step, Z, out=f)
        residual = _largest(f)
        size = _largest(Z)
        if not (math.isfinite(residual) and size < _BLOW_UP):
            raise ConvergenceError(_advice(activation, W, sigma_w, f"left all bounds after {iteration} steps"))
        if residual <= TOLERANCE * max(1.0, size):
            return Equilibrium(Z, residual, iteration)
        slow = residual > _SLOW_RATIO**_RATIO_STEPS * history[-_RATIO_STEPS]
        history.append(residual)
        if anderson is None and method == "anderson" and slow:
            anderson = Anderson(*drive.shape)
        if anderson is None:
            Z, step = step, Z
        else:
            anderson.advance(Z, step, f)
    reached = f"reached the residual {residual:.1e} in {max_iterations} steps, not {TOLERANCE:.0e}"
    raise ConvergenceError(_advice(activation, W, sigma_w, reached))


def _evaluate(activation: Any, W: Floats, Z: Floats, drive: Floats, out: Floats) -> None:
    # A diverging iteration is reported as a ConvergenceError, not as a floating-point warning.
    with np.errstate(all="ignore"):
        np.matmul(W, Z, out=out)
        out += drive
        if isinstance(activation, np.ufunc):
            activation(out, out=out)
        else:
            out[...] = activation(out)


def _largest(array: Floats) -> float:
    # Two reductions need no copy of |array|; NaN passes through both.
    return max(float(array.max()), -float(array.min())) if array.size else 0.0


def _advice(activation: Any, W: Floats, sigma_w: float, what: str) -> str:
    norm = spectral_norm_estimate(W)
    lipschitz = getattr(activation, "lipschitz", None)
    if not lipschitz or not math.isfinite(lipschitz):
        known = "no finite Lipschitz constant L of the activation is known"
        remedy = "pass a smaller sigma_w, so that 2 sigma_w L < 1"
    else:
        known = f"L = {lipschitz:.4g}, so L ||W||_2 is about {lipschitz * norm:.4g}"
        remedy = f"pass a smaller sigma_w: below 1/(2 L) = {0.5 / lipschitz:.4g} a wide network contracts"
    return (
        f"the equilibrium of a network of width {W.shape[0]} with sigma_w={sigma_w:.4g} was not found: the iteration "
        f"{what}. ||W||_2 is about {norm:.4g} and {known}; the iteration is proven to converge where L ||W||_2 < 1. "
        f"Remedy: {remedy}, or raise max_iterations."
    )


def spectral_norm_estimate(W: Floats, steps: int = 30) -> float:
    """Estimate `||W||_2` from below by power iteration on `W^T W` from a fixed start.

    Args:
        W: Square matrix, shape (m, m).
        steps: Number of iterations.

    Returns:
        A lower estimate, in general within a few percent for random matrices.
    """
    v: Floats = np.random.Generator(np.random.PCG64(0)).standard_normal((W.shape[0],))
    v /= np.linalg.norm(v)
    norm = 0.0
    for _ in range(steps):
        u = W @ v
        norm = float(np.linalg.norm(u))
        if norm == 0.0 or not math.isfinite(norm):
            return norm
        v = W.T @ (u / norm)
        v /= np.linalg.norm(v)
    return norm

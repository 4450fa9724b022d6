"""Equilibria `Z = phi(W Z + V)` by fixed-point iteration with safeguarded Anderson acceleration.

The plain step `Z <- phi(W Z + V)` contracts if `L ||W||_2 < 1` with L the Lipschitz constant of phi.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hermite_dual.errors import ConvergenceError, InvalidInputError
from hermite_dual.exact_numbers import freeze
from hermite_dual.expressions.array_function import array_function
from hermite_dual.finite.fixed_point import fixed_point
from hermite_dual.finite.spectral_norm import spectral_norm_estimate
from hermite_dual.namespaces import AnyArray, namespace_of
from hermite_dual.notebook import Shown

Method = Literal["anderson", "contraction"]


@dataclass(frozen=True, eq=False, repr=False)
class Equilibrium(Shown):
    """A solution of `Z = phi(W Z + V)`.

    Attributes:
        Z: the states, shape (m, n), a column per sample; an array of the library of the samples.
        residual: `max |Z - phi(W Z + V)|`, evaluated at the `Z` returned.
        iterations: evaluations of phi that were made; with batches, of the batch that took most.
    """

    Z: AnyArray
    residual: float
    iterations: int

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        freeze(self.Z)


def solve_equilibrium(
    activation: Any,
    W: AnyArray,
    drive: AnyArray,
    *,
    sigma_w: float,
    max_iterations: int = 500,
    method: Method = "anderson",
    start: AnyArray | None = None,
) -> Equilibrium:
    """Iterate `Z <- phi(W Z + drive)` until `max |Z - phi(W Z + drive)| <= 1e-12 max(1, max |Z|)`.

    In precisions other than float64, 64 roundings stand in place of 1e-12.

    Args:
        activation: the activation phi, a vectorised float64 function; errors quote its `lipschitz`, if it has one.
            On arrays of other libraries than NumPy, an activation with a formula.
        W: recurrent weights, shape (m, m).
        drive: `U X^T + b`, shape (m, n).
        sigma_w: scale with which `W` was drawn, quoted in errors.
        max_iterations: largest number of evaluations of phi, >= 1.
        method: "anderson" or "contraction".
        start: first point, shape (m, n); zero by default.

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
    xp = namespace_of(drive)
    phi = array_function(activation, xp)
    in_place = isinstance(activation, np.ufunc)

    def finish(pre: AnyArray, rows: slice) -> AnyArray:
        pre += drive[rows, ...]
        return activation(pre, out=pre) if in_place else phi(pre)

    solution = fixed_point(
        lambda Z: W @ Z,
        finish,
        xp.zeros_like(drive) if start is None else start,
        xp=xp,
        floor=1.0,
        accelerate=method == "anderson",
        max_iterations=max_iterations,
    )
    if solution.failure is not None:
        raise ConvergenceError(_advice(activation, W, drive, sigma_w, solution.failure))
    return Equilibrium(solution.Z, solution.residual, solution.iterations)


def _advice(activation: Any, W: AnyArray, drive: AnyArray, sigma_w: float, what: str) -> str:
    norm = spectral_norm_estimate(W, like=drive)
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

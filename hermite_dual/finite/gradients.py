"""Derivatives of a network's outputs `y_i = a^T z_i` by implicit differentiation.

With `D_i = diag(phi'(W z_i + U x_i + b))`, a change of the parameters moves the equilibrium by
`dz_i = (I - D_i W)^-1 D_i (dW z_i + dU x_i + db)`. The *sensitivities* `g_i = D_i (I - W^T D_i)^-1 a` therefore hold
every derivative,

    dy_i/dW = g_i z_i^T,   dy_i/dU = g_i x_i^T,   dy_i/db = g_i,   dy_i/da = z_i,

and solve `G = phi'(pre) o (a 1^T + W^T G)`, all samples at once. The map contracts where `L ||W||_2 < 1`, as the
equilibrium does. Nothing larger than (m, n) is formed.
"""

from collections.abc import Callable
from typing import Any

from hermite_dual.errors import ConvergenceError, InvalidInputError
from hermite_dual.expressions.array_function import array_function
from hermite_dual.finite.fixed_point import fixed_point
from hermite_dual.namespaces import AnyArray


def slope_function(activation: Any, xp: Any) -> Callable[[AnyArray], AnyArray]:
    """Return `phi'` as a function of arrays.

    Raises:
        InvalidInputError: The derivative is not known.
    """
    if not hasattr(activation, "derivative"):
        raise InvalidInputError(
            f"the derivative of the activation {activation!r} is not known; name it with "
            "hermite_dual.activation(f, derivative=df), or give it as a formula"
        )
    return array_function(activation.derivative(), xp)


def solve_sensitivities(
    slopes: AnyArray, W: AnyArray, a: AnyArray, *, xp: Any, start: AnyArray | None = None, max_iterations: int = 500
) -> AnyArray:
    """Solve `G = slopes o (a 1^T + W^T G)`.

    Args:
        slopes: `phi'(W Z + U X^T + b)`, shape (m, n).
        W: recurrent weights, shape (m, m).
        a: readout, shape (m,).
        xp: namespace of the arrays.
        start: first point, shape (m, n); by default zero.
        max_iterations: largest number of products.

    Returns:
        The sensitivities, shape (m, n), to a residual of 1e-12 relative to their size (64 roundings in other
        precisions than float64).

    Raises:
        ConvergenceError: The residual was not reached.
    """
    transposed = W.T

    def finish(product: AnyArray, rows: slice) -> AnyArray:
        product += a[rows, None]
        product *= slopes[rows, ...]
        return product

    solution = fixed_point(
        lambda G: transposed @ G,
        finish,
        xp.zeros_like(slopes) if start is None else start,
        xp=xp,
        floor=float(xp.max(xp.abs(a))),
        accelerate=True,
        max_iterations=max_iterations,
    )
    if solution.failure is not None:
        raise ConvergenceError(
            f"the derivatives of a network of width {a.shape[0]} were not found: the iteration {solution.failure}. It "
            "is proven to converge where L ||W||_2 < 1. Remedy: draw the network with a smaller sigma_w."
        )
    return solution.Z

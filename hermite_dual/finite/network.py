"""A deep equilibrium model of finite width: its parameters, equilibrium and empirical Gram matrix."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hermite_dual.data.files import check_samples
from hermite_dual.errors import InvalidInputError
from hermite_dual.finite.equilibrium import Equilibrium, Method, solve_equilibrium


@dataclass(frozen=True, eq=False)
class FiniteDEQ:
    """A network of m neurons whose state solves `Z = phi(W Z + U X^T + b)`.

    Attributes:
        activation: The activation phi, a vectorised float64 function.
        sigma_w: Scale with which `W` was drawn; errors quote it.
        W: Recurrent weights, shape (m, m), read-only.
        U: Input weights, shape (m, d), read-only.
        b: Biases, shape (m,), read-only.

    Raises:
        InvalidInputError: The shapes do not belong together.

    Example:
        >>> import numpy as np
        >>> from hermite_dual.finite import sample_network
        >>> net = sample_network(np.tanh, sigma_w=0.4, sigma_u=1.0, width=50, inputs=3, seed=0)
        >>> X = np.eye(3)
        >>> Z = net.equilibrium(X).Z
        >>> bool(np.allclose(Z, np.tanh(net.W @ Z + net.U @ X.T), rtol=0, atol=1e-12))
        True
    """

    activation: Any
    sigma_w: float
    W: NDArray[np.float64] = field(repr=False)
    U: NDArray[np.float64] = field(repr=False)
    b: NDArray[np.float64] = field(repr=False)

    def __post_init__(self) -> None:
        m = self.W.shape[0] if self.W.ndim else 0
        if self.W.shape != (m, m) or self.U.ndim != 2 or self.U.shape[0] != m or self.b.shape != (m,) or m == 0:
            raise InvalidInputError(
                f"W, U, b have the shapes {self.W.shape}, {self.U.shape}, {self.b.shape}; allowed are (m, m), (m, d), "
                "(m,) with one width m >= 1. Draw them with model.sample(width, inputs, seed)."
            )
        for name in ("W", "U", "b"):
            # A view is frozen, so that the caller's own array stays writeable.
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @property
    def width(self) -> int:
        """Number m of neurons."""
        return int(self.W.shape[0])

    @property
    def inputs(self) -> int:
        """Number d of input coordinates."""
        return int(self.U.shape[1])

    def equilibrium(
        self, X: NDArray[np.float64], *, max_iterations: int = 500, method: Method = "anderson"
    ) -> Equilibrium:
        """Solve `Z = phi(W Z + U X^T + b)` for every sample.

        Args:
            X: Samples, shape (n, d), one per row, finite.
            max_iterations: Largest number of evaluations of phi.
            method: "anderson" (safeguarded acceleration where the contraction is slow) or "contraction".

        Returns:
            The equilibrium: `Z` of shape (m, n), its residual and the number of evaluations.

        Raises:
            InvalidInputError: X does not fit the network or is not finite.
            ConvergenceError: No equilibrium was reached within `max_iterations`.
        """
        samples = check_samples(np.asarray(X), "X")
        if samples.shape[1] != self.inputs:
            raise InvalidInputError(
                f"X has the shape {samples.shape}; allowed is (n, {self.inputs}), the network's number of inputs. "
                f"Draw the network with inputs={samples.shape[1]}."
            )
        drive = self.U @ samples.T
        drive += self.b[:, None]
        return solve_equilibrium(
            self.activation, self.W, drive, sigma_w=self.sigma_w, max_iterations=max_iterations, method=method
        )

    def gram(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the empirical Gram matrix `Z^T Z / m` at the equilibrium.

        Args:
            X: Samples, shape (n, d), one per row, finite.

        Returns:
            Symmetric positive semidefinite matrix, shape (n, n).

        Raises:
            InvalidInputError: X does not fit the network or is not finite.
            ConvergenceError: No equilibrium was reached.
        """
        Z = self.equilibrium(X).Z
        G: NDArray[np.float64] = Z.T @ Z
        G /= self.width
        return G

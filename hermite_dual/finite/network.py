"""A deep equilibrium model of finite width: its parameters, equilibrium, Gram matrix, tangent kernel and training."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.cached_property import cached_property
from hermite_dual.errors import InvalidInputError
from hermite_dual.finite.equilibrium import Equilibrium, Method, solve_equilibrium
from hermite_dual.finite.gradients import slope_function, solve_sensitivities
from hermite_dual.finite.ntk import EmpiricalNTK, Parametrization, scales_of, tied_ntk
from hermite_dual.finite.spectral_norm import NormBounds, norm_bounds
from hermite_dual.finite.untied import check_columns, gram_eigenvalues
from hermite_dual.finite.weights import DrawnMatrix
from hermite_dual.float_state import own_float_state
from hermite_dual.namespaces import AnyArray, check_array, moved, namespace_of
from hermite_dual.notebook import Shown, Told
from hermite_dual.population.entries.trained import PARAMETERS, check_parameters
from hermite_dual.progress import Progress

if TYPE_CHECKING:
    from hermite_dual.finite.training_certificate import TrainingCertificate
    from hermite_dual.finite.training_run import TrainingRun
    from hermite_dual.population.theorem.hypothesis_tests import Hypothesis


@own_float_state
@dataclass(frozen=True, eq=False, repr=False)
class FiniteDEQ(Shown):
    """A network of m neurons whose state solves `Z = phi(W Z + U X^T + b)`; its output is `y = a^T Z`.

    Samples may be arrays of NumPy or of any library of the Python array API standard (CuPy, JAX, PyTorch with
    array_api_compat), which then does the work, in the precision of the samples, and holds the results.

    Attributes:
        activation: the activation phi, a vectorised float64 function.
        sigma_w: scale with which `W` was drawn; errors quote it.
        sigma_u: scale with which `U` was drawn.
        sigma_b: scale with which `b` was drawn.
        W: recurrent weights, shape (m, m), read-only; a `DrawnMatrix` where they are not kept.
        U: input weights, shape (m, d), read-only.
        b: biases, shape (m,), read-only.
        a: readout, shape (m,), read-only.

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
    sigma_u: float
    sigma_b: float
    W: Array | DrawnMatrix = field(repr=False)
    U: Array = field(repr=False)
    b: Array = field(repr=False)
    a: Array = field(repr=False)

    def __post_init__(self) -> None:
        m = self.W.shape[0] if self.W.ndim else 0
        shapes = self.W.shape, self.U.shape, self.b.shape, self.a.shape
        if shapes != ((m, m), (m, *self.U.shape[1:]), (m,), (m,)) or self.U.ndim != 2 or m == 0:
            raise InvalidInputError(
                f"W, U, b, a have the shapes {', '.join(map(str, shapes))}; allowed are (m, m), (m, d), (m,), (m,) "
                "with one width m >= 1. Draw them with model.sample(width, inputs, seed)."
            )
        for name in ("W", "U", "b", "a"):
            values = getattr(self, name)
            if isinstance(values, np.ndarray):
                # A view is frozen, so that the caller's own array stays writeable.
                view = values.view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    def _told(self) -> Told:
        return [*super()._told(), ("width", self.width), ("inputs", self.inputs)]

    @property
    def width(self) -> int:
        """Number m of neurons."""
        return int(self.W.shape[0])

    @property
    def inputs(self) -> int:
        """Number d of input coordinates."""
        return int(self.U.shape[1])

    def equilibrium(
        self, X: AnyArray, *, max_iterations: int = 500, method: Method = "anderson", batch: int | None = None
    ) -> Equilibrium:
        """Solve `Z = phi(W Z + U X^T + b)` for every sample.

        Args:
            X: samples, shape (n, d), one per row, finite.
            max_iterations: largest number of evaluations of phi.
            method: "anderson" (safeguarded acceleration where the contraction is slow) or "contraction".
            batch: samples solved at a time, which bounds the memory beside the states; by default all.

        Returns:
            The equilibrium: `Z` of shape (m, n), its residual and the number of evaluations.

        Raises:
            InvalidInputError: X does not fit the network or is not finite, or batch is no whole number >= 1.
            ConvergenceError: No equilibrium was reached within `max_iterations`.
        """
        samples, xp = self._samples(X)
        n = samples.shape[0]
        size = n if batch is None else _check_batch(batch)
        W = self._moved_weights(samples, xp)
        U, b = moved(self.U, samples, xp), moved(self.b, samples, xp)
        parts = []
        for begin in range(0, n, size):
            drive = U @ samples[begin : min(begin + size, n), :].T
            drive += b[:, None]
            parts.append(
                solve_equilibrium(
                    self.activation, W, drive, sigma_w=self.sigma_w, max_iterations=max_iterations, method=method
                )
            )
        if len(parts) == 1:
            return parts[0]
        Z = xp.concat([solved.Z for solved in parts], axis=1)
        return Equilibrium(Z, max(solved.residual for solved in parts), max(solved.iterations for solved in parts))

    def gram(self, X: AnyArray, *, batch: int | None = None) -> AnyArray:
        """Compute the empirical Gram matrix `Z^T Z / m` at the equilibrium.

        Args:
            X: samples, shape (n, d), one per row, finite.
            batch: samples solved at a time; by default all.

        Returns:
            Symmetric positive semidefinite matrix, shape (n, n).

        Raises:
            InvalidInputError: X does not fit the network or is not finite.
            ConvergenceError: No equilibrium was reached.
        """
        Z = self.equilibrium(X, batch=batch).Z
        G = Z.T @ Z
        G /= self.width
        return G

    def spectrum(self, X: AnyArray) -> AnyArray:
        """Return the eigenvalues of the empirical Gram matrix, the least first.

        They are squared singular values of Z, so that small ones are accurate to 1e-15 of the *root* of the largest.

        Args:
            X: samples, shape (n, d), one per row, finite.

        Returns:
            Eigenvalues, shape (n,), zeros included where there are fewer neurons than samples.

        Raises:
            InvalidInputError: X does not fit the network or is not finite.
            ConvergenceError: No equilibrium was reached.
        """
        return gram_eigenvalues(self.equilibrium(X).Z, namespace_of(X))

    def ntk(
        self, X: AnyArray, parametrization: Parametrization = "ntk", parameters: tuple[str, ...] = PARAMETERS
    ) -> EmpiricalNTK:
        """Compute the empirical neural tangent kernel at the equilibrium, by implicit differentiation.

        Args:
            X: samples, shape (n, d), one per row, finite.
            parametrization: "ntk", to be held against the kernel of infinite width, or "standard", whose eigenvalues
                govern `train`; see `EmpiricalNTK` for both formulas.
            parameters: which of "a", "W", "U", "b" are trained.

        Returns:
            The kernel with its parts, each of shape (n, n); memory is of the order of W and Z.

        Raises:
            InvalidInputError: An argument is none of those, or the derivative of phi is not known.
            ConvergenceError: No equilibrium was reached.
        """
        if parametrization not in ("ntk", "standard"):
            raise InvalidInputError(f"parametrization={parametrization!r}: allowed are 'ntk' and 'standard'.")
        names = check_parameters(parameters)
        samples, xp = self._samples(X)
        slope = slope_function(self.activation, xp)
        W = self._moved_weights(samples, xp)
        Z = self.equilibrium(X).Z
        drive = moved(self.U, samples, xp) @ samples.T + moved(self.b, samples, xp)[:, None]
        G = solve_sensitivities(slope(W @ Z + drive), W, moved(self.a, samples, xp), xp=xp)
        sigmas = (self.sigma_w, self.sigma_u, self.sigma_b)
        return tied_ntk(Z, G, samples, scales_of(sigmas, (self.width, self.inputs), parametrization, names))

    def stable_step(self, X: AnyArray, parameters: tuple[str, ...] = PARAMETERS) -> float:
        """Return `2 / lambda_max(Theta)`: gradient descent on the linearised network is stable for steps below.

        Args:
            X: samples, shape (n, d).
            parameters: which of "a", "W", "U", "b" are trained.
        """
        kernel = np.asarray(self.ntk(X, "standard", parameters).matrix)
        return 2.0 / float(np.linalg.eigvalsh(kernel)[-1])

    def norm_bounds(self) -> NormBounds:
        """Enclose `||W||_2`: a lower and an upper bound that hold in exact arithmetic."""
        return self._norm_bounds

    @cached_property
    def _norm_bounds(self) -> NormBounds:
        return norm_bounds(self.W)

    def contraction(self) -> "Hypothesis":
        """Decide `L ||W||_2 < 1`, under which every sample has exactly one equilibrium and plain iteration finds it.

        Returns:
            PROVEN, REFUTED (the inequality fails; nothing is said about equilibria) or UNDECIDED, with a bound of
            `L ||W||_2` as its value. The Lipschitz constant is proven for activations with a formula.
        """
        from hermite_dual.finite.contraction import contraction_of

        return contraction_of(self.activation, self.norm_bounds())

    def train(
        self,
        X: ArrayLike,
        y: ArrayLike,
        step: float,
        epochs: int,
        *,
        parameters: tuple[str, ...] | None = None,
        method: Literal["gradient", "gauss-newton"] = "gradient",
        certify: bool = False,
        require_contraction: bool = True,
        progress: Progress | None = None,
    ) -> "TrainingRun":
        """Train by gradient descent on `1/2 |a^T Z - y|^2`, all samples at once, and measure the theory's claims.

        `theta <- theta - step * d loss / d theta` for the weights themselves (the standard parametrization), with
        gradients by implicit differentiation. The network itself stays as it is; the run holds the trained one.

        Args:
            X: samples, shape (n, d).
            y: targets, shape (n,).
            step: step size eta > 0; see `stable_step`.
            epochs: steps to take, >= 0.
            parameters: which of "a", "W", "U", "b" are trained; by default all, without b where sigma_b = 0.
            method: "gradient", or "gauss-newton", whose step takes the residuals to `(1 - step)` of themselves to first
                order: steps between 0 and 1, and a few epochs to where convergence is proven.
            certify: look for the first epoch from which exact gradient descent, at this step or after "gauss-newton" at
                one of its own, is proven to reach zero loss; see `certify_training`.
            require_contraction: stop where `L ||W||_2 >= 1`, beyond which an equilibrium need not be unique.
            progress: called after every epoch with the loss as text, the epoch's number and that of the last one.

        Returns:
            Loss, `||W||_2` and `lambda_min(Z^T Z)` of every epoch, each claim with the first epoch at which it
            fails, and the trained network. Ctrl-C ends the run early, with what was done.

        Raises:
            InvalidInputError: An argument lies outside what is stated above.
            ConvergenceError: The loss diverges, or an equilibrium was not found.
        """
        from hermite_dual.finite.training import train

        return train(
            self,
            X,
            y,
            step,
            epochs,
            parameters=parameters,
            method=method,
            certify=certify,
            require_contraction=require_contraction,
            progress=progress,
        )

    def certify_training(
        self, X: ArrayLike, y: ArrayLike, step: float | None = None, *, parameters: tuple[str, ...] | None = None
    ) -> "TrainingCertificate":
        """Decide whether gradient descent from these weights provably converges to zero loss, at a linear rate.

        The weights are taken as the exact numbers that the floats are, and the statement is about exact arithmetic from
        there on. At random weights the residual is mostly too large; after some training it holds.

        Args:
            X: samples, shape (n, d).
            y: targets, shape (n,).
            step: step size eta; by default the one with the best proven rate.
            parameters: which of "a", "W", "U", "b" are trained; by default all, without b where sigma_b = 0.

        Returns:
            PROVEN with radius, largest step, rate and distance to the optimum, or UNDECIDED with what is short and by
            what factor. Needs proven bounds of phi' and phi'', hence a formula without kinks of phi; time of the
            order `n m^3`.

        Raises:
            InvalidInputError: An argument lies outside what is stated above.
            ConvergenceError: No equilibrium was found.
        """
        from hermite_dual.finite.training_proof import certify_training

        return certify_training(self, X, y, step, parameters=parameters)

    def _samples(self, X: AnyArray) -> tuple[AnyArray, Any]:
        xp = namespace_of(X)
        return check_columns(check_array(X, xp, "X"), self.inputs), xp

    def _moved_weights(self, like: AnyArray, xp: Any) -> AnyArray:
        return self.W if isinstance(self.W, DrawnMatrix) else moved(self.W, like, xp)


def _check_batch(batch: object) -> int:
    if isinstance(batch, bool) or not isinstance(batch, int | np.integer) or batch < 1:
        raise InvalidInputError(f"batch={batch!r}: allowed are whole numbers >= 1, or None for all samples at once.")
    return int(batch)

"""Functions of a kernel matrix that training needs, applied to vectors; one factorization serves many.

Derivation: docs/theory/predictions.md, "Gradient flow", "Gradient descent".
"""

import math
from dataclasses import dataclass

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.cached_property import cached_property
from hermite_dual.certified.eigenvalues.float_cholesky import Factorization, shifted_cholesky
from hermite_dual.certified.eigenvalues.spectrum import Decomposition, decompose
from hermite_dual.errors import InvalidInputError
from hermite_dual.notebook import Shown

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, repr=False)
class Training(Shown):
    """How far a model is trained on `1/2 sum (f - y)^2`, from outputs 0.

    Attributes:
        t: time of gradient flow; infinite at its end, and for steps of gradient descent.
        steps: steps of gradient descent, or None for gradient flow.
        step: their size.
        noise: what is added to the diagonal of the kernel.
    """

    t: float = math.inf
    steps: int | None = None
    step: float = 0.0
    noise: float = 0.0

    @property
    def ends(self) -> bool:
        """Whether training goes on until nothing moves: kernel regression."""
        return self.steps is None and math.isinf(self.t)

    def __str__(self) -> str:
        """Say how far, for people."""
        if self.steps is not None:
            how = f"{self.steps} steps of {self.step:g}"
        else:
            how = "t = infinity" if self.ends else f"t = {self.t:g}"
        return f"{how}, noise {self.noise:g}" if self.noise else how

    def response(self, values: Array) -> Array:
        """Return `(1 - exp(-t v))/v`, or `(1 - (1 - step v)^steps)/v`, at `v = values + noise`; its limit at v = 0.

        Args:
            values: eigenvalues of the kernel, at least 0.
        """
        values = values + self.noise
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            if self.steps is None:
                at_zero, learned = self.t, -np.expm1(-self.t * values)
            else:
                at_zero, learned = self.steps * self.step, _learned(self.step * values, self.steps)
            return np.where(values > 0.0, learned / values, at_zero)


def _learned(z: Array, steps: int) -> Array:
    """`1 - (1 - z)^steps` for 0 <= z, without cancellation where `|1 - z|` is close to 1."""
    if steps == 0:
        return np.zeros_like(z)
    power = steps * np.where(z < 1.0, np.log1p(-np.minimum(z, 1.0)), np.log1p(np.maximum(z, 1.0) - 2.0))
    return np.where((z > 1.0) & (steps % 2 == 1), 1.0 + np.exp(power), -np.expm1(power))


class KernelSolver:
    """Kernel regression and gradient flow of one kernel matrix.

    To the end of training a Cholesky factor of `matrix + noise` is kept, half the memory of the matrix, the latest one;
    before it, the eigenvectors, as much memory as the matrix, for every time, step and noise.

    Args:
        matrix: the kernel, positive semidefinite up to rounding, shape (n, n).
        error: estimated error of an entry.
    """

    def __init__(self, matrix: Array, error: float) -> None:
        self.matrix = matrix
        self._error = error
        self._factor: tuple[float, Factorization] | None = None

    @cached_property
    def decomposition(self) -> Decomposition:
        """LAPACK's eigenvalues and eigenvectors, `O(n^3)` once."""
        return decompose(self.matrix)

    def apply(self, training: Training, vectors: Array) -> Array:
        """Return `(1 - exp(-t M)) M^-1 vectors`, or what stands in its place, `M = matrix + noise`.

        Args:
            training: how far.
            vectors: a column each, shape (n, k).

        Raises:
            InvalidInputError: M is singular at the end of training, or the step is beyond the largest stable one.
        """
        if training.ends:
            return self._cholesky(training.noise).solve(vectors)
        values, basis = self.decomposition
        values = np.maximum(values, 0.0)  # less is rounding: kernels are positive semidefinite
        largest = float(values[-1]) + training.noise
        if training.steps is not None and training.step * largest > 2.0:
            raise InvalidInputError(
                f"step = {training.step:g} is beyond 2/lambda_max = {2.0 / largest:.6g}: gradient descent diverges. "
                "Take a smaller step; training_rate() proves the largest one"
            )
        return basis @ (training.response(values)[:, None] * (basis.T @ vectors))

    def _cholesky(self, noise: float) -> Factorization:
        if self._factor is None or self._factor[0] != noise:
            factor = shifted_cholesky(self.matrix, -noise)
            self._refuse_singular(factor, noise)
            self._factor = (noise, factor)
        return self._factor[1]

    def _refuse_singular(self, factor: Factorization, noise: float) -> None:
        """Refuse pivots that are nothing but rounding and errors of entries.

        A row that repeats another has the pivot `K_22 - K_12^2 / K_11 = 0`, to first order within four entry errors.
        """
        diagonal = self.matrix.diagonal() + noise
        if factor.success:
            pivots = np.concatenate([factor.tiles[i, i].diagonal() for i in range(len(factor.edges) - 1)]) ** 2
            if np.all(pivots > len(diagonal) * _EPS * diagonal + 4.0 * self._error):
                return
        scale = float(np.mean(self.matrix.diagonal())) or 1.0
        raise InvalidInputError(
            f"the kernel with noise = {noise:g} is singular to working precision, and kernel regression has no unique "
            f"answer: rows that repeat, or vanish, make it so. Pass noise = {1e-8 * scale:.1e} or more, a finite t, or "
            "drop such rows; least_eigenvalue() says how singular it is"
        )

"""What an infinitely wide model answers after training: kernel regression, gradient flow, gradient descent.

Derivation: docs/theory/predictions.md, "Gradient flow", "Covariances", "Errors", "Errors before the end".
"""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.cached_property import cached_property
from hermite_dual.errors import AccuracyError
from hermite_dual.exact_numbers import freeze
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown
from hermite_dual.population.kernel_solver import KernelSolver, Training
from hermite_dual.population.prediction_input import read_block, read_cross, read_targets, read_test_covariance
from hermite_dual.population.prior import Prior
from hermite_dual.population.proof.flow_bounds import Duration, flow_bounds
from hermite_dual.population.proof.prediction_bounds import MeanBounds, regression_bounds, undecided_mean

if TYPE_CHECKING:
    from hermite_dual.population.cross_gram import CrossGram
    from hermite_dual.population.gram import Gram

_EPS = float(np.finfo(np.float64).eps)
_BACKWARD = 10.0
"""Units of rounding of the largest eigenvalue by which LAPACK's factors belong to another matrix, generously."""


@own_float_state
@dataclass(frozen=True, eq=False, repr=False)
class Prediction(Shown):
    """Outputs of an infinitely wide model at p test samples, after training on n targets. See `Gram.predict`.

    Attributes:
        mean: expected outputs, shape (p,), or (p, outputs) where the targets have that form.
        weights: those of the training samples, `mean = cross @ weights`, shape (n,) or (n, outputs).
        training: how far it was trained: its `t`, `steps`, `step` and `noise`.
        kernel: of the training samples.
        cross: kernel between test and training samples, shape (p, n).
        targets: y, shape (n,) or (n, outputs).
    """

    mean: Array
    weights: Array
    training: Training
    kernel: "Gram"
    cross: Array
    targets: Array
    # what follows is no part of the public face
    solver: KernelSolver = field(repr=False)
    prior: Prior = field(repr=False)

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        freeze(self.mean, self.weights, self.cross, self.targets)

    def __repr__(self) -> str:
        """Return what it is; the numbers are in `mean`."""
        kind = "tangent kernel" if self.kernel.tangent else "Gram matrix"
        return f"Prediction({self.mean.shape}, {kind} of {len(self.targets)} samples, {self.training})"

    @cached_property
    def _responses(self) -> Array:
        """`B = f(M) C^T`, shape (n, p): how the test outputs answer to the targets."""
        return self.solver.apply(self.training, self.cross.T)

    @cached_property
    def covariance(self) -> Array:
        """Covariance of the outputs at the test samples, the same for each output, shape (p, p).

        `K** + B^T P B - K* B - (K* B)^T` with B the responses to the targets, `P = K + noise` for a Gram matrix and
        `P = K` for a tangent kernel. It takes the Gram matrix of the test samples, and for a tangent kernel the Gram
        matrix of all samples.

        Raises:
            InvalidInputError: the cross kernel was given as an array, without what else this needs.
        """
        prior, responses = self.prior, self._responses
        mixed = prior.cross() @ responses
        covariance = prior.covariance() + responses.T @ self._prior_products - mixed - mixed.T
        symmetric = 0.5 * (covariance + covariance.T)
        freeze(symmetric)
        return symmetric

    @cached_property
    def variance(self) -> Array:
        """Diagonal of the covariance, shape (p,), without the Gram matrix of the test samples; never below 0.

        Its error is about that of the entries times `(1 + sum |B|)^2`, B a column of responses: certain outputs have
        variances of that size in place of 0.

        Raises:
            InvalidInputError: the cross kernel was given as an array, without what else this needs.
        """
        prior, responses = self.prior, self._responses
        moved = np.sum(responses * self._prior_products, axis=0) - 2.0 * np.sum(prior.cross().T * responses, axis=0)
        variance = np.maximum(prior.variance() + moved, 0.0)
        freeze(variance)
        return variance

    @property
    def _prior_products(self) -> Array:
        """`P B`, shape (n, p)."""
        noise = 0.0 if self.kernel.tangent else self.training.noise
        return self.prior.training() @ self._responses + noise * self._responses

    @cached_property
    def estimated_error(self) -> Array:
        """Estimated error of each mean, of the kernels' entries and of rounding, in the shape of `mean`; no bound.

        To first order, and usually far above: the entries' errors are taken to conspire.
        """
        kernel, matrix = self.kernel, self.solver.matrix
        moved = len(matrix) * kernel.estimated_error
        moved += _BACKWARD * _EPS * (float(np.abs(matrix).sum(axis=1).max()) + self.training.noise)
        weights = self.weights.reshape(len(matrix), -1)
        sizes = np.linalg.norm(self._responses, axis=0)[:, None] * np.linalg.norm(weights, axis=0)
        error = moved * sizes + self.prior.estimated_error * np.abs(weights).sum(axis=0)
        return error.reshape(self.mean.shape)

    @cached_property
    def mean_bounds(self) -> MeanBounds:
        """Proven bounds of `|mean - exact|`, every error of the entries and of rounding counted.

        *Exact* are the kernels of the samples in exact arithmetic, and targets and noise as the floats they are. It
        takes the proofs of the entries, of the least eigenvalue and, as they need it, the square kernel of training and
        test samples together; steps of gradient descent take the proven largest eigenvalue as well. UNDECIDED with the
        reason where an entry has no proof, and where a step is not proven stable.
        """
        entries, cross = self.kernel.entry_bounds, self.prior.cross_bounds()
        if entries.errors is None or cross.errors is None:
            return undecided_mean(entries.reason if entries.errors is None else cross.reason)
        known = (self.solver.matrix, entries.errors), (self.cross, cross.errors)
        solved = self.targets.reshape(len(self.targets), -1), self.weights.reshape(len(self.targets), -1)
        mean = self.mean.reshape(len(self.mean), -1)
        least, noise = self.kernel.least_eigenvalue().lower, self.training.noise
        if self.training.ends:
            bounds = regression_bounds(*known, noise, least, (*solved, self._responses), mean)
        else:
            largest = math.inf if self.training.steps is None else float(self.kernel.eigenvalues().upper[-1])
            duration = Duration(self.training.t, self.training.steps, self.training.step)
            bounds = flow_bounds(*known, noise, (least, largest), duration, self.solver.decomposition, solved, mean)
        return bounds.shaped(self.mean.shape)


def predict(
    kernel: "Gram",
    solver: KernelSolver,
    y: ArrayLike,
    cross: "CrossGram | ArrayLike | None",
    training: Training,
    test_covariance: ArrayLike | None,
    gram_cross: ArrayLike | None,
) -> Prediction:
    """Train the model of a kernel on targets and return its outputs at test samples; see `Gram.predict`.

    Args:
        kernel: of the training samples.
        solver: of its matrix.
        y: targets, shape (n,) or (n, outputs).
        cross: kernel between test and training samples, shape (p, n), or None for the training samples.
        training: how far.
        test_covariance: K of the test samples or its diagonal, or None.
        gram_cross: K between test and training samples, or None.
    """
    n = len(solver.matrix)
    targets = read_targets(y, n)
    matrix = solver.matrix if cross is None else read_cross(kernel, cross)
    test = None if test_covariance is None else read_test_covariance(test_covariance, len(matrix))
    between = None if gram_cross is None else read_block(gram_cross, (len(matrix), n), "gram_cross")
    weights = solver.apply(training, targets.reshape(n, -1)).reshape(targets.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = matrix @ weights
    if not np.all(np.isfinite(mean)):
        raise AccuracyError("the outputs are beyond float64: scale the targets, which they are linear in")
    prior = Prior(kernel, cross, matrix, test, between)
    return Prediction(mean, weights, training, kernel, matrix, targets, solver, prior)

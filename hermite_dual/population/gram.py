"""The Gram matrix of an infinitely wide deep equilibrium model.

Derivation: docs/theory/numerics.md, "Gram matrices".
"""

import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from hermite_dual import showing
from hermite_dual.arrays import Array
from hermite_dual.cached_property import cached_property
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import freeze
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import facts, number
from hermite_dual.numeric.products import upper_product
from hermite_dual.population.entries.gram_entries import GramEntries
from hermite_dual.population.entries.layered_gram import kernel_gram
from hermite_dual.population.entries.model import Model, entries_for
from hermite_dual.population.entries.narrow_values import narrow_error
from hermite_dual.population.entries.recursion import Recursion
from hermite_dual.population.entries.zero_rows import zero_rows
from hermite_dual.population.kernel_array import KernelArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hermite_dual.certified.eigenvalues.eigenvalues import EigenvalueBounds, LowerBoundCheck
    from hermite_dual.certified.eigenvalues.spectrum import Spectrum
    from hermite_dual.certified.eigenvalues.theory_bounds import TheoryBound
    from hermite_dual.population.cosine_series import CosineSeries
    from hermite_dual.population.cross_gram import CrossGram
    from hermite_dual.population.kernel_solver import KernelSolver
    from hermite_dual.population.prediction import Prediction
    from hermite_dual.population.proof.entry_bounds import EntryBounds, EntrySums
    from hermite_dual.population.proof.prediction_bounds import TrainingRate

FloatType = type[np.float64] | type[np.float32]
_PANEL = 1024
_RTOL = 1e-6
_ALL_BOUNDS = 4096
"""Up to this many rows a bound is kept for every entry."""


@own_float_state
@dataclass(frozen=True, eq=False, repr=False)
class Gram(KernelArray):
    """A population Gram matrix `K`, a symmetric (n, n) array with what is known about it.

    `np.asarray(G)` is `G.matrix`, read-only; `np.array(G)` is a copy.

    Attributes:
        matrix: `K`, shape (n, n), float64 or float32, symmetric to the last bit.
        variances: diagonal `S_ii` of the preactivation covariance, shape (n,).
        estimated_error: estimated largest error of an entry, an estimate and not a bound.
        depth: number of layers, or None for the limit.
        model: what the matrix was computed from: activation, samples and scales.
    """

    matrix: NDArray[Any]
    variances: Array
    estimated_error: float
    depth: int | None
    model: Model
    tangent: ClassVar[bool] = False

    def __repr__(self) -> str:
        """Return what it is of; the numbers are in `matrix`."""
        what = f"shape={self.shape}, dtype={self.matrix.dtype}, activation={self.model.name!r}"
        return f"{type(self).__name__}({what}, depth={self.depth}, estimated_error={self.estimated_error:.1e})"

    def _repr_html_(self) -> str:
        """Return a small table for notebooks; what is proven is shown where it is known already."""
        model = self.model
        rows: list[tuple[str, object]] = [
            ("shape", f"{self.shape[0]} x {self.shape[1]}"),
            ("activation", model.name),
            shown_scales(model),
            ("depth", "limit" if self.depth is None else self.depth),
            ("estimated error of an entry", f"{self.estimated_error:.1e}"),
        ]
        known = vars(self)
        if "entry_bounds" in known or "_entries" in known:
            rows.append(("proven error of an entry", f"{self.entry_error:.1e} ({self._entries.outcome.value})"))
        if "_least_eigenvalue" in known:
            least = self._least_eigenvalue
            interval = f"[{least.lower:.10g}, {least.upper:.10g}] ({least.outcome.value})"
            rows.append(("least eigenvalue", interval))
        return facts(type(self).__name__, rows)

    @property
    def T(self) -> "Gram":
        """The transpose, which is the matrix itself."""
        return self

    @property
    def gram(self) -> "Gram":
        """The Gram matrix K of the same samples, itself; of a tangent kernel the one that belongs to it."""
        return self

    @property
    def preactivation(self) -> Array:
        """Covariance `S` of the preactivations, shape (n, n).

        In the limit `S = sigma_w^2 K + sigma_u^2 X X^T / d + sigma_b^2`; at depth l the K in it is `K(l-1)`. Nothing of
        it is kept: each access computes the inner products again, and at finite depth the layers below.

        Raises:
            InvalidInputError: the depth is 0, which has no preactivations.
        """
        model = self.model
        if self.depth == 0:
            raise InvalidInputError("K(0) = 0 by definition and has no preactivations: ask for a depth of at least 1")
        covariance = model.inputs_covariance()
        if self.depth is None:
            covariance += model.weight * self._float64
        elif below := model.recursion.layers[:-1]:
            covariance = kernel_gram(Recursion(below), covariance)[0]
        np.fill_diagonal(covariance, self.variances)
        return covariance

    @property
    def _float64(self) -> Array:
        """The entries as they stand, in the type in which proofs count roundings."""
        return np.asarray(self.matrix, dtype=np.float64)

    @cached_property
    def entry_bounds(self) -> "EntryBounds":
        """The proof of every entry with its outcome and reason, made when it is first asked for."""
        from hermite_dual.population.proof.entry_bounds import entry_bounds

        return entry_bounds(self.model, self._float64, self.variances)

    @property
    def entry_error(self) -> float:
        """Proven bound of every entry's distance to K in exact arithmetic; infinite where nothing is proven.

        `entry_bounds` has a bound for each entry and says what is missing; `estimated_error` costs nothing and is an
        estimate.
        """
        return self._entries.largest

    @cached_property
    def _entries(self) -> "EntryBounds | EntrySums":
        """What is proven of the entries, in little memory where the matrix is large."""
        if len(self.matrix) <= _ALL_BOUNDS or self.depth is not None or "entry_bounds" in vars(self):
            return self.entry_bounds
        from hermite_dual.population.proof.entry_bounds import entry_sums

        return entry_sums(self.model, self._float64, self.variances)

    def __post_init__(self) -> None:
        """Make the arrays read-only: proofs speak of these numbers. `numpy.array(G)` is a copy to work on."""
        freeze(self.matrix, self.variances)

    def least_eigenvalue(self, *, rtol: float = _RTOL) -> "EigenvalueBounds":
        """Return the least eigenvalue of K with proven bounds on both sides, every error of the entries included.

        Where the entries have no proven error the bounds are infinite and the outcome is UNDECIDED, with the reason.

        Args:
            rtol: the relative width that is enough; as `hermite_dual.least_eigenvalue`.
        """
        if rtol == _RTOL:
            return self._least_eigenvalue
        from hermite_dual.population.proof.gram_eigenvalues import gram_least_eigenvalue

        return gram_least_eigenvalue(self._float64, self._entries, rtol)

    @cached_property
    def _least_eigenvalue(self) -> "EigenvalueBounds":
        from hermite_dual.population.proof.gram_eigenvalues import gram_least_eigenvalue

        return gram_least_eigenvalue(self._float64, self._entries)

    def eigenvalues(self) -> "Spectrum":
        """Return all eigenvalues of K with a proven radius, every error of the entries included.

        Where the entries have no proven error the radius is infinite and the outcome is UNDECIDED, with the reason. The
        eigenvectors are kept, as much memory as the matrix takes, and serve `predict` as well.
        """
        from hermite_dual.population.proof.gram_spectrum import gram_eigenvalues

        return gram_eigenvalues(self._float64, self.entry_bounds, self._solver.decomposition)

    @cached_property
    def _solver(self) -> "KernelSolver":
        from hermite_dual.population.kernel_solver import KernelSolver

        return KernelSolver(self._float64, self.estimated_error)

    def predict(
        self,
        y: ArrayLike,
        cross: "CrossGram | ArrayLike | None" = None,
        *,
        t: float = math.inf,
        steps: int | None = None,
        step: float | None = None,
        noise: float = 0.0,
        test_covariance: ArrayLike | None = None,
        gram_cross: ArrayLike | None = None,
    ) -> "Prediction":
        """Return what the infinitely wide model answers at test samples after training on targets.

        With `M = matrix + noise` and C the kernel between test and training samples the mean is `C f(M) y`:
        `f = M^-1` at the end, kernel regression; `f = (1 - exp(-t M)) M^-1` after time t of gradient flow on
        `1/2 sum (f - y)^2`, from outputs 0 or random ones of mean 0; `f = (1 - (1 - step M)^steps) M^-1` after steps of
        gradient descent.

        For a Gram matrix K (`DEQ.gram`) at t = inf these are mean and covariance of the Gaussian process with kernel K
        given targets with noise of this variance; before the end, those of an ensemble of networks of which the readout
        is trained, on targets to which such noise is added. For a tangent kernel (`DEQ.ntk`) they are those of an
        ensemble of networks of which all parameters are trained, `noise` being the weight of a penalty
        `noise/2 |parameters - start|^2`. Outputs are independent of one another, with one covariance for all.

        Where the loss is divided by a number N, as in `1/(2 N) sum (f - y)^2` with learning rate eta, time is
        `t = eta T / N` and a step `eta / N`. neural_tangents divides by `N = y.size`; its `diag_reg` is `noise` with
        `diag_reg_absolute_scale=True`, otherwise `noise = diag_reg trace(matrix) / n`.

        Args:
            y: targets of the training samples, shape (n,) or (n, outputs).
            cross: kernel between p test samples Y and the training samples X, shape (p, n): `model.gram(Y, X)` or
                `model.ntk(Y, X)`, whose samples are checked, or an array. None for the training samples.
            t: time of gradient flow, at least 0; `math.inf` for the end.
            steps: steps of gradient descent in place of a time.
            step: their size, below `2/lambda_max(M)`: see `training_rate`.
            noise: what is added to the diagonal, at least 0, in units of the entries.
            test_covariance: K of the test samples, shape (p, p), or its diagonal, shape (p,): for covariances where
                cross is an array.
            gram_cross: K between test and training samples, shape (p, n): for covariances of a tangent kernel where
                cross is an array.

        Returns:
            A `Prediction` with its `mean`, and on demand `variance`, `covariance`, `estimated_error` and `mean_bounds`.

            At t = inf one Cholesky factorization, kept with half the memory of the matrix; else an eigendecomposition,
            which takes about 20 times as long and serves every t, steps and noise, kept with all of it.

        Raises:
            InvalidInputError: a shape does not fit, a number is not finite or negative, the samples of cross are not
                those of this kernel, the step is too large, or M is singular at t = inf.
            AccuracyError: the outputs are beyond float64.

        >>> import numpy as np, hermite_dual as hd
        >>> X, Y, y = np.eye(3), np.ones((2, 3)), np.array([1.0, 2.0, 3.0])
        >>> model = hd.DEQ("tanh", sigma_w=0.3)
        >>> theta, cross = model.ntk(X), model.ntk(Y, X)
        >>> bool(np.allclose(theta.predict(y, cross).mean, cross.matrix @ np.linalg.solve(theta.matrix, y)))
        True
        >>> theta.predict(y, cross, t=0.0).mean
        array([0., 0.])
        """
        from hermite_dual.population.prediction import predict
        from hermite_dual.population.prediction_input import read_training

        training = read_training(t, steps, step, noise)
        return predict(self, self._solver, y, cross, training, test_covariance, gram_cross)

    def training_rate(self, step: float | None = None, *, noise: float = 0.0) -> "TrainingRate":
        """Return the proven rate of gradient descent on `1/2 sum (f - y)^2`, and the largest stable step.

        A step multiplies the distance to the end by `1 - step lambda` along each eigenvector of `M = matrix + noise`.

        Args:
            step: its size, positive; None for that with the smallest proven rate.
            noise: what is added to the diagonal, at least 0.

        Returns:
            PROVEN where gradient descent converges, REFUTED where it diverges, and the bounds behind it.

        Raises:
            InvalidInputError: step or noise is no such number.
        """
        from hermite_dual.population.prediction_input import read_training
        from hermite_dual.population.proof.prediction_bounds import training_rate

        checked = read_training(math.inf, None if step is None else 1, step, noise)
        size = None if step is None else checked.step
        return training_rate(self.least_eigenvalue().lower, self.eigenvalues(), size, checked.noise)

    def series(self, n: int = 16, *, digits: int | None = None) -> "CosineSeries":
        """Return the kernel as a power series in the cosine `xi = x_i.x_j/|x|^2` of samples of equal norm.

        `K_ij = sum_p kappa_p xi_ij^p`, all `kappa_p >= 0`, in float64 with an estimated error; or proven, with the
        bounds that follow.

        Args:
            n: number of coefficients, 1 to 1,024.
            digits: those of proven enclosures `CosineSeries.enclosure`, each within `10^-digits K(1)`; scales and the
                norm are then the binary numbers that the floats are. It takes seconds.

        Raises:
            InvalidInputError: n is out of range, a row is zero, or the norms differ and phi is not homogeneous or
                there is a bias: `hermite_dual.on_sphere` makes them equal; or with digits, phi is a Python function.
            ConvergenceError: the series of the limit is not found to rounding.
            AccuracyError: the enclosures cannot be proven to so many digits.

        >>> import numpy as np, hermite_dual as hd
        >>> hd.DEQ.paper("tanh", 0.08).gram(hd.on_sphere(np.eye(2))).series(4)
        CosineSeries([0, 0.46352755, 0, 0.043974128], remainder=0.0198)
        """
        from hermite_dual.population.cosine_series import cosine_series

        return cosine_series(self.model, n, self.tangent, digits)

    def plot(self, axes: "Axes | None" = None, *, theory: bool = False) -> "Axes":
        """Draw the eigenvalues and the least one; see `hermite_dual.plot_spectrum`.

        Args:
            axes: where to draw; by default on a new figure of Matplotlib.
            theory: draw the theory's lower bounds as well.

        Returns:
            The Axes.
        """
        drawn: Axes = showing.plot(self, axes=axes, theory=theory)
        return drawn

    def check_lower_bound(self, value: float) -> "LowerBoundCheck":
        """Decide whether `lambda_min(K) >= value`: PROVEN, REFUTED or UNDECIDED.

        Args:
            value: the lower bound that is claimed.

        Raises:
            InvalidInputError: value is no finite number.
        """
        from hermite_dual.population.proof.gram_eigenvalues import gram_check_lower_bound, not_negative_claim

        return not_negative_claim(gram_check_lower_bound(self._float64, self._entries, value), value, self._entries)

    def lower_bounds(self, degrees: int = 128) -> "tuple[TheoryBound, ...]":
        """Return the theory's lower bounds of `lambda_min(K)`, certified: Ling, Khatri-Rao, Hermite-Gershgorin.

        Each has its `value`, the `degree` behind it and its `tightness`, the value over the proven upper bound of
        `lambda_min(K)`.

        Args:
            degrees: Hermite degrees to use, at most 1024.

        Raises:
            InvalidInputError: the Gram matrix is one of finite depth, or the number of degrees is out of range.
            AccuracyError: the entries have no proven error.
        """
        from hermite_dual.population.proof.gram_eigenvalues import gram_lower_bounds

        return gram_lower_bounds(self, degrees)


def shown_scales(model: Model) -> tuple[str, str]:
    """The scales under their names, for notebooks; a multilayer network has those of its layers."""
    if model.layers is None:
        return "sigma_w, sigma_u, sigma_b", ", ".join(map(number, (model.sigma_w, model.sigma_u, model.sigma_b)))
    weights = [model.sigma_u, *(math.sqrt(layer.weight) for layer in model.layers)]
    return "sigma_w of the layers", ", ".join(map(number, weights[:8])) + (", ..." if len(weights) > 8 else "")


def population_gram(model: Model, dtype: FloatType = np.float64) -> Gram:
    """Return `K(depth)`, or the limit K where depth is None.

    `K(0) = 0`, `S(l) = sigma_w^2 K(l-1) + sigma_u^2 X X^T / d + sigma_b^2`, `K(l)_ij = k(S_ii, S_jj, S_ij)`.

    Args:
        model: with checked samples; the limit needs `sigma_w L < 1`, which the caller has checked.
        dtype: of the matrix, float64 or float32; computed in float64 either way.
    """
    samples = model.samples
    inputs = model.inputs_variances()
    entries = entries_for(model, inputs, zero_rows(samples, model.sigma_b))
    variances, diagonal = entries.variances, entries.diagonal
    factor, shift = model.sigma_u**2 / samples.shape[1], model.sigma_b**2
    if np.dtype(dtype) == np.float64:
        matrix = upper_product(samples, factor)
        entries.apply_symmetric(matrix, shift)
    else:
        matrix = _in_panels(entries, samples, factor, shift, dtype)
    np.fill_diagonal(matrix, diagonal)
    error = entries.error
    if model.depth != 0:
        error += narrow_error(model.recursion, inputs)
    error += storage_error(diagonal, dtype)
    return Gram(matrix, variances, error, model.depth, model)


def _in_panels(entries: GramEntries, samples: Array, factor: float, shift: float, dtype: FloatType) -> NDArray[Any]:
    """Compute the rows of the upper triangle some at a time in float64, and keep them in another type."""
    from hermite_dual.numeric.gram_kernels import mirror

    n = len(samples)
    matrix = np.empty((n, n), dtype)
    for start in range(0, n, _PANEL):
        rows, columns = slice(start, min(n, start + _PANEL)), slice(start, n)
        block = samples[rows] @ samples[columns].T
        block *= factor
        entries.apply_block(block, rows, columns, shift)
        matrix[rows, columns] = block
    mirror(matrix)
    return matrix


def storage_error(diagonal: Array, dtype: FloatType) -> float:
    """Rounding of the largest entry to the type in which the matrix is kept."""
    return 0.0 if np.dtype(dtype) == np.float64 else 0.5 * float(np.finfo(dtype).eps * diagonal.max())


def float_type(dtype: DTypeLike) -> FloatType:
    """Return the type in which a matrix is kept, refusing any but float64 and float32."""
    with contextlib.suppress(TypeError):  # of what names no type
        if np.dtype(dtype) == np.float32:
            return np.float32
        if np.dtype(dtype) == np.float64:
            return np.float64
    raise InvalidInputError(f"dtype = {dtype!r}: a Gram matrix is kept in float64 or float32")

"""Kernels for scikit-learn: infinitely wide networks in Gaussian processes, SVC and kernel ridge regression.

Needs scikit-learn: `pip install "hermite-dual[sklearn]"`.
"""

import math
import warnings
from abc import abstractmethod
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.activation import Activation, ActivationLike, activation
from hermite_dual.arrays import Array
from hermite_dual.data.files import check_samples
from hermite_dual.deq import DEQ
from hermite_dual.errors import InvalidInputError
from hermite_dual.mlp import MLP
from hermite_dual.population.entries.inputs import check_nonzero_rows, on_sphere
from hermite_dual.population.entries.model import Model
from hermite_dual.population.gram_gradient import gram_gradient
from hermite_dual.population.kernel_diagonal import kernel_diagonal
from hermite_dual.scale_names import translating

try:
    from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
    from sklearn.gaussian_process.kernels import Hyperparameter, Kernel
except ImportError as error:  # pragma: no cover - the tests have scikit-learn
    raise ImportError('hermite_dual.sklearn needs scikit-learn: pip install "hermite-dual[sklearn]"') from error

Bounds = tuple[float, float] | Literal["fixed"]

__all__ = ["DualKernel", "MLPKernel", "SphereScaler"]

LARGEST_CONTRACTION = 0.99
"""Upper end of the search for sigma_w in the limit, in units of `1/L`: at 1 the fixed point need not exist."""
_SMALL = 0.1
"""Variance of the first preactivations below which networks are nearly linear, or their biases all that counts."""
_EQUAL = 1e-3
"""Relative spread of the norms of rows that some scaler has made equal."""


class _PopulationKernel(Kernel):
    """What the kernels of all models share: matrices, diagonals and gradients from `_population`."""

    kind: str

    @abstractmethod
    def _population(self, X: ArrayLike) -> Model:
        """Return the model on checked samples."""

    @abstractmethod
    def _kernel(self, X: ArrayLike, Y: ArrayLike | None) -> Any:
        """Return the kernel between X and Y, or X and X, with what is known of it."""

    def __call__(self, X: ArrayLike, Y: ArrayLike | None = None, eval_gradient: bool = False) -> Any:
        """Return the kernel between the rows of X and of Y, and its derivatives in `theta` where asked for.

        Args:
            X: samples, shape (n, d).
            Y: other samples, shape (p, d); X by default.
            eval_gradient: whether to return the derivatives in the logarithms of the scales that are not fixed; needs
                `Y=None`.

        Returns:
            The kernel, shape (n, p), or the pair of it and an array of shape (n, n, number of such scales).
        """
        if eval_gradient and Y is not None:
            raise InvalidInputError(
                "eval_gradient = True with Y: derivatives are those of the square kernel; pass Y=None"
            )
        if eval_gradient:
            model = self._population(X)
            check_nonzero_rows(model.samples, model.sigma_b)
            scales = tuple(parameter.name for parameter in self.hyperparameters if not parameter.fixed)
            if scales:
                return gram_gradient(model, scales, tangent=self._tangent())
            return self(X), np.empty((len(model.samples), len(model.samples), 0))
        # KernelRidge and SVC pass the training samples twice: their square kernel is cheaper, and symmetric to the bit.
        return np.array(self._kernel(X, None if Y is X else Y).matrix)

    def diag(self, X: ArrayLike) -> Array:
        """Return the diagonal of the kernel of X, shape (n,), without the kernel."""
        return kernel_diagonal(self._population(X), tangent=self._tangent())

    def is_stationary(self) -> bool:
        """Return False: the kernel depends on the directions and norms of the rows, not on their difference."""
        return False

    def _tangent(self) -> bool:
        if self.kind not in {"gram", "ntk"}:
            raise InvalidInputError(f'kind = {self.kind!r}: allowed are "gram" and "ntk"')
        return self.kind == "ntk"


class DualKernel(_PopulationKernel):
    """The population kernel of a deep equilibrium model, as a scikit-learn kernel.

    `k(x, x') = K(x, x')`, `K = E[phi(u) phi(v)]` at the fixed point of
    `S = sigma_w^2 K + sigma_u^2 X X^T / d + sigma_b^2` (see `hermite_dual.DEQ`), or the tangent kernel of that model.
    It composes with other kernels (`ConstantKernel() * DualKernel() + WhiteKernel()`), and
    `GaussianProcessRegressor`, `GaussianProcessClassifier`, `KernelRidge(kernel=k)` and `SVC(kernel=k)` take it as it
    is. Derivatives in the logarithms of the scales are analytic, by implicit differentiation of the fixed point.

    Args:
        activation: phi, whatever `hermite_dual.activation` reads; a name or a formula in a string can be pickled.
        sigma_w: recurrent scale; in the limit `sigma_w L < 1`, L the Lipschitz constant of phi.
        sigma_u: input scale.
        sigma_b: bias scale; 0, where there is none, stays fixed.
        kind: `"gram"` for K, or `"ntk"` for the tangent kernel.
        depth: number of layers, or None for the equilibrium.
        sigma_w_bounds: range of the search for sigma_w, or `"fixed"`. In the limit its upper end is at most 0.99/L.
        sigma_u_bounds: the same of sigma_u.
        sigma_b_bounds: the same of sigma_b.

    Rows of equal norm (`SphereScaler`) are much cheaper than others. Rows of zeros need a bias. The bounds are for
    rows of norms around sqrt(d). Variances are at least `sigma_u^2 |x|^2 / d`; where they are large, phi is close to a
    step on their scale and takes thousands of Hermite coefficients, seconds for each value of the scales.

    Raises:
        InvalidInputError: on use, where a parameter is out of range; or at `eval_gradient=True`, `kind="ntk"`, where
            phi' jumps and phi is not linear on either side of 0: fix the scales or take `optimizer=None`.

    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> X, y = np.eye(3), np.array([1.0, 2.0, 3.0])
    >>> fitted = GaussianProcessRegressor(DualKernel("tanh"), optimizer=None).fit(X, y)
    >>> bool(np.abs(fitted.predict(X) - y).max() < 1e-6)
    True
    """

    @translating("DualKernel")
    def __init__(
        self,
        activation: ActivationLike = "tanh",
        sigma_w: float = 0.3,
        sigma_u: float = 1.0,
        sigma_b: float = 0.0,
        kind: Literal["gram", "ntk"] = "gram",
        depth: int | None = None,
        sigma_w_bounds: Bounds = (1e-2, 3.0),
        sigma_u_bounds: Bounds = (1e-2, 1e1),
        sigma_b_bounds: Bounds = (1e-3, 1e1),
    ) -> None:
        # scikit-learn's clone asks for the arguments unchanged: they are read on use.
        self.activation = activation
        self.sigma_w = sigma_w
        self.sigma_u = sigma_u
        self.sigma_b = sigma_b
        self.kind = kind
        self.depth = depth
        self.sigma_w_bounds = sigma_w_bounds
        self.sigma_u_bounds = sigma_u_bounds
        self.sigma_b_bounds = sigma_b_bounds

    @property
    def hyperparameter_sigma_w(self) -> Hyperparameter:
        """Specification of sigma_w, positive, and below `1/L` in the limit."""
        bounds = self.sigma_w_bounds
        if self.depth is None and not isinstance(bounds, str):
            low, high = bounds
            largest = LARGEST_CONTRACTION / _read(self.activation).lipschitz
            if not low < largest:
                raise InvalidInputError(
                    f"sigma_w_bounds = {bounds!r}: in the limit sigma_w stays below {largest:.6g}, 0.99 over the "
                    'Lipschitz constant of phi; lower the bounds, pass "fixed", or give a depth'
                )
            bounds = (low, min(high, largest))
        return _hyperparameter("sigma_w", self.sigma_w, bounds)

    @property
    def hyperparameter_sigma_u(self) -> Hyperparameter:
        """Specification of sigma_u."""
        return _hyperparameter("sigma_u", self.sigma_u, self.sigma_u_bounds)

    @property
    def hyperparameter_sigma_b(self) -> Hyperparameter:
        """Specification of sigma_b; fixed where it is 0."""
        return _hyperparameter("sigma_b", self.sigma_b, self.sigma_b_bounds)

    def __repr__(self) -> str:
        """Return the kernel with its scales, and kind and depth where they are not the default."""
        label = _read(self.activation).name
        parts = [label, *(f"{name}={getattr(self, name):.3g}" for name in ("sigma_w", "sigma_u"))]
        parts += [f"sigma_b={self.sigma_b:.3g}"] if self.sigma_b else []
        parts += [f"kind={self.kind!r}"] if self.kind != "gram" else []
        parts += [f"depth={self.depth}"] if self.depth is not None else []
        return f"DualKernel({', '.join(parts)})"

    def _model(self) -> DEQ:
        return DEQ(_read(self.activation), self.sigma_w, self.sigma_u, self.sigma_b)

    def _kernel(self, X: ArrayLike, Y: ArrayLike | None) -> Any:
        model = self._model()
        _warn_of_small_rows(X, model.sigma_u, model.sigma_b)
        return (model.ntk if self._tangent() else model.gram)(X, Y, depth=self.depth)

    def _population(self, X: ArrayLike) -> Model:
        model, samples = self._model(), check_samples(X, "X")
        model.check_depth(self.depth)
        return Model(model.activation, samples, model.sigma_w, model.sigma_u, model.sigma_b, self.depth)


class MLPKernel(_PopulationKernel):
    """The kernel of a multilayer or residual network of infinite width, as a scikit-learn kernel.

    `S(1) = sigma_w^2 X X^T / d + sigma_b^2`, `S(l+1) = sigma_w^2 k(S(l)) + sigma_b^2`, and the kernel is `S(depth + 1)`
    (see `hermite_dual.MLP`), or the tangent kernel of that network. It is used as `DualKernel` is; `depth`, `sigma_w`,
    `sigma_b` and the others are parameters of a grid search, and the derivatives in the logarithms of sigma_w and
    sigma_b are analytic.

    Args:
        activation: phi of all layers, whatever `hermite_dual.activation` reads; or a list of one for each layer, with
            `depth=None`.
        depth: number of hidden layers.
        sigma_w: scale of the weights of all layers, `W_ij ~ N(0, sigma_w^2 / fan-in)`.
        sigma_b: scale of the biases of all layers; 0 stays fixed.
        kind: `"gram"` for the kernel of the Gaussian process (NNGP), or `"ntk"` for the tangent kernel.
        residual: alpha of a residual network, or None.
        readout: whether a last dense layer follows the last activation.
        sigma_w_bounds: range of the search for sigma_w, or `"fixed"`.
        sigma_b_bounds: the same of sigma_b.

    Rows of norm sqrt(d) suit the default scales: see `SphereScaler`.

    Raises:
        InvalidInputError: on use, where a parameter is out of range; or at `eval_gradient=True`, `kind="ntk"`, where
            phi' jumps and phi is not linear on either side of 0.

    >>> import numpy as np
    >>> from sklearn.svm import SVC
    >>> X, y = np.eye(4), [0, 1, 0, 1]
    >>> SVC(kernel=MLPKernel("relu", depth=3, sigma_w=2**0.5)).fit(X, y).score(X, y)
    1.0
    """

    def __init__(
        self,
        activation: ActivationLike | Sequence[ActivationLike] = "relu",
        depth: int | None = 1,
        sigma_w: float = 1.0,
        sigma_b: float = 0.0,
        kind: Literal["gram", "ntk"] = "gram",
        residual: float | None = None,
        readout: bool = True,
        sigma_w_bounds: Bounds = (1e-2, 1e1),
        sigma_b_bounds: Bounds = (1e-3, 1e1),
    ) -> None:
        self.activation = activation
        self.depth = depth
        self.sigma_w = sigma_w
        self.sigma_b = sigma_b
        self.kind = kind
        self.residual = residual
        self.readout = readout
        self.sigma_w_bounds = sigma_w_bounds
        self.sigma_b_bounds = sigma_b_bounds

    @property
    def hyperparameter_sigma_w(self) -> Hyperparameter:
        """Specification of sigma_w."""
        return _hyperparameter("sigma_w", self.sigma_w, self.sigma_w_bounds)

    @property
    def hyperparameter_sigma_b(self) -> Hyperparameter:
        """Specification of sigma_b; fixed where it is 0."""
        return _hyperparameter("sigma_b", self.sigma_b, self.sigma_b_bounds)

    def __repr__(self) -> str:
        """Return the kernel with its scales, and what is not the default."""
        network = self._model()
        names = ", ".join(dict.fromkeys(phi.name for phi in network.activations))
        parts = [names, f"depth={network.depth}", f"sigma_w={self.sigma_w:.3g}", f"sigma_b={self.sigma_b:.3g}"]
        parts += [f"kind={self.kind!r}"] if self.kind != "gram" else []
        parts += [f"residual={self.residual}"] if self.residual is not None else []
        parts += [] if self.readout else ["readout=False"]
        return f"MLPKernel({', '.join(parts)})"

    def _model(self) -> MLP:
        given = self.activation
        phis = [_read(phi) for phi in given] if isinstance(given, (list, tuple)) else _read(given)
        return MLP(phis, self.depth, self.sigma_w, self.sigma_b, residual=self.residual, readout=self.readout)

    def _kernel(self, X: ArrayLike, Y: ArrayLike | None) -> Any:
        network = self._model()
        _warn_of_small_rows(X, self.sigma_w, self.sigma_b)
        return (network.ntk if self._tangent() else network.gram)(X, Y)

    def _population(self, X: ArrayLike) -> Model:
        return self._model().model(check_samples(X, "X"))


class SphereScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale every row to the norm sqrt(d), d its number of columns, the norm that the kernels' scales are meant for.

    At this norm the preactivations of the first layer have the variance `sigma_u^2 + sigma_b^2` whatever d is, and
    entries of kernels cost one polynomial each. scikit-learn's `Normalizer` makes the norm 1, and the variance
    `sigma_u^2 / d + sigma_b^2`, where kernels are small and most phi nearly linear. Rows of zeros stay zeros.

    >>> import numpy as np
    >>> SphereScaler().fit_transform([[3.0, 4.0, 0.0, 0.0]]).round(12).tolist()
    [[1.2, 1.6, 0.0, 0.0]]
    """

    def fit(self, X: ArrayLike, y: Any = None) -> "SphereScaler":
        """Check the samples; nothing is learnt from them.

        Args:
            X: samples, shape (n, d).
            y: ignored, as in every transformer.
        """
        self.n_features_in_ = check_samples(X, "X").shape[1]
        return self

    def transform(self, X: ArrayLike) -> Array:
        """Return the rows of norm sqrt(d), shape (n, d).

        Args:
            X: samples, shape (n, d).

        Raises:
            InvalidInputError: X is no finite array, or has other columns than those fitted.
        """
        samples = np.array(check_samples(X, "X"), dtype=np.float64)
        columns = getattr(self, "n_features_in_", samples.shape[1])
        if samples.shape[1] != columns:
            raise InvalidInputError(f"X has {samples.shape[1]} columns: the scaler was fitted to {columns}")
        alive = samples.any(axis=1)
        if alive.any():
            samples[alive] = on_sphere(samples[alive])
        return samples

    def __sklearn_tags__(self) -> Any:
        """Say that nothing is learnt, so that `transform` needs no `fit`."""
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def _warn_of_small_rows(X: ArrayLike, sigma: float, sigma_b: float) -> None:
    """Warn where some scaler has made all norms equal and so small that phi is nearly linear.

    Args:
        X: samples, shape (n, d).
        sigma: scale of the input weights.
        sigma_b: scale of the first biases.
    """
    samples = check_samples(X, "X")
    squares = np.einsum("ij,ij->i", samples, samples) / samples.shape[1]
    largest = float(squares.max())
    if len(squares) > 1 and float(np.ptp(squares)) <= _EQUAL * largest and largest * max(sigma, 1.0) ** 2 < _SMALL:
        warnings.warn(
            f"all rows of X have the norm {math.sqrt(largest * samples.shape[1]):.3g}, so that preactivations have a "
            f"variance of {sigma**2 * largest + sigma_b**2:.2g}, where kernels are small and most phi nearly linear: "
            f"scale rows to sqrt(d) = {math.sqrt(samples.shape[1]):.3g} with SphereScaler() in place of Normalizer()",
            UserWarning,
            stacklevel=4,
        )


@lru_cache(maxsize=256)
def _cached(spec: Hashable) -> Activation:
    return activation(spec)


def _read(spec: ActivationLike) -> Activation:
    """Return the activation; scikit-learn asks for it many times."""
    return _cached(spec) if isinstance(spec, Hashable) else activation(spec)


def _hyperparameter(name: str, value: float, bounds: Bounds) -> Hyperparameter:
    # The search is over logarithms, which 0 has not.
    return Hyperparameter(name, "numeric", bounds if value > 0.0 and math.isfinite(value) else "fixed")

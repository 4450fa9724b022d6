"""A scikit-learn kernel: infinitely wide equilibrium models in Gaussian processes, SVC and kernel ridge regression.

Needs scikit-learn: `pip install "hermite-dual[sklearn]"`.
"""

import math
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.activation import Activation, ActivationLike, activation
from hermite_dual.arrays import Array
from hermite_dual.data.files import check_samples
from hermite_dual.deq import DEQ
from hermite_dual.errors import InvalidInputError
from hermite_dual.population.entries.inputs import check_nonzero_rows
from hermite_dual.population.entries.model import Model
from hermite_dual.population.gram_gradient import gram_gradient
from hermite_dual.population.kernel_diagonal import kernel_diagonal

try:
    from sklearn.gaussian_process.kernels import Hyperparameter, Kernel
except ImportError as error:  # pragma: no cover - the tests have scikit-learn
    raise ImportError('hermite_dual.sklearn needs scikit-learn: pip install "hermite-dual[sklearn]"') from error

Bounds = tuple[float, float] | Literal["fixed"]

__all__ = ["DualKernel"]

LARGEST_CONTRACTION = 0.99
"""Upper end of the search for sigma_w in the limit, in units of `1/L`: at 1 the fixed point need not exist."""


class DualKernel(Kernel):
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

    Rows of equal norm (`hermite_dual.on_sphere`) are much cheaper than others. Rows of zeros need a bias. The bounds
    are meant for rows of norms around sqrt(d). Variances are at least `sigma_u^2 |x|^2 / d`; where they are large, phi
    is close to a step on their scale and takes thousands of Hermite coefficients, seconds for each value of the scales.

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

    def __init__(
        self,
        activation: ActivationLike = "tanh",
        sigma_w: float = 0.3,
        sigma_u: float = 1.0,
        sigma_b: float = 0.0,
        kind: Literal["gram", "ntk"] = "gram",
        depth: int | None = None,
        sigma_w_bounds: Bounds = (1e-2, 3.0),
        sigma_u_bounds: Bounds = (1e-1, 3.0),
        sigma_b_bounds: Bounds = (1e-2, 1.0),
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
        """Specification of sigma_w: positive, and below `1/L` in the limit."""
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
        model = self._model()
        tangent = self._tangent()
        if eval_gradient:
            checked = self._population(model, X)
            check_nonzero_rows(checked.samples, model.sigma_b)
            scales = tuple(parameter.name for parameter in self.hyperparameters if not parameter.fixed)
            if scales:
                return gram_gradient(checked, scales, tangent=tangent)
            return self(X), np.empty((len(checked.samples), len(checked.samples), 0))
        kernel = model.ntk if tangent else model.gram
        # KernelRidge and SVC pass the training samples twice: their square kernel is cheaper, and symmetric to the bit.
        others = None if Y is X else Y
        if others is None:
            return np.array(kernel(X, depth=self.depth).matrix)
        return np.array(kernel(X, others, depth=self.depth).matrix)

    def diag(self, X: ArrayLike) -> Array:
        """Return the diagonal of the kernel of X, shape (n,), without the kernel."""
        return kernel_diagonal(self._population(self._model(), X), tangent=self._tangent())

    def is_stationary(self) -> bool:
        """Return False: the kernel depends on the directions and norms of the rows, not on their difference."""
        return False

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

    def _tangent(self) -> bool:
        if self.kind not in {"gram", "ntk"}:
            raise InvalidInputError(f'kind = {self.kind!r}: allowed are "gram" and "ntk"')
        return self.kind == "ntk"

    def _population(self, model: DEQ, X: ArrayLike) -> Model:
        samples = check_samples(X, "X")
        model.check_depth(self.depth)
        return Model(model.activation, samples, model.sigma_w, model.sigma_u, model.sigma_b, self.depth)


@lru_cache(maxsize=256)
def _cached(spec: Hashable) -> Activation:
    return activation(spec)


def _read(spec: ActivationLike) -> Activation:
    """Return the activation; scikit-learn asks for it many times."""
    return _cached(spec) if isinstance(spec, Hashable) else activation(spec)


def _hyperparameter(name: str, value: float, bounds: Bounds) -> Hyperparameter:
    # The search is over logarithms, which 0 has not.
    return Hyperparameter(name, "numeric", bounds if value > 0.0 and math.isfinite(value) else "fixed")

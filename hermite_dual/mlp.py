"""Infinitely wide multilayer and residual networks: their kernels, their finite networks, and the comparison.

Derivation: docs/theory/layers.md, "Recursion", "Tangent kernel".
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from hermite_dual.activation import Activation, ActivationLike, activation
from hermite_dual.arrays import Array
from hermite_dual.data.files import check_samples
from hermite_dual.deq import DEQ
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import check_count, scale_number
from hermite_dual.finite import FiniteMLP, sample_dense
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import MOST, Shown, shortened
from hermite_dual.population.cross_gram import CrossGram, population_cross_gram
from hermite_dual.population.entries.inputs import other_samples
from hermite_dual.population.entries.model import NO_SAMPLES, Model
from hermite_dual.population.entries.recursion import LayerRule
from hermite_dual.population.gram import Gram, float_type, population_gram
from hermite_dual.population.ntk import population_ntk
from hermite_dual.progress import Progress
from hermite_dual.scale_names import translating
from hermite_dual.validation import validate

if TYPE_CHECKING:
    from hermite_dual.outofcore.cost import GramCost
    from hermite_dual.outofcore.rates import Rates
    from hermite_dual.outofcore.stored_gram import StoredGram
    from hermite_dual.population.theorem.hypotheses import TheoremCheck

Scale = float | Sequence[float]

_MOST_LAYERS = 10_000


@own_float_state
@dataclass(frozen=True, init=False, repr=False)
class MLP(Shown):
    """A multilayer or residual network with iid Gaussian weights, in the limit of infinite width: its NNGP and NTK.

    `S(1) = sigma_w^2 X X^T / d + sigma_b^2`, and with L hidden layers, `l = 1 ... L`,
    `S(l+1) = sigma_w^2 k_l(S(l)) + sigma_b^2`; with `residual=alpha` the branches are added to what they read,
    `S(l+1) = S(l) + alpha^2 (sigma_w^2 k_l(S(l)) + sigma_b^2)`. The output's covariance is `S(L+1)`.

    `DEQ.gram(X, depth=l)` is another network, which sees the inputs at every layer.

    Args:
        activations: one for all hidden layers, or a list of one for each; whatever `hermite_dual.activation` reads.
        depth: number L of hidden layers; not needed beside a list.
        sigma_w: scale of the weights, `W_ij ~ N(0, sigma_w^2 / fan-in)`; one, or a list for the first layer, the
            following ones and the readout.
        sigma_b: scale of the biases, one or a list of the same length.
        residual: alpha of a residual network, or None.
        readout: whether a last dense layer follows the last activation. Without it the kernel is `k_L(S(L))` of the
            last hidden values, and the tangent kernel that of one of them.

    Raises:
        InvalidInputError: a scale is negative or not finite, lengths do not fit, or an activation is none.

    Source: `Dense` layers of neural-tangents with `W_std = sigma_w`, `b_std = sigma_b` in the NTK parametrization.

    >>> import numpy as np
    >>> network = MLP("relu", depth=2, sigma_w=2**0.5)
    >>> network.gram(np.eye(2)).matrix.diagonal().round(12).tolist()
    [1.0, 1.0]
    """

    activations: tuple[Activation, ...]
    sigma_w: tuple[float, ...]
    sigma_b: tuple[float, ...]
    residual: float | None
    readout: bool
    layers: tuple[LayerRule, ...] = field(repr=False)

    @translating("MLP")
    def __init__(
        self,
        activations: ActivationLike | Sequence[ActivationLike],
        depth: int | None = None,
        sigma_w: Scale = 1.0,
        sigma_b: Scale = 0.0,
        *,
        residual: float | None = None,
        readout: bool = True,
    ) -> None:
        phis = _activations(activations, depth)
        count = len(phis) + bool(readout)
        weights, biases = _scales("sigma_w", sigma_w, count), _scales("sigma_b", sigma_b, count)
        alpha = None if residual is None else scale_number("residual", residual)
        branch = 1.0 if alpha is None else alpha**2
        carry = 0.0 if alpha is None else 1.0
        layers = [
            LayerRule(phi, branch * weight**2, branch * bias**2, carry, squares=_squares(alpha, weight, bias))
            for phi, weight, bias in zip(phis, weights[1:], biases[1:], strict=False)
        ]
        if not readout:
            layers.append(LayerRule(phis[-1], 1.0, trained=False))
        fields = {
            "activations": phis,
            "sigma_w": weights,
            "sigma_b": biases,
            "residual": alpha,
            "readout": bool(readout),
            "layers": tuple(layers),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """Return the call that makes it, in short."""
        names = _one_or_all(tuple(phi.name for phi in self.activations))
        scales = f"sigma_w={_one_or_all(self.sigma_w)}, sigma_b={_one_or_all(self.sigma_b)}"
        others = "" if self.residual is None else f", residual={self.residual}"
        others += "" if self.readout else ", readout=False"
        return shortened(f"MLP({names!r}, depth={self.depth}, {scales}{others})", MOST)

    @property
    def depth(self) -> int:
        """Number L of hidden layers."""
        return len(self.activations)

    def replace(self, **changes: Any) -> "MLP":
        """Return the network with some of its arguments changed; a new depth needs one activation and one scale."""
        if unknown := set(changes) - {"activations", "depth", "sigma_w", "sigma_b", "residual", "readout"}:
            raise InvalidInputError(
                f"{sorted(unknown)} are no parameters: allowed are activations, depth, sigma_w, sigma_b, residual, "
                "readout"
            )
        # what is one number or one activation stays so at another depth
        kept = {name: _one_or_all(getattr(self, name)) for name in ("activations", "sigma_w", "sigma_b")}
        kept |= {"depth": self.depth, "residual": self.residual, "readout": self.readout}
        return MLP(**(kept | changes))

    def parameters(self) -> dict[str, Any]:
        """Return the parameters as strings, numbers and lists, for reports."""
        return {
            "activation": ", ".join(dict.fromkeys(phi.name for phi in self.activations)),
            "expression": ", ".join(dict.fromkeys(str(phi.expr) for phi in self.activations)),
            "depth": self.depth,
            "sigma_w": _one_or_all(self.sigma_w),
            "sigma_b": _one_or_all(self.sigma_b),
            "residual": self.residual,
            "readout": self.readout,
        }

    @overload
    def gram(self, X: ArrayLike, Y: None = None) -> Gram: ...

    @overload
    def gram(self, X: ArrayLike, Y: ArrayLike) -> CrossGram: ...

    def gram(self, X: ArrayLike, Y: ArrayLike | None = None) -> Gram | CrossGram:
        """Return the covariance `S(L+1)` of the outputs, the kernel of the network's Gaussian process (NNGP).

        Args:
            X: samples, shape (n, d), a sample per row.
            Y: other samples, shape (p, d), for the (n, p) entries between X and Y.

        Returns:
            A `Gram` of shape (n, n), with its proofs, or where Y is given a `CrossGram` of shape (n, p). At equal norms
            one table of the cosine serves all layers, so that depth costs nothing.

        Raises:
            InvalidInputError: X or Y is not a finite array of d columns, or a row's variance is beyond
                [1e-280, 1e280].
            AccuracyError: the variances of a layer, which is named, outgrow float64.
            NotIntegrableError: an activation is not square-integrable at the variances that arise.
        """
        return self._kernel(X, Y, tangent=False)

    @overload
    def ntk(self, X: ArrayLike, Y: None = None) -> Gram: ...

    @overload
    def ntk(self, X: ArrayLike, Y: ArrayLike) -> CrossGram: ...

    def ntk(self, X: ArrayLike, Y: ArrayLike | None = None) -> Gram | CrossGram:
        """Return the neural tangent kernel in the NTK parametrization, weights and biases of all layers trained.

        `Theta(1) = S(1)`, `Theta(l+1) = S(l+1) + sigma_w^2 kdot_l(S(l)) o Theta(l)`,
        `kdot(q1, q2, c) = E[phi'(u) phi'(v)]`; with `residual=alpha`
        `Theta(l+1) = S(l+1) - S(l) + (1 + alpha^2 sigma_w^2 kdot_l(S(l))) o Theta(l)`. The output's is `Theta(L+1)`.

        Args:
            X: samples, shape (n, d), a sample per row.
            Y: other samples, shape (p, d), for the (n, p) entries between X and Y.

        Returns:
            As `gram`.

        Raises:
            InvalidInputError: as for `gram`; or an activation has no derivative that is a function: it jumps, or is a
                Python function given without `derivative=`.
            NotIntegrableError: phi or phi' is not square-integrable at the variances that arise.
        """
        return self._kernel(X, Y, tangent=True)

    def store_gram(
        self,
        X: "ArrayLike | str | os.PathLike[str]",
        out: "str | os.PathLike[str]",
        *,
        dtype: DTypeLike = np.float64,
        block: int | None = None,
        client: Any = None,
        memory: str | float | None = None,
        progress: Progress | None = None,
    ) -> "StoredGram":
        """Write the matrix of `gram` to disk in blocks, for matrices beyond memory, as `DEQ.store_gram`.

        Args:
            X: samples, shape (n, d), a sample per row; or the path of a `.npy` file, or a Zarr array.
            out: folder of a Zarr group, made where it is missing; the same call again computes what is missing there.
            dtype: of the entries on disk, float64 or float32.
            block: rows and columns of a block.
            client: a `dask.distributed.Client`; by default threads of this process.
            memory: bytes, or a size such as "4GB", for this process or for each worker.
            progress: called with what is done and how many of how many blocks.

        Returns:
            The matrix on disk, of shape (n, n), with the proofs of a `Gram`.

        Raises:
            InvalidInputError, NotIntegrableError, DataFileError, ClusterError: as for `DEQ.store_gram`.
        """
        from hermite_dual.outofcore.gram_run import stored_gram

        model = self.model(NO_SAMPLES)
        return stored_gram(model, X, out, dtype=dtype, block=block, client=client, memory=memory, progress=progress)

    def gram_cost(
        self,
        X: "ArrayLike | str | os.PathLike[str] | tuple[int, int]",
        *,
        dtype: DTypeLike = np.float64,
        block: int | None = None,
        client: Any = None,
        memory: str | float | None = None,
        folder: "str | os.PathLike[str] | None" = None,
        rates: "Rates | Literal['measure'] | None" = "measure",
        proof: bool = True,
    ) -> "GramCost":
        """Say what `store_gram` and its proofs take before they start, as `DEQ.gram_cost`.

        Args:
            X: the samples, or their shape (n, d) as a tuple; times are then those of rows on the sphere.
            dtype: as for `store_gram`, like the next three.
            block: rows and columns of a block.
            client: a `dask.distributed.Client`.
            memory: for this process or for each worker.
            folder: where the run is to write.
            rates: "measure", None, or `cost.rates` of an earlier answer.
            proof: whether to time what proofs take as well.

        Raises:
            InvalidInputError: as for `store_gram`.
        """
        from hermite_dual.outofcore.cost import gram_cost

        return gram_cost(
            self.model(NO_SAMPLES),
            X,
            dtype=float_type(dtype),
            block=block,
            client=client,
            memory=memory,
            folder=folder,
            rates=rates,
            proof=proof,
        )

    def _kernel(self, X: ArrayLike, Y: ArrayLike | None, *, tangent: bool) -> Gram | CrossGram:
        if isinstance(X, (str, os.PathLike)):
            raise InvalidInputError(f"X = {os.fspath(X)!r}: give the array, such as numpy.load(path)")
        samples = check_samples(X, "X")
        if Y is not None:
            others = other_samples(Y, samples)
            return population_cross_gram(self.model(np.concatenate([samples, others])), len(samples), tangent)
        return (population_ntk if tangent else population_gram)(self.model(samples))

    def model(self, samples: Array) -> Model:
        """Return what kernels are computed from.

        Args:
            samples: checked samples, shape (n, d).
        """
        first, hidden = self.activations[0], self.sigma_w[-1]
        return Model(first, samples, hidden, self.sigma_w[0], self.sigma_b[0], self.depth, layers=self.layers)

    def check(self, X: ArrayLike, step: float | None = None) -> "TheoremCheck":
        """Decide what is known of the kernels on samples: PROVEN, REFUTED or UNDECIDED, with the numbers.

        Args:
            X: samples, shape (n, d), a sample per row.
            step: step size of gradient descent on `1/2 sum (f - y)^2`; by default the best one.

        Returns:
            Bounded derivatives, rows that are not parallel, activations that are no polynomials; least eigenvalues of
            NNGP and NTK and the rate of training; `print` shows them.

        Raises:
            InvalidInputError: X is not a finite (n, d) array, or the step is out of range.
        """
        from hermite_dual.population.theorem.network_check import check_network

        return check_network(self, check_samples(X, "X"), step)

    def first_layer(self) -> DEQ:
        """Return the model `phi_1(W(0) x + b(0))` of the first layer alone, in which nothing recurs."""
        return DEQ(self.activations[0], 0.0, self.sigma_w[0], self.sigma_b[0])

    def sample(self, width: int, inputs: int, seed: int | np.random.SeedSequence) -> FiniteMLP:
        """Draw a network of finite width.

        Args:
            width: number m of neurons in each hidden layer.
            inputs: number d of input coordinates, the columns of X.
            seed: a whole number or a `numpy.random.SeedSequence`; the same seed gives the same weights.
        """
        return sample_dense(self.layers, self.sigma_w[0], self.sigma_b[0], width, inputs, seed)

    validate = validate

    def wide_model(self) -> "_WideMLP":
        """Return the network by the names that a validation knows."""
        return _WideMLP(self)


@dataclass(frozen=True)
class _WideMLP:
    """A multilayer network with the names by which a validation knows a model: the first layer's, and one for all."""

    network: MLP

    @property
    def activation(self) -> Activation:
        return self.network.activations[0]

    @property
    def sigma_w(self) -> float:
        """The scale above the first layer, 0 where layers have different ones and none stands for all."""
        scale = _one_or_all(self.network.sigma_w[1:]) if len(self.network.sigma_w) > 1 else 0.0
        return scale if isinstance(scale, float) else 0.0

    @property
    def sigma_u(self) -> float:
        return self.network.sigma_w[0]

    @property
    def sigma_b(self) -> float:
        return self.network.sigma_b[0]

    @property
    def layers(self) -> tuple[LayerRule, ...]:
        return self.network.layers

    def gram(self, X: ArrayLike, Y: None = None, *, depth: int | None = None) -> Gram:
        if depth is None:
            return self.network.gram(X)
        return self.network.first_layer().gram(X, depth=depth)

    def sample(self, width: int, inputs: int, seed: int | np.random.SeedSequence) -> FiniteMLP:
        return self.network.sample(width, inputs, seed)

    def replace(self, **changes: Any) -> "_WideMLP":
        network = self.network
        first = changes.pop("sigma_u", network.sigma_w[0])
        above = network.sigma_w[1:]
        if "sigma_w" in changes:
            above = (changes.pop("sigma_w"),) * len(above)
        return replace(self, network=network.replace(sigma_w=(first, *above), **changes))

    def parameters(self) -> dict[str, Any]:
        return self.network.parameters()


def _squares(alpha: float | None, weight: float, bias: float) -> tuple[Fraction, Fraction]:
    """Return the factors of a layer's kernel and of 1, exactly."""
    branch = Fraction(1 if alpha is None else alpha) ** 2
    return branch * Fraction(weight) ** 2, branch * Fraction(bias) ** 2


def _activations(given: Any, depth: int | None) -> tuple[Activation, ...]:
    several = isinstance(given, (list, tuple))
    if depth is not None:
        depth = check_count("depth", depth, 1, "the number of hidden layers", _MOST_LAYERS)
    if several:
        if not given or (depth is not None and len(given) != depth):
            raise InvalidInputError(
                f"activations has {len(given)} entries and depth = {depth}: give one activation for each hidden layer, "
                "or one for all of them"
            )
        return tuple(activation(phi) for phi in given)
    if depth is None:
        raise InvalidInputError("depth is missing: give the number of hidden layers, or a list of activations")
    return (activation(given),) * depth


def _scales(name: str, given: Any, count: int) -> tuple[float, ...]:
    if np.ndim(given) == 0:
        return (scale_number(name, given),) * count
    scales = tuple(scale_number(f"{name}[{k}]", value) for k, value in enumerate(given))
    if len(scales) != count:
        raise InvalidInputError(
            f"{name} has {len(scales)} entries: {count} are needed, for the input layer, the layers above it and the "
            "readout if there is one; or give one number for all"
        )
    return scales


def _one_or_all(values: tuple[Any, ...]) -> Any:
    return values[0] if len(set(values)) == 1 else list(values)

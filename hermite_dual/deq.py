"""The model users hold: an infinitely wide deep equilibrium model, its finite networks, and their comparison."""

import dataclasses
import math
import os
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from hermite_dual.activation import Activation, ActivationLike, activation
from hermite_dual.arrays import Array
from hermite_dual.data.files import check_samples
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import scale_number, shown_count
from hermite_dual.finite import (
    ContractingDraw,
    FiniteDEQ,
    UntiedNetwork,
    sample_contracting,
    sample_network,
    sample_untied,
)
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown, shortened
from hermite_dual.population.cross_gram import CrossGram, population_cross_gram
from hermite_dual.population.entries.inputs import other_samples
from hermite_dual.population.entries.model import NO_SAMPLES, Model
from hermite_dual.population.entries.trained import PARAMETERS, check_parameters
from hermite_dual.population.gram import FloatType, Gram, float_type, population_gram
from hermite_dual.population.ntk import population_ntk
from hermite_dual.progress import Progress
from hermite_dual.scale_names import translating
from hermite_dual.validation import validate

if TYPE_CHECKING:
    from hermite_dual.certified.eigenvalues.theory_bounds import TheoryBound
    from hermite_dual.outofcore.cost import GramCost
    from hermite_dual.outofcore.rates import Rates
    from hermite_dual.outofcore.stored_gram import StoredGram
    from hermite_dual.population.theorem.hypotheses import TheoremCheck


_MOST_LAYERS = 100_000
"""Layers are computed one after the other."""


@own_float_state
@dataclass(frozen=True, init=False, repr=False)
class DEQ(Shown):
    """The model `Z = phi(W Z + U X^T + b)` with iid Gaussian weights, in the limit of infinite width.

    `W_ij ~ N(0, sigma_w^2 / m)`, `U_ij ~ N(0, sigma_u^2 / d)`, `b_i ~ N(0, sigma_b^2)`, m neurons, d inputs.

    Args:
        phi: the activation; whatever `hermite_dual.activation` reads.
        sigma_w: recurrent scale, at least 0. The limit exists and is unique where `sigma_w L < 1`, L the Lipschitz
            constant of phi; a finite network contracts, at large width, where `2 sigma_w L < 1`.
        sigma_u: input scale, at least 0.
        sigma_b: bias scale, at least 0.

    Raises:
        InvalidInputError: a scale is negative or not finite, or phi names no activation.

    >>> import numpy as np
    >>> model = DEQ("tanh", sigma_w=0.3)
    >>> model.gram(np.eye(2)).matrix.round(6).diagonal().tolist()
    [0.28176, 0.28176]
    """

    activation: Activation
    sigma_w: float
    sigma_u: float
    sigma_b: float

    @translating("DEQ")
    def __init__(self, phi: ActivationLike, sigma_w: float, sigma_u: float = 1.0, sigma_b: float = 0.0) -> None:
        object.__setattr__(self, "activation", activation(phi))
        for name, value in (("sigma_w", sigma_w), ("sigma_u", sigma_u), ("sigma_b", sigma_b)):
            object.__setattr__(self, name, scale_number(name, value))

    def __repr__(self) -> str:
        """Return the call that makes it."""
        scales = ", ".join(f"{name}={value!r}" for name, value in self._scales().items())
        return f"DEQ({shortened(self.activation.name)!r}, {scales})"

    @classmethod
    @translating("DEQ.paper")
    def paper(cls, phi: ActivationLike, sigma_w2: float) -> "DEQ":
        """Return the model in the papers' convention: `W ~ N(0, 2 s^2 / m)`, `U ~ N(0, 2 / d)`, no bias.

        Args:
            phi: the activation.
            sigma_w2: the papers' `s^2`; `sigma_w = sqrt(2 s^2)`, `sigma_u = sqrt(2)`. They take rows of X of norm
                sqrt(d), see `hermite_dual.on_sphere`, and `s^2 < 1 / (8 L^2)`, which is `2 sigma_w L < 1`.

        Source: Ling et al., arXiv 2205.13814; Truong, arXiv 2302.05797.
        """
        return cls(phi, math.sqrt(2.0 * scale_number("sigma_w2", sigma_w2)), math.sqrt(2.0))

    def replace(self, **changes: Any) -> "DEQ":
        """Return the model with some of `activation`, `sigma_w`, `sigma_u`, `sigma_b` changed."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)} | changes
        if unknown := set(fields) - {"activation", "sigma_w", "sigma_u", "sigma_b"}:
            raise InvalidInputError(f"{sorted(unknown)} are no parameters: allowed are activation and the three sigmas")
        return DEQ(fields.pop("activation"), **fields)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters as strings and numbers, for reports."""
        phi = self.activation
        return {
            "activation": phi.name,
            "expression": None if phi.expr is None else str(phi.expr),
            "sigma_w": self.sigma_w,
            "sigma_u": self.sigma_u,
            "sigma_b": self.sigma_b,
        }

    @overload
    def gram(
        self, X: ArrayLike, Y: None = None, *, depth: int | None = None, dtype: DTypeLike = np.float64
    ) -> Gram: ...

    @overload
    def gram(
        self, X: ArrayLike, Y: ArrayLike, *, depth: int | None = None, dtype: DTypeLike = np.float64
    ) -> CrossGram: ...

    def gram(
        self,
        X: "ArrayLike | str | os.PathLike[str]",
        Y: ArrayLike | None = None,
        *,
        depth: int | None = None,
        dtype: DTypeLike = np.float64,
        **stored: Any,
    ) -> "Gram | CrossGram | StoredGram":
        """Return the population Gram matrix of the samples, or that between them and other samples.

        `K(0) = 0`, `S(l) = sigma_w^2 K(l-1) + sigma_u^2 X X^T / d + sigma_b^2`, `K(l)_ij = k(S_ii, S_jj, S_ij)`;
        the limit K where depth is None.

        Args:
            X: samples, shape (n, d), a sample per row.
            Y: other samples, shape (p, d), for the (n, p) entries between X and Y, as prediction at Y needs them.
            depth: number of layers, or None for the equilibrium.
            dtype: of the square matrix, float64 or float32. Entries are computed in float64 either way, and a float32
                matrix takes half the memory; its rounding is part of `entry_error`.
            stored: `out` and what went with it, the former spelling of `store_gram`: passed on, with a warning.

        Returns:
            A `Gram` of shape (n, n); where Y is given a `CrossGram` of shape (n, p), which at unequal norms costs what
            the Gram matrix of X and Y together costs, unless phi is homogeneous.

            The number of numba's threads changes no bit. That of BLAS may change the last bits of inner products: two
            results differ by at most the sum of their `entry_error`, each being that close to the same kernel.

            A row of zeros without a bias has variance 0 in the first layer, `K_0j = phi(0) E[phi(v_j)]` there, and
            zeros throughout where phi(0) = 0.

        Raises:
            InvalidInputError: X or Y is not a finite array of d columns, or a row's variance is beyond
                [1e-280, 1e280]; the depth is negative; dtype is neither of the two, or float32 with Y; or the limit is
                asked for where `sigma_w L >= 1`.
            NotIntegrableError: phi is not square-integrable at the variances that arise.
        """
        if stored:
            return self._former_spelling(X, Y, stored | {"depth": depth, "dtype": dtype})
        if isinstance(X, (str, os.PathLike)):
            raise InvalidInputError(f"X = {os.fspath(X)!r}: store_gram reads paths; or pass numpy.load(path)")
        return self._kernel(X, Y, depth, float_type(dtype), tangent=False)

    def _former_spelling(self, X: Any, Y: Any, stored: dict[str, Any]) -> "StoredGram":
        """Pass `gram(X, out=...)` on to `store_gram`; in the next release it is an error."""
        known = {"out", "block", "client", "memory", "progress", "depth", "dtype"}
        if stranger := sorted(set(stored) - known):
            raise TypeError(f"DEQ.gram() got an unexpected keyword argument {stranger[0]!r}")
        if stored.get("out") is None:
            names = ", ".join(sorted(set(stored) - {"depth", "dtype"}))
            raise InvalidInputError(f"{names} without out: they say how a matrix on disk is computed, see store_gram")
        if Y is not None:
            raise InvalidInputError("out with Y: entries between X and Y are kept in memory; leave out one of them")
        warnings.warn(
            "gram(X, out=...) is now store_gram(X, out, ...)", DeprecationWarning, stacklevel=4
        )  # past `own_float_state`
        return self.store_gram(X, **stored)

    def store_gram(
        self,
        X: "ArrayLike | str | os.PathLike[str]",
        out: "str | os.PathLike[str]",
        *,
        depth: int | None = None,
        dtype: DTypeLike = np.float64,
        block: int | None = None,
        client: Any = None,
        memory: str | float | None = None,
        progress: Progress | None = None,
    ) -> "StoredGram":
        """Write the population Gram matrix of the samples to disk in blocks, for matrices beyond memory.

        The same call again computes only what is missing or damaged, and `hermite_dual.open_gram(out)` opens the matrix
        without model and samples: an array is kept in the folder as well, `8 n d` bytes. Needs the extra `distributed`.

        Args:
            X: samples, shape (n, d), a sample per row; or the path of a `.npy` file, or a Zarr array.
            out: folder of a Zarr group, made where it is missing.
            depth: number of layers, or None for the equilibrium.
            dtype: of the entries on disk, float64 or float32.
            block: rows and columns of a block; by default the largest that the memory holds, at most 4096.
            client: a `dask.distributed.Client`, whose workers share a file system with this process; by default
                threads of this process.
            memory: bytes, or a size such as "4GB", for this process or for each worker.
            progress: called with what is done and how many of how many blocks.

        Returns:
            The matrix on disk, of shape (n, n), with the proofs of a `Gram`.

        Raises:
            InvalidInputError: as for `gram`; or nothing fits the memory, or the folder holds the matrix of other data
                or parameters.
            NotIntegrableError: phi is not square-integrable at the variances that arise.
            DataFileError: a file cannot be read or written, or the folder is something else.
            ClusterError: the cluster stopped answering; what is finished is kept.
        """
        from hermite_dual.outofcore.gram_run import stored_gram

        model = self._model(NO_SAMPLES, depth)
        return stored_gram(model, X, out, dtype=dtype, block=block, client=client, memory=memory, progress=progress)

    def gram_cost(
        self,
        X: "ArrayLike | str | os.PathLike[str] | tuple[int, int]",
        *,
        depth: int | None = None,
        dtype: DTypeLike = np.float64,
        block: int | None = None,
        client: Any = None,
        memory: str | float | None = None,
        folder: "str | os.PathLike[str] | None" = None,
        rates: "Rates | Literal['measure'] | None" = "measure",
        proof: bool = True,
    ) -> "GramCost":
        """Say what `store_gram` and its proofs take before they start: memory, disk, operations and time.

        Args:
            X: the samples, or their shape (n, d) as a tuple; times are then those of rows on the sphere.
            depth: as for `gram`, like the next four.
            dtype: of the entries on disk.
            block: rows and columns of a block.
            client: a `dask.distributed.Client`, one of whose workers is timed.
            memory: for this process or for each worker.
            folder: where the run is to write, for the speed of the disk; by default that of temporary files.
            rates: how fast the parts of tasks are: "measure" times them on two blocks of rows in some seconds, None
                leaves times out, and `cost.rates` of an earlier answer is used again.
            proof: whether to time what proofs take as well.

        Returns:
            The formulas of `GramCost` at these numbers.

        Raises:
            InvalidInputError: as for `gram`.

        >>> cost = DEQ("tanh", sigma_w=0.3).gram_cost((50_000, 3072), block=4096, rates=None)
        >>> cost.tasks, round(cost.disk / 1e9, 1)
        (91, 12.2)
        """
        from hermite_dual.outofcore.cost import gram_cost

        return gram_cost(
            self._model(NO_SAMPLES, depth),
            X,
            dtype=float_type(dtype),
            block=block,
            client=client,
            memory=memory,
            folder=folder,
            rates=rates,
            proof=proof,
        )

    @overload
    def ntk(
        self, X: ArrayLike, Y: None = None, *, depth: int | None = None, parameters: tuple[str, ...] = PARAMETERS
    ) -> Gram: ...

    @overload
    def ntk(
        self, X: ArrayLike, Y: ArrayLike, *, depth: int | None = None, parameters: tuple[str, ...] = PARAMETERS
    ) -> CrossGram: ...

    def ntk(
        self,
        X: ArrayLike,
        Y: ArrayLike | None = None,
        *,
        depth: int | None = None,
        parameters: tuple[str, ...] = PARAMETERS,
        **stored: Any,
    ) -> Gram | CrossGram:
        """Return the neural tangent kernel of the model in the NTK parametrization.

        `Theta = K + S o Gamma`, `Gamma = kdot / (1 - sigma_w^2 kdot)`, `kdot = dk/dc = E[phi'(u) phi'(v)]` at S. With
        finitely many layers, all with the same W, U and b: `Theta(0) = 0`,
        `Theta(l) = K(l) + kdot(l) o (sigma_w^2 Theta(l-1) + sigma_u^2 X X^T / d + sigma_b^2)`, kdot(l) at S(l).

        It is the limit of `sum_p df(x)/dp df(x')/dp`, `f = a^T Z`, over all parameters p: a, W, U and b, each written
        as its scale times a standard normal p. K is the part of a, and the three terms of
        `S = sigma_w^2 K + sigma_u^2 X X^T / d + sigma_b^2` are those of W, U and b. The derivation takes the weights of
        the backward pass for independent of the forward pass, which holds in the limit of large width since a is drawn
        by itself with mean 0.

        Args:
            X: samples, shape (n, d), a sample per row.
            Y: other samples, shape (p, d), for the (n, p) entries between X and Y.
            depth: number of layers, or None for the equilibrium.
            parameters: which of "a", "W", "U", "b" are trained: the parts of others are left out. Of a part of them
                errors are estimated and not proven.
            stored: `out` and what goes with it in `store_gram`, refused: tangent kernels are kept in memory.

        Returns:
            A `Gram` of shape (n, n), or where Y is given a `CrossGram` of shape (n, p). Where phi has kinks, kdot has
            square-root end points: two rows that are nearly parallel, but not equal, lose up to half of the digits of
            their inner product; `entry_error` counts it.

        Raises:
            InvalidInputError: as for `gram`; or phi has no derivative that is a function: it jumps, or is a Python
                function given without `derivative=`.
            NotIntegrableError: phi or phi' is not square-integrable at the variances that arise.

        >>> import numpy as np
        >>> model = DEQ("sin", sigma_w=0.0)
        >>> q, theta = 0.5, model.ntk(np.eye(2)).matrix  # K = exp(-q) sinh(c), kdot = exp(-q) cosh(c), S = X X^T / 2
        >>> bool(abs(theta[0, 0] - np.exp(-q) * (np.sinh(q) + q * np.cosh(q))) < 1e-14)
        True
        """
        if stored:
            raise InvalidInputError(
                f"{', '.join(sorted(stored))} with ntk: tangent kernels are computed in memory, 8 n^2 bytes, and "
                "ntk(X).save('T.npz') writes them; store_gram writes Gram matrices beyond memory. For a tangent kernel "
                "beyond it call ntk(X[rows], X[columns]) for blocks of rows and columns"
            )
        return self._kernel(X, Y, depth, np.float64, tangent=True, parameters=check_parameters(parameters))

    def _kernel(
        self,
        X: ArrayLike,
        Y: ArrayLike | None,
        depth: int | None,
        dtype: FloatType,
        *,
        tangent: bool,
        parameters: tuple[str, ...] = PARAMETERS,
    ) -> Gram | CrossGram:
        if Y is not None and dtype is not np.float64:
            raise InvalidInputError("dtype = float32 with Y: entries between X and Y are kept in float64 alone")
        samples = check_samples(X, "X")
        others = None if Y is None else other_samples(Y, samples)
        model = replace(
            self._model(samples if others is None else np.concatenate([samples, others]), depth), trained=parameters
        )
        if others is not None:
            return population_cross_gram(model, len(samples), tangent)
        return population_ntk(model) if tangent else population_gram(model, dtype)

    def lower_bounds(self, X: ArrayLike, degrees: int = 128, block: int = 1024) -> "tuple[TheoryBound, ...]":
        """Return the theory's lower bounds of `lambda_min(K)` that need no factorization, certified, for any n.

        Ling's and the Hermite-Gershgorin bound, from pairs of blocks of rows: no array of shape (n, n) is made.
        `gram(X).lower_bounds()` is faster where the Gram matrix fits, and has the Khatri-Rao bound too.

        Args:
            X: samples, shape (n, d), a sample per row.
            degrees: Hermite degrees to use, at most 1024.
            block: rows in a block; arrays of shape (2 block, 2 block) are kept at a time.

        Raises:
            InvalidInputError: X is not a finite (n, d) array, degrees or block is out of range, or there is no limit.
            AccuracyError: the entries have no proven error.
        """
        from hermite_dual.population.proof.matrix_free_bounds import matrix_free_lower_bounds

        return matrix_free_lower_bounds(self.gram, check_samples(X, "X"), degrees, block)

    def check(self, X: ArrayLike, width: int | None = None, step: float | None = None) -> "TheoremCheck":
        """Decide each hypothesis of the convergence theorems: PROVEN, REFUTED or UNDECIDED, with its number.

        Args:
            X: samples, shape (n, d), a sample per row; the theorems take rows of norm sqrt(d).
            width: number m of neurons, for what follows for a finite network.
            step: step size of gradient descent, for the linear rate; needs a width.

        Returns:
            Hypotheses, consequences and the proven interval of `lambda_*`; `print` shows them.

        Raises:
            InvalidInputError: X is not a finite (n, d) array, or width or step is out of range.

        Source: Ling et al., arXiv 2205.13814; Truong, arXiv 2302.05797.
        """
        from hermite_dual.population.theorem.hypotheses import check_theorem

        return check_theorem(self, check_samples(X, "X"), width, step)

    def sample(
        self, width: int, inputs: int, seed: int | np.random.SeedSequence, *, memory: float | None = None
    ) -> FiniteDEQ:
        """Draw a network of finite width.

        Args:
            width: number m of neurons.
            inputs: number d of input coordinates, the columns of X.
            seed: a whole number or a `numpy.random.SeedSequence`; the same seed gives the same weights.
            memory: bytes that the recurrent weights may take; larger ones are drawn again, block by block, for every
                product, with the same numbers. By default half of the machine's memory.
        """
        return sample_network(self.activation, **self._scales(), width=width, inputs=inputs, seed=seed, memory=memory)

    def sample_contracting(
        self, width: int, inputs: int, seed: int | np.random.SeedSequence, *, max_draws: int = 100
    ) -> ContractingDraw:
        """Draw networks until one is proven to contract, `L ||W||_2 < 1`, as the papers' initialization asks.

        Args:
            width: number m of neurons.
            inputs: number d of input coordinates, the columns of X.
            seed: as in `sample`, which draws the first network.
            max_draws: largest number of networks drawn.

        Returns:
            The network, the number of draws, the proof, and a bound of the probability that a draw fails.

        Raises:
            InvalidInputError: no Lipschitz constant of phi is proven.
            ConvergenceError: none of the networks contracts.
        """
        return sample_contracting(
            self.activation, **self._scales(), width=width, inputs=inputs, seed=seed, max_draws=max_draws
        )

    def sample_untied(self, width: int, inputs: int, depth: int, seed: int | np.random.SeedSequence) -> UntiedNetwork:
        """Draw a network of finite depth whose layers have independent recurrent weights.

        Its Gram matrix is to be compared with `gram(X, depth=depth)`, and with that of `sample`, where all layers
        share one W.

        Args:
            width: number m of neurons.
            inputs: number d of input coordinates, the columns of X.
            depth: number of layers, at least 1.
            seed: a whole number or a `numpy.random.SeedSequence`.
        """
        return sample_untied(self.activation, **self._scales(), width=width, inputs=inputs, depth=depth, seed=seed)

    def _scales(self) -> dict[str, float]:
        return {"sigma_w": self.sigma_w, "sigma_u": self.sigma_u, "sigma_b": self.sigma_b}

    validate = validate

    def _model(self, samples: Array, depth: int | None) -> Model:
        return Model(self.activation, samples, self.sigma_w, self.sigma_u, self.sigma_b, self.check_depth(depth))

    def check_depth(self, depth: int | None) -> int | None:
        """Return the depth of a kernel of this model, refusing one that does not exist.

        Args:
            depth: number of layers, or None for the limit.

        Raises:
            InvalidInputError: the depth is no whole number from 0; or the limit is asked for where `sigma_w L >= 1`.
        """
        if depth is not None:
            return _layers(depth)
        self._check_contraction()
        return None

    def _check_contraction(self) -> None:
        constant = self.activation.lipschitz
        if self.sigma_w == 0.0 or self.sigma_w * constant < 1.0:
            return
        if math.isinf(constant):
            raise InvalidInputError(
                f"activation {self.activation.name} has no Lipschitz constant, so that no sigma_w > 0 guarantees an "
                "equilibrium: ask for finitely many layers with gram(X, depth=l)"
            )
        raise InvalidInputError(
            f"sigma_w = {self.sigma_w:g} with Lipschitz constant L = {constant:g} gives "
            f"sigma_w L = {self.sigma_w * constant:g}: the equilibrium is guaranteed to exist and be unique only for "
            f"sigma_w L < 1; take sigma_w below {1.0 / constant:.6g}, or finitely many layers with gram(X, depth=l)"
        )


def _layers(depth: int) -> int:
    if isinstance(depth, bool) or not isinstance(depth, int | np.integer) or not 0 <= depth <= _MOST_LAYERS:
        raise InvalidInputError(
            f"depth = {shown_count(depth)}: allowed are whole numbers from 0 to {_MOST_LAYERS}, or None for the limit"
        )
    return int(depth)

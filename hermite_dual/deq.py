"""The model users hold: an infinitely wide deep equilibrium model, its finite networks, and their comparison."""

import dataclasses
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.activation import Activation, ActivationLike, activation
from hermite_dual.data.files import check_samples
from hermite_dual.errors import InvalidInputError
from hermite_dual.finite import FiniteDEQ, sample_network
from hermite_dual.population.gram import Gram, population_gram
from hermite_dual.validation import ValidationReport, validate

if TYPE_CHECKING:
    from hermite_dual.population.hypotheses import TheoremCheck


@dataclass(frozen=True, init=False)
class DEQ:
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

    def __init__(self, phi: ActivationLike, sigma_w: float, sigma_u: float = 1.0, sigma_b: float = 0.0) -> None:
        object.__setattr__(self, "activation", activation(phi))
        for name, value in (("sigma_w", sigma_w), ("sigma_u", sigma_u), ("sigma_b", sigma_b)):
            object.__setattr__(self, name, _scale(name, value))

    @classmethod
    def paper(cls, phi: ActivationLike, sigma_w2: float) -> "DEQ":
        """Return the model in the papers' convention: `W ~ N(0, 2 s^2 / m)`, `U ~ N(0, 2 / d)`, no bias.

        Args:
            phi: the activation.
            sigma_w2: the papers' `s^2`; `sigma_w = sqrt(2 s^2)`, `sigma_u = sqrt(2)`. They take rows of X of norm
                sqrt(d), see `hermite_dual.on_sphere`, and `s^2 < 1 / (8 L^2)`, which is `2 sigma_w L < 1`.

        Source: Ling et al., arXiv 2205.13814; Truong, arXiv 2302.05797.
        """
        return cls(phi, math.sqrt(2.0 * _scale("sigma_w2", sigma_w2)), math.sqrt(2.0))

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

    def gram(self, X: ArrayLike, depth: int | None = None) -> Gram:
        """Return the population Gram matrix of the samples.

        `K(0) = 0`, `S(l) = sigma_w^2 K(l-1) + sigma_u^2 X X^T / d + sigma_b^2`, `K(l)_ij = k(S_ii, S_jj, S_ij)`;
        the limit K where depth is None.

        Args:
            X: samples, shape (n, d), a sample per row.
            depth: number of layers, or None for the equilibrium.

        Raises:
            InvalidInputError: X is not a finite (n, d) array or has a zero row without bias; the depth is negative;
                or the limit is asked for where `sigma_w L >= 1`.
            NotIntegrableError: phi is not square-integrable at the variances that arise.
        """
        samples = check_samples(np.asarray(X), "X")
        if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int | np.integer) or depth < 0):
            raise InvalidInputError(f"depth = {depth!r}: allowed are whole numbers from 0, or None for the limit")
        if depth is None:
            self._check_contraction()
        return population_gram(
            self.activation,
            samples,
            sigma_w=self.sigma_w,
            sigma_u=self.sigma_u,
            sigma_b=self.sigma_b,
            depth=None if depth is None else int(depth),
        )

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
        from hermite_dual.population.hypotheses import check_theorem

        return check_theorem(self, check_samples(np.asarray(X), "X"), width, step)

    def sample(self, width: int, inputs: int, seed: int | np.random.SeedSequence) -> FiniteDEQ:
        """Draw a network of finite width.

        Args:
            width: number m of neurons.
            inputs: number d of input coordinates, the columns of X.
            seed: a whole number or a `numpy.random.SeedSequence`; the same seed gives the same weights.
        """
        return sample_network(
            self.activation,
            sigma_w=self.sigma_w,
            sigma_u=self.sigma_u,
            sigma_b=self.sigma_b,
            width=width,
            inputs=inputs,
            seed=seed,
        )

    def validate(
        self,
        X: ArrayLike,
        widths: Sequence[int] = (256, 512, 1024),
        replicas: int = 8,
        seed: int = 0,
        population: ArrayLike | None = None,
        *,
        error_probability: float = 0.01,
        scale_tolerance: float = 0.05,
        entry_tolerance: float = 0.1,
        store: str | os.PathLike[str] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> ValidationReport:
        """Hold the population Gram matrix against simulated networks.

        Args:
            X: samples, shape (n, d), a sample per row.
            widths: widths of the networks.
            replicas: networks per width, at least 2.
            seed: a whole number; the same seed gives the same numbers.
            population: a symmetric (n, n) matrix to hold against the networks in place of `gram(X).matrix`.
            error_probability: probability of DISAGREE where population and networks do agree.
            scale_tolerance: relative error of the scale that AGREE must be able to see.
            entry_tolerance: error of a typical entry, in units of the mean diagonal, that AGREE must be able to see.
            store: a folder that keeps every finished network, so that an interrupted run goes on where it stopped;
                widths and replicas may grow, and other populations may be tested, in the same folder.
            progress: called with the numbers of networks done and to do.

        Raises:
            InvalidInputError: an argument lies outside what is stated above, or the store belongs to something else.
            DataFileError: the store cannot be read or written, for instance because the disk is full.
            ConvergenceError: a network has no equilibrium that the iteration finds; reduce sigma_w.
        """
        return validate(
            self,
            check_samples(np.asarray(X), "X"),
            widths=widths,
            replicas=replicas,
            seed=seed,
            population=population,
            error_probability=error_probability,
            scale_tolerance=scale_tolerance,
            entry_tolerance=entry_tolerance,
            store=store,
            progress=progress,
        )

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


def _scale(name: str, value: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{name} = {value!r}: give a real number, at least 0") from None
    if not (math.isfinite(number) and number >= 0.0):
        raise InvalidInputError(f"{name} = {number!r}: scales are finite and not negative")
    return number

"""A network of finite depth whose layers have independent recurrent weights, for comparison with the tied ones."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.errors import AccuracyError, InvalidInputError
from hermite_dual.expressions.array_function import array_function
from hermite_dual.finite.gradients import slope_function
from hermite_dual.finite.ntk import EmpiricalNTK, Parametrization, scales_of
from hermite_dual.finite.weights import DrawnMatrix
from hermite_dual.float_state import own_float_state
from hermite_dual.namespaces import AnyArray, check_array, moved, namespace_of
from hermite_dual.notebook import Shown, Told
from hermite_dual.population.entries.trained import PARAMETERS, check_parameters


@own_float_state
@dataclass(frozen=True, eq=False, repr=False)
class UntiedNetwork(Shown):
    """`Z(l) = phi(W(l) Z(l-1) + U X^T + b)` with `Z(0) = 0` and independent `W(l)`; output `y = a^T Z(depth)`.

    A deep equilibrium model has one W for all layers. Where the layers are untied, the Gram matrix of depth l tends to
    `model.gram(X, depth=l)` by conditioning on the layer below, which is what the tied network has to be compared with.

    Attributes:
        activation: the activation phi.
        sigma_w: scale of the recurrent weights.
        sigma_u: scale of the input weights.
        sigma_b: scale of the biases.
        recurrent: `W(2), ..., W(depth)`, each of shape (m, m), drawn when they are used and not kept.
        U: input weights, shape (m, d).
        b: biases, shape (m,).
        a: readout, shape (m,).
    """

    activation: Any
    sigma_w: float
    sigma_u: float
    sigma_b: float
    recurrent: tuple[DrawnMatrix, ...] = field(repr=False)
    U: Array = field(repr=False)
    b: Array = field(repr=False)
    a: Array = field(repr=False)

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.recurrent) + 1

    def _told(self) -> Told:
        return [*super()._told(), ("depth", len(self.recurrent) + 1), ("width", self.width)]

    @property
    def width(self) -> int:
        """Number m of neurons."""
        return int(self.U.shape[0])

    def states(self, X: AnyArray) -> AnyArray:
        """Return the states `Z(depth)` of the last layer, shape (m, n).

        Args:
            X: samples, shape (n, d), one per row, finite.

        Raises:
            AccuracyError: the states of a layer, which is named, overflow.
            InvalidInputError: X does not fit the network or is not finite.
        """
        *_, last = self._layers(X)
        return last[1]

    def gram(self, X: AnyArray) -> AnyArray:
        """Return the empirical Gram matrix `Z^T Z / m` of the last layer, shape (n, n)."""
        Z = self.states(X)
        return (Z.T @ Z) / self.width

    def spectrum(self, X: AnyArray) -> AnyArray:
        """Return the eigenvalues of the empirical Gram matrix, the least first, shape (n,)."""
        return gram_eigenvalues(self.states(X), namespace_of(X))

    def ntk(
        self, X: AnyArray, parametrization: Parametrization = "ntk", parameters: tuple[str, ...] = PARAMETERS
    ) -> EmpiricalNTK:
        """Return the empirical neural tangent kernel, by back-propagation through the layers.

        Every layer adds the term of its own W; U and b belong to all layers. `gamma` is that of their sum, so that
        `Theta = K + sum_l Gamma(l) o sigma_w^2 K(l-1) + Gamma o (sigma_u^2 X X^T / d + sigma_b^2)`.

        Args:
            X: samples, shape (n, d), one per row, finite.
            parametrization: "ntk" or "standard"; see `EmpiricalNTK`.
            parameters: which of "a", "W", "U", "b" are trained.

        Raises:
            InvalidInputError: X does not fit the network, or the derivative of phi is not known.
        """
        xp = namespace_of(X)
        slope = slope_function(self.activation, xp)
        names = check_parameters(parameters)
        sigmas = (self.sigma_w, self.sigma_u, self.sigma_b)
        scales = scales_of(sigmas, (self.width, self.U.shape[1]), parametrization, names)
        layers = list(self._layers(X))
        samples, Z = layers[0][2], layers[-1][1]
        inner = Z.T @ Z
        G = slope(layers[-1][0]) * moved(self.a, Z, xp)[:, None]
        total, matrix = G, scales.a * inner
        for layer in range(self.depth - 1, 0, -1):
            pre, below, _ = layers[layer - 1]
            matrix = matrix + (G.T @ G) * (scales.W * (below.T @ below))
            G = slope(pre) * (self.recurrent[layer - 1].T @ G)
            total = total + G
        gamma = total.T @ total
        matrix = matrix + gamma * (scales.U * (samples @ samples.T) + scales.b)
        return EmpiricalNTK(matrix, inner / self.width, gamma)

    def _layers(self, X: AnyArray) -> Any:
        """Yield preactivations, states and the checked samples, layer by layer."""
        xp = namespace_of(X)
        samples = check_columns(check_array(X, xp, "X"), self.U.shape[1])
        phi = array_function(self.activation, xp)
        drive = moved(self.U, samples, xp) @ samples.T + moved(self.b, samples, xp)[:, None]
        Z: AnyArray = None
        for layer, W in enumerate((None, *self.recurrent), 1):
            pre = drive if W is None else W @ Z + drive
            with np.errstate(over="ignore", invalid="ignore"):  # said of the states
                Z = phi(pre)
            refuse_overflow(Z, xp, f"layer {layer} of {self.depth} has states")
            yield pre, Z, samples


def refuse_overflow(Z: AnyArray, xp: Any, subject: str) -> None:
    """Refuse values of m neurons, shape (m, n), whose sums of squares overflow; subject says whose they are."""
    largest = float(xp.max(xp.abs(Z)))
    if not largest <= float(xp.finfo(Z.dtype).max) ** 0.5 / Z.shape[0]:
        raise AccuracyError(
            f"{subject} as large as {largest:.3g}, whose squares overflow: reduce sigma_w, or the depth"
        )


def check_columns(samples: AnyArray, inputs: int) -> AnyArray:
    """Return samples with the network's number of columns, or say which is allowed."""
    if samples.shape[1] != inputs:
        raise InvalidInputError(
            f"X has the shape {tuple(samples.shape)}; allowed is (n, {inputs}), the network's number of inputs. "
            f"Draw the network with inputs={samples.shape[1]}."
        )
    return samples


def gram_eigenvalues(Z: AnyArray, xp: Any) -> AnyArray:
    """Return the eigenvalues of `Z^T Z / m`, the least first, as squared singular values, shape (n,)."""
    m, n = Z.shape
    # Squared singular values keep the small eigenvalues, which forming the product would round away.
    values = xp.flip(xp.linalg.svdvals(Z) ** 2 / m)
    return values if m >= n else xp.concat([xp.zeros((n - m,), dtype=values.dtype, device=values.device), values])

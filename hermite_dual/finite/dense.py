"""Networks of finite width without recurrence: multilayer and residual ones, for comparison with their limit.

Derivation: docs/theory/layers.md, "Recursion", "Tangent kernel".
"""

from dataclasses import dataclass, field

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import check_count
from hermite_dual.expressions.array_function import array_function
from hermite_dual.finite.gradients import slope_function
from hermite_dual.finite.sampling import check_seed, child_seed
from hermite_dual.finite.untied import check_columns, gram_eigenvalues, refuse_overflow
from hermite_dual.finite.weights import DrawnMatrix
from hermite_dual.float_state import own_float_state
from hermite_dual.namespaces import AnyArray, check_array, moved, namespace_of
from hermite_dual.notebook import Shown, Told
from hermite_dual.population.entries.recursion import LayerRule

_INPUTS, _HIDDEN, _BIAS, _READOUT = range(4)
"""Streams of random numbers, one for each kind of parameter and numbered by layers."""


@own_float_state
@dataclass(frozen=True, eq=False, repr=False)
class FiniteMLP(Shown):
    """`H(1) = W(0) X^T + b(0)`, `H(l+1) = sqrt(carry) H(l) + W(l) phi_l(H(l)) + b(l)`, Gaussian weights, m neurons.

    Not made by users: see `MLP.sample`.

    Attributes:
        layers: what each layer does, see `LayerRule`; `W(l)` has independent entries of variance `weight / m`, `b(l)`
            of variance `bias`.
        weights: `W(0), ..., W(L-1)`, of shape (m, d) and (m, m), drawn when they are used and not kept.
        biases: `b(0), ..., b(L-1)`, each of shape (m,).
        a: standard normal readout, shape (m,): the output is `sqrt(carry) H(L)_0 + sqrt(weight/m) a^T phi_L(H(L)) + b`.
        sigma_u: scale of the input weights.
        sigma_b: scale of the first biases.
    """

    layers: tuple[LayerRule, ...]
    weights: tuple[DrawnMatrix, ...] = field(repr=False)
    biases: tuple[Array, ...] = field(repr=False)
    a: Array = field(repr=False)
    sigma_u: float
    sigma_b: float

    def _told(self) -> Told:
        return [*super()._told(), ("width", self.width)]

    @property
    def depth(self) -> int:
        """Number L of hidden layers."""
        return len(self.layers)

    @property
    def width(self) -> int:
        """Number m of neurons."""
        return int(self.a.shape[0])

    def features(self, X: AnyArray) -> AnyArray:
        """Return `phi_L(H(L))`, the values of the last hidden layer, shape (m, n).

        Args:
            X: samples, shape (n, d), one per row, finite.

        Raises:
            AccuracyError: the values of a layer, which is named, overflow.
            InvalidInputError: X does not fit the network or is not finite.
        """
        return self.hidden(X)[-1][1]

    def gram(self, X: AnyArray) -> AnyArray:
        """Return the covariance of the outputs given the hidden weights, shape (n, n), as `MLP.gram` at infinite width.

        `weight phi^T phi / m + bias`, with the carried `H(L)^T H(L) / m` where the network is residual.
        """
        samples, m = self._samples(X), self.width
        pre, Z = self.hidden(samples)[-1]
        return self.layers[-1].above(pre.T @ pre / m, Z.T @ Z / m, 0.0)

    def spectrum(self, X: AnyArray) -> AnyArray:
        """Return the eigenvalues of `phi^T phi / m` of the last hidden layer, the least first, shape (n,)."""
        return gram_eigenvalues(self.features(X), namespace_of(X))

    def ntk(self, X: AnyArray) -> AnyArray:
        """Return the empirical neural tangent kernel of the output in the NTK parametrization, shape (n, n).

        Args:
            X: samples, shape (n, d), one per row, finite.

        Raises:
            InvalidInputError: the network has no readout, X does not fit it, or a derivative is not known.
        """
        if not self.layers[-1].trained:
            raise InvalidInputError("a network without readout has no output to differentiate: take readout=True")
        xp, samples, m = namespace_of(X), self._samples(X), self.width
        forward = self.hidden(samples)
        (pre, Z), layer = forward[-1], self.layers[-1]
        total = layer.own(Z.T @ Z / m, 0.0)
        scaled = moved(self.a, Z, xp)[:, None] * (layer.weight / m) ** 0.5
        gradient = slope_function(layer.activation, xp)(pre) * scaled
        if layer.carry:
            gradient[0, ...] += layer.carry**0.5
        for layer, W, (pre, Z) in zip(self.layers[-2::-1], self.weights[:0:-1], forward[-2::-1], strict=True):
            total = total + (gradient.T @ gradient) * layer.own(Z.T @ Z / m, 0.0)
            passed = slope_function(layer.activation, xp)(pre) * (W.T @ gradient)
            gradient = passed + layer.carry**0.5 * gradient if layer.carry else passed
        inputs = self.sigma_u**2 / samples.shape[1] * (samples @ samples.T) + self.sigma_b**2
        return total + (gradient.T @ gradient) * inputs

    def _samples(self, X: AnyArray) -> AnyArray:
        return check_columns(check_array(X, namespace_of(X), "X"), self.weights[0].shape[1])

    def hidden(self, X: AnyArray) -> list[tuple[AnyArray, AnyArray]]:
        """Return preactivations `H(l)` and values `phi_l(H(l))`, shapes (m, n), of each hidden layer in order."""
        xp, samples = namespace_of(X), self._samples(X)
        pre = self.weights[0] @ samples.T + moved(self.biases[0], samples, xp)[:, None]
        passed = []
        for number, layer in enumerate(self.layers, 1):
            with np.errstate(over="ignore", invalid="ignore"):  # said of the values
                Z = array_function(layer.activation, xp)(pre)
            refuse_overflow(Z, xp, f"layer {number} of {self.depth} has values")
            passed.append((pre, Z))
            if number < self.depth:
                above = self.weights[number] @ Z + moved(self.biases[number], samples, xp)[:, None]
                pre = above + layer.carry**0.5 * pre if layer.carry else above
        return passed


def sample_dense(
    layers: tuple[LayerRule, ...],
    sigma_u: float,
    sigma_b: float,
    width: int,
    inputs: int,
    seed: int | np.random.SeedSequence,
) -> FiniteMLP:
    """Draw the weights of a network of finite width; the same seed gives the same numbers.

    Args:
        layers: what each layer does.
        sigma_u: scale of the input weights.
        sigma_b: scale of the first biases.
        width: number m of neurons in each hidden layer.
        inputs: number d of input coordinates, the columns of X.
        seed: a whole number or a `numpy.random.SeedSequence`.

    Raises:
        InvalidInputError: width, inputs or seed are out of range.
    """
    m = check_count("width", width, 1, "the number of neurons")
    d = check_count("inputs", inputs, 1, "the number of columns of X")
    root = check_seed(seed)
    scales = [(layer.weight / m) ** 0.5 for layer in layers[:-1]]
    weights = [DrawnMatrix(child_seed(root, _INPUTS), (m, d), sigma_u / d**0.5)]
    weights += [DrawnMatrix(child_seed(root, _HIDDEN, k), (m, m), scale) for k, scale in enumerate(scales)]
    spreads = [sigma_b, *(layer.bias**0.5 for layer in layers[:-1])]
    drawn = [DrawnMatrix(child_seed(root, _BIAS, k), (m, 1), spread).kept()[:, 0] for k, spread in enumerate(spreads)]
    readout = DrawnMatrix(child_seed(root, _READOUT), (m, 1), 1.0).kept()[:, 0]
    return FiniteMLP(layers, tuple(weights), tuple(drawn), readout, sigma_u, sigma_b)

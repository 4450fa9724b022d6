"""How covariances pass through the layers of a dense network: one recursion for all of them.

`S(1)` is the inputs' covariance `P = sigma_u^2 X X^T / d + sigma_b^2`. A layer l makes of `S = S(l)`

    S(l+1) = carry S + weight k(S) + bias + inputs P,        k(S)_ij = k(S_ii, S_jj, S_ij) of its activation,

and the network's kernel is what stands above its last layer. A multilayer network has carry = inputs = 0, a residual
one carry = 1, a deep equilibrium model inputs = 1 and, above its last layer, K = k(S) itself. The tangent kernel of S,
`T(1) = S(1)`, follows

    T(l+1) = carry T + (S(l+1) - carry S) + weight kdot(S) o T,

where the second term, that of the layer's own parameters, is left out if they are not trained.

Derivation: docs/theory/layers.md, "Recursion", "Tangent kernel".
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.certified.enclosures.ball_series import BallSeries
from hermite_dual.notebook import Shown
from hermite_dual.population.entries.truncated_series import TruncatedSeries

Number = TypeVar("Number", float, Array, TruncatedSeries, BallSeries)


@dataclass(frozen=True, repr=False)
class LayerRule(Shown):
    """What one layer makes of the covariance below it.

    Attributes:
        activation: phi.
        weight: factor of `k(S)`, at least 0.
        bias: added to every entry, at least 0.
        carry: factor of S, at least 0.
        inputs: factor of P, 0 or 1.
        trained: whether the layer's own weights and biases count in a tangent kernel.
        squares: weight and bias before they were rounded, or None where they are exact.
    """

    activation: Activation
    weight: float
    bias: float = 0.0
    carry: float = 0.0
    inputs: float = 0.0
    trained: bool = True
    squares: tuple[Fraction, Fraction] | None = None

    def above(self, covariance: Number, kernel: Number, inner: Number) -> Number:
        """Return `carry S + weight k(S) + bias + inputs P`, from S, k(S) and P."""
        return self.own(kernel, inner) + self.carry * covariance if self.carry else self.own(kernel, inner)

    def own(self, kernel: Number, inner: Number) -> Number:
        """Return what the layer's own parameters add, `weight k(S) + bias + inputs P`."""
        total = self.weight * kernel
        if self.inputs:
            total = total + inner
        return total + self.bias if self.bias else total

    def tangent_above(self, tangent: Number, slope: Number, kernel: Number, inner: Number) -> Number:
        """Return `T(l+1)` from T, `kdot(S)`, k(S) and P."""
        passed = (self.weight * slope + self.carry) * tangent
        return passed + self.own(kernel, inner) if self.trained else passed

    @property
    def is_kernel(self) -> bool:
        """Whether what stands above the layer is `k(S)` itself."""
        return self.weight == 1.0 and self.carry == self.bias == self.inputs == 0.0


@dataclass(frozen=True)
class Recursion:
    """The layers of a network, from the first.

    Attributes:
        layers: at least one; for the limit of a deep equilibrium model the one that repeats.
        limit: whether the fixed point `S = weight k(S) + P` of the one layer is meant, and its `k(S)`.
    """

    layers: tuple[LayerRule, ...]
    limit: bool = False

    @property
    def depth(self) -> int | None:
        """Number of layers, or None for the limit."""
        return None if self.limit else len(self.layers)

    @property
    def weight(self) -> float:
        """`sigma_w^2` of the limit; of finitely many layers nothing is solved for, and it is 0."""
        return self.layers[0].weight if self.limit else 0.0

    @property
    def activations(self) -> tuple[Activation, ...]:
        """The activations of the layers."""
        return tuple(layer.activation for layer in self.layers)

    @property
    def last(self) -> Activation:
        """The activation of the last layer."""
        return self.layers[-1].activation

    @property
    def homogeneous(self) -> bool:
        """Whether the kernel scales as the norms do: all `phi(s x) = s phi(x)`, s > 0, and no bias above P."""
        return all(layer.activation.shape.homogeneous and not layer.bias for layer in self.layers)

    @property
    def jumps(self) -> bool:
        """Whether an activation does, so that the kernel is infinitely steep at cosine 1."""
        return any(activation.jumps for activation in self.activations)

    @property
    def forgets_norms(self) -> bool:
        """Whether correlations alone count: a first `phi(s x) = phi(x)`, s > 0, and no inputs carried past it."""
        carried = self.limit or self.layers[0].carry or any(layer.inputs for layer in self.layers)
        return not carried and self.layers[0].activation.shape.scaling_degree == 0

    @property
    def parity(self) -> str | None:
        """Whether the kernel is an odd or even function of the cosine, "odd" or "even"."""
        first = self.layers[0]
        if all(layer.activation.parity == "odd" and not layer.bias for layer in self.layers):
            return "odd"
        mixes = self.limit or any(layer.carry or layer.inputs for layer in self.layers)
        return "even" if first.activation.parity == "even" and (not mixes or first.weight == 0.0) else None


def one_layer(activation: Activation) -> Recursion:
    """Return the recursion whose kernel is `k(P)`."""
    return Recursion((LayerRule(activation, 1.0),))


def equilibrium_layers(activation: Activation, weight: float, depth: int | None) -> Recursion:
    """Return the layers of a deep equilibrium model.

    Args:
        activation: phi.
        weight: sigma_w^2.
        depth: number of layers, at least 1, or None for the limit.
    """
    top = LayerRule(activation, 1.0)
    if weight == 0.0:  # all layers are alike
        return Recursion((top,))
    repeated = LayerRule(activation, weight, inputs=1.0)
    if depth is None:
        return Recursion((repeated,), limit=True)
    return Recursion((repeated,) * (depth - 1) + (top,))

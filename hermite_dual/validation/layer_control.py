r"""Control variates of multilayer and residual networks: what each layer adds to the fluctuation, carried upwards.

Given the layers below, the preactivations of layer l are Gaussian with known means and covariances, so that products of
polynomials of them have known means too. With `p` the Hermite polynomial of phi up to some degree, the averages of the
products over the neurons minus those means have mean zero at every width, whatever phi and the data are: no kernel is
trusted. They are summed with the sensitivities of the layers above, which need not be exact.

Derivation: docs/theory/layers.md, "Fluctuations of networks".
"""

import math
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import NotIntegrableError
from hermite_dual.finite import FiniteDEQ, FiniteMLP
from hermite_dual.numeric.gaussian import coefficients
from hermite_dual.population.entries.recursion import LayerRule
from hermite_dual.validation.wide_model import WideModel

# Degree of the polynomials.
_DEGREE = 8
# They are the best ones at this multiple of the variances. At 1 they leave phi a few standard deviations out, and the
# few neurons there give what is left of the noise a skewness of -4 and a kurtosis of 5 to 7; at 3/2 it is near normal.
_SPREAD = 1.5
# Degrees of the series for covariances and sensitivities, whose errors cost power alone.
_SERIES = 96


@dataclass(frozen=True, eq=False)
class _Layer:
    """One layer at the covariance S of its preactivations.

    Attributes:
        rule: what it does.
        covariance: S, shape (n, n).
        roots: standard deviations `r_i` at which the polynomials are the best ones, shape (n,).
        weights: coefficients of `He_s(h / r_i)` in the polynomial of each sample, shape (n, degree + 1).
        kernel: `k(S)`, shape (n, n).
        slope: `dk_ij / dS_ij`, shape (n, n).
        growth: `dk_ij / dS_ii`, shape (n, n).
    """

    rule: LayerRule
    covariance: Array
    roots: Array
    weights: Array
    kernel: Array
    slope: Array
    growth: Array

    def response(self, change: Array) -> Array:
        """Return the change of `k(S)` to first order in that of S."""
        by_variance = self.growth * np.diagonal(change)[:, None]
        return np.asarray(self.slope * change + by_variance + by_variance.T)

    def mean_product(self, means: Array, noise: Array) -> Array:
        """Return the average over neurons of `E[p_i(mu_i + g_i) p_j(mu_j + g_j)]`, g normal with the covariance noise.

        Args:
            means: mu, shape (neurons, n).
            noise: shape (n, n).
        """
        x, correlation = means / self.roots, noise / np.outer(self.roots, self.roots)
        left = 1.0 - np.diagonal(correlation)
        hermite = [np.ones_like(x), x]
        for k in range(1, self.weights.shape[1] - 1):
            hermite.append(x * hermite[k] - k * left * hermite[k - 1])
        total, power = np.zeros_like(noise), np.ones_like(noise)
        for r in range(self.weights.shape[1]):
            # the r-th derivative of the polynomial smoothed by the noise
            smoothed = np.zeros_like(x)
            for s in range(r, self.weights.shape[1]):
                smoothed += self.weights[:, s] * math.perm(s, r) * hermite[s - r]
            total += power * (smoothed.T @ smoothed) / (len(x) * math.factorial(r))
            power = power * correlation
            if not power.any():
                break
        return total


class LayerControl:
    """The control of a network without recurrence on samples.

    Args:
        model: the model of infinite width.
        layers: its layers.
        X: samples, shape (n, d).
    """

    names: ClassVar[tuple[str, ...]] = ("layers",)

    def __init__(self, model: WideModel, layers: tuple[LayerRule, ...], X: Array) -> None:
        self._X = X
        self._inputs = model.sigma_u**2 / X.shape[1] * (X @ X.T) + model.sigma_b**2
        self._layers: list[_Layer] = []
        covariance = self._inputs
        for rule in layers:
            layer = _layer(rule, covariance)
            self._layers.append(layer)
            covariance = rule.above(covariance, layer.kernel, 0.0)

    def read(self, net: FiniteDEQ | FiniteMLP, gram: Array | None = None) -> tuple[Array, Array]:
        """Return the Gram matrix of a network, shape (n, n), and the control, shape (1, n, n).

        Args:
            net: a network without recurrence.
            gram: its Gram matrix, where that is known.
        """
        net = cast(FiniteMLP, net)
        rules, m = net.layers, net.width
        hidden = [(np.asarray(H), np.asarray(Z)) for H, Z in net.hidden(self._X)]
        products = [Z.T @ Z / m for _, Z in hidden]
        # means and covariances of the preactivations, given the layers below
        means = [
            np.zeros((1, len(self._X))),
            *(r.carry**0.5 * H for r, (H, _) in zip(rules, hidden[:-1], strict=False)),
        ]
        noises = [self._inputs, *(r.own(G, 0.0) for r, G in zip(rules, products[:-1], strict=False))]
        draws = [_Draw(H, mean, noise) for (H, _), mean, noise in zip(hidden, means, noises, strict=True)]
        carried, change = np.zeros_like(self._inputs), np.zeros_like(self._inputs)
        carry = 0.0
        for number, (layer, draw) in enumerate(zip(self._layers, draws, strict=True)):
            control = self._fluctuation(number, draws) + layer.response(change)
            carried = carry * carried + draw.excess
            carry = layer.rule.carry
            change = carry * change + layer.rule.weight * control
        G = rules[-1].above(hidden[-1][0].T @ hidden[-1][0] / m, products[-1], 0.0) if gram is None else gram
        return G, (change + carry * carried)[None]

    def _fluctuation(self, number: int, draws: "list[_Draw]") -> Array:
        """Return what the draws of a layer, and of those that it carries, add to its average of `p_i p_j`."""
        layer, total, carried = self._layers[number], np.zeros_like(self._inputs), 1.0
        for below in range(number, -1, -1):
            draw = draws[below]
            later = layer.covariance - carried * self._layers[below].covariance
            total += layer.mean_product(carried**0.5 * draw.values, later)
            total -= layer.mean_product(carried**0.5 * draw.means, later + carried * draw.noise)
            carried *= self._layers[below - 1].rule.carry if below else 0.0
            if not carried:
                break
        return total


@dataclass(frozen=True, eq=False)
class _Draw:
    """The preactivations of a layer of a network, and their law given the layers below.

    Attributes:
        values: H, shape (neurons, n).
        means: shape (neurons, n), or (1, n) where all neurons have the same.
        noise: covariance of each neuron's, shape (n, n).
    """

    values: Array
    means: Array
    noise: Array

    @property
    def excess(self) -> Array:
        """`H^T H / m` minus its mean given the layers below, shape (n, n)."""
        expected = self.means.T @ self.means / len(self.means) + self.noise
        return np.asarray(self.values.T @ self.values / len(self.values) - expected)


def _layer(rule: LayerRule, S: Array) -> _Layer:
    """Return a layer with its kernel and sensitivities by Hermite series at the variances of S."""
    roots = np.sqrt(_positive(np.diagonal(S)))
    a = _coefficients(rule.activation, np.diagonal(S), _SERIES + 2)
    correlation = S / np.outer(roots, roots)
    kernel, slope, growth = (np.zeros_like(S) for _ in range(3))
    power = np.ones_like(S)
    for r in range(_SERIES):
        kernel += np.outer(a[:, r], a[:, r]) * power
        growth += 0.5 * math.sqrt((r + 1) * (r + 2)) * np.outer(a[:, r + 2], a[:, r]) * power
        slope += (r + 1) * np.outer(a[:, r + 1], a[:, r + 1]) * power
        power *= correlation
    slope, growth = slope / np.outer(roots, roots), growth / roots[:, None] ** 2
    spread = _SPREAD
    try:
        a = _coefficients(rule.activation, spread * np.diagonal(S), _DEGREE + 1)
    except NotIntegrableError:  # phi grows too fast for more than its own variances
        spread = 1.0
    weights = a[:, : _DEGREE + 1] / np.sqrt([float(math.factorial(s)) for s in range(_DEGREE + 1)])
    return _Layer(rule, S, math.sqrt(spread) * roots, weights, kernel, slope, growth)


def _coefficients(activation: Activation, variances: Array, count: int) -> Array:
    """Return `a_r(q)` of each variance, shape (n, count), one computation for variances that differ by rounding."""
    largest = float(variances.max()) or 1.0
    distinct, at = np.unique(np.round(variances / largest, 12), return_inverse=True)
    rows = np.zeros((len(distinct), count))
    for row, q in zip(rows, distinct * largest, strict=True):
        if q > 0.0:
            row[:] = coefficients(activation, float(q), count)
        else:
            row[0] = activation(np.zeros(1))[0]
    return np.asarray(rows[at])


def _positive(variances: Array) -> Array:
    """Return variances with 1 in place of 0, where there is nothing to divide."""
    return np.where(variances > 0.0, variances, 1.0)

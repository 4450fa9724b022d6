"""The kernel of a network at one norm as a power series in the cosine of its inputs.

Derivation: docs/theory/layers.md, "Series in the cosine".
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.certified.enclosures.ball_series import BallSeries
from hermite_dual.errors import ConvergenceError
from hermite_dual.numeric.gaussian import coefficients
from hermite_dual.numeric.mehler import EPS, hermite_series
from hermite_dual.population.entries.model import Model
from hermite_dual.population.entries.narrow_values import narrow_error, narrow_tangent_error
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.population.entries.recursion import LayerRule
from hermite_dual.population.entries.truncated_series import TruncatedSeries, compose, product, resolvent
from hermite_dual.population.entries.variances import layer_variances

Series = TypeVar("Series", TruncatedSeries, BallSeries)
Slope = Callable[[Activation, Series], Series]
"""The series of kdot at a covariance."""


class Dual(Protocol[Series]):
    """A dual kernel at one variance."""

    def of(self, covariance: Series) -> Series:
        """Return `k(q, q, c)` for a series c with `c(1) = q`."""
        ...


_MAX_STEPS = 100
"""Of Newton's method for one length of the series; it takes some ten."""
_PLACES = np.linspace(0.02, 1.0, 50)
"""Where the share of the terms left out is bounded; the best of them counts."""


@dataclass(frozen=True, eq=False)
class DualSeries:
    """The dual kernel at one variance as a power series of the correlation.

    Attributes:
        variance: q.
        squares: `a_r(q)^2`, at least n of them.
        total: `E[phi(sqrt(q) Z)^2]`.
        error: estimate of the sum of the errors of the squares.
    """

    variance: float
    squares: Array
    total: float
    error: float

    def of(self, covariance: TruncatedSeries) -> TruncatedSeries:
        """Return `k(q, q, c)` for a series c with `c(1) = q`."""
        ratio = covariance.coefficients / self.variance
        # with the rounding of the variance, in which the squares change as the powers do in the correlation
        moved = min(1.0, covariance.error / self.variance + 8.0 * EPS)
        change = float(self.squares @ (1.0 - (1.0 - moved) ** np.arange(len(self.squares))))
        error = self.error + change + self._left_out(ratio) + 16.0 * EPS * self.total
        return TruncatedSeries(compose(self.squares, ratio), self.total, error)

    def solve(self, weight: float, inputs: TruncatedSeries, contraction: float) -> TruncatedSeries:
        """Return the series S with `S = weight k(q, q, S) + P`, by Newton's method for 1, 2, 4, ... coefficients.

        Args:
            weight: sigma_w^2.
            inputs: P.
            contraction: `sigma_w^2 L^2 < 1`.

        Raises:
            ConvergenceError: rounding is not reached.
        """
        q, n = self.variance, len(inputs.coefficients)
        slopes = weight / q * (np.arange(1, len(self.squares)) * self.squares[1:])
        solution = np.zeros(0)
        while len(solution) < n:
            length = min(max(2 * len(solution), 1), n)
            solution = np.concatenate([solution, np.zeros(length - len(solution))])
            for _ in range(_MAX_STEPS):
                excess = weight * compose(self.squares, solution / q) + inputs.coefficients[:length] - solution
                factor = resolvent(compose(slopes, solution / q))
                step = product(excess, factor)
                solution = np.maximum(solution + step, 0.0)
                if np.abs(step).max() <= 8.0 * EPS * q * factor.sum():
                    break
            else:
                raise ConvergenceError(
                    f"the series of the fixed point is not found to rounding in {_MAX_STEPS} steps (contraction "
                    f"{contraction:.6f}): reduce sigma_w, or ask for a finite depth"
                )
        error = weight * (self.error + self._left_out(solution / q)) + inputs.error + 16.0 * EPS * q
        return TruncatedSeries(solution, q, error / max(1.0 - contraction, EPS))

    def _left_out(self, ratio: Array) -> float:
        """Bound what the terms from `r = R` on add to the n coefficients of a series with the constant term `ratio_0`.

        `sum_{p<n} [xi^p] f^r <= f(t)^R t^(1-n)` for `0 < t <= 1`, `f(1) = 1`.
        """
        if ratio[0] == 0.0:
            return 0.0  # f^r begins with degree r
        n = len(ratio)
        values = np.polynomial.polynomial.polyval(_PLACES, ratio)
        values += _PLACES**n * max(1.0 - float(ratio.sum()), 0.0)
        with np.errstate(under="ignore"):
            logs = len(self.squares) * np.log(np.minimum(values, 1.0)) + (1 - n) * np.log(_PLACES)
            share = float(np.exp(min(logs.min(), 0.0)))
        return share * max(self.total - float(self.squares.sum()), 0.0)


def cosine_coefficients(model: Model, top: float, n: int, tangent: bool) -> TruncatedSeries:
    """Return the first n coefficients of a kernel in the cosine `xi` of two inputs of one norm.

    Args:
        model: the network and its scales; its depth is not 0, and of its samples only their number of columns counts.
        top: `P_ii = sigma_u^2 |x|^2 / d + sigma_b^2 > 0`.
        n: at least 1.
        tangent: whether the kernel is the tangent kernel.

    Raises:
        ConvergenceError: as `DualSeries.solve`.
        AccuracyError, NotIntegrableError: the variances of a layer outgrow float64 or the domain of the kernel.
        InvalidInputError: for a tangent kernel, an activation has no derivative that is a function.
    """
    recursion, bias = model.recursion, model.sigma_b**2
    variances = layer_variances(recursion, top)
    cosine = np.zeros(n)
    cosine[1:2] = top - bias
    plain = TruncatedSeries(cosine, top - bias, 4.0 * EPS * top)
    duals = [_series(phi, q, n) for phi, q in zip(recursion.activations, variances, strict=True)]
    inputs = inputs_series(model, plain, bias)
    if recursion.limit:
        weight = recursion.weight
        covariance = duals[0].solve(weight, inputs[0], weight * recursion.last.lipschitz**2)
        series = limit_series(model, recursion.layers[0], duals[0], _slope if tangent else None, covariance, inputs)
    else:
        series = layers_series(model, recursion.layers, duals, _slope if tangent else None, inputs)
    narrow = narrow_tangent_error if tangent else narrow_error
    return TruncatedSeries(series.coefficients, series.at_one, series.error + narrow(recursion, np.array([top])))


def inputs_series(model: Model, plain: Series, bias: Any) -> tuple[Series, Series]:
    """Return P, and the part of it that belongs to trained parameters.

    Args:
        model: which parameters are trained.
        plain: `sigma_u^2 |x|^2 / d xi`.
        bias: sigma_b^2.
    """
    return plain + bias, ("U" in model.trained) * plain + ("b" in model.trained) * bias


def _series(activation: Activation, variance: float, n: int) -> DualSeries:
    known = hermite_series(activation, variance)
    values = known.coefficients
    if len(values) < n:
        values = coefficients(activation, variance, n)
    rounding = known.rounding * EPS * float(np.sqrt(known.second_moment))
    # what cannot be told from 0 is 0, so that polynomials end where they end
    values = np.where(np.abs(values) > rounding, values, 0.0)
    error = 2.0 * rounding * float(np.abs(values).sum())
    return DualSeries(variance, values**2, known.second_moment, error)


def _slope(activation: Activation, covariance: TruncatedSeries) -> TruncatedSeries:
    """The series of kdot at a covariance."""
    return _series(slope_of(activation), covariance.at_one, len(covariance.coefficients)).of(covariance)


def limit_series(
    model: Model,
    layer: LayerRule,
    dual: Dual[Series],
    slope_of_layer: Slope[Series] | None,
    covariance: Series,
    inputs: tuple[Series, Series],
) -> Series:
    """Return the series of the limit's kernel, or where slopes are given of its tangent kernel, from S."""
    kernel = dual.of(covariance)
    if slope_of_layer is None:
        return kernel
    slope = slope_of_layer(layer.activation, covariance)
    passed = _trained(model, layer, kernel, inputs) * slope * (layer.weight * slope).resolvent()
    return passed + kernel if "a" in model.trained else passed


def layers_series(
    model: Model,
    layers: Sequence[LayerRule],
    duals: Iterable[Dual[Series]],
    slope_of_layer: Slope[Series] | None,
    inputs: tuple[Series, Series],
) -> Series:
    """Return the series of the kernel above the layers, or where slopes are given of the tangent kernel."""
    covariance, passed = inputs
    for layer, dual in zip(layers, duals, strict=True):
        kernel = dual.of(covariance)
        if slope_of_layer is not None:
            slope = layer.weight * slope_of_layer(layer.activation, covariance) + layer.carry
            passed = slope * passed + _trained(model, layer, kernel, inputs)
        covariance = layer.above(covariance, kernel, inputs[0])
    return covariance if slope_of_layer is None else passed


def _trained(model: Model, layer: LayerRule, kernel: Series, inputs: tuple[Series, Series]) -> Series:
    """The parts of what a layer adds that belong to trained parameters; inputs are P and the trained part of it."""
    if model.trains_all:
        return (1.0 if layer.trained else 0.0) * layer.own(kernel, inputs[0])
    if layer.is_kernel:
        return ("a" in model.trained) * kernel
    return layer.inputs * inputs[1] + ("W" in model.trained) * layer.weight * kernel

"""The kernel of a network at one norm as a power series in the cosine of its inputs, in balls.

Derivation: docs/theory/layers.md, "Proven series".
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import cast

from flint import arb, arb_poly

from hermite_dual.activation import Activation
from hermite_dual.certified.balls.precision import bits_for, working_precision
from hermite_dual.certified.enclosures.ball_series import BallDual, BallSeries
from hermite_dual.certified.enclosures.coefficients import MAX_DIGITS, check_digits
from hermite_dual.certified.enclosures.proven_root import proven_root
from hermite_dual.certified.enclosures.second_moment import second_moment_ball
from hermite_dual.certified.growth.monomials import fraction_ball
from hermite_dual.errors import AccuracyError, InvalidInputError
from hermite_dual.population.entries.cosine_coefficients import inputs_series, layers_series, limit_series
from hermite_dual.population.entries.model import Model
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.population.entries.recursion import LayerRule
from hermite_dual.population.entries.variances import layer_variances
from hermite_dual.population.proof.entry_bounds import contracting_lipschitz, unprovable

_GUARDS = (6, 12, 40)
"""Digits that a layer may lose, tried in turn: what is known of its variance is more than is asked of its kernel."""
_DYADIC = 512
"""Bits that hold products of the floats' squares and of `|x|^2/d` exactly, unless their exponents are far apart."""


@dataclass(frozen=True)
class _Accuracy:
    """How accurate a layer's kernel is asked for.

    Attributes:
        digits: at most.
        guard: fewer than the variance has.
    """

    digits: int
    guard: int

    def dual(self, activation: Activation, variance: arb) -> BallDual:
        """Return a dual kernel at a variance."""
        known = math.floor(variance.rel_accuracy_bits() / math.log2(10)) - self.guard
        return BallDual(activation.shape, variance, max(1, min(self.digits, known)))

    def slope(self, activation: Activation, covariance: BallSeries) -> BallSeries:
        """Return the series of kdot."""
        return self.dual(slope_of(activation), covariance.at_one).of(covariance)


@dataclass(frozen=True, eq=False)
class _LayerDual:
    activation: Activation
    accuracy: _Accuracy

    def of(self, covariance: BallSeries) -> BallSeries:
        return self.accuracy.dual(self.activation, covariance.at_one).of(covariance)


def cosine_balls(model: Model, mean_square: float, n: int, tangent: bool, digits: int) -> BallSeries:
    """Enclose the first n coefficients of a kernel in the cosine of two inputs of one norm, and its value at 1.

    Args:
        model: the network, its depth not 0; its scales count as the binary numbers they are.
        mean_square: `|x|^2/d`, a float taken as it is.
        n: at least 1.
        tangent: whether the kernel is the tangent kernel.
        digits: every ball has a radius of at most `10^-digits K(1)`.

    Raises:
        InvalidInputError: an activation is a Python function, digits are out of range, or phi has no derivative that is
            a function.
        AccuracyError: `sigma_w L < 1` is not proven in the limit, or the accuracy is not reached.
        NotIntegrableError: phi is not square-integrable at the variances that arise.
    """
    check_digits(digits)
    reason = unprovable(model)
    if reason is not None:
        raise InvalidInputError(reason)
    depth = len(model.recursion.layers)
    doubt = ""
    for guard in _GUARDS:
        accuracy = _Accuracy(digits + guard * (depth + 1), guard)
        if 2 * accuracy.digits > MAX_DIGITS:
            break
        with working_precision(bits_for(2 * accuracy.digits) + _DYADIC):
            try:
                series = _series(model, mean_square, n, tangent, accuracy)
            except AccuracyError as error:
                doubt = f": {error}"
                continue
            allowed = series.at_one * arb(10) ** -digits
            if all(arb(ball.rad()) <= allowed for ball in (*series.coefficients(), series.at_one)):
                return series
    raise AccuracyError(
        f"{digits} digits of the series of {model.name} with {depth} layers are not reached{doubt}; ask for fewer "
        "digits, coefficients or layers, or leave out digits="
    )


def _series(model: Model, mean_square: float, n: int, tangent: bool, accuracy: _Accuracy) -> BallSeries:
    alpha, bias = arb(model.sigma_u) ** 2 * arb(mean_square), arb(model.sigma_b) ** 2
    plain = BallSeries(arb_poly([arb(0), alpha]).truncate(n), n, alpha)
    inputs = inputs_series(model, plain, bias)
    slope = accuracy.slope if tangent else None
    layers = [_exact(model, layer) for layer in model.recursion.layers]
    if not model.recursion.limit:
        duals = [_LayerDual(layer.activation, accuracy) for layer in layers]
        return layers_series(model, layers, duals, slope, inputs)
    layer, phi = layers[0], model.activation
    weight = arb(layer.weight)
    contraction = weight * arb(contracting_lipschitz(model)) ** 2
    dual = accuracy.dual(phi, _variance(model, weight, inputs[0].at_one, accuracy.digits))
    covariance = dual.solve(accuracy.dual(slope_of(phi), dual.variance), weight, inputs[0], contraction)
    return limit_series(model, layer, dual, slope, covariance, inputs)


def _exact(model: Model, layer: LayerRule) -> LayerRule:
    """Return a layer with balls of its exact factors, which the recursion treats as it does floats."""
    squares = layer.squares or (Fraction(layer.weight), Fraction(layer.bias))
    if model.layers is None and not layer.is_kernel:
        squares = (Fraction(model.sigma_w) ** 2, Fraction(0))
    weight, bias = (cast(float, fraction_ball(square)) for square in squares)
    return replace(layer, weight=weight, bias=bias)


def _variance(model: Model, weight: arb, top: arb, digits: int) -> arb:
    """Enclose the q with `q = sigma_w^2 E[phi(sqrt(q) Z)^2] + P(1)`, the only one by the contraction in sqrt(q)."""
    shape = model.activation.shape

    def excess(q: arb, accuracy: int) -> arb:
        return weight * second_moment_ball(shape, q, accuracy) + top - q

    return proven_root(excess, layer_variances(model.recursion, float(top))[-1], digits)

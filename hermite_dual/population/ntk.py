"""The neural tangent kernel of an infinitely wide network.

Derivation: docs/theory/tangent_kernel.md, "Equilibrium", "What is assumed", "Derivatives of phi",
"Order"; docs/theory/layers.md, "Tangent kernel".
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.cached_property import cached_property
from hermite_dual.float_state import own_float_state
from hermite_dual.numeric.products import upper_product
from hermite_dual.population.entries.homogeneous_layers import all_homogeneous
from hermite_dual.population.entries.identical_rows import identical_rows
from hermite_dual.population.entries.kernel_entries import tangent_entries
from hermite_dual.population.entries.layered_entries import goes_by_layers
from hermite_dual.population.entries.layered_gram import kernel_gram, layer_gram
from hermite_dual.population.entries.model import Model
from hermite_dual.population.entries.narrow_values import narrow_error, narrow_tangent_error
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.population.entries.recursion import LayerRule
from hermite_dual.population.entries.slope_gram import slope_gram
from hermite_dual.population.entries.variances import naming_layer
from hermite_dual.population.entries.zero_rows import check_variances, stays_zero, zero_rows
from hermite_dual.population.gram import Gram, population_gram

if TYPE_CHECKING:
    from hermite_dual.certified.eigenvalues.theory_bounds import TheoryBound
    from hermite_dual.population.proof.entry_bounds import EntryBounds

_EPS = float(np.finfo(np.float64).eps)
_Entries = tuple[Array, Array, float]
"""Theta, the variances `S_ii`, and an estimate of the largest error of an entry."""


@own_float_state
@dataclass(frozen=True, eq=False, repr=False)
class TangentGram(Gram):
    """The tangent kernel `Theta` of the samples, a `Gram` in all respects.

    `variances` and `preactivation` are those of the Gram matrix K that belongs to it. Not made by users: see `DEQ.ntk`.
    """

    tangent: ClassVar[bool] = True

    @cached_property
    def gram(self) -> Gram:
        """The Gram matrix K of the same model, samples and depth, computed when it is first asked for."""
        return population_gram(self.model)

    @property
    def preactivation(self) -> Array:
        """Covariance `S` of the preactivations, shape (n, n), as `Gram` has it."""
        return self.gram.preactivation

    @cached_property
    def entry_bounds(self) -> "EntryBounds":
        """The proof of every entry with its outcome and reason, made when it is first asked for."""
        from hermite_dual.population.proof.tangent_bounds import tangent_entry_bounds

        return tangent_entry_bounds(self.model, self.matrix, self.gram if self.depth is None else None)

    @property
    def _entries(self) -> "EntryBounds":
        return self.entry_bounds

    def lower_bounds(self, degrees: int = 128) -> "tuple[TheoryBound, ...]":
        """Return lower bounds of `lambda_min(Theta)`, certified, from those of K.

        `Theta - K = S o Gamma` and `S - sigma_w^2 K` are positive semidefinite, so by Schur's theorem
        `lambda_min(Theta) >= lambda_min(K) (1 + sigma_w^2 min_i Gamma_ii)`. All parameters count.

        Args:
            degrees: Hermite degrees to use, at most 1024.

        Raises:
            InvalidInputError: the kernel is one of finite depth, or the number of degrees is out of range.
            AccuracyError: the entries have no proven error.
        """
        from hermite_dual.population.proof.tangent_bounds import tangent_lower_bounds

        return tangent_lower_bounds(self, self.gram, degrees)


def population_ntk(model: Model) -> TangentGram:
    """Return the tangent kernel of `depth` layers with shared weights, or of the equilibrium where depth is None.

    `Theta(0) = 0`, `Theta(l) = K(l) + T(l)`, `T(l) = kdot(l) o (S(l) + sigma_w^2 T(l-1))`; in the limit
    `T = S o kdot/(1 - sigma_w^2 kdot)`.

    Args:
        model: with checked samples; the limit needs `sigma_w L < 1`, which the caller has checked.

    Raises:
        InvalidInputError: phi has no derivative that is a function.
    """
    if model.depth == 0:
        slope_of(model.activation)
    else:
        for activation in model.recursion.activations:
            slope_of(activation)
    matrix, variances, error = _entries(model)
    if model.depth != 0:
        error += narrow_tangent_error(model.recursion, model.inputs_variances())
    return TangentGram(matrix, variances, error, model.depth, model)


def _entries(model: Model) -> _Entries:
    samples, depth = model.samples, model.depth
    n, width = samples.shape
    if depth == 0:
        return np.zeros((n, n)), np.zeros(n), 0.0
    if model.sigma_u == 0.0 and n > 1:  # inputs do not enter
        matrix, variances, error = _entries(replace(model, samples=samples[:1]))
        return np.full((n, n), matrix[0, 0]), np.full(n, variances[0]), error
    recursion, diagonal = model.recursion, model.inputs_variances()
    zero = zero_rows(samples, model.sigma_b)
    check_variances(diagonal, zero | (model.sigma_u == 0.0))
    if zero.any() and stays_zero(recursion):  # neither K nor S has anything in these rows
        matrix, variances, error = np.zeros((n, n)), np.zeros(n), 0.0
        others = np.ix_(~zero, ~zero)
        if not zero.all():
            matrix[others], variances[~zero], error = _entries(replace(model, samples=samples[~zero]))
        return matrix, variances, error
    identical = identical_rows(samples, samples)
    entrywise = not zero.all() if all_homogeneous(recursion) else not zero.any()
    if model.trains_all and model.sigma_u != 0.0 and entrywise and not goes_by_layers(recursion, diagonal):
        rounding = model.rounding
        if recursion.limit:
            rounding += recursion.weight * narrow_error(recursion, diagonal) / float(diagonal.min())
        matrix, shift = upper_product(samples, model.sigma_u**2 / width), model.sigma_b**2
        # Their entries are the diagonal's; 0 serves until then, and lies away from the end points of kdot.
        matrix[identical] = -shift
        entries = tangent_entries(recursion, diagonal, rounding)
        entries.apply_symmetric(matrix, shift)
        np.fill_diagonal(matrix, entries.diagonal)
        error, variances = entries.error, entries.variances
    else:
        inner = model.inputs_covariance()
        inner[identical] = 0.0
        make = _limit if recursion.limit else _layers
        matrix, variances, error = make(model, inner)
    matrix[identical] = matrix[identical[0], identical[0]]
    return matrix, variances, error


def _limit(model: Model, inner: Array) -> _Entries:
    """Return `K + P' o kdot/(1 - sigma_w^2 kdot)`, P' the parts of S whose parameters are trained, from matrices."""
    recursion = model.recursion
    weight, phi = recursion.weight, recursion.last
    gram, variances, error = kernel_gram(recursion, inner)
    covariance = recursion.layers[0].own(gram, inner)
    np.fill_diagonal(covariance, variances)
    passed = _passed(phi, weight)
    rounding = model.rounding * float(inner.diagonal().max())
    slope, slope_error = _slopes(phi, covariance, rounding * passed + weight * error)
    room = 1.0 - weight * slope
    matrix = _trained(model, recursion.layers[0], gram, inner) * slope / room
    if "a" in model.trained:
        matrix += gram
    error += slope_error * float(variances.max()) / float(room.min()) ** 2
    return matrix, variances, error + rounding * passed


def _layers(model: Model, inner: Array) -> _Entries:
    """Return the tangent kernel of finitely many layers, layer by layer, from matrices."""
    recursion = model.recursion
    below = added = rounding = model.rounding * float(inner.diagonal().max())
    covariance, tangent = inner, _trained_inputs(model, inner)
    for number, layer in enumerate(recursion.layers, 1):
        variances = covariance.diagonal().copy()
        with naming_layer(number, len(recursion.layers)):
            kernel, kernel_error = layer_gram(layer.activation, covariance)
            slope, slope_error = _slopes(layer.activation, covariance, below)
        largest = float(slope.max())
        growth = layer.weight * largest + layer.carry
        below = layer.weight * kernel_error + growth * below + layer.inputs * rounding
        added = layer.weight * slope_error * float(tangent.max()) + growth * added + below
        slope *= layer.weight  # in place: matrices are large
        if layer.carry:
            slope += layer.carry
        slope *= tangent
        above = layer.own(kernel, inner)
        slope += above if model.trains_all and layer.trained else _trained(model, layer, kernel, inner)
        tangent = slope
        covariance = above + layer.carry * covariance if layer.carry else above
    return tangent, variances, added


def _trained_inputs(model: Model, inner: Array) -> Array:
    """Return the parts of `S(1) = P` that belong to trained parameters."""
    bias = model.sigma_b**2
    total = np.zeros_like(inner)
    if "U" in model.trained:
        total += inner - bias if bias else inner
    if "b" in model.trained and bias:
        total += bias
    return total


def _trained(model: Model, layer: LayerRule, kernel: Array, inner: Array) -> Array:
    """Return the parts of what a layer adds that belong to trained parameters."""
    if model.trains_all:
        return layer.own(kernel, inner) if layer.trained else np.zeros_like(kernel)
    if layer.is_kernel:
        return kernel if "a" in model.trained else np.zeros_like(kernel)
    total = _trained_inputs(model, inner) if layer.inputs else np.zeros_like(kernel)
    return total + layer.weight * kernel if "W" in model.trained else total


def _slopes(activation: Activation, covariance: Array, rounding: float) -> tuple[Array, float]:
    """Return kdot, and 0 in rows without a variance, whose covariances are 0, so that it does not count."""
    alive = covariance.diagonal() > 0.0
    if alive.all():
        return slope_gram(activation, covariance, rounding)
    slopes = np.zeros_like(covariance)
    if not alive.any():
        return slopes, 0.0
    slopes[np.ix_(alive, alive)], error = slope_gram(activation, covariance[np.ix_(alive, alive)], rounding)
    return slopes, error


def _passed(activation: Activation, weight: float) -> float:
    """How much of an error of the inner products arrives in S and K."""
    slope = activation.lipschitz**2
    return 1.0 + slope / max(1.0 - weight * slope, _EPS) if np.isfinite(slope) else 2.0

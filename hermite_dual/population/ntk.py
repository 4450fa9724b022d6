"""The neural tangent kernel of an infinitely wide deep equilibrium model.

Derivation: docs/theory/tangent_kernel.md, "Equilibrium", "What is assumed", "Derivatives of phi",
"Order".
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Mask
from hermite_dual.cached_property import cached_property
from hermite_dual.float_state import own_float_state
from hermite_dual.numeric.gaussian import second_moment
from hermite_dual.numeric.products import upper_product
from hermite_dual.population.entries.identical_rows import identical_rows
from hermite_dual.population.entries.model import Model
from hermite_dual.population.entries.narrow_values import narrow_error, narrow_tangent_error
from hermite_dual.population.entries.one_norm import gram_variances, has_one_map, one_map
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.population.entries.slope_gram import slope_gram
from hermite_dual.population.entries.trained import PARAMETERS
from hermite_dual.population.entries.unequal_norms import unequal_norm_gram
from hermite_dual.population.entries.variances import layer_variances, moment, naming_layer
from hermite_dual.population.entries.zero_rows import check_variances, vanishes_at_zero, zero_rows
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
    slope_of(model.activation)
    matrix, variances, error = _entries(model)
    error += narrow_tangent_error(model.activation, model.inputs_variances(), model.weight, model.depth)
    return TangentGram(matrix, variances, error, model.depth, model)


def _entries(model: Model) -> _Entries:
    activation, samples, depth, weight = model.activation, model.samples, model.depth, model.weight
    n, width = samples.shape
    if depth == 0:
        return np.zeros((n, n)), np.zeros(n), 0.0
    if not model.trains_all:
        matrix, variances, error = _by_layers(model)
        identical = identical_rows(samples, samples)
        matrix[identical] = matrix[identical[0], identical[0]]
        return matrix, variances, error
    if model.sigma_u == 0.0:
        return _constant(model)
    zero = zero_rows(samples, model.sigma_b)
    if zero.any():
        return _with_zero_rows(model, zero)
    diagonal = model.inputs_variances()
    check_variances(diagonal, zero)
    identical = identical_rows(samples, samples)
    rounding = 0.5 * width * _EPS
    rounding += weight * narrow_error(activation, diagonal, weight, depth) / float(diagonal.min())
    if has_one_map(activation, diagonal):
        matrix, shift = upper_product(samples, model.sigma_u**2 / width), model.sigma_b**2
        # Their entries are the diagonal's; 0 serves until then, and lies away from the end points of kdot.
        matrix[identical] = -shift
        entries = one_map(activation, diagonal, weight, depth, rounding, tangent=True)
        entries.apply_symmetric(matrix, shift)
        np.fill_diagonal(matrix, entries.diagonal)
        error = entries.error
    else:
        inner = model.inputs_covariance()
        inner[identical] = 0.0
        matrix, error = _unequal(model, inner, rounding * float(diagonal.max()))
    matrix[identical] = matrix[identical[0], identical[0]]
    return matrix, gram_variances(activation, diagonal, weight, depth), error


def _with_zero_rows(model: Model, zero: Mask) -> _Entries:
    """Return the tangent kernel where some rows are zero without a bias."""
    phi, n = model.activation, len(zero)
    if vanishes_at_zero(phi):  # neither K nor S has anything in these rows
        matrix, variances, error = np.zeros((n, n)), np.zeros(n), 0.0
        if not zero.all():
            matrix[np.ix_(~zero, ~zero)], variances[~zero], error = _entries(
                replace(model, samples=model.samples[~zero])
            )
        return matrix, variances, error
    return _by_layers(model)


def _by_layers(model: Model) -> _Entries:
    """Return the tangent kernel from the Gram matrices of its layers: for zero rows, and for some of the parameters."""
    phi, weight = model.activation, model.weight
    inner = model.inputs_covariance()
    rounding = 0.5 * model.samples.shape[1] * _EPS * float(inner.diagonal().max())
    gram = population_gram(model)
    if model.depth is None:
        covariance = model.covariance(gram.matrix, inner)
        np.fill_diagonal(covariance, gram.variances)
        slope, slope_error = _slopes(phi, covariance, rounding)
        room = 1.0 - weight * slope
        matrix = _counted(model, gram.matrix, covariance, inner) * slope / room
        error = slope_error * float(gram.variances.max()) / float(room.min()) ** 2
    else:
        tangent, error = np.zeros_like(inner), 0.0
        for depth in range(model.depth):
            below = population_gram(replace(model, depth=depth)).matrix
            covariance = model.covariance(below, inner)
            slope, slope_error = _slopes(phi, covariance, rounding)
            tangent = slope * (weight * tangent + _counted(model, below, covariance, inner))
            error = slope_error * float(tangent.max()) + weight * float(slope.max()) * error
        matrix = tangent
    if "a" in model.trained:
        matrix = matrix + gram.matrix
    return matrix, gram.variances, error + gram.estimated_error + rounding * _passed(phi, weight)


def _counted(model: Model, below: Array, covariance: Array, inner: Array) -> Array:
    """Return the parts of S that belong to trained parameters: `sigma_w^2 K`, the inputs' and the bias's."""
    if set(PARAMETERS) <= {*model.trained, "a"}:
        return covariance
    bias = model.sigma_b**2
    parts = {"W": model.weight * below, "U": inner - bias, "b": np.full_like(inner, bias)}
    return np.asarray(sum((parts[name] for name in model.trained if name != "a"), np.zeros_like(inner)))


def _slopes(activation: Activation, covariance: Array, rounding: float) -> tuple[Array, float]:
    """Return kdot, and 0 in rows without a variance, whose covariances are 0, so that it does not count."""
    alive = covariance.diagonal() > 0.0
    slopes = np.zeros_like(covariance)
    if not alive.any():
        return slopes, 0.0
    slopes[np.ix_(alive, alive)], error = slope_gram(activation, covariance[np.ix_(alive, alive)], rounding)
    return slopes, error


def _constant(model: Model) -> _Entries:
    """Return the tangent kernel where inputs do not enter: `sigma_u = 0`."""
    phi, n, weight = model.activation, len(model.samples), model.weight
    variances = layer_variances(phi, weight, model.sigma_b**2, model.depth)
    # Without variance there is no S either: kdot does not count.
    slopes = [second_moment(slope_of(phi), q) if q else 0.0 for q in variances]
    tangent = 0.0
    if model.depth is None:
        tangent = variances[-1] * slopes[-1] / (1.0 - weight * slopes[-1])
    else:
        for q, slope in zip(variances, slopes, strict=True):
            tangent = slope * (q + weight * tangent)
    entry = moment(phi, variances[-1]) + tangent
    return np.full((n, n), entry), np.full(n, variances[-1]), 4.0 * _EPS * entry


def _unequal(model: Model, inner: Array, rounding: float) -> tuple[Array, float]:
    """Return Theta and an estimate of the largest error of an entry."""
    activation, weight, depth = model.activation, model.weight, model.depth
    if depth is None:
        gram, variances, error = unequal_norm_gram(activation, inner, weight, None)
        covariance = model.covariance(gram, inner)
        np.fill_diagonal(covariance, variances)
        slope, slope_error = slope_gram(activation, covariance, rounding)
        room = 1.0 - weight * slope
        error += slope_error * float(variances.max()) / float(room.min()) ** 2
        slope *= covariance
        slope /= room
        slope += gram
        return slope, error + rounding * _passed(activation, weight)
    gram, tangent, error = np.zeros_like(inner), np.zeros_like(inner), 0.0
    for layer in range(1, depth + 1):
        covariance = model.covariance(gram, inner)
        with naming_layer(layer, depth):
            gram, _, layer_error = unequal_norm_gram(activation, covariance, 0.0, 1)
            slope, slope_error = slope_gram(activation, covariance, rounding)
        tangent *= weight
        tangent += covariance
        largest = float(slope.max())
        error = layer_error + slope_error * float(tangent.max()) + weight * largest * error
        tangent *= slope
    tangent += gram
    return tangent, error + rounding * _passed(activation, weight)


def _passed(activation: Activation, weight: float) -> float:
    """How much of an error of the inner products arrives in S and K."""
    slope = activation.lipschitz**2
    return 1.0 + slope / max(1.0 - weight * slope, _EPS) if np.isfinite(slope) else 2.0

"""Proven bounds of the entries of a population Gram matrix, whatever computed it.

Limit: the residual of the fixed-point equation, evaluated with proven errors at the floats given, over the contraction
`1 - sigma_w^2 L^2`. Finite depth: the layers are computed again, each with its error. Counted are the inner products,
the scalings, the variances, the coefficients, the Parseval remainder and the evaluation.

The bound also holds for every `sigma_w^2`, `sigma_u^2`, `sigma_b^2` within `4 u` relatively of the squares of the
floats (u = 2^-53), which includes the papers' `2 s^2` and `2` behind `DEQ.paper`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from flint import arb
from numpy.typing import NDArray

from hermite_dual.certified.constants import derivative_bound
from hermite_dual.certified.entry_error import (
    kernel_perturbation,
    off_diagonal_error,
    preactivation_error,
    root_error,
    variance_error,
)
from hermite_dual.certified.float_cholesky import TINY, UNIT, gamma
from hermite_dual.certified.inner_products import inner_products
from hermite_dual.certified.precision import bits_for, upper_float, working_precision
from hermite_dual.errors import AccuracyError, InvalidInputError, NotIntegrableError
from hermite_dual.outcome import Outcome
from hermite_dual.population.certified_kernel import CertifiedKernel
from hermite_dual.population.gram import Model
from hermite_dual.population.inputs import EQUAL_NORMS

Array = NDArray[np.float64]

PARAMETER_UNITS = 4
"""Units roundoff within which the squares of the scales may lie from the squares of the floats."""
SMALLEST_SQUARE = 1e-280
"""Below it a rounding is not a relative one."""
_UP = 1 + 2.0**-46
_SCALES = 1 + 16 * UNIT


@dataclass(frozen=True, eq=False)
class EntryBounds:
    """What is proven of the distance between float entries and the population Gram matrix.

    Attributes:
        errors: bounds of `|K_float - K|`, shape (n, n), or None where nothing is proven.
        preactivation_errors: bounds of `|S_float - S|`, `S_float = sigma_w^2 K_float + inner products`, with the float
            variances on the diagonal; None for finite depth or where nothing is proven.
        outcome: PROVEN or UNDECIDED.
        reason: how, or what is missing.
        lipschitz: the proven Lipschitz constant, infinite where there is none.
        budget: the largest contribution of each kind to an entry's error.
    """

    errors: Array | None
    preactivation_errors: Array | None
    outcome: Outcome
    reason: str
    lipschitz: float = np.inf
    budget: dict[str, float] = field(default_factory=dict)

    @property
    def largest(self) -> float:
        """The largest bound of an entry; infinite where nothing is proven."""
        return np.inf if self.errors is None else float(self.errors.max())

    def block(self, rows: slice, columns: slice) -> "EntryBounds":
        """What is proven of some rows and columns."""
        errors, outer = (None if e is None else e[rows, columns] for e in (self.errors, self.preactivation_errors))
        return replace(self, errors=errors, preactivation_errors=outer)


def entry_bounds(model: Model, matrix: Array, variances: Array) -> EntryBounds:
    """Bound `|matrix - K|` entrywise.

    Args:
        model: what the Gram matrix belongs to.
        matrix: floats, shape (n, n), symmetric.
        variances: floats close to `S_ii`, shape (n,).

    Returns:
        Proven bounds, or UNDECIDED with the reason.
    """
    obstacle = unprovable(model)
    if obstacle is not None:
        return undecided(obstacle)
    if model.depth == 0:
        return EntryBounds(np.abs(matrix), None, Outcome.PROVEN, "K(0) = 0 by definition", 0.0, {})
    try:
        slope = derivative_bound(model.activation.expr, model.activation.symbol, 1)
        if slope.outcome is not Outcome.PROVEN:
            return undecided(f"no Lipschitz constant of phi is proven: {slope.reason}")
        if model.depth is not None:
            return _layers(model, matrix, slope.upper)
        if not contraction(model.sigma_w, slope.upper) < 1.0:
            return undecided(
                f"sigma_w L < 1 is not proven for sigma_w = {model.sigma_w:g} and L <= {slope.upper:.6g}: the limit "
                "has no bound; ask for finitely many layers"
            )
        return _limit(model, matrix, variances, slope.upper)
    except (AccuracyError, InvalidInputError, NotIntegrableError) as error:
        return undecided(str(error))


def unprovable(model: Model) -> str | None:
    """Why nothing can be proven of a model's entries, or None."""
    if model.activation.expr is None:
        return f"{model.activation.name} is a Python function, of which nothing can be proven: give it as a formula"
    squares = [s**2 for s in (model.sigma_w, model.sigma_u, model.sigma_b) if s]
    if min(squares, default=1.0) < SMALLEST_SQUARE:
        return f"a scale below {SMALLEST_SQUARE**0.5:.0e} underflows when squared: set it to 0"
    return None


def contraction(sigma_w: float, lipschitz: float) -> float:
    """An upper bound of `sigma_w L`, scales within `PARAMETER_UNITS` included."""
    return sigma_w * lipschitz * _SCALES


def undecided(reason: str) -> EntryBounds:
    """Return what is known where nothing is proven."""
    return EntryBounds(None, None, Outcome.UNDECIDED, reason)


@dataclass(frozen=True, eq=False)
class Inputs:
    """The inputs' part `sigma_u^2 x_i.x_j/d + sigma_b^2` of a covariance in floats, and bounds of its error."""

    values: Array
    errors: Array


def inputs_part(model: Model) -> Inputs:
    """Inner products and their scaling, with every rounding, the rows' own error and the parameters' slack."""
    products, error = inner_products(model.samples)
    if model.row_error:
        norms = np.sqrt(np.diagonal(products) + np.diagonal(error)) * (1 + 4 * UNIT)
        error = (error + model.row_error * (2.0 + model.row_error) * np.multiply.outer(norms, norms)) * _UP
    scale, bias = model.sigma_u**2 / model.samples.shape[1], model.sigma_b**2
    values = products * scale + bias
    # scale: two roundings, its product one, bias one, the sum one; the parameters' units besides
    units = gamma(6 + PARAMETER_UNITS)
    error = (scale * error * _SCALES + units * (scale * np.abs(products) + bias) + 4 * TINY) * _UP
    return Inputs(values, error)


def _limit(model: Model, matrix: Array, variances: Array, lipschitz: float) -> EntryBounds:
    """Residuals at the floats given, over the contraction."""
    inner = inputs_part(model)
    weight, roots = model.sigma_w**2, positive_roots(variances)
    covariance = weight * matrix + inner.values
    slack = inner.errors + gamma(4 + PARAMETER_UNITS) * weight * np.abs(matrix)
    rho, slack = correlations(covariance, slack, roots)
    kernel = CertifiedKernel(model.activation, variances, largest_off_diagonal(rho))
    residual = _variance_residual(kernel, variances, model.sigma_w, inner)
    scale = model.sigma_w * _SCALES
    e = np.asarray(root_error(variances, residual, scale, lipschitz))
    found = kernel.evaluate(rho)
    norms = kernel.norms()
    moved = _perturbation(norms, roots, covariance, e, slack, lipschitz)
    distance = np.abs(matrix - found.values) + found.errors
    errors = off_diagonal_error(distance, moved, scale, lipschitz)
    moments = kernel.moment_distance(np.diagonal(matrix).copy())
    np.fill_diagonal(errors, moments + _moment_change(norms, e, lipschitz))
    outer = _preactivation_errors(model, matrix, errors)
    np.fill_diagonal(outer, variance_error(variances, e))
    off = ~np.eye(len(matrix), dtype=bool)
    budget = {
        "inner products and scaling": float(inner.errors.max()),
        "variances": float(np.max(variance_error(variances, e))),
        "kernel evaluation": float(found.errors.max(initial=0.0, where=off)),
        "fixed-point residual": float(distance.max(initial=0.0, where=off)),
    }
    reason = "fixed-point residual over the contraction, in floats with counted roundings and balls"
    return EntryBounds(errors, outer, Outcome.PROVEN, reason, lipschitz, budget)


def _preactivation_errors(model: Model, matrix: Array, errors: Array) -> Array:
    """Error of `sigma_w^2 K + (X X^T) sigma_u^2/d + sigma_b^2` off the diagonal, from one product of floats."""
    slack = gamma(8 + PARAMETER_UNITS) - gamma(6)
    X, su, sb = model.samples, model.sigma_u, model.sigma_b
    found = preactivation_error(matrix, errors * _SCALES, X, model.sigma_w, su, sb)
    size = model.sigma_w**2 * np.abs(matrix) + su**2 / X.shape[1] * np.abs(X @ X.T) + sb**2
    found = (found + slack * size) * _UP
    if model.row_error:
        norms = np.sqrt(np.einsum("ij,ij->i", X, X)) * (1 + gamma(X.shape[1] + 4))
        shift = model.row_error * (2.0 + model.row_error) * su**2 / X.shape[1]
        found += shift * np.multiply.outer(norms, norms) * _UP
    return found


def _variance_residual(kernel: CertifiedKernel, variances: Array, sigma_w: float, inner: Inputs) -> Array:
    """Upper bounds of `|q_i - sigma_w^2 E[phi(sqrt(q_i) Z)^2] - t_i|`, shape (n,)."""
    distinct = np.unique(variances).tolist()
    middle, radius = [], []
    with working_precision(bits_for(40)):
        weight = arb(sigma_w) * arb(sigma_w)
        weight += arb(0, weight * PARAMETER_UNITS * UNIT * 2)
        for q, moment in zip(distinct, kernel.moments, strict=True):
            gap = arb(q) - weight * moment
            middle.append(float(gap.mid()))
            radius.append(upper_float(abs(gap - arb(middle[-1]))))
    gaps, radii = np.array(middle)[kernel.index], np.array(radius)[kernel.index]
    t, dt = np.diagonal(inner.values), np.diagonal(inner.errors)
    return np.asarray((np.abs(gaps - t) + radii + dt) * _UP)


def positive_roots(variances: Array) -> Array:
    """Square roots of the variances, refusing zeros."""
    if not (variances > 0.0).all():
        raise AccuracyError("a variance is zero: remove zero rows, or set sigma_b > 0")
    return np.sqrt(variances)


def correlations(covariance: Array, slack: Array, roots: Array) -> tuple[Array, Array]:
    """Correlations clipped to [-1, 1], and the slack between `rho sqrt(q_i q_j)` and the true covariance.

    Clipping brings the point no farther from the true correlation. Roots, their product and the quotient round four
    times, the sum behind the covariance once.
    """
    rho = np.clip(covariance / np.multiply.outer(roots, roots), -1.0, 1.0)
    return rho, (slack + gamma(8) * np.abs(covariance)) * _UP


def largest_off_diagonal(rho: Array) -> float:
    """The largest modulus off the diagonal."""
    if len(rho) < 2:
        return 0.0
    off = ~np.eye(len(rho), dtype=bool)
    return float(np.abs(rho).max(initial=0.0, where=off))


def _perturbation(norms: Array, roots: Array, covariance: Array, e: Array, slack: Array, lipschitz: float) -> Array:
    """How far the kernel moves between the floats' variances and covariances and the true ones."""
    if not (e < 0.5 * roots).all():
        raise AccuracyError("a variance is known too poorly to bound the entries of its row")
    rows, columns = (slice(None), None), (None, slice(None))
    return kernel_perturbation(
        norms[rows],
        norms[columns],
        roots[rows],
        roots[columns],
        covariance,
        (e[rows], e[columns]),
        slack,
        lipschitz,
    )


def _moment_change(norms: Array, e: Array, lipschitz: float) -> Array:
    """`|E[phi(t Z)^2] - E[phi(t' Z)^2]| <= L e (2 N + L e)`."""
    return np.asarray(lipschitz * e * (2.0 * norms + lipschitz * e) * _UP)


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer in floats, with bounds of what separates it from the layer of the true model.

    Attributes:
        variances: floats close to `S_ii`, shape (n,).
        root_errors: bounds of `|sqrt(q_i) - sqrt(S_ii)|`.
        covariance: floats close to S off the diagonal.
        slack: bounds between `rho sqrt(q_i q_j)` and S off the diagonal.
        rho: float correlations.
        matrix: floats close to `K = k(S)`.
        errors: bounds of their distance.
        evaluation: the largest error of the kernel's evaluation.
    """

    variances: Array
    root_errors: Array
    covariance: Array
    slack: Array
    rho: Array
    matrix: Array
    errors: Array
    evaluation: float


def certified_layers(model: Model, inner: Inputs, lipschitz: float) -> Iterator[Layer]:
    """Compute every layer of a model of finite depth with its error."""
    weight = model.sigma_w**2
    t = np.diagonal(inner.values).copy()
    start = np.full_like(t, t.mean()) if np.ptp(t) <= EQUAL_NORMS * t.max() else t
    q, dq = start, np.abs(start - t) + np.diagonal(inner.errors)
    K, dK = np.zeros_like(inner.values), np.zeros_like(inner.values)
    for _ in range(model.depth or 0):
        roots = positive_roots(q)
        covariance = weight * K + inner.values
        slack = weight * _SCALES * dK + inner.errors + gamma(4 + PARAMETER_UNITS) * weight * np.abs(K)
        rho, slack = correlations(covariance, slack, roots)
        kernel = CertifiedKernel(model.activation, q, largest_off_diagonal(rho))
        # |sqrt(q) - sqrt(q')| <= |q - q'|/sqrt(q)
        e = dq / roots * _UP
        found, norms = kernel.evaluate(rho), kernel.norms()
        moved = _perturbation(norms, roots, covariance, e, slack, lipschitz)
        middle, radius = kernel.rounded_moments()
        K, dK = found.values, (found.errors + moved) * _UP
        change = _moment_change(norms, e, lipschitz)
        np.fill_diagonal(K, middle)
        np.fill_diagonal(dK, (radius + change) * _UP)
        yield Layer(q, e, covariance, slack, rho, K, dK, float(found.errors.max()))
        rounding = gamma(4 + PARAMETER_UNITS) * (weight * middle + start)
        off = weight * _SCALES * (radius + change)
        q, dq = weight * middle + start, (off + np.abs(start - t) + np.diagonal(inner.errors) + rounding) * _UP


def _layers(model: Model, matrix: Array, lipschitz: float) -> EntryBounds:
    """Compute every layer again with its error."""
    inner = inputs_part(model)
    evaluation = 0.0
    for layer in certified_layers(model, inner, lipschitz):
        evaluation, K, dK = max(evaluation, layer.evaluation), layer.matrix, layer.errors
    errors = (np.abs(matrix - K) + dK) * _UP + TINY
    budget = {"inner products and scaling": float(inner.errors.max()), "kernel evaluation": evaluation}
    return EntryBounds(errors, None, Outcome.PROVEN, f"{model.depth} layers with their errors", lipschitz, budget)

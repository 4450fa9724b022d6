"""Proven bounds of the entries of a population Gram matrix, whatever computed it.

Limit: the residual of the fixed-point equation, evaluated with proven errors at the floats given, over the contraction
`1 - sigma_w^2 L^2`. Finite depth: the layers are computed again, each with its error. Counted are the inner products,
the scalings, the variances, the coefficients, the Parseval remainder and the evaluation.

The bound also holds for every `sigma_w^2`, `sigma_u^2`, `sigma_b^2` within `4 u` relatively of the squares of the
floats (u = 2^-53), which includes the papers' `2 s^2` and `2` behind `DEQ.paper`.

Derivation: docs/theory/entries.md, "Entries of a Gram matrix"; docs/theory/eigenvalues.md, "Beyond memory";
docs/theory/layers.md, "Proven entries".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import sympy as sp

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Indices
from hermite_dual.certified.balls.ball_functions import constant_ball
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma
from hermite_dual.certified.counted.entry_error import root_distance
from hermite_dual.certified.eigenvalues.entry_norm import EntryError, RowSums
from hermite_dual.certified.eigenvalues.theory_bounds import largest_off_diagonal
from hermite_dual.certified.suprema.constants import derivative_bound
from hermite_dual.errors import AccuracyError, InvalidInputError, NotIntegrableError
from hermite_dual.exact_numbers import freeze
from hermite_dual.notebook import Shown, Told
from hermite_dual.outcome import Outcome
from hermite_dual.population.entries.inputs import EQUAL_NORMS
from hermite_dual.population.entries.model import Model
from hermite_dual.population.entries.recursion import LayerRule, Recursion
from hermite_dual.population.entries.zero_rows import stays_zero, zero_rows
from hermite_dual.population.proof.certified_kernel import CertifiedKernel, sharply_rounded
from hermite_dual.population.proof.input_rows import PARAMETER_UNITS, SCALES, InputRows, Inputs
from hermite_dual.population.proof.limit_bounds import (
    BlockSums,
    LimitBounds,
    block_of,
    correlations,
    larger_shares,
    largest_correlation,
    moment_change,
    perturbation,
    positive_roots,
    tiles,
)
from hermite_dual.population.proof.local_lipschitz import local_lipschitz

SMALLEST_SQUARE = 1e-280
"""Below it a rounding is not a relative one."""
LIMIT_REASON = "fixed-point residual over the contraction, in floats with counted roundings and balls"
"""What proves entries of the limit."""


@dataclass(frozen=True, eq=False, repr=False)
class EntryBounds(Shown):
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

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        freeze(self.errors, self.preactivation_errors)

    def _told(self) -> Told:
        return [("largest", self.largest), *super()._told()]

    @property
    def largest(self) -> float:
        """The largest bound of an entry; infinite where nothing is proven."""
        return np.inf if self.errors is None else float(self.errors.max())

    @property
    def error(self) -> EntryError | None:
        """What a bound of eigenvalues takes."""
        return self.errors

    def block(self, rows: slice, columns: slice) -> "EntryBounds":
        """What is proven of some rows and columns."""
        errors, outer = (None if e is None else e[rows, columns] for e in (self.errors, self.preactivation_errors))
        return replace(self, errors=errors, preactivation_errors=outer)


@dataclass(frozen=True, eq=False, repr=False)
class EntrySums(Shown):
    """What is proven of a large Gram matrix in the limit where an array of bounds would double its memory.

    Attributes:
        error: bounds of the row sums of `|K_float - K|`, or None where nothing is proven.
        largest: the largest bound of an entry; infinite where nothing is proven.
        outcome: PROVEN or UNDECIDED.
        reason: how, or what is missing.
        budget: the largest contribution of each kind to an entry's error.
    """

    error: RowSums | None
    largest: float
    outcome: Outcome
    reason: str
    budget: dict[str, float] = field(default_factory=dict)


def entry_bounds(model: Model, matrix: Array, variances: Array) -> EntryBounds:
    """Bound `|matrix - K|` entrywise.

    Args:
        model: what the Gram matrix belongs to.
        matrix: floats, shape (n, n), symmetric.
        variances: floats close to `S_ii`, shape (n,).

    Returns:
        Proven bounds, or UNDECIDED with the reason.
    """

    def prove() -> EntryBounds:
        others = bounds_with_zero_rows(entry_bounds, model, matrix, variances)
        if others is not None:
            return others
        if model.depth is not None:
            return _layers(model, matrix)
        return _limit(model, matrix, variances, contracting_lipschitz(model))

    return proven_or_undecided("K", model, matrix, prove)


def proven_or_undecided(name: str, model: Model, matrix: Array, prove: Callable[[], EntryBounds]) -> EntryBounds:
    """Return what `prove` proves of a kernel's entries, or UNDECIDED with what stands against it.

    Args:
        name: the kernel's, which is 0 at depth 0.
        model: what the matrix belongs to.
        matrix: floats, shape (n, n).
        prove: called where the depth is not 0 and nothing is known to stand against it.
    """
    obstacle = unprovable(model)
    if obstacle is not None:
        return undecided(obstacle)
    if model.depth == 0:
        return EntryBounds(np.abs(matrix), None, Outcome.PROVEN, f"{name}(0) = 0 by definition", 0.0, {})
    try:
        return prove()
    except (AccuracyError, InvalidInputError, NotIntegrableError) as error:
        return undecided(str(error))


def bounds_with_zero_rows(
    bound: Callable[[Model, Array, Array], EntryBounds], model: Model, matrix: Array, variances: Array
) -> EntryBounds | None:
    """Bound entries where some rows are zero without a bias and `phi(0) = 0`, which makes theirs 0; None where none is.

    Args:
        bound: what bounds the entries of the other rows, from their model, matrix and variances.
        model: what the matrix belongs to.
        matrix: floats, shape (n, n), symmetric.
        variances: floats close to `S_ii`, shape (n,).

    Raises:
        AccuracyError: the limit is not proven to be unique.
    """
    zero = zero_rows(model.samples, model.sigma_b)
    if not zero.any() or not stays_zero(model.recursion):
        return None
    others = np.ix_(~zero, ~zero)
    errors, outer = np.abs(matrix), np.zeros_like(matrix)
    if zero.all():
        if model.depth is None:
            contracting_lipschitz(model)  # 0 is the limit where it is the only solution
        return EntryBounds(errors, outer, Outcome.PROVEN, "phi(0) = 0 and all rows are zero", 0.0, {})
    bounds = bound(replace(model, samples=model.samples[~zero]), matrix[others], variances[~zero])
    if bounds.errors is None:
        return bounds
    errors[others] = bounds.errors
    if bounds.preactivation_errors is not None:
        outer[others] = bounds.preactivation_errors
    return replace(bounds, errors=errors, preactivation_errors=None if bounds.preactivation_errors is None else outer)


def entry_sums(model: Model, matrix: Array, variances: Array) -> EntrySums:
    """Bound the row sums of `|matrix - K|` in the limit, an array of (`TILE`, `TILE`) bounds at a time.

    Args:
        model: what the Gram matrix belongs to, without depth.
        matrix: floats, shape (n, n), symmetric.
        variances: floats close to `S_ii`, shape (n,).

    Returns:
        Proven bounds, or UNDECIDED with the reason.
    """
    try:
        if obstacle := unprovable(model):
            raise AccuracyError(obstacle)
        bounds = limit_bounds(model, matrix, variances, contracting_lipschitz(model))
        total = ErrorTotal(len(matrix), bounds.budget())
        for rows, columns in tiles(len(matrix)):
            total.add(rows, columns, bounds.block_sums(block_of(model.samples, matrix, rows, columns)))
        return total.result()
    except (AccuracyError, InvalidInputError, NotIntegrableError) as error:
        return EntrySums(None, np.inf, Outcome.UNDECIDED, str(error))


def proven_lipschitz(activation: Activation) -> float:
    """A proven bound of the Lipschitz constant of phi."""
    slope = derivative_bound(activation.shape, 1)
    if slope.outcome is not Outcome.PROVEN:
        raise AccuracyError(f"no Lipschitz constant of phi is proven: {slope.reason}")
    return slope.upper


def finite_lipschitz(activation: Activation) -> float | None:
    """The same where there is one; finitely many layers do without."""
    slope = derivative_bound(activation.shape, 1)
    return slope.upper if slope.outcome is Outcome.PROVEN else None


def contracting_lipschitz(model: Model) -> float:
    """The same where `sigma_w L < 1` is proven with it."""
    lipschitz = proven_lipschitz(model.activation)
    if not contraction(model.sigma_w, lipschitz) < 1.0:
        raise AccuracyError(
            f"sigma_w L < 1 is not proven for sigma_w = {model.sigma_w:g} and L <= {lipschitz:.6g}: the limit "
            "has no bound; ask for finitely many layers"
        )
    return lipschitz


def unprovable(model: Model) -> str | None:
    """Why nothing can be proven of a model's entries, or None."""
    layers = () if model.depth == 0 else model.recursion.layers
    for activation in (model.activation, *(layer.activation for layer in layers)):
        if activation.expr is None:
            return f"{activation.name} is a Python function, of which nothing can be proven: give it as a formula"
    squares = [s**2 for s in (model.sigma_w, model.sigma_u, model.sigma_b) if s]
    squares += [factor for layer in layers for factor in (layer.weight, layer.bias, layer.carry) if factor]
    if min(squares, default=1.0) < SMALLEST_SQUARE:
        return f"a scale below {SMALLEST_SQUARE**0.5:.0e} underflows when squared: set it to 0"
    return None


def contraction(sigma_w: float, lipschitz: float) -> float:
    """An upper bound of `sigma_w L`, scales within `PARAMETER_UNITS` included."""
    return sigma_w * lipschitz * SCALES


def undecided(reason: str) -> EntryBounds:
    """Return what is known where nothing is proven."""
    return EntryBounds(None, None, Outcome.UNDECIDED, reason)


def _limit(model: Model, matrix: Array, variances: Array, lipschitz: float) -> EntryBounds:
    """Residuals at the floats given, over the contraction, block by block."""
    bounds = limit_bounds(model, matrix, variances, lipschitz)
    errors, outer = np.empty_like(matrix), np.empty_like(matrix)
    budget = bounds.budget()
    for rows, columns in tiles(len(matrix)):
        block = block_of(model.samples, matrix, rows, columns)
        block_errors, shares = bounds.errors_of(block)
        budget = larger_shares(budget, shares)
        errors[rows, columns] = block_errors
        outer[rows, columns] = bounds.preactivation_errors_of(block, block_errors)
        if not block.on_diagonal:
            errors[columns, rows] = block_errors.T
            outer[columns, rows] = outer[rows, columns].T
    return EntryBounds(errors, outer, Outcome.PROVEN, LIMIT_REASON, lipschitz, budget)


def limit_bounds(model: Model, matrix: Array, variances: Array, lipschitz: float) -> LimitBounds:
    """What all blocks of a Gram matrix in memory share."""
    inputs = InputRows.of(model.samples, model.sigma_u, model.sigma_b, model.row_error)
    largest = 0.0
    for rows, columns in tiles(len(matrix)):
        block = block_of(model.samples, matrix, rows, columns)
        scales = (model.sigma_w, model.sigma_u, model.sigma_b)
        largest = max(largest, largest_correlation(block, scales, variances))
    diagonal = np.diagonal(matrix).astype(np.float64)
    return LimitBounds(model.activation, model.sigma_w, lipschitz, inputs, diagonal, variances, largest)


class ErrorTotal:
    """Row sums and largest error, over blocks of a matrix whose every pair of rows comes once."""

    def __init__(self, count: int, budget: dict[str, float], reason: str = LIMIT_REASON) -> None:
        self._sums = np.zeros(count)
        self._largest = 0.0
        self._budget = budget
        self._reason = reason
        self._blocks = 0

    def add(self, rows: slice, columns: slice, sums: BlockSums) -> None:
        """Take one more block into account, off the diagonal for its transpose as well."""
        self._sums[rows] += sums.rows
        if rows != columns:
            self._sums[columns] += sums.columns
        self._largest = max(self._largest, sums.largest)
        self._budget = larger_shares(self._budget, sums.budget)
        self._blocks += 1

    def result(self) -> EntrySums:
        """What all blocks prove."""
        # at most one rounding for each block in a row
        sums = RowSums(self._sums * (1 + gamma(self._blocks + 2)))
        return EntrySums(sums, self._largest, Outcome.PROVEN, self._reason, self._budget)


def inputs_part(model: Model) -> Inputs:
    """Inner products and their scaling, shape (n, n); at equal norms with one number on the diagonal."""
    inputs = InputRows.of(model.samples, model.sigma_u, model.sigma_b, model.row_error)
    everything, diagonal = slice(None), inputs.diagonal()
    products = inputs.between(model.samples, model.samples, everything, everything)
    np.fill_diagonal(products.values, diagonal.values)
    np.fill_diagonal(products.errors, diagonal.errors)
    zero = diagonal.values == 0.0  # exactly so, without a bias
    products.errors[zero] = products.errors[:, zero] = 0.0
    t = diagonal.values
    if np.ptp(t) <= EQUAL_NORMS * t.max():  # one variance for all has one series
        np.fill_diagonal(products.values, t.mean())
        np.fill_diagonal(products.errors, (np.abs(t.mean() - t) + diagonal.errors) * UP)
    return products


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
        lipschitz: L, or what takes its place at these variances.
        above: floats close to the covariance above the layer, shape (n, n).
        above_errors: bounds of their distance.
    """

    variances: Array
    root_errors: Array
    covariance: Array
    slack: Array
    rho: Array
    matrix: Array
    errors: Array
    evaluation: float
    lipschitz: float
    above: Array = field(default_factory=lambda: np.zeros((0, 0)))
    above_errors: Array = field(default_factory=lambda: np.zeros((0, 0)))


def certified_layers(recursion: Recursion, inner: Inputs) -> Iterator[Layer]:
    """Compute every layer with its error, with a Lipschitz constant or without.

    At most one row may be zero without a bias.

    Args:
        recursion: finitely many layers.
        inner: what `inputs_part` returns.
    """
    S, dS = inner.values, inner.errors
    for rule in recursion.layers:
        q, dq = np.diagonal(S).copy(), np.diagonal(dS).copy()
        if (dq[q <= 0.0] > 0.0).any():
            raise AccuracyError("a variance is too small to be told from 0: scale X, or sigma_u")
        make = _layer if (q > 0.0).all() else _layer_with_a_zero
        layer = make(rule.activation, q, dq, S.copy(), dS, finite_lipschitz(rule.activation))
        added, error = own_part(rule, layer.matrix, layer.errors, inner)
        # the carried part, its rounding and that of the sum
        error = (error + rule.carry * dS + gamma(4) * (rule.carry * np.abs(S) + np.abs(added))) * UP
        above = rule.above(S, layer.matrix, inner.values)
        S, dS = (layer.matrix, layer.errors) if rule.is_kernel else (above, error)
        yield replace(layer, above=S, above_errors=dS)


def own_part(rule: LayerRule, K: Array, dK: Array, inner: Inputs) -> tuple[Array, Array]:
    """Return `weight K + bias + inputs P` and bounds of its error, that of the scales included."""
    added = rule.own(K, inner.values)
    size = rule.weight * np.abs(K) + rule.bias + rule.inputs * np.abs(inner.values)
    return added, (rule.weight * SCALES * dK + rule.inputs * inner.errors + gamma(factor_units(rule)) * size) * UP


def factor_units(rule: LayerRule) -> int:
    """Roundings of a product with a layer's weight, the slack of the scales and two sums included.

    A weight is the square of a float, meant within `PARAMETER_UNITS`; in a residual layer the product of two.
    """
    return 8 + 2 * PARAMETER_UNITS if rule.carry else 4 + PARAMETER_UNITS


def _layer(
    activation: Activation, q: Array, dq: Array, covariance: Array, slack: Array, lipschitz: float | None
) -> Layer:
    """Compute one layer at positive variances q, known to dq, from covariances known to a slack."""
    roots = positive_roots(q)
    rho, slack = correlations(covariance, slack, roots, roots)
    kernel = CertifiedKernel(activation, q, largest_off_diagonal(np.abs(rho)))
    e = root_distance(q, dq)
    if not (e < 0.5 * roots).all():
        raise AccuracyError("a variance is known too poorly to bound the entries of its row")
    slope = local_lipschitz(activation, roots, e) if lipschitz is None else lipschitz
    # what takes the place of L holds at these variances, not between those of two rows
    series, norms = kernel.evaluate(rho, lipschitz=np.inf if lipschitz is None else lipschitz), kernel.norms()
    moved = perturbation(norms, roots, e, slope, covariance, slack, (slice(None), slice(None)))
    middle, radius = kernel.rounded_moments()
    K, dK = series.values, (series.errors + moved) * UP
    np.fill_diagonal(K, middle)
    np.fill_diagonal(dK, (radius + moment_change(norms, e, slope)) * UP)
    return Layer(q, e, covariance, slack, rho, K, dK, float(series.errors.max(initial=0.0)), slope)


def _layer_with_a_zero(
    activation: Activation, q: Array, dq: Array, covariance: Array, slack: Array, lipschitz: float | None
) -> Layer:
    """Compute the first layer where one variance is exactly 0: `K_00 = phi(0)^2`, `K_0j = phi(0) E[phi(v_j)]`.

    The mean of `phi(v_j)` moves by at most L times the error of the standard deviation, as `E|Z| <= 1`.
    """
    zero = int(np.flatnonzero(q <= 0.0)[0])
    others = np.flatnonzero(q > 0.0)
    positive = np.ix_(others, others)
    exact = activation.shape.value(sp.S.Zero)
    if exact is None:
        raise InvalidInputError(f"{activation!r} has no value at 0, which a row of zeros asks for; set sigma_b > 0")
    at_zero = constant_ball(exact)
    (corner,), (corner_error,) = sharply_rounded([at_zero * at_zero])
    matrix, errors = np.zeros_like(covariance), np.zeros_like(covariance)
    rho, root_errors = np.zeros_like(covariance), np.zeros_like(q)
    evaluation, slope = 0.0, lipschitz or 0.0
    if others.size:
        layer = _layer(activation, q[others], dq[others], covariance[positive], slack[positive], lipschitz)
        matrix[positive], errors[positive], rho[positive], root_errors[others] = (
            layer.matrix,
            layer.errors,
            layer.rho,
            layer.root_errors,
        )
        evaluation, slope = layer.evaluation, layer.lipschitz
        slack = slack.copy()
        slack[positive] = layer.slack
        (factor,), (factor_error,) = sharply_rounded([at_zero])
        middle, radius = CertifiedKernel(activation, q[others], 0.0).means()
        radius = radius + slope * layer.root_errors
        column = factor * middle
        off = (abs(factor) + factor_error) * radius + factor_error * np.abs(middle) + UNIT * np.abs(column)
        matrix[zero, others] = matrix[others, zero] = column
        errors[zero, others] = errors[others, zero] = off * UP + TINY
    matrix[zero, zero], errors[zero, zero] = corner, corner_error
    return Layer(q, root_errors, covariance, slack, rho, matrix, errors, evaluation, slope)


def with_one_zero_row(model: Model) -> tuple[Model, Indices]:
    """Return the model with the first alone of its rows that are zero without a bias, and where each row is in it."""
    zero = (model.inputs_variances() == 0.0) & (model.sigma_b == 0.0)
    kept = ~zero
    kept[np.flatnonzero(zero)[:1]] = True
    place = np.cumsum(kept) - 1
    place[zero] = place[np.flatnonzero(zero)[:1]] if zero.any() else 0
    return (model if kept.all() else replace(model, samples=model.samples[kept])), place


def _layers(model: Model, matrix: Array) -> EntryBounds:
    """Compute every layer again with its error."""
    model, place = with_one_zero_row(model)
    inner = inputs_part(model)
    evaluation, K, dK = 0.0, inner.values, inner.errors
    for layer in certified_layers(model.recursion, inner):
        evaluation, K, dK = max(evaluation, layer.evaluation), layer.above, layer.above_errors
        slope = layer.lipschitz
    every = np.ix_(place, place)
    errors = (np.abs(matrix - K[every]) + dK[every]) * UP + TINY
    budget = {"inner products and scaling": float(inner.errors.max()), "kernel evaluation": evaluation}
    return EntryBounds(errors, None, Outcome.PROVEN, f"{model.depth} layers with their errors", slope, budget)

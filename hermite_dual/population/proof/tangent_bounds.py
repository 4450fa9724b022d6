"""Proven bounds of the entries of a tangent kernel and of its least eigenvalue, whatever computed it.

Limit: `Theta = K + S o kdot/(1 - sigma_w^2 kdot)` from a Gram matrix with proven entries and kdot evaluated with proven
errors. Finite depth: the layers are computed again, each with its error.

Derivation: docs/theory/tangent_kernel.md, "Order", "Proven entries"; docs/theory/layers.md, "Proven entries".
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma
from hermite_dual.certified.counted.entry_error import ntk_error, root_distance
from hermite_dual.certified.eigenvalues.theory_bounds import TheoryBound
from hermite_dual.certified.suprema.slope_regularity import SlopeRegularity, slope_regularity
from hermite_dual.errors import AccuracyError
from hermite_dual.outcome import Outcome
from hermite_dual.population.entries.identical_rows import identical_rows
from hermite_dual.population.entries.model import Model
from hermite_dual.population.entries.zero_rows import zero_rows
from hermite_dual.population.proof.certified_slope import certified_slope
from hermite_dual.population.proof.entry_bounds import (
    EntryBounds,
    bounds_with_zero_rows,
    certified_layers,
    factor_units,
    inputs_part,
    own_part,
    proven_or_undecided,
    undecided,
    with_one_zero_row,
)
from hermite_dual.population.proof.gram_eigenvalues import gram_lower_bounds
from hermite_dual.population.proof.input_rows import PARAMETER_UNITS, SCALES
from hermite_dual.population.proof.limit_bounds import correlations, positive_roots

if TYPE_CHECKING:
    from hermite_dual.population.gram import Gram


_LEAST_ROOM = 1e-12
"""Smallest `1 - sigma_w^2 L^2` at which the slack of sigma_w counts to first order alone."""


def tangent_entry_bounds(model: Model, matrix: Array, gram: "Gram | None") -> EntryBounds:
    """Bound `|matrix - Theta|` entrywise.

    Args:
        model: what the tangent kernel belongs to.
        matrix: floats, shape (n, n), symmetric.
        gram: the Gram matrix K of the same model, for the limit.

    Returns:
        Proven bounds, or UNDECIDED with the reason.
    """
    if not model.trains_all:
        return undecided(f"of a tangent kernel of {', '.join(model.trained)} alone nothing is proven")

    def of_others(model: Model, matrix: Array, _: Array) -> EntryBounds:
        return tangent_entry_bounds(model, matrix, None if gram is None else _without_zero_rows(gram))

    def prove() -> EntryBounds:
        others = bounds_with_zero_rows(of_others, model, matrix, np.ones(len(matrix)))
        if others is not None:
            return others
        regularity = slope_regularity(model.activation.shape)
        bounds = _layers(model, matrix) if gram is None else _limit(model, matrix, gram, regularity)
        return _with_identical_rows(bounds, model, matrix)

    return proven_or_undecided("Theta", model, matrix, prove)


def _with_identical_rows(bounds: EntryBounds, model: Model, matrix: Array) -> EntryBounds:
    """Bound entries of identical rows by those of the diagonal, which theirs are in truth."""
    if bounds.errors is None or model.row_error:
        return bounds
    rows, columns = identical_rows(model.samples, model.samples)
    same = (np.abs(matrix[rows, columns] - matrix[rows, rows]) + bounds.errors[rows, rows]) * UP
    errors = bounds.errors.copy()
    errors[rows, columns] = np.minimum(errors[rows, columns], same)
    return replace(bounds, errors=errors)


def _without_zero_rows(gram: "Gram") -> "Gram":
    model = gram.model
    others = ~zero_rows(model.samples, model.sigma_b)
    return replace(
        gram,
        matrix=gram.matrix[np.ix_(others, others)],
        variances=gram.variances[others],
        model=replace(model, samples=model.samples[others]),
    )


def _limit(model: Model, matrix: Array, gram: "Gram", regularity: SlopeRegularity) -> EntryBounds:
    entries = gram.entry_bounds
    if entries.errors is None or entries.preactivation_errors is None:
        return undecided(entries.reason)
    K, S, dS = gram.matrix, gram.preactivation, entries.preactivation_errors
    kdot, error = _slope(model, regularity, gram.variances, S, dS)
    w2 = model.sigma_w**2
    room = 1 - w2 * regularity.lipschitz**2
    if not room > _LEAST_ROOM:
        return undecided(f"1 - sigma_w^2 L^2 = {room:.1e} is too close to 0: reduce sigma_w")
    change = kdot / (1 - w2 * kdot)
    theta = K + S * change
    bound = ntk_error(K, S, kdot, (entries.errors, dS, error), model.sigma_w, regularity.lipschitz)
    # sigma_w^2 within PARAMETER_UNITS of the float's square, twice that for the second order and the roundings
    bound = bound + gamma(2 * PARAMETER_UNITS + 4) * np.abs(S * change) * w2 * np.abs(kdot) / room
    errors = (np.abs(matrix - theta) + bound) * UP + TINY
    budget = {
        "Gram matrix": float(entries.errors.max()),
        "preactivations": float(dS.max()),
        "dual of the derivative": float(error.max()),
        "evaluation": float(np.abs(matrix - theta).max()),
    }
    reason = "Gram matrix with proven entries, dual of the derivative in floats with counted roundings and balls"
    return EntryBounds(errors, dS, Outcome.PROVEN, reason, regularity.lipschitz, budget)


def _slope(model: Model, regularity: SlopeRegularity, q: Array, S: Array, dS: Array) -> tuple[Array, Array]:
    """Return kdot and its errors from a preactivation covariance with the float variances on its diagonal."""
    roots = positive_roots(q)
    rho, slack = correlations(S, dS, roots, roots)
    return certified_slope(model.activation, regularity, q, root_distance(q, np.diagonal(dS)), rho, slack)


def _layers(model: Model, matrix: Array) -> EntryBounds:
    """Compute every layer of S and of its tangent kernel T again with its error."""
    model, place = with_one_zero_row(model)
    inner, recursion = inputs_part(model), model.recursion
    T, dT, worst = inner.values, inner.errors, 0.0
    for rule, layer in zip(recursion.layers, certified_layers(recursion, inner), strict=True):
        regularity = slope_regularity(rule.activation.shape)
        q, e = layer.variances, layer.root_errors
        kdot, error = np.zeros_like(T), np.zeros_like(T)
        alive = np.ix_(q > 0.0, q > 0.0)  # where S and T are 0, kdot does not count
        kdot[alive], error[alive] = certified_slope(
            rule.activation, regularity, q[q > 0.0], e[q > 0.0], layer.rho[alive], layer.slack[alive]
        )
        added, added_error = own_part(rule, layer.matrix, layer.errors, inner)
        passed = rule.weight * (np.abs(kdot) * dT + error * (np.abs(T) + dT))
        size = (rule.weight * np.abs(kdot) + rule.carry) * np.abs(T)
        if rule.trained:
            passed, size = passed + added_error, size + np.abs(added)
        units = gamma(2 + factor_units(rule))  # two products more
        dT = (passed * SCALES + rule.carry * dT * SCALES + units * size) * UP + TINY
        T = rule.tangent_above(T, kdot, layer.matrix, inner.values)
        worst = max(worst, float(error.max()))
    every = np.ix_(place, place)
    errors = (np.abs(matrix - T[every]) + dT[every]) * UP + TINY
    budget = {"inner products and scaling": float(inner.errors.max()), "dual of the derivative": worst}
    reason = f"{model.depth} layers with their errors"
    return EntryBounds(errors, None, Outcome.PROVEN, reason, regularity.lipschitz, budget)


def tangent_lower_bounds(tangent: "Gram", gram: "Gram", degrees: int) -> tuple[TheoryBound, ...]:
    """The theory's bounds of `lambda_min(K)` times `1 + sigma_w^2 min_i Gamma_ii = 1/(1 - sigma_w^2 min_i kdot_ii)`.

    `Theta = K + S o Gamma`. `Gamma = sum_p sigma_w^(2p) kdot^(o p+1)` and `S - sigma_w^2 K` are positive semidefinite,
    hence `Theta - K - sigma_w^2 K o Gamma` is, and `lambda_min(K o Gamma) >= lambda_min(K) min_i Gamma_ii` (Schur).
    """
    model = tangent.model
    bounds = gram_lower_bounds(gram, degrees)
    regularity = slope_regularity(model.activation.shape)
    dS = gram.entry_bounds.preactivation_errors
    if dS is None:
        raise AccuracyError(f"the theory's bounds need proven entries: {gram.entry_bounds.reason}")
    q = np.unique(gram.variances)
    kdot, error = _slope(model, regularity, q, np.diag(q), np.full((len(q), len(q)), np.diagonal(dS).max()))
    least = max(float((np.diagonal(kdot) - np.diagonal(error)).min()), 0.0) * (1 - 8 * UNIT)
    factor = 1 / (1 - model.sigma_w**2 * (1 - 4 * PARAMETER_UNITS * UNIT) * least) * (1 - 8 * UNIT)
    upper = tangent.least_eigenvalue().upper
    scaled = []
    for bound in bounds:
        value = max(bound.value, 0.0) * factor * (1 - 2 * UNIT)
        scaled.append(replace(bound, value=value, tightness=value / upper if upper > 0.0 else math.nan))
    return tuple(scaled)

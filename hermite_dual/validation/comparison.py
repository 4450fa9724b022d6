"""Closed form, numeric Gram matrix, given matrix and networks, each held against each."""

from dataclasses import dataclass

import numpy as np

from hermite_dual.arrays import Array, Indices
from hermite_dual.validation.closed_form import closed_form_entries
from hermite_dual.validation.findings import Comparison
from hermite_dual.validation.regression import Extrapolation, critical_value
from hermite_dual.validation.testing import NETWORK_SHARE, numerical_slack
from hermite_dual.validation.wide_model import WideModel

Pairs = tuple[Indices, Indices]

CLOSED_FORM, NUMERIC, GIVEN, NETWORKS = "closed form", "model.gram(X)", "given", "networks"
# Entries at which the closed form is evaluated, spread over the sorted entries of the Gram matrix.
_SAMPLED = 12


@dataclass(frozen=True, eq=False)
class _Source:
    name: str
    pairs: Pairs
    values: Array
    # What a difference may amount to without being one; 0 for a population.
    allowed: Array


def compare(
    model: WideModel, X: Array, K: Array, given: Array | None, fit: Extrapolation, error_probability: float
) -> tuple[Comparison, ...]:
    """Compare every two of the sources that there are.

    Args:
        model: the model of infinite width.
        X: samples, shape (n, d).
        K: `model.gram(X).matrix`, shape (n, n).
        given: the matrix given by the user, shape (n, n), or None.
        fit: the upper triangle of the networks, extrapolated to infinite width, minus the matrix under test.
        error_probability: of a disagreement with the networks, over all entries, where there is none.

    Returns:
        A record for each pair, the closed form first.
    """
    upper = np.triu_indices(len(X))
    tested = K if given is None else given
    critical = critical_value(error_probability * NETWORK_SHARE, len(upper[0]), fit.degrees)
    exact = np.zeros(len(upper[0]))
    sources = [_Source(NUMERIC, upper, K[upper], exact)]
    if given is not None:
        sources.append(_Source(GIVEN, upper, given[upper], exact))
    sources.append(_Source(NETWORKS, upper, fit.intercept + tested[upper], critical * fit.standard_error))
    sampled = _sample(K, fit)
    values, reason = closed_form_entries(model, X, [(int(i), int(j)) for i, j in zip(*sampled, strict=True)], K)
    missing = [Comparison(CLOSED_FORM, other.name, 0, 0.0, None, 0.0, None, reason) for other in sources]
    if len(values):
        sources.insert(0, _Source(CLOSED_FORM, sampled, values, np.zeros(len(values))))
        missing = []
    slack = numerical_slack(K)
    pairs = [(a, b) for k, a in enumerate(sources) for b in sources[k + 1 :]]
    return (*missing, *(_compare(a, b, slack, len(X)) for a, b in pairs))


def _sample(K: Array, fit: Extrapolation) -> Pairs:
    """Choose entries from the least to the largest, a diagonal one, and the one farthest from the networks."""
    rows, columns = np.triu_indices(len(K))
    order = np.argsort(K[rows, columns], kind="stable")
    spread = order[np.linspace(0, len(order) - 1, min(_SAMPLED, len(order))).astype(int)]
    t = np.abs(fit.intercept) / np.where(fit.standard_error > 0.0, fit.standard_error, np.inf)
    chosen = np.unique(np.concatenate([[0], spread, [int(np.argmax(t))]]))
    return rows[chosen], columns[chosen]


def _compare(first: _Source, second: _Source, slack: float, n: int) -> Comparison:
    rows, columns = first.pairs
    # The closed form alone has fewer entries than all, and it comes first.
    at = slice(None) if len(rows) == len(second.values) else rows * n - rows * (rows - 1) // 2 + columns - rows
    difference = first.values - second.values[at]
    allowed = first.allowed + second.allowed[at] + slack
    worst = int(np.argmax(np.abs(difference) / allowed)) if slack > 0.0 else int(np.argmax(np.abs(difference)))
    return Comparison(
        first=first.name,
        second=second.name,
        entries=len(rows),
        difference=float(difference[worst]),
        at=(int(rows[worst]), int(columns[worst])),
        allowed=float(allowed[worst]),
        agree=bool(np.all(np.abs(difference) <= allowed)),
    )

"""A claimed lower bound of `lambda_*` for samples as they lie in a file: the answer and its certificate.

Derivation: docs/theory/certificates.md, "Certificates of claims".
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import UNIT
from hermite_dual.certified.counted.inner_products import squared_norms
from hermite_dual.certified.second_proof.certificate import STATEMENTS, make_certificate
from hermite_dual.certified.second_proof.rebuild import SCALED_ROWS, parameters_of, rebuild
from hermite_dual.deq import DEQ
from hermite_dual.errors import AccuracyError, InvalidInputError
from hermite_dual.mlp import MLP
from hermite_dual.notebook import Shown
from hermite_dual.outcome import Outcome
from hermite_dual.population.entries.inputs import on_sphere
from hermite_dual.population.proof.entry_bounds import EntryBounds, entry_bounds
from hermite_dual.population.proof.gram_eigenvalues import gram_check_lower_bound, gram_least_eigenvalue

_ESTIMATES, _ROUNDING = 16.0, 1e-13
"""Times the estimated error, and relative to the diagonal, by which the float64 layer may differ from a proof."""
_EXACT_SQUARE = 2.0
"""sigma_u^2 of the papers, which the float sigma_u = sqrt(2) meets within the units that the entry bounds allow."""


@dataclass(frozen=True, eq=False, repr=False)
class ClaimResult(Shown):
    """The answer to a claim `lambda_* >= value`.

    Attributes:
        outcome: PROVEN, REFUTED or UNDECIDED.
        value: the claimed bound.
        reason: how it was decided, or what would decide it.
        margin: proven slack of the claim; negative if REFUTED. Not how far `lambda_*` is from the claim: a proof stops
            where it is enough.
        estimate: `lambda_*`, an estimate.
        entries: what is proven of the Gram matrix's entries.
        certificate: for `hermite_dual.certified.second_proof.certificate.write`; None for UNDECIDED.
    """

    outcome: Outcome
    value: float
    reason: str
    margin: float
    estimate: float
    entries: EntryBounds
    certificate: dict[str, Any] | None

    def __str__(self) -> str:
        """Return the answer in a few lines."""
        lines = [f"{self.outcome.value}: lambda_* >= {self.value!r}", f"  {self.reason}"]
        lines.append(f"  lambda_* is about {self.estimate:.6g}, by an estimate")
        if self.outcome is not Outcome.UNDECIDED:
            side = "above" if self.outcome is Outcome.PROVEN else "below"
            lines.append(
                f"  lambda_* is proven to be {side} the claim by {abs(self.margin):.3g}, where the proof stopped"
            )
        if self.entries.errors is not None:
            lines.append(f"  entries are proven to {self.entries.largest:.3g}, with L <= {self.entries.lipschitz!r}")
        return "\n".join(lines)


def check_claim(
    activation: str,
    samples: Array,
    value: float,
    *,
    sigma_w2: float | None,
    sigma_w: float | None,
    sphere: bool,
) -> ClaimResult:
    """Decide `lambda_* >= value` for the model with `sigma_u^2 = 2` and no bias.

    The numbers are meant as written: `sigma_w^2 = 2 s^2` for the decimal `sigma_w2`, and rows scaled to exactly
    sqrt(d) where `sphere` is set; the distance to the floats computed with is part of the error.

    Args:
        activation: a name or a formula.
        samples: X as it lies in the file, shape (n, d).
        value: the claimed bound.
        sigma_w2: the papers' `s^2`; or
        sigma_w: the recurrent scale.
        sphere: whether rows are scaled to norm sqrt(d).

    Raises:
        InvalidInputError: the value is not finite, both or neither scale is given, or as `DEQ` raises.
    """
    result = check_claim_of(_model(activation, sigma_w2, sigma_w), samples, value, depth=None, sphere=sphere)
    if result.outcome is Outcome.UNDECIDED:
        return result
    parameters = parameters_of(activation, sigma_w2, sigma_w, sphere)
    return replace(result, certificate=make_certificate(_claim(result.outcome, value), samples, parameters))


def check_claim_of(model: DEQ | MLP, samples: Array, value: float, *, depth: int | None, sphere: bool) -> ClaimResult:
    """Decide `lambda_* >= value` for any model, its scales meant as the floats they are; without a certificate.

    Args:
        model: the model.
        samples: X as it lies in the file, shape (n, d).
        value: the claimed bound.
        depth: layers of an equilibrium model, or None.
        sphere: whether rows are scaled to norm sqrt(d), exactly.

    Raises:
        InvalidInputError: the value is not finite, or as the model's `gram` raises.
    """
    if not math.isfinite(value):
        raise InvalidInputError(f"the claimed bound {value} is not a finite number; give a positive one, such as 1e-4")
    rows = on_sphere(samples) if sphere else samples
    gram = model.gram(rows, depth=depth) if isinstance(model, DEQ) else model.gram(rows)
    source = replace(gram.model, row_error=scaling_error(rows)) if sphere else gram.model
    entries = entry_bounds(source, gram.matrix, gram.variances)
    check = gram_check_lower_bound(gram.matrix, entries, value)
    estimate = gram_least_eigenvalue(gram.matrix, entries).estimate
    return ClaimResult(check.outcome, value, check.reason, check.margin, estimate, entries, None)


def rebuild_beside_floats(data: Array, parameters: Mapping[str, Any]) -> tuple[Array, float]:
    """Compute a certificate's Gram matrix as `rebuild` does, held against the float64 layer, which has no balls.

    Raises:
        AccuracyError: nothing can be proven, or both differ by more than their errors, so that one of them is wrong.
        DataFileError: the parameters are not those of a certificate.
    """
    matrix, error = rebuild(data, parameters)
    model = _model(parameters["activation"], parameters.get("sigma_w2"), parameters.get("sigma_w"))
    gram = model.gram(on_sphere(data) if parameters["rows"] == SCALED_ROWS else data)
    gap = max(float(np.abs(ours - floats).max()) for ours, floats in zip(matrix, gram.matrix, strict=True))
    allowed = error + _ESTIMATES * gram.estimated_error + _ROUNDING * float(matrix.diagonal().max())
    if not gap <= allowed:
        raise AccuracyError(
            f"the second computation of the Gram matrix differs from the float64 layer by {gap:.1e}, and their errors "
            f"are {allowed:.1e}: one of them is wrong. Please report this, with the activation"
        )
    return matrix, error


def _model(activation: str, sigma_w2: float | None, sigma_w: float | None) -> DEQ:
    if sigma_w2 is not None and sigma_w is None:
        return DEQ.paper(activation, sigma_w2)
    if sigma_w is not None and sigma_w2 is None:
        return DEQ(activation, sigma_w, math.sqrt(_EXACT_SQUARE))
    given = "neither is" if sigma_w is None else "both are"
    raise InvalidInputError(
        f"of sigma_w2 and sigma_w {given} given; give one. They say the same: sigma_w = sqrt(2 sigma_w2)"
    )


def _claim(outcome: Outcome, value: float) -> dict[str, Any]:
    return {"statement": STATEMENTS[outcome.value], "value": value, "outcome": outcome.value}


def scaling_error(rows: Array) -> float:
    """Bound of `|x - x_exact|/|x|` for rows that `on_sphere` returned, `x_exact` of norm sqrt(d) exactly.

    Each coordinate is rounded twice, so `x = b (v + e)` with the exact direction v, `|e| <= 2 u` and a common factor
    b; hence `|x - sqrt(d) v| <= | |x| - sqrt(d) | + 4 u b` to first order, and the norms are measured.
    """
    d = rows.shape[1]
    squares, errors = squared_norms(rows)
    gap = float(((np.abs(squares - d) + errors) / d).max())
    return (gap + 8 * UNIT) * (1 + 16 * UNIT)

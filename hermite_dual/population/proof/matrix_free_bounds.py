"""The theory's lower bounds of `lambda_min(K)` from the samples, without an array of shape (n, n).

Ling's and the Hermite-Gershgorin bound need the correlations of the preactivations only through their largest modulus
and row sums of powers. Blocks of rows are taken in pairs: the Gram matrix of the rows of both is computed and certified
as always, its part between the blocks is summed up and dropped.

Derivation: docs/theory/eigenvalues.md, "The theory's bounds".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.eigenvalues.theory_bounds import (
    TheoryBound,
    check_degrees,
    coefficient_ranges,
    correlation_moduli,
    gershgorin_bound,
    largest_off_diagonal,
    ling_bound,
    power_sums,
)
from hermite_dual.errors import InvalidInputError
from hermite_dual.numeric.spans import spans
from hermite_dual.population.proof.variance_coefficients import preactivation_error, variance_coefficients

if TYPE_CHECKING:
    from hermite_dual.population.gram import Gram


@dataclass(frozen=True)
class _Rows:
    """A block of rows with bounds of `|a_r(S_ii)|`, shapes (degrees, rows)."""

    span: slice
    lower: Array
    upper: Array


def matrix_free_lower_bounds(
    gram: "Callable[[Array], Gram]", samples: Array, degrees: int, block: int
) -> tuple[TheoryBound, TheoryBound]:
    """Certified bounds of Ling and of Hermite-Gershgorin for the limit.

    Args:
        gram: the model's Gram matrix of some rows.
        samples: X, shape (n, d).
        degrees: Hermite degrees to use.
        block: rows in a block; arrays of shape (2 block, 2 block) are what is kept at a time.

    Raises:
        InvalidInputError: degrees or block is out of range.
        AccuracyError: the entries have no proven error.
    """
    check_degrees(degrees)
    if isinstance(block, bool) or not isinstance(block, int) or block < 1:
        raise InvalidInputError(f"block = {block!r}: allowed are whole numbers from 1 on")
    n = len(samples)
    sums, beta, rows = np.zeros((degrees, n)), 0.0, []
    for span in spans(n, block):
        computed = gram(samples[span])
        moduli = _moduli(computed)
        lower, upper = coefficient_ranges(computed.variances, variance_coefficients(computed, degrees), degrees)
        rows.append(_Rows(span, lower, upper))
        sums[:, span] += power_sums(moduli, upper, diagonal=True)
        beta = max(beta, largest_off_diagonal(moduli))
    for first, second in _pairs(rows):
        moduli = _moduli(gram(np.concatenate([samples[first.span], samples[second.span]])))
        between = np.ascontiguousarray(moduli[: first.lower.shape[1], first.lower.shape[1] :])
        sums[:, first.span] += power_sums(between, second.upper, diagonal=False)
        sums[:, second.span] += power_sums(np.ascontiguousarray(between.T), first.upper, diagonal=False)
        beta = max(beta, float(between.max()))
    lower, upper = (np.concatenate(parts, axis=1) for parts in ([r.lower for r in rows], [r.upper for r in rows]))
    return ling_bound(beta, lower), gershgorin_bound(sums, lower, upper)


def _pairs(rows: list[_Rows]) -> Iterator[tuple[_Rows, _Rows]]:
    for i, first in enumerate(rows):
        for second in rows[i + 1 :]:
            yield first, second


def _moduli(gram: "Gram") -> Array:
    """Upper bounds of the moduli of the correlations."""
    return correlation_moduli(gram.preactivation, preactivation_error(gram))[0]

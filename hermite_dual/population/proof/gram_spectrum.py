"""All eigenvalues of a population Gram matrix, certified.

Derivation: docs/theory/eigenvalues.md, "All eigenvalues".
"""

import math

from hermite_dual.arrays import Array
from hermite_dual.certified.eigenvalues.spectrum import Decomposition, Spectrum, enclosed
from hermite_dual.certified.eigenvalues.symmetric_input import symmetric_input
from hermite_dual.outcome import Outcome
from hermite_dual.population.proof.entry_bounds import EntryBounds


def gram_eigenvalues(matrix: Array, entries: EntryBounds, decomposition: Decomposition) -> Spectrum:
    """Enclose the eigenvalues of K; an infinite radius and UNDECIDED where the entries have no proven error.

    Args:
        matrix: the entries, shape (n, n).
        entries: what is proven of them.
        decomposition: estimated eigenvalues and eigenvectors of the matrix.
    """
    if entries.errors is None:
        values, vectors = decomposition
        return Spectrum(values, math.inf, Outcome.UNDECIDED, entries.reason, vectors)
    return enclosed(symmetric_input(matrix, entries.errors), decomposition)

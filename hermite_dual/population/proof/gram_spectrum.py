"""All eigenvalues of a population Gram matrix, certified.

Derivation: docs/theory/eigenvalues.md, "All eigenvalues".
"""

import math

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.eigenvalues.spectrum import Spectrum, eigenvalues
from hermite_dual.outcome import Outcome
from hermite_dual.population.proof.entry_bounds import EntryBounds


def gram_eigenvalues(matrix: Array, entries: EntryBounds) -> Spectrum:
    """Enclose the eigenvalues of K; an infinite radius and UNDECIDED where the entries have no proven error."""
    if entries.errors is None:
        return Spectrum(np.linalg.eigvalsh(matrix).astype(np.float64), math.inf, Outcome.UNDECIDED, entries.reason)
    return eigenvalues(matrix, entries.errors)

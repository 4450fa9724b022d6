"""Covariances of outputs at random weights, which training changes; computed when they are asked for.

Derivation: docs/theory/predictions.md, "Covariances".
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.population.prediction_input import has_samples
from hermite_dual.population.proof.entry_bounds import EntryBounds, undecided

if TYPE_CHECKING:
    from hermite_dual.population.cross_gram import CrossGram
    from hermite_dual.population.gram import Gram

_EPS = float(np.finfo(np.float64).eps)


class Prior:
    """Covariances of the outputs before training, computed when they are asked for.

    Args:
        kernel: of the training samples.
        cross: between test and training samples: a `CrossGram`, an array of shape (p, n), or None where the test
            samples are the training samples.
        test_covariance: K of the test samples, shape (p, p), or its diagonal, shape (p,), for a cross that is an array.
        gram_cross: K between test and training samples, shape (p, n), where cross is the array of a tangent kernel.
    """

    def __init__(
        self, kernel: "Gram", cross: Any, matrix: Array, test_covariance: Array | None, gram_cross: Array | None
    ) -> None:
        self._kernel = kernel
        self._known: CrossGram | None = cross if has_samples(cross) else None
        self._same = cross is None
        self._matrix = matrix
        self._test = test_covariance
        self._gram_cross = gram_cross

    def training(self) -> Array:
        """K of the training samples, shape (n, n)."""
        return self._kernel.gram.matrix

    def cross(self) -> Array:
        """K between test and training samples, shape (p, n)."""
        if self._gram_cross is not None:
            return self._gram_cross
        if self._known is not None:
            return self._known.gram.matrix
        if self._same:
            return self.training()
        if self._kernel.tangent:
            raise InvalidInputError(
                "gram_cross is missing: covariances of a tangent kernel need K between test and training samples. Pass "
                "cross = model.ntk(Y, X) as it is, or gram_cross = model.gram(Y, X)"
            )
        return self._matrix

    def covariance(self) -> Array:
        """K of the test samples, shape (p, p)."""
        if self._test is not None and self._test.ndim == 2:
            return self._test
        if self._known is not None:
            return self._known.row_gram.matrix
        if self._same:
            return self.training()
        raise self._without("the covariance", "")

    def variance(self) -> Array:
        """Its diagonal, shape (p,)."""
        if self._test is not None:
            return self._test if self._test.ndim == 1 else self._test.diagonal()
        if self._known is not None:
            return self._known.row_diagonal
        if self._same:
            return self.training().diagonal()
        raise self._without("the variance", ", or its diagonal")

    def _without(self, what: str, other: str) -> InvalidInputError:
        return InvalidInputError(
            f"{what} needs K of the test samples, which an array does not tell: pass cross = model.gram(Y, X) or "
            f"model.ntk(Y, X) as it is, or test_covariance = model.gram(Y){other}"
        )

    @property
    def estimated_error(self) -> float:
        """Of an entry of the cross kernel; of an array its rounding."""
        if self._same:
            return self._kernel.estimated_error
        return self._known.estimated_error if self._known is not None else _EPS * float(np.abs(self._matrix).max())

    def cross_bounds(self) -> EntryBounds:
        """What is proven of the entries of the cross kernel, errors of shape (p, n)."""
        if self._same:
            return self._kernel.entry_bounds
        if self._known is None:
            return undecided("of an array as cross nothing is known: pass model.gram(Y, X) or model.ntk(Y, X) as it is")
        return self._known.entry_bounds

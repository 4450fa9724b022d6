"""What a validation keeps of its networks: moments over replicas, errors by width, least eigenvalues."""

from typing import Literal

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.validation.directions import Direction
from hermite_dual.validation.findings import WidthError
from hermite_dual.validation.regression import Moments, fit_exponent

Norm = Literal["frobenius", "normalized"]

# Ridge of the normalized error, relative to the mean of the diagonal: K may be singular.
_RIDGE = 0.01


class NetworkStatistics:
    """Running statistics of empirical Gram matrices against a population Gram matrix K.

    The relative Frobenius error `||G - K||_F / ||K||_F` is dominated by the few largest eigenvalues of K and fluctuates
    from network to network by tens of percent. The normalized error `||R (G - K) R||_F / ||R K R||_F`,
    `R = (K + ridge)^(-1/2)`, the ridge one percent of the mean of the diagonal, weighs the eigenvectors nearly alike
    and shows the same exponent in the width with a tenth of the noise.

    Args:
        K: population Gram matrix, shape (n, n).
        directions: functionals whose moments are kept.

    Attributes:
        functionals: moments of `<D, G - control - K>` by width.
        entries: moments of the upper triangle of `G - control - K` by width.
        raw_entries: moments of the upper triangle of `G - K` by width.
        least: least eigenvalue of every G by width.
    """

    def __init__(self, K: Array, directions: list[Direction]) -> None:
        self._K, self._directions = K, directions
        self._upper = np.triu_indices(len(K))
        self._root = _inverse_root(K)
        self._norms = {"frobenius": _norm(K) or 1.0, "normalized": _norm(self._normalize(K)) or 1.0}
        self._errors: dict[int, dict[str, list[float]]] = {}
        self.functionals: dict[int, Moments] = {}
        self.entries: dict[int, Moments] = {}
        self.raw_entries: dict[int, Moments] = {}
        self.least: dict[int, list[float]] = {}

    def add(self, width: int, G: Array, control: Array) -> None:
        """Take in one network.

        Args:
            width: its width.
            G: its Gram matrix, shape (n, n).
            control: what the control variates say of its fluctuation, mean zero, shape (n, n).
        """
        difference = G - self._K
        controlled = difference - control
        values = np.array([direction(controlled) for direction in self._directions])
        self.functionals.setdefault(width, Moments()).add(values)
        self.entries.setdefault(width, Moments()).add(controlled[self._upper])
        self.raw_entries.setdefault(width, Moments()).add(difference[self._upper])
        self.least.setdefault(width, []).append(float(np.linalg.eigvalsh(G)[0]))
        errors = self._errors.setdefault(width, {"frobenius": [], "normalized": []})
        errors["frobenius"].append(_norm(difference) / self._norms["frobenius"])
        errors["normalized"].append(_norm(self._normalize(difference)) / self._norms["normalized"])

    def errors_by_width(self) -> tuple[WidthError, ...]:
        """Summarise the errors of each width, in the order in which the widths were added."""
        return tuple(
            WidthError(
                width=width,
                mean=float(np.mean(errors["frobenius"])),
                standard_error=_standard_error(errors["frobenius"]),
                errors=tuple(errors["frobenius"]),
                normalized_mean=float(np.mean(errors["normalized"])),
                normalized_standard_error=_standard_error(errors["normalized"]),
                normalized_errors=tuple(errors["normalized"]),
            )
            for width, errors in self._errors.items()
        )

    def slope(self, norm: Norm) -> tuple[float, float]:
        """Fit the exponent of the error in the width.

        Args:
            norm: which error.

        Returns:
            The exponent and its standard error.
        """
        widths = np.concatenate([np.full(len(e[norm]), float(m)) for m, e in self._errors.items()])
        return fit_exponent(widths, np.concatenate([np.asarray(e[norm]) for e in self._errors.values()]))

    def _normalize(self, matrix: Array) -> Array:
        product: Array = self._root.T @ matrix @ self._root
        return product


def _inverse_root(K: Array) -> Array:
    values, vectors = np.linalg.eigh(K)
    # A matrix given by the user need not be positive semidefinite; the weights must be positive.
    weights = np.maximum(values, 0.0) + _RIDGE * float(np.abs(np.diag(K)).mean())
    if not np.all(weights > 0.0):
        return np.eye(len(K))
    root: Array = vectors / np.sqrt(weights)
    return root


def _norm(matrix: Array) -> float:
    return float(np.linalg.norm(matrix))


def _standard_error(errors: list[float]) -> float:
    return float(np.std(errors, ddof=1) / np.sqrt(len(errors)))

"""Samples as the population formulas want them: checked, and scaled to the sphere."""

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.data.files import check_samples
from hermite_dual.errors import InvalidInputError
from hermite_dual.float_state import own_float_state

EQUAL_NORMS = 1e-14
"""Largest relative spread of squared norms that counts as equal: what scaling to the sphere leaves in float64."""

_ROUNDED_NORM = 1e-12
"""Relative distance from sqrt(d) that roundings of any way of scaling leave."""


@own_float_state
def on_sphere(X: ArrayLike) -> Array:
    """Return the rows of X scaled to norm sqrt(d).

    Args:
        X: samples, shape (n, d), a sample per row, none of them zero.

    Returns:
        float64 array of shape (n, d) with `|x_i|^2 = d`.

    Raises:
        InvalidInputError: X has the wrong shape, a value that is not finite, or a zero row.

    >>> on_sphere([[3.0, 4.0]]).round(6).tolist()
    [[0.848528, 1.131371]]
    """
    samples = check_samples(X, "X")
    size = np.abs(samples).max(axis=1)
    if (size == 0.0).any():
        row = int(np.flatnonzero(size == 0.0)[0])
        raise InvalidInputError(
            f"row {row} of X is zero and has no direction: remove it, or append a constant column to X before scaling"
        )
    scaled = samples / size[:, None]  # first to magnitude 1, so that no square over- or underflows
    return np.asarray(scaled * (np.sqrt(samples.shape[1]) / np.linalg.norm(scaled, axis=1))[:, None])


def rows_text(samples: Array) -> str:
    """Say whether rows have norm sqrt(d), and if not which norms they have: bounds and kernels depend on it."""
    root = float(np.sqrt(samples.shape[1]))
    size = np.abs(samples).max(axis=1)
    norms = size * np.linalg.norm(samples / np.where(size > 0.0, size, 1.0)[:, None], axis=1)  # no square overflows
    if np.abs(norms / root - 1.0).max() <= _ROUNDED_NORM:
        return "rows scaled to norm sqrt(d)"
    return f"rows as they are, of norms {norms.min():.4g} to {norms.max():.4g} (sqrt(d) = {root:.4g})"


def other_samples(Y: ArrayLike, samples: Array) -> Array:
    """Return samples Y that go with samples X, checked; a number in their place was meant as a depth."""
    if np.isscalar(Y) or getattr(Y, "ndim", 1) == 0:
        raise InvalidInputError(f"Y = {Y!r}: Y holds other samples, shape (p, d); write depth={Y!r} for a depth")
    others = check_samples(Y, "Y")
    if others.shape[1] != samples.shape[1]:
        raise InvalidInputError(
            f"Y has {others.shape[1]} columns and X has {samples.shape[1]}: both need the same input coordinates"
        )
    return others


def check_nonzero_rows(samples: Array, sigma_b: float, first: int = 0) -> None:
    """Refuse a zero row where there is no bias and its direction counts, or derivatives with respect to it.

    Args:
        samples: rows of X.
        sigma_b: bias scale.
        first: number of the first of them in X.
    """
    if sigma_b > 0.0:
        return
    zero = ~samples.any(axis=1)
    if zero.any():
        row = first + int(np.flatnonzero(zero)[0])
        raise InvalidInputError(
            f"row {row} of X is zero and sigma_b = 0: its correlation with other rows is undefined; "
            "remove the row, or set sigma_b > 0"
        )

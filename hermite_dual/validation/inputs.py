"""Checks of what a validation is given."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import check_count

# Least symmetric part that counts as a deliberate asymmetry of a matrix that was computed in float64.
_ASYMMETRY = 1e-8


def check_widths(widths: Sequence[int]) -> tuple[int, ...]:
    """Return the widths, or raise an `InvalidInputError`: at least two different whole numbers >= 1."""
    try:
        listed = tuple(widths)
    except TypeError:
        listed = ()
    checked = tuple(check_count("widths: width", width, 1, "each number of neurons") for width in listed)
    if len(checked) < 2 or len(set(checked)) < len(checked):
        raise InvalidInputError(
            f"widths={widths!r}: allowed are at least two different widths, because a discrepancy is told from the "
            "bias of finite width by comparing widths. Pass for instance widths=(256, 512, 1024)."
        )
    return checked


def check_probability(name: str, value: float) -> float:
    """Return a number strictly between 0 and 1, or raise an `InvalidInputError`."""
    if not (isinstance(value, int | float | np.floating) and 0.0 < value < 1.0):
        raise InvalidInputError(f"{name}={value!r}: allowed are numbers between 0 and 1. Pass for instance 0.01.")
    return float(value)


def check_tolerance(name: str, value: float) -> float:
    """Return a finite number > 0, or raise an `InvalidInputError`."""
    if not (isinstance(value, int | float | np.number) and math.isfinite(value) and value > 0.0):
        raise InvalidInputError(f"{name}={value!r}: allowed are finite numbers > 0. Pass for instance 0.05.")
    return float(value)


def check_population(population: Any, samples: int) -> Array:
    """Return a finite symmetric float64 matrix of shape (n, n), or raise an `InvalidInputError`."""
    matrix = np.asarray(population)
    if matrix.shape != (samples, samples):
        raise InvalidInputError(
            f"population has the shape {matrix.shape}; allowed is ({samples}, {samples}), an entry per pair of rows of "
            "X. Compute it on the same samples."
        )
    if matrix.dtype.kind not in "biuf" or not np.isfinite(matrix).all():
        raise InvalidInputError(
            f"population holds values that are not finite real numbers (type {matrix.dtype}); allowed are finite real "
            "numbers. Look for NaN in the formula at equal or opposite samples."
        )
    K: Array = matrix.astype(np.float64)
    asymmetry = float(np.abs(K - K.T).max())
    if asymmetry > _ASYMMETRY * max(1.0, float(np.abs(K).max())):
        raise InvalidInputError(
            f"population differs from its transpose by {asymmetry:.3g}; allowed are symmetric matrices. "
            "Pass (M + M.T) / 2 if the difference is rounding."
        )
    return K

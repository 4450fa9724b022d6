"""The theory's lower bounds of `lambda_min(K)`, `K = sum_r D_r R^(or) D_r`, with every rounding counted.

R is the correlation matrix of S and `D_r = diag(a_r(S_ii))`. Each term is positive semidefinite, so any set of terms
may be
dropped. Three ways to bound what is kept:

- *Ling*: `min_i a_r(S_ii)^2 (1 - (n-1) beta^r)`, `beta = max |R_ij|`;
- *Khatri-Rao*: `min_i a_r(S_ii)^2 lambda_min(R^(or))` for one degree r;
- *Hermite-Gershgorin*: Gershgorin's disc theorem on `sum_{r >= m} D_r R^(or) D_r` for the best m.

Derivation: docs/theory/eigenvalues.md, "The theory's bounds".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import lower_float, upper_float
from hermite_dual.certified.balls.rounding import UNIT
from hermite_dual.certified.eigenvalues.eigenvalues import least_eigenvalue
from hermite_dual.errors import InvalidInputError
from hermite_dual.notebook import Shown

CoefficientSource = Callable[[float, int], list[arb]]

MOST_DEGREES = 1024  # powers of n by n matrices that are formed
_TINY = 1e-290  # added to products that may have underflowed; negligible beside any bound


@dataclass(frozen=True, repr=False)
class TheoryBound(Shown):
    """A lower bound of the least eigenvalue of the population Gram matrix.

    Attributes:
        name: "Ling", "Khatri-Rao" or "Hermite-Gershgorin".
        value: the bound, rounded down; 0.0 if the argument proves no more than positive semidefiniteness.
        degree: the degree r used, for Hermite-Gershgorin the smallest degree of the sum; -1 if none helps.
        tightness: the value over a proven upper bound of the least eigenvalue, NaN where none is known.
    """

    name: str
    value: float
    degree: int
    tightness: float = math.nan


def theory_lower_bounds(
    preactivation: Array,
    preactivation_error: float,
    coefficient_balls_for: CoefficientSource,
    degrees: int,
    khatri_rao_degrees: int = 3,
) -> list[TheoryBound]:
    """Certified theory bounds from a preactivation covariance.

    Args:
        preactivation: S, shape (n, n), symmetric.
        preactivation_error: bound of `|S_true - S|`, entrywise.
        coefficient_balls_for: maps a variance (the float `S_ii`) and a number of degrees to balls that contain
            `a_r(q)` for every q within `preactivation_error` of that variance.
        degrees: how many degrees to use.
        khatri_rao_degrees: how many Hadamard powers to take the least eigenvalue of; each costs two factorizations.

    Returns:
        The best bound of each kind: Ling, Khatri-Rao, Hermite-Gershgorin.

    Raises:
        InvalidInputError: S is not square or has a variance that is not proven positive.
    """
    lower, upper = coefficient_ranges(np.diagonal(preactivation), coefficient_balls_for, degrees)
    moduli, correlation_error = correlation_moduli(preactivation, preactivation_error)
    return [
        ling_bound(largest_off_diagonal(moduli), lower),
        khatri_rao_bound(preactivation, correlation_error, lower, moduli, khatri_rao_degrees),
        hermite_gershgorin_bound(moduli, lower, upper),
    ]


def check_degrees(degrees: object) -> None:
    """Refuse a number of Hermite degrees that is none."""
    if isinstance(degrees, bool) or not isinstance(degrees, int) or not 1 <= degrees <= MOST_DEGREES:
        raise InvalidInputError(f"degrees = {degrees!r}: allowed are whole numbers from 1 to {MOST_DEGREES}")


def coefficient_ranges(variances: Array, source: CoefficientSource, degrees: int) -> tuple[Array, Array]:
    """Bounds of `|a_r(S_ii)|`, shapes (degrees, n), from one call per distinct variance."""
    n = variances.shape[0]
    lower, upper = np.zeros((degrees, n)), np.zeros((degrees, n))
    for value in np.unique(variances):
        balls = source(float(value), degrees)
        columns = variances == value
        for r, ball in enumerate(balls):
            lower[r, columns] = max(0.0, lower_float(arb(ball.abs_lower())))
            upper[r, columns] = upper_float(arb(ball.abs_upper()))
    return lower, upper


def correlation_moduli(S: Array, error: float) -> tuple[Array, float]:
    """Upper bounds of `|R_ij|`, at most 1, and a bound of the error of the rounded correlations.

    With `S_ii >= d_i > 0` for the true variances, `|R_ij| <= (|S_ij| + e)/sqrt((d_i - e)(d_j - e))`; the six
    roundings are covered by a factor `1 + 8u`.
    """
    if S.ndim != 2 or S.shape[0] != S.shape[1]:
        raise InvalidInputError(f"preactivation has shape {S.shape}; it must be square")
    diagonal = np.diagonal(S)
    floor = diagonal - error
    if not np.all(floor > 0) or not np.all(np.isfinite(S)):
        raise InvalidInputError("preactivation needs finite entries and a diagonal above its error")
    roots = np.sqrt(floor * (1 - 2 * UNIT))
    moduli = np.minimum((np.abs(S) + error) / np.multiply.outer(roots, roots) * (1 + 8 * UNIT), 1.0)
    relative = error / float(np.min(floor))
    # numerator e/d, denominator (1 - e/d)^-1 - 1, rounding of the float64 correlation
    return moduli, 2.5 * relative / (1 - min(relative, 0.5)) + 8 * UNIT


def _squares_below(values: Array) -> Array:
    """Squares rounded down; what may have underflowed becomes 0."""
    squares = values * values * (1 - 2 * UNIT)
    return np.where(squares < _TINY, 0.0, squares)


def largest_off_diagonal(moduli: Array) -> float:
    """`beta = max |R_ij|`, i != j; 0 for a single row."""
    off = ~np.eye(len(moduli), dtype=bool)
    return float(np.max(moduli, initial=0.0, where=off))


def ling_bound(beta: float, lower: Array) -> TheoryBound:
    """`min_i a_r^2 (1 - (n-1) beta^r)` for the best degree."""
    n = lower.shape[1]
    best, degree = 0.0, -1
    for r in range(lower.shape[0]):
        power = upper_float(arb(beta) ** r)
        factor = 1 - (n - 1) * power * (1 + 4 * UNIT)
        smallest = float(np.min(_squares_below(lower[r])))
        value = smallest * (factor - 4 * UNIT) * (1 - 2 * UNIT)
        if value > best:
            best, degree = value, r
    return TheoryBound("Ling", best, degree)


def khatri_rao_bound(S: Array, error: float, lower: Array, moduli: Array, count: int) -> TheoryBound:
    """`min_i a_r^2 lambda_min(R^(or))` for the most promising degrees."""
    roots = np.sqrt(np.diagonal(S))
    R = S / np.multiply.outer(roots, roots)
    np.fill_diagonal(R, 1.0)
    R = (R + R.T) / 2
    smallest = [float(np.min(_squares_below(row))) for row in lower]
    beta = largest_off_diagonal(moduli)
    # a rough ranking: powers decorrelate, coefficients decay
    promise = [s * (1 - beta ** max(r, 1)) for r, s in enumerate(smallest)]
    best, degree = 0.0, -1
    for r in sorted(range(len(promise)), key=promise.__getitem__, reverse=True)[:count]:
        if smallest[r] <= 0 or r == 0:
            continue
        # |x^r - y^r| <= r |x - y| on [-1, 1], and numpy's power is within a few units in the last place
        power = R**r
        value = least_eigenvalue((power + power.T) / 2, r * error * 1.01 + 64 * UNIT).lower
        value = value * smallest[r] * (1 - 2 * UNIT)
        if value > best:
            best, degree = value, r
    return TheoryBound("Khatri-Rao", best, degree)


def hermite_gershgorin_bound(moduli: Array, lower: Array, upper: Array) -> TheoryBound:
    """`max_m min_i sum_{r >= m} (a_r(S_ii)^2 - |a_r(S_ii)| sum_{j != i} |a_r(S_jj)| |R_ij|^r)`, O(n^2) per degree."""
    return gershgorin_bound(power_sums(moduli, upper, diagonal=True), lower, upper)


def power_sums(moduli: Array, weights: Array, *, diagonal: bool) -> Array:
    """`sum_j |R_ij|^r w_rj` for every degree r, rounded.

    Args:
        moduli: a block of `|R|`, shape (m, k).
        weights: shape (degrees, k).
        diagonal: whether the block's diagonal is that of R, which stays out of the sums.

    Returns:
        The sums, shape (degrees, m).
    """
    sums = np.zeros((len(weights), len(moduli)))
    power = np.ones_like(moduli)
    if diagonal:
        np.fill_diagonal(power, 0.0)
    for r, row in enumerate(weights):
        if r:
            power *= moduli
        sums[r] = power @ row
    return sums


def gershgorin_bound(sums: Array, lower: Array, upper: Array) -> TheoryBound:
    """The Hermite-Gershgorin bound from the sums of `power_sums` over all columns, added in any order.

    Sums of n non-negative floats are off by less than `(n + 4) u` relatively in any order; powers of the moduli are
    formed by repeated multiplication with one rounding each.
    """
    degrees, n = lower.shape
    slack = 1 + (2 * n + 3 * degrees + 16) * UNIT
    margins = np.zeros((degrees, n))
    for r in range(degrees):
        total = (sums[r] + n * _TINY) * slack
        margins[r] = _squares_below(lower[r]) - upper[r] * total * (1 + 4 * UNIT)
    best, degree = 0.0, -1
    suffix, weight = np.zeros(n), np.zeros(n)
    for r in reversed(range(degrees)):
        suffix = suffix + margins[r]
        weight = weight + np.abs(margins[r])
        value = float(np.min(suffix - (degrees + 4) * UNIT * 2 * weight))
        if value > best:
            best, degree = np.nextafter(value, -np.inf), r
    return TheoryBound("Hermite-Gershgorin", float(best), degree)

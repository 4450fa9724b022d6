"""The dual kernel between given variances on a matrix of correlations, with proven errors.

Derivation: docs/theory/entries.md, "Entries of a Gram matrix".
"""

import math
from collections.abc import Sequence

import numpy as np
from flint import arb

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array, Indices
from hermite_dual.cached_property import cached_property
from hermite_dual.certified.balls.precision import bits_for, rounded, upper_float, working_precision
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP
from hermite_dual.certified.counted.entry_error import SeriesValues, nearly_parallel_kernel, separable_series
from hermite_dual.certified.counted.homogeneous import homogeneous_kernel
from hermite_dual.certified.counted.pair_series import pair_series
from hermite_dual.certified.counted.piecewise_quadratic import PiecewiseRows, is_piecewise_quadratic, piecewise_rows
from hermite_dual.certified.counted.power_series import VarianceSeries, evaluate_series, variance_series
from hermite_dual.certified.counted.row_coefficients import RowCoefficients, row_coefficients, unsupported
from hermite_dual.certified.counted.variance_table import coefficients_at

Block = tuple[slice, slice]

_MOST_TOGETHER = 1024
"""Degrees kept for each of many variances."""
_FEW = 8
"""Distinct variances up to which each has its own balls."""
_WIDE = 2.0**-50
"""Error, relative to the second moment, from which a closed form in balls replaces the series."""
_MOST_BALLS = 200_000  # entries in balls, the widest first
_BLOCK, _WIDTH = 512, 64  # rows and columns that are evaluated together


class CertifiedKernel:
    """`k(q_i, q_j, rho_ij sqrt(q_i q_j))` for the variances of n rows.

    One variance for all rows is a power series in rho; an activation with `phi(s x) = s phi(x)`, s > 0, reduces to
    that; one of degree at most 2 between its kinks needs no series at other variances; the rest goes through separable
    coefficients, many of them through rows of one matrix product.

    Args:
        activation: phi, with a formula.
        variances: floats q_i > 0, shape (n,).
        largest: the largest `|rho_ij|`, i != j, that will be asked for; a hint.

    Attributes:
        moments: balls of `E[phi(sqrt(q_i) Z)^2]`, one per distinct variance.
        index: shape (n,), which of them is row i's.

    Raises:
        AccuracyError, InvalidInputError, NotIntegrableError: as `coefficient_balls`.
    """

    def __init__(self, activation: Activation, variances: Array, largest: float) -> None:
        shape = activation.shape
        self._variances = variances
        distinct, self.index = np.unique(variances, return_inverse=True)
        self._activation = activation
        self._homogeneous = shape.homogeneous
        self._rows: RowCoefficients | None = None
        self._all: Sequence[VarianceSeries] = ()
        self._pieces: PiecewiseRows | None = None
        if not self._homogeneous and is_piecewise_quadratic(shape):
            self._pieces = piecewise_rows(shape, distinct)
            if distinct.size > 1:
                self.moments = self._pieces.moments
                return
        if distinct.size > _FEW and not self._homogeneous and unsupported(shape) is None:
            self._rows = row_coefficients(shape, distinct, largest)
            pairs = zip(self._rows.moments.tolist(), self._rows.moment_errors.tolist(), strict=True)
            self.moments = [arb(value, error) for value, error in pairs]
            return
        reference = 1.0 if self._homogeneous else float(distinct[-1])
        self._first = variance_series(shape, reference, largest)
        if self._homogeneous:
            self.moments = [self._first.moment * arb(float(q)) for q in distinct]
        elif distinct.size == 1:
            self.moments = [self._first.moment]
        else:
            count = min(len(self._first.coefficients), _MOST_TOGETHER)
            self._all = coefficients_at(shape, distinct, count)
            self.moments = [series.moment for series in self._all]

    def norms(self) -> Array:
        """Upper bounds of `E[phi(sqrt(q_i) Z)^2]^(1/2)`, shape (n,)."""
        return np.array([upper_float(moment.sqrt()) for moment in self.moments])[self.index]

    def moment_distance(self, values: Array) -> Array:
        """Upper bounds of `|values_i - E[phi(sqrt(q_i) Z)^2]|`, shape (n,)."""
        middle, radius = self.rounded_moments()
        return np.asarray((np.abs(values - middle) + radius) * UP + TINY)

    def rounded_moments(self) -> tuple[Array, Array]:
        """Floats close to the second moments and bounds of their distance, shape (n,) each."""
        middle, radius = self._rounded
        return middle[self.index], radius[self.index]

    @cached_property
    def _rounded(self) -> tuple[Array, Array]:
        return sharply_rounded(self.moments)

    def means(self) -> tuple[Array, Array]:
        """Floats close to `E[phi(sqrt(q_i) Z)]` and bounds of their distance, shape (n,) each."""
        if self._rows is not None:
            middle = self._rows.values[:, 0] * (self._rows.parity >= 0)
            return middle[self.index], (self._rows.errors * (self._rows.parity >= 0))[self.index]
        distinct = np.unique(self._variances)
        series = self._all or coefficients_at(self._activation.shape, distinct, 1)
        middle, radius = sharply_rounded([one.coefficients[0] for one in series])
        return middle[self.index], radius[self.index]

    def evaluate(self, rho: Array, block: Block | None = None, lipschitz: float = math.inf) -> SeriesValues:
        """Evaluate at correlations.

        Args:
            rho: a symmetric (n, n) matrix, of which the diagonal is not used; or a block of it.
            block: the rows and columns of the block; its entries on the diagonal, if any, are those of any others.
            lipschitz: that of phi on the whole line, where there is one.
        """
        series = self._series(rho, block)
        if math.isfinite(lipschitz):
            self._nearly_parallel(rho, block or (slice(None), slice(None)), lipschitz, series)
        return series

    def _nearly_parallel(self, rho: Array, block: Block, lipschitz: float, series: SeriesValues) -> None:
        """Replace what the series leaves too wide where the diagonal is close, in place."""
        moments, radii = self.rounded_moments()
        wide = np.nonzero(series.errors > _WIDE * moments.max())
        if not wide[0].size:
            return
        places = [np.arange(len(self.index))[span][at] for span, at in zip(block, wide, strict=True)]
        roots = np.sqrt(self._variances)
        sign = np.where(rho[wide] < 0.0, float(self._activation.shape.parity), 1.0)
        close, bounds = nearly_parallel_kernel(
            (moments[places[0]], moments[places[1]]),
            (radii[places[0]], radii[places[1]]),
            (roots[places[0]], roots[places[1]]),
            np.abs(rho[wide]),
            lipschitz,
        )
        better = (bounds < series.errors[wide]) & (sign != 0.0)
        chosen = (wide[0][better], wide[1][better])
        series.values[chosen], series.errors[chosen] = (sign * close)[better], bounds[better]

    def _series(self, rho: Array, block: Block | None) -> SeriesValues:
        index = self.index if block is None else self.index[block[0]]
        columns = None if block is None else self.index[block[1]]
        if self._pieces is not None and len(self.moments) > 1:
            return self._blockwise(self._pieces, rho) if columns is None else self._pieces.evaluate(index, columns, rho)
        if self._rows is not None:
            return pair_series(self._rows, index, columns, rho)
        if self._all:
            tails = [arb(series.tail(len(series.coefficients))) for series in self._all]
            return separable_series([series.coefficients for series in self._all], tails, rho, index, columns)
        if block is not None:
            return self._from_one(rho, self._variances[block[0]], self._variances[block[1]])
        upper = np.triu_indices(len(rho), 1)
        pairs = self._from_one(rho[upper], self._variances[upper[0]], self._variances[upper[1]], paired=True)
        return SeriesValues(_mirrored(pairs.values, upper, rho.shape), _mirrored(pairs.errors, upper, rho.shape))

    def _from_one(self, rho: Array, first: Array, second: Array, paired: bool = False) -> SeriesValues:
        """Evaluate the series of one variance, times `sqrt(first second)` where phi is homogeneous."""
        series = evaluate_series(self._first, rho)
        values, errors = series.values, series.errors
        if self._pieces is not None:
            self._sharpened(self._pieces, rho, values, errors)
        if not self._homogeneous:
            return series
        self._close_to_one(rho, values, errors)
        left, right = np.sqrt(first), np.sqrt(second)
        scale = left * right if paired else np.multiply.outer(left, right)
        # three roundings in the scale, one in the product
        values, errors = values * scale, (errors * scale + 6 * UNIT * np.abs(values) * scale) * UP + TINY
        return SeriesValues(values, errors)

    def _blockwise(self, rows: PiecewiseRows, rho: Array) -> SeriesValues:
        """Blocks of rows on and above the diagonal, mirrored."""
        values, errors = np.empty_like(rho), np.empty_like(rho)
        for start in range(0, len(rho), _BLOCK):
            block = slice(start, start + _BLOCK)
            series = rows.evaluate(self.index[block], self.index[start:], rho[block, start:])
            for full, strip in ((values, series.values), (errors, series.errors)):
                full[block, start:], full[start:, block] = strip, strip.T
        return SeriesValues(values, errors)

    def _sharpened(self, rows: PiecewiseRows, rho: Array, values: Array, errors: Array) -> None:
        """Replace what the series leaves too wide, where the integrals do better."""
        wide = np.flatnonzero(errors > _WIDE * upper_float(self._first.moment))
        wide = wide[np.argsort(np.abs(rho.flat[wide]))]
        # full blocks of similar correlations, of which each takes the rule that its largest needs
        padded = np.zeros((-(-wide.size // _WIDTH), _WIDTH))
        padded.flat[: wide.size] = rho.flat[wide]
        integrals = rows.evaluate(np.zeros(len(padded), dtype=np.intp), np.zeros(_WIDTH, dtype=np.intp), padded)
        closer, bounds = (array.ravel()[: wide.size] for array in (integrals.values, integrals.errors))
        better = bounds < errors.flat[wide]
        values.flat[wide[better]], errors.flat[wide[better]] = closer[better], bounds[better]

    def _close_to_one(self, rho: Array, values: Array, errors: Array) -> None:
        """Replace what the series leaves too wide by the closed form in balls, the widest first."""
        wide = np.flatnonzero(errors > _WIDE * upper_float(self._first.moment))
        wide = wide[np.argsort(-errors.flat[wide])[:_MOST_BALLS]]
        phi = self._activation
        exact = homogeneous_kernel(phi.shape, rho.flat[wide])
        values.flat[wide], errors.flat[wide] = exact.values, exact.errors


def sharply_rounded(balls: Sequence[arb]) -> tuple[Array, Array]:
    """Round at a precision that adds nothing to the radii of such balls as moments and coefficients."""
    with working_precision(bits_for(40)):
        return rounded(balls)


def _mirrored(values: Array, upper: tuple[Indices, Indices], shape: tuple[int, ...]) -> Array:
    full = np.zeros(shape)
    full[upper] = values
    full.T[upper] = values
    return full

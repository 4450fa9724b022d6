"""A kernel at equal norms as a power series in the data's cosine, and what follows from its coefficients.

Derivation: docs/theory/layers.md, "Series in the cosine", "Proven series".
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import ArrayLike

from hermite_dual.activation_design import DesignedActivation, activation_from_dual
from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import bits_for, rounded, upper_float, working_precision
from hermite_dual.certified.enclosures.ball_series import BallSeries
from hermite_dual.data.files import check_samples
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import check_count, float_array, freeze
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown, Told
from hermite_dual.numeric.mehler import EPS
from hermite_dual.outcome import Outcome
from hermite_dual.population.entries.cosine_coefficients import cosine_coefficients
from hermite_dual.population.entries.model import Model
from hermite_dual.population.entries.one_norm import equal_norms
from hermite_dual.population.proof.cosine_balls import cosine_balls
from hermite_dual.population.proof.cosine_powers import cosine_lower_bound, cosine_power_bounds, least_mean_square
from hermite_dual.shape.numbers import as_printed
from hermite_dual.sphere_spectrum import largest_power_eigenvalue, power_eigenvalue

_MOST = 1024
"""Coefficients; products of series take the square of their number."""
_SHOWN = 8
_ROUNDED = 1e-14
"""By how much a rounded cosine may exceed 1."""


@dataclass(frozen=True, eq=False)
class CosineEnclosure:
    """Proven enclosures of the coefficients of a series in the cosine, as `flint.arb`.

    Attributes:
        coefficients: hold `kappa_p`, p < n.
        remainder: holds `sum_{p>=n} kappa_p`.
    """

    coefficients: tuple[arb, ...]
    remainder: arb


@own_float_state
@dataclass(frozen=True, eq=False, repr=False)
class CosineSeries(Shown):
    """`K(xi) = sum_p kappa_p xi^p`, the kernel of two samples of equal norm with the cosine `xi = x.y/|x|^2`.

    All `kappa_p >= 0`, and `|K(xi) - sum_{p<n} kappa_p xi^p| <= remainder |xi|^n`. Without `enclosure` the numbers are
    float64 with an estimated error: they, and what follows from them, are estimates and not proven. With it they are
    its midpoints, rounded, and `lower_bound` is proven.

    Attributes:
        coefficients: `kappa_p`, p < n, shape (n,), in the units of K.
        remainder: `sum_{p>=n} kappa_p = K(1) - sum_{p<n} kappa_p`, at least 0.
        estimated_error: estimate of the sum of the coefficients' errors, and of the remainder's; with an enclosure a
            proven bound of it.
        mean_square: `|x|^2/d` of the samples. None for homogeneous activations without a bias at several norms:
            there `K_ij = |x_i| |x_j|/d sum_p kappa_p xi_ij^p`.
        enclosure: proven enclosures, or None where `digits` was not given.
    """

    coefficients: Array
    remainder: float
    estimated_error: float
    mean_square: float | None
    enclosure: CosineEnclosure | None = None

    def __post_init__(self) -> None:
        """Make the array read-only."""
        freeze(self.coefficients)

    def __repr__(self) -> str:
        """Return the first coefficients and the remainder."""
        shown = ", ".join(f"{value:.8g}" for value in self.coefficients[:_SHOWN])
        more = ", ..." if len(self.coefficients) > _SHOWN else ""
        return f"CosineSeries([{shown}{more}], remainder={self.remainder:.3g})"

    def _told(self) -> Told:
        first = ", ".join(f"{value:.8g}" for value in self.coefficients[:_SHOWN])
        others = [(name, getattr(self, name)) for name in ("remainder", "estimated_error", "mean_square", "outcome")]
        return [("coefficients", first), *others]

    @property
    def outcome(self) -> Outcome:
        """PROVEN with an enclosure, otherwise UNDECIDED, as estimates claim nothing."""
        return Outcome.UNDECIDED if self.enclosure is None else Outcome.PROVEN

    def value(self, xi: ArrayLike) -> Any:
        """Return `sum_{p<n} kappa_p xi^p`, of the shape of xi, a float for a number.

        Args:
            xi: cosines in [-1, 1].

        Raises:
            InvalidInputError: xi is no such number.
        """
        cosines = float_array(xi, "xi")[0]
        if not (np.abs(cosines) <= 1.0 + _ROUNDED).all():
            raise InvalidInputError(f"xi = {xi!r}: allowed are cosines, x.y/(|x| |y|), in [-1, 1]")
        values = np.polynomial.polynomial.polyval(np.clip(cosines, -1.0, 1.0), self.coefficients)
        return float(values) if np.ndim(xi) == 0 else np.asarray(values)

    def activation(self, degree: int | None = None) -> DesignedActivation:
        """Return an activation whose dual, a network with one hidden layer on the unit sphere, has these coefficients.

        `phi = sum_p sqrt(kappa_p) h_p`; its `tail` is an estimate here, from the floats.

        Args:
            degree: the last degree that is kept, at most 20; by default n - 1, or 20 if that is less.

        Raises:
            InvalidInputError: the degree is out of range.
        """
        last = min(len(self.coefficients) - 1, 20) if degree is None else degree
        design = activation_from_dual(self.coefficients, degree=last)
        return replace(design, tail=design.tail + as_printed(self.remainder))

    def lower_bound(self, X: ArrayLike) -> float:
        """Return a lower bound of `lambda_min(K)` of samples from the eigenvalues of their cosines C alone.

        `lambda_min(K) >= sum_{p<n} kappa_p lambda_min(C^(op)) + remainder lambda_min(C^(os))`, s the last degree with
        `kappa_s > 0`; no term is negative. The eigenvalues are proven bounds. With an `enclosure` the bound is proven
        and rounded down, for the rows of X scaled to the norm of this series exactly; where `mean_square` is None, for
        the rows as they are. Without one the coefficients are estimates, from which their estimated error is taken off,
        and so is the bound. Each p with `kappa_p > 0` costs an eigenvalue problem.

        Args:
            X: samples, shape (m, d), of the `mean_square` of this series; any number of columns.

        Raises:
            InvalidInputError: X has other norms, or a row of zeros.
        """
        samples = check_samples(X, "X")
        squares = _mean_squares(samples)
        if self.mean_square is not None and not equal_norms(np.append(squares, self.mean_square)):
            raise InvalidInputError(
                f"X has rows of |x|^2/d from {squares.min():.17g} to {squares.max():.17g}: this series is for "
                f"{self.mean_square:.17g}; scale the rows, or take the series of their own kernel"
            )
        if self.enclosure is not None:
            least = 1.0 if self.mean_square is not None else least_mean_square(samples)
            kept = self.enclosure
            return cosine_lower_bound(kept.coefficients, kept.remainder, samples, least)
        degrees = np.flatnonzero(self.coefficients)
        if not degrees.size:
            return 0.0
        bounds = cosine_power_bounds(samples, degrees.tolist())
        total = float(self.coefficients[degrees] @ bounds) + self.remainder * float(bounds[-1])
        total -= (2.0 * self.estimated_error + EPS * len(degrees) * total) * float(bounds[-1])
        return max(total, 0.0) * (1.0 if self.mean_square is not None else float(squares.min()))

    def sphere_eigenvalues(self, d: int, degrees: int) -> tuple[Array, Array]:
        """Return the eigenvalues of the kernel on the sphere of `R^d` under its uniform law, as far as n terms tell.

        The eigenvalue of the spherical harmonics of degree l is `sum_p kappa_p tau_{p,l}`, with the closed form of
        `tau_{p,l}` in the theory's page on the sphere.

        Args:
            d: the dimension, at least 2.
            degrees: how many, l = 0, ..., degrees - 1, at most n.

        Returns:
            The sums over p < n and what the remainder adds at most, both of shape (degrees,).

        Raises:
            InvalidInputError: an argument is out of range.
        """
        d = check_count("d", d, 2, "the dimension of the space")
        n = len(self.coefficients)
        degrees = check_count("degrees", degrees, 1, "how many degrees are wanted", n)
        sums, tails = np.zeros(degrees), np.zeros(degrees)
        for degree in range(degrees):
            powers = range(degree, n, 2)
            sums[degree] = sum(self.coefficients[p] * float(power_eigenvalue(d, p, degree).mid()) for p in powers)
            tails[degree] = self.remainder * float(largest_power_eigenvalue(d, n, degree).mid())
        return sums, tails


def cosine_series(model: Model, n: int, tangent: bool, digits: int | None = None) -> CosineSeries:
    """Return the first n coefficients of the kernel of a model's samples in their cosine.

    Args:
        model: with checked samples.
        n: number of coefficients, 1 to 1,024.
        tangent: whether the kernel is the tangent kernel.
        digits: those of the proven enclosures, or None for floats alone.

    Raises:
        InvalidInputError: n is out of range, a row is zero, or the norms differ and the kernel does not factor.
        ConvergenceError, AccuracyError, NotIntegrableError: as `cosine_coefficients`.
    """
    n = check_count("n", n, 1, "the number of coefficients", _MOST)
    squares = _mean_squares(model.samples)
    mean: float | None = float(squares.mean())
    if not equal_norms(squares):
        if model.depth != 0 and (model.sigma_b or not model.recursion.homogeneous):
            raise InvalidInputError(
                f"X has rows of |x|^2/d from {squares.min():.6g} to {squares.max():.6g}: the kernel is a function of "
                "the cosine alone at equal norms; scale the rows with hermite_dual.on_sphere(X)"
            )
        mean = None
    if model.depth == 0:
        zero = None if digits is None else CosineEnclosure((arb(0),) * n, arb(0))
        return CosineSeries(np.zeros(n), 0.0, 0.0, mean, zero)
    top = model.sigma_u**2 * (1.0 if mean is None else mean) + model.sigma_b**2
    if top == 0.0:
        raise InvalidInputError("sigma_u = sigma_b = 0: the kernel does not depend on the data; take sigma_u > 0")
    if digits is not None:
        balls = cosine_balls(model, 1.0 if mean is None else mean, n, tangent, digits)
        return _enclosed(balls, mean, digits)
    series = cosine_coefficients(model, top, n, tangent)
    remainder = max(series.at_one - float(series.coefficients.sum()), 0.0)
    return CosineSeries(series.coefficients, remainder, series.error, mean)


def _enclosed(series: BallSeries, mean: float | None, digits: int) -> CosineSeries:
    """Return a series whose floats round its balls; nothing in it is negative."""
    with working_precision(bits_for(2 * digits)):
        coefficients = tuple(series.coefficients())
        remainder = series.at_one - sum(coefficients, arb(0))
        values, errors = rounded(coefficients)
        end = max(float(remainder.mid()), 0.0)
        error = sum(map(arb, errors.tolist()), abs(remainder - arb(end)))
    enclosure = CosineEnclosure(coefficients, remainder)
    return CosineSeries(np.maximum(values, 0.0), end, upper_float(error), mean, enclosure)


def _mean_squares(samples: Array) -> Array:
    """Return `|x_i|^2/d`, shape (m,), of rows that have a direction."""
    if not samples.any(axis=1).all():
        row = int(np.flatnonzero(~samples.any(axis=1))[0])
        raise InvalidInputError(f"row {row} of X is zero: its cosines with others are undefined; remove it")
    return np.asarray(np.einsum("ij,ij->i", samples, samples) / samples.shape[1])

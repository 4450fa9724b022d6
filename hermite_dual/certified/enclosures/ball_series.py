"""Power series with coefficients that are not negative, in balls, and dual kernels as such series.

Derivation: docs/theory/layers.md, "Proven series".
"""

from dataclasses import dataclass

from flint import arb, arb_poly

from hermite_dual.cached_property import cached_property
from hermite_dual.certified.balls.elementary import integer_power
from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.certified.enclosures.second_moment import second_moment_ball
from hermite_dual.errors import ConvergenceError
from hermite_dual.shape.shape import Shape

_GUARD = 6
"""Digits beyond those of the series, which sums of many squares lose."""
_FEWEST, _MOST = 32, 2048
"""Terms of a dual kernel of a series with a constant term; each try takes twice as many."""
_PLACES = tuple(arb(2) ** (-j / 4) for j in range(100))
"""Where terms left out are bounded: dense enough that the best costs little, small enough for any constant term."""
_STEPS = 200
"""Of Newton's method for the constant term, which gains digits like a geometric series at worst."""


@dataclass(frozen=True, eq=False)
class BallSeries:
    """`f(xi) = sum_p f_p xi^p` on [-1, 1], all `f_p >= 0`, enclosed; the ball version of `TruncatedSeries`.

    Attributes:
        polynomial: the first coefficients.
        length: how many, n.
        at_one: holds `f(1)`, the sum of all coefficients.
    """

    polynomial: arb_poly
    length: int
    at_one: arb

    def coefficients(self) -> list[arb]:
        """Return the balls of `f_p`, p < n."""
        return [self.polynomial[p] for p in range(self.length)]

    def __add__(self, other: "BallSeries | arb | float") -> "BallSeries":
        """Return the sum."""
        if isinstance(other, BallSeries):
            return BallSeries(self.polynomial + other.polynomial, self.length, self.at_one + other.at_one)
        return BallSeries(self.polynomial + arb(other), self.length, self.at_one + other)

    def __mul__(self, other: "BallSeries | arb | float") -> "BallSeries":
        """Return the product."""
        if isinstance(other, BallSeries):
            polynomial = (self.polynomial * other.polynomial).truncate(self.length)
            return BallSeries(polynomial, self.length, self.at_one * other.at_one)
        return BallSeries(self.polynomial * arb(other), self.length, self.at_one * other)

    __rmul__ = __mul__

    def resolvent(self) -> "BallSeries":
        """Return `1/(1 - f)`, for `f(1) < 1`."""
        return BallSeries(inverse(1 - self.polynomial, self.length), self.length, 1 / (1 - self.at_one))


def inverse(series: arb_poly, n: int) -> arb_poly:
    """Return n coefficients of `1/f`: if g has m right ones, `g (2 - f g)` has 2 m."""
    result, known = arb_poly([1 / series[0]]), 1
    while known < n:
        known = min(2 * known, n)
        result = (result * (2 - (series.truncate(known) * result).truncate(known))).truncate(known)
    return result


@dataclass(frozen=True, eq=False)
class BallDual:
    """The dual kernel at one variance as a power series of the correlation, in balls.

    Attributes:
        shape: that of phi.
        variance: q > 0.
        digits: relative accuracy of what is computed here.
    """

    shape: Shape
    variance: arb
    digits: int

    def of(self, covariance: BallSeries) -> BallSeries:
        """Return `k(q, q, c)` for a series c with `c(1) = q`."""
        n = covariance.length
        return BallSeries(self.compose(covariance.polynomial, n), n, self.total)

    @cached_property
    def total(self) -> arb:
        """`E[phi(sqrt(q) Z)^2]`."""
        return second_moment_ball(self.shape, self.variance, self.digits + _GUARD)

    def compose(self, covariance: arb_poly, n: int) -> arb_poly:
        """Return n coefficients of `sum_r a_r^2 (c/q)^r`, of as many r as it takes, what is left out included.

        Args:
            covariance: the first n coefficients of c, with `c(1) <= q`.
            n: how many.
        """
        ratio = covariance * (1 / self.variance)
        # (c/q)^r begins with degree r if the constant term is zero
        finite = bool(ratio[0].is_zero())
        count = n if finite else max(n, _FEWEST)
        while True:
            squares = [a * a for a in coefficient_balls(self.shape, count, self.variance, self.digits + _GUARD)]
            missing = [arb(0)] * n if finite else _left_out(ratio, n, count, self.total - sum(squares, arb(0)))
            if count >= _MOST or sum(missing, arb(0)) <= self.total * arb(10) ** -self.digits:
                break
            count = min(2 * count, _MOST)
        result = arb_poly([])
        for square in reversed(squares):
            result = (result * ratio).truncate(n) + square
        return result.truncate(n) + arb_poly([arb(0).union(bound) for bound in missing])

    def solve(self, slope: "BallDual", weight: arb, inputs: BallSeries, contraction: arb) -> BallSeries:
        """Return the series S with `S = weight k(q, q, S) + P`, degree by degree, twice as many in each step.

        Args:
            slope: the dual of phi'.
            weight: sigma_w^2.
            inputs: P, with `q = weight E[phi(sqrt(q) Z)^2] + P(1)`.
            contraction: an upper bound of `sigma_w^2 L^2`, below 1.

        Raises:
            ConvergenceError: the constant term is not found.
        """
        start = self._constant(slope, weight, inputs.polynomial[0], contraction)
        solution, known, n = arb_poly([start]), 1, inputs.length
        while known < n:
            length = min(2 * known, n)
            # of the exact S the first m coefficients cancel, and of what they leave the unknown ones are linear
            excess = weight * self.compose(solution, length) + inputs.polynomial.truncate(length) - solution
            factor = inverse(1 - weight * slope.compose(solution, known), known)
            step = (excess.right_shift(known) * factor).truncate(length - known)
            solution, known = solution + step.left_shift(known), length
        return BallSeries(solution, n, self.variance)

    def _constant(self, slope: "BallDual", weight: arb, inner: arb, contraction: arb) -> arb:
        """Enclose the zero of `weight k(q, q, c) + P_0 - c` by its value at a point over the contraction."""
        place = arb(0)
        for _ in range(_STEPS):
            excess = weight * self.compose(arb_poly([place]), 1)[0] + inner - place
            if excess.is_zero():
                return place
            step = (excess / (1 - weight * slope.compose(arb_poly([place]), 1)[0])).mid()
            # below its own uncertainty a step leads nowhere
            if excess.contains(0) or abs(step) <= self.variance * arb(10) ** -self.digits:
                return place + arb(0, (abs(excess) / (1 - contraction)).upper())
            place = (place + step).mid().min(arb(self.variance.lower()))  # where the series is known
        raise ConvergenceError("the constant term of the series is not found: reduce sigma_w")


def _left_out(ratio: arb_poly, n: int, count: int, tail: arb) -> list[arb]:
    """Bound what the terms from r = count on add to each coefficient of `sum_r a_r^2 f^r`.

    `[xi^p] f^r <= f(t)^r t^-p` for `0 < t <= 1`, where `f(t) <= f(1) <= 1`.

    Args:
        ratio: f.
        n: how many coefficients.
        count: the first r left out.
        tail: holds `sum_{r >= count} a_r^2`.
    """
    total = arb(tail.upper()).max(arb(0))
    powers = [(integer_power(ratio(place).upper().min(arb(1)), count), place) for place in _PLACES]
    bounds, shares = [], [power for power, _ in powers]
    for _ in range(n):
        least = shares[0]
        for share in shares[1:]:
            least = least.min(share)
        bounds.append(arb((total * least).upper()))
        shares = [share / place for share, (_, place) in zip(shares, powers, strict=True)]
    return bounds

"""The mean field of a wide network at given scales: fixed points, their susceptibilities and depth scales.

Derivation: docs/theory/mean_field.md, "Susceptibilities and depth scales".
"""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from hermite_dual.activation import Activation, ActivationLike, activation
from hermite_dual.cached_property import cached_property
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import real_number
from hermite_dual.float_state import own_float_state
from hermite_dual.mean_fields.correlation import CorrelationLimit, correlation_limit
from hermite_dual.mean_fields.fixed_points import Stability, fixed_points
from hermite_dual.mean_fields.variance_map import check_parameters, gradient_moment, moment_slope, slope_at_zero
from hermite_dual.notebook import Shown, Told
from hermite_dual.population.entries.price_dual import slope_of

if TYPE_CHECKING:
    from hermite_dual.mean_fields.completeness import Completeness
    from hermite_dual.mean_fields.proven import Enclosure

Phase = Literal["ordered", "critical", "chaotic", "divergent"]

CRITICAL = 1e-12
"""`|chi - 1|` within it is critical: a few hundred roundings, and a depth scale of 10^12 layers."""
_LARGEST_SCALE = 1e20
"""Of weights and biases: beyond it there is nothing but overflow and patience."""


@own_float_state
@dataclass(frozen=True, repr=False)
class FixedPoint(Shown):
    """A fixed point `q = F(q)`, `F(q) = sigma_w^2 V(q) + sigma_b^2`, and what becomes of variances and correlations.

    At q = infinity, where variances grow without bound, the other numbers are NaN. At q = 0 there is no correlation.

    Attributes:
        q: the variance, 0 and infinity included.
        stability: whether variances nearby tend to it.
        chi_par: `F'(q) = sigma_w^2 V'(q)`, factor per layer of a small change of the variance.
        chi_1: `sigma_w^2 kdot(q, q, q)`, slope of the correlation map at 1 and factor per layer of squared gradients,
            also called chi_perp; infinite where phi jumps.
        enclosure: proven enclosures of these three, or None where `digits` was not given.
    """

    q: float
    stability: Stability
    chi_par: float
    chi_1: float
    enclosure: "Enclosure | None"
    _network: tuple[Activation, float, float] = field(repr=False)
    _beyond: int = field(repr=False)

    @cached_property
    def _limit(self) -> CorrelationLimit:
        phi, weight, bias = self._network
        linear = phi.shape.homogeneous and phi.parity == "odd" and bias == 0.0
        if self.q == 0.0 or math.isinf(self.q) or linear:
            return CorrelationLimit(math.nan, math.nan)
        if self.phase == "critical":
            return CorrelationLimit(0.0, self.chi_1)
        return correlation_limit(phi, self.q, weight, bias, self.chi_1)

    @property
    def c_star(self) -> float:
        """The stable fixed point c* in [0, 1] of the correlation map `c -> (sigma_w^2 k(q, q, c q) + sigma_b^2)/q`.

        1 in the ordered phase and at criticality, below 1 in the chaotic phase. NaN at q = 0 and infinity, and for a
        linear network without biases, which keeps every correlation.

        Raises:
            AccuracyError: the kernel at this variance is beyond quadrature.
        """
        return self._limit.correlation

    @property
    def gap(self) -> float:
        """The difference `1 - c*`, relatively accurate where c* is close to 1."""
        return self._limit.gap

    @property
    def chi_c(self) -> float:
        """The slope of the correlation map at c*; equal to `chi_1` where c* = 1."""
        return self._limit.slope

    @property
    def xi_q(self) -> float:
        """Depth scale `-1/log|chi_par|` of variances in layers, infinite at 1; negative where they move away."""
        return depth_scale(self.chi_par)

    @property
    def xi_1(self) -> float:
        """Depth scale `-1/log chi_1` of gradients; negative in the chaotic phase, where they grow."""
        return depth_scale(self.chi_1)

    @property
    def xi_c(self) -> float:
        """Depth scale `-1/log C'(c*)` over which correlations tend to c*; infinite at criticality."""
        return depth_scale(self.chi_c)

    @property
    def phase(self) -> Phase:
        """The phase, ordered for chi_1 < 1, critical at 1 within 1e-12, chaotic above; divergent at infinity."""
        if math.isinf(self.q):
            return "divergent"
        if abs(self.chi_1 - 1.0) <= CRITICAL:
            return "critical"
        return "ordered" if self.chi_1 < 1.0 else "chaotic"


@own_float_state
@dataclass(frozen=True, repr=False)
class MeanField(Shown):
    """The mean field of an infinitely wide network; made by `mean_field`.

    `q_star`, `chi_par`, `chi_1`, `c_star`, `xi_q`, `xi_1`, `xi_c` and `phase` are those of `towards(1.0)`, the fixed
    point that the unit variance of standardized inputs moves towards.

    Attributes:
        activation: phi.
        sigma_w: scale of the weights, `W_ij ~ N(0, sigma_w^2 / width)`.
        sigma_b: scale of the biases.
        fixed_points: all within `searched`, increasing; 0 where it is one, infinity where variances run there. Where
            every variance is fixed (ReLU at sigma_w^2 = 2 without biases) one at q = 1, `neutral`, stands for all.
        searched: the interval of variances outside of which fixed points other than 0 are not known of; [0, inf) where
            a bound of phi or its Lipschitz constant excludes them, and less where phi ceases to be square-integrable.
            `completeness` is the proof that none is missing.
    """

    activation: Activation
    sigma_w: float
    sigma_b: float
    fixed_points: tuple[FixedPoint, ...]
    searched: tuple[float, float]
    _scales: tuple[Any, Any] = field(repr=False)

    @cached_property
    def completeness(self) -> "Completeness":
        """Whether `fixed_points` has every fixed point, 0 and infinity included, proven in balls, which takes seconds.

        PROVEN, REFUTED, or UNDECIDED with the reason, as where two fixed points meet, where chi at 0 is 1, for
        functions in Python, and where the growth of phi is not understood.
        """
        from hermite_dual.mean_fields.completeness import completeness

        return completeness(self.activation, self._scales, [point.q for point in self.fixed_points])

    def _told(self) -> Told:
        points = ", ".join(f"q = {point.q:.10g} ({point.stability})" for point in self.fixed_points)
        network = [(name, getattr(self, name)) for name in ("activation", "sigma_w", "sigma_b")]
        return [*network, ("fixed_points", points), ("phase", self.phase), ("searched", self.searched)]

    def towards(self, start: float = 1.0) -> FixedPoint:
        """Return the fixed point that a variance moves towards.

        `F(q) - q` has one sign between neighbouring fixed points: this is the next one in its direction, which
        `q -> F(q)` tends to where F is increasing, as for all monotone activations with `phi(0) = 0`.

        Args:
            start: the variance of the first layer, above 0.
        """
        start = real_number(start, "start", "allowed are variances above 0")
        if not start > 0.0:
            raise InvalidInputError(f"start = {start}: allowed are variances above 0")
        below = [point for point in self.fixed_points if point.q < start]
        above = [point for point in self.fixed_points if point.q >= start]
        rises = below[-1]._beyond > 0 if below else True
        neutral = [point for point in self.fixed_points if point.stability is Stability.NEUTRAL]
        here = above[:1] if above and (rises or above[0].q == start) else below[-1:]
        return (neutral or here or self.fixed_points)[0]

    @property
    def q_star(self) -> float:
        """The variance q* of `towards(1.0)`."""
        return self.towards().q

    @property
    def chi_par(self) -> float:
        """The susceptibility `F'(q*)`; see `FixedPoint`."""
        return self.towards().chi_par

    @property
    def chi_1(self) -> float:
        """The susceptibility `sigma_w^2 kdot(q*, q*, q*)`; see `FixedPoint`."""
        return self.towards().chi_1

    @property
    def c_star(self) -> float:
        """The correlation c*; see `FixedPoint.c_star`."""
        return self.towards().c_star

    @property
    def xi_q(self) -> float:
        """Depth scale of variances; see `FixedPoint.xi_q`."""
        return self.towards().xi_q

    @property
    def xi_1(self) -> float:
        """Depth scale of gradients; see `FixedPoint.xi_1`."""
        return self.towards().xi_1

    @property
    def xi_c(self) -> float:
        """Depth scale of correlations; see `FixedPoint.xi_c`."""
        return self.towards().xi_c

    @property
    def phase(self) -> Phase:
        """The phase; see `FixedPoint.phase`."""
        return self.towards().phase


@own_float_state
def mean_field(phi: ActivationLike, sigma_w: Any, sigma_b: Any = 0.0, *, digits: int | None = None) -> MeanField:
    """Return all fixed points of the variance map of an infinitely wide network, with their susceptibilities.

    `F(q) = sigma_w^2 V(q) + sigma_b^2` with `V(q) = E[phi(sqrt(q) Z)^2]` maps the variance of one layer to that of the
    next. Fixed points are the changes of sign of `F(q) - q` on a grid in log(q) and between the extrema in it;
    `|F(q) - q| <= 1e-13 q` counts as 0, so that two roots nearer to one another than that tells apart are one,
    `half-stable`, placed where `chi_par = 1`.

    Args:
        phi: the activation, as `hermite_dual.activation` reads it.
        sigma_w: scale of the weights, not negative.
        sigma_b: scale of the biases, not negative.
        digits: significant digits of proven enclosures `FixedPoint.enclosure`; scales are then taken as they are given,
            floats as their binary values, `sympy.sqrt(sympy.Rational(3, 2))` exactly.

    Raises:
        InvalidInputError: a scale is negative or not finite, or phi a Python function without a known derivative.
        AccuracyError: F exceeds q where quadrature ends, or an enclosure cannot be proven, as at a double root.
        NotIntegrableError: phi is not square-integrable at any variance.

    >>> import sympy as sp
    >>> field = mean_field("erf", sp.sqrt(sp.Rational(3, 2)), sp.sqrt(sp.Rational(1, 10)))
    >>> round(field.q_star, 11), round(field.chi_1, 11), field.phase
    (0.69110043383, 0.98435872532, 'ordered')
    """
    act = activation(phi)
    check_parameters(act)
    w, b = check_scale(sigma_w, "sigma_w"), check_scale(sigma_b, "sigma_b")
    weight, bias = w * w, b * b
    if act.expr is None:
        slope_of(act)  # before a search, which without a formula takes long
    search = fixed_points(act, weight, bias)
    enclosures: list[Enclosure | None] = [None] * len(search.roots)
    if digits is not None:
        from hermite_dual.mean_fields.proven import enclose_fixed_point, refuse_double_roots

        refuse_double_roots(act, search.roots)
        enclosures = [
            enclose_fixed_point(act, sigma_w, sigma_b, root, digits) if math.isfinite(root.q) else None
            for root in search.roots
        ]
    points = tuple(
        FixedPoint(
            root.q, root.stability, *susceptibilities(act, weight, root.q), enclosure, (act, weight, bias), root.beyond
        )
        for root, enclosure in zip(search.roots, enclosures, strict=True)
    )
    exact = (sigma_w, sigma_b) if digits is not None else (w, b)
    return MeanField(act, w, b, points, search.searched, exact)


def susceptibilities(phi: Activation, weight: float, q: float) -> tuple[float, float]:
    """Return `chi_par` and `chi_1` at a fixed point; at 0 both are `sigma_w^2 (phi'(0-)^2 + phi'(0+)^2)/2`."""
    if math.isinf(q):
        return math.nan, math.nan
    if weight == 0.0:
        return 0.0, 0.0
    if q == 0.0:
        return (weight * slope_at_zero(phi),) * 2
    return weight * moment_slope(phi, q), weight * gradient_moment(phi, q)


def depth_scale(factor: float) -> float:
    """Return `-1/log|factor|`: 0 at 0 and infinity, infinity at 1."""
    size = abs(factor)
    if size == 0.0 or math.isinf(size):
        return 0.0
    return math.inf if abs(size - 1.0) <= CRITICAL else -1.0 / math.log(size)


def check_scale(value: Any, name: str) -> float:
    """Return a scale as a float, or refuse it."""
    scale = real_number(value, name, "allowed are numbers from 0 to 1e20")
    if not 0.0 <= scale <= _LARGEST_SCALE:
        raise InvalidInputError(
            f"{name} = {value}: allowed are numbers from 0 to 1e20. Pass a standard deviation in that range."
        )
    return scale

"""The edge of chaos `chi_1 = 1`, its doubly critical points, and gains of initializers.

Derivation: docs/theory/mean_field.md, "The edge of chaos", "Doubly critical points", "Gains of initializers".
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hermite_dual.activation import Activation, ActivationLike, activation
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import real_number
from hermite_dual.float_state import own_float_state
from hermite_dual.mean_fields.approach import Approach, approach_to_one
from hermite_dual.mean_fields.edge_equations import (
    SEARCHED,
    Scales,
    check_slope,
    critical_at_zero,
    doubly_critical_variances,
    edge_variances,
    scales_at,
)
from hermite_dual.mean_fields.mean_field import CRITICAL, check_scale
from hermite_dual.mean_fields.variance_map import check_parameters, moment, slope_at_zero, unit_moment
from hermite_dual.notebook import Shown

if TYPE_CHECKING:
    from hermite_dual.mean_fields.proven import EdgeEnclosure


@own_float_state
@dataclass(frozen=True, repr=False)
class EdgePoint(Shown):
    """A point of the edge of chaos: scales at which the variance q is fixed and `chi_1 = 1`.

    Attributes:
        activation: phi.
        q: the fixed variance q*; 0 where phi is linear at such variances. Where every variance is fixed (homogeneous
            phi), 1 stands for all unless one was asked for.
        sigma_w2: `sigma_w^2 = 1/kdot(q, q, q)`.
        sigma_b2: `sigma_b^2 = q - sigma_w^2 V(q)`.
        chi_par: `V'(q)/kdot(q, q, q)`; the fixed point attracts variances where it is below 1.
        enclosure: proven enclosures of these four, or None where `digits` was not given.
    """

    activation: Activation
    q: float
    sigma_w2: float
    sigma_b2: float
    chi_par: float
    enclosure: "EdgeEnclosure | None"

    @property
    def sigma_w(self) -> float:
        """The scale of the weights."""
        return math.sqrt(self.sigma_w2)

    @property
    def sigma_b(self) -> float:
        """The scale of the biases."""
        return math.sqrt(self.sigma_b2)

    @property
    def is_doubly_critical(self) -> bool:
        """Whether `chi_par = 1` as well, within 1e-12."""
        return abs(self.chi_par - 1.0) <= CRITICAL

    @property
    def approach(self) -> Approach | None:
        """How correlations tend to 1 on the edge, `1 - c_l ~ constant / l^power`; None where neither law applies.

        `power = 1` and `constant = 2 E[phi'^2]/(q E[phi''^2])` where phi' is continuous; `power = 2` and
        `constant = 4/s^2`, `s = sigma_w^2 sqrt(2) sum_k J_k^2 exp(-x_k^2/(2q))/(3 pi)`, where phi' jumps by J_k at x_k.
        """
        return approach_to_one(self.activation, self.q, self.sigma_w2)


@own_float_state
def edge_of_chaos(
    phi: ActivationLike, *, q: Any = None, sigma_b: Any = None, digits: int | None = None
) -> tuple[EdgePoint, ...]:
    """Return the points of the edge of chaos, where `chi_1 = sigma_w^2 kdot(q*, q*, q*) = 1`.

    Every variance q has at most one: `sigma_w^2 = 1/kdot(q, q, q)`, `sigma_b^2 = q - sigma_w^2 V(q)`, admissible where
    that is not negative. Given `sigma_b`, q is solved for, between 1e-12 and 400 and at 0.

    Args:
        phi: the activation, as `hermite_dual.activation` reads it.
        q: the variance that is to be fixed, above 0.
        sigma_b: or the scale of the biases, not negative.
        digits: significant digits of the proven enclosures `EdgePoint.enclosure`; q and sigma_b are then taken exactly.

    Returns:
        All points, by increasing q; one where q is given. There is at least one.

    Raises:
        InvalidInputError: not exactly one of q and sigma_b is given, there is no point, or phi jumps, so that
            `chi_1` is infinite at every variance.
        AccuracyError: an enclosure cannot be proven.

    >>> round(edge_of_chaos("tanh", q=0.5)[0].sigma_w2, 6)
    1.687975
    """
    act = activation(phi)
    check_parameters(act)
    if (q is None) == (sigma_b is None):
        raise InvalidInputError("edge_of_chaos needs the variance q= or the scale sigma_b= of the biases, one of both")
    check_slope(act)
    if sigma_b is None:
        variance = real_number(q, "q", "allowed are variances above 0")
        if not variance > 0.0:
            raise InvalidInputError(f"q = {q}: allowed are variances above 0")
        return (_with_enclosure(edge_point(act, variance), digits, q=q),)
    bias = check_scale(sigma_b, "sigma_b") ** 2
    places = edge_variances(act, bias)
    unit = unit_moment(act)
    if not places and unit is not None:
        raise InvalidInputError(
            f"{act.name} has no edge of chaos at sigma_b = {sigma_b}: phi(t x) = t phi(x) for t > 0, so that the edge "
            f"is sigma_w = {1.0 / math.sqrt(unit):.7g} at sigma_b = 0, for every variance"
        )
    if not places:
        raise InvalidInputError(
            f"{act.name} has no edge of chaos at sigma_b = {sigma_b}, for variances of {SEARCHED[0]:g} to "
            f"{SEARCHED[1]:g}: edge_of_chaos(phi, q=...) tells at which variances there is one"
        )
    return tuple(_with_enclosure(_at(act, place, bias), digits, sigma_b=sigma_b) for place in places)


@own_float_state
def doubly_critical(phi: ActivationLike, *, digits: int | None = None) -> tuple[EdgePoint, ...]:
    """Return the points of the edge of chaos where `chi_par = 1` too: neither variances nor correlations have a scale.

    They solve `V'(q) = kdot(q, q, q)`, that is `E[phi phi''] = 0`, where `sigma_b^2 >= 0`. At q = 0 there is one where
    `phi(0) = 0` and `phi'(0) != 0`, at `sigma_w = 1/|phi'(0)|` without biases.

    Args:
        phi: the activation, as `hermite_dual.activation` reads it.
        digits: significant digits of the proven enclosures `EdgePoint.enclosure`.

    Returns:
        The points by increasing q, between 1e-12 and 400 and at 0; none where phi has none there.

    Raises:
        InvalidInputError: phi jumps, or is a Python function without a known derivative.
        AccuracyError: an enclosure cannot be proven.

    >>> [round(point.q, 8) for point in doubly_critical("gelu")]
    [0.0, 3.56155281]
    """
    act = activation(phi)
    check_parameters(act)
    check_slope(act)
    if unit_moment(act) is not None:
        return (_with_enclosure(edge_point(act, 1.0), digits, q=1),)

    points = [scales_at(act, q) for q in doubly_critical_variances(act)]
    zero = [_at(act, 0.0, 0.0)] if critical_at_zero(act) else []
    admissible = [*zero, *(_edge(act, scales) for scales in points if scales.sigma_b2 >= 0.0)]
    return tuple(_with_enclosure(point, digits, doubly=True) for point in admissible)


@own_float_state
def gain(phi: ActivationLike, *, critical: bool = False, variance: Any = 1.0) -> float:
    """Return the gain of an initializer, `std = gain / sqrt(fan_in)`.

    `sqrt(q/V(q))`, which keeps the variance q of preactivations without biases (for ReLU, sqrt(2)); with `critical`
    `1/sqrt(kdot(q, q, q))`, which keeps the size of gradients there. The second keeps q as well with the biases
    `sigma_b` of `edge_of_chaos(phi, q=q)`.

    Args:
        phi: the activation, as `hermite_dual.activation` reads it.
        critical: whether gradients are to be kept in place of variances.
        variance: q, above 0.

    Raises:
        InvalidInputError: phi or its derivative vanishes, phi jumps, or q is out of range.

    >>> round(gain("relu") ** 2, 12), round(gain("tanh"), 6)
    (2.0, 1.592537)
    """
    act = activation(phi)
    check_parameters(act)
    q = real_number(variance, "variance", "allowed are numbers above 0")
    if not q > 0.0:
        raise InvalidInputError(f"variance = {variance}: allowed are numbers above 0")
    if critical:
        check_slope(act)
        return math.sqrt(scales_at(act, q).sigma_w2)
    size = moment(act, q)
    if size == 0.0:
        raise InvalidInputError(f"{act.name} vanishes at variance {q:g}: no gain keeps its variance")
    return math.sqrt(q / size)


def edge_point(phi: Activation, q: float) -> EdgePoint:
    """Return the point of the edge at a variance, or say why it is not admissible."""
    scales = scales_at(phi, q)
    if scales.sigma_b2 < 0.0:
        raise InvalidInputError(
            f"{phi.name} has no edge of chaos at q = {q:g}: sigma_b^2 would be {scales.sigma_b2:.6g}, as "
            f"V(q) = {moment(phi, q):.6g} exceeds q kdot(q, q, q) = {q / scales.sigma_w2:.6g}; take another variance"
        )
    return _edge(phi, scales)


def _edge(phi: Activation, scales: Scales) -> EdgePoint:
    return EdgePoint(phi, *scales, None)


def _at(phi: Activation, q: float, bias: float) -> EdgePoint:
    """Return the point at a variance that has been solved for."""
    if q == 0.0:
        return EdgePoint(phi, 0.0, 1.0 / slope_at_zero(phi), 0.0, 1.0, None)
    scales = scales_at(phi, q)
    return EdgePoint(phi, q, scales.sigma_w2, bias, scales.chi_par, None)


def _with_enclosure(point: EdgePoint, digits: int | None, **condition: Any) -> EdgePoint:
    if digits is None:
        return point
    from hermite_dual.mean_fields.proven import enclose_edge

    enclosure = enclose_edge(point.activation, point.q, digits, **condition)
    return EdgePoint(point.activation, point.q, point.sigma_w2, point.sigma_b2, point.chi_par, enclosure)

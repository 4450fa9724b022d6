"""Proven enclosures of fixed points and of points of the edge of chaos.

A change of sign between two exact numbers, in balls, proves that there is a root between them; everything else is
evaluated on the whole ball, so that it holds at the root wherever it lies in there.

Derivation: docs/theory/mean_field.md, "Proofs".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from flint import arb

from hermite_dual.activation import Activation
from hermite_dual.cached_property import cached_property
from hermite_dual.certified.balls.ball_functions import BallFunction, to_ball
from hermite_dual.certified.balls.precision import bits_for, working_precision
from hermite_dual.certified.enclosures.coefficients import check_digits, coefficient_balls, value_ball
from hermite_dual.certified.enclosures.proven_root import proven_root
from hermite_dual.certified.enclosures.second_moment import second_moment_ball
from hermite_dual.errors import AccuracyError, InvalidInputError
from hermite_dual.mean_fields.fixed_points import Stability, VarianceRoot
from hermite_dual.mean_fields.proven_correlation import enclose_correlation, enclose_correlation_slope
from hermite_dual.notebook import Shown
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.shape.shape import Shape, shape_of

_GUARD = 12
"""Digits to which roots are known beyond those asked for of values on their balls, kernels between kinks included."""


@dataclass(frozen=True, repr=False)
class Enclosure(Shown):
    """Proven enclosures at a fixed point of the variance map, as `flint.arb`.

    Attributes:
        q: holds a fixed point.
        chi_par: holds `F'` on all of that ball.
        chi_1: holds `sigma_w^2 kdot` on all of that ball; infinite where phi jumps.
    """

    q: arb
    chi_par: arb
    chi_1: arb
    _network: tuple[Activation, arb, arb, int] = field(repr=False, compare=False)

    @cached_property
    def c_star(self) -> arb:
        """Holds the stable fixed point c* of the correlation map; NaN at q = 0 and where every correlation is fixed.

        Computed when it is first asked for, in about a second where `chi_1 > 1`.

        Raises:
            AccuracyError: `chi_1` is not told from 1, or no change of sign is proven.
        """
        phi, weight, bias, digits = self._network
        linear = phi.shape.homogeneous and phi.parity == "odd" and bias.is_zero()
        if self.q.is_zero() or linear:
            return arb("nan")
        return enclose_correlation(phi, (weight, bias), self.q, self.chi_1, digits)

    @cached_property
    def chi_c(self) -> arb:
        """Holds the slope of the correlation map at c*.

        Raises:
            AccuracyError: as `c_star`; or phi jumps.
        """
        phi, weight, _, digits = self._network
        return enclose_correlation_slope(phi, weight, self.q, self.c_star, self.chi_1, digits)

    @property
    def is_only_one(self) -> bool:
        """Whether there is no other fixed point in the ball, as `F' - 1` has one sign on it."""
        return bool(self.chi_par < 1 or self.chi_par > 1)

    @property
    def is_stable(self) -> bool | None:
        """Whether the fixed point is proven to attract variances nearby, or proven not to; None if neither."""
        size = abs(self.chi_par)
        return True if size < 1 else False if size > 1 else None


@dataclass(frozen=True, repr=False)
class EdgeEnclosure(Shown):
    """Proven enclosures at a point of the edge of chaos, as `flint.arb`.

    Attributes:
        q: holds a variance at which `chi_1 = 1` and the condition asked for is met.
        sigma_w2: holds `sigma_w^2` there.
        sigma_b2: holds `sigma_b^2` there.
        chi_par: holds `chi_par` there.
    """

    q: arb
    sigma_w2: arb
    sigma_b2: arb
    chi_par: arb


def enclose_fixed_point(phi: Activation, sigma_w: Any, sigma_b: Any, root: VarianceRoot, digits: int) -> Enclosure:
    """Prove that there is a fixed point near a float.

    Args:
        phi: the activation, given as a formula.
        sigma_w: scale of the weights, exact.
        sigma_b: scale of the biases, exact.
        root: the fixed point as float64 knows it, finite.
        digits: significant digits.

    Raises:
        InvalidInputError: phi is a Python function.
        AccuracyError: no change of sign is proven.
    """
    shape = _formula(phi, digits)
    with working_precision(_bits(digits)):
        weight, bias = square_ball(sigma_w, "sigma_w"), square_ball(sigma_b, "sigma_b")
        network = (phi, weight, bias, digits)
        if weight.is_zero():
            return Enclosure(bias, arb(0), arb(0), network)
        if root.q == 0.0:
            _check_zero(phi, shape, bias)
            chi = weight * slope_at_zero_ball(phi, shape)
            return Enclosure(arb(0), chi, chi, network)
        if shape.homogeneous:
            chi = weight * unit_moment_ball(shape)
            # 1 stands for all variances where every one is fixed
            return Enclosure(arb(1) if chi.contains(1) else bias / (1 - chi), chi, chi, network)

        def excess(q: arb, accuracy: int) -> arb:
            return weight * _variance(shape, q, accuracy)[0] + bias - q

        q = proven_root(excess, root.q, digits + _GUARD)
        return Enclosure(q, weight * _variance(shape, q, digits)[1], _gradient(phi, q, digits, weight), network)


def refuse_double_roots(phi: Activation, roots: Sequence[VarianceRoot]) -> None:
    """Refuse, before anything is proven, fixed points that no change of sign can prove."""
    for root in roots:
        if root.stability is Stability.HALF_STABLE:
            raise AccuracyError(
                f"the fixed point of {phi.name} near q = {root.q:.10g} is a double one as far as float64 sees: no sign "
                "changes there, so that nothing is proven; doubly_critical(phi, digits=...) encloses the critical point"
            )


def enclose_edge(
    phi: Activation, place: float, digits: int, *, q: Any = None, sigma_b: Any = None, doubly: bool = False
) -> EdgeEnclosure:
    """Prove a point of the edge of chaos at a variance, at a scale of the biases, or where `chi_par = 1`.

    Args:
        phi: the activation, given as a formula.
        place: the variance as float64 knows it.
        digits: significant digits.
        q: the exact variance, if it is given.
        sigma_b: or the exact scale of the biases.
        doubly: or whether `chi_par = 1` is the condition.

    Raises:
        InvalidInputError: phi is a Python function.
        AccuracyError: no change of sign is proven.
    """
    shape = _formula(phi, digits)
    with working_precision(_bits(digits)):
        if place == 0.0:
            _check_zero(phi, shape, arb(0))
            return EdgeEnclosure(arb(0), 1 / slope_at_zero_ball(phi, shape), arb(0), arb(1))
        if shape.homogeneous:
            variance = to_ball(1 if q is None else q, "q")
            return EdgeEnclosure(variance, 1 / unit_moment_ball(shape), arb(0), arb(1))
        if q is not None:
            variance = to_ball(q, "q")
        else:
            bias = None if sigma_b is None else square_ball(sigma_b, "sigma_b")

            def condition(at: arb, accuracy: int) -> arb:
                value, slope = _variance(shape, at, accuracy)
                steep = _gradient(phi, at, accuracy)
                return at * (slope / steep - 1) if bias is None else at - value / steep - bias

            variance = proven_root(condition, place, digits + _GUARD)
        value, slope = _variance(shape, variance, digits)
        steep = _gradient(phi, variance, digits)
        biases = variance - value / steep if sigma_b is None else square_ball(sigma_b, "sigma_b")
        return EdgeEnclosure(variance, 1 / steep, biases, arb(1) if doubly else slope / steep)


def _bits(digits: int) -> int:
    return bits_for(2 * digits + 40) + 64


def _formula(phi: Activation, digits: int) -> Shape:
    check_digits(digits)
    if phi.expr is None:
        raise InvalidInputError(
            f"{phi.name} is a Python function, of which nothing can be proven: give it as a formula, or leave "
            "out digits="
        )
    return phi.shape


def square_ball(scale: Any, name: str) -> arb:
    """Return the square of an exact scale."""
    return to_ball(sp.expand(scale**2), name) if isinstance(scale, sp.Expr) else to_ball(scale, name) ** 2


def _variance(shape: Shape, q: arb, digits: int) -> tuple[arb, arb]:
    """Return `V(q)` and `V'(q) = a_2[phi^2](q)/(sqrt(2) q)`, coefficients of the square of phi."""
    zeroth, _, second = coefficient_balls(shape_of(shape.formula**2, shape.symbol), 3, q, digits + 2)
    return zeroth, second / (arb(2).sqrt() * q)


def _gradient(phi: Activation, q: arb, digits: int, weight: arb | int = 1) -> arb:
    """Return `weight kdot(q, q, q)`."""
    return arb.pos_inf() if phi.jumps else weight * second_moment_ball(slope_of(phi).shape, q, digits + 2)


def _check_zero(phi: Activation, shape: Shape, bias: arb) -> None:
    if not (bias.is_zero() and value_ball(shape).is_zero()):
        raise AccuracyError(f"phi(0) = 0 is not proven of {phi.name}: simplify its formula, or leave out digits=")


def slope_at_zero_ball(phi: Activation, shape: Shape) -> arb:
    """Return `(phi'(0-)^2 + phi'(0+)^2)/2`, the limit of `V(q)/q` at 0."""
    if phi.jumps or not shape.complete:
        raise AccuracyError(f"the slopes of {phi.name} on both sides of 0 are not proven finite: leave out digits=")
    pieces = shape.pieces
    left = sum(bool(kink < 0) for kink in pieces.kinks)
    right = sum(bool(kink <= 0) for kink in pieces.kinks)
    slopes = [BallFunction(pieces.expressions[i].diff(shape.symbol), shape.symbol)(arb(0)) for i in (left, right)]
    return (slopes[0] ** 2 + slopes[1] ** 2) / 2


def unit_moment_ball(shape: Shape) -> arb:
    """Return V(1) of a homogeneous phi."""
    function = BallFunction(shape.formula, shape.symbol)
    return (function(arb(1)) ** 2 + function(arb(-1)) ** 2) / 2

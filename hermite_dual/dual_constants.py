"""The constants of an activation that random-matrix theory is written in, in proven digits.

Derivation: docs/theory/design.md, "Constants".
"""

import math
from dataclasses import dataclass
from typing import Any

import sympy as sp
from flint import arb

from hermite_dual.certified.balls.ball_functions import to_ball
from hermite_dual.certified.balls.precision import bits_for, working_precision
from hermite_dual.certified.enclosures.coefficients import check_digits, coefficient_balls
from hermite_dual.certified.enclosures.second_moment import second_moment_ball
from hermite_dual.errors import AccuracyError, InvalidInputError
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown
from hermite_dual.shape.shape import Shape, shape_of

_GUARD_DIGITS = (4, 20, 60)
"""More digits than asked for, tried one after the other: differences lose some where phi is nearly affine."""


@own_float_state
@dataclass(frozen=True, repr=False)
class DualConstants(Shown):
    """Constants of phi under a normal law of variance q, the floats next to the middles of proven balls.

    Attributes:
        mu_0: `E[phi(sqrt(q) Z)] = a_0(q)`.
        mu_1: `E[phi(sqrt(q) Z) Z] = a_1(q)`.
        mu_star: `(E[phi(sqrt(q) Z)^2] - mu_0^2 - mu_1^2)^(1/2)`, what is nonlinear; 0 where phi is affine.
        zeta: `mu_1 / mu_star`; infinite where phi is affine, NaN where it is constant.
        eta: the variance `E[phi(sqrt(q) Z)^2] - mu_0^2 = mu_1^2 + mu_star^2`.
        balls: the `flint.arb` of each that is finite, by name.
    """

    mu_0: float
    mu_1: float
    mu_star: float
    zeta: float
    eta: float
    balls: dict[str, arb]


@own_float_state
@dataclass(frozen=True, repr=False)
class ExplicitEquivalent(Shown):
    """Coefficients of the explicit network that is equivalent to a deep equilibrium model, as in public code.

    The formulas are those of the public code of Ling et al. (arXiv 2402.02697),
    for phi minus its mean under `N(0, tau^2)`.

    Attributes:
        alpha_1: `(1 - s)/(1 - s g_1)`, `s = sigma_a^2`.
        alpha_2: `s g_2 alpha_4^2/(4 (1 - s g_1))`.
        alpha_3: `s g_2 alpha_1^2/(2 (1 - s g_1))`.
        alpha_4: `(1 - s)/(1 - s g_4/2)`.
        balls: the `flint.arb` of each, by name, and of `g_1 = E[phi'(tau Z)]^2`, `g_2 = E[phi''(tau Z)]^2` and
            `g_4 = E[(phi^2)''(tau Z)]`.
    """

    alpha_1: float
    alpha_2: float
    alpha_3: float
    alpha_4: float
    balls: dict[str, arb]


def dual_constants(shape: Shape, variance: Any = 1, digits: int = 15) -> DualConstants:
    """Enclose the constants.

    Args:
        shape: that of the activation phi.
        variance: q > 0, exact.
        digits: the radii are at most `10^-digits` times `mu_star` and `eta` themselves, the norm `E[phi^2]^(1/2)` for
            `mu_0` and `mu_1`, and the norm over `mu_star` for `zeta`.

    Raises:
        InvalidInputError, NotIntegrableError: as `coefficient_balls`.
        AccuracyError: the accuracy cannot be reached.
    """
    check_digits(digits)
    for guard in _GUARD_DIGITS:
        with working_precision(2 * bits_for(digits + guard)):
            _positive(variance, "variance")
            mu_0, mu_1 = coefficient_balls(shape, 2, variance, digits + guard)
            square = second_moment_ball(shape, variance, digits + guard)
            eta, norm = square - mu_0 * mu_0, square.sqrt()
            star = (eta - mu_1 * mu_1).sqrt()
            if _is_affine(shape):
                star, eta = arb(0), mu_1 * mu_1
            balls = {"mu_0": mu_0, "mu_1": mu_1, "mu_star": star, "eta": eta}
            sizes = {"mu_0": norm, "mu_1": norm, "mu_star": star, "eta": eta}
            if not star.is_zero():
                balls["zeta"], sizes["zeta"] = mu_1 / star, norm / star
            if all(_is_narrow(balls[name], size, digits) for name, size in sizes.items()):
                floats = {name: float(ball.mid()) for name, ball in balls.items()}
                return DualConstants(**{"zeta": _zeta_of_affine(mu_1)} | floats, balls=balls)
    raise AccuracyError(
        f"{digits} digits of the constants of {shape.formula} at variance {variance} were not reached: it is too "
        "nearly affine there; ask for fewer digits, a larger variance or an exact one"
    )


def explicit_equivalent(shape: Shape, sigma_a2: Any, tau: Any = 1, digits: int = 15) -> ExplicitEquivalent:
    """Enclose the coefficients of the equivalent explicit network.

    Args:
        shape: that of the activation phi; its mean under `N(0, tau^2)` is taken off.
        sigma_a2: `s = sigma_a^2`, the variance of the recurrent weights, between 0 and 1.
        tau: the standard deviation of the preactivations, positive.
        digits: the radii are at most `10^-digits`, or that times the coefficient where it exceeds 1.

    Raises:
        InvalidInputError: an argument is out of range, or `s g_1 >= 1` or `s g_4 >= 2`, where the formulas have a pole.
        AccuracyError, NotIntegrableError: as `coefficient_balls`, for phi and for phi^2.
    """
    check_digits(digits)
    for guard in _GUARD_DIGITS:
        with working_precision(2 * bits_for(digits + guard)):
            _positive(tau, "tau")
            s = to_ball(sigma_a2, "sigma_a2")
            if not (s > 0 and s < 1):
                raise InvalidInputError(f"sigma_a2 = {sigma_a2!r}: allowed are numbers between 0 and 1")
            balls = _derivative_means(shape, to_ball(tau, "tau") ** 2, digits + guard)
            g_1, g_2, g_4 = balls.values()
            if not (s * g_1 < 1 and s * g_4 < 2):
                raise InvalidInputError(
                    f"sigma_a2 = {sigma_a2!r} with g_1 = {float(g_1.mid()):.6g} and g_4 = {float(g_4.mid()):.6g} of "
                    f"{shape.formula} at tau = {tau}: allowed are values below 1/g_1 and 2/g_4, where the formulas "
                    "have their poles; take a smaller one"
                )
            left = 1 - s * g_1
            alpha_1, alpha_4 = (1 - s) / left, (1 - s) / (1 - s * g_4 / 2)
            balls["alpha_1"], balls["alpha_4"] = alpha_1, alpha_4
            balls["alpha_2"], balls["alpha_3"] = s * g_2 * alpha_4**2 / (4 * left), s * g_2 * alpha_1**2 / (2 * left)
            alphas = {name: ball for name, ball in balls.items() if name.startswith("alpha")}
            if all(_is_narrow(ball, abs(ball).max(arb(1)), digits) for ball in alphas.values()):
                return ExplicitEquivalent(**{name: float(ball.mid()) for name, ball in alphas.items()}, balls=balls)
    raise AccuracyError(
        f"{digits} digits of the network equivalent to {shape.formula} at sigma_a2 = {sigma_a2}, tau = {tau} were not "
        "reached; ask for fewer digits, or give exact numbers"
    )


def _derivative_means(shape: Shape, variance: arb, digits: int) -> dict[str, arb]:
    """`E[phi']^2`, `E[phi'']^2` and `E[(phi^2)'']` of the centred activation, from coefficients of phi and phi^2."""
    mean, first, second = coefficient_balls(shape, 3, variance, digits)
    of_square = coefficient_balls(shape_of(shape.formula**2, shape.symbol), 3, variance, digits)[2]
    return {
        "g_1": first * first / variance,
        "g_2": 2 * (second / variance) ** 2,
        "g_4": arb(2).sqrt() * (of_square - 2 * mean * second) / variance,
    }


def _positive(value: Any, name: str) -> None:
    if not to_ball(value, name) > 0:
        raise InvalidInputError(f"{name} = {value!r}: allowed are numbers above 0")


def _is_affine(shape: Shape) -> bool:
    return bool(shape.formula.is_polynomial(shape.symbol) and sp.degree(shape.formula, shape.symbol) < 2)


def _zeta_of_affine(mu_1: arb) -> float:
    return math.nan if mu_1.is_zero() else math.copysign(math.inf, float(mu_1.mid()))


def _is_narrow(ball: arb, size: arb, digits: int) -> bool:
    return bool(ball.rad() <= size * arb(10) ** -digits)

"""Growth towards infinity: unbounded derivatives, rates that are no dyadic numbers, and what rests on them."""

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from flint import acb, arb

import hermite_dual as hd
from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.certified.enclosures.kernel import kernel_ball
from hermite_dual.certified.growth.exact_rates import common_rate
from hermite_dual.certified.growth.monomials import TailError, monomial
from hermite_dual.certified.growth.tails import tail
from hermite_dual.certified.suprema.constants import derivative_bound
from hermite_dual.certified.suprema.oscillations import oscillations
from hermite_dual.outcome import Outcome
from hermite_dual.shape.shape import shape_of

P, R, U = Outcome.PROVEN, Outcome.REFUTED, Outcome.UNDECIDED
x = sp.Symbol("x", real=True)
root = sp.sqrt(1 + x**2)

UNBOUNDED = (
    x**2,
    x**3,
    sp.exp(x),
    sp.exp(x**2 / 5),
    x * sp.sin(x),
    x * sp.cos(x),
    x * sp.tanh(x) * sp.sin(x),
    x * sp.erf(x) * sp.cos(2 * x),
    x * sp.sin(x) * sp.atan(x),
    root * sp.sin(x),
    sp.Abs(x) * sp.sin(x),
    sp.Max(x, 0) * sp.sin(x),
    x * (2 + sp.sin(x)),
    x * sp.sin(x) ** 2,
    x * sp.sin(sp.sqrt(2) * x),
    x * (sp.sin(x) + sp.sin(sp.pi * x)),
    x * sp.sin(x) + x * sp.sin(x + 1),
    x * sp.sin(x) * sp.sin(3 * x / 7),
    sp.exp(x) * sp.sin(x),
    sp.exp(-x) * sp.sin(x) * x,
    sp.exp(x * sp.sin(x)),
    x * sp.exp(sp.sin(x)),
    sp.sin(x**2),
    sp.sin(sp.exp(x)),
    sp.cos(x**2) + sp.sin(x**2 / 3),
    sp.log(1 + x**2) * sp.cos(x),
    x * sp.log(1 + x**2),
    sp.sin(x) * x + sp.sin(x**2) * x,
)
BOUNDED = (
    sp.sin(x),
    x + sp.sin(x),
    x * sp.sin(x) / (1 + x**2),
    sp.cos(x) * sp.erf(x),
    x * sp.exp(-(x**2)) * sp.sin(x),
    x**2 * sp.sin(1 / (1 + x**2)),
    sp.log(1 + x**2),
    sp.sin(sp.log(1 + x**2)) * x,
    sp.log(sp.cosh(x / 3)),
    x * sp.tanh(x / 7),
    x * sp.tanh(sp.sqrt(2) * x),
)
HARD_AND_BOUNDED = (
    x * sp.sin(x) * sp.cos(x) - x * sp.sin(2 * x) / 2,
    x * (sp.sin(x) * sp.cos(1) + sp.cos(x) * sp.sin(1) - sp.sin(x + 1)),
    x * (1 - sp.sin(x) ** 2 - sp.cos(x) ** 2),
    (root - sp.Abs(x)) * sp.sin(x),
    sp.sin(x**2) / root,
    sp.sin(sp.sqrt(2) * x) * sp.cos(x) + sp.sin(x + sp.log(1 + x**2)),
)


@pytest.mark.parametrize("phi", UNBOUNDED, ids=str)
def test_unbounded_derivatives_are_refuted(phi):
    assert derivative_bound(shape_of(phi, x), 1).outcome is R
    # the proof's claim, on numbers: the largest slope grows as the interval does
    slope = sp.lambdify(x, phi.diff(x), ["scipy", "numpy"])
    with np.errstate(all="ignore"):
        near, far = (np.nanmax(np.abs(slope(np.linspace(-a, a, 400_001)))) for a in (8.0, 64.0))
    assert far > 1.5 * near


@pytest.mark.parametrize("phi", BOUNDED, ids=str)
def test_bounded_derivatives_are_proven(phi):
    bound = derivative_bound(shape_of(phi, x), 1)
    assert bound.outcome is P
    slope = sp.lambdify(x, phi.diff(x), ["scipy", "numpy"])
    assert np.abs(slope(np.linspace(-40, 40, 100_001))).max() <= bound.upper * (1 + 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("phi", HARD_AND_BOUNDED, ids=str)
def test_what_only_looks_unbounded_is_not_refuted(phi):
    assert derivative_bound(shape_of(phi, x), 1).outcome is not R


RATES = (
    1 / sp.cosh(x / 3),
    sp.sech(x / 3) ** 2,
    1 / (1 + sp.exp(-x / 3)),
    sp.tanh(x / 7),
    sp.sinh(x / 3) / sp.cosh(x / 2 + sp.Rational(1, 5)),
    1 / sp.cosh(sp.sqrt(2) * x),
    1 / sp.cosh(sp.pi * x / 3),
    1 / sp.cosh(x**2 / 3),
    x * sp.exp(-(x**2) / 3),
    sp.exp(-(x**2) / 3) * sp.tanh(x / 3),
    sp.log(sp.cosh(x / 3)),
    sp.log(1 + sp.exp(sp.sqrt(3) * x)),
    x / (1 + sp.exp(-sp.pi * x)),
    sp.sin(x / 3) / sp.cosh(x / 3),
    sp.atan(x / 3),
    sp.asinh(x / 3),
)


@pytest.mark.parametrize("phi", RATES, ids=str)
@pytest.mark.parametrize("side", [1, -1])
def test_expansions_with_any_rate_enclose_the_function(phi, side):
    function = BallFunction(phi, x)
    with working_precision(128):
        expansion = tail(phi, x, side, 16)
        assert expansion.terms
        for t in (16, 17.25, 40, 100):
            total = sum((value * monomial(key, arb(t)) for key, value in expansion.terms.items()), arb(0))
            # the coefficients are balls, so the sum overlaps what it encloses
            assert total.real.overlaps(function(arb(side * t)))
        if phi == RATES[7]:
            return  # its poles come arbitrarily close to the line
        strip = tail(phi, x, side, 16, arb("0.25"))
        for t in (16, 21.5):
            total = sum((value * monomial(key, arb(t)) for key, value in strip.terms.items()), acb(0))
            assert total.overlaps(function(acb(side * t, 0.25)))


def reference(phi, degrees):
    """Trapezoidal sums in multiple precision: spectrally accurate, since every pole is further than 1 from the line."""
    function = sp.lambdify(x, phi, "mpmath")
    with mp.workdps(50):
        step, totals = mp.mpf(1) / 16, [mp.mpf(0)] * degrees
        for k in range(-256, 257):
            z = k * step
            value = function(z) * mp.exp(-z * z / 2) * step / mp.sqrt(2 * mp.pi)
            for r in range(degrees):
                totals[r] += value * mp.hermite(r, z / mp.sqrt(2)) / mp.sqrt(mp.mpf(2) ** r * mp.factorial(r))
        return [mp.nstr(total, 35) for total in totals]


@pytest.mark.slow
@pytest.mark.parametrize("phi", RATES, ids=str)
def test_coefficients_with_any_rate(phi):
    balls = coefficient_balls(shape_of(phi, x), 3, 1, 25)
    with working_precision(120):
        for ball, value in zip(balls, reference(phi, 3), strict=True):
            assert ball.rad() < 1e-24
            assert abs(ball - arb(value)) < 1e-24


@pytest.mark.slow
def test_kernels_with_any_rate():
    phi = sp.sech(x / 3)
    ball = kernel_ball(shape_of(phi, x), 1, 1, 0.75, 20)
    series = coefficient_balls(shape_of(phi, x), 120, 1, 25)
    with working_precision(120):
        total = sum((a * a * arb(0.75) ** r for r, a in enumerate(series)), arb(0))
        assert abs(total - ball) < 1e-14
        assert ball.rad() < 1e-19


@pytest.mark.parametrize(
    ("phi", "expected"),
    [
        (sp.tanh(x), None),
        (sp.exp(x / 3), 2**1 / sp.Integer(3) * 2),
        (sp.cosh(x / 3) + sp.exp(x / 7), sp.Rational(32, 21)),
        (sp.exp(sp.sqrt(2) * x), sp.sqrt(2)),
        (sp.exp(sp.sqrt(2) * x) + sp.exp(x), None),
        (sp.exp(x**2 / 3), 2 / sp.sqrt(3)),
    ],
)
def test_the_common_rate(phi, expected):
    rate = common_rate(phi, x)
    assert rate is None if expected is None else sp.simplify(rate - expected) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "phi",
    [x * sp.coth(x / 3), x / sp.sinh(x), (sp.exp(x) - 1) / x, (1 - sp.cos(x)) / x**2, sp.tanh(x) / x],
)
def test_removable_singularities_are_continued(phi):
    balls = coefficient_balls(shape_of(phi, x), 3, 1, 15)
    function = sp.lambdify(x, phi, "mpmath")
    with mp.workdps(25):
        for r, ball in enumerate(balls):

            def integrand(z, r=r):
                weight = mp.hermite(r, z / mp.sqrt(2)) / mp.sqrt(mp.mpf(2) ** r * mp.factorial(r))
                return function(z) * weight * mp.npdf(z)

            value = mp.quad(integrand, [-12, -6, -3, -1, 0, 1, 3, 6, 12])
            assert abs(value - mp.mpf(ball.mid().str(25, radius=False))) < 1e-13
            assert ball.rad() < 1e-14


def test_a_function_without_a_rule_for_growth_says_so():
    with pytest.raises(TailError):
        tail(sp.acosh(x + 3) * sp.tan(x), x, 1, 8)


S = (mp.sqrt(5) - 1) / 2
T = (3 + mp.sqrt(5)) / 2
TRUE_SUPREMA = [
    (sp.exp(-sp.exp(x)), 1, mp.exp(-1)),
    (sp.exp(-sp.exp(x)), 2, T * (T - 1) * mp.exp(-T)),  # t (t - 1) exp(-t) at t = exp(x), stationary at (3 +- sqrt 5)/2
    (sp.exp(-sp.exp(-x)), 1, mp.exp(-1)),
    (sp.exp(sp.sin(x)), 1, mp.sqrt(1 - S**2) * mp.exp(S)),  # sqrt(1 - s^2) exp(s), stationary at s^2 + s = 1
    (sp.exp(sp.sin(x)), 2, mp.e),
    (x + sp.sin(x) ** 2, 1, 2),
    ((x + sp.sqrt(x**2 + 4)) / 2, 1, 1),
    (sp.tanh(x - 10000), 1, 1),
    (sp.tanh(10000 * (x - sp.Rational(777, 1000))) / 100, 1, 100),
    (sp.Abs(sp.sin(x)), 1, 1),
    (sp.log(1 + x**2), 2, 2),
    (sp.sin(x) / x, 2, mp.mpf(1) / 3),
    (sp.tanh(x) / x, 2, mp.mpf(2) / 3),
    (sp.exp(-(10**6) * (x - sp.Rational(271, 100)) ** 2), 1, mp.sqrt(2 * mp.mpf(10) ** 6) * mp.exp(-0.5)),
    (sp.Max(sp.tanh(x), x / 2), 1, 1),
    # Sines at infinity: |A| + sqrt(B^2 + C^2) of the limits.
    (x * sp.sin(sp.log(1 + x**2)), 1, mp.sqrt(5)),
    (sp.Abs(x) * sp.sin(sp.log(1 + x**2)), 1, mp.sqrt(5)),
    (x * sp.cos(sp.log(1 + x**2)) ** 2, 1, (1 + mp.sqrt(17)) / 2),
    (sp.sqrt(1 + x**2) * sp.sin(sp.log(1 + x**2)) + x, 1, 1 + mp.sqrt(5)),
    (sp.tanh(x) * sp.sin(x), 1, 1),
    (sp.sin(x) + sp.sin(sp.sqrt(2) * x), 1, 1 + mp.sqrt(2)),
    (sp.sin(x) + sp.sin(sp.sqrt(2) * x), 2, 3),
    (sp.sin(x) * sp.sin(sp.sqrt(3) * x), 1, mp.sqrt(3)),
]


@pytest.mark.parametrize(("phi", "order", "truth"), TRUE_SUPREMA)
def test_suprema_are_enclosed_as_tightly_as_floats_find_them(phi, order, truth):
    bound = derivative_bound(shape_of(phi, x), order)
    assert bound.outcome is Outcome.PROVEN
    assert bound.lower <= truth * (1 + 1e-15)
    assert bound.upper >= truth * (1 - 1e-15)
    assert bound.upper <= bound.lower * (1 + 1e-6)


@pytest.mark.parametrize(
    ("phi", "tail"),
    [
        (3 * sp.sin(x**2) - 4 * sp.cos(x**2) + 1, 6),
        (sp.sin(x) + sp.sin(2 * x + 1), 2),  # commensurable: 2 is a bound that is not reached
        (sp.sin(x) + sp.sin(2 * x + 1) + sp.sin(3 * x + 2), 3),
        (sp.sin(x) * sp.sin(sp.log(x)), 1),
    ],
)
def test_lower_bounds_of_oscillations_need_phases_that_are_free(phi, tail):
    lower, upper = oscillations(phi, x, 1).supremum(x, 1, 64)
    seen = np.abs(sp.lambdify(x, phi)(np.linspace(1e4, 1.001e4, 400_001))).max()
    assert lower <= seen * (1 + 1e-6)
    assert seen <= upper
    assert float(upper.upper()) == pytest.approx(tail, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "phi",
    [
        sp.atan(sp.tan(x)),
        sp.acot(x),
        sp.atan2(x, -1),
        sp.tanh(x) + sp.atan(sp.tan(x)) / 10,
        sp.tanh(1 / x),
        sp.Piecewise((7, sp.Eq(x, 0)), (sp.Abs(x), True)),
        sp.sign(sp.sin(x)),
        sp.besselj(0, x),
    ],
)
@pytest.mark.parametrize("order", [1, 2])
def test_no_constant_is_proven_of_what_is_not_proven_continuous(phi, order):
    assert derivative_bound(shape_of(phi, x), order).outcome is not Outcome.PROVEN


@pytest.mark.parametrize("phi", [sp.sqrt(sp.Abs(x)), sp.log(sp.Abs(x)), sp.sign(x) * sp.Abs(x) ** sp.Rational(1, 3)])
def test_unbounded_slopes_at_a_point_are_refuted(phi):
    assert derivative_bound(shape_of(phi, x), 1).outcome is Outcome.REFUTED


@pytest.mark.parametrize(
    ("q", "rho"),
    [(1, 1), (sp.Rational(6, 5), 1), (0.75, 1), (1, 0.5), (0.75, 0.5), (sp.sqrt(2) - sp.Rational(1, 5), 0.5)],
)
def test_a_kernel_exists_where_only_the_fourth_moment_is_infinite(q, rho):
    # E exp((u^2 + v^2)/5) = det(1 - 2 S/5)^(-1/2)
    exact, share = sp.nsimplify(q), sp.Rational(rho)
    expected = 1 / sp.sqrt((1 - 2 * exact / 5) ** 2 - (2 * exact * share / 5) ** 2)
    with working_precision(200):
        ball = hd.dual("exp(x^2/5)").ball(q, q, exact * share, digits=20)
        assert abs(ball - constant_ball(expected)) < 1e-18 * ball


def test_the_variance_from_which_the_moment_is_infinite_is_the_one_named():
    with pytest.raises(hd.NotIntegrableError, match="the variance 5/4"):
        hd.dual("exp(x^2/5)").ball(1.25, 1.25, 0.5)

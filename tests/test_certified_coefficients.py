"""Enclosures of coefficients, moments, kernels and series."""

import math
import time

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from flint import arb

from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.certified.enclosures.kernel import kernel_ball, mehler_ball
from hermite_dual.certified.enclosures.second_moment import second_moment_ball
from hermite_dual.certified.enclosures.series import series_remainder
from hermite_dual.certified.enclosures.wedges import wedge_kernel
from hermite_dual.dual import dual
from hermite_dual.errors import AccuracyError, InvalidInputError, NotIntegrableError
from hermite_dual.shape.shape import shape_of
from tests.problems import NAMED

x = sp.Symbol("x", real=True)

# name: activation, kinks
REFERENCE = {
    **{name: (NAMED[name].expr, NAMED[name].kinks) for name in ("tanh", "gelu", "softplus", "relu", "elu")},
    "root": (sp.sqrt(1 + x**2), []),
    "runge": (1 / (1 + 25 * x**2), []),
    "hardtanh": (sp.Max(-1, sp.Min(1, x)), [-1, 1]),
    "softsign": (x / (1 + sp.Abs(x)), [0]),
}


def reference(expr, kinks, q, degree):
    """`a_r(q)` by mpmath's quadrature, 40 digits."""
    with mp.workdps(45):
        phi, root = sp.lambdify(x, expr, "mpmath"), mp.sqrt(mp.mpf(q))
        powers = [(k, degree - 2 * k) for k in range(degree // 2 + 1)]
        factor = mp.sqrt(mp.factorial(degree))
        terms = [((-1) ** k * factor / (mp.factorial(k) * mp.factorial(p) * 2**k), p) for k, p in powers]
        points = {mp.mpf(k) for k in range(-17, 18)} | {mp.mpf(k) / root for k in kinks if abs(k) < 17 * root}
        step = min(mp.mpf(1), mp.mpf("0.1") / root)
        while step < 1:
            points |= {step, -step}
            step *= 2

        def integrand(z):
            return phi(root * z) * mp.fsum(c * z**p for c, p in terms) * mp.npdf(z)

        return mp.nstr(mp.quad(integrand, sorted(points), method="gauss-legendre", maxdegree=5), 42)


@pytest.mark.parametrize("name", sorted(REFERENCE))
@pytest.mark.parametrize(("variance", "degree"), [(1.0, 3), (2.5e-3, 2), (40.0, 5)])
def test_coefficients_contain_mpmaths(name, variance, degree):
    expr, kinks = REFERENCE[name]
    balls = coefficient_balls(shape_of(expr, x), degree + 1, variance, 25)
    with working_precision(300):
        scale = max((abs(b).upper() for b in balls), key=float)
        truth = arb(reference(expr, kinks, variance, degree)) + arb(0, scale * arb("1e-32"))
        assert balls[degree].overlaps(truth)
        assert not (balls[degree] + scale * arb("1e-20")).overlaps(truth)
        assert all(b.rad() <= scale * arb(10) ** -24 for b in balls)


def test_exponential_is_known_in_closed_form():
    balls = coefficient_balls(shape_of(sp.exp(x), x), 12, 1, 40)
    with working_precision(300):
        for r, ball in enumerate(balls):
            assert ball.overlaps(arb("0.5").exp() / arb(r).fac().sqrt())
            assert ball.rad() < 1e-39


def test_parity_gives_exact_zeros():
    assert all(b.is_zero() for b in coefficient_balls(shape_of(sp.tanh(x), x), 12)[::2])
    assert all(b.is_zero() for b in coefficient_balls(shape_of(sp.sqrt(1 + x**2), x), 12)[1::2])
    assert all(b.is_zero() for b in coefficient_balls(shape_of(sp.Max(-1, sp.Min(1, x)), x), 12)[::2])


def test_polynomials_are_exact():
    balls = coefficient_balls(shape_of(x**3 - x, x), 6, 1)
    with working_precision(200):
        assert balls[1] == 2
        assert (balls[3] - arb(6).sqrt()).contains(0)
    assert balls[0].is_zero()
    assert balls[5].is_zero()


def test_hundred_tanh_coefficients_are_quick():
    start = time.process_time()
    balls = coefficient_balls(shape_of(sp.tanh(x), x), 101, 1, 30)
    assert time.process_time() - start < 1.0
    assert max(float(b.rad()) for b in balls) < 1e-30


@pytest.mark.slow
def test_thousand_digits_of_one_coefficient():
    start = time.process_time()
    ball = coefficient_balls(shape_of(sp.tanh(x), x), 2, 1, 1000)[1]
    assert time.process_time() - start < 10.0
    with working_precision(4000):
        assert ball.rad() < arb(10) ** -1000
    assert ball.overlaps(coefficient_balls(shape_of(sp.tanh(x), x), 2, 1, 200)[1])


def double_factorial(m):
    return math.prod(range(m, 0, -2))


def test_high_degrees_agree_with_few():
    many = coefficient_balls(shape_of(sp.Max(x, 0), x), 400, 1, 20)
    with working_precision(2000):
        # relu: a_{2k} = (-1)^(k+1) (2k-3)!! / sqrt(2 pi (2k)!)
        for k in (2, 50, 199):
            truth = (-1) ** (k + 1) * arb(double_factorial(2 * k - 3)) / (2 * arb.pi() * arb(2 * k).fac()).sqrt()
            assert many[2 * k].overlaps(truth)
            assert many[2 * k].rad() < 1e-20


def test_growth_beyond_the_gaussian_is_refused():
    with pytest.raises(NotIntegrableError, match="infinite"):
        coefficient_balls(shape_of(sp.exp(x**2 / 4), x), 2, 2)


def test_unreachable_accuracy_raises():
    with pytest.raises(AccuracyError, match="digits"):
        coefficient_balls(shape_of(sp.tanh(x), x), 2, arb(1, 1e-6), 30)


@pytest.mark.parametrize(
    ("arguments", "text"), [((-1,), "n = -1"), ((3, -1.0), "variance"), ((3, 1, 0), "digits"), ((2.5,), "n = 2.5")]
)
def test_bad_arguments_are_named(arguments, text):
    with pytest.raises(InvalidInputError, match=text):
        coefficient_balls(shape_of(sp.tanh(x), x), *arguments)


def test_second_moment_of_relu_and_erf():
    with working_precision(200):
        assert second_moment_ball(shape_of(sp.Max(x, 0), x), 3).contains(1.5)
        truth = 2 / arb.pi() * (2 * arb(3) / 7).asin()
        assert second_moment_ball(shape_of(sp.erf(x), x), 3).overlaps(truth)
        assert not second_moment_ball(shape_of(sp.erf(x), x), 3).overlaps(truth + arb("1e-25"))


def arcsine(q1, q2, c):
    """The kernel of erf."""
    return 2 / arb.pi() * (2 * c / ((1 + 2 * q1) * (1 + 2 * q2)).sqrt()).asin()


def arccosine(q1, q2, c):
    """The kernel of relu."""
    root = (q1 * q2).sqrt()
    rho = c / root
    return root / (2 * arb.pi()) * ((1 - rho * rho).sqrt() + rho * (arb.pi() - rho.acos()))


def sine(q1, q2, c):
    """The kernel of sin."""
    return (-(q1 + q2) / 2).exp() * c.sinh()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expr", "closed", "limit"),
    [(sp.erf(x), arcsine, 0.9999), (sp.sin(x), sine, 0.9999), (sp.Max(x, 0), arccosine, 0.9)],
)
def test_kernels_contain_closed_forms(expr, closed, limit):
    rng = np.random.default_rng(7)
    for _ in range(6):
        q1, q2 = (float(10 ** rng.uniform(-3, 1)) for _ in range(2))
        c = float(rng.uniform(-limit, limit) * np.sqrt(q1) * np.sqrt(q2))
        ball = kernel_ball(shape_of(expr, x), q1, q2, c, 20)
        with working_precision(300):
            truth = closed(arb(q1), arb(q2), arb(c))
            almost = 1 - arb("1e-60")
            norm = (closed(arb(q1), arb(q1), q1 * almost) * closed(arb(q2), arb(q2), q2 * almost)).sqrt()
            assert ball.overlaps(truth)
            assert not (ball + norm * arb("1e-18")).overlaps(truth)
            assert ball.rad() <= norm * arb("1.01e-20")


@pytest.mark.slow
@pytest.mark.parametrize("expr", [sp.tanh(x), NAMED["gelu"].expr, sp.log(1 + sp.exp(x))])
def test_lattice_and_series_agree(expr):
    # few digits go through Mehler's series at this correlation, many through the lattice
    series, lattice = kernel_ball(shape_of(expr, x), 1, 1, 0.625, 20), kernel_ball(shape_of(expr, x), 1, 1, 0.625, 60)
    assert series.overlaps(lattice)
    assert float(lattice.rad()) < 1e-58


def step_kernel(q1, q2, c):
    """The kernel of the Heaviside function."""
    return (1 + 2 * (c / (q1 * q2).sqrt()).asin() / arb.pi()) / 4


def absolute_kernel(q1, q2, c):
    """The kernel of the absolute value."""
    root = (q1 * q2).sqrt()
    rho = c / root
    return 2 * root / arb.pi() * ((1 - rho * rho).sqrt() + rho * rho.asin())


@pytest.mark.parametrize(
    ("expr", "closed"), [(sp.Max(x, 0), arccosine), (sp.Heaviside(x), step_kernel), (sp.Abs(x), absolute_kernel)]
)
@pytest.mark.parametrize("rho", [1 - 1e-12, -(1 - 1e-9), 0.99, -0.985])
@pytest.mark.parametrize(("q1", "q2"), [(1.0, 1.0), (0.3, 2.7), (1e-5, 1e3)])
def test_kinked_kernels_near_correlation_one(expr, closed, rho, q1, q2):
    c = rho * math.sqrt(q1) * math.sqrt(q2)
    ball = kernel_ball(shape_of(expr, x), q1, q2, c, 30)
    with working_precision(400):
        truth = closed(arb(q1), arb(q2), arb(c))
        norm = (arb(q1) * arb(q2)).sqrt() if expr != sp.Heaviside(x) else arb(1)
        assert ball.overlaps(truth)
        assert not (ball + norm * arb("1e-27")).overlaps(truth)
        assert ball.rad() <= norm * arb("1e-30")


@pytest.mark.slow
@pytest.mark.parametrize("expr", [x / (1 + sp.Abs(x)), sp.tanh(sp.Abs(x) - 1)])
@pytest.mark.parametrize("rho", [0.985, -0.985])
def test_steep_kinked_kernels_are_within_reach(expr, rho):
    ball = kernel_ball(shape_of(expr, x), 1e4, 1e4, rho * 1e4, 12)
    assert ball.rad() < 1e-12
    assert abs(float(ball.mid()) - float(dual(expr).kernel(1e4, 1e4, rho * 1e4))) < 1e-9


def test_a_correlation_around_zero_has_a_kernel():
    ball = kernel_ball(shape_of(sp.exp(x), x), 1, 1, arb(0, arb(10) ** -40), 30)
    with working_precision(200):
        assert ball.contains(arb(1).exp())
    assert ball.rad() < 1e-29


@pytest.mark.slow
@pytest.mark.parametrize("name", ["elu", "hardtanh", "softsign", "abs"])
@pytest.mark.parametrize(("first", "second", "covariance"), [(1, 3, 1.0), (1, 3, -1.0), (2, 2, 1.0), (2, 2, -1.0)])
def test_cells_agree_with_the_series(name, first, second, covariance):
    expr = sp.exp(-sp.Abs(x)) if name == "abs" else REFERENCE[name][0]
    q1, q2, c = arb(first), arb(second), arb(covariance)
    with working_precision(300):
        rho = c / (q1 * q2).sqrt()
        cells = wedge_kernel(shape_of(expr, x).pieces, q1, q2, rho, (1 - rho * rho).sqrt(), arb("1e-25"))
        series = mehler_ball(shape_of(expr, x), (q1, q2), rho, 130, 25)
        assert cells.overlaps(series)
        assert not (cells + arb("1e-20")).overlaps(series)
        assert cells.rad() < arb("1e-24")


@pytest.mark.slow
def test_rates_that_are_no_dyadic_numbers():
    quick = x / (1 + sp.exp(-sp.Rational(851, 500) * x))
    few, many = coefficient_balls(shape_of(quick, x), 3, 40, 25), coefficient_balls(shape_of(quick, x), 3, 40, 50)
    assert all(a.overlaps(b) for a, b in zip(few, many, strict=True))


def test_exponential_at_large_variance_is_quick():
    start = time.process_time()
    balls = coefficient_balls(shape_of(sp.exp(x), x), 6, 1e4, 30)
    assert time.process_time() - start < 5.0
    with working_precision(300):
        for r, ball in enumerate(balls):
            assert ball.overlaps(arb(5000).exp() * arb(100) ** r / arb(r).fac().sqrt())


def test_correlation_one_and_minus_one():
    with working_precision(200):
        assert kernel_ball(shape_of(sp.Max(x, 0), x), 2, 8, 4).contains(2)
        assert kernel_ball(shape_of(sp.Max(x, 0), x), 2, 8, -4).contains(0)
        # tanh is odd
        assert kernel_ball(shape_of(sp.tanh(x), x), 2, 2, -2).overlaps(-second_moment_ball(shape_of(sp.tanh(x), x), 2))


@pytest.mark.parametrize("c", [0.3, 0.999, 1])
@pytest.mark.parametrize("phi", [sp.S.Zero, sp.Max(x, 0) - x / 2 - sp.Abs(x) / 2])
def test_the_kernel_of_zero_is_zero(phi, c):
    assert kernel_ball(shape_of(phi, x), 1, 1, c, 8).is_zero()
    assert kernel_ball(shape_of(phi, x), 1e-6, 10, c * 1e-3, 8).is_zero()


def test_zero_variance_and_bad_covariance():
    assert kernel_ball(shape_of(sp.tanh(x), x), 0, 1, 0).is_zero()
    with pytest.raises(InvalidInputError, match="covariance"):
        kernel_ball(shape_of(sp.tanh(x), x), 1, 1, 1.5)


def test_series_remainder_covers_and_is_sharp():
    bound = series_remainder(shape_of(sp.tanh(x), x), 10)
    with working_precision(200):
        rest = second_moment_ball(shape_of(sp.tanh(x), x)) - sum(
            a * a for a in coefficient_balls(shape_of(sp.tanh(x), x), 10)
        )
        assert not arb(bound) < rest.lower()
        assert arb(bound) < rest.upper() * (1 + arb("1e-15"))


@pytest.mark.parametrize("variance", [0.35, 0.36802933394044846, 0.37, 0.386])
def test_a_kink_just_beyond_the_cut(variance):
    # at these variances the kink at 6 lies a little outside of where the panels end
    ball = coefficient_balls(shape_of(sp.Min(6, sp.Max(0, x)), x), 1, variance, 12)[0]
    with mp.workdps(60):
        root = mp.sqrt(mp.mpf(variance))
        z = 6 / root
        truth = mp.nstr(root * (mp.npdf(0) - mp.npdf(z)) + 3 * mp.erfc(z / mp.sqrt(2)), 55)
    with working_precision(300):
        assert ball.overlaps(arb(truth))
        assert ball.rad() < 1e-12


def test_mass_far_out():
    # E[x h_1 1(|x| > 1/2)] = 2 sqrt(q) (z w(z) + Q(z)) with z = 1/(2 sqrt(q))
    expr = sp.Piecewise((0, sp.Abs(x) <= sp.Rational(1, 2)), (x, True))
    ball = coefficient_balls(shape_of(expr, x), 2, 2.0**-13, 12)[1]
    with working_precision(400):
        z = arb(2) ** 5.5
        tail = (z / arb(2).sqrt()).erfc() / 2
        truth = 2 * arb(2) ** -6.5 * (z * (-(z * z) / 2).exp() / (2 * arb.pi()).sqrt() + tail)
        assert ball.overlaps(truth)
        assert ball.rad() < truth * 1e-12


@pytest.mark.slow
def test_coefficients_far_below_the_activation():
    # E[sin(sqrt(q) Z) Z] = sqrt(q) exp(-q/2): 1e-1000 of the largest sine
    ball = coefficient_balls(shape_of(sp.sin(x), x), 2, 4600, 8)[1]
    with working_precision(300):
        truth = arb(4600).sqrt() * arb(-2300).exp()
        assert ball.overlaps(truth)
        assert ball.rad() < truth * 1e-8

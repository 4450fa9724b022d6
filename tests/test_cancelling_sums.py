"""Sums whose terms cancel in a tail: values, analyticity, and entries proven for rows of any norm."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import acb, arb
from scipy import special

import hermite_dual as hd
from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
from hermite_dual.certified.balls.cancellation import uncancelled
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.counted.float_panels import float_panels
from hermite_dual.errors import AccuracyError
from hermite_dual.outcome import Outcome

x = sp.Symbol("x", real=True)

CANCELLING = {
    "1 + erf": (1 + sp.erf(x), -40),
    "1 - erf": (1 - sp.erf(x), 40),
    "erf with a common factor": (x * sp.erf(x) / sp.sqrt(3) + x / sp.sqrt(3), -40),
    "erf with a common factor and another term": (sp.exp(-x) * sp.erf(x) + sp.exp(-x) - sp.exp(-(x**2)) / 2, -40),
    "2 - erfc": (2 - sp.erfc(x), -40),
    "1 + tanh": (1 + sp.tanh(x / 3), -400),
    "1 - tanh": (1 - sp.tanh(x), 400),
    "1 - logistic": (1 - 1 / (1 + sp.exp(-x)), 400),
    "exp - 1": (sp.exp(x) - 1, sp.Rational(1, 10**60)),
    "1 - cos": (sp.Rational(3, 7) - sp.Rational(3, 7) * sp.cos(x), sp.Rational(1, 10**40)),
    "1 + cos": (1 + sp.cos(sp.pi + x), sp.Rational(1, 10**40)),
    "cosh - 1": (sp.cosh(x) - 1, sp.Rational(1, 10**40)),
    "log(1 + exp)": (sp.log(1 + sp.exp(x)), -400),
    "log(1 + x)": (sp.log(1 + x), sp.Rational(1, 10**60)),
}


@pytest.mark.parametrize("name", CANCELLING)
def test_no_digits_are_lost_where_terms_cancel(name):
    expr, at = CANCELLING[name]
    with mpmath.workdps(3000):
        value = mpmath.nstr(sp.lambdify(x, expr, "mpmath")(mpmath.mpf(sp.Rational(at).p) / sp.Rational(at).q), 60)
    with working_precision(128):
        function = BallFunction(expr, x)
        real, complex_ = function(constant_ball(sp.sympify(at))), function(acb(constant_ball(sp.sympify(at))), True)
        exact = arb(value)
        assert (real - exact).abs_upper() < exact * arb("1e-30") or (real - exact).abs_upper() < -exact * arb("1e-30")
        assert complex_.overlaps(acb(exact * (1 + arb(0, "1e-30"))))
        assert complex_.is_finite()


@pytest.mark.parametrize("name", CANCELLING)
@pytest.mark.parametrize("centre", [-2.5, -0.125, 0.5, 3.0])
def test_boxes_contain_the_values_of_the_sum(name, centre):
    expr, _ = CANCELLING[name]
    rng = np.random.default_rng(5)
    box = acb(arb(centre, 0.2), arb(0, 0.2))
    image = BallFunction(expr, x)(box)
    for _ in range(10):
        re, im = centre + rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2)
        with mpmath.workdps(40):
            value = complex(sp.lambdify(x, expr, "mpmath")(mpmath.mpc(re, im)))
        assert (image - acb(value.real, value.imag)).abs_lower() < 1e-12


@pytest.mark.parametrize(
    ("expr", "centre", "analytic"),
    [
        (1 + sp.erf(x), acb(-300, 5), True),
        (1 + sp.tanh(x), acb(0, sp.pi.evalf() / 2), False),
        (1 + sp.tanh(x), acb(-1, 1), True),
        (sp.log(1 + x), acb(-2, 0), False),
        (sp.log(1 + x), acb(-2, 1), True),
        (1 - 1 / (1 + sp.exp(x)), acb(0, sp.pi.evalf()), False),
    ],
)
def test_poles_and_cuts_stay(expr, centre, analytic):
    box = centre + acb(arb(0, 0.01), arb(0, 0.01))
    assert BallFunction(expr, x)(box, analytic=True).is_finite() is analytic


def test_sums_that_do_not_cancel_are_left_alone():
    for expr in (1 + x, 2 + sp.erf(x), sp.erf(x) + sp.erf(2 * x), x + sp.tanh(x), sp.log(2 + x), sp.log(x)):
        assert uncancelled(expr) is None


@pytest.mark.parametrize(
    "formula", ["x*Phi(x)*exp(-x)", "(1 - tanh(x))*exp(x)", "tanh(x)*exp(x) - exp(x)", "(2 - erfc(x))*exp(-x)"]
)
def test_an_analytic_function_is_tabulated_however_far_out_it_cancels(formula):
    panels = float_panels(hd.activation(formula).shape.pieces, 0.5, 300.0)
    values, errors = panels.evaluate(np.array([-250.0, -107.0, -3.0, 2.0, 40.0]))
    with mpmath.workdps(400):
        expr = hd.activation(formula).expr
        phi = sp.lambdify(hd.activation(formula).symbol, expr, "mpmath")
        exact = np.array([float(phi(mpmath.mpf(point))) for point in (-250, -107, -3, 2, 40)])
    assert np.all(np.abs(values - exact) <= errors)
    assert errors.max() < 1e-14


def test_what_is_out_of_reach_says_why():
    with pytest.raises(AccuracyError, match="or terms of it cancel beyond 128 bits"):
        float_panels(hd.activation("exp(-x)*sinh(x) - 1/2").shape.pieces, 0.5, 300.0)


@pytest.mark.slow
def test_entries_of_an_entire_activation_are_proven_on_rows_of_any_norm():
    X = np.array([[12.0, 1.0], [0.5, -2.0], [1.0, 0.0]])
    gram = hd.DEQ("x*Phi(x)*exp(-x)", sigma_w=0.1).gram(X, depth=1)
    bounds = gram.entry_bounds
    assert bounds.outcome is Outcome.PROVEN
    # trapezoidal sums of entire integrands that decay like Gaussians: u = s z, v = r (rho z + sqrt(1 - rho^2) w)
    S = X @ X.T / 2
    z = np.arange(-10.0, 10.0, 1 / 64)
    weight = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) / 64
    s, r = np.sqrt(S[1, 1]), np.sqrt(S[2, 2])
    rho = S[1, 2] / (s * r)
    inner = phi(r * (rho * z[:, None] + np.sqrt(1 - rho**2) * z)) @ weight
    assert abs(gram.matrix[1, 2] - weight @ (phi(s * z) * inner)) <= bounds.largest + 1e-13
    wide = np.arange(-200.0, 200.0, 1 / 64)
    density = np.exp(-(wide**2) / 2 / S[0, 0]) / np.sqrt(2 * np.pi * S[0, 0]) / 64
    assert abs(gram.matrix[0, 0] - density @ phi(wide) ** 2) <= bounds.largest + 1e-13
    assert bounds.largest < 1e-6


def phi(t):
    return t * np.exp(special.log_ndtr(t) - t)

"""The bivariate normal CDF: special values, derivatives, limits, and both evaluations against independent integrals."""

import mpmath
import numpy as np
import pytest
import sympy as sp

from hermite_dual.symbolic.bivariate_normal import (
    LAMBDIFY_MODULES,
    BivariateNormalCDF,
    bivariate_normal_cdf,
    bivariate_normal_cdf_mp,
)
from hermite_dual.symbolic.normal import GaussianWeight, NormalCDF

FLOAT64 = 1e-14  # absolute, what the function promises
h, k, r = sp.symbols("h k r", real=True)


def conditional_integral(upper, other, correlation):
    """P(X <= upper, Y <= other) as the integral of phi(x) Phi((other - rho x) / sqrt(1 - rho^2)), at 30 digits."""
    with mpmath.workdps(40):
        upper, other, correlation = (mpmath.mpf(float(value)) for value in (upper, other, correlation))
        width = mpmath.sqrt((1 - correlation) * (1 + correlation))
        bend = other / correlation
        cuts = [bend + s * width / abs(correlation) for s in (-40, -10, -4, -2, -1, 0, 1, 2, 4, 10, 40)]
        edges = sorted({point for point in (*cuts, *range(-13, 14)) if -13 < point < upper} | {mpmath.mpf(-13), upper})
        return mpmath.quad(
            lambda t: mpmath.npdf(t) * mpmath.ncdf((other - correlation * t) / width), edges, method="gauss-legendre"
        )


def hard_arguments(count):
    """Limits of all sizes, correlations down to 1e-15 from +-1, and the near-ties that cancel."""
    generator = np.random.default_rng(20)
    for index in range(count):
        upper, other = generator.normal(size=2) * generator.choice([0.01, 1.0, 3.0])
        correlation = generator.choice([-1.0, 1.0]) * (1.0 - 10.0 ** generator.uniform(-15, 0))
        ties = [other, upper, -upper, 0.0, upper * (1 + 1e-9), correlation * upper]
        yield upper, ties[index % len(ties)], correlation


@pytest.mark.parametrize("arguments", list(hard_arguments(36)))
def test_float64_and_multiprecision_against_the_conditional_integral(arguments):
    exact = conditional_integral(*arguments)
    assert abs(float(bivariate_normal_cdf(*arguments)) - float(exact)) <= FLOAT64
    precise = bivariate_normal_cdf_mp(*(mpmath.mpf(float(value)) for value in arguments), prec=100)
    assert abs(precise - exact) < 1e-26


def test_orthants_are_sheppards_arcsine():
    # Sheppard 1899: P(X <= 0, Y <= 0) = 1/4 + asin(rho) / (2 pi).
    correlations = np.linspace(-1, 1, 41)
    np.testing.assert_allclose(
        bivariate_normal_cdf(0.0, 0.0, correlations), 0.25 + np.arcsin(correlations) / (2 * np.pi), atol=FLOAT64
    )
    assert BivariateNormalCDF(0, 0, r) == sp.Rational(1, 4) + sp.asin(r) / (2 * sp.pi)


SPECIAL_VALUES = [
    ((-sp.oo, k, r), 0),
    ((h, -sp.oo, r), 0),
    ((sp.oo, k, r), NormalCDF(k)),
    ((h, sp.oo, r), NormalCDF(h)),
    ((h, k, 0), NormalCDF(h) * NormalCDF(k)),
    ((1, 2, 1), NormalCDF(1)),
    ((1, -2, 1), NormalCDF(-2)),
    ((-1, -2, -1), 0),
    ((1, 0, -1), NormalCDF(1) - sp.Rational(1, 2)),
    ((sp.nan, k, r), sp.nan),
]


@pytest.mark.parametrize(("arguments", "value"), SPECIAL_VALUES)
def test_special_values(arguments, value):
    assert BivariateNormalCDF(*arguments) == value or sp.simplify(BivariateNormalCDF(*arguments) - value) == 0


@pytest.mark.parametrize("correlation", [-1.0, 1.0, -1.0 + 1e-16, 1.0 - 1e-16])
@pytest.mark.parametrize("limits", [(1.0, -0.5), (0.3, 0.3), (-0.7, 0.7), (-2.0, -1.0)])
def test_degenerate_correlations_are_the_limits(correlation, limits):
    upper, other = limits
    phi = LAMBDIFY_MODULES["NormalCDF"]
    limit = phi(min(limits)) if correlation > 0 else max(0.0, phi(upper) - phi(-other))
    assert float(bivariate_normal_cdf(upper, other, correlation)) == pytest.approx(float(limit), abs=1e-8)
    assert float(BivariateNormalCDF(upper, other, round(correlation)).evalf()) == pytest.approx(float(limit), abs=1e-15)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_derivatives_are_the_slopes_of_the_values(index):
    point = [sp.Rational(3, 10), sp.Rational(-7, 10), sp.Rational(2, 5)]
    symbols = (h, k, r)
    slope = sp.diff(BivariateNormalCDF(*symbols), symbols[index]).subs(dict(zip(symbols, point, strict=True))).evalf(30)

    def value(t):
        with mpmath.workprec(900):
            shifted = [mpmath.mpf(p.p) / p.q for p in point]
        shifted[index] = t
        return bivariate_normal_cdf_mp(*shifted, prec=800)

    with mpmath.workdps(50):
        at = mpmath.mpf(point[index].p) / point[index].q
        assert abs(mpmath.diff(value, at) - mpmath.mpf(str(slope))) < 1e-15


def test_symmetries_at_fifty_digits():
    a, b, c = sp.Rational(4, 5), sp.Rational(-13, 10), sp.Rational(7, 9)
    total = sum(BivariateNormalCDF(s * a, t * b, s * t * c).evalf(50) for s in (1, -1) for t in (1, -1))
    assert abs(total - 1) < sp.Float(10) ** -48
    assert BivariateNormalCDF(a, b, c) == BivariateNormalCDF(b, a, c)
    reflected = NormalCDF(b).evalf(50) - BivariateNormalCDF(-a, b, -c).evalf(50)
    assert abs(BivariateNormalCDF(a, b, c).evalf(50) - reflected) < sp.Float(10) ** -48


def test_deep_tails_keep_their_digits():
    # Independent tails: rho = 0 gives a product, computed without the function.
    tiny = BivariateNormalCDF(-10, -12, sp.Rational(1, 10**30)).evalf(25)
    assert abs(tiny / (NormalCDF(-10) * NormalCDF(-12)).evalf(40) - 1) < 1e-24


def test_lambdify_broadcasts_and_latex_names_it():
    form = BivariateNormalCDF(h, k, r) + NormalCDF(h - k, 1 - r**2) + GaussianWeight(h**2, 1 - r**2)
    function = sp.lambdify((h, k, r), form, modules=[LAMBDIFY_MODULES, "scipy"])
    values = function(np.linspace(-1, 1, 5)[:, None], 0.5, np.array([-1.0, 0.2, 1.0]))
    assert values.shape == (5, 3)
    assert np.all(np.isfinite(values))
    assert float(form.subs({h: -1, k: sp.S.Half, r: sp.Rational(1, 5)}).evalf()) == pytest.approx(
        values[0, 1], abs=1e-15
    )
    assert sp.latex(BivariateNormalCDF(h, k, r)) == r"\Phi_2\left(h, k; r\right)"
    assert sp.latex(NormalCDF(h)) == r"\Phi\left(h\right)"


def test_correlation_outside_the_interval_is_nan():
    assert np.isnan(bivariate_normal_cdf(0.3, 0.1, 1.1))
    assert BivariateNormalCDF(1, 2, sp.Rational(3, 2)) is sp.nan


@pytest.mark.parametrize(
    ("z", "variance", "value"), [(2, 0, 1), (-2, 0, 0), (0, 0, sp.S.Half), (0, 3, sp.S.Half), (5, sp.oo, sp.S.Half)]
)
def test_normal_cdf_with_degenerate_variance(z, variance, value):
    assert NormalCDF(z, variance) == value
    if variance.is_finite if isinstance(variance, sp.Basic) else True:
        assert float(LAMBDIFY_MODULES["NormalCDF"](z, variance)) == float(value)


def test_normal_functions_differentiate_and_rewrite():
    v = sp.Symbol("v", positive=True)
    assert sp.simplify(sp.diff(NormalCDF(h, v), h) - sp.exp(-(h**2) / (2 * v)) / sp.sqrt(2 * sp.pi * v)) == 0
    by_erf = sp.diff(NormalCDF(h, v).rewrite(sp.erf), v)
    assert sp.simplify(sp.diff(NormalCDF(h, v), v) - by_erf) == 0
    a = sp.Symbol("a", real=True)
    weight = GaussianWeight(h**2, a)
    assert sp.simplify((sp.diff(weight, a) - sp.diff(weight.rewrite(sp.exp), a)).rewrite(sp.exp)) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("h", "k", "rho"), [(-60, -60, "-1/2"), (-10, -10, "-99/100"), (-3, -40, "-99/100")])
def test_the_far_corner_agrees_with_the_integral_of_the_density(h, k, rho):
    r = sp.Rational(rho)
    with mpmath.workdps(20):
        p = mpmath.mpf(r.p) / r.q
        gap = 1 - p * p
        slopes = (p * k - h) / gap, (p * h - k) / gap  # of the logarithm, at the corner

        def relative(x, y):
            # the density over its value at the corner, in units in which it falls by e
            u, v = -x / slopes[0], -y / slopes[1]
            return mpmath.exp(-x - y - (u * u - 2 * p * u * v + v * v) / (2 * gap))

        share = mpmath.quad(relative, [0, 3, 10, 60], [0, 3, 10, 60])
        corner = mpmath.exp(-(h * h - 2 * p * h * k + k * k) / (2 * gap)) / (2 * mpmath.pi * mpmath.sqrt(gap))
        expected = corner * share / (slopes[0] * slopes[1])
        value = mpmath.mpf(str(BivariateNormalCDF(h, k, r).evalf(20)))
        assert abs(value / expected - 1) < 1e-12


@pytest.mark.parametrize(
    ("h", "k", "rho"),
    [(-40, 3, "1/5"), (-1000, -3, "1/10"), (-30, 2, "-9/10"), (-1, 1, "-999999999/1000000000"), (-100000, 7, "99/100")],
)
def test_small_values_keep_their_digits_whatever_the_other_limit(h, k, rho):
    # P(X <= h, Y <= k) + P(X <= h, Y >= k) = P(X <= h), all far below float64
    r = sp.Rational(rho)
    both = BivariateNormalCDF(h, k, r).evalf(40) + BivariateNormalCDF(h, -k, -r).evalf(40)
    assert abs(both / NormalCDF(h).evalf(40) - 1) < sp.Float(10) ** -38

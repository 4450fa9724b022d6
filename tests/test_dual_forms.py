"""The dual object's exact side: closed forms, their check, coefficients, series, printing."""

import numpy as np
import pytest
import sympy as sp

import hermite_dual as hd
from hermite_dual import verified_form
from hermite_dual.symbolic.closed_forms import DualForm

x, rho, q1, q2, c = hd.x, hd.rho, hd.q1, hd.q2, hd.c
OPEN = [
    "quick_gelu",
    "gelu_tanh",
    "tanh",
    "sigmoid",
    "softplus",
    "silu",
    "mish",
    "arctan",
    "softsign",
    "log_cosh",
    "sech",
    "squareplus",
    "asinh",
    "penalized_tanh",
    "bipolar_sigmoid",
    "lecun_tanh",
    "tanh_shrink",
    "log_sigmoid",
    "serf",
    "bent_identity",
]
CLOSED = [entry.name for entry in hd.catalogue() if entry.name not in OPEN]


@pytest.mark.slow
@pytest.mark.parametrize("name", CLOSED)
def test_the_float_kernel_and_the_closed_form_agree_at_fresh_points(name):
    """The check in the house has its own points; these are others, and the derivation is compared in both forms."""
    k = hd.dual(name)
    assert k.no_closed_form_because is None
    for correlation in (-0.83, 0.0, 0.41, 0.97):
        derived = float(k.closed_form.subs(rho, sp.Rational(str(correlation))).evalf(25))
        assert derived == pytest.approx(k(correlation), rel=1e-11, abs=1e-12 * k(1.0))
    for v1, v2, covariance in ((0.3, 0.2, 0.1), (0.15, 0.24, -0.11)):
        point = {q1: sp.Rational(str(v1)), q2: sp.Rational(str(v2)), c: sp.Rational(str(covariance))}
        derived = float(k.closed_form_general.subs(point).evalf(25))
        scale = np.sqrt(k.kernel(v1, v1, v1) * k.kernel(v2, v2, v2))
        assert derived == pytest.approx(k.kernel(v1, v2, covariance), abs=1e-11 * scale)


@pytest.mark.parametrize("name", OPEN)
def test_activations_outside_the_class_say_why(name):
    k = hd.dual(name)
    assert k.closed_form is None
    assert k.closed_form_general is None
    assert any(word in k.no_closed_form_because for word in ("pole", "branch point", "is not a polynomial"))


def test_every_catalogue_name_is_in_one_of_the_two_lists():
    assert set(OPEN) <= {entry.name for entry in hd.catalogue()}
    assert len(CLOSED) + len(OPEN) == len(hd.catalogue())


def test_a_python_function_has_no_closed_form_and_no_exact_results():
    k = hd.dual(np.tanh)
    assert k.closed_form is None
    assert "Python function" in k.no_closed_form_because
    for call in (lambda: k.coefficient(1), lambda: k.series(3), k.to_sympy, lambda: k.ball(1, 1, 0)):
        with pytest.raises(hd.InvalidInputError, match="pass an expression"):
            call()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda form: DualForm(form.general * (1 + sp.Rational(1, 10**9)), form.unit),
        lambda form: DualForm(form.general, form.unit + sp.Rational(1, 10**9)),
        lambda form: DualForm(form.general.subs(q1, 2 * q1), form.unit),
        lambda form: DualForm(sp.I * form.general, form.unit),
    ],
    ids=["general", "unit", "argument", "complex"],
)
def test_a_wrong_derivation_is_withheld(monkeypatch, wrong):
    right = verified_form.derive_cross_dual
    monkeypatch.setattr(verified_form, "derive_cross_dual", lambda phi, psi: wrong(right(phi, psi)))
    verified_form.verified_dual.cache_clear()
    try:
        with pytest.raises(hd.DerivationError, match="is withheld"):
            _ = hd.dual("gelu").closed_form
    finally:
        verified_form.verified_dual.cache_clear()


@pytest.mark.slow
def test_parameters_stay_symbols():
    alpha, b = sp.symbols("alpha b", positive=True)
    leaky = hd.dual(sp.Lambda(x, sp.Max(x, 0) + alpha * sp.Min(x, 0)))
    assert leaky.closed_form.free_symbols == {rho, alpha}
    half = leaky.closed_form.subs(alpha, sp.Rational(1, 2))
    other = hd.dual("leaky_relu", alpha=0.5).closed_form
    assert float((half - other).subs(rho, sp.Rational(1, 3)).evalf(30)) == pytest.approx(0.0, abs=1e-25)
    gaussian = hd.dual(sp.Lambda(x, sp.exp(-b * x**2))).closed_form_general
    expected = ((1 + 2 * b * q1) * (1 + 2 * b * q2) - 4 * b**2 * c**2) ** sp.Rational(-1, 2)
    point = {b: sp.Rational(4, 5), q1: sp.Rational(17, 10), q2: sp.Rational(3, 5), c: sp.Rational(4, 5)}
    assert abs((gaussian - expected).subs(point).evalf(40)) < sp.Float("1e-35")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "gelu", "erf", "sin", "elu", "hard_tanh", "relu^2", "gaussian"])
def test_price_and_the_derivative_give_the_same_form(name):
    k = hd.dual(name)
    direct, price = k.derivative_closed_form("direct"), k.derivative_closed_form("price")
    point = {q1: sp.Rational(7, 5), q2: sp.Rational(4, 5), c: sp.Rational(-2, 5)}
    assert abs((direct.general - price.general).subs(point).evalf(30)) < sp.Float("1e-25")
    value = k.derivative().kernel(1.4, 0.8, -0.4)
    assert float(direct.general.subs(point).evalf(20)) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("name", ["relu", "gelu", "erf", "sin", "exp", "step", "hard_tanh", "elu", "gabor", "x^5"])
@pytest.mark.parametrize("variance", [1, sp.Rational(1, 3)])
def test_exact_coefficients_agree_with_quadrature(name, variance):
    k = hd.dual(name)
    values = k.coefficients(12, float(variance))
    for r in (0, 1, 2, 3, 7, 11):
        exact = k.coefficient(r, variance)
        assert not exact.has(sp.Integral)
        assert float(exact.evalf(20)) == pytest.approx(values[r], abs=1e-14)


def test_a_coefficient_without_an_exact_value_is_an_integral_of_any_precision():
    value = hd.dual("tanh").coefficient(3)
    assert value.has(sp.Integral)
    digits = value.evalf(40)
    with_balls = hd.dual("tanh").coefficient_balls(4, 1, 40)[3]
    assert abs(sp.Float(with_balls.mid().str(45, radius=False), 45) - digits) < sp.Float("1e-38")


@pytest.mark.parametrize("name", ["relu", "step", "erf", "sin", "exp", "gaussian", "x^3"])
def test_formulas_in_the_degree_agree_with_the_coefficients(name):
    k = hd.dual(name)
    formula = k.coefficient_formula()
    assert formula is not None
    (degree,) = formula.free_symbols or {sp.Symbol("r")}
    for r in range(9):
        gap = formula.subs(degree, r) - k.coefficient(r)
        assert abs(gap.evalf(30)) < sp.Float("1e-25")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "tanh", "softplus", "sin", "gelu", "hard_tanh"])
@pytest.mark.parametrize("n", [1, 4, 9])
def test_the_remainder_of_a_series_covers_and_is_reached(name, n):
    k = hd.dual(name)
    series = k.series(n)
    polynomial = sp.lambdify(rho, series.polynomial, modules=[hd.LAMBDIFY_MODULES, "scipy"])
    for correlation in (-1.0, -0.3, 0.6, 1.0):
        assert abs(k(correlation) - polynomial(correlation)) <= series.remainder + 1e-14
    # At rho = 1 every term that is left out is positive, so that the bound is attained.
    assert k(1.0) - polynomial(1.0) == pytest.approx(series.remainder, abs=1e-13)
    # One term of tanh is its zero, which is exact.
    assert series.exact == (name not in ("tanh", "softplus") or (name, n) == ("tanh", 1))


@pytest.mark.slow
def test_balls_contain_the_float_kernel():
    for name in ("tanh", "relu", "gelu"):
        k = hd.dual(name)
        ball = k.ball(sp.Rational(17, 10), sp.Rational(3, 5), sp.Rational(4, 5), digits=25)
        assert float(ball.rad()) < 1e-24
        assert float(ball.mid()) == pytest.approx(k.kernel(1.7, 0.6, 0.8), rel=1e-14)


def test_forms_are_plain_sympy():
    k = hd.dual("gelu")
    slope = sp.diff(k.closed_form_general, c)
    expected = hd.dual("gelu").derivative().kernel(1.0, 1.0, 0.5)
    assert float(slope.subs({q1: 1, q2: 1, c: sp.Rational(1, 2)})) == pytest.approx(expected, rel=1e-12)
    function = sp.lambdify(rho, k.closed_form, "numpy")
    grid = np.linspace(-1.0, 1.0, 11)
    np.testing.assert_allclose(function(grid), k(grid), rtol=1e-13, atol=1e-15)


def test_printing():
    k = hd.dual("relu")
    assert repr(k) == "dual(relu)"
    assert k._repr_latex_().startswith(r"$\displaystyle k\left(\rho\right) = ")
    assert r"\arccos" in k.to_latex()
    assert r"q_{1}" in k.to_latex(general=True)
    assert k.to_sympy() == k.closed_form
    assert r"\Phi_2" in hd.dual("hard_tanh").to_latex()
    assert hd.dual("tanh").to_sympy().has(sp.Integral)
    assert r"\mathbb{E}" in hd.dual("tanh").to_latex()


@pytest.mark.parametrize("n", [0, 301, 2.5])
def test_bad_series_lengths_are_refused(n):
    with pytest.raises(hd.InvalidInputError, match=f"n = {n}"):
        hd.dual("relu").series(n)

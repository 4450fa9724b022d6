"""The variance map and the derivatives of kernels: printed values, other integrals, closed forms, jumps and kinks."""

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

import hermite_dual as hd
from hermite_dual import c, q1, q2, rho, x
from hermite_dual.errors import InvalidInputError, NotIntegrableError
from tests.gaussian_reference import cross_kernel, moment

# The variance map

MOMENTS = [
    ("relu", lambda q: q / 2, lambda q: 1 / 2),
    ("step", lambda q: 1 / 2, lambda q: 0.0),
    ("sign", lambda q: 1.0, lambda q: 0.0),
    ("exp", lambda q: np.exp(2 * q), lambda q: 2 * np.exp(2 * q)),
    # a derivative that is not square-integrable
    ("sqrt(abs(x))", lambda q: np.sqrt(2 * q / np.pi), lambda q: 1 / np.sqrt(2 * np.pi * q)),
    ("cos", lambda q: (1 + np.exp(-2 * q)) / 2, lambda q: -np.exp(-2 * q)),
    ("x**3", lambda q: 15 * q**3, lambda q: 45 * q**2),
    (
        "erf",
        lambda q: 2 / np.pi * np.arcsin(2 * q / (1 + 2 * q)),
        lambda q: 4 / np.pi / ((1 + 2 * q) * np.sqrt(1 + 4 * q)),
    ),
]
"""Moments that are integrals by hand, and their derivatives."""


@pytest.mark.parametrize(("phi", "value", "slope"), MOMENTS, ids=[row[0] for row in MOMENTS])
def test_the_variance_map_and_its_derivative_are_the_known_ones(phi, value, slope):
    k, q = hd.dual(phi), np.array([[0.2, 1e-6], [1.7, 1.0]])
    values, errors = k.variance_map(q, return_error=True)
    slopes, slope_errors = k.variance_map_derivative(q, return_error=True)
    assert values.shape == errors.shape == slopes.shape == slope_errors.shape == (2, 2)
    assert (np.abs(values - value(q)) <= errors).all()
    assert (errors <= 1e-13 * (1 + value(q))).all()
    assert (np.abs(slopes - slope(q)) <= slope_errors + 2e-16 * np.abs(slope(q))).all()
    assert (slope_errors[:, 0] <= 1e-12 * (1 + np.abs(slope(1.7)))).all()
    assert k.variance_map(1.7) == pytest.approx(k.kernel(1.7, 1.7, 1.7), rel=1e-14)


@pytest.mark.parametrize("phi", ["tanh", "gelu", "hard_tanh", "softplus", "elu"])
def test_the_variance_map_is_another_quadrature(phi):
    k, q = hd.dual(phi), 0.83
    with mp.workdps(30):
        value, slope = moment(phi, mp.mpf(q)), mp.diff(lambda v: moment(phi, v), mp.mpf(q))
    for (claimed, error), exact in (
        (k.variance_map(q, return_error=True), value),
        (k.variance_map_derivative(q, return_error=True), slope),
    ):
        assert abs(claimed - float(exact)) <= error + 1e-16
        assert error < 1e-13


@pytest.mark.parametrize(
    ("phi", "least"),
    [("tanh", 1e-6), ("cos", 1e-6), ("step", 1e-6), ("exp(x/8)", 1e-6), ("exp(-x**2)", 1e-6), ("hard_shrink", 1e-3)],
)
def test_many_variances_are_interpolated_within_their_errors(phi, least):
    """Hard shrinkage is 0 up to 1/2, sixteen standard deviations of the least variance: V grows by 60 decades."""
    k = hd.dual(phi)
    q = np.geomspace(least, 1e2, 4001)
    some = np.array([0, 5, 999, 2000, 3100, 4000])
    for many, one in (
        (k.variance_map(q, return_error=True), k.variance_map(q[some], return_error=True)),
        (k.variance_map_derivative(q, return_error=True), k.variance_map_derivative(q[some], return_error=True)),
    ):
        assert (np.abs(many[0][some] - one[0]) <= many[1][some] + one[1]).all()
        assert (many[1] <= 1e-11 * (k.variance_map(q) / q + np.abs(many[0]))).all()


def test_a_variance_map_that_underflows_is_zero_there():
    values = hd.dual("hard_shrink").variance_map(np.geomspace(1e-6, 1e-4, 1001))
    assert (values == 0.0).all()


def test_layers_of_erf_have_the_fixed_point_that_neural_tangents_prints():
    """`sigma_w^2 = 1.5, sigma_b^2 = 0.1`, to its printed digits."""
    k, q = hd.dual("erf"), 0.69110043383
    assert 1.5 * k.variance_map(q) + 0.1 == pytest.approx(q, abs=1e-11)
    assert 1.5 * k.derivative_in_covariance(q, q, q) == pytest.approx(0.98435872532, abs=2e-11)


@pytest.mark.parametrize(
    ("q", "weight", "bias"),
    [
        (0.1, 1.177569, 0.000832),
        (0.3, 1.457999, 0.012390),
        (0.5, 1.687975, 0.038041),
        (1, 2.153303, 0.150965),
        (2, 2.861162, 0.512265),
    ],
)
def test_the_edge_of_chaos_of_tanh(q, weight, bias):
    k = hd.dual("tanh")
    edge = 1 / k.derivative_in_covariance(q, q, q)
    assert edge == pytest.approx(weight, abs=6e-7)
    assert q - edge * k.variance_map(q) == pytest.approx(bias, abs=6e-7)


@pytest.mark.parametrize(
    ("phi", "weight", "bias", "q"),
    [
        ("gelu", 1.9830582575, 0.1729223907, (3 + np.sqrt(17)) / 2),
        ("silu", 1.9880046783, 0.5551431704, 14.3201736),
    ],
)
def test_doubly_critical_initializations(phi, weight, bias, q):
    """Both slopes are 1 at the printed fixed point (Roberts, Yaida and Hanin print fewer of these digits)."""
    k = hd.dual(phi)
    assert weight * k.variance_map(q) + bias == pytest.approx(q, abs=3e-7)
    assert weight * k.variance_map_derivative(q) == pytest.approx(1, abs=1e-8)
    assert weight * k.derivative_in_covariance(q, q, q) == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize(
    ("phi", "value", "slope"),
    [
        ("tanh", 0, 1),
        ("relu", 0, 0.5),
        ("leaky_relu", 0, (1 + 0.01**2) / 2),
        ("cos", 1, -1),
        ("exp", 1, 2),
        ("gelu", 0, 0.25),
    ],
)
def test_at_variance_zero_the_limits_are_returned(phi, value, slope):
    k = hd.dual(phi)
    assert k.variance_map(0.0) == value
    assert k.variance_map_derivative([0.0, 1.0])[0] == pytest.approx(slope, rel=1e-15)


def test_variances_that_have_no_map_are_refused():
    with pytest.raises(InvalidInputError, match=r"variance q = -1\.0"):
        hd.dual("tanh").variance_map([1.0, -1.0])
    with pytest.raises(InvalidInputError, match="variance q = inf"):
        hd.dual("tanh").variance_map_derivative(np.inf)
    with pytest.raises(InvalidInputError, match="q = 0 that is known"):
        hd.dual("step").variance_map_derivative(0.0)  # sqrt(q) moves it by what a jump is
    with pytest.raises(InvalidInputError, match="q = 0 that is known"):
        hd.dual("1 + Abs(x)").variance_map_derivative(0.0)  # V = 1 + 2 sqrt(2 q/pi) + q
    with pytest.raises(NotIntegrableError):
        hd.dual("exp(x**2)").variance_map(0.3)


def test_python_functions_have_a_variance_map_and_need_no_derivative_for_its_slope():
    k = hd.dual(lambda z: np.tanh(z) + np.where(z > 0.5, 1.0, 0.0))
    exact = hd.dual("tanh(x) + Heaviside(x - 1/2)")
    assert k.variance_map(0.6) == pytest.approx(exact.variance_map(0.6), rel=1e-13)
    assert k.variance_map_derivative(0.6) == pytest.approx(exact.variance_map_derivative(0.6), rel=1e-12)


# Derivatives of the kernel

PAIRS = [("relu", "relu"), ("tanh", "erf"), ("hard_tanh", "gelu"), ("step", "relu"), ("step", "step"), ("elu", "abs")]


@pytest.mark.slow
@pytest.mark.parametrize(("phi", "psi"), PAIRS)
@pytest.mark.parametrize(("a", "b", "covariance"), [(1.3, 0.7, 0.5), (0.6, 2.0, -0.9)])
def test_derivatives_are_those_of_another_quadrature(phi, psi, a, b, covariance):
    k = hd.dual(phi, psi)
    with mp.workdps(20):
        args = tuple(map(mp.mpf, (a, b, covariance)))
        in_covariance = mp.diff(lambda v: cross_kernel(phi, psi, args[0], args[1], v), args[2])
        in_variance = mp.diff(lambda v: cross_kernel(phi, psi, v, args[1], args[2]), args[0])
    for (value, error), exact in (
        (k.derivative_in_covariance(a, b, covariance, return_error=True), in_covariance),
        (k.derivative_in_variance(a, b, covariance, return_error=True), in_variance),
    ):
        assert abs(value - float(exact)) <= error + 1e-16
        assert error < 1e-13


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phi", "psi"),
    [("relu", "relu"), ("tanh", "erf"), ("hard_tanh", "gelu"), ("elu", "abs"), ("tanh", "step"), ("step", "relu")],
)
def test_second_derivatives_are_those_of_another_quadrature(phi, psi):
    a, b, covariance = 1.3, 0.7, 0.5
    with mp.workdps(20):
        exact = mp.diff(lambda v: cross_kernel(phi, psi, mp.mpf(a), mp.mpf(b), v), mp.mpf(covariance), 2)
    value, error = hd.dual(phi, psi).second_derivative(a, b, covariance, return_error=True)
    assert abs(value - float(exact)) <= error + 1e-16
    assert error < 1e-13


@pytest.mark.parametrize("phi", ["relu", "leaky_relu", "abs", "hard_tanh", "gelu", "sin", "erf"])
def test_second_derivatives_are_the_closed_form(phi):
    k = hd.dual(phi)
    form = k.derivative_closed_form(order=2)
    r = np.linspace(-0.99, 0.99, 45)  # more than are integrated one by one
    expected = [float(sp.N(form.unit.subs(rho, sp.Rational(value)), 20)) for value in r.tolist()]
    assert k.second_derivative(1, 1, r) == pytest.approx(expected, rel=1e-12, abs=1e-13)
    numbers = {q1: sp.Rational(13, 10), q2: sp.Rational(7, 10), c: sp.Rational(-2, 5)}
    general = float(sp.N(form.general.subs(numbers), 20))
    assert k.second_derivative(1.3, 0.7, -0.4) == pytest.approx(general, rel=1e-12)


def test_the_second_derivative_of_relu_is_infinite_where_its_kinks_meet():
    """Normalized to `k(1) = 1` it is 1/pi at correlation 0, and infinite at 1 and -1."""
    k = hd.dual("relu")
    assert 2 * k.second_derivative(1, 1, 0) == pytest.approx(1 / np.pi, rel=1e-15)
    assert k.second_derivative(3.0, 3.0, [3.0, -3.0]).tolist() == [np.inf, np.inf]
    # at 1 both kinks of each meet; at -1 those of opposite sign, with jumps of opposite sign
    assert hd.dual("hard_tanh").second_derivative(2.0, 2.0, [2.0, -2.0]).tolist() == [np.inf, -np.inf]
    # 1/sqrt(q1) = 2/sqrt(q2) at q2 = 4 q1 alone
    pair = hd.dual("Abs(x - 1)", "Abs(x - 2)")
    assert pair.second_derivative(1.0, 4.0, 2.0) == np.inf
    assert np.isfinite(pair.second_derivative(1.0, 9.0, 3.0))
    assert hd.dual("tanh").second_derivative(1.0, 1.0, 1.0) == pytest.approx(
        float(mp.quad(lambda z: (2 * mp.tanh(z) * mp.sech(z) ** 2) ** 2 * mp.npdf(z), [-12, 0, 12])), rel=1e-13
    )


@pytest.mark.parametrize("phi", ["hard_tanh", "relu6", "leaky_relu"])
def test_kinks_decide_how_the_second_derivative_grows(phi):
    """`2 pi q sqrt(1 - rho^2) C''` tends to `sum_k J_k^2 exp(-s_k^2 / (2 q))`."""
    jumps = {"hard_tanh": [(-1, 1), (1, 1)], "relu6": [(0, 1), (6, 1)], "leaky_relu": [(0, 0.99)]}[phi]
    q, gap = 1.5, 1e-9
    expected = sum(jump**2 * np.exp(-(place**2) / (2 * q)) for place, jump in jumps)
    value = hd.dual(phi).second_derivative(q, q, q * (1 - gap))
    assert 2 * np.pi * q * np.sqrt(gap * (2 - gap)) * value == pytest.approx(expected, rel=1e-6)


def test_jumps_count_in_first_derivatives():
    step = hd.dual("step")
    assert step.derivative_in_covariance(1, 1, 0.5) == pytest.approx(1 / (2 * np.pi * np.sqrt(0.75)), rel=1e-14)
    assert step.derivative_in_covariance(1, 1, [1.0, -1.0]).tolist() == [np.inf, np.inf]
    mixed = hd.dual("step", "relu")  # E[delta(u) 1(v > 0)] = n(0)/2
    assert mixed.derivative_in_covariance(1, 1, [0.3, 1.0, -1.0]) == pytest.approx([0.5 / np.sqrt(2 * np.pi)] * 3)


def test_jumps_are_dipoles_in_second_derivatives():
    """Of two steps `rho/(2 pi (1 - rho^2)^(3/2))`; of a step at 1 the derivative of the joint density in rho."""
    r = np.array([-0.9, -0.2, 0.0, 0.5, 0.999])
    step = hd.dual("step")
    assert step.second_derivative(1, 1, r) == pytest.approx(r / (2 * np.pi * (1 - r**2) ** 1.5), rel=1e-13)
    assert step.second_derivative(1, 1, [1.0, -1.0]).tolist() == [np.inf, -np.inf]
    density = np.exp(-1 / (1 + r)) / (2 * np.pi * np.sqrt(1 - r**2))
    slope = density * (1 / (1 + r) ** 2 + r / (1 - r**2))
    assert hd.dual("Heaviside(x - 1)").second_derivative(1, 1, r) == pytest.approx(slope, rel=1e-12, abs=1e-15)
    # of the sine: -c/q1 n(0) times the mean of its third derivative -cos(v) given u = 0
    a, b, covariance = 1.3, 0.7, -0.4
    sine = covariance / a / np.sqrt(2 * np.pi * a) * np.exp(-(b - covariance**2 / a) / 2)
    assert hd.dual("step", "sin").second_derivative(a, b, covariance) == pytest.approx(sine, rel=1e-13)
    assert hd.dual("sin", "step").second_derivative(b, a, covariance) == pytest.approx(sine, rel=1e-13)


def test_derivatives_obey_the_chain_rule():
    """`V' = dk/dq1 + dk/dq2 + dk/dc` on the diagonal, and the identity of scaling for homogeneous activations."""
    k, q = hd.dual("gelu"), 0.8
    total = 2 * k.derivative_in_variance(q, q, q) + k.derivative_in_covariance(q, q, q)
    assert total == pytest.approx(k.variance_map_derivative(q), rel=1e-13)
    relu, (a, b, covariance) = hd.dual("relu"), (1.3, 0.7, 0.4)
    scaled = 2 * a * relu.derivative_in_variance(a, b, covariance) + covariance * relu.derivative_in_covariance(
        a, b, covariance
    )
    assert scaled == pytest.approx(relu.kernel(a, b, covariance), rel=1e-13)


def test_derivatives_that_do_not_exist_are_refused():
    with pytest.raises(InvalidInputError, match=r"at correlation 1 or -1 the second derivative .* take \|c\| < sqrt"):
        hd.dual("step", "tanh").second_derivative(1, 1, 1)
    with pytest.raises(InvalidInputError, match="no limit that is known at 0"):
        hd.dual("log(Abs(x))").derivative_in_covariance(1, 1, 0.5)
    with pytest.raises(NotIntegrableError, match="pole at x = 0"):
        hd.dual("sqrt(Abs(x))").second_derivative(1, 1, 0.5)
    with pytest.raises(InvalidInputError, match="variance q2 = 0"):
        hd.dual("tanh").derivative_in_variance(1.0, 0.0, 0.0)
    with pytest.raises(InvalidInputError, match="derivative of the Python function"):
        hd.dual(lambda z: np.tanh(np.sin(z)), "relu").derivative_in_covariance(1, 1, 0.5)
    with pytest.raises(InvalidInputError, match="order = 3"):
        hd.dual("relu").derivative_closed_form(order=3)
    with pytest.raises(InvalidInputError, match="covariance c = 2"):
        hd.dual("relu").second_derivative(1, 1, 2.0)


def test_forms_of_the_second_derivative_are_distributions_where_phi_jumps():
    form = hd.dual("step").derivative_closed_form(order=2).unit
    assert sp.simplify(form - rho / (2 * sp.pi * (1 - rho**2) ** sp.Rational(3, 2))) == 0
    assert hd.dual("tanh").derivative_closed_form(order=2).unit is None


def test_infinitely_many_kinks_are_masses_where_the_density_sees_them():
    """`|sin|` has `J = 2` at every multiple of pi, and `phi'' = -|sin|` between them."""
    places, q = np.pi * np.arange(-8, 9), 1.3
    # at correlation 0 the expectation factorizes: E[phi''] = sum_k 2 n(k pi) - E|sin(u)|
    density = np.exp(-(places**2) / (2 * q)) / np.sqrt(2 * np.pi * q)
    mean = float(mp.quad(lambda z: abs(mp.sin(mp.sqrt(q) * z)) * mp.npdf(z), (places / np.sqrt(q)).tolist()))
    value, error = hd.dual("Abs(sin(x))").second_derivative(q, q, 0.0, return_error=True)
    assert abs(value - (2 * density.sum() - mean) ** 2) <= error + 1e-15
    assert error < 1e-13


def test_parameters_without_a_value_are_refused():
    scaled = hd.dual(sp.Lambda(x, sp.Symbol("s", positive=True) * sp.tanh(x)))
    for call in (scaled.derivative_in_covariance, scaled.derivative_in_variance, scaled.second_derivative):
        with pytest.raises(InvalidInputError, match=r"parameter\(s\) s without a value"):
            call(1, 1, 0.5)


def test_a_kink_away_from_zero_is_a_mass_where_it_is():
    """`E[J delta_s(u) psi''(v)]`, psi'' = 2 for psi = x^2: `2 J n(s)`."""
    value = hd.dual(sp.Max(x - 1, 0), x**2).second_derivative(0.5, 2.0, [0.0, 0.3, -1.0])
    assert value == pytest.approx([2 * np.exp(-1.0) / np.sqrt(np.pi)] * 3, rel=1e-14)

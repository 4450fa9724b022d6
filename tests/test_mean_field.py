"""Mean fields of wide networks against values that share nothing with the package, and against what defines them."""

import json
import math
import pickle

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import hermite_dual as hd
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.enclosures.proven_root import proven_root
from hermite_dual.cli import app
from hermite_dual.mean_fields.edge_equations import SEARCHED, _table
from hermite_dual.mean_fields.fixed_points import Stability
from hermite_dual.mean_fields.moment_table import moment_table
from hermite_dual.mean_fields.roots import Sampled, roots
from hermite_dual.mean_fields.variance_map import gradient_moment, moment, moment_slope
from tests.mean_field_values import CRITICAL, EDGES, FIXED
from tests.tolerances import OTHER_PATH

PRECISION = 200
"""Bits at which balls are compared with decimals of 30 digits."""

CLOSE = 2e-13
"""Relative, of moments: some hundred roundings of quadrature."""


def root(number):
    """The exact square root of a decimal."""
    return sp.sqrt(sp.Rational(number))


def decimal(text):
    """A ball around a decimal number that has been rounded to 30 digits."""
    return arb(text) + arb(0, abs(float(text)) * 1e-29)


@pytest.mark.parametrize(("name", "weight", "bias", "q", "par", "one"), FIXED)
def test_fixed_points_are_those_of_direct_quadrature(name, weight, bias, q, par, one):
    field = hd.mean_field(name, root(weight), root(bias))
    point = min(field.fixed_points, key=lambda point: abs(point.q - float(q)))
    lost = 1.0 / abs(1.0 - float(par))
    assert point.q == pytest.approx(float(q), rel=CLOSE * max(1.0, lost))
    assert point.chi_par == pytest.approx(float(par), rel=CLOSE * max(10.0, lost))
    assert point.chi_1 == pytest.approx(float(one), rel=CLOSE * max(10.0, lost))
    assert point.stability is (Stability.STABLE if float(par) < 1 else Stability.UNSTABLE)
    assert point.phase == ("ordered" if float(one) < 1 else "chaotic")


@pytest.mark.parametrize(("name", "bias", "q", "weight", "par"), EDGES)
def test_edges_are_those_of_direct_quadrature(name, bias, q, weight, par):
    (edge,) = hd.edge_of_chaos(name, sigma_b=root(bias))
    assert [edge.q, edge.sigma_w2, edge.chi_par] == pytest.approx([float(q), float(weight), float(par)], rel=1e-11)
    field = hd.mean_field(name, edge.sigma_w, edge.sigma_b)
    assert min(abs(point.q / edge.q - 1.0) for point in field.fixed_points) < 1e-11


@pytest.mark.parametrize(
    ("name", "q", "weight", "bias"),
    [pytest.param(*row, marks=[pytest.mark.slow] * (row[0] != "gelu")) for row in CRITICAL],
)
def test_doubly_critical_points_are_those_of_direct_quadrature(name, q, weight, bias):
    zero, point = hd.doubly_critical(name)
    assert (zero.q, zero.chi_par) == (0.0, 1.0)
    assert [point.q, point.sigma_w2, point.sigma_b2] == pytest.approx([float(q), float(weight), float(bias)], rel=1e-11)
    assert point.is_doubly_critical
    (double,) = [
        fixed
        for fixed in hd.mean_field(name, point.sigma_w, point.sigma_b).fixed_points
        if fixed.stability is Stability.HALF_STABLE
    ]
    assert double.q == pytest.approx(float(q), rel=1e-9)
    assert double.phase == "critical"


def test_the_criticality_of_gelu_is_algebraic():
    assert hd.doubly_critical("gelu")[1].q == pytest.approx((3 + math.sqrt(17)) / 2, rel=1e-13)


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
def test_the_edge_of_tanh_at_given_variances(q, weight, bias):
    (edge,) = hd.edge_of_chaos("tanh", q=q)
    assert (round(edge.sigma_w2, 6), round(edge.sigma_b2, 6)) == (weight, bias)


def test_published_values_to_their_digits():
    # Schoenholz et al., arXiv:1611.01232; Xiao et al., arXiv:1806.05393; neural-tangents' notebook of phase diagrams
    assert round(hd.edge_of_chaos("tanh", sigma_b=root("0.05"))[0].sigma_w2, 2) == 1.76
    nearly = hd.mean_field("tanh", root("1.05"), root("2.01e-5"))
    assert (round(nearly.chi_1, 7), round(nearly.q_star, 8)) == (1.0000002, 0.02592084)
    erf = hd.mean_field("erf", root("1.5"), root("0.1"))
    assert (round(erf.q_star, 11), round(erf.chi_1, 11)) == (0.69110043383, 0.98435872532)


@pytest.mark.parametrize(("name", "par"), [("relu", 0.5), ("abs", 1.0), ("x", 1.0), ("Max(x,0)-0.3*Max(-x,0)", 0.545)])
def test_homogeneous_activations_have_one_edge_for_every_variance(name, par):
    for q in (0.25, 7):
        (edge,) = hd.edge_of_chaos(name, q=q)
        assert (edge.q, edge.sigma_b2) == (q, 0.0)
        assert edge.sigma_w2 == pytest.approx(1.0 / par, rel=1e-15)
    field = hd.mean_field(name, sp.sqrt(1 / sp.Rational(str(par))))
    assert [point.stability for point in field.fixed_points] == ["neutral"]
    assert field.phase == "critical"
    with pytest.raises(hd.InvalidInputError, match=r"phi\(t x\) = t phi\(x\)"):
        hd.edge_of_chaos(name, sigma_b=0.2)


def test_relu_at_other_scales():
    assert hd.mean_field("relu", 1.0, 0.3).q_star == pytest.approx(0.18, rel=1e-15)
    below, above = hd.mean_field("relu", 1.2), hd.mean_field("relu", 1.5)
    assert [point.q for point in below.fixed_points] == [0.0]
    assert [(point.q, point.stability) for point in above.fixed_points] == [(0.0, "unstable"), (math.inf, "stable")]
    assert (above.phase, above.q_star) == ("divergent", math.inf)
    assert math.isnan(above.chi_1)
    assert [point.q for point in hd.mean_field("relu", math.sqrt(2), 0.1).fixed_points] == [math.inf]


def test_a_linear_network_keeps_correlations():
    point = hd.mean_field("x", 1.0).towards()
    assert point.phase == "critical"
    assert math.isnan(point.c_star)


def test_an_odd_activation_has_a_fixed_point_at_zero():
    for weight, phase in ((0.81, "ordered"), (1.0, "critical"), (1.21, "chaotic")):
        zero = hd.mean_field("tanh", root(str(weight))).fixed_points[0]
        assert (zero.q, zero.phase) == (0.0, phase)
        assert zero.chi_1 == zero.chi_par == pytest.approx(weight, rel=1e-15)
        assert zero.stability == ("stable" if weight <= 1.0 else "unstable")
    assert hd.edge_of_chaos("tanh", sigma_b=0)[0].sigma_w2 == pytest.approx(1.0, rel=1e-15)


def test_slopes_at_zero_of_kinks_powers_and_jumps():
    selu = hd.mean_field("selu", 1.0).fixed_points[0]
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    assert selu.chi_1 == pytest.approx(scale**2 * (1 + alpha**2) / 2, rel=1e-12)
    assert hd.mean_field("x**2", 1.0).fixed_points[0].chi_1 == 0.0
    assert hd.mean_field("sign(x)", 1.0).fixed_points[0].chi_par == math.inf


def test_several_fixed_points_are_all_found():
    field = hd.mean_field("x**2", root("0.1"), root("0.1"))  # F(q) = .3 q^2 + .1
    low, high, top = field.fixed_points
    roots = [(1 - math.sqrt(0.88)) / 0.6, (1 + math.sqrt(0.88)) / 0.6]
    assert [low.q, high.q] == pytest.approx(roots, rel=1e-13)
    assert (top.q, top.stability) == (math.inf, "stable")
    assert [low.stability, high.stability] == ["stable", "unstable"]
    assert [field.towards(q).q for q in (0.01, 1, 3, high.q, 4)] == [low.q, low.q, low.q, high.q, math.inf]
    assert high.chi_par == pytest.approx(0.6 * roots[1], rel=1e-12)


def test_a_fixed_point_beyond_the_reach_of_variances_is_seen():
    field = hd.mean_field("exp(x)", root("0.001"))  # q = .001 exp(2 q)
    exact = [-float(mp.lambertw(-0.002, branch)) / 2 for branch in (0, -1)]
    assert [point.q for point in field.fixed_points[:2]] == pytest.approx(exact, rel=1e-12)
    assert field.fixed_points[2].q == math.inf
    wave = hd.mean_field("exp(x**2/100)", 1.0).fixed_points  # V = (1 - q/25)^(-1/2), infinite from q = 25 on
    cubic = sorted(value.real for value in np.roots([-1 / 25, 1, 0, -1]) if 0 < value.real < 25)
    assert wave[0].q == pytest.approx(cubic[0], rel=1e-12)
    assert wave[-1].q == math.inf


def test_a_decreasing_map_may_repel_on_both_sides():
    point = hd.mean_field("100*exp(-x**2)", 1.0).towards()  # V = 10^4 (1 + 4 q)^(-1/2)
    q = float(mp.findroot(lambda q: 10**4 / mp.sqrt(1 + 4 * q) - q, 300))
    assert point.q == pytest.approx(q, rel=1e-12)
    assert point.chi_par == pytest.approx(-2e4 * (1 + 4 * q) ** -1.5, rel=1e-11)


def test_degenerate_networks():
    assert hd.mean_field("tanh", 0.0, 0.5).q_star == 0.25
    assert hd.mean_field("tanh", 0.0).q_star == 0.0
    constant = hd.mean_field("2", 0.5, 1.0)
    assert (constant.q_star, constant.chi_1, constant.c_star) == (2.0, 0.0, 1.0)
    assert constant.xi_1 == 0.0
    assert [point.q for point in hd.mean_field("0*x", 1.0).fixed_points] == [0.0]


def test_the_correlation_map_of_erf_ends_where_its_closed_form_does():
    field = hd.mean_field("erf", root("3"), root("0.05"))
    q, w = field.q_star, 3.0

    def step(c):
        return (w * 2 / mp.pi * mp.asin(2 * c * q / (1 + 2 * q)) + 0.05) / q

    c = float(mp.findroot(lambda c: step(c) - c, 0.5))
    assert field.c_star == pytest.approx(c, rel=1e-11)
    assert field.towards().chi_c == pytest.approx(float(mp.diff(step, c)), rel=1e-10)
    assert field.xi_c == pytest.approx(-1 / math.log(float(mp.diff(step, c))), rel=1e-9)


def test_gaps_of_correlations_keep_their_digits_next_to_the_edge():
    q = 1.0
    steep = (1 + math.exp(-2 * q)) / 2  # sin: k = exp(-q) sinh(c), kdot = exp(-q) cosh(c)
    field = hd.mean_field("sin", math.sqrt((1 + 1e-9) / steep), math.sqrt(q - (1 - math.exp(-2 * q)) / 2 / steep))
    point, w = field.towards(), field.sigma_w**2
    with mp.workdps(40):

        def excess(gap):
            return w * mp.exp(-point.q) * (mp.sinh(point.q) - mp.sinh(point.q * (1 - gap))) / (point.q * gap) - 1

        gap = float(mp.findroot(excess, (mp.mpf(1e-9), mp.mpf(3e-9))))
    assert point.gap == pytest.approx(gap, rel=1e-5)  # chi_1 - 1 = 1e-9 has seven digits
    assert 1e-10 < point.gap < 1e-8


def test_jumps_make_every_network_chaotic():
    point = hd.mean_field("sign(x)", 0.1, 1.0).towards()  # C(c) = (.01 (2/pi) asin c + 1)/1.01
    assert (point.chi_1, point.phase) == (math.inf, "chaotic")
    gap = float(mp.findroot(lambda g: (0.01 * 2 / mp.pi * mp.acos(1 - g)) / 1.01 - g, 8e-5))
    assert point.gap == pytest.approx(gap, rel=1e-7)
    slope = 0.01 * 2 / math.pi / math.sqrt(1 - (1 - gap) ** 2) / 1.01
    assert point.chi_c == pytest.approx(slope, rel=1e-6)
    centred = hd.mean_field("sign(x)", 1.0).towards()
    assert (centred.c_star, centred.chi_c) == (0.0, pytest.approx(2 / math.pi, rel=1e-12))
    assert hd.mean_field("sqrt(abs(x))", 1.0, 0.3).chi_1 == math.inf
    for call in (hd.doubly_critical, lambda phi: hd.edge_of_chaos(phi, q=1), hd.phase_diagram):
        with pytest.raises(hd.InvalidInputError, match="every network is chaotic"):
            call("sign(x)")


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(["tanh", "erf", "sin"]), st.floats(0.2, 1.6), st.floats(0.05, 1.0))
def test_fixed_points_are_fixed_and_signs_agree_with_slopes(name, sigma_w, sigma_b):
    field = hd.mean_field(name, sigma_w, sigma_b)
    k = hd.dual(name)
    for point in field.fixed_points:
        value = sigma_w**2 * k.kernel(point.q, point.q, point.q) + sigma_b**2
        assert value == pytest.approx(point.q, rel=1e-12)
        assert (point.stability is Stability.STABLE) == (abs(point.chi_par) < 1)
        c = point.c_star
        image = (sigma_w**2 * k.kernel(point.q, point.q, c * point.q) + sigma_b**2) / point.q
        assert image == pytest.approx(c, abs=1e-11)
        assert point.chi_c <= 1.0 + 1e-9


def test_variance_slopes_are_differences_of_the_moment():
    for name, q in (("gelu", 2.0), ("elu", 0.7), ("sign(x)", 1.3), ("softplus", 0.02), ("exp(-x**2)", 50.0)):
        phi = hd.activation(name)
        step = 1e-4 * q
        difference = (moment(phi, q + step) - moment(phi, q - step)) / (2 * step)
        assert moment_slope(phi, q) == pytest.approx(difference, rel=1e-6, abs=1e-11)


def test_tables_and_their_slopes_agree_with_the_moments():
    phi = hd.activation("softplus")
    for kind in (moment, gradient_moment):
        table = moment_table(kind, phi, 1e-3, 30.0)
        for q in (2e-3, 0.11, 1.7, 29.0):
            assert table.quotient(np.array([q]))[0] * q == pytest.approx(kind(phi, q), rel=1e-12)
    assert moment_table(moment, phi, 1e-3, 30.0).slope(np.array([0.8]))[0] == pytest.approx(
        moment_slope(phi, 0.8), rel=1e-10
    )
    q, ratio, slopes = _table(hd.activation("tanh"))
    assert q[0] <= SEARCHED[0]
    middle = np.searchsorted(q, 1.0)
    difference = (ratio[middle + 8] - ratio[middle - 8]) / np.log(q[middle + 8] / q[middle - 8])
    assert slopes[middle] == pytest.approx(difference, rel=1e-4)


def test_roots_that_touch_are_told_from_those_that_cross_and_miss():
    q = np.exp(np.linspace(-3, 3, 400))
    for shift, places in ((0.0, [1.0, 4.0]), (1e-6, [4.0]), (-1e-6, [0.999, 1.001, 4.0])):

        def value(q, shift=shift):
            return np.log(q) ** 2 * (4.0 - q) / 4.0 + shift

        def slope(q):
            return np.log(q) * (2.0 * (4.0 - q) - q * np.log(q)) / 4.0

        zeros, first, last = roots(Sampled(value(q), value, slope(q), slope), q, 1e-13)
        assert [zero.place for zero in zeros] == pytest.approx(places, rel=2e-4)
        assert (first, last) == (1, -1)
        assert [zero.before == zero.after for zero in zeros] == [shift == 0.0 and place == 1.0 for place in places]


@pytest.fixture
def precise():
    with working_precision(PRECISION):
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("precise")
@pytest.mark.parametrize("index", [0, 3, 12])
def test_balls_hold_the_fixed_points_of_direct_quadrature(index):
    name, weight, bias, q, par, one = FIXED[index]
    field = hd.mean_field(name, root(weight), root(bias), digits=20)
    point = min(field.fixed_points, key=lambda point: abs(point.q - float(q)))
    for ball, text in zip(
        (point.enclosure.q, point.enclosure.chi_par, point.enclosure.chi_1), (q, par, one), strict=True
    ):
        assert ball.overlaps(decimal(text))
        assert ball.rad() < 1e-18 * abs(float(text))
        assert not ball.overlaps(decimal(text) * (1 + arb(10) ** -17))
    assert point.enclosure.is_only_one
    assert point.enclosure.is_stable


@pytest.mark.slow
@pytest.mark.usefixtures("precise")
def test_balls_hold_points_of_the_edge():
    name, bias, q, weight, par = EDGES[0]
    (edge,) = hd.edge_of_chaos(name, sigma_b=root(bias), digits=18)
    for ball, text in ((edge.enclosure.q, q), (edge.enclosure.sigma_w2, weight), (edge.enclosure.chi_par, par)):
        assert ball.overlaps(decimal(text))
        assert ball.rad() < 1e-16
    assert edge.enclosure.sigma_b2.overlaps(arb(1) / 20)
    (given,) = hd.edge_of_chaos("sin", q=sp.Rational(3, 10), digits=20)  # sigma_w^2 = 2/(1 + exp(-.6))
    assert given.enclosure.sigma_w2.overlaps(2 / (1 + (arb(-3) / 5).exp()))
    assert given.enclosure.sigma_w2.rad() < 1e-19


@pytest.mark.slow
@pytest.mark.usefixtures("precise")
def test_balls_hold_the_doubly_critical_points():
    zero, gelu = hd.doubly_critical("gelu", digits=18)
    assert zero.enclosure.sigma_w2.contains(4)
    _, q, weight, bias = CRITICAL[0]
    for ball, text in ((gelu.enclosure.q, q), (gelu.enclosure.sigma_w2, weight), (gelu.enclosure.sigma_b2, bias)):
        assert ball.overlaps(decimal(text))
        assert ball.rad() < 1e-15
    assert gelu.enclosure.q.overlaps((3 + arb(17).sqrt()) / 2)


@pytest.mark.usefixtures("precise")
def test_no_root_is_proven_where_no_sign_changes():
    ball = proven_root(lambda q, _: q * q - 2, 1.4142135623730951, 30)
    assert ball.overlaps(arb(2).sqrt())
    assert ball.rad() < 1e-30
    for touching in (lambda q, _: (q - 2) ** 2, lambda q, _: (q - 2) ** 2 + arb(10) ** -90):
        with pytest.raises(hd.AccuracyError, match="no change of sign is proven near q = 2"):
            proven_root(touching, 2.0000000001, 5)


@pytest.mark.usefixtures("precise")
def test_enclosures_at_zero_of_kinks_and_of_homogeneous_activations():
    zero = hd.mean_field("selu", 1, digits=15).fixed_points[0].enclosure
    scale, alpha = arb("1.0507009873554804934193349852946"), arb("1.6732632423543772848170429916717")
    assert zero.q.is_zero()
    assert abs(zero.chi_1 - scale**2 * (1 + alpha**2) / 2) < 1e-14
    relu = hd.mean_field("relu", 1, sp.sqrt(sp.Rational(3, 10)), digits=20).towards().enclosure
    assert relu.q.overlaps(arb(3) / 5)
    assert relu.chi_par.contains(0.5)
    assert hd.mean_field("sign(x)", 1, 0.5, digits=15).towards().enclosure.chi_1 == arb.pos_inf()


def test_what_cannot_be_proven_is_refused():
    point = hd.doubly_critical("gelu")[1]
    with pytest.raises(hd.AccuracyError, match="a double one as far as float64 sees"):
        hd.mean_field("gelu", point.sigma_w, point.sigma_b, digits=15)
    phi = hd.activation(np.tanh, derivative=lambda x: 1 - np.tanh(x) ** 2)
    with pytest.raises(hd.InvalidInputError, match="of which nothing can be proven"):
        hd.mean_field(phi, 1.2, 0.1, digits=10)
    with pytest.raises(hd.InvalidInputError, match="digits"):
        hd.mean_field("tanh", 1.2, 0.1, digits=0)


def test_python_functions_have_mean_fields():
    phi = hd.activation(np.tanh, derivative=lambda x: 1 - np.tanh(x) ** 2)
    field, formula = hd.mean_field(phi, 1.3, 0.2), hd.mean_field("tanh", 1.3, 0.2)
    assert (field.q_star, field.chi_1) == pytest.approx((formula.q_star, formula.chi_1), rel=1e-12)
    with pytest.raises(hd.InvalidInputError, match="derivative"):
        hd.mean_field(lambda x: np.maximum(x, 0.0) + np.cos(x), 1.0, 0.3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigma_w": -1.0}, "sigma_w = -1.0: allowed are numbers from 0"),
        ({"sigma_w": 1.0, "sigma_b": math.nan}, "sigma_b = nan is not a finite number"),
        ({"sigma_w": math.inf}, "sigma_w = inf is not a finite number"),
        ({"sigma_w": 1e200}, "allowed are numbers from 0 to 1e20"),
        ({"sigma_w": "1"}, "sigma_w = '1' is not a finite number"),
    ],
)
def test_wrong_scales_are_refused(arguments, message):
    with pytest.raises(hd.InvalidInputError, match=message):
        hd.mean_field("tanh", **arguments)


def test_wrong_questions_about_edges_and_gains_are_refused():
    for arguments in ({}, {"q": 1, "sigma_b": 1}):
        with pytest.raises(hd.InvalidInputError, match="one of both"):
            hd.edge_of_chaos("tanh", **arguments)
    with pytest.raises(hd.InvalidInputError, match="allowed are variances above 0"):
        hd.edge_of_chaos("tanh", q=0)
    with pytest.raises(hd.InvalidInputError, match=r"sigma_b\^2 would be -0.313035"):
        hd.edge_of_chaos("cos", q=1)
    with pytest.raises(hd.InvalidInputError, match="is constant"):
        hd.edge_of_chaos("3", q=1)
    with pytest.raises(hd.InvalidInputError, match="no edge of chaos at sigma_b = 1000"):
        hd.edge_of_chaos("tanh", sigma_b=1000)
    for call in (lambda phi: hd.edge_of_chaos(phi, q=1), lambda phi: hd.gain(phi, critical=True)):
        with pytest.raises(hd.InvalidInputError, match="vanishes at q = 1 in float64"):
            call("Max(x - 100, 0)")
    with pytest.raises(hd.InvalidInputError, match="no gain keeps its variance"):
        hd.gain("0*x")
    with pytest.raises(hd.InvalidInputError, match="start = 0"):
        hd.mean_field("tanh", 1.0).towards(0)
    leak = sp.Symbol("leak", positive=True)
    with pytest.raises(hd.InvalidInputError, match=r"parameter\(s\) leak"):
        hd.mean_field(sp.Lambda(sp.Symbol("x"), leak * sp.tanh(sp.Symbol("x"))), 1.0)


def test_gains_keep_variances_and_gradients():
    # 1/std of normalizer-free networks' scaled activations and the usual gain of ReLU
    assert hd.gain("relu") == pytest.approx(math.sqrt(2), rel=1e-15)
    assert hd.gain("tanh") == pytest.approx(1.5925374, abs=1e-7)
    q = 0.4
    field = hd.mean_field("sin", hd.gain("sin", variance=q))
    assert min(abs(point.q - q) for point in field.fixed_points) < 1e-12
    (edge,) = hd.edge_of_chaos("sin", q=q)
    assert hd.gain("sin", critical=True, variance=q) == pytest.approx(edge.sigma_w, rel=1e-15)


def test_correlations_approach_one_as_the_laws_say():
    relu = hd.edge_of_chaos("relu", q=1)[0].approach
    assert (relu.power, relu.constant) == (2, pytest.approx(9 * math.pi**2 / 2, rel=1e-9))
    (edge,) = hd.edge_of_chaos("sin", q=1)  # E[phi''^2] = V
    assert edge.approach.power == 1
    beta = (1 + math.exp(-2)) / ((1 - math.exp(-2)) / 2)
    assert edge.approach.constant == pytest.approx(beta, rel=1e-12)
    gap, scale = 1e-3, edge.sigma_w2 * math.exp(-1)
    image = scale * (math.sinh(1) - math.sinh(1 - gap))
    assert (gap - image) / gap**2 == pytest.approx(1 / beta, rel=2e-3)
    kinked = "Max(-1/2, Min(1/2, x)) + x/3"
    (edge,) = hd.edge_of_chaos(kinked, q=2)
    gap = 1e-6
    drop = hd.dual(kinked).kernel(2, 2, 2) - hd.dual(kinked).kernel(2, 2, 2 * (1 - gap))
    s = (gap - edge.sigma_w2 * drop / 2) / gap**1.5
    assert edge.approach.power == 2
    assert 4 / s**2 == pytest.approx(edge.approach.constant, rel=5e-3)
    assert hd.edge_of_chaos("x", q=1)[0].approach is None
    assert hd.edge_of_chaos("tanh", sigma_b=0)[0].approach is None


@pytest.mark.parametrize(("name", "widths"), [("tanh", (0.8, 2.6)), ("gelu", (0.9, 1.6)), ("relu", (1.0, 1.6))])
def test_phase_diagrams_agree_with_single_points(name, widths):
    sigma_w, sigma_b = np.linspace(*widths, 6), np.array([0.0, 0.2, 0.7])
    diagram = hd.phase_diagram(name, sigma_w, sigma_b)
    assert diagram.q.shape == diagram.xi_c.shape == (6, 3)
    for i, w in enumerate(sigma_w.tolist()):
        for j, b in enumerate(sigma_b.tolist()):
            point = hd.mean_field(name, w, b).towards()
            single = [point.q, point.chi_1, point.c_star, point.chi_c]
            entries = [diagram.q[i, j], diagram.chi_1[i, j], diagram.c_star[i, j], diagram.chi_c[i, j]]
            if math.isfinite(point.q) and point.q < 400:
                assert entries == pytest.approx(single, rel=1e-6, abs=1e-6, nan_ok=True)
            else:
                assert entries[0] == math.inf
    assert diagram.plot().get_xlabel() == r"$\sigma_w$"


def test_the_curve_of_a_diagram_is_the_edge():
    curve = hd.phase_diagram("sin", [1.0], [0.1]).edge
    q = np.linspace(0.3, 3, 5)
    points = [hd.edge_of_chaos("sin", q=float(v))[0] for v in q]
    order = np.argsort(curve[:, 0])
    widths = [point.sigma_w for point in points]
    assert np.interp(widths, curve[order, 0], curve[order, 1]) == pytest.approx([p.sigma_b for p in points], rel=2e-3)
    with pytest.raises(hd.InvalidInputError, match="one-dimensional"):
        hd.phase_diagram("tanh", [[1.0]])
    with pytest.raises(hd.InvalidInputError, match="sigma_b"):
        hd.phase_diagram("tanh", [1.0], [-1.0])


def test_results_can_be_pickled():
    field = hd.mean_field("erf", 1.1, 0.2, digits=10)
    again = pickle.loads(pickle.dumps(field))
    assert again.q_star == field.q_star
    assert again.fixed_points[0].enclosure.q.overlaps(field.fixed_points[0].enclosure.q)
    assert again.c_star == pytest.approx(field.c_star, rel=OTHER_PATH)


def test_the_command_shows_edge_and_fixed_points_and_draws(tmp_path):
    figure = tmp_path / "erf.png"
    result = CliRunner().invoke(app, ["phase", "relu", "--sigma-w", "1", "--sigma-b", "0.3", "--output", str(figure)])
    assert result.exit_code == 0, result.output
    assert "q = 0.18, stable, chi_par = 0.500000, chi_1 = 0.500000, ordered" in result.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")
    again = CliRunner().invoke(app, ["phase", "relu", "--output", str(figure)])
    assert again.exit_code == 2
    assert "exists" in again.stderr
    content = json.loads(CliRunner().invoke(app, ["phase", "tanh", "--json", "--sigma-b", "0.2"]).stdout)
    assert content["edge"][0]["sigma_w"] ** 2 == pytest.approx(1.700796372, rel=1e-9)
    refused = CliRunner().invoke(app, ["phase", "sign(x)"])
    assert refused.exit_code == 2
    assert "every network is chaotic" in refused.stderr

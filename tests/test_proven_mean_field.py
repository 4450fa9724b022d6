"""Proofs that a list of fixed points is complete, and of correlations, against closed forms and counts by hand."""

import math

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from flint import arb

import hermite_dual as hd
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.mean_fields import completeness as complete
from hermite_dual.mean_fields.moment_taylor import moment_cell
from hermite_dual.mean_fields.proven import slope_at_zero_ball
from hermite_dual.mean_fields.variance_ends import UndecidedError, lower_end, upper_end
from hermite_dual.outcome import Outcome


def root(number):
    return sp.sqrt(sp.Rational(str(number)))


def holds(ball, value, radius=1e-15):
    with working_precision(200):
        assert ball.contains(arb(mp.nstr(value, 40)).mid()) or abs(ball - arb(mp.nstr(value, 40))) < 1e-30
    assert float(ball.rad()) < radius


# Correlations


@pytest.mark.parametrize(("weight", "bias"), [("3", "0.05"), ("2.5", "0.2")])
def test_chaotic_correlations_of_erf_solve_their_equation(weight, bias):
    # k = (2/pi) asin(2 c/(1 + 2 q))
    with mp.workdps(50):
        w, b = mp.mpf(weight), mp.mpf(bias)
        q = mp.findroot(lambda q: w * 2 / mp.pi * mp.asin(2 * q / (1 + 2 * q)) + b - q, 1.6)
        c = mp.findroot(lambda c: (w * 2 / mp.pi * mp.asin(2 * c * q / (1 + 2 * q)) + b) / q - c, 0.3)
        slope = w * 2 / mp.pi * 2 / mp.sqrt((1 + 2 * q) ** 2 - (2 * c * q) ** 2)
    point = hd.mean_field("erf", root(weight), root(bias), digits=18).towards().enclosure
    holds(point.q, q)
    holds(point.c_star, c)
    holds(point.chi_c, slope, 1e-12)


def test_correlations_of_a_sign_whose_slope_at_1_is_infinite():
    # (2/pi) asin(c) + 1/4 = 5/4 c
    with mp.workdps(40):
        c = mp.findroot(lambda c: 2 / mp.pi * mp.asin(c) + mp.mpf(1) / 4 - mp.mpf(5) / 4 * c, 0.4)
    point = hd.mean_field("sign(x)", 1, 0.5, digits=16).towards().enclosure
    holds(point.c_star, c, 1e-14)
    with pytest.raises(hd.AccuracyError, match="jumps"):
        _ = point.chi_c


def test_correlations_that_are_formulas():
    assert hd.mean_field("relu", 1, 0.5, digits=15).towards().enclosure.c_star == 1
    chaotic = hd.mean_field("tanh", 2, digits=15)
    zero, point = (one.enclosure for one in chaotic.fixed_points)
    assert not zero.c_star.is_finite()
    assert not zero.chi_c.is_finite()
    assert point.c_star.is_zero()
    # C'(0) = sigma_w^2 E[phi']^2
    assert float(point.chi_c.mid()) == pytest.approx(chaotic.towards().chi_c, rel=1e-13)
    ordered = hd.mean_field("erf", root("1.5"), root("0.1"), digits=15).towards().enclosure
    assert ordered.c_star == 1
    assert ordered.chi_c.overlaps(ordered.chi_1)
    assert not hd.mean_field("x", 1, digits=10).towards().enclosure.c_star.is_finite()


def test_correlations_are_refused_where_nothing_tells_them():
    edge = hd.mean_field("relu", sp.sqrt(2), digits=12).towards().enclosure
    assert edge.c_star == 1  # exactly critical, and not linear
    near = hd.edge_of_chaos("tanh", q=0.5)[0]
    with pytest.raises(hd.AccuracyError, match="is not told from 1"):
        _ = hd.mean_field("tanh", near.sigma_w, near.sigma_b, digits=8).towards().enclosure.c_star


# Completeness


def taylor_of_sine():
    """`V(q) = (1 - exp(-2 q))/2`."""
    return lambda q: (1 - (-2 * q).exp()) / 2


@pytest.mark.parametrize("centre", [0.125, 1.0, 6.0])
def test_cells_hold_the_second_moment_and_its_slope(centre):
    with working_precision(192):
        cell = moment_cell(hd.activation("sin").shape, arb(centre))
        for u in (-0.25, -0.1, 0.0, 0.2, 0.25):
            q = cell.centre * (1 + arb(u))
            assert abs(cell.polynomial(arb(u)) - taylor_of_sine()(q)) <= cell.error
            assert abs(cell.slope(arb(u)) - cell.centre * (-2 * q).exp()) <= cell.slope_error
        assert cell.error < 1e-12


CASES = {
    # activation, sigma_w, sigma_b, and how many fixed points of each kind (0, positive, infinity) there are
    "one, with biases": ("erf", root("1.5"), root("0.1"), (0, 1, 0)),
    "zero and one": ("tanh", 1.1, 0, (1, 1, 0)),
    "zero alone": ("sin", 0.9, 0, (1, 0, 0)),
    "no zero of phi": ("cos", 1.5, 0, (0, 1, 0)),
    "kinks": ("hard_tanh", 1.5, 0, (1, 1, 0)),
    "a kink at 0": ("selu", 1, 0.2, (0, 1, 0)),
    "infinity": ("Max(x, 0) + 2", 2, 0, (0, 0, 1)),
    "growing": ("x^2", 0.5, 0.1, (0, 2, 1)),  # 3 q^2/4 + 1/100 = q
    "growing, from 0": ("x^2", 0.5, 0, (1, 1, 1)),
    "no weights": ("gelu", 0, 0.5, (0, 1, 0)),
    "homogeneous": ("relu", 1, 0.5, (0, 1, 0)),
    "homogeneous, growing": ("relu", 2, 0, (1, 0, 1)),
    "homogeneous, critical": ("relu", sp.sqrt(2), 0.5, (0, 0, 1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_lists_of_fixed_points_are_complete(case):
    name, sigma_w, sigma_b, counts = CASES[case]
    field = hd.mean_field(name, sigma_w, sigma_b, digits=12 if isinstance(sigma_w, sp.Expr) else None)
    places = [point.q for point in field.fixed_points]
    assert (places.count(0.0), sum(0.0 < q < math.inf for q in places), places.count(math.inf)) == counts
    proof = field.completeness
    assert proof.outcome is Outcome.PROVEN, proof.reason
    positive = [q for q in places if 0.0 < q < math.inf]
    assert len(proof.isolating) == len(positive)
    for q, (low, high) in zip(positive, proof.isolating, strict=True):
        assert low * (1 - 1e-12) <= q <= high * (1 + 1e-12)


def test_wrong_lists_are_refuted():
    phi = hd.activation("x^2")
    truth = [0.010076146546926354, 1.323257186786407, math.inf]
    for wrong in (truth[:1], truth[1:], truth[:2], [0.0, *truth], [0.5, *truth], [0.0102, 0.2, math.inf]):
        proof = complete.completeness(phi, (0.5, 0.1), wrong)
        assert proof.outcome is Outcome.REFUTED
    assert complete.completeness(phi, (0.5, 0.1), truth).outcome is Outcome.PROVEN


@pytest.mark.slow
def test_double_points_are_undecided():
    # 3 s^2 q^2 + b^2 - q has a double root where 12 s^2 b^2 = 1: s = b = 12^(-1/4)
    scale = sp.root(sp.Rational(1, 12), 4)
    proof = complete.completeness(hd.activation("x^2"), (scale, scale), [math.sqrt(1 / 12) * 2, math.inf])
    assert proof.outcome is Outcome.UNDECIDED
    assert "two fixed points meet" in proof.reason
    # apart by 1e-6, relatively, they are told from one another
    proof = complete.completeness(hd.activation("x^2"), (scale * sp.Rational(999999, 1000000), scale), [math.inf])
    assert proof.outcome is Outcome.REFUTED
    assert proof.reason.startswith("2 fixed points above 0 exist")
    proof = complete.completeness(hd.activation("x^2"), (scale * sp.Rational(1000001, 1000000), scale), [math.inf])
    assert proof.outcome is Outcome.PROVEN


def test_what_cannot_be_decided_says_why():
    def reason(*arguments):
        proof = hd.mean_field(*arguments).completeness
        assert proof.outcome is Outcome.UNDECIDED
        return proof.reason

    python = hd.activation(np.tanh, derivative=lambda x: 1 - np.tanh(x) ** 2)
    assert "is a Python function" in complete.completeness(python, (1.2, 0.1), []).reason
    assert "not told from 1 towards q = 0" in reason("tanh", 1.0)
    assert "1 as far as float64 sees" in reason("relu", math.sqrt(2.0))
    assert "second derivative" in reason("x^3", 1.0)
    assert "not proven continuous" in reason("heaviside(x)", 1.0)


def test_ends_are_bounds_that_are_nearly_attained():
    with working_precision(192):
        # sqrt(V) <= sqrt(q) + sqrt(3) q/2
        phi = hd.activation("x + x^2/2")
        assert slope_at_zero_ball(phi, phi.shape).overlaps(arb(1))
        end = lower_end(phi, arb("0.25"), arb(0))
        assert end.sign == -1
        bound = (1 - arb(0.5)) / (arb(0.5) * arb(3).sqrt() / 2)
        assert abs(end.q - bound**2) < 1e-20
        assert lower_end(phi, arb(4), arb(0)).sign == 1
        # jumps of the slope: hard_tanh is within x^2/4 of x
        end = lower_end(hd.activation("hard_tanh"), arb("0.25"), arb(0))
        assert abs(end.q - (2 * 2 / arb(3).sqrt()) ** 2) < 1e-20
        # lines above: |softplus| grows like |x| on one side
        assert upper_end(hd.activation("softplus"), arb("1.5"), arb(1)).sign == -1
        assert upper_end(hd.activation("softplus"), arb("2.5"), arb(1)).sign == 1
        with pytest.raises(UndecidedError, match="tends to 1"):
            upper_end(hd.activation("softplus"), arb(2), arb(1))

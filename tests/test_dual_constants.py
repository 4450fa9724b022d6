"""Constants that papers print: published values, and integrals by mpmath."""

import math
import pickle
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from flint import arb

import hermite_dual as hd
from hermite_dual.certified.balls.precision import working_precision

POINTS = [-14, -6, -2, 0, 2, 6, 14]
FUNCTIONS = {
    "tanh": mp.tanh,
    "relu": lambda u: u if u > 0 else mp.mpf(0),
    "softplus": lambda u: mp.log(1 + mp.exp(u)),
    "x**2": lambda u: u * u,
}


def moments(function, q):
    """`a_0`, `a_1` and the second moment by quadrature, 30 digits."""
    root = mp.sqrt(mp.mpf(q))

    def mean(weight):
        return mp.quad(lambda z: weight(function(root * z), z) * mp.npdf(z), POINTS)

    return mean(lambda v, _: v), mean(lambda v, z: v * z), mean(lambda v, _: v * v)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@pytest.mark.parametrize("q", [1, 3])
def test_constants_agree_with_quadrature(name, q):
    constants = hd.dual(name).constants(q, digits=20)
    with mp.workdps(30):
        mean, slope, square = moments(FUNCTIONS[name], q)
        star = mp.sqrt(square - mean**2 - slope**2)
        truth = {"mu_0": mean, "mu_1": slope, "mu_star": star, "zeta": slope / star, "eta": square - mean**2}
        texts = {key: mp.nstr(value, 28) for key, value in truth.items()}
    with working_precision(150):
        for key, text in texts.items():
            ball, exact = constants.balls[key], arb(text)
            assert abs(ball - exact) < arb("1e-19") * max(1, abs(exact))
            assert (ball + arb(0, "1e-24")).overlaps(exact)
            assert ball.rad() < arb("3e-19")
            assert abs(getattr(constants, key) - float(exact.mid())) <= 2e-16 * max(1.0, abs(float(exact.mid())))


def test_published_constants():
    zeta = hd.dual("relu").constants().zeta
    assert f"{zeta**2:.12f}".startswith("2.75193839")  # printed 2.75193838, cut off
    assert zeta**2 == pytest.approx(math.pi / (math.pi - 2), rel=1e-15)
    erf = hd.dual("erf").constants()
    assert erf.mu_1 == pytest.approx(0.6514700, abs=5e-8)
    assert erf.mu_star == pytest.approx(0.20036435, abs=5e-9)
    assert erf.mu_0 == 0.0


def test_nearly_affine_activations_keep_their_digits():
    # sin at variance q: mu_star^2 = exp(-q) (sinh q - q)
    constants = hd.dual("sin").constants(Fraction(1, 10**9))
    assert constants.mu_star == pytest.approx(math.sqrt(1e-27 / 6), rel=1e-8)
    with working_precision(300):
        q = arb(10) ** -9
        assert constants.balls["mu_star"].overlaps(((-q).exp() * (q.sinh() - q)).sqrt())
        assert constants.balls["mu_star"].rad() < constants.balls["mu_star"] * 1e-14


@pytest.mark.parametrize(("phi", "slope", "zeta"), [("3*x + 2", 3.0, math.inf), ("-x", -1.0, -math.inf)])
def test_affine_activations_have_no_nonlinear_constant(phi, slope, zeta):
    constants = pickle.loads(pickle.dumps(hd.dual(phi).constants()))
    assert (constants.mu_1, constants.mu_star, constants.zeta, constants.eta) == (slope, 0.0, zeta, slope**2)
    assert "zeta" not in constants.balls


def test_a_constant_has_no_zeta():
    constants = hd.dual(sp.Integer(5)).constants()
    assert (constants.mu_0, constants.eta) == (5.0, 0.0)
    assert math.isnan(constants.zeta)


@pytest.mark.parametrize("tau", [1, 2.5, Fraction(1, 3)])
def test_relu_has_the_published_equivalent(tau):
    equivalent = hd.dual("relu").explicit_equivalent(Fraction(1, 5), tau)
    assert equivalent.alpha_1 == pytest.approx(0.842105263, abs=5e-10)
    assert equivalent.alpha_4 == pytest.approx(0.858524786, abs=5e-10)
    with working_precision(100):
        assert equivalent.balls["g_1"].contains(arb(1) / 4)
        # centred at its mean tau/sqrt(2 pi), whose square bends by 1 - 1/pi
        assert equivalent.balls["g_4"].overlaps(1 - 1 / arb.pi())


def test_the_equivalent_of_a_smooth_activation_by_its_derivatives():
    s, tau = 0.3, 0.7
    equivalent = hd.dual("softplus").explicit_equivalent(s, tau)
    with mp.workdps(20):
        deviation = mp.mpf(tau)

        def mean(function):
            return mp.quad(lambda z: function(deviation * z) * mp.npdf(z), POINTS)

        def logistic(u):
            return 1 / (1 + mp.exp(-u))

        softplus = FUNCTIONS["softplus"]
        centre = mean(softplus)
        slope, bend = mean(logistic), mean(lambda u: logistic(u) * logistic(-u))
        square = mean(lambda u: 2 * logistic(u) ** 2 + 2 * (softplus(u) - centre) * logistic(u) * logistic(-u))
        alpha_1, alpha_4 = (1 - s) / (1 - s * slope**2), (1 - s) / (1 - s * square / 2)
        alpha_2 = s * bend**2 * alpha_4**2 / (4 * (1 - s * slope**2))
        alpha_3 = s * bend**2 * alpha_1**2 / (2 * (1 - s * slope**2))
        for ours, theirs in zip(
            (equivalent.alpha_1, equivalent.alpha_2, equivalent.alpha_3, equivalent.alpha_4),
            (alpha_1, alpha_2, alpha_3, alpha_4),
            strict=True,
        ):
            assert abs(ours - theirs) < 1e-14


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda k: k.constants(-1), "variance = -1"),
        (lambda k: k.constants(digits=0), "digits = 0"),
        (lambda k: k.explicit_equivalent(1.5), "sigma_a2 = 1.5"),
        (lambda k: k.explicit_equivalent(0.2, tau=0), "tau = 0"),
        (lambda _: hd.dual("x**3").explicit_equivalent(0.5), "poles"),
        (lambda _: hd.dual(lambda z: np.clip(z, -1, 1)).constants(), "Python function"),
    ],
)
def test_bad_arguments_are_named(call, text):
    with pytest.raises(hd.InvalidInputError, match=text):
        call(hd.dual("tanh"))


def test_an_inexact_variance_is_refused_rather_than_vague():
    with pytest.raises(hd.AccuracyError, match="digits"):
        hd.dual("tanh").constants(arb(1, 1e-6))


def test_tables_show_the_constants():
    keys = ["mu_0", "mu_1", "mu_star", "zeta", "eta"]
    table = hd.table(["relu", "erf", "x"], ["name", *keys], digits=6)
    rows = [dict(zip(keys, map(str, row[1:]), strict=True)) for row in table.rows]
    assert rows[0] == {
        "mu_0": "0.398942",
        "mu_1": "0.500000",
        "mu_star": "0.301405",
        "zeta": "1.65890",
        "eta": "0.340845",
    }
    assert rows[1]["mu_1"] == "0.651470"
    assert rows[1]["mu_star"] == "0.200364"
    assert r"$\mu_*$" in table.to_latex()
    assert "∞" in table.to_markdown()
    assert "the activation is affine" in table.to_markdown()

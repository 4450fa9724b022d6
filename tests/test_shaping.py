"""Shaped activations: parameters in public code, conditions by mpmath and by balls, and what cannot be shaped."""

import mpmath as mp
import numpy as np
import pytest

import hermite_dual as hd

SLOPE, CURVATURE = 1.002770965849537, 0.0030395136778115493
"""Of a layer, from the maximal functions of the modified ResNet in the tests of the public code (zeta 1.2, tau .2)."""
PUBLIC = {  # github.com/google-deepmind/dks, tests/test_activation_transform.py; solved there to 1e-8
    ("deep_kernel_shaping", "softplus"): (0.18761008168, 0.40688063442, 8.878672543665, -0.92134661514),
    ("deep_kernel_shaping", "tanh"): (0.07461073058, 0.55669152000, 18.002635964443, -0.50343787687),
    ("deep_kernel_shaping", "gelu"): (0.07043253127, 0.25948929793, 20.211589023159, -0.15815378962),
    ("tailored_activation", "tanh"): (0.05802052186, 0.52186398041, 22.360662617631, -0.47964307044),
}


@pytest.mark.slow
@pytest.mark.parametrize(("method", "name"), sorted(PUBLIC))
def test_parameters_agree_with_public_code(method, name):
    value = SLOPE if method == "deep_kernel_shaping" else CURVATURE
    shaped = getattr(hd, method)(name, 1, value)
    keys = ("alpha", "beta", "gamma", "delta")
    assert [shaped.parameters[key] for key in keys] == pytest.approx(PUBLIC[method, name], rel=1e-7)


def moments(phi, slope, bend, parameters, kinks=()):
    """`E[f]`, `Q(1)`, `Q'(1)`, `C'(1)`, `C''(1)` by quadrature, with the derivatives of phi written out."""
    with mp.workdps(25):
        a, b, g, d = (mp.mpf(parameters[key]) for key in ("alpha", "beta", "gamma", "delta"))
        points = sorted([-12, -4, 0, 4, 12, *((k - b) / a for k in kinks)])

        def mean(function):
            return mp.quad(lambda z: function(z, a * z + b) * mp.npdf(z), points)

        return (
            mean(lambda _, u: g * (phi(u) + d)),
            mean(lambda _, u: (g * (phi(u) + d)) ** 2),
            mean(lambda z, u: z * g * (phi(u) + d) * g * a * slope(u)),
            mean(lambda _, u: (g * a * slope(u)) ** 2),
            mean(lambda _, u: (g * a * a * bend(u)) ** 2),
        )


def sech2(u):
    return mp.sech(u) ** 2


def test_the_conditions_of_deep_kernel_shaping_hold():
    shaped = hd.deep_kernel_shaping("tanh", 50)
    mean, norm, stretch, steepness, _ = moments(mp.tanh, sech2, sech2, shaped.parameters)
    assert max(abs(mean), abs(norm - 1), abs(stretch - 1), abs(steepness**50 - 1.5) / 100) < 1e-12


@pytest.mark.slow
def test_the_conditions_of_tailored_activations_hold():
    shaped = hd.tailored_activation("elu", 20)  # its second derivative jumps at 0
    branches = (lambda u: u if u > 0 else mp.expm1(u)), (lambda u: 1 if u > 0 else mp.exp(u))
    values = moments(*branches, lambda u: 0 if u > 0 else mp.exp(u), shaped.parameters, [0])
    for value, target in zip(values[1:], (1, 1, 1, mp.mpf("0.015")), strict=True):
        assert abs(value - target) < 1e-12


@pytest.mark.parametrize(("depth", "eta"), [(1, 0.1), (50, 0.9), (500, 0.5)])
def test_a_chain_of_leaky_relus_has_the_correlation(depth, eta):
    shaped = hd.tailored_leaky_relu(depth, eta)
    with mp.workdps(40):
        a, c = mp.mpf(shaped.parameters["negative_slope"]), mp.mpf(0)
        for _ in range(depth):  # the published dual of leaky ReLU, over its value at 1
            sine, angle = mp.sqrt(1 - c * c), mp.acos(c)
            c = ((1 - a) ** 2 * (sine - angle * c) / (2 * mp.pi) + (1 + a * a) * c / 2) * 2 / (1 + a * a)
        assert abs(c - eta) < 1e-12
    assert hd.dual(shaped)(1.0) == pytest.approx(1.0, abs=1e-14)


def test_depth_and_local_values_say_the_same():
    chain, local = hd.deep_kernel_shaping("erf", 10, 1.5), hd.deep_kernel_shaping("erf", 1, 1.5 ** (1 / 10))
    assert chain.parameters == local.parameters
    assert chain.parameters["beta"] > 0  # erf is odd: the mirrored solution is as good


@pytest.mark.parametrize("name", ["relu", "exp", "x"])
def test_what_scale_or_shift_do_not_change_cannot_be_shaped(name):
    with pytest.raises(hd.ConvergenceError, match=r"no scale and shift of .* gamma does not"):
        hd.deep_kernel_shaping(name, 10)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: hd.deep_kernel_shaping("tanh", 10, 1.0), "zeta = 1.0"),
        (lambda: hd.deep_kernel_shaping("tanh", 0), "depth=0"),
        (lambda: hd.deep_kernel_shaping("sign", 10), "jumps"),
        (lambda: hd.deep_kernel_shaping(lambda z: np.clip(z, -1, 1), 10), "Python function"),
        (lambda: hd.tailored_activation("relu", 10), "infinite"),
        (lambda: hd.tailored_activation("tanh", 10, -1), "tau = -1"),
        (lambda: hd.tailored_leaky_relu(2), "at depth 2"),
        (lambda: hd.tailored_leaky_relu(50, 0), "eta = 0"),
        (lambda: hd.tailored_leaky_relu(50, float("nan")), "eta = nan"),
    ],
)
def test_bad_arguments_are_named(call, text):
    with pytest.raises(hd.InvalidInputError, match=text):
        call()

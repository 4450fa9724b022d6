"""Kernels as power series in the data's cosine, against closed forms, published values and the kernels themselves."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hermite_dual as hd
from hermite_dual.population.proof.cosine_powers import cosine_power_bounds

SAMPLES = hd.on_sphere(np.random.default_rng(7).standard_normal((6, 4)))
COSINES = SAMPLES @ SAMPLES.T / 4.0
OFF = ~np.eye(6, dtype=bool)
ROUNDING = 4e-15
"""Of series and kernels whose entries are of size 1, with some ten layers' roundings."""

MODELS = {
    "limit": hd.DEQ("tanh", 0.5, 1.2),
    "limit, constant term": hd.DEQ("gelu", 0.5, 1.0),
    "limit, bias": hd.DEQ("relu", 0.5, 1.0, 0.4),
    "multilayer": hd.MLP("gelu", 3, 1.3),
    "multilayer, bias": hd.MLP(["tanh", "relu", "sin"], sigma_w=1.2, sigma_b=0.5),
    "residual": hd.MLP("tanh", 3, 1.3, 0.2, residual=0.6),
    "no readout": hd.MLP("relu", 2, 1.4, 0.3, readout=False),
}


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0.0, atol=ROUNDING * np.abs(expected).max())


def test_the_tanh_model_of_the_papers_has_the_values_computed_elsewhere():
    series = hd.DEQ.paper("tanh", 0.08).gram(SAMPLES).series(8)
    known = [0.0, 0.46352755, 0.0, 0.04397413, 0.0, 0.01175183, 0.0, 0.00428899]
    np.testing.assert_allclose(series.coefficients, known, rtol=0.0, atol=5e-9)
    assert not series.coefficients[::2].any()


@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_layers_of_sine_compose_their_closed_forms(bias):
    # S -> w exp(-q) sinh(S) + bias^2 at the variances q of the layers
    w, alpha = mp.mpf("1.21"), mp.mpf("1.21")
    with mp.workdps(40):
        b = mp.mpf(bias) ** 2
        variances = [alpha + b]
        for _ in range(2):
            variances.append(w * mp.exp(-variances[-1]) * mp.sinh(variances[-1]) + b)

        def kernel(xi):
            S = alpha * xi + b
            for q in variances[:-1]:
                S = w * mp.exp(-q) * mp.sinh(S) + b
            return S

        expected = np.array([float(value) for value in mp.taylor(kernel, 0, 11)])
        end = float(kernel(1))
    series = hd.MLP("sin", 2, 1.1, bias).gram(SAMPLES).series(12)
    close(series.coefficients, expected)
    assert abs(series.remainder - (end - expected.sum())) < ROUNDING


@pytest.mark.parametrize(("name", "bias"), [("sin", 0.0), ("sin", 0.6), ("cos", 0.0), ("cos", 0.6)])
def test_the_limit_solves_its_equation_degree_by_degree(name, bias):
    # xi(s) = (s - w exp(-q) sinh(s) - bias^2)/alpha has the inverse s(xi), whose derivatives are computed
    outer = mp.sinh if name == "sin" else mp.cosh
    with mp.workdps(50):
        w, alpha, b = mp.mpf("0.49"), mp.mpf("1.44"), mp.mpf(bias) ** 2
        q = mp.findroot(lambda q: w * mp.exp(-q) * outer(q) + alpha + b - q, 1.5)

        def kernel(xi):
            s = mp.findroot(lambda s: w * mp.exp(-q) * outer(s) + alpha * xi + b - s, alpha * xi + b + 0.1)
            return mp.exp(-q) * outer(s)

        expected = np.array([float(value) for value in mp.taylor(kernel, 0, 9)])
    model = hd.DEQ(name, 0.7, 1.2, bias)
    close(model.gram(SAMPLES).series(10).coefficients, expected)


def test_the_tangent_kernel_of_sine_in_the_limit():
    with mp.workdps(50):
        w, alpha, b = mp.mpf("0.49"), mp.mpf("1.44"), mp.mpf("0.36")
        q = mp.findroot(lambda q: w * mp.exp(-q) * mp.sinh(q) + alpha + b - q, 1.5)

        def kernel(xi):
            s = mp.findroot(lambda s: w * mp.exp(-q) * mp.sinh(s) + alpha * xi + b - s, alpha * xi + b + 0.1)
            slope = mp.exp(-q) * mp.cosh(s)
            return mp.exp(-q) * mp.sinh(s) + s * slope / (1 - w * slope)

        expected = np.array([float(value) for value in mp.taylor(kernel, 0, 9)])
    close(hd.DEQ("sin", 0.7, 1.2, 0.6).ntk(SAMPLES).series(10).coefficients, expected)


def test_layers_of_relu_with_biases_compose_arc_cosine_kernels():
    with mp.workdps(40):
        w, b = mp.mpf("1.69"), mp.mpf("0.25")

        def kernel(xi):
            S, q = w * xi + b, w + b
            for _ in range(2):
                r = S / q
                S, q = w * q * (mp.sqrt(1 - r**2) + r * (mp.pi - mp.acos(r))) / (2 * mp.pi) + b, w * q / 2 + b
            return S

        expected = np.array([float(value) for value in mp.taylor(kernel, 0, 11)])
    close(hd.MLP("relu", 2, 1.3, 0.5).gram(SAMPLES).series(12).coefficients, expected)


@pytest.mark.parametrize("tangent", [False, True], ids=["gram", "ntk"])
@pytest.mark.parametrize("name", MODELS)
def test_values_are_the_kernels_entries(name, tangent):
    kernel = (MODELS[name].ntk if tangent else MODELS[name].gram)(SAMPLES)
    series = kernel.series(400)
    assert (series.coefficients >= 0.0).all()
    # what is left out at the cosines of these samples is below rounding
    assert series.remainder * np.abs(COSINES[OFF]).max() ** 400 < 1e-20
    slack = series.estimated_error + kernel.estimated_error
    assert np.abs(series.value(COSINES) - kernel.matrix)[OFF].max() <= slack < 2e-11
    assert abs(series.value(1.0) + series.remainder - kernel.matrix[0, 0]) <= slack
    short = kernel.series(5)
    close(short.coefficients, series.coefficients[:5])
    gap = np.abs(short.value(COSINES) - kernel.matrix)[OFF]
    assert (gap <= short.remainder * np.abs(COSINES[OFF]) ** 5 + slack).all()


@pytest.mark.parametrize("parameters", ["a", "W", "U", "b", ("W", "b"), ("a", "U", "b")])
@pytest.mark.parametrize("depth", [None, 1, 3])
def test_tangent_kernels_of_some_parameters(parameters, depth):
    kernel = hd.DEQ("erf", 0.6, 1.1, 0.3).ntk(SAMPLES, parameters=parameters, depth=depth)
    series = kernel.series(200)
    slack = series.estimated_error + kernel.estimated_error
    assert np.abs(series.value(COSINES) - kernel.matrix)[OFF].max(initial=0.0) <= slack < 1e-12


@pytest.mark.slow
@given(
    sigma_w=st.floats(0.0, 0.95),
    sigma_u=st.floats(0.1, 3.0),
    sigma_b=st.floats(0.0, 2.0),
    depth=st.sampled_from([None, 0, 1, 2, 5]),
    n=st.integers(1, 40),
    name=st.sampled_from(["tanh", "relu", "erf", "softplus", "abs"]),
)
@settings(max_examples=25, deadline=None)
def test_the_bound_of_what_is_left_out_holds_for_any_scales(sigma_w, sigma_u, sigma_b, depth, n, name):
    kernel = hd.DEQ(name, sigma_w, sigma_u, sigma_b).gram(SAMPLES[:2], depth=depth)
    series, xi = kernel.series(n), COSINES[0, 1]
    assert (series.coefficients >= 0.0).all()
    slack = series.estimated_error + kernel.estimated_error
    assert abs(series.value(xi) - kernel.matrix[0, 1]) <= series.remainder * abs(xi) ** n + slack


def test_homogeneous_layers_have_one_series_at_any_norms():
    scales = np.array([0.5, 1.0, 3.0, 2.0, 0.1, 1.5])
    samples = SAMPLES * scales[:, None]
    kernel = hd.DEQ("relu", 0.6, 1.3).gram(samples)
    series = kernel.series(300)
    assert series.mean_square is None
    np.testing.assert_allclose(
        (np.outer(scales, scales) * series.value(COSINES))[OFF], kernel.matrix[OFF], rtol=1e-13, atol=0.0
    )
    assert 0.0 < kernel.series(10).lower_bound(samples) <= np.linalg.eigvalsh(kernel.matrix)[0]


def test_one_hidden_layer_has_the_kernel_of_a_deep_network():
    series = hd.DEQ.paper("tanh", 0.08).gram(SAMPLES).series(8)
    design = series.activation()
    xi = np.array([-0.7, 0.0, 0.3, 0.9])
    np.testing.assert_allclose(hd.dual(design.activation)(xi), series.value(xi), rtol=0.0, atol=1e-14)
    assert abs(float(design.tail) - series.remainder) < 1e-15
    assert len(series.activation(3).coefficients) == 4


def test_orthogonal_samples_attain_the_lower_bound():
    # C = 1, so that the least eigenvalue of K is K(1) - kappa_0
    samples = hd.on_sphere(np.eye(5))
    kernel = hd.DEQ("gelu", 0.5).gram(samples)
    series = kernel.series(6)
    exact = kernel.matrix[0, 0] - series.coefficients[0]
    assert exact * (1.0 - 1e-12) - 1e-12 < series.lower_bound(samples) <= exact


@pytest.mark.parametrize("tangent", [False, True], ids=["gram", "ntk"])
@pytest.mark.parametrize("name", MODELS)
def test_the_lower_bound_is_below_the_least_eigenvalue(name, tangent):
    kernel = (MODELS[name].ntk if tangent else MODELS[name].gram)(SAMPLES)
    least = np.linalg.eigvalsh(kernel.matrix)[0]
    bounds = [kernel.series(n).lower_bound(SAMPLES) for n in (3, 12)]
    assert 0.0 <= bounds[0] <= bounds[1] * (1.0 + 1e-9) <= least * (1.0 + 1e-9)
    assert bounds[1] > 0.2 * least


def test_powers_of_the_cosines_of_parallel_samples_are_singular():
    # whole numbers, so that one row is a multiple of the other exactly, with products whose rounded cosines are not 1
    rng = np.random.default_rng(3)
    for _ in range(10):
        row = rng.integers(-(2**40), 2**40, 100).astype(float)
        assert not cosine_power_bounds(np.stack([row, 3.0 * row]), [1, 1000]).any()


def test_powers_of_the_cosines_of_two_samples():
    samples = np.array([[1.0, 0.0], [1e150, 1e150]])
    bounds = cosine_power_bounds(samples, [0, 1, 2, 9])
    exact = 1.0 - 2.0 ** (-0.5 * np.array([0.0, 1.0, 2.0, 9.0]))
    assert (bounds <= exact + 1e-16).all()
    np.testing.assert_allclose(bounds, exact, rtol=0.0, atol=1e-13)
    assert cosine_power_bounds(samples[:1], [0, 4]).tolist() == [1.0, 1.0]


def test_eigenvalues_on_the_sphere_are_legendre_integrals():
    # K = (2/pi) asin(2 xi/3) at depth 1; on the sphere of R^3 the eigenvalue is the mean of K P_l over [-1, 1]
    def eigenvalue(degree):
        with mp.workdps(25):
            ends = [-1, 0, 1]
            return float(mp.quad(lambda t: mp.asin(2 * t / 3) * mp.legendre(degree, t), ends) / mp.pi)

    expected = np.array([eigenvalue(degree) for degree in range(6)])
    for n in (10, 100):
        series = hd.DEQ("erf", 0.0).gram(SAMPLES).series(n)
        sums, tails = series.sphere_eigenvalues(3, 6)
        assert (sums - series.estimated_error <= expected).all()
        assert (expected <= sums + tails + series.estimated_error).all()
    assert tails.max() < 1e-14


def test_no_layers_have_no_kernel():
    series = hd.DEQ("tanh", 0.3).gram(SAMPLES, depth=0).series(3)
    assert series.coefficients.tolist() == [0.0, 0.0, 0.0]
    assert series.remainder == series.lower_bound(SAMPLES) == 0.0


def test_it_shows_its_first_coefficients():
    series = hd.DEQ("x", 0.0).gram(SAMPLES).series(12)
    assert repr(series) == "CosineSeries([0, 1, 0, 0, 0, 0, 0, 0, ...], remainder=0)"
    with pytest.raises(ValueError, match="read-only"):
        series.coefficients[0] = 1.0


def test_what_cannot_be_is_refused_with_a_remedy():
    stretched = SAMPLES[:2] * np.array([[1.0], [2.0]])
    for kernel in (
        hd.MLP("sin", 1).ntk(stretched),
        hd.DEQ("relu", 0.3, 1.0, 0.2).gram(stretched, depth=1),
    ):
        with pytest.raises(hd.InvalidInputError, match=r"hermite_dual\.on_sphere\(X\)"):
            kernel.series(4)
    kernel = hd.DEQ("tanh", 0.3).gram(SAMPLES)
    for n in (0, -1, 1025, 2.5, "4"):
        with pytest.raises(hd.InvalidInputError, match=r"n=.*allowed are whole numbers"):
            kernel.series(n)
    with pytest.raises(hd.InvalidInputError, match="row 1 of X is zero"):
        hd.DEQ("relu", 0.3).gram([[1.0, 2.0], [0.0, 0.0]]).series(4)
    with pytest.raises(hd.InvalidInputError, match="sigma_u = sigma_b = 0"):
        hd.DEQ("cos", 0.3, 0.0).gram(SAMPLES, depth=1).series(4)
    series = kernel.series(4)
    with pytest.raises(hd.InvalidInputError, match="allowed are cosines"):
        series.value([0.2, 1.1])
    with pytest.raises(hd.InvalidInputError, match="allowed are cosines"):
        series.value(math.nan)
    with pytest.raises(hd.InvalidInputError, match="this series is for 1"):
        series.lower_bound(2.0 * SAMPLES)
    with pytest.raises(hd.InvalidInputError, match="degree"):
        series.activation(21)
    with pytest.raises(hd.InvalidInputError, match="degrees=5"):
        series.sphere_eigenvalues(3, 5)

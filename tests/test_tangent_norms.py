"""Tangent kernels of layers at unequal norms, entry by entry against closed forms in 40 digits."""

import mpmath as mp
import numpy as np
import pytest

import hermite_dual as hd

WEIGHT, BIAS = 1.3, 0.2


def relu(q1, q2, c):
    """Arc-cosine kernels of degrees 1 and 0."""
    root = mp.sqrt(q1 * q2)
    angle = mp.acos(max(min(c / root, mp.mpf(1)), mp.mpf(-1)))
    kernel = root * (mp.sin(angle) + (mp.pi - angle) * mp.cos(angle)) / (2 * mp.pi)
    return kernel, (mp.pi - angle) / (2 * mp.pi)


def erf(q1, q2, c):
    """Williams' kernel and its derivative in c."""
    product = (1 + 2 * q1) * (1 + 2 * q2)
    return 2 / mp.pi * mp.asin(2 * c / mp.sqrt(product)), 4 / mp.pi / mp.sqrt(product - 4 * c**2)


def entries(dual, x, y, depth, branch=None):
    """NNGP and NTK of two rows after all layers, from the rows in exact arithmetic."""
    weight, bias = mp.mpf(WEIGHT) ** 2, mp.mpf(BIAS) ** 2
    carry, share = (0, mp.mpf(1)) if branch is None else (1, mp.mpf(branch) ** 2)
    rows = [[mp.mpf(float(value)) for value in row] for row in (x, y)]

    def start(u, v):
        return weight * mp.fdot(u, v) / len(x) + bias

    q1, q2, c = start(rows[0], rows[0]), start(rows[1], rows[1]), start(*rows)
    tangent = c
    for _ in range(depth):
        kernel, slope = dual(q1, q2, c)
        added = share * (weight * kernel + bias)
        tangent = (share * weight * slope + carry) * tangent + added
        q1, q2 = (carry * q + share * (weight * dual(q, q, q)[0] + bias) for q in (q1, q2))
        c = carry * c + added
    return c, tangent


def samples(n, columns=12):
    """Rows of norms that differ by a factor of two, some of them nearly parallel or opposite."""
    generator = np.random.default_rng(n)
    X = generator.standard_normal((n, columns)) * generator.uniform(0.7, 1.4, (n, 1))
    X[1], X[2], X[3] = 1.3 * X[0] + 1e-6, -0.8 * X[0] + 1e-4, X[0] + 1e-9 * X[4]
    return X


@pytest.mark.parametrize(("n", "residual"), [(20, None), (20, 0.5), (150, None)])
@pytest.mark.parametrize(("name", "dual"), [("relu", relu), ("erf", erf)])
def test_three_layers_meet_their_closed_forms_within_the_estimate(name, dual, n, residual):
    X = samples(n)
    network = hd.MLP(name, 3, WEIGHT, BIAS, residual=residual)
    gram, theta = network.gram(X), network.ntk(X)
    pairs = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 2), (4, 5), (n - 1, 6), (7, 7)]
    with mp.workdps(40):
        truth = np.array([[float(value) for value in entries(dual, X[i], X[j], 3, residual)] for i, j in pairs])
    for kernel, expected in zip((gram, theta), truth.T, strict=True):
        got = np.array([kernel.matrix[pair] for pair in pairs])
        assert np.abs(got - expected).max() <= kernel.estimated_error
        assert kernel.estimated_error <= 1e-6 * kernel.matrix.max()
        assert np.array_equal(kernel.matrix, kernel.matrix.T)
    # away from parallel rows, where errors of inner products do not grow
    smooth = [4, 5, 6, 7]
    got = np.array([theta.matrix[pairs[k]] for k in smooth])
    assert np.abs(got - truth[smooth, 1]).max() <= 1e-14 * theta.matrix.max()


def test_a_layer_of_relu_at_a_correlation_next_to_one_has_an_error_that_the_estimate_covers():
    X = np.array([[1.0, 0.0, 0.0], [3.0, 3e-8, 0.0], [-2.0, 0.0, 1e-8]])
    theta = hd.MLP("relu", 1, WEIGHT, [0.0, BIAS]).ntk(X)
    with mp.workdps(40):
        weight, scale = mp.mpf(WEIGHT) ** 2, mp.mpf(WEIGHT) ** 2 / 3
        for i, j in ((0, 1), (0, 2), (1, 2)):
            x, y = (list(map(mp.mpf, map(float, X[k]))) for k in (i, j))
            q1, q2, c = (scale * mp.fdot(u, v) for u, v in ((x, x), (y, y), (x, y)))
            kernel, slope = relu(q1, q2, c)
            expected = weight * slope * c + weight * kernel + mp.mpf(BIAS) ** 2
            assert abs(theta.matrix[i, j] - expected) <= theta.estimated_error
    assert 1e-10 < theta.estimated_error < 1e-6


def test_a_row_of_zeros_under_a_later_bias_has_the_kernel_of_that_bias():
    X = np.array([[0.0, 0.0], [1.0, 2.0], [0.5, -1.0]])
    theta = hd.MLP("relu", 2, [1.2, 1.1, 0.9], [0.0, 0.3, 0.4]).ntk(X)
    # q = (0, 0.09): T(2) = 0.09, then k(q, q, q) = q/2 and kdot = 1/2
    assert theta.matrix[0, 0] == pytest.approx(0.81 * 0.5 * 0.09 + 0.81 * 0.045 + 0.16, rel=1e-15)
    q = 0.09 + 1.21 * 0.5 * 1.44 * 5.0 / 2.0
    kernel, slope = relu(mp.mpf(0.09), mp.mpf(q), mp.mpf(0.09))
    assert theta.matrix[0, 1] == pytest.approx(float(0.81 * (slope * 0.09 + kernel) + 0.16), rel=1e-14)
    assert np.array_equal(theta.matrix, theta.matrix.T)
    assert np.isfinite(theta.estimated_error)


def test_nothing_passes_a_constant_layer():
    X = samples(6)
    matrix = hd.MLP("x - x + 2", 1, WEIGHT, BIAS).ntk(X).matrix
    assert np.allclose(matrix, 4.0 * WEIGHT**2 + BIAS**2, rtol=1e-14, atol=0.0)
    assert not hd.MLP("x - x + 2", 1, WEIGHT, BIAS, readout=False).ntk(X).matrix.any()

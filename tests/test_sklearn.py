"""The scikit-learn kernel: its contract, its gradients against finite differences, and the estimators that use it."""

import pickle

import numpy as np
import pytest
import sympy as sp
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

import hermite_dual as hd
from hermite_dual.errors import InvalidInputError
from hermite_dual.sklearn import DualKernel
from tests.tolerances import REORDERED

RELATIVE = 1e-6
"""Gradients against differences: Richardson's at a step of 1e-3 are within 1e-8 of the largest derivative."""
STEP = 1e-3
RNG = np.random.default_rng(0)
UNEQUAL = RNG.standard_normal((6, 4))
UNEQUAL[3] = UNEQUAL[1]
UNEQUAL[4] = UNEQUAL[2] + 0.6 * RNG.standard_normal(4)
EQUAL = hd.on_sphere(UNEQUAL)
SCALES = {"sigma_w": 0.5, "sigma_u": 1.2, "sigma_b": 0.3}


def differences(kernel, X):
    """Return Richardson's differences of the kernel in theta, shape (n, n, len(theta))."""

    def at(theta):
        return kernel.clone_with_theta(theta)(X)

    columns = []
    for unit in np.eye(len(kernel.theta)):
        coarse, fine = (
            (at(kernel.theta + h * unit) - at(kernel.theta - h * unit)) / (2 * h) for h in (STEP, 0.5 * STEP)
        )
        columns.append((4.0 * fine - coarse) / 3.0)
    return np.stack(columns, axis=2)


def assert_gradient(kernel, X):
    K, gradient = kernel(X, eval_gradient=True)
    expected = differences(kernel, X)
    assert gradient.shape == (len(X), len(X), len(kernel.theta))
    np.testing.assert_allclose(K, kernel(X), rtol=1e-12, atol=1e-13)
    for k in range(gradient.shape[2]):
        assert np.abs(gradient[..., k] - expected[..., k]).max() <= RELATIVE * np.abs(expected[..., k]).max()


@pytest.mark.slow
@pytest.mark.parametrize("depth", [None, 3])
@pytest.mark.parametrize("X", [EQUAL, UNEQUAL], ids=["equal norms", "unequal norms"])
@pytest.mark.parametrize("phi", ["tanh", "gelu", "relu"])
def test_gradients_are_the_derivatives_of_the_gram_matrix(phi, X, depth):
    assert_gradient(DualKernel(phi, **SCALES, depth=depth), X)


@pytest.mark.slow
@pytest.mark.parametrize(("phi", "depth"), [("tanh", None), ("tanh", 2), ("gelu", None), ("relu", None), ("relu", 2)])
@pytest.mark.parametrize("X", [EQUAL, UNEQUAL], ids=["equal norms", "unequal norms"])
def test_gradients_are_the_derivatives_of_the_tangent_kernel(phi, depth, X):
    assert_gradient(DualKernel(phi, **SCALES, kind="ntk", depth=depth), X)


@pytest.mark.slow
@pytest.mark.parametrize("X", [EQUAL[:3], UNEQUAL[:2]], ids=["equal norms", "unequal norms"])
def test_gradients_with_a_kink_away_from_zero(X):
    close = np.vstack([X, X[:1] + 0.05 * np.array([0.3, -1.0, 0.5, 0.2])])
    close = hd.on_sphere(close) if np.ptp(np.linalg.norm(X, axis=1)) < 1e-9 else close
    assert_gradient(DualKernel("Max(x, x/2 + 1/4)", **SCALES), close)


@pytest.mark.slow
def test_a_python_function_with_a_derivative_has_gradients():
    phi = hd.activation(np.tanh, derivative=lambda x: 1.0 / np.cosh(np.minimum(np.abs(x), 300.0)) ** 2)
    found = DualKernel(phi, **SCALES)(UNEQUAL, eval_gradient=True)[1]
    np.testing.assert_allclose(found, DualKernel("tanh", **SCALES)(UNEQUAL, eval_gradient=True)[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["gram", "ntk"])
@pytest.mark.parametrize("depth", [None, 0, 1, 3])
@pytest.mark.parametrize("X", [EQUAL, UNEQUAL], ids=["equal norms", "unequal norms"])
def test_diagonal_and_rectangles_are_the_models(kind, depth, X):
    kernel, model = DualKernel("gelu", **SCALES, kind=kind, depth=depth), hd.DEQ("gelu", **SCALES)
    expected = np.asarray((model.ntk if kind == "ntk" else model.gram)(X, depth=depth))
    np.testing.assert_array_equal(kernel(X), expected)
    np.testing.assert_array_equal(kernel(X, X), expected)
    np.testing.assert_allclose(kernel.diag(X), np.diagonal(expected), rtol=REORDERED)
    np.testing.assert_allclose(kernel(X[:2], X[2:]), expected[:2, 2:], rtol=0, atol=REORDERED)


def test_the_contract_of_a_kernel():
    kernel = DualKernel(sp.tanh, **SCALES, sigma_u_bounds="fixed")
    copy = clone(kernel)
    assert copy is not kernel
    assert copy == kernel
    assert copy.get_params() == kernel.get_params()
    assert kernel.set_params(sigma_w=0.25).sigma_w == 0.25
    assert copy.sigma_w == 0.5
    assert [item.name for item in kernel.hyperparameters if not item.fixed] == ["sigma_b", "sigma_w"]
    np.testing.assert_allclose(kernel.theta, np.log([0.3, 0.25]), rtol=1e-15)
    kernel.theta = np.log([0.2, 0.4])
    assert (kernel.sigma_b, kernel.sigma_w) == (pytest.approx(0.2), pytest.approx(0.4))
    assert not kernel.is_stationary()
    assert repr(DualKernel("gelu", kind="ntk", depth=2)) == (
        "DualKernel(gelu, sigma_w=0.3, sigma_u=1, kind='ntk', depth=2)"
    )
    restored = pickle.loads(pickle.dumps(kernel))
    np.testing.assert_array_equal(restored(EQUAL), kernel(EQUAL))


@pytest.mark.slow
@pytest.mark.parametrize("phi", ["tanh", "cos"])
@pytest.mark.parametrize("kind", ["gram", "ntk"])
@pytest.mark.parametrize("depth", [None, 3])
def test_rows_of_zeros_need_no_bias(phi, kind, depth):
    rows = np.concatenate([UNEQUAL, np.zeros((1, UNEQUAL.shape[1]))])
    kernel = DualKernel(phi, sigma_w=0.4, kind=kind, depth=depth)
    K = kernel(rows)
    np.testing.assert_allclose(kernel.diag(rows), np.diagonal(K), rtol=REORDERED, atol=1e-300)
    np.testing.assert_allclose(K[:-1, :-1], kernel(UNEQUAL), rtol=REORDERED)


def test_what_is_zero_or_fixed_is_not_searched():
    assert [item.name for item in DualKernel().hyperparameters if not item.fixed] == ["sigma_u", "sigma_w"]
    fixed = DualKernel(sigma_w_bounds="fixed", sigma_u_bounds="fixed")
    assert len(fixed.theta) == 0
    K, gradient = fixed(EQUAL, eval_gradient=True)
    assert gradient.shape == (6, 6, 0)
    np.testing.assert_array_equal(K, fixed(EQUAL))


def test_the_search_stays_where_the_limit_exists():
    slope = hd.activation("gelu").lipschitz
    assert DualKernel("gelu").hyperparameter_sigma_w.bounds[0, 1] == pytest.approx(0.99 / slope)
    assert DualKernel("gelu", depth=3).hyperparameter_sigma_w.bounds[0, 1] == 3.0
    with pytest.raises(InvalidInputError, match="sigma_w_bounds"):
        _ = DualKernel(sigma_w_bounds=(1.0, 2.0)).bounds
    with pytest.raises(InvalidInputError, match="sigma_w L < 1"):
        DualKernel(sigma_w=1.0)(EQUAL)
    with pytest.raises(InvalidInputError, match="sigma_w L < 1"):
        DualKernel(sigma_w=1.0).diag(EQUAL)


def test_errors_say_what_to_pass():
    with pytest.raises(InvalidInputError, match='allowed are "gram" and "ntk"'):
        DualKernel(kind="nngp")(EQUAL)
    with pytest.raises(InvalidInputError, match="pass Y=None"):
        DualKernel()(EQUAL, EQUAL, eval_gradient=True)
    with pytest.raises(InvalidInputError, match=r"derivative of .* jumps at 1/2"):
        DualKernel("Max(x, x/2 + 1/4)", kind="ntk")(EQUAL, eval_gradient=True)
    with pytest.raises(InvalidInputError, match="row 0 of X is zero"):
        DualKernel()(np.zeros((1, 4)), eval_gradient=True)


@pytest.fixture(scope="module")
def digits():
    images, labels = hd.load_digits()
    order = np.random.default_rng(0).permutation(len(images))
    X = hd.on_sphere(images)[order]
    return X[:150], labels[order][:150], X[150:450], labels[order][150:450]


# A scale that ends at its bound is a result.
AT_A_BOUND = pytest.mark.filterwarnings("ignore:The optimal value found:sklearn.exceptions.ConvergenceWarning")


@pytest.mark.slow
@AT_A_BOUND
def test_gaussian_process_regression_fits_its_scales(digits):
    X, labels = digits[0][:80], digits[1][:80]
    y = np.where(labels < 5, 1.0, -1.0)
    kernel = ConstantKernel(1.0) * DualKernel("gelu", sigma_b=0.2, sigma_u_bounds=(0.3, 1.5)) + WhiteKernel(0.1)
    fitted = GaussianProcessRegressor(kernel, random_state=0).fit(X, y)
    assert fitted.log_marginal_likelihood_value_ > fitted.log_marginal_likelihood(kernel.theta) + 1.0
    assert fitted.kernel_.k1.k2.sigma_w < 0.99 / hd.activation("gelu").lipschitz * (1 + 1e-12)
    theta = kernel.theta
    _, gradient = fitted.log_marginal_likelihood(theta, eval_gradient=True)
    for k, unit in enumerate(np.eye(len(theta))):
        ends = [fitted.log_marginal_likelihood(theta + s * 1e-4 * unit) for s in (1.0, -1.0)]
        assert gradient[k] == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-5, abs=1e-5 * np.abs(gradient).max())
    mean, deviation = fitted.predict(X[:5], return_std=True)
    assert np.isfinite(mean).all()
    assert (deviation > 0.0).all()


@pytest.mark.slow
@AT_A_BOUND
def test_gaussian_process_classification_fits_its_scales(digits):
    X, labels = digits[0][:60], digits[1][:60] < 5
    kernel = ConstantKernel(1.0) * DualKernel("tanh", sigma_u_bounds="fixed")
    fitted = GaussianProcessClassifier(kernel, random_state=0).fit(X, labels)
    assert fitted.log_marginal_likelihood_value_ > fitted.log_marginal_likelihood(kernel.theta) + 0.1
    assert fitted.score(X, labels) > 0.9


@pytest.mark.parametrize("phi", ["tanh", "gelu"])
@pytest.mark.parametrize("kind", ["gram", "ntk"])
def test_support_vectors_and_kernel_ridge_take_it_as_it_is(digits, phi, kind):
    X, labels, others, truth = digits
    kernel = DualKernel(phi, kind=kind)
    machine = SVC(kernel=kernel, C=100.0).fit(X, labels)
    precomputed = SVC(kernel="precomputed", C=100.0).fit(kernel(X), labels)
    np.testing.assert_array_equal(machine.predict(others), precomputed.predict(kernel(others, X)))
    # Of ten classes; nearest neighbours read 92 % from 150 images.
    assert machine.score(others, truth) > 0.88
    ridge = KernelRidge(kernel=kernel, alpha=1e-3).fit(X, np.eye(10)[labels])
    by_hand = np.linalg.solve(kernel(X) + 1e-3 * np.eye(len(X)), np.eye(10)[labels])
    np.testing.assert_allclose(ridge.predict(others), kernel(others, X) @ by_hand, rtol=0, atol=1e-8)
    assert np.mean(ridge.predict(others).argmax(axis=1) == truth) > 0.88


def test_a_grid_search_clones_it(digits):
    X, labels, *_ = digits
    search = GridSearchCV(SVC(kernel=DualKernel("relu"), C=100.0), {"kernel__sigma_w": [0.1, 0.5]}, cv=2).fit(X, labels)
    assert search.best_params_["kernel__sigma_w"] in {0.1, 0.5}
    assert search.best_score_ > 0.8

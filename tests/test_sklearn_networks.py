"""Kernels of multilayer networks in scikit-learn, and the scaler of rows."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import SVC

import hermite_dual as hd
from hermite_dual.sklearn import DualKernel, MLPKernel, SphereScaler
from tests.test_sklearn import EQUAL, UNEQUAL, assert_gradient
from tests.tolerances import REORDERED

SCALES = {"sigma_w": 0.9, "sigma_b": 0.3}
NETWORKS = [
    {"activation": "gelu", "depth": 2},
    {"activation": "relu", "depth": 3},
    {"activation": ("tanh", "erf"), "depth": None},
    {"activation": "erf", "depth": 2, "residual": 0.7},
    {"activation": "gelu", "depth": 2, "readout": False},
]


@pytest.mark.parametrize("kind", ["gram", "ntk"])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_it_is_the_kernel_of_the_network(network, kind):
    kernel = MLPKernel(**network, **SCALES, kind=kind)
    arguments = {name: value for name, value in network.items() if name != "activation"}
    model = hd.MLP(network["activation"], **SCALES, **arguments)
    expected = np.asarray((model.ntk if kind == "ntk" else model.gram)(UNEQUAL))
    np.testing.assert_array_equal(kernel(UNEQUAL), expected)
    np.testing.assert_allclose(kernel.diag(UNEQUAL), np.diagonal(expected), rtol=REORDERED)
    np.testing.assert_allclose(kernel(UNEQUAL[:2], UNEQUAL[2:]), expected[:2, 2:], rtol=0, atol=REORDERED)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gram", "ntk"])
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_gradients_are_the_derivatives(network, kind):
    for X in (EQUAL[:4], UNEQUAL[:4]):
        assert_gradient(MLPKernel(**network, **SCALES, kind=kind), X)


def test_the_contract_of_a_kernel():
    kernel = MLPKernel(("tanh", "erf"), None, **SCALES, sigma_w_bounds="fixed")
    copy = clone(kernel)
    assert copy == kernel
    assert copy.get_params() == kernel.get_params()
    assert clone(kernel).set_params(depth=2, activation="relu").depth == 2
    assert [item.name for item in kernel.hyperparameters if not item.fixed] == ["sigma_b"]
    assert [item.name for item in MLPKernel().hyperparameters if not item.fixed] == ["sigma_w"]
    assert repr(MLPKernel("relu", 3, residual=0.5)) == "MLPKernel(relu, depth=3, sigma_w=1, sigma_b=0, residual=0.5)"
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(kernel))(EQUAL), kernel(EQUAL))
    with pytest.raises(hd.InvalidInputError, match="depth is missing"):
        MLPKernel(depth=None)(EQUAL)
    with pytest.raises(hd.InvalidInputError, match='allowed are "gram" and "ntk"'):
        MLPKernel(kind="nngp")(EQUAL)


@pytest.fixture(scope="module")
def digits():
    images, labels = hd.load_digits()
    order = np.random.default_rng(0).permutation(len(images))[:450]
    return images[order], labels[order]


def test_a_grid_search_over_depth_and_scales(digits):
    images, labels = digits
    machine = make_pipeline(SphereScaler(), SVC(kernel=MLPKernel("relu", sigma_b=0.1), C=100.0))
    grid = {"svc__kernel__depth": [1, 3], "svc__kernel__sigma_w": [1.0, 2**0.5], "svc__kernel__kind": ["gram", "ntk"]}
    search = GridSearchCV(machine, grid, cv=2).fit(images[:150], labels[:150])
    assert search.best_params_["svc__kernel__depth"] in {1, 3}
    assert search.score(images[150:], labels[150:]) > 0.88


@pytest.mark.slow
def test_a_fit_ends_inside_the_bounds(digits):
    X, y = SphereScaler().fit_transform(digits[0][:30]), np.where(digits[1][:30] < 5, 1.0, -1.0)
    kernel = MLPKernel("gelu", 1, sigma_b=0.2) + WhiteKernel(0.1, (1e-8, 1e2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = GaussianProcessRegressor(kernel, random_state=0).fit(X, y)
    assert fitted.log_marginal_likelihood_value_ > fitted.log_marginal_likelihood(kernel.theta)


def test_rows_that_a_normalizer_made_small_are_told(digits):
    images, labels = digits
    with pytest.warns(UserWarning, match=r"SphereScaler\(\) in place of Normalizer"):
        SVC(kernel=MLPKernel()).fit(Normalizer().fit_transform(images[:60]), labels[:60])
    with pytest.warns(UserWarning, match="nearly linear"):
        DualKernel()(Normalizer().fit_transform(images[:20]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DualKernel()(images[:20] / 100.0)  # norms that differ mean something
        DualKernel(sigma_u=8.0)(Normalizer().fit_transform(images[:20]))
        DualKernel(sigma_u=0.1)(hd.on_sphere(images[:20]))
        DualKernel()(images[:1] / 100.0)


def test_the_scaler():
    rows = np.array([[3.0, 4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [1e200, 0.0, 0.0, -1e200]])
    scaler = SphereScaler()
    np.testing.assert_allclose(np.linalg.norm(scaler.fit_transform(rows), axis=1), [2.0, 0.0, 2.0], rtol=1e-15)
    np.testing.assert_array_equal(clone(scaler).transform(rows), scaler.transform(rows))
    np.testing.assert_array_equal(scaler.transform(rows[:1]), hd.on_sphere(rows[:1]))
    assert scaler.get_feature_names_out().tolist() == ["x0", "x1", "x2", "x3"]
    with pytest.raises(hd.InvalidInputError, match="fitted to 4"):
        scaler.transform(rows[:, :3])
    with pytest.raises(hd.InvalidInputError, match="finite"):
        scaler.fit([[np.nan]])
    ridge = make_pipeline(SphereScaler(), KernelRidge(kernel=ConstantKernel() * MLPKernel("erf"), alpha=1e-3))
    assert np.isfinite(ridge.fit(UNEQUAL, np.arange(6.0)).predict(UNEQUAL)).all()

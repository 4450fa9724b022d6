"""Every way to name an activation: duals, functions, parameters; what is refused says why."""

import math
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from scipy import special

import hermite_dual as hd

t, alpha = sp.symbols("t alpha")


def _read_only(values):
    result = np.tanh(values)
    result.flags.writeable = False
    return result


def _in_place(values):
    values *= 2.0
    return values


def test_a_dual_and_a_model_name_their_activation():
    assert hd.dual(hd.dual("relu")).activation == hd.activation("relu")
    assert hd.DEQ(hd.dual("tanh"), 0.2).activation.name == "tanh"


@pytest.mark.parametrize(
    ("function", "expr"),
    [
        (lambda s: s * sp.erf(s), hd.x * sp.erf(hd.x)),
        (math.tanh, sp.tanh(hd.x)),
        (math.fabs, sp.Abs(hd.x)),
        (lambda s: s**2, hd.x**2),
    ],
)
def test_functions_that_build_a_formula_are_one(function, expr):
    assert hd.activation(function).expr == expr


def test_symbols_give_expressions():
    assert hd.dual("relu")(hd.rho) == hd.dual("relu").closed_form
    assert hd.activation("relu")(t) == sp.Max(t, 0)


def test_parameters_of_expressions_go_by_name():
    expected = hd.dual("tanh(2*x)")(0.5)
    assert hd.dual(sp.tanh(alpha * t), alpha=2)(0.5) == expected
    assert hd.dual(sp.Lambda(t, sp.tanh(alpha * t)), alpha=2)(0.5) == expected
    with pytest.raises(hd.InvalidInputError, match="beta does not occur"):
        hd.dual(sp.tanh(alpha * t), beta=2)


@pytest.mark.parametrize("assumption", ["positive", "negative", "integer", "nonnegative"])
def test_a_variable_on_a_part_of_the_line_is_refused(assumption):
    with pytest.raises(hd.InvalidInputError, match=f"declared {assumption}"):
        hd.dual(sp.tanh(sp.Symbol("p", **{assumption: True})))


@pytest.mark.parametrize(
    ("arguments", "options"),
    [((hd.activation("relu"),), {"alpha": 2}), (("relu",), {"kinks": [5]}), ((sp.tanh,), {"derivative": np.cosh})],
)
def test_what_would_be_ignored_is_refused(arguments, options):
    with pytest.raises(hd.InvalidInputError, match=next(iter(options))):
        hd.activation(*arguments, **options)


@pytest.mark.parametrize("function", [np.tanh, _read_only])
def test_arrays_of_the_user_are_not_written_into(function):
    assert hd.dual(function)(0.5) == hd.dual(np.tanh)(0.5)


def test_a_function_may_write_into_its_argument():
    assert hd.dual(_in_place).kernel(1.0, 1.0, 0.5) == pytest.approx(2.0, rel=1e-14)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda v: np.tanh(v).astype(np.float16), "jax_enable_x64"),
        (lambda v: np.where(np.random.default_rng().random(v.shape) > 0.5, v, 0.0), "different values"),
        (lambda v: v.tanh(), "PyTorch"),
        (lambda v: 1.0 if v > 0 else 0.0, "numpy.vectorize"),
        (lambda v: np.asarray(v, dtype=str), "real numbers"),
    ],
)
def test_functions_that_are_no_activation_say_why(function, message):
    with pytest.raises(hd.InvalidInputError, match=message):
        hd.activation(function)


def test_integers_and_booleans_are_values():
    assert hd.dual(lambda v: (v > 0).astype(int))(0.5) == pytest.approx(1 / 3, rel=1e-9)


def test_narrow_features_of_a_function_are_looked_for_in_steps_of_a_thousandth():
    bump = hd.dual(lambda v: np.exp(-1e6 * (v - 2.71) ** 2))
    assert bump.kernel(1.0, 1.0, 1.0) == pytest.approx(hd.dual("exp(-1e6*(x-2.71)^2)").kernel(1.0, 1.0, 1.0), rel=1e-12)


@pytest.mark.parametrize(
    "function", [np.tan, lambda v: 1 / np.hypot(v - 0.3, 0), lambda v: np.hypot(v - 0.3, 0) ** -0.5]
)
def test_poles_of_a_function_are_found_and_refused(function):
    with pytest.raises(hd.NotIntegrableError, match="not square-integrable at"):
        hd.dual(function)(0.5)


def test_an_integrable_singularity_of_a_function_is_no_pole():
    assert np.isfinite(hd.dual(lambda v: np.hypot(v - 0.3, 0.0) ** -0.125)(0.5))


def _single(function):
    return lambda values: function(values.astype(np.float32))


# Each in float32, its derivative where the tangent kernel is tested, and the same in float64.
SINGLE = [
    (_single(np.tanh), _single(lambda v: 1 / np.cosh(v) ** 2), "tanh"),
    (_single(lambda v: np.maximum(v, 0)), None, "relu"),
    (_single(lambda v: v * np.float32(0.5) * (1 + special.erf(v / np.float32(2**0.5)))), None, "gelu"),
    (_single(lambda v: v / (1 + abs(v))), None, "softsign"),
    (_single(lambda v: np.sign(v - np.float32(0.3))), None, "sign(x-0.3)"),
    (_single(np.sin), _single(np.cos), "sin"),
    (lambda v: np.logaddexp(v.astype(np.float32), np.float32(0)).astype(float), None, "softplus"),
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the Python function")
@pytest.mark.parametrize(("function", "derivative", "formula"), SINGLE, ids=[row[2] for row in SINGLE])
@pytest.mark.parametrize("q", [0.01, 30.0])
def test_error_estimates_cover_float32(function, derivative, formula, q):
    q1, q2 = np.full(6, q), np.array([q, q, q, q, q, 2 * q])
    c = np.array([0.5, 0.99, -0.9, 0.0, 1.0, 0.4]) * q
    single, double = hd.activation(function, derivative=derivative), hd.activation(formula)
    value, error = hd.dual(single).kernel(q1, q2, c, return_error=True)
    exact = hd.dual(double).kernel(q1, q2, c)
    assert (np.abs(value - exact) <= error).all()
    assert error.max() <= 5e-5 * np.abs(exact).max()
    X = np.sqrt(q) * np.random.default_rng(3).standard_normal((12, 8))
    # what shifts a covariance by e shifts the kernel of a jump by sqrt(e) near correlation 1
    share = 5e-3 if formula == "sign(x-0.3)" else 5e-5
    for rows in (X, X / np.linalg.norm(X, axis=1)[:, None]):
        _compare(hd.DEQ(single, 0.2).gram(rows, depth=2), hd.DEQ(double, 0.2).gram(rows, depth=2), share)
        if formula != "sign(x-0.3)":
            _compare(hd.DEQ(single, 0.2).gram(rows), hd.DEQ(double, 0.2).gram(rows))
        if derivative is not None:
            _compare(hd.DEQ(single, 0.2).ntk(rows), hd.DEQ(double, 0.2).ntk(rows))
            _compare(hd.DEQ(single, 0.2).ntk(rows, depth=2), hd.DEQ(double, 0.2).ntk(rows, depth=2))


def _compare(single, double, share=5e-5):
    assert np.abs(np.asarray(single) - np.asarray(double)).max() <= single.estimated_error
    assert single.estimated_error <= share * np.asarray(double).max()


def test_float32_is_said_and_seen_behind_a_conversion():
    for function in (_single(np.tanh), lambda v: np.tanh(v.astype(np.float32)).astype(float)):
        with pytest.warns(UserWarning, match="jax_enable_x64"):
            assert hd.activation(function).resolution == np.finfo(np.float32).eps
    for function in (np.tanh, np.sign, lambda v: np.hypot(v, 1.0), lambda v: np.rint(4 * v) / 4, _read_only):
        assert hd.activation(function).resolution == np.finfo(np.float64).eps


@pytest.mark.filterwarnings("ignore:the Python function")
def test_float32_errors_reach_the_cross_kernel_and_the_store(tmp_path):
    X = np.random.default_rng(4).standard_normal((10, 6))
    X /= np.linalg.norm(X, axis=1)[:, None]
    single, double = hd.DEQ(_single(np.tanh), 0.3), hd.DEQ("tanh", 0.3)
    _compare(single.gram(X[:4], X[4:]), double.gram(X[:4], X[4:]))
    stored = single.store_gram(X, tmp_path / "K.zarr")
    assert stored.estimated_error >= np.abs(stored[:, :] - np.asarray(double.gram(X))).max() > 1e-12


@pytest.mark.parametrize("name", [hd.activation, hd.dual, lambda function: hd.DEQ(function, 0.3)])
def test_the_warning_points_at_the_line_that_named_the_function(name):
    with pytest.warns(UserWarning, match="seven digits") as seen:
        name(_single(np.tanh))
    assert [Path(warning.filename).name for warning in seen] == [Path(__file__).name]

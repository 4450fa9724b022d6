"""Every way to name an activation: duals, functions, parameters; what is refused says why."""

import math

import numpy as np
import pytest
import sympy as sp

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
        (lambda v: np.tanh(v).astype(np.float32), "jax_enable_x64"),
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

"""The dual activation on arrays of another library: the same numbers, by the array API standard alone."""

import array_api_strict as xp
import numpy as np
import pytest
import sympy as sp

import hermite_dual as hd
from hermite_dual.errors import InvalidInputError
from tests.tolerances import FLOAT_KERNEL

RHO = np.concatenate([np.linspace(-1.0, 1.0, 37), [-1 + 1e-9, -1e-7, 1e-7, 1 - 1e-9]])
FORMULAS = ["tanh(x)*cos(x)", "exp(-Abs(x))", "x*erf(x)"]


@pytest.mark.parametrize("phi", ["relu", "gelu", "erf", "sin", "exp", "tanh", "softplus", "elu", "step", *FORMULAS])
def test_values_are_numpys(phi):
    k = hd.dual(phi)
    found = k(xp.asarray(RHO.reshape(1, -1)))
    assert isinstance(found, type(xp.asarray(RHO)))
    expected = k(RHO)
    assert found.shape == (1, RHO.size)
    assert np.abs(np.asarray(found)[0] - expected).max() <= FLOAT_KERNEL * k(1.0)


def test_a_python_function_needs_no_formula():
    k = hd.dual(lambda x: np.maximum(x, 0.0) ** 2 * np.exp(-x))
    assert np.abs(np.asarray(k(xp.asarray(RHO))) - k(RHO)).max() <= FLOAT_KERNEL * k(1.0)


@pytest.mark.parametrize("phi", ["relu", "tanh", "exp(-Abs(x))"])
def test_scalars_precision_and_what_lies_outside(phi):
    k = hd.dual(phi)
    assert float(k(xp.asarray(0.25))) == pytest.approx(k(0.25), rel=FLOAT_KERNEL)
    single = k(xp.asarray(RHO, dtype=xp.float32))
    assert single.dtype == xp.float32
    # Rounding of rho near the ends moves an angle by sqrt(eps); the kernel itself by no more than its slope.
    assert np.abs(np.asarray(single) - k(RHO.astype(np.float32).astype(np.float64))).max() < 2e-5 * k(1.0)
    outside = np.asarray(k(xp.asarray([-1.1, 0.0, 1.0 + 2e-16, 1.5])))
    assert np.isnan(outside[[0, 3]]).all()
    assert np.isfinite(outside[1:3]).all()


def test_integers_are_refused():
    with pytest.raises(InvalidInputError, match="real floating type"):
        hd.dual("relu")(xp.asarray([0, 1]))


CHEAP = {"tanh", "relu", "gelu", "erf", "step", "sin"}
"""Of which the closed form, or that there is none, takes little time."""


@pytest.mark.parametrize(
    "phi",
    [
        pytest.param(entry.name, marks=[pytest.mark.slow] * (entry.name not in CHEAP), id=entry.name)
        for entry in hd.catalogue()
    ],
)
def test_closed_forms_of_the_catalogue_compile_by_lambdify(phi):
    k = hd.dual(phi)
    if k.closed_form is None:
        assert k.no_closed_form_because
        return
    inside = np.linspace(-0.95, 0.95, 20)
    unit = sp.lambdify(hd.rho, k.closed_form, modules=[hd.LAMBDIFY_MODULES, "scipy", "numpy"])
    np.testing.assert_allclose(unit(inside), k(inside), rtol=0, atol=1e-11 * k(1.0))
    q1, q2 = 0.4, 1.3
    c = inside * np.sqrt(q1 * q2)
    general = sp.lambdify((hd.q1, hd.q2, hd.c), k.closed_form_general, modules=[hd.LAMBDIFY_MODULES, "scipy", "numpy"])
    scale = np.sqrt(k.kernel(q1, q1, q1) * k.kernel(q2, q2, q2))
    np.testing.assert_allclose(general(q1, q2, c), k.kernel(q1, q2, c), rtol=0, atol=1e-11 * scale)

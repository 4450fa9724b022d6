"""Activations from kernels: published coefficients, and round trips."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import hermite_dual as hd

rho, x = hd.rho, hd.x


def numbers(design):
    return [float(value) for value in design.coefficients]


@settings(deadline=None, max_examples=5)
@given(st.lists(st.fractions(0, 3, max_denominator=9), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_dual_of_a_designed_activation_is_the_kernel(values, random):
    signs = [random.choice((1, -1)) for _ in values]
    design = hd.activation_from_dual(values, signs=signs)
    k = hd.dual(design)
    kernel = sp.Add(*(sp.Rational(b.numerator, b.denominator) * rho**r for r, b in enumerate(values)))
    assert sp.expand(k.closed_form - kernel) == 0
    for r, (sign, value) in enumerate(zip(signs, design.coefficients, strict=True)):
        assert sp.simplify(k.coefficient(r) - value) == 0
        assert value == 0 or sp.sign(value) == sign


def test_the_float_kernel_of_the_highest_degree():
    k = hd.dual(hd.activation_from_dual([0.0] * 20 + [1.0]))
    assert k.coefficients(21) == pytest.approx([0.0] * 20 + [1.0], abs=1e-12)


@pytest.mark.parametrize(
    ("kernel", "degree", "expected"),
    [
        (rho**3, None, [0, 0, 0, 0.5]),
        (rho**4 + rho, None, [0, 0.707107, 0, 0, 0.447214]),
        (sp.sinh(2 * rho), 7, [0, 1, 0, 0.577350, 0, 0.210819, 0, 0.056344]),
        (sp.cosh(2 * rho), 6, [1, 0, 0.816497, 0, 0.365148, 0, 0.112687]),
    ],
)
def test_published_tangent_kernels(kernel, degree, expected):
    design = hd.activation_from_ntk(kernel, degree=degree)
    assert numbers(design) == pytest.approx(expected, abs=6e-7)
    missing = kernel.subs(rho, 1) - sum((r + 1) * value**2 for r, value in enumerate(design.coefficients))
    assert abs(sp.N(missing - design.tail, 20)) < 1e-18
    assert hd.dual(design).coefficient(3) == design.coefficients[3]


def test_known_kernels_give_their_activations_back():
    relu = hd.activation_from_dual(hd.dual("relu").closed_form, degree=4)
    assert [abs(value) for value in numbers(relu)] == pytest.approx(np.abs(hd.dual("relu").coefficients(5)), abs=1e-15)
    exponential = hd.activation_from_dual(sp.exp(1 + sp.Symbol("t")), degree=5)  # any symbol is the correlation
    assert numbers(exponential) == pytest.approx(hd.dual("exp").coefficients(6), rel=1e-14)
    phi = hd.activation_from_dual(hd.NormalCDF(1) * rho)  # a constant of closed forms
    assert numbers(phi)[1] == pytest.approx(0.8413447460685429**0.5, rel=1e-15)
    assert exponential.tail == sp.simplify(sp.exp(2) - sp.E * sp.Rational(163, 60))


def test_sequences_can_be_cut():
    design = hd.activation_from_dual(np.array([0.5, 0.25, 0.25]), degree=1)
    assert design.activation.expr == sp.sqrt(2) / 2 + x / 2
    assert design.tail == sp.Rational(1, 4)
    assert hd.activation_from_dual([0.5, 0.25]).tail == 0


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ([], {}, "kernel is empty"),
        ([1, 0, -0.1], {}, "coefficient 2 of the kernel is -1/10"),
        ([float("inf")], {}, "coefficient 0 of the kernel is inf"),
        ([0, float("nan")], {}, "coefficient 1 of the kernel is nan"),
        ([1, 1j], {}, "coefficient 1"),
        ([0] * 21 + [1], {}, "22 coefficients"),
        ("sinh(rho)", {}, "hermite_dual.rho"),
        (3, {}, "sequence"),
        (sp.sinh(rho), {}, "degree="),
        (sp.sin(rho), {"degree": 5}, "coefficient 3 of the kernel is -1/6"),
        (sp.sqrt(rho), {"degree": 3}, "no power series"),
        (1 / (1 - rho), {"degree": 3}, "no finite sum"),
        (sp.Abs(rho), {"degree": 3}, "is further from its series at rho = -1/2"),
        (1 + rho - rho**4, {"degree": 3}, "some beyond degree 3 are negative"),
        (sp.Symbol("a") * rho, {}, "symbols a, rho"),
        ([1, 2], {"signs": [1]}, "signs has 1"),
        ([1, 2], {"signs": [1, 2]}, r"signs\[1\] = 2"),
        ([1, 2], {"degree": -1}, "degree=-1"),
    ],
)
@pytest.mark.parametrize("function", [hd.activation_from_dual, hd.activation_from_ntk])
def test_what_is_no_kernel_is_refused(function, arguments, options, text):
    with pytest.raises(hd.InvalidInputError, match=text):
        function(arguments, **options)

"""A sample of the sweeps in benchmarks/, and what they hold enclosures against."""

import importlib
import pathlib

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from flint import arb, arb_mat

from hermite_dual.certified.balls.precision import working_precision

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"
SEED, INDICES = 1, (1, 2, 3, 5, 20, 25, 29)
MATRIX_SEED, MATRICES, LARGEST = 2024, 18, 14

pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="benchmarks/ is not part of this copy")


def load(name):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module(name)


@pytest.fixture(autouse=True)
def fifty_digits():
    with mp.workdps(60):
        yield


@pytest.mark.slow
@pytest.mark.parametrize("index", INDICES)
def test_sample_of_the_enclosure_sweep(index, capsys):
    sweep = load("enclosure_sweep")
    tally = sweep.Tally()
    sweep.one_instance(SEED, index, tally)
    assert (tally.misses, tally.wide) == (0, 0), capsys.readouterr().out
    assert sum(n for what, n in tally.counts.items() if what.startswith("kernels checked")) == 1
    assert tally.counts["coefficients checked"] >= 1


def test_the_sample_has_every_kind_of_reference():
    sweep = load("enclosure_sweep")
    kinds = {sweep.kernel_method(sweep.draw(SEED, index, sweep.Tally())) for index in INDICES}
    assert kinds == {"closed form", "Mehler", "trapezoid", "panels"}


def test_the_sweep_sees_wrong_and_wide_balls():
    sweep = load("enclosure_sweep")
    with working_precision(300):
        ball = arb(2).sqrt()
        shifted, wide = ball + arb(10) ** -20, ball + arb(0, 1e-12)
    value = mp.sqrt(2)
    assert sweep.check(ball, value, "1e-44", value, 16) == []
    assert sweep.check(shifted, value, "1e-44", value, 16) == ["MISS"]
    assert sweep.check(wide, value, "1e-44", value, 16) == ["WIDE"]


def test_panels_against_closed_coefficients():
    sweep, reference = load("enclosure_sweep"), load("mpmath_reference")
    for name, q in (("exp", 30), ("sin", 9), ("cosh", 0.01), ("cos", 2)):
        known = reference.profile(sweep.CATALOGUE[name], mp.mpf(q))
        found = reference.coefficients(known.function, known, 9)
        truth = [reference.closed_coefficient(name, mp.mpf(q), r) for r in range(9)]
        assert max(abs(a - b) for a, b in zip(found, truth, strict=True)) < mp.mpf("1e-46") * max(map(abs, truth))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "engine"), [("step", "rotated"), ("erf", "trapezoid")])
def test_quadratures_of_kernels_against_closed_forms(name, engine):
    sweep, reference = load("enclosure_sweep"), load("mpmath_reference")
    function, q1, q2 = sweep.CATALOGUE[name], mp.mpf("0.3"), mp.mpf(2)
    for rho in (mp.mpf("0.65"), mp.mpf("1e-9") - 1):
        c, s = rho * mp.sqrt(q1 * q2), mp.sqrt(1 - rho**2)
        truth = reference.closed_form(name, q1, q2, c, s)
        with mp.workdps(40):
            assert abs(getattr(reference, engine)(function, q1, q2, rho, s) - truth) < mp.mpf("1e-30")
    rho = mp.mpf("-0.6")
    series = reference.mehler(*(reference.profile(function, q) for q in (q1, q2)), rho)
    truth = reference.closed_form(name, q1, q2, rho * mp.sqrt(q1 * q2), mp.sqrt(1 - rho**2))
    assert abs(series - truth) < mp.mpf("1e-31")


def test_coefficients_of_a_polynomial_are_exact():
    sweep, reference = load("enclosure_sweep"), load("mpmath_reference")
    function = reference.combined(sweep.CATALOGUE["x^2"], sweep.CATALOGUE["x^3"], sp.Rational(-1, 2))  # x^2 - x^3 / 2
    q = mp.mpf("0.7")
    truth = [q, -3 * q**1.5 / 2, q * mp.sqrt(2), -(q**1.5) * mp.sqrt(6) / 2, 0]
    found = [reference.polynomial_coefficient(function.expr, q, r) for r in range(5)]
    assert max(abs(a - b) for a, b in zip(found, truth, strict=True)) < mp.mpf("1e-55")
    panels = reference.coefficients(function, reference.profile(function, q), 5)
    assert max(abs(a - b) for a, b in zip(panels, truth, strict=True)) < mp.mpf("1e-46")
    assert reference.polynomial_coefficient(sweep.CATALOGUE["relu"].expr, q, 0) is None


def test_panels_of_a_kernel_reach_beyond_a_gap():
    sweep, reference = load("enclosure_sweep"), load("mpmath_reference")
    # u and v exceed 1/2 at 24 standard deviations
    rotation = reference._rotation(sweep.CATALOGUE["soft_shrink"], mp.mpf("4e-4"), mp.mpf("5e-4"), mp.mpf("0.5"), 1)
    assert rotation.reach > 25 + 10
    assert rotation.width * 22 < 10  # exponents by which the density falls on a panel


def test_sums_and_products_of_activations():
    sweep, reference = load("enclosure_sweep"), load("mpmath_reference")
    first, second = sweep.CATALOGUE["tanh"], sweep.CATALOGUE["relu"]
    total = reference.combined(first, second, sp.Rational(3, 4))
    product = reference.combined(first, second, None)
    for value in (mp.mpf("-0.5"), mp.mpf(2)):
        ramp = max(value, 0)
        assert mp.almosteq(total.call(value), mp.tanh(value) + ramp * 3 / 4)
        assert mp.almosteq(product.call(value), mp.tanh(value) * ramp)
    assert set(total.kinks) == set(product.kinks) == {0}


@pytest.mark.slow
def test_sample_of_the_eigenvalue_sweep():
    sweep = load("eigenvalue_sweep")
    for index in range(MATRICES):
        name, A = sweep.draw(MATRIX_SEED, index, LARGEST)
        problems, _, bounds = sweep.problems_of(A)
        assert problems == [], (name, index, bounds)


def test_reference_eigenvalues_against_mpmath():
    sweep = load("eigenvalue_sweep")
    for index in range(9):
        name, A = sweep.draw(MATRIX_SEED, index, 8)
        low, high = sweep.reference(A)
        with mp.workdps(130):
            least = min(mp.eigsy(mp.matrix(A.tolist()), eigvals_only=True))
            with working_precision(500):
                assert low <= arb(mp.nstr(least, 120)) <= high, name
                assert high - low <= arb(10) ** -100 * arb(float(np.max(np.sum(np.abs(A), axis=1))))


def test_inertia_counts_and_stays_open_on_an_eigenvalue():
    sweep = load("eigenvalue_sweep")
    values = [-3, -1, 0, 2, 2, 5, *range(6, 20)]
    A = arb_mat(len(values), len(values), [v * (i == j) for i, v in enumerate(values) for j in range(len(values))])
    with working_precision(200):
        assert [sweep.eigenvalues_below(A, arb(s)) for s in (-4, -2, -0.5, 1, 3, 30)] == [0, 1, 2, 3, 5, 20]
        assert sweep.eigenvalues_below(A, arb(2)) is None


def test_powers_reach_far_enough():
    # E[u^9 v^9] = sum over odd j of binomial(9, j)^2 j! ((8 - j)!!)^2 c^j (q1 q2)^((9 - j)/2) (Isserlis)
    sweep, reference = load("enclosure_sweep"), load("mpmath_reference")
    function = reference.combined(sweep.CATALOGUE["identity"], sweep.CATALOGUE["x^8"], None)
    c, s = mp.mpf("0.9"), mp.sqrt(mp.mpf("0.19"))
    truth = sum(mp.binomial(9, j) ** 2 * mp.factorial(j) * mp.fac2(8 - j) ** 2 * c**j for j in range(1, 10, 2))
    assert abs(reference.trapezoid(function, mp.mpf(1), mp.mpf(1), c, s) / truth - 1) < mp.mpf("1e-30")

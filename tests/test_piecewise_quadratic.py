"""Entries of piecewise linear and quadratic activations at any norms, against enclosures found in another way."""

import math
from fractions import Fraction

import flint
import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from flint import arb

import hermite_dual as hd
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.counted.counted_exponential import EXPONENTIAL_UNITS, HIGHEST, LOWEST, exponentials
from hermite_dual.certified.counted.curved_kink_integrals import CURVED, CURVED_ROUNDING
from hermite_dual.certified.counted.kink_integrals import (
    ROUNDING,
    STRAIGHT,
    KinkTable,
    error_up_to,
    kink_integrals,
    rules,
)
from hermite_dual.certified.counted.piecewise_quadratic import is_piecewise_quadratic, piecewise_rows
from hermite_dual.certified.enclosures.kernel import kernel_ball
from hermite_dual.certified.second_proof.certificate import STATEMENTS, make_certificate, verify
from hermite_dual.certified.second_proof.rebuild import parameters_of, rebuild
from hermite_dual.certified.second_proof.rebuild_kinks import bent_line_of, bent_rows, decay
from hermite_dual.shape.shape import shape_of
from tests.tolerances import SHARP_ENTRY

x = sp.Symbol("x", real=True)
UNIT = 2.0**-53

NAMES = ["hard_tanh", "relu6", "hard_sigmoid", "soft_shrink", "triangular"]
"""Odd; neither, with a kink at 0; neither; odd and zero around 0; even, with a kink at 0."""
FORMULAS = {
    **{name: hd.activation(name) for name in NAMES},
    "irrational kinks": hd.activation(
        sp.Piecewise((-x, x < -sp.sqrt(2)), (sp.sqrt(2), x < sp.pi / 4), (sp.sqrt(2) + 3 * (x - sp.pi / 4), True))
    ),
    "many kinks": hd.activation(sum((-1) ** k * sp.Abs(x - sp.Rational(k, 3)) for k in range(-2, 4))),
    "hard_swish": hd.activation("hard_swish"),
    "curved and neither": hd.activation(
        sp.Piecewise((-x - 1, x < -1), ((x + 1) * (2 - x) / 2, x < sp.Rational(3, 2)), (5 * x / 12, True))
    ),
    "curved and odd": hd.activation(
        sp.Piecewise((2 * x + 1, x < -1), (-x * x, x < 0), (x * x, x < 1), (2 * x - 1, True))
    ),
    "kinks far out": hd.activation(sp.Max(-40, sp.Min(60, x))),
}


def relative_units(values, truths):
    return max(float(abs(mp.mpf(v) / t - 1)) / UNIT for v, t in zip(values.tolist(), truths, strict=True))


def test_the_exponentials_err_by_no_more_units_than_they_say():
    rng = np.random.default_rng(0)
    halves = (np.arange(-900, 900) + 0.5) * math.log(2.0)
    points = np.concatenate([rng.uniform(LOWEST, HIGHEST, 500), rng.normal(size=500), halves[abs(halves) < 650]])
    points = np.concatenate([points, [0.0, -0.0, 5e-324, LOWEST, HIGHEST]])
    found = np.empty_like(points)
    exponentials(points, found)
    beyond = np.empty(2)
    exponentials(np.array([np.nextafter(LOWEST, -1e3), -np.inf]), beyond)
    assert not beyond.any()
    with mp.workdps(30):
        assert relative_units(found, [mp.exp(mp.mpf(p)) for p in points.tolist()]) <= EXPONENTIAL_UNITS
        points = np.concatenate([np.abs(points), (np.arange(200) + 0.5) / 32])
        assert relative_units(decay(points), [mp.exp(-mp.mpf(p)) for p in points.tolist()]) <= 4.0
    assert decay(np.array([700.5]))[0] == 0.0


def test_every_rule_errs_by_no_more_than_its_bound():
    """With both kinks at 0 the integral is `theta sin(theta) + cos(theta) - 1`, with others it is done in balls."""
    rule = rules(STRAIGHT)
    for level, (order, length) in enumerate(zip(np.diff(rule.starts), rule.longest, strict=True)):
        nodes = rule.nodes[rule.starts[level] : rule.starts[level + 1]]
        weights = rule.weights[rule.starts[level] : rule.starts[level + 1]]
        with mp.workdps(40):
            # a length at which the rule is poor, so that its own error shows and not the floats'
            long = 6.0 * length
            ends = mp.tanh(mp.mpf(long))
            exact = mp.asin(ends) * ends + mp.sqrt(1 - ends * ends) - 1
            points = [mp.mpf(long) * mp.mpf(p) for p in nodes.tolist()]
            sums = [mp.mpf(w) * (ends - mp.tanh(p)) / mp.cosh(p) for w, p in zip(weights.tolist(), points, strict=True)]
            gap = abs(long * mp.fsum(sums) - exact)
        with working_precision(100):
            assert gap <= float(error_up_to(int(order), long, STRAIGHT).upper()) + 1e-15 * long
            assert error_up_to(int(order), float(length), STRAIGHT) <= arb(rule.errors[level])
        assert rule.errors[level] < 5e-16


def dyadic(value, bits=22):
    """A float of few bits, so that squares and products are exact."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(mantissa * 2**bits), exponent - bits)


def exact_kernel(phi, first, second, rho, digits=17):
    """The kernel at two roots of variances of few bits."""
    c = Fraction(first) * Fraction(second) * Fraction(rho)
    squares = [Fraction(first) ** 2, Fraction(second) ** 2]
    return kernel_ball(phi.shape, *squares, c, digits=digits)


CASES = [
    (1.0, 1.0, 0.5),
    (1.0, 1.0, 1.0),
    (1.0, 1.0, -1.0),
    (1.0, 1.25, 1.0),
    (1.0, 1.25, -1.0),
    (1.0, 1.0 + 2.0**-20, 1 - 2.0**-40),
    (1.0, 1.0 + 2.0**-20, -1 + 2.0**-40),
    (0.5, 0.5, 1 - 2.0**-53),
    (0.5, 0.75, 1 - 2.0**-12),
    (0.25, 32.0, -0.96875),
    (2.0**-4, 8.0, 0.9990234375),
    (64.0, 100.0, 0.984375),
    (3.0, 0.375, 0.0),
    (2.0, 2.0, 2.0**-60),
]


def check_entry(phi, first, second, rho):
    """Every computation of an entry is within its bound, and the bounds are narrow."""
    assert is_piecewise_quadratic(phi.shape)
    ball = exact_kernel(phi, first, second, rho)
    assert ball.is_finite()
    roots = np.array([first, second])
    rows = piecewise_rows(phi.shape, roots**2)
    block = rows.evaluate(np.array([0]), np.array([1]), np.array([[rho]]))
    found = [(block.values[0, 0], block.errors[0, 0])]
    line = bent_line_of(phi.shape.pieces, phi.symbol)
    if line is not None:
        value, _, own = bent_rows(line, roots)[0]._kernel(slice(0, 1), slice(1, 2), np.array([[rho]]), 14)
        found.append((value[0, 0], own[0, 0]))
    length = min(math.atanh(min(abs(rho), 1 - UNIT)), 18.0) + 3.0
    size = np.abs(rows.table.jumps).sum(axis=1).prod()
    if line is None:
        size = 12 * (np.abs(rows.table.jumps) + np.abs(rows.table.bends)).sum(axis=1).prod()
    norms = math.sqrt(float(rows.moments[0].upper()) * float(rows.moments[1].upper()))
    with working_precision(200):
        for v, e in found:
            assert abs(ball - arb(float(v))).lower() <= arb(float(e)), (first, second, rho, v, e, ball)
            assert e <= (40 * length * size + 40 * norms) * UNIT


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMULAS)
def test_entries_are_within_their_bounds_of_the_kernels_enclosure(name):
    phi = FORMULAS[name]
    cases = CASES if name in ("hard_tanh", "curved and odd") else CASES[len(name) % 3 :: 3]
    for first, second, rho in cases:
        check_entry(phi, first, second, rho)
    rng = np.random.default_rng(len(name))
    for _ in range(4):
        first, second = (dyadic(10.0 ** rng.uniform(-1, 1.5)) for _ in range(2))
        if rng.random() < 0.4:
            second = dyadic(first * (1 + rng.choice([0.0, 1e-3])))
        rho = float(rng.choice([-1, 1])) * (1 - dyadic(10.0 ** rng.uniform(-6, 0)))
        check_entry(phi, first, second, rho)


@pytest.mark.parametrize("scale", [2.0**-300, 2.0**-40, 2.0**-10])
def test_far_below_its_kinks_hard_tanh_is_the_identity(scale):
    variances = np.array([scale**2, (1.5 * scale) ** 2])
    rows = piecewise_rows(FORMULAS["hard_tanh"].shape, variances)
    for rho in (-1.0, -0.3, 0.9999, 1.0):
        found = rows.evaluate(np.array([0]), np.array([1]), np.array([[rho]]))
        assert abs(Fraction(float(found.values[0, 0])) - Fraction(rho) * Fraction(1.5) * Fraction(scale) ** 2) <= (
            Fraction(float(found.errors[0, 0]))
        )
        assert found.errors[0, 0] <= 20 * UNIT * 1.5 * scale**2 + 1e-250


def test_far_above_its_kinks_hard_tanh_is_the_sign():
    """`|hard_tanh - sign| <= 1` where `|x| < 1`, which has probability below `1/t`."""
    t = 1e6
    rows = piecewise_rows(FORMULAS["hard_tanh"].shape, np.array([t * t, 4 * t * t]))
    for rho in (-1.0, -0.5, 0.25, 0.999, 1.0):
        found = rows.evaluate(np.array([0]), np.array([1]), np.array([[rho]]))
        assert abs(found.values[0, 0] - 2 / math.pi * math.asin(rho)) <= found.errors[0, 0] + 2 / t + 1e-12


def test_no_correlation_has_no_bound():
    table = KinkTable(*[np.ones((1, 1))] * 4, np.array([[0, 0, 1]]))
    index = np.array([0])
    errors = kink_integrals(table, index, index, np.array([[1.001]])).errors
    assert errors[0, 0] == np.inf
    errors = kink_integrals(table, index, index, np.array([[np.nan]])).errors
    assert errors[0, 0] == np.inf


def test_a_block_of_another_shape_is_refused():
    rows = piecewise_rows(FORMULAS["relu6"].shape, np.array([1.0, 2.0]))
    with pytest.raises(hd.errors.InvalidInputError, match=r"rho has shape \(1, 3\) for 1 rows and 1 columns"):
        rows.evaluate(np.array([0]), np.array([1]), np.zeros((1, 3)))


def test_blocks_agree_with_single_entries():
    phi = FORMULAS["relu6"]
    rng = np.random.default_rng(4)
    rows = piecewise_rows(phi.shape, rng.uniform(0.5, 4.0, 9))
    left, right = rng.integers(0, 9, 5), rng.integers(0, 9, 70)
    rho = rng.uniform(-1, 1, (5, 70))
    block = rows.evaluate(left, right, rho)
    for i, j in ((0, 0), (2, 31), (3, 32), (4, 69)):
        single = rows.evaluate(left[[i]], right[[j]], rho[[i]][:, [j]])
        gap = abs(single.values[0, 0] - block.values[i, j])
        assert gap <= single.errors[0, 0] + block.errors[i, j]
        assert block.errors[i, j] < 1e-13


@pytest.mark.parametrize(
    ("expr", "quadratic", "straight"),
    [
        (sp.Max(x, 0), True, True),
        (sp.Abs(x - sp.sqrt(3)) + x, True, True),
        (sp.Max(x, 0) ** 2, True, False),
        (x * sp.Max(0, sp.Min(6, x + 3)) / 6, True, False),
        (sp.Max(x, 0) ** 3, False, False),
        (sp.Piecewise((0, sp.Abs(x) <= 1), (x, True)), False, False),
        (sp.tanh(x), False, False),
        (sp.Abs(sp.tanh(x)), False, False),
        (2 * x + 1, False, False),
    ],
)
def test_only_continuous_functions_of_low_degree_between_kinks_qualify(expr, quadratic, straight):
    assert is_piecewise_quadratic(shape_of(expr, x)) is quadratic
    assert (bent_line_of(shape_of(expr, x).pieces, x) is not None) is straight


def test_the_rules_of_curved_pieces_meet_their_goal():
    rule = rules(CURVED)
    for order, length, error in zip(np.diff(rule.starts), rule.longest, rule.errors, strict=True):
        with working_precision(100):
            assert error_up_to(int(order), float(length), CURVED) <= arb(error)
        assert error < 5e-16
    assert rule.longest[-1] == 18.0


@pytest.mark.parametrize("name", NAMES)
def test_both_proofs_enclose_the_second_moment_and_the_averages(name):
    phi = FORMULAS[name]
    roots = np.array([0.25, 1.0, 8.0])
    rows = piecewise_rows(phi.shape, roots**2)
    other, moments = bent_rows(bent_line_of(phi.shape.pieces, phi.symbol), roots)
    with working_precision(150):
        for k, root in enumerate(roots.tolist()):
            exact = kernel_ball(phi.shape, root**2, root**2, root**2, digits=25)
            assert rows.moments[k].overlaps(exact)
            assert moments[k].overlaps(exact)
            assert moments[k].rad() < 1e-30
            assert rows.moments[k].rad() < 1e-30
    np.testing.assert_allclose(other.linear, rows.coefficients, rtol=1e-15, atol=1e-60)


def rows_of_many_norms(count, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 5)) * rng.uniform(0.4, 1.5, (count, 1))
    X[1] = X[0] * 1.125 + 1e-4 * X[2]
    return X


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hard_tanh", "relu6"])
def test_the_two_proofs_of_a_gram_matrix_agree_within_their_bounds(name):
    X = rows_of_many_norms(30)
    gram = hd.DEQ.paper(name, 0.08).gram(X)
    bounds = gram.entry_bounds
    assert bounds.outcome is hd.Outcome.PROVEN
    assert bounds.largest < SHARP_ENTRY
    matrix, error = rebuild(X, parameters_of(name, 0.08, None, False))
    assert error < 1e-11
    assert np.abs(matrix - gram.matrix).max() <= bounds.largest + error
    least = gram.least_eigenvalue()
    assert least.outcome is hd.Outcome.PROVEN
    # two close rows make the least eigenvalue small, not the bounds wide
    assert least.upper - least.lower <= 2 * len(X) * bounds.largest + 1e-11
    assert least.lower <= np.linalg.eigvalsh(matrix)[0] + error


@pytest.mark.slow
def test_close_rows_on_a_sphere_are_as_sharp_as_others():
    X = np.random.default_rng(5).normal(size=(12, 6))
    X[1:4] = X[0] + np.array([[1e-2], [1e-4], [1e-6]]) * X[1:4]
    gram = hd.DEQ.paper("hard_tanh", 0.08).gram(hd.on_sphere(X))
    assert gram.entry_bounds.outcome is hd.Outcome.PROVEN
    assert gram.entry_error < SHARP_ENTRY
    matrix, error = rebuild(X, parameters_of("hard_tanh", 0.08, None, True))
    assert np.abs(matrix - gram.matrix).max() <= error + gram.entry_error


@pytest.mark.slow
def test_finite_depth_and_pairs_of_a_fixed_point():
    """Two layers of two rows, each entry from the kernel's own enclosure."""
    phi, X = FORMULAS["hard_tanh"], np.array([[1.0, 0.5], [0.75, 0.625], [-2.0, 1.0]])
    X = np.vstack([X, X * 0.5])
    model = hd.DEQ("hard_tanh", sigma_w=0.5, sigma_u=2.0)
    gram = model.gram(X, depth=2)
    assert gram.entry_bounds.outcome is hd.Outcome.PROVEN
    inner = [
        [2 * sum(Fraction(a) * Fraction(b) for a, b in zip(r, s, strict=True)) for s in X.tolist()] for r in X.tolist()
    ]
    with working_precision(200):

        def layer(i, j, first, digits):
            parts = [first(a, b) for a, b in ((i, i), (j, j), (i, j))]
            return kernel_ball(phi.shape, *parts, digits=digits)

        def preactivation(i, j):
            t = arb(flint.fmpq(inner[i][j].numerator, inner[i][j].denominator))
            return layer(i, j, lambda a, b: inner[a][b], 35) / 4 + t

        for i, j in ((0, 1), (0, 2), (1, 5), (2, 4)):
            ball = layer(i, j, preactivation, 15)
            assert abs(ball - arb(float(gram.matrix[i, j]))).lower() <= gram.entry_error


def test_a_claim_at_many_norms_is_proven_twice_and_a_false_one_is_not():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(26, 40)) * rng.uniform(0.4, 1.5, (26, 1))
    least = hd.DEQ.paper("hard_tanh", 0.08).gram(X).least_eigenvalue()
    parameters = parameters_of("hard_tanh", 0.08, None, False)
    found = rebuild(X, parameters)

    def answer(value, outcome):
        claim = {"statement": STATEMENTS[outcome.value], "value": value, "outcome": outcome.value}
        return verify(make_certificate(claim, X, parameters), X, lambda *_: found).outcome

    below, above = least.lower * (1 - 1e-8), least.upper * (1 + 1e-8)
    assert answer(below, hd.Outcome.PROVEN) is hd.Outcome.PROVEN
    assert answer(above, hd.Outcome.REFUTED) is hd.Outcome.PROVEN
    assert answer(above, hd.Outcome.PROVEN) is hd.Outcome.UNDECIDED
    assert answer(below, hd.Outcome.REFUTED) is hd.Outcome.UNDECIDED


def test_rounding_counts_are_no_less_than_their_derivation():
    """The units in which they count are larger than what is ever lost, so that no measurement could tell."""
    assert ROUNDING >= 23 + 9 + 6 + 5 + 10 + 4 + 1
    assert CURVED_ROUNDING >= 37 + 18 + 11 + 27

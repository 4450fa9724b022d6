"""Cases at which a bound of the proofs is nearly attained: what it claims, and what is measured by exact arithmetic.

A bound is right if `measured <= claim` at every case, and sharp within `factor` if `claim <= factor measured`: a
constant that is smaller by more than the factor fails here. Constants that count roundings are attained by none of the
orders in which BLAS adds, and have factors of their own.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import mpmath as mp
import numpy as np
import sympy as sp
from flint import acb, arb, arb_poly

from hermite_dual.activation import activation
from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma
from hermite_dual.certified.counted import (
    curved_kink_integrals,
    entry_error,
    float_panels,
    inner_products,
    kink_integrals,
    pair_series,
    row_coefficients,
)
from hermite_dual.certified.counted.hermite_functions import _recur, hermite_functions
from hermite_dual.certified.counted.horner import horner_step, odd_step
from hermite_dual.certified.counted.power_series import VarianceSeries, evaluate_series
from hermite_dual.certified.counted.row_coefficients import RowCoefficients
from hermite_dual.certified.eigenvalues import (
    entry_norm,
    float_cholesky,
    rayleigh,
    spectrum,
    theory_bounds,
)
from hermite_dual.certified.enclosures import ball_series, hermite_sums, lattice, panels, trapezoid
from hermite_dual.certified.enclosures.kernel import mehler_ball
from hermite_dual.certified.enclosures.proven_root import proven_root
from hermite_dual.certified.growth import monomials
from hermite_dual.certified.second_proof import plain_bounds
from hermite_dual.certified.suprema.envelope import Envelope
from hermite_dual.certified.suprema.slope_regularity import slope_regularity
from hermite_dual.mean_fields import moment_taylor
from hermite_dual.mean_fields.variance_ends import lower_end, upper_end
from hermite_dual.outcome import Outcome
from hermite_dual.population.proof import flow_bounds, limit_bounds, prediction_bounds
from hermite_dual.population.proof.certified_slope import certified_slope
from hermite_dual.population.proof.cosine_powers import cosine_lower_bound, cosine_power_bounds
from hermite_dual.population.proof.input_rows import InputRows
from hermite_dual.population.theorem.convergence import Start
from hermite_dual.population.theorem.gram_deviation import deviation
from hermite_dual.population.theorem.limit_numbers import LimitNumbers
from hermite_dual.population.theorem.width import random_start, small_steps_threshold
from hermite_dual.shape.shape import shape_of
from hermite_dual.sphere_spectrum import sphere_spectrum
from hermite_dual.symbolic.hermite import normalized_hermite

x = sp.Symbol("x", real=True)
_DIGITS = 60  # of what is measured


@dataclass(frozen=True)
class Case:
    """A bound at one place.

    Attributes:
        name: what is bounded.
        source: page and section of the theory.
        both: computes what is claimed and what is measured.
        factor: within which the claim is attained.
    """

    name: str
    source: str
    both: Callable[[], tuple[float, float]]
    factor: float


CASES: list[Case] = []


def case(name: str, source: str, factor: float) -> Callable[[Callable[[], tuple[float, float]]], Callable]:
    """Enter a function into the table."""

    def enter(both: Callable[[], tuple[float, float]]) -> Callable:
        CASES.append(Case(name, source, mp.workdps(_DIGITS)(both), factor))
        return both

    return enter


# Units in which roundings are counted


@case("UNIT: the largest relative rounding", "entries: Entries of a Gram matrix", 1.001)
def _unit():
    exact = Fraction(1) + Fraction(1, 2**53)  # halfway between two floats
    return UNIT, float((exact - Fraction(float(exact))) / exact)


@case("TINY: a flushed operand of a product", "eigenvalues: Least eigenvalue: lower bound", 2.001)
def _tiny():
    return TINY, float(np.finfo(float).tiny)  # the smallest that flush-to-zero leaves


@case("gamma_m", "entries: Entries of a Gram matrix", 1.001)
def _gamma():
    m = 1000
    return gamma(m), float(Fraction(m, 2**53) / (1 - Fraction(m, 2**53)))


@case("UP: roundings of 8,000 operations", "entries: Entries of a Gram matrix", 2.001)
def _up():
    return UP - 1.0, 4000 * 2.0**-52  # each of 8,000 may lose half a last digit


# Inner products


@case("inner products: roundings of a chunk", "entries: Entries of a Gram matrix", 20)
def _products():
    best = 0.0
    claim = 1.0
    rng = np.random.default_rng(0)
    for d in (4, 6, 9, 16):
        for _ in range(300):
            row = rng.uniform(1, 2, d)
            X = np.array([row, row * rng.uniform(0.9, 1.1, d)])
            values, bounds = inner_products.inner_products(X)
            exact = sum(Fraction(a) * Fraction(b) for a, b in zip(*X.tolist(), strict=True))
            ratio = abs(float(Fraction(values[0, 1]) - exact)) / bounds[0, 1]
            if ratio > best:
                best, claim = ratio, bounds[0, 1]
    return claim, best * claim


@case("squared norms: the last rounding", "entries: Entries of a Gram matrix", 1.2)
def _squares():
    best = (1.0, 0.0)
    for value in 1.0 + np.random.default_rng(1).uniform(0, 1e-3, 4000):
        squares, errors = inner_products.squared_norms(np.array([[value]]))
        wrong = abs(float(Fraction(squares[0]) - Fraction(value) ** 2))
        best = max(best, (errors[0], wrong), key=lambda pair: pair[1] / pair[0])
    return best


@case("rows within delta: their inner products", "entries: Entries of a Gram matrix", 1.001)
def _meant():
    delta = 1e-3
    inputs = InputRows.of(np.array([[1.0], [1.0]]), 1.0, 0.0, delta)
    everything = slice(None)
    found = inputs.between(np.ones((2, 1)), np.ones((2, 1)), everything, everything)
    return found.errors[0, 1], float((1 + Fraction(delta)) ** 2 - 1)


# Entries at a fixed point


@case("residual over contraction", "entries: Entries at a fixed point", 1.001)
def _contraction():
    return float(entry_error.contraction_error(1e-9, 0.75)), 4e-9  # F(x) = 0.75 x + b


@case("distance of roots", "entries: Entries of a Gram matrix", 1.001)
def _root():
    return float(entry_error.root_distance(1.0, 0.5)), float(1 - mp.sqrt(mp.mpf(1) / 2))


@case("distance of roots from 0", "entries: Entries of a Gram matrix", 1.001)
def _root_of_zero():
    return float(entry_error.root_distance(0.0, 0.25)), 0.5


@case("error of a fixed point's root", "entries: Entries of a Gram matrix", 1.01)
def _root_error():
    # phi = L x: q = (s L)^2 q + t; q is off by r/(1 - (s L)^2), its root by half of that to first order
    factor, r = 0.5, 1e-6
    claim = float(entry_error.root_error(1.0, r, factor, 1.0))
    true = mp.sqrt((1 - factor**2 + mp.mpf(r)) / (1 - mp.mpf(factor) ** 2)) - 1
    return claim * (1 - factor) / (1 - factor**2), float(true)  # contraction by s L in place of (s L)^2


@case("error of a variance from its root's", "entries: Entries of a Gram matrix", 1.001)
def _variance_error():
    return float(entry_error.variance_error(1.0, 0.25)), 1.25**2 - 1


@case("kernel moved by its covariance", "entries: Entries at a fixed point", 1.001)
def _moved_covariance():
    # phi = 2 x: k = 4 c
    return float(entry_error.kernel_perturbation(2.0, 2.0, 1.0, 1.0, 0.5, (0.0, 0.0), 1e-3, 2.0)), 4e-3


@case("kernel moved by its variances", "entries: Entries at a fixed point", 1.6)
def _moved_roots():
    # phi = |x| at covariance 0: k = (2/pi) t1 t2
    e = 0.125
    claim = float(entry_error.kernel_perturbation(1.0, 1.0, 1.0, 1.0, 0.0, (e, e), 0.0, 1.0))
    return claim, float(2 / mp.pi * ((1 + mp.mpf(e)) ** 2 - 1))


@case("kernel moved by one variance, in second order", "entries: Entries at a fixed point", 1.6)
def _moved_second_order():
    e = 0.25
    both = float(entry_error.kernel_perturbation(1.0, 1.0, 1.0, 1.0, 0.0, (e, e), 0.0, 1.0))
    single = float(entry_error.kernel_perturbation(1.0, 1.0, 1.0, 1.0, 0.0, (e, 0.0), 0.0, 1.0))
    return both - 2 * single, float(2 / mp.pi * e * e)


@case("kernel moved by the correlation that a variance changes", "entries: Entries at a fixed point", 3.1)
def _moved_correlation():
    # phi = x - x^3/100 is close to linear: at fixed c the kernel hardly moves, its part at fixed correlation does
    e = 1e-3
    claim = float(entry_error.kernel_perturbation(0.0, 0.0, 1.0, 1.0, 1.0, (e, e), 0.0, 1.0))
    return claim, 2 * e  # |dk/drho| |rho' - rho| = 2 e for phi = x


@case("nearly parallel rows (phi = |x|)", "entries: Entries of a Gram matrix", 3.3)
def _nearly_parallel():
    # E(|u| - |v|)^2 is E(u - v)^2 to first order in 1 - rho: the lower end is attained, the middle stands for both ends
    one, zero, rho = np.ones(1), np.zeros(1), 1 - 2.0**-30
    value, error = entry_error.nearly_parallel_kernel((one, one), (zero, zero), (one, one), np.array([rho]), 1.0)
    r = mp.mpf(rho)
    true = 2 / mp.pi * (mp.sqrt(1 - r**2) + r * mp.asin(r))
    return float(error[0]), float(abs(true - mp.mpf(float(value[0]))))


@case("nearly parallel rows of different norms (phi = x)", "entries: Entries of a Gram matrix", 1.001)
def _nearly_parallel_norms():
    one, zero = np.ones(1), np.zeros(1)
    moments, roots = (one, 1.5**2 * one), (one, 1.5 * one)
    value, error = entry_error.nearly_parallel_kernel(moments, (zero, zero), roots, np.array([0.75]), 1.0)
    return float(error[0]), float(abs(1.5 * 0.75 - value[0]))


@case("an entry's contraction", "entries: Entries at a fixed point", 1.001)
def _off_diagonal():
    return float(entry_error.off_diagonal_error(1e-9, 2e-9, 0.5, 1.0)), 3e-9 / 0.75


@case("second moment moved by its variance", "entries: Entries of a Gram matrix", 1.001)
def _moment():
    e = 0.125  # phi = 2 x: 4 (1 + e)^2 - 4
    return float(limit_bounds.moment_change(np.array([2.0]), np.array([e]), 2.0)[0]), 4 * ((1 + e) ** 2 - 1)


@case("slack of a clipped correlation", "entries: Entries of a Gram matrix", 1.001)
def _slack():
    found = limit_bounds.correlations(np.array([[0.5]]), np.array([[1e-3]]), np.ones(1), np.ones(1))
    return float(found[1][0, 0]), 1e-3


@case("tangent kernel moved by K, S and kdot", "tangent_kernel: Proven entries", 1.02)
def _ntk():
    K, S, d, w = 0.5, 2.0, 0.6, 0.25
    ek, es, ed = 1e-4, 2e-4, 1e-3

    def theta(k, s, slope):
        return k + s * slope / (1 - mp.mpf(w) * slope)

    claim = float(entry_error.ntk_error(K, S, d, (ek, es, ed), math.sqrt(w), 1.0))
    return claim, float(theta(mp.mpf(K) + ek, mp.mpf(S) + es, mp.mpf(d) + ed) - theta(K, S, mp.mpf(d)))


@case("dual of the derivative moved by a variance (sin)", "tangent_kernel: Proven entries", 2.7)
def _slope_moved():
    # kdot = (1 + exp(-2 t^2))/2 on the diagonal, steepest at t = 1/2; the bound lets both arguments move by themselves
    e, phi = 1e-4, activation("sin")
    values, errors = certified_slope(
        phi, slope_regularity(phi.shape), np.array([0.25]), np.array([e]), np.ones((1, 1)), np.zeros((1, 1))
    )
    true = (1 + mp.exp(-2 * (mp.mpf(1) / 2 + mp.mpf(e)) ** 2)) / 2
    return float(errors[0, 0]), float(abs(true - mp.mpf(float(values[0, 0]))))


@case("dual of the derivative moved by a correlation (sin)", "tangent_kernel: Proven entries", 2.8)
def _slope_correlated():
    # kdot = exp(-q) cosh(q rho), steepest at rho = 1
    e, phi, q, rho = 1e-4, activation("sin"), 1.0, 0.9998
    values, errors = certified_slope(
        phi,
        slope_regularity(phi.shape),
        np.array([q, q]),
        np.zeros(2),
        np.array([[1.0, rho], [rho, 1.0]]),
        np.array([[0.0, e], [e, 0.0]]),
    )
    true = mp.exp(-q) * mp.cosh(q * (mp.mpf(rho) + mp.mpf(e)))
    return float(errors[0, 1]), float(abs(true - mp.mpf(float(values[0, 1]))))


# Series


@lru_cache(maxsize=1)
def _relu_coefficients() -> list[arb]:
    """`a_0 = 1/sqrt(2 pi)`, `a_1 = 1/2`, `a_2k = (-1)^(k+1) (2k-3)!!/sqrt(2 pi (2k)!)`."""
    with working_precision(256):
        found = []
        for r in range(64):
            if r < 2:
                found.append(1 / (2 * arb.pi()).sqrt() if r == 0 else arb(1) / 2)
            elif r % 2:
                found.append(arb(0))
            else:
                odd = math.prod(range(1, r - 2, 2))
                found.append((-1) ** (r // 2 + 1) * arb(odd) / (2 * arb.pi() * arb(math.factorial(r))).sqrt())
        return found


def _relu_kernel(rho):
    return (mp.sqrt(1 - rho**2) + rho * (mp.pi - mp.acos(rho))) / (2 * mp.pi)


NEAR_ONE = 1 - 2.0**-40


@case("Parseval remainder, one variance (ReLU at 1 - 2^-40)", "entries: Entries of a Gram matrix", 1.01)
def _one_variance():
    with working_precision(256):
        series = VarianceSeries(1.0, _relu_coefficients()[:32], arb("0.5"))
    found = evaluate_series(series, np.array([NEAR_ONE]))
    return found.errors[0], float(abs(_relu_kernel(mp.mpf(NEAR_ONE)) - mp.mpf(found.values[0])))


@case("Parseval remainder, separable series (ReLU)", "entries: Entries of a Gram matrix", 1.01)
def _separable():
    with working_precision(256):
        a = _relu_coefficients()[:32]
        tail = arb("0.5") - sum((v * v for v in a), arb(0))
        found = entry_error.separable_series([a, a], [tail, tail], np.array([[1.0, NEAR_ONE], [NEAR_ONE, 1.0]]))
    return found.errors[0, 1], float(abs(_relu_kernel(mp.mpf(NEAR_ONE)) - mp.mpf(found.values[0, 1])))


def _relu_rows(count: int, error: float) -> RowCoefficients:
    values = np.array([[float(a.mid()) for a in _relu_coefficients()[:count]]] * 2)
    return RowCoefficients(values, np.full(2, error), np.full(2, 0.5), np.full(2, 1e-17), 0)


@case("Parseval remainder, rows (ReLU)", "entries: Many variances at once", 1.01)
def _rows():
    found = pair_series.pair_series(_relu_rows(32, 1e-17), np.arange(2), None, np.array([[1, NEAR_ONE], [NEAR_ONE, 1]]))
    return found.errors[0, 1], float(abs(_relu_kernel(mp.mpf(NEAR_ONE)) - mp.mpf(found.values[0, 1])))


@case("Parseval remainder, balls (ReLU)", "enclosures: Kernels", 1.01)
def _mehler():
    with working_precision(256):
        ball = mehler_ball(shape_of(sp.Max(x, 0), x), (arb(1), arb(1)), arb(NEAR_ONE), 32, 20)
        return float(ball.rad()), float(abs(_relu_kernel(mp.mpf(NEAR_ONE)) - mp.mpf(ball.mid().str(50, radius=False))))


@case("Parseval remainder, balls of two activations (ReLU, |x|)", "cross_kernels: Two activations", 1.01)
def _cross_mehler():
    with working_precision(256):
        shapes = shape_of(sp.Max(x, 0), x), shape_of(sp.Abs(x), x)
        ball = mehler_ball(shapes[0], (arb(1), arb(1)), arb(NEAR_ONE), 32, 20, shapes[1])
        # ReLU is (x + |x|)/2, so that its kernel with |x| is half of that of |x|
        exact = 2 * _relu_kernel(mp.mpf(NEAR_ONE)) - mp.mpf(NEAR_ONE) / 2
        return float(ball.rad()), float(abs(exact - mp.mpf(ball.mid().str(50, radius=False))))


@case("errors of rows' coefficients", "entries: Many variances at once", 1.01)
def _spread():
    e, count = 1e-3, 64
    rows = _relu_rows(count, e)
    rows = replace(rows, moments=np.zeros(2))  # no remainder, which counts the same errors once more
    found = pair_series.pair_series(rows, np.arange(2), None, np.array([[1.0, 1.0], [1.0, 1.0]]))
    a = np.abs(rows.values[0])
    return found.errors[0, 1], float(np.sum((a + e) ** 2) - np.sum(a * a))


@case("radii of coefficients, by Cauchy-Schwarz", "entries: Entries of a Gram matrix", 1.001)
def _radii():
    a = np.array([[0.5, 0.25, 0.125]] * 2)
    claim = entry_error._coefficient_error(a, 1e-2 * a, np.arange(2), np.arange(2))
    return claim[0, 1], float(np.sum(a[0] ** 2) * (1.01**2 - 1))


@case("radii of coefficients in a separable series", "entries: Entries of a Gram matrix", 1.001)
def _separable_radii():
    a, e = np.array([0.5, 0.25, 0.125]), 1e-3
    with working_precision(128):
        balls = [arb(v, v * e) for v in a.tolist()]
        found = entry_error.separable_series([balls, balls], [arb(0), arb(0)], np.array([[1.0, 1.0], [1.0, 1.0]]))
    return found.errors[0, 1], float(np.sum(a * a) * ((1 + e) ** 2 - 1))


def _worst_step(draw: Callable[[np.random.Generator], tuple[float, float, Fraction]]) -> tuple[float, float]:
    """Of many steps that cancel, the one whose error is closest to its bound; each is drawn with its exact result."""
    rng = np.random.default_rng(7)
    best = (1.0, 0.0)
    for _ in range(5000):
        total, bound, exact = draw(rng)
        best = max(best, (bound * UNIT, float(abs(Fraction(total) - exact))), key=lambda pair: pair[1] / pair[0])
    return best


def _near_one(rng: np.random.Generator) -> float:
    """A number at which a rounding is close to half a last digit of the result."""
    return float(1.0 + rng.uniform(0.0, 0.01))


@case("a step of Horner's rule: product and term, sum cancels", "entries: Entries at a fixed point", 1.1)
def _step():
    def draw(rng):
        total, y, a = _near_one(rng), _near_one(rng), _near_one(rng)
        b = -total * y / a
        term = a * b
        value, bound = horner_step(total, 0.0, y, term, abs(term), 1)
        return value, bound, Fraction(total) * Fraction(y) + Fraction(a) * Fraction(b)

    return _worst_step(draw)


@case("a step of Horner's rule in a rounded square", "entries: Entries at a fixed point", 1.1)
def _squared_step():
    def draw(rng):
        x, total = _near_one(rng), _near_one(rng)
        y = x * x
        value, bound = horner_step(total, 0.0, y, -total * y, 0.0, 2)
        return value, bound, Fraction(total) * Fraction(x) ** 2 + Fraction(-total * y)

    return _worst_step(draw)


@case("a step of Horner's rule: the sum", "entries: Entries at a fixed point", 1.1)
def _sum_step():
    def draw(rng):
        total, term = _near_one(rng) * 2.0**-12, _near_one(rng)
        value, bound = horner_step(total, 0.0, 1.0, term, 0.0, 1)
        return value, bound, Fraction(total) + Fraction(term)

    return _worst_step(draw)


@case("an even series made odd", "entries: Entries at a fixed point", 1.1)
def _odd_step():
    def draw(rng):
        total, x = _near_one(rng), -_near_one(rng)
        value, bound = odd_step(total, 0.0, x)
        return value, bound, Fraction(total) * Fraction(x)

    return _worst_step(draw)


def _horner_ratio(evaluate: Callable[[Array, float], tuple[float, float]], degrees: int) -> tuple[float, float]:
    """Search alternating sums for the rounding closest to its running bound."""
    rng = np.random.default_rng(5)
    best = (1.0, 0.0)
    for _ in range(80):
        a = np.sqrt(rng.uniform(0.5, 1.0, degrees))
        rho = -float(rng.uniform(0.7, 1.0))
        value, error = evaluate(a, rho)
        squares = [float(v) * float(v) for v in a]
        exact = sum(mp.mpf(s) * mp.mpf(rho) ** r for r, s in enumerate(squares))
        best = max(best, (error, float(abs(mp.mpf(value) - exact))), key=lambda pair: pair[1] / pair[0])
    return best


@case("running bound of Horner's rule, one variance", "entries: Entries of a Gram matrix", 20)
def _horner_one():
    def evaluate(a, rho):
        squares = [float(v) * float(v) for v in a]
        with working_precision(256):
            series = VarianceSeries(1.0, [arb(s).sqrt() for s in squares], arb(sum(map(Fraction, squares)).__float__()))
        values, errors = _horner(series.coefficients, np.array([rho]))
        return values[0], errors[0]

    from hermite_dual.certified.counted.power_series import _horner

    return _horner_ratio(evaluate, 4)


@case("running bound of Horner's rule, separable series", "entries: Entries of a Gram matrix", 20)
def _horner_separable():
    def evaluate(a, rho):
        # a row of ones makes the products exact
        packed, ones = np.array([np.array([float(v) * float(v) for v in a])]), np.ones((1, len(a)))
        values, errors = entry_error._evaluate(packed, ones, np.array([[rho]]), 1, False, False, UNIT)
        return values[0, 0], errors[0, 0]

    return _horner_ratio(evaluate, 4)


@case("running bound of Horner's rule, rows", "entries: Many variances at once", 40)
def _horner_rows():
    def evaluate(a, rho):
        values = np.zeros((2, 32))
        values[0, : len(a)], values[1, : len(a)] = [float(v) * float(v) for v in a], 1.0
        rows = RowCoefficients(values, np.zeros(2), np.sum(values**2, axis=1), np.zeros(2), 0)
        found = pair_series.pair_series(rows, np.array([0, 1]), None, np.array([[1.0, rho], [rho, 1.0]]))
        tails = np.sqrt(rows.tails(32))
        return found.values[0, 1], found.errors[0, 1] - float(tails[0] * tails[1]) * abs(rho) ** 32

    return _horner_ratio(evaluate, 4)


@case("remainder of rows: rounding of the sum of squares", "entries: Many variances at once", 20)
def _tails():
    rng = np.random.default_rng(3)
    best = (1.0, 0.0)
    for _ in range(300):
        values = rng.uniform(0.5, 1.0, (1, 32))
        moment = float(sum(Fraction(v) ** 2 for v in values[0]))
        rows = RowCoefficients(values, np.zeros(1), np.array([moment]), np.zeros(1), 0)
        true = Fraction(moment) - sum(Fraction(v) ** 2 for v in values[0])
        best = max(best, (float(rows.tails(32)[0]), float(true)), key=lambda pair: pair[1] / pair[0])
    return best


@case("remainder of rows: errors of the coefficients", "entries: Many variances at once", 1.01)
def _tails_lost():
    values, e = np.array([[0.5, 0.25, 0.125, 0.0]]), 1e-6
    rows = RowCoefficients(values, np.array([e]), np.array([float(np.sum(values**2))]), np.zeros(1), 0)
    return float(rows.tails(4)[0]), float(2 * e * values.sum() - 4 * e * e)


# Quadrature


@case("Gauss-Legendre on an ellipse (Chebyshev polynomial of degree 2m)", "enclosures: Coefficients, other cases", 3)
def _gauss():
    order, s = 6, mp.mpf(12)
    with working_precision(256):
        claim = float(panels.rule_error(arb(1), arb(1), arb(12), order))
    # T_2m has the modulus (s^2m + s^-2m)/2 on the ellipse and is integrated over [-1, 1]
    nodes = mp.polyroots(mp.taylor(lambda t: mp.legendre(order, t), 0, order)[::-1], maxsteps=500, extraprec=500)
    rule = mp.mpf(0)
    for node in nodes:
        slope = order * (node * mp.legendre(order, node) - mp.legendre(order - 1, node)) / (node**2 - 1)
        rule += 2 / ((1 - node**2) * slope**2) * mp.chebyt(2 * order, node)
    exact = mp.mpf(-2) / (4 * order**2 - 1)
    return claim, float(abs(rule - exact) / ((s ** (2 * order) + s ** (-2 * order)) / 2))


@case("interpolation of phi on panels (Chebyshev polynomial beyond the degree)", "entries: Many variances at once", 2.2)
def _interpolation():
    # f = T_(D+1) vanishes at the nodes, so the interpolant is 0 and errs by 1; its modulus on the ellipse is known
    degree, s = 18, 32.0
    return float(
        float_panels.interpolation_error(arb((s ** (degree + 1) + s ** -(degree + 1)) / 2), arb(s), degree)
    ), 1.0


@case("rounding of phi on panels", "entries: Many variances at once", 20)
def _panel_rounding():
    from hermite_dual.certified.balls.ball_functions import BallFunction

    function = BallFunction(sp.exp(x), x)
    with working_precision(128):
        low, high, row, error = float_panels._panel(function, 1.0, 2.0, 1.0)
    panels = float_panels.FloatPanels(
        np.array([low, high]), np.array([1.5]), np.array([2.0]), np.array([row]), np.array([error])
    )
    points = np.random.default_rng(0).uniform(1.0, 2.0, 3000)
    values, _ = panels.evaluate(points)
    gaps = [abs(mp.mpf(v) - mp.exp(mp.mpf(p))) for v, p in zip(values.tolist(), points.tolist(), strict=True)]
    return error, float(max(gaps))


@case("trapezoidal rule on a lattice (phi = 1)", "enclosures: Kernels", 1.2)
def _lattice():
    with working_precision(400):
        height = arb(20)
        strip = trapezoid.Strip(Envelope(arb(1), arb(0), arb(0), height, arb(0)), arb(1))
        eps = arb("1e-45")
        grid = lattice._make_grid((strip, strip), arb("0.6"), arb("0.8"), eps)
        factor = lattice.Factor(arb(0), arb(0))
        rest = sum(float(factor.cut(eps / (4 * factor.total(arb(1) / 2)))[1] * factor.total(arb(1) / 2)) for _ in "xy")
    with mp.workdps(150):
        steps = [mp.mpf(step.mid().str(60, radius=False)) for step in (grid.dx, grid.dy)]
        return float(grid.error) - rest, float(sum(2 * mp.exp(-2 * (mp.pi / step) ** 2) for step in steps))


@case("trapezoidal rule on a strip (phi = 1)", "enclosures: Coefficients, analytic case", 1.01)
def _strip():
    step = 0.5
    with working_precision(256):
        height = 2 * arb.pi() / arb(step)
        envelope = Envelope(arb(1), arb(0), arb(0), height, arb(0))
        claim = float(trapezoid.Strip(envelope, arb(1)).error(arb(step), 1))
    with mp.workdps(120):
        total = step * mp.nsum(lambda k: mp.npdf(k * mp.mpf(step)), [-80, 80])
        return claim, float(abs(total - 1))


@case("trapezoidal rule on a strip (phi = 1/(1 + x^2))", "enclosures: Coefficients, analytic case", 200)
def _strip_of_a_pole():
    pieces = shape_of(1 / (1 + x**2), x).pieces
    step = 0.25
    with working_precision(128):
        strips = [trapezoid.make_strip(pieces, arb(1), arb(h)) for h in (0.8, 0.85, 0.9, 0.93, 0.95)]
        claim = min(float(strip.error(arb(step), 1)) for strip in strips if strip is not None)
    with mp.workdps(50):
        total = step * sum(mp.npdf(k * mp.mpf(step)) / (1 + (k * mp.mpf(step)) ** 2) for k in range(-80, 81))
        true = mp.sqrt(mp.pi / 2) * mp.exp(0.5) * mp.erfc(1 / mp.sqrt(2))
        return claim, float(abs(total - true))


@case("supremum of a monomial inside the half line", "activations_in_balls: Growth at infinity", 1.001)
def _monomial():
    with working_precision(128):
        exponents = (Fraction(-1, 8), Fraction(1), Fraction(6))
        claim = float(monomials.monomial_sup(exponents, arb(4)))
    top = 2 + mp.sqrt(28)  # the root of 6/t + 1 - t/4
    return claim, float(top**6 * mp.exp(top - top**2 / 8))


@case("supremum of a decaying monomial", "activations_in_balls: Growth at infinity", 1.001)
def _decaying():
    with working_precision(128):
        claim = float(monomials.monomial_sup((Fraction(0), Fraction(-1), Fraction(10)), arb(4)))
    return claim, float(mp.mpf(10) ** 10 * mp.exp(-10))


@case("bound of an expansion", "activations_in_balls: Growth at infinity", 1.001)
def _expansion():
    with working_precision(128):
        terms = {monomials.ONE: acb(-3, 4), (Fraction(0), Fraction(-1), Fraction(0)): acb(-1)}
        claim = float(monomials.Expansion(arb(1), terms).bound(monomials.ONE))
    return claim, float(5 + mp.exp(-1))


@case("tail of an envelope (the envelope itself)", "activations_in_balls: Envelopes", 1.001)
def _tail():
    with working_precision(128):
        envelope = Envelope(arb(2), arb("0.5"), arb("0.1"), arb(0), arb(0))
        claim = float(envelope.tail_integral(arb(3), arb("0.5")))
    return claim, float(2 * mp.quad(lambda t: 2 * mp.exp(t / 2 - 0.4 * t * t), [3, 6, 30]) / mp.sqrt(2 * mp.pi))


@case("Hermite polynomials with their weight, degree 0", "enclosures: Two facts about Hermite polynomials", 1.3)
def _weighted_zero():
    with working_precision(64):
        claim = min(float(hermite_sums.weighted_bound(0, arb(v), arb(0))) / float(mp.npdf(v)) for v in (0.0, 0.5, 1.0))
    return claim, 1.0


@case("Hermite polynomials with their weight, degree 20", "enclosures: Two facts about Hermite polynomials", 3)
def _weighted_high():
    degree, best = 20, (1.0, 0.0)
    for place in np.linspace(0.0, 12.0, 121).tolist():
        with working_precision(64):
            claim = float(hermite_sums.weighted_bound(degree, arb(place), arb(0)))
        value = abs(mp.hermite(degree, place / mp.sqrt(2)) / mp.sqrt(2**degree * mp.factorial(degree)) * mp.npdf(place))
        best = max(best, (claim, float(value)), key=lambda pair: pair[1] / pair[0])
    return best


def _hermite(point: float, degrees: int) -> list:
    found, former, current = [], mp.mpf(0), mp.mpf(1)
    for r in range(degrees):
        found.append(current)
        former, current = current, (mp.mpf(point) * current - mp.sqrt(r) * former) / mp.sqrt(r + 1)
    return found


def _recurred(points: Array, wide: Array, start: Array, degrees: int, unit: float) -> tuple[Array, Array]:
    """Values and bounds of the recurrence from degree 8 on, given those of degrees 6 and 7."""
    values, norms, errors = np.zeros((degrees, 1)), np.zeros(degrees), np.zeros(degrees)
    _recur(points, wide, start, 8, values, norms, errors, unit)
    return values, errors


@case("errors carried by the recurrence of Hermite functions", "entries: Many variances at once", 6)
def _carried():
    exact, delta = _hermite(0.5, 100), 1e-6
    wide = np.array([[float(v) + delta * s] for v, s in zip(exact[6:8], (1, 1), strict=True)], dtype=np.longdouble)
    values, errors = _recurred(np.array([0.5], dtype=np.longdouble), wide, np.full((2, 1), delta), 100, 2.0**-64)
    gaps = [float(abs(mp.mpf(v) - e)) for v, e in zip(values[8:, 0].tolist(), exact[8:], strict=True)]
    return max(zip(errors[8:].tolist(), gaps, strict=True), key=lambda pair: pair[1] / pair[0])


@case("roundings of the recurrence of Hermite functions, in single precision", "entries: Many variances at once", 40)
def _single():
    best = (1.0, 0.0)
    for point in np.linspace(0.25, 4.0, 60).astype(np.float32):
        exact = _hermite(float(point), 40)
        wide = np.array([[float(v)] for v in exact[6:8]], dtype=np.float32)
        start = np.array([[float(abs(mp.mpf(float(w)) - e))] for w, e in zip(wide[:, 0], exact[6:8], strict=True)])
        values, errors = _recurred(np.array([point], dtype=np.float32), wide, start, 40, 2.0**-24)
        gaps = [float(abs(mp.mpf(v) - e)) for v, e in zip(values[8:, 0].tolist(), exact[8:], strict=True)]
        pairs = zip(errors[8:].tolist(), gaps, strict=True)
        best = max(best, *pairs, key=lambda pair: pair[1] / pair[0])
    return best


@case("errors of phi at the nodes of many rows", "entries: Many variances at once", 3)
def _values_of_rows():
    pieces, delta = shape_of(sp.tanh(x), x).pieces, 1e-6
    exact = float_panels.float_panels(pieces, 1.0, 24.0)
    shifted = exact.coefficients.copy()
    shifted[:, 0] += delta  # phi + delta, whose mean is delta
    panels = replace(exact, coefficients=shifted, errors=exact.errors + delta)
    values, numbers = row_coefficients._Rows(pieces, panels, 0.0, 0).group(np.ones(1), 32)
    return numbers[0, 0], float(abs(values[0, 0]))


@case("Hermite functions by the recurrence", "entries: Many variances at once", 400)
def _recurrence():
    found = hermite_functions(np.array([0.5], dtype=np.longdouble), [arb(1)], 600)
    pairs = zip(found.values[:, 0].tolist(), _hermite(0.5, 600), strict=True)
    return found.error, float(max(abs(mp.mpf(value) - exact) for value, exact in pairs))


def _fuzzy(value: float, units: float) -> arb:
    """Every number within so many relative units of a float."""
    return arb(value, abs(value) * units * UNIT)


def _kink_claim(integrals: Callable, jump: float, bend: float, rho: float) -> float:
    """The bound of what one kink at 0 in both rows makes."""
    one = np.zeros((2, 1))
    table = kink_integrals.KinkTable(one, one + jump, one + bend, one + 1.0, np.array([[0, 0, 1]]))
    return float(integrals(table, np.array([0]), np.array([1]), np.array([[rho]])).errors[0, 0])


def _kink_nodes(shape: kink_integrals.Shape, rho: float):
    """At every node the weight, `rho - tanh t`, `y = exp(t)` and `1/(y^2 + 1)` as the kernels form them."""
    rule, top = kink_integrals.rules(shape), math.atanh(rho)
    level = int(np.searchsorted(rule.longest, top))
    for k in range(rule.starts[level], rule.starts[level + 1]):
        y = (arb(top) * _fuzzy(rule.nodes[k], 1)).exp() * _fuzzy(1.0, 5)
        inverse = 1 / (y * y + 1)
        yield _fuzzy(rule.weights[k], 1), (arb(rho) - 1) + 2 * inverse, y, inverse


def _kink_radius(shape: kink_integrals.Shape, rho: float, factor: Callable) -> float:
    """What balls of 53 bits lose in the sum of `factor(weight, gap)/cosh t`, and in what it is multiplied by."""
    with working_precision(53):
        total = arb(0)
        for weight, gap, y, inverse in _kink_nodes(shape, rho):
            total += factor(weight, gap) * (2 * y * inverse) * _fuzzy(1.0, 5)
        return float((total * _fuzzy(math.atanh(rho), 1) / (2 * arb.pi())).rad())


@case("roundings of an integral over a kink, counted by balls of 53 bits", "entries: Straight and quadratic pieces", 5)
def _kink_rounding():
    rho = 0.5
    radius = _kink_radius(kink_integrals.STRAIGHT, rho, lambda weight, gap: weight * gap)
    return _kink_claim(kink_integrals.kink_integrals, 1.0, 0.0, rho), radius


@case("roundings of a curved integral over a kink, counted by balls", "entries: Straight and quadratic pieces", 25)
def _curved_rounding():
    rho = 0.9  # a jump of the second derivative alone, at 0
    radius = _kink_radius(curved_kink_integrals.CURVED, rho, lambda weight, gap: weight / 2 * (gap * gap))
    return _kink_claim(curved_kink_integrals.curved_kink_integrals, 0.0, 1.0, rho), radius


# Eigenvalues


@case("norm of an entrywise error", "eigenvalues: Least eigenvalue: upper bound", 1.001)
def _entry_norm():
    return entry_norm.entry_norm(np.full((4, 4), 0.25), 4), 1.0


@case("norm of an equal error of all entries", "eigenvalues: Least eigenvalue: upper bound", 1.001)
def _entry_norm_scalar():
    return entry_norm.entry_norm(0.25, 4), 1.0


@case("quadratic form of an error", "eigenvalues: Least eigenvalue: upper bound", 1.001)
def _entry_form():
    return float(entry_norm.entry_form(np.full((4, 4), 0.25), np.full(4, 0.5))), 1.0


@case("quadratic form of an equal error", "eigenvalues: Least eigenvalue: upper bound", 1.001)
def _entry_form_scalar():
    return float(entry_norm.entry_form(0.25, np.full(4, 0.5))), 1.0


@case("quadratic form of row sums", "eigenvalues: Beyond memory", 1.001)
def _entry_form_sums():
    return float(entry_norm.entry_form(entry_norm.RowSums(np.full(4, 1.0)), np.full(4, 0.5))), 1.0


def _sequential(A: Array) -> Array:
    """Cholesky's factor by the textbook, every product subtracted by itself."""
    n = len(A)
    R = np.zeros((n, n))
    for j in range(n):
        for i in range(j + 1):
            total = A[i, j]
            for k in range(i):
                total = total - R[k, i] * R[k, j]
            R[i, j] = math.sqrt(total) if i == j else total / R[i, i]
    return R


@case("Cholesky: 64 subtractions that all round down", "eigenvalues: Least eigenvalue: lower bound", 2.3)
def _cholesky():
    n = 64
    A = np.zeros((n, n))
    small = 2.0**-27 * (1 - 2.0**-20)
    A[: n - 1, : n - 1] = np.eye(n - 1) * 2.0**-54
    A[-1, :-1] = A[:-1, -1] = 2.0**-27 * small
    A[-1, -1] = 1.0
    R = _sequential(A)
    last = sum(Fraction(v) ** 2 for v in R[:, -1].tolist()) - Fraction(A[-1, -1])
    claim = float_cholesky.trace_error(A.diagonal(), float_cholesky.error_units(n))
    return claim, float(abs(last))


@case("Cholesky: rounding of the shift", "eigenvalues: Least eigenvalue: lower bound", 80)
def _cholesky_shift():
    # one row: the shifted diagonal rounds by u, the factor's square by about 2 u
    best = (1.0, 0.0)
    for value in np.random.default_rng(7).uniform(1, 2, 2000).tolist():
        found = float_cholesky.shifted_cholesky(np.array([[value]]), 2.0**-30)
        root = Fraction(float(found.tiles[0, 0][0, 0]))
        wrong = abs(float(root**2 - (Fraction(value) - Fraction(1, 2**30))))
        best = max(best, (found.error, wrong), key=lambda pair: pair[1] / pair[0])
    return best


@case("Rayleigh quotient: rows in twice the precision", "eigenvalues: Least eigenvalue: upper bound", 150)
def _rayleigh():
    rng = np.random.default_rng(2)
    best = (1.0, 0.0)
    for _ in range(2000):
        a, v = rng.uniform(-1, 1, 3), rng.uniform(-1, 1, 3)
        a[2] = -(a[0] * v[0] + a[1] * v[1]) / v[2]  # what is left is rounding
        with working_precision(256):
            ball = rayleigh.quadratic_form(a[None, :], v, np.array([1.0]))
            exact = sum((Fraction(s) * Fraction(t) for s, t in zip(a.tolist(), v.tolist(), strict=True)), Fraction(0))
            true = arb(exact.numerator) / exact.denominator
            best = max(best, (float(ball.rad()), float(abs(ball.mid() - true))), key=lambda pair: pair[1] / pair[0])
    return best


@case("all eigenvalues: residual and a frame that is too short", "eigenvalues: All eigenvalues", 1.001)
def _spectrum():
    # the vector is 0.8 of a unit vector, the value off by 1/8
    return spectrum.spectrum_radius(np.array([[1.0]]), np.array([1.125]), np.array([[0.8]])), 0.125


@case("all eigenvalues: rounding of products", "eigenvalues: All eigenvalues", 60)
def _spectrum_rounding():
    best = (1.0, 0.0)
    for value in np.random.default_rng(4).uniform(1, 2, 500).tolist():
        A = np.array([[value, 0.5], [0.5, 1.0]])
        values, vectors = np.linalg.eigh(A)
        half, gap = (mp.mpf(value) + 1) / 2, mp.sqrt(((mp.mpf(value) - 1) / 2) ** 2 + mp.mpf(1) / 4)
        true = max(abs(half - gap - mp.mpf(values[0])), abs(half + gap - mp.mpf(values[1])))
        best = max(
            best, (spectrum.spectrum_radius(A, values, vectors), float(true)), key=lambda pair: pair[1] / pair[0]
        )
    return best


def _regression(K: float, E: float, C: float, F: float, noise: float = 0.0) -> float:
    one = np.ones((1, 1))
    weights, responses = np.array([[1 / (K + noise)]]), np.array([[C / (K + noise)]])
    bounds = prediction_bounds.regression_bounds(
        (K * one, E * one), (C * one, F * one), noise, K - E, (one, weights, responses), C * weights
    )
    return bounds.largest


@case("kernel regression: errors of both kernels, to all orders", "predictions: Errors", 1.001)
def _regression_errors():
    return _regression(1.0, 0.25, 1.0, 0.125), 1.125 / 0.75 - 1.0


@case("kernel regression: errors with noise", "predictions: Errors", 1.001)
def _regression_noise():
    return _regression(0.75, 0.25, 1.0, 0.125, 0.25), 1.125 / 0.75 - 1.0


def _flow(duration: flow_bounds.Duration) -> tuple[float, float]:
    """Kernels 1 +- .1 and 1 +- .05 of one sample: the bound, and the mean that is furthest off."""
    response = float(duration.response(arb(1))[0])
    one = np.ones((1, 1))
    bounds = flow_bounds.flow_bounds(
        (one, 0.1 * one),
        (one, 0.05 * one),
        0.0,
        (0.9, 1.1),
        duration,
        (np.ones(1), one),
        (one, response * one),
        response * one,
    )
    furthest = max(abs(c * float(duration.response(arb(k))[0]) - response) for c in (0.95, 1.05) for k in (0.9, 1.1))
    return bounds.largest, furthest


@case("gradient flow: errors of both kernels", "predictions: Errors before the end", 1.05)
def _flow_errors():
    return _flow(flow_bounds.Duration(50.0, None, 0.0))


@case("gradient descent: errors of both kernels", "predictions: Errors before the end", 1.05)
def _descent_errors():
    return _flow(flow_bounds.Duration(np.inf, 60, 0.8))


@case("kernel regression: roundings of residuals", "predictions: Errors", 60)
def _regression_rounding():
    best = (1.0, 0.0)
    for value in np.random.default_rng(6).uniform(1, 2, 500).tolist():
        claim = _regression(value, 0.0, 1.0, 0.0)
        best = max(best, (claim, float(abs(mp.mpf(1 / value) - 1 / mp.mpf(value)))), key=lambda pair: pair[1] / pair[0])
    return best


_TWO = spectrum.Spectrum(np.array([0.5, 2.0]), 0.0, Outcome.PROVEN, "diagonal", np.eye(2))


@case("gradient descent: rate at the least eigenvalue", "predictions: Gradient descent", 1.001)
def _rate_least():
    return prediction_bounds.training_rate(0.5, _TWO, 0.25, 0.25).rate, 1 - 0.25 * 0.75


@case("gradient descent: rate at the largest eigenvalue", "predictions: Gradient descent", 1.001)
def _rate_largest():
    return prediction_bounds.training_rate(0.5, _TWO, 0.75, 0.25).rate, 0.75 * 2.25 - 1


@case("gradient descent: the largest step", "predictions: Gradient descent", 1.001)
def _largest_step():
    return 2 / 2.25, prediction_bounds.training_rate(0.5, _TWO, None, 0.25).largest_step  # a lower bound


def _gap(bound: theory_bounds.TheoryBound, true: float) -> tuple[float, float]:
    return true, bound.value  # a lower bound: the eigenvalue is the claim's limit


@case("Ling's bound (equal negative correlations, odd degree)", "eigenvalues: The theory's bounds", 1.001)
def _ling():
    n, beta, a = 4, 0.25, 0.5
    lower = np.zeros((4, n))
    lower[3] = a
    return _gap(theory_bounds.ling_bound(beta, lower), a * a * (1 - (n - 1) * beta**3))


@case("Hermite-Gershgorin (equal negative correlations, odd degree)", "eigenvalues: The theory's bounds", 1.001)
def _gershgorin():
    n, beta, a = 4, 0.25, 0.5
    rows = np.zeros((4, n))
    rows[3] = a
    moduli = np.full((n, n), beta)
    np.fill_diagonal(moduli, 1.0)
    return _gap(theory_bounds.hermite_gershgorin_bound(moduli, rows, rows), a * a * (1 - (n - 1) * beta**3))


@case("Khatri-Rao", "eigenvalues: The theory's bounds", 1.001)
def _khatri_rao():
    S = np.array([[1.0, -0.5], [-0.5, 1.0]])
    lower = np.zeros((4, 2))
    lower[3] = 0.5
    moduli = np.abs(S)
    return _gap(theory_bounds.khatri_rao_bound(S, 0.0, lower, moduli, 3), 0.25 * (1 - 0.125))


@case("correlations with the error of their covariances", "eigenvalues: The theory's bounds", 1.001)
def _moduli():
    S, e = np.array([[1.0, 0.5], [0.5, 1.0]]), 1e-3
    return theory_bounds.correlation_moduli(S, e)[0][0, 1], float(mp.mpf("0.501") / (1 - mp.mpf(e)))


# Spectra on the sphere


def _left_out(expr: sp.Expr, d: int, degree: int, r: int, terms: int) -> tuple[float, float]:
    """An eigenvalue of which only `a_r^2` is left out: the upper end of its ball, and `a_r^2` times the factor of r."""
    ball = sphere_spectrum(shape_of(expr, x), d, degree + 1, 1, terms).balls[degree]
    double = math.prod(range(r - degree, 1, -2))
    factor = Fraction(math.factorial(r), double * math.prod(d + 2 * j for j in range((r + degree) // 2)))
    square = Fraction(sp.Poly(expr, x).LC() ** 2 * math.factorial(r))
    return float(ball.upper()), float(square * factor)


@case("sphere: the terms left out, of one parity", "sphere: What is left out", 1.001)
def _sphere_tail():
    return _left_out(x**3 - 3 * x + 5, 4, 1, 3, 3)  # 5 is among the terms, and of the other parity


@case("sphere: factors that still increase", "sphere: What is left out", 1.001)
def _sphere_turn():
    # of all factors of degree 6 that of the power 12 is the largest
    return _left_out(normalized_hermite(12, x) * sp.sqrt(sp.factorial(12)), 5, 6, 12, 8)


# Mean fields


@case("a proven root: errors of the function that nearly fill the interval", "mean_field: Proofs", 1.02)
def _proven_root():
    digits, share = 20, 0.99
    with working_precision(200):
        error = arb(10) ** -digits / 2 * share
        ball = proven_root(lambda q, _: q - 1 + arb(0, error), 1.0, digits)
        return float(ball.rad()), float(error)


@case("second moments over a cell of variances", "mean_field: Completeness", 60)
def _moment_cell():
    cell, exact, _ = _cell_of_a_power()
    return float(cell.error), float(abs(cell.polynomial(arb(0.25)) - exact))


@case("second moments over a cell: slopes", "mean_field: Completeness", 60)
def _moment_cell_slope():
    cell, _, slope = _cell_of_a_power()
    return float(cell.slope_error), float(abs(cell.slope(arb(0.25)) - slope))


def _cell_of_a_power():
    # V = E[Z^100] q^50 around q = 1, and V and its slope at the end 5/4
    with working_precision(400):
        cell = moment_taylor.moment_cell(activation("x^50").shape, arb(1))
        moment, end = arb(100).fac() / (arb(2) ** 50 * arb(50).fac()), arb(1.25)
        return cell, moment * end**50, 50 * moment * end**49


@case("no fixed point near 0", "mean_field: Completeness", 1.1)
def _lower_end():
    # V = q + E|x|^3 + 3 q^2/4 of |x| + x^2/2; a lower bound: the exact one is what may be claimed
    with working_precision(192):
        end = lower_end(activation("Abs(x) + x^2/2"), arb(0.25), arb(0))
    moment = 2 * mp.sqrt(2 / mp.pi)
    return float(mp.findroot(lambda s: (1 + moment * s + 0.75 * s**2) / 4 - 1, 1.2) ** 2), float(end.q)


@case("no fixed point beyond a Lipschitz bound", "mean_field: Completeness", 1.3)
def _upper_end():
    # V = q + 2 E|x| + 1 of |x| + 1
    with working_precision(192):
        end = upper_end(activation("Abs(x) + 1"), arb(0.25), arb(0))
    mean = mp.sqrt(2 / mp.pi)
    return float(end.q), float(mp.findroot(lambda s: (s**2 + 2 * mean * s + 1) / 4 - s**2, 0.9) ** 2)


# The second proof


@case("second proof: residual of a factorization", "certificates: Certificates of claims", 40)
def _second_residual():
    best = (1.0, 0.0)
    for value in np.random.default_rng(9).uniform(1, 2, 400).tolist():
        A = np.array([[value]])
        claim = plain_bounds._residual(A, 0.0)
        root = Fraction(float(np.linalg.cholesky(A)[0, 0]))
        best = max(best, (claim, abs(float(root**2 - Fraction(value)))), key=lambda pair: pair[1] / pair[0])
    return best


def table() -> list[tuple[str, str, float, float, float, float]]:
    """Name, source, claim, measured, their ratio and the factor of every case."""
    rows = []
    for one in CASES:
        claim, measured = one.both()
        rows.append((one.name, one.source, claim, measured, claim / measured if measured else math.inf, one.factor))
    return rows


# Networks with random weights


def _weights(**changes):
    """Numbers of a limit with one sample."""
    one = np.ones(1)
    numbers = {
        "states": one, "variances": one, "least_variances": one, "covariances": one, "inputs": one, "least": 1.0,
        "largest": 1.0, "input_norm": 1.0, "samples": 1.0, "longest": 1.0, "sigma_w": 0.0, "lipschitz": 1.0,
        "curvature": 0.0, "at_zero": 0.0, "span": math.inf, "parameters": ("a", "W", "U"),
    }  # fmt: skip
    return LimitNumbers(**(numbers | changes))


@case("random weights: fluctuation of the Gram matrix", "random_weights: Second moments", 1.3)
def _fluctuation():
    # phi = 1 + eps x and nothing recurs: G - K = 2 eps mean(v) + eps^2 (..), normal to first order
    eps, m = 1e-8, 1e4
    claim = deviation(_weights(lipschitz=eps, at_zero=1.0), m).distance
    return float(claim.upper()), float(2 * mp.mpf(eps) / mp.sqrt(m) * mp.sqrt(2 / mp.pi))


@case("random weights: how fast the norm of the states moves", "random_weights: The event", 1.001)
def _speed():
    # one linear neuron z = v/(1 - w) with W = sigma w', V = sqrt(B) v': the gradient in (w', v')
    w, v, sigma, B = mp.mpf(0.3), mp.mpf(1.1), 0.4, 0.7
    limit = _weights(sigma_w=sigma, input_norm=B)
    known = replace(deviation(_weights(), 1.0), width=1.0, limit=limit, gain=1 / arb(1 - 0.3))
    gradient = mp.sqrt((sigma * v / (1 - w) ** 2) ** 2 + B / (1 - w) ** 2)
    return float(known.slope(arb(float(v / (1 - w)))).upper()), float(gradient)


@case("random weights: the threshold of small steps", "random_weights: The width", 1.001)
def _small_steps():
    # at small s/Y the integral is (kappa/L) s^2/(2 Y)
    s, Y, norm = 1e-3, 10.0, 0.4
    numbers = dict.fromkeys(("residual", "largest", "column", "input_column", "peak", "sensitivity"), 1.0)
    numbers |= {"resolvent": 1 / 0.6, "slope_resolvent": 1 / 0.6, "lipschitz": 1.0, "curvature": 0.0}
    start = Start(**numbers, least=s, least_states=s, norm=norm, inputs=Y, parameters=("a", "W", "U"))
    kappa, ratio = 1 - mp.mpf(norm), mp.mpf(s) / Y
    exact = kappa * (mp.mpf(s) - Y * mp.log1p(ratio))
    return float(exact), small_steps_threshold(start)  # a lower bound: the exact one is what may be claimed


@case("random weights: the outputs of a network", "random_weights: The start", 1.3)
def _outputs():
    # one sample: f is normal of variance G, whose tail beyond 1 + x is measured at the failure of one share
    m, failure = 1e12, 1e-3
    start = random_start(_weights(lipschitz=1e-6, at_zero=1.0, curvature=1.0), m, failure)
    beyond = mp.findroot(lambda t: mp.erfc(t / mp.sqrt(2)) / 2 - mp.mpf(failure) / 6, 3.5)
    return start.residual, float(1 + beyond)


# Series in the cosine


@case("entrywise powers of cosines", "layers: Series in the cosine", 1.0 + 1e-9)
def _cosine_powers():
    # two samples at cosine 3/5; a lower bound: the exact one is what may be claimed
    return float(1 - mp.mpf("0.6") ** 7), float(cosine_power_bounds(np.array([[5.0, 0.0], [3.0, 4.0]]), [7])[0])


@case("terms left out of a composition", "layers: Proven series", 1.0 + 1e-5)
def _left_out_of_a_composition():
    # all of what is left out in the one term f^40, f = 1/2 + xi/2, and its constant coefficient
    with working_precision(200):
        (bound,) = ball_series._left_out(arb_poly([0.5, 0.5]), 1, 40, arb(1))
    return float(bound), 2.0**-40


@case("a least eigenvalue from balls of a series", "layers: Proven series", 1.0 + 1e-8)
def _series_bound():
    # orthogonal samples, and the lower ends .5 and 1 of two balls; a lower bound: the exact one is what may be claimed
    with working_precision(100):
        return 1.5, cosine_lower_bound((arb(1), arb(0.75, 0.25)), arb(1.25, 0.25), np.eye(3))

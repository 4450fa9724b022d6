"""Random members of the class: the closed form against quadrature and against the Mehler series.

The draws are fixed by their number. `HERMITE_DUAL_SWEEP=500 pytest tests/test_symbolic_sweep.py` runs that many.
"""

import os
import random
from dataclasses import dataclass

import numpy as np
import pytest
import sympy as sp
from numpy.polynomial.legendre import leggauss

from hermite_dual.shape.shape import shape_of
from hermite_dual.symbolic.closed_forms import derive_cross_dual, derive_dual
from hermite_dual.symbolic.coefficients import exact_coefficient
from hermite_dual.symbols import c, q1, q2, rho, x

DRAWS = int(os.environ.get("HERMITE_DUAL_SWEEP", "6"))
DEGREE = 9  # of the Mehler polynomial
QUADRATURE = 2e-11  # of the scale sqrt(k(q1,q1,q1) k(q2,q2,q2)): float64 sums of up to 1e6 products
EXACT = sp.Float(10) ** -22  # of the scale: between exact expressions evaluated to 30 digits

HALVES = [sp.Rational(n, 2) for n in range(-4, 5)]
DECAY = [sp.S.Zero, sp.S.Zero, sp.Rational(-1, 2), -sp.S.One, sp.Rational(1, 20)]
SLOPES = [sp.S.Zero, sp.S.Zero, sp.S.One, -sp.S.One, sp.Rational(1, 3)]
LAWS = [  # sqrt(q1), sqrt(q2), rho: rational, so that the forms in rho serve every variance
    (sp.Rational(13, 10), sp.Rational(4, 5), sp.Rational(3, 5)),
    (sp.Rational(7, 10), sp.Rational(6, 5), -sp.Rational(1, 2)),
    (sp.Rational(2, 5), sp.Rational(1, 2), sp.Rational(4, 5)),
    (sp.S.One, sp.Rational(5, 6), sp.Rational(1, 20)),
]


@dataclass(frozen=True)
class Draw:
    """A random activation with its kinks and a covariance."""

    expr: sp.Expr
    kinks: tuple[sp.Expr, ...]
    law: tuple[sp.Expr, sp.Expr, sp.Expr]

    @property
    def covariance(self) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
        """q1, q2, c."""
        first, second, correlation = self.law
        return first**2, second**2, first * second * correlation


def monomial(generator: random.Random) -> sp.Expr:
    """`a x^p exp(alpha x^2 + beta x)` with small numbers."""
    power = generator.choice([0, 0, 1, 1, 2, 2, 3])
    exponent = generator.choice(DECAY) * x**2 + generator.choice(SLOPES) * x
    return sp.Rational(generator.randint(1, 6), generator.randint(1, 3)) * x**power * sp.exp(exponent)


def draw(number: int) -> Draw:
    """The activation of a number: up to four pieces, or up to two smooth terms, or both."""
    generator = random.Random(number)
    kinks: list[sp.Expr] = []
    expr = sp.S.Zero
    kind = generator.choice(["pieces", "pieces", "smooth", "waves", "both"])
    if kind in ("pieces", "both"):
        kinks = sorted(generator.sample(HALVES, generator.choice([1, 1, 2, 2, 3])))
        pieces = [monomial(generator) * generator.choice([0, 1, -1, 1]) for _ in range(len(kinks) + 1)]
        expr += sp.Piecewise(*((part, x < kink) for part, kink in zip(pieces, kinks, strict=False)), (pieces[-1], True))
    if kind in ("smooth", "both"):
        a, b = sp.Rational(generator.randint(1, 4), 2), generator.choice(HALVES)
        gate = generator.choice([sp.erf, sp.erfc])(generator.choice([a, -a]) * x + b)
        expr += monomial(generator) * gate + monomial(generator)
    if kind == "waves":
        wave = generator.choice([sp.sin, sp.cos])(
            sp.Rational(generator.randint(1, 4), 2) * x + generator.choice([0, 1])
        )
        expr += monomial(generator) * wave + monomial(generator)
    return Draw(expr, tuple(kinks), generator.choice(LAWS))


def quadrature(case: Draw) -> float:
    """Tensor Gauss-Legendre over panels that are split at the kinks, in float64."""
    first, second, shared = (float(value) for value in case.covariance)
    gap = first * second - shared**2
    function = sp.lambdify(x, case.expr, modules=["scipy", "numpy"])
    nodes, weights = leggauss(16)
    rules = []
    for variance, other in ((first, second), (second, first)):
        step = min(np.sqrt(variance), np.sqrt(gap / other))
        reach = 11.0 * np.sqrt(variance)
        edges = np.linspace(-reach, reach, int(2 * reach / step) + 2)
        kinks = [float(kink) for kink in case.kinks if abs(kink) < reach]
        edges = np.unique(np.concatenate([edges, kinks]))
        half = np.diff(edges)[:, None] / 2
        points = (edges[:-1, None] + half + half * nodes).ravel()
        with np.errstate(all="ignore"):
            values = np.broadcast_to(function(points), points.shape)
        rules.append((points, (half * weights).ravel() * values, other))
    (u, a, _), (v, b, _) = rules
    form = second * u[:, None] ** 2 - 2 * shared * np.outer(u, v) + first * v**2
    return float(a @ np.exp(-form / (2 * gap)) @ b) / (2 * np.pi * np.sqrt(gap))


def kernels(case: Draw) -> tuple[sp.Expr, list[sp.Expr]]:
    """`k(q1, q2, c)` and the two `k(q, q, q)` by the closed forms, the two forms compared where both are printed."""
    form = derive_dual(shape_of(case.expr, x))
    assert form.unit is not None, (case.expr, form.reason)
    first, second, correlation = case.law
    if form.general is None:  # it would fill pages: the forms in rho of the rescaled activation serve instead
        scaled = {s: case.expr.subs(x, s * x) for s in (first, second)}
        value = (
            derive_cross_dual(shape_of(scaled[first], x), shape_of(scaled[second], x))
            .unit.subs(rho, correlation)
            .evalf(30)
        )
        return value, [derive_dual(shape_of(scaled[s], x)).unit.subs(rho, 1).evalf(30) for s in (first, second)]

    def general(a, b, d):
        return form.general.subs({q1: a, q2: b, c: d}).evalf(30)

    unit = form.unit.subs(rho, correlation).evalf(30)
    assert abs(unit - general(1, 1, correlation)) <= EXACT * (general(1, 1, 1) + abs(unit)), case.expr
    return general(*case.covariance), [general(s**2, s**2, s**2) for s in (first, second)]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(DRAWS))
def test_closed_form_of_a_random_member(number):
    case = draw(number)
    first, second, correlation = case.law
    value, squares = kernels(case)
    scale = sp.sqrt(squares[0] * squares[1]) + sp.Float(10) ** -40
    assert abs(float(value) - quadrature(case)) <= QUADRATURE * float(scale), case.expr

    coefficients = [
        [exact_coefficient(shape_of(case.expr, x), r, s**2).evalf(30) for r in range(DEGREE + 1)]
        for s in (first, second)
    ]
    remainders = [square - sum(a**2 for a in row) for square, row in zip(squares, coefficients, strict=True)]
    assert all(remainder >= -EXACT * scale for remainder in remainders), (case.expr, remainders)
    mehler = sum(a * b * correlation**r for r, (a, b) in enumerate(zip(*coefficients, strict=True)))
    bound = abs(correlation) ** (DEGREE + 1) * sp.sqrt(abs(remainders[0] * remainders[1])) + EXACT * scale
    assert abs(value - mehler) <= bound, case.expr


def test_quadrature_knows_a_kernel():
    # E[u v] = c, and E[|u| |v|] by Cho and Saul 2009 at q1 = q2 = 1, c = 1/2.
    assert quadrature(Draw(x, (), LAWS[1])) == pytest.approx(-0.42, rel=1e-12)
    half = Draw(sp.Abs(x), (sp.S.Zero,), (sp.S.One, sp.S.One, sp.S.Half))
    assert quadrature(half) == pytest.approx(2 / np.pi * (np.sqrt(0.75) + 0.5 * np.pi / 6), rel=1e-12)

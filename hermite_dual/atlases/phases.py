"""Mean field, eigenvalues on spheres and the least eigenvalue on the embedded digits, for one activation."""

import math

import sympy as sp

from hermite_dual.activation import Activation
from hermite_dual.atlases.digits import DIGITS, Field, because, between, field, number
from hermite_dual.data.digits import load_digits
from hermite_dual.deq import DEQ
from hermite_dual.dual import Dual
from hermite_dual.mean_fields.edge import EdgePoint, doubly_critical, edge_of_chaos
from hermite_dual.mean_fields.mean_field import FixedPoint, mean_field
from hermite_dual.outcome import Outcome
from hermite_dual.population.entries.inputs import on_sphere

SIGMA_W2, SIGMA_B2 = sp.Rational(3, 2), sp.Rational(1, 10)
"""Scales of the fixed points in the atlas, those of a published example with erf."""
VARIANCES = ("1/10", "3/10", "1/2", "1", "2")
"""Variances of the edge's table, as in the values that papers print for tanh."""
EDGE_BIAS = sp.Rational(1, 20)
"""The `sigma_b^2` of Schoenholz et al., arXiv 1611.01232."""
DIMENSIONS, SPHERE_DEGREES, TERMS = (3, 10, 100), 6, 512
SAMPLES, DEQ_S2 = 300, 0.08
"""Rows of the embedded digits, and the papers' `s^2` of the model that least eigenvalues are of."""


def fixed_points(phi: Activation) -> Field:
    """Return the fixed points of the variance map at `SIGMA_W2`, `SIGMA_B2`."""
    points = mean_field(phi, sp.sqrt(SIGMA_W2), sp.sqrt(SIGMA_B2), digits=DIGITS + 1).fixed_points
    return [_fixed_point(point) for point in points]


def _fixed_point(point: FixedPoint) -> Field:
    if point.enclosure is None:
        return {"q": "oo", "stability": point.stability.value}
    chi_1 = point.enclosure.chi_1
    return {
        "q": number(point.enclosure.q),
        "chi_par": number(point.enclosure.chi_par),
        "chi_1": number(chi_1) if chi_1.is_finite() else because("phi jumps: chi_1 is infinite"),
        "stability": point.stability.value,
    }


def edge(phi: Activation) -> Field:
    """Return the edge of chaos at the variances of the table, and at one scale of the biases."""
    table = {q: field(lambda q=q: _edge_at(phi, q)) for q in VARIANCES}  # type: ignore[misc]
    at_bias = field(lambda: [_point(p) for p in edge_of_chaos(phi, sigma_b=sp.sqrt(EDGE_BIAS), digits=DIGITS + 1)])
    return {"by_variance": table, "at_bias": at_bias}


def _edge_at(phi: Activation, q: str) -> Field:
    return _point(edge_of_chaos(phi, q=sp.Rational(q), digits=DIGITS + 1)[0])


def doubly(phi: Activation) -> Field:
    """Return the doubly critical points."""
    points = doubly_critical(phi, digits=DIGITS + 1)
    return [_point(point) for point in points] or because("phi has none with sigma_b^2 >= 0")


def _point(point: EdgePoint) -> Field:
    ball = point.enclosure
    assert ball is not None
    return {name: number(getattr(ball, name)) for name in ("q", "sigma_w2", "sigma_b2", "chi_par")}


def sphere(dual: Dual) -> Field:
    """Return the eigenvalues of the dual activation on spheres, degrees 0 to 5."""
    return {str(d): field(lambda d=d: _eigenvalues(dual, d)) for d in DIMENSIONS}  # type: ignore[misc]


def _eigenvalues(dual: Dual, d: int) -> Field:
    balls = dual.sphere_eigenvalues(d, SPHERE_DEGREES, 1, TERMS).balls
    return ["0" if ball.is_zero() else number(ball) for ball in balls]


def least_eigenvalue(phi: Activation) -> Field:
    """Return a proven interval of `lambda_*` of the papers' model on the first of the embedded digits."""
    bounds = DEQ.paper(phi, DEQ_S2).gram(on_sphere(load_digits()[0][:SAMPLES])).least_eigenvalue()
    if bounds.outcome is not Outcome.PROVEN or not (math.isfinite(bounds.lower) and math.isfinite(bounds.upper)):
        return because(bounds.reason or "no proven bound")
    return between(bounds.lower, bounds.upper, 10)

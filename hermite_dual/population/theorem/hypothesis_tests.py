"""The hypotheses of the convergence theorems, each decided by a proof where there is one.

Derivation: docs/theory/certificates.md, "Hypotheses"; docs/theory/eigenvalues.md, "Where K is positive definite".
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from flint import arb

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.certified.balls.ball_functions import BallFunction, constant_ball
from hermite_dual.certified.balls.precision import lower_float, upper_float, working_precision
from hermite_dual.certified.balls.rounding import UNIT, gamma
from hermite_dual.certified.counted.inner_products import inner_products, squared_norms
from hermite_dual.certified.suprema.constants import DerivativeBound, derivative_bound
from hermite_dual.errors import InvalidInputError
from hermite_dual.notebook import Shown
from hermite_dual.outcome import Outcome
from hermite_dual.population.entries.inputs import EQUAL_NORMS
from hermite_dual.shape.numbers import between
from hermite_dual.shape.pieces import HOLE
from hermite_dual.shape.shape import Pieces

if TYPE_CHECKING:
    from hermite_dual.deq import DEQ

_MOST_EXACT_PAIRS = 2000  # pairs of rows decided in rational arithmetic, some milliseconds each
_PROBES = (sp.Rational(1, 3), sp.Rational(7, 5), sp.Rational(13, 4))
"""Steps at which differences are looked at, on no lattice of kinks."""
_BITS = 128  # of balls


@dataclass(frozen=True, repr=False)
class Hypothesis(Shown):
    """A statement about the model and the data, or one that follows.

    Attributes:
        name: the statement.
        outcome: PROVEN, REFUTED or UNDECIDED.
        value: the number behind it; None where there is none.
        explanation: what the number is and how the outcome came about.
    """

    name: str
    outcome: Outcome
    value: float | None
    explanation: str

    def __str__(self) -> str:
        """Return one line: outcome, name, number and explanation."""
        number = "" if self.value is None else f" [{self.value:.10g}]"
        return f"{self.outcome.value:<9}  {self.name}{number}: {self.explanation}"


def slope_bound(phi: Activation, order: int) -> DerivativeBound:
    """What is proven of `sup |phi^(order)|`; UNDECIDED for Python functions."""
    if phi.expr is None:
        reason = f"{phi.name} is a Python function, of which nothing can be proven: give it as a formula"
        return DerivativeBound(0.0, math.inf, Outcome.UNDECIDED, reason)
    try:
        return derivative_bound(phi.shape, order)
    except InvalidInputError as error:
        return DerivativeBound(0.0, math.inf, Outcome.UNDECIDED, str(error))


def bounded_derivative(bound: DerivativeBound, order: int) -> Hypothesis:
    """Whether a derivative of phi is bounded on the real line."""
    name = f"bounded {('first', 'second')[order - 1]} derivative"
    symbol = "L = sup |phi'|" if order == 1 else "sup |phi''|"
    if bound.outcome is Outcome.PROVEN:
        return Hypothesis(name, Outcome.PROVEN, bound.upper, f"{symbol} lies in [{bound.lower!r}, {bound.upper!r}]")
    value = math.inf if bound.outcome is Outcome.REFUTED else None
    return Hypothesis(name, bound.outcome, value, bound.reason)


def contraction_condition(sigma_w: float, slope: DerivativeBound, factor: int) -> Hypothesis:
    """Whether `factor * sigma_w * L < 1`: 2 for the papers' `s^2 < 1/(8 L^2)`, 1 for the population's limit."""
    statement = "s^2 < 1/(8 L^2)" if factor == 2 else "sigma_w L < 1"
    left = "2 sigma_w L" if factor == 2 else "sigma_w L"
    if sigma_w == 0.0:
        return Hypothesis(statement, Outcome.PROVEN, 0.0, "sigma_w = 0: nothing recurs")
    if slope.outcome is Outcome.REFUTED:
        return Hypothesis(statement, Outcome.REFUTED, math.inf, "phi has no Lipschitz constant")
    if slope.outcome is Outcome.UNDECIDED:
        return Hypothesis(statement, Outcome.UNDECIDED, None, "no Lipschitz constant of phi is proven")
    scale = arb(factor) * arb(sigma_w)
    high, low = upper_float(scale * arb(slope.upper)), lower_float(scale * arb(slope.lower))
    if high < 1.0:
        return Hypothesis(statement, Outcome.PROVEN, high, f"{left} <= {high!r}")
    if low >= 1.0:
        remedy = f"take sigma_w below {1.0 / (factor * slope.upper):.6g}"
        return Hypothesis(statement, Outcome.REFUTED, low, f"{left} >= {low!r}: {remedy}")
    return Hypothesis(statement, Outcome.UNDECIDED, high, f"{left} lies in [{low!r}, {high!r}], which contains 1")


def paper_scales(sigma_u: float, sigma_b: float) -> Hypothesis:
    """Whether the model is the papers': `sigma_u^2 = 2` to rounding and no bias."""
    same = abs(sigma_u**2 - 2.0) <= 8 * UNIT and sigma_b == 0.0
    explanation = f"sigma_u^2 = {sigma_u**2:.16g} (papers: 2, to rounding), sigma_b = {sigma_b:g} (papers: 0)"
    return Hypothesis("the papers' scales", Outcome.PROVEN if same else Outcome.REFUTED, sigma_u, explanation)


def row_norms(X: Array) -> Hypothesis:
    """Whether every `|x_i|^2` is d within the rounding that scaling to the sphere leaves."""
    d = X.shape[1]
    squares, errors = squared_norms(X)
    gaps = np.abs(squares - d)
    upper = float(((gaps + errors) / d).max()) * (1 + gamma(8))
    lower = float(((gaps - errors) / d).max()) / (1 + gamma(8))
    name = "rows of norm sqrt(d)"
    explanation = f"the largest | |x_i|^2/d - 1 | is at most {upper:.3g}; rounding is counted up to {EQUAL_NORMS:g}"
    if upper <= EQUAL_NORMS:
        return Hypothesis(name, Outcome.PROVEN, upper, explanation)
    if lower > EQUAL_NORMS:
        return Hypothesis(name, Outcome.REFUTED, upper, f"{explanation}; scale them with hermite_dual.on_sphere(X)")
    return Hypothesis(name, Outcome.UNDECIDED, upper, explanation)


def no_parallel_rows(X: Array, model: "DEQ") -> Hypothesis:
    """Whether no two rows are parallel: `|cos| < 1` with its rounding, exact arithmetic where that is too close.

    What parallel rows are asked not to do is to make a correlation of preactivations +-1: a bias parts them.
    """
    name = "no two parallel rows"
    zero = np.flatnonzero(~X.any(axis=1))
    if zero.size:
        return Hypothesis(name, Outcome.REFUTED, 1.0, f"row {zero[0]} is zero")
    if len(X) == 1:
        return Hypothesis(name, Outcome.PROVEN, 0.0, "there is one row")
    scaled = X / 2.0 ** np.floor(np.log2(np.abs(X).max(axis=1)))[:, None]  # powers of two: directions stay exact
    products, errors = inner_products(scaled)
    floor = np.diagonal(products) - np.diagonal(errors)
    cosines = (np.abs(products) + errors) / np.sqrt(np.multiply.outer(floor, floor)) * (1 + gamma(8))
    np.fill_diagonal(cosines, 0.0)
    largest = float(min(cosines.max(), 1.0))
    i, j = (int(k) for k in np.unravel_index(int(cosines.argmax()), cosines.shape))
    if largest < 1.0:
        return Hypothesis(name, Outcome.PROVEN, largest, f"the largest |cos| is at most {largest!r}, rows {i} and {j}")
    suspects = np.argwhere(np.triu(cosines, 1) >= 1.0)
    explanation = f"{len(suspects)} pairs are parallel to rounding, rows {i} and {j} among them, but not exactly"
    doubt = f"{len(suspects)} pairs are parallel to rounding" if len(suspects) > _MOST_EXACT_PAIRS else None
    for a, b in suspects[:_MOST_EXACT_PAIRS].tolist():
        if not _exactly_parallel(X[a], X[b]):
            continue
        one = _correlation_is_one(X[a], X[b], model)
        if one:
            reason = f"rows {a} and {b} are parallel, and the correlation of their preactivations is 1 or -1"
            return Hypothesis(name, Outcome.REFUTED, 1.0, reason)
        if one is None:
            doubt = f"rows {a} and {b} are parallel; whether phi and their norms part them is not decided here"
        explanation = f"rows {a} and {b} are parallel, but {'the bias' if model.sigma_b else 'phi'} parts them"
    if doubt is not None:
        return Hypothesis(name, Outcome.UNDECIDED, 1.0, doubt)
    return Hypothesis(name, Outcome.PROVEN, 1.0, explanation)


def _correlation_is_one(x: Array, y: Array, model: "DEQ") -> bool | None:
    """Whether parallel rows have preactivations p of correlation +-1 in the limit; None where that is not known.

    A bias makes `sigma_u^2 x.y/d + sigma_b^2` one of rank 2 unless the rows are equal. Without one `p' = s p` has to
    hold with the s of the rows through `p = W phi(p) + U x`: where nothing recurs, and where `phi(s p) = s phi(p)`.
    """
    if np.array_equal(x, y) or model.sigma_u == 0.0:
        return True
    if model.sigma_b != 0.0:
        return False
    phi = model.activation
    if model.sigma_w == 0.0:
        return True
    pivot = int(np.abs(x).argmax())
    same_side = (x[pivot] > 0) == (y[pivot] > 0)
    homogeneous = phi.expr is not None and phi.shape.homogeneous
    if not (homogeneous or np.array_equal(x, -y)):
        return None
    if same_side:
        return True
    sides = parity(phi)  # phi(-p) = k phi(p) for all p makes k 1 or -1, and k = 1 is not the sign of the rows
    return bool(sides.value == -1.0) if sides.outcome is Outcome.PROVEN else None


def _exactly_parallel(x: Array, y: Array) -> bool:
    """Whether all 2 by 2 determinants with one pivot vanish, in exact arithmetic."""
    pivot = int(np.abs(x).argmax())
    a, b = Fraction(float(x[pivot])), Fraction(float(y[pivot]))
    return all(Fraction(u) * b == Fraction(v) * a for u, v in zip(x.tolist(), y.tolist(), strict=True))


def no_polynomial(phi: Activation, bounds: tuple[DerivativeBound, DerivativeBound]) -> Hypothesis:
    """Whether phi is no polynomial, which makes infinitely many Hermite coefficients non-zero.

    A polynomial with a bounded k-th derivative has degree at most k, so its differences of order k + 1 vanish.
    """
    name = "phi is no polynomial"
    if phi.expr is None:
        return Hypothesis(name, Outcome.UNDECIDED, None, "nothing can be proven of a Python function")
    if phi.shape.degree is not None:
        return Hypothesis(name, Outcome.REFUTED, None, "finitely many Hermite coefficients are non-zero")
    broken = _broken(phi.shape.pieces) if phi.shape.complete else None
    if broken is not None:
        return Hypothesis(name, Outcome.PROVEN, None, f"{broken}, so infinitely many Hermite coefficients are non-zero")
    function = BallFunction(phi.shape.known, phi.symbol)
    for order, bound in enumerate(bounds, 1):
        if bound.outcome is not Outcome.PROVEN:
            continue
        for step in _PROBES:
            with working_precision(_BITS):
                size = _difference(function, order + 1, step)
                if size.is_finite() and not size.contains(0):
                    value = lower_float(abs(size))
                    explanation = (
                        f"its derivative of order {order} is bounded and a difference of order {order + 1} is not "
                        "zero, so infinitely many Hermite coefficients are non-zero"
                    )
                    return Hypothesis(name, Outcome.PROVEN, value, explanation)
    return Hypothesis(name, Outcome.UNDECIDED, None, "no derivative up to order two is proven bounded")


def _broken(pieces: Pieces) -> str | None:
    """Why no polynomial equals phi almost everywhere, seen at kinks and on half lines; None if nothing is seen."""
    for kink, sides in zip(pieces.kinks, pieces.sides, strict=True):
        left, right = sides.left.value, sides.right.value
        if sides.left.unbounded or sides.right.unbounded:
            return f"it grows without bound towards {pieces.symbol} = {kink}"
        if left is not None and right is not None and (left < right or left > right):
            return f"it jumps at {pieces.symbol} = {kink}"
    edges = (-sp.oo, *pieces.kinks, sp.oo)
    for outer in (pieces.plain[0], pieces.plain[-1]):
        if outer == HOLE or not outer.is_polynomial(pieces.symbol):
            continue
        for ends, piece in zip(pairwise(edges), pieces.plain, strict=True):
            with working_precision(_BITS):
                place = constant_ball(between(*ends))
                gap = BallFunction(piece, pieces.symbol)(place) - BallFunction(outer, pieces.symbol)(place)
                if gap < 0 or gap > 0:
                    return f"it is the polynomial {outer} on a half line alone"
    return None


def _difference(function: BallFunction, order: int, step: sp.Rational) -> arb:
    """The finite difference of an order, centred at 1/7."""
    start = arb(1) / 7 - arb(order) / 2 * arb(int(step.p)) / int(step.q)
    total = arb(0)
    for k in range(order + 1):
        term = function(start + arb(int(step.p)) * k / int(step.q)) * math.comb(order, k)
        total = total + term if k % 2 == 0 else total - term
    return total


def parity(phi: Activation) -> Hypothesis:
    """The parity of phi: which Hermite coefficients vanish for that reason."""
    if phi.expr is None:
        return Hypothesis("parity", Outcome.UNDECIDED, None, "nothing can be proven of a Python function")
    known = phi.shape.parity
    if known:
        word, gone = ("even", "odd") if known > 0 else ("odd", "even")
        explanation = f"phi is {word}: coefficients of {gone} degree vanish"
        return Hypothesis("parity", Outcome.PROVEN, float(known), explanation)
    function = BallFunction(phi.shape.known, phi.symbol)
    odd = even = True
    with working_precision(_BITS):
        for probe in _PROBES:
            point = arb(int(probe.p)) / int(probe.q)
            right, left = function(point), function(-point)
            even = even and _may_vanish(right - left)
            odd = odd and _may_vanish(right + left)
    if even or odd:
        return Hypothesis("parity", Outcome.UNDECIDED, None, "no parity is proven, and none excluded")
    return Hypothesis("parity", Outcome.PROVEN, 0.0, "phi is neither even nor odd")


def _may_vanish(ball: arb) -> bool:
    return not ball.is_finite() or bool(ball.contains(0))

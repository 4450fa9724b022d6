"""The part of a dual kernel that two kinks share, as one integral per pair of rows, with every rounding counted.

For unit variances, `a` and `b` the places of the kinks, Price's theorem leaves

    I(a, b, rho) = int_0^artanh(rho) (rho - tanh t) exp(-E(t)) / cosh(t) dt,
    E(t) = ((a - b)^2 (1 + exp(2 t)) + (a + b)^2 (1 + exp(-2 t)))/8,

for rho >= 0, and `I(a, b, -rho) = I(a, -b, rho)`. In `|Im t| <= pi/4` both exponentials have a real part that is not
negative, so `|exp(-E)| <= exp(-(a^2 + b^2)/4)`, `|tanh| <= 1` and `|1/cosh| <= sqrt(2)` whatever a and b are. One
Gauss-Legendre rule on the whole interval then has a proven error that depends on its length alone.

Derivation: docs/theory/entries.md, "Straight and quadratic pieces between kinks".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from flint import arb

from hermite_dual.arrays import Array, Indices
from hermite_dual.certified.balls.precision import upper_float, working_precision
from hermite_dual.certified.balls.rounding import UNIT, UP
from hermite_dual.certified.counted.counted_exponential import exponentials
from hermite_dual.certified.counted.entry_error import SeriesValues
from hermite_dual.certified.enclosures.panels import gauss_legendre, rule_error
from hermite_dual.numeric.jit import helper, kernel, prange

_BITS = 128  # of the moments in balls
_ORDERS = (4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 192, 256, 400)
"""From T = 0.03 to 18 with less than 4 u, see the derivation."""
_GOAL = 2.0**-51  # 4 u
FARTHEST = 18.0
"""`1 - tanh(18) < 2^-50`: no float below 1 needs more, and 1 itself loses nothing that counts."""
MISMATCH = 2.0**-47
"""Largest computed `|rho - tanh T|` at the upper limit T used: see `ROUNDING`."""
BLOCK = 32  # pairs that share a rule; they fit the first cache

ROUNDING = 60.0
"""Units `u T exp(-(a^2 + b^2)/8)` that all roundings but those of the sum cost one integral, in its sixths:
23 nodes, 9 places of the kinks, 6 exponents, 5 exponentials, 10 factors, 4 products and weights, 1 upper limit."""


@dataclass(frozen=True)
class Shape:
    """What an error bound needs of an integrand.

    Attributes:
        parts: it is bounded where `|Im t| <= pi/parts`.
        supremum: by this number.
    """

    parts: int
    supremum: float


STRAIGHT = Shape(4, 2.8285)
"""`2 sqrt(2)`, over `exp(-(a^2 + b^2)/4)`."""


class Rules(NamedTuple):
    """Gauss-Legendre rules on [0, 1], one after another.

    Attributes:
        starts: where each rule begins, one more for the end, shape (R + 1,).
        nodes: floats.
        weights: floats.
        longest: up to which T each rule is used, shape (R,).
        errors: bounds of `|int_0^T - rule|` for each rule and every such T, in the unit of the supremum.
    """

    starts: Indices
    nodes: Array
    weights: Array
    longest: Array
    errors: Array


@lru_cache(maxsize=2)
def rules(shape: Shape) -> Rules:
    """The rules in increasing order; the last one serves up to T = 18."""
    nodes, weights, longest, errors = [], [], [], []
    with working_precision(_BITS):
        for order in _ORDERS:
            for node, weight in gauss_legendre(order):
                nodes.append(float(((1 + node) / 2).mid()))
                weights.append(float((weight / 2).mid()))
            longest.append(_reach(order, shape))
            errors.append(upper_float(error_up_to(order, longest[-1], shape)))
    starts = np.concatenate([[0], np.cumsum(_ORDERS)]).astype(np.intp)
    return Rules(starts, np.array(nodes), np.array(weights), np.array(longest), np.array(errors))


def error_up_to(order: int, length: float, shape: Shape) -> arb:
    """Bound of the rule's error on [0, T] by the ellipse of half height `pi/parts`."""
    c = arb(length) / 2
    v = arb.pi() / (shape.parts * c)
    s = v + (v * v + 1).sqrt()
    return rule_error(c, arb(shape.supremum), s, order)


def _reach(order: int, shape: Shape) -> float:
    """The largest T, in 64ths, at which the rule meets the goal."""
    steps = 1
    while error_up_to(order, (steps + 1) / 64, shape) < _GOAL and (steps + 1) / 64 < FARTHEST:
        steps += 1
    return FARTHEST if order == _ORDERS[-1] else steps / 64


class KinkTable(NamedTuple):
    """Places and weights of S kinks in m rows of unit variance.

    Attributes:
        places: floats within a relative `1.01 u` of the kinks `s/sqrt(q_i)`, shape (m, S).
        jumps: floats within a relative `1.01 u` of `sqrt(q_i)` times the jumps of the slope, shape (m, S).
        bends: the same of `q_i` times the jumps of the second derivative, zero for straight pieces, shape (m, S).
        damping: upper bounds of `exp(-places^2/8)`, shape (m, S).
        pairs: indices of two kinks and how often the pair counts, shape (P, 3).
    """

    places: Array
    jumps: Array
    bends: Array
    damping: Array
    pairs: Indices

    def each(self, take: Callable[[Array], Array]) -> "KinkTable":
        """Take something of every array that belongs to rows."""
        return KinkTable(take(self.places), take(self.jumps), take(self.bends), take(self.damping), self.pairs)


def kink_integrals(table: KinkTable, rows: Indices, columns: Indices, rho: Array) -> SeriesValues:
    """Evaluate `sum_p (multiplicity) jump_is jump_jt I(place_is, place_jt, rho_ij)/(2 pi)`.

    Args:
        table: the kinks.
        rows: which rows of the table stand for the rows of the block, shape (R,).
        columns: the same for its columns, shape (C,).
        rho: correlations in [-1, 1], shape (R, C).

    Returns:
        Values and bounds of their error; the bound is infinite where rho is no correlation.
    """
    return integrals_of_pairs(_evaluate, STRAIGHT, table, rows, columns, rho)


def integrals_of_pairs(
    evaluate: Callable[[Array, KinkTable, KinkTable, Rules], tuple[Array, Array]],
    shape: Shape,
    table: KinkTable,
    rows: Indices,
    columns: Indices,
    rho: Array,
) -> SeriesValues:
    """Evaluate integrals of a shape by a kernel, which takes tables of the rows and, transposed, of the columns."""
    left = table.each(lambda array: array[rows])
    right = table.each(lambda array: np.ascontiguousarray(array[columns].T))
    return SeriesValues(*evaluate(np.ascontiguousarray(rho, dtype=np.float64), left, right, rules(shape)))


HALF_TURN = 1.0 / (2.0 * math.pi)  # the factor of the integrals
UNDERFLOW = 1e-280  # what exponents beyond `HIGHEST` leave out


@helper
def upper_limits(rho: Array, longest: Array, top: Array, gap: Array, off: Array, scratch: Array) -> int:
    """Write T, `|rho| - 1` and the computed `||rho| - tanh T|` of a block, and return which rule the largest T takes.

    Any upper limit will do whose tanh is close to rho; that is checked with `off`, not assumed.
    """
    largest = 0.0
    for j in range(BLOCK):
        x = abs(rho[j]) if j < rho.size else 0.0
        # a rho that is not a number has some limit as well, and `off` is none
        top[j], gap[j] = min(np.arctanh(x), FARTHEST) if x < 1.0 else FARTHEST, x - 1.0
        largest = max(largest, top[j])
    exponentials(top, scratch)
    for j in range(BLOCK):
        off[j] = abs(gap[j] + 2.0 / (scratch[j] * scratch[j] + 1.0))
    level = 0
    while largest > longest[level]:
        level += 1
    return level


# the kernel options exclude fast-math, whose reordering the error count does not cover
@kernel
def _evaluate(rho: Array, rows: KinkTable, columns: KinkTable, rule: Rules) -> tuple[Array, Array]:
    row_places, row_jumps, _, row_damping, pairs = rows
    places, jumps, _, damping, _ = columns
    starts, nodes, weights, longest, rule_errors = rule
    count, width = rho.shape
    values, errors = np.zeros((count, width)), np.zeros((count, width))
    most = pairs.shape[0]
    for i in prange(count):
        top, gap, off = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
        argument, y, factor = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
        up, down = np.empty(BLOCK), np.empty(BLOCK)
        apart, together, total = np.empty((most, BLOCK)), np.empty((most, BLOCK)), np.empty((most, BLOCK))
        for start in range(0, width, BLOCK):
            size = min(BLOCK, width - start)
            level = upper_limits(rho[i, start : start + size], longest, top, gap, off, y)
            for p in range(most):
                a = row_places[i, pairs[p, 0]]
                for j in range(size):
                    b = places[pairs[p, 1], start + j]
                    if rho[i, start + j] < 0.0:
                        b = -b
                    minus, plus = a - b, a + b
                    apart[p, j], together[p, j] = minus * minus * 0.125, plus * plus * 0.125
                for j in range(BLOCK):
                    total[p, j] = 0.0
                for j in range(size, BLOCK):
                    apart[p, j], together[p, j] = 0.0, 0.0
            for k in range(starts[level], starts[level + 1]):
                node, weight = nodes[k], weights[k]
                for j in range(BLOCK):
                    argument[j] = top[j] * node
                exponentials(argument, y)
                for j in range(BLOCK):
                    e = y[j] * y[j]
                    inverse = 1.0 / (e + 1.0)
                    up[j], down[j] = 1.0 + e, 1.0 + 1.0 / e
                    factor[j] = weight * ((gap[j] + 2.0 * inverse) * (2.0 * y[j] * inverse))
                for p in range(most):
                    for j in range(BLOCK):
                        argument[j] = -(apart[p, j] * up[j] + together[p, j] * down[j])
                    exponentials(argument, y)
                    for j in range(BLOCK):
                        total[p, j] += factor[j] * y[j]
            terms = starts[level + 1] - starts[level] + most + 16
            for j in range(size):
                value, bound, modulus = 0.0, 0.0, 0.0
                for p in range(most):
                    s, t = pairs[p, 0], pairs[p, 1]
                    damp = row_damping[i, s] * damping[t, start + j]
                    outer = pairs[p, 2] * HALF_TURN * (row_jumps[i, s] * jumps[t, start + j])
                    integral = top[j] * total[p, j]
                    value += outer * integral
                    modulus += abs(outer * integral)
                    integral_error = ROUNDING * UNIT * top[j] * damp + rule_errors[level] * damp * damp + UNDERFLOW
                    bound += abs(outer) * integral_error
                values[i, start + j] = value
                # also refuses a rho that is not a number
                good = off[j] <= MISMATCH
                errors[i, start + j] = (bound + terms * UNIT * modulus) * UP if good else np.inf
    return values, errors

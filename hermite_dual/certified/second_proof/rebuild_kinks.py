"""Entries of continuous, piecewise linear activations for the second proof of a claim, at any norms.

`phi(x) = alpha + beta x + sum_s w_s max(x - s, 0)`. For standard normal X, Y of correlation rho >= 0 the second
derivative of `E[max(X - a, 0) max(Y - b, 0)]` in rho is their density at (a, b), and with `rho = (1 - y^2)/(1 + y^2)`

    E[max(X - a, 0) max(Y - b, 0)] = P(a) P(b) + rho Q(a) Q(b) + (1/(2 pi)) int_y^1 (rho - (1 - x^2)/(1 + x^2))
        2/(1 + x^2) exp(-((a - b)^2 (1 + 1/x^2) + (a + b)^2 (1 + x^2))/8) dx,

`Q(a)` the upper tail and `P(a) = E max(X - a, 0) = w(a) - a Q(a)`. Panels in ratio 2 at most: in `|Im x| <= Re x` the
exponential is at most 1, the other factors at most 3 and 2. Everything but the exponential is rational.

Derivation: docs/theory/entries.md, "Straight and quadratic pieces between kinks".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product

import numpy as np
import sympy as sp
from flint import arb

from hermite_dual.arrays import Array, Indices
from hermite_dual.certified.balls.ball_functions import constant_ball
from hermite_dual.certified.balls.precision import upper_float, working_precision
from hermite_dual.certified.enclosures.hermite_sums import density
from hermite_dual.certified.enclosures.panels import gauss_legendre
from hermite_dual.shape.shape import Pieces

_UNIT = 2.0**-53  # u, of its own: the second proof shares no constant with the first
_BITS = 256  # of the moments in balls, which cancel
_ORDER = 14
"""`8 (1/2) 6 s^(1 - 2 m)/(s - 1) < 2^-52.9` for the ellipse of parameter s = 4.2: `s^2 + s^-2 < 2 (3.0001/1.0001)^2`,
so it stays in the sector."""
_RATIO = 2.0001  # of the ends of a panel, see the derivation
_SMALLEST = 2.0**-26
"""Smallest x: the integral below it is at most `4 x^3/3`."""
_OWN = 68.0
"""Units that one integral loses, all in all but the sum: 16 nodes, 5 kinks, 6 exponents, 8 exponentials, 21 other
factors, 10 products and weights, 1 rule."""
_FARTHEST = 1e100  # kinks so far out, in standard deviations, contribute 0
_ROUGH = (7, 1e-7)
"""Order of the rule, and change over the largest variance, up to which Newton's first steps go."""
_STEPS = 6  # of Newton's iteration for the fixed points
_CHUNK = 128  # pairs that are integrated together
_PARTS = 32  # of 1, in the table of the exponential
_SMALLEST_EXPONENT = 700.0  # exp(-700) is above the least normal float


@dataclass(frozen=True, eq=False)
class BentLine:
    """`alpha + beta x + sum_s w_s max(x - s, 0)`, enclosed.

    Attributes:
        start: alpha.
        rise: beta.
        kinks: s, increasing.
        jumps: w_s.
    """

    start: arb
    rise: arb
    kinks: list[arb]
    jumps: list[arb]

    def averages(self, root: arb) -> tuple[arb, arb, arb]:
        """`E f`, `t E f'` and `E f^2` at `t Z`."""
        places = [kink / root for kink in self.kinks]
        tails = [(z / arb(2).sqrt()).erfc() / 2 for z in places]
        weights = [density(z) for z in places]
        steps = [jump * root for jump in self.jumps]
        mean, slope, moment = self.start, self.rise * root, self.start**2 + (self.rise * root) ** 2
        for i, (a, q, w, step) in enumerate(zip(places, tails, weights, steps, strict=True)):
            ramp_mean = step * (w - a * q)
            mean, slope = mean + ramp_mean, slope + step * q
            moment += 2 * (self.start * ramp_mean + self.rise * root * step * q)
            for k, (b, other) in enumerate(zip(places[: i + 1], steps, strict=False)):
                # b <= a: E[max(Z - a, 0) max(Z - b, 0)] = (1 + a b) Q(a) - b w(a)
                moment += (2 if k < i else 1) * step * other * ((1 + a * b) * q - b * w)
        return mean, slope, moment


def bent_line_of(pieces: Pieces, symbol: sp.Symbol) -> BentLine | None:
    """The activation as such a sum, or None if it is not proven to be one with kinks."""
    pairs = list(zip(pieces.kinks, pairwise(pieces.expressions), strict=True))
    if not pairs or any(sp.Poly(e, symbol).degree() > 1 for e in pieces.expressions if e.is_polynomial(symbol)):
        return None
    if not all(e.is_polynomial(symbol) for e in pieces.expressions):
        return None
    differences = [sp.expand(right - left) for _, (left, right) in pairs]
    if any(sp.simplify(d.subs(symbol, kink)) != 0 for d, (kink, _) in zip(differences, pairs, strict=True)):
        return None
    first = sp.Poly(pieces.expressions[0], symbol)
    with working_precision(_BITS):
        return BentLine(
            constant_ball(first.coeff_monomial(1)),
            constant_ball(first.coeff_monomial(symbol)),
            [constant_ball(kink) for kink, _ in pairs],
            [constant_ball(sp.Poly(d, symbol).coeff_monomial(symbol)) for d in differences],
        )


@dataclass(frozen=True, eq=False)
class BentRows:
    """Rows at given exact roots of variances, in floats.

    Attributes:
        linear: `E phi(t Z)` and `t E phi'(t Z)`, shape (2, n).
        errors: bounds of their errors, shape (2, n).
        places: `s/t`, shape (n, S).
        steps: `t w_s`, shape (n, S).
    """

    linear: Array
    errors: Array
    places: Array
    steps: Array

    def of(self, index: Indices) -> "BentRows":
        """The rows of an index."""
        return BentRows(self.linear[:, index], self.errors[:, index], self.places[index], self.steps[index])

    def solve(
        self, rows: slice, columns: slice, t: Array, lengths: Array, weight: float
    ) -> tuple[Array, Array, Array, Array]:
        """Newton's method for `K = k((weight K + t)/lengths)`.

        Args:
            rows: a block's rows.
            columns: its columns.
            t: the inputs' part of the covariances.
            lengths: products of two roots of variances.
            weight: `sigma_w^2`.

        Returns:
            The last iterate, the correlation it stands for, the kernel there, and a bound of the kernel's own error.
        """
        solved = []
        for start in range(columns.start, columns.stop, _CHUNK):
            chunk = slice(start, min(start + _CHUNK, columns.stop))
            inside = slice(chunk.start - columns.start, chunk.stop - columns.start)
            solved.append(self._solve(rows, chunk, t[:, inside], lengths[:, inside], weight))
        old, rho, new, errors = (np.hstack(blocks) for blocks in zip(*solved, strict=True))
        return old, rho, new, errors

    def _solve(
        self, rows: slice, columns: slice, t: Array, lengths: Array, weight: float
    ) -> tuple[Array, Array, Array, Array]:
        """The same for columns few enough to stay in the cache."""
        old, scale = np.zeros_like(t), float(lengths.max())
        for order, goal in (_ROUGH, (_ORDER, 8 * _UNIT)):
            for turn in range(_STEPS):
                rho = np.clip((weight * old + t) / lengths, -1.0, 1.0)
                new, slope, kernel_error = self._kernel(rows, columns, rho, order)
                done = turn == _STEPS - 1 or float(np.abs(new - old).max()) <= goal * scale
                if done and order == _ORDER:
                    break
                old = old + (new - old) / (1.0 - np.clip(weight * slope / lengths, -1.0, 0.95))
                if done:
                    break
        return old, rho, new, kernel_error

    def _kernel(self, rows: slice, columns: slice, rho: Array, order: int) -> tuple[Array, Array, Array]:
        """Values, about their derivative in rho, and bounds of the values' errors if the order is the full one."""
        x = np.abs(rho)
        low = np.maximum(np.sqrt((1.0 - x) / (1.0 + x)), _SMALLEST)
        count = max(1, math.ceil(-math.log2(float(low.min())) - 1e-6))
        edges = [np.ones_like(low), *(low ** (k / count) for k in range(1, count)), low]
        if any(not (right <= left).all() or not (left <= _RATIO * right).all() for left, right in pairwise(edges)):
            raise FloatingPointError("panels of the second proof are out of order: this is a mistake")
        values, slope, kernel_error = np.zeros_like(rho), np.zeros_like(rho), np.zeros_like(rho)
        terms = _ORDER * count + 16 + self.places.shape[1] ** 2
        sign = np.where(rho < 0.0, -1.0, 1.0)
        shared = [self._shared(pair, rows, columns, sign) for pair in self._pairs()]
        totals, densities = np.zeros((2, len(shared), *rho.shape))
        for gap, jacobian, up, down in _nodes(edges, x, order):
            for k, (apart, together, _) in enumerate(shared):
                weighted_decay = jacobian * decay(apart * up + together * down)
                densities[k] += weighted_decay
                totals[k] += gap * weighted_decay
        for (_, _, outer), total, total_density in zip(shared, totals, densities, strict=True):
            values += outer * total
            slope += sign * outer * total_density
            kernel_error += np.abs(outer) * _UNIT * (_OWN + terms * np.abs(total))
        for power, middle, error in zip((np.ones_like(rho), rho), self.linear, self.errors, strict=True):
            left, right = middle[rows, None], middle[None, columns]
            values += power * (left * right)
            wrong = error[rows, None] * (np.abs(right) + error[None, columns]) + np.abs(left) * error[None, columns]
            kernel_error += wrong + 6.1 * _UNIT * np.abs(power * left * right)
        slope += self.linear[1][rows, None] * self.linear[1][None, columns]
        return values, slope, kernel_error * (1 + 1e-9) + 1e-280

    def _pairs(self) -> list[list[tuple[int, int]]]:
        """Pairs of kinks, together with their mirror images, whose integral is the same."""
        count = self.places.shape[1]
        mirror = [
            next((k for k in range(count) if np.array_equal(self.places[:, k], -self.places[:, s])), s)
            for s in range(count)
        ]
        if any(np.any(self.places[:, m] != -self.places[:, s]) for s, m in enumerate(mirror)):
            return [[(s, t)] for s, t in product(range(count), repeat=2)]
        orbits = [sorted({(s, t), (mirror[s], mirror[t])}) for s, t in product(range(count), repeat=2)]
        return [orbit for k, orbit in enumerate(orbits) if orbit not in orbits[:k]]

    def _shared(
        self, pairs: list[tuple[int, int]], rows: slice, columns: slice, sign: Array
    ) -> tuple[Array, Array, Array]:
        """`(a - b)^2/8` and `(a + b)^2/8`, the second place with the sign of rho, and the sum of `w w'/(2 pi)`."""
        s, t = pairs[0]
        first, second = self.places[rows, s, None], sign * self.places[None, columns, t]
        outer = sum(np.multiply.outer(self.steps[rows, s], self.steps[columns, t]) for s, t in pairs)
        return (first - second) ** 2 / 8.0, (first + second) ** 2 / 8.0, np.asarray(outer / (2.0 * math.pi))


def _nodes(edges: list[Array], x: Array, order: int) -> Iterator[tuple[Array, Array, Array, Array]]:
    """At every node `rho - (1 - x^2)/(1 + x^2)`, `2 weight/(1 + x^2)`, `1 + 1/x^2` and `1 + x^2`."""
    for high, low in pairwise(edges):
        width = high - low
        for node, share in _rule(order):
            point = low + width * node
            square = point * point
            whole = 1.0 + square
            gap = (x - 1.0) + 2.0 * square / whole
            yield gap, width * share * (2.0 / whole), 1.0 + 1.0 / square, whole


@lru_cache(maxsize=2)
def _rule(order: int) -> list[tuple[float, float]]:
    """Nodes and weights on [0, 1]."""
    with working_precision(_BITS):
        return [(float(((1 + x) / 2).mid()), float((w / 2).mid())) for x, w in gauss_legendre(order)]


@lru_cache(maxsize=1)
def _powers() -> Array:
    """`exp(-k/32)` from 0 to 700."""
    with working_precision(_BITS):
        return np.array([float((arb(-k) / _PARTS).exp().mid()) for k in range(int(_SMALLEST_EXPONENT) * _PARTS + 1)])


def decay(x: Array) -> Array:
    """`exp(-x)`, x >= 0, within a relative 4 u, or 0 for x > 700.

    `x = k/32 + r` with exact r, `|r| <= 1/64`: one unit for the tabulated power, one for the product, and less than 1.2
    for Taylor's polynomial of degree 7, whose remainder is below 1e-19 and whose last sum alone rounds a number near 1.
    """
    clipped = np.minimum(x, _SMALLEST_EXPONENT)
    k = np.rint(clipped * _PARTS)
    r = k / _PARTS - clipped
    total = np.full_like(r, 1.0 / math.factorial(7))
    for degree in range(6, -1, -1):
        total *= r
        total += 1.0 / math.factorial(degree)
    return np.where(x > _SMALLEST_EXPONENT, 0.0, total * _powers()[k.astype(np.intp)])


def bent_rows(line: BentLine, roots: Array) -> tuple[BentRows, list[arb]]:
    """Rows at exact roots of variances, and balls of `E phi(t Z)^2`."""
    shape = (len(roots), len(line.kinks))
    linear, errors = np.empty((2, len(roots))), np.empty((2, len(roots)))
    places, steps = np.empty(shape), np.empty(shape)
    moments = []
    with working_precision(_BITS):
        for i, root in enumerate(map(arb, roots.tolist())):
            mean, slope, moment = line.averages(root)
            moments.append(moment)
            for k, ball in enumerate((mean, slope)):
                linear[k, i] = float(ball.mid())
                errors[k, i] = upper_float(abs(ball - arb(linear[k, i])))
            for k, (kink, jump) in enumerate(zip(line.kinks, line.jumps, strict=True)):
                places[i, k] = min(max(float((kink / root).mid()), -_FARTHEST), _FARTHEST)
                steps[i, k] = float((jump * root).mid())
    return BentRows(linear, errors, places, steps), moments

"""The dual kernel of continuous activations of degree at most 2 between kinks, at any two variances, proven.

Hard tanh, ReLU6 and hard swish have kinks elsewhere than at 0, and coefficients that decay like `r^(-5/4)`. Price's
theorem sums what the series cannot: with jumps `w_s` of the slope at the kinks s of straight pieces, `t_i = sqrt(q_i)`,

    k(q_i, q_j, rho t_i t_j) = a_0i a_0j + rho a_1i a_1j + (t_i t_j/(2 pi)) sum_{s,s'} w_s w_s' I(s/t_i, s'/t_j, rho),

I the integral of `kink_integrals`; one term more and that of `curved_kink_integrals` for pieces of degree 2. What
belongs to one row is enclosed in balls, what belongs to two is computed in floats with counted roundings.

Derivation: docs/theory/entries.md, "Straight and quadratic pieces between kinks".
"""

from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import sympy as sp
from flint import arb

from hermite_dual.arrays import Array, Indices
from hermite_dual.certified.balls.ball_functions import constant_ball
from hermite_dual.certified.balls.precision import rounded, upper_float, working_precision
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP
from hermite_dual.certified.counted.curved_kink_integrals import curved_kink_integrals
from hermite_dual.certified.counted.entry_error import SeriesValues
from hermite_dual.certified.counted.kink_integrals import KinkTable, kink_integrals
from hermite_dual.certified.enclosures.hermite_sums import density
from hermite_dual.errors import InvalidInputError
from hermite_dual.shape.shape import Pieces, Shape

_BITS = 256  # of the truncated moments in balls, which cancel
_FARTHEST = 1e100
"""Kinks this many standard deviations out contribute less than the smallest float, wherever they are."""


def is_piecewise_quadratic(shape: Shape) -> bool:
    """Whether an activation is proven continuous, of degree at most 2 between its kinks, and has a kink."""
    pieces = shape.pieces
    if not pieces.kinks or not all(e.is_polynomial(shape.symbol) for e in pieces.expressions) or _degree(pieces) > 2:
        return False
    steps = zip(pieces.kinks, pairwise(pieces.expressions), strict=True)
    return all(sp.simplify((right - left).subs(shape.symbol, kink)) == 0 for kink, (left, right) in steps)


def _degree(pieces: Pieces) -> int:
    """The largest degree of a piece, at least 1."""
    return max(1, *(sp.Poly(e, pieces.symbol).degree() for e in pieces.expressions if e != 0))


@dataclass(frozen=True, eq=False)
class PiecewiseRows:
    """What m rows of different variance contribute to their entries.

    Attributes:
        coefficients: floats close to `a_r(q_i)`, r up to the degree p of the pieces, shape (p + 1, m).
        errors: bounds of their errors, shape (p + 1, m).
        table: places and weights of the kinks.
        moments: balls of `E phi(t Z)^2`, m of them.
    """

    coefficients: Array
    errors: Array
    table: KinkTable
    moments: list[arb]

    def evaluate(self, rows: Indices, columns: Indices, rho: Array) -> SeriesValues:
        """Evaluate the kernel on a block of pairs.

        Args:
            rows: which of the m variances belongs to each row of the block, shape (R,).
            columns: the same for its columns, shape (C,).
            rho: correlations in [-1, 1], shape (R, C).

        Raises:
            InvalidInputError: the shapes do not fit.
        """
        if rho.shape != (len(rows), len(columns)):
            raise InvalidInputError(
                f"rho has shape {rho.shape} for {len(rows)} rows and {len(columns)} columns: one number a pair"
            )
        integrals = kink_integrals if len(self.coefficients) == 2 else curved_kink_integrals
        series = integrals(self.table, rows, columns, rho)
        values, size, error = series.values, np.abs(series.values), series.errors
        power = np.ones_like(rho)
        for middle, radius in zip(self.coefficients, self.errors, strict=True):
            left, right = middle[rows, None], middle[None, columns]
            term = power * (left * right)
            values = values + term
            size += np.abs(term)
            off, other = radius[rows, None], radius[None, columns]
            error = error + off * np.abs(right) + np.abs(left) * other + off * other
            power = power * rho
        # three roundings of a term and three of the sum; the others are of the bound itself
        return SeriesValues(values, (error + 8 * UNIT * size) * UP + 16 * TINY)


def piecewise_rows(shape: Shape, variances: Array) -> PiecewiseRows:
    """Prepare rows of given variances.

    Args:
        shape: that of an activation for which `is_piecewise_quadratic` holds.
        variances: exact q_i > 0, shape (m,).
    """
    pieces = shape.pieces
    degree = _degree(pieces)
    coefficients, errors = np.empty((degree + 1, len(variances))), np.empty((degree + 1, len(variances)))
    places, jumps, bends, damping = (np.empty((len(variances), len(pieces.kinks))) for _ in range(4))
    moments = []
    with working_precision(_BITS):
        ends = [constant_ball(kink) for kink in pieces.kinks]
        monomials = [_monomials(piece, shape.symbol, degree) for piece in pieces.expressions]
        changes = [[b - a for a, b in zip(left, right, strict=True)] for left, right in pairwise(monomials)]
        # jumps of the first and second derivative
        turns = [2 * c[2] if degree == 2 else arb(0) for c in changes]
        steps = [c[1] + turn * end for c, turn, end in zip(changes, turns, ends, strict=True)]
        for i, q in enumerate(variances.tolist()):
            unit = arb(q).sqrt()
            scaled = [end / unit for end in ends]
            averages, moment = _averages(scaled, [[c * unit**j for j, c in enumerate(row)] for row in monomials])
            moments.append(moment)
            coefficients[:, i], errors[:, i] = rounded(averages)
            for k, (place, step, turn) in enumerate(zip(scaled, steps, turns, strict=True)):
                places[i, k] = min(max(float(place.mid()), -_FARTHEST), _FARTHEST)
                jumps[i, k], bends[i, k] = float((step * unit).mid()), float((turn * unit * unit).mid())
                damping[i, k] = upper_float((-place * place / 8).exp())
    return PiecewiseRows(coefficients, errors, KinkTable(places, jumps, bends, damping, _pairs(pieces)), moments)


def _monomials(piece: sp.Expr, symbol: sp.Symbol, degree: int) -> list[arb]:
    """Coefficients of 1, x, ..., x^degree."""
    polynomial = sp.Poly(piece, symbol)
    return [constant_ball(polynomial.coeff_monomial(symbol**j)) for j in range(degree + 1)]


def _averages(kinks: list[arb], pieces: list[list[arb]]) -> tuple[list[arb], arb]:
    """`E f h_r`, r up to the pieces' degree p, and `E f^2`, from truncated moments of the normal law.

    `int_l^u z^n w dz = (n - 1) int_l^u z^(n-2) w dz + l^(n-1) w(l) - u^(n-1) w(u)`.
    """
    root, degree = arb(2).sqrt(), len(pieces[0]) - 1
    upper = [arb(1), *((z / root).erfc() / 2 for z in kinks), arb(0)]
    lower = [arb(0), *((-z / root).erfc() / 2 for z in kinks), arb(1)]
    averages, moment = [arb(0)] * (degree + 1), arb(0)
    for k, piece in enumerate(pieces):
        # the smaller of the two tails, so that no digits cancel far out
        right = k > 0 and kinks[k - 1] > 0
        integrals = [upper[k] - upper[k + 1] if right else lower[k + 1] - lower[k]]
        for n in range(1, 2 * degree + 1):
            integral = (n - 1) * integrals[n - 2] if n > 1 else arb(0)
            integral += kinks[k - 1] ** (n - 1) * density(kinks[k - 1]) if k > 0 else 0
            integral -= kinks[k] ** (n - 1) * density(kinks[k]) if k < len(kinks) else 0
            integrals.append(integral)
        for j, c in enumerate(piece):
            averages[0] += c * integrals[j]
            averages[1] += c * integrals[j + 1]
            if degree == 2:
                averages[2] += c * (integrals[j + 2] - integrals[j]) / root
            moment += sum((c * d * integrals[j + m] for m, d in enumerate(piece)), arb(0))
    return averages, moment


def _pairs(pieces: Pieces) -> Indices:
    """Pairs of kinks; of an even or odd activation `(s, t)` and `(-s, -t)` contribute the same, and one is kept."""
    count = len(pieces.kinks)
    if pieces.parity == 0:
        return np.array([(s, t, 1) for s, t in product(range(count), repeat=2)], dtype=np.intp)
    kept = []
    for s, t in product(range(count), repeat=2):
        mirrored = (count - 1 - s, count - 1 - t)
        if (s, t) <= mirrored:
            kept.append((s, t, 1 if (s, t) == mirrored else 2))
    return np.array(kept, dtype=np.intp)

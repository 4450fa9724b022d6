"""Hermite coefficients at many variances at once, in float64 with counted roundings.

Rows are grouped by scale within a factor 2. A group shares its nodes, so its coefficients are one matrix product
`Phi H^T`, `Phi_ik = sqrt(W_k) (phi(s_i x_k) +- phi(-s_i x_k))`, `H_rk = sqrt(W_k) h_r(x_k)`; a row costs what its part
of that product costs. An error of Phi or H reaches a coefficient by Cauchy-Schwarz over the nodes.

Derivation: docs/theory/entries.md, "Many variances at once".
"""

import math
from dataclasses import dataclass

import numpy as np
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma, norm_above, sum_above
from hermite_dual.certified.counted.float_panels import FloatPanels, float_panels, is_tabulated
from hermite_dual.certified.counted.hermite_functions import HermiteFunctions, hermite_functions, wide_unit
from hermite_dual.certified.counted.row_quadrature import RowQuadrature, row_quadrature
from hermite_dual.certified.enclosures.coefficients import refuse_if_not_square_integrable
from hermite_dual.certified.suprema.constants import derivative_bound
from hermite_dual.errors import AccuracyError
from hermite_dual.outcome import Outcome
from hermite_dual.shape.shape import Pieces, Shape

MOST_DEGREES = 8192  # the bound of errors grows with the degree; beyond, the remainder is what it is
_FEWEST = 32  # degrees of the shortest series
_TRIALS = (128, 1024, MOST_DEGREES)  # degrees tried in turn: each costs in proportion
_STALLED = 16.0
"""A remainder within this multiple of its own error can fall no further."""
_GROUP = 2.0  # rows of a group share nodes: their scales differ by no more
_CHUNK_ENTRIES = 2**21  # values of phi that are held at a time
_MOST_ENTRIES = 2**27  # a gigabyte of coefficients
_MOST_TABLE = 2**24
"""Hermite functions at nodes."""
_GOAL = 2.0**-57
"""Error of the quadrature, relative to the smallest norm of a group."""
_REACH = 24.0
"""The nodes lie within this many standard deviations; checked."""
_NEGLIGIBLE = 2.0**-60  # of the second moment: 2^-7 roundings
_BITS = 192  # of nodes and weights, before they are rounded to floats


@dataclass(frozen=True, eq=False)
class RowCoefficients:
    """Coefficients `a_r(q_i)` of m rows, r < N, N a power of two.

    Attributes:
        values: floats, shape (m, N).
        errors: bounds of the error of every coefficient of a row, shape (m,).
        moments: floats close to `E[phi(sqrt(q_i) Z)^2]`, shape (m,).
        moment_errors: bounds of their error, shape (m,).
        parity: 1 even, -1 odd, 0 neither.
    """

    values: Array
    errors: Array
    moments: Array
    moment_errors: Array
    parity: int

    def tails(self, count: int) -> Array:
        """Upper bounds of `T_count(q_i) = E[phi^2] - sum_{r<count} a_r^2`, shape (m,)."""
        kept = self.values[:, :count].astype(np.longdouble)
        squares = np.sum(kept * kept, axis=1)
        slack = (squares * (2 * count * wide_unit())).astype(np.float64)
        lost = 2 * self.errors * sum_above(np.abs(self.values[:, :count]))
        remainder = (self.moments - squares).astype(np.float64)
        rounding = 4 * UNIT * (self.moments + np.abs(remainder))
        return np.maximum((remainder + self.moment_errors + lost + slack + rounding) * UP, 0.0) + TINY


def unsupported(shape: Shape) -> str | None:
    """Why rows cannot be computed together, or None."""
    kinks = shape.pieces.kinks
    if is_tabulated(shape.pieces):
        return None
    return f"{shape.expr} has kinks at {', '.join(map(str, kinks))}, and only a kink at 0 is the same for every norm"


def row_coefficients(shape: Shape, variances: Array, largest: float = 1.0, count: int | None = None) -> RowCoefficients:
    """Coefficients at each of many variances.

    Args:
        shape: that of the activation phi.
        variances: q_i > 0, shape (m,).
        largest: the largest correlation that the coefficients will be used for; a hint.
        count: how many coefficients; otherwise as many as `largest` asks for, up to 8192.

    Raises:
        AccuracyError: phi has kinks elsewhere than at 0, is not tabulated, or has no proven Lipschitz constant.
    """
    problem = unsupported(shape)
    if problem:
        raise AccuracyError(problem)
    slope = derivative_bound(shape, 1)
    if slope.outcome is not Outcome.PROVEN:
        raise AccuracyError(f"no Lipschitz constant of {shape.expr} is proven: {slope.reason}")
    pieces = shape.pieces
    # within one unit roundoff of sqrt(q); the Lipschitz constant pays for it
    scales = np.sqrt(variances)
    panels = float_panels(pieces, float(scales.min()), _REACH * float(scales.max()))
    rows = _Rows(pieces, panels, slope.upper, pieces.parity)
    degrees = _degrees(rows, float(scales.max()), largest) if count is None else count
    if degrees * len(scales) > _MOST_ENTRIES:
        degrees = max(_FEWEST, 2 ** int(math.log2(_MOST_ENTRIES / len(scales)))) if count is None else degrees
    order = np.argsort(scales)
    values, numbers = np.zeros((len(scales), degrees)), np.empty((3, len(scales)))
    start = 0
    while start < len(order):
        stop = int(np.searchsorted(scales[order], _GROUP * scales[order[start]], side="right"))
        group = order[start:stop]
        values[group], numbers[:, group] = rows.group(scales[group], degrees)
        start = stop
    with working_precision(_BITS):
        refuse_if_not_square_integrable(pieces, arb(float(variances.max())))
    return RowCoefficients(values, numbers[0], numbers[1], numbers[2], rows.parity)


def _degrees(rows: "_Rows", scale: float, largest: float) -> int:
    """The power of two from which on the remainder at the largest scale is negligible, or no longer falls."""
    count = _FEWEST
    for most in _TRIALS:
        try:
            values, numbers = rows.group(np.array([scale]), most)
        except AccuracyError:
            if most == _TRIALS[0]:
                raise
            return count // 2
        trial = RowCoefficients(values, numbers[0], numbers[1], numbers[2], rows.parity)
        floor = _STALLED * float(trial.errors[0] * np.sum(np.abs(values)) + trial.moment_errors[0])
        while count <= most:
            remainder = float(trial.tails(count)[0])
            with np.errstate(under="ignore"):
                if remainder <= floor or largest**count * remainder <= _NEGLIGIBLE * trial.moments[0]:
                    return count
            count *= 2
    return count // 2


@dataclass(frozen=True, eq=False)
class _Rows:
    """What all groups share."""

    pieces: Pieces
    panels: FloatPanels
    lipschitz: float
    parity: int

    def group(self, scales: Array, degrees: int) -> tuple[Array, Array]:
        """Coefficients, shape (m, N), and their errors, moments and the moments' errors, shape (3, m)."""
        low, high = float(scales.min()), float(scales.max())
        norm = self._norm(low)
        rule = row_quadrature(self.pieces, low, high, degrees, _GOAL * norm, _GOAL * norm * norm)
        if not float(rule.nodes.max()) < _REACH:
            raise AccuracyError(f"{self.pieces.source} grows too fast for coefficients at many variances")
        if len(rule.weights) * degrees > _MOST_TABLE:
            raise AccuracyError(
                f"{degrees} coefficients at sqrt(S_ii) = {high:.3g} take {len(rule.weights)} nodes, which is too many: "
                "scale the rows with hermite_dual.on_sphere(X), or drop the rows of the largest norms"
            )
        with working_precision(_BITS):
            roots = [weight.sqrt() for weight in rule.weights]
            weights = np.array([float(root.mid()) for root in roots])
        table = hermite_functions(rule.nodes, roots, degrees)
        values, numbers = np.zeros((len(scales), degrees)), np.empty((3, len(scales)))
        chunk = max(1, _CHUNK_ENTRIES // len(weights))
        for start in range(0, len(scales), chunk):
            rows = slice(start, start + chunk)
            values[rows], numbers[:, rows] = self._chunk(scales[rows], rule, weights, table)
        return values, numbers

    def _norm(self, scale: float) -> float:
        """About `E[phi(s Z)^2]^(1/2)`; it steers the accuracy alone."""
        x = np.linspace(-4.0, 4.0, 81)
        square = float(np.mean(self.panels.evaluate(scale * x)[0] ** 2 * np.exp(-x * x / 2)))
        return math.sqrt(square) if square > 0 else 1.0

    def _chunk(
        self, scales: Array, rule: RowQuadrature, weights: Array, table: HermiteFunctions
    ) -> tuple[Array, Array]:
        nodes = rule.nodes.astype(np.float64)
        points = np.multiply.outer(scales, nodes)
        right, right_error = self.panels.evaluate(points)
        left, left_error = self.panels.evaluate(-points)
        degrees = len(table.values)
        values = np.zeros((len(scales), degrees))
        reach = np.zeros(len(scales))
        # scale, node and their product round once each; weights once, sums and products once each
        moved = 4 * UNIT * self.lipschitz * np.abs(points)
        error = right_error + left_error + 2 * moved + 4 * UNIT * (np.abs(right) + np.abs(left))
        lost = norm_above(error * weights)
        for first, sign in ((0, 1.0), (1, -1.0)):
            if self.parity == -int(sign):
                continue
            both = (right + sign * left) * weights
            values[:, first::2] = _product(both, table.values[first::2])
            reach = np.maximum(reach, norm_above(both))
        depth = _depth(len(weights))
        rounding = gamma(depth) * reach * table.size + 2 * len(weights) * TINY
        coefficient = (rounding + lost * (table.size + table.error) + reach * table.error) * UP
        moment, moment_error = _moments(right, left, weights, lost)
        errors = (coefficient + rule.coefficient_error) * UP
        return values, np.array([errors, moment, moment_error + rule.moment_error * UP])


def _depth(count: int) -> int:
    """Roundings that a sum over the nodes passes through: in its chunk, and one for each chunk."""
    chunk = max(1, math.isqrt(count))
    return chunk + -(-count // chunk)


def _product(left: Array, right: Array) -> Array:
    """`left right^T` in about sqrt(K) chunks of columns."""
    count = left.shape[1]
    chunk = max(1, math.isqrt(count))
    total = np.zeros((len(left), len(right)))
    for start in range(0, count, chunk):
        total += left[:, start : start + chunk] @ right[:, start : start + chunk].T
    return total


def _moments(right: Array, left: Array, weights: Array, lost: Array) -> tuple[Array, Array]:
    """`sum_k W_k (phi(s x_k)^2 + phi(-s x_k)^2)`, summed in extended precision, and the error but for quadrature.

    The vector of all `sqrt(W_k) phi(+-s x_k)` errs by at most `lost` in the 2-norm.
    """
    wide = weights.astype(np.longdouble)
    total = np.einsum("ij,ij->i", right * wide, right * wide) + np.einsum("ij,ij->i", left * wide, left * wide)
    rounded = total.astype(np.float64)
    count = 2 * len(weights) + 8
    slack = rounded * (UNIT + 2 * count * wide_unit())
    size = np.sqrt(rounded + slack) * UP
    return rounded, (slack + lost * (2 * size + lost) + 4 * count * TINY) * UP

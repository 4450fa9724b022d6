"""The part of a dual kernel that two kinks share where pieces have degree 2, as in hard swish.

With jumps j of the slope and l of the second derivative, both in the units of unit variance, the third derivative of
the kernel in rho is `p(a, b; rho) (j j' (A B + rho g) + j l' A + l j' B + l l')`, `g = 1/(1 - rho^2)`,
`A = (a - b rho) g`, `B = (b - a rho) g`, and what two kinks share is

    int_0^artanh(rho) (rho - tanh t)^2/2 exp(-E(t)) (j j' (A B + g tanh t) + j l' A + l j' B + l l')/cosh(t) dt/(2 pi),

`g = cosh(t)^2`, `A = (a - b) g + b (1 + exp(-2 t))/2`, `B = (b - a) g + a (1 + exp(-2 t))/2`, E as in `kink_integrals`.
For `rho < 0` the second factor is `phi(-Y)` with correlation -rho: b and l' change their signs.

Derivation: docs/theory/entries.md, "Straight and quadratic pieces between kinks".
"""

import numpy as np

from hermite_dual.arrays import Array, Indices
from hermite_dual.certified.balls.rounding import UNIT, UP
from hermite_dual.certified.counted.counted_exponential import exponentials
from hermite_dual.certified.counted.entry_error import SeriesValues
from hermite_dual.certified.counted.kink_integrals import (
    BLOCK,
    HALF_TURN,
    MISMATCH,
    UNDERFLOW,
    KinkTable,
    Rules,
    Shape,
    integrals_of_pairs,
    upper_limits,
)
from hermite_dual.numeric.jit import kernel, prange

CURVED = Shape(6, 9.0)
"""In the unit `exp(-(a^2 + b^2)/8) C`, `C = 12.8 |j j'| + 2.43 (|j l'| + |l j'|) + |l l'|`."""
CURVED_ROUNDING = 126.0
"""Units `u T exp(-(a^2 + b^2)/8) C` that all roundings but those of the sum cost an integral: 37 nodes, 18 places of
the kinks, 11 exponents, 27 other factors; the rest is room for terms of second order."""


def curved_kink_integrals(table: KinkTable, rows: Indices, columns: Indices, rho: Array) -> SeriesValues:
    """Evaluate the sum over pairs of kinks; arguments and results as `kink_integrals`."""
    return integrals_of_pairs(_evaluate, CURVED, table, rows, columns, rho)


# the kernel options exclude fast-math, whose reordering the error count does not cover
@kernel
def _evaluate(rho: Array, rows: KinkTable, columns: KinkTable, rule: Rules) -> tuple[Array, Array]:
    row_places, row_jumps, row_bends, row_damping, pairs = rows
    places, jumps, bends, damping, _ = columns
    starts, nodes, weights, longest, rule_errors = rule
    count, width = rho.shape
    values, errors = np.zeros((count, width)), np.zeros((count, width))
    for i in prange(count):
        top, gap, off, side = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
        argument, y, total = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
        minus, plus, b = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
        slope, bend, grown = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
        for start in range(0, width, BLOCK):
            size = min(BLOCK, width - start)
            level = upper_limits(rho[i, start : start + size], longest, top, gap, off, y)
            for j in range(BLOCK):
                minus[j], plus[j], b[j], slope[j], bend[j] = 0.0, 0.0, 0.0, 0.0, 0.0
                side[j] = -1.0 if j < size and rho[i, start + j] < 0.0 else 1.0
            units = CURVED_ROUNDING + (starts[level + 1] - starts[level]) + pairs.shape[0]
            for p in range(pairs.shape[0]):
                s, t = pairs[p, 0], pairs[p, 1]
                a, jump, turn = row_places[i, s], row_jumps[i, s], row_bends[i, s]
                for j in range(size):
                    b[j] = side[j] * places[t, start + j]
                    minus[j], plus[j] = a - b[j], a + b[j]
                    # mirrored, a function keeps the jumps of its slope and changes those of its second derivative
                    slope[j], bend[j] = jumps[t, start + j], side[j] * bends[t, start + j]
                    total[j] = 0.0
                for k in range(starts[level], starts[level + 1]):
                    node, weight = nodes[k], 0.5 * weights[k]
                    for j in range(BLOCK):
                        argument[j] = top[j] * node
                    exponentials(argument, y)
                    for j in range(BLOCK):
                        e = y[j] * y[j]
                        inverse = 1.0 / (e + 1.0)
                        up, down = 1.0 + e, 1.0 + 1.0 / e
                        argument[j] = -(minus[j] * minus[j] * 0.125 * up + plus[j] * plus[j] * 0.125 * down)
                        g = 0.25 * up * down
                        first = minus[j] * g + b[j] * (0.5 * down)
                        second = a * (0.5 * down) - minus[j] * g
                        h = gap[j] + 2.0 * inverse
                        inner = jump * slope[j] * (first * second + g * (1.0 - 2.0 * inverse))
                        inner += jump * bend[j] * first
                        inner += turn * slope[j] * second
                        inner += turn * bend[j]
                        grown[j] = weight * (h * h) * (2.0 * y[j] * inverse) * inner
                    exponentials(argument, y)
                    for j in range(size):
                        total[j] += grown[j] * y[j]
                for j in range(size):
                    damp = row_damping[i, s] * damping[t, start + j]
                    size_of = 12.8 * abs(jump * slope[j]) + abs(turn * bend[j])
                    size_of += 2.43 * (abs(jump * bend[j]) + abs(turn * slope[j]))
                    outer = pairs[p, 2] * HALF_TURN
                    values[i, start + j] += outer * (top[j] * total[j])
                    relative = units * UNIT * top[j] + rule_errors[level]
                    errors[i, start + j] += outer * size_of * (relative * damp + UNDERFLOW) * UP
            for j in range(size):
                # also refuses a rho that is not a number
                if not off[j] <= MISMATCH:
                    errors[i, start + j] = np.inf
    return values, errors

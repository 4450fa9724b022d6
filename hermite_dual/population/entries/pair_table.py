"""The surrogate at unequal norms for single pairs of any variances, its functions of the norms tabulated.

A Gram matrix has each row's functions once. Where all variances differ they are evaluated for every entry: on short
pieces in `log q` polynomials of degree 7 take the place of long Chebyshev sums.

Derivation: docs/theory/numerics.md, "Gram matrices".
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.numeric.chebyshev import chebyshev_coefficients, chebyshev_nodes
from hermite_dual.numeric.graded_table import monomials
from hermite_dual.numeric.mehler import EPS
from hermite_dual.population.entries.norm_surrogate import NormSurrogate
from hermite_dual.population.entries.recursion import one_layer
from hermite_dual.population.entries.unequal_norms import widest_surrogate
from hermite_dual.population.entries.variances import moments_with_error

_DEGREE = 7
_PIECES = (32, 64, 128, 256, 512, 1024)
"""Numbers of pieces tried; of some hundred functions the longest table takes 15 MB."""
_TAIL = 16.0 * EPS
"""Deviation between the nodes, of an entry over its scale, at which no more pieces are tried."""
_OFF_NODES = np.array([-0.97, -0.31, 0.52])


@dataclass(frozen=True, eq=False)
class PairTable:
    """`k(q1, q2, c)` of one activation for variances in a range and correlations up to a bound.

    Attributes:
        surrogate: in norms and cosine.
        pieces: what `tabulated_pairs` reads.
        error: estimated error of an entry over `sqrt(k(q1, q1, q1) k(q2, q2, q2))`.
    """

    surrogate: NormSurrogate
    pieces: tuple[Array, float, float]
    error: float

    def __call__(self, q1: Array, q2: Array, cosines: Array) -> tuple[Array, Array]:
        """Return values and estimated errors at cosines of modulus up to the bound."""
        from hermite_dual.numeric.separable_kernels import tabulated_pairs

        surrogate = self.surrogate
        x = np.clip(cosines / surrogate.bound, -1.0, 1.0)
        values, scales = tabulated_pairs((q1, q2), x, self.pieces, surrogate.signs, surrogate.ranks, surrogate.parity)
        return scales * values, scales * self.error


def pair_table(activation: Activation, least: float, greatest: float, cosine: float) -> PairTable | None:
    """Return the table for variances between two, or None where there is no surrogate for them.

    Args:
        activation: phi.
        least: the smallest variance.
        greatest: the largest.
        cosine: the largest modulus of a correlation.
    """
    surrogate = widest_surrogate(one_layer(activation), np.array([least, greatest]), cosine)
    return None if surrogate is None else _tabulated(activation, surrogate)


@lru_cache(maxsize=8)
def _tabulated(activation: Activation, surrogate: NormSurrogate) -> PairTable:
    width, position = surrogate.high - surrogate.low, np.concatenate([chebyshev_nodes(_DEGREE), _OFF_NODES])
    for count in _PIECES:
        s = surrogate.low + width / count * (np.arange(count)[:, None] + 0.5 + 0.5 * position)
        moments, relative = moments_with_error(activation, np.exp(s))
        scales = np.sqrt(moments)
        functions = np.concatenate([surrogate.at(s.ravel()), scales.reshape(-1, 1)], axis=1).reshape(*s.shape, -1)
        local = np.moveaxis(functions[:, : _DEGREE + 1], 1, 0)
        table = np.moveaxis(np.tensordot(monomials(_DEGREE), chebyshev_coefficients(local), 1), 0, 1)
        between = np.einsum("ok,ckr->cor", _OFF_NODES[:, None] ** np.arange(_DEGREE + 1), table)
        deviations = np.abs(between - functions[:, _DEGREE + 1 :])
        sizes = np.abs(functions[..., :-1]).max(axis=(0, 1))
        of_scale = float((deviations[..., -1] / scales[:, _DEGREE + 1 :]).max())
        deviation = 2.0 * float((deviations[..., :-1] @ sizes).max()) + 2.0 * of_scale
        if deviation <= _TAIL:
            break
    # The logarithm is rounded: functions of the norms are as steep as the scale is, or of slope 1.
    steepness = 1.0 + 2.0 * float(np.abs(np.diff(np.log(scales), axis=1) / np.diff(s, axis=1)).max())
    rounding = steepness * EPS * max(abs(surrogate.low), abs(surrogate.high), 1.0)
    error = surrogate.error + 4.0 * EPS * surrogate.slope + deviation + rounding + relative + 4.0 * EPS
    return PairTable(surrogate, (np.ascontiguousarray(table), surrogate.low, count / width), error)

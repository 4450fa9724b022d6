"""The closed form of a dual kernel on arrays, with what its roundings make of each value.

Forms cancel where correlations are close to 1 or variances small or large. Much of it is `q1 q2 - c^2`, which is
computed here from error-free products, and in which the differences of the forms are written; arcs become angles of
both their sides, and the bivariate normal CDF Owen's function of arguments in which differences are exact. What is
left shows in the error.

Derivation: docs/theory/numerics.md, "The kernel".
"""

from functools import lru_cache

import numpy as np
import sympy as sp

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import DerivationError
from hermite_dual.numeric.exact_sums import two_product
from hermite_dual.numeric.mehler import EPS
from hermite_dual.numeric.running_error import InOrder, NoProgramError, Opposite, OwenT, RoundedProgram
from hermite_dual.symbolic.bivariate_normal import BivariateNormalCDF
from hermite_dual.symbolic.normal import NormalCDF
from hermite_dual.symbols import c, q1, q2
from hermite_dual.verified_form import verified_dual

_GAP = sp.Symbol("gap", positive=True)
_MOST_OPERATIONS = 400
"""Longer forms are slower than a surrogate, and cancel."""
_ACCEPTED = 64.0
"""Rounding, in eps of the value or of the kernel's scale, up to which a form is taken: what surrogates have."""
_ACCEPTED_KINKED = 2048.0
"""The same where phi has kinks: forms have a hundred steps then, and the other ways take milliseconds an entry."""
_PIECE = 4096
"""Entries at a time: some tens of arrays of them stay in a core's cache."""
SMALLEST, LARGEST = 1e-140, 1e140
"""Variances whose product has an error-free remainder in float64."""
_LEAST_GAP = 1e-40
"""Stands for a gap of 0, at which quotients have no value: its root, the size of what that changes, is 1e-20."""


class FormKernel:
    """`(q1, q2, c) -> k` by the closed form.

    Args:
        program: of the form, in q1, q2, c and the gap.
        accepted: rounding in eps of the value, or of the kernel's scale, up to which values are taken.
    """

    def __init__(self, program: RoundedProgram, accepted: float) -> None:
        self._program = program
        self._accepted = accepted * EPS

    def __call__(self, v1: Array, v2: Array, covariance: Array) -> tuple[Array, Array]:
        """Return values and estimated errors, infinite where the form cancels; variances between both bounds above."""
        value, error = np.empty(v1.size), np.empty(v1.size)
        for start in range(0, v1.size, _PIECE):
            chosen = slice(start, start + _PIECE)
            value[chosen], error[chosen] = self._at(v1[chosen], v2[chosen], covariance[chosen])
        # Only where a value is small beside the scale does the scale have to be known.
        doubtful = np.flatnonzero(~(error <= self._accepted * np.abs(value)))
        if doubtful.size:
            squares = [self._at(v[doubtful], v[doubtful], v[doubtful])[0] for v in (v1, v2)]
            with np.errstate(invalid="ignore"):
                scale = np.sqrt(squares[0]) * np.sqrt(squares[1])
            refused = doubtful[~(error[doubtful] <= self._accepted * scale)]
            error[refused] = np.inf
        return value, error

    def _at(self, v1: Array, v2: Array, covariance: Array) -> tuple[Array, Array]:
        product, product_error = two_product(v1, v2)
        square, square_error = two_product(covariance, covariance)
        high, low = product - square, product_error - square_error
        gap = high + low
        gap_error = 0.5 * EPS * (np.abs(high) + np.abs(low) + np.abs(gap))
        beyond: Array | float = 0.0
        if (gap <= 0.0).any():
            # a covariance that rounding has put outside stands for the largest there is
            with np.errstate(invalid="ignore", divide="ignore"):
                beyond = np.where(gap < 0.0, -gap / np.abs(covariance), 0.0)
            gap_error = np.where(gap > 0.0, gap_error, 0.0)
            gap = np.maximum(gap, _LEAST_GAP * product)
        return self._program((v1, 0.0), (v2, 0.0), (covariance, beyond), (gap, gap_error))


@lru_cache(maxsize=256)
def form_kernel(activation: Activation) -> FormKernel | None:
    """Return the closed form on arrays, or None where there is none that float64 evaluates."""
    if activation.expr is None or activation.parameters:
        return None
    try:
        form = verified_dual(activation).general
    except DerivationError:
        return None  # float64 has other ways, and whoever asks for the form is told
    if form is None or form.free_symbols - {q1, q2, c}:
        return None
    try:
        stable = _stable(form)
        if sp.count_ops(stable) > _MOST_OPERATIONS:
            return None
        program = RoundedProgram(stable, (q1, q2, c, _GAP))
    except NoProgramError:
        return None
    return FormKernel(program, _ACCEPTED_KINKED if activation.kinks else _ACCEPTED)


def _stable(form: sp.Expr) -> sp.Expr:
    """Return the form with its cancelling parts written in the gap."""
    form = form.replace(BivariateNormalCDF, _by_owen)
    form = form.replace(sp.acos, lambda z: _arc(z, cosine=True)).replace(sp.asin, lambda z: _arc(z, cosine=False))
    return form.replace(lambda node: isinstance(node, sp.Add) and node.has(c), _in_gap)


def _in_gap(node: sp.Add) -> sp.Expr:
    """Return a polynomial in which signs of terms differ, even in c, as one in the gap."""
    if not node.is_polynomial(q1, q2, c):
        return node
    polynomial = sp.expand(node)
    for sign in (-1, 1):
        multiple = sp.cancel(polynomial / (q1 + q2 + 2 * sign * c))
        if multiple.is_number:
            return multiple * InOrder(q1 + sign * c, q2 + sign * c)
    if polynomial.subs(c, -c) != polynomial or not _differing(polynomial):
        return node
    rewritten = sp.expand(polynomial.subs(c, sp.sqrt(q1 * q2 - _GAP)))
    return rewritten if _differing(rewritten) <= _differing(polynomial) else node


def _differing(polynomial: sp.Expr) -> int:
    """Return how many terms have the sign of the fewer."""
    signs = [term.as_coeff_Mul()[0].is_negative for term in sp.Add.make_args(polynomial)]
    return min(sum(map(bool, signs)), len(signs) - sum(map(bool, signs)))


def _arc(z: sp.Expr, cosine: bool) -> sp.Expr:
    """Return `acos(z)` or `asin(z)`, z = n / d, as the angle of n and `sqrt(d^2 - n^2)`."""
    numerator, denominator = sp.fraction(sp.together(z))
    square = sp.expand(denominator**2 - numerator**2)
    if not square.is_polynomial(q1, q2, c):
        return sp.acos(z) if cosine else sp.asin(z)
    other = sp.sqrt(_in_gap(square) if isinstance(square, sp.Add) else square)
    return sp.atan2(other, numerator) if cosine else sp.atan2(numerator, other)


def _by_owen(h: sp.Expr, k: sp.Expr, correlation: sp.Expr) -> sp.Expr:
    """Return `Phi_2(h, k; rho)` by Owen's function, as the head of `symbolic.bivariate_normal` has it."""
    if h.is_zero or k.is_zero or not (correlation**2 - c**2 / (q1 * q2)).equals(0):
        raise NoProgramError("BivariateNormalCDF")
    root = sp.sqrt(q1) * sp.sqrt(q2)

    def tail(limit: sp.Expr, other: sp.Expr) -> sp.Expr:
        above, below = sp.fraction(sp.factor(sp.together((other / limit - correlation) * root)))
        return OwenT(limit, above / below / sp.sqrt(_GAP))

    halves = (NormalCDF(h) + NormalCDF(k) - Opposite(h, k)) / 2
    return halves - tail(h, k) - tail(k, h)

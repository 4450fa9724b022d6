"""The integral that stands for a Hermite coefficient without an exact value."""

from collections.abc import Callable
from itertools import pairwise

import mpmath
import sympy as sp

from hermite_dual.precision_lock import mp_bits

_PANEL_LIMIT = 400
_GUARD_BITS = 30


class CoefficientIntegral(sp.Integral):
    """A SymPy integral against the Gaussian weight whose `evalf` uses the weight's decay.

    The range is cut where the weight falls below the accuracy asked for, and the rest is integrated by composite
    Gauss-Legendre rules until two degrees agree; where they do not, SymPy's own evaluation takes over.

    >>> z = sp.Symbol("z", real=True)
    >>> weight = sp.exp(-z**2 / 2) / sp.sqrt(2 * sp.pi)
    >>> line = (z, -sp.oo, sp.oo)
    >>> by_parts = CoefficientIntegral((z * sp.tanh(z) - sp.sech(z) ** 2) * weight, line)
    >>> abs(by_parts.evalf(25)) < 1e-25
    True
    """

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        if self.free_symbols or len(self.limits) != 1:
            return None
        variable, low, high = self.limits[0]
        with mp_bits(prec + _GUARD_BITS):
            reach = mpmath.sqrt(2 * mpmath.log(2) * (prec + _GUARD_BITS)) + 8
            start = -reach if low is -sp.oo else max(-reach, _number(low))
            stop = reach if high is sp.oo else min(reach, _number(high))
            value = _integrate(sp.lambdify(variable, self.function, "mpmath"), start, stop)
        if value is None:
            plain = sp.Integral(self.function, *self.limits).evalf(mpmath.libmp.prec_to_dps(prec))
            return plain if plain.is_Float else None
        return sp.Float._new(value._mpf_, prec)


def _number(bound: sp.Expr) -> mpmath.mpf:
    return mpmath.mp.make_mpf(bound.evalf(mpmath.mp.dps + 5)._as_mpf_val(mpmath.mp.prec))


def _integrate(function: Callable[[mpmath.mpf], mpmath.mpf], start: mpmath.mpf, stop: mpmath.mpf) -> mpmath.mpf | None:
    """Integrate over panels, halved until two rules agree to the working precision, relative to the panels' sizes."""
    if stop <= start:
        return mpmath.mpf(0)
    count = int(mpmath.ceil(stop - start))
    previous = None
    while count <= _PANEL_LIMIT:
        edges = [start + (stop - start) * index / count for index in range(count + 1)]
        parts = [mpmath.quad(function, pair, method="gauss-legendre", maxdegree=4) for pair in pairwise(edges)]
        value, scale = mpmath.fsum(parts), mpmath.fsum(map(abs, parts))
        if previous is not None and abs(value - previous) <= mpmath.ldexp(scale, 16 - mpmath.mp.prec):
            return value
        previous, count = value, 2 * count
    return None

"""Integrals of the bivariate normal law at mpmath's precision, by adaptive quadrature in ball arithmetic."""

from collections.abc import Callable
from typing import Any

import mpmath
from flint import acb, arb

from hermite_dual.certified.balls.precision import working_precision

_MOST_EVALUATIONS = 10**7


def owen_integral(h: mpmath.mpf, end: mpmath.mpf) -> mpmath.mpf:
    """Return Owen's `T(h, end)`, `end >= 0`."""

    def integrand(z: Any) -> Any:
        return (half * z * z).exp() / (1 + z * z)

    with working_precision(int(mpmath.mp.prec)):
        half = -(_exact(h) ** 2) / 2
        return mpmath.exp(-h * h / 2) * _integral(integrand, arb(0), _exact(end), arb(0)) / (2 * mpmath.pi)


def conditional_integral(
    h: mpmath.mpf, k: mpmath.mpf, rho: mpmath.mpf, s: mpmath.mpf, reach: mpmath.mpf, width: mpmath.mpf
) -> mpmath.mpf:
    """Return `int_{h - reach}^h phi(t) Phi((k - rho t)/s) dt`, of the order of its integrand at h times `width`."""

    def integrand(z: Any) -> Any:
        return (-z * z / 2).exp() * ((slope * z - limit) / spread).erfc()

    with working_precision(int(mpmath.mp.prec)):
        slope, limit, spread = _exact(rho), _exact(k), _exact(s) * arb(2).sqrt()
        size = integrand(_exact(h)) * _exact(width)
        return _integral(integrand, _exact(h - reach), _exact(h), size) / mpmath.sqrt(8 * mpmath.pi)


def _integral(function: Callable[[Any], Any], low: arb, high: arb, size: arb) -> mpmath.mpf:
    """Integrate an analytic function to the current precision, relative to the larger of its integral and a size."""
    unit = arb(2) ** -int(mpmath.mp.prec)
    ball = acb.integral(
        lambda z, _: function(z), low, high, rel_tol=unit, abs_tol=unit * size, eval_limit=_MOST_EVALUATIONS
    )
    mantissa, exponent = ball.real.mid().man_exp()
    return mpmath.ldexp(int(mantissa), int(exponent))


def _exact(number: mpmath.mpf) -> arb:
    sign, mantissa, exponent, _ = number._mpf_
    return arb(-int(mantissa) if sign else int(mantissa)) * arb(2) ** int(exponent)

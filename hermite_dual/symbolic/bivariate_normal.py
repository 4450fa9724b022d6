r"""The bivariate normal CDF as a SymPy function, and its evaluation in float64 and at any precision.

Both evaluations reduce it to Owen's function
$T(h, a) = \frac{1}{2 \pi} \int_0^a e^{-h^2 (1 + x^2) / 2} / (1 + x^2)\,dx$:
$$\Phi_2(h, k; \rho) = \tfrac12 \Phi(h) + \tfrac12 \Phi(k) - T\left(h, \tfrac{k - \rho h}{h \sqrt{1 - \rho^2}}\right)
- T\left(k, \tfrac{h - \rho k}{k \sqrt{1 - \rho^2}}\right) - \tfrac12 [h k < 0 \text{ or } (h k = 0, h + k < 0)]$$
(D. B. Owen 1956, *Tables for computing bivariate normal probabilities*, doi:10.1214/aoms/1177728074).

Derivation: docs/theory/closed_forms.md, "What is left".
"""

from typing import Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.precision_lock import mp_bits
from hermite_dual.symbolic.normal import (
    EvaluatedFunction,
    GaussianWeight,
    NormalCDF,
    as_float_arrays,
    evaluate_arguments,
    gaussian_weight,
    normal_cdf,
)


class BivariateNormalCDF(EvaluatedFunction):
    r"""The probability $\Phi_2(h, k; \rho)$ that standard Gaussians of correlation rho are at most h and k.

    Args are h, k and rho in [-1, 1]. The function is symmetric in h and k and keeps them in a canonical order.
    Derivatives: $\partial_h = \varphi(h) \Phi((k - \rho h) / \sqrt{1 - \rho^2})$ and, by Plackett's identity,
    $\partial_\rho = \exp(-(h^2 - 2 \rho h k + k^2) / (2 (1 - \rho^2))) / (2 \pi \sqrt{1 - \rho^2})$.

    >>> h, k, r = sp.symbols("h k rho", real=True)
    >>> BivariateNormalCDF(0, 0, r)
    asin(rho)/(2*pi) + 1/4
    >>> BivariateNormalCDF(h, k, 0)
    NormalCDF(h)*NormalCDF(k)
    >>> total = sum(BivariateNormalCDF(a, b * sp.S(2), a * b * sp.S(1) / 3).evalf(20) for a in (1, -1) for b in (1, -1))
    >>> abs(total - 1) < 1e-18
    True
    """

    nargs = (3,)
    float64 = "hermite_dual.symbolic.bivariate_normal.bivariate_normal_cdf"
    precise = "hermite_dual.symbolic.bivariate_normal.bivariate_normal_cdf_mp"

    @classmethod
    def eval(cls, h: sp.Expr, k: sp.Expr, rho: sp.Expr) -> sp.Expr | None:
        """Return special values, else None."""
        if any(argument in (sp.nan, sp.zoo) for argument in (h, k, rho)):
            return sp.nan
        if rho.is_number and (1 - rho**2).is_negative:
            return sp.nan
        if sp.S.NegativeInfinity in (h, k):
            return sp.S.Zero
        if h is sp.oo or k is sp.oo:
            return NormalCDF(k if h is sp.oo else h)
        if rho.is_zero:
            return NormalCDF(h) * NormalCDF(k)
        if h.is_zero and k.is_zero:
            return sp.S.One / 4 + sp.asin(rho) / (2 * sp.pi)
        if rho == 1:
            return NormalCDF(sp.Min(h, k))
        if rho == -1:
            return sp.Max(0, NormalCDF(h) - NormalCDF(-k))
        if sp.default_sort_key(h) > sp.default_sort_key(k):
            return cls(k, h, rho)
        return None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Differentiate in h (1), k (2) or rho (3)."""
        h, k, rho = self.args
        gap = 1 - rho**2
        if argindex == 3:
            return GaussianWeight((h**2 - 2 * rho * h * k + k**2) / 2, gap) / (2 * sp.pi * sp.sqrt(gap))
        if argindex == 2:
            h, k = k, h
        return sp.exp(-(h**2) / 2) / sp.sqrt(2 * sp.pi) * NormalCDF(k - rho * h, gap)

    def _eval_is_nonnegative(self) -> bool | None:
        return self._eval_is_extended_real()

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        # 1 - rho^2 decides near |rho| = 1, so the arguments carry twice the precision.
        numbers = evaluate_arguments(self.args, 2 * prec + 20)
        if numbers is None or abs(numbers[2]) > 1:
            return None
        h, k, rho = numbers
        value = bivariate_normal_cdf_mp(h, k, rho, prec)
        return sp.Float._new(value._mpf_, prec)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        h, k, rho = (printer._print(argument) for argument in self.args)
        body = rf"\Phi_2\left({h}, {k}; {rho}\right)"
        return body if exp is None else rf"{body}^{{{exp}}}"


def bivariate_normal_cdf(h: ArrayLike, k: ArrayLike, rho: ArrayLike) -> Array:
    """Return the bivariate normal CDF in float64.

    Args:
        h: first upper limit, any shape; infinities are allowed.
        k: second upper limit, any shape that broadcasts with h; infinities are allowed.
        rho: correlation in [-1, 1], any shape that broadcasts with h and k; NaN outside.

    Returns:
        The broadcast shape, within 1e-14 of the exact value for the floats given.
    """
    from scipy.special import ndtr

    h, k, rho = as_float_arrays(h, k, rho)
    h, k, rho = np.clip(h, -40.0, 40.0), np.clip(k, -40.0, 40.0), rho.copy()
    rho[np.abs(rho) > 1.0] = np.nan
    width = np.sqrt((1.0 - rho) * (1.0 + rho))
    both_zero = (h == 0.0) & (k == 0.0)
    degenerate = width == 0.0
    safe = np.where(degenerate, 1.0, width)
    crossing = (h * k < 0.0) | ((h * k == 0.0) & (h + k < 0.0))
    value = 0.5 * (ndtr(h) + ndtr(k)) - 0.5 * crossing
    value -= _owen(h, _difference(k, rho, h) / safe)
    value -= _owen(k, _difference(h, rho, k) / safe)
    value = np.where(both_zero, 0.25 + np.arcsin(rho) / (2.0 * np.pi), value)
    upper = ndtr(np.minimum(h, k))
    lower = np.maximum(0.0, ndtr(h) - ndtr(-k))
    value = np.where(degenerate, np.where(rho > 0.0, upper, lower), value)
    return np.clip(value, 0.0, 1.0)[()]


def _difference(k: Array, rho: Array, h: Array) -> Array:
    """Return `k - rho h` without cancellation near |rho| = 1."""
    sign = np.where(rho >= 0.0, 1.0, -1.0)
    return (k - sign * h) + (sign - rho) * h


def _owen(h: Array, product: Array) -> Array:
    """Return Owen's `T(h, product / h)`, also for h = 0, where the second argument is infinite."""
    from scipy.special import owens_t

    with np.errstate(over="ignore"):
        slope = product / np.where(h == 0.0, 1.0, h)
    at_zero = 0.25 * np.sign(product)
    return np.where(h == 0.0, at_zero, owens_t(h, slope))


def bivariate_normal_cdf_mp(h: mpmath.mpf, k: mpmath.mpf, rho: mpmath.mpf, prec: int | None = None) -> mpmath.mpf:
    """Return the bivariate normal CDF with a relative accuracy of about `prec` bits.

    Args:
        h: first upper limit.
        k: second upper limit.
        rho: correlation in [-1, 1].
        prec: bits; mpmath's own where not given.

    Returns:
        A number with `prec` bits.
    """
    prec = mpmath.mp.prec if prec is None else prec
    h, k, rho = map(mpmath.mpmathify, (h, k, rho))
    with mp_bits(prec + 30):
        tail = _far_out(h, k, rho)
    if tail is not None:
        with mp_bits(prec):
            return +tail
    working = prec + 30
    for _ in range(8):
        with mp_bits(working):
            value = _cdf_at_working_precision(h, k, rho)
            lost = working - prec - 15 + (mpmath.mag(value) if value > 0 else -working)
        if lost >= 0:
            break
        working += prec - int(lost)
    else:
        value = mpmath.mpf(0)  # below what the last precision tells from 0
    with mp_bits(prec):
        return +value


def _far_out(h: mpmath.mpf, k: mpmath.mpf, rho: mpmath.mpf) -> mpmath.mpf | None:
    """Return the CDF without cancellation, or None where the smaller limit is not that far out.

    `Phi_2(h, k; rho) = Phi(h) - Phi_2(h, -k; -rho)`: the smaller of both is integrated, to the bits that count.
    """
    gap = (1 - rho) * (1 + rho)
    h, k = min(h, k), max(h, k)
    if not gap > 0 or not mpmath.isfinite(h) or not mpmath.isfinite(k):
        return None
    s = mpmath.sqrt(gap)
    u = (k - rho * h) / s
    if u > 0:
        whole = mpmath.ncdf(h)
        complement = _conditional_integral(h, -k, -rho, s, whole)
        if complement is not None:
            return whole - complement
    return _conditional_integral(h, k, rho, s, mpmath.mpf(0))


def _conditional_integral(
    h: mpmath.mpf, k: mpmath.mpf, rho: mpmath.mpf, s: mpmath.mpf, beside: mpmath.mpf
) -> mpmath.mpf | None:
    r"""Return the CDF by an integral of one sign, or None where the integrand is largest inside.

    $\Phi_2 = \int_{-\infty}^h \phi(t)\, \Phi((k - \rho t)/s)\,dt$, $s^2 = 1 - \rho^2$. The integrand's logarithm is
    concave: where its slope r at h is positive, it falls from there at least like $e^{-r(h - t)}$. Bits are left out
    that do not count beside another number.
    """
    u = (k - rho * h) / s
    below = mpmath.ncdf(u)
    slope = -h - rho / s * mpmath.npdf(u) / below
    if slope < 1:
        return None
    bits = mpmath.mp.prec
    if beside:
        bits = min(bits, bits + int(mpmath.mag(mpmath.npdf(h) * below / slope) - mpmath.mag(beside)) + 10)
    if bits <= 0:
        return mpmath.mpf(0)
    from hermite_dual.symbolic.ball_integrals import conditional_integral

    with mp_bits(max(bits, 20)):
        reach = (mpmath.mp.prec + 10) * mpmath.log(2) / slope
        return conditional_integral(h, k, rho, s, reach, min(s, 1 / slope))


def _cdf_at_working_precision(h: mpmath.mpf, k: mpmath.mpf, rho: mpmath.mpf) -> mpmath.mpf:
    if h == 0 and k == 0:
        return mpmath.mpf(1) / 4 + mpmath.asin(rho) / (2 * mpmath.pi)
    width = mpmath.sqrt((1 - rho) * (1 + rho))
    if width == 0:
        below = mpmath.ncdf(-k)
        return mpmath.ncdf(min(h, k)) if rho > 0 else max(mpmath.mpf(0), mpmath.ncdf(h) - below)
    crossing = h * k < 0 or (h * k == 0 and h + k < 0)
    total = (mpmath.ncdf(h) + mpmath.ncdf(k)) / 2 - (mpmath.mpf(1) / 2 if crossing else 0)
    return total - _owen_mp(h, (k - rho * h) / width) - _owen_mp(k, (h - rho * k) / width)


def _owen_mp(h: mpmath.mpf, product: mpmath.mpf) -> mpmath.mpf:
    """Return Owen's `T(h, product / h)`."""
    if h == 0:
        return mpmath.sign(product) / 4
    slope = product / h
    if abs(slope) <= 1:
        return _owen_integral(h, slope)
    sign = mpmath.sign(slope)
    a, b, slope = abs(h), abs(product), 1 / abs(slope)
    low, high = mpmath.ncdf(-a), mpmath.ncdf(-b)
    # T(h, a) + T(a h, 1/a) = (Phi(-h) + Phi(-a h)) / 2 - Phi(-h) Phi(-a h) for h, a > 0.
    return sign * ((low + high) / 2 - low * high - _owen_integral(b, slope))


def _owen_integral(h: mpmath.mpf, slope: mpmath.mpf) -> mpmath.mpf:
    """Integrate Owen's integrand, which is analytic with poles at +-i only, up to where it is negligible."""
    reach = mpmath.sqrt(2 * (mpmath.mp.prec + 10) * mpmath.log(2)) / abs(h)
    end = min(abs(slope), reach)
    from hermite_dual.symbolic.ball_integrals import owen_integral

    return mpmath.sign(slope) * owen_integral(h, end)


LAMBDIFY_MODULES = {
    "BivariateNormalCDF": bivariate_normal_cdf,
    "NormalCDF": normal_cdf,
    "GaussianWeight": gaussian_weight,
}
"""What `sympy.lambdify` needs: `sp.lambdify(args, form, modules=[LAMBDIFY_MODULES, "scipy"])`."""

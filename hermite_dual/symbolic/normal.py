"""The normal CDF and the Gaussian weight with a variance that may be zero, as SymPy functions.

Closed forms of thresholded activations contain `Phi(n / sqrt(v))` and `exp(-a / v)` with `v = 0` at `|rho| = 1`. These
two functions have the right value there, where the quotients are undefined.

Derivation: docs/theory/closed_forms.md, "What is left", "Degenerate correlations".
"""

from typing import Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.precision_lock import mp_bits


class EvaluatedFunction(sp.Function):
    """A function whose generated code calls an evaluation of its own, so that `lambdify` needs no modules named.

    Attributes:
        float64: the dotted name of the evaluation on arrays.
        precise: the dotted name of the evaluation on mpmath numbers.
    """

    float64 = ""
    precise = ""

    def _eval_is_extended_real(self) -> bool | None:
        return True if all(argument.is_extended_real for argument in self.args) else None

    def _at(self, *numbers: mpmath.mpf) -> mpmath.mpf:
        """Return the value at mpmath numbers, to the working precision."""
        raise NotImplementedError

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        numbers = evaluate_arguments(self.args, prec)
        if numbers is None:
            return None
        with mp_bits(prec + 20):
            value = self._at(*numbers)
        return sp.Float._new(value._mpf_, prec)

    def _call(self, name: str, printer: Any) -> str:
        arguments = ", ".join(printer._print(argument) for argument in self.args)
        return f"{printer._module_format(name)}({arguments})"

    def _numpycode(self, printer: Any) -> str:
        return self._call(self.float64, printer)

    _pythoncode = _lambdacode = _numpycode

    def _mpmathcode(self, printer: Any) -> str:
        return self._call(self.precise, printer)


class NormalCDF(EvaluatedFunction):
    r"""The probability that a centred Gaussian of a given variance is at most z.

    $$\Phi\left(\frac{z}{\sqrt v}\right) = \frac12 \operatorname{erfc}\left(-\frac{z}{\sqrt{2 v}}\right),$$

    a step with value 1/2 at 0 when v = 0. `NormalCDF(z)` has v = 1. `rewrite(sp.erf)` gives the error function.

    >>> z = sp.Symbol("z", real=True)
    >>> NormalCDF(0), NormalCDF(sp.oo), NormalCDF(-3, 0)
    (1/2, 1, 0)
    >>> sp.diff(NormalCDF(z), z)
    sqrt(2)*exp(-z**2/2)/(2*sqrt(pi))
    >>> NormalCDF(1).evalf(30) + NormalCDF(-1).evalf(30)
    1.00000000000000000000000000000
    """

    nargs = (1, 2)
    float64 = "hermite_dual.symbolic.normal.normal_cdf"
    precise = "hermite_dual.symbolic.normal.normal_cdf_mp"

    @classmethod
    def eval(cls, z: sp.Expr, variance: sp.Expr | None = None) -> sp.Expr | None:
        """Return special values, else None."""
        if z is sp.nan or z is sp.zoo or variance is sp.nan:
            return sp.nan
        if z.is_zero:
            return sp.S.Half
        if z is sp.oo:
            return sp.S.One
        if z is sp.S.NegativeInfinity:
            return sp.S.Zero
        if variance is None:
            return None
        if variance == 1:
            return cls(z)
        if variance is sp.oo:
            return sp.S.Half
        if variance.is_zero and z.is_positive:
            return sp.S.One
        if variance.is_zero and z.is_negative:
            return sp.S.Zero
        return None

    @property
    def variance(self) -> sp.Expr:
        """The variance v."""
        return self.args[1] if len(self.args) > 1 else sp.S.One

    @property
    def score(self) -> sp.Expr:
        """The standardised argument `z / sqrt(v)`."""
        return self.args[0] / sp.sqrt(self.variance)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Differentiate in z (1) or in the variance (2)."""
        z, variance = self.args[0], self.variance
        density = GaussianWeight(z**2 / 2, variance) / sp.sqrt(2 * sp.pi * variance)
        return density if argindex == 1 else -z * density / (2 * variance)

    def _eval_rewrite_as_erf(self, *args: sp.Expr, **_hints: object) -> sp.Expr:
        return (1 + sp.erf(self.score / sp.sqrt(2))) / 2

    def _eval_rewrite_as_erfc(self, *args: sp.Expr, **_hints: object) -> sp.Expr:
        return sp.erfc(-self.score / sp.sqrt(2)) / 2

    def _eval_is_nonnegative(self) -> bool | None:
        return self._eval_is_extended_real()

    def _at(self, *numbers: mpmath.mpf) -> mpmath.mpf:
        return normal_cdf_mp(*numbers)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"\Phi\left({printer._print(self.score)}\right)"
        return body if exp is None else rf"{body}^{{{exp}}}"


class GaussianWeight(EvaluatedFunction):
    r"""The weight `exp(-a / v)` with a, v >= 0: zero when v = 0 < a, one when both are zero.

    >>> a, v = sp.symbols("a v", positive=True)
    >>> GaussianWeight(a, 0), GaussianWeight(0, v), GaussianWeight(2, 4)
    (0, 1, exp(-1/2))
    """

    nargs = (2,)
    float64 = "hermite_dual.symbolic.normal.gaussian_weight"
    precise = "hermite_dual.symbolic.normal.gaussian_weight_mp"

    @classmethod
    def eval(cls, a: sp.Expr, v: sp.Expr) -> sp.Expr | None:
        """Return special values, and the plain exponential when the variance is known to be positive."""
        if a is sp.nan or v is sp.nan:
            return sp.nan
        if v.is_zero:
            if a.is_zero:
                return sp.S.One
            return sp.S.Zero if a.is_positive else None
        if a.is_zero:
            return sp.S.One
        if v.is_positive:
            return sp.exp(-a / v)
        return None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Differentiate in a (1) or in v (2)."""
        a, v = self.args
        return -self / v if argindex == 1 else a * self / v**2

    def _eval_rewrite_as_exp(self, *args: sp.Expr, **_hints: object) -> sp.Expr:
        return sp.exp(-self.args[0] / self.args[1])

    def _at(self, *numbers: mpmath.mpf) -> mpmath.mpf:
        return gaussian_weight_mp(*numbers)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"\exp\left({printer._print(-self.args[0] / self.args[1])}\right)"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


def evaluate_arguments(arguments: tuple[sp.Expr, ...], prec: int) -> list[mpmath.mpf] | None:
    """Evaluate real arguments with 30 guard bits, or return None if one is not a real number."""
    numbers = []
    for argument in arguments:
        if not argument.is_number:
            return None
        value = argument.evalf(mpmath.libmp.prec_to_dps(prec + 30) + 1)
        if value.is_infinite or not value.is_real or not (value.is_Float or value.is_Rational):
            return None
        numbers.append(mpmath.mp.make_mpf(value._as_mpf_val(prec + 40)))
    return numbers


def as_float_arrays(*values: ArrayLike) -> tuple[Array, ...]:
    """Return the values as float64 arrays of one shape."""
    return tuple(np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in values)))


def normal_cdf(z: ArrayLike, variance: ArrayLike = 1.0) -> Array:
    """Return `Phi(z / sqrt(variance))` in float64, with the step at variance 0.

    Args:
        z: any shape.
        variance: nonnegative, any shape that broadcasts with z.

    Returns:
        The broadcast shape.
    """
    from scipy.special import ndtr

    z, variance = as_float_arrays(z, variance)
    positive = variance > 0
    smooth = ndtr(z / np.sqrt(np.where(positive, variance, 1.0)))
    return np.where(positive, smooth, 0.5 * (1.0 + np.sign(z)))[()]


def normal_cdf_mp(z: Any, variance: Any = 1) -> Any:
    """Return `Phi(z / sqrt(variance))` at mpmath's precision, with the step at variance 0."""
    return mpmath.ncdf(z / mpmath.sqrt(variance)) if variance > 0 else mpmath.mpf(1 + mpmath.sign(z)) / 2


def gaussian_weight_mp(a: Any, v: Any) -> Any:
    """Return `exp(-a / v)` at mpmath's precision, with its limits at v = 0."""
    return mpmath.exp(-a / v) if v > 0 else mpmath.mpf(1 if a == 0 else 0)


def gaussian_weight(a: ArrayLike, v: ArrayLike) -> Array:
    """Return `exp(-a / v)` in float64, with its limits at v = 0.

    Args:
        a: nonnegative, any shape.
        v: nonnegative, any shape that broadcasts with a.

    Returns:
        The broadcast shape.
    """
    a, v = as_float_arrays(a, v)
    positive = v > 0
    smooth = np.exp(-a / np.where(positive, v, 1.0))
    return np.where(positive, smooth, np.where(a == 0, 1.0, 0.0))[()]

"""Kernels and moments of two activations by mpmath, sharing no code with the package.

`E[phi(u) psi(v)]` is an integral over u alone where the mean of psi(v) given u has a formula; kinks of phi are break
points of the integral.
"""

from collections.abc import Callable

import mpmath as mp

Function = Callable[[mp.mpf], mp.mpf]

FUNCTIONS: dict[str, tuple[Function, tuple[float, ...]]] = {
    "tanh": (mp.tanh, ()),
    "tanh(3*x)": (lambda z: mp.tanh(3 * z), ()),
    "relu": (lambda z: max(z, mp.mpf(0)), (0.0,)),
    "abs": (abs, (0.0,)),
    "gelu": (lambda z: z * mp.ncdf(z), ()),
    "logistic": (lambda z: 1 / (1 + mp.exp(-z)), ()),
    "hard_tanh": (lambda z: max(min(z, mp.mpf(1)), mp.mpf(-1)), (-1.0, 1.0)),
    "softplus": (lambda z: mp.log1p(mp.exp(z)), ()),
    "step": (lambda z: mp.mpf(z > 0), (0.0,)),
    "exp": (mp.exp, ()),
    "sin": (mp.sin, ()),
    "elu": (lambda z: z if z > 0 else mp.expm1(z), (0.0,)),
}
"""Formulas and kinks of catalogue names."""

AVERAGES: dict[str, Callable[[mp.mpf, mp.mpf], mp.mpf]] = {
    "x": lambda m, s: m,
    "x**3": lambda m, s: m**3 + 3 * m * s**2,
    "erf": lambda m, s: mp.erf(m / mp.sqrt(1 + 2 * s**2)),
    "sin": lambda m, s: mp.exp(-(s**2) / 2) * mp.sin(m),
    "cos": lambda m, s: mp.exp(-(s**2) / 2) * mp.cos(m),
    "exp": lambda m, s: mp.exp(m + s**2 / 2),
    "relu": lambda m, s: m * mp.ncdf(m / s) + s * mp.npdf(m / s),
    "abs": lambda m, s: m * mp.erf(m / s / mp.sqrt(2)) + 2 * s * mp.npdf(m / s),
    "step": lambda m, s: mp.ncdf(m / s),
    "gelu": lambda m, s: m * mp.ncdf(m / mp.sqrt(1 + s**2)) + s**2 / mp.sqrt(1 + s**2) * mp.npdf(m / mp.sqrt(1 + s**2)),
}
"""`E[psi(m + s Z)]`, elementary integrals."""


def mean(function: Function, variance: mp.mpf, kinks: tuple[float, ...] = ()) -> mp.mpf:
    """Return `E[f(sqrt(variance) Z)]`."""
    root = mp.sqrt(variance)
    inner = sorted({mp.mpf(0), *(mp.mpf(k) / root for k in kinks if abs(k / root) < 14)})
    return mp.quad(lambda z: function(root * z) * mp.npdf(z), [-15, -5, *inner, 5, 15])


def cross_kernel(phi: str, psi: str, q1: mp.mpf, q2: mp.mpf, c: mp.mpf) -> mp.mpf:
    """Return `E[phi(u) psi(v)]` at the working precision; `c^2 < q1 q2`."""
    function, kinks = FUNCTIONS[phi]
    s = mp.sqrt(q2 - c**2 / q1)
    return mean(lambda u: function(u) * AVERAGES[psi](c * u / q1, s), q1, kinks)


def moment(phi: str, variance: mp.mpf) -> mp.mpf:
    """Return `E[phi(sqrt(variance) Z)^2]`."""
    function, kinks = FUNCTIONS[phi]
    return mean(lambda u: function(u) ** 2, variance, kinks)

"""The kernel of sums of `x^m sin(a x)`, `x^m cos(a x)` and `x^m`, where variances are too large for quadrature.

With `phi(x) = sum_j C_j x^(m_j) exp(i a_j x)`, and psi likewise, the kernel is a sum over pairs, by completing the
square,

    E[u^m v^n exp(i a u + i b v)] = exp(-E/2) E[(u + i s)^m (v + i t)^n],
    E = Var(a u + b v) = D^2 + 2 a b r1 r2 e,   s = r1 (D + b r2 e),   t = r2 (sign(rho) D + a r1 e),
    r1 = sqrt(q1),   r2 = sqrt(q2),   D = a r1 + sign(rho) b r2,
    e = rho - sign(rho) = -sign(rho) (1 - rho^2) / (1 + |rho|).

D is a difference of large numbers; it is summed with the rounding errors of its products, roots and frequencies.

Derivation: docs/theory/numerics.md, "The kernel".
"""

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.numeric.exact_sums import two_product, two_sum
from hermite_dual.symbolic.rewriting import to_terms
from hermite_dual.symbolic.terms import OutsideClassError

Complex = NDArray[np.complexfloating[Any, Any]]
Double = tuple[float, float]  # notation: a number as the sum of a float64 and what it leaves

_EPS = float(np.finfo(np.float64).eps)
_UNDERFLOW = float(np.finfo(np.float64).tiny)
_DIGITS = 40
_MOST_TERMS = 32
_LARGE = 16.0
"""Variance below which quadrature always serves, and waves are not looked for."""
_ACCEPTED = 64.0
"""Rounding at correlation 1, in eps of the scale, up to which the form is taken."""
_LEAST_PHASE = 8.0
"""Standard deviation of the fastest oscillation, in radians, from which on quadrature is slow or impossible."""
_ROUNDING = 8.0
"""Roundings of a pair's factors, in eps, beside those of its exponent and of its powers."""


@dataclass(frozen=True)
class _Wave:
    """The term `weight x^power exp(i frequency x)`."""

    weight: complex
    power: int
    frequency: Double


@dataclass(frozen=True)
class _Pair:
    """A product of two terms: `weight u^m v^n exp(i a u + i b v)`."""

    weight: complex
    powers: tuple[int, int]
    frequencies: tuple[Double, Double]


@dataclass(frozen=True)
class WaveKernel:
    """`k(q1, q2, c)` of sums of waves.

    Attributes:
        pairs: all products of two of its terms.
        fastest: the largest frequency.
    """

    pairs: tuple[_Pair, ...]
    fastest: float

    def __call__(self, q1: float, q2: float, rho: Array, gap: Array) -> tuple[Array, Array]:
        """Return the kernel and an estimate of its rounding, for correlations of shape (n,) and `1 - rho^2`."""
        value, error = np.zeros(rho.shape), np.full(rho.shape, _UNDERFLOW)
        first, second = _root(q1), _root(q2)
        r1, r2 = first[0], second[0]
        sign = np.where(rho < 0.0, -1.0, 1.0)
        rho_minus_sign = -sign * gap / (1.0 + np.abs(rho))
        for pair in self.pairs:
            (a, a_rest), (b, b_rest) = pair.frequencies
            difference = _sum_of_products(np.full(rho.shape, a), a_rest, first, sign * b, sign * b_rest, second)
            exponent = np.maximum(difference * difference + 2.0 * a * b * r1 * r2 * rho_minus_sign, 0.0)
            shifts = r1 * (difference + b * r2 * rho_minus_sign), r2 * (sign * difference + a * r1 * rho_minus_sign)
            damping = np.exp(-0.5 * exponent)
            moment, size = _shifted_moment(pair.powers, q1, q2, rho * (r1 * r2), shifts)
            value += damping * (pair.weight * moment).real
            roundings = _ROUNDING + 4.0 * exponent + 8.0 * sum(pair.powers)
            error += roundings * _EPS * damping * abs(pair.weight) * size
        return value, error


@lru_cache(maxsize=256)
def wave_kernel(first: Activation, other: Activation | None = None) -> WaveKernel | None:
    """Return the kernel of one or two activations that are sums of waves and powers, or None of others."""
    left, right = _waves(first), _waves(first if other is None else other)
    if left is None or right is None:
        return None
    pairs = tuple(
        _Pair(w.weight * z.weight, (w.power, z.power), (w.frequency, z.frequency)) for w in left for z in right
    )
    return WaveKernel(pairs, max((abs(wave.frequency[0]) for wave in (*left, *right)), default=0.0))


@lru_cache(maxsize=256)
def _waves(activation: Activation) -> tuple[_Wave, ...] | None:
    """Return the terms of a sum of waves and powers, or None of another activation."""
    expr = activation.expr
    if expr is None or not expr.free_symbols <= {activation.symbol} or activation.kinks:
        return None
    if not (expr.has(sp.sin, sp.cos) or expr.is_polynomial(activation.symbol)):
        return None
    try:
        terms = to_terms(expr, activation.symbol)
    except OutsideClassError:
        return None
    if len(terms) > _MOST_TERMS or any(t.gate is not None or t.quadratic != 0 or sp.re(t.linear) != 0 for t in terms):
        return None
    return tuple(
        _Wave(complex(sp.N(t.coefficient * sp.exp(t.constant), 20)), t.power, _double(sp.im(t.linear))) for t in terms
    )


@lru_cache(maxsize=1024)
def waves_at(first: Activation, q1: float, q2: float, other: Activation | None = None) -> WaveKernel | None:
    """Return the kernel of sums of waves at two variances that are large for them, or None."""
    if max(q1, q2) < _LARGE:
        return None
    second = first if other is None else other
    kernel = wave_kernel(first, other)
    if kernel is None or kernel.fastest * math.sqrt(max(q1, q2)) < _LEAST_PHASE:
        return None
    top, nothing = np.ones(1), np.zeros(1)
    squares = wave_kernel(first), wave_kernel(second)
    first_moment, second_moment = (
        float(square(q, q, top, nothing)[0][0]) for square, q in zip(squares, (q1, q2), strict=True) if square
    )
    error = float(kernel(q1, q2, top, nothing)[1][0])
    accepted = _ACCEPTED * _EPS * math.sqrt(max(first_moment, 0.0)) * math.sqrt(max(second_moment, 0.0))
    return kernel if error <= accepted else None


def _double(value: sp.Expr) -> Double:
    high = float(sp.N(value, _DIGITS))
    return high, float(sp.N(value - sp.Rational(high), _DIGITS))


def _root(q: float) -> Double:
    """Return `sqrt(q)` as the sum of a float and what it leaves."""
    root = np.sqrt(np.float64(q))
    square, error = two_product(root, root)
    return float(root), float(((q - square) - error) / (2.0 * root))


def _sum_of_products(a: Array, a_rest: float, x: Double, b: Array, b_rest: Array, y: Double) -> Array:
    """Return `a x + b y` to the last digits of the sum, however much of it cancels."""
    left, left_error = two_product(a, np.float64(x[0]))
    right, right_error = two_product(b, np.float64(y[0]))
    total, sum_error = two_sum(left, right)
    return total + (sum_error + left_error + right_error + (a_rest * x[0] + a * x[1]) + (b_rest * y[0] + b * y[1]))


def _shifted_moment(
    powers: tuple[int, int], q1: float, q2: float, c: Array, shifts: tuple[Array, Array]
) -> tuple[Complex, Array]:
    """Return `E[(u + i s)^m (v + i t)^n]` and the sum of the magnitudes that make it up, by Stein's recursion."""
    s, t = shifts
    zero, one = np.zeros(c.shape, dtype=np.complex128), np.ones(c.shape, dtype=np.complex128)
    moments: dict[tuple[int, int], Complex] = {(0, 0): one}
    sizes: dict[tuple[int, int], Array] = {(0, 0): np.ones(c.shape)}
    for m, n in itertools.product(range(powers[0] + 1), range(powers[1] + 1)):
        steps: list[tuple[tuple[int, int], Complex]] = []
        if m > 0:
            steps = [((m - 1, n), 1j * s), ((m - 2, n), (m - 1) * q1 * one), ((m - 1, n - 1), n * c * one)]
        elif n > 0:
            steps = [((0, n - 1), 1j * t), ((0, n - 2), (n - 1) * q2 * one)]
        for step, factor in steps:
            if step in moments:
                moments[m, n] = moments.get((m, n), zero) + factor * moments[step]
                sizes[m, n] = sizes.get((m, n), np.zeros(c.shape)) + np.abs(factor) * sizes[step]
    return moments[powers], sizes[powers]

"""The dual kernel of sums of `x^m sin(a x)`, `x^m cos(a x)` and `x^m`, where variances are too large for quadrature.

With `phi(x) = sum_j C_j x^(m_j) exp(i a_j x)` the kernel is a sum over pairs, by completing the square,

    E[u^m v^n exp(i a u + i b v)] = exp(-E/2) E[(u + i s)^m (v + i t)^n],
    E = a^2 q1 + 2 a b c + b^2 q2,   s = a q1 + b c,   t = a c + b q2.

E, s and t are differences of large numbers at correlations near 1; they are summed with the rounding errors of their
products and sums.
"""

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from hermite_dual.activation import Activation
from hermite_dual.numeric.exact_sums import two_product, two_sum
from hermite_dual.symbolic.rewriting import to_terms
from hermite_dual.symbolic.terms import OutsideClassError

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]
Double = tuple[float, float]  # notation: a number as the sum of a float64 and what it leaves

_EPS = float(np.finfo(np.float64).eps)
_UNDERFLOW = float(np.finfo(np.float64).tiny)
_DIGITS = 40
_MOST_TERMS = 32
_LEAST_PHASE = 8.0
"""Standard deviation of the fastest oscillation, in radians, from which on quadrature is slow or impossible."""
_ROUNDING = 8.0
"""Roundings of a pair's factors, in eps, beside those of its exponent and of its powers."""


@dataclass(frozen=True)
class _Pair:
    """A product of two terms: `weight u^m v^n exp(i a u + i b v)`."""

    weight: complex
    powers: tuple[int, int]
    exponent: tuple[Double, Double, Double]  # notation: a^2, 2 a b, b^2
    frequencies: tuple[Double, Double]


@dataclass(frozen=True)
class WaveKernel:
    """`k(q1, q2, c)` of a sum of waves.

    Attributes:
        pairs: All products of two of its terms.
        fastest: The largest frequency.
    """

    pairs: tuple[_Pair, ...]
    fastest: float

    def serves(self, q1: float, q2: float) -> bool:
        """Say whether oscillations are fast against the larger variance."""
        return bool(self.fastest * np.sqrt(max(q1, q2)) >= _LEAST_PHASE)

    def __call__(self, q1: float, q2: float, c: Array) -> tuple[Array, Array]:
        """Return the kernel and an estimate of its rounding, for covariances of shape (n,)."""
        value, error = np.zeros(c.shape), np.full(c.shape, _UNDERFLOW)
        one, two = np.full(c.shape, q1), np.full(c.shape, q2)
        for pair in self.pairs:
            squares = [(pair.exponent[0], one), (pair.exponent[1], c), (pair.exponent[2], two)]
            # |c| may exceed sqrt(q1 q2) by a rounding
            exponent = np.maximum(_sum_of_products(squares), 0.0)
            a, b = pair.frequencies
            shifts = _sum_of_products([(a, one), (b, c)]), _sum_of_products([(a, c), (b, two)])
            damping = np.exp(-0.5 * exponent)
            moment, size = _shifted_moment(pair.powers, q1, q2, c, shifts)
            value += damping * (pair.weight * moment).real
            roundings = _ROUNDING + exponent + 4.0 * sum(pair.powers)
            error += roundings * _EPS * damping * abs(pair.weight) * size
        return value, error


@lru_cache(maxsize=256)
def wave_kernel(activation: Activation) -> WaveKernel | None:
    """Return the kernel of an activation that is a sum of waves and powers, with one wave at the least."""
    expr = activation.expr
    if expr is None or not expr.has(sp.sin, sp.cos) or expr.free_symbols != {activation.symbol} or activation.kinks:
        return None
    try:
        terms = to_terms(expr, activation.symbol)
    except OutsideClassError:
        return None
    if len(terms) > _MOST_TERMS or any(t.gate is not None or t.quadratic != 0 or sp.re(t.linear) != 0 for t in terms):
        return None
    frequencies = [sp.im(term.linear) for term in terms]
    weights = [complex(sp.N(term.coefficient * sp.exp(term.constant), 20)) for term in terms]
    pairs = tuple(
        _Pair(
            w * z,
            (left.power, right.power),
            (_double(a * a), _double(2 * a * b), _double(b * b)),
            (_double(a), _double(b)),
        )
        for left, w, a in zip(terms, weights, frequencies, strict=True)
        for right, z, b in zip(terms, weights, frequencies, strict=True)
    )
    return WaveKernel(pairs, max(abs(float(a)) for a in frequencies))


def _double(value: sp.Expr) -> Double:
    high = float(sp.N(value, _DIGITS))
    return high, float(sp.N(value - sp.Rational(high), _DIGITS))


def _sum_of_products(terms: list[tuple[Double, Array]]) -> Array:
    """Return `sum_k a_k x_k` with a relative error of about `eps + eps^2 sum_k |a_k x_k| / |sum|`."""
    total, low = np.zeros_like(terms[0][1]), np.zeros_like(terms[0][1])
    for (high, rest), x in terms:
        product, product_error = two_product(np.float64(high), x)
        total, sum_error = two_sum(total, product)
        low += product_error + sum_error + rest * x
    return total + low


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

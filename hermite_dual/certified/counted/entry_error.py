"""Error bounds of population Gram entries, found afterwards from the values themselves.

At a fixed point the contraction turns a residual into an error, whatever produced the value: a map F that contracts by
`theta < 1` has `|x - x*| <= |x - F(x)|/(1 - theta)`. phi being L-Lipschitz, `sqrt(q)` contracts by `sigma_w L` and, the
diagonal fixed, an off-diagonal entry by `sigma_w^2 L^2`. All functions here are elementwise and return upper bounds.

Derivation: docs/theory/entries.md, "Entries at a fixed point"; docs/theory/tangent_kernel.md, "Proven entries".
"""

from dataclasses import dataclass

import numpy as np
from flint import arb
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array, Indices
from hermite_dual.certified.balls.precision import rounded, upper_float
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma, norm_above
from hermite_dual.certified.counted.horner import horner_step, odd_step
from hermite_dual.errors import InvalidInputError
from hermite_dual.numeric.jit import kernel, prange


def contraction_error(residual: ArrayLike, factor: float) -> Array:
    """`|x - x*| <= residual/(1 - factor)` for a map that contracts by `factor`.

    Args:
        residual: upper bounds of `|x - F(x)|`.
        factor: an upper bound of the contraction factor, below 1.

    Raises:
        InvalidInputError: the factor is not below 1.
    """
    if not 0 <= factor < 1:
        raise InvalidInputError(f"factor = {factor} is not in [0, 1); without a contraction a residual bounds nothing")
    return np.asarray(residual, dtype=np.float64) / (1 - factor) * UP


def root_distance(variance: ArrayLike, error: ArrayLike) -> Array:
    """`|sqrt(q) - sqrt(p)| <= r/(sqrt(q) + sqrt(q - r))` for `|q - p| <= r`; `sqrt(r)` where q is 0.

    Args:
        variance: the float q >= 0.
        error: r.
    """
    q, r = np.asarray(variance, dtype=np.float64), np.asarray(error, dtype=np.float64)
    both = np.sqrt(np.maximum(q, TINY)) + np.sqrt(np.maximum(q - r, 0.0))
    return np.asarray(np.where(q > 0, r / both, np.sqrt(r)) * UP)


def root_error(variance: ArrayLike, residual: ArrayLike, sigma_w: float, lipschitz: float) -> Array:
    """Error of `sqrt(q)` at a diagonal fixed point `q = sigma_w^2 E[phi(sqrt(q) Z)^2] + b`.

    `t -> sqrt(sigma_w^2 E[phi(t Z)^2] + b)` contracts by `sigma_w L`.

    Args:
        variance: the float q > 0.
        residual: upper bounds of `|q - F(q)|`.
        sigma_w: weight scale.
        lipschitz: L.
    """
    return contraction_error(root_distance(variance, residual), sigma_w * lipschitz * (1 + 4 * UNIT))


def variance_error(variance: ArrayLike, error_of_root: ArrayLike) -> Array:
    """`|q - q*| <= e (2 sqrt(q) + e)` for `|sqrt(q) - sqrt(q*)| <= e`."""
    q, e = np.asarray(variance, dtype=np.float64), np.asarray(error_of_root, dtype=np.float64)
    return e * (2 * np.sqrt(q) + e) * UP


def kernel_perturbation(
    norm1: ArrayLike,
    norm2: ArrayLike,
    root1: ArrayLike,
    root2: ArrayLike,
    covariance: ArrayLike,
    root_errors: tuple[ArrayLike, ArrayLike],
    covariance_error: ArrayLike,
    lipschitz: float,
) -> Array:
    """Bound of `|k(q1, q2, c) - k(q1', q2', c')|` for an L-Lipschitz activation.

    At fixed correlation `||phi(t Z) - phi(t' Z)|| <= L |t - t'|` in L2, so the change is at most
    `L e1 (N2 + L e2) + L e2 N1`. The correlations differ by at most
    `(e_c + |c'| |1/(t1 t2) - 1/(t1' t2')| t1 t2)/(t1 t2)`, and `|dk/drho| <= L^2 t1 t2`.

    Args:
        norm1: `N1 >= E[phi(t1 Z)^2]^(1/2)` at the known root t1.
        norm2: the same for t2.
        root1: `t1 = sqrt(q1) > 0`.
        root2: `t2 = sqrt(q2) > 0`.
        covariance: c.
        root_errors: bounds e1, e2 of `|t - t'|`, below half of t.
        covariance_error: bound e_c of `|c - c'|`.
        lipschitz: L.
    """
    n1, n2, t1, t2, c, e1, e2, ec = (
        np.asarray(v, dtype=np.float64)
        for v in (norm1, norm2, root1, root2, covariance, root_errors[0], root_errors[1], covariance_error)
    )
    roots = lipschitz * (e1 * (n2 + lipschitz * e2) + e2 * n1)
    ratio = (1 + e1 / t1) * (1 + e2 / t2) / ((1 - e1 / t1) * (1 - e2 / t2)) - 1 + 16 * UNIT
    slope = lipschitz**2 * (ec + (np.abs(c) + ec) * ratio) * (1 + e1 / t1) * (1 + e2 / t2)
    slope = np.where((e1 == 0) & (e2 == 0), lipschitz**2 * ec, slope)
    return (roots + slope) * UP * UP


def nearly_parallel_kernel(
    moments: tuple[Array, Array], radii: tuple[Array, Array], roots: tuple[Array, Array], rho: Array, lipschitz: float
) -> tuple[Array, Array]:
    """Values and errors of `k(q1, q2, rho sqrt(q1 q2))` from both ends of the diagonal, sharp where rho is close to 1.

    `k = (M1 + M2)/2 - E(phi(u) - phi(v))^2/2`, and `0 <= E(phi(u) - phi(v))^2 <= L^2 E(u - v)^2` with
    `E(u - v)^2 = (t1 - t2)^2 + 2 t1 t2 (1 - rho)`.

    Args:
        moments: floats close to `M = E[phi(t Z)^2]`, of either variable.
        radii: bounds of their distance.
        roots: floats within a rounding of `t = sqrt(q)`.
        rho: correlations in [-1, 1].
        lipschitz: L.
    """
    (m1, m2), (t1, t2) = moments, roots
    apart = np.abs(t1 - t2) + 2 * UNIT * (t1 + t2)
    change = lipschitz**2 * (apart * apart + 2 * t1 * t2 * (1 - rho)) * UP
    value = 0.5 * (m1 + m2) - 0.25 * change
    rounding = 4 * UNIT * (m1 + m2 + change)
    return value, (0.25 * change + 0.5 * (radii[0] + radii[1]) + rounding) * UP + TINY


def off_diagonal_error(residual: ArrayLike, perturbation: ArrayLike, sigma_w: float, lipschitz: float) -> Array:
    """Error of a Gram entry at its fixed point.

    `c -> k(q1, q2, sigma_w^2 c + b)` contracts by `sigma_w^2 L^2`; the residual is evaluated at nearby variances and a
    nearby b, which costs the perturbation.
    """
    total = np.asarray(residual, dtype=np.float64) + np.asarray(perturbation, dtype=np.float64)
    return contraction_error(total * UP, (sigma_w * lipschitz) ** 2 * (1 + 8 * UNIT))


def ntk_error(
    K: ArrayLike,
    S: ArrayLike,
    kdot: ArrayLike,
    errors: tuple[ArrayLike, ArrayLike, ArrayLike],
    sigma_w: float,
    lipschitz: float,
) -> Array:
    """Error of `Theta = K + S o Gamma`, `Gamma = kdot/(1 - sigma_w^2 kdot)`, evaluated in float64.

    `|kdot| <= L^2` and `sigma_w^2 L^2 < 1` keep the denominator above `1 - sigma_w^2 L^2` at the true value;
    `|Gamma - Gamma'| = |kdot - kdot'|/((1 - sigma_w^2 kdot)(1 - sigma_w^2 kdot'))`. Seven roundings are added.

    Args:
        K: Gram matrix in float64.
        S: preactivation covariance in float64.
        kdot: dual of the derivative at S in float64.
        errors: bounds of the errors of K, S and kdot.
        sigma_w: weight scale.
        lipschitz: L.
    """
    k, s, d = (np.asarray(v, dtype=np.float64) for v in (K, S, kdot))
    ek, es, ed = (np.asarray(v, dtype=np.float64) for v in errors)
    w2 = sigma_w**2
    floor = 1 - w2 * lipschitz**2 * (1 + 8 * UNIT)
    largest = np.minimum(d + ed, np.maximum(lipschitz**2 * (1 + 4 * UNIT), d))
    near = 1 - w2 * largest * (1 + 4 * UNIT) - 4 * UNIT
    if not floor > 0 or not np.all(near > 0):
        raise InvalidInputError(f"sigma_w * L = {sigma_w * lipschitz} is not below 1; the NTK has no bound there")
    gamma_change = ed / (near * np.maximum(near, floor))
    gamma_size = np.abs(d) / near
    rounding = gamma(10) * (np.abs(k) + np.abs(s) * gamma_size * (1 + w2 * np.abs(d) / near))
    return (ek + es * (gamma_size + gamma_change) + np.abs(s) * gamma_change + rounding + 8 * TINY) * UP * UP


@dataclass(frozen=True)
class SeriesValues:
    """A separable series evaluated in float64.

    Attributes:
        values: `sum_r a_r(q_i) a_r(q_j) rho^r`, shape (n, n).
        errors: bounds of the distance to the kernel itself at the float correlations, shape (n, n).
    """

    values: Array
    errors: Array


# parallel rows are independent; no fastmath, whose reordering the error count does not cover
@kernel
def _evaluate(a: Array, b: Array, rho: Array, stride: int, odd: bool, half: bool, unit: float) -> tuple[Array, Array]:
    """Horner's rule in `rho` (stride 1) or `rho^2` (stride 2), with a running bound of the rounding."""
    (n, degrees), p = a.shape, len(b)
    values, errors = np.zeros_like(rho), np.zeros_like(rho)
    for i in prange(n):
        for j in range(i if half else 0, p):
            x = rho[i, j]
            y = x * x if stride == 2 else x
            total, bound = 0.0, 0.0
            for step in range(degrees):
                r = degrees - 1 - step
                term = a[i, r] * b[j, r]
                total, bound = horner_step(total, bound, y, term, abs(term), stride)
            if odd:
                total, bound = odd_step(total, bound, x)
            values[i, j], errors[i, j] = total, bound * unit
    return values, errors


def compressed(a: Array, *errors: Array) -> tuple[Array, int, bool]:
    """The columns that can be non-zero, the stride between their degrees, and whether they are the odd ones."""
    for first in (0, 1):
        if not any(array[:, 1 - first :: 2].any() for array in (a, *errors)):
            return np.ascontiguousarray(a[:, first::2]), 2, bool(first)
    return a, 1, False


def _coefficient_error(a: Array, da: Array, index: Indices, columns: Indices) -> Array:
    """`sum_r |a_ir a_jr - a'_ir a'_jr|` over all degrees, by Cauchy-Schwarz, for errors da of a, shape (n, p)."""
    size, error = norm_above(a), norm_above(da)
    first = np.multiply.outer(size[index], error[columns])
    return (first + np.multiply.outer(error[index], (size + error)[columns])) * UP + TINY


def separable_series(
    coefficients: list[list[arb]],
    tails: list[arb],
    rho: Array,
    index: Indices | None = None,
    columns: Indices | None = None,
) -> SeriesValues:
    """Evaluate `sum_r a_r(q_i) a_r(q_j) rho_ij^r` with a bound of everything that separates it from the kernel.

    The bound adds rounding (running), the radii of the coefficients and the Parseval remainder
    `|rho|^N sqrt(T_N(q_i) T_N(q_j))`.

    Args:
        coefficients: balls `a_r(q)`, m lists of N balls.
        tails: m upper bounds `T_N(q)`, from `parseval_tail`.
        rho: correlations, shape (n, p), in [-1, 1].
        index: which list belongs to each row, shape (n,); by default row i has list i.
        columns: the same for columns, shape (p,); by default as rows.

    Returns:
        Values and errors.
    """
    rows = np.arange(len(coefficients)) if index is None else index
    others = rows if columns is None else columns
    degrees = len(coefficients[0])
    a, da = (np.array(table) for table in zip(*map(rounded, coefficients), strict=True))
    correlations = np.ascontiguousarray(rho, dtype=np.float64)
    half = columns is None and bool(np.array_equal(correlations, correlations.T))
    packed, stride, odd = compressed(a, da)
    values, errors = _evaluate(packed[rows], packed[others], correlations, stride, odd, half, UNIT)
    if half:
        values, errors = (np.triu(v) + np.triu(v, 1).T for v in (values, errors))
    roots = np.array([upper_float(arb(t).sqrt()) for t in tails])
    power = np.minimum(np.abs(rho) ** degrees * (1 + 64 * UNIT) + TINY, 1.0)
    remainder = np.multiply.outer(roots[rows], roots[others]) * power
    # the running bound's own rounding: at most eight operations per step, all of them on non-negative numbers
    slack = 1 + gamma(8 * degrees + 8)
    radii = _coefficient_error(a, da, rows, others)
    return SeriesValues(values, (errors * slack + radii + remainder * (1 + 8 * UNIT) + 4 * degrees * TINY) * UP)

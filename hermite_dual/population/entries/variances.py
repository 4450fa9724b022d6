"""Variances at the fixed point, and coefficients at many variances, of an infinitely wide model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import AccuracyError, ConvergenceError, NotIntegrableError
from hermite_dual.numeric.chebyshev import PiecewiseChebyshev, chebyshev_nodes, interpolate
from hermite_dual.numeric.gaussian import coefficients, second_moment
from hermite_dual.numeric.mehler import EPS, hermite_series
from hermite_dual.population.entries.price_dual import slope_of
from hermite_dual.population.entries.recursion import LayerRule, Recursion

_FEW = 48
"""Up to this many distinct arguments are evaluated one by one; more go to an interpolant."""
_TOLERANCE = 4e-15
_SUNK = 0.5 * EPS
"""Size of coefficients, relative to all, that no kernel notices."""
_TABLE_DEGREES = (15, 31, 63)
"""Degrees tried for coefficients as functions of log(q); beyond, each variance is integrated by itself."""
_GRID = 16.0
"""Ends of ranges of logarithms are multiples of 1/16."""
LARGEST_VARIANCE = 1e280
"""Beyond it squares of variances overflow."""
_ROOT_TOLERANCE = 4.0 * np.finfo(np.float64).eps


def moment(activation: Activation, variance: float) -> float:
    """Return `E[phi(sqrt(q) Z)^2]`, at q = 0 as well."""
    if variance == 0.0:
        return float(activation(np.array(0.0))) ** 2
    return second_moment(activation, variance)


def moments(activation: Activation, variances: Array) -> Array:
    """Return `E[phi(sqrt(q) Z)^2]` for each variance."""
    return moments_with_error(activation, variances)[0]


def moments_with_error(activation: Activation, variances: Array) -> tuple[Array, float]:
    """Return `E[phi(sqrt(q) Z)^2]` for each variance, and the relative error that interpolation adds, an estimate."""
    if activation.shape.homogeneous:
        return moment(activation, 1.0) * variances, 0.0
    if variances.size > _FEW and variances.min() > 0.0 and np.ptp(variances) > 0.0:
        fit = _moments_between(activation, *grid_range(np.log(variances)))
        if fit is not None:
            return fit(variances), fit.fitted.error
    return on_distinct_with_error(lambda q: moment(activation, q), variances, activation.coarseness)


def fixed_point_variances(activation: Activation, weight: float, inner: Array) -> Array:
    """Return the solutions of `q = weight E[phi(sqrt(q) Z)^2] + t` for each t.

    Args:
        activation: phi, L-Lipschitz with `weight L^2 < 1`, which makes the right side a contraction in sqrt(q).
        weight: sigma_w^2.
        inner: the inputs' part t of the variance, not negative.
    """
    return on_distinct(lambda t: _solve(activation, weight, t), inner, activation.coarseness)


def row_variances(recursion: Recursion, inputs: Array) -> list[Array]:
    """Return the variances `S_ii` that each layer takes in, or those of the limit alone.

    Args:
        recursion: the layers.
        inputs: the inputs' parts t of the variances, shape (n,).

    Raises:
        AccuracyError, NotIntegrableError: the variances of a layer, which is named, outgrow float64 or the domain of
            the kernel.
    """
    if recursion.limit:
        return [fixed_point_variances(recursion.last, recursion.weight, inputs)]
    layers = [inputs]
    for number, layer in enumerate(recursion.layers[:-1], 1):
        layers.append(_variances_above(recursion, number, layer, layers[-1], inputs))
    return layers


def diagonal_above(recursion: Recursion, layers: list[Array], inputs: Array) -> tuple[Array, float]:
    """Return the diagonal of the kernel, and an estimate of the error that interpolation adds, over its largest entry.

    Args:
        recursion: the layers.
        layers: what `row_variances` returns.
        inputs: the inputs' parts of the variances, shape (n,).
    """
    last = recursion.layers[-1]
    kernel, relative = moments_with_error(last.activation, layers[-1])
    if recursion.limit or last.is_kernel:
        return kernel, relative
    return np.asarray(last.above(layers[-1], kernel, inputs)), relative


def diagonal_of(recursion: Recursion, layers: list[Array], inputs: Array, tangent: bool) -> tuple[Array, float]:
    """Return the diagonal of the kernel as `diagonal_above`, or that of the tangent kernel."""
    return (_tangent_diagonal if tangent else diagonal_above)(recursion, layers, inputs)


def _tangent_diagonal(recursion: Recursion, layers: list[Array], inputs: Array) -> tuple[Array, float]:
    tangent, largest = inputs, 0.0
    for layer, variances in zip(recursion.layers, layers, strict=True):
        kernel, relative = moments_with_error(layer.activation, variances)
        slope, slope_relative = moments_with_error(slope_of(layer.activation), variances)
        if recursion.limit:
            room = 1.0 - layer.weight * slope
            tangent = kernel + layer.own(kernel, inputs) * slope / room
            largest = relative + slope_relative / float(room.min())
        else:
            tangent = np.asarray(layer.tangent_above(tangent, slope, kernel, inputs))
            largest += relative + slope_relative
    return tangent, largest


def _variances_above(recursion: Recursion, number: int, layer: LayerRule, below: Array, inputs: Array) -> Array:
    with naming_layer(number, len(recursion.layers)):
        grown = np.asarray(layer.above(below, moments(layer.activation, below), inputs))
    if not (grown <= LARGEST_VARIANCE).all():
        raise AccuracyError(
            f"layer {number + 1} of {len(recursion.layers)} has the variance {grown.max():g}, beyond "
            f"{LARGEST_VARIANCE:g}, where squares overflow: reduce sigma_w, or the depth"
        )
    return grown


@contextmanager
def naming_layer(layer: int, depth: int) -> Iterator[None]:
    """Say in which layer a kernel is out of its domain."""
    try:
        yield
    except (AccuracyError, NotIntegrableError) as error:
        raise type(error)(f"layer {layer} of {depth}: {error}") from error


def layer_variances(recursion: Recursion, top: float) -> list[float]:
    """Return the variances of one row in all layers, or that of the limit alone."""
    return [float(layer[0]) for layer in row_variances(recursion, np.array([top]))]


def _solve(activation: Activation, weight: float, t: float) -> float:
    def excess(q: float) -> float:
        return q - weight * moment(activation, q) - t

    if weight == 0.0 or excess(t) >= 0.0:
        return t
    high = 2.0 * t + 1e-300
    for _ in range(1200):
        if excess(high) > 0.0:
            return _root(excess, t, high)
        high *= 2.0
    raise ConvergenceError(
        f"no variance solves q = sigma_w^2 E[phi(sqrt(q) Z)^2] + {t}: reduce sigma_w, now {np.sqrt(weight):g}"
    )


def _root(excess: Callable[[float], float], low: float, high: float) -> float:
    """Return the root between, in units of the upper end: brentq multiplies values, which underflow if small."""
    share = brentq(lambda s: excess(s * high) / high, low / high, 1.0, xtol=1e-300, rtol=_ROOT_TOLERANCE)
    return float(share * high)


def on_distinct(function: Callable[[float], float], arguments: Array, coarseness: float = 1.0) -> Array:
    """Return the function at each positive argument, by interpolation in logarithms where there are many.

    Args:
        function: positive, smooth in the logarithm.
        arguments: any shape.
        coarseness: that of the activation behind the function.
    """
    return on_distinct_with_error(function, arguments, coarseness)[0]


def on_distinct_with_error(
    function: Callable[[float], float], arguments: Array, coarseness: float = 1.0
) -> tuple[Array, float]:
    """Return the function at each positive argument, and the largest relative deviation seen of an interpolant."""
    distinct, index = np.unique(arguments, return_inverse=True)
    first, last = float(distinct[0]), float(distinct[-1])
    fit = _power_fit(function, first, last, coarseness) if distinct.size > _FEW else None
    if fit is None:
        values, error = np.array([function(float(argument)) for argument in distinct]), 0.0
    else:
        values, error = fit(distinct), fit.fitted.error
    return np.asarray(values[index]).reshape(arguments.shape), error


@dataclass(frozen=True, eq=False)
class _PowerFit:
    """`size (q / middle)^power exp(fitted(log(q / middle)))`.

    In logarithms small values are as accurate, relatively, as large ones; less the power through both ends, and around
    the middle, the numbers interpolated are small and so are their roundings.
    """

    middle: float
    size: float
    power: float
    fitted: PiecewiseChebyshev

    def __call__(self, arguments: Array) -> Array:
        ratios = arguments / self.middle
        return np.asarray(self.size * ratios**self.power * np.exp(self.fitted(np.log(ratios))))


def _power_fit(function: Callable[[float], float], first: float, last: float, coarseness: float) -> _PowerFit | None:
    """Interpolate a function between two arguments; None where it is not positive at them."""
    ends = function(first), function(last)
    if not min(ends) > 0.0:
        return None
    middle = float(np.sqrt(first) * np.sqrt(last))
    low, high = np.log(first / middle), np.log(last / middle)
    power = float(np.log(ends[1] / ends[0]) / (high - low))
    size = function(middle)

    def relative(points: Array) -> Array:
        return np.array([np.log(function(middle * float(np.exp(point))) / size) - power * point for point in points])

    return _PowerFit(middle, size, power, interpolate(relative, float(low), float(high), coarseness * _TOLERANCE))


@lru_cache(maxsize=256)
def _moments_between(activation: Activation, low: float, high: float) -> _PowerFit | None:
    """Interpolate the second moment between two logarithms of variances; None where they lie too far out for it."""
    ends = float(np.exp(low)), float(np.exp(high))
    with suppress(AccuracyError, NotIntegrableError):
        return _power_fit(lambda q: moment(activation, q), *ends, activation.coarseness)
    return None


def grid_range(logs: Array) -> tuple[float, float]:
    """Return the ends of a range of logarithms, rounded outwards so that new data find old interpolants."""
    low, high = np.floor(_GRID * logs.min()) / _GRID, np.ceil(_GRID * logs.max()) / _GRID
    return float(low), float(max(high, low + 1.0 / _GRID))


def coefficient_table(activation: Activation, variances: Array, most: int | None = None) -> tuple[Array, Array]:
    """Return rows `a_r(q_i)` and Parseval remainders `T(q_i)` for each variance.

    All rows have the length that the largest variance asks for, or `most` if that is less. Where there are many
    variances, coefficients at Chebyshev nodes in log(q) are interpolated; they are as smooth in q > 0 as Gaussian
    smoothing makes them.
    """
    distinct, index = np.unique(variances, return_inverse=True)
    count = hermite_series(activation, float(distinct[-1])).coefficients.size
    count = count if most is None else min(count, most)
    if distinct.size <= _FEW:
        table = _rows(activation, distinct, count)
    else:
        table = _interpolated_table(activation, distinct, count)
    totals = moments(activation, distinct)
    tails = np.maximum(totals - np.sum(table**2, axis=1), 0.0) + 4.0 * EPS * totals
    return table[index], tails[index]


def _rows(activation: Activation, variances: Array, count: int) -> Array:
    """Return the first coefficients at each of increasing variances.

    Those at a smaller variance decay faster: what has sunk below rounding at one is taken to be 0 at all below it.
    """
    table = np.zeros((variances.size, count))
    for i in range(variances.size - 1, -1, -1):
        row = coefficients(activation, float(variances[i]), count)
        table[i, :count] = row
        count = int(np.flatnonzero(np.abs(row) > _SUNK * np.linalg.norm(row)).max(initial=0)) + 2
        count = min(count, row.size)
    return table


def _interpolated_table(activation: Activation, distinct: Array, count: int) -> Array:
    logs = np.log(distinct)
    low, high = float(logs[0]), float(logs[-1])
    probes = distinct[[0, distinct.size // 3, distinct.size // 2, -2]]
    direct = _rows(activation, probes, count)
    scales = np.sqrt(np.sum(direct**2, axis=1))[:, None]
    for degree in _TABLE_DEGREES:
        if 2 * degree > distinct.size:
            break
        nodes = chebyshev_nodes(degree)
        values = _rows(activation, np.exp(0.5 * (low + high) + 0.5 * (high - low) * nodes), count)
        probed = _barycentric((2.0 * np.log(probes) - low - high) / (high - low), nodes) @ values
        if (np.abs(probed - direct) / scales).max() <= activation.coarseness * _TOLERANCE:
            return np.asarray(_barycentric((2.0 * logs - low - high) / (high - low), nodes) @ values)
    return _rows(activation, distinct, count)


def _barycentric(points: Array, nodes: Array) -> Array:
    """Return the matrix from values at Chebyshev nodes of the first kind to values at points."""
    count = nodes.size
    weights = (-1.0) ** np.arange(count) * np.sin((np.arange(count) + 0.5) * np.pi / count)
    gaps = points[:, None] - nodes[None, :]
    exact = gaps == 0.0
    gaps[exact] = 1.0
    terms = weights / gaps
    rows = exact.any(axis=1)
    terms[rows] = exact[rows]
    return np.asarray(terms / terms.sum(axis=1, keepdims=True))

"""One-dimensional Gaussian integrals of an activation: nodes, Hermite coefficients, second moments.

Derivation: docs/theory/numerics.md, "Panels", "Coefficients".
"""

from functools import lru_cache

import numpy as np

from hermite_dual.activation import Activation
from hermite_dual.arrays import Array
from hermite_dual.errors import AccuracyError, NotIntegrableError
from hermite_dual.numeric.mesh import gauss_legendre, panels
from hermite_dual.numeric.noise import noise

ORDER = 24
"""Nodes per panel: exact to degree 47, enough for the activation (16), a second one (16) and the weight on width 1."""
CHECK_ORDER = 20
"""Nodes per panel of the rule against which the error is estimated."""
_SCAN = np.linspace(0.0, 53.0, 425)
"""Standard deviations at which the decay is looked at."""
_BEYOND = np.array([-56.0, 56.0])
"""Where what begins just before the end of the scan has to have decayed."""
_NEGLIGIBLE = np.log(1e-19)
_UNDERFLOW = -500.0
"""Logarithm of `|phi| exp(-z^2/4)` below which the square, and with it every product with a normal density, is 0."""
_SHIFT = 1e-4
_EPS = float(np.finfo(np.float64).eps)
_SQUARE_UNDERFLOWS = 1e-150
_NARROW_REACH = 8.0
_NARROW = 1e-13
_NARROW_ROUNDINGS = 4.0
"""Of a value, in eps: what libraries state of their float32 functions."""
_NARROW_SHIFT = 2.0**-11
_INNERMOST = np.array([1e-6, 1e-9, 1e-12])


@lru_cache(maxsize=4096)
def radii(activation: Activation, variance: float) -> tuple[float, float]:
    """Return the radii beyond which `phi(sqrt(q) z)` is negligible in coefficients and in second moments.

    The first bounds `|phi| exp(-z^2/4)`, which dominates every `phi h_r` under the normal density, the second
    `phi^2 exp(-z^2/2)`, both against 1e-19 of the norm.

    Raises:
        NotIntegrableError: no such radius exists up to 60 standard deviations, or phi^2 is not integrable at a kink.
    """
    scale = np.sqrt(variance)
    probes = np.abs(activation.probes) / scale
    scan = np.union1d(_SCAN, probes[probes < _SCAN[-1]])
    magnitude = np.maximum(np.abs(activation(scale * scan)), np.abs(activation(-scale * scan)))
    _check_singularities(activation)
    with np.errstate(divide="ignore"):
        logs = np.log(magnitude)
    slow = logs - 0.25 * scan**2
    finite = slow[np.isfinite(slow)]
    top = float(finite.max(initial=-700.0))
    # Whatever overflows below 53 deviations is not negligible: exp(-53^2/4) times the largest float64 exceeds 1.
    outermost = slow[scan >= 50.0]
    # Where phi vanishes so far out, what follows is the largest there is: it counts unless it underflows and decays.
    absent = False
    if outermost.max() < _UNDERFLOW:
        with np.errstate(divide="ignore", over="ignore"):
            beyond = np.log(np.abs(activation(scale * _BEYOND)).max()) - 0.25 * _BEYOND[1] ** 2
        absent = bool(beyond <= outermost.max() - 1.0)
    if (outermost > top + _NEGLIGIBLE).any() and not absent:
        raise NotIntegrableError(
            f"{activation!r} is not square-integrable under a normal law of variance {variance:g}, or too close to it "
            "for float64: phi(x)^2 exp(-x^2/(2q)) does not decay; reduce the variance, or damp the growth"
        )
    fast = logs + np.maximum(logs, top) - 0.5 * scan**2
    peak = float(fast[np.isfinite(fast)].max(initial=-700.0))
    outer = scan[slow > top + _NEGLIGIBLE].max(initial=1.0) + _SCAN[1]
    inner = scan[fast > peak + _NEGLIGIBLE].max(initial=1.0) + _SCAN[1]
    return float(outer), float(inner)


@lru_cache(maxsize=256)
def _check_singularities(activation: Activation) -> None:
    places = [(str(kink), float(kink)) for kink in activation.kinks]
    if activation.expr is None:
        places += [(f"{place:.12g}", place) for place in _narrow_places(activation)]
    innermost = _INNERMOST ** (np.log(activation.resolution) / np.log(_EPS))  # as float64 has them, or further out
    for name, position in places:
        distance = innermost * max(1.0, abs(position)) if position else innermost
        for side in (-1.0, 1.0):
            mass = activation(position + side * distance) ** 2 * distance
            if not np.isfinite(mass).all() or mass[2] > 0.5 * mass[0] > 0.0:
                raise NotIntegrableError(
                    f"{activation!r} is not square-integrable at {name}: phi^2 grows at least like 1/|x - {name}|; "
                    "bound the activation there"
                )


def _narrow_places(activation: Activation) -> list[float]:
    """Return where the panels of a Python function shrink to its rounding: at kinks, jumps and poles."""
    edges = panels(activation, _NARROW_REACH)
    width = np.diff(edges)
    smallest = _NARROW * activation.coarseness
    narrow = np.flatnonzero(width < smallest * np.maximum(1.0, np.abs(edges[1:])))
    clusters = np.split(narrow, np.flatnonzero(np.diff(edges[narrow]) > _INNERMOST[0]) + 1)
    return [float(edges[cluster[width[cluster].argmin()]]) for cluster in clusters if cluster.size]


@lru_cache(maxsize=1024)
def nodes(activation: Activation, variance: float, width: float, order: int, coefficient: bool) -> tuple[Array, Array]:
    """Return standardized nodes z and Lebesgue weights for integrals of `phi(sqrt(q) z)` against smooth functions.

    Args:
        activation: phi.
        variance: q > 0.
        width: largest panel width, in standard deviations.
        order: nodes per panel.
        coefficient: whether to reach out as far as Hermite coefficients need, or only second moments.
    """
    reach = radii(activation, variance)[0 if coefficient else 1]
    scale = np.sqrt(variance)
    inner = panels(activation, scale * reach) / scale
    base = np.linspace(-reach, reach, 2 * int(np.ceil(reach / width)) + 1)
    return panel_nodes(np.unique(np.concatenate([base, inner[np.abs(inner) < reach]])), order)


def panel_nodes(edges: Array, order: int) -> tuple[Array, Array]:
    """Return Gauss-Legendre nodes and weights on consecutive panels, flattened."""
    unit, weights = gauss_legendre(order)
    width = np.diff(edges)
    return (edges[:-1, None] + width[:, None] * unit).ravel(), (width[:, None] * weights).ravel()


def at_nodes(activation: Activation, points: Array) -> Array:
    """Return phi at quadrature nodes; a node that rounding has put onto an integrable singularity counts as 0."""
    values = activation(points)
    return np.where(np.isfinite(values), values, 0.0)


def normal_density(z: Array) -> Array:
    """Return the standard normal density."""
    return np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)


def product_moment(
    activation: Activation, q1: float, q2: float, sign: float, order: int = ORDER, other: Activation | None = None
) -> tuple[float, float]:
    """Return `E[phi(sqrt(q1) Z) psi(sign sqrt(q2) Z)]` and its sum of magnitudes, the correlation being +-1.

    psi is `other`, phi itself by default.
    """
    second = activation if other is None else other
    density, u, v = _product_rule(activation, second, q1, q2, sign, order)
    terms = density * at_nodes(activation, u) * at_nodes(second, v)
    return float(terms.sum()), float(np.abs(terms).sum())


def product_noise(activation: Activation, q1: float, q2: float, other: Activation | None = None) -> float:
    """Return what phi's own noise makes of the product moment at correlation -1, four standard deviations of it.

    There a large value meets one that is small, and may be so by cancellation (squareplus).
    """
    psi = activation if other is None else other
    density, u, v = _product_rule(activation, psi, q1, q2, -1.0, CHECK_ORDER)
    first, second = np.abs(at_nodes(activation, u)), np.abs(at_nodes(psi, v))
    noise_of_product = first * noise(psi, v) + second * noise(activation, u)
    return 4.0 * float(np.sqrt(np.sum((density * noise_of_product) ** 2)))


def _product_rule(
    first: Activation, second: Activation, q1: float, q2: float, sign: float, order: int
) -> tuple[Array, Array, Array]:
    """Weights with the density, and both arguments."""
    reach = max(radii(first, q1)[1], radii(second, q2)[1])
    base = np.linspace(-reach, reach, 2 * int(np.ceil(reach)) + 1)
    cuts = [panels(phi, np.sqrt(q) * reach) / np.sqrt(q) for phi, q in ((first, q1), (second, q2))]
    edges = np.unique(np.concatenate([base, cuts[0], sign * cuts[1]]))
    z, weights = panel_nodes(edges[np.abs(edges) <= reach], order)
    return weights * normal_density(z), np.sqrt(q1) * z, sign * np.sqrt(q2) * z


def mean(activation: Activation, variance: float, order: int = ORDER) -> tuple[float, float]:
    """Return `E[phi(sqrt(q) Z)]` and `E|phi(sqrt(q) Z)|`."""
    z, weights = nodes(activation, variance, 1.0, order, False)
    terms = weights * normal_density(z) * at_nodes(activation, np.sqrt(variance) * z)
    return float(terms.sum()), float(np.abs(terms).sum())


def second_moment(activation: Activation, variance: float, order: int = ORDER) -> float:
    """Return `E[phi(sqrt(q) Z)^2]`."""
    z, weights = nodes(activation, variance, 1.0, order, False)
    values = at_nodes(activation, np.sqrt(variance) * z)
    with np.errstate(over="ignore", under="ignore"):
        # the density first: the square alone may overflow
        moment = float(np.sum(weights * normal_density(z) * values * values))
    largest = float(np.abs(values).max(initial=0.0))
    if not np.isfinite(moment) or (moment == 0.0 and 0.0 < largest < _SQUARE_UNDERFLOWS):
        kind, remedy = ("over", "down") if largest > 1.0 else ("under", "up")
        raise AccuracyError(
            f"{activation!r} at variance {variance:g}: its square {kind}flows float64; scale the activation {remedy}, "
            "as c phi has c^2 times the kernel"
        )
    return moment


@lru_cache(maxsize=4096)
def rounding_factor(activation: Activation, variance: float) -> float:
    """Return the relative rounding of `phi(u) phi(v)`, in units of eps, that its nodes and values carry.

    Four roundings of values and weights, those of the arguments, which phi magnifies by `E|u phi'(u)| / E|phi(u)|`,
    and what `value_factor` counts. The derivative is a difference, taken at a distance where phi's jumps count with
    their density.
    """
    _, u, density, values = _check_rule(activation, variance)
    moved = np.abs(at_nodes(activation, u * (1.0 + _SHIFT)) - values)
    size = float(density @ np.abs(values))
    stretched = 4.0 * float(density @ moved) / size / _SHIFT if size > 0.0 else 0.0  # size may be subnormal
    return 4.0 + stretched + value_factor(activation, variance)


@lru_cache(maxsize=4096)
def value_factor(activation: Activation, variance: float) -> float:
    """Return the rounding of `E|phi(sqrt(q) Z)|` in units of eps that does not come from phi's slope.

    The density is off by `z^2` eps of itself, kinks and sqrt(q) being rounded; beyond the usual `z^2 <= 4` that shows
    where phi vanishes inside many standard deviations. phi's own noise adds up like independent errors; four standard
    deviations of the sum are counted. The rounding of phi's constants is the same at all nodes, and counts beyond the
    usual where it cancels, as in polynomials of a high degree: four times what moving the constants does to the norm.
    """
    z, u, density, values = _check_rule(activation, variance)
    weighted = density * np.abs(values)
    size = float(weighted.sum())
    if not size > 0.0:
        return 0.0
    far = float(weighted @ (z * z)) / size
    # relative to the size before squares are taken, which underflow where phi vanishes far out
    noise_factor = float(np.linalg.norm(density * noise(activation, u) / size)) / _EPS
    return (
        max(far - 4.0, 0.0)
        + 4.0 * noise_factor
        + max(4.0 * _constants_factor(activation, u, density, values) - 4.0, 0.0)
    )


def _constants_factor(activation: Activation, u: Array, density: Array, values: Array) -> float:
    """Return by how much moving the constants of phi moves it, in eps of its norm."""
    moved = activation.with_moved_constants
    if moved is None:
        return 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        change = np.abs(moved(u) - values)
    largest = float(np.abs(values).max())  # so that no square overflows
    norm = np.sqrt(density @ np.square(values / largest))
    return float(np.sqrt(density @ np.square(np.where(np.isfinite(change), change, 0.0) / largest)) / norm) / _EPS


@lru_cache(maxsize=4096)
def value_error(activation: Activation, variance: float) -> float:
    """Return the error of `phi(sqrt(q) Z)`, relative to its size, from arithmetic narrower than float64; 0 without.

    An argument is rounded once, which phi magnifies by `E|u phi'(u)| / E|phi(u)|`, and each value is off by up to
    `_NARROW_ROUNDINGS` of its own and by phi's noise: what float64 averages away is systematic where so many arguments
    are rounded to the same few.
    """
    if activation.coarseness == 1.0:
        return 0.0
    if variance == 0.0:
        return _NARROW_ROUNDINGS * activation.resolution
    _, u, density, values = _check_rule(activation, variance)
    size = float(density @ np.abs(values))
    if not size > 0.0:
        return 0.0
    moved = float(density @ np.abs(at_nodes(activation, u * (1.0 + _NARROW_SHIFT)) - values)) / _NARROW_SHIFT
    scatter = float(density @ noise(activation, u)) / size
    return activation.resolution * (_NARROW_ROUNDINGS + 0.5 * moved / size) + scatter


def _check_rule(activation: Activation, variance: float) -> tuple[Array, Array, Array, Array]:
    """Nodes z, arguments, weights with the density, and phi."""
    z, weights = nodes(activation, variance, 1.0, CHECK_ORDER, False)
    u = np.sqrt(variance) * z
    return z, u, weights * normal_density(z), at_nodes(activation, u)


def coefficients(activation: Activation, variance: float, count: int, order: int = ORDER) -> Array:
    """Return `a_r(q) = E[phi(sqrt(q) Z) h_r(Z)]` for r < count; exactly zero where parity makes them so.

    The normalized polynomials are carried with half the density, as Hermite functions, whose three-term recursion is
    stable and bounded by 1. Panels shrink like `8 / sqrt(count)`, the distance over which `h_r` turns by 8 radians.
    """
    z, weights = nodes(activation, variance, min(1.0, 8.0 / np.sqrt(count + 1.0)), order, True)
    if activation.parity is not None:
        # 0 is a panel end: one half gives the other.
        z, weights = z[z > 0.0], 2.0 * weights[z > 0.0]
    half = np.exp(-0.25 * z * z) / (2.0 * np.pi) ** 0.25
    integrand = weights * half * at_nodes(activation, np.sqrt(variance) * z)
    result = np.empty(count)
    previous, current, following = np.zeros_like(z), half, np.empty_like(z)
    for r in range(count):
        result[r] = integrand @ current
        np.multiply(z, current, out=following)
        previous *= np.sqrt(r)
        following -= previous
        following *= 1.0 / np.sqrt(r + 1.0)
        previous, current, following = current, following, previous
    if activation.parity == "even":
        result[1::2] = 0.0
    elif activation.parity == "odd":
        result[0::2] = 0.0
    return result

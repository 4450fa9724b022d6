"""Activations rescaled and shifted so that the kernels of deep networks do not degenerate.

`gamma (phi(alpha x + beta) + delta)`, its numbers such that the variance map Q and the correlation map C of a layer
have given values and slopes. The conditions are those of Deep Kernel Shaping (arXiv 2110.01765) and of Tailored
Activation Transformations (arXiv 2203.08120); how they are solved here is this package's.

Derivation: docs/theory/design.md, "Shaped activations".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import sympy as sp

from hermite_dual.activation import Activation, ActivationLike, activation
from hermite_dual.arrays import Array
from hermite_dual.errors import AccuracyError, ConvergenceError, InvalidInputError
from hermite_dual.exact_numbers import check_count, real_number
from hermite_dual.float_state import own_float_state
from hermite_dual.notebook import Shown
from hermite_dual.numeric.gaussian import ORDER, nodes, normal_density, second_moment
from hermite_dual.numeric.shifted_moments import ShiftedMoments

_TOLERANCE = 1e-12
"""To which the conditions hold in what is returned."""
_SOLVED = 1e-10
"""Residual of a root; one that is no better is a local minimum, not a root."""
_STARTS = tuple(product((1.0, 0.3, 0.1), (0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 0.0)))
"""Scales and shifts to start from; published solutions have scales of .03 to .4 and shifts of .2 to 1."""
_FARTHEST = (6.0, 30.0)
"""Logarithm of a scale, and shift, beyond which a search has left what float64 tells apart."""
_MOST_LAYERS = 10_000

Conditions = Callable[[float, float], tuple[Array, tuple[float, float]]]
"""From alpha and beta to the two residuals, and gamma and delta."""


@own_float_state
@dataclass(frozen=True, repr=False)
class ShapedActivation(Shown):
    """An activation that meets the conditions; functions of this package take it wherever they take an activation.

    Attributes:
        activation: the shaped activation.
        parameters: the numbers it was made with, by name.
        conditions: the values that the conditions ask for, as they are in `activation`, by name.
    """

    activation: Activation
    parameters: dict[str, float]
    conditions: dict[str, float]


@own_float_state
def deep_kernel_shaping(phi: ActivationLike, depth: int, zeta: float = 1.5) -> ShapedActivation:
    """Return phi shaped by the conditions of Deep Kernel Shaping (arXiv 2110.01765).

    `Q(1) = 1`, `Q'(1) = 1`, `C(0) = 0` and `C'(1) = zeta^(1/depth)`, so that the correlation map of a chain of that
    many layers has the slope zeta at 1.

    Args:
        phi: a formula that is continuous, and not positively homogeneous.
        depth: number of layers of the chain, 1 to 10,000; for other networks pass 1, and as zeta the slope of a layer.
        zeta: above 1.

    Returns:
        With the parameters alpha, beta, gamma, delta of `gamma (phi(alpha x + beta) + delta)`. Of several solutions
        the one with the smallest shift `|beta|`, and of two equal ones that with the positive shift.

    Raises:
        InvalidInputError: an argument is out of range, or phi is no formula or jumps.
        ConvergenceError: no solution exists near the starts of the search.
        AccuracyError: the conditions hold to less than 1e-12.

    >>> shaped = deep_kernel_shaping("softplus", depth=100)
    >>> [round(value, 9) for value in shaped.conditions.values()]
    [1.0, 1.0, 0.0, 1.004062882]
    """
    original = _formula(phi)
    depth, zeta = check_count("depth", depth, 1, "the number of layers", _MOST_LAYERS), _above("zeta", zeta, 1.0)
    slope = zeta ** (1.0 / depth)
    moments = ShiftedMoments(original, original.derivative())

    def conditions(alpha: float, beta: float) -> tuple[Array, tuple[float, float]]:
        z, weights, (values, slopes) = moments.nodes(alpha, beta)
        mean = float(weights @ values)
        centred = values - mean
        variance = float(weights @ centred**2)
        stretch = 0.5 * float(weights @ ((z * z - 1.0) * centred**2)) / variance
        steepness = alpha * alpha * float(weights @ slopes**2) / variance
        return np.array([stretch - 1.0, steepness - slope]), (1.0 / math.sqrt(variance), -mean)

    targets = {"Q(1)": 1.0, "Q'(1)": 1.0, "C(0)": 0.0, "C'(1)": slope}
    return _shaped(original, [conditions], targets, "deep kernel shaping")


@own_float_state
def tailored_activation(phi: ActivationLike, depth: int, tau: float = 0.3) -> ShapedActivation:
    """Return a smooth phi shaped by the conditions of Tailored Activation Transformations (arXiv 2203.08120).

    `Q(1) = 1`, `Q'(1) = 1`, `C'(1) = 1` and `C''(1) = tau/depth`, so that the correlation map of a chain of that many
    layers has the second derivative tau at 1.

    Args:
        phi: a formula with a continuous derivative.
        depth: number of layers of the chain, 1 to 10,000; for other networks pass 1, and as tau the curvature of a
            layer.
        tau: above 0.

    Returns:
        As `deep_kernel_shaping`.

    Raises:
        InvalidInputError: an argument is out of range, or phi is no formula or has a kink, where `C''(1)` is infinite.
        ConvergenceError: no solution exists near the starts of the search.
        AccuracyError: the conditions hold to less than 1e-12.

    >>> shaped = tailored_activation("tanh", depth=50)
    >>> [round(value, 9) for value in shaped.conditions.values()]
    [1.0, 1.0, 1.0, 0.006]
    """
    original = _formula(phi)
    depth, tau = check_count("depth", depth, 1, "the number of layers", _MOST_LAYERS), _above("tau", tau, 0.0)
    first = original.derivative()
    if first.jumps:
        raise InvalidInputError(
            f"the derivative of {original.name} jumps at {', '.join(map(str, first.jumps))}: C''(1) is infinite there; "
            "use a smooth activation, or tailored_leaky_relu"
        )
    curvature = tau / depth
    moments = ShiftedMoments(original, first, first.derivative())

    def conditions_with(sign: int) -> Conditions:
        def conditions(alpha: float, beta: float) -> tuple[Array, tuple[float, float]]:
            z, weights, (values, slopes, bends) = moments.nodes(alpha, beta)
            mean = float(weights @ values)
            steepness = alpha * alpha * float(weights @ slopes**2)
            spread = max(steepness - float(weights @ (values - mean) ** 2), 0.0)  # Poincare's inequality
            delta = sign * math.sqrt(spread) - mean
            stretch = 0.5 * float(weights @ ((z * z - 1.0) * (values + delta) ** 2)) / steepness
            bend = alpha**4 * float(weights @ bends**2) / steepness
            return np.array([stretch - 1.0, bend / curvature - 1.0]), (1.0 / math.sqrt(steepness), delta)

        return conditions

    targets = {"Q(1)": 1.0, "Q'(1)": 1.0, "C'(1)": 1.0, "C''(1)": curvature}
    return _shaped(original, [conditions_with(1), conditions_with(-1)], targets, "tailored")


@own_float_state
def tailored_leaky_relu(depth: int, eta: float = 0.9) -> ShapedActivation:
    """Return the leaky ReLU of Tailored Activation Transformations (arXiv 2203.08120).

    `(2/(1+a^2))^(1/2) (max(x, 0) + a min(x, 0))` has `Q(q) = q` and `C'(1) = 1` for every slope a; it is chosen such
    that the correlation map of a chain of that many layers has the value eta at 0.

    Args:
        depth: number of layers of the chain, 1 to 10,000.
        eta: above 0, at most what ReLU reaches at this depth.

    Returns:
        With the parameters negative_slope and gamma.

    Raises:
        InvalidInputError: an argument is out of range.

    >>> round(tailored_leaky_relu(depth=50).parameters["negative_slope"], 6)
    0.430523
    """
    from scipy.optimize import brentq

    depth = check_count("depth", depth, 1, "the number of layers", _MOST_LAYERS)
    eta = _above("eta", eta, 0.0)
    most = _chain(0.0, depth)
    if not eta <= most:
        raise InvalidInputError(
            f"eta = {eta}: at depth {depth} leaky ReLUs reach correlations up to {most:.6g}, that of ReLU; take a "
            "smaller eta or more layers"
        )
    slope = brentq(lambda a: _chain(a, depth) - eta, 0.0, 1.0, xtol=1e-16, rtol=4 * np.finfo(float).eps)
    gamma = math.sqrt(2.0 / (1.0 + slope * slope))
    shaped = activation(sp.Float(gamma) * activation("leaky_relu", alpha=slope).expr)
    shaped.name = f"leaky_relu(alpha={slope:.6g}), tailored"
    measured = {"Q(1)": second_moment(shaped, 1.0), "C_f(0)": _chain(slope, depth)}
    _check({"Q(1)": 1.0, "C_f(0)": eta}, measured, shaped.name)
    return ShapedActivation(shaped, {"negative_slope": slope, "gamma": gamma}, measured)


def _chain(slope: float, depth: int) -> float:
    """`C_f(0)` of a chain of leaky ReLUs."""
    weight = (1.0 - slope) ** 2 / (math.pi * (1.0 + slope * slope))
    c = 0.0
    for _ in range(depth):
        c = min(c + weight * (math.sqrt(1.0 - c * c) - c * math.acos(c)), 1.0)
    return c


def _formula(phi: ActivationLike) -> Activation:
    original = activation(phi)
    if original.expr is None:
        raise InvalidInputError(f"{original.name} is a Python function: give a formula, whose derivatives are known")
    return original


def _above(name: str, value: float, bound: float) -> float:
    number = real_number(value, name, f"allowed are finite numbers above {bound:g}")
    if not number > bound:
        raise InvalidInputError(f"{name} = {value}: allowed are finite numbers above {bound:g}")
    return number


def _shaped(
    original: Activation, systems: list[Conditions], targets: dict[str, float], method: str
) -> ShapedActivation:
    roots = [root for conditions in systems for root in _roots(conditions)]
    if not roots:
        raise ConvergenceError(
            f"no scale and shift of {original.name} meet {_told(targets)}, from {len(_STARTS)} starts. There is "
            "none where the scale (relu) or the shift (exp) changes nothing that gamma does not; otherwise ask for "
            "values closer to those of a linear layer, C'(1) = 1 and C''(1) = 0"
        )
    alpha, beta, gamma, delta = min(roots, key=lambda root: (round(abs(root[1]), 6), -root[1]))
    # exact, as SymPy would round exp(beta + ...) apart, and a continuous activation would jump
    numbers = [sp.Rational(repr(value)) for value in (alpha, beta, gamma, delta)]
    shaped = activation(numbers[2] * (original(numbers[0] * original.symbol + numbers[1]) + numbers[3]))
    shaped.name = f"{original.name}, {method}"
    measured = _measured(shaped, list(targets))
    _check(targets, measured, shaped.name)
    return ShapedActivation(shaped, {"alpha": alpha, "beta": beta, "gamma": gamma, "delta": delta}, measured)


class _LeftError(Exception):
    """A search has gone where nothing is to be had."""


def _roots(conditions: Conditions) -> list[tuple[float, float, float, float]]:
    """All alpha, beta, gamma, delta that the starts lead to."""
    from scipy.optimize import root

    def residuals(point: Array) -> Array:
        if not (abs(point[0]) <= _FARTHEST[0] and abs(point[1]) <= _FARTHEST[1]):
            raise _LeftError
        with np.errstate(all="ignore"):
            return conditions(math.exp(point[0]), float(point[1]))[0]

    roots = []
    for scale, shift in _STARTS:
        try:
            solution = root(residuals, np.array([math.log(scale), shift]), tol=1e-15)
        except (_LeftError, ArithmeticError):
            continue
        if np.abs(solution.fun).max() <= _SOLVED:
            alpha, beta = math.exp(solution.x[0]), float(solution.x[1])
            roots.append((alpha, beta, *conditions(alpha, beta)[1]))
    return roots


def _measured(shaped: Activation, names: list[str]) -> dict[str, float]:
    """The values named, from the activation itself.

    With `E[Z f(Z)] = E[f'(Z)]`, `Q'(1) = E[Z phi phi'] = E[(Z^2 - 1) phi^2]/2`.
    """
    z, weights = nodes(shaped, 1.0, 1.0, ORDER, False)
    weights = weights * normal_density(z)
    values = shaped(z)
    measures = {
        "Q(1)": lambda: float(weights @ values**2),
        "Q'(1)": lambda: 0.5 * float(weights @ ((z * z - 1.0) * values**2)),
        "C(0)": lambda: float(weights @ values) ** 2,
        "C'(1)": lambda: second_moment(shaped.derivative(), 1.0),
        "C''(1)": lambda: second_moment(shaped.derivative().derivative(), 1.0),
    }
    return {name: measures[name]() for name in names}


def _check(targets: dict[str, float], measured: dict[str, float], name: str) -> None:
    off = {key: measured[key] for key, target in targets.items() if not abs(measured[key] - target) <= _TOLERANCE}
    if off:
        raise AccuracyError(
            f"{name} has {_told(off)}, further than {_TOLERANCE} from {_told(targets)}: float64 does not resolve these "
            "conditions; ask for values further from those of a linear layer"
        )


def _told(values: dict[str, float]) -> str:
    return ", ".join(f"{key} = {value:.15g}" for key, value in values.items())

"""Enclosures of everything that the convergence theorem asks of a network at its start.

Equilibrium and sensitivities are floats whose residuals, over `1 - L ||W||_2`, bound their distance from the exact
ones; activation and slope come from balls, products with counted roundings.

Derivation: docs/theory/convergence.md, "The start".
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.rounding import TINY, UNIT, UP, gamma, norm_above
from hermite_dual.certified.counted.entry_error import contraction_error
from hermite_dual.certified.counted.inner_products import inner_products, products_between
from hermite_dual.certified.eigenvalues.spectrum import Spectrum, eigenvalues
from hermite_dual.errors import AccuracyError
from hermite_dual.finite.ball_values import ball_values
from hermite_dual.finite.gradients import solve_sensitivities
from hermite_dual.finite.resolvent import resolvent_norms
from hermite_dual.outcome import Outcome
from hermite_dual.population.theorem.convergence import Start
from hermite_dual.population.theorem.hypothesis_tests import bounded_derivative, slope_bound

if TYPE_CHECKING:
    from hermite_dual.finite.network import FiniteDEQ

_MOST_WORK = 2e13
"""Multiplications for the resolvents, some ten minutes; beyond it the contraction alone bounds them."""


_SMOOTH = (
    "the theorem wants phi' to be Lipschitz continuous, so that kinks of phi are outside; for ReLU see Ling et al., "
    "arXiv 2205.13814"
)


class NotProvenError(Exception):
    """Something that the theorem asks for is refuted or not proven; the message is the reason."""


@dataclass(frozen=True, eq=False)
class _Columns:
    """Columns in floats and how far in the 2-norm each is from the exact one.

    Attributes:
        values: shape (m, n).
        errors: shape (n,).
    """

    values: Array
    errors: Array

    @property
    def norms(self) -> Array:
        """Upper bounds of the exact columns' 2-norms, shape (n,)."""
        return np.asarray((norm_above(self.values.T) + self.errors) * UP)

    def gram(self) -> tuple[Array, Array]:
        """Inner products in floats, and bounds of their distance from the exact ones."""
        values, bounds = inner_products(np.ascontiguousarray(self.values.T))
        norms = norm_above(self.values.T)
        cross = np.multiply.outer(norms, self.errors)
        moved = cross + cross.T + np.multiply.outer(self.errors, self.errors)
        return values, np.asarray((bounds + moved) * UP)


def proven_start(network: "FiniteDEQ", X: Array, y: Array, parameters: tuple[str, ...]) -> Start:
    """Enclose the start of gradient descent.

    Args:
        network: its weights are taken as the exact numbers that its floats are.
        X: samples, shape (n, d).
        y: targets, shape (n,).
        parameters: names of what is trained.

    Raises:
        NotProvenError: a hypothesis fails, or could not be proven.
    """
    if not isinstance(network.W, np.ndarray):
        raise NotProvenError("the weights W are not kept; draw the network with a larger memory")
    weights: dict[str, Any] = {}
    for name in ("W", "U", "b", "a"):
        given = np.asarray(getattr(network, name))
        weights[name] = given.astype(np.float64)
        if not np.array_equal(weights[name], given):
            raise NotProvenError(f"{name} is {given.dtype} and no float64 numbers, in which roundings are counted")
    network, W = replace(network, **weights), weights["W"]
    lipschitz, curvature = _bounds_of_derivatives(network)
    norm, contracts = network.norm_bounds(), network.contraction()
    if contracts.outcome is not Outcome.PROVEN or contracts.value is None:
        raise NotProvenError(f"L ||W||_2 is not below 1 as far as is proven: {contracts.explanation}")
    contraction = contracts.value
    try:
        states, slopes, slope_error = _equilibrium(network, X, lipschitz, curvature, contraction, norm.upper)
    except AccuracyError as error:
        raise NotProvenError(str(error)) from error
    h, g = _sensitivities(network, slopes, slope_error, lipschitz, contraction, norm.upper)
    trained = [float(name in parameters) for name in ("W", "U", "b")]
    inner, inner_error = states.gram()
    outer, outer_error = inner_products(X)
    # rows of [Z; X^T; 1] that are trained
    total = inner * trained[0] + outer * trained[1] + trained[2]
    modulus = np.abs(inner) * trained[0] + np.abs(outer) * trained[1] + trained[2]
    total_error = (inner_error * trained[0] + outer_error * trained[1] + 3 * UNIT * modulus) * UP
    gamma_matrix, gamma_error = g.gram()
    theta = gamma_matrix * total
    theta_error = np.abs(gamma_matrix) * total_error + gamma_error * (np.abs(total) + total_error)
    if "a" in parameters:
        theta = theta + inner
        theta_error = theta_error + inner_error
    tangent = _spectrum(theta, (theta_error + 4 * UNIT * (np.abs(gamma_matrix * total) + np.abs(theta))) * UP + TINY)
    if not tangent.lower[0] > 0.0:
        raise NotProvenError(
            f"the least eigenvalue of the tangent kernel is not proven positive: it lies in [{tangent.lower[0]:.3g}, "
            f"{tangent.upper[0]:.3g}]; take samples that are less parallel, or a larger width"
        )
    least_states = max(0.0, float(_spectrum(inner, inner_error).lower[0])) if "a" in parameters else 0.0
    resolvent, slope_resolvent = _resolvents(W, slopes, slope_error, norm.upper, contraction, lipschitz)
    squares = trained[0] * states.norms**2 + trained[1] * norm_above(X) ** 2 + trained[2]
    return Start(
        residual=_residual(network, states, y),
        least=math.sqrt(tangent.lower[0]) * (1 - 4 * UNIT),
        least_states=math.sqrt(least_states) * (1 - 4 * UNIT),
        largest=math.sqrt(tangent.upper[-1]) * (1 + 4 * UNIT),
        norm=norm.upper,
        column=float(norm_above(W.T).max()),
        inputs=math.sqrt(max(0.0, float(_spectrum(total, total_error).upper[-1]))) * (1 + 4 * UNIT),
        input_column=math.sqrt(float(squares.max())) * UP,
        peak=float((np.abs(h.values).max(axis=0) + h.errors).max()) * UP,
        sensitivity=float(g.norms.max()),
        resolvent=resolvent,
        slope_resolvent=slope_resolvent,
        lipschitz=lipschitz,
        curvature=curvature,
        parameters=parameters,
        readout=float(norm_above(np.asarray(network.a))),
    )


def _bounds_of_derivatives(network: "FiniteDEQ") -> tuple[float, float]:
    bounds = []
    for order in (1, 2):
        bound = slope_bound(network.activation, order)
        if bound.outcome is not Outcome.PROVEN:
            hypothesis = bounded_derivative(bound, order)
            fact = f"{hypothesis.name} is {hypothesis.outcome.value}: {hypothesis.explanation}"
            raise NotProvenError(f"{fact}; {_SMOOTH}" if order == 2 else fact)
        bounds.append(bound.upper)
    return bounds[0], bounds[1]


def _equilibrium(
    network: "FiniteDEQ", X: Array, lipschitz: float, curvature: float, contraction: float, norm: float
) -> tuple[_Columns, Array, float]:
    """States with their errors, slopes, and how far a slope may be from the exact one."""
    W, U, b = np.asarray(network.W), np.asarray(network.U), np.asarray(network.b)
    Z = np.asarray(network.equilibrium(X).Z)
    recurrent, recurrent_error = products_between(W, Z.T, norm_above(W), norm_above(Z.T))
    driven, driven_error = products_between(U, X, norm_above(U), norm_above(X))
    points = recurrent + driven + b[:, None]
    lost = recurrent_error + driven_error + 3 * UNIT * (np.abs(recurrent) + np.abs(driven) + np.abs(b)[:, None])
    lost = (lost + 4 * TINY) * UP
    shape = network.activation.shape
    values, value_error = ball_values(shape, points, 0)
    slopes, slope_error = ball_values(shape, points, 1)
    gap = np.abs(Z - values) * (1 + 2 * UNIT) + value_error + lipschitz * lost
    states = _Columns(Z, contraction_error(norm_above(gap.T) * UP, contraction))
    moved = (norm * states.errors + norm_above(lost.T)) * UP
    return states, slopes, (float(slope_error.max()) + curvature * float(moved.max())) * UP


def _sensitivities(
    network: "FiniteDEQ", slopes: Array, slope_error: float, lipschitz: float, contraction: float, norm: float
) -> tuple[_Columns, _Columns]:
    """The vectors `h_i = a + W^T g_i` and `g_i = D_i h_i` with their errors."""
    W, a = np.asarray(network.W), np.asarray(network.a)
    G = np.asarray(solve_sensitivities(slopes, W, a, xp=np))
    product, lost = products_between(np.ascontiguousarray(W.T), G.T, norm_above(W.T), norm_above(G.T))
    h = product + a[:, None]
    lost = (lost + 2 * UNIT * np.abs(h)) * UP
    scaled = slopes * h
    gap = np.abs(G - scaled) * (1 + 2 * UNIT) + UNIT * np.abs(scaled) + TINY
    residual = (norm_above(gap.T) + slope_error * norm_above(h.T) + lipschitz * norm_above(lost.T)) * UP
    g = _Columns(G, contraction_error(residual, contraction))
    return _Columns(h, (norm * g.errors + norm_above(lost.T)) * UP), g


def _residual(network: "FiniteDEQ", states: _Columns, y: Array) -> float:
    """An upper bound of `|a^T Z - y|`."""
    a = np.asarray(network.a)
    size = float(norm_above(a))
    outputs = a @ states.values
    lost = size * (gamma(len(a)) * norm_above(states.values.T) + states.errors) + 2 * UNIT * np.abs(outputs)
    return float(norm_above((np.abs(outputs - y) * (1 + 2 * UNIT) + lost * UP) * UP + TINY * len(a)))


def _resolvents(
    W: Array, slopes: Array, slope_error: float, norm: float, contraction: float, lipschitz: float
) -> tuple[float, float]:
    """Bounds of both resolvents at the exact slopes."""
    m, n = slopes.shape
    plain = UP / (1 - contraction), lipschitz * UP / (1 - contraction)
    if float(n) * m**3 > _MOST_WORK:
        return plain
    full, sloped = resolvent_norms(W, slopes)
    change = norm * slope_error * UP
    if not full * change < 0.5:
        return plain
    moved = full / (1 - full * change) * UP
    return min(moved, plain[0]), min((sloped + slope_error * (1 + sloped * norm) * moved) * UP, plain[1])


def _spectrum(matrix: Array, error: Array) -> Spectrum:
    """Enclosures of all eigenvalues of a matrix made of inner products, which is symmetric to the last bit."""
    if not (np.isfinite(matrix).all() and np.isfinite(error).all()):
        raise NotProvenError("inner products leave the range of float64; scale the samples, or draw smaller weights")
    spectrum = eigenvalues(matrix, error)
    if spectrum.outcome is not Outcome.PROVEN:
        raise NotProvenError(f"eigenvalues at the start are not proven: {spectrum.reason}")
    return spectrum

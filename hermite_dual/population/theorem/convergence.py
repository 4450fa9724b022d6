"""A theorem of global convergence for one network: gradient descent reaches zero loss, at a linear rate.

Going from the start in any direction, everything that the proof needs is bounded by numbers of the start and of the
distance t: the resolvents, hence states and sensitivities, hence the Jacobian J of the outputs. H(t) is its Lipschitz
constant, c(t) that of the states, so `sigma_min(J) >= sigma(t) = max(s - integral H, s_Z - integral c)`. A step of
length D changes the residual by `|r'| <= |r| - (chi sigma - H D/2) D`, D at most `eta ||J|| |r|`, chi near 1 for
`eta ||J||^2 <= 1`, hence the path of gradient descent is shorter than R if

    chi integral_0^R sigma(t) dt > |r| (1 + e (integral_0^R H(t) dt + e |r| H(R))/2),   e = eta ||J|| .

Distances are cut into short intervals, on each of which the bounds are those of its end. All numbers here are balls;
every comparison holds for all of their points.

Derivation: docs/theory/convergence.md, "On the way", "The theorem", "What each bound is worth".
"""

import math
from dataclasses import dataclass

from flint import arb

from hermite_dual.certified.balls.precision import lower_float, upper_float, working_precision
from hermite_dual.notebook import Shown

_BITS = 80  # of the scalars; the bounds of the start are floats
_INTERVALS = 400  # about so many reach from the start to where the least singular value could vanish
_GROWTH = 0.05  # of an interval, relative to its distance from the start: short distances are resolved too
_KAPPAS = (1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0)  # of `efficiency`, which is sharp to some percent
_HALVINGS = 30  # of the interval that holds the largest step
_SWEEPS = 4  # of the equations of both resolvents on an interval, each from an upper bound to a better one


@dataclass(frozen=True, repr=False)
class Start(Shown):
    """What is known of a network, its data and its state before the first step; bounds of numbers at exact parameters.

    Attributes:
        residual: `|r| <= residual`, r the outputs less the targets.
        least: `sigma_min(J) >= least`, J the Jacobian of the outputs, `J J^T` the standard tangent kernel.
        least_states: `sigma_min(Z) >= least_states`; 0 where the readout is not trained.
        largest: `sigma_max(J) <= largest`.
        norm: `||W||_2 <= norm`.
        column: no column of W is longer.
        inputs: `||[Z; X^T; 1]||_2 <= inputs`, rows of what is not trained left out.
        input_column: no column of the same matrix is longer.
        peak: `|h_ik| <= peak`, `h_i = a + W^T g_i`.
        sensitivity: `|g_i| <= sensitivity`.
        resolvent: `||(I - W D_i)^-1||_2 <= resolvent`.
        slope_resolvent: `||D_i (I - W D_i)^-1||_2 <= slope_resolvent`.
        lipschitz: `sup |phi'| <= lipschitz`.
        curvature: `sup |phi''| <= curvature`.
        parameters: names of what is trained.
        readout: `|a| <= readout`, where it is known.
    """

    residual: float
    least: float
    least_states: float
    largest: float
    norm: float
    column: float
    inputs: float
    input_column: float
    peak: float
    sensitivity: float
    resolvent: float
    slope_resolvent: float
    lipschitz: float
    curvature: float
    parameters: tuple[str, ...]
    readout: float = math.inf


@dataclass(frozen=True)
class Ball:
    """What holds in the ball of a radius around the start, as balls of numbers.

    Attributes:
        radius: R.
        resolvent: `||(I - W D_i)^-1||_2` is at most this.
        slope_resolvent: `||D_i (I - W D_i)^-1||_2` is.
        H: Lipschitz constant of the Jacobian.
        bend: `integral_0^R H(t) dt`.
        gain: `integral_0^R sigma(t) dt`.
        least: `sigma(R)`, positive.
        largest: `||J|| <= largest`.
    """

    radius: float
    resolvent: arb
    slope_resolvent: arb
    H: arb
    bend: arb
    gain: arb
    least: arb
    largest: arb


@dataclass
class _Way:
    """Upper bounds at a distance from the start; `tangent` and `states` are the lower ones of both lines."""

    distance: float
    resolvent: arb
    slope_resolvent: arb
    inputs: arb
    column: arb
    peak: arb
    sensitivity: arb
    tangent: arb
    states: arb
    largest: arb
    gain: arb
    bend: arb
    H: arb
    c: arb


def balls_around(start: Start) -> list[Ball]:
    """Balls of growing radius around the start, as far as their constants are proven and `sigma(R) > 0`."""
    with working_precision(_BITS):
        way = _Way(
            distance=0.0,
            resolvent=arb(start.resolvent),
            slope_resolvent=arb(start.slope_resolvent),
            inputs=arb(start.inputs),
            column=arb(start.input_column),
            peak=arb(start.peak),
            sensitivity=arb(start.sensitivity),
            tangent=arb(start.least),
            states=arb(start.least_states),
            largest=arb(start.largest),
            gain=arb(0),
            bend=arb(0),
            H=arb(0),
            c=arb(0),
        )
        if not _advance(start, way, 0.0):
            return []
        speeds = ((start.least, way.H), (start.least_states, way.c))
        reach = max((upper_float(arb(s) / rate) for s, rate in speeds if s > 0 and rate > 0), default=math.inf)
        shortest = start.residual / start.least
        # a linear model, where only the readout is trained, has no end
        longest = min(reach, 4.0 * shortest) if math.isinf(reach) else reach
        balls: list[Ball] = []
        while len(balls) < 4 * _INTERVALS:
            step = min(longest / _INTERVALS, max(shortest / 16, _GROWTH * way.distance))
            if not _advance(start, way, step):
                break
            least = way.tangent.max(way.states)
            constants = way.resolvent, way.slope_resolvent, way.H, way.bend, way.gain
            balls.append(Ball(way.distance, *constants, least, way.largest))
        return balls


def _advance(start: Start, way: _Way, step: float) -> bool:
    """Go on by a step; False where a bound is lost or both lines have come to 0."""
    end = math.nextafter(way.distance + step, math.inf) if step else way.distance
    h = arb(end) - arb(way.distance)
    recurrent, readout, driven = "W" in start.parameters, "a" in start.parameters, set(start.parameters) != {"a"}
    L, M = arb(start.lipschitz), arb(start.curvature)
    moved = arb(end) if recurrent else arb(0)  # how far W may be from its start, and on this interval
    hW = h if recurrent else arb(0)
    longest = arb(start.column) + moved  # column of W
    kappa = 1 - L * (arb(start.norm) + moved)
    if not kappa > 0:
        return False
    nu, slope_nu = 1 / kappa, L / kappa  # what the contraction alone gives
    for _ in range(_SWEEPS):
        if not slope_nu * hW < 1:
            return False
        reached = way.column / (1 - slope_nu * hW)
        shift = nu * reached * h if driven else arb(0)  # of the preactivations
        change = way.resolvent * (L * hW + longest * M * shift)
        sloped = way.slope_resolvent * hW
        if change < 1 and sloped < 1:
            better = way.resolvent / (1 - change)
            grown = way.slope_resolvent + M * shift * (1 + way.slope_resolvent * longest) * nu
            nu, slope_nu = _up(nu.min(better)), _up(slope_nu.min(grown / (1 - sloped)))
    inputs = way.inputs / (1 - slope_nu * hW)
    turned = (arb(int(readout)) + (way.sensitivity**2 if recurrent else 0)).sqrt() * h
    sensitivity = slope_nu * turned + nu * M * shift * way.peak
    longest_h = (arb(start.readout) + (arb(end) if readout else 0)) / kappa  # |h_i|, by the contraction alone
    way.peak = _up((way.peak + turned + (arb(start.norm) + moved) * sensitivity).min(longest_h))
    way.sensitivity = _up((way.sensitivity + sensitivity).min(L * longest_h))
    way.resolvent, way.slope_resolvent, way.inputs, way.column = nu, slope_nu, _up(inputs), _up(reached)
    T = M * way.peak * nu**2 * way.column * way.inputs if driven else arb(0)
    if recurrent:
        T += 2 * way.sensitivity * slope_nu * way.inputs
    c = slope_nu * way.inputs if driven else arb(0)
    cross = c if readout else arb(0)
    H = _up(T / 2 + (T * T / 4 + cross * cross).sqrt())
    largest = way.largest + H * h
    if recurrent or not readout:  # else Z, the derivative by the readout, is no part of the inputs
        largest = largest.min(way.inputs * (arb(int(readout)) + way.sensitivity**2).sqrt())
    tangent, states = way.tangent - H * h, way.states - c * h
    # both lines are straight on the interval, and the larger one is at least either of them
    sides = (way.tangent + tangent) / 2, (way.states + states) / 2
    way.gain = way.gain + h * sides[0].max(sides[1])
    way.bend = _up(way.bend + h * H)
    way.tangent, way.states, way.largest, way.H, way.c = tangent, states, _up(largest), H, c
    way.distance = end
    return bool(tangent > 0 or states > 0)


def _up(value: arb) -> arb:
    """The upper end, so that radii do not add up."""
    return arb(upper_float(value))


def efficiency(start: Start, here: Ball, step: float) -> arb:
    """A number chi with `|g|^2 - eta |J g|^2/2 >= chi sigma |r| |g|` for `g = J^T r`, at every point of the ball.

    Since `|r| |g| <= (tau |r|^2 + |g|^2/tau)/2`, it suffices that `lambda (1 - eta lambda/2)` is at least
    `chi sigma (tau + lambda/tau)/2` at all eigenvalues of `J J^T`: it is concave, so at both ends. Any
    `tau = kappa sigma` serves.
    """
    eta = arb(step)
    most = arb(max(start.least, start.least_states))  # sigma is nowhere larger
    low, high = eta * most**2 / 2, eta * here.largest**2
    ratio = (most / here.largest) ** 2
    best = arb(0)
    for kappa in _KAPPAS:
        k = arb(kappa)
        best = best.max((2 * (1 - low) / (k + 1 / k)).min(k * (2 - high) / (1 + k * k * ratio)))
    return best


def residual_threshold(start: Start, here: Ball, step: float) -> float:
    """A lower bound of the residuals below which the theorem holds with this radius and step."""
    with working_precision(_BITS):
        reach = arb(step) * here.largest  # times the residual: the longest step
        linear, square = 1 + reach * here.bend / 2, reach * reach * here.H / 2
        gain = efficiency(start, here, step) * here.gain
        return max(0.0, lower_float(2 * gain / (linear + (linear * linear + 4 * square * gain).sqrt())))


def largest_step(start: Start, here: Ball) -> float:
    """A step, about the largest, up to which the theorem holds with this radius; 0 if there is none."""
    if not start.residual < lower_float(here.gain):
        return 0.0
    size = lower_float(here.largest)
    low, high = 0.0, 2.0 / (size * size)  # a square that overflows leaves no step
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if start.residual < residual_threshold(start, here, middle) else (low, middle)
    return low


def loss_rate(start: Start, here: Ball, step: float) -> float:
    """A lower bound of the part of the loss that every step removes; 0 where the theorem does not hold.

    `|r'| <= |(I - eta J J^T) r| + H |eta g|^2/2`: by the eigenvalues of `J J^T`, or by `efficiency`; the better serves.
    """
    if not start.residual < residual_threshold(start, here, step):
        return 0.0
    with working_precision(_BITS):
        eta, j, sigma = arb(step), here.largest, here.least
        bent = here.H * eta * j * arb(start.residual) / 2
        spectral = (eta * sigma**2).min(2 - eta * j**2) - eta * j * bent
        energetic = eta * sigma * (efficiency(start, here, step) * sigma - bent)
        removed = spectral.max(energetic).min(arb(1))  # of the residual
        return lower_float(removed * (2 - removed)) if removed > 0 else 0.0

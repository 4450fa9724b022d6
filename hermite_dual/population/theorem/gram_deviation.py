"""How far the Gram matrix of a network with random weights is from its limit, with explicit constants.

On an event A of the weights that fails with probability p, all is Lipschitz. The cavity of a neuron, the network with
its row of weights zero, does not depend on that row, so that in the cavity its preactivation is Gaussian: that bounds
`||E G - K||`; Poincare's inequality bounds `E ||G - E G||`, Gaussian concentration what is seen with probability.

Scalars are balls, vectors over the samples floats of non-negative terms that end with a factor `UP`.

Derivation: docs/theory/random_weights.md, "The event", "The cavity", "Second moments", "The mean",
"The least singular value".
"""

import math
from dataclasses import dataclass

import numpy as np
from flint import arb

from hermite_dual.arrays import Array
from hermite_dual.certified.balls.precision import lower_float, upper_float, working_precision
from hermite_dual.certified.balls.rounding import UP, norm_above, sum_above
from hermite_dual.population.theorem.limit_numbers import LimitNumbers

_BITS = 80  # of scalars
_RARE_BITS, _RARE_POWER = 60, 6
"""`p = min(2^-60, m^-6)`: what A's failure adds to a bound, p^(1/4) at most, is then far below `m^(-1/2)`."""
_NETS = tuple(2.0**-k for k in range(1, 31))
"""Distances of nets on the sphere, of which the one with the best bound is taken."""
_HALVINGS = 20  # of the interval that holds a distance
_FARTHEST = 2.0**20  # distance, relative to K, that says nothing any more
_FOURTH = 1.31608  # above 3^(1/4), the L^4 norm of a standard normal variable


@dataclass(frozen=True)
class Deviation:
    """What holds at one width m, `G = Z^T Z/m`; expectations are those given the event A.

    Attributes:
        rare: p, the probability with which A fails at most.
        norm: `||W||_2 <= norm` on A.
        column: no column of W is longer on A.
        kappa: `1 - L ||W||_2 >= kappa > 0` on A.
        gain: `L/kappa`.
        mean: `||E G - K||_2 <= mean`.
        distance: `E ||G - K||_2 <= distance`.
        trace: `E tr G <= trace`.
        width: m.
        limit: the numbers that it was made from.
    """

    rare: arb
    norm: arb
    column: arb
    kappa: arb
    gain: arb
    mean: arb
    distance: arb
    trace: arb
    width: float
    limit: LimitNumbers

    def slope(self, size: arb) -> arb:
        """How fast `||Z||_2/sqrt(m)`, its least singular value and Frobenius norm move, where the first is `size`."""
        weight = arb(self.limit.sigma_w) * size
        return self.gain * ((weight**2 + arb(self.limit.input_norm)) / arb(self.width)).sqrt()

    def reach(self, base: arb, failure: arb) -> arb | None:
        """The x with `x = base + slope(x) sqrt(2 log(1/failure))`; None where there is none."""
        e = self.gain * (2 * (1 / failure).log() / arb(self.width)).sqrt()
        weight = arb(self.limit.sigma_w) ** 2
        room = 1 - e**2 * weight
        if not room > 0:
            return None
        return _up((base + e * (weight * base**2 + room * arb(self.limit.input_norm)).sqrt()) / room)

    def size(self, failure: arb) -> arb | None:
        """A bound of `||Z||_2/sqrt(m)` on A but for a probability."""
        return self.reach((arb(self.limit.largest) + self.distance).sqrt(), failure)

    def root_trace(self, size: arb, failure: arb) -> arb | None:
        """A bound of `sqrt(tr G)` where `||Z||_2 <= size sqrt(m)`, on A but for a probability."""
        reached = self.reach(size + self.trace.sqrt(), failure)
        return None if reached is None else _up(reached - size)

    def least(self, size: arb, failure: arb) -> arb:
        """A lower bound of `sigma_min(Z)/sqrt(m)` where `||Z||_2 <= size sqrt(m)`, on A but for a probability."""
        spread = self.slope((arb(self.limit.largest) + self.distance).sqrt())
        square = arb(self.limit.least) - self.mean - spread**2
        if not square > 0:
            return arb(0)
        middle = square.sqrt()
        slope, n = self.slope(size + arb(self.limit.least).sqrt()), len(self.limit.states)
        best = arb(0)
        for eta in _NETS:
            points = n * (1 + 2 / arb(eta)).log() + (1 / failure).log()
            best = best.max(middle - spread / 2 - slope * (2 * points).sqrt() - arb(eta) * size)
        return best


def deviation(limit: LimitNumbers, width: float) -> Deviation | None:
    """Bound what a network of a width and its limit differ by.

    Args:
        limit: numbers of the limit.
        width: m >= 1.

    Returns:
        The bounds, or None where the contraction or one of the fixed-point inequalities is lost: at every width where
        `2 sigma_w L >= 1`, and where m is too small.
    """
    with working_precision(_BITS):
        m, L, sigma = arb(width), arb(limit.lipschitz), arb(limit.sigma_w)
        rare = (m ** (-_RARE_POWER)).min(arb(2) ** (-_RARE_BITS))
        norm = sigma * (2 + (2 * (2 / rare).log() / m).sqrt())
        column = sigma * (1 + (2 * (2 * m / rare).log() / m).sqrt())
        kappa = 1 - L * norm
        if not kappa > 0:
            return None
        gain, bent = _up(L / kappa), (1 + (L * column / kappa) ** 2).sqrt()
        fourth_root, root = upper_float(rare.sqrt().sqrt()), upper_float(rare.sqrt())
        inner = limit.inputs**0.5 * UP
        # T, Phi and rho of the theory: fourth moments in the cavity, and what the failure of A adds
        moments = upper_float(sigma / kappa) * (limit.at_zero + _FOURTH * limit.lipschitz * inner) * UP + inner
        values = (limit.at_zero + _FOURTH * limit.lipschitz * moments) * UP
        extra = 4 * fourth_root * (limit.at_zero + limit.lipschitz * moments) * UP
        cavity = _cavity(limit, m, gain, bent, rare, moments, extra)
        if cavity is None:
            return None
        roots, shifts = cavity
        states = (limit.states + limit.lipschitz * (roots + shifts) + extra) * UP
        roots = (roots + 2 * fourth_root * moments) * UP

        trace, total = arb(_total(states)), arb(float(sum_above(limit.inputs)))
        speed = 4 * gain**2 / m
        drained = 1 - speed * sigma**2
        if not drained > 0:
            return None
        square = (trace**2 + speed * arb(limit.input_norm) * trace) / drained
        spread = (speed * (sigma**2 * square + total * trace)).sqrt()

        largest, contraction = arb(limit.largest), (sigma * L) ** 2
        shift = L * arb(_norm(shifts))
        moved = bent * arb(_norm(states + limit.at_zero)) / m.sqrt()
        turned, weighted = _diagonal_change(limit, roots)
        stretched = L * arb(_norm(roots))
        constant = shift**2 + contraction * moved**2 + stretched * (2 * largest.sqrt() + stretched)
        variance = sigma**2 * largest + arb(limit.input_norm)  # ||S||
        constant += L**2 * (2 * turned + variance * weighted)
        constant += 2 * arb(root) * (arb(_total(values)) + L**2 * arb(_total(moments)))
        linear = 2 * (shift + contraction * moved)
        # y^2 - largest <= spread + constant + linear y + contraction (y^2 - largest), y^2 = largest + distance
        kept = 1 - contraction
        if not kept > 0:
            return None
        free = kept * largest + constant + spread
        y = _up((linear + (linear**2 + 4 * kept * free).sqrt()) / (2 * kept))
        distance = _up((y**2 - largest).max(arb(0)))
        mean = _up(constant + linear * y + contraction * distance)
        return Deviation(rare, _up(norm), _up(column), kappa, gain, mean, distance, trace, width, limit)


def gram_distance(limit: LimitNumbers, width: float, failure: float) -> float:
    """A bound of `||G - K||_2` that holds but for a probability; infinite where nothing is proven.

    `P(||G - K|| > x) <= p + exp(-(x - E)^2/(8 y^2 slope(y)^2))`, `y^2 = lambda_max(K) + x`; so
    `x >= E + 2 y slope(y) sqrt(2 log(1/(failure - p)))` serves.

    Args:
        limit: numbers of the limit.
        width: m.
        failure: the probability.
    """
    known = deviation(limit, width)
    with working_precision(_BITS):
        if known is None or not arb(failure) > 2 * known.rare:
            return math.inf
        far = (2 * (1 / (arb(failure) - known.rare)).log()).sqrt()

        def holds(x: float) -> bool:
            size = (arb(limit.largest) + arb(x)).sqrt()
            return bool(arb(x) >= known.distance + 2 * size * known.slope(size) * far)

        low = lower_float(known.distance)
        high = 2.0 * upper_float(known.distance)
        while not holds(high):
            low, high = high, 2.0 * high
            if not high < _FARTHEST * limit.largest:
                return math.inf
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if holds(middle) else (middle, high)
        return high


def _cavity(
    limit: LimitNumbers, m: arb, gain: arb, bent: arb, rare: arb, moments: Array, extra: Array
) -> tuple[Array, Array] | None:
    """`y_i` and `Delta_i`: L^2 distances of roots of variances, and of preactivations from those in the cavity.

    `Delta = first + second y`, `y = a (at_zero) + b g + sigma_w u`, `g <= sqrt(K_ii) + u`, `u = L (Delta + y) + extra`.
    """
    L, sigma = arb(limit.lipschitz), arb(limit.sigma_w)
    noise = sigma * bent / m.sqrt()
    b = _up(noise + arb(2).sqrt() * sigma**2 * gain / m.sqrt())
    far = _up(arb(6).sqrt() * gain * noise / (1 - rare).sqrt())
    lost = 2 * upper_float(rare.sqrt().sqrt()) * moments
    ways = [(upper_float(far) * (np.sqrt(limit.variances) + lost) * UP, far)]
    if math.isfinite(limit.span):
        near = upper_float(noise * arb(limit.span) / (1 - rare).sqrt())
        ways.append((np.full(len(moments), near), arb(0)))
    known = upper_float(noise) * limit.at_zero + upper_float(b) * limit.states
    bounds: list[tuple[Array, Array]] = []
    for first, second in ways:
        room = 1 - (sigma + b) * L * (1 + second)
        if room > 0:
            free = known + upper_float(sigma + b) * (limit.lipschitz * first + extra)
            roots = free * upper_float(1 / room) * UP
            bounds.append((roots, (first + upper_float(second) * roots) * UP))
    if not bounds:
        return None
    return np.min([roots for roots, _ in bounds], axis=0), np.min([shifts for _, shifts in bounds], axis=0)


def _diagonal_change(limit: LimitNumbers, roots: Array) -> tuple[arb, arb]:
    """Bounds of `||(D - I) S||_F` and `||D - I||_F^2`, `D_ii - 1 = e_i/sqrt(S_ii)`, in the mean square."""
    if not roots.any():
        return arb(0), arb(0)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        relative = roots / (limit.least_variances**0.5 * (1 - 2.0**-50)) * UP
    return arb(_norm(relative * limit.covariances)), arb(_total(relative))


def _norm(vector: Array) -> float:
    return float(norm_above(vector * UP))


def _total(vector: Array) -> float:
    """The sum of squares."""
    return float(sum_above(vector**2 * UP))


def _up(value: arb) -> arb:
    """The upper end, so that radii do not add up."""
    return arb(upper_float(value))

"""Sums `sum_k W_k h_r(x_k)` for all degrees at once, and bounds of `h_r` times the Gaussian density.

Two facts carry every quadrature here, for `z = x + i y` and any `0 < t < 1`:

- `|h_r(z)|^2 <= t^(-r) (1 - t^2)^(-1/2) exp(t x^2/(1+t) + t y^2/(1-t))`, one term of Mehler's formula at `(z, conj z)`;
- `int |h_r(x + i y)|^2 w(x) dx = L_r(-y^2) <= exp(2 |y| sqrt(r))`, w the standard normal density.

Derivation: docs/theory/enclosures.md, "Two facts about Hermite polynomials".
"""

import math

from flint import arb

Node = tuple[arb, arb, arb]
"""A node x, its weight in sums of even degree and its weight in sums of odd degree."""


def recurrence_loss(degrees: int) -> int:
    """Bits that the three-term recurrence in balls may lose up to a degree.

    The radii obey the recurrence with all signs positive, that is `|He_r(i x)|`; with the density and `1/sqrt(r!)` the
    first fact at `z = i x`, `t = 1/2` bounds them by `2^(r/2)` times the unit roundoff and a polynomial in r.
    """
    return degrees // 2 + 3 * max(degrees, 1).bit_length()


def hermite_sums(nodes: list[Node], degrees: int) -> list[arb]:
    """`sum_k W_k h_r(x_k)`, r = 0 .. degrees - 1, by the recurrence `He_{r+1} = x He_r - r He_{r-1}`.

    Args:
        nodes: nodes with their weights for even and for odd degrees.
        degrees: how many sums.

    Returns:
        One ball per degree.
    """
    totals = [arb(0)] * degrees
    for x, even, odd in nodes:
        skip_even, skip_odd = even.is_zero(), odd.is_zero()
        if skip_even and skip_odd:
            continue
        former, current = arb(0), arb(1)
        for r in range(degrees):
            if r % 2:
                if not skip_odd:
                    totals[r] += odd * current
            elif not skip_even:
                totals[r] += even * current
            former, current = current, x * current - r * former
    return [total / root for total, root in zip(totals, _root_factorials(degrees), strict=True)]


def _root_factorials(degrees: int) -> list[arb]:
    """`sqrt(r!)` for r = 0 .. degrees - 1."""
    factorial, roots = arb(1), []
    for r in range(degrees):
        factorial = factorial * max(r, 1)
        roots.append(factorial.sqrt())
    return roots


def density(x: arb) -> arb:
    """The standard normal density."""
    return (-(x * x) / 2).exp() / (2 * arb.pi()).sqrt()


def weighted_prefactor(degree: int, t: arb) -> arb:
    """`t^(-r/2) (1 - t^2)^(-1/4) / sqrt(2 pi)`: the constant in the bound of `|h_r w|`."""
    return (-arb(degree) / 2 * t.log() - (1 - t * t).log() / 4).exp() / (2 * arb.pi()).sqrt()


def weighted_bound(degree: int, x: arb, y: arb) -> arb:
    """An upper bound of `|h_s(z) w(z)|` for every s <= degree, `|Re z| >= x >= 0` and `|Im z| <= y`.

    From the first fact, `|h_r w| <= t^(-r/2) (1-t^2)^(-1/4) (2 pi)^(-1/2) exp(-x^2/(2(1+t)) + y^2/(2(1-t)))`; the
    best of a few t is taken.
    """
    best = arb.pos_inf()
    for t in _candidates(degree, float(x.mid()), float(y.mid())):
        value = weighted_prefactor(degree, t) * (y * y / (2 * (1 - t)) - x * x / (2 * (1 + t))).exp()
        if value.is_finite():
            best = best.min(value)
    return best.upper()


def _candidates(degree: int, x: float, y: float) -> list[arb]:
    """Values of t near the best one."""
    r = max(degree, 1)
    guesses = [outer_t(degree, x), 1 - min(0.75, (y + 0.05) / math.sqrt(r)), 0.5, 0.9, 1 - 0.5 / (r + 1)]
    return [arb(min(max(g, 0.01), 1 - 1e-6)) for g in guesses]


def outer_t(degree: int, x: float) -> float:
    """The t that minimizes `t^(-r/2) exp(-x^2/(2(1+t)))`: the root of `t/(1+t)^2 = r/x^2`."""
    v = degree / (x * x) if x * x > 0 else 1.0
    if v <= 0:
        return 0.01
    if v >= 0.25:
        return 1 - 1e-3
    return min(max(2 * v / ((1 - 2 * v) + math.sqrt(1 - 4 * v)), 0.01), 1 - 1e-3)

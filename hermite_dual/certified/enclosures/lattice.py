"""Kernels of strip-analytic activations at any correlation, by a two-dimensional trapezoidal sum on a lattice.

With `u = sqrt(q1) x`, `v = sqrt(q2) (rho x + s y)`, `s = sqrt(1 - rho^2)` and steps that make `rho Dx` and `s Dy`
multiples of one number, psi(v) is needed on a one-dimensional lattice only and the inner sums are one convolution.

Derivation: docs/theory/enclosures.md, "Kernels".
"""

import math
from dataclasses import dataclass

from flint import arb, arb_poly

from hermite_dual.certified.balls.ball_functions import BallFunction
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.enclosures.hermite_sums import density
from hermite_dual.certified.enclosures.trapezoid import Strip, best_strip, dyadic_below
from hermite_dual.certified.suprema.envelope import Envelope
from hermite_dual.shape.shape import Pieces

_GUARD_BITS = 64  # lost in sums of up to `_MAX_LATTICE` terms, with room
_MAX_LATTICE = 400_000  # nodes at which the lattice is given up for other ways


@dataclass(frozen=True)
class Factor:
    """Bounds of sums and integrals of `exp(B|x| + C x^2) w(x)`."""

    rate: arb
    square: arb

    def _envelope(self) -> Envelope:
        return Envelope(arb(1), self.rate, self.square, arb(0), arb(0))

    def integral(self) -> arb:
        """The integral over the line."""
        return self._envelope().tail_integral(arb(0), arb(1) / 2)

    def total(self, step: arb) -> arb:
        """A bound of `D sum_k f(k D)`: f rises and falls once on each half line, so sum <= integral + 3 D max f."""
        peak = (self.rate * self.rate / (2 - 4 * self.square)).exp() / (2 * arb.pi()).sqrt()
        return self.integral() + 3 * step * peak

    def cut(self, eps: arb) -> tuple[arb, arb]:
        """X past the maximum with `int_{|x|>X} f <= eps`, and the bound reached."""
        x = arb((self.rate / (1 - 2 * self.square)).upper()) + 1
        bound = arb.pos_inf()
        for _ in range(400):
            bound = self._envelope().tail_integral(x, arb(1) / 2)
            if bound < eps:
                break
            x = arb((x * arb("1.03") + arb("0.05")).mid())
        return x, bound


@dataclass(frozen=True)
class Grid:
    """Steps and counts: `v = sqrt(q2) unit (along j + across k)`, `|j| <= rows`, `|k| <= columns`."""

    dx: arb
    dy: arb
    unit: arb
    along: int
    across: int
    rows: int
    columns: int
    error: arb


def _steps(dx: float, dy: float, rho: arb, s: arb) -> tuple[arb, arb, arb, int, int]:
    """Steps not above the given ones with commensurable `|rho| Dx` and `s Dy`."""
    slope, rise = float(abs(rho)) * dx, float(s) * dy
    if rise >= slope:
        multiple = max(1, math.floor(rise / slope * (1 - 1e-9)))
        step = dyadic_below(dx)
        unit = abs(rho) * step
        return step, multiple * unit / s, unit, 1, multiple
    multiple = max(1, math.floor(slope / rise * (1 - 1e-9)))
    unit = dyadic_below(rise)
    return multiple * unit / abs(rho), unit / s, unit, multiple, 1


def _make_grid(strips: tuple[Strip, Strip], rho: arb, s: arb, eps: arb) -> Grid | None:
    """Choose steps and truncation for an accuracy and bound the errors (derivation in the documentation)."""
    first, second = strips[0].envelope, strips[1].envelope
    nats = max(2.0, -float(eps.log()) + 3)
    cap = math.sqrt(2 * nats)
    hx = min(float(first.height), float(second.height) / float(abs(rho)) * (1 - 1e-12), cap)
    hy = min(float(second.height) / float(s) * (1 - 1e-12), cap)
    x_factor = Factor(first.rate + abs(rho) * second.rate, first.square + second.square)
    y_factor = Factor(s * second.rate, second.square)
    scale = first.scale * second.scale
    norm_x = strips[0].edge_norm * strips[1].edge_norm
    if not x_factor.square < arb(1) / 2:
        return None
    norm_y = scale * x_factor.total(arb(1) / 2) * y_factor.integral()
    need = [nats + math.log(2) + h * h / 2 + float(c.log()) for h, c in ((hx, norm_x), (hy, norm_y))]
    dx, dy = (min(2 * math.pi * h / max(m, 1.0), 0.5) for h, m in zip((hx, hy), need, strict=True))
    dx_ball, dy_ball, unit, along, across = _steps(dx, dy, rho, s)
    error = arb(0)
    for h, step, norm in ((arb(hx), dx_ball, norm_x), (arb(hy), dy_ball, norm_y)):
        error += 2 * (h * h / 2).exp() * norm / ((2 * arb.pi() * h / step).exp() - 1)
    half = arb(1) / 2
    cut_x, rest_x = x_factor.cut(eps / (4 * scale * y_factor.total(half)))
    cut_y, rest_y = y_factor.cut(eps / (4 * scale * x_factor.total(half)))
    error += scale * (rest_x * y_factor.total(half) + rest_y * x_factor.total(half))
    rows, columns = (int(float((cut / step).upper())) + 1 for cut, step in ((cut_x, dx_ball), (cut_y, dy_ball)))
    return Grid(dx_ball, dy_ball, unit, along, across, rows, columns, arb(error.upper()))


def lattice_kernel(
    pieces: Pieces, q1: arb, q2: arb, rho: arb, s: arb, eps: arb, other: Pieces | None = None
) -> arb | None:
    """`E[phi(u) psi(v)]` with absolute error about eps, or None if phi or psi has no usable strip.

    Args:
        pieces: the activation phi, without kinks.
        q1: first variance > 0.
        q2: second variance > 0.
        rho: correlation, not 0.
        s: `sqrt(1 - rho^2)` > 0.
        eps: the error that is aimed at; the ball is right whatever it is.
        other: psi, without kinks; phi itself by default.

    Returns:
        A ball that contains the kernel.
    """
    second = pieces if other is None else other
    nats = max(2.0, -float(eps.log()) + 3)
    # the steps are balls: their radius must not show in the sums
    with working_precision(int(nats * 1.45) + _GUARD_BITS):
        best = [best_strip(factor, q, 1, nats) for factor, q in ((pieces, q1), (second, q2))]
        if best[0] is None or best[1] is None:
            return None
        grid = _make_grid((best[0][0], best[1][0]), rho, s, eps)
        if grid is None or not grid.error.is_finite():
            return None
    if grid.along * grid.rows + grid.across * grid.columns > _MAX_LATTICE:
        return None
    with working_precision(int(nats * 1.45) + _GUARD_BITS):
        return _sum((pieces, second), q1, q2, -1 if rho < 0 else 1, grid) + arb(0, grid.error)


def _sum(factors: tuple[Pieces, Pieces], q1: arb, q2: arb, sign: int, grid: Grid) -> arb:
    """The double sum, its inner sums as one product of polynomials."""
    first, second = (BallFunction(pieces.expressions[0], pieces.symbol) for pieces in factors)
    reach = grid.along * grid.rows + grid.across * grid.columns
    scale = q2.sqrt() * grid.unit
    values = arb_poly([second(scale * (i - reach)) for i in range(2 * reach + 1)])
    width = grid.across * grid.columns
    stencil = [arb(0)] * (2 * width + 1)
    for k in range(-grid.columns, grid.columns + 1):
        stencil[grid.across * k + width] = grid.dy * density(grid.dy * k)
    product = values * arb_poly(stencil)
    unit = q1.sqrt()
    total = arb(0)
    for j in range(-grid.rows, grid.rows + 1):
        x = grid.dx * j
        total += grid.dx * density(x) * first(unit * x) * product[sign * grid.along * j + reach + width]
    return total

"""Hermite coefficients and dual kernels by quadrature in mpmath, without anything of the package.

Coefficients: Gauss-Legendre panels between the kinks, graded towards the origin on the activation's own length.
Kernels at small correlation: Mehler's sum of such coefficients, cut where `|rho|^R` is negligible. Kernels near
correlation 1 and -1: a trapezoidal sum in two variables for functions without kinks, and iterated panels in
`u = sqrt(q1) (b x + a y)`, `v = +-sqrt(q2) (b x - a y)` for the others, the inner ones broken at the kink lines.
Nothing here is proven; what is asked is that independent ways meet.
"""

import functools
import itertools
import math
from dataclasses import dataclass, field

import mpmath as mp
import numpy as np
import sympy as sp

COEFFICIENT_DIGITS, KERNEL_DIGITS = 50, 32
DEGREES = 200  # of Mehler's sum
MOST_WAVES = 100  # of `rate sqrt(q)`: beyond, iterated panels are not tried
_GUARD_BITS = 232  # fixed point, relative to the largest value of the integrand
_WIDTH = 16.0  # of the normal density: exp(-16^2/2) = 1e-56, times a polynomial
_NODES = 40
_TAIL_PANELS = 34
_FEW_NODES = 22  # of the kernels' panels
_KERNEL_WIDTH = 16.0  # a power of degree 16 squared still leaves 1e-34
_FALL = 8.0  # exponents by which a density may fall on one of those panels, beyond a gap
x = sp.Symbol("x", real=True)


@dataclass(frozen=True)
class Function:
    """An activation as the quadratures see it.

    Attributes:
        expr: formula in x.
        kinks: where it is not analytic.
        length: distance of the origin from the nearest singularity of a piece, or the length over which it varies.
        rate: b in a growth like `exp(b |z|)` of its pieces in the complex plane.
        growth: b in a growth like `exp(b |x|)` on the real line.
        gap: it vanishes on `(-gap, gap)`.
    """

    expr: sp.Expr
    kinks: tuple[sp.Expr, ...]
    length: float = math.inf
    rate: float = 0.0
    growth: float = 0.0
    gap: float = 0.0

    @functools.cached_property
    def call(self):
        """The function on mpf."""
        return sp.lambdify(x, self.expr, "mpmath", cse=True)

    def points(self) -> list[mp.mpf]:
        """The kinks as mpf."""
        return [mp.mpf(str(sp.N(k, mp.mp.dps + 10))) for k in dict.fromkeys(self.kinks)]


def combined(first: Function, second: Function, weight: sp.Rational | None) -> Function:
    """The sum `first + weight second`, or the product if there is no weight."""
    product = weight is None
    expr = first.expr * second.expr if product else first.expr + weight * second.expr
    rates = [(f.rate, f.growth) for f in (first, second)]
    join = sum if product else max
    return Function(
        expr,
        (*first.kinks, *second.kinks),
        min(first.length, second.length) * (0.8 if product else 1.0),
        join(r for r, _ in rates),
        join(g for _, g in rates),
        max(first.gap, second.gap) if product else min(first.gap, second.gap),
    )


@functools.cache
def legendre(m: int) -> list[tuple[mp.mpf, mp.mpf]]:
    """Nodes and weights of the Gauss-Legendre rule on [-1, 1], by Newton's method at 70 digits."""
    with mp.workdps(70):
        rule = []
        for k in range(m):
            t = mp.cos(mp.pi * (k + mp.mpf(3) / 4) / (m + mp.mpf(1) / 2))
            for _ in range(8):
                before, now = mp.mpf(1), t
                for j in range(2, m + 1):
                    before, now = now, ((2 * j - 1) * t * now - (j - 1) * before) / j
                slope = m * (t * now - before) / (t * t - 1)
                t -= now / slope
            rule.append((t, 2 / ((1 - t * t) * slope**2)))
        return rule


def _nodes(low: mp.mpf, high: mp.mpf, m: int) -> list[tuple[mp.mpf, mp.mpf]]:
    half, middle = (high - low) / 2, (high + low) / 2
    return [(middle + half * t, half * weight) for t, weight in legendre(m)]


@dataclass
class Panel:
    """A Gauss-Legendre panel.

    Attributes:
        nodes: where the integrand is taken.
        roots: the roots of the normal density there.
        weights: the rule's weights.
        table: `h_r sqrt(w)` times the weight in fixed point, a row per degree as far as they were needed.
    """

    nodes: list[mp.mpf]
    roots: list[mp.mpf]
    weights: list[mp.mpf]
    table: list[np.ndarray] = field(default_factory=list)

    @functools.cached_property
    def fixed_nodes(self) -> np.ndarray:
        """The nodes in fixed point."""
        return np.array([fixed(z) for z in self.nodes], dtype=object)

    def rows(self, degrees: int) -> np.ndarray:
        """The table of the first degrees, extended when needed."""
        while len(self.table) < degrees:
            r = len(self.table)
            if r == 0:
                values = [fixed(s * w) for s, w in zip(self.roots, self.weights, strict=True)]
                self.table.append(np.array(values, dtype=object))
                continue
            row = self.fixed_nodes * self.table[-1]
            if r > 1:
                row = row - _integer_root(r - 1) * self.table[-2]
            self.table.append(row // _integer_root(r))
        return np.array(self.table[:degrees])


@functools.cache
def _integer_root(r: int) -> int:
    return type(fixed(mp.mpf(1)))(math.isqrt(r << (2 * _GUARD_BITS)))


def fixed(value: mp.mpf) -> int:
    """A number as an integer multiple of `2^-232`, in mpmath's own integer type."""
    return mp.libmp.to_fixed(value._mpf_, _GUARD_BITS)


def _panel(low: mp.mpf, high: mp.mpf) -> Panel:
    with mp.workdps(70):
        pairs = _nodes(low, high, _NODES)
        roots = [mp.sqrt(mp.npdf(z)) for z, _ in pairs]
        return Panel([z for z, _ in pairs], roots, [w for _, w in pairs])


@functools.lru_cache(maxsize=3000)
def _dyadic_panel(low: float, high: float) -> Panel:
    """A panel between dyadic numbers, remembered with its table."""
    return _panel(mp.mpf(low), mp.mpf(high))


def _power_below(value: float) -> float:
    return 2.0 ** math.floor(math.log2(value))


def panels(function: Function, root: mp.mpf) -> list[Panel]:
    """Panels for `phi(root z)` times the normal density."""
    scale = float(root)
    reach = math.ceil(_WIDTH + 2 + function.growth * scale)
    step = min(1.0, _power_below(20 / (function.rate * scale)) if function.rate else 1.0)
    finest = min(step, _power_below(function.length / scale) if math.isfinite(function.length) else step)
    edges = [0.0]
    while edges[-1] < reach:
        width = max(finest, min(step, edges[-1]))
        edges.append(edges[-1] + width)
    kinks = [k / root for k in function.points()]
    found = []
    if function.gap / scale > _WIDTH / 2:  # nothing but tails: panels as long as the density takes to fall
        start, unit = mp.mpf(function.gap) / root, 4 * root / mp.mpf(function.gap)
        tail = [start + k * unit for k in range(_TAIL_PANELS)]
        edges = []
        found += [_panel(a, b) for a, b in itertools.pairwise(tail)]
        found += [_panel(-b, -a) for a, b in itertools.pairwise(tail)]
    for low, high in [(-b, -a) for a, b in itertools.pairwise(edges)] + list(itertools.pairwise(edges)):
        inside = sorted(k for k in kinks if low < k < high)
        if inside:
            found += [_panel(a, b) for a, b in itertools.pairwise([mp.mpf(low), *inside, mp.mpf(high)])]
        else:
            found.append(_dyadic_panel(low, high))
    return found


@dataclass
class Profile:
    """`phi(sqrt(q) z)` on its panels.

    Attributes:
        norm: root of `E[phi^2]`.
    """

    function: Function
    parts: list[Panel]
    values: list[list[mp.mpf]]
    norm: mp.mpf

    def coefficients(self, degrees: int) -> list[mp.mpf]:
        """`a_0 .. a_{degrees-1}`; the error is about `1e-50` of the largest value of `phi sqrt(w)`."""
        top = max(abs(v) for row in self.values for v in row) or mp.mpf(1)
        totals = None
        for panel, row in zip(self.parts, self.values, strict=True):
            vector = np.array([fixed(v / top) for v in row], dtype=object)
            term = panel.rows(degrees).dot(vector)
            totals = term if totals is None else totals + term
        return [mp.mpf(int(t)) * top * mp.mpf(2) ** (-2 * _GUARD_BITS) for t in totals]

    def growing_coefficients(self, degrees: int) -> list[mp.mpf]:
        """The same in floating point, for functions that grow so fast that `phi w` is far below `phi sqrt(w)`."""
        roots = [mp.sqrt(r) for r in range(degrees + 1)]
        totals = [mp.mpf(0)] * degrees
        for panel, row in zip(self.parts, self.values, strict=True):
            for z, s, w, v in zip(panel.nodes, panel.roots, panel.weights, row, strict=True):
                before, now = mp.mpf(0), v * s * w
                for r in range(degrees if now else 0):
                    totals[r] += now
                    before, now = now, (z * now - roots[r] * before) / roots[r + 1]
        return totals


def profile(function: Function, q: mp.mpf) -> Profile:
    """The function on the panels of a variance."""
    root = mp.sqrt(q)
    parts = panels(function, root)
    call = function.call
    values = [[call(root * z) * s for z, s in zip(p.nodes, p.roots, strict=True)] for p in parts]
    weights = [w for p in parts for w in p.weights]
    square = mp.fsum(v * v * w for v, w in zip(itertools.chain(*values), weights, strict=True))
    return Profile(function, parts, values, mp.sqrt(square))


def coefficients(function: Function, values: Profile, degrees: int) -> list[mp.mpf]:
    """Hermite coefficients by the arithmetic that suits the function."""
    floating = function.growth or function.gap
    return values.growing_coefficients(degrees) if floating else values.coefficients(degrees)


def closed_coefficient(name: str, q: mp.mpf, degree: int) -> mp.mpf | None:
    """`E[exp(b sqrt(q) Z) h_r(Z)] = (b sqrt(q))^r exp(b^2 q / 2) / sqrt(r!)` for b = 1, -1, i, -i."""
    size = mp.sqrt(q) ** degree / mp.sqrt(mp.factorial(degree))
    even, sign = degree % 2 == 0, (-1) ** (degree // 2)
    table = {
        "exp": lambda: size * mp.exp(q / 2),
        "cosh": lambda: size * mp.exp(q / 2) * even,
        "sinh": lambda: size * mp.exp(q / 2) * (not even),
        "cos": lambda: size * mp.exp(-q / 2) * even * sign,
        "sin": lambda: size * mp.exp(-q / 2) * (not even) * sign,
    }
    return table[name]() if name in table else None


def polynomial_coefficient(expr: sp.Expr, q: mp.mpf, degree: int) -> mp.mpf | None:
    """The coefficient of a polynomial with rational numbers before its powers; None for other functions."""
    terms = sp.Poly(expr, x).terms() if expr.is_polynomial(x) else []
    if not terms or not all(a.is_Rational for _, a in terms):
        return None
    return mp.fsum(mp.mpf(a.p) / a.q * _power_coefficient(m, q, degree) for (m,), a in terms)


def _power_coefficient(power: int, q: mp.mpf, degree: int) -> mp.mpf:
    """`E[x^m h_r] = m! / (2^k k! sqrt(r!))`, `k = (m - r) / 2`: `x^m` sums `m! He_{m-2k} / (2^k k! (m-2k)!)`."""
    pairs, odd = divmod(power - degree, 2)
    if odd or pairs < 0:
        return mp.mpf(0)
    ways = mp.factorial(power) / (mp.mpf(2) ** pairs * mp.factorial(pairs))
    return mp.sqrt(q) ** power * ways / mp.sqrt(mp.factorial(degree))


def mehler(first: Profile, second: Profile, rho: mp.mpf) -> mp.mpf:
    """`sum_r a_r(q1) a_r(q2) rho^r`; what is left out is below `|rho|^R` times both norms."""
    degrees = min(DEGREES, math.ceil(KERNEL_DIGITS * math.log(10) / -math.log(max(abs(float(rho)), 1e-30))) + 1)
    pairs = zip(*(coefficients(v.function, v, degrees) for v in (first, second)), strict=True)
    return mp.fsum(a * b * rho**r for r, (a, b) in enumerate(pairs))


def _lattice(width: float, steps: list[float]) -> list[mp.mpf]:
    step = mp.mpf(min(steps))
    count = math.ceil(width / float(step))
    return [k * step for k in range(-count, count + 1)]


def _trapezoid_grids(function: Function, r1: float, r2: float, rho: float, s: float) -> tuple[list, list]:
    decay = KERNEL_DIGITS * math.log(10) + 16
    reach = _KERNEL_WIDTH + function.growth * (r1 + r2)

    def steps(scale: float) -> list[float]:
        found = [0.4, 2 * math.pi / (function.rate * 2 * scale + 14)]
        return [*found, 2 * math.pi * function.length / (decay * scale)] if math.isfinite(function.length) else found

    return _lattice(reach, steps(max(r1, abs(rho) * r2))), _lattice(reach, steps(s * r2))


def trapezoid_cost(function: Function, q1: float, q2: float, rho: float, s: float) -> float:
    """How many evaluations `trapezoid` takes; infinite where it does not apply."""
    if function.kinks:
        return math.inf
    r1, r2 = sorted((math.sqrt(q1), math.sqrt(q2)), reverse=True)
    columns, rows = _trapezoid_grids(function, r1, r2, rho, s)
    return float(len(columns) * len(rows))


def trapezoid(function: Function, q1: mp.mpf, q2: mp.mpf, rho: mp.mpf, s: mp.mpf) -> mp.mpf:
    """The kernel of a function without kinks: `u = sqrt(q1) x`, `v = sqrt(q2) (rho x + s y)`, `q1 >= q2`."""
    q1, q2 = max(q1, q2), min(q1, q2)
    r1, r2 = mp.sqrt(q1), mp.sqrt(q2)
    columns, rows = _trapezoid_grids(function, float(r1), float(r2), float(rho), float(s))
    call = function.call
    inner = [(s * r2 * y, mp.npdf(y)) for y in rows]
    total = mp.mpf(0)
    for node in columns:
        shift = rho * r2 * node
        total += call(r1 * node) * mp.npdf(node) * mp.fsum(call(shift + y) * w for y, w in inner)
    return total * (columns[1] - columns[0]) * (rows[1] - rows[0])


def _breaks(reach: mp.mpf, width: float, fixed_points: list[mp.mpf], centres: list[tuple[mp.mpf, float]]) -> list:
    """Panel ends on `[-reach, reach]`: the fixed points, uniform ones, and graded ones around centres."""
    count = math.ceil(2 * float(reach) / width)
    points = {-reach + 2 * reach * k / count for k in range(count + 1)}
    for centre, finest in centres:
        step = finest
        while step < width:
            points |= {centre - step, centre + step}
            step *= 2
        points.add(centre)
    must = sorted(p for p in fixed_points if -reach < p < reach)
    smallest = min([width, *(f for _, f in centres)]) / 8
    ordered = sorted(p for p in points if -reach <= p <= reach and all(abs(p - m) > smallest for m in must))
    return sorted({*ordered, *must, -reach, reach})


@dataclass(frozen=True)
class _Rotation:
    function: Function
    roots: tuple[mp.mpf, mp.mpf]
    sign: int
    a: mp.mpf
    b: mp.mpf

    def outer(self) -> list[mp.mpf]:
        r1, r2 = self.roots
        kinks = self.function.points()
        crossings = [(t / r1 - self.sign * other / r2) / (2 * self.a) for t in kinks for other in kinks]
        width = self.width
        if math.isfinite(self.function.length):
            width = min(width, 1.5 * self.function.length / float(2 * self.a * min(r1, r2)))
        if self.function.rate:
            width = min(width, 10 / (self.function.rate * float(self.a * (r1 + r2))))
        return _breaks(self.reach, width, crossings, [])

    @property
    def reach(self) -> mp.mpf:
        inside = self.function.gap / float(min(self.roots))  # what vanishes there has its mass beyond
        return mp.mpf(_KERNEL_WIDTH + inside + self.function.growth * float(sum(self.roots)))

    @property
    def width(self) -> float:
        """Largest width of a panel: beyond a gap densities fall over the reciprocal of its distance."""
        return min(2.5, _FALL * float(max(self.roots)) / self.function.gap) if self.function.gap else 2.5

    def inner(self, y: mp.mpf) -> list[mp.mpf]:
        r1, r2 = self.roots
        tilt = self.a / self.b * y
        kinks = self.function.points()
        lines = [t / (r1 * self.b) - tilt for t in kinks]
        lines += [self.sign * t / (r2 * self.b) + tilt for t in kinks]
        width = self.width
        if self.function.rate:
            width = min(width, 10 / (self.function.rate * float(self.b * (r1 + r2))))
        centres = []
        if math.isfinite(self.function.length):
            for centre, root in ((-tilt, r1), (tilt, r2)):
                finest = self.function.length / float(2 * root * self.b)
                if finest < width:
                    centres.append((centre, finest))
        return _breaks(self.reach, width, lines, centres)


def _rotation(function: Function, q1: mp.mpf, q2: mp.mpf, rho: mp.mpf, s: mp.mpf) -> _Rotation:
    size = abs(rho)
    b = mp.sqrt((1 + size) / 2)
    return _Rotation(function, (mp.sqrt(q1), mp.sqrt(q2)), 1 if rho > 0 else -1, s / mp.sqrt(2 * (1 + size)), b)


def rotated_cost(function: Function, q1: mp.mpf, q2: mp.mpf, rho: mp.mpf, s: mp.mpf) -> float:
    """How many evaluations `rotated` takes."""
    rotation = _rotation(function, q1, q2, rho, s)
    if function.rate * mp.sqrt(max(q1, q2)) > MOST_WAVES:
        return math.inf
    return float((len(rotation.outer()) - 1) * (len(rotation.inner(mp.mpf("0.7"))) - 1) * _FEW_NODES**2)


def rotated(function: Function, q1: mp.mpf, q2: mp.mpf, rho: mp.mpf, s: mp.mpf) -> mp.mpf:
    """The kernel by iterated panels."""
    rotation = _rotation(function, q1, q2, rho, s)
    r1, r2 = rotation.roots
    call, a, b, sign = function.call, rotation.a, rotation.b, rotation.sign
    total = mp.mpf(0)
    for low, high in itertools.pairwise(rotation.outer()):
        for y, weight in _nodes(low, high, _FEW_NODES):
            inner = mp.mpf(0)
            for left, right in itertools.pairwise(rotation.inner(y)):
                if min(abs(left), abs(right)) ** 2 + y * y > rotation.reach**2 and left * right > 0:
                    continue
                for t, w in _nodes(left, right, _FEW_NODES):
                    first = call(r1 * (b * t + a * y))
                    if first:
                        inner += first * call(sign * r2 * (b * t - a * y)) * w * mp.exp(-t * t / 2)
            total += inner * weight * mp.exp(-y * y / 2)
    return total / (2 * mp.pi)


def closed_form(name: str, q1: mp.mpf, q2: mp.mpf, c: mp.mpf, s: mp.mpf) -> mp.mpf | None:
    """Kernels known by hand: Gaussian integrals, arcsine and arc-cosine kernels of order 0 and 1, sine."""
    rho, size = c / mp.sqrt(q1 * q2), mp.sqrt(q1 * q2)
    sine = 2 / mp.pi * mp.asin(rho)
    ramp = (s + rho * mp.asin(rho)) / mp.pi
    table = {
        "identity": lambda: c,
        "sign": lambda: sine,
        "step": lambda: mp.mpf(1) / 4 + sine / 4,
        "abs": lambda: 2 * size * ramp,
        "relu": lambda: size * (ramp / 2 + rho / 4),
        "leaky_relu": lambda: size * ((mp.mpf("0.99") ** 2 / 2) * ramp + mp.mpf("1.01") ** 2 * rho / 4),
        "prelu": lambda: size * ((mp.mpf("0.75") ** 2 / 2) * ramp + mp.mpf("1.25") ** 2 * rho / 4),
        "erf": lambda: 2 / mp.pi * mp.asin(2 * c / mp.sqrt((1 + 2 * q1) * (1 + 2 * q2))),
        "probit": lambda: mp.mpf(1) / 4 + mp.asin(c / mp.sqrt((1 + q1) * (1 + q2))) / (2 * mp.pi),
        "sin": lambda: mp.exp(-(q1 + q2) / 2) * mp.sinh(c),
        "cos": lambda: mp.exp(-(q1 + q2) / 2) * mp.cosh(c),
        "sinh": lambda: mp.exp((q1 + q2) / 2) * mp.sinh(c),
        "cosh": lambda: mp.exp((q1 + q2) / 2) * mp.cosh(c),
        "exp": lambda: mp.exp((q1 + q2) / 2 + c),
        "gaussian": lambda: 1 / mp.sqrt((1 + q1) * (1 + q2) - c * c),
        "rbf": lambda: 1 / mp.sqrt((1 + 2 * q1) * (1 + 2 * q2) - 4 * c * c),
    }
    return table[name]() if name in table else None

"""The numbers of the atlas by mpmath alone: composite Gauss-Legendre quadrature of the formula as SymPy prints it."""

from functools import cached_property, lru_cache
from itertools import pairwise

import sympy as sp
from mpmath import mp, mpf

x = sp.Symbol("x", real=True)
DPS, REACH, NODES = 24, 12, 20
STEP = 1
"""Of panels: the nearest poles, those of 1/(1 + 2 z^2), leave an error of 3.15^(-40) there."""


@lru_cache
def legendre(n):
    """Nodes and weights on [-1, 1]."""
    with mp.workdps(DPS + 10):
        nodes = []
        for k in range(n):
            t = mp.cos(mp.pi * (k + mpf(3) / 4) / (n + mpf(1) / 2))
            for _ in range(8):
                before, value = mpf(1), t
                for j in range(2, n + 1):
                    before, value = value, ((2 * j - 1) * t * value - (j - 1) * before) / j
                slope = n * (t * value - before) / (t * t - 1)
                t -= value / slope
            nodes.append((t, 2 / ((1 - t * t) * slope**2)))
        return nodes


def composite(breaks, step):
    """Nodes and weights between the first and the last of some points, none of them inside of a panel."""
    points = sorted({mpf(b) for b in breaks})
    for low, high in pairwise(points):
        panels = max(1, int(mp.ceil((high - low) / step)))
        width = (high - low) / panels
        for k in range(panels):
            for t, w in legendre(NODES):
                yield low + width * (k + (1 + t) / 2), w * width / 2


class Reference:
    """An activation of the atlas, known by its formula alone."""

    def __init__(self, text):
        self.expr = sp.sympify(text, locals={"x": x})
        self.functions = {}
        waves = [a.args[0].coeff(x) for a in self.expr.atoms(sp.sin, sp.cos)]
        self.step = mpf(STEP) / max([1, *(int(w) // 4 for w in waves if w.is_number)])

    def derivative(self, order):
        if order not in self.functions:
            expr = sp.diff(self.expr, x, order).replace(sp.DiracDelta, lambda *_: sp.Integer(0)) if order else self.expr
            self.functions[order] = sp.lambdify(x, expr, "mpmath")
        return self.functions[order]

    @cached_property
    def kinks(self):
        gaps = [a.args[0] for a in self.expr.atoms(sp.Abs, sp.sign, sp.Heaviside)]
        gaps += [a - b for m in self.expr.atoms(sp.Max, sp.Min) for a in m.args for b in m.args if a != b]
        gaps += [c.lhs - c.rhs for p in self.expr.atoms(sp.Piecewise) for c in p.atoms(sp.core.relational.Relational)]
        points = set()
        for gap in gaps:
            plain = gap.rewrite(sp.Piecewise) if gap.has(sp.Max, sp.Min, sp.Abs) else gap
            pieces = [piece for piece, _ in plain.args] if isinstance(plain, sp.Piecewise) else [plain]
            for piece in pieces:
                points |= {mpf(sp.N(r, DPS + 5)) for r in sp.solve(piece, x) if r.is_real}
        return sorted(points)

    @lru_cache  # noqa: B019 - references live as long as the test
    def samples(self, q):
        """Nodes z with their weights under the normal law, phi and phi' there."""
        root = mp.sqrt(q)
        breaks = [-REACH, *(k / root for k in self.kinks if abs(k / root) < REACH), REACH]
        phi, slope = self.derivative(0), self.derivative(1)
        return [(z, w * mp.npdf(z), mpf(phi(root * z)), mpf(slope(root * z))) for z, w in composite(breaks, self.step)]

    def mean(self, q, function):
        return mp.fsum(w * function(z, f, g) for z, w, f, g in self.samples(q))

    @lru_cache  # noqa: B019
    def coefficients(self, n):
        sums, rows = [], [(w * f, mpf(1), z, z) for z, w, f, _ in self.samples(mpf(1))]
        for r in range(n):
            sums.append(mp.fsum(a * h for a, h, _, _ in rows))
            up, down = mp.sqrt(r + 2), mp.sqrt(r + 1)
            rows = [(a, k, (z * k - down * h) / up, z) for a, h, k, z in rows]
        return sums

    def edge(self, q):
        steep = self.mean(q, lambda z, f, g: g * g)
        size = self.mean(q, lambda z, f, g: f * f)
        return {
            "sigma_w2": 1 / steep,
            "sigma_b2": q - size / steep,
            "chi_par": self.mean(q, lambda z, f, g: z * f * g) / mp.sqrt(q) / steep,
        }

    def sphere(self, d, degree):
        """`E[c(R)^2]`, R of the chi law: phi(R t) projected on the Gegenbauer polynomial of the degree."""
        far, root = 10, mp.sqrt(d)
        breaks = [
            max(mpf(0), root - far),
            root + far,
            *(abs(k) for k in self.kinks if 0 < abs(k) - root + far < 2 * far),
        ]
        scale = 2 ** (1 - mpf(d) / 2) / mp.gamma(mpf(d) / 2)
        mass = mp.beta(mpf(d - 1) / 2, mpf(1) / 2)
        widest, step = (mpf("1.1"), mpf("0.4")) if d > 50 else (mp.pi / 2, mpf(1))  # cos^98 is nothing beyond 1.1
        phi, total = self.derivative(0), mpf(0)
        for r, w in composite([b for b in breaks if b >= 0], 2):
            weight = w * scale * r ** (d - 1) * mp.exp(-r * r / 2)
            if weight < mpf(10) ** -30:
                continue
            angles = [mp.asin(k / r) for k in self.kinks if abs(k) < r]
            inner = mpf(0)
            for angle, v in composite([-widest, widest, *(a for a in angles if abs(a) < widest)], step):
                t, c = mp.sin(angle), mp.cos(angle)
                inner += v * c ** (d - 2) * gegenbauer(d, degree, t) * phi(r * t)
            total += weight * (inner / mass) ** 2
        return total


def gegenbauer(d, degree, t):
    """The polynomial that is 1 at 1."""
    before, value = mpf(1), t
    if degree == 0:
        return before
    for k in range(1, degree):
        before, value = value, ((2 * k + d - 2) * t * value - k * before) / (k + d - 2)
    return value


def ends(printed, short_is_exact=True):
    """The interval that a number of the atlas says: what rounds to a decimal, or between the two ends.

    Short decimals are exact numbers such as 1/2, but for eigenvalues of kinked activations, of which few digits are
    known.
    """
    if isinstance(printed, list):
        return mpf(printed[0]), mpf(printed[1])
    mantissa, _, exponent = printed.partition("e")
    places = len(mantissa.partition(".")[2]) - int(exponent or 0)
    count = len(mantissa.replace(".", "").lstrip("-0"))
    half = mpf(10) ** -places / 2 if count >= 10 or not short_is_exact else mpf(10) ** -17 * max(1, abs(mpf(printed)))
    return mpf(printed) - half, mpf(printed) + half

"""Hold coefficient and kernel enclosures against independent 50-digit mpmath values.

Usage: python benchmarks/enclosure_sweep.py COUNT [SEED] [SECONDS]

Every instance draws an activation (catalogue or random expression), variances between 1e-6 and 1e4 and a degree or a
covariance. A miss is a ball that does not meet the mpmath value, taken with its own error of 1e-45 relative.
"""

import sys
import time
from dataclasses import dataclass

import mpmath as mp
import numpy as np
import sympy as sp
from flint import arb

import hermite_dual as hd
from hermite_dual.certified.coefficients import coefficient_balls
from hermite_dual.certified.kernel import kernel_ball
from hermite_dual.certified.precision import working_precision
from hermite_dual.errors import AccuracyError, NotIntegrableError

DIGITS = 25
REFERENCE_DIGITS = 50
REFERENCE_TOLERANCE = "1e-40"  # of the largest coefficient: what mpmath's own quadrature is trusted to
REFERENCE_NOISE = "1e-46"  # absolute: rounding of an integrand of order 1 at 60 digits, times its Hermite polynomial
REACH = 40  # of the references; activations that grow exponentially have their mass far out
x = sp.Symbol("x", real=True)
CLOSED = ("erf", "relu", "sin", "step", "abs")  # kernels with a closed form to hold against


def _catalogue() -> dict[str, tuple[sp.Expr, tuple[sp.Expr, ...]]]:
    """Every activation of the package with its default parameters, and its kinks."""
    found = {}
    for entry in hd.catalogue():
        read = hd.activation(entry.name)
        found[entry.name] = (read.expr.xreplace({read.symbol: x}), tuple(read.kinks))
    return found


CATALOGUE = _catalogue()
EXTRA: dict[str, tuple[sp.Expr, tuple[sp.Expr, ...]]] = {
    "runge": (1 / (1 + 25 * x**2), ()),
    "root": (sp.sqrt(1 + x**2), ()),
    "log": (sp.log(1 + x**2), ()),
}


@dataclass
class Tally:
    """What happened so far."""

    instances: int = 0
    misses: int = 0
    wide: int = 0
    refused: int = 0


def random_expression(rng: np.random.Generator) -> tuple[str, sp.Expr, tuple[sp.Expr, ...]]:
    """A catalogue entry, or a combination of two entries with random rational constants."""
    table = CATALOGUE | EXTRA
    names = sorted(table)
    first = names[rng.integers(len(names))]
    expr, kinks = table[first]
    if rng.random() < 0.6:
        return first, expr, kinks
    second = names[rng.integers(len(names))]
    other, more = table[second]
    weight = sp.Rational(int(rng.integers(-8, 9)), 4)
    combined = expr + weight * other if rng.random() < 0.5 else expr * other
    return f"{first}*{second}", combined, (*kinks, *more)


def gaussian_mean(function: object, kinks: list[mp.mpf], scales: list[mp.mpf]) -> mp.mpf:
    """`E[f(Z)]` by mpmath's Gauss-Legendre rule on panels graded towards kinks and around the origin."""
    reach = mp.mpf(REACH)
    points = {mp.mpf(0), -reach, reach}
    for scale in scales:
        step = scale
        while step < reach:
            points |= {step, -step}
            step *= 2
    points |= {mp.mpf(k) for k in range(1 - REACH, REACH)}
    points |= {k for k in kinks if abs(k) < reach}
    ordered = sorted(points)
    return mp.quad(lambda z: function(z) * mp.npdf(z), ordered, method="gauss-legendre", maxdegree=5)


def reference_coefficient(expr: sp.Expr, kinks: tuple[sp.Expr, ...], q: mp.mpf, degree: int) -> mp.mpf:
    """`a_r(q)` by quadrature; the Hermite polynomial from its explicit sum."""
    phi = sp.lambdify(x, expr, "mpmath")
    powers = [(k, degree - 2 * k) for k in range(degree // 2 + 1)]
    factor = mp.sqrt(mp.factorial(degree))
    terms = [((-1) ** k * factor / (mp.factorial(k) * mp.factorial(p) * 2**k), p) for k, p in powers]
    root = mp.sqrt(q)
    scale = min(mp.mpf(1), mp.mpf("0.1") / root)
    return gaussian_mean(
        lambda z: phi(root * z) * mp.fsum(c * z**p for c, p in terms),
        [mp.mpf(str(sp.N(k, REFERENCE_DIGITS + 20))) / root for k in kinks],
        [scale],
    )


def reference_kernel(name: str, q1: mp.mpf, q2: mp.mpf, c: mp.mpf) -> mp.mpf:
    """Closed forms: arcsine, arc-cosine of order 0 and 1, sine."""
    if name == "erf":
        return 2 / mp.pi * mp.asin(2 * c / mp.sqrt((1 + 2 * q1) * (1 + 2 * q2)))
    if name == "sin":
        return mp.exp(-(q1 + q2) / 2) * mp.sinh(c)
    rho = c / mp.sqrt(q1 * q2)
    if name == "step":
        return mp.mpf(1) / 4 + mp.asin(rho) / (2 * mp.pi)
    if name == "abs":
        return 2 * mp.sqrt(q1 * q2) / mp.pi * (mp.sqrt(1 - rho**2) + rho * mp.asin(rho))
    return mp.sqrt(q1 * q2) / (2 * mp.pi) * (mp.sqrt(1 - rho**2) + rho * (mp.pi - mp.acos(rho)))


def _allowed(scale: mp.mpf) -> arb:
    """The error allowed to a reference."""
    return (arb(REFERENCE_TOLERANCE) * arb(mp.nstr(scale, 10)) + arb(REFERENCE_NOISE)).upper()


def to_ball(value: mp.mpf, scale: mp.mpf) -> arb:
    """The reference as a ball with the error that is allowed to it."""
    return arb(mp.nstr(value, REFERENCE_DIGITS + 10)) + arb(0, _allowed(scale))


def check(ball: arb, value: mp.mpf, scale: mp.mpf, tally: Tally, label: str) -> None:
    """Count a miss or a ball that is too wide."""
    with working_precision(300):
        if not ball.overlaps(to_ball(value, scale)):
            tally.misses += 1
            print(f"MISS {label}: {ball.str(30)} does not meet {mp.nstr(value, 35)}", flush=True)
        if not ball.rad() <= arb(10) ** -(DIGITS - 1) * arb(mp.nstr(scale, 10)):
            tally.wide += 1
            print(f"WIDE {label}: {ball.str(30)} at scale {mp.nstr(scale, 5)}", flush=True)


def one_instance(rng: np.random.Generator, tally: Tally) -> None:
    """Draw and check one instance."""
    q = float(10 ** rng.uniform(-6, 4))
    tally.instances += 1
    if rng.random() < 0.3:
        name = CLOSED[rng.integers(len(CLOSED))]
        other = float(10 ** rng.uniform(-6, 4)) if name != "sin" else float(10 ** rng.uniform(-6, 1))
        q = min(q, 10.0) if name == "sin" else q
        near = 1 - 10 ** rng.uniform(-12, -1)
        rho = rng.uniform(-0.99, 0.99) if rng.random() < 0.5 else near * rng.choice([-1, 1])
        c = float(rho * np.sqrt(q) * np.sqrt(other))
        label = f"{name} q1={q!r} q2={other!r} c={c!r}"
        try:
            ball = kernel_ball(CATALOGUE[name][0], x, q, other, c, DIGITS)
        except AccuracyError as error:
            tally.refused += 1
            print(f"REFUSED {label}: {error}", flush=True)
            return
        a, b, d = mp.mpf(q), mp.mpf(other), mp.mpf(c)
        norm = mp.sqrt(abs(reference_kernel(name, a, a, a) * reference_kernel(name, b, b, b)))
        check(ball, reference_kernel(name, a, b, d), norm, tally, label)
        return
    name, expr, kinks = random_expression(rng)
    degree = int(rng.integers(0, 31))
    label = f"{name} q={q!r} degree={degree}"
    try:
        balls = coefficient_balls(expr, x, max(degree + 2, 8), q, DIGITS)
    except (AccuracyError, NotIntegrableError) as error:
        tally.refused += 1
        print(f"REFUSED {label}: {error}", flush=True)
        return
    scale = max(mp.mpf(abs(b).mid().str(20, radius=False)) for b in balls)
    value = reference_coefficient(expr, kinks, mp.mpf(q), degree)
    check(balls[degree], value, max(scale, mp.mpf(10) ** -300), tally, label)


def main() -> int:
    """Run the sweep and report; the exit status is the number of misses."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    deadline = time.monotonic() + float(sys.argv[3]) if len(sys.argv) > 3 else float("inf")
    mp.mp.dps = REFERENCE_DIGITS + 10
    tally = Tally()
    while tally.instances < count and time.monotonic() < deadline:
        one_instance(rng, tally)
    print(f"{tally.instances} instances, {tally.misses} misses, {tally.wide} too wide, {tally.refused} refused")
    return tally.misses


if __name__ == "__main__":
    raise SystemExit(main())

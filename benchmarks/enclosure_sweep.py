"""Hold coefficient and kernel enclosures against independent mpmath values.

Usage: python benchmarks/enclosure_sweep.py COUNT [SEED] [SECONDS] [FIRST]

Instance number i of a seed is drawn by its own generator `[seed, i]`: an activation (a catalogue entry, three more, or
a sum or product of two), variances q1, q2 between 1e-6 and 1e4, a covariance c, a degree and a number of digits.
Every coefficient at q1 up to the degree is held against a value of 50 digits, and the kernel at (q1, q2, c) against one
of 32 digits (`mpmath_reference.py`; nothing is shared with the package). A *miss* is a ball that does not meet the
reference, *wide* is a radius above what was asked for. A reference that is in doubt is not repaired here: it would show
as a miss.

Where exponential growth or the cost of a reference forbids it, variances or correlations are drawn again from a smaller
range; the summary counts how often. With gmpy2 installed mpmath is about three times faster.
"""

import collections
import sys
import time
from dataclasses import dataclass, field

import mpmath as mp
import mpmath_reference as ref
import numpy as np
import sympy as sp
from flint import arb
from mpmath_reference import Function, x

import hermite_dual as hd
from hermite_dual.certified.balls.precision import working_precision
from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.certified.enclosures.kernel import kernel_ball
from hermite_dual.errors import AccuracyError, NotIntegrableError
from hermite_dual.shape.shape import shape_of

DIGITS = (8, 16, 25)
COEFFICIENT_TOLERANCE = "1e-44"  # of the largest coefficient: what the panels are trusted to
KERNEL_TOLERANCE = "1e-29"  # of the norms: what the kernel references are trusted to
LARGEST_GROWTH = 20.0  # of `growth * sqrt(q)`: beyond, the mass is too far out for the panels
LARGEST_OSCILLATION = 37.0  # of `rate^2 q` for sines: beyond, all coefficients are below 1e-8 of the function
LARGEST_COST = 130_000  # evaluations in two variables
MEHLER = 0.7  # correlations below have a reference at any variance

# name: (length, rate, growth) as in mpmath_reference.Function, from the singularities nearest to the real axis
SHAPES = {
    "erf": (3, 0, 0), "probit": (4, 0, 0), "gelu": (4, 0, 0), "quick_gelu": (1.8, 0, 0), "gelu_tanh": (2, 0, 0),
    "sin": (np.inf, 1, 0), "cos": (np.inf, 1, 0), "snake": (np.inf, 2, 0), "sinh": (np.inf, 1, 1),
    "cosh": (np.inf, 1, 1), "exp": (np.inf, 1, 1), "elu": (np.inf, 1, 0), "selu": (np.inf, 1, 0),
    "celu": (np.inf, 1, 0), "laplace": (np.inf, 1, 0), "gaussian": (4, 0, 0), "rbf": (3, 0, 0), "gabor": (2.5, 1, 0),
    "tanh": (1.5, 0, 0), "sigmoid": (3, 0, 0), "softplus": (3, 0, 0), "silu": (3, 0, 0), "mish": (2.2, 0, 0),
    "arctan": (1, 0, 0), "softsign": (1, 0, 0), "log_cosh": (1.5, 0, 0), "sech": (1.5, 0, 0), "squareplus": (2, 0, 0),
    "asinh": (1, 0, 0), "penalized_tanh": (1.5, 0, 0),
    "bipolar_sigmoid": (3, 0, 0), "lecun_tanh": (2.3, 0, 0), "tanh_shrink": (1.5, 0, 0), "log_sigmoid": (3, 0, 0),
    "serf": (2.2, 0, 0), "bent_identity": (1, 0, 0), "runge": (0.2, 0, 0), "root": (1, 0, 0), "log": (1, 0, 0),
}  # fmt: skip
POLYNOMIAL_PIECES = (np.inf, 0, 0)
GAPS = {"hard_shrink": 0.5, "soft_shrink": 0.5, "threshold": 1.0}


def _catalogue() -> dict[str, Function]:
    """Every activation of the package with its default parameters and three more."""
    found = {}
    for entry in hd.catalogue():
        read = hd.activation(entry.name)
        shape = SHAPES.get(entry.name, POLYNOMIAL_PIECES)
        expr = read.expr.xreplace({read.symbol: x})
        found[entry.name] = Function(expr, tuple(read.kinks), *shape, GAPS.get(entry.name, 0.0))
    extra = {"runge": 1 / (1 + 25 * x**2), "root": sp.sqrt(1 + x**2), "log": sp.log(1 + x**2)}
    return found | {name: Function(expr, (), *SHAPES[name]) for name, expr in extra.items()}


CATALOGUE = _catalogue()


@dataclass
class Tally:
    """What happened so far."""

    instances: int = 0
    misses: int = 0
    wide: int = 0
    counts: collections.Counter[str] = field(default_factory=collections.Counter)


@dataclass
class Instance:
    """One draw."""

    name: str
    function: Function
    q1: float
    q2: float
    c: float
    degree: int
    digits: int

    def __str__(self) -> str:
        """Return everything that is needed to repeat it."""
        return f"{self.name} q1={self.q1!r} q2={self.q2!r} c={self.c!r} degree={self.degree} digits={self.digits}"


def random_function(rng: np.random.Generator) -> tuple[str, Function]:
    """A catalogue entry, or a sum or product of two."""
    names = sorted(CATALOGUE)
    first = names[rng.integers(len(names))]
    if rng.random() < 0.6:
        return first, CATALOGUE[first]
    second = names[rng.integers(len(names))]
    weight = sp.Rational(int(rng.integers(1, 9)) * int(rng.choice([-1, 1])), 4)
    if rng.random() < 0.5:
        return f"{first}+{weight}*{second}", ref.combined(CATALOGUE[first], CATALOGUE[second], weight)
    return f"{first}*{second}", ref.combined(CATALOGUE[first], CATALOGUE[second], None)


def _correlation(q1: mp.mpf, q2: mp.mpf, c: mp.mpf) -> tuple[mp.mpf, mp.mpf]:
    """`rho` and `sqrt(1 - rho^2)`."""
    product = q1 * q2
    return c / mp.sqrt(product), mp.sqrt((product - c * c) / product)


def draw(seed: int, index: int, tally: Tally) -> Instance:
    """Instance number `index` of a seed."""
    rng = np.random.default_rng([seed, index])
    name, function = random_function(rng)
    top = 4.0
    closed = ref.closed_coefficient(name, mp.mpf(1), 0) is not None
    if function.growth and not closed:
        top = 2 * np.log10(LARGEST_GROWTH / function.growth)
    if function.rate and not (closed or function.growth or function.kinks or np.isfinite(function.length)):
        top = np.log10(LARGEST_OSCILLATION / function.rate**2)
    if top < 4:
        tally.counts["variances below the limit of growth or oscillation"] += 1
    q1, q2 = (float(10 ** rng.uniform(-6, top)) for _ in range(2))
    kind = rng.random()
    if kind < 0.7:
        rho = rng.uniform(-MEHLER, MEHLER)
    else:
        rho = rng.choice([-1, 1]) * (rng.uniform(MEHLER, 0.99) if kind < 0.85 else 1 - 10 ** rng.uniform(-12, -2))
    degree, digits = int(rng.integers(0, 31)), int(rng.choice(DIGITS))
    c = float(rho * np.sqrt(q1) * np.sqrt(q2))
    found = Instance(name, function, q1, q2, c, degree, digits)
    if kernel_method(found) == "none":
        tally.counts["correlations drawn again"] += 1
        found.c = float(rng.uniform(-MEHLER, MEHLER) * np.sqrt(q1) * np.sqrt(q2))
    return found


def kernel_method(instance: Instance) -> str:
    """Which reference the kernel of an instance has."""
    q1, q2, c = mp.mpf(instance.q1), mp.mpf(instance.q2), mp.mpf(instance.c)
    rho, s = _correlation(q1, q2, c)
    if ref.closed_form(instance.name, q1, q2, c, s) is not None:
        return "closed form"
    if abs(rho) <= MEHLER:
        return "Mehler"
    costs = {
        "trapezoid": ref.trapezoid_cost(instance.function, instance.q1, instance.q2, float(rho), float(s)),
        "panels": ref.rotated_cost(instance.function, q1, q2, rho, s),
    }
    best = min(costs, key=costs.__getitem__)
    return best if costs[best] <= LARGEST_COST else "none"


class References:
    """What an instance is held against; quadratures run when first asked for."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.q1, self.q2, self.c = (mp.mpf(v) for v in (instance.q1, instance.q2, instance.c))
        self._profiles: dict[mp.mpf, ref.Profile] = {}

    def profile(self, q: mp.mpf) -> ref.Profile:
        """The activation on the panels of a variance."""
        if q not in self._profiles:
            self._profiles[q] = ref.profile(self.instance.function, q)
        return self._profiles[q]

    def coefficients(self, degrees: int) -> list[mp.mpf]:
        """Hermite coefficients at the first variance."""
        name, expr = self.instance.name, self.instance.function.expr
        for exact in (
            [ref.closed_coefficient(name, self.q1, r) for r in range(degrees)],
            [ref.polynomial_coefficient(expr, self.q1, r) for r in range(degrees)],
        ):
            if exact[0] is not None:
                return exact
        return ref.coefficients(self.instance.function, self.profile(self.q1), degrees)

    def norm(self, q: mp.mpf) -> mp.mpf:
        """`sqrt(E[phi^2])`."""
        square = ref.closed_form(self.instance.name, q, q, q, mp.mpf(0))
        return self.profile(q).norm if square is None else mp.sqrt(square)

    def kernel(self) -> mp.mpf:
        """The kernel value by the method for it."""
        rho, s = _correlation(self.q1, self.q2, self.c)
        method = kernel_method(self.instance)
        if method == "closed form":
            return ref.closed_form(self.instance.name, self.q1, self.q2, self.c, s)
        if method == "Mehler":
            return ref.mehler(self.profile(self.q1), self.profile(self.q2), rho)
        with mp.workdps(ref.KERNEL_DIGITS + 8):
            engine = ref.trapezoid if method == "trapezoid" else ref.rotated
            return engine(self.instance.function, self.q1, self.q2, rho, s)


def _ball(value: mp.mpf, tolerance: str, scale: mp.mpf) -> arb:
    """The reference as a ball with the error that is allowed to it."""
    return arb(mp.nstr(value, 60)) + arb(0, (arb(tolerance) * arb(mp.nstr(scale, 10))).upper())


def check(ball: arb, value: mp.mpf, tolerance: str, scale: mp.mpf, digits: int) -> list[str]:
    """What is wrong with a ball."""
    with working_precision(400):
        size = arb(mp.nstr(scale, 20)) * (1 + arb("1e-15"))  # the scale itself is rounded
        found = [] if ball.overlaps(_ball(value, tolerance, scale)) else ["MISS"]
        narrow = scale == 0 or ball.rad() <= arb(10) ** -digits * size  # a product of two may vanish everywhere
        return found if narrow else [*found, "WIDE"]


def report(kind: str, what: str, instance: Instance, text: str, tally: Tally) -> None:
    """Count a problem and print it."""
    tally.misses += kind == "MISS"
    tally.wide += kind == "WIDE"
    print(f"{kind} {what} {instance}: {text}", flush=True)


def check_coefficients(instance: Instance, known: References, tally: Tally) -> None:
    """Hold all coefficients up to the degree against the panels."""
    count = instance.degree + 1
    try:
        balls = coefficient_balls(shape_of(instance.function.expr, x), count, instance.q1, instance.digits)
    except (AccuracyError, NotIntegrableError) as error:
        tally.counts[f"coefficients refused: {type(error).__name__}"] += 1
        report("REFUSED", "coefficients", instance, str(error)[:200], tally)
        return
    truth = known.coefficients(max(count, 8))
    scale = max(map(abs, truth))
    for r, ball in enumerate(balls):
        for kind in check(ball, truth[r], COEFFICIENT_TOLERANCE, scale, instance.digits):
            report(kind, f"a_{r}", instance, f"{ball.str(30)} against {mp.nstr(truth[r], 35)}", tally)
    tally.counts["coefficients checked"] += count


def check_kernel(instance: Instance, known: References, tally: Tally) -> None:
    """Hold the kernel against the reference there is."""
    try:
        ball = kernel_ball(shape_of(instance.function.expr, x), instance.q1, instance.q2, instance.c, instance.digits)
    except (AccuracyError, NotIntegrableError) as error:
        tally.counts[f"kernels refused: {type(error).__name__}"] += 1
        report("REFUSED", "kernel", instance, str(error)[:200], tally)
        return
    value, scale = known.kernel(), known.norm(known.q1) * known.norm(known.q2)
    for kind in check(ball, value, KERNEL_TOLERANCE, scale, instance.digits):
        text = f"{ball.str(30)} against {mp.nstr(value, 35)} ({kernel_method(instance)}, scale {mp.nstr(scale, 5)})"
        report(kind, "kernel", instance, text, tally)
    tally.counts[f"kernels checked: {kernel_method(instance)}"] += 1


def one_instance(seed: int, index: int, tally: Tally) -> None:
    """Draw and check one instance."""
    instance = draw(seed, index, tally)
    known = References(instance)
    check_coefficients(instance, known, tally)
    check_kernel(instance, known, tally)
    tally.instances += 1


def main() -> int:
    """Run the sweep and report; the exit status is the number of misses."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    deadline = time.monotonic() + float(sys.argv[3]) if len(sys.argv) > 3 else float("inf")
    start = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    mp.mp.dps = ref.COEFFICIENT_DIGITS + 10
    tally = Tally()

    def summary(mark: str) -> None:
        counts = "; ".join(f"{k}: {v}" for k, v in sorted(tally.counts.items()))
        print(
            f"{mark}seed {seed}, instances {start} to {start + tally.instances - 1}: {tally.instances} instances, "
            f"{tally.misses} misses, {tally.wide} too wide; {counts}; {time.process_time():.0f} s",
            flush=True,
        )

    while tally.instances < count and time.monotonic() < deadline:
        one_instance(seed, start + tally.instances, tally)
        if tally.instances % 50 == 0:
            summary("... ")
    summary("")
    return tally.misses


if __name__ == "__main__":
    raise SystemExit(main())

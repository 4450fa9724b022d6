"""Hold the float64 kernel, and its own error estimate, against proven enclosures over the full range.

Usage: python benchmarks/accuracy_sweep.py COUNT [SEED] [SECONDS] [FIRST]

Instance number i of a seed is drawn by its own generator `[seed, i]`: an activation (a catalogue entry, or one of the
user-made ones below: steep, singular, with kinks added, piecewise), variances q1, q2 between 1e-6 and 1e6, and sixteen
correlations, uniform, within `10^-U(1, 16)` of +-1, exactly +-1 and 0. `dual(phi).kernel(q1, q2, c, return_error=True)`
is asked for all of them at once; in one of eight instances among fifty more, so that it interpolates. Each value is
held against a ball for the same floats: the closed form in ball arithmetic where it is elementary, Mehler's series in
balls where its remainder allows, cells between the lines of kinks elsewhere. Where those take more than 1.5 seconds,
at variances far above the activation's own length and middling correlations, there is no reference.

*Above* counts deviations of more than 1e-13 of the scale `sqrt(k(q1, q1, q1) k(q2, q2, q2))`, *uncovered* those that
exceed the estimate returned with the value, *refused* the exceptions. Variances are cut where the activation grows like
an exponential.
"""

import collections
import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import sympy as sp
from flint import arb

import hermite_dual as hd
from hermite_dual.certified.balls.ball_functions import BallFunction
from hermite_dual.certified.balls.elementary import integer_power
from hermite_dual.certified.balls.precision import upper_float, working_precision
from hermite_dual.certified.enclosures.coefficients import coefficient_balls
from hermite_dual.certified.enclosures.kernel import kernel_ball, parseval_tail
from hermite_dual.certified.enclosures.second_moment import second_moment_ball
from hermite_dual.certified.enclosures.wedges import wedge_kernel
from hermite_dual.errors import HermiteDualError, InvalidInputError

POINTS = 16  # correlations of a pair of variances
ALLOWED = 1e-13  # of the scale
DIGITS = 16  # of the references
DEGREES = 48  # of Mehler's series in balls
PATIENCE = 1.5  # processor seconds for one reference
BITS = 600  # of closed forms, which cancel
MANY = 50  # more correlations than are integrated one by one
LEAST = 1e-290  # values below are lost to underflow
GROWING = {"exp": 2.0, "cosh": 2.0, "sinh": 2.0}  # log10 of the largest variance

x = sp.Symbol("x", real=True)
OWN = {
    "tanh(20x)": sp.tanh(20 * x),
    "sigmoid(50x-15)": 1 / (1 + sp.exp(15 - 50 * x)),
    "x/(1+|x|)^2": x / (1 + sp.Abs(x)) ** 2,
    "|x|/(1+|x|)": sp.Abs(x) / (1 + sp.Abs(x)),
    "mish+kinks": x * sp.tanh(sp.log(1 + sp.exp(x))) + sp.Abs(x - 1) / 2 - sp.Max(x + 2, 0) / 4,
    "piecewise": sp.Piecewise((-1 - x / 10, x < -1), (x**3 + x / 5, x < sp.Rational(1, 2)), (sp.sin(x), True)),
    "|x|^(1/4)": sp.root(sp.Abs(x), 4),
    "erf(30x)": sp.erf(30 * x),
}
STEEP_AT = {"sigmoid(50x-15)": sp.Rational(3, 10)}  # where cells are cut, which may be anywhere; at 0 by default


@dataclass
class Tally:
    """What happened so far."""

    instances: int = 0
    points: int = 0
    above: int = 0
    uncovered: int = 0
    worst: dict[str, float] = field(default_factory=dict)
    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    float_seconds: float = 0.0


@dataclass
class Instance:
    """One draw."""

    name: str
    q1: float
    q2: float
    c: list[float]
    many: bool

    @property
    def phi(self) -> sp.Expr | str:
        """What `dual` is given."""
        return OWN.get(self.name, self.name)


def names() -> list[str]:
    """The catalogue and the user-made ones."""
    return sorted([entry.name for entry in hd.catalogue()] + list(OWN))


def draw(seed: int, index: int) -> Instance:
    """Instance number `index` of a seed."""
    rng = np.random.default_rng([seed, index])
    every = names()
    name = every[rng.integers(len(every))]
    top = GROWING.get(name, 6.0)
    q1, q2 = (float(10 ** rng.uniform(-6, top)) for _ in range(2))
    kind = rng.random()
    if kind < 0.2:
        q2 = q1
    elif kind < 0.4:
        # Correlations of exactly 1 need a root that is a float.
        power = int(rng.integers(-8, 9))
        q2 = q1 * 4.0**power if 1e-6 <= q1 * 4.0**power <= 10**top else q1
    correlations = np.concatenate(
        [
            rng.uniform(-1, 1, 7),
            rng.choice([-1, 1], 7) * (1 - 10 ** -rng.uniform(1, 16, 7)),
            rng.choice([-1, 1], 1),
            [0.0],
        ]
    )
    c = [_inside(q1, q2, float(rho)) for rho in correlations]
    return Instance(name, q1, q2, c, bool(rng.random() < 1 / 8))


def _inside(q1: float, q2: float, rho: float) -> float:
    """The covariance, stepped inwards to where `c^2 <= q1 q2` holds exactly."""
    c = rho * np.sqrt(q1) * np.sqrt(q2)
    if abs(rho) == 1.0:
        c = rho * float(np.sqrt(q1 / q2)) * q2  # exact where q1/q2 is a power of 4
    while Fraction(c) ** 2 > Fraction(q1) * Fraction(q2):
        c = float(np.nextafter(c, 0.0))
    return float(c)


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TimeoutError after so many processor seconds."""

    def stop(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


class References:
    """Balls for the kernel of an instance."""

    def __init__(self, instance: Instance) -> None:
        self.q = (instance.q1, instance.q2)
        self.shape = hd.activation(instance.phi).shape
        norms = [second_moment_ball(self.shape, q, 12) for q in self.q]
        self.scale = max(float(upper_float((norms[0] * norms[1]).sqrt())), LEAST)
        self._form = self._closed_form(instance)
        self._series: tuple[list[arb], arb] | None = None
        pieces = self.shape.pieces
        if not pieces.kinks:
            cut = STEEP_AT.get(instance.name, sp.S.Zero)
            pieces = replace(pieces, kinks=(cut,), expressions=pieces.expressions * 2)
        self._pieces = pieces
        self._given_up: set[str] = set()

    def _closed_form(self, instance: Instance) -> BallFunction | None:
        form = hd.dual(instance.phi).closed_form_general
        if form is None:
            return None
        exact = {s: sp.Rational(*Fraction(q).as_integer_ratio()) for s, q in zip((hd.q1, hd.q2), self.q, strict=True)}
        try:
            return BallFunction(form.subs(exact), hd.c)
        except InvalidInputError:
            return None  # functions of the bivariate normal law

    def ball(self, c: float) -> tuple[arb, str] | None:
        """The kernel at a covariance and where it is from, or None; cells get harder away from +-1."""
        target = arb(self.scale) * arb(10) ** -DIGITS
        gap = Fraction(self.q[0]) * Fraction(self.q[1]) - Fraction(c) ** 2
        if self._form is not None:
            with working_precision(BITS):
                value = self._form(arb(c))
            if value.rad() <= target:
                return value, "closed form"
        for source, possible, way in (
            ("one integral", gap == 0, lambda: kernel_ball(self.shape, *self.q, c, DIGITS)),
            ("Mehler", c * c < 0.3 * self.q[0] * self.q[1], lambda: self._mehler(c)),
            ("cells", gap > 0, lambda: self._cells(c, gap, target)),
        ):
            if not possible or source in self._given_up:
                continue
            try:
                with limited(PATIENCE):
                    found = way()
            except TimeoutError:
                self._given_up.add(source)
                continue
            if found is not None and found.rad() <= target:
                return found, source
            if source == "cells":
                self._given_up.add(source)
        return None

    def _cells(self, c: float, gap: Fraction, target: arb) -> arb | None:
        with working_precision(150):
            root = (arb(self.q[0]) * arb(self.q[1])).sqrt()
            s = (arb(gap.numerator) / arb(gap.denominator)).sqrt() / root
            return wedge_kernel(self._pieces, arb(self.q[0]), arb(self.q[1]), arb(c) / root, s, target / 4)

    def _mehler(self, c: float) -> arb:
        """The series with its remainder; all correlations share the coefficients."""
        with working_precision(200):
            if self._series is None:
                both = [coefficient_balls(self.shape, DEGREES, q, DIGITS + 3) for q in self.q]
                tails = [parseval_tail(self.shape, q, a, DIGITS + 3) for q, a in zip(self.q, both, strict=True)]
                self._series = [a * b for a, b in zip(*both, strict=True)], (tails[0] * tails[1]).sqrt()
            products, tail = self._series
            rho = arb(c) / (arb(self.q[0]) * arb(self.q[1])).sqrt()
            total = arb(0)
            for product in reversed(products):
                total = total * rho + product
            return total + arb(0, (integer_power(rho.abs_upper(), DEGREES) * tail).upper())


def float_values(instance: Instance) -> tuple[np.ndarray, np.ndarray]:
    """The values and estimated errors that users get."""
    c = np.array(instance.c)
    if instance.many:
        fill = 0.999 * np.sqrt(instance.q1) * np.sqrt(instance.q2) * np.cos(np.linspace(0, np.pi, MANY))
        c = np.concatenate([c, fill])
    values, errors = hd.dual(instance.phi).kernel(instance.q1, instance.q2, c, return_error=True)
    return values[:POINTS], errors[:POINTS]


def one_instance(seed: int, index: int, tally: Tally) -> None:
    """Draw and check one instance."""
    instance = draw(seed, index)
    what = f"{index} {instance.name} q1={instance.q1!r} q2={instance.q2!r}{' many' if instance.many else ''}"
    tally.instances += 1
    begin = time.process_time()
    try:
        values, errors = float_values(instance)
    except HermiteDualError as error:
        tally.counts[f"refused: {type(error).__name__}"] += POINTS
        print(f"REFUSED {what}: {str(error)[:150]}", flush=True)
        return
    finally:
        taken = time.process_time() - begin
        tally.float_seconds += taken
        if taken > 5:
            print(f"SLOW {what}: {taken:.1f} s", flush=True)
    try:
        with limited(5 * PATIENCE):
            known = References(instance)
        balls = {c: known.ball(c) for c in sorted(set(instance.c), key=abs, reverse=True)}
    except (HermiteDualError, TimeoutError) as error:
        tally.counts[f"no reference: {type(error).__name__}"] += POINTS
        print(f"NOREF {what}: {str(error)[:150]}", flush=True)
        return
    for c, value, error in zip(instance.c, values.tolist(), errors.tolist(), strict=True):
        found = balls[c]
        if found is None:
            tally.counts["no reference"] += 1
            continue
        ball, source = found
        with working_precision(200):
            gap = abs(arb(value) - ball)
            off, least = upper_float(gap) / known.scale, float(gap.lower())
        tally.points += 1
        tally.counts[source] += 1
        tally.worst[instance.name] = max(tally.worst.get(instance.name, 0.0), off)
        bad = [("ABOVE", not off <= ALLOWED), ("UNCOVERED", not least <= error + LEAST)]
        tally.above += bad[0][1]
        tally.uncovered += bad[1][1]
        for kind in (kind for kind, is_so in bad if is_so):
            text = f"{value!r} off by {off:.2e} of the scale, its own estimate {error / known.scale:.2e} ({source})"
            print(f"{kind} {what} c={c!r}: {text}", flush=True)
        if error > 100 * ALLOWED * known.scale:
            tally.counts["estimates above 1e-11"] += 1
            print(f"WIDE {what} c={c!r}: estimate {error / known.scale:.2e}, deviation {off:.2e}", flush=True)


def main() -> int:
    """Run the sweep and report; the exit status is 1 where anything is above or uncovered."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    deadline = time.monotonic() + float(sys.argv[3]) if len(sys.argv) > 3 else float("inf")
    start = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    tally = Tally()

    def summary(mark: str) -> None:
        counts = "; ".join(f"{k}: {v}" for k, v in sorted(tally.counts.items()))
        print(
            f"{mark}seed {seed}, instances {start} to {start + tally.instances - 1}: {tally.points} points, "
            f"{tally.above} above, {tally.uncovered} uncovered, worst {max(tally.worst.values(), default=0.0):.1e}; "
            f"{counts}; {time.process_time():.0f} s, of which {tally.float_seconds:.0f} s in float64",
            flush=True,
        )

    with contextlib.suppress(KeyboardInterrupt):
        while tally.instances < count and time.monotonic() < deadline:
            one_instance(seed, start + tally.instances, tally)
            if tally.instances % 25 == 0:
                summary("... ")
    summary("")
    for name, off in sorted(tally.worst.items(), key=lambda item: -item[1]):
        print(f"  {name}: {off:.1e}")
    return int(tally.above + tally.uncovered > 0)


if __name__ == "__main__":
    raise SystemExit(main())

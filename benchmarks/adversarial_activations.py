"""Ask nine questions of activations written to break things, and hold the answers against independent quadrature.

Usage: python benchmarks/adversarial_activations.py [PATTERN]

Each case is a formula as a user types it and the same function written by hand in NumPy, with the places where it is
not smooth. The reference integrates that function by Gauss-Legendre panels, graded towards those places, in two
dimensions with the normal density; it shares no code with the package. The questions: values, Hermite coefficients, the
kernel at three pairs of variances (0 among them), the closed form, the ball, the Lipschitz constant, `sup |phi''|`,
the population Gram matrix, and the check of the hypotheses. An answer is *wrong* if it is further from the reference
than its own error and `ALLOWED` of the scale, *false* if something is PROVEN that the hand-written function refutes,
*foreign* if an exception is not the package's own, *slow* above `PATIENCE` seconds. Activations that must be refused
have to be, with the place named. PATTERN selects cases whose formula contains it. The exit code is 1 if anything
failed.
"""

import collections
import contextlib
import math
import signal
import sys
import time
from collections.abc import Iterator

import numpy as np
import sympy as sp
from adversarial_cases import LISTED, Array, Case

import hermite_dual as hd
from hermite_dual.certified.suprema.constants import derivative_bound
from hermite_dual.errors import HermiteDualError

ALLOWED = 2e-12  # of the scale: what the reference, in float64, may be off
PATIENCE = 10.0  # seconds for one question
COUNT = 8  # coefficients
VARIANCES = ((1.0, 1.0, 0.5), (0.25, 4.0, -0.7), (0.0, 1.0, 0.0))
X = np.array([[1.0, 0.0], [0.6, 0.8], [-0.28, 0.96]])
SIGMA_W = 0.2
NODES = 14
REACH = 14.0
GRADES = 44  # halvings towards a place that is not smooth
CASES = {str(case.spec): case for case in LISTED}


class SlowError(Exception):
    """A question took too long."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise `SlowError` after so many seconds."""

    def ring(*_: object) -> None:
        raise SlowError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def rule(case: Case, variance: float, others: tuple[float, ...] = ()) -> tuple[Array, Array]:
    """Nodes and Lebesgue weights for a normal variable, graded towards the places that are not smooth."""
    reach = REACH * math.sqrt(variance)
    inside = [place for place in (*case.breaks, *others) if abs(place) < reach]
    base = np.linspace(-reach, reach, 85)
    halves = reach * 0.5 ** np.arange(0, GRADES) if len(inside) <= 8 else np.zeros(1)
    edges = np.unique([*base, *inside, *(p + s * h for p in inside for s in (-1, 1) for h in halves)])
    edges = edges[np.abs(edges) <= reach]
    edges = edges[np.concatenate([[True], np.diff(edges) > 4e-16 * reach])]
    t, w = np.polynomial.legendre.leggauss(NODES)
    width = np.diff(edges)[:, None]
    return (edges[:-1, None] + width * (t + 1) / 2).ravel(), (width * w / 2).ravel()


def _normal(u: Array, variance: float) -> Array:
    return np.asarray(np.exp(-u * u / (2 * variance)) / math.sqrt(2 * math.pi * variance))


def reference_kernel(case: Case, q1: float, q2: float, c: float) -> float:
    """`E[phi(u) phi(v)]` by panels in both variables; in one where they are tied to one another, or one is 0."""
    assert case.function is not None
    f = case.function
    zero = float(f(np.zeros(1))[0])
    if q1 == 0.0 or q2 == 0.0:
        q = max(q1, q2)
        if q == 0.0:
            return zero * zero
        u, w = rule(case, q)
        return zero * math.fsum(w * f(u) * _normal(u, q))
    conditional_variance = q2 - c * c / q1
    if conditional_variance <= 4e-15 * q2:
        slope = c / q1
        u, w = rule(case, q1, tuple(place / slope for place in case.breaks))
        return math.fsum(w * f(u) * f(slope * u) * _normal(u, q1))
    u, weights = rule(case, q1)
    left = weights * f(u) * _normal(u, q1)
    v, weights = rule(case, q2)
    right = weights * f(v)
    total = 0.0
    for start in range(0, u.size, 1024):
        rows = slice(start, start + 1024)
        total += float(left[rows] @ (_normal(v - c / q1 * u[rows, None], conditional_variance) @ right))
    return total


def reference_coefficients(case: Case) -> Array:
    """`a_r(1)` by the three-term recursion."""
    assert case.function is not None
    z, w = rule(case, 1.0)
    weighted = w * case.function(z) * _normal(z, 1.0)
    before, current = np.zeros_like(z), np.ones_like(z)
    found = []
    for r in range(COUNT):
        found.append(float(weighted @ current))
        before, current = current, (z * current - math.sqrt(r) * before) / math.sqrt(r + 1)
    return np.array(found)


def slopes(case: Case, order: int) -> float:
    """A lower bound of `sup |phi^(order)|` by differences, jumps and kinks among the points."""
    assert case.function is not None
    step = 1e-5 if order == 1 else 1e-3
    near = [place + k * step * s for place in case.breaks for k in range(-40, 41) for s in (1.0, 1e-2)]
    points = np.concatenate([np.linspace(-12, 12, 24_001) + step / 3, near])
    left, middle, right = (case.function(points + k * step) for k in (-1, 0, 1))
    values = np.abs(right - left) / (2 * step) if order == 1 else np.abs(right - 2 * middle + left) / step**2
    noise = 8 * np.finfo(float).eps * (np.abs(left) + np.abs(middle) + np.abs(right)) / step**order
    # rounding of the arguments, which steep functions magnify
    noise += 8 * np.finfo(float).eps * np.abs(points) * np.abs(right - left) / step ** (order + 1)
    return float(np.max(values - noise, initial=0.0))


class Questions:
    """The nine questions of one case; each method returns None, or what is wrong."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.known: dict[tuple[float, float, float], float] = {}
        self.aside = 0.0  # seconds that the references took

    def reference(self, q1: float, q2: float, c: float) -> float:
        """Return the reference kernel, remembered."""
        key = (q1, q2, c)
        if key not in self.known:
            start = time.perf_counter()
            self.known[key] = reference_kernel(self.case, q1, q2, c)
            self.aside += time.perf_counter() - start
        return self.known[key]

    def scale(self, q1: float, q2: float) -> float:
        """Return `sqrt(k(q1, q1, q1) k(q2, q2, q2))`."""
        return math.sqrt(abs(self.reference(q1, q1, q1) * self.reference(q2, q2, q2)))

    def fits(self, q1: float, q2: float) -> bool:
        """Whether the square has a moment at both variances."""
        return max(q1, q2) <= self.case.top

    def differs(self, name: str, value: float, error: float, q1: float, q2: float, c: float) -> str | None:
        """Say how a kernel value differs from the reference, None if it does not."""
        expected = self.reference(q1, q2, c)
        allowed = ALLOWED * self.scale(q1, q2) + error
        if abs(value - expected) <= allowed and error <= 1e-6 * self.scale(max(q1, 1e-3), max(q2, 1e-3)):
            return None
        return f"wrong: {name}({q1}, {q2}, {c}) = {value!r} +- {error:.1e}, reference {expected!r}"

    def values(self) -> str | None:
        """Values at points, kinks among them."""
        assert self.case.function is not None
        points = np.array([*np.linspace(-4.1, 4.3, 29), *self.case.breaks[:9], 0.0])
        found, expected = hd.activation(self.case.spec)(points), self.case.function(points)
        # at breaks that are no float64 numbers the value is either side's
        moved = np.abs(self.case.function(points * (1 + 1e-15)) - expected)  # rounding that steep functions magnify
        close = np.abs(found - expected) <= 1e-11 * (np.abs(expected) + 1e-3 * np.nanmax(np.abs(expected))) + moved
        exact = np.array([True] * 29 + [place == round(place, 3) for place in self.case.breaks[:9]] + [True])
        infinite = ~np.isfinite(found)
        bad = np.flatnonzero(~close & exact & ~infinite & ~np.isnan(expected))
        return f"wrong: phi({points[bad[0]]}) = {found[bad[0]]}, by hand {expected[bad[0]]}" if bad.size else None

    def coefficients(self) -> str | None:
        """The first Hermite coefficients."""
        k = hd.dual(self.case.spec)
        found, error = k.coefficients(COUNT), k.coefficient_error(COUNT)
        gap = np.abs(found - reference_coefficients(self.case))
        bad = np.flatnonzero(~(gap <= error + ALLOWED * self.scale(1.0, 1.0)))
        return f"wrong: a_{bad[0]} = {found[bad[0]]} is off by {gap[bad[0]]:.1e}" if bad.size else None

    def kernel(self) -> str | None:
        """The kernel at three pairs of variances."""
        k = hd.dual(self.case.spec)
        for q1, q2, c in VARIANCES:
            if not self.fits(q1, q2):
                try:
                    k.kernel(q1, q2, c)
                except hd.NotIntegrableError:
                    continue
                return f"wrong: a kernel at variances {q1}, {q2}, where there is none"
            if math.isnan(self.reference(q1, q2, c)):
                with contextlib.suppress(hd.InvalidInputError):
                    k.kernel(q1, q2, c)
                    return "wrong: a value at variance 0, where phi has none"
                continue
            value, error = k.kernel(q1, q2, c, return_error=True)
            if problem := self.differs("kernel", float(value), float(error), q1, q2, c):
                return problem
        return None

    def closed_form(self) -> str | None:
        """The closed forms, where there are any."""
        k = hd.dual(self.case.spec)
        for form, (q1, q2, c) in ((k.closed_form, (1, 1, 0.5)), (k.closed_form_general, (1, 1, 0.5))):
            if form is None:
                continue
            names = {hd.rho: sp.Rational(1, 2), hd.q1: 1, hd.q2: 1, hd.c: sp.Rational(1, 2)}
            value = form.subs(names).evalf(30)
            if problem := self.differs("closed form", float(value), 0.0, q1, q2, c):
                return problem
        return None

    def ball(self) -> str | None:
        """Balls of the kernel."""
        k = hd.dual(self.case.spec)
        for q1, q2, c in ((1, 1, 0.5), (0, 1, 0)):
            if math.isnan(self.reference(q1, q2, c)):
                continue
            ball = k.ball(q1, q2, sp.Rational(str(c)), digits=15)
            if problem := self.differs("ball", float(ball.mid()), float(ball.rad()), q1, q2, c):
                return problem
        return None

    def lipschitz(self) -> str | None:
        """The Lipschitz constant, proven and in float64."""
        phi = hd.activation(self.case.spec)
        bound = derivative_bound(phi.shape, 1)
        seen = slopes(self.case, 1)
        if bound.upper < seen * (1 - 1e-6):
            return f"false: sup |phi'| <= {bound.upper} PROVEN, {seen} seen"
        if phi.lipschitz < seen * (1 - 1e-6):
            return f"wrong: lipschitz = {phi.lipschitz}, {seen} seen"
        return None

    def curvature(self) -> str | None:
        """The bound of the second derivative."""
        phi = hd.activation(self.case.spec)
        bound, seen = derivative_bound(phi.shape, 2), slopes(self.case, 2)
        return f"false: sup |phi''| <= {bound.upper} PROVEN, {seen} seen" if bound.upper < seen * (1 - 1e-5) else None

    def gram(self) -> str | None:
        """The Gram matrix, held against one step of its own recursion."""
        model = hd.DEQ(self.case.spec, SIGMA_W)
        try:
            gram, depth = model.gram(X), None
        except hd.InvalidInputError as error:
            if "depth" not in str(error):
                raise
            gram, depth = model.gram(X, depth=1), 1
        found = np.asarray(gram)
        before = found if depth is None else np.zeros_like(found)
        inner = SIGMA_W**2 * before + X @ X.T / X.shape[1]
        if not self.fits(inner.max(), 0.0):
            return "wrong: a Gram matrix where there is none"
        for i, j in ((0, 0), (0, 1), (1, 2)):
            q1, q2, c = (float(value) for value in (inner[i, i], inner[j, j], inner[i, j]))
            error = 2 * float(np.max(gram.estimated_error)) + 1e-14 * self.scale(q1, q2)
            if problem := self.differs("gram", float(found[i, j]), error, q1, q2, c):
                return problem
        return None

    def check(self) -> str | None:
        """The hypotheses."""
        result = hd.DEQ(self.case.spec, SIGMA_W).check(X)
        said = {item.name: item.outcome.name for item in (*result.hypotheses, *result.consequences)}
        if said.get("phi is no polynomial") == ("PROVEN" if self.case.polynomial else "REFUTED"):
            return f"false: 'phi is no polynomial' is {said['phi is no polynomial']}"
        for order, name in ((1, "bounded first derivative"), (2, "bounded second derivative")):
            if said[name] == "PROVEN" and slopes(self.case, order) > 1e9:
                return f"false: {name} is PROVEN"
        return None


QUESTIONS = ("values", "coefficients", "kernel", "closed_form", "ball", "lipschitz", "curvature", "gram", "check")


def ask(case: Case, question: str) -> tuple[str | None, str, float]:
    """Return what is wrong, what was said instead of an answer, and the seconds."""
    start = time.perf_counter()
    problem, said = None, ""
    questions = Questions(case)
    try:
        with within(6 * PATIENCE):
            if case.refused is not None:
                with within(PATIENCE):
                    hd.activation(case.spec)
                problem = "wrong: not refused"
            else:
                problem = getattr(questions, question)()
    except HermiteDualError as error:
        said = f"{type(error).__name__}: {error}"
        if case.refused is not None and "pole" not in said and "not square-integrable" not in said:
            problem = f"wrong: refused without the pole, {said}"
    except SlowError:
        problem = f"slow: more than {6 * PATIENCE:g} s"
    except Exception as error:
        problem = f"foreign: {type(error).__name__}: {error}"
    return problem, said, time.perf_counter() - start - questions.aside


def main(arguments: list[str]) -> int:
    """Ask all questions of all cases and print what is wrong."""
    pattern = arguments[0] if arguments else ""
    hd.dual("tanh").kernel(1.0, 1.0, 0.5)
    hd.DEQ("tanh", SIGMA_W).gram(X)  # compiles
    problems: collections.Counter[str] = collections.Counter()
    refusals: collections.Counter[str] = collections.Counter()
    chosen = [case for name, case in CASES.items() if pattern in name]
    for case in chosen:
        for question in QUESTIONS[:1] if case.refused else QUESTIONS:
            problem, said, seconds = ask(case, question)
            if problem is None and seconds > PATIENCE:
                problem = "slow"
            if problem is not None:
                problems[problem.split(":")[0]] += 1
                print(f"{case.spec!s:44} {question:12} {seconds:6.1f} s  {problem}", flush=True)
            elif said and case.refused is None:
                refusals[question] += 1
                print(f"{case.spec!s:44} {question:12} {seconds:6.1f} s  said {said}", flush=True)
    print(f"{len(chosen)} activations, problems: {dict(problems) or 'none'}; refused with a sentence: {dict(refusals)}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

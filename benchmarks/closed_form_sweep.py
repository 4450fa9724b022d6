"""Random members of the class: closed form against iterated quadrature and against the Mehler series, in bulk.

    python benchmarks/closed_form_sweep.py 500 [first]

Each draw is compared at three covariances. The closed form is evaluated in float64, to 30 digits where that cancels;
quadrature and series are those of the numeric layer and share nothing with the derivation, each within its own reported
error and 1e-11 of the scale.
"""

import random
import sys
import time
from pathlib import Path

import numpy as np
import sympy as sp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hermite_dual import activation
from hermite_dual.numeric.iterated import iterated_kernel_with_error
from hermite_dual.numeric.mehler import hermite_series, mehler_sum
from hermite_dual.shape.shape import shape_of
from hermite_dual.symbolic.bivariate_normal import LAMBDIFY_MODULES
from hermite_dual.symbolic.closed_forms import derive_dual
from hermite_dual.symbols import c, q1, q2, rho, x
from tests.test_symbolic_sweep import draw

TOLERANCE = 1e-11
"""Relative to sqrt(k(q1, q1, q1) k(q2, q2, q2)); float64 coefficients lose that much in the wildest draws."""
VARIANCES = [sp.Rational(n, 10) for n in range(2, 18)]
CORRELATIONS = [sp.Rational(n, 10) for n in (-9, -6, -3, 2, 5, 8)]


def compare(number: int) -> tuple[float, str]:
    """Return the largest deviation of a draw relative to what is allowed, and which comparison it was."""
    expr = draw(number).expr
    form, phi = derive_dual(shape_of(expr, x)), activation(sp.Lambda(x, expr))
    if form.unit is None:
        return float("inf"), f"no form: {form.reason}"
    generator = random.Random(1000 + number)
    worst, where = 0.0, "nothing compared"
    for attempt in range(3):
        v1, v2 = (generator.choice(VARIANCES) ** 2 for _ in range(2))
        correlation = generator.choice(CORRELATIONS)
        if attempt == 0 or form.general is None:
            v1 = v2 = sp.S.One
            given, point = form.unit, {rho: correlation}
        else:
            given, point = form.general, {q1: v1, q2: v2, c: correlation * sp.sqrt(v1 * v2)}
        evaluate = sp.lambdify(list(point), given, modules=[LAMBDIFY_MODULES, "scipy"])
        with np.errstate(all="ignore"):
            derived = float(np.real(evaluate(*map(float, point.values()))))
        for label, value, allowed in numeric(phi, float(v1), float(v2), float(correlation)):
            if not abs(derived - value) <= allowed:
                derived = float(given.subs(point).evalf(30))
            ratio = abs(derived - value) / max(allowed, 1e-300)  # a draw may vanish identically
            if ratio >= worst:
                worst, where = ratio, f"{label} at q1={v1}, q2={v2}, rho={correlation}"
    return worst, where


def numeric(phi, v1: float, v2: float, correlation: float) -> list[tuple[str, float, float]]:
    """Return the value of each numeric method and how far from it the truth may be."""
    first, second = hermite_series(phi, v1), hermite_series(phi, v2)
    slack = TOLERANCE * float(np.sqrt(first.second_moment * second.second_moment))
    value, error = iterated_kernel_with_error(phi, v1, v2, correlation, 1.0 - correlation**2)
    series, remainder, rounding = mehler_sum(first, second, np.array(correlation))
    return [
        ("quadrature", value, error + slack),
        ("series", float(series), float(remainder + rounding) + slack),
    ]


def main(count: int, first: int = 0) -> int:
    """Run the draws, print each that is wrong and the totals; return the number of wrong ones."""
    wrong, worst, start = 0, 0.0, time.perf_counter()
    for number in range(first, first + count):
        ratio, where = compare(number)
        worst = max(worst, ratio)
        if not ratio <= 1.0:
            wrong += 1
            print(f"draw {number}: {ratio:.3g} times the allowed deviation, {where}: {draw(number).expr}", flush=True)
        if (number - first + 1) % 50 == 0:
            print(f"{number - first + 1} draws, {wrong} wrong, {time.perf_counter() - start:.0f} s", flush=True)
    print(f"{count} draws, {wrong} wrong, largest deviation {worst:.3g} of what is allowed")
    return wrong


if __name__ == "__main__":
    sys.exit(min(1, main(int(sys.argv[1]) if len(sys.argv) > 1 else 500, int(sys.argv[2]) if len(sys.argv) > 2 else 0)))

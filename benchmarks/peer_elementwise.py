"""Kernels of 96 parametrised activations at 88 points against neural-tangents; differences decided by balls.

Usage: python benchmarks/peer_elementwise.py PEER_PYTHON

PEER_PYTHON is an interpreter as `peer.py` describes it; it runs this file again for its half. Differences are relative
to `sqrt(k(q1, q1, q1) k(q2, q2, q2))`. Where one exceeds 1e-13 a proven ball of the kernel says whose it is.
"""

import itertools
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

WAVES = list(itertools.product((2.0, 0.3), (1.5, 0.3), (0.0, -math.pi / 4, math.pi / 2)))
BELLS = list(itertools.product((-0.5, 0.25), (-0.5, -0.1, 0.1)))
POLYNOMIALS = [[-2.0], [0.0, 1.0], [1.0, 0.0], [1.0, -1.0], [-0.5, 1.2], [1.3, 0.0, -1.2, -0.5]]
POLYNOMIALS += [[-0.1, 2.1, 0.0, 0.0, -1.2, -0.5]]
SLOPES = list(itertools.product((-0.5, 0.0, 0.3, 1.0), (1.0, 2.0, -1.0)))
CASES = [
    *(("Erf", {"a": a, "b": b, "c": c}, f"{a}*erf({b}*x) + {c}") for a, b, c in WAVES),
    *(("Sin", {"a": a, "b": b, "c": c}, f"{a}*sin({b}*x + {c})") for a, b, c in WAVES),
    *(("Cos", {"a": a, "b": b, "c": c}, f"{a}*cos({b}*x + {c})") for a, b, c in WAVES),
    *(("Gaussian", {"a": a, "b": b}, f"{a}*exp({b}*x**2)") for a, b in BELLS),
    *(("Exp", {"a": a, "b": b}, f"{a}*exp({b}*x)") for a, b in BELLS),
    *(("Monomial", {"degree": r}, f"x**{r}" if r else "1") for r in range(6)),
    *(("RectifiedMonomial", {"degree": r}, f"Max(x, 0)**{r}" if r else "Heaviside(x)") for r in range(6)),
    *(("Polynomial", {"coef": c}, " + ".join(f"({v})*x**{r}" for r, v in enumerate(c))) for c in POLYNOMIALS),
    *(("Rbf", {"gamma": g}, f"sqrt(2)*sin(sqrt(2*{g})*x + pi/4)") for g in (1e-6, 1e-4, 1e-2, 1.0, 2.0)),
    *(("ABRelu", {"a": a, "b": b}, f"{a}*Min(x, 0) + {b}*Max(x, 0)") for a, b in SLOPES),
    *(("LeakyRelu", {"alpha": a}, f"Max(x, 0) + {a}*Min(x, 0)") for a in (0.01, 0.1, 0.2, 0.5, 0.7, 0.9)),
    ("Gelu", {}, "x*(1 + erf(x/sqrt(2)))/2"),
    ("Relu", {}, "Max(x, 0)"),
    ("Abs", {}, "Abs(x)"),
    ("Sign", {}, "sign(x)"),
    ("Gabor", {}, "exp(-x**2)*sin(x)"),
    ("Sigmoid_like", {}, "erf(x/2.4020563531719796)/2 + 1/2"),
]


LENGTHS = [(1, 1), (0.5, 0.5), (2, 2), (1, 2), (1.5, 0.5), (1.5, 0.25), (1.75, 1), (0.75, 1.25)]
"""Of rows, so that variances and covariances at both ends are exact: there some kernels have square-root end points."""


def points():
    """Rows of the pairs, shape (88, 2) each: eight pairs of lengths, eleven correlations, both ends included."""
    left, right = [], []
    for (first, second), rho in itertools.product(LENGTHS, np.linspace(-1, 1, 11)):
        left.append((first, 0.0))
        right.append((second * rho, second * math.sqrt(max(1 - rho * rho, 0.0))))
    return np.array(left), np.array(right)


def reference(target):
    """The peer's half."""
    import jax

    jax.config.update("jax_enable_x64", True)
    from neural_tangents import stax

    X, Y = points()
    values = []
    for name, arguments, _ in CASES:
        kernel = stax.serial(stax.Dense(1, W_std=1.0, b_std=None), getattr(stax, name)(**arguments))[2]
        values.append(np.diag(np.asarray(kernel(X, Y, "nngp"))))
    np.save(target, np.array(values))


def main(peer):
    """Compare and decide."""
    import hermite_dual as hd

    X, Y = points()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "values.npy"
        subprocess.run([peer, __file__, "--reference", str(target)], check=True, stderr=subprocess.DEVNULL)
        theirs = np.load(target)
    q1, q2, c = (np.sum(a * b, axis=1) / 2 for a, b in ((X, X), (Y, Y), (X, Y)))
    c = np.clip(c, -np.sqrt(q1) * np.sqrt(q2), np.sqrt(q1) * np.sqrt(q2))
    equal = ours_right = theirs_right = undecided = 0
    for (name, arguments, formula), their in zip(CASES, theirs, strict=True):
        k = hd.dual(formula)
        mine = k.kernel(q1, q2, c)
        scale = np.sqrt(k.kernel(q1, q1, q1)) * np.sqrt(k.kernel(q2, q2, q2))
        difference = np.abs(mine - their)
        with np.errstate(invalid="ignore"):
            bad = ~(difference <= 1e-13 * scale)
        equal += int((~bad).sum())
        words = [0, 0]
        for i in np.flatnonzero(bad):
            ball = k.ball(float(q1[i]), float(q2[i]), float(c[i]), digits=18)
            gaps = [abs(float(ball.mid()) - float(values[i])) for values in (mine, their)]
            if gaps[0] <= 1e-13 * scale[i]:
                ours_right, words[0] = ours_right + 1, words[0] + 1
            elif gaps[1] <= 1e-13 * scale[i]:
                theirs_right, words[1] = theirs_right + 1, words[1] + 1
            else:
                undecided += 1
        if bad.any():
            worst = "NaN" if np.isnan(difference).any() else f"{(difference / scale).max():.1e}"
            print(f"{name} {json.dumps(arguments)}: {bad.sum()} points differ, by up to {worst}; right here {words[0]}")
    print(
        f"{len(CASES)} activations at {len(q1)} points: {equal} equal within 1e-13, {ours_right} right here alone, "
        f"{theirs_right} right there alone, {undecided} neither"
    )


if __name__ == "__main__":
    if sys.argv[1] == "--reference":
        reference(sys.argv[2])
    else:
        main(sys.argv[1])

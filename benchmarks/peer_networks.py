"""Multilayer and residual networks and predictions against neural-tangents: differences, and times in one run.

Usage: python benchmarks/peer_networks.py PEER_PYTHON [--times]

PEER_PYTHON is an interpreter as `peer.py` describes it. Differences are relative to the largest entry;
on the diagonal of tangent kernels of kinked activations the peer takes the arc cosine of a rounded 1 and is off by 1e-9
or so, so that these are named apart. Times are of the tangent kernel at depth 3, of rows of different norms,
compilation and tables of an earlier call left out on both sides; `first` includes the tables.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import hermite_dual as hd

NAMES = ("relu", "erf", "gelu", "sin", "cos", "abs", "leaky_relu", "exp")
SCALES = {"exp": (0.4, 0.1)}
CASES = [
    (name, depth, *SCALES.get(name, (1.3, 0.2)), residual)
    for name in NAMES
    for depth in (1, 2, 3, 8)
    for residual in (None, 0.5)
    if not (name == "exp" and depth > 3)  # whose variances outgrow float64
]
TIMED = [((name, 3, 1.3, 0.2, None), n) for n in (300, 2000) for name in ("tanh", "relu", "gelu", "erf")]
TIMED.remove((("tanh", 3, 1.3, 0.2, None), 2000))  # its quadrature keeps 625 matrices, beyond 24 GiB


def network(case):
    """The same network here."""
    name, depth, sigma_w, sigma_b, residual = case
    phi = hd.activation("leaky_relu", alpha=0.01) if name == "leaky_relu" else name
    return hd.MLP(phi, depth, sigma_w, sigma_b, residual=residual)


def main(peer, times):
    """Print both tables."""
    generator = np.random.default_rng(0)
    X, Y = generator.standard_normal((20, 10)), generator.standard_normal((7, 10))
    y = generator.standard_normal((20, 2))
    rows = {f"rows-{n}": generator.standard_normal((n, 100)) * generator.uniform(0.7, 1.4, (n, 1)) for n in (300, 2000)}
    timed = TIMED if times else []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "input.npz", Path(folder) / "output.npz"
        np.savez(source, X=X, Y=Y, y=y, t=3.0, cases=json.dumps(CASES), timed=json.dumps(timed), **rows)
        program = [peer, str(Path(__file__).with_name("peer_networks_reference.py")), str(source), str(target)]
        subprocess.run(program, check=True, stderr=subprocess.DEVNULL)
        theirs = dict(np.load(target))
    heads = ("NNGP", "NTK", "diagonal", "cross", "cross NTK")
    print(f"{'activation':12} {'depth':>5} {'residual':>8} " + " ".join(f"{head:>9}" for head in heads))
    worst = 0.0
    for number, case in enumerate(CASES):
        ours, differences = network(case), []
        for label, pair in (("square", (X,)), ("cross", (X, Y))):
            for kind in ("nngp", "ntk"):
                kernel = (ours.gram if kind == "nngp" else ours.ntk)(*pair).matrix
                truth = theirs[f"{number}-{label}-{kind}"]
                difference = np.abs(kernel - truth) / np.abs(truth).max()
                if (label, kind) == ("square", "ntk"):
                    diagonal = np.diag(difference)
                    differences += [float((difference - np.diag(diagonal)).max()), float(diagonal.max())]
                else:
                    differences.append(float(difference.max()))
        worst = max(worst, *differences[:2], *differences[3:])
        print(f"{case[0]:12} {case[1]:5} {case[4] or '-'!s:>8} " + " ".join(f"{value:9.1e}" for value in differences))
    print(f"largest difference off that diagonal {worst:.1e}")
    _predictions(network(CASES[0]), X, Y, y, theirs)
    for (case, n), seconds in zip(timed, theirs["seconds"], strict=True):
        ours, spent = network(case), []
        for _ in range(4):
            start = time.perf_counter()
            ours.ntk(rows[f"rows-{n}"])
            spent.append(time.perf_counter() - start)
        best = min(spent[1:])
        print(
            f"{case[0]:6} n = {n:5}: {best:.3f} s here (first {spent[0]:.2f}), {seconds:.3f} s there, "
            f"{seconds / best:.1f} times"
        )


def _predictions(ours, X, Y, y, theirs):
    """Their learning rate 1 on the mean of squares over all targets is our time t / y.size."""
    for label, t in (("end", np.inf), ("middle", 3.0 / y.size)):
        for kind, kernel, cross in (("nngp", ours.gram(X), ours.gram(Y, X)), ("ntk", ours.ntk(X), ours.ntk(Y, X))):
            mine = kernel.predict(y, cross, t=t)
            mean = np.abs(mine.mean - theirs[f"predict-{label}-{kind}-mean"]).max()
            covariance = np.abs(mine.covariance - theirs[f"predict-{label}-{kind}-covariance"]).max()
            print(f"predict {label:6} {kind:4}: mean {mean:.1e}, covariance {covariance:.1e}")


if __name__ == "__main__":
    main(sys.argv[1], "--times" in sys.argv[2:])

"""One layer's kernel matrix against neural-tangents: time, and error against proven kernel values.

Usage: python benchmarks/peer.py PEER_PYTHON [REPEATS]

PEER_PYTHON is the interpreter of an environment with `jax==0.4.30`, `numpy<2` and `neural-tangents==0.6.5`. Both sides
work in float64 on the same samples, rows of norm sqrt(d); compilation is left out on both sides.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import hermite_dual as hd

CASES = (("tanh", 2000), ("erf", 5000), ("relu", 5000), ("gelu", 5000))
COLUMNS = 784
CHECKED_ENTRIES = 40
DIGITS = 20


def _error(name: str, samples: NDArray[np.float64], matrix: NDArray[np.float64]) -> float:
    """Largest error of randomly chosen entries against proven balls of the kernel, relative to the diagonal.

    The covariances are those of the float rows; their own rounding, below 1e-15, is counted as error.
    """
    dual = hd.dual(name)
    rng = np.random.default_rng(0)
    d = samples.shape[1]
    pairs = rng.integers(0, len(samples), (CHECKED_ENTRIES, 2))
    pairs[:4, 1] = pairs[:4, 0]
    worst = 0.0
    for i, j in pairs.tolist():
        q1, q2, c = (float(samples[a] @ samples[b]) / d for a, b in ((i, i), (j, j), (i, j)))
        c = min(c, np.sqrt(q1) * np.sqrt(q2)) if i != j else q1
        ball = dual.ball(q1, q2, c, digits=DIGITS)
        worst = max(worst, abs(float(ball) - float(matrix[i, j])) / abs(float(dual.ball(q1, q1, q1, digits=DIGITS))))
    return worst


def measure(peer: str, repeats: int = 3) -> list[dict[str, float | str]]:
    """A row per activation: seconds of both, their ratio, errors of both."""
    rows: list[dict[str, float | str]] = []
    for name, n in CASES:
        samples = hd.on_sphere(np.random.default_rng(1).standard_normal((n, COLUMNS)))
        with tempfile.TemporaryDirectory() as folder:
            source, result = Path(folder) / "samples.npy", Path(folder) / "kernel.npy"
            np.save(source, samples)
            program = [peer, str(Path(__file__).with_name("peer_layer.py")), source, result, name, str(repeats)]
            done = subprocess.run(program, check=True, capture_output=True, text=True)
            theirs = json.loads(done.stdout.splitlines()[-1])
            their_error = _error(name, samples, np.load(result))
        model = hd.DEQ(name, sigma_w=0.0)
        start = time.perf_counter()
        model.gram(samples, depth=1)
        first = time.perf_counter() - start
        seconds = []
        for _ in range(max(5, repeats)):
            start = time.perf_counter()
            gram = model.gram(samples, depth=1)
            seconds.append(time.perf_counter() - start)
        ours = statistics.median(seconds)
        peer_seconds = statistics.median(theirs["seconds"])
        rows.append(
            {
                "activation": name,
                "n": n,
                "d": COLUMNS,
                "seconds": ours,
                "first_seconds": first,
                "peer_seconds": peer_seconds,
                "peer_first_seconds": theirs["first"],
                "ratio": peer_seconds / ours,
                "error": _error(name, samples, gram.matrix),
                "peer_error": their_error,
            }
        )
    return rows


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for row in measure(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3):
        print(
            f"{row['activation']} n={row['n']}: {row['seconds']:.3f} s, peer {row['peer_seconds']:.2f} s, "
            f"{row['ratio']:.1f} x; error {row['error']:.1e}, peer {row['peer_error']:.1e}"
        )

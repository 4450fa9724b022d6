"""Time of the first import and of the first kernel value in a new process, against importing the dependencies.

Usage: python benchmarks/startup.py [REPEATS]
"""

import os
import statistics
import subprocess
import sys

PROGRAMS = {
    "interpreter": "pass",
    "numpy, sympy": "import numpy, sympy",
    "numpy, scipy, sympy, numba": "import numpy, scipy, sympy, numba",
    "import hermite_dual": "import hermite_dual",
    "hd.dual(sp.tanh)(0.5)": "import sympy as sp, hermite_dual as hd; hd.dual(sp.tanh)(0.5)",
}


def processor_seconds(program: str) -> float:
    """User and system time of a fresh interpreter that runs the program."""
    before = os.times()
    subprocess.run([sys.executable, "-c", program], check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def measure(repeats: int = 7) -> list[dict[str, float | str]]:
    """Medians over interleaved runs, a row per claim: what, seconds, seconds of the yardstick, their ratio."""
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(repeats):
        for name, program in PROGRAMS.items():
            seconds[name].append(processor_seconds(program))
    median = {name: statistics.median(found) for name, found in seconds.items()}
    pairs = [
        ("import hermite_dual", "numpy, sympy"),
        ("hd.dual(sp.tanh)(0.5)", "numpy, scipy, sympy, numba"),
    ]
    return [
        {
            "what": name,
            "against": f"import {yardstick}",
            "seconds": median[name],
            "yardstick_seconds": median[yardstick],
            "ratio": median[name] / median[yardstick],
        }
        for name, yardstick in pairs
    ]


if __name__ == "__main__":
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 7):
        yardstick = f"{row['against']} ({row['yardstick_seconds']:.2f} s)"
        print(f"{row['what']}: {row['seconds']:.2f} s, {row['ratio']:.2f} x {yardstick}")

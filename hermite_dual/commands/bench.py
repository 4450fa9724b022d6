"""`hermite-dual bench`: what this machine takes, as ratios to the matrix product and to one Cholesky factorization."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from hermite_dual.commands.shared import Json, errors_to_exit_codes, print_json, say

_ACTIVATIONS = ("tanh", "gelu", "erf", "relu", "softplus")
_SIGMA_W2 = 0.08


def bench(
    *,
    n: Annotated[int, typer.Option(help="Samples, at most 12,288.", min=10)] = 2000,
    d: Annotated[int, typer.Option(help="Input coordinates.", min=2, max=50_000)] = 784,
    repeats: Annotated[int, typer.Option(help="Runs of which the median counts.", min=1, max=100)] = 5,
    as_json: Json = False,
) -> None:
    """Time Gram matrices against X @ X.T, and the proof of the least eigenvalue against one Cholesky factorization.

    Example: `hermite-dual bench --n 5000`
    """
    with errors_to_exit_codes():
        import numpy as np
        import scipy.linalg

        import hermite_dual as hd
        from hermite_dual.errors import InvalidInputError
        from hermite_dual.numeric.products import LARGEST_WHOLE

        if n > LARGEST_WHOLE:
            raise InvalidInputError(
                f"n = {n}: X @ X.T and LAPACK's factorization, which are compared with, end the process beyond about "
                f"15,000 rows where OpenBLAS runs them on several threads; give --n at most {LARGEST_WHOLE}"
            )
        X = hd.on_sphere(np.random.default_rng(0).standard_normal((n, d)))
        jobs: dict[str, Callable[[], Any]] = {"X @ X.T": lambda: X @ X.T}
        for name in _ACTIVATIONS:
            model = hd.DEQ.paper(name, _SIGMA_W2)
            model.gram(X)  # builds and caches the surrogate, compiles
            jobs[f"gram, {name}"] = partial(model.gram, X)
        rows = _ratios(jobs, repeats, "X @ X.T")
        matrix = hd.DEQ.paper("tanh", _SIGMA_W2).gram(X).matrix
        jobs = {
            "Cholesky": lambda: scipy.linalg.cholesky(matrix, lower=True, check_finite=False),
            "proven least eigenvalue": lambda: hd.least_eigenvalue(matrix),
        }
        jobs["proven least eigenvalue"]()
        rows += _ratios(jobs, repeats, "Cholesky")
        if as_json:
            print_json({"n": n, "d": d, "repeats": repeats, "rows": rows})
            return
        for row in rows:
            say(f"{row['what']:<26} {row['seconds']:8.3f} s   {row['ratio']:5.2f} x {row['against']}")


def _ratios(jobs: dict[str, Callable[[], Any]], repeats: int, yardstick: str) -> list[dict[str, Any]]:
    """Medians of interleaved runs, and their ratios to the yardstick's."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return [
        {"what": name, "seconds": median, "against": yardstick, "ratio": median / medians[yardstick]}
        for name, median in medians.items()
    ]

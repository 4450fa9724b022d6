"""What the numbers of threads change: those of numba nothing, those of BLAS less than the proven errors."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

import hermite_dual as hd

ROWS, COLUMNS = 200, 40
"""Enough for several blocks of rows, and for BLAS to share a product among its threads."""
SCRIPT = """
import sys
import numpy as np
from tests.test_threads import proven_kernels
found, kernels = {}, proven_kernels()
for name, kernel in kernels.items():
    found[name + " matrix"] = np.asarray(kernel)
    found[name + " error"] = kernel.entry_error
e = kernels["equal"].least_eigenvalue()
np.savez(sys.argv[1], eigenvalue=[e.lower, e.upper], **found)
"""
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def samples():
    return np.random.default_rng(5).standard_normal((ROWS, COLUMNS))


def proven_kernels():
    """Kernels of which every entry has a proven error."""
    X, model = hd.on_sphere(samples()), hd.DEQ("tanh", sigma_w=0.4, sigma_b=0.1)
    return {
        "equal": model.gram(X),
        "float32": model.gram(X, dtype=np.float32),
        "tangent": model.ntk(X),
        "cross": model.gram(X[:100], X[100:]),
    }


def kernels():
    """Kernels of every kind; relu has a kink, gelu at unequal norms a separable surrogate."""
    X = samples()
    sphere = hd.on_sphere(X)
    tanh, relu, gelu = (hd.DEQ(name, sigma_w=0.4) for name in ("tanh", "relu", "gelu"))
    return {
        **proven_kernels(),
        "depth": tanh.gram(sphere, depth=2),
        "tangent depth": tanh.ntk(sphere, depth=2),
        "cross tangent": relu.ntk(sphere[:100], sphere[100:]),
        "unequal": gelu.gram(X),
        "unequal float32": gelu.gram(X, dtype=np.float32),
        "unequal depth": gelu.gram(X, depth=2),
        "unequal tangent": gelu.ntk(X),
        "unequal cross": gelu.gram(X[:100], X[100:]),
        "homogeneous": relu.gram(X),
        "homogeneous tangent": relu.ntk(X),
    }


@pytest.mark.slow
@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one processor has one thread")
def test_the_number_of_numba_threads_changes_no_bit():
    before, found = numba.get_num_threads(), []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            found.append({name: np.asarray(kernel) for name, kernel in kernels().items()})
    finally:
        numba.set_num_threads(before)
    for name, matrix in found[0].items():
        assert np.array_equal(matrix, found[1][name]), name


@pytest.fixture(scope="module")
def by_threads(tmp_path_factory):
    """What processes with one and with two threads, of BLAS and of numba, have found."""
    folder, found = tmp_path_factory.mktemp("threads"), []
    for threads in ("1", "2"):
        target = folder / f"{threads}.npz"
        environment = {**os.environ, **dict.fromkeys(VARIABLES, threads), "NUMBA_NUM_THREADS": threads}
        subprocess.run([sys.executable, "-c", SCRIPT, target], check=True, env=environment)
        with np.load(target) as content:
            found.append(dict(content))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["equal", "float32", "tangent", "cross"])
def test_matrices_of_any_number_of_threads_differ_by_at_most_their_errors(by_threads, name):
    """Both are within their `entry_error` of one and the same kernel."""
    one, two = by_threads
    gap = np.abs(one[f"{name} matrix"].astype(np.float64) - two[f"{name} matrix"]).max()
    assert gap <= one[f"{name} error"] + two[f"{name} error"] < (4e-7 if name == "float32" else 1e-12)


@pytest.mark.slow
def test_eigenvalue_bounds_of_any_number_of_threads_overlap(by_threads):
    """The true least eigenvalue lies in both."""
    (low, high), (other_low, other_high) = (found["eigenvalue"] for found in by_threads)
    assert low <= other_high
    assert other_low <= high
    assert max(high - low, other_high - other_low) < 1e-10


CALLS = """
import random, sys
from concurrent.futures import ThreadPoolExecutor
import flint, numpy as np, sympy as sp
import hermite_dual as hd

X = hd.on_sphere(np.random.default_rng(0).standard_normal((6, 4)))
NAMES = ("tanh", "gelu", "erf", "relu", "hardtanh", "abs(tanh(x)+1/3)", "sin(x)/x")


def exact(ball):
    # what `str` shows depends on the precision that other threads work at
    return [part.man_exp() for part in (ball.mid(), ball.rad())]


def call(index):
    draw = random.Random(index)
    name, share = draw.choice(NAMES), sp.Rational(draw.randint(1, 9), 10)
    questions = {
        "ball": lambda: str(exact(hd.dual(name).ball(1, 1, share, digits=20))),
        "coefficients": lambda: str([exact(ball) for ball in hd.dual(name).coefficient_balls(4, digits=25)]),
        "kernel": lambda: hd.dual(name).kernel(1.0, 2.0, float(share)).hex(),
        "gram": lambda: np.asarray(hd.DEQ(name, 0.2).gram(X)).tobytes().hex(),
        "proof": lambda: hd.DEQ(name, 0.2).gram(X).least_eigenvalue().lower.hex(),
        "form": lambda: str(hd.dual(name).closed_form),
        "constant": lambda: hd.activation(name).lipschitz.hex(),
        "digits": lambda: str(sp.N(hd.dual(name).coefficient(draw.randint(0, 3)), 25)),
    }
    kind = draw.choice(sorted(questions))
    return f"{name} {kind} {questions[kind]()}"


precision = flint.ctx.prec
with ThreadPoolExecutor(int(sys.argv[1])) as pool:
    print("\\n".join(pool.map(call, range(80))))
assert flint.ctx.prec == precision
"""


@pytest.mark.slow
def test_eight_threads_give_the_bits_of_one():
    answers = [
        subprocess.run(
            [sys.executable, "-c", CALLS, threads], check=True, capture_output=True, text=True, timeout=300
        ).stdout
        for threads in ("1", "8")
    ]
    assert len(answers[0].splitlines()) == 80
    assert answers[0] == answers[1]


WAITING = """
import threading, time
import hermite_dual as hd
from hermite_dual.precision_lock import PRECISION_LOCK

first, second = (hd.activation(f"abs(tanh(x)+1/{n})") for n in (3, 5))
with PRECISION_LOCK:
    other = threading.Thread(target=lambda: first.lipschitz)
    other.start()
    time.sleep(2)  # it is inside the property by now, and waits for the precision
    assert second.lipschitz > 0.9
other.join()
"""


@pytest.mark.slow
def test_a_property_of_another_object_is_computed_while_a_thread_waits_in_it():
    subprocess.run([sys.executable, "-c", WAITING], check=True, timeout=100)

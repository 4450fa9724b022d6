"""What no machine computes is refused with its limit, and Ctrl-C ends what takes long."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import hermite_dual as hd

X = hd.on_sphere(np.random.default_rng(0).standard_normal((4, 3)))
MODEL = hd.DEQ("tanh", 0.2)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [X, X * np.array([[1.0], [2.0], [3.0], [4.0]])], ids=["one norm", "four norms"])
@pytest.mark.parametrize(
    ("phi", "sigma_w", "depth", "message"),
    [
        # variances 1, 15 + 1, 15 16^3 + 1, ...: soon beyond float64 when cubed
        ("x^3", 1.0, 9, r"layer [456] of 9: .* overflows float64"),
        ("exp", 1.0, 9, r"layer [23] of 9: .* is not square-integrable"),
        # q(l+1) = 81/2 q(l) + 1: beyond 1e280 at the layer 176 of norm sqrt(d)
        ("relu", 9.0, 400, r"layer 17[56] of 400 has the variance .* beyond 1e\+280"),
    ],
)
def test_a_layer_whose_variances_overflow_is_named(phi, sigma_w, depth, message, rows):
    model = hd.DEQ(phi, sigma_w)
    for kernel in (model.gram, model.ntk):
        with pytest.raises((hd.AccuracyError, hd.NotIntegrableError), match=message):
            kernel(rows, depth=depth)


def test_a_layer_of_a_finite_network_that_overflows_is_named():
    network = hd.DEQ("x^3", 1.0).sample_untied(64, 3, 9, seed=0)
    for kernel in (network.gram, network.ntk):
        with pytest.raises(hd.AccuracyError, match=r"layer [56] of 9 has states as large as .* whose squares overflow"):
            kernel(X)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MODEL.gram(X, depth=10**9), r"depth = 1000000000: allowed are whole numbers from 0 to 100000"),
        (lambda: MODEL.ntk(X, depth=10**400), r"depth = 10\^400\.0: allowed"),
        (lambda: MODEL.validate(X, widths=(8, 16), replicas=10**400), r"replicas=10\^400\.0: allowed .* <= 1000000"),
        (lambda: MODEL.validate(X, widths=(8, 10**9), replicas=2), r"width=1000000000: allowed .* <= 1000000"),
        (lambda: MODEL.sample(10**9, 3, seed=0), r"width=1000000000: allowed .* <= 1000000"),
        (lambda: MODEL.sample(8, -(10**5000), seed=0), r"inputs=-10\^5000\.0: allowed"),
        (lambda: hd.dual("tanh").ball(1, 1, 0, digits=10**9), r"digits"),
        (lambda: hd.dual("tanh").coefficients(10**9), r"n = 1000000000: allowed"),
        (lambda: MODEL.gram(X).lower_bounds(10**9), r"degrees"),
    ],
)
def test_what_nobody_computes_is_refused_with_its_limit(call, message):
    begin = time.monotonic()
    with pytest.raises(hd.InvalidInputError, match=message):
        call()
    assert time.monotonic() - begin < 20


LONG = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # children of tests in the background ignore it
import hermite_dual as hd
print("begun", flush=True)
for digits in range(700, 950):  # seconds each
    hd.dual("tanh").coefficient_balls(60, digits=digits)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
def test_control_c_ends_a_long_ball():
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", LONG], stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout.readline() == "begun\n"
            time.sleep(3)
            assert process.poll() is None, "the ball was found too soon to be interrupted"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors

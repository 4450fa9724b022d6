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
import hermite_dual as hd
print("begun", flush=True)
for digits in range(700, 950):  # seconds each
    hd.dual("tanh").coefficient_balls(60, digits=digits)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
def test_control_c_ends_a_long_ball():
    process = subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(3)
    assert process.poll() is None, "the ball was found too soon to be interrupted"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors

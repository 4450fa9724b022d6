"""The main job from the command line: numbers, files, exit codes, messages."""

import json
import os
import pty
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

import hermite_dual as hd
from hermite_dual.cli import app
from tests.tolerances import OTHER_PATH

SMALL = ["--samples", "30", "--widths", "64,128", "--replicas", "4"]


def run(*arguments):
    return CliRunner().invoke(app, ["demo", *map(str, arguments)])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return run(*SMALL, "--output", folder), folder


@pytest.mark.slow
def test_summary_and_files(small):
    result, folder = small
    assert result.exit_code == 0
    assert result.stderr == ""
    for words in ("tanh", "Hermite coefficients", "least eigenvalue", "certified", "exponent", "error probability"):
        assert words in result.stdout
    assert sorted(path.name for path in folder.iterdir()) == [
        "demo.json",
        "dual_kernel.png",
        "error_by_width.png",
        "spectrum.png",
    ]
    for name in ("dual_kernel.png", "error_by_width.png", "spectrum.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_json_holds_the_numbers_of_the_python_session(small):
    content = json.loads((small[1] / "demo.json").read_text())
    X = hd.on_sphere(hd.load_digits()[0][:30])
    model = hd.DEQ.paper("tanh", sigma_w2=0.08)
    K = model.gram(X)
    assert content["model"]["sigma_w"] == pytest.approx(0.4)
    assert content["model"]["sigma_u"] == pytest.approx(2**0.5)
    assert content["least_eigenvalue"]["estimate"] == pytest.approx(np.linalg.eigvalsh(K.matrix)[0], rel=OTHER_PATH)
    assert content["least_eigenvalue"]["outcome"] == "PROVEN"
    np.testing.assert_allclose(content["gram"]["eigenvalues"], np.linalg.eigvalsh(K.matrix)[::-1], rtol=1e-9)
    np.testing.assert_allclose(content["hermite_coefficients"], hd.dual("tanh").coefficients(16), atol=1e-15)
    report = model.validate(X, widths=(64, 128), replicas=4, seed=0)
    assert content["validation"] == json.loads(report.to_json())


@pytest.mark.slow
def test_twice_the_same_numbers(small, tmp_path):
    run(*SMALL, "--output", tmp_path)
    assert (tmp_path / "demo.json").read_bytes() == (small[1] / "demo.json").read_bytes()


@pytest.mark.slow
def test_flags_reach_the_model(tmp_path):
    X = np.random.default_rng(0).standard_normal((9, 4))
    np.savetxt(tmp_path / "data.csv", X, delimiter=",", header="a,b,c,d", comments="")
    flags = ["--activation", "relu", "--data", tmp_path / "data.csv", "--sigma-w", "0.25", "--seed", "7"]
    result = run(*flags, "--widths", "32,64", "--replicas", "3", "--output", tmp_path / "out")
    assert result.exit_code == 0
    content = json.loads((tmp_path / "out" / "demo.json").read_text())
    assert content["activation"] == "relu"
    assert content["data"] == {"source": "data.csv, rows scaled to norm sqrt(d)", "samples": 9, "inputs": 4}
    assert content["model"]["sigma_w"] == 0.25
    assert content["validation"]["seed"] == 7
    assert content["validation"]["widths"] == [32, 64]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data", "none.npy"], "data file 'none.npy' cannot be read: No such file"),
        (["--activation", "tanhh"], "tanhh"),
        (["--activation", "__import__('os').system('true')"], "error: "),
        (["--widths", "256,x"], "--widths '256,x': allowed are whole numbers separated by commas"),
        (["--widths", "0,64"], "--widths 0: allowed are whole numbers >= 1"),
        (["--widths", "64"], "at least two different widths"),
        (["--replicas", "1"], "--replicas 1: allowed are whole numbers >= 2"),
        (["--seed", "-1"], "--seed -1"),
        (["--samples", "0"], "--samples 0: allowed are whole numbers from 1 to 1797"),
        (["--sigma-w", "0.3", "--sigma-w2", "0.1"], "--sigma-w 0.3 and --sigma-w2 0.1 are both given"),
        (["--sigma-w", "1.5"], "--sigma-w 1.5 is too large for tanh"),
        (["--sigma-w2", "-1"], "--sigma-w2 -1"),
    ],
)
def test_errors_are_one_message_and_exit_code_two(flags, message, tmp_path):
    result = run("--samples", "5", *flags, "--output", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_disagreement_has_the_exit_code_one(tmp_path, monkeypatch):
    wrong = hd.DEQ.paper("erf", sigma_w2=0.08)
    monkeypatch.setattr(hd.DEQ, "gram", lambda self, X, depth=None, right=hd.DEQ.gram: right(wrong, X, depth=depth))
    result = run("--samples", "30", "--widths", "256,512", "--output", tmp_path)
    assert result.exit_code == 1
    assert "DISAGREE" in result.stdout


def test_help_lists_every_flag():
    result = CliRunner().invoke(app, ["demo", "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    for flag in ("sigma-w", "sigma-w2", "sigma-u", "sigma-b", "samples", "widths", "replicas", "seed", "output"):
        assert f"--{flag}" in result.stdout


@pytest.mark.slow
def test_long_runs_stop_cleanly_on_interrupt(tmp_path):
    flags = ["--samples", "300", "--widths", "256,1024", "--replicas", "500", "--output", str(tmp_path / "out")]
    command = [sys.executable, "-m", "hermite_dual.cli", "demo", *flags]
    primary, secondary = pty.openpty()
    # In the background SIGINT is ignored, which children inherit; a handler they do not.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=secondary)
    signal.signal(signal.SIGINT, former)
    os.close(secondary)
    # The progress bar appears on a terminal once the networks start.
    shown, deadline = b"", time.monotonic() + 60
    while b"/1000" not in shown and time.monotonic() < deadline:
        shown += os.read(primary, 4096)
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=30)
    shown += os.read(primary, 65536)
    os.close(primary)
    assert process.returncode == 130
    assert stdout == b""
    assert b"interrupted" in shown
    assert b"Traceback" not in shown
    assert not (tmp_path / "out").exists()

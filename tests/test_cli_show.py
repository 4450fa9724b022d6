"""`show`, `table`, `gram` and `bench` on the command line."""

import io
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import hermite_dual as hd
from hermite_dual.cli import app
from tests.tolerances import SHARP_ENTRY

X = np.random.default_rng(2).standard_normal((9, 5))


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, [*map(str, arguments)], input=stdin)


@pytest.fixture
def data(tmp_path):
    np.save(tmp_path / "X.npy", X)
    return tmp_path / "X.npy"


def test_show_tells_formula_constants_and_coefficients():
    result = run("show", "gelu", "--coefficients", 3)
    assert result.exit_code == 0
    assert str(hd.dual("gelu").closed_form) in " ".join(result.stdout.split())
    assert "1/(2*sqrt(pi))" in result.stdout
    assert "1.1289041" in result.stdout


@pytest.mark.slow
def test_show_says_which_convention_a_name_follows_and_names_the_other():
    assert "note: the tanh approximation" in run("show", "gelu_tanh", "--coefficients", 1).stdout
    assert "gaussian" in json.loads(run("show", "rbf", "--json", "--coefficients", 1).stdout)["note"]
    assert json.loads(run("show", "sin(x)", "--json", "--coefficients", 1).stdout)["note"] == ""


def test_show_prints_json_for_programs():
    content = json.loads(run("show", "abs", "--json", "--coefficients", 2).stdout)
    assert content["parity"] == "even"
    assert content["kinks"] == ["0"]
    assert content["a1"]["formula"] == "0"
    assert content["second_derivative"]["shown"] == "∞"


def test_a_formula_that_is_not_read_is_one_line_on_stderr():
    result = run("show", "__import__('os')")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.output


@pytest.mark.parametrize("form", ["text", "latex", "markdown", "csv", "html", "json"])
def test_tables_in_every_format(form):
    result = run("table", "relu", "erf", "--columns", "name,dual,lipschitz", "--format", form)
    assert result.exit_code == 0
    text = getattr(hd.table(["relu", "erf"], ["name", "dual", "lipschitz"]), f"to_{form}")()
    assert result.stdout.rstrip() == text.rstrip()


def test_the_ending_of_the_file_is_the_format(tmp_path, data):
    file = tmp_path / "table.tex"
    result = run("table", "tanh", "--columns", "name,lambda", "--data", data, "--output", file)
    assert result.exit_code == 0
    assert r"\begin{tabular}" in file.read_text()
    assert "9 rows" in file.read_text()


def test_unknown_columns_name_those_that_exist():
    result = run("table", "tanh", "--columns", "colour")
    assert result.exit_code == 2
    assert "there are name, expression" in result.stderr


@pytest.mark.slow
def test_gram_writes_the_matrix_and_proves_it(tmp_path, data):
    out = tmp_path / "K.npy"
    result = run("gram", data, "--activation", "gelu", "--out", out, "--proof", "--json")
    assert result.exit_code == 0
    facts = json.loads(result.stdout)
    expected = hd.DEQ.paper("gelu", 0.08).gram(hd.on_sphere(X))
    np.testing.assert_array_equal(np.load(out), expected.matrix)
    assert facts["shape"] == [9, 9]
    lower, upper = facts["least_eigenvalue"]
    assert lower <= np.linalg.eigvalsh(expected.matrix)[0] * (1 + 1e-9)
    assert lower < upper
    assert 0 < facts["entry_error"] < SHARP_ENTRY


@pytest.mark.parametrize("kind", ["npy", "csv"])
def test_samples_come_from_standard_input(tmp_path, kind):
    buffer = io.BytesIO()
    if kind == "npy":
        np.save(buffer, X)
    else:
        np.savetxt(buffer, X, delimiter=",", fmt="%.17g")
    out = tmp_path / "K.npy"
    result = run("gram", "-", "--out", out, "--no-sphere", "--depth", 2, stdin=buffer.getvalue())
    assert result.exit_code == 0
    np.testing.assert_array_equal(np.load(out), hd.DEQ.paper("tanh", 0.08).gram(X, depth=2).matrix)


def test_the_matrix_goes_to_a_npy_file_only(data, tmp_path):
    result = run("gram", data, "--out", tmp_path / "K.txt")
    assert result.exit_code == 2
    assert "ends so" in result.stderr


def test_bench_reports_ratios_of_one_run():
    content = json.loads(run("bench", "--n", 40, "--d", 8, "--repeats", 1, "--json").stdout)
    rows = {row["what"]: row for row in content["rows"]}
    assert rows["X @ X.T"]["ratio"] == 1.0
    assert rows["gram, relu"]["seconds"] == pytest.approx(rows["gram, relu"]["ratio"] * rows["X @ X.T"]["seconds"])
    assert rows["proven least eigenvalue"]["against"] == "Cholesky"


def test_bench_refuses_sizes_at_which_its_yardsticks_end_the_process():
    result = run("bench", "--n", 20_000)
    assert result.exit_code == 2
    assert "12288" in result.stderr


@pytest.mark.parametrize("command", ["demo", "show", "table", "gram", "check", "verify", "bench"])
def test_every_command_has_help(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout


@pytest.mark.parametrize("failure", [MemoryError(), RecursionError("too deep"), OSError(28, "No space left on device")])
@pytest.mark.parametrize("debug", [False, True])
def test_a_failure_has_an_exit_code_of_its_own(monkeypatch, failure, debug):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(hd, "dual", fail)
    result = run(*(["--debug"] if debug else []), "show", "tanh")
    assert result.exit_code == 4
    assert result.stdout == ""
    assert "failed: " in result.stderr
    assert ("Traceback" in result.stderr) is debug


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_and_a_closed_pipe_are_no_refutation():
    command = [sys.executable, "-m", "hermite_dual.cli", "show", "tanh"]
    with open("/dev/full", "w") as full:
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert found.returncode == 4
    assert "No space left" in found.stderr
    reader, writer = os.pipe()
    os.close(reader)
    found = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (found.returncode, found.stderr) == (4, "")

"""`hermite-dual gram` into a folder of blocks."""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

import hermite_dual as hd
from hermite_dual.cli import app
from hermite_dual.commands import stored_gram, throughput
from hermite_dual.outofcore.samples import SphereSamples, samples_of
from tests.tolerances import REORDERED

zarr = pytest.importorskip("zarr")
X = np.random.default_rng(3).standard_normal((30, 6))
MODEL = hd.DEQ.paper("tanh", 0.08)


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, ["gram", *map(str, arguments)], input=stdin)


@pytest.fixture
def data(tmp_path):
    np.save(tmp_path / "X.npy", X)
    return tmp_path / "X.npy"


def _upper(folder):
    found = zarr.open_group(folder, mode="r")["gram"][:]
    return np.where(np.isnan(found), found.T, found)


@pytest.mark.slow
def test_blocks_are_the_matrix_in_memory_and_the_proof_holds(tmp_path, data):
    out = tmp_path / "K.zarr"
    result = run(data, "--out", out, "--block", 13, "--proof", "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    expected = MODEL.gram(hd.on_sphere(X))
    np.testing.assert_allclose(_upper(out), expected.matrix, rtol=0, atol=facts["entry_error"] + expected.entry_error)
    assert (facts["shape"], facts["block"]) == ([30, 30], 13)
    assert (facts["blocks_computed"], facts["blocks_there"]) == (6, 0)
    assert facts["bytes"] == sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    lower, upper = facts["least_eigenvalue"]
    theirs = expected.least_eigenvalue()
    assert lower <= theirs.upper
    assert theirs.lower <= upper
    assert facts["outcome"] == "PROVEN"
    assert all(0 <= value <= upper for value in facts["lower_bounds"].values())
    assert all(facts["expected"][key] > 0 for key in ("memory", "gram_seconds", "bounds_seconds", "proof_seconds"))


@pytest.mark.slow
def test_bounds_without_factorization_come_first_and_the_expectation_before_everything(tmp_path, data):
    result = run(data, "--out", tmp_path / "K.zarr", "--proof")
    assert result.exit_code == 0
    assert "expected, 0 of 1 blocks are there:" in result.stderr
    assert "memory: at most" in result.stderr
    assert "time: about matrix" in result.stderr
    order = [result.stdout.index(text) for text in ("wrote", "every entry", "Ling", "Gershgorin", "least eigenvalue: ")]
    assert order == sorted(order)


def test_the_same_command_computes_what_is_missing(tmp_path, data):
    out = tmp_path / "K.zarr"
    assert run(data, "--out", out, "--block", 13).exit_code == 0
    assert "0 computed, 6 there before" in run(data, "--out", out).stdout
    (out / "gram" / "c" / "0" / "1").unlink()
    again = run(data, "--out", out)
    assert "expected, 5 of 6 blocks are there" in again.stderr
    assert "1 computed, 5 there before" in again.stdout


def test_other_data_or_scales_are_refused_with_what_differs(tmp_path, data):
    out = tmp_path / "K.zarr"
    assert run(data, "--out", out).exit_code == 0
    for arguments, said in ((["--sigma-w2", "0.05"], "sigma_w"), (["--no-sphere"], "data_sha256")):
        result = run(data, "--out", out, *arguments)
        assert result.exit_code == 2
        assert result.stderr.splitlines()[-1].startswith("error: ")
        assert said in result.stderr


@pytest.mark.slow
def test_a_limit_alone_chooses_blocks(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(data, "--memory", "1GB", "--depth", 2, "--proof")
    assert result.exit_code == 0
    assert "Ling" not in result.stdout
    np.testing.assert_allclose(
        _upper(tmp_path / "gram.zarr"), MODEL.gram(hd.on_sphere(X), depth=2).matrix, rtol=REORDERED
    )
    assert not (tmp_path / "gram.npy").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "K.npy", "--memory", "1GB"], "with --memory 1GB: blocks are written to a folder"),
        (["--memory", "much"], "--memory 'much'"),
        (["--memory", "4"], "--memory '4' has no unit: give a size such as '4GB'"),
        (["--memory", "300MB"], "too little"),
        (["--out", "K.txt"], "as .npy, or in blocks as .zarr"),
    ],
)
def test_wrong_options_are_one_line(data, arguments, said):
    result = run(data, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.slow
@pytest.mark.parametrize("sphere", [True, False])
def test_samples_may_be_a_zarr_array(tmp_path, data, sphere):
    source = tmp_path / "X.zarr"
    zarr.create_array(source, data=X, chunks=(7, 6))
    scale = "--sphere" if sphere else "--no-sphere"
    for out in ("K.zarr", "K.npy"):
        assert run(source, "--out", tmp_path / out, scale).exit_code == 0
    expected = MODEL.gram(hd.on_sphere(X) if sphere else X).matrix
    np.testing.assert_array_equal(np.load(tmp_path / "K.npy"), expected)
    # the same samples from another file: nothing is computed again
    assert "0 computed" in run(data, "--out", tmp_path / "K.zarr", scale).stdout


def test_samples_from_standard_input_are_kept_in_memory(tmp_path, data):
    buffer = io.BytesIO()
    np.savetxt(buffer, X, delimiter=",", fmt="%.17g")
    out = tmp_path / "K.zarr"
    assert run("-", "--out", out, stdin=buffer.getvalue()).exit_code == 0
    assert "0 computed" in run(data, "--out", out).stdout


def test_rows_scaled_as_they_are_read_are_those_on_the_sphere():
    found = SphereSamples(samples_of(X))
    assert samples_of(found) is found
    parts = [found.rows(slice(0, 11)), found.rows(slice(11, 30))]
    np.testing.assert_array_equal(np.concatenate(parts), hd.on_sphere(X))


def test_an_interrupt_says_that_the_same_command_goes_on(tmp_path, data, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(hd.DEQ, "store_gram", interrupted)
    result = run(data, "--out", tmp_path / "K.zarr")
    assert result.exit_code == 130
    assert "Run the same command again: it goes on there" in result.stderr


def test_a_missing_extra_names_the_command_that_installs_it(tmp_path, data, monkeypatch):
    from hermite_dual.outofcore import libraries

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(libraries.importlib, "import_module", missing)
    result = run(data, "--out", tmp_path / "K.zarr")
    assert result.exit_code == 2
    assert 'pip install "hermite-dual[distributed]"' in result.stderr


def test_a_scheduler_that_is_not_there_is_one_line(tmp_path, data, monkeypatch):
    monkeypatch.setattr(stored_gram, "_CONNECT_WITHIN", 0.5)
    result = run(data, "--out", tmp_path / "K.zarr", "--scheduler", "tcp://127.0.0.1:9")
    assert result.exit_code == 2
    assert "no dask scheduler answers there" in result.stderr


@pytest.mark.slow
def test_a_cluster_computes_the_same_blocks(tmp_path, data):
    distributed = pytest.importorskip("distributed")
    out = tmp_path / "K.zarr"
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        result = run(data, "--out", out, "--block", 13, "--scheduler", cluster.scheduler_address)
    assert result.exit_code == 0, result.output
    assert "6 computed" in result.stdout
    assert "0 computed" in run(data, "--out", out).stdout


def test_the_bar_shows_blocks_bytes_entries_and_the_time_left(monkeypatch):
    now = [0.0]
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=200)
    monkeypatch.setattr(throughput, "Console", lambda stderr: console)
    monkeypatch.setattr(throughput, "Progress", lambda *a, **k: Progress(*a, **k, get_time=lambda: now[0]))
    with throughput.throughput_bar(1000.0, 8000.0) as (report, say):
        for done in range(1, 5):
            now[0] += 2.0
            report("Gram matrix", done, 12)
        say("between")
        report("bounds of entries", 1, 12)
    shown = screen.getvalue()
    # half a block a second, 8 of 12 blocks to go
    assert "4/12" in shown
    assert "0.5 blocks/s, 0.004 MB/s, 5e+02 entries/s" in shown
    assert "0:00:16" in shown
    assert "bounds of entries" in shown

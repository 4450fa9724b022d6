"""Files that are written: what is in their place, what they were made from, what terminals and spreadsheets run."""

import csv
import io
import os
import sys

import numpy as np
import pytest
import sympy as sp
from typer.testing import CliRunner

import hermite_dual as hd
from hermite_dual.cli import app
from hermite_dual.data.atomic import atomic_path

ROWS = np.random.default_rng(0).standard_normal((6, 4))


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
def data(tmp_path):
    np.save(tmp_path / "X.npy", ROWS)
    return tmp_path / "X.npy"


def write(path):
    with atomic_path(path) as temporary:
        temporary.write_text("new")


def test_links_are_written_through_and_permissions_kept(tmp_path):
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "later.txt")
    write(tmp_path / "dangling.txt")
    assert (tmp_path / "later.txt").read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes among files")
def test_devices_pipes_and_folders_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for path, what in (
        (tmp_path / "pipe.csv", "a pipe"),
        ("/dev/null", "a device"),
        (tmp_path / "folder.csv", "folder"),
    ):
        with pytest.raises(hd.DataFileError, match=what):
            write(path)
    assert sorted(os.listdir(tmp_path)) == ["folder.csv", "pipe.csv"]
    table = hd.table(["relu"], ["name"])
    with pytest.raises(hd.DataFileError, match="a pipe"):
        table.save(tmp_path / "pipe.csv")


COMMANDS = {
    "gram": ("gram", "{data}", "--out"),
    "table": ("table", "relu", "--columns", "name", "--data", "{data}", "--output"),
    "validate": ("validate", "--widths", "8,16", "--replicas", "2", "--data", "{data}", "--output"),
    "train": ("train", "--activations", "relu", "--data", "{data}", "--targets", "{data}", "--output"),
    "check": ("check", "tanh", "{data}", "--sigma-w2", "0.08", "--at-least", "1e-4", "--output"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_input_is_never_overwritten(data, command):
    before = data.read_bytes()
    arguments = [part.format(data=data) for part in COMMANDS[command]]
    for more in ([], ["--force"] if command != "check" else []):
        result = run(*arguments, data, *more)
        assert result.exit_code == 2
        assert result.stderr.startswith("error: ")
    assert data.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(("command", "name"), [("gram", "K.npy"), ("table", "t.csv"), ("validate", "r.html")])
def test_a_file_that_exists_is_replaced_when_asked(tmp_path, data, command, name):
    (tmp_path / name).write_text("precious")
    arguments = [part.format(data=data) for part in COMMANDS[command]]
    result = run(*arguments, tmp_path / name)
    assert result.exit_code == 2
    assert "exists: name another one, or replace it with --force" in result.stderr
    assert (tmp_path / name).read_text() == "precious"
    assert run(*arguments, tmp_path / name, "--force").exit_code in {0, 1, 3}
    assert (tmp_path / name).read_bytes() != b"precious"


def test_outputs_are_looked_at_before_anything_is_read(tmp_path):
    (tmp_path / "K.npy").write_text("precious")
    result = run("gram", tmp_path / "missing.npy", "--out", tmp_path / "K.npy")
    assert "exists: name another one" in result.stderr


def test_spreadsheets_run_nothing():
    table = hd.table([sp.Lambda(hd.x, -hd.x / 2), "tanh"], ["name", "expression", "coefficients"])
    rows = list(csv.reader(io.StringIO(table.to_csv())))
    assert rows[1][1] == "'-x/2"
    for row in rows[1:]:
        for cell in row:
            assert not cell.startswith(("=", "+", "@", "-", "\t")) or float(cell) == float(cell)


def test_terminals_obey_no_name(tmp_path):
    name = tmp_path / "X\x1b]0;owned\x07.npy"
    np.save(name, ROWS)
    result = run("gram", name, "--out", tmp_path / "K\x1b[2J.npy")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout + result.stderr
    assert "\\x1b[2J.npy" in result.stdout
    result = run("gram", tmp_path / "none\x1b[2J.npy", "--out", tmp_path / "K2.npy")
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr

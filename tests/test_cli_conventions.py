"""One order of words, one spelling of scales, errors in the words of the shell, and models said with every answer."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import hermite_dual as hd
from hermite_dual.cli import app
from hermite_dual.commands.shared import activation_and_data, as_options
from hermite_dual.errors import InvalidInputError
from tests.tolerances import OTHER_PATH

RAW = np.random.default_rng(4).normal(size=(8, 5)) * 3.0
X = hd.on_sphere(RAW)


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    file = tmp_path_factory.mktemp("conventions") / "X.npy"
    np.save(file, RAW)
    return file


def gram(data, *arguments):
    out = data.with_name("K.npy")
    result = run("gram", *arguments, "--out", out, "--force")
    assert result.exit_code == 0, result.stderr
    return np.load(out), result.stdout


def test_the_activation_comes_first_and_the_former_spelling_works(data):
    expected = hd.DEQ.paper("gelu", 0.08).gram(X).matrix
    for words in (("gelu", data), (data, "--activation", "gelu"), ("--activation", "gelu", data)):
        np.testing.assert_array_equal(gram(data, *words)[0], expected)
    np.testing.assert_array_equal(gram(data, data)[0], hd.DEQ.paper("tanh", 0.08).gram(X).matrix)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("gelu", "X.npy", None, None), ("gelu", "X.npy")),
        (("X.csv", None, None, None), ("tanh", "X.csv")),
        (("gelu", None, None, None), ("gelu", None)),
        (("-", None, None, None), ("tanh", "-")),
        (("digits", None, None, None), ("tanh", "digits")),
        ((None, None, "gelu", "X.npy"), ("gelu", "X.npy")),
        (("data", None, "gelu", None), ("gelu", "data")),
        (("gelu", None, None, "X.npy"), ("gelu", "X.npy")),
        ((None, None, None, None), ("tanh", None)),
    ],
)
def test_words_of_a_command(words, expected):
    phi, path = activation_and_data(*words)
    assert (phi, None if path is None else str(path)) == expected


def test_what_is_said_twice_is_refused():
    with pytest.raises(InvalidInputError, match="leave out --activation"):
        activation_and_data("gelu", "X.npy", "tanh", None)
    with pytest.raises(InvalidInputError, match="leave out --data"):
        activation_and_data("gelu", "X.npy", None, "Y.npy")


def test_all_scales_and_the_depth_reach_the_model(data):
    flags = ("--sigma-w", 0.3, "--sigma-u", 1, "--sigma-b", 0.2)
    model = hd.DEQ("tanh", 0.3, 1.0, 0.2)
    K, said = gram(data, "tanh", data, *flags)
    np.testing.assert_array_equal(K, model.gram(X).matrix)
    assert "model: DEQ, tanh, sigma_w = 0.3, sigma_u = 1, sigma_b = 0.2\n" in said
    assert "rows scaled to norm sqrt(d)" in said
    K, said = gram(data, "tanh", data, *flags, "--depth", 2, "--no-sphere")
    np.testing.assert_array_equal(K, model.gram(RAW, depth=2).matrix)
    assert "depth = 2" in said
    assert said.endswith("rows as they are\n")


def test_multilayer_networks_by_command(data):
    K, said = gram(data, "relu", data, "--mlp", 2, "--sigma-w", 1.3, "--sigma-b", 0.1)
    np.testing.assert_array_equal(K, hd.MLP("relu", 2, 1.3, 0.1).gram(X).matrix)
    assert "model: MLP, relu, depth = 2, sigma_w = 1.3, sigma_b = 0.1" in said
    for option in ("--sigma-w2", "--sigma-u"):
        refused = run("gram", "relu", data, "--mlp", 2, option, 1, "--force")
        assert refused.exit_code == 2
        assert f"{option} with --mlp 2" in refused.stderr
    blocks = run("gram", "relu", data, "--mlp", 2, "--out", data.with_name("K.zarr"))
    assert blocks.exit_code == 0
    stored = hd.open_gram(data.with_name("K.zarr"))
    assert stored.model.layers == hd.MLP("relu", 2).gram(X).model.layers
    np.testing.assert_allclose(stored[:], hd.MLP("relu", 2).gram(X).matrix, rtol=1e-14)


def test_claims_about_other_models_are_proven_without_a_certificate(data, tmp_path):
    models = {
        ("--mlp", 2): hd.MLP("relu", 2).gram(X),
        ("--sigma-w2", 0.08, "--sigma-b", 0.3): hd.DEQ.paper("relu", 0.08).replace(sigma_b=0.3).gram(X),
        ("--sigma-w", 0.3, "--sigma-u", 1): hd.DEQ("relu", 0.3).gram(X),
        ("--sigma-w", 0.3, "--depth", 1): hd.DEQ("relu", 0.3, 2**0.5).gram(X, depth=1),
    }
    for flags, K in models.items():
        least = np.linalg.eigvalsh(K.matrix)[0]
        for factor, code in ((0.99, 0), (1.01, 1)):
            file = tmp_path / "c.json"
            result = run("check", "relu", data, *flags, "--at-least", factor * least, "--output", file)
            assert result.exit_code == code
            assert "no certificate: " in result.stdout
            assert not file.exists()
        shown = run("check", "relu", data, *flags, "--at-least", least / 2, "--json")
        content = json.loads(shown.stdout)
        assert content["estimate"] == pytest.approx(least, rel=OTHER_PATH)
        assert content["rows"] == "scaled to norm sqrt(d)"


def test_certificates_of_either_spelling(data, tmp_path):
    file = tmp_path / "c.json"
    assert run("check", "tanh", data, "--sigma-w2", 0.08, "--at-least", 1e-6, "--output", file).exit_code == 0
    assert run("verify", file, data).exit_code == run("verify", file, "--data", data).exit_code == 0
    for words in ((), (data, "--data", data)):
        assert run("verify", file, *words).exit_code == 2


@pytest.mark.slow
def test_what_training_proves_is_written_and_verified(tmp_path):
    folder = tmp_path / "proofs"
    flags = ("tanh", "--samples", 2, "--inputs", 3, "--widths", "300", "--epochs", 200, "--sigma-w2", 0.01)
    result = run("train", *flags, "--certificates", folder)
    assert result.exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["tanh-300.json", "tanh-300.npz"]
    assert f"wrote {folder / 'tanh-300.json'}" in result.stdout
    verified = run("verify", folder / "tanh-300.json", folder / "tanh-300.npz")
    assert verified.exit_code == 0
    assert run("train", *flags, "--certificates", folder).exit_code == 2  # nothing is replaced without --force


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("seed=-1: allowed", "--seed -1: allowed"),
        ("sigma_w2 = -1.0: scales", "--sigma-w2 -1.0: scales"),
        ("memory = 'much': give", "--memory 'much': give"),
        ("widths=(16,): pass widths=(256, 512)", "--widths 16: pass --widths 256,512"),
        ("widths: width=0: allowed", "--widths 0: allowed"),
        ("step=nan is", "--step nan is"),
        ("They say the same: sigma_w = sqrt(2 sigma_w2)", "They say the same: sigma_w = sqrt(2 sigma_w2)"),
        ("row 3 of X is zero", "row 3 of X is zero"),
    ],
)
def test_errors_name_options(message, said):
    assert as_options(message) == said


def test_version_and_help():
    for arguments in (("--version",), ("-h",), ("gram", "-h")):
        assert run(*arguments).exit_code == 0
    assert run("--version").stdout == f"hermite-dual {hd.__version__}\n"
    module = subprocess.check_output([sys.executable, "-m", "hermite_dual", "--version"], text=True)
    assert module == f"hermite-dual {hd.__version__}\n"


def test_captions_pages_and_reports_say_how_rows_are(data):
    caption = run("table", "relu", "--columns", "name,lambda", "--data", data, "--format", "latex").stdout
    assert r"rows scaled to norm $\sqrt{d}$" in caption
    raw = hd.table(["relu"], ["name", "lambda"], data=RAW)
    assert "rows as they are, of norms " in raw.to_latex()
    report = hd.DEQ("erf", 0.3).validate(X[:4], widths=(8, 16), replicas=2)
    assert report.rows == "rows scaled to norm sqrt(d)"
    assert report.rows in str(report)
    assert json.loads(report.to_json())["rows"] == report.rows


def test_scales_of_a_table(data):
    out = run(
        "table", "erf", "--columns", "lambda", "--data", data, "--format", "json", "--sigma-w", 0.3, "--sigma-b", 0.2
    )
    parameters = json.loads(out.stdout)["parameters"]
    assert [parameters[name] for name in ("sigma_w", "sigma_u", "sigma_b")] == [0.3, 2**0.5, 0.2]

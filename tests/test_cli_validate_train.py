"""`validate` and `train` on the command line: exit codes, files, JSON, messages, interruption and going on."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import hermite_dual as hd
from hermite_dual.cli import app
from hermite_dual.commands.shared import names_of
from hermite_dual.data.store import digest_of_array
from hermite_dual.finite import FiniteDEQ
from hermite_dual.validation.training_study import training_study

SMALL = ["--activation", "erf", "--samples", "5", "--widths", "16,32", "--replicas", "3"]
STUDY = ["--activations", "tanh", "--samples", "5", "--inputs", "4", "--widths", "30,40", "--epochs", "3"]
X = hd.on_sphere(hd.load_digits()[0][:5])
MODEL = hd.DEQ.paper("erf", sigma_w2=0.08)


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, [*map(str, arguments)], input=stdin)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "code", "word"),
    [
        (["--sigma-w2", "0.02", "--samples", "3", "--widths", "64,512", "--replicas", "8"], 0, "AGREE"),
        ([], 3, "INCONCLUSIVE"),
    ],
)
def test_the_exit_code_is_the_verdict(flags, code, word, tmp_path):
    result = run("validate", *SMALL, *flags, "--output", tmp_path / "r.html", "--output", tmp_path / "r.json")
    assert result.exit_code == code
    assert result.stdout.startswith(f"{word}: ")
    assert result.stderr == ""
    assert word in (tmp_path / "r.html").read_text()
    assert json.loads((tmp_path / "r.json").read_text())["verdict"] == word


def test_a_wrong_matrix_has_the_exit_code_one(tmp_path):
    np.save(tmp_path / "K.npy", 3.0 * MODEL.gram(X).matrix)
    result = run("validate", *SMALL, "--widths", "64,128", "--replicas", 6, "--population", tmp_path / "K.npy")
    assert result.exit_code == 1
    assert result.stdout.startswith("DISAGREE: ")


@pytest.mark.slow
def test_json_holds_the_numbers_of_the_python_session(tmp_path):
    result = run("validate", *SMALL, "--seed", 4, "--json", "--output", tmp_path / "r.html")
    report = MODEL.validate(X, widths=(16, 32), replicas=3, seed=4)
    assert result.stdout == report.to_json() + "\n"
    assert result.stderr.endswith(f"wrote {tmp_path / 'r.html'}\n")
    assert (tmp_path / "r.html").read_bytes() == report.save(tmp_path / "again.html").read_bytes()


@pytest.mark.slow
def test_samples_of_a_file_with_or_without_scaling(tmp_path):
    given = np.random.default_rng(0).standard_normal((4, 3))
    np.savetxt(tmp_path / "X.csv", given, delimiter=",", fmt="%.17g")
    flags = ["--activation", "erf", "--widths", "8,16", "--replicas", 2, "--sigma-w", 0.3, "--json"]
    for more, samples in (([], hd.on_sphere(given)), (["--no-sphere"], given)):
        content = json.loads(run("validate", *flags, "--data", tmp_path / "X.csv", *more).stdout)
        assert content["data_digest"] == digest_of_array(samples)
        assert content["parameters"]["sigma_w"] == 0.3
        assert content["parameters"]["sigma_u"] == 2**0.5


@pytest.mark.slow
def test_an_interrupted_validation_says_how_to_go_on_and_does(tmp_path, monkeypatch):
    whole = run("validate", *SMALL, "--json")
    flags = ["validate", *SMALL, "--json", "--store", tmp_path / "networks", "--output", tmp_path / "r.html"]
    sample, drawn = hd.DEQ.sample, []

    def stopping(self, width, inputs, seed):
        if len(seed.spawn_key) == 2:  # a pilot's network has a longer key
            drawn.append(width)
            if len(drawn) == 4:
                raise KeyboardInterrupt
        return sample(self, width, inputs, seed)

    monkeypatch.setattr(hd.DEQ, "sample", stopping)
    stopped = run(*flags)
    assert stopped.exit_code == 130
    assert stopped.stdout == ""
    assert (
        f"interrupted; finished networks are in {tmp_path / 'networks'}. Run the same command again" in stopped.stderr
    )
    assert [path.name for path in tmp_path.iterdir()] == ["networks"]
    went_on = run(*flags)
    assert went_on.stdout == whole.stdout
    assert went_on.exit_code == whole.exit_code == 3
    assert len(drawn) == 4 + 3  # three of six networks were kept
    drawn[:] = [0] * 3
    lost = run("validate", *SMALL)
    assert lost.exit_code == 130
    assert "With --store FOLDER finished networks are kept" in lost.stderr


def test_train_writes_what_the_python_session_computes(tmp_path):
    files = [tmp_path / "t.html", tmp_path / "t.json"]
    result = run("train", *STUDY, "--output", files[0], "--output", files[1])
    assert result.exit_code == 0
    assert result.stderr == ""
    study = training_study(("tanh",), "sphere", (30, 40), samples=5, inputs=4, epochs=3)
    content = json.loads(files[1].read_text())
    hypotheses = content.pop("hypotheses")
    assert content == study.to_dict()
    assert [item["activation"] for item in hypotheses] == ["tanh"]
    assert {item["name"]: item["outcome"] for item in hypotheses[0]["hypotheses"]}["s^2 < 1/(8 L^2)"] == "PROVEN"
    assert str(study) in result.stdout
    assert "Hypotheses for tanh" in result.stdout
    assert "ALL CLAIMS HOLD" in files[0].read_text()


def test_train_prints_json():
    result = run("train", *STUDY, "--json", "--data", "digits")
    content = json.loads(result.stdout)
    assert content["data"] == "digits"
    assert [item["width"] for item in content["runs"]] == [30, 40]


@pytest.mark.slow
def test_train_on_a_file_with_targets(tmp_path):
    given, y = np.random.default_rng(1).standard_normal((5, 3)), np.array([1.0, -1.0, 0.5, 0.0, 2.0])
    np.save(tmp_path / "X.npy", given)
    np.savetxt(tmp_path / "y.csv", y)
    flags = ["--activations", "tanh", "--widths", 30, "--epochs", 2, "--json"]
    result = run("train", *flags, "--data", tmp_path / "X.npy", "--targets", tmp_path / "y.csv")
    study = training_study(("tanh",), (hd.on_sphere(given), y), (30,), epochs=2)
    assert json.loads(result.stdout)["runs"] == json.loads(study.to_json())["runs"]
    told = run(
        "train", *flags[:-1], "--data", tmp_path / "X.npy", "--targets", tmp_path / "y.csv", "--no-sphere"
    ).stdout
    assert "X.npy, 5 rows of 3 columns, rows as they are" in told


@pytest.mark.slow
@pytest.mark.parametrize("sigma_w2", ["0.2", "8"])
def test_a_sigma_w_too_large_is_explained(sigma_w2, tmp_path):
    result = run("train", *STUDY, "--sigma-w2", sigma_w2, "--output", tmp_path / "t.html")
    assert result.exit_code == 1
    for text in (result.stdout, (tmp_path / "t.html").read_text()):
        assert f"s^2 = {sigma_w2} is too large for tanh" in text
        assert "1/(8 L^2) = 0.125" in text
        assert "--sigma-w2" in text
    assert "Traceback" not in result.output


def test_nothing_tested_has_the_exit_code_three():
    result = run("train", *STUDY, "--epochs", 0)
    assert result.exit_code == 3
    assert "no step was taken" in result.stdout


@pytest.mark.slow
def test_an_interrupted_study_keeps_the_runs_done(tmp_path, monkeypatch):
    train, trained = FiniteDEQ.train, []

    def stopping(self, *arguments, **options):
        trained.append(self.width)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return train(self, *arguments, **options)

    monkeypatch.setattr(FiniteDEQ, "train", stopping)
    result = run("train", *STUDY, "--output", tmp_path / "t.html")
    assert result.exit_code == 130
    assert "interrupted; these are the runs done before" in result.stderr
    assert "The study was interrupted" in (tmp_path / "t.html").read_text()
    trained[:] = [0]
    nothing = run("train", *STUDY, "--output", tmp_path / "none.html")
    assert nothing.exit_code == 130
    assert not (tmp_path / "none.html").exists()


def test_ctrl_c_within_a_run_ends_the_study():
    def stop(what, done, total):
        if done == 3:
            raise KeyboardInterrupt

    study = training_study(("tanh", "relu"), "sphere", (30, 40), samples=4, inputs=3, epochs=5, progress=stop)
    assert study.interrupted
    assert [item.run.interrupted for item in study.runs] == [True]
    assert study.runs[0].run.epochs == 2
    assert "interrupted" in str(study)


@pytest.mark.parametrize(
    ("command", "flags", "message"),
    [
        ("validate", ["--output", "report.pdf"], "allowed are .html and .json"),
        ("validate", ["--output", "/dev/null/report.html"], "cannot be written"),
        ("validate", ["--sigma-w2", "0.6"], "--sigma-w2 0.6 is too large for erf: the Lipschitz constant L = 1.12838"),
        ("validate", ["--sigma-w2", "0.6"], "Take --sigma-w2 below 0.392699 (--sigma-w below 0.886227)"),
        ("validate", ["--widths", "16"], "at least two different widths"),
        ("validate", ["--population", "none.npy"], "data file 'none.npy' cannot be read"),
        ("validate", ["--error-probability", "2"], "--error-probability 2.0"),
        ("train", ["--output", "report.tex"], "allowed are .html and .json"),
        ("train", ["--activations", "tanh,,relu"], "error: "),
        ("train", ["--activations", "tanhh"], "tanhh"),
        (
            "train",
            ["--data", "moons"],
            "comes without targets; allowed are sphere and digits, or a file with --targets",
        ),
        ("train", ["--targets", "y.csv"], "the sphere has targets of its own"),
        ("train", ["--sigma-w2", "-1"], "--sigma-w2 -1.0"),
        ("train", ["--step", "0"], "--step 0.0"),
        ("train", ["--widths", "x"], "--widths 'x'"),
    ],
)
def test_wrong_arguments_are_one_message_and_exit_code_two(command, flags, message):
    result = run(command, *(SMALL if command == "validate" else STUDY), *flags)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_targets_of_another_shape_are_refused(tmp_path):
    np.save(tmp_path / "X.npy", np.eye(3))
    np.save(tmp_path / "y.npy", np.ones((3, 2)))
    result = run("train", *STUDY, "--data", tmp_path / "X.npy", "--targets", tmp_path / "y.npy")
    assert result.exit_code == 2
    assert "has the shape (3, 2); allowed is one column" in result.stderr


def test_commas_in_parentheses_belong_to_a_formula():
    assert names_of("Max(0, x), tanh,x*erf(x)") == ["Max(0, x)", "tanh", "x*erf(x)"]


@pytest.mark.parametrize("command", ["validate", "train"])
def test_help_has_an_example(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"hermite-dual {command} gelu --" in " ".join(result.stdout.replace("│", " ").split())

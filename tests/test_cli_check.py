"""Claims on the command line: answers, certificates, second proofs, refusals."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import hermite_dual as hd
from hermite_dual.certified.second_proof.certificate import _content_digest
from hermite_dual.cli import app
from tests.tolerances import OTHER_PATH, SHARP_ENTRY

RAW = np.random.default_rng(1).normal(size=(20, 12)) * 3.0


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("claims")
    np.save(path / "data.npy", RAW)
    changed = RAW.copy()
    changed[7, 3] = np.nextafter(changed[7, 3], 9)
    np.save(path / "changed.npy", changed)
    np.save(path / "few.npy", RAW[:4] / 3.0)
    return path


@pytest.fixture(scope="module")
def least():
    return hd.DEQ.paper("tanh", sigma_w2=0.08).gram(hd.on_sphere(RAW)).least_eigenvalue()


def check(folder, value, output, *more):
    file = folder / output
    flags = ("--sigma-w2", 0.08, "--at-least", value, "--output", file)
    return run("check", "tanh", folder / "data.npy", *flags, *more), file


def verify(folder, file, data="data.npy"):
    return run("verify", file, "--data", folder / data)


def altered(file, target, change, digest):
    content = json.loads(file.read_text())
    change(content)
    if digest:
        content["sha256"] = _content_digest(content)
    target.write_text(json.dumps(content))
    return target


def test_a_true_claim_is_proven_and_proven_again(folder, least):
    result, file = check(folder, 0.999 * least.lower, "true.json")
    assert result.exit_code == 0
    assert result.stdout.startswith("PROVEN: lambda_* >= ")
    again = verify(folder, file)
    assert again.exit_code == 0
    assert again.stdout.startswith("PROVEN")


def test_a_false_claim_is_refuted_and_refuted_again(folder, least):
    result, file = check(folder, 1.001 * least.upper, "false.json")
    assert result.exit_code == 1
    assert result.stdout.startswith("REFUTED")
    assert json.loads(file.read_text())["claim"]["statement"] == "lambda_min < value"
    assert verify(folder, file).exit_code == 0


def test_an_undecided_claim_writes_nothing(folder, least):
    result, file = check(folder, least.estimate, "undecided.json")
    assert result.exit_code == 3
    assert "would decide" in result.stdout
    assert not file.exists()


@pytest.mark.slow
def test_rows_as_given_are_another_claim(folder):
    e = hd.DEQ.paper("tanh", sigma_w2=0.08).gram(RAW[:4] / 3.0).least_eigenvalue()
    file = folder / "raw.json"
    flags = ["tanh", folder / "few.npy", "--sigma-w2", 0.08, "--no-sphere", "--output", file, "--at-least"]
    assert run("check", *flags, 0.99 * e.lower).exit_code == 0
    assert verify(folder, file, "few.npy").exit_code == 0
    assert run("check", *flags, 1.01 * e.upper).exit_code == 1


def test_other_data_and_edited_files_are_refused(folder, least):
    _, file = check(folder, 0.999 * least.lower, "edited.json")
    result = verify(folder, file, "changed.npy")
    assert result.exit_code == 3
    assert "data are not those of the certificate" in result.stdout

    def raise_claim(content):
        content["claim"]["value"] = 0.99999 * least.lower

    edited = verify(folder, altered(file, folder / "e1.json", raise_claim, digest=False))
    assert edited.exit_code == 1
    assert "altered" in edited.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        lambda c, e: c["claim"].update(value=1.001 * e.upper),
        lambda c, e: c["parameters"].update(activation="x/5"),
        lambda c, e: c["claim"].update(outcome="REFUTED", statement="lambda_min < value"),
        lambda c, e: c["claim"].update(statement="lambda_min < value"),
        lambda c, e: c["claim"].update(outcome="UNDECIDED"),
        lambda c, e: c["claim"].update(value="1e-9"),
    ],
    ids=["value", "activation", "direction", "statement", "outcome", "type"],
)
def test_a_forged_digest_does_not_make_a_false_claim_true(folder, least, change):
    _, file = check(folder, 0.999 * least.lower, "forged.json")
    forged = altered(file, folder / "forged2.json", lambda content: change(content, least), digest=True)
    assert verify(folder, forged).exit_code in {1, 3}


@pytest.mark.parametrize(
    "parameters",
    [
        *(
            {},
            {"activation": "tanh"},
            {"sigma_w2": "much"},
            {"sigma_w2": -1.0},
            {"rows": "tidy"},
            {"sigma_u_squared": 3},
        ),
        *(
            {"sigma_w": 0.01},
            {"sigma_w2": True},
            {"sigma_w2": "0.08"},
            {"sigma_b": 0.5},
            {"sigma_b": False},
            {"depth": 3},
        ),
        {"activation": ["tanh"], "rows": "as given"},
    ],
)
def test_parameters_that_no_check_wrote_are_bad_input(folder, least, parameters):
    _, file = check(folder, 0.999 * least.lower, "bad.json")

    def change(content):
        content["parameters"] = content["parameters"] | parameters if parameters.keys() - {"activation"} else parameters

    result = verify(folder, altered(file, folder / "bad2.json", change, digest=True))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tanhh", "data.npy", "--sigma-w2", "0.08", "--at-least", "1e-4"], "tanhh"),
        (["tanh", "none.npy", "--sigma-w2", "0.08", "--at-least", "1e-4"], "cannot be read"),
        (["tanh", "data.npy", "--at-least", "1e-4"], "--sigma-w2 and --sigma-w neither is given"),
        (["tanh", "data.npy", "--sigma-w2", "0.08", "--sigma-w", "0.4", "--at-least", "1e-4"], "are both given"),
        (["tanh", "data.npy", "--sigma-w2", "0.6", "--at-least", "1e-4"], "sigma_w L = "),
        (["tanh", "data.npy", "--sigma-w2", "0.08", "--at-least", "nan"], "not a finite number"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_two(folder, arguments, message, monkeypatch):
    monkeypatch.chdir(folder)
    result = run("check", *arguments, "--output", folder / "none.json")
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "none.json").exists()


def test_files_that_are_no_certificates_are_left_alone(folder, least):
    (folder / "notes.json").write_text("{}")
    result, file = check(folder, 0.9 * least.lower, "notes.json")
    assert result.exit_code == 2
    assert "exists and is no certificate" in result.stderr
    assert file.read_text() == "{}"


@pytest.mark.parametrize("command", ["check", "verify"])
def test_help_explains_the_exit_codes(command):
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    for words in ("PROVEN", "REFUTED", "UNDECIDED"):
        assert words in result.stdout


@pytest.mark.slow
def test_what_was_verified_is_shown(folder, least):
    _, file = check(folder, 0.999 * least.lower, "shown.json")
    answer = verify(folder, file).stdout
    for words in ("activation = tanh", "sigma_w2 = 0.08", "rows = scaled to norm sqrt(d)", "samples, SHA-256"):
        assert words in answer


def test_the_estimate_stands_beside_the_slack_and_json_has_every_number(folder, least):
    result, _ = check(folder, 0.5 * least.lower, "numbers.json", "--json")
    found = json.loads(result.stdout)
    assert found["estimate"] == pytest.approx(least.estimate, rel=OTHER_PATH)
    assert 0.0 < found["proven_slack"] <= least.upper - found["value"]
    assert (found["outcome"], found["value"], found["n"], found["d"]) == ("PROVEN", 0.5 * least.lower, *RAW.shape)
    assert (found["activation"], found["sigma_w2"]) == ("tanh", 0.08)
    assert 0.0 < found["entry_error"] < SHARP_ENTRY
    assert f"about {least.estimate:.6g}, by an estimate" in found["answer"]

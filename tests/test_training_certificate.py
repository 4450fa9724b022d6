"""The certificate of training as people use it: what it says, its file, training that looks for it."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.errors import DataFileError, InvalidInputError
from hermite_dual.finite.training_verification import verify_training

N, D, M = 4, 6, 96
X = hd.on_sphere(np.random.default_rng(0).standard_normal((N, D)))
Y = np.sign(np.random.default_rng(1).standard_normal(N))


def drawn(phi="tanh", **options):
    return hd.DEQ(phi, 0.2, **options).sample(M, D, 0)


@pytest.fixture(scope="module")
def trained():
    """A network after two Gauss-Newton steps."""
    return drawn().train(X, Y, 1.0, 2, method="gauss-newton").network


@pytest.fixture(scope="module")
def certificate(trained):
    return trained.certify_training(X, Y)


def test_a_trained_network_is_proven_and_says_so(certificate):
    assert certificate.outcome is hd.Outcome.PROVEN
    assert certificate.shortfall < 1
    assert 0 < certificate.rate < 1
    assert 0 < certificate.step < certificate.largest_step
    assert certificate.radius > certificate.residual / certificate.start.largest
    text = str(certificate)
    assert text.startswith("PROVEN: gradient descent on a, W, U converges to zero loss")
    assert "<table" in certificate._repr_html_()
    assert json.loads(json.dumps(certificate.to_dict()))["start"]["parameters"] == ["a", "W", "U"]


def test_at_random_weights_the_factor_that_is_missing_is_named():
    net = drawn()
    found = net.certify_training(X, 10 * Y)
    assert found.outcome is hd.Outcome.UNDECIDED
    assert found.shortfall > 1
    assert f"is {found.residual / found.threshold:.4g} times too large" in found.reason
    # below the threshold, all else equal, it is proven: the targets alone change the residual
    outputs = net.a @ net.equilibrium(X).Z
    near = outputs + (10 * Y - outputs) * 0.95 / found.shortfall
    assert net.certify_training(X, near).outcome is hd.Outcome.PROVEN


def test_wide_networks_are_proven_at_random_weights():
    X = hd.on_sphere(np.random.default_rng(0).standard_normal((2, 20)))
    net = hd.DEQ.paper("tanh", 0.02).sample(512, 20, 0)
    assert net.certify_training(X, np.array([1.0, -1.0])).outcome is hd.Outcome.PROVEN


def test_a_step_is_decided_or_said_to_be_too_large(trained, certificate):
    lambda_max = certificate.start.largest**2
    small = trained.certify_training(X, Y, 0.1 / lambda_max)
    assert small.outcome is hd.Outcome.PROVEN
    assert small.step == 0.1 / lambda_max
    large = trained.certify_training(X, Y, 3.0 / lambda_max)
    assert large.outcome is hd.Outcome.UNDECIDED
    assert "wants steps below" in large.reason


@pytest.mark.parametrize("parameters", [("a",), ("W",), ("U", "b"), ("a", "W", "U", "b")])
def test_parameters_are_those_that_are_trained(parameters):
    net = drawn(sigma_b=0.5)
    outputs = net.a @ net.equilibrium(X).Z
    found = net.certify_training(X, outputs + 1e-6, parameters=parameters)
    assert found.outcome is hd.Outcome.PROVEN
    assert found.parameters == parameters


def test_the_readout_alone_is_proven_from_anywhere():
    found = drawn().certify_training(X, 1e6 * Y, parameters=("a",))
    assert found.outcome is hd.Outcome.PROVEN
    assert found.largest_step * found.start.largest**2 == pytest.approx(2.0, rel=0.05)


def test_more_samples_than_the_network_can_fit_are_undecided():
    net = hd.DEQ("tanh", 0.2).sample(2, 1, 0)
    inputs = np.linspace(-1, 1, 30)[:, None]
    found = net.certify_training(inputs, np.zeros(30))
    assert found.outcome is hd.Outcome.UNDECIDED
    assert "least eigenvalue of the tangent kernel" in found.reason


def test_without_contraction_nothing_is_proven():
    # the equilibrium is found all the same, since slopes are small there
    net = replace(drawn("2*tanh(x)/5"), W=2.6 * np.eye(M))
    found = net.certify_training(X, np.zeros(N))
    assert found.outcome is hd.Outcome.UNDECIDED
    assert "is not below 1" in found.reason


def test_weights_of_other_precisions_are_their_own_numbers():
    net = drawn()
    single = replace(net, **{name: getattr(net, name).astype(np.float32) for name in ("W", "U", "b", "a")})
    double = replace(net, **{name: getattr(single, name).astype(np.float64) for name in ("W", "U", "b", "a")})
    assert single.norm_bounds() == double.norm_bounds()
    first, second = single.certify_training(X, Y), double.certify_training(X, Y)
    assert first.start == second.start
    if np.finfo(np.longdouble).nmant > 52:
        wide = replace(net, W=net.W.astype(np.longdouble) * (1 + np.longdouble(2) ** -60))
        assert wide.norm_bounds().outcome is hd.Outcome.UNDECIDED
        assert "no float64 numbers" in wide.certify_training(X, Y).reason


def test_numbers_beyond_float64_and_the_smallest_steps_end_in_answers():
    net = drawn()
    outputs = net.a @ net.equilibrium(X).Z
    assert "range of float64" in net.certify_training(1e160 * X, Y).reason
    assert net.certify_training(X, 1e200 * Y).shortfall == math.inf
    tiny = net.certify_training(X, outputs + 1e-3, 1e-300)
    assert tiny.outcome is hd.Outcome.PROVEN
    assert 0 < tiny.rate < 1e-290
    assert net.certify_training(X, outputs).outcome is hd.Outcome.PROVEN


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"step": 0.0}, "step=0.0: allowed are finite numbers > 0"),
        ({"y": Y[:-1]}, "y has the shape"),
        ({"y": Y * np.nan}, "not finite"),
        ({"parameters": ("a", "c")}, "parameters="),
        ({"X": X[:, :-1]}, r"allowed is \(n, 6\)"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, words):
    with pytest.raises(InvalidInputError, match=words):
        drawn().certify_training(**({"X": X, "y": Y} | arguments))


def test_training_finds_the_epoch_from_which_the_rest_is_proven():
    net = drawn()
    step = 0.5 * net.stable_step(X, ("a", "W", "U"))
    run = net.train(X, Y, step, 150, certify=True)
    assert run.proven_from is not None
    assert run.certificate.outcome is hd.Outcome.PROVEN
    assert run.certificate.step == step
    bound = run.proven_bound
    assert np.isnan(bound[: run.proven_from]).all()
    assert np.all(run.loss[run.proven_from :] <= bound[run.proven_from :] * (1 + 1e-9))
    moved = sum(
        float(((getattr(run.network, k) - getattr(run.certificate.network, k)) ** 2).sum()) for k in ("a", "W", "U")
    )
    assert math.sqrt(moved) <= run.certificate.radius
    assert f"proven from epoch {run.proven_from} on" in str(run)
    assert run.to_dict()["proven_from"] == run.proven_from
    # Gauss-Newton steps come there in a fraction of the epochs
    quick = net.train(X, Y, 1.0, 5, method="gauss-newton", certify=True)
    assert quick.proven_from < run.proven_from / 2


def test_gauss_newton_steps_take_the_residuals_down_by_the_step():
    run = drawn().train(X, Y, 0.25, 12, method="gauss-newton")
    ratios = np.sqrt(run.loss[1:] / run.loss[:-1])
    assert ratios[-1] == pytest.approx(0.75, abs=0.01)
    assert np.isnan(run.rate_bound[1:]).all()
    assert [claim.name[:3] for claim in run.claims] == ["||W", "lam"]
    with pytest.raises(InvalidInputError, match="method='newton'"):
        drawn().train(X, Y, 0.25, 1, method="newton")


def test_what_cannot_be_proven_is_said_and_training_goes_on():
    run = drawn("relu").train(X, Y, 1e-3, 2, certify=True)
    assert run.proven_from is None
    assert run.epochs == 2
    assert "zero loss is not proven: bounded second derivative is REFUTED" in str(run)
    assert "kinks of phi are outside" in run.proof


def test_pages_tell_what_is_proven_from_what_is_measured(tmp_path):
    run = drawn().train(X, Y, 1.0, 3, method="gauss-newton", certify=True)
    page = run.save(tmp_path / "run.html").read_text()
    assert "What is proven" in page
    assert f"proven from epoch {run.proven_from} on" in page
    assert any(line.get_label() == "proven from here on" for line in run.plot()[0].get_lines())


def test_a_file_is_proven_again_and_altered_files_are_not(certificate, tmp_path):
    path = certificate.save(tmp_path / "t.json")
    content = json.loads(path.read_text())
    arrays = path.with_suffix(".npz")
    again = verify_training(content, arrays)
    assert again.outcome is hd.Outcome.PROVEN
    assert "tanh, width 96, 4 samples" in again.subject
    for key, value in (("radius", 1e-9), ("step", 1.0), ("activation", "relu"), ("rate", 0.99)):
        assert verify_training(content | {key: value}, arrays).outcome is hd.Outcome.REFUTED
    other = dict(np.load(arrays))
    other["a"][0] *= 1 + 1e-15
    np.savez(tmp_path / "other.npz", **other)
    assert verify_training(content, tmp_path / "other.npz").outcome is hd.Outcome.UNDECIDED
    np.savez(tmp_path / "few.npz", W=other["W"])
    with pytest.raises(DataFileError, match=r"lacks .*U"):
        verify_training(content, tmp_path / "few.npz")
    with pytest.raises(DataFileError, match="missing or unknown are extra"):
        verify_training(content | {"extra": 1}, arrays)


def test_weights_in_single_precision_come_back_from_their_file(trained, tmp_path):
    single = replace(trained, **{name: getattr(trained, name).astype(np.float32) for name in ("W", "U", "b", "a")})
    proven = single.certify_training(X, single.a.astype(float) @ single.equilibrium(X).Z + 1e-3)
    path = proven.save(tmp_path / "single.json")
    assert verify_training(json.loads(path.read_text()), path.with_suffix(".npz")).outcome is hd.Outcome.PROVEN


@pytest.mark.slow
def test_the_command_verifies_the_file(certificate, tmp_path):
    path = certificate.save(tmp_path / "t.json")
    command = [str(Path(sys.executable).with_name("hermite-dual")), "verify", str(path), "--data"]
    done = subprocess.run([*command, str(path.with_suffix(".npz"))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("PROVEN: zero loss within")
    wrong = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "is no .npz file" in wrong.stderr


def test_files_are_written_of_what_is_proven_alone(certificate, tmp_path):
    with pytest.raises(InvalidInputError, match=r"ends in \.json"):
        certificate.save(tmp_path / "t.txt")
    with pytest.raises(InvalidInputError, match="nothing is proven"):
        drawn().certify_training(X, 100 * Y).save(tmp_path / "t.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_command_says_from_which_epoch_on(tmp_path):
    command = [str(Path(sys.executable).with_name("hermite-dual")), "train", "--activations", "tanh", "--samples", "4"]
    options = ["--inputs", "6", "--widths", "96", "--epochs", "80", "--sigma-w2", "0.02", "--certify"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "proven from epoch" in done.stdout

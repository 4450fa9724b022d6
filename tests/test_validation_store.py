"""An interrupted validation goes on where it stopped, with the same numbers."""

import errno
import os

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.errors import DataFileError, HermiteDualError, InvalidInputError

X = hd.on_sphere(hd.load_digits()[0][:8])
MODEL = hd.DEQ.paper("tanh", sigma_w2=0.08)
SMALL = {"widths": (16, 32), "replicas": 3, "seed": 4}


def run(store, model=MODEL, samples=X, **changes):
    return model.validate(samples, store=store, **{**SMALL, **changes})


@pytest.fixture(scope="module")
def whole():
    return MODEL.validate(X, **SMALL).to_json()


def records(folder):
    return sorted(folder.glob("*.record"))


def stop_after(networks):
    def progress(what, done, total):
        if done == networks:
            raise KeyboardInterrupt

    return progress


@pytest.fixture
def drawn(monkeypatch):
    """The widths of the networks that are drawn, the pilot's left out."""
    seen, sample = [], hd.DEQ.sample

    def counted(self, width, inputs, seed):
        if len(seed.spawn_key) == 2:
            seen.append((width, seed.spawn_key[1]))
        return sample(self, width, inputs, seed)

    monkeypatch.setattr(hd.DEQ, "sample", counted)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("networks", [1, 4])
def test_an_interrupted_run_goes_on_with_the_same_numbers(tmp_path, drawn, whole, networks):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, progress=stop_after(networks))
    assert len(records(tmp_path)) == networks
    drawn.clear()
    assert run(tmp_path).to_json() == whole
    assert len(drawn) == 6 - networks
    drawn.clear()
    assert run(tmp_path).to_json() == whole
    assert drawn == []


@pytest.mark.slow
def test_more_replicas_and_widths_reuse_what_is_there(tmp_path, drawn):
    run(tmp_path)
    drawn.clear()
    more = run(tmp_path, widths=(32, 64, 16), replicas=4)
    assert sorted(drawn) == [(16, 3), (32, 3), (64, 0), (64, 1), (64, 2), (64, 3)]
    assert more.to_json() == MODEL.validate(X, widths=(32, 64, 16), replicas=4, seed=4).to_json()


@pytest.mark.slow
def test_another_population_is_tested_on_the_same_networks(tmp_path, drawn):
    run(tmp_path)
    drawn.clear()
    wrong = np.asarray(MODEL.gram(X)) * 1.5
    assert run(tmp_path, population=wrong).to_json() == MODEL.validate(X, population=wrong, **SMALL).to_json()
    # with the store fresh networks alone, to confirm what the first reject; without it the first as well
    assert len(drawn) == 6 + (6 + 6)


@pytest.mark.slow
def test_damaged_files_are_computed_again_and_noted(tmp_path, drawn, whole):
    run(tmp_path)
    first, second, *_ = records(tmp_path)
    first.write_bytes(first.read_bytes()[:-5])
    content = bytearray(second.read_bytes())
    content[300] ^= 1
    second.write_bytes(content)
    drawn.clear()
    report = run(tmp_path)
    assert sorted(report.notes) == sorted(
        f"{path.stem} in the store was damaged and has been computed again" for path in (first, second)
    )
    assert report.notes[0] in str(report)
    assert len(drawn) == 2
    again = run(tmp_path)
    assert again.notes == ()
    assert again.to_json() == whole


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 5}, r"holds results of something else \(seed: 4 there, 5 here\)"),
        ({"samples": X[:7]}, "samples: "),
        ({"samples": X * (1.0 + 1e-15)}, "samples digest: "),
        ({"model": MODEL.replace(sigma_w=0.3)}, "sigma_w: "),
        ({"model": MODEL.replace(activation="erf")}, "formula: "),
    ],
)
def test_a_store_of_something_else_is_refused(tmp_path, changes, message):
    run(tmp_path)
    with pytest.raises(InvalidInputError, match=message):
        run(tmp_path, **changes)
    assert len(records(tmp_path)) == 6


@pytest.mark.slow
def test_python_functions_of_one_name_are_told_apart(tmp_path):
    def first():
        def phi(u):
            return np.tanh(u)

        return phi

    def second():
        def phi(u):
            return np.tanh(u) * 0.9

        return phi

    one, other = (hd.DEQ(hd.activation(make()), sigma_w=0.3) for make in (first, second))
    assert one.parameters() == other.parameters()
    run(tmp_path, model=one)
    with pytest.raises(InvalidInputError, match="values: "):
        run(tmp_path, model=other)


@pytest.mark.slow
def test_a_full_disk_is_named_and_nothing_is_lost(tmp_path, whole, monkeypatch):
    fsync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataFileError, match=r"cannot be written: No space left on device\. Check free space") as caught:
        run(tmp_path)
    assert isinstance(caught.value, HermiteDualError)
    assert isinstance(caught.value, OSError)
    monkeypatch.undo()
    # store.json and three networks were written before.
    assert len(records(tmp_path)) == 3
    assert run(tmp_path).to_json() == whole

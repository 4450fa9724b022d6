"""A store gives back what was saved, finds every damage, and belongs to one key."""

import errno
import json
import os

import numpy as np
import pytest

from hermite_dual.data.store import RecordStore, digest_of_array
from hermite_dual.errors import DataFileError, HermiteDualError, InvalidInputError

KEY = {"seed": 0, "names": ["a", "b"], "scale": 0.1, "none": None}
ARRAYS = {"values": np.random.default_rng(0).standard_normal((3, 4)), "count": np.array(7), "empty": np.zeros((0, 2))}


@pytest.fixture
def store(tmp_path):
    opened = RecordStore(tmp_path / "new" / "store", KEY)
    opened.save("first", ARRAYS)
    return opened


def reopen(store, **changes):
    return RecordStore(store._folder, KEY | changes)


def test_arrays_come_back_bit_for_bit(store):
    found = reopen(store).load("first")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
    assert store.load("second") is None
    assert store.damaged == []


def test_big_endian_arrays_keep_their_values(store):
    store.save("big", {"a": np.arange(4.0).astype(">f8")})
    np.testing.assert_array_equal(store.load("big")["a"], np.arange(4.0))


def test_every_flipped_byte_is_found(store):
    path = store._path("first")
    content = path.read_bytes()
    for i in range(len(content)):
        path.write_bytes(content[:i] + bytes([content[i] ^ (1 << (i % 8))]) + content[i + 1 :])
        again = reopen(store)
        assert again.load("first") is None
        assert again.damaged == ["first"]


@pytest.mark.parametrize("length", [0, 10, 65, -1])
def test_torn_files_are_found(store, length):
    path = store._path("first")
    path.write_bytes(path.read_bytes()[:length])
    assert store.load("first") is None
    assert store.damaged == ["first"]


def test_a_file_under_another_name_or_from_another_store_is_not_taken(store, tmp_path):
    content = store._path("first").read_bytes()
    store._path("second").write_bytes(content)
    assert store.load("second") is None
    other = RecordStore(tmp_path / "other", KEY | {"seed": 1})
    other._path("first").write_bytes(content)
    assert other.load("first") is None


def test_another_key_is_refused_and_named(store):
    with pytest.raises(InvalidInputError, match=r"holds results of something else \(seed: 0 there, 1 here\)"):
        reopen(store, seed=1)
    with pytest.raises(InvalidInputError, match="extra: None there, 2 here"):
        reopen(store, extra=2)
    assert reopen(store).load("first") is not None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"key": {}, "layout": 1, "digest": "0"}'])
def test_a_damaged_manifest_is_refused(store, content):
    (store._folder / "store.json").write_text(content)
    with pytest.raises(DataFileError, match=r"store\.json is damaged or of another layout"):
        reopen(store)


def test_results_without_a_manifest_are_refused(store):
    (store._folder / "store.json").unlink()
    with pytest.raises(DataFileError, match=r"holds .first\.record. but no store\.json"):
        reopen(store)


def test_the_manifest_is_readable(store):
    assert json.loads((store._folder / "store.json").read_text())["key"] == KEY


def test_a_full_disk_is_named_and_nothing_is_lost(store, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataFileError, match="No space left on device") as caught:
        store.save("second", ARRAYS)
    assert isinstance(caught.value, HermiteDualError)
    assert isinstance(caught.value, OSError)
    with pytest.raises(DataFileError, match="No space left"):
        store.save("first", {"values": np.zeros(1)})
    monkeypatch.undo()
    assert sorted(path.name for path in store._folder.iterdir()) == ["first.record", "store.json"]
    np.testing.assert_array_equal(reopen(store).load("first")["values"], ARRAYS["values"])


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataFileError, match=r"cannot be (read|written)"):
        RecordStore(tmp_path / "file", KEY)


def test_names_stay_inside_the_folder(store):
    with pytest.raises(InvalidInputError, match="allowed are letters"):
        store.save("../outside", ARRAYS)


def test_digests_tell_values_shapes_and_types_apart():
    a = np.arange(6.0)
    digests = {digest_of_array(b) for b in (a, a.reshape(2, 3), a.astype(np.float32), a + 1e-15)}
    assert len(digests) == 4
    assert digest_of_array(a.reshape(2, 3)) == digest_of_array(np.asfortranarray(a.reshape(2, 3)))

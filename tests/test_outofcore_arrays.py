"""Checksummed arrays in Zarr folders, and the folders' manifests."""

import dataclasses
import errno
import json
import math
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermite_dual.errors import DataFileError, InvalidInputError
from hermite_dual.outofcore import block_array, libraries
from hermite_dual.outofcore.block_array import BlockArray, ChunkState
from hermite_dual.outofcore.manifest import open_folder

zarr = pytest.importorskip("zarr")
VALUES = np.random.default_rng(0).standard_normal((10, 7))
KEY = {"activation": "tanh", "sigma_w": 0.3, "data": "abc"}


def _filled(folder, compress=True):
    array = BlockArray.create_or_open(open_folder(folder, KEY), "values", (10, 7), (4, 3), compress=compress)
    for index in np.ndindex(array.grid):
        array.write(index, VALUES[4 * index[0] : 4 * index[0] + 4, 3 * index[1] : 3 * index[1] + 3])
    return array


@pytest.mark.parametrize("compress", [True, False])
def test_zarr_reads_what_was_written_with_its_checksums(tmp_path, compress):
    array = _filled(tmp_path / "K.zarr", compress)
    assert array.grid == (3, 3)
    assert (zarr.open_group(tmp_path / "K.zarr", mode="r")["values"][:] == VALUES).all()
    for index in np.ndindex(array.grid):
        part = array.read(index)
        assert part is not None
        assert part.shape == array.chunk_shape(index)
        assert (part == VALUES[4 * index[0] : 4 * index[0] + 4, 3 * index[1] : 3 * index[1] + 3]).all()
    chunk = array.chunk_path((0, 0))
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        zarr.open_group(tmp_path / "K.zarr", mode="r")["values"][:]


@pytest.mark.parametrize("compress", [True, False])
def test_what_others_write_into_an_array_is_not_taken_for_ours(tmp_path, compress):
    array = _filled(tmp_path, compress)
    zarr.open_group(tmp_path, mode="r+")["values"][:] = VALUES + 1.0
    assert array.read_checked((2, 2)) == (None, ChunkState.DAMAGED)


@pytest.mark.parametrize("compress", [True, False])
def test_exchanged_chunks_are_found(tmp_path, compress):
    one, other = (_filled(tmp_path / name, compress) for name in ("one", "other"))
    kept = {index: one.chunk_path(index).read_bytes() for index in ((0, 0), (0, 1))}
    one.chunk_path((0, 0)).write_bytes(kept[0, 1])
    one.chunk_path((0, 1)).write_bytes(kept[0, 0])
    assert {one.read_checked(index)[1] for index in kept} == {ChunkState.DAMAGED}
    one.chunk_path((0, 0)).write_bytes(kept[0, 0])
    assert one.read_checked((0, 0))[1] is ChunkState.WHOLE
    # with all that belongs to a chunk, from the array of another key
    values = dataclasses.replace(other, key="another")
    values.write((0, 0), VALUES[:4, :3] + 1.0)
    shutil.copy(values.chunk_path((0, 0)), one.chunk_path((0, 0)))
    shutil.copy(Path(values.path, "bound", "0.0"), Path(one.path, "bound", "0.0"))
    assert one.read_checked((0, 0))[1] is ChunkState.DAMAGED


def test_the_fingerprint_changes_with_every_value(tmp_path):
    array = _filled(tmp_path)
    before = array.fingerprint()
    array.write((1, 1), VALUES[4:8, 3:6])
    assert array.fingerprint() == before
    array.write((1, 1), np.nextafter(VALUES[4:8, 3:6], np.inf))
    assert array.fingerprint() != before


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("fill", [0, 1])
def test_numbers_of_every_kind_come_back(tmp_path, dtype, fill):
    array = BlockArray.create_or_open(open_folder(tmp_path, KEY), "v", (5,), (3,), dtype, fill_value=fill)
    values = (VALUES[0, :2] > 0).astype(dtype)
    array.write((1,), values)
    found = array.read((1,))
    assert found is not None
    assert found.dtype == np.dtype(dtype)
    assert (found == values).all()
    assert zarr.open_array(array.path, mode="r")[:].tolist() == [fill] * 3 + values.tolist()


@pytest.mark.parametrize("fill", [math.nan, math.inf, -math.inf, 0.5])
def test_fill_values_are_those_of_the_format(tmp_path, fill):
    array = BlockArray.create_or_open(open_folder(tmp_path, KEY), "v", (5,), (3,), fill_value=fill)
    np.testing.assert_array_equal(zarr.open_array(array.path, mode="r")[:], np.full(5, fill))


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_shape_in_any_chunks_comes_back(tmp_path_factory, data):
    axes = data.draw(st.integers(1, 3))
    shape = tuple(data.draw(st.integers(1, 9)) for _ in range(axes))
    chunks = tuple(data.draw(st.integers(1, 11)) for _ in range(axes))
    values = np.random.default_rng(1).standard_normal(shape)
    folder = open_folder(tmp_path_factory.mktemp("zarr"), KEY)
    array = BlockArray.create_or_open(folder, "v", shape, chunks, compress=data.draw(st.booleans()))
    for index in np.ndindex(array.grid):
        part = values[tuple(slice(i * c, (i + 1) * c) for i, c in zip(index, chunks, strict=True))]
        array.write(index, part)
        found = array.read(index)
        assert found is not None
        assert (found == part).all()
    assert (zarr.open_array(array.path, mode="r")[:] == values).all()


def test_an_array_can_be_sent_and_is_small(tmp_path):
    array = _filled(tmp_path)
    sent = pickle.dumps(array)
    assert len(sent) < 1000
    found = pickle.loads(sent).read((0, 0))
    assert found is not None
    assert (found == VALUES[:4, :3]).all()


@pytest.mark.parametrize("compress", [True, False])
def test_every_flipped_byte_is_found(tmp_path, compress):
    array = _filled(tmp_path, compress)
    path = array.chunk_path((1, 2))
    whole = path.read_bytes()
    for position in range(len(whole)):
        for flip in (0x01, 0x80, 0xFF):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ flip]) + whole[position + 1 :])
            assert array.read_checked((1, 2)) == (None, ChunkState.DAMAGED)
    path.write_bytes(whole)
    assert array.read_checked((1, 2))[1] is ChunkState.WHOLE


@pytest.mark.parametrize("compress", [True, False])
def test_torn_chunks_are_found_at_every_length(tmp_path, compress):
    array = _filled(tmp_path, compress)
    path = array.chunk_path((0, 1))
    whole = path.read_bytes()
    for length in range(len(whole)):
        for torn in (whole[:length], whole[:length] + bytes(len(whole) - length)):
            if torn != whole:
                path.write_bytes(torn)
                assert array.read_checked((0, 1)) == (None, ChunkState.DAMAGED)
    path.write_bytes(whole + b"\0")
    assert array.read_checked((0, 1))[1] is ChunkState.DAMAGED
    path.unlink()
    assert array.read_checked((0, 1)) == (None, ChunkState.ABSENT)
    assert not array.exists((0, 1))


@pytest.mark.parametrize("compress", [True, False])
def test_a_chunk_of_an_array_with_other_chunks_is_damage(tmp_path, compress):
    array = _filled(tmp_path, compress)
    other = BlockArray.create_or_open(open_folder(tmp_path, KEY), "other", (10, 7), (2, 2), compress=compress)
    other.write((0, 0), VALUES[:2, :2])
    array.chunk_path((0, 0)).write_bytes(other.chunk_path((0, 0)).read_bytes())
    assert array.read_checked((0, 0)) == (None, ChunkState.DAMAGED)


def test_a_full_disk_says_so_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    array = _filled(tmp_path)
    before = array.chunk_path((0, 0)).read_bytes()

    def full(stream, view):
        stream.write(view[: len(view) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(block_array, "_write_all", full)
    with pytest.raises(DataFileError, match=r"No space left on device.*finished before stays.*repeat the same call"):
        array.write((0, 0), VALUES[:4, :3] + 1.0)
    assert array.chunk_path((0, 0)).read_bytes() == before
    assert sorted(os.listdir(array.chunk_path((0, 0)).parent)) == ["0", "1", "2"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting takes root")
def test_a_full_file_system_is_taken_up_after_space_is_freed(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        ballast = place / "ballast"
        ballast.write_bytes(bytes(128 * 1024))
        values = np.random.default_rng(3).standard_normal((8, 64, 64))  # 32 KB each, and hardly to be compressed
        array = BlockArray.create_or_open(open_folder(place / "K.zarr", KEY), "v", values.shape, (1, 64, 64))

        def write_all():
            for i, block in enumerate(values):
                array.write((i, 0, 0), block[None])

        with pytest.raises(DataFileError, match="No space left"):
            write_all()
        written = [i for i in range(8) if array.exists((i, 0, 0))]
        assert 0 < len(written) < 8
        assert len(list(Path(array.path, "c").rglob("*.*"))) == 0
        ballast.unlink()
        again = BlockArray.create_or_open(open_folder(place / "K.zarr", KEY), "v", values.shape, (1, 64, 64))
        missing = [i for i in range(8) if again.read_checked((i, 0, 0))[1] is ChunkState.ABSENT]
        assert missing == [i for i in range(8) if i not in written]
    finally:
        subprocess.run(["umount", place], check=True)


def test_only_old_leftovers_of_killed_writers_are_removed(tmp_path):
    array = _filled(tmp_path)
    young, old = (array.chunk_path((0, 0)).with_name(f".0-{digit * 12}") for digit in "ab")
    young.write_bytes(b"half")
    old.write_bytes(b"half")
    os.utime(old, (time.time() - 7200.0,) * 2)
    _filled(tmp_path)
    assert young.exists()
    assert not old.exists()
    assert all(array.exists(index) for index in np.ndindex(array.grid))


def test_a_damaged_description_is_not_believed_and_can_be_written_again(tmp_path):
    array = _filled(tmp_path)
    description = Path(array.path, "zarr.json")
    whole = description.read_bytes()
    for content in (b"", whole[:-20], whole.replace(b"float64", b"float32"), whole.replace(b"10", b"12")):
        description.write_bytes(content)
        with pytest.raises(DataFileError, match="Delete this file alone"):
            BlockArray.create_or_open(tmp_path, "values", (10, 7), (4, 3))
    description.unlink()
    again = BlockArray.create_or_open(tmp_path, "values", (10, 7), (4, 3))
    assert description.read_bytes() == whole
    assert again.read((0, 0)) is not None


def test_wrong_arguments_are_named(tmp_path):
    array = _filled(tmp_path)
    with pytest.raises(InvalidInputError, match=r"index=\(3, 0\)"):
        array.read((3, 0))
    with pytest.raises(InvalidInputError, match=r"chunk \(2, 2\) takes \(2, 1\) and float64"):
        array.write((2, 2), VALUES[:4, :3])
    with pytest.raises(InvalidInputError, match="float32"):
        array.write((0, 0), VALUES[:4, :3].astype(np.float32))
    for shape, chunks in (((3,), (2, 2)), ((0,), (1,)), ((), ())):
        with pytest.raises(InvalidInputError, match="positive"):
            BlockArray.create_or_open(tmp_path, "w", shape, chunks)
    with pytest.raises(InvalidInputError, match="bytes"):
        BlockArray.create_or_open(tmp_path, "w", (2**20, 2**20), (2**14, 2**14))
    with pytest.raises(InvalidInputError, match="dtype"):
        BlockArray.create_or_open(tmp_path, "w", (3,), (2,), "complex128")


def test_a_chunk_that_cannot_be_read_is_an_error_and_not_absent(tmp_path):
    array = _filled(tmp_path)
    path = array.chunk_path((0, 0))
    path.unlink()
    path.mkdir()
    with pytest.raises(DataFileError, match="cannot be read"):
        array.read((0, 0))


def test_a_folder_of_the_same_key_opens_and_another_key_is_listed(tmp_path):
    place = open_folder(tmp_path / "new" / "K.zarr", KEY)
    assert place.is_absolute()
    assert open_folder(place, dict(reversed(KEY.items()))) == place
    with pytest.raises(InvalidInputError, match=r"\(data: 'abc' there, 'xyz' here; sigma_w: 0.3 there, 0.4 here\)"):
        open_folder(place, KEY | {"data": "xyz", "sigma_w": 0.4})
    with pytest.raises(InvalidInputError, match="seed: None there, 1 here"):
        open_folder(place, KEY | {"seed": 1})


def test_every_flipped_byte_of_the_manifest_is_found_or_harmless(tmp_path):
    place = open_folder(tmp_path / "K.zarr", KEY)
    path = place / "zarr.json"
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x04]) + whole[position + 1 :])
        try:
            open_folder(place, KEY)
        except DataFileError:
            continue
        # White space, or a name that no one reads, such as that of the format's version.
        found = json.loads(path.read_bytes())
        assert found["attributes"]["hermite_dual"]["key"] == KEY


@pytest.mark.parametrize("content", ["{}", '{"node_type": "array", "attributes": {}}', "[1]", '{"node_type": "group"}'])
def test_foreign_groups_are_left_alone(tmp_path, content):
    (tmp_path / "zarr.json").write_text(content)
    with pytest.raises(DataFileError, match="Name another folder"):
        open_folder(tmp_path, KEY)
    assert (tmp_path / "zarr.json").read_text() == content


def test_foreign_folders_and_files_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DataFileError, match=r"thesis\.tex"):
        open_folder(tmp_path, KEY)
    assert os.listdir(tmp_path) == ["thesis.tex"]
    with pytest.raises(DataFileError):
        open_folder(tmp_path / "thesis.tex", KEY)


def test_a_missing_library_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r'pip install "hermite-dual\[distributed\]"'):
        libraries.library("zarr")


@pytest.mark.slow
def test_nothing_of_the_extra_is_loaded_before_it_is_needed():
    program = (
        "import sys, hermite_dual, hermite_dual.sweeps.sweep, hermite_dual.outofcore.cluster\n"
        "print(sorted({'dask', 'distributed', 'zarr', 'numcodecs', 'google_crc32c'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "[]"

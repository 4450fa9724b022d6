"""Samples come back as written; every broken file has its own message."""

import os
import struct

import numpy as np
import pytest

from hermite_dual.data import check_samples, read_samples
from hermite_dual.errors import DataFileError, InvalidInputError

X = np.array([[1.0, 2.5, -3.0], [0.1, 1e-300, 7.0]])


def write(path, array):
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, X=array)
    else:
        np.savetxt(path, array, delimiter=",", fmt="%.17g")
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".NPY"])
def test_round_trip_is_exact(tmp_path, suffix):
    path = write(tmp_path / f"data{suffix.lower()}", X)
    path = path.rename(tmp_path / f"data{suffix}")
    np.testing.assert_array_equal(read_samples(path), X)


def test_csv_header_and_blank_lines_are_tolerated(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a, b\n\n1, 2\n3, 4\n\n", encoding="utf-8")
    assert read_samples(path).tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_npz_with_several_arrays_takes_the_one_named_x(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, X=X, y=np.zeros(2))
    np.testing.assert_array_equal(read_samples(path), X)
    np.savez(path, a=X, y=np.zeros(2))
    with pytest.raises(DataFileError, match=r"holds the arrays \['a', 'y'\]; allowed is one array, or one named 'X'"):
        read_samples(path)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv"])
def test_missing_file(tmp_path, suffix):
    with pytest.raises(DataFileError, match=r"cannot be read: No such file or directory\. Check the path"):
        read_samples(tmp_path / f"none{suffix}")


def test_a_folder_is_not_a_file(tmp_path):
    folder = tmp_path / "data.npy"
    folder.mkdir()
    with pytest.raises(DataFileError, match="cannot be read: Is a directory"):
        read_samples(folder)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv"])
def test_empty_file(tmp_path, suffix):
    path = tmp_path / f"data{suffix}"
    path.touch()
    with pytest.raises(DataFileError, match="is empty; it must hold at least one sample"):
        read_samples(path)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_content_that_is_no_array(tmp_path, suffix):
    path = tmp_path / f"data{suffix}"
    path.write_bytes(b"PK\x03\x04 this is no archive" if suffix == ".npz" else b"hello")
    with pytest.raises(DataFileError, match=rf"is not a {suffix} file of plain numbers"):
        read_samples(path)


def test_pickles_are_not_loaded(tmp_path):
    path = tmp_path / "data.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataFileError, match=r"is not a \.npy file of plain numbers"):
        read_samples(path)


def test_truncated_array(tmp_path):
    path = write(tmp_path / "data.npy", np.ones((50, 50)))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataFileError, match=r"is not a \.npy file of plain numbers"):
        read_samples(path)


def test_unknown_extension(tmp_path):
    with pytest.raises(DataFileError, match=r"has the extension '.txt'; allowed are .npy, .npz, .csv"):
        read_samples(tmp_path / "data.txt")


def test_csv_with_words_or_ragged_lines(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("1,2\n3,x\n", encoding="utf-8")
    with pytest.raises(DataFileError, match=r"line 2, column 2: 'x' is no number"):
        read_samples(path)
    path.write_text("1,2\n3\n", encoding="utf-8")
    with pytest.raises(DataFileError, match=r"line 2: expected 2 numbers"):
        read_samples(path)
    path.write_text("only,a,header\n", encoding="utf-8")
    with pytest.raises(DataFileError, match="holds no row of numbers"):
        read_samples(path)
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataFileError, match=r"is not a \.csv file"):
        read_samples(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,x\n3,4\n5,6\n", r"line 1, column 2: 'x' is no number"),
        ("a,b\n1,2\n3,n/a\n", r"line 3, column 2 \(b\): 'n/a' is no number"),
        ("a,b\n1,\n", r"line 2, column 2 \(b\): an empty cell is no number"),
        ("1,1_000\n", "'1_000' is no number"),
        (",a,b\n0,1,2\n1,3,4\n", r"index=False"),
        (",0,1\n0,1,2\n1,3,4\n", r"index=False"),
        ("a;b\n1;2\n", "has semicolons between its fields;"),
        ("a;b\n1,5;2,25\n", "has semicolons between its fields and decimal commas"),
        ("1\t2\n3\t4\n", "has tabs between its fields"),
        ("a,b,c\n1,2\n3,4\n", "line 2: expected 3 numbers separated by commas, got 2"),
    ],
)
def test_what_is_wrong_in_a_csv_file_is_quoted(tmp_path, text, message):
    path = tmp_path / "data.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError, match=message):
        read_samples(path)


def test_special_and_lying_files_are_refused_soon(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.npy").symlink_to("/dev/zero")
    for name in ("pipe.csv", "zero.npy"):
        with pytest.raises(DataFileError, match="no regular file"):
            read_samples(tmp_path / name)
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3), }"
    lying = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.ljust(117).encode() + b"\n" + bytes(64)
    (tmp_path / "lying.npy").write_bytes(lying)
    with pytest.raises(DataFileError, match=r"is not a \.npy file"):
        read_samples(tmp_path / "lying.npy")
    np.savez(tmp_path / "locked.npz", X=np.eye(2))
    content = bytearray((tmp_path / "locked.npz").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # encrypted, says the directory
    (tmp_path / "locked.npz").write_bytes(bytes(content))
    with pytest.raises(DataFileError, match="encrypted"):
        read_samples(tmp_path / "locked.npz")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[1.0, np.nan]]), r"1 values that are not finite, the first \(nan\) in row 0, column 1"),
        (np.array([[np.inf], [1.0]]), r"the first \(inf\) in row 0, column 0"),
        (np.array([[1.0 + 2.0j]]), "holds complex numbers"),
        (np.array([["a"]]), r"holds strings \(<U1\); allowed are real numbers"),
        (np.ones(3), r"has the shape \(3,\); allowed is \(n, d\)"),
        (np.ones((0, 3)), r"has the shape \(0, 3\)"),
        (np.ones((3, 0)), r"has the shape \(3, 0\)"),
        (np.ones((2, 2, 2)), r"has the shape \(2, 2, 2\)"),
    ],
)
def test_arrays_that_are_no_samples(array, message):
    with pytest.raises(InvalidInputError, match=message):
        check_samples(array, "X")


def test_whole_numbers_and_booleans_become_float64():
    assert check_samples(np.array([[1, 2]], dtype=np.uint8), "X").dtype == np.float64
    assert check_samples(np.array([[True]]), "X").tolist() == [[1.0]]

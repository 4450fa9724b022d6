"""A file is complete or absent; numbers survive JSON."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from hermite_dual.data.atomic import atomic_path
from hermite_dual.data.json_files import write_json
from hermite_dual.errors import DataFileError


def test_numbers_survive(tmp_path):
    content = {
        "float": 0.1,
        "array": np.array([[1.5, 2.5]]),
        "scalar": np.float64(1 / 3),
        "int": np.int64(3),
        "bool": np.True_,
        "nan": float("nan"),
        "tuple": (1, np.inf),
        "none": None,
    }
    write_json(tmp_path / "new" / "a.json", content)
    assert json.loads((tmp_path / "new" / "a.json").read_text()) == {
        "float": 0.1,
        "array": [[1.5, 2.5]],
        "scalar": 1 / 3,
        "int": 3,
        "bool": True,
        "nan": None,
        "tuple": [1, None],
        "none": None,
    }


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.json"
    write_json(target, 1)

    def interrupted():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "1\n"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DataFileError, match=r"a\.json' cannot be written: No space left on device\. Check free space"):
        write_json(tmp_path / "a.json", 1)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataFileError, match=r"cannot be written: (Not a directory|File exists)"):
        write_json(tmp_path / "file" / "a.json", 1)

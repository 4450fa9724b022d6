"""Files that are complete or absent, whatever interrupts their writing."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hermite_dual.errors import DataFileError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path in the same folder that becomes `path` when the block ends without an error.

    A reader sees the whole file or the file that was there before, also when the disk is full or the run is
    interrupted. Missing folders are made. Through a symbolic link its target is written; a file that is replaced
    hands its permissions on; devices, pipes and folders are not replaced.

    Args:
        path: the file to be written.

    Yields:
        The path to write to, with the same extension.

    Raises:
        DataFileError: The folder cannot be made or the file cannot be written, or something else is in its place.
    """
    target = Path(os.path.realpath(path))
    temporary: Path | None = None
    try:
        mode = regular_mode(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.stem}-{secrets.token_hex(6)}{target.suffix}")
        yield temporary
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except DataFileError:
        raise
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def regular_mode(path: Path) -> int | None:
    """Return the permissions of a regular file, None where there is nothing.

    Raises:
        DataFileError: There is something else.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unwritable(path, error) from error
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
        raise DataFileError(f"file {str(path)!r} cannot be written: it is {what}. Name a file.")
    return stat.S_IMODE(mode)


def _unwritable(path: Path, error: OSError) -> DataFileError:
    return DataFileError(
        f"file {str(path)!r} cannot be written: {error.strerror or error}. "
        "Check free space and permissions, or name another folder."
    )


def check_writable(path: str | os.PathLike[str]) -> None:
    """Make sure, before a long run, that a file can be written; what is there stays.

    Raises:
        DataFileError: Something else is in its place, or the folder cannot be made or written.
    """
    target = Path(os.path.realpath(path))
    regular_mode(target)
    probe = target.with_name(f".{target.name}-{secrets.token_hex(6)}")
    with atomic_path(probe) as temporary:
        temporary.touch()
    probe.unlink(missing_ok=True)

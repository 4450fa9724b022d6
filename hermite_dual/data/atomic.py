"""Files that are complete or absent, whatever interrupts their writing."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hermite_dual.errors import DataFileError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path in the same folder that becomes `path` when the block ends without an error.

    A reader sees the whole file or the file that was there before, also when the disk is full or the run is
    interrupted. Missing folders are made.

    Args:
        path: The file to be written.

    Yields:
        The path to write to, with the same extension.

    Raises:
        DataFileError: The folder cannot be made or the file cannot be written.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.stem}-{secrets.token_hex(6)}{target.suffix}")
        yield temporary
        temporary.replace(target)
    except DataFileError:
        raise
    except OSError as error:
        raise DataFileError(
            f"file {str(target)!r} cannot be written: {error.strerror or error}. "
            "Check free space and permissions, or name another folder."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)

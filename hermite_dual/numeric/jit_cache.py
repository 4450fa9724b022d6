"""Numba's cache of compiled functions, for which a damaged or unwritable file is a missing one."""

import hashlib
import pickle
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

_DIGEST = hashlib.sha256().digest_size


class _CheckedFiles(IndexDataCacheFile):
    """Files of compiled code below their SHA-256: a changed byte of machine code would compute something else."""

    def _load_index(self) -> dict[Any, str]:
        try:
            return dict(super()._load_index())
        except Exception:  # whatever unpickling makes of damage
            return {}

    def _load_data(self, name: str) -> Any:
        content = Path(self._data_path(name)).read_bytes()
        if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
            raise OSError(f"{name} is damaged")  # which numba takes for a missing file
        return pickle.loads(content[_DIGEST:])

    def _save_data(self, name: str, data: Any) -> None:
        content = self._dump(data)
        with self._open_for_write(self._data_path(name)) as stream:
            stream.write(hashlib.sha256(content).digest() + content)


class CheckedCache(FunctionCache):
    """The cache of one function.

    Raises:
        RuntimeError: there is no folder to write to.
    """

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file: Any = _CheckedFiles(self._cache_path, self._impl.filename_base, stamp)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save compiled code where that is possible: a full disk costs the next process its time, and nothing else."""
        try:
            super().save_overload(sig, data)
        except OSError:
            self.disable()

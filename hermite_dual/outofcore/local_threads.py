"""Tasks on threads of this process."""

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from hermite_dual.errors import InvalidInputError
from hermite_dual.outofcore.tasks import Task


class LocalThreads:
    """A few threads; while one computes (see `compute_lock`), the others read and write.

    Args:
        count: number of threads, and of tasks that hold their blocks in memory at the same time.

    Raises:
        InvalidInputError: The number is not positive.
    """

    def __init__(self, count: int = 2) -> None:
        if count < 1:
            raise InvalidInputError(f"count={count}: allowed are positive numbers of threads")
        self.count = count

    def session(self) -> "_Threads":
        """Begin a run."""
        return _Threads(self.count)

    def share(self, value: Any) -> Any:
        """Give the value itself: threads see it."""
        return value


class _Threads:
    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="hermite-dual")
        self._keys: dict[Future[Any], Any] = {}

    def capacity(self) -> int:
        return self._count

    def submit(self, key: Any, task: Task) -> None:
        self._keys[self._pool.submit(task.function, *task.arguments)] = key

    def wait(self) -> list[tuple[Any, Any]]:
        finished = wait(self._keys, return_when=FIRST_COMPLETED).done
        return [(self._keys.pop(future), future.result()) for future in finished]

    def stop(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

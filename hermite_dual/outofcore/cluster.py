"""Tasks on a dask cluster, which may lose workers at any time, and its scheduler.

A task whose worker dies is run again: by dask a few times, then by us. Everything is asked with a time limit, so that a
scheduler that is gone ends the run with an error and never leaves it waiting.
"""

import asyncio
import queue
import secrets
import time
from typing import Any

from hermite_dual.errors import ClusterError, InvalidInputError
from hermite_dual.outofcore.libraries import library
from hermite_dual.outofcore.tasks import Task

# Tasks submitted for every thread of the workers: a worker that finishes one has the next at hand.
_TASKS_PER_THREAD = 3
# Seconds without a finished task after which the scheduler is asked for its workers, and for its answer.
_LOOK_AFTER = 2.0
_ANSWER_WITHIN = 30.0
# In worker processes: runs whose tasks are not to start any more.
_stopped_runs: set[str] = set()


class Cluster:
    """The workers of a `dask.distributed.Client`.

    Args:
        client: the client, not an asynchronous one.
        patience: seconds without any worker after which a run is given up.
        restarts: how often a task is submitted again after dask gave it up, because its worker died each time.

    Raises:
        ImportError: distributed is not installed.
        InvalidInputError: It is not such a client.
    """

    def __init__(self, client: Any, *, patience: float = 300.0, restarts: int = 20) -> None:
        if not isinstance(client, library("distributed").Client) or client.asynchronous:
            raise InvalidInputError(f"client={client!r}: a dask.distributed.Client is needed, not an asynchronous one")
        self._client = client
        self._patience = patience
        self._restarts = restarts

    def session(self) -> "_Run":
        """Begin a run."""
        return _Run(self._client, self._patience, self._restarts)

    def share(self, value: Any) -> Any:
        """Send a value to the cluster once, for any number of tasks.

        It is a task of its own, which dask runs again when the workers that held its result have died. What is larger
        than some megabytes belongs in a file.

        Args:
            value: anything that can be pickled.

        Returns:
            A handle; the value is kept as long as the handle.
        """
        return _Shared(self._client, value, self._restarts)


class _Shared:
    """A value that workers hold as the result of a task.

    Where dask gives that task up, because too many workers died that were at it, all that need it fail with it; it is
    then submitted anew.
    """

    def __init__(self, client: Any, value: Any, restarts: int) -> None:
        self._client, self._value, self._left = client, value, restarts
        self.future = self._submit()

    def renew(self) -> bool:
        """Submit the value again if dask has given it up; return whether that was so."""
        if self.future.status != "error" or self._left == 0:
            return False
        self._left -= 1
        self.future = self._submit()
        return True

    def _submit(self) -> Any:
        key = f"hermite-dual-shared-{secrets.token_hex(8)}"
        try:
            return self._client.submit(_itself, self._value, key=key, pure=False)
        except Exception as error:
            if self._client.status == "running":  # a value that cannot be pickled
                raise
            raise _lost(error) from error


class _Run:
    def __init__(self, client: Any, patience: float, restarts: int) -> None:
        self._client, self._patience, self._restarts = client, patience, restarts
        self._name = f"hermite-dual-{secrets.token_hex(8)}"
        self._submitted = 0
        self._running: dict[Any, tuple[Any, Task]] = {}
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._killed: dict[Any, int] = {}
        self._answering = True
        self._threads, self._looked = 0, 0.0
        self._seen_workers = time.monotonic()
        self._look()

    def capacity(self) -> int:
        # Workers come and go; one task at least waits for the first of them.
        return max(1, _TASKS_PER_THREAD * self._threads)

    def submit(self, key: Any, task: Task) -> None:
        self._submitted += 1
        try:
            future = self._client.submit(
                _execute,
                self._name,
                task.function,
                *(value.future if isinstance(value, _Shared) else value for value in task.arguments),
                key=f"{self._name}-{self._submitted}",
                priority=task.priority,
                pure=False,
            )
        except Exception as error:
            if self._client.status == "running":  # arguments that cannot be pickled
                raise
            raise self._give_up(error) from error
        self._running[future] = (key, task)
        future.add_done_callback(self._finished.put)

    def wait(self) -> list[tuple[Any, Any]]:
        results: list[tuple[Any, Any]] = []
        while not results:
            results = self._outcomes(self._take())
        return results

    def stop(self) -> None:
        if self._running and self._answering:
            try:
                # A task that runs cannot be called off: those that wait are told not to begin, the others awaited.
                self._ask(self._client.run(_stop, self._name, on_error="ignore", asynchronous=True))
                while not all(future.done() for future in self._running):
                    self._take()
            except _lost_errors():
                pass  # whatever ended the run is on its way to the caller already
        self._running.clear()

    def _take(self) -> list[Any]:
        """Give the futures that have ended since, at least one."""
        ended: list[Any] = []
        while not ended:
            if time.monotonic() - self._looked > _LOOK_AFTER:
                self._look()
            try:
                ended.append(self._finished.get(timeout=_LOOK_AFTER))
                while True:
                    ended.append(self._finished.get_nowait())
            except queue.Empty:
                continue
        return ended

    def _look(self) -> None:
        """Ask the scheduler for its workers."""
        if self._client.status != "running":
            raise self._give_up(None)
        try:
            threads = self._client.sync(self._client.scheduler.ncores, callback_timeout=_ANSWER_WITHIN)
        except _lost_errors() as error:
            raise self._give_up(error) from error
        self._threads, self._looked = sum(threads.values()), time.monotonic()
        if self._threads:
            self._seen_workers = self._looked
        elif self._looked - self._seen_workers > self._patience:
            self._answering = False
            raise ClusterError(
                f"the cluster has had no worker for {self._patience:.0f} seconds. What was finished is kept: start "
                "workers and repeat the same call, and it goes on from there."
            )

    def _outcomes(self, futures: list[Any]) -> list[tuple[Any, Any]]:
        """Give the results of tasks that have ended; those given up because their workers died are submitted again.

        Raises:
            Exception: What a task raised.
        """
        try:
            # One request for all of them; where one has failed, they are asked for one by one.
            values = self._ask(self._client.gather(futures, asynchronous=True))
            return [(self._running.pop(future)[0], value) for future, value in zip(futures, values, strict=True)]
        except ClusterError:
            raise
        except Exception:
            return [pair for future in futures for pair in self._outcome(future)]

    def _outcome(self, future: Any) -> list[tuple[Any, Any]]:
        key, task = self._running.pop(future)
        distributed = library("distributed")
        try:
            error = self._ask(future.exception(asynchronous=True))
            if error is None:
                return [(key, self._ask(self._client.gather(future, asynchronous=True)))]
        except ClusterError:
            raise
        except Exception as failure:
            if future.status != "error":
                raise self._give_up(failure) from failure
            error = failure  # its result was lost with its worker, and it failed when dask ran it again
        if isinstance(error, distributed.KilledWorker):
            self._again(key, task, error)
            return []
        if isinstance(error, distributed.CancelledError):
            raise self._give_up(error) from error
        raise error

    def _ask(self, question: Any) -> Any:
        """Run a coroutine of dask's as long as the scheduler answers and there are workers."""
        answer = asyncio.run_coroutine_threadsafe(question, self._client.loop.asyncio_loop)
        try:
            while True:
                try:
                    return answer.result(timeout=_LOOK_AFTER)
                except TimeoutError:
                    if answer.done():
                        raise
                    self._look()
        finally:
            answer.cancel()

    def _again(self, key: Any, task: Task, error: BaseException) -> None:
        renewed = [value.renew() for value in task.arguments if isinstance(value, _Shared)]
        self._killed[key] = self._killed.get(key, 0) + (not any(renewed))
        if self._killed[key] > self._restarts:
            raise ClusterError(
                f"task {key!r} was given up: its workers died {self._restarts + 1} times over. Their logs say why, "
                "often their memory limit: give them more, or make blocks smaller. What was finished is kept: repeat "
                "the same call, and it goes on from there."
            ) from error
        self.submit(key, task)

    def _give_up(self, error: BaseException | None) -> ClusterError:
        self._answering = False
        return _lost(error)


def _lost(error: BaseException | None) -> ClusterError:
    said = f" ({type(error).__name__}: {error})" if error is not None else ""
    return ClusterError(
        f"the connection to the dask scheduler was lost{said}. What was finished is kept: start the cluster again and "
        "repeat the same call with a new client, and it goes on from there."
    )


def _lost_errors() -> tuple[type[BaseException], ...]:
    """Give what dask raises when the scheduler is gone or does not answer."""
    distributed = library("distributed")
    return (OSError, TimeoutError, distributed.TimeoutError, distributed.CancelledError, RuntimeError, AttributeError)


def _execute(run: str, function: Any, *arguments: Any) -> Any:
    return None if run in _stopped_runs else function(*arguments)


def _stop(run: str) -> None:
    _stopped_runs.add(run)


def _itself(value: Any) -> Any:
    return value

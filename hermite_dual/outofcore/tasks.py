"""Tasks that depend on each other, run on threads of this process or on a dask cluster.

Tasks hand nothing to each other: what they compute they write to disk, and what they return is small and goes to the
caller. So a task that is run twice does no harm, and a run that ends early is taken up by the next one.
"""

import heapq
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol, TypeVar

from hermite_dual.errors import InvalidInputError
from hermite_dual.progress import Progress

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Task:
    """A call, and what must be done before it.

    Attributes:
        function: a function of a module, so that it can be sent to other processes; its result is small.
        arguments: its arguments, small too; what is large goes through files or `Runner.share`.
        after: keys of the tasks that must be done before.
        priority: of the tasks that are ready, those of the largest number are started first; equal ones in order.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    after: tuple[Hashable, ...] = ()
    priority: float = 0.0


class Count:
    """Tells how many tasks of a kind are done.

    Args:
        progress: whom to tell.
        what: what the tasks do.
        total: how many there are.
    """

    def __init__(self, progress: Progress, what: str, total: int) -> None:
        self._progress, self._what, self._total = progress, what, total
        self._done = 0

    def one_more(self) -> None:
        """Count a task that has finished."""
        self._done += 1
        self._progress(self._what, self._done, self._total)


class Session(Protocol):
    """Where the tasks of one call of `run_tasks` run."""

    def capacity(self) -> int:
        """Give the number of tasks that may be submitted and not finished at any time."""

    def submit(self, key: Any, task: Task) -> None:
        """Start a task, or queue it."""

    def wait(self) -> list[tuple[Any, Any]]:
        """Wait for at least one task to finish.

        Returns:
            Keys and results of those that have finished since.

        Raises:
            Exception: What a task raised.
        """

    def stop(self) -> None:
        """Start nothing more, and return when nothing runs any more."""


class Runner(Protocol):
    """Where tasks run: `LocalThreads` or `Cluster`."""

    def session(self) -> Session:
        """Begin a run."""

    def share(self, value: Any) -> Any:
        """Give a handle that tasks take among their arguments and see as the value."""


def run_tasks(
    tasks: Mapping[Key, Task], runner: Runner, on_done: Callable[[Key, Any], None] = lambda key, result: None
) -> None:
    """Run tasks, each after those that it names.

    Args:
        tasks: keys and tasks. What a task comes after must be among them.
        runner: where they run.
        on_done: called in this thread with the key and the result of each task when it has finished.

    Raises:
        InvalidInputError: A task comes after one that is not there, or tasks wait for each other in a circle.
        ClusterError: The cluster stopped answering.
        Exception: What a task or `on_done` raised. Whatever ends the call, no task runs any more when it returns; only
            on a cluster that stopped answering nobody knows.
    """
    graph = _graph(tasks)
    order = {key: number for number, key in enumerate(tasks)}
    ready: list[tuple[float, int, Key]] = []
    session = runner.session()
    running = 0
    try:
        while graph.is_active():
            for key in graph.get_ready():
                heapq.heappush(ready, (-tasks[key].priority, order[key], key))
            while ready and running < session.capacity():
                key = heapq.heappop(ready)[2]
                session.submit(key, tasks[key])
                running += 1
            for key, result in session.wait():
                running -= 1
                on_done(key, result)
                graph.done(key)
    finally:
        session.stop()


def _graph(tasks: Mapping[Key, Task]) -> "TopologicalSorter[Key]":
    for key, task in tasks.items():
        for other in task.after:
            if other not in tasks:
                raise InvalidInputError(f"task {key!r} comes after {other!r}, which is not among the tasks")
    graph: TopologicalSorter[Any] = TopologicalSorter({key: task.after for key, task in tasks.items()})
    try:
        graph.prepare()
    except CycleError as error:
        raise InvalidInputError(f"tasks wait for each other in a circle, among them {error.args[1][0]!r}") from None
    return graph

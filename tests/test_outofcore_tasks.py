"""Tasks that depend on each other, on threads and on a dask cluster that loses workers and its scheduler."""

import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermite_dual.errors import ClusterError, DataFileError, InvalidInputError
from hermite_dual.outofcore.cluster import Cluster
from hermite_dual.outofcore.compute_lock import compute_lock
from hermite_dual.outofcore.local_threads import LocalThreads
from hermite_dual.outofcore.tasks import Task, run_tasks

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")


def double(value):
    return 2 * value


def nap(seconds, value):
    time.sleep(seconds)
    return value


def fail(kind, text):
    raise kind(text)


def leave_a_mark(folder, number, seconds):
    Path(folder, f"begun-{number}").touch()
    time.sleep(seconds)
    Path(folder, f"ended-{number}").touch()
    return number


def die_once(folder, number):
    """End the process the first time that the task runs anywhere."""
    try:
        Path(folder, f"died-{number}").touch(exist_ok=False)
    except FileExistsError:
        return number
    return os.kill(os.getpid(), signal.SIGKILL)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def client():
    # By default a LocalCluster forgets a worker that takes 15 seconds to start again, on a busy machine.
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "120s"}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as found,
    ):
        yield found


def _collect(tasks, runner):
    results = {}
    run_tasks(tasks, runner, results.__setitem__)
    return results


def _order(tasks, runner):
    order = []
    run_tasks(tasks, runner, lambda key, result: order.append(key))
    return order


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=4), max_size=40), st.integers(1, 4))
def test_every_task_runs_once_and_after_those_it_names(edges, count):
    begun = []
    tasks = {i: Task(begun.append, (i,), after=tuple(j for j in before if j < i)) for i, before in enumerate(edges)}
    finished = _order(tasks, LocalThreads(count))
    assert sorted(finished) == sorted(begun) == list(tasks)
    for key, task in tasks.items():
        assert all(finished.index(other) < finished.index(key) for other in task.after)
        assert all(begun.index(other) < begun.index(key) for other in task.after)


@pytest.mark.slow
def test_large_graphs_are_not_submitted_at_once():
    class Counting(LocalThreads):
        def session(self):
            session = super().session()
            submit = session.submit

            def counted(key, task):
                submit(key, task)
                largest[0] = max(largest[0], len(session._keys))

            session.submit = counted
            return session

    largest = [0]
    tasks = {i: Task(double, (i,), after=(i - 100,) if i >= 100 else ()) for i in range(30_000)}
    assert _collect(tasks, Counting(2)) == {i: 2 * i for i in range(30_000)}
    assert largest[0] == 2


def test_priorities_come_first_and_then_the_order():
    tasks = {i: Task(double, (i,), priority=float(i == 3)) for i in range(5)}
    assert _order(tasks, LocalThreads(1)) == [3, 0, 1, 2, 4]


def test_circles_and_unknown_tasks_are_named():
    with pytest.raises(InvalidInputError, match="'b' comes after 'x'"):
        run_tasks({"a": Task(double, (1,)), "b": Task(double, (1,), after=("x",))}, LocalThreads(1))
    with pytest.raises(InvalidInputError, match="in a circle"):
        run_tasks({"a": Task(double, (1,), after=("b",)), "b": Task(double, (1,), after=("a",))}, LocalThreads(1))
    with pytest.raises(InvalidInputError, match="count=0"):
        LocalThreads(0)
    with pytest.raises(InvalidInputError, match="client='tcp"):
        Cluster("tcp://127.0.0.1:8786")


def test_the_lock_lets_one_thread_compute(monkeypatch):
    inside, seen = [0], []

    def compute(number):
        with compute_lock():
            inside[0] += 1
            seen.append(inside[0])
            time.sleep(0.002)
            inside[0] -= 1

    _collect({i: Task(compute, (i,)) for i in range(20)}, LocalThreads(4))
    assert seen == [1] * 20


def test_a_failed_task_ends_a_local_run_when_nothing_runs_any_more(tmp_path):
    tasks = {"bad": Task(fail, (ValueError, "no such number"), priority=1.0)}
    tasks |= {i: Task(leave_a_mark, (tmp_path, i, 0.05)) for i in range(10)}
    with pytest.raises(ValueError, match="no such number"):
        run_tasks(tasks, LocalThreads(2))
    _check_quiet(tmp_path, most=4)


def _check_quiet(folder, most):
    """Check that what began has ended, that most tasks never began, and that it stays so."""
    before = sorted(os.listdir(folder))
    begun = [name for name in before if name.startswith("begun")]
    assert len(begun) <= most
    assert len(before) == 2 * len(begun)
    time.sleep(0.3)
    assert sorted(os.listdir(folder)) == before


def test_an_interrupt_ends_a_local_run_when_nothing_runs_any_more(tmp_path):
    def interrupt(key, result):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tasks({i: Task(leave_a_mark, (tmp_path, i, 0.02)) for i in range(20)}, LocalThreads(2), interrupt)
    _check_quiet(tmp_path, most=4)


@pytest.mark.slow
def test_a_cluster_gives_the_same_results(client):
    tasks = {i: Task(double, (i,), after=(i - 3,) if i >= 3 else ()) for i in range(30)}
    assert _collect(tasks, Cluster(client)) == _collect(tasks, LocalThreads(2))


def test_a_failed_task_ends_a_run_on_a_cluster_when_nothing_runs_any_more(client, tmp_path):
    tasks = {"bad": Task(fail, (DataFileError, "disk full"), priority=1.0)}
    tasks |= {i: Task(leave_a_mark, (str(tmp_path), i, 0.3)) for i in range(12)}
    with pytest.raises(DataFileError, match="disk full"):
        run_tasks(tasks, Cluster(client))
    _check_quiet(tmp_path, most=5)
    # What was stopped is that run alone.
    assert _collect({0: Task(double, (4,))}, Cluster(client)) == {0: 8}


def test_tasks_that_end_together_with_a_failed_one_are_not_waited_for(client):
    tasks = {"first": Task(double, (1,))}
    tasks |= {i: Task(double, (i,)) if i % 2 else Task(fail, (ValueError, "even")) for i in range(5)}
    with pytest.raises(ValueError, match="even"):
        run_tasks(tasks, Cluster(client), lambda key, result: time.sleep(0.5))


def test_an_interrupt_ends_a_run_on_a_cluster_when_nothing_runs_any_more(client, tmp_path):
    def interrupt(key, result):
        raise KeyboardInterrupt

    tasks = {i: Task(leave_a_mark, (str(tmp_path), i, 0.2)) for i in range(12)}
    with pytest.raises(KeyboardInterrupt):
        run_tasks(tasks, Cluster(client), interrupt)
    _check_quiet(tmp_path, most=6)


@pytest.mark.slow
def test_tasks_and_shared_values_outlive_their_workers(client, tmp_path):
    runner = Cluster(client)
    folder = runner.share(str(tmp_path))
    tasks = {i: Task(die_once, (folder, i)) if i in {1, 5} else Task(nap, (0.02, i)) for i in range(12)}
    assert _collect(tasks, runner) == {i: i for i in range(12)}
    assert sorted(os.listdir(tmp_path)) == ["died-1", "died-5"]


@pytest.mark.slow
def test_a_task_that_kills_every_worker_is_given_up(client):
    # dask itself gives up after three more workers; no failure is allowed here, to spare restarts.
    client.sync(_allow_failures, client, 0)
    try:
        with pytest.raises(ClusterError, match=r"died 2 times over.*memory limit"):
            run_tasks({0: Task(die)}, Cluster(client, restarts=1))
    finally:
        client.sync(_allow_failures, client, 3)


async def _allow_failures(client, count):
    client.cluster.scheduler.allowed_failures = count


@pytest.mark.slow
def test_a_cluster_without_workers_is_given_up():
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(ClusterError, match="no worker"),
    ):
        run_tasks({0: Task(double, (1,))}, Cluster(client, patience=0.5))


@pytest.mark.slow
@pytest.mark.parametrize("blow", ["SIGKILL", "SIGSTOP"])
def test_a_lost_scheduler_ends_the_run(tmp_path, monkeypatch, blow):
    monkeypatch.setattr("hermite_dual.outofcore.cluster._ANSWER_WITHIN", 1.0)
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with subprocess.Popen(
        [*command, "--no-show", "--scheduler-file", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as scheduler:
        try:
            with distributed.Client(scheduler_file=str(file), timeout=60) as client:
                timer = threading.Timer(1.0, scheduler.send_signal, [getattr(signal, blow)])
                timer.start()
                with pytest.raises(ClusterError, match=r"What was finished is kept.*repeat the same call"):
                    run_tasks({0: Task(double, (1,))}, Cluster(client, patience=math.inf))
                timer.join()
                scheduler.kill()
        finally:
            scheduler.kill()


@pytest.mark.slow
def test_errors_of_clusters_can_be_sent():
    error = pickle.loads(pickle.dumps(ClusterError("gone")))
    assert isinstance(error, ConnectionError)
    assert str(error) == "gone"


class Deadly:
    """Ends the first processes that receive it."""

    def __init__(self, folder, times, own):
        self.folder, self.times, self.own = folder, times, own

    def __reduce__(self):
        return receive_deadly, (self.folder, self.times, self.own)


def receive_deadly(folder, times, own):
    if os.getpid() != own:
        for number in range(times):
            try:
                Path(folder, f"received-{number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            die()
    return Deadly(folder, times, own)


def folder_of(value, number):
    return value.folder, number


@pytest.mark.slow
def test_a_shared_value_outlives_more_workers_than_dask_allows(tmp_path, client):
    runner = Cluster(client)
    shared = runner.share(Deadly(str(tmp_path), 5, os.getpid()))
    results = _collect({number: Task(folder_of, (shared, number)) for number in range(6)}, runner)
    assert results == {number: (str(tmp_path), number) for number in range(6)}
    assert len(list(tmp_path.glob("received-*"))) == 5

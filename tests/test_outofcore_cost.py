"""What a Gram matrix on disk takes, against counting and against runs."""

import dataclasses
import heapq
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hermite_dual as hd
from hermite_dual.errors import InvalidInputError
from hermite_dual.outofcore.cost import GramCost, Workers, size_text, time_text
from hermite_dual.outofcore.memory import BASE, task_bytes
from hermite_dual.outofcore.rates import Rates, measure_rates

pytest.importorskip("zarr")
MODEL = hd.DEQ.paper("tanh", 0.08)
NOTHING = Rates(**{field.name: 0.0 for field in dataclasses.fields(Rates)} | {"block": 1, "cores": math.inf})


@given(st.integers(1, 400), st.integers(1, 60), st.integers(1, 20))
def test_blocks_entries_and_bytes_are_those_of_all_blocks(n, block, d):
    block = min(n, block)
    cost = GramCost(n, d, block, 8, Workers(1, 2, 1), None)
    heights = [min(block, n - start) for start in range(0, n, block)]
    pairs = [(i, j) for i in range(len(heights)) for j in range(i, len(heights))]
    assert cost.tasks == len(pairs)
    assert cost.entries == sum(heights[i] * heights[j] for i, j in pairs)
    assert cost.disk == len(pairs) * block**2 * 8
    assert cost.memory == BASE + 2 * task_bytes(block, d)
    assert cost.product_operations == 2 * d * (cost.entries + sum(heights[i] * heights[j] for i, j in pairs))
    assert cost.gram_seconds is None


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60))
def test_reading_of_a_factorization_is_that_of_its_tasks(n, block):
    block = min(n, block)
    rates = dataclasses.replace(NOTHING, raw_read=1.0)
    found = GramCost(n, 3, block, 8, Workers(1, 1, 1), rates)._factor_seconds(0.0, 8)
    count = -(-n // block)
    read = 0
    for i in range(count):
        for j in range(i + 1):
            read += sum(1 if i == j else 2 for _ in range(j)) + (i != j)
    assert found == pytest.approx(read * 8 * block**2)


@given(st.integers(1, 200), st.integers(1, 4), st.floats(0.01, 10), st.floats(0.01, 10))
def test_the_time_of_tasks_is_that_of_threads_that_compute_in_turn(tasks, threads, compute, io):
    n = next(k for k in range(1, 30) if k * (k + 1) // 2 >= tasks)
    cost = GramCost(n, 1, 1, 8, Workers(1, threads, 1), NOTHING)
    free, lock = [0.0] * threads, 0.0
    for _ in range(cost.tasks):
        # the first free thread computes when it is its turn, and then writes
        lock = max(heapq.heappop(free), lock) + compute
        heapq.heappush(free, lock + io)
    simulated, predicted = max(free), cost._wall(cost.tasks * compute, cost.tasks * io)
    assert abs(simulated - predicted) <= compute + io + 1e-9


def test_processors_are_shared_by_computing_and_writing():
    rates = dataclasses.replace(NOTHING, cores=2.0, busy=2.0)
    cost = GramCost(1000, 1, 1, 8, Workers(1, 2, 1), rates)
    assert cost._wall(10.0, 4.0) == pytest.approx(12.0, rel=1e-3)
    apart = GramCost(1000, 1, 1, 8, Workers(2, 2, 2), rates)
    assert apart._wall(10.0, 4.0) == pytest.approx(6.0, rel=1e-3)


@pytest.mark.slow
def test_a_run_takes_no_more_disk_and_what_is_there_is_not_counted(tmp_path):
    X = np.random.default_rng(0).standard_normal((150, 10))
    cost = MODEL.gram_cost(X, block=64, folder=tmp_path, proof=False)
    G = MODEL.store_gram(X, out=tmp_path / "K.zarr", block=64)
    used = sum(file.stat().st_size for file in (tmp_path / "K.zarr" / "gram").rglob("c/*/*"))
    assert 0.5 * cost.disk < used <= cost.disk + 20 * cost.tasks
    assert len(list((G.path / "gram" / "c").glob("*/*"))) == cost.tasks
    assert cost.gram_seconds > dataclasses.replace(cost, existing=cost.tasks).gram_seconds > 0
    assert not list(tmp_path.glob(".measured*"))


def test_rates_are_seconds_of_every_part(tmp_path):
    rates = measure_rates(MODEL._model(np.zeros((0, 0)), None), (300, 20), folder=tmp_path / "missing" / "K.zarr")
    values = dataclasses.asdict(rates)
    assert all(math.isfinite(value) and value >= 0 for value in values.values())
    assert rates.block == 75
    assert 1 <= rates.busy <= rates.cores
    assert all(values[name] > 0 for name in ("product", "write", "read", "single", "double", "form", "disk"))
    assert not list(tmp_path.iterdir())
    again = MODEL.gram_cost((600, 20), rates=rates)
    assert again.rates is rates
    for name in ("gram_seconds", "bounds_seconds", "theory_seconds", "proof_seconds"):
        assert 0 < getattr(MODEL.gram_cost((300, 20), rates=rates), name) < getattr(again, name)


@pytest.mark.slow
def test_rows_of_different_norms_are_prepared_one_by_one():
    X = np.random.default_rng(0).standard_normal((12, 5))
    cost = MODEL.gram_cost(X)
    assert cost.rates.start == 0
    assert cost.bounds_seconds > 12 * cost.rates.norm > 0


@pytest.mark.slow
def test_what_is_not_measured_is_left_out():
    layers = measure_rates(MODEL._model(np.zeros((0, 0)), 2), (40, 5))
    assert math.isnan(layers.power)
    assert layers.bound >= 0
    entries = MODEL.gram_cost((40, 5), proof=False)
    assert entries.gram_seconds > 0
    assert entries.bounds_seconds is entries.theory_seconds is entries.proof_seconds is None
    assert "least eigenvalue" not in str(entries)
    assert "time:" not in str(MODEL.gram_cost((40, 5), rates=None))
    unprovable = hd.DEQ(np.tanh, sigma_w=0.3)
    assert unprovable.gram_cost((40, 5)).proof_seconds is None


def test_a_shape_is_positive():
    with pytest.raises(InvalidInputError, match=r"X = \(0, 5\) as a shape"):
        MODEL.gram_cost((0, 5))


def test_sizes_and_times_are_read_by_people():
    assert [size_text(s) for s in (12, 1234, 4e12, 250e9)] == ["12 bytes", "1.2 kB", "4 TB", "250 GB"]
    assert [time_text(s) for s in (0.123, 90, 119, 3000, 86400, 1e6)] == [
        "0.12 s",
        "90 s",
        "119 s",
        "50 min",
        "24 h",
        "12 days",
    ]

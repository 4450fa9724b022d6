"""Sweeps over activations, scales and seeds: their numbers, and what survives an interruption."""

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import hermite_dual as hd

pytest.importorskip("zarr")
X = hd.on_sphere(np.random.default_rng(0).standard_normal((8, 5)))
WIDTHS = (64, 128)


def shifted(values):
    return np.tanh(values + 0.5)


def _sweep(folder, activations=("tanh",), sigmas=(0.25,), seeds=(0,), widths=WIDTHS, **options):
    return hd.sweep(activations, sigmas, widths, seeds, X=X, out=folder, **{"replicas": 2, **options})


def _theory(folder, activations=("tanh", "relu"), sigmas=(0.2, 0.3), **options):
    return hd.sweep(activations, sigmas, (), X=X, out=folder, **options)


@pytest.mark.slow
def test_the_numbers_are_those_of_the_models(tmp_path):
    found = _sweep(tmp_path / "s.zarr", ("tanh", shifted), seeds=(0, 3))
    assert [(row["activation"], row["seed"]) for row in found] == [
        ("tanh", 0),
        ("tanh", 3),
        ("shifted", 0),
        ("shifted", 3),
    ]
    for row, (phi, seed) in zip(found, (("tanh", 0), ("tanh", 3), (shifted, 0), (shifted, 3)), strict=True):
        model = hd.DEQ(phi, 0.25)
        gram = model.gram(X)
        least = gram.least_eigenvalue()
        report = model.validate(X, WIDTHS, replicas=2, seed=seed)
        lambdas = {"lambda_estimate": least.estimate, "lambda_outcome": least.outcome.value}
        if math.isfinite(least.lower):
            lambdas |= {"lambda_lower": least.lower, "lambda_upper": least.upper}
        assert row.items() >= lambdas.items()
        assert row["variance_least"] == gram.variances.min()
        assert row["contraction"] == 0.25 * model.activation.lipschitz
        assert row["verdict"] == report.verdict.value
        assert row["slope"] == report.slope
        assert row["detectable"] == report.entries.detectable
        assert row["error_128"] == report.errors_by_width[1].mean
        assert row["direction_p"] == min(test.p_value for test in report.directions)
        assert [row[f"a_{r}"] for r in range(4)] == hd.dual(phi).coefficients(4).tolist()


def test_the_papers_scales_make_the_papers_models(tmp_path):
    row = _theory(tmp_path, ("tanh",), (0.08,), paper=True).rows[0]
    model = hd.DEQ.paper("tanh", 0.08)
    assert row["sigma_w"] == model.sigma_w
    assert row["lambda_lower"] == model.gram(X).least_eigenvalue().lower
    with pytest.raises(hd.InvalidInputError, match="paper=True"):
        _theory(tmp_path, paper=True, sigma_u=2.0)


@pytest.mark.slow
def test_finished_points_are_not_computed_again_wherever_they_stand(tmp_path):
    first = _theory(tmp_path)
    assert first.computed == 4
    assert _theory(tmp_path).computed == 0
    assert _theory(tmp_path).rows == first.rows
    larger = _theory(tmp_path, ("gelu", "relu", "tanh"), (0.3, 0.1, 0.2))
    assert larger.computed == 5
    assert [row for row in larger if row["activation"] == "tanh" and row["sigma"] == 0.2] == [first.rows[0]]
    assert _theory(tmp_path, ("tanh", "tanh"), (0.2,)).rows == (first.rows[0], first.rows[0])
    with_networks = _sweep(tmp_path / "networks", seeds=(0,))
    more = _sweep(tmp_path / "networks", seeds=(5, 0))
    assert (with_networks.computed, more.computed) == (2, 1)
    assert more.rows[1] == with_networks.rows[0]
    assert _sweep(tmp_path / "networks", widths=(32, 64)).computed == 1


def test_a_sweep_that_is_read_has_the_columns_of_one_that_is_computed(tmp_path):
    computed, read = _theory(tmp_path / "s"), _theory(tmp_path / "s")
    assert (read.computed, read.columns) == (0, computed.columns)


def test_python_functions_are_told_apart_by_their_values(tmp_path):
    def phi(values):
        return np.tanh(values)

    first = _theory(tmp_path, (phi,), (0.2,))

    def phi(values):
        return np.tanh(0.5 * values)

    second = _theory(tmp_path, (phi,), (0.2,))
    assert second.computed == 1
    assert first.rows[0]["a_1"] != second.rows[0]["a_1"]


def test_a_point_that_fails_is_recorded_and_does_not_end_the_sweep(tmp_path):
    found = _theory(tmp_path, ("tanh",), (5.0, 0.2))
    assert "sigma_w" in found.rows[0]["error"]
    assert found.rows[0]["lambda_lower"] is None
    assert found.rows[1]["error"] is None
    assert found.rows[1]["lambda_outcome"] == "PROVEN"
    assert _theory(tmp_path, ("tanh",), (5.0, 0.2)).computed == 0
    assert "1 without numbers" in str(found)


def test_another_folder_is_needed_for_other_samples_or_parameters(tmp_path):
    _theory(tmp_path)
    with pytest.raises(hd.InvalidInputError, match="samples digest"):
        hd.sweep(["tanh"], [0.2], (), X=X + 1.0, out=tmp_path)
    with pytest.raises(hd.InvalidInputError, match=r"sigma_b: 0.0 there, 0.5 here"):
        _theory(tmp_path, sigma_b=0.5)
    with pytest.raises(hd.InvalidInputError, match=r"coefficients: 4 there, 7 here"):
        _theory(tmp_path, coefficients=7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activations": "tanh"}, "a list is needed"),
        ({"activations": []}, "no point"),
        ({"activations": ["no such thing"]}, "no such thing"),
        ({"sigmas": [-1.0]}, "sigma_w"),
        ({"seeds": []}, "seeds is empty"),
        ({"seeds": [-1]}, "seeds"),
        ({"widths": (64,)}, "widths"),
        ({"coefficients": 65}, "coefficients=65"),
        ({"client": "tcp://127.0.0.1:1"}, "client"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path, arguments, message):
    with pytest.raises(hd.InvalidInputError, match=message):
        _sweep(tmp_path / "s.zarr", **arguments)
    assert not (tmp_path / "s.zarr").exists()


@pytest.mark.slow
def test_damaged_records_and_samples_are_written_again(tmp_path):
    first = _theory(tmp_path)
    records = sorted(Path(tmp_path, "records").glob("*.record"))
    assert len(records) == 4
    whole = records[1].read_bytes()
    for position in range(0, len(whole), len(whole) // 12):
        records[1].write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        again = _theory(tmp_path)
        assert (again.rows, again.computed, len(again.notes)) == (first.rows, 1, 1)
        assert "damaged" in again.notes[0]
        assert records[1].read_bytes() == whole
    samples = Path(tmp_path, "samples", "c", "0", "0")
    samples.write_bytes(b"torn")
    assert _theory(tmp_path, ("tanh",), (0.15,)).rows[0]["error"] is None
    assert samples.read_bytes() != b"torn"


@pytest.mark.slow
def test_progress_counts_what_is_there_and_what_is_done(tmp_path):
    seen = []
    _theory(tmp_path, progress=lambda *news: seen.append(news))
    assert seen == [("points", done, 4) for done in range(5)]
    seen.clear()
    _theory(tmp_path, sigmas=(0.2, 0.25), progress=lambda *news: seen.append(news))
    assert seen == [("points", done, 4) for done in (2, 3, 4)]


def test_results_are_read_in_the_ways_people_read_them(tmp_path):
    found = _theory(tmp_path / "s", ("tanh",), (0.2, 5.0))
    assert len(found) == 2
    assert found.column("sigma") == [0.2, 5.0]
    with pytest.raises(hd.InvalidInputError, match="columns are"):
        found.column("nothing")
    head, *lines = found.to_csv(tmp_path / "a.csv").splitlines()
    assert head.split(",") == list(found.columns)
    assert float(lines[0].split(",")[found.columns.index("lambda_lower")]) == found.rows[0]["lambda_lower"]
    assert (tmp_path / "a.csv").read_text() == found.to_csv()
    assert json.loads(found.save(tmp_path / "a.json").read_text())["rows"] == list(found)
    assert found.save(tmp_path / "b.csv").read_text() == found.to_csv()
    with pytest.raises(hd.InvalidInputError, match=r"\.csv and \.json"):
        found.save(tmp_path / "a.parquet")
    assert "<table>" in found._repr_html_()
    assert "2 points, 1 without numbers" in str(found)
    assert f"{found.rows[0]['lambda_lower']:.6g}" in str(found)


@pytest.mark.slow
def test_a_sweep_that_was_killed_goes_on(tmp_path):
    program = textwrap.dedent(
        """
        import sys
        import numpy as np
        import hermite_dual as hd
        X = hd.on_sphere(np.random.default_rng(0).standard_normal((8, 5)))
        hd.sweep(["tanh", "relu"], [0.2, 0.25], (64, 128), (0, 1), X=X, out=sys.argv[1], replicas=2,
                 progress=lambda what, done, total: print(done, flush=True))
        """
    )
    folder = tmp_path / "s.zarr"
    with subprocess.Popen([sys.executable, "-c", program, folder], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        while int(driver.stdout.readline()) < 4:
            pass
        time.sleep(0.05)
        driver.send_signal(signal.SIGKILL)
        driver.wait(timeout=60)
    resumed = _sweep(folder, ("tanh", "relu"), (0.2, 0.25), (0, 1))
    assert 0 < resumed.computed <= 8
    whole = _sweep(tmp_path / "whole", ("tanh", "relu"), (0.2, 0.25), (0, 1))
    assert whole.computed == 12
    assert resumed.rows == whole.rows


@pytest.mark.slow
def test_a_cluster_finds_the_same_numbers_to_the_last_bit(tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        remote = _sweep(tmp_path / "a", ("tanh", "relu", shifted), (0.25, 5.0), client=client)
    local = _sweep(tmp_path / "b", ("tanh", "relu", shifted), (0.25, 5.0))
    assert remote.rows == local.rows
    assert remote.computed == local.computed == 12


def test_an_interrupted_sweep_keeps_what_was_finished(tmp_path):
    def interrupt(what, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _theory(tmp_path, progress=interrupt)
    assert _theory(tmp_path).computed <= 2
    assert not [name for _, _, names in os.walk(tmp_path) for name in names if name.startswith(".")]

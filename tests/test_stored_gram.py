"""Gram matrices in blocks on disk against those in memory, and what happens to them there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hermite_dual as hd
from hermite_dual.outofcore.stored_gram import StoredGram
from tests.tolerances import OTHER_PATH

pytest.importorskip("zarr")
pytest.importorskip("distributed")


def _samples(n=90, d=12, spread=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = hd.on_sphere(rng.standard_normal((n, d)))
    # few norms: proofs at many cost seconds, and are tested elsewhere
    return X * np.exp(spread * rng.integers(-1, 2, n))[:, None]


def _chunks(path):
    # not the temporary files of a run that goes on: they may be gone before they are read
    files = (file for file in sorted((Path(path) / "gram" / "c").rglob("*")) if file.name.isdigit())
    return {file: file.read_bytes() for file in files if file.is_file()}


@pytest.mark.slow
@given(
    n=st.integers(1, 40),
    block=st.integers(1, 50),
    name=st.sampled_from(["tanh", "relu", "gelu"]),
    spread=st.sampled_from([0.0, 0.1]),
    depth=st.sampled_from([None, None, 0, 1, 3]),
    dtype=st.sampled_from([np.float64, np.float32]),
    seed=st.integers(0, 9),
)
@settings(max_examples=12, deadline=None)
def test_blocks_of_any_size_give_the_matrix_in_memory(tmp_path_factory, n, block, name, spread, depth, dtype, seed):
    X, model = _samples(n, 5, spread, seed), hd.DEQ.paper(name, 0.05)
    G = model.store_gram(
        X, out=tmp_path_factory.mktemp("gram") / "K", block=max(block, n // 4 + 1), depth=depth, dtype=dtype
    )
    K = model.gram(X, depth=depth, dtype=dtype)
    found = G[:]
    assert isinstance(G, StoredGram)
    assert found.dtype == K.matrix.dtype
    assert np.array_equal(found, found.T)
    assert np.all(np.abs(found.astype(float) - K.matrix) <= G.entry_error + K.entry_error)
    assert G.entry_error <= 1.5 * K.entry_error + 1e-15 * found.max()
    assert np.array_equal(G.diagonal, np.diagonal(found))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "spread"), [("tanh", 0.0), ("relu", 0.2), ("gelu", 0.1)])
def test_the_proof_in_blocks_agrees_with_the_proof_in_memory(tmp_path, name, spread):
    X, model = _samples(100, 12, spread), hd.DEQ.paper(name, 0.05)
    G, K = model.store_gram(X, out=tmp_path / "K", block=27), model.gram(X)
    ours, theirs = G.least_eigenvalue(), K.least_eigenvalue()
    assert ours.outcome is hd.Outcome.PROVEN
    assert ours.lower <= theirs.upper
    assert theirs.lower <= ours.upper
    assert ours.upper - ours.lower < 1e-5 * ours.lower
    assert G.check_lower_bound(0.999 * ours.lower).outcome is hd.Outcome.PROVEN
    assert G.check_lower_bound(1.001 * ours.upper).outcome is hd.Outcome.REFUTED
    assert not (tmp_path / "K" / "factor").exists()
    bounds = {bound.name: bound.value for bound in K.lower_bounds(24)}
    for bound in G.lower_bounds(24):
        assert bound.value == pytest.approx(bounds[bound.name], rel=OTHER_PATH, abs=1e-300)
        assert bound.value <= ours.upper


@pytest.mark.parametrize("exchanged", [("0/1", "0/2"), ("0/0", "1/1")])
def test_exchanged_blocks_are_computed_again(tmp_path, exchanged):
    X, model = _samples(60), hd.DEQ.paper("tanh", 0.05)
    G = model.store_gram(X, out=tmp_path / "K", block=20)
    whole = G[:]
    one, other = (tmp_path / "K" / "gram" / "c" / place for place in exchanged)
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    with pytest.raises(hd.DataFileError, match=r"missing or damaged: repeat"):
        G.least_eigenvalue()
    again = model.store_gram(X, out=tmp_path / "K", block=20)
    assert again.computed == 2
    assert np.array_equal(again[:], whole)


@pytest.mark.parametrize("scaled", [False, True])
def test_samples_that_changed_since_are_named_at_the_proof(tmp_path, scaled):
    X, model = _samples(60), hd.DEQ.paper("tanh", 0.05)
    np.save(tmp_path / "X.npy", X)
    G = model.store_gram(X if scaled else tmp_path / "X.npy", out=tmp_path / "K", block=20)
    changed = X if scaled else X.copy()
    changed[45, 3] = np.nextafter(changed[45, 3], 9.0)
    np.save(tmp_path / "X.npy", changed)
    with pytest.raises(hd.DataFileError, match=r"rows 40 to 59 of X have changed"):
        G.check_lower_bound(1e-6)


def test_functions_of_one_name_are_told_apart_by_their_values(tmp_path):
    X = _samples(20)
    one, other = (hd.DEQ(lambda u, c=c: np.tanh(c * u), 0.2) for c in (1.0, 0.9))
    one.store_gram(X, out=tmp_path / "K")
    with pytest.raises(hd.InvalidInputError, match=r"values: .* there"):
        other.store_gram(X, out=tmp_path / "K")
    hd.DEQ("tanh", 0.2).store_gram(X, out=tmp_path / "L")
    with pytest.raises(hd.InvalidInputError, match=r"activation: 'tanh\(x\)' there, 'erf\(x\)' here"):
        hd.DEQ("erf", 0.2).store_gram(X, out=tmp_path / "L")


def _on_disk(folder, A, block):
    from hermite_dual.outofcore.block_array import BlockArray
    from hermite_dual.outofcore.local_threads import LocalThreads
    from hermite_dual.outofcore.stored_matrix import StoredMatrix

    gram = BlockArray.create_or_open(folder, "A", A.shape, (block, block), np.float64)
    for i in range(gram.grid[0]):
        for j in range(i, gram.grid[0]):
            gram.write((i, j), A[i * block : (i + 1) * block, j * block : (j + 1) * block].copy())
    return StoredMatrix(gram, A.diagonal(), LocalThreads(1), folder / "factor", 1e6, lambda *_: None)


def _lower(factor):
    L, block = np.zeros(factor.shape), factor.chunks[0]
    for i in range(factor.grid[0]):
        for j in range(i + 1):
            L[i * block : (i + 1) * block, j * block : (j + 1) * block] = factor.read((i, j))
    return L


def test_a_factor_of_other_values_is_not_taken_up(tmp_path):
    """A block that is computed again may differ in its last bits from the one that a factor was made of."""
    A = np.eye(30) + 0.1
    assert _on_disk(tmp_path, A, 10).factor(-0.1).success
    A[:10, :10] *= 1 + 1e-9
    L = _lower(_on_disk(tmp_path, A, 10).factor(-0.1).factor)
    assert np.abs(L @ L.T - A - 0.1 * np.eye(30)).max() < 1e-14


def test_layers_of_which_nothing_is_proven_leave_the_matrix_undecided(tmp_path, monkeypatch):
    from hermite_dual.outofcore import gram_tiles
    from hermite_dual.population.proof.entry_bounds import undecided

    monkeypatch.setattr(gram_tiles, "entry_bounds", lambda *_: undecided("no bound is known"))
    G = hd.DEQ.paper("tanh", 0.05).store_gram(_samples(20), out=tmp_path / "K", block=8, depth=2)
    found = G.least_eigenvalue()
    assert (found.outcome, found.reason) == (hd.Outcome.UNDECIDED, "no bound is known")
    assert G.entry_error == np.inf
    assert G.check_lower_bound(1e-3).outcome is hd.Outcome.UNDECIDED


def test_a_damaged_block_ends_a_proof_and_the_message_says_how_to_go_on(tmp_path):
    X, model = _samples(60), hd.DEQ.paper("tanh", 0.05)
    G = model.store_gram(X, out=tmp_path / "K", block=20)
    file = next(iter(_chunks(tmp_path / "K")))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(hd.DataFileError, match=r"repeat `store_gram`"):
        G.least_eigenvalue()
    assert model.store_gram(X, out=tmp_path / "K").least_eigenvalue().outcome is hd.Outcome.PROVEN


@pytest.mark.slow
def test_parallel_rows_get_a_bound_close_to_zero(tmp_path):
    X = _samples(60)
    G = hd.DEQ.paper("tanh", 0.05).store_gram(np.concatenate([X, X[:5]]), out=tmp_path / "K", block=20)
    found = G.least_eigenvalue()
    assert -1e-10 < found.lower <= 0.0
    assert found.upper < 1e-10


def test_a_finished_matrix_is_opened_and_only_what_is_damaged_is_computed_again(tmp_path):
    X, model = _samples(), hd.DEQ.paper("tanh", 0.05)
    assert model.store_gram(X, out=tmp_path / "K", block=32).computed == 6
    whole = _chunks(tmp_path / "K")
    again = model.store_gram(X, out=tmp_path / "K")
    assert (again.computed, again.block) == (0, 32)
    files = list(whole)
    files[0].unlink()
    flipped = bytearray(whole[files[2]])
    flipped[len(flipped) // 2] ^= 1
    files[2].write_bytes(flipped)
    files[4].write_bytes(whole[files[4]][:-7])
    assert model.store_gram(X, out=tmp_path / "K").computed == 3
    assert _chunks(tmp_path / "K") == whole


def test_every_flipped_byte_is_found(tmp_path):
    X, model = _samples(), hd.DEQ.paper("tanh", 0.05)
    model.store_gram(X, out=tmp_path / "K", block=64)
    whole = _chunks(tmp_path / "K")
    rng = np.random.default_rng(3)
    for file in rng.choice(list(whole), 40):
        content = bytearray(whole[file])
        content[rng.integers(len(content))] ^= int(rng.integers(1, 256))
        file.write_bytes(content)
        assert model.store_gram(X, out=tmp_path / "K").computed == 1
    assert _chunks(tmp_path / "K") == whole


@pytest.mark.parametrize("change", ["data", "sigma", "activation", "depth", "dtype", "block"])
def test_a_matrix_of_something_else_is_refused_and_left(tmp_path, change):
    X, model = _samples(), hd.DEQ.paper("tanh", 0.05)
    model.store_gram(X, out=tmp_path / "K", block=64)
    whole = _chunks(tmp_path / "K")
    other = {"sigma": hd.DEQ.paper("tanh", 0.06), "activation": hd.DEQ.paper("gelu", 0.05)}.get(change, model)
    given = {"depth": {"depth": 2}, "dtype": {"dtype": np.float32}, "block": {"block": 50}}.get(change, {})
    with pytest.raises(hd.InvalidInputError, match="something else"):
        other.store_gram(X + 1e-9 * (change == "data"), out=tmp_path / "K", **given)
    assert _chunks(tmp_path / "K") == whole


def test_files_and_zarr_arrays_give_the_same_bits(tmp_path):
    import zarr

    X, model = _samples(), hd.DEQ.paper("gelu", 0.05)
    np.save(tmp_path / "X.npy", X)
    array = zarr.create_array(tmp_path / "X.zarr", shape=X.shape, chunks=(10, 12), dtype=X.dtype)
    array[:] = X
    model.store_gram(X, out=tmp_path / "K", block=40)
    whole = list(_chunks(tmp_path / "K").values())
    for number, source in enumerate([tmp_path / "X.npy", str(tmp_path / "X.zarr"), array]):
        model.store_gram(source, out=tmp_path / f"K{number}", block=40)
        assert list(_chunks(tmp_path / f"K{number}").values()) == whole
    read = zarr.open_group(tmp_path / "K", mode="r")["gram"][:]
    assert np.array_equal(np.triu(read), np.triu(model.store_gram(X, out=tmp_path / "K")[:]))
    assert np.isnan(read[80, 0])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: X.__setitem__((70, 3), np.nan), "not finite"),
        (lambda X: X.__setitem__(70, 1e-200), "row 70 of X has the variance"),
    ],
)
def test_bad_rows_are_named(tmp_path, spoil, message):
    X = _samples()
    spoil(X)
    with pytest.raises(hd.InvalidInputError, match=message):
        hd.DEQ.paper("tanh", 0.05).store_gram(X, out=tmp_path / "K", block=16)
    assert not (tmp_path / "K").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory": "1MB"}, "too little"),
        ({"memory": "much"}, "memory = 'much'"),
        ({"block": 0}, "block = 0"),
        ({"block": 4096, "memory": "500MB"}, "smaller block"),
        ({"client": "tcp://nowhere"}, "Client"),
    ],
)
def test_limits_that_cannot_be_kept_are_refused(tmp_path, options, message):
    X = _samples(9000, 2) if "memory" in options else _samples()
    with pytest.raises(hd.InvalidInputError, match=message):
        hd.DEQ.paper("tanh", 0.05).store_gram(X, out=tmp_path / "K", **options)


def test_options_of_the_stored_matrix_need_out():
    X, model = _samples(10), hd.DEQ.paper("tanh", 0.05)
    with pytest.raises(hd.InvalidInputError, match="without out"):
        model.gram(X, memory="1GB")
    with pytest.raises(hd.InvalidInputError, match="out with Y"):
        model.gram(X, X, out="K")
    with pytest.raises(hd.InvalidInputError, match="store_gram reads paths"):
        model.gram("X.npy")


@pytest.mark.parametrize("path", ["missing.npy", "X.csv", "folder"])
def test_files_that_hold_no_samples_are_named(tmp_path, path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "X.csv").write_text("1,2\n")
    with pytest.raises(hd.DataFileError, match=path):
        hd.DEQ.paper("tanh", 0.05).store_gram(tmp_path / path, out=tmp_path / "K")


_SLOW_RUN = """
import sys, time
import numpy as np
import hermite_dual as hd
from hermite_dual.outofcore import gram_tiles
write = gram_tiles.BlockArray.write
def slow(self, index, values):
    write(self, index, values)
    time.sleep(0.05)
gram_tiles.BlockArray.write = slow
if __name__ == "__main__":
    hd.DEQ.paper("tanh", 0.05).store_gram(np.load(sys.argv[1]), out=sys.argv[2], block=10)
"""


def test_the_former_spelling_is_passed_on_with_a_warning(tmp_path):
    X, model = _samples(20), hd.DEQ.paper("tanh", 0.05)
    with pytest.warns(DeprecationWarning, match=r"store_gram\(X, out"):
        found = model.gram(X, out=tmp_path / "K", block=8)
    assert np.array_equal(found[:, :], model.store_gram(X, tmp_path / "K")[:, :])
    with pytest.raises(TypeError, match="unexpected keyword argument 'blocks'"):
        model.gram(X, blocks=8)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_where_it_stopped(tmp_path, how):
    X, model = _samples(), hd.DEQ.paper("tanh", 0.05)
    np.save(tmp_path / "X.npy", X)
    (tmp_path / "run.py").write_text(_SLOW_RUN)
    # a handler of its own: where tests run in the background, children ignore SIGINT
    code = "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); import sys; "
    code += f"sys.argv = ['run', {str(tmp_path / 'X.npy')!r}, {str(tmp_path / 'K')!r}]; "
    code += f"runpy.run_path({str(tmp_path / 'run.py')!r}, run_name='__main__')"
    run = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL, env={**os.environ})
    deadline = time.monotonic() + 120
    while len(_chunks(tmp_path / "K")) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    run.send_signal(how)
    assert run.wait(60) != 0
    left = len(_chunks(tmp_path / "K"))
    assert 5 <= left < 45
    # of the last one the largest correlation may not have been written yet
    assert 45 - left <= model.store_gram(X, out=tmp_path / "K").computed <= 45 - left + 2
    model.store_gram(X, out=tmp_path / "other", block=10)
    assert list(_chunks(tmp_path / "K").values()) == list(_chunks(tmp_path / "other").values())


def _proven_residual(A, L, shift):
    """`||L L^T - (A - s I)||_2` of float64 matrices, bounded from below in extended precision."""
    exact = L.astype(np.longdouble) @ L.astype(np.longdouble).T - A.astype(np.longdouble)
    exact[np.diag_indices(len(A))] += np.longdouble(shift)
    return float(np.abs(np.linalg.eigvalsh(exact.astype(np.float64))).max())


@pytest.mark.parametrize("kind", ["random", "graded", "nearly singular", "sums that cancel"])
@pytest.mark.parametrize(("n", "block", "rows"), [(300, 70, 1000), (300, 128, 16), (257, 256, 64), (96, 96, 8)])
def test_the_error_bound_of_a_factor_in_blocks_covers_its_residual(tmp_path, monkeypatch, kind, n, block, rows):
    from hermite_dual.outofcore import factor_tiles

    monkeypatch.setattr(factor_tiles, "tile_size", lambda order: rows)
    rng = np.random.default_rng(n + block)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    values = {"random": rng.uniform(0.1, 1, n), "nearly singular": np.geomspace(1e-12, 1, n)}.get(kind, np.ones(n))
    A = (Q * values) @ Q.T
    if kind == "graded":
        A = np.geomspace(1, 1e-6, n)[:, None] * A * np.geomspace(1, 1e-6, n) + 1e-13 * np.eye(n)
    if kind == "sums that cancel":
        A = np.ones((n, n)) + 1e-9 * A
    A = (A + A.T) / 2
    matrix = _on_disk(tmp_path, A, block)
    shift = -1e-13
    found = matrix.factor(shift)
    assert found.success
    L = _lower(found.factor)
    assert np.array_equal(L, np.tril(L))
    assert _proven_residual(A, L, shift) <= found.error
    assert found.error < 1e-11 * np.trace(A)
    b = rng.standard_normal(n)
    if kind == "random":
        assert np.allclose(A @ found.solve(b), b, atol=1e-10)
    assert not matrix.factor(1.1 * float(np.linalg.eigvalsh(A)[0]) + 1e-10).success
    x = rng.standard_normal(n)
    assert matrix.times(x[:, None])[:, 0] == pytest.approx(A @ x, rel=1e-12)
    assert float(matrix.form(x)) == pytest.approx(float(x @ A @ x), rel=1e-12)


@pytest.fixture(scope="module")
def client():
    import dask
    import distributed

    # by default a LocalCluster forgets a worker that takes 15 seconds to start again, on a busy machine
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "120s"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit="1.5GB", dashboard_address=":0", processes=True
        ) as cluster,
        distributed.Client(cluster) as found,
    ):
        yield found


@pytest.mark.slow
def test_a_cluster_gives_the_same_matrix_while_its_workers_are_killed(tmp_path, client):
    X, model = _samples(120), hd.DEQ.paper("gelu", 0.05)
    rng = np.random.default_rng(0)
    killed = 0

    def kill_one(what, done, total):
        nonlocal killed
        if killed < 3 and done % 20 == 0:
            workers = [worker["pid"] for worker in client.run(lambda dask_worker: {"pid": os.getpid()}).values()]
            os.kill(int(rng.choice(workers)), signal.SIGKILL)
            killed += 1

    G = model.store_gram(X, out=tmp_path / "K", block=10, client=client, progress=kill_one)
    assert killed == 3
    K = model.store_gram(X, out=tmp_path / "other", block=10)
    assert np.all(np.abs(G[:] - K[:]) <= G.entry_error + K.entry_error)
    ours, theirs = G.least_eigenvalue(), K.least_eigenvalue()
    assert ours.lower == pytest.approx(theirs.lower, rel=1e-6)
    assert ours.upper == pytest.approx(theirs.upper, rel=1e-6)
    assert model.store_gram(X, out=tmp_path / "K", client=client).computed == 0

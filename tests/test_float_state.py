"""What a program does to floating-point arithmetic around the package: errors raised, rounding, flushing, forks."""

import ctypes
import ctypes.util
import inspect
import itertools
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys

import numpy as np
import pytest

import hermite_dual as hd
from hermite_dual.certified.balls.rounding import TINY
from hermite_dual.certified.eigenvalues.float_cholesky import shifted_cholesky

X = hd.on_sphere(np.random.default_rng(0).standard_normal((30, 6)))
UPWARD, NEAREST = {"x86_64": (0x800, 0), "aarch64": (0x400000, 0)}.get(platform.machine(), (0, 0))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tanh", "abs(tanh(x)+1/3)", "step", "sin(x)/x", "softplus"])
def test_raised_underflows_of_others_stop_nothing(name):
    def numbers():
        k, model = hd.dual(name), hd.DEQ(name, 0.1) if name != "step" else None
        found = [k.kernel(1e4, 1e4, 3e3), k.kernel(1.0, 1.0, 0.3), *k.coefficients(30)]
        if model is not None:
            G = model.gram(X)
            found += [*np.asarray(G).ravel(), G.least_eigenvalue().lower, G.entry_error, model.ntk(X).entry_error]
        return found

    expected = numbers()
    with np.errstate(all="raise"):
        assert numbers() == expected


@pytest.fixture
def rounding_upwards():
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    if not UPWARD or library.fesetround(UPWARD):
        pytest.skip("the rounding mode cannot be set here")
    yield
    library.fesetround(NEAREST)


def test_another_rounding_mode_is_refused(rounding_upwards):
    with pytest.raises(hd.AccuracyError, match=r"does not round .* to nearest.*FE_TONEAREST"):
        hd.DEQ("tanh", 0.1)
    with pytest.raises(hd.AccuracyError, match="to nearest"):
        hd.least_eigenvalue(np.eye(3))


FLUSH = "void flush(void) { __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040); }"


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64" or not shutil.which("gcc"), reason="needs a compiler for x86")
def test_proofs_count_subnormal_numbers_that_are_flushed(tmp_path):
    """The factor of a matrix near 1e-300 misses it by what was flushed, and its bound says so."""
    (tmp_path / "flush.c").write_text(FLUSH)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "flush.so", tmp_path / "flush.c"], check=True)
    script = f"""
import ctypes
import numpy as np
from fractions import Fraction
from hermite_dual.certified.eigenvalues.float_cholesky import shifted_cholesky
ctypes.CDLL({str(tmp_path / "flush.so")!r}).flush()
assert np.float64(2.0**-1022) * 0.5 == 0.0
A = np.array([[8, 1.5, 0], [1.5, 2, 1], [0, 1, 4]]) * 2.0**-1022
found = shifted_cholesky(A, 0.0)
R = [[Fraction(value) for value in row] for row in found.tiles[0, 0]]
product = [[sum(R[k][i] * R[k][j] for k in range(3)) for j in range(3)] for i in range(3)]
lost = max(abs(product[i][j] - Fraction(A[i, j])) for i in range(3) for j in range(3))
assert found.success and 0 < lost <= Fraction(found.error), (float(lost), found.error)
print(float(lost / Fraction(2) ** -1074))
"""
    printed = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert float(printed) > 1000  # units of the least subnormal number, which a bound would count otherwise


def test_every_public_object_runs_under_its_own_state():
    bare = []
    for name in hd.__all__:
        found = getattr(hd, name)
        if inspect.isclass(found) and found.__module__.startswith("hermite_dual") and name in STATEFUL:
            bare += [f"{name}.{key}" for key, value in vars(found).items() if _is_bare(key, value)]
    assert not bare


STATEFUL = ("DEQ", "Dual", "Gram", "CrossGram", "StoredGram", "FiniteDEQ", "UntiedNetwork", "KernelSeries")


def _is_bare(key, value):
    function = value.fget if isinstance(value, property) else value
    return not key.startswith("_") and inspect.isfunction(function) and not hasattr(function, "__wrapped__")


def _least(_):
    return hd.DEQ("tanh", 0.1).gram(X).least_eigenvalue().lower


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(multiprocessing, "get_context") or sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_after_a_gram_matrix_compute_or_say_what_does(method):
    expected = _least(None)
    with multiprocessing.get_context(method).Pool(1) as pool:
        answer = pool.map_async(_least, range(2))
        if method == "fork":
            with pytest.raises(hd.ForkedProcessError, match="spawn"):
                answer.get(timeout=100)
        else:
            assert answer.get(timeout=100) == [expected] * 2


CACHED = """
import numpy as np
import hermite_dual as hd
X = hd.on_sphere(np.random.default_rng(0).standard_normal((50, 6)))
print(hd.DEQ("tanh", 0.1).gram(X).matrix.sum().hex())
"""


def _spoil(content, how):
    changed = bytearray(content)
    changed[min(2000, len(changed) - 1)] ^= 1
    return {"cut": content[: len(content) // 2], "empty": b"", "one bit": bytes(changed)}[how]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A folder of compiled code, and what the program printed that filled it."""
    folder = tmp_path_factory.mktemp("compiled")
    return folder, _run_with_cache(folder)


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "ways"), [("nbi", ("cut", "empty")), ("nbc", ("cut", "one bit"))])
def test_a_damaged_cache_of_compiled_code_is_a_missing_one(tmp_path, compiled, ending, ways):
    cache = shutil.copytree(compiled[0], tmp_path / "cache")
    files = sorted(cache.rglob(f"*.{ending}"))
    assert len(files) >= 2 * len(ways)
    for file, how in zip(files, itertools.cycle(ways), strict=False):
        file.write_bytes(_spoil(file.read_bytes(), how))
    assert _run_with_cache(cache) == compiled[1]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a folder that nobody can write")
def test_without_a_folder_for_compiled_code_nothing_is_missing():
    assert _run_with_cache("/proc/nowhere", HOME="/proc").startswith("0x1.")


def _run_with_cache(folder, **changes):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder)} | changes
    done = subprocess.run(
        [sys.executable, "-c", CACHED], check=True, capture_output=True, text=True, env=environment, timeout=300
    )
    return done.stdout


def test_tiny_covers_what_flushing_loses():
    assert 2 * np.finfo(np.float64).tiny <= TINY
    assert shifted_cholesky(np.zeros((2, 2)) + np.eye(2) * 1e-300, 0.0).error >= 2 * np.finfo(np.float64).tiny

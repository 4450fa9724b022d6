"""The options under which every numba kernel of the package is compiled.

No fast-math: a certificate counts the roundings of the operations as they are written. Compiled code is cached across
processes.
"""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numba

from hermite_dual.errors import ForkedProcessError
from hermite_dual.numeric.jit_cache import CheckedCache

Function = TypeVar("Function", bound=Callable[..., Any])

_FEW_ENTRIES = 1 << 18
"""A quarter of a million entries take a thread a few milliseconds."""
_without_threads = False
"""Whether this process was forked from one whose threads numba had started: GNU's OpenMP would end it."""


def _look_for_threads() -> None:
    global _without_threads  # noqa: PLW0603 - a process forks once
    try:
        _without_threads = numba.threading_layer() == "omp"
    except ValueError:  # none were started
        _without_threads = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_look_for_threads)


def compiled(function: Function, **options: Any) -> Function:
    """Compile a function when it is first called, or read it from the cache where there is one."""
    dispatcher = numba.njit(nogil=True, error_model="numpy", **options)(function)
    with contextlib.suppress(RuntimeError):  # where no folder can be written, each process compiles for itself
        dispatcher._cache = CheckedCache(function)
    return dispatcher


def kernel(function: Function) -> Function:
    """Compile a kernel that runs on numba's threads, to be called by Python alone."""
    threaded = compiled(function, parallel=True, fastmath=False)

    @functools.wraps(function)
    def checked(*arguments: Any) -> Any:
        if _without_threads:
            raise ForkedProcessError(
                "this process was forked after its parent had computed on several threads, which do not survive that. "
                "Start processes with multiprocessing.get_context('spawn') or 'forkserver', or fork before computing"
            )
        return threaded(*arguments)

    return checked  # type: ignore[return-value]


def helper(function: Function) -> Function:
    """Compile a function that kernels call for one entry or block."""
    return compiled(function, fastmath=False, inline="never")


def fused_helper(function: Function) -> Function:
    """Compile a helper in which a product and a sum may round once: for surrogates, whose roundings nobody counts.

    Their certificates are a posteriori. Nothing is reassociated.
    """
    return compiled(function, fastmath={"contract"}, inline="never")


@contextlib.contextmanager
def threads_for(entries: int) -> Iterator[None]:
    """Let kernels run on one thread where there are few entries: to wake others takes longer than they would save."""
    threads = numba.get_num_threads()
    numba.set_num_threads(1 if entries < _FEW_ENTRIES else threads)
    try:
        yield
    finally:
        numba.set_num_threads(threads)


prange = numba.prange


@helper
def interleaved(k: int, count: int) -> int:
    """Return the row to take k-th, so that threads, which take consecutive k, share a triangle in equal parts."""
    return k // 2 if k % 2 == 0 else count - 1 - k // 2

"""The options under which every numba kernel of the package is compiled.

No fast-math: a certificate counts the roundings of the operations as they are written. Compiled code is cached across
processes.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a kernel that runs on numba's threads."""
    return numba.njit(parallel=True, cache=True, fastmath=False, nogil=True, error_model="numpy")(function)


def helper(function: Function) -> Function:
    """Compile a function that kernels call for one entry or block."""
    return numba.njit(cache=True, fastmath=False, nogil=True, error_model="numpy", inline="never")(function)


def fused_helper(function: Function) -> Function:
    """Compile a helper in which a product and a sum may round once: for surrogates, whose roundings nobody counts.

    Their certificates are a posteriori. Nothing is reassociated.
    """
    return numba.njit(cache=True, fastmath={"contract"}, nogil=True, error_model="numpy", inline="never")(function)


prange = numba.prange


@helper
def interleaved(k: int, count: int) -> int:
    """Return the row to take k-th, so that threads, which take consecutive k, share a triangle in equal parts."""
    return k // 2 if k % 2 == 0 else count - 1 - k // 2

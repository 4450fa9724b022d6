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


prange = numba.prange

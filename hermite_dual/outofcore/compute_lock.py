"""One computation at a time in a process."""

import threading
from contextlib import AbstractContextManager

_LOCK = threading.RLock()


def compute_lock() -> AbstractContextManager[object]:
    """Give the lock that tasks hold while they compute, and not while they read and write.

    Compiled kernels and BLAS use every core themselves: a second computation in the same process would take the cores
    from the first, and numba's workqueue layer ends the process when two threads enter it. Reading and writing go on
    beside a computation.
    """
    return _LOCK

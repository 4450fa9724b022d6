"""One working precision at a time: those of python-flint and of mpmath are one for all threads of a process.

Nothing that waits for other threads may hold the lock: they may need it. Tasks take `compute_lock` first.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import mpmath

PRECISION_LOCK = threading.RLock()

if hasattr(os, "register_at_fork"):  # a child has one thread, which holds nothing
    os.register_at_fork(after_in_child=PRECISION_LOCK._at_fork_reinit)  # type: ignore[attr-defined]


@contextmanager
def mp_digits(digits: int) -> Iterator[None]:
    """Run a block with so many digits of mpmath, other threads waiting."""
    with PRECISION_LOCK, mpmath.workdps(digits):
        yield


@contextmanager
def mp_bits(bits: int) -> Iterator[None]:
    """Run a block with so many bits of mpmath, other threads waiting."""
    with PRECISION_LOCK, mpmath.workprec(bits):
        yield

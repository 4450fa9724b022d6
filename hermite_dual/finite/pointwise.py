"""The work of an iteration beside its matrix product: in blocks that stay in cache, on all processors."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from hermite_dual.namespaces import AnyArray
from hermite_dual.numeric.spans import spans

Finish = Callable[[AnyArray, slice], AnyArray]
"""From rows of the product `W Z` to the same rows of the next iterate; it may overwrite its argument."""

# Bytes of a block: a few of them fit into a processor's own cache.
_BLOCK_BYTES = 2**18
# More threads than this no longer help what memory limits.
_MOST_THREADS = 8


def finish_step(product: AnyArray, Z: AnyArray, finish: Finish, xp: Any) -> tuple[AnyArray, AnyArray, float, float]:
    """Complete a step from its product.

    Args:
        product: `W Z`, shape (m, n); overwritten.
        Z: the iterate, shape (m, n).
        finish: the pointwise part of the map.
        xp: namespace of the arrays.

    Returns:
        The step `g(Z)`, `f = g(Z) - Z`, `max |f|` and `max |Z|`; NaN passes through both.
    """
    if xp is not np:
        step = finish(product, slice(None))
        f = step - Z
        return step, f, _largest(f, xp), _largest(Z, xp)
    f = np.empty_like(product)

    def work(rows: slice) -> tuple[float, float]:
        # The setting belongs to a thread, and a diverging iteration is reported as such.
        with np.errstate(all="ignore"):
            product[rows] = finish(product[rows], rows)
            np.subtract(product[rows], Z[rows], out=f[rows])
            return _largest(f[rows], np), _largest(Z[rows], np)

    m = product.shape[0]
    size = max(1, _BLOCK_BYTES * m // product.nbytes)
    blocks = spans(m, size)
    threads = min(_processors(), _MOST_THREADS, len(blocks) // 4)
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            sizes = np.array(list(pool.map(work, blocks)))
    else:
        sizes = np.array([work(rows) for rows in blocks])
    return product, f, float(sizes[:, 0].max()), float(sizes[:, 1].max())


def _largest(array: AnyArray, xp: Any) -> float:
    # Two reductions need no copy of |array|.
    return max(float(xp.max(array)), -float(xp.min(array)))


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1

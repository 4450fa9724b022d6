"""Which array library an argument belongs to, and how the weights get there.

NumPy is the default. An array of CuPy, JAX, PyTorch or any library of the Python array API standard
(https://data-apis.org/array-api/) is worked on where it lives, in its own precision.
"""

from typing import Any

import numpy as np

from hermite_dual.data.files import check_samples
from hermite_dual.errors import InvalidInputError

# An array of whichever library: the standard defines no common type.
AnyArray = Any


def namespace_of(x: Any) -> Any:
    """Return the module of functions for an array: `numpy` for NumPy arrays, numbers, lists and what converts to them.

    Raises:
        InvalidInputError: The array is one of PyTorch and `array_api_compat` is not installed.
    """
    if isinstance(x, np.ndarray | np.generic | float | int | list | tuple):
        return np
    try:
        from array_api_compat import array_namespace, is_array_api_obj
    except ImportError:
        if type(x).__module__.partition(".")[0] == "torch":
            raise InvalidInputError(
                "X is a PyTorch tensor, which follows the array API standard only through array_api_compat: "
                "install it with pip install array-api-compat, or pass X.numpy(force=True)"
            ) from None
        return x.__array_namespace__() if hasattr(x, "__array_namespace__") else np
    return array_namespace(x) if is_array_api_obj(x) else np


def check_array(X: Any, xp: Any, name: str) -> AnyArray:
    """Return samples of shape (n, d), real floating and finite, in their own library; NumPy's as float64.

    Args:
        X: samples.
        xp: their namespace.
        name: what the message calls them.

    Raises:
        InvalidInputError: The array is none of those.
    """
    if xp is np:
        return check_samples(X, name)
    if not xp.isdtype(X.dtype, "real floating"):
        raise InvalidInputError(f"{name} holds values of type {X.dtype}; allowed is a real floating type. Convert it.")
    if X.ndim != 2 or 0 in X.shape:
        raise InvalidInputError(f"{name} has the shape {tuple(X.shape)}; allowed is (n, d) with n, d >= 1.")
    if not bool(xp.all(xp.isfinite(X))):
        raise InvalidInputError(f"{name} holds values that are not finite; allowed are finite numbers. Remove them.")
    return X


def moved(values: AnyArray, like: AnyArray, xp: Any) -> AnyArray:
    """Return a NumPy array as one of the library, precision and device of `like`; NumPy's own unchanged."""
    if xp is np:
        return values
    # A read-only array cannot be shared with every library.
    return xp.asarray(np.array(values), dtype=like.dtype, device=like.device)

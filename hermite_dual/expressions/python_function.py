"""Python functions as activations: called with copies, looked at for what they return, and refused with a sentence."""

import functools
import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from hermite_dual.arrays import Array
from hermite_dual.errors import HermiteDualError, InvalidInputError
from hermite_dual.expressions.float_function import FloatFunction

_TENSOR = "for PyTorch wrap it: lambda x: f(torch.from_numpy(x)).detach().numpy()"
_NARROW = "for JAX call jax.config.update('jax_enable_x64', True) first, for PyTorch convert the module with .double()"
EPS = float(np.finfo(np.float64).eps)
_SINGLE = float(np.finfo(np.float32).eps)
_UNSEEN, _SEEN = 1.0 + 2.0**-40, 1.0 + 2.0**-20
"""Relative moves of an argument that float32 does not, and does, tell from none."""


def as_formula(function: Callable[..., Any], symbol: sp.Symbol) -> sp.Expr | None:
    """Return the formula that a function is: one of the `math` module, or one that builds an expression of a symbol.

    Args:
        function: any Python function.
        symbol: what it is called with.

    Returns:
        An expression in `symbol`, or None where the function makes none, as functions of arrays.
    """
    name = getattr(function, "__name__", "")
    if getattr(math, name, None) is function:
        known = getattr(sp, {"fabs": "Abs", "pow": ""}.get(name, name), None)
        return known(symbol) if isinstance(known, sp.FunctionClass) else None
    try:
        result = function(symbol)
    except Exception:  # whatever a function of arrays raises when it is given a symbol
        return None
    real = isinstance(result, sp.Expr) and result.free_symbols == {symbol} and not result.has(sp.I)
    return result if real else None


def checked(function: Callable[..., Any]) -> FloatFunction:
    """Return a function of float64 arrays that refuses, in words, what is no elementwise real function in float64."""
    name = getattr(function, "__name__", type(function).__name__)

    @functools.wraps(function, assigned=(), updated=())
    def evaluate(values: Array) -> Array:
        try:
            with np.errstate(all="ignore"):
                result: NDArray[Any] = np.asarray(function(values.copy()))  # a function may write into its argument
        except HermiteDualError:
            raise
        except Exception as error:
            raise InvalidInputError(
                f"the Python function {name!r} fails on a float64 array ({type(error).__name__}: {error}): wrap a "
                f"scalar function with numpy.vectorize; {_TENSOR}"
            ) from error
        return _as_float64(result, values, name)

    return evaluate


def _as_float64(result: NDArray[Any], values: Array, name: str) -> Array:
    if np.iscomplexobj(result):
        raise InvalidInputError(f"the Python function {name!r} returns complex values: an activation is real")
    if result.shape != values.shape:
        raise InvalidInputError(
            f"the Python function {name!r} maps shape {values.shape} to {result.shape}: it must act elementwise "
            "on float64 arrays; wrap a scalar function with numpy.vectorize"
        )
    if result.dtype.kind not in "fiub":
        raise InvalidInputError(f"the Python function {name!r} returns {result.dtype} values: real numbers are needed")
    if result.dtype.kind == "f" and result.dtype.itemsize < np.dtype(np.float32).itemsize:
        raise InvalidInputError(
            f"the Python function {name!r} returns {result.dtype} for float64: three digits are too few for a kernel. "
            f"Return float64; {_NARROW}"
        )
    return np.asarray(result, dtype=np.float64)


def refuse_random(function: FloatFunction, points: Array, name: str) -> None:
    """Refuse a function that returns NaN, or other values when it is called again."""
    first, second = function(points), function(points)
    if np.isnan(first).any():
        raise InvalidInputError(f"the Python function {name!r} returns NaN at finite arguments: an activation is real")
    if not np.array_equal(first, second):
        raise InvalidInputError(
            f"the Python function {name!r} returns different values when called twice: an activation is no random "
            "function; put dropout and its like into evaluation mode"
        )


def resolution(function: Callable[..., Any], points: Array) -> float:
    """Return eps of the arithmetic in which a function computes: float64's, or that of float32.

    It is float32 where the result is, or where values at close arguments differ only if float32 tells these apart.

    Raises:
        InvalidInputError: as `checked`.
    """
    checked(function)(points)
    with np.errstate(all="ignore"):
        values, unseen, seen = (np.asarray(function(points * move)) for move in (1.0, _UNSEEN, _SEEN))
    hidden = np.array_equal(values, unseen) and np.count_nonzero(values != seen) >= points.size // 3
    return _SINGLE if hidden or values.dtype == np.float32 else EPS


def say_narrow(name: str) -> None:
    """Warn that a function computes in float32, at the line outside of this package that named it."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("hermite_dual."):
        level, frame = level + 1, frame.f_back
    warnings.warn(
        f"the Python function {name!r} computes in float32: its kernels have about seven digits, as their error "
        f"estimates say. For all digits return float64; {_NARROW}",
        stacklevel=level,
    )


def divided_difference(function: FloatFunction, resolution: float) -> FloatFunction:
    """Return central differences at the step that balances rounding, of arithmetic with this eps, and truncation."""

    def slope(values: Array) -> Array:
        step = resolution ** (1.0 / 3.0) * np.maximum(1.0, np.abs(values))
        return (function(values + step) - function(values - step)) / (2.0 * step)

    return slope

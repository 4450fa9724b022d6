"""The floating-point state that public calls run under, whatever the program around them has set for itself."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from hermite_dual.errors import AccuracyError

Target = TypeVar("Target", bound=Callable[..., Any])

_CALLED = ("__init__", "__call__", "__getitem__", "__array__")
_UNIT = 2.0**-52


def own_float_state(target: Target) -> Target:
    """Let a function, or all public methods and properties of a class, run under NumPy's own error handling.

    `np.seterr(all="raise")` elsewhere turned harmless underflows into exceptions. In another rounding mode than to
    nearest nothing is computed, as no bound counts for it; subnormal numbers flushed to zero are counted (`TINY`).
    """
    if not inspect.isclass(target):
        return _wrapped(target)  # type: ignore[return-value]
    for name, member in list(vars(target).items()):
        if name.startswith("_") and name not in _CALLED:
            continue
        if inspect.isfunction(member):
            setattr(target, name, _wrapped(member))
        elif isinstance(member, property) and member.fget is not None:
            setattr(target, name, property(_wrapped(member.fget), doc=member.__doc__))
        elif isinstance(member, classmethod):
            setattr(target, name, classmethod(_wrapped(member.__func__)))
    return target


def defaults() -> np.errstate:
    """Give the error handling that NumPy starts with, as a context."""
    check_rounding(_UNIT)
    return np.errstate(divide="warn", over="warn", invalid="warn", under="ignore")


def check_rounding(unit: float) -> None:
    """Refuse a thread in which sums are not rounded to nearest, ties to even.

    Args:
        unit: 2^-52, from outside so that no compiler computes the sums.

    Raises:
        AccuracyError: it rounds otherwise.
    """
    even, odd = 1.0, 1.0 + unit
    half = 0.5 * unit
    if even + half != even or odd + half != 1.0 + 2.0 * unit or -odd - half != -1.0 - 2.0 * unit:
        raise AccuracyError(
            "this thread does not round floating-point numbers to nearest: a library has changed its rounding mode. "
            "Restore it with fesetround(FE_TONEAREST) before calling"
        )


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def under_defaults(*arguments: Any, **options: Any) -> Any:
        with defaults():
            return function(*arguments, **options)

    return under_defaults

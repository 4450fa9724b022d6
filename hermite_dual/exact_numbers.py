"""Numbers and arrays as users have them: read exactly, or with what their conversion to float64 changes, or refused."""

import math
import numbers
import reprlib
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError

_LARGEST_EXACT = 2**53
_KINDS = {"c": "complex numbers", "M": "dates", "m": "time differences", "S": "bytes", "U": "strings", "V": "records"}

MOST = 10**6
"""Neurons, columns, layers or networks beyond which nothing ends within a day."""


def freeze(*arrays: Any) -> None:
    """Make arrays read-only, those of NumPy: a proof speaks of the numbers that are there."""
    for array in arrays:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False


def real_array(value: Any, name: str) -> NDArray[Any]:
    """Return what is given as an array of real numbers of any type, or say what it is and what to pass.

    Raises:
        InvalidInputError: it is masked, sparse, ragged, needs a gradient, or holds anything but real numbers.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise InvalidInputError(f"{name} is masked, and masked entries have no value: pass {name}.filled(...)")
    if hasattr(value, "toarray") and not isinstance(value, np.ndarray):
        raise InvalidInputError(f"{name} is sparse ({type(value).__name__}): pass {name}.toarray()")
    if getattr(value, "requires_grad", False) is True:
        raise InvalidInputError(f"{name} is a tensor that needs its gradient: pass {name}.detach().cpu().numpy()")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidInputError(
            f"{name} is no array of numbers ({error}): give rows of one length, as numpy.array takes them"
        ) from None
    if array.dtype.kind in _KINDS:
        raise InvalidInputError(
            f"{name} holds {_KINDS[array.dtype.kind]} ({array.dtype}); allowed are real numbers. Convert them, for "
            "instance with .real or .astype(float)."
        )
    if array.dtype.kind == "O":
        for index, entry in np.ndenumerate(array):
            if not _is_real(entry):
                place = f"[{', '.join(map(str, index))}]" if index else ""
                raise InvalidInputError(
                    f"{name}{place} = {entry!r} is no finite real number; allowed are real numbers. Replace it, or "
                    "leave its row out."
                )
    return array


def float_array(value: Any, name: str) -> tuple[Array, Array | float]:
    """Return an array in float64 and a bound of what the conversion changed, 0 where it is exact.

    Raises:
        InvalidInputError: as `real_array`.
    """
    array = real_array(value, name)
    exact = array.dtype.kind == "b" or (array.dtype.kind == "f" and array.dtype.itemsize <= 8)
    if array.dtype.kind == "O":
        entries = [_fraction(entry) for entry in array.ravel()]
        nearest = np.array([_nearest(entry) for entry in entries], dtype=np.float64).reshape(array.shape)
        exact = all(
            Fraction(f) == e for f, e in zip(nearest.ravel().tolist(), entries, strict=True) if math.isfinite(f)
        )
    else:
        with np.errstate(over="ignore"):
            nearest = np.asarray(array, dtype=np.float64)
        exact = exact or (array.dtype.kind in "iu" and bool((np.abs(nearest) <= _LARGEST_EXACT).all()))
    if exact:
        return nearest, 0.0
    with np.errstate(invalid="ignore"):
        return nearest, np.spacing(np.abs(nearest))


def float_bounds(value: Any, name: str, remedy: str) -> tuple[float, float]:
    """Return the float64 numbers next to a finite real number from below and above: itself twice where it is one.

    Raises:
        InvalidInputError: it is no finite real number.
    """
    value = _scalar(value, name)
    if not _is_real(value) or isinstance(value, (bool, np.bool_)):
        raise InvalidInputError(f"{name} = {value!r} is not a finite number; {remedy}")
    exact = _fraction(value)
    near = _nearest(exact)
    if not math.isfinite(near):
        raise InvalidInputError(f"{name} = {reprlib.repr(value)} is beyond float64; {remedy}")
    if Fraction(near) == exact:
        return near, near
    return (near, math.nextafter(near, math.inf)) if Fraction(near) < exact else (math.nextafter(near, -math.inf), near)


def _scalar(value: Any, name: str) -> Any:
    """Return the one entry of an array without dimensions, of any library that NumPy reads; others as they are."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "__array__") and not isinstance(value, np.generic):
        return real_array(value, name)[()]
    return value


def _is_real(value: Any) -> bool:
    if isinstance(value, sp.Expr):
        return bool(value.is_number and value.is_real and value.is_finite)
    if isinstance(value, Decimal):
        return value.is_finite()
    if not isinstance(value, (numbers.Real, np.floating, np.integer, np.bool_)):
        return False
    return isinstance(value, (int, Fraction)) or bool(np.isfinite(np.asarray(value, dtype=np.longdouble)))


def _fraction(value: Any) -> Fraction:
    """The number itself, or to 60 digits, on the same side of every float64 number, where it is irrational."""
    if isinstance(value, sp.Expr):
        exact = sp.Rational(value) if value.is_Rational or value.is_Float else sp.Rational(str(sp.N(value, 60)))
        return Fraction(int(exact.p), int(exact.q))
    if isinstance(value, (np.floating, np.integer, np.bool_)):
        return Fraction(*value.as_integer_ratio()) if isinstance(value, np.floating) else Fraction(int(value))
    return Fraction(value)


def _nearest(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def is_float64(value: Any) -> bool:
    """Whether a value read from JSON is a finite number that float64 holds exactly."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value) and float(value) == value
    except OverflowError:  # an integer beyond all floats
        return False


def shown_count(value: object) -> str:
    """Return a value as a message shows it: of a number of many digits how many."""
    if isinstance(value, int) and abs(value) > 10**18:
        return f"{'-' if value < 0 else ''}10^{math.log10(abs(value)):.1f}"
    return repr(value)


def check_count(name: str, value: object, least: int, meaning: str, most: int | None = MOST) -> int:
    """Return a whole number from `least` to `most`, or raise an `InvalidInputError` that names the argument."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):  # type: ignore[operator]
        allowed = f"whole numbers >= {least}" + ("" if most is None else f" and <= {most}")
        raise InvalidInputError(f"{name}={shown_count(value)}: allowed are {allowed}. Pass {meaning} as an int.")
    return int(value)  # type: ignore[call-overload]


def real_number(value: Any, name: str, remedy: str) -> float:
    """Return the float64 number nearest to a finite real one of any type.

    Raises:
        InvalidInputError: it is none, or beyond float64.
    """
    below, above = float_bounds(value, name, remedy)
    return below if below == above else _nearest(_fraction(_scalar(value, name)))


def scale_number(name: str, value: Any) -> float:
    """Return a scale of random weights, a finite number that is not negative.

    Raises:
        InvalidInputError: it is none.
    """
    number = real_number(value, name, "give a real number, at least 0")
    if number < 0.0:
        raise InvalidInputError(f"{name} = {number!r}: scales are finite and not negative")
    return number

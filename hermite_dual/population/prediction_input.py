"""Targets, cross kernels and lengths of training as users give them, checked."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import check_count, real_array, real_number
from hermite_dual.population.kernel_solver import Training

if TYPE_CHECKING:
    from hermite_dual.population.cross_gram import CrossGram
    from hermite_dual.population.gram import Gram


def has_samples(cross: Any) -> bool:
    """Whether it is a `CrossGram`, which knows its samples."""
    return hasattr(type(cross), "row_gram")


def read_training(t: Any, steps: Any, step: Any, noise: Any) -> Training:
    """Check how far to train.

    Raises:
        InvalidInputError: a number is negative, no number, or does not go with the others.
    """
    added = real_number(noise, "noise", "give what is added to the diagonal, a number >= 0")
    if added < 0.0:
        raise InvalidInputError(f"noise = {noise!r} is negative; allowed are variances >= 0")
    ends = isinstance(t, (float, np.floating)) and t == math.inf
    if steps is None:
        if step is not None:
            raise InvalidInputError(f"step = {step!r} without steps: pass steps too, or t for gradient flow")
        time = math.inf if ends else real_number(t, "t", "give a time >= 0, or math.inf for the end of training")
        if time < 0.0:
            raise InvalidInputError(f"t = {t!r} is negative; allowed are times >= 0 and math.inf")
        return Training(time, noise=added)
    if not ends:
        raise InvalidInputError(f"t = {t!r} with steps = {steps!r}: gradient flow has a time, gradient descent steps")
    if step is None:
        raise InvalidInputError(f"steps = {steps!r} without step: pass its size, for instance training_rate().step")
    size = real_number(step, "step", "give the size of a step, a positive number")
    if size <= 0.0:
        raise InvalidInputError(f"step = {step!r}: allowed are positive numbers")
    return Training(math.inf, check_count("steps", steps, 0, "how many steps", most=None), size, added)


def _finite(value: Any, name: str) -> Array:
    array = real_array(value, name)
    with np.errstate(over="ignore"):
        # what the caller can write to is copied: covariances and bounds are computed later
        array = np.array(array, dtype=np.float64) if array.flags.writeable else np.asarray(array, dtype=np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        place = ", ".join(map(str, np.argwhere(bad)[0]))
        raise InvalidInputError(
            f"{name}[{place}] = {array[bad][0]} is not finite, and {int(bad.sum())} such values in all; allowed are "
            "finite numbers. Remove or repair them"
        )
    return array


def read_targets(y: Any, n: int) -> Array:
    """Return targets of n samples, shape (n,) or (n, outputs)."""
    targets = _finite(y, "y")
    if targets.ndim not in (1, 2) or len(targets) != n or targets.size == 0:
        raise InvalidInputError(
            f"y has the shape {targets.shape}; allowed are ({n},) and ({n}, outputs), one for each row of the kernel"
        )
    return targets


def read_cross(kernel: "Gram", cross: Any) -> Array:
    """Return the kernel between p test samples and the training samples of a kernel, shape (p, n)."""
    if has_samples(cross):
        _check_columns(kernel, cross)
    return read_block(cross, (None, kernel.shape[0]), "cross")


def read_test_covariance(value: Any, p: int) -> Array:
    """Return K of p test samples, shape (p, p), or its diagonal, shape (p,)."""
    covariance = _finite(value, "test_covariance")
    if covariance.shape not in ((p,), (p, p)):
        raise InvalidInputError(
            f"test_covariance has the shape {covariance.shape}; allowed are ({p}, {p}), and ({p},) for variances: K of "
            "the test samples, the rows of cross"
        )
    return covariance


def read_block(value: Any, shape: tuple[int | None, int], name: str) -> Array:
    """Return a kernel between test and training samples of this shape; None where the number of rows is free."""
    matrix = _finite(value, name)
    p, n = shape
    if matrix.ndim != 2 or matrix.shape[1] != n or len(matrix) == 0 or len(matrix) != (p or len(matrix)):
        turned = " Pass its transpose." if matrix.ndim == 2 and matrix.shape[0] == n else ""
        raise InvalidInputError(
            f"{name} has the shape {matrix.shape}; allowed is ({p or 'p'}, {n}): a row for each test sample, a column "
            f"for each training sample, as model.gram(Y, X) and model.ntk(Y, X) give it.{turned}"
        )
    return matrix


def _check_columns(kernel: "Gram", cross: "CrossGram") -> None:
    """Refuse the block of another kernel, or one whose columns are not the training samples in their order."""
    one, other = kernel.model, cross.model
    for name in ("activation", "sigma_w", "sigma_u", "sigma_b", "depth", "trained"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine != theirs:
            raise InvalidInputError(f"cross belongs to another kernel: its {name} is {theirs}, that of y's {mine}")
    if kernel.tangent is not cross.tangent:
        kinds = ("a Gram matrix", "a tangent kernel")
        raise InvalidInputError(
            f"cross is a block of {kinds[cross.tangent]}, and the training samples have {kinds[kernel.tangent]}: take "
            "both from model.gram, or both from model.ntk"
        )
    X = one.samples
    if not np.array_equal(other.samples[len(cross.matrix) :], X):
        turned = np.array_equal(other.samples[: len(cross.matrix)], X)
        remedy = "it is turned round: " if turned else ""
        raise InvalidInputError(
            f"the columns of cross, of shape {cross.shape}, are not the {len(X)} training samples in their order: "
            f"{remedy}pass model.gram(Y, X) or model.ntk(Y, X), Y the test samples and X the training samples"
        )

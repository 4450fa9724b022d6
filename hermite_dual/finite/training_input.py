"""What training and its certificate are given: samples and targets that fit the network, a step, parameters."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from hermite_dual.arrays import Array
from hermite_dual.errors import InvalidInputError
from hermite_dual.exact_numbers import real_array, real_number
from hermite_dual.finite.untied import check_columns
from hermite_dual.namespaces import check_array, namespace_of
from hermite_dual.population.entries.trained import PARAMETERS

if TYPE_CHECKING:
    from hermite_dual.finite.network import FiniteDEQ


def default_parameters(network: "FiniteDEQ") -> tuple[str, ...]:
    """Return what is trained where nothing is said: all, without b where biases were not drawn."""
    return tuple(name for name in PARAMETERS if name != "b" or network.sigma_b > 0.0)


def checked_data(network: "FiniteDEQ", X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return samples and targets that fit the network, or say what does not."""
    for name, values in (("X", X), ("y", y)):
        if namespace_of(values) is not np:
            raise InvalidInputError(
                f"{name} is an array of {type(values).__module__}; training runs in NumPy. Pass it as a NumPy array."
            )
    samples = check_columns(check_array(X, np, "X"), network.inputs)
    targets = real_array(y, "y")
    if targets.shape != (len(samples),) or targets.dtype.kind not in "biuf":
        raise InvalidInputError(
            f"y has the shape {targets.shape} and the type {targets.dtype}; allowed are real numbers of shape "
            f"({len(samples)},), one target per row of X, since the network has one output. Pass one column at a time."
        )
    if not np.all(np.isfinite(targets)):
        raise InvalidInputError(
            f"y holds {int((~np.isfinite(targets)).sum())} values that are not finite; allowed are finite numbers. "
            "Remove those samples."
        )
    return samples, targets.astype(np.float64)


def check_step(step: object) -> None:
    """Refuse what is no step size."""
    remedy = "pass a part of network.stable_step(X), such as a half"
    if real_number(step, "step", remedy) <= 0.0:
        raise InvalidInputError(f"step={step!r}: allowed are finite numbers > 0; {remedy}.")

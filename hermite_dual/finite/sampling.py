"""Random weights of a finite deep equilibrium model.

Shapes and laws: `W` (m, m) iid N(0, sigma_w^2 / m), `U` (m, d) iid N(0, sigma_u^2 / d), `b` (m,) iid N(0, sigma_b^2).
"""

import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hermite_dual.errors import InvalidInputError
from hermite_dual.finite.network import FiniteDEQ

# One independent stream per parameter, so that the weights of one do not move when another's shape changes.
_STREAM_W, _STREAM_U, _STREAM_B = 0, 1, 2


def sample_network(
    activation: Any,
    *,
    sigma_w: float,
    sigma_u: float,
    sigma_b: float = 0.0,
    width: int,
    inputs: int,
    seed: int | np.random.SeedSequence,
) -> FiniteDEQ:
    """Draw the weights of a network of finite width; the same seed gives the same numbers.

    Args:
        activation: The activation phi, a vectorised float64 function.
        sigma_w: Scale of the recurrent weights, >= 0.
        sigma_u: Scale of the input weights, >= 0.
        sigma_b: Scale of the biases, >= 0.
        width: Number m of neurons, >= 1.
        inputs: Number d of input coordinates, >= 1.
        seed: A whole number >= 0 or a `numpy.random.SeedSequence`; `W`, `U` and `b` have independent streams of it.

    Returns:
        The network, its parameters read-only.

    Raises:
        InvalidInputError: An argument lies outside what is stated above.
    """
    m = check_count("width", width, 1, "the number of neurons")
    d = check_count("inputs", inputs, 1, "the number of columns of X")
    for name, value in (("sigma_w", sigma_w), ("sigma_u", sigma_u), ("sigma_b", sigma_b)):
        if not (math.isfinite(value) and value >= 0):
            raise InvalidInputError(f"{name}={value!r}: allowed are finite numbers >= 0. Pass a standard deviation.")
    root = check_seed(seed)
    return FiniteDEQ(
        activation=activation,
        sigma_w=float(sigma_w),
        W=_normal(root, _STREAM_W, (m, m), sigma_w / math.sqrt(m)),
        U=_normal(root, _STREAM_U, (m, d), sigma_u / math.sqrt(d)),
        b=_normal(root, _STREAM_B, (m,), sigma_b),
    )


def check_count(name: str, value: object, least: int, meaning: str) -> int:
    """Return a whole number of at least `least`, or raise an `InvalidInputError` that names the argument."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise InvalidInputError(f"{name}={value!r}: allowed are whole numbers >= {least}. Pass {meaning} as an int.")
    return int(value)


def check_seed(seed: object) -> np.random.SeedSequence:
    """Return the seed as a `SeedSequence`, or raise an `InvalidInputError`."""
    if isinstance(seed, np.random.SeedSequence):
        return seed
    return np.random.SeedSequence(check_count("seed", seed, 0, "the seed"))


def _normal(root: np.random.SeedSequence, stream: int, shape: tuple[int, ...], scale: float) -> NDArray[np.float64]:
    if scale == 0.0:
        return np.zeros(shape)
    # SeedSequence.spawn counts its children; naming the child keeps a reused seed reproducible.
    child = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, stream), pool_size=root.pool_size)
    values = np.random.Generator(np.random.PCG64(child)).standard_normal(shape)
    values *= scale
    return values
